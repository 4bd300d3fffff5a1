//! The setup of one session with a router: its addresses and the configuration of both sides.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_session::{ExportPolicy, Md5Key, PeerConfig, RestartConfig, RetryPolicy};
use bgp_wire::{Asn, Family};

pub(crate) const OUR_AS: u32 = 64512;
/// The MD5 key of both sides.
pub(crate) const KEY: &str = "a-key-for-both";

/// The side that opens the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialling {
    Us,
    Router,
    Both,
}

/// The sides that check the TTL of received packets (RFC 5082).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gtsm {
    Off,
    Both,
    OnlyUs,
}

/// The configuration that both sides share. Each trial has its own addresses, so that trials run in parallel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The part of the addresses that differs between setups.
    pub(crate) number: u8,
    pub(crate) dialling: Dialling,
    /// `true` if the router has our AS.
    pub(crate) internal: bool,
    /// `true` if the session runs over IPv6.
    pub(crate) ipv6: bool,
    pub(crate) md5: bool,
    pub(crate) gtsm: Gtsm,
    /// `true` if both sides offer Graceful Restart (RFC 4724).
    pub(crate) restart: bool,
    /// The families that both sides offer.
    pub(crate) families: &'static [Family],
}

impl Setup {
    /// Returns an external session over IPv4 with both unicast families and no options.
    pub(crate) const fn new(number: u8, dialling: Dialling) -> Self {
        Self {
            number,
            dialling,
            internal: false,
            ipv6: false,
            md5: false,
            gtsm: Gtsm::Off,
            restart: false,
            families: &[Family::IPV4_UNICAST, Family::IPV6_UNICAST],
        }
    }

    /// Returns an internal session with Graceful Restart that both sides dial.
    pub(crate) const fn restarted(number: u8) -> Self {
        Self {
            internal: true,
            restart: true,
            ..Self::new(number, Dialling::Both)
        }
    }

    /// Returns the same setup with other addresses, because connections of the previous router may exist for a moment.
    pub(crate) const fn elsewhere(self, step: u8) -> Self {
        Self {
            number: self.number + step,
            ..self
        }
    }

    pub(crate) const fn our_ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    pub(crate) const fn router_ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 2)
    }

    pub(crate) fn our_ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x77, self.number.into(), 0, 0, 0, 0, 1)
    }

    pub(crate) fn router_ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x77, self.number.into(), 0, 0, 0, 0, 2)
    }

    /// Returns our address of the session.
    pub(crate) fn our_address(&self) -> IpAddr {
        if self.ipv6 {
            self.our_ipv6().into()
        } else {
            self.our_ipv4().into()
        }
    }

    /// Returns the router's address of the session.
    pub(crate) fn router_address(&self) -> IpAddr {
        if self.ipv6 {
            self.router_ipv6().into()
        } else {
            self.router_ipv4().into()
        }
    }

    pub(crate) fn router_as(&self) -> u32 {
        if self.internal { OUR_AS } else { 64513 }
    }

    pub(crate) fn router_is_passive(&self) -> bool {
        self.dialling == Dialling::Us
    }

    /// Returns our configuration of the router.
    pub(crate) fn peer(&self) -> PeerConfig {
        let mut config = PeerConfig::new(self.router_address(), Asn::new(self.router_as()))
            .with_source_address(self.our_address())
            .with_passive(self.dialling == Dialling::Router)
            .with_retry(quick_retry())
            .with_next_hop_ipv4(self.our_ipv4())
            .with_next_hop_ipv6(self.our_ipv6())
            .with_families(self.families.iter().copied())
            .unwrap()
            .with_export(ExportPolicy::all());
        if self.md5 {
            config = config.with_md5_key(key(KEY));
        }
        if self.gtsm != Gtsm::Off {
            config = config.with_ttl_security(1);
        }
        if self.restart {
            config = config.with_graceful_restart(
                RestartConfig::new().with_restart_time(Duration::from_secs(60)),
            );
        }
        config
    }
}

/// Returns short waits: trials start the router after the session, so that the first attempts fail.
pub(crate) fn quick_retry() -> RetryPolicy {
    let (first, maximum) = (Duration::from_millis(100), Duration::from_secs(1));
    RetryPolicy::new()
        .with_connect_interval(first)
        .with_damping(first, maximum)
}

pub(crate) fn key(text: &str) -> Md5Key {
    Md5Key::new(text).unwrap()
}

/// Returns `text` if it is wanted, otherwise an empty text. Used for optional lines of a configuration.
pub(crate) fn when(wanted: bool, text: &str) -> &str {
    if wanted { text } else { "" }
}

/// Returns shell commands that add the addresses of all setups with numbers from 1 to `maximum`, and those of
/// [`INTERFACES`].
pub(crate) fn addresses(maximum: u8) -> String {
    // One batch: a process for each of a thousand addresses would take seconds.
    let mut lines = "ip -batch - <<'END'\nlink set lo up\n".to_owned();
    for number in 1..=maximum {
        let setup = Setup::new(number, Dialling::Us);
        for address in [setup.our_ipv4(), setup.router_ipv4()] {
            writeln!(lines, "address add {address}/24 dev lo").unwrap();
        }
        for address in [setup.our_ipv6(), setup.router_ipv6()] {
            writeln!(lines, "address add {address}/64 dev lo nodad").unwrap();
        }
    }
    for number in INTERFACES {
        let setup = Setup::new(number, Dialling::Us);
        let (ours, theirs) = (interface(number), format!("router{number}"));
        // No link-local addresses: they would be next hops while an interface has no other address.
        for line in [
            format!("link add {ours} type veth peer name {theirs}"),
            format!("link set {ours} addrgenmode none up"),
            format!("link set {theirs} addrgenmode none up"),
            format!("address add {}/24 dev {ours}", setup.our_ipv4()),
            format!("address add {}/64 dev {ours} nodad", setup.our_ipv6()),
            format!("address add {}/24 dev {theirs}", setup.router_ipv4()),
            format!("address add {}/64 dev {theirs} nodad", setup.router_ipv6()),
        ] {
            writeln!(lines, "{line}").unwrap();
        }
    }
    lines + "END"
}

/// The numbers of the setups whose addresses are on interfaces of their own.
pub(crate) const INTERFACES: [u8; 4] = [251, 252, 253, 254];

/// Returns the name of our interface in one of the setups with [`INTERFACES`].
pub(crate) fn interface(number: u8) -> String {
    format!("ours{number}")
}
