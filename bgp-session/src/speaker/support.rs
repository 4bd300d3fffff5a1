//! `TransportOption`: the options of connections that not every system supports.

use std::fmt;

use crate::config::TransportConfig;

/// An option of the TCP connections to a peer that not every system supports. Linux supports all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportOption {
    /// A key for TCP MD5 (RFC 2385): [`PeerConfig::with_md5_key`](crate::PeerConfig::with_md5_key).
    Md5Key,
    /// A key for TCP-AO (RFC 5925): [`PeerConfig::with_ao_key`](crate::PeerConfig::with_ao_key).
    AoKey,
    /// A network device: [`PeerConfig::with_device`](crate::PeerConfig::with_device).
    Device,
    /// A minimum TTL (RFC 5082): [`PeerConfig::with_ttl_security`](crate::PeerConfig::with_ttl_security).
    TtlSecurity,
    /// A limit of the time without acknowledgement: [`PeerConfig::with_user_timeout`](crate::PeerConfig::with_user_timeout).
    UserTimeout,
    /// A codepoint other than the default: [`PeerConfig::with_dscp`](crate::PeerConfig::with_dscp).
    Dscp,
}

impl fmt::Display for TransportOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5Key => "a TCP MD5 key",
            Self::AoKey => "a TCP-AO key",
            Self::Device => "a network device",
            Self::TtlSecurity => "TTL security",
            Self::UserTimeout => "a user timeout",
            Self::Dscp => "a DSCP",
        })
    }
}

/// Returns the first configured option that is not in `supported`, or `None`.
pub(super) fn unsupported(
    transport: &TransportConfig,
    supported: &[TransportOption],
) -> Option<TransportOption> {
    // Every connection has a DSCP. A system without the option leaves the default unset.
    let dscp = transport.dscp != TransportConfig::default().dscp;
    let configured = [
        (transport.md5_key.is_some(), TransportOption::Md5Key),
        (transport.ao_key.is_some(), TransportOption::AoKey),
        (transport.device.is_some(), TransportOption::Device),
        (transport.hops.is_some(), TransportOption::TtlSecurity),
        (
            transport.user_timeout.is_some(),
            TransportOption::UserTimeout,
        ),
        (dscp, TransportOption::Dscp),
    ];
    configured
        .into_iter()
        .find(|(is_configured, option)| *is_configured && !supported.contains(option))
        .map(|(_, option)| option)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgp_wire::Asn;

    use super::super::sockopt::SUPPORTED;
    use super::*;
    use crate::config::{AoAlgorithm, AoKey, Md5Key, PeerConfig};

    #[test]
    fn option_that_system_lacks_is_reported() {
        let peer = PeerConfig::new([127, 0, 0, 2].into(), Asn::new(64512));
        let md5 = Md5Key::new("secret").unwrap();
        let ao = AoKey::new(1, 2, AoAlgorithm::HmacSha1, "secret").unwrap();
        let table = [
            (peer.clone().with_md5_key(md5), TransportOption::Md5Key),
            (peer.clone().with_ao_key(ao), TransportOption::AoKey),
            (peer.clone().with_device("lo"), TransportOption::Device),
            (
                peer.clone().with_ttl_security(1),
                TransportOption::TtlSecurity,
            ),
            (
                peer.clone().with_user_timeout(Duration::from_secs(1)),
                TransportOption::UserTimeout,
            ),
            (peer.clone().with_dscp(0), TransportOption::Dscp),
        ];
        for (config, option) in table {
            let transport = &config.transport;
            assert_eq!(unsupported(transport, &[]), Some(option));
            assert_eq!(unsupported(transport, &[option]), None, "{option}");
            // The others do not make up for it.
            let others: Vec<_> = SUPPORTED
                .iter()
                .copied()
                .filter(|other| *other != option)
                .collect();
            assert_eq!(unsupported(transport, &others), Some(option));
        }
        let plain = peer.with_ttl(3).with_source_port(1790);
        assert_eq!(unsupported(&plain.transport, &[]), None);
    }
}
