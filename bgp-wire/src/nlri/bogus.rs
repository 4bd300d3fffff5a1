//! Bogus prefixes: well-formed, but no route can lead there (RFC 4271 section 6.3).
//!
//! This is the only list of them. It has no prefixes that merely should not be routed on the Internet, such as private or
//! reserved ones: these are a matter of policy.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Returns `true` if a prefix has only destinations that no route can lead to: multicast, loopback, broadcast, link-local or
/// unspecified addresses.
///
/// A speaker ignores an announcement of such a prefix, and the session continues (RFC 4271 section 6.3).
/// [`Checked`](crate::Checked) does so in the unicast and multicast families. The default routes are not bogus, although they
/// contain such addresses.
///
/// ```
/// let is_bogus = |prefix: &str| bgp_wire::is_bogus_prefix(prefix.parse().expect("a prefix"));
/// assert!(is_bogus("224.0.0.0/4") && is_bogus("::1/128"));
/// assert!(!is_bogus("0.0.0.0/0") && !is_bogus("192.168.10.1/32"));
/// ```
#[must_use]
pub fn is_bogus_prefix(prefix: IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => is_bogus_ipv4(prefix),
        IpNet::V6(prefix) => is_bogus_ipv6(prefix),
    }
}

/// Returns `true` for subnets of 224.0.0.0/4 and 127.0.0.0/8, and for 255.255.255.255/32.
pub(super) fn is_bogus_ipv4(prefix: Ipv4Net) -> bool {
    let (address, length) = (prefix.network(), prefix.prefix_len());
    (length >= 4 && address.is_multicast())
        || (length >= 8 && address.is_loopback())
        || (length == 32 && address.is_broadcast())
}

/// Returns `true` for subnets of ff00::/8 and fe80::/10, and for ::1/128 and ::/128.
pub(super) fn is_bogus_ipv6(prefix: Ipv6Net) -> bool {
    let (address, length) = (prefix.network(), prefix.prefix_len());
    (length >= 8 && address.is_multicast())
        || (length >= 10 && address.is_unicast_link_local())
        || (length == 128 && (address.is_loopback() || address.is_unspecified()))
}

/// Returns `true` if a bogus IPv4 prefix may begin with this octet.
// One load is cheaper than two comparisons, and every received prefix is asked.
#[inline(always)]
pub(super) fn is_suspect_ipv4(first: u8) -> bool {
    SUSPECT_IPV4.get(usize::from(first)).is_some_and(|it| *it)
}

/// Returns `true` if a bogus IPv6 prefix may begin with this octet.
#[inline(always)]
pub(super) const fn is_suspect_ipv6(first: u8) -> bool {
    // 0xfe, 0xff and 0 with one comparison.
    first.wrapping_add(2) < 3
}

/// The first octets of 127.0.0.0/8, 224.0.0.0/4 and 255.255.255.255/32.
static SUSPECT_IPV4: [bool; 256] = {
    let mut octets = [false; 256];
    let (_, multicast_and_above) = octets.split_at_mut(224);
    let mut rest = multicast_and_above;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = true;
        rest = others;
    }
    let (_, loopback) = octets.split_at_mut(127);
    if let Some(first) = loopback.first_mut() {
        *first = true;
    }
    octets
};

#[cfg(test)]
mod tests {
    use super::*;

    const BOGUS: [&str; 14] = [
        "224.0.0.0/4",
        "239.255.255.255/32",
        "232.1.0.0/16",
        "127.0.0.0/8",
        "127.0.0.1/32",
        "127.255.0.0/16",
        "255.255.255.255/32",
        "ff00::/8",
        "ff02::1/128",
        "fe80::/10",
        "febf::/16",
        "fe80::1/128",
        "::1/128",
        "::/128",
    ];

    const ROUTABLE: [&str; 18] = [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "0.0.0.0/8",
        "126.0.0.0/8",
        "126.0.0.0/7",
        "128.0.0.0/8",
        "128.0.0.0/1",
        "223.255.255.0/24",
        "224.0.0.0/3",
        "240.0.0.0/4",
        "255.255.255.254/32",
        "169.254.0.0/16",
        "::/0",
        "::/8",
        "64:ff9b::/96",
        "fe00::/7",
        "fec0::/10",
        "::2/128",
    ];

    #[test]
    fn bogus_prefixes_are_told_from_neighbors_and_supernets() {
        for text in BOGUS {
            assert!(is_bogus_prefix(text.parse().unwrap()), "{text}");
        }
        for text in ROUTABLE {
            assert!(!is_bogus_prefix(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn first_octet_of_every_bogus_prefix_is_a_suspect() {
        for text in BOGUS {
            let suspect = match text.parse().unwrap() {
                IpNet::V4(prefix) => is_suspect_ipv4(prefix.addr().octets()[0]),
                IpNet::V6(prefix) => is_suspect_ipv6(prefix.addr().octets()[0]),
            };
            assert!(suspect, "{text}");
        }
        // A check of every prefix that a suspect octet begins is slow: ordinary ones must not be suspects.
        assert!(!is_suspect_ipv4(10) && !is_suspect_ipv4(192) && !is_suspect_ipv6(0x20));
    }
}
