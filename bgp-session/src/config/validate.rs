//! The checks of a configuration, before a session uses it.

use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::{Asn, NextHop};

use super::retry::{MIN_CONNECT_TIMEOUT, MIN_WAIT};
use super::{ConfigError, DAY, LocalConfig, PeerConfig, PeerSetting, RestartConfig, RetryPolicy};

impl LocalConfig {
    /// Checks that a session can have this identity.
    ///
    /// # Errors
    ///
    /// The AS number is 0 (RFC 7607).
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_as(PeerSetting::LocalAs, self.asn)
    }
}

impl PeerConfig {
    /// Checks that a session can have this configuration.
    ///
    /// [`Session::new`](crate::Session::new), [`Session::update`](crate::Session::update) and the methods of `Speaker` that
    /// take a configuration call it.
    ///
    /// # Errors
    ///
    /// Returns the first value that is not possible, or that contradicts another one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_host(PeerSetting::Address, self.address)?;
        self.validate_template()
    }

    /// Checks everything but the peer's address, which stands for the family of dynamic peers.
    pub(crate) fn validate_template(&self) -> Result<(), ConfigError> {
        if let Some(asn) = self.remote_as.asn() {
            check_as(PeerSetting::RemoteAs, asn)?;
        }
        if let Some(asn) = self.local_as {
            check_as(PeerSetting::LocalAs, asn)?;
        }
        self.check_next_hops()?;
        self.check_times()?;
        self.retry.validate()?;
        self.restart.map_or(Ok(()), |restart| restart.validate())?;
        self.check_transport()
    }

    fn check_next_hops(&self) -> Result<(), ConfigError> {
        let (ipv4, ipv6) = (PeerSetting::NextHopIpv4, PeerSetting::NextHopIpv6);
        let own = [
            (ipv4, self.next_hop_ipv4.map(IpAddr::V4)),
            (ipv6, self.next_hop_ipv6.map(IpAddr::V6)),
        ];
        let exported = self.export.iter().flat_map(|policy| {
            [
                policy.next_hop_ipv4.map(IpAddr::V4),
                policy.next_hop_ipv6.map(IpAddr::V6),
            ]
        });
        own.into_iter()
            .chain(exported.map(|address| (PeerSetting::Export, address)))
            .filter_map(|(setting, address)| Some((setting, address?)))
            .try_for_each(|(setting, address)| check_next_hop(setting, address))
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        // RFC 4271 section 4.4: KEEPALIVEs must not be sent more often than once a second. The negotiated hold time limits a
        // longer interval.
        check_time(
            PeerSetting::KeepaliveTime,
            self.keepalive_time,
            SECOND,
            Duration::MAX,
        )?;
        check_time(PeerSetting::DelayOpen, self.delay_open, Duration::ZERO, DAY)?;
        check_time(PeerSetting::SendHoldTime, self.send_hold_time, SECOND, DAY)?;
        // The kernel counts milliseconds, and 0 stands for its default.
        check_time(
            PeerSetting::UserTimeout,
            self.transport.user_timeout,
            Duration::from_millis(1),
            DAY,
        )
    }

    fn check_transport(&self) -> Result<(), ConfigError> {
        let transport = &self.transport;
        if let Some(source) = transport.source_address {
            check_host(PeerSetting::SourceAddress, source)?;
            if source.is_ipv4() != self.address.is_ipv4() {
                return Err(ConfigError::SourceFamily {
                    peer: self.address,
                    source,
                });
            }
        }
        if let Some(device) = transport.device.as_deref().filter(|name| !is_device(name)) {
            return Err(ConfigError::DeviceName(device.to_owned()));
        }
        // RFC 5925 forbids both on one connection, and Linux refuses the second key.
        if transport.md5_key.is_some() && transport.ao_key.is_some() {
            return Err(ConfigError::KeysOfBothKinds);
        }
        let ports = 1..=u64::from(u16::MAX);
        let octets = 1..=u64::from(u8::MAX);
        for (setting, value, range) in [
            (PeerSetting::Port, Some(transport.port.into()), &ports),
            (
                PeerSetting::SourcePort,
                transport.source_port.map(u64::from),
                &ports,
            ),
            // Linux refuses an IP_TTL of 0.
            (PeerSetting::Ttl, transport.ttl.map(u64::from), &octets),
            (
                PeerSetting::TtlSecurity,
                transport.hops.map(u64::from),
                &octets,
            ),
            // The field has six bits (RFC 2474 section 3).
            (PeerSetting::Dscp, Some(transport.dscp.into()), &(0..=63)),
        ] {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                return Err(ConfigError::OutOfRange {
                    setting,
                    value,
                    minimum: *range.start(),
                    maximum: *range.end(),
                });
            }
        }
        Ok(())
    }
}

impl RestartConfig {
    /// Checks the ranges of the times.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        // The field has 12 bits (RFC 4724 section 3).
        check_seconds(PeerSetting::RestartTime, self.restart_time, 0xfff)?;
        if let Some(time) = self.long_lived {
            // The field has 24 bits (RFC 9494 section 3.1).
            check_seconds(PeerSetting::LongLived, time, 0xff_ffff)?;
        }
        check_time(
            PeerSetting::StaleTime,
            Some(self.stale_time),
            Duration::ZERO,
            DAY,
        )
    }
}

impl RetryPolicy {
    /// Checks the ranges of the times.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        for (setting, value, minimum) in [
            (
                PeerSetting::ConnectInterval,
                self.connect_interval(),
                MIN_WAIT,
            ),
            (
                PeerSetting::ConnectTimeout,
                self.connect_timeout(),
                MIN_CONNECT_TIMEOUT,
            ),
            (PeerSetting::Damping, self.damping(), MIN_WAIT),
            (PeerSetting::Damping, self.maximum_damping(), self.damping()),
            (PeerSetting::StableTime, self.stable_time(), Duration::ZERO),
            (PeerSetting::EarlyClose, self.early_close(), Duration::ZERO),
            (PeerSetting::EarlyClose, self.early_close_wait(), MIN_WAIT),
        ] {
            check_time(setting, Some(value), minimum, DAY)?;
        }
        Ok(())
    }
}

fn check_as(setting: PeerSetting, asn: Asn) -> Result<(), ConfigError> {
    if asn.number() == 0 {
        return Err(ConfigError::ReservedAs(setting));
    }
    Ok(())
}

/// Returns `true` if a host can have this address.
pub(crate) fn is_host(address: IpAddr) -> bool {
    let is_broadcast = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
}

fn check_host(setting: PeerSetting, address: IpAddr) -> Result<(), ConfigError> {
    if is_host(address) {
        Ok(())
    } else {
        Err(ConfigError::NoHostAddress(setting, address))
    }
}

// The encoder withholds routes with any other next hop.
fn check_next_hop(setting: PeerSetting, address: IpAddr) -> Result<(), ConfigError> {
    if NextHop::Address(address).is_usable() {
        Ok(())
    } else {
        Err(ConfigError::UnusableNextHop(setting, address))
    }
}

fn check_time(
    setting: PeerSetting,
    value: Option<Duration>,
    minimum: Duration,
    maximum: Duration,
) -> Result<(), ConfigError> {
    match value {
        Some(value) if !(minimum..=maximum).contains(&value) => Err(ConfigError::TimeOutOfRange {
            setting,
            value,
            minimum,
            maximum,
        }),
        _ => Ok(()),
    }
}

/// Checks a time that is sent as a number of seconds.
fn check_seconds(setting: PeerSetting, value: Duration, maximum: u64) -> Result<(), ConfigError> {
    let maximum = Duration::from_secs(maximum);
    check_time(setting, Some(value), Duration::ZERO, maximum)?;
    // Rounding would announce another time than the configured one.
    if value.subsec_nanos() != 0 {
        return Err(ConfigError::FractionOfSecond(setting, value));
    }
    Ok(())
}

/// Returns `true` if a network device can have this name.
fn is_device(name: &str) -> bool {
    let is_valid = |char: char| char != '/' && !char.is_whitespace() && !char.is_control();
    // IFNAMSIZ of Linux and BSD counts the final NUL. Linux refuses the names of directories.
    (1..16).contains(&name.len()) && !matches!(name, "." | "..") && name.chars().all(is_valid)
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AoAlgorithm, AoKey, ExportPolicy, Md5Key, RemoteAs};

    fn config() -> PeerConfig {
        PeerConfig::new([192, 0, 2, 1].into(), Asn::new(64512))
    }

    fn restarting(restart: RestartConfig) -> PeerConfig {
        config().with_graceful_restart(restart)
    }

    fn assert_texts(cases: impl IntoIterator<Item = (PeerConfig, &'static str)>) {
        for (config, expected) in cases {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn addresses_of_no_host_and_as_0_are_refused() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_texts([
            (
                PeerConfig::new(address("192.0.2.1"), Asn::new(0)),
                "remote_as 0 is reserved (RFC 7607)",
            ),
            (
                config().with_local_as(Asn::new(0)),
                "local_as 0 is reserved (RFC 7607)",
            ),
            (
                config().with_address(address("0.0.0.0")),
                "address 0.0.0.0 is not the address of a host",
            ),
            (
                config().with_address(address("::")),
                "address :: is not the address of a host",
            ),
            (
                config().with_address(address("::ffff:0.0.0.0")),
                "address 0.0.0.0 is not the address of a host",
            ),
            (
                config().with_address(address("224.0.0.5")),
                "address 224.0.0.5 is not the address of a host",
            ),
            (
                config().with_address(address("255.255.255.255")),
                "address 255.255.255.255 is not the address of a host",
            ),
            (
                config().with_address(address("ff02::5")),
                "address ff02::5 is not the address of a host",
            ),
        ]);
    }

    #[test]
    fn unusable_source_addresses_and_next_hops_are_refused() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_texts([
            (
                config().with_source_address(address("2001:db8::1")),
                "source_address 2001:db8::1 cannot reach 192.0.2.1: not IPv4",
            ),
            (
                config()
                    .with_address(address("2001:db8::1"))
                    .with_source_address(address("192.0.2.9")),
                "source_address 192.0.2.9 cannot reach 2001:db8::1: not IPv6",
            ),
            (
                config().with_source_address(address("0.0.0.0")),
                "source_address 0.0.0.0 is not the address of a host",
            ),
            (
                config().with_next_hop_ipv4([0; 4].into()),
                "next_hop_ipv4 0.0.0.0 cannot be a next hop",
            ),
            (
                config().with_next_hop_ipv4([127, 0, 0, 1].into()),
                "next_hop_ipv4 127.0.0.1 cannot be a next hop",
            ),
            (
                config().with_next_hop_ipv4([0, 1, 2, 3].into()),
                "next_hop_ipv4 0.1.2.3 cannot be a next hop",
            ),
            (
                config().with_next_hop_ipv4([240, 0, 0, 1].into()),
                "next_hop_ipv4 240.0.0.1 cannot be a next hop",
            ),
            (
                config().with_next_hop_ipv6("::1".parse().unwrap()),
                "next_hop_ipv6 ::1 cannot be a next hop",
            ),
            (
                config().with_next_hop_ipv6("ff02::1".parse().unwrap()),
                "next_hop_ipv6 ff02::1 cannot be a next hop",
            ),
            (
                config().with_export(ExportPolicy::all().with_next_hop(address("::"))),
                "export :: cannot be a next hop",
            ),
        ]);
    }

    /// RFC 7607 section 2.
    #[test]
    fn local_as_0_is_refused() {
        let identity = |asn| LocalConfig::new(Asn::new(asn), "192.0.2.1".parse().unwrap());
        let reserved = ConfigError::ReservedAs(PeerSetting::LocalAs);
        assert_eq!(identity(0).validate(), Err(reserved));
        assert_eq!(identity(1).validate(), Ok(()));
    }

    #[test]
    fn socket_options_out_of_range_are_refused() {
        assert_texts([
            (config().with_port(0), "port 0 is out of range: 1 to 65535"),
            (
                config().with_source_port(0),
                "source_port 0 is out of range: 1 to 65535",
            ),
            (config().with_ttl(0), "ttl 0 is out of range: 1 to 255"),
            (
                config().with_ttl_security(0),
                "ttl_security 0 is out of range: 1 to 255",
            ),
            (config().with_dscp(64), "dscp 64 is out of range: 0 to 63"),
            (config().with_device(""), "invalid device name ``"),
            (config().with_device("a/b"), "invalid device name `a/b`"),
            (config().with_device("a\0"), "invalid device name `a\\0`"),
            (config().with_device(".."), "invalid device name `..`"),
            (
                config().with_device("a234567890123456"),
                "invalid device name `a234567890123456`",
            ),
        ]);
    }

    #[test]
    fn keys_of_both_kinds_are_refused() {
        let md5 = Md5Key::new("secret").unwrap();
        let ao = AoKey::new(1, 1, AoAlgorithm::HmacSha1, "secret").unwrap();
        let with_md5 = config().with_md5_key(md5);
        let with_both = with_md5.clone().with_ao_key(ao.clone());
        assert_eq!(with_md5.validate(), Ok(()));
        assert_eq!(config().with_ao_key(ao).validate(), Ok(()));
        assert_texts([(
            with_both,
            "both an MD5 key and a TCP-AO key are configured; remove one",
        )]);
    }

    #[test]
    fn times_out_of_range_are_refused() {
        let millis = Duration::from_millis;
        let restart = RestartConfig::new();
        assert_texts([
            (
                config().with_keepalive_time(millis(999)),
                "keepalive_time 999ms is out of range: 1s to 18446744073709551615.999999999s",
            ),
            (
                config().with_delay_open(DAY + millis(1)),
                "delay_open 86400.001s is out of range: 0ns to 86400s",
            ),
            (
                config().with_send_hold_time(millis(999)),
                "send_hold_time 999ms is out of range: 1s to 86400s",
            ),
            (
                config().with_send_hold_time(DAY + millis(1)),
                "send_hold_time 86400.001s is out of range: 1s to 86400s",
            ),
            (
                config().with_user_timeout(Duration::ZERO),
                "user_timeout 0ns is out of range: 1ms to 86400s",
            ),
            (
                config().with_retry(RetryPolicy::new().with_connect_timeout(millis(99))),
                "connect_timeout 99ms is out of range: 100ms to 86400s",
            ),
            (
                restarting(restart.with_restart_time(millis(4_096_000))),
                "restart_time 4096s is out of range: 0ns to 4095s",
            ),
            (
                restarting(restart.with_restart_time(millis(1500))),
                "restart_time 1.5s is not a whole number of seconds",
            ),
            (
                restarting(restart.with_long_lived(millis(16_777_216_000))),
                "long_lived 16777216s is out of range: 0ns to 16777215s",
            ),
            (
                restarting(restart.with_long_lived(millis(1))),
                "long_lived 1ms is not a whole number of seconds",
            ),
            (
                restarting(restart.with_stale_time(DAY + millis(1))),
                "stale_time 86400.001s is out of range: 0ns to 86400s",
            ),
        ]);
    }

    #[test]
    fn values_at_the_bounds_are_possible() {
        let restart = RestartConfig::new()
            .with_restart_time(Duration::from_secs(4095))
            .with_long_lived(Duration::from_secs(0xff_ffff))
            .with_stale_time(DAY);
        let lowest = restarting(restart)
            .with_port(1)
            .with_source_port(1)
            .with_ttl(1)
            .with_ttl_security(1)
            .with_dscp(0)
            .with_keepalive_time(SECOND)
            .with_delay_open(Duration::ZERO)
            .with_send_hold_time(SECOND)
            .with_user_timeout(Duration::from_millis(1))
            .with_device("a");
        assert_eq!(lowest.validate(), Ok(()));
        let highest = restarting(restart.with_stale_time(Duration::ZERO))
            .with_port(u16::MAX)
            .with_source_port(u16::MAX)
            .with_ttl(u8::MAX)
            .with_ttl_security(u8::MAX)
            .with_dscp(63)
            .with_keepalive_time(Duration::MAX)
            .with_delay_open(DAY)
            .with_send_hold_time(DAY)
            .with_user_timeout(DAY)
            .with_device("a23456789012345");
        assert_eq!(highest.validate(), Ok(()));
        for remote_as in [RemoteAs::External, RemoteAs::Internal] {
            assert_eq!(config().with_remote_as(remote_as).validate(), Ok(()));
        }
    }

    // A dual-stack socket reports IPv4 hosts by mapped addresses.
    #[test]
    fn mapped_source_address_is_that_of_an_ipv4_host() {
        let config = config().with_source_address("::ffff:192.0.2.9".parse().unwrap());
        assert_eq!(config.source_address(), Some([192, 0, 2, 9].into()));
        assert_eq!(config.validate(), Ok(()));
    }
}
