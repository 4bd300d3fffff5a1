//! `Reason`: why a session ends, as the code and subcode of a NOTIFICATION.
//!
//! One table holds name, numbers and what the Data field carries: RFC 4271 section 6, RFC 4486, RFC 5492,
//! RFC 6608, RFC 7313, RFC 8538, RFC 9234, RFC 9384, RFC 9687, RFC 9815.

use core::fmt;
use core::str::FromStr;

use crate::text::{ParseValueError, number};

/// The error code and subcode of a NOTIFICATION (RFC 4271 section 4.5).
///
/// An unregistered pair is still a value; it prints as its numbers.
///
/// ```
/// use bgp_wire::Reason;
/// assert_eq!(Reason::BAD_PEER_AS, Reason { code: 2, subcode: 2 });
/// assert_eq!(Reason::BAD_PEER_AS.to_string(), "OPEN Message Error/Bad Peer AS (2/2)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reason {
    /// Error code.
    pub code: u8,
    /// Error subcode, 0 where the code has none.
    pub subcode: u8,
}

/// What the Data field of a NOTIFICATION for a decoding error carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataField {
    /// Nothing.
    Empty,
    /// The octets at fault.
    Span,
    /// The largest supported version number, in two octets (RFC 4271 section 6.2).
    Version,
    /// The whole message (RFC 7313 section 5).
    Message,
}

macro_rules! reasons {
    ($( $(#[$doc:meta])* $constant:ident = ($code:literal, $subcode:literal), $text:literal, $data:ident; )+) => {
        impl Reason {
            $( $(#[$doc])* pub const $constant: Self = Self { code: $code, subcode: $subcode }; )+

            /// Every registered reason, in the order of its numbers.
            pub const REGISTERED: &'static [Self] = &[$( Self::$constant ),+];

            /// The registered name of the subcode, or of the code where it has no subcodes.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match (self.code, self.subcode) {
                    $( ($code, $subcode) => Some($text), )+
                    _ => None,
                }
            }

            pub(crate) const fn data_field(self) -> DataField {
                match (self.code, self.subcode) {
                    $( ($code, $subcode) => DataField::$data, )+
                    _ => DataField::Empty,
                }
            }
        }
    };
}

reasons! {
    /// A header that is wrong in a way that has no subcode.
    HEADER_UNSPECIFIC = (1, 0), "Unspecific", Empty;
    /// The marker is not all ones.
    CONNECTION_NOT_SYNCHRONIZED = (1, 1), "Connection Not Synchronized", Empty;
    /// The Length field is out of range; Data is that field.
    BAD_MESSAGE_LENGTH = (1, 2), "Bad Message Length", Span;
    /// The Type field is not known; Data is that field.
    BAD_MESSAGE_TYPE = (1, 3), "Bad Message Type", Span;
    /// An OPEN that is wrong in a way that has no subcode.
    OPEN_UNSPECIFIC = (2, 0), "Unspecific", Empty;
    /// Data is the largest supported version.
    UNSUPPORTED_VERSION_NUMBER = (2, 1), "Unsupported Version Number", Version;
    /// The AS is not the one configured for this peer, or AS 0 (RFC 7607).
    BAD_PEER_AS = (2, 2), "Bad Peer AS", Empty;
    /// The BGP Identifier is zero, or equal to ours inside one AS (RFC 6286).
    BAD_BGP_IDENTIFIER = (2, 3), "Bad BGP Identifier", Empty;
    /// An optional parameter that is not Capabilities; Data is the parameter.
    UNSUPPORTED_OPTIONAL_PARAMETER = (2, 4), "Unsupported Optional Parameter", Span;
    /// Deprecated (RFC 4271 appendix A).
    AUTHENTICATION_FAILURE = (2, 5), "Authentication Failure", Empty;
    /// A hold time of 1 or 2 seconds.
    UNACCEPTABLE_HOLD_TIME = (2, 6), "Unacceptable Hold Time", Empty;
    /// A capability is missing without which there is nothing to exchange (RFC 5492).
    UNSUPPORTED_CAPABILITY = (2, 7), "Unsupported Capability", Empty;
    /// The BGP roles of the two speakers do not fit (RFC 9234).
    ROLE_MISMATCH = (2, 11), "Role Mismatch", Empty;
    /// An UPDATE that is wrong in a way that has no subcode.
    UPDATE_UNSPECIFIC = (3, 0), "Unspecific", Empty;
    /// The path attributes cannot be told apart.
    MALFORMED_ATTRIBUTE_LIST = (3, 1), "Malformed Attribute List", Empty;
    /// Data is the attribute.
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = (3, 2), "Unrecognized Well-known Attribute", Span;
    /// Data is the code of the missing attribute.
    MISSING_WELL_KNOWN_ATTRIBUTE = (3, 3), "Missing Well-known Attribute", Empty;
    /// Data is the attribute.
    ATTRIBUTE_FLAGS_ERROR = (3, 4), "Attribute Flags Error", Span;
    /// Data is the attribute.
    ATTRIBUTE_LENGTH_ERROR = (3, 5), "Attribute Length Error", Span;
    /// Data is the attribute.
    INVALID_ORIGIN_ATTRIBUTE = (3, 6), "Invalid ORIGIN Attribute", Span;
    /// Deprecated (RFC 4271 appendix A).
    AS_ROUTING_LOOP = (3, 7), "AS Routing Loop", Empty;
    /// Data is the attribute.
    INVALID_NEXT_HOP_ATTRIBUTE = (3, 8), "Invalid NEXT_HOP Attribute", Span;
    /// Data is the attribute.
    OPTIONAL_ATTRIBUTE_ERROR = (3, 9), "Optional Attribute Error", Span;
    /// The NLRI or Withdrawn Routes field is not a list of prefixes.
    INVALID_NETWORK_FIELD = (3, 10), "Invalid Network Field", Empty;
    /// The AS_PATH is syntactically wrong.
    MALFORMED_AS_PATH = (3, 11), "Malformed AS_PATH", Empty;
    /// Nothing was heard for the hold time.
    HOLD_TIMER_EXPIRED = (4, 0), "Hold Timer Expired", Empty;
    /// A message that the state machine does not expect (RFC 4271 section 6.6).
    FINITE_STATE_MACHINE_ERROR = (5, 0), "Unspecified Error", Empty;
    /// Data is the type of the message (RFC 6608).
    UNEXPECTED_MESSAGE_IN_OPEN_SENT = (5, 1), "Receive Unexpected Message in OpenSent State", Empty;
    /// Data is the type of the message (RFC 6608).
    UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM = (5, 2), "Receive Unexpected Message in OpenConfirm State", Empty;
    /// Data is the type of the message (RFC 6608).
    UNEXPECTED_MESSAGE_IN_ESTABLISHED = (5, 3), "Receive Unexpected Message in Established State", Empty;
    /// A Cease that has no subcode.
    CEASE_UNSPECIFIC = (6, 0), "Unspecific", Empty;
    /// Data is AFI, SAFI and the limit (RFC 4486).
    MAXIMUM_PREFIXES_REACHED = (6, 1), "Maximum Number of Prefixes Reached", Empty;
    /// Data is a message to the operator (RFC 9003).
    ADMINISTRATIVE_SHUTDOWN = (6, 2), "Administrative Shutdown", Empty;
    /// The peer was removed from the configuration.
    PEER_DECONFIGURED = (6, 3), "Peer De-configured", Empty;
    /// Data is a message to the operator (RFC 9003).
    ADMINISTRATIVE_RESET = (6, 4), "Administrative Reset", Empty;
    /// The speaker does not want this connection.
    CONNECTION_REJECTED = (6, 5), "Connection Rejected", Empty;
    /// The configuration of the session changed.
    OTHER_CONFIGURATION_CHANGE = (6, 6), "Other Configuration Change", Empty;
    /// The other of two connections was kept (RFC 4271 section 6.8).
    CONNECTION_COLLISION_RESOLUTION = (6, 7), "Connection Collision Resolution", Empty;
    /// The speaker is short of memory or the like.
    OUT_OF_RESOURCES = (6, 8), "Out of Resources", Empty;
    /// Data is the encapsulated NOTIFICATION (RFC 8538).
    HARD_RESET = (6, 9), "Hard Reset", Empty;
    /// BFD says that the peer is gone (RFC 9384).
    BFD_DOWN = (6, 10), "BFD Down", Empty;
    /// The length of a ROUTE-REFRESH is wrong; Data is the message (RFC 7313).
    INVALID_ROUTE_REFRESH_LENGTH = (7, 1), "Invalid Message Length", Message;
    /// The peer took nothing for the send hold time (RFC 9687).
    SEND_HOLD_TIMER_EXPIRED = (8, 0), "Send Hold Timer Expired", Empty;
    /// The link-state database is no longer that of the peer (RFC 9815).
    LOSS_OF_LSDB_SYNCHRONIZATION = (9, 0), "Loss of LSDB Synchronization", Empty;
}

impl Reason {
    /// Whether Data is a shutdown communication (RFC 9003 section 2).
    pub(crate) const fn carries_text(self) -> bool {
        matches!(
            self,
            Self::ADMINISTRATIVE_SHUTDOWN | Self::ADMINISTRATIVE_RESET
        )
    }

    /// The registered name of the error code.
    #[must_use]
    pub const fn code_name(self) -> Option<&'static str> {
        Some(match self.code {
            1 => "Message Header Error",
            2 => "OPEN Message Error",
            3 => "UPDATE Message Error",
            4 => "Hold Timer Expired",
            5 => "Finite State Machine Error",
            6 => "Cease",
            7 => "ROUTE-REFRESH Message Error",
            8 => "Send Hold Timer Expired",
            9 => "Loss of LSDB Synchronization",
            _ => return None,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = (self.code, self.subcode);
        match (self.code_name(), self.name()) {
            (Some(code), Some(name)) if code != name => write!(f, "{code}/{name}")?,
            (Some(code), _) => f.write_str(code)?,
            (None, _) => f.write_str("unregistered")?,
        }
        write!(f, " ({}/{})", numbers.0, numbers.1)
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({self})")
    }
}

impl FromStr for Reason {
    type Err = ParseValueError;

    /// What its `Display` writes, the two numbers alone (`6/2`), or the registered name of a subcode that no other code
    /// has (`Administrative Shutdown`), in any case.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let numbers = match text.rsplit_once('(') {
            Some((_, numbers)) => numbers.strip_suffix(')'),
            None => Some(text),
        };
        let reason = numbers.and_then(|numbers| {
            let (code, subcode) = numbers.split_once('/')?;
            let (code, subcode) = (number(code)?, number(subcode)?);
            Some(Self { code, subcode })
        });
        let is_named = |reason: &Self| {
            let name = reason.name();
            name.is_some_and(|name| name.eq_ignore_ascii_case(text))
        };
        let mut named = Self::REGISTERED.iter().copied().filter(is_named);
        let named = named.next().filter(|_| named.next().is_none());
        reason.or(named).ok_or(ParseValueError {
            expected: "code and subcode, 6/2, or the name of a subcode: Administrative Shutdown",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn table_is_sorted_and_without_duplicates() {
        assert!(Reason::REGISTERED.is_sorted());
        assert!(Reason::REGISTERED.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(
            Reason::REGISTERED
                .iter()
                .all(|reason| reason.name().is_some() && reason.code_name().is_some())
        );
    }

    #[test]
    fn text() {
        for reason in Reason::REGISTERED {
            assert_eq!(reason.to_string().parse(), Ok(*reason));
        }
        assert_eq!("6/2".parse(), Ok(Reason::ADMINISTRATIVE_SHUTDOWN));
        assert_eq!("bad peer as".parse(), Ok(Reason::BAD_PEER_AS));
        for text in ["", "Unspecific", "6", "6/256", "6/2)", "Cease"] {
            assert!(text.parse::<Reason>().is_err(), "{text}");
        }
    }

    #[test]
    fn unregistered_pairs_print_their_numbers() {
        assert_eq!(
            Reason {
                code: 6,
                subcode: 99
            }
            .to_string(),
            "Cease (6/99)"
        );
        assert_eq!(
            Reason {
                code: 99,
                subcode: 1
            }
            .to_string(),
            "unregistered (99/1)"
        );
        assert_eq!(
            Reason::HOLD_TIMER_EXPIRED.to_string(),
            "Hold Timer Expired (4/0)"
        );
    }
}
