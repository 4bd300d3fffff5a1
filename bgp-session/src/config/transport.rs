//! How a peer is reached by TCP.

use std::net::IpAddr;
use std::time::Duration;

use super::PeerConfig;

/// A key for TCP MD5 signatures (RFC 2385): 1 to 80 octets, which is what Linux takes. It is never printed.
///
/// ```
/// use bgp_session::Md5Key;
/// assert_eq!(format!("{:?}", Md5Key::new("secret").expect("legal")), "Md5Key(***)");
/// assert!(Md5Key::new("").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Key(Vec<u8>);

impl Md5Key {
    /// The longest key in octets.
    pub const LONGEST: usize = 80;

    /// The key of these octets; `None` if there are none or more than 80.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Option<Self> {
        Some(Self(octets.into())).filter(|key| (1..=Self::LONGEST).contains(&key.0.len()))
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Md5Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Md5Key(***)")
    }
}

/// An algorithm of TCP-AO (RFC 5926), named as the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96.
    HmacSha1,
    /// AES-128-CMAC-96.
    AesCmac,
}

impl AoAlgorithm {
    #[cfg(feature = "tokio")]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac(sha1)",
            Self::AesCmac => "cmac(aes128)",
        }
    }
}

/// A key for the TCP Authentication Option (RFC 5925): 1 to 80 octets and the identifiers of both sides. It is never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AoKey {
    pub(crate) send_id: u8,
    pub(crate) receive_id: u8,
    pub(crate) algorithm: AoAlgorithm,
    pub(crate) secret: Md5Key,
}

impl AoKey {
    /// The key of these octets; `None` if there are none or more than 80. `send_id` is the peer's `receive_id`.
    #[must_use]
    pub fn new(
        send_id: u8,
        receive_id: u8,
        algorithm: AoAlgorithm,
        octets: impl Into<Vec<u8>>,
    ) -> Option<Self> {
        Some(Self {
            send_id,
            receive_id,
            algorithm,
            secret: Md5Key::new(octets)?,
        })
    }
}

impl std::fmt::Debug for AoKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            send_id,
            receive_id,
            algorithm,
            ..
        } = self;
        write!(f, "AoKey({send_id}, {receive_id}, {algorithm:?}, ***)")
    }
}

/// What holds for the TCP connections to one peer, whoever makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransportConfig {
    pub(crate) port: u16,
    pub(crate) source_address: Option<IpAddr>,
    pub(crate) source_port: Option<u16>,
    pub(crate) device: Option<String>,
    pub(crate) ttl: Option<u8>,
    /// GTSM: from how many hops away the peer's packets may come.
    pub(crate) hops: Option<u8>,
    pub(crate) md5_key: Option<Md5Key>,
    pub(crate) ao_key: Option<AoKey>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) dscp: u8,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            port: 179,
            source_address: None,
            source_port: None,
            device: None,
            ttl: None,
            hops: None,
            md5_key: None,
            ao_key: None,
            user_timeout: None,
            dscp: NETWORK_CONTROL,
        }
    }
}

/// The setters for TCP.
impl PeerConfig {
    /// The port to dial; 179 unless given.
    #[must_use]
    pub fn dial_port(mut self, port: u16) -> Self {
        self.transport.port = port;
        self
    }

    /// The local address to dial from.
    #[must_use]
    pub fn source_address(mut self, address: IpAddr) -> Self {
        self.transport.source_address = Some(address);
        self
    }

    /// The local port to dial from.
    #[must_use]
    pub fn source_port(mut self, port: u16) -> Self {
        self.transport.source_port = Some(port);
        self
    }

    /// The network device or VRF to dial through (SO_BINDTODEVICE).
    #[must_use]
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.transport.device = Some(name.into());
        self
    }

    /// The TTL or hop limit of what is sent. Unless given it is 255 with [`PeerConfig::ttl_security`], else what the system
    /// sends: a peer may be any number of hops away.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.transport.ttl = Some(ttl.max(1));
        self
    }

    /// Takes only what comes from at most so many hops away, told by its TTL (GTSM, RFC 5082): 1 for a peer on the same
    /// link. Whoever is further away cannot send as the peer.
    #[must_use]
    pub fn ttl_security(mut self, hops: u8) -> Self {
        self.transport.hops = Some(hops.max(1));
        self
    }

    /// Signs every segment with this key, and takes none that is not (RFC 2385). With a key for TCP-AO, too, the peer is
    /// refused.
    #[must_use]
    pub fn md5_key(mut self, key: Md5Key) -> Self {
        self.transport.md5_key = Some(key);
        self
    }

    /// Authenticates every segment with this key (RFC 5925), where the kernel can.
    #[must_use]
    pub fn ao_key(mut self, key: AoKey) -> Self {
        self.transport.ao_key = Some(key);
        self
    }

    /// How long what was sent may stay unacknowledged before the kernel ends the connection (TCP_USER_TIMEOUT).
    #[must_use]
    pub fn user_timeout(mut self, time: Duration) -> Self {
        self.transport.user_timeout = Some(time);
        self
    }

    /// The Differentiated Services codepoint of what is sent, 0 to 63; CS6, network control, unless given.
    #[must_use]
    pub fn dscp(mut self, codepoint: u8) -> Self {
        self.transport.dscp = codepoint.min(63);
        self
    }

    /// The port to dial.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.transport.port
    }
}

/// CS6 (RFC 4594 section 3.1, RFC 4271 appendix E).
const NETWORK_CONTROL: u8 = 48;
