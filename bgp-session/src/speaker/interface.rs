//! The addresses of the interface that holds our end of a session.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use if_addrs::{IfAddr, Interface};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses of all interfaces, as of the last lookup.
#[derive(Debug, Default)]
pub(super) struct Interfaces(Mutex<Option<(Instant, Vec<Interface>)>>);

impl Interfaces {
    /// Returns the addresses of the interface with the address `local`, in order of preference among equal ones.
    ///
    /// Several interfaces may have a link-local address, and those of different VRFs may have any address. `device`, the
    /// interface or its VRF, then decides. Returns no address if it does not.
    ///
    /// # Errors
    ///
    /// The system cannot list the addresses.
    pub(super) fn addresses_of_interface(
        &self,
        now: Instant,
        local: IpAddr,
        device: Option<&str>,
    ) -> io::Result<Vec<IpNet>> {
        self.with(now, if_addrs::get_if_addrs, |interfaces| {
            addresses_of(interfaces, local, device, master_of)
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

/// Returns the addresses of the interface with the address `local`. `master` returns the name of the VRF of an interface.
fn addresses_of(
    interfaces: &[Interface],
    local: IpAddr,
    device: Option<&str>,
    master: impl Fn(&str) -> Option<String>,
) -> Vec<IpNet> {
    let mut holders: Vec<_> = interfaces
        .iter()
        .filter(|entry| entry.ip() == local)
        .map(name_of)
        .collect();
    holders.sort_unstable();
    holders.dedup();
    let Some(holder) = holder(&holders, device, master) else {
        return Vec::new();
    };
    let mut addresses: Vec<_> = interfaces
        .iter()
        .filter(|entry| name_of(entry) == holder)
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

/// Returns the interface of a session through `device`, one of those that hold its local address. Returns `None` if several
/// may be meant: a next hop in another VRF or on another link leads nowhere.
fn holder<'a>(
    holders: &[&'a str],
    device: Option<&str>,
    master: impl Fn(&str) -> Option<String>,
) -> Option<&'a str> {
    if let [only] = holders {
        return Some(only);
    }
    let device = device?;
    if let Some(named) = holders.iter().find(|name| **name == device) {
        return Some(named);
    }
    // The device of a session in a VRF is the VRF itself, and the address is that of an interface in it.
    let mut members = holders
        .iter()
        .filter(|name| master(name).as_deref() == Some(device));
    members.next().filter(|_| members.next().is_none()).copied()
}

/// Returns the name of the VRF or bridge that an interface belongs to.
fn master_of(name: &str) -> Option<String> {
    // Only Linux has this file. Elsewhere the name of the interface alone decides. The file is that of the namespace in
    // which `/sys` was mounted: a process that has left it without a mount of its own finds no master.
    let link = Path::new("/sys/class/net").join(name).join("master");
    let master = std::fs::read_link(link).ok()?;
    Some(master.file_name()?.to_str()?.to_owned())
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
        // eth1 and eth2 are in VRFs, and eth3 and eth4 in the same one.
        let master = |name: &str| {
            let vrf = match name {
                "eth1" => "vrf-red",
                "eth2" => "vrf-blue",
                "eth3" | "eth4" => "vrf-green",
                _ => return None,
            };
            Some(vrf.to_owned())
        };
        let addresses = addresses_of(interfaces, local.parse().unwrap(), device, master);
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

    // The same address in several VRFs, and the same link-local address on several links.
    #[test]
    fn address_of_several_interfaces_needs_a_device_that_decides() {
        let mut interfaces = Vec::new();
        for (number, name) in ["eth0", "eth1", "eth2", "eth3", "eth4"].iter().enumerate() {
            interfaces.push(entry(name, "192.0.2.10/24"));
            interfaces.push(entry(name, &format!("2001:db8::a{number}/64")));
            interfaces.push(entry(name, "fe80::1/64"));
        }
        for local in ["192.0.2.10", "fe80::1"] {
            for (device, number) in [
                ("eth0", Some(0)),
                ("eth1", Some(1)),
                ("vrf-red", Some(1)),
                ("vrf-blue", Some(2)),
                ("eth4", Some(4)),
                ("vrf-green", None),
                ("vrf-other", None),
            ] {
                let mut found = found(&interfaces, local, Some(device));
                found.retain(|address| address.starts_with("2001:"));
                let expected: Vec<_> = number
                    .map(|number| format!("2001:db8::a{number}/64"))
                    .into_iter()
                    .collect();
                assert_eq!(found, expected, "{local} {device}");
            }
            assert!(found(&interfaces, local, None).is_empty(), "{local}");
        }
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
        let found = interfaces.addresses_of_interface(Instant::now(), [127, 0, 0, 1].into(), None);
        let addresses = found.unwrap();
        assert!(
            addresses.contains(&"127.0.0.1/8".parse().unwrap()),
            "{addresses:?}"
        );
    }
}
