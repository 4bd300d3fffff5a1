//! Who is there, and how each is configured.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, PrefixRange, RestartConfig};
use bgp_wire::{Asn, Family, HoldTime, RouterId};
use fastrand::Rng;

use crate::speaker::Peer;
use crate::world::{Host, Program};

/// Two to four speakers, each with a session to every other, and up to two liars.
pub(crate) fn hosts(random: &mut Rng) -> Vec<Host> {
    let (speakers, liars) = (random.usize(2..=4), random.usize(0..=2));
    let internal = random.bool();
    let mut hosts: Vec<Host> = (0..speakers + liars)
        .map(|number| host(random, number, internal, number >= speakers))
        .collect();
    let everybody: Vec<_> = hosts
        .iter()
        .map(|host| (host.address, host.asn, host.router_id))
        .collect();
    for one in 0..speakers {
        for other in one + 1..speakers + liars {
            let common = Common::new(random, other >= speakers);
            let mut connect = |host: usize, peer: usize, passive: bool| {
                let (address, asn, _) = everybody[peer];
                let config = config(random, &common, address, asn).passive(passive);
                let Some(Host {
                    program: Program::Speaker(speaker),
                    ..
                }) = hosts.get_mut(host)
                else {
                    return;
                };
                speaker.peers.insert(peer, Peer::new(config, !common.lies));
            };
            connect(one, other, common.passive == 1);
            connect(other, one, common.passive == 2);
        }
    }
    hosts
}

fn host(random: &mut Rng, number: usize, internal: bool, lies: bool) -> Host {
    let octet = u8::try_from(number + 1).unwrap();
    let asn = match (internal, random.bool()) {
        (true, _) => 64512,
        (false, true) => 64512 + u32::from(octet),
        (false, false) => 4_200_000_000 + u32::from(octet),
    };
    let program = if lies {
        Program::Liar
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

/// What both sides of a session have in common.
struct Common {
    lies: bool,
    /// Which of the two waits for the other, 0 for none.
    passive: u8,
    restarts: bool,
    add_path: bool,
    extended_message: bool,
}

impl Common {
    fn new(random: &mut Rng, lies: bool) -> Self {
        Self {
            lies,
            passive: random.u8(0..3),
            restarts: random.bool() && !lies,
            add_path: random.bool(),
            extended_message: random.bool(),
        }
    }
}

fn config(random: &mut Rng, common: &Common, address: IpAddr, asn: Asn) -> PeerConfig {
    let second = |random: &mut Rng, least, most| Duration::from_secs(random.u64(least..=most));
    let mut config = PeerConfig::new(address, asn)
        .hold_time(hold_time(random))
        .connect_retry(second(random, 5, 60))
        .idle_hold(second(random, 1, 5), second(random, 10, 120))
        .send_hold_time(second(random, 60, 480))
        .next_hop_ipv6("2001:db8::1".parse().unwrap())
        .deliver_updates(true)
        .add_path(common.add_path || random.bool())
        .extended_message(common.extended_message || random.bool())
        .export(policy(random));
    if random.u8(0..4) == 0 {
        config = config.delay_open(second(random, 1, 20));
    }
    if random.u8(0..4) == 0 {
        config = config
            .families([Family::IPV4_UNICAST])
            .expect("it is served");
    }
    if common.restarts {
        let restart = RestartConfig::new()
            .restart_time(random.u16(20..=RESTART_TIME))
            .notification(random.bool())
            .stale_time(second(random, 30, STALE_TIME));
        config = config.graceful_restart(if random.bool() {
            restart.long_lived(random.u32(30..=LONG_LIVED))
        } else {
            restart
        });
    }
    if common.lies && random.bool() {
        config = config.maximum_prefixes(Family::IPV4_UNICAST, 20);
    }
    config
}

/// The longest times for which routes are kept, in seconds.
pub(crate) const RESTART_TIME: u16 = 120;
pub(crate) const LONG_LIVED: u32 = 300;
pub(crate) const STALE_TIME: u64 = 360;

fn hold_time(random: &mut Rng) -> HoldTime {
    let seconds = [0, 3, 9, 30, 90, 90, 90, 180];
    HoldTime::new(seconds[random.usize(0..seconds.len())]).unwrap()
}

/// Everything, or the lower half of the prefixes there are (see `speaker::prefix`).
pub(crate) fn policy(random: &mut Rng) -> ExportPolicy {
    if random.bool() {
        return ExportPolicy::all();
    }
    ExportPolicy::only(
        ["10.1.0.0/17", "2001:db8:1::/49"]
            .map(|prefix| PrefixRange::inside_of(prefix.parse().unwrap())),
    )
}

/// What a speaker is to announce: a version of each path to each prefix.
pub(crate) type Table = BTreeMap<(ipnet::IpNet, u32), u32>;
