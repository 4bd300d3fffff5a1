//! One session between us and a router: the addresses, and what both are configured with.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_session::{ExportPolicy, Md5Key, PeerConfig, RestartConfig};
use bgp_wire::{Asn, Family};

pub(crate) const OUR_AS: u32 = 64512;
pub(crate) const KEY: &str = "a-key-for-both";

/// Who makes the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialling {
    We,
    It,
    Both,
}

/// Who looks at the other's TTL (RFC 5082).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gtsm {
    Off,
    Both,
    We,
}

/// What both sides are configured with. Every trial has addresses of its own, so that all run at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) number: u8,
    pub(crate) dialling: Dialling,
    pub(crate) internal: bool,
    pub(crate) ipv6: bool,
    pub(crate) md5: bool,
    pub(crate) gtsm: Gtsm,
    pub(crate) restart: bool,
    /// The families that both sides offer.
    pub(crate) families: &'static [Family],
}

impl Setup {
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

    /// Routes are kept over a restart of either side; both dial.
    pub(crate) const fn restarted(number: u8) -> Self {
        Self {
            internal: true,
            restart: true,
            ..Self::new(number, Dialling::Both)
        }
    }

    /// The same with other addresses: what was there before may take a moment to go.
    pub(crate) const fn elsewhere(self, step: u8) -> Self {
        Self {
            number: self.number + step,
            ..self
        }
    }

    pub(crate) const fn ours_ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    pub(crate) const fn theirs_ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 2)
    }

    pub(crate) fn ours_ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x77, self.number.into(), 0, 0, 0, 0, 1)
    }

    pub(crate) fn theirs_ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x77, self.number.into(), 0, 0, 0, 0, 2)
    }

    /// Our end of the session.
    pub(crate) fn ours(&self) -> IpAddr {
        if self.ipv6 {
            self.ours_ipv6().into()
        } else {
            self.ours_ipv4().into()
        }
    }

    /// The router's end of the session.
    pub(crate) fn theirs(&self) -> IpAddr {
        if self.ipv6 {
            self.theirs_ipv6().into()
        } else {
            self.theirs_ipv4().into()
        }
    }

    pub(crate) fn their_as(&self) -> u32 {
        if self.internal { OUR_AS } else { 64513 }
    }

    pub(crate) fn router_is_passive(&self) -> bool {
        self.dialling == Dialling::We
    }

    /// The router, as we know it.
    pub(crate) fn peer(&self) -> PeerConfig {
        let mut config = PeerConfig::new(self.theirs(), Asn::new(self.their_as()))
            .source_address(self.ours())
            .passive(self.dialling == Dialling::It)
            .connect_retry(Duration::from_secs(2))
            .idle_hold(Duration::from_millis(100), Duration::from_secs(1))
            .next_hop_ipv4(self.ours_ipv4())
            .next_hop_ipv6(self.ours_ipv6())
            .families(self.families.iter().copied())
            .export(ExportPolicy::all());
        if self.md5 {
            config = config.md5_key(key(KEY));
        }
        if self.gtsm != Gtsm::Off {
            config = config.ttl_security(1);
        }
        if self.restart {
            config = config.graceful_restart(RestartConfig::new().restart_time(60));
        }
        config
    }
}

pub(crate) fn key(text: &str) -> Md5Key {
    Md5Key::new(text).unwrap()
}

/// `text` if it is wanted: for lines of a configuration.
pub(crate) fn when(wanted: bool, text: &str) -> &str {
    if wanted { text } else { "" }
}

/// Commands that add the addresses of the setups with these numbers.
pub(crate) fn addresses(numbers: u8) -> String {
    let mut lines = "ip -batch - <<'END'\nlink set lo up\n".to_owned();
    for number in 1..=numbers {
        let setup = Setup::new(number, Dialling::We);
        for address in [setup.ours_ipv4(), setup.theirs_ipv4()] {
            writeln!(lines, "address add {address}/24 dev lo").unwrap();
        }
        for address in [setup.ours_ipv6(), setup.theirs_ipv6()] {
            writeln!(lines, "address add {address}/64 dev lo nodad").unwrap();
        }
    }
    lines + "END"
}
