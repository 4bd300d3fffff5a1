//! Values as people write them: addresses, ranges, numbers, durations, communities. Nothing here knows a file format.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bgp_wire::{Asn, HoldTime, RouterId};
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use super::Password;
use super::diagnostic::Problem;
use crate::value::AnyCommunity;

/// The address of a host.
pub(super) fn address(text: &str) -> Result<IpAddr, Problem> {
    let problem = || Problem::new(format!("`{text}` is not an IP address"));
    // An IPv4-mapped address is the same router as its IPv4 address.
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) if address.is_unspecified() || address.is_multicast() => Err(Problem::new(
            format!("`{text}` is not the address of a host"),
        )
        .help("write the address of one interface, such as 192.168.0.254")),
        Ok(address) => Ok(address),
        Err(_) if text.contains('%') => {
            Err(problem().help("an address with a zone is not supported; write a global address"))
        }
        Err(_) if text.contains('/') => Err(problem().help("leave the prefix length out")),
        Err(_) => Err(problem().help(
            "write an address such as 192.168.0.254 or 2001:db8::1; host names are not looked up",
        )),
    }
}

/// An IPv4 address of a host.
pub(super) fn address_v4(text: &str) -> Result<Ipv4Addr, Problem> {
    match address(text)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(Problem::new(format!("`{text}` is not an IPv4 address"))
            .help("write an address such as 192.168.0.111")),
    }
}

/// An IPv6 address of a host.
pub(super) fn address_v6(text: &str) -> Result<Ipv6Addr, Problem> {
    match address(text)? {
        IpAddr::V6(address) => Ok(address),
        IpAddr::V4(_) => Err(Problem::new(format!("`{text}` is not an IPv6 address"))
            .help("write an address such as 2001:db8::1")),
    }
}

/// A BGP Identifier.
pub(super) fn router_id(text: &str) -> Result<RouterId, Problem> {
    text.parse().map_err(|error: bgp_wire::ParseRouterIdError| {
        Problem::new(format!("`{text}` is not a router id")).help(error.to_string())
    })
}

/// An AS number that a session can have (RFC 7607 reserves 0).
pub(super) fn asn(number: i64) -> Result<Asn, Problem> {
    match u32::try_from(number) {
        Ok(number @ 1..) => Ok(Asn::new(number)),
        Ok(0) | Err(_) => Err(Problem::new(format!("`{number}` is not an AS number"))
            .help("an AS number is 1 to 4294967295")),
    }
}

/// A TCP port to connect to.
pub(super) fn port(number: i64) -> Result<u16, Problem> {
    match u16::try_from(number) {
        Ok(port @ 1..) => Ok(port),
        Ok(0) | Err(_) => {
            Err(Problem::new(format!("`{number}` is not a port")).help("a port is 1 to 65535"))
        }
    }
}

/// LOCAL_PREF.
pub(super) fn local_pref(number: i64) -> Result<u32, Problem> {
    u32::try_from(number).map_err(|_| {
        Problem::new(format!("`{number}` is not a local preference"))
            .help("a local preference is 0 to 4294967295")
    })
}

/// A prefix length of at most `most`.
pub(super) fn prefix_length(number: i64, most: u8) -> Result<u8, Problem> {
    match u8::try_from(number) {
        Ok(length) if length <= most => Ok(length),
        _ => Err(Problem::new(format!("`{number}` is not a prefix length"))
            .help(format!("a prefix length here is 0 to {most}"))),
    }
}

/// A hold time in seconds (RFC 4271 section 4.2).
pub(super) fn hold_time(seconds: i64) -> Result<HoldTime, Problem> {
    u16::try_from(seconds)
        .ok()
        .and_then(HoldTime::new)
        .ok_or_else(|| {
            Problem::new(format!("a hold time of {seconds} s is not possible"))
                .help("a hold time is 0 (no supervision), or 3 to 65535 seconds")
        })
}

/// The time between KEEPALIVEs, in seconds: none where there is no hold time, else within it.
pub(super) fn keepalive_time(
    seconds: i64,
    hold_time: HoldTime,
) -> Result<Option<Duration>, Problem> {
    match u16::try_from(seconds) {
        Ok(0) if hold_time == HoldTime::ZERO => Ok(None),
        Ok(seconds @ 1..) if seconds <= hold_time.seconds() => {
            Ok(Some(Duration::from_secs(seconds.into())))
        }
        _ if hold_time == HoldTime::ZERO => Err(Problem::new(format!(
            "a keepalive time of {seconds} s contradicts a hold time of 0"
        ))
        .help("with a hold time of 0 no KEEPALIVEs are sent; leave the keepalive time out")),
        _ => Err(Problem::new(format!(
            "a keepalive time of {seconds} s does not keep a session with a hold time of {hold_time}"
        ))
        .help(format!(
            "write 1 to {} seconds, or leave it out for a third of the hold time",
            hold_time.seconds()
        ))),
    }
}

/// The key of TCP MD5 signatures; an empty one is none. The problem does not quote it.
pub(super) fn password(text: &str) -> Result<Option<Password>, Problem> {
    match text.len() {
        0 => Ok(None),
        // TCP_MD5SIG_MAXKEYLEN of Linux.
        1..=80 => Ok(Some(Password(text.to_owned()))),
        length => Err(Problem::new(format!("the password has {length} octets"))
            .help("a TCP MD5 key has at most 80 octets")),
    }
}

/// The addresses `192.168.10.0/24` or `first-last`, as the fewest networks, ascending.
pub(super) fn ranges(text: &str) -> Result<Vec<IpNet>, Problem> {
    let problem =
        |help: String| Err(Problem::new(format!("`{text}` is not an address range")).help(help));
    if let Ok(network) = text.parse::<IpNet>() {
        return Ok(vec![network.trunc()]);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return problem(format!("for one address write {}", IpNet::from(address)));
    }
    let ends = text
        .split_once('-')
        .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    match ends {
        Some((first, last)) if last < first => problem(format!(
            "the first address is above the last: write {last}-{first}"
        )),
        Some((IpAddr::V4(first), IpAddr::V4(last))) => {
            Ok(IpSubnets::from(Ipv4Subnets::new(first, last, 0)).collect())
        }
        Some((IpAddr::V6(first), IpAddr::V6(last))) => {
            Ok(IpSubnets::from(Ipv6Subnets::new(first, last, 0)).collect())
        }
        Some(_) => problem("the first and the last address are of different families".to_owned()),
        None => problem(
            "write a network (192.168.10.0/24) or first-last (192.168.10.1-192.168.10.9)"
                .to_owned(),
        ),
    }
}

/// A community: `64512:1`, a well-known name, or a large one, `64512:1:2`.
pub(super) fn community(text: &str) -> Result<AnyCommunity, Problem> {
    text.parse()
        .map_err(|error: bgp_wire::ParseCommunityError| {
            Problem::new(format!("`{text}` is not a community")).help(error.to_string())
        })
}

/// A duration as Go writes it (`1m30s`, `3.7s`, `0`), rounded down to seconds.
pub(super) fn go_duration(text: &str) -> Result<i64, Problem> {
    let problem = |help: String| Problem::new(format!("`{text}` is not a duration")).help(help);
    if text == "0" {
        return Ok(0);
    }
    if !text.is_empty() && text.chars().all(|char| char.is_ascii_digit()) {
        return Err(problem(format!("the unit is missing: write {text}s")));
    }
    nanoseconds(text)
        .and_then(|nanoseconds| i64::try_from(nanoseconds / 1_000_000_000).ok())
        .ok_or_else(|| problem("write a duration such as 90s or 1m30s".to_owned()))
}

fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = None;
    while !rest.is_empty() {
        let number = rest.find(|char: char| char != '.' && !char.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(number)?;
        let unit = after
            .find(|char: char| char == '.' || char.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        let part = scale(number, unit_nanoseconds(unit)?)?;
        sum = Some(sum.unwrap_or(0_u128).checked_add(part)?);
        rest = after;
    }
    sum
}

/// `number`, decimal digits with at most one point, times `unit`.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<u64>().ok().map(u128::from),
    };
    // More than twelve places are below a nanosecond in every unit.
    let fraction = fraction.get(..12).unwrap_or(fraction);
    let places = u32::try_from(fraction.len()).ok()?;
    Some(digits(whole)? * unit + digits(fraction)? * unit / 10_u128.pow(places))
}

fn unit_nanoseconds(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_reads_them() {
        for (text, seconds) in [
            ("0", 0),
            ("0s", 0),
            ("90s", 90),
            ("1m30s", 90),
            ("1.5m", 90),
            ("24h", 86400),
            ("500ms", 0),
            ("3.7s", 3),
            (".5m", 30),
            ("3.s", 3),
            ("2999999us1ns", 2),
            ("3000000µs", 3),
            ("+5s", 5),
        ] {
            assert_eq!(go_duration(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "s",
            ".s",
            "-5s",
            "5",
            "5 s",
            "1.2.3s",
            "5sec",
            "1s5",
            "99999999999999999999h",
        ] {
            assert!(go_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_summarised() {
        let summary = |text| {
            ranges(text).map(|ranges| ranges.iter().map(IpNet::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            summary("192.168.0.50-192.168.0.100").unwrap(),
            [
                "192.168.0.50/31",
                "192.168.0.52/30",
                "192.168.0.56/29",
                "192.168.0.64/27",
                "192.168.0.96/30",
                "192.168.0.100/32"
            ]
        );
        assert_eq!(summary("10.0.0.0 - 10.0.0.255").unwrap(), ["10.0.0.0/24"]);
        assert_eq!(summary("0.0.0.0-255.255.255.255").unwrap(), ["0.0.0.0/0"]);
        assert_eq!(summary("10.0.0.9/24").unwrap(), ["10.0.0.0/24"]);
        assert_eq!(
            summary("2001:db8::-2001:db8::f").unwrap(),
            ["2001:db8::/124"]
        );
        assert_eq!(
            summary("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").unwrap(),
            ["::/0"]
        );
        for text in [
            "",
            "-",
            "10.0.0.1",
            "10.0.0.2-10.0.0.1",
            "10.0.0.1-::1",
            "::1-10.0.0.1",
            "10.0.0.1-5",
            "10.0.0.0/33",
        ] {
            assert!(ranges(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keepalive_within_hold_time() {
        let hold = |seconds| HoldTime::new(seconds).unwrap();
        assert_eq!(keepalive_time(0, hold(0)), Ok(None));
        assert_eq!(
            keepalive_time(90, hold(90)),
            Ok(Some(Duration::from_secs(90)))
        );
        for (keepalive, hold_time) in [(91, 90), (0, 90), (-1, 90), (1, 0)] {
            assert!(
                keepalive_time(keepalive, hold(hold_time)).is_err(),
                "{keepalive}"
            );
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        let password = password("secret").unwrap().unwrap();
        assert_eq!(
            (format!("{password:?}").as_str(), password.reveal()),
            ("***", "secret")
        );
        assert_eq!(super::password(""), Ok(None));
        assert!(
            !super::password(&"secret".repeat(14))
                .unwrap_err()
                .to_string()
                .contains("secret")
        );
    }
}
