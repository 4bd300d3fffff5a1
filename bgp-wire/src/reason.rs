//! `Reason`: the reason for the end of a session, as the code and subcode of a NOTIFICATION.
//!
//! One table holds names, numbers and the content of the Data field: RFC 4271 section 6, RFC 4486, RFC 5492,
//! RFC 6608, RFC 7313, RFC 8538, RFC 9234, RFC 9384, RFC 9687, RFC 9815.

use core::fmt;
use core::str::FromStr;

use crate::text::{ParseValueError, number};

/// The error code and subcode of a NOTIFICATION (RFC 4271 section 4.5).
///
/// An unregistered pair is also a valid value. It prints as its numbers.
///
/// ```
/// use bgp_wire::Reason;
/// assert_eq!(Reason::BAD_PEER_AS, Reason { code: 2, subcode: 2 });
/// assert_eq!(Reason::BAD_PEER_AS.to_string(), "OPEN Message Error/Bad Peer AS (2/2)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reason {
    /// The error code.
    pub code: u8,
    /// The error subcode; 0 if the code has no subcodes.
    pub subcode: u8,
}

/// The content of the Data field in the NOTIFICATION for a decoding error.
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

            /// Every registered reason, in ascending order of code and subcode.
            pub const REGISTERED: &'static [Self] = &[$( Self::$constant ),+];

            /// Returns the registered name of the subcode, or of the code if it has no subcodes. `None` if
            /// unregistered.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match (self.code, self.subcode) {
                    $( ($code, $subcode) => Some($text), )+
                    _ => None,
                }
            }

            // An unregistered reason is never the result of decoding, so its Data does not matter.
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
    // The last column is for decoding errors. `NotificationBuf` fills in the Data of all other reasons.
    /// A message header error without a subcode.
    HEADER_UNSPECIFIC = (1, 0), "Unspecific", Empty;
    /// The marker is not all ones.
    CONNECTION_NOT_SYNCHRONIZED = (1, 1), "Connection Not Synchronized", Empty;
    /// The Length field is out of range. Data is that field.
    BAD_MESSAGE_LENGTH = (1, 2), "Bad Message Length", Span;
    /// The Type field is unknown. Data is that field.
    BAD_MESSAGE_TYPE = (1, 3), "Bad Message Type", Span;
    /// An OPEN error without a subcode.
    OPEN_UNSPECIFIC = (2, 0), "Unspecific", Empty;
    /// The version is not 4. Data is the largest supported version.
    UNSUPPORTED_VERSION_NUMBER = (2, 1), "Unsupported Version Number", Version;
    /// The AS number differs from the one configured for the peer, or is 0 (RFC 7607).
    BAD_PEER_AS = (2, 2), "Bad Peer AS", Empty;
    /// The BGP Identifier is zero, or equal to ours inside one AS (RFC 6286).
    BAD_BGP_IDENTIFIER = (2, 3), "Bad BGP Identifier", Empty;
    /// An optional parameter other than Capabilities. Data is the parameter.
    UNSUPPORTED_OPTIONAL_PARAMETER = (2, 4), "Unsupported Optional Parameter", Span;
    // Deprecated reasons stay in the table so that one from an older speaker prints with its name.
    /// Deprecated (RFC 4271 appendix A).
    AUTHENTICATION_FAILURE = (2, 5), "Authentication Failure", Empty;
    /// A hold time of 1 or 2 seconds.
    UNACCEPTABLE_HOLD_TIME = (2, 6), "Unacceptable Hold Time", Empty;
    /// A required capability is missing (RFC 5492). Data is the missing capabilities.
    UNSUPPORTED_CAPABILITY = (2, 7), "Unsupported Capability", Empty;
    /// The BGP roles of the two speakers do not match (RFC 9234 section 4.2).
    ROLE_MISMATCH = (2, 11), "Role Mismatch", Empty;
    /// An UPDATE error without a subcode.
    UPDATE_UNSPECIFIC = (3, 0), "Unspecific", Empty;
    /// The path attributes cannot be separated, or one that may appear once is repeated.
    MALFORMED_ATTRIBUTE_LIST = (3, 1), "Malformed Attribute List", Empty;
    /// A well-known attribute is unknown. Data is the attribute.
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = (3, 2), "Unrecognized Well-known Attribute", Span;
    // Never sent: RFC 7606 section 3 (d) withdraws the routes instead.
    /// A mandatory attribute is missing. Data is its code.
    MISSING_WELL_KNOWN_ATTRIBUTE = (3, 3), "Missing Well-known Attribute", Empty;
    /// The flags do not match the attribute's code. Data is the attribute.
    ATTRIBUTE_FLAGS_ERROR = (3, 4), "Attribute Flags Error", Span;
    /// The length does not match the attribute's code. Data is the attribute.
    ATTRIBUTE_LENGTH_ERROR = (3, 5), "Attribute Length Error", Span;
    /// The value of ORIGIN is unknown. Data is the attribute.
    INVALID_ORIGIN_ATTRIBUTE = (3, 6), "Invalid ORIGIN Attribute", Span;
    /// Deprecated (RFC 4271 appendix A).
    AS_ROUTING_LOOP = (3, 7), "AS Routing Loop", Empty;
    /// The address in NEXT_HOP is not a host's, or is ours. Data is the attribute.
    INVALID_NEXT_HOP_ATTRIBUTE = (3, 8), "Invalid NEXT_HOP Attribute", Span;
    /// The value of an optional attribute is malformed. Data is the attribute.
    OPTIONAL_ATTRIBUTE_ERROR = (3, 9), "Optional Attribute Error", Span;
    /// The NLRI or Withdrawn Routes field is not a valid list of prefixes.
    INVALID_NETWORK_FIELD = (3, 10), "Invalid Network Field", Empty;
    /// The AS_PATH is malformed.
    MALFORMED_AS_PATH = (3, 11), "Malformed AS_PATH", Empty;
    /// No message arrived within the hold time (RFC 4271 section 6.5).
    HOLD_TIMER_EXPIRED = (4, 0), "Hold Timer Expired", Empty;
    /// A message that the current state does not permit (RFC 4271 section 6.6).
    FINITE_STATE_MACHINE_ERROR = (5, 0), "Unspecified Error", Empty;
    // RFC 6608 added these subcodes. An older speaker sends 5/0 in every state.
    /// An unexpected message in OpenSent. Data is its type (RFC 6608).
    UNEXPECTED_MESSAGE_IN_OPEN_SENT = (5, 1), "Receive Unexpected Message in OpenSent State", Empty;
    /// An unexpected message in OpenConfirm. Data is its type (RFC 6608).
    UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM = (5, 2), "Receive Unexpected Message in OpenConfirm State", Empty;
    /// An unexpected message in Established. Data is its type (RFC 6608).
    UNEXPECTED_MESSAGE_IN_ESTABLISHED = (5, 3), "Receive Unexpected Message in Established State", Empty;
    /// A Cease without a subcode.
    CEASE_UNSPECIFIC = (6, 0), "Unspecific", Empty;
    /// The peer announced more prefixes than permitted. Data is AFI, SAFI and the limit (RFC 4486 section 4).
    MAXIMUM_PREFIXES_REACHED = (6, 1), "Maximum Number of Prefixes Reached", Empty;
    /// An operator shut the session down. Data is a message to the peer's operator (RFC 9003).
    ADMINISTRATIVE_SHUTDOWN = (6, 2), "Administrative Shutdown", Empty;
    /// The peer was removed from the configuration.
    PEER_DECONFIGURED = (6, 3), "Peer De-configured", Empty;
    /// An operator reset the session. Data is a message to the peer's operator (RFC 9003).
    ADMINISTRATIVE_RESET = (6, 4), "Administrative Reset", Empty;
    /// The speaker does not accept this connection.
    CONNECTION_REJECTED = (6, 5), "Connection Rejected", Empty;
    /// The configuration of the session changed.
    OTHER_CONFIGURATION_CHANGE = (6, 6), "Other Configuration Change", Empty;
    /// The speaker keeps the other of two connections (RFC 4271 section 6.8).
    CONNECTION_COLLISION_RESOLUTION = (6, 7), "Connection Collision Resolution", Empty;
    /// The speaker lacks memory or another resource.
    OUT_OF_RESOURCES = (6, 8), "Out of Resources", Empty;
    /// The session ends without graceful restart. Data is the encapsulated NOTIFICATION (RFC 8538 section 3.1).
    HARD_RESET = (6, 9), "Hard Reset", Empty;
    /// BFD reports the peer as down (RFC 9384).
    BFD_DOWN = (6, 10), "BFD Down", Empty;
    // RFC 7313 section 5: Data is the complete message, not only the octets at fault.
    /// The length of a ROUTE-REFRESH is invalid. Data is the message (RFC 7313).
    INVALID_ROUTE_REFRESH_LENGTH = (7, 1), "Invalid Message Length", Message;
    /// No message could be sent to the peer within the send hold time (RFC 9687).
    SEND_HOLD_TIMER_EXPIRED = (8, 0), "Send Hold Timer Expired", Empty;
    /// The link-state databases are no longer synchronized (RFC 9815).
    LOSS_OF_LSDB_SYNCHRONIZATION = (9, 0), "Loss of LSDB Synchronization", Empty;
}

impl Reason {
    /// Returns `true` if Data is a shutdown communication (RFC 9003 section 2).
    pub(crate) const fn carries_text(self) -> bool {
        matches!(
            self,
            Self::ADMINISTRATIVE_SHUTDOWN | Self::ADMINISTRATIVE_RESET
        )
    }

    /// Returns the registered name of the error code, or `None` if it is unregistered.
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
        // Codes without subcodes have the code's name for their subcode 0, which prints once.
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

    /// Parses the text that `Display` writes, the two numbers alone (`6/2`), or the name of a subcode.
    ///
    /// A name, such as `Administrative Shutdown`, may be in upper or lower case and must be unique among all codes.
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
        reason.or_else(|| with_name(text)).ok_or(ParseValueError {
            expected: "code and subcode, 6/2, or the name of a subcode: Administrative Shutdown",
        })
    }
}

/// Returns the registered reason whose subcode has this name. `None` if no subcode or several have it.
fn with_name(text: &str) -> Option<Reason> {
    let mut reasons = Reason::REGISTERED.iter().copied().filter(|reason| {
        reason
            .name()
            .is_some_and(|name| name.eq_ignore_ascii_case(text))
    });
    // `Unspecific` is a subcode of several codes: the name alone does not identify a reason.
    reasons.next().filter(|_| reasons.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn table_is_sorted_without_duplicates() {
        assert!(Reason::REGISTERED.is_sorted());
        assert!(Reason::REGISTERED.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(
            Reason::REGISTERED
                .iter()
                .all(|reason| reason.name().is_some() && reason.code_name().is_some())
        );
    }

    #[test]
    fn reason_parses_from_display_numbers_or_unique_name() {
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
    fn unregistered_reason_prints_its_numbers() {
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
