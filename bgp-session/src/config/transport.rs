//! Configuration of the TCP connections to a peer.

use std::net::IpAddr;
use std::time::Duration;

use super::PeerConfig;

/// A key for TCP MD5 signatures (RFC 2385): 1 to 80 octets, the range that Linux accepts. `Debug` does not print it.
///
/// ```
/// use bgp_session::Md5Key;
/// assert_eq!(format!("{:?}", Md5Key::new("secret").expect("legal")), "Md5Key(***)");
/// assert!(Md5Key::new("").is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Key(Vec<u8>);

impl Md5Key {
    /// The maximum length of a key in octets.
    // TCP_MD5SIG_MAXKEYLEN of Linux.
    pub const MAX_LENGTH: usize = 80;

    /// Creates a key. Returns `None` unless it has 1 to 80 octets.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Option<Self> {
        Some(Self(octets.into())).filter(|key| (1..=Self::MAX_LENGTH).contains(&key.0.len()))
    }

    /// Returns the octets of the key, for a driver that sets it on a socket.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Md5Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A configuration may be logged; a key must not be.
        f.write_str("Md5Key(***)")
    }
}

/// An algorithm of TCP-AO (RFC 5926).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum AoAlgorithm {
    /// HMAC-SHA-1-96.
    HmacSha1,
    /// AES-128-CMAC-96.
    AesCmac,
}

impl AoAlgorithm {
    #[cfg(all(feature = "tokio", any(target_os = "linux", target_os = "android")))]
    /// Returns the name of the algorithm in the Linux crypto API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac(sha1)",
            Self::AesCmac => "cmac(aes128)",
        }
    }
}

/// A key for the TCP Authentication Option (RFC 5925): 1 to 80 octets and the identifiers of both sides. `Debug` does
/// not print the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct AoKey {
    pub(crate) send_id: u8,
    pub(crate) receive_id: u8,
    pub(crate) algorithm: AoAlgorithm,
    // Linux has the same limit, 80 octets, for both kinds of keys.
    pub(crate) secret: Md5Key,
}

impl AoKey {
    /// Creates a key. Returns `None` unless it has 1 to 80 octets. `send_id` is the peer's `receive_id`, and the other
    /// way round.
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

/// The parts of a key, for a driver that sets it on a socket.
impl AoKey {
    /// Returns the identifier of the key in sent segments.
    #[must_use]
    pub const fn send_id(&self) -> u8 {
        self.send_id
    }

    /// Returns the identifier of the key in received segments.
    #[must_use]
    pub const fn receive_id(&self) -> u8 {
        self.receive_id
    }

    /// Returns the algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> AoAlgorithm {
        self.algorithm
    }

    /// Returns the octets of the key.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.secret.octets()
    }
}

impl std::fmt::Debug for AoKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Destructured, so that a new field is printed or left out on purpose.
        let Self {
            send_id,
            receive_id,
            algorithm,
            ..
        } = self;
        write!(f, "AoKey({send_id}, {receive_id}, {algorithm:?}, ***)")
    }
}

/// The parameters of all TCP connections with one peer, whichever side makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransportConfig {
    pub(crate) port: u16,
    pub(crate) source_address: Option<IpAddr>,
    pub(crate) source_port: Option<u16>,
    pub(crate) device: Option<String>,
    pub(crate) ttl: Option<u8>,
    /// GTSM: the maximum distance of the peer in hops.
    pub(crate) hops: Option<u8>,
    pub(crate) md5_key: Option<Md5Key>,
    pub(crate) ao_key: Option<AoKey>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) dscp: u8,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            // The port that IANA assigned to BGP.
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
    /// Sets the port to dial, from 1; 179 by default.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.transport.port = port;
        self
    }

    /// Sets the local address to dial from, of the family of the peer's address. The system chooses it by default.
    #[must_use]
    pub fn with_source_address(mut self, address: IpAddr) -> Self {
        // In the form of the peer's address, so that their families compare.
        self.transport.source_address = Some(address.to_canonical());
        self
    }

    /// Sets the local port to dial from, from 1; the system chooses it by default.
    #[must_use]
    pub fn with_source_port(mut self, port: u16) -> Self {
        self.transport.source_port = Some(port);
        self
    }

    /// Sets the network device or VRF to dial through (SO_BINDTODEVICE), 1 to 15 octets.
    #[must_use]
    pub fn with_device(mut self, name: impl Into<String>) -> Self {
        self.transport.device = Some(name.into());
        self
    }

    /// Sets the TTL or hop limit of sent packets, at least 1.
    ///
    /// By default it is 255 with [`PeerConfig::ttl_security`], and otherwise the system's: the peer may be any number
    /// of hops away.
    #[must_use]
    pub fn with_ttl(mut self, ttl: u8) -> Self {
        self.transport.ttl = Some(ttl);
        self
    }

    /// Accepts only packets from at most `hops` hops away, measured by their TTL (GTSM, RFC 5082). At least 1, for a
    /// peer on the same link.
    ///
    /// A more distant host cannot send packets as the peer.
    #[must_use]
    pub fn with_ttl_security(mut self, hops: u8) -> Self {
        self.transport.hops = Some(hops);
        self
    }

    /// Signs every segment with this key and discards segments that are not signed (RFC 2385). A peer cannot also have a
    /// key for TCP-AO.
    #[must_use]
    pub fn with_md5_key(mut self, key: Md5Key) -> Self {
        self.transport.md5_key = Some(key);
        self
    }

    /// Authenticates every segment with this key (RFC 5925). Adding the peer fails if the kernel does not support
    /// TCP-AO. A peer cannot also have a key for TCP MD5.
    #[must_use]
    pub fn with_ao_key(mut self, key: AoKey) -> Self {
        self.transport.ao_key = Some(key);
        self
    }

    /// Sets the time for which sent octets may stay unacknowledged before the kernel ends the connection
    /// (TCP_USER_TIMEOUT), from 1 ms to a day.
    #[must_use]
    pub fn with_user_timeout(mut self, time: Duration) -> Self {
        self.transport.user_timeout = Some(time);
        self
    }

    /// Sets the Differentiated Services codepoint of sent packets, 0 to 63. CS6 (network control) by default.
    #[must_use]
    pub fn with_dscp(mut self, codepoint: u8) -> Self {
        self.transport.dscp = codepoint;
        self
    }
}

/// CS6, the class for routing protocols (RFC 4594 section 3.2, RFC 4271 appendix E).
const NETWORK_CONTROL: u8 = 48;
