//! Random hosts and random configurations of their sessions.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, PrefixRange, RestartConfig, RetryPolicy};
use bgp_wire::{Asn, Family, HoldTime, RouterId};
use fastrand::Rng;

use crate::speaker::Peer;
use crate::world::{Host, Program};

/// Returns two to four speakers, each with a session to every other host, and up to two adversaries.
pub(crate) fn hosts(random: &mut Rng) -> Vec<Host> {
    let (speakers, adversaries) = (random.usize(2..=4), random.usize(0..=2));
    let internal = random.bool();
    let mut hosts: Vec<Host> = (0..speakers + adversaries)
        .map(|number| host(random, number, internal, number >= speakers))
        .collect();
    let identities: Vec<_> = hosts
        .iter()
        .map(|host| (host.address, host.asn, host.router_id))
        .collect();
    for one in 0..speakers {
        for other in one + 1..speakers + adversaries {
            let common = SharedSettings::new(random, other >= speakers);
            let mut connect = |host: usize, peer: usize, passive: bool| {
                let (address, asn, _) = identities[peer];
                let config = config(random, &common, address, asn).with_passive(passive);
                let Some(Host {
                    program: Program::Speaker(speaker),
                    ..
                }) = hosts.get_mut(host)
                else {
                    return;
                };
                speaker
                    .peers
                    .insert(peer, Peer::new(config, !common.is_adversary));
            };
            // At most one side is passive; two passive sides would never connect.
            connect(one, other, common.passive == 1);
            connect(other, one, common.passive == 2);
        }
    }
    hosts
}

/// Returns one host. Speakers are either all in one AS or all in different ones.
fn host(random: &mut Rng, number: usize, internal: bool, is_adversary: bool) -> Host {
    let octet = u8::try_from(number + 1).unwrap();
    let asn = match (internal, random.bool()) {
        (true, _) => 64512,
        (false, true) => 64512 + u32::from(octet),
        // An AS number of four octets exercises AS_TRANS (RFC 6793).
        (false, false) => 4_200_000_000 + u32::from(octet),
    };
    let program = if is_adversary {
        Program::Adversary
    } else {
        Program::Speaker(Box::default())
    };
    Host {
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, octet)),
        asn: Asn::new(asn),
        router_id: RouterId::new(10, 0, 0, octet).unwrap(),
        is_running: true,
        is_off: false,
        boot: 0,
        program,
    }
}

/// The settings that both sides of a session share.
struct SharedSettings {
    is_adversary: bool,
    /// The side that never dials: 1 or 2, or 0 for neither.
    passive: u8,
    restarts: bool,
    add_path: bool,
    extended_message: bool,
}

impl SharedSettings {
    fn new(random: &mut Rng, is_adversary: bool) -> Self {
        Self {
            is_adversary,
            passive: random.u8(0..3),
            restarts: random.bool() && !is_adversary,
            add_path: random.bool(),
            extended_message: random.bool(),
        }
    }
}

fn config(random: &mut Rng, common: &SharedSettings, address: IpAddr, asn: Asn) -> PeerConfig {
    let seconds =
        |random: &mut Rng, minimum, maximum| Duration::from_secs(random.u64(minimum..=maximum));
    let mut config = PeerConfig::new(address, asn)
        .with_hold_time(hold_time(random))
        .with_retry(retry(random))
        .with_send_hold_time(seconds(random, 60, 480))
        .with_next_hop_ipv6("2001:db8::1".parse().unwrap())
        .with_deliver_updates(true)
        .with_add_path(common.add_path || random.bool())
        .with_extended_message(common.extended_message || random.bool())
        .with_export(policy(random));
    if random.u8(0..4) == 0 {
        config = config.with_delay_open(seconds(random, 1, 20));
    }
    if random.u8(0..4) == 0 {
        config = config
            .with_families([Family::IPV4_UNICAST])
            .expect("it is served");
    }
    if common.restarts {
        let restart = RestartConfig::new()
            .with_restart_time(seconds(random, 20, MAX_RESTART_TIME.into()))
            .with_notification(random.bool())
            .with_stale_time(seconds(random, 30, MAX_STALE_TIME));
        config = config.with_graceful_restart(if random.bool() {
            restart.with_long_lived(seconds(random, 30, MAX_LONG_LIVED_STALE_TIME.into()))
        } else {
            restart
        });
    }
    if common.is_adversary && random.bool() {
        config = config.with_maximum_prefixes(Family::IPV4_UNICAST, 20);
    }
    config
}

/// Limits of the times for which routes are retained, in seconds. The monitor derives its bounds from them.
pub(crate) const MAX_RESTART_TIME: u16 = 120;
pub(crate) const MAX_LONG_LIVED_STALE_TIME: u32 = 300;
pub(crate) const MAX_STALE_TIME: u64 = 360;

/// Returns the default policy or a random one.
fn retry(random: &mut Rng) -> RetryPolicy {
    if random.bool() {
        return RetryPolicy::new();
    }
    let interval = Duration::from_millis(random.u64(1000..=5000));
    let timeout = Duration::from_secs(random.u64(2..=60));
    let first = Duration::from_secs(random.u64(1..=5));
    let maximum = Duration::from_secs(random.u64(10..=120));
    let stable_time = Duration::from_secs(random.u64(0..=60));
    let early_close = Duration::from_millis(random.u64(0..=1000));
    RetryPolicy::new()
        .with_connect_interval(interval)
        .with_connect_timeout(timeout)
        .with_damping(first, maximum)
        .with_stable_time(stable_time)
        .with_early_close(early_close, Duration::from_millis(100))
}

fn hold_time(random: &mut Rng) -> HoldTime {
    // 0 turns the timers off, and 3 s is the minimum that RFC 4271 section 4.2 allows; 90 s is the usual value.
    let seconds = [0, 3, 9, 30, 90, 90, 90, 180];
    HoldTime::new(seconds[random.usize(0..seconds.len())]).unwrap()
}

/// Returns a policy that exports all prefixes, or only the lower half of them (see `speaker::prefix`).
pub(crate) fn policy(random: &mut Rng) -> ExportPolicy {
    if random.bool() {
        return ExportPolicy::all();
    }
    ExportPolicy::only(
        ["10.1.0.0/17", "2001:db8:1::/49"]
            .map(|prefix| PrefixRange::inside_of(prefix.parse().unwrap())),
    )
}

/// The routes that a speaker announces: the version of each path, by prefix and path identifier.
pub(crate) type Table = BTreeMap<(ipnet::IpNet, u32), u32>;
