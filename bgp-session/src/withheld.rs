//! `Withheld`: a route of the table that a peer is not sent, with the reason, and the counts of such routes.

use std::fmt;

use bgp_wire::EncodeError;

use crate::destination::Destination;

/// The reason why a peer is not sent a route of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum WithheldReason {
    /// The peer is external and has no export policy (RFC 8212).
    NoPolicy,
    /// The export policy or the export filter denies the route.
    Denied,
    /// The session did not negotiate the family of the route.
    FamilyNotNegotiated,
    /// No address is known that the peer can use as the next hop.
    NoNextHop,
    /// The next hop is the peer's own address (RFC 4271 section 5.1.3).
    NextHopIsPeer,
    /// The attributes and the NLRI exceed the limit of a message or of a field.
    TooLong,
    /// The route has attributes that no message may contain.
    Unencodable,
    /// The route has OTC, and our role towards the peer forbids to send it (RFC 9234 section 5).
    RouteLeak,
    /// The route is long-lived stale, and the peer does not support that (RFC 9494 section 4.3).
    LongLivedStale,
}

impl WithheldReason {
    /// Every reason, in the order of their values.
    pub const ALL: &'static [Self] = &[
        Self::NoPolicy,
        Self::Denied,
        Self::FamilyNotNegotiated,
        Self::NoNextHop,
        Self::NextHopIsPeer,
        Self::TooLong,
        Self::Unencodable,
        Self::RouteLeak,
        Self::LongLivedStale,
    ];

    /// Returns advice for an operator who wants the peer to be sent the route, in the imperative.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::NoPolicy => "set an export policy for the peer",
            Self::Denied => "permit the prefix in the export policy of the peer",
            Self::FamilyNotNegotiated => "enable the family on both sides of the session",
            Self::NoNextHop => {
                "set a next hop of the route's address family for the peer, or add such an address to the \
                 interface of the session"
            }
            Self::NextHopIsPeer => {
                "set another next hop, or withdraw the route: the peer is itself the next hop"
            }
            Self::TooLong => {
                "remove attributes from the route, or enable extended messages on both sides"
            }
            Self::Unencodable => "correct the attributes of the route",
            Self::RouteLeak => {
                "remove the OTC attribute from the route, or correct the role towards the peer"
            }
            Self::LongLivedStale => "enable long-lived graceful restart on the peer",
        }
    }

    /// Returns the reason for which a route that cannot be encoded is withheld.
    pub(crate) fn from_error(error: EncodeError) -> Self {
        match error {
            EncodeError::AttributesTooLong { .. } | EncodeError::PartTooLong { .. } => {
                Self::TooLong
            }
            EncodeError::NotNegotiated(_) => Self::FamilyNotNegotiated,
            EncodeError::NextHopMissing(_) | EncodeError::NextHopUnusable(_) => Self::NoNextHop,
            EncodeError::Illegal(_) | _ => Self::Unencodable,
        }
    }

    /// Returns the position in [`WithheldReason::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::NoPolicy => 0,
            Self::Denied => 1,
            Self::FamilyNotNegotiated => 2,
            Self::NoNextHop => 3,
            Self::NextHopIsPeer => 4,
            Self::TooLong => 5,
            Self::Unencodable => 6,
            Self::RouteLeak => 7,
            Self::LongLivedStale => 8,
        }
    }
}

impl fmt::Display for WithheldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPolicy => "no export policy for an external peer",
            Self::Denied => "denied by the export policy",
            Self::FamilyNotNegotiated => "family not negotiated",
            Self::NoNextHop => "no usable next hop",
            Self::NextHopIsPeer => "the next hop is the peer itself",
            Self::TooLong => "too long for a message",
            Self::Unencodable => "invalid attributes",
            Self::RouteLeak => "route leak: it has OTC",
            Self::LongLivedStale => "long-lived stale, which the peer does not support",
        })
    }
}

/// A route that a peer is not sent, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Withheld {
    /// The destination of the route.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::text"))]
    pub destination: Destination,
    /// The reason.
    pub reason: WithheldReason,
    /// The error of the encoder, if it rejected the route.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::serialize::optional_text")
    )]
    pub error: Option<EncodeError>,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.destination, self.reason)?;
        match &self.error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

/// The numbers of routes that a peer is not sent, by reason.
///
/// ```
/// use bgp_session::{WithheldCounts, WithheldReason};
/// let counts = WithheldCounts::default();
/// assert!(counts.is_empty());
/// assert_eq!(counts.count(WithheldReason::NoNextHop), 0);
/// for (reason, routes) in counts.iter() {
///     println!("{routes} routes withheld: {reason}; help: {}", reason.help());
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WithheldCounts([usize; WithheldReason::ALL.len()]);

impl WithheldCounts {
    /// No route is withheld.
    #[cfg(feature = "tokio")]
    pub(crate) const NONE: Self = Self([0; WithheldReason::ALL.len()]);

    /// Returns the number of routes that are withheld for this reason.
    #[must_use]
    pub fn count(&self, reason: WithheldReason) -> usize {
        self.0.get(reason.index()).copied().unwrap_or_default()
    }

    /// Returns the number of routes that are withheld for any reason.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// Returns `true` if no route is withheld.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// Returns the reasons for which routes are withheld, with the numbers of these routes.
    pub fn iter(&self) -> impl Iterator<Item = (WithheldReason, usize)> {
        let reasons = WithheldReason::ALL.iter().copied();
        reasons.zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Returns the counter of a reason.
    pub(crate) fn of_mut(&mut self, reason: WithheldReason) -> Option<&mut usize> {
        // A counter for each reason: the array has the length of the list of reasons.
        self.0.get_mut(reason.index())
    }
}

/// Serialized as a map from the reasons to the numbers.
#[cfg(feature = "serde")]
impl serde::Serialize for WithheldCounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl fmt::Display for WithheldCounts {
    /// Writes the numbers and the reasons, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut separator = "";
        for (reason, count) in self.iter() {
            write!(f, "{separator}{count} {reason}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bgp_wire::Family;

    use super::*;

    #[test]
    fn each_reason_has_its_own_counter() {
        let mut counts = WithheldCounts::default();
        assert_eq!(counts.to_string(), "none");
        for (number, reason) in WithheldReason::ALL.iter().enumerate() {
            *counts.of_mut(*reason).unwrap() = number + 1;
        }
        for (number, reason) in WithheldReason::ALL.iter().enumerate() {
            assert_eq!(counts.count(*reason), number + 1, "{reason}");
        }
        assert_eq!(counts.total(), 45);
        assert_eq!(counts.iter().count(), WithheldReason::ALL.len());
    }

    #[test]
    fn counts_are_written_with_their_reasons() {
        let mut counts = WithheldCounts::default();
        *counts.of_mut(WithheldReason::NoNextHop).unwrap() = 2;
        *counts.of_mut(WithheldReason::TooLong).unwrap() = 1;
        assert_eq!(
            counts.to_string(),
            "2 no usable next hop, 1 too long for a message"
        );
    }

    #[test]
    fn encoder_error_has_the_reason_that_an_operator_can_act_on() {
        let too_long = EncodeError::AttributesTooLong {
            length: 5000,
            limit: 4096,
        };
        for (error, reason) in [
            (too_long, WithheldReason::TooLong),
            (
                EncodeError::PartTooLong {
                    part: "AS_PATH",
                    length: 70_000,
                },
                WithheldReason::TooLong,
            ),
            (
                EncodeError::NextHopMissing(Family::IPV6_UNICAST),
                WithheldReason::NoNextHop,
            ),
            (
                EncodeError::NextHopUnusable([127, 0, 0, 1].into()),
                WithheldReason::NoNextHop,
            ),
            (
                EncodeError::NotNegotiated(Family::IPV4_VPN),
                WithheldReason::FamilyNotNegotiated,
            ),
            (EncodeError::Illegal("AS 0"), WithheldReason::Unencodable),
        ] {
            assert_eq!(WithheldReason::from_error(error), reason, "{error}");
        }
        let withheld = Withheld {
            destination: "10.0.0.0/8".parse::<ipnet::IpNet>().unwrap().into(),
            reason: WithheldReason::TooLong,
            error: Some(too_long),
        };
        let text = withheld.to_string();
        assert!(
            text.starts_with("10.0.0.0/8: too long for a message (message too long: 5000"),
            "{text}"
        );
    }
}
