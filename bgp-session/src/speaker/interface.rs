//! The addresses of the interface that holds our end of a session.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use if_addrs::{IfAddr, Interface};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses of all interfaces, as of the last lookup.
#[derive(Debug, Default)]
pub(super) struct Interfaces(Mutex<Option<(Instant, Vec<Interface>)>>);

impl Interfaces {
    /// Returns the addresses of the interface with the address `local`, in order of preference among equal ones. `device`
    /// decides if several interfaces have it, which is possible for a link-local address.
    ///
    /// # Errors
    ///
    /// The system cannot list the addresses.
    pub(super) fn beside(
        &self,
        now: Instant,
        local: IpAddr,
        device: Option<&str>,
    ) -> io::Result<Vec<IpNet>> {
        self.with(now, if_addrs::get_if_addrs, |interfaces| {
            beside(interfaces, local, device)
        })
    }

    /// Forgets the last lookup, because addresses have changed.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with<T>(
        &self,
        now: Instant,
        look_up: impl FnOnce() -> io::Result<Vec<Interface>>,
        read: impl FnOnce(&[Interface]) -> T,
    ) -> io::Result<T> {
        // Locked during the lookup: a thousand sessions that come up together share one.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((time, interfaces)) if now.saturating_duration_since(*time) < MAX_AGE => {
                Ok(read(interfaces))
            }
            _ => {
                let interfaces = look_up()?;
                let result = read(&interfaces);
                *known = Some((now, interfaces));
                Ok(result)
            }
        }
    }
}

fn beside(interfaces: &[Interface], local: IpAddr, device: Option<&str>) -> Vec<IpNet> {
    let holders = || interfaces.iter().filter(|entry| entry.ip() == local);
    // In a VRF the device is the VRF, and the address is that of an interface in it.
    let named = holders().find(|entry| Some(name_of(entry)) == device);
    let Some(holder) = named.or_else(|| holders().next()) else {
        return Vec::new();
    };
    let mut addresses: Vec<_> = interfaces
        .iter()
        .filter(|entry| name_of(entry) == name_of(holder))
        .filter_map(net)
        .collect();
    // Linux lists the newest IPv6 address first. The oldest is the one that the host was given for itself.
    if cfg!(target_os = "linux") {
        let first_ipv6 = addresses.partition_point(|address| address.addr().is_ipv4());
        if let Some(ipv6) = addresses.get_mut(first_ipv6..) {
            ipv6.reverse();
        }
    }
    addresses
}

/// Returns the name of the interface, without the label that an IPv4 address may have.
fn name_of(entry: &Interface) -> &str {
    entry
        .name
        .split_once(':')
        .map_or(entry.name.as_str(), |(name, _)| name)
}

/// Returns the address of an entry with the length of its subnet.
fn net(entry: &Interface) -> Option<IpNet> {
    match &entry.addr {
        IfAddr::V4(address) => Ipv4Net::new(address.ip, address.prefixlen)
            .ok()
            .map(IpNet::V4),
        IfAddr::V6(address) => Ipv6Net::new(address.ip, address.prefixlen)
            .ok()
            .map(IpNet::V6),
    }
}

/// The time for which a lookup is used again. No longer than the delay with which the `netlink` module reports a change.
const MAX_AGE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn entry(name: &str, address: &str) -> Interface {
        let address: IpNet = address.parse().unwrap();
        let prefixlen = address.prefix_len();
        let addr = match (address.addr(), address.netmask()) {
            (IpAddr::V4(ip), IpAddr::V4(netmask)) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask,
                prefixlen,
                broadcast: None::<Ipv4Addr>,
            }),
            (IpAddr::V6(ip), IpAddr::V6(netmask)) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask,
                prefixlen,
                broadcast: None::<Ipv6Addr>,
            }),
            _ => panic!("{address}"),
        };
        Interface {
            name: name.to_owned(),
            addr,
            index: None,
            oper_status: IfOperStatus::Up,
            is_p2p: false,
        }
    }

    fn found(interfaces: &[Interface], local: &str, device: Option<&str>) -> Vec<String> {
        let addresses = beside(interfaces, local.parse().unwrap(), device);
        addresses.iter().map(IpNet::to_string).collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn addresses_are_those_of_the_interface_that_holds_the_local_address() {
        let interfaces = [
            entry("lo", "127.0.0.1/8"),
            entry("eth0", "192.0.2.10/24"),
            entry("eth0:service", "198.51.100.1/32"),
            entry("eth1", "203.0.113.1/24"),
            entry("lo", "::1/128"),
            entry("eth0", "2001:db8:1::99/128"),
            entry("eth0", "2001:db8::10/64"),
            entry("eth0", "fe80::1/64"),
            entry("eth1", "fe80::1/64"),
        ];
        let eth0 = [
            "192.0.2.10/24",
            "198.51.100.1/32",
            "fe80::1/64",
            "2001:db8::10/64",
            "2001:db8:1::99/128",
        ];
        assert_eq!(found(&interfaces, "192.0.2.10", None), eth0);
        assert_eq!(found(&interfaces, "198.51.100.1", None), eth0);
        assert_eq!(found(&interfaces, "192.0.2.10", Some("vrf-blue")), eth0);
        let eth1 = ["203.0.113.1/24", "fe80::1/64"];
        assert_eq!(found(&interfaces, "fe80::1", Some("eth1")), eth1);
        assert_eq!(found(&interfaces, "fe80::1", Some("eth0")), eth0);
        assert!(found(&interfaces, "192.0.2.77", None).is_empty());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn lookup_is_shared_until_it_is_old_or_forgotten() {
        let (interfaces, start) = (Interfaces::default(), Instant::now());
        let names = |now, name: &str| {
            let look_up = || Ok(vec![entry(name, "192.0.2.1/24")]);
            let read = |found: &[Interface]| found[0].name.clone();
            interfaces.with(now, look_up, read).unwrap()
        };
        assert_eq!(names(start, "first"), "first");
        assert_eq!(names(start + MAX_AGE / 2, "second"), "first");
        assert_eq!(names(start + MAX_AGE, "third"), "third");
        interfaces.forget();
        assert_eq!(names(start + MAX_AGE, "fourth"), "fourth");
        let fails = || Err(io::ErrorKind::Other.into());
        assert!(interfaces.with(start + MAX_AGE * 2, fails, |_| ()).is_err());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn system_lists_the_loopback_address() {
        let interfaces = Interfaces::default();
        let found = interfaces.beside(Instant::now(), [127, 0, 0, 1].into(), None);
        let addresses = found.unwrap();
        assert!(
            addresses.contains(&"127.0.0.1/8".parse().unwrap()),
            "{addresses:?}"
        );
    }
}
