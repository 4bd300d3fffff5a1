//! The application's own part in the OPENs: further capabilities in ours, and a check of the peer's.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::{
    Asn, CapabilityBuf, CapabilityCode, EncodeError, HoldTime, MessageLimit, NotificationBuf, Open,
    OpenBuf, RouterId,
};
use bytes::BytesMut;

use super::PeerConfig;

/// The error of a capability that cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapabilityError {
    /// The session negotiates this capability itself, as the other settings of the peer require.
    Negotiated(CapabilityCode),
    /// The capability, or all of them together, cannot be encoded.
    Encode(EncodeError),
}

impl fmt::Display for CapabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negotiated(code) => write!(f, "the session negotiates the capability {code}"),
            Self::Encode(error) => write!(f, "cannot encode the capability: {error}"),
        }
    }
}

impl std::error::Error for CapabilityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Negotiated(_) => None,
            Self::Encode(error) => Some(error),
        }
    }
}

/// A function that is called with every OPEN of a peer that the session itself would accept. It returns the NOTIFICATION that
/// refuses the OPEN, for example [`Reason::CONNECTION_REJECTED`], or `Ok`.
///
/// The retry policy applies as if the session had refused the OPEN. The function gets the address of the peer, because dynamic
/// peers share one configuration. It decides by its arguments alone and returns at once: the session waits for it.
///
/// Clones are equal, and two separately created checks are different, even if their functions do the same.
///
/// [`Reason::CONNECTION_REJECTED`]: bgp_wire::Reason::CONNECTION_REJECTED
///
/// ```
/// use bgp_session::{OpenCheck, PeerConfig};
/// use bgp_wire::{Asn, HoldTime, NotificationBuf, Reason};
/// let check = OpenCheck::new(|_peer, open| {
///     if open.hold_time() == HoldTime::ZERO {
///         return Err(NotificationBuf { reason: Reason::UNACCEPTABLE_HOLD_TIME, data: Vec::new() });
///     }
///     Ok(())
/// });
/// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)).with_open_check(check.clone());
/// assert_eq!(peer.open_check(), Some(&check));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct OpenCheck(Arc<CheckFunction>);

type CheckFunction = dyn Fn(IpAddr, &Open<'_>) -> Result<(), NotificationBuf> + Send + Sync;

impl OpenCheck {
    /// Creates a check from a function, which has the parameters of [`OpenCheck::check`].
    #[must_use]
    pub fn new(
        check: impl Fn(IpAddr, &Open<'_>) -> Result<(), NotificationBuf> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    /// Calls the function with the OPEN of the peer that has this address.
    ///
    /// # Errors
    ///
    /// Returns the NOTIFICATION that refuses the OPEN.
    pub fn check(&self, peer: IpAddr, open: &Open<'_>) -> Result<(), NotificationBuf> {
        (self.0)(peer, open)
    }
}

impl PartialEq for OpenCheck {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OpenCheck {}

impl fmt::Debug for OpenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenCheck(..)")
    }
}

/// The application's own part in the OPENs.
impl PeerConfig {
    /// Adds a capability to our OPEN, after those that the session negotiates.
    ///
    /// The session does nothing else with it: the application reads the peer's answer from
    /// [`Negotiated::peer_capabilities`](crate::Negotiated::peer_capabilities). A peer that rejects capabilities gets none.
    ///
    /// ```
    /// use bgp_session::{CapabilityError, PeerConfig};
    /// use bgp_wire::{Asn, CapabilityBuf, CapabilityCode};
    /// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512))
    ///     .with_capability(CapabilityBuf::SoftwareVersion("example 1.0".into()))?
    ///     // One of the codes for private use (RFC 8810).
    ///     .with_capability(CapabilityBuf::Unknown(CapabilityCode(239), vec![1, 2]))?;
    /// assert_eq!(peer.capabilities().len(), 2);
    /// let refresh = peer.with_capability(CapabilityBuf::RouteRefresh);
    /// assert_eq!(refresh, Err(CapabilityError::Negotiated(CapabilityCode::ROUTE_REFRESH)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The session negotiates a capability with this code itself, or the capability is malformed or too long. All of them
    /// together may have about 3,000 octets.
    pub fn with_capability(mut self, capability: CapabilityBuf) -> Result<Self, CapabilityError> {
        let code = capability.code();
        if NEGOTIATED.contains(&code) {
            return Err(CapabilityError::Negotiated(code));
        }
        self.capabilities.push(capability);
        check_size(&self.capabilities).map_err(CapabilityError::Encode)?;
        Ok(self)
    }

    /// Returns the capabilities that [`PeerConfig::with_capability`] has added.
    #[must_use]
    pub fn capabilities(&self) -> &[CapabilityBuf] {
        &self.capabilities
    }

    /// Sets a check that is called with every OPEN of the peer, after the session's own checks.
    #[must_use]
    pub fn with_open_check(mut self, check: OpenCheck) -> Self {
        self.open_check = Some(check);
        self
    }

    /// Returns the check of the peer's OPEN, or `None` if the session's own checks are enough.
    #[must_use]
    pub fn open_check(&self) -> Option<&OpenCheck> {
        self.open_check.as_ref()
    }
}

/// Returns an error unless the capabilities fit into an OPEN beside those that the session negotiates.
fn check_size(capabilities: &[CapabilityBuf]) -> Result<(), EncodeError> {
    // The values of the other fields have no influence on the length.
    let open = OpenBuf {
        asn: Asn::TRANS,
        hold_time: HoldTime::DEFAULT,
        router_id: ANY_ROUTER_ID,
        capabilities: capabilities.to_vec(),
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets)?;
    let length = octets.len();
    if length + MAX_NEGOTIATED_OCTETS > MessageLimit::Standard.octets() {
        let part = "capabilities";
        return Err(EncodeError::PartTooLong { part, length });
    }
    Ok(())
}

/// The capabilities that the session negotiates.
const NEGOTIATED: [CapabilityCode; 10] = [
    CapabilityCode::MULTIPROTOCOL,
    CapabilityCode::ROUTE_REFRESH,
    CapabilityCode::EXTENDED_NEXT_HOP,
    CapabilityCode::EXTENDED_MESSAGE,
    CapabilityCode::ROLE,
    CapabilityCode::GRACEFUL_RESTART,
    CapabilityCode::FOUR_OCTET_AS,
    CapabilityCode::ADD_PATH,
    CapabilityCode::ENHANCED_ROUTE_REFRESH,
    CapabilityCode::LONG_LIVED_GRACEFUL_RESTART,
];

const ANY_ROUTER_ID: RouterId = RouterId::from_bits(1).expect("not zero");

/// More octets than the capabilities take that the session negotiates, with every family and every setting.
const MAX_NEGOTIATED_OCTETS: usize = 1024;

#[cfg(test)]
mod tests {
    use bgp_wire::Family;

    use super::*;
    use crate::config::{LocalConfig, RestartConfig};
    use crate::negotiate::{OpenParameters, our_open};

    fn config() -> PeerConfig {
        PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513))
    }

    fn own(octets: usize) -> CapabilityBuf {
        CapabilityBuf::Unknown(CapabilityCode(239), vec![0; octets])
    }

    #[test]
    fn capability_that_the_session_negotiates_is_refused_in_any_form() {
        for code in NEGOTIATED {
            let raw = CapabilityBuf::Unknown(code, Vec::new());
            let error = config().with_capability(raw).unwrap_err();
            assert_eq!(error, CapabilityError::Negotiated(code));
        }
    }

    #[test]
    fn longest_permitted_capabilities_fit_beside_all_others() {
        let mut config = config()
            .with_families(Family::PARSED.iter().copied())
            .unwrap()
            .with_add_path(true)
            .with_extended_message(true)
            .with_extended_next_hop(true)
            .with_role(bgp_wire::Role::PEER)
            .with_graceful_restart(
                RestartConfig::new().with_long_lived(std::time::Duration::from_secs(1)),
            );
        let error = config.clone().with_capability(own(256)).unwrap_err();
        assert!(matches!(error, CapabilityError::Encode(_)), "{error}");
        for _ in 0..11 {
            config = config.with_capability(own(255)).unwrap();
        }
        assert!(config.clone().with_capability(own(255)).is_err());
        let local = LocalConfig::new(Asn::new(4_200_000_000), "192.168.0.111".parse().unwrap());
        let parameters = OpenParameters {
            hold_time: HoldTime::DEFAULT,
            restarted: true,
            omit_capabilities: false,
        };
        let mut octets = BytesMut::new();
        our_open(local, &config, parameters)
            .encode(&mut octets)
            .unwrap();
        let negotiated = octets.len() - 11 * 257;
        assert!(negotiated < MAX_NEGOTIATED_OCTETS, "{negotiated} octets");
    }
}
