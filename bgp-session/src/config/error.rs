//! `ConfigError`: the reason that a configuration cannot be used.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::PeerSetting;

/// The reason that a configuration cannot be used.
///
/// ```
/// use bgp_session::{ConfigError, PeerConfig, PeerSetting};
/// use bgp_wire::Asn;
/// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(0));
/// assert_eq!(peer.validate(), Err(ConfigError::ReservedAs(PeerSetting::RemoteAs)));
/// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)).with_dscp(64);
/// assert_eq!(peer.validate().expect_err("six bits").to_string(), "dscp 64 is out of range: 0 to 63");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The setting is AS 0, which is reserved (RFC 7607).
    ReservedAs(PeerSetting),
    /// The address is unspecified, multicast or broadcast: no host has it.
    NoHostAddress(PeerSetting, IpAddr),
    /// The address is unspecified, loopback, multicast or reserved: no route can have it as its next hop.
    UnusableNextHop(PeerSetting, IpAddr),
    /// The source address has another family than the peer's address.
    #[non_exhaustive]
    SourceFamily {
        /// The peer's address.
        peer: IpAddr,
        /// The address to dial from.
        source: IpAddr,
    },
    /// A number is out of range.
    #[non_exhaustive]
    OutOfRange {
        /// The setting.
        setting: PeerSetting,
        /// The value.
        value: u64,
        /// The smallest possible value.
        minimum: u64,
        /// The largest possible value.
        maximum: u64,
    },
    /// A time is out of range.
    #[non_exhaustive]
    TimeOutOfRange {
        /// The setting.
        setting: PeerSetting,
        /// The value.
        value: Duration,
        /// The shortest possible time.
        minimum: Duration,
        /// The longest possible time.
        maximum: Duration,
    },
    /// The time is sent in seconds and has a fraction of one.
    FractionOfSecond(PeerSetting, Duration),
    /// No network device can have this name.
    DeviceName(String),
    /// The peer has an MD5 key and a TCP-AO key. A connection has only one kind.
    KeysOfBothKinds,
    /// The range of lengths contains no length of a prefix inside of this one.
    #[non_exhaustive]
    PrefixLengths {
        /// The prefix.
        prefix: IpNet,
        /// The minimum length.
        minimum: u8,
        /// The maximum length.
        maximum: u8,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedAs(setting) => write!(f, "{setting} 0 is reserved (RFC 7607)"),
            Self::NoHostAddress(setting, address) => {
                write!(f, "{setting} {address} is not the address of a host")
            }
            Self::UnusableNextHop(setting, address) => {
                write!(f, "{setting} {address} cannot be a next hop")
            }
            Self::SourceFamily { peer, source } => {
                let family = if peer.is_ipv4() { "IPv4" } else { "IPv6" };
                write!(
                    f,
                    "source_address {source} cannot reach {peer}: not {family}"
                )
            }
            Self::OutOfRange {
                setting,
                value,
                minimum,
                maximum,
            } => write!(
                f,
                "{setting} {value} is out of range: {minimum} to {maximum}"
            ),
            Self::TimeOutOfRange {
                setting,
                value,
                minimum,
                maximum,
            } => write!(
                f,
                "{setting} {value:?} is out of range: {minimum:?} to {maximum:?}"
            ),
            Self::FractionOfSecond(setting, value) => {
                write!(f, "{setting} {value:?} is not a whole number of seconds")
            }
            Self::DeviceName(name) => write!(f, "invalid device name `{}`", name.escape_debug()),
            Self::KeysOfBothKinds => {
                f.write_str("both an MD5 key and a TCP-AO key are configured; remove one")
            }
            Self::PrefixLengths {
                prefix,
                minimum,
                maximum,
            } => write!(
                f,
                "no prefix inside of {prefix} has a length from {minimum} to {maximum}; lengths are from {} to {}",
                prefix.prefix_len(),
                prefix.max_prefix_len()
            ),
        }
    }
}

impl std::error::Error for ConfigError {}
