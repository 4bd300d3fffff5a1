//! `NotificationData`: the Data field of a NOTIFICATION, decoded by the RFC that defines it for the reason.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::capability::{Capability, CapabilityBuf};
use crate::family::Family;
use crate::iana::{Afi, MessageType, Safi};
use crate::parse::length_value_u8;
use crate::reason::Reason;

/// The decoded Data field of a NOTIFICATION.
///
/// The peer chooses the Data of a received NOTIFICATION. `Display` escapes its text, so that it cannot forge lines in a log.
///
/// ```
/// use bgp_wire::{Family, NotificationBuf, NotificationData};
/// let notification = NotificationBuf::maximum_prefixes(Family::IPV4_UNICAST, 100);
/// let NotificationData::MaximumPrefixes { limit, .. } = notification.decoded_data() else { panic!("no limit") };
/// assert_eq!(limit, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotificationData {
    /// There is no Data.
    Empty,
    /// A text for the operator: the shutdown communication (RFC 9003), or a text that a speaker adds to another reason.
    Text(String),
    /// The limit of Maximum Number of Prefixes Reached (RFC 4486 section 4).
    MaximumPrefixes {
        /// The family with the limit.
        family: Family,
        /// The limit.
        limit: u32,
    },
    /// The capabilities of Unsupported Capability (RFC 5492 section 5).
    Capabilities(Vec<CapabilityBuf>),
    /// The largest supported version of Unsupported Version Number (RFC 4271 section 6.2).
    Version(u16),
    /// The type of an unexpected or unknown message (RFC 4271 section 6.1, RFC 6608 section 3).
    MessageType(MessageType),
    /// The NOTIFICATION inside a Hard Reset (RFC 8538 section 3.1).
    HardReset(Reason, Box<Self>),
    /// Octets without a defined form, or Data that does not have the form that the reason requires.
    Octets(Vec<u8>),
}

impl NotificationData {
    /// Decodes the Data of a NOTIFICATION.
    pub(super) fn decode(reason: Reason, data: &[u8]) -> Self {
        if data.is_empty() {
            return Self::Empty;
        }
        Self::known(reason, data)
            .or_else(|| plain_text(data).map(Self::Text))
            .unwrap_or_else(|| Self::Octets(data.to_vec()))
    }

    /// Decodes Data that has the form that an RFC defines for the reason.
    fn known(reason: Reason, data: &[u8]) -> Option<Self> {
        match reason {
            Reason::ADMINISTRATIVE_SHUTDOWN | Reason::ADMINISTRATIVE_RESET => {
                communication(data).map(|text| Self::Text(text.into()))
            }
            Reason::MAXIMUM_PREFIXES_REACHED => {
                limit(data).map(|(family, limit)| Self::MaximumPrefixes { family, limit })
            }
            Reason::UNSUPPORTED_CAPABILITY => capabilities(data).map(Self::Capabilities),
            Reason::UNSUPPORTED_VERSION_NUMBER => data
                .as_array()
                .map(|version| Self::Version(u16::from_be_bytes(*version))),
            Reason::BAD_MESSAGE_TYPE
            | Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT
            | Reason::UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM
            | Reason::UNEXPECTED_MESSAGE_IN_ESTABLISHED => data
                .as_array()
                .map(|[message_type]| Self::MessageType(MessageType(*message_type))),
            Reason::HARD_RESET => {
                let (inside, data) = hard_reset(data)?;
                let data = match inside {
                    // One level only: a peer could nest Hard Resets until the recursion exhausts the stack.
                    Reason::HARD_RESET => Self::Octets(data.to_vec()),
                    _ => Self::decode(inside, data),
                };
                Some(Self::HardReset(inside, Box::new(data)))
            }
            _ => None,
        }
    }
}

/// Returns the reason and the Data of the NOTIFICATION inside a Hard Reset (RFC 8538 section 3.1).
pub(super) fn hard_reset(data: &[u8]) -> Option<(Reason, &[u8])> {
    let (&[code, subcode], data) = data.split_first_chunk()?;
    Some((Reason { code, subcode }, data))
}

/// Returns family and limit of Maximum Number of Prefixes Reached (RFC 4486 section 4).
pub(super) fn limit(data: &[u8]) -> Option<(Family, u32)> {
    // RFC 4486 section 4: the Data is optional.
    let &[high, low, safi, a, b, c, d] = data.as_array()?;
    let family = Family::new(Afi(u16::from_be_bytes([high, low])), Safi(safi));
    Some((family, u32::from_be_bytes([a, b, c, d])))
}

/// Returns a shutdown communication (RFC 9003 section 2), or `None` if it is empty or malformed.
pub(super) fn communication(data: &[u8]) -> Option<&str> {
    // Octets after the text are ignored, because only the text matters after the end of the session.
    let (_, text) = length_value_u8(data).ok()?;
    core::str::from_utf8(text)
        .ok()
        .filter(|text| !text.is_empty())
}

/// Returns the capabilities in `data`, or `None` if the last one is incomplete.
fn capabilities(mut data: &[u8]) -> Option<Vec<CapabilityBuf>> {
    let mut capabilities = Vec::new();
    while !data.is_empty() {
        let (rest, capability) = Capability::split(data)?;
        capabilities.push(capability.into());
        data = rest;
    }
    Some(capabilities)
}

/// Returns Data that is a text, such as the one that FRR adds to Role Mismatch.
fn plain_text(data: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(data).ok()?;
    // A few octets may be printable by chance. A text has words.
    let is_text = text.len() >= MIN_TEXT_LENGTH && !text.chars().any(char::is_control);
    is_text.then(|| text.into())
}

/// The minimum length in octets of a text in a field without a defined form.
const MIN_TEXT_LENGTH: usize = 8;

impl fmt::Display for NotificationData {
    /// Writes the value for people. Writes nothing for [`NotificationData::Empty`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::MaximumPrefixes { family, limit } => write!(f, "limit {limit} for {family}"),
            Self::Capabilities(capabilities) => {
                let mut separator = "";
                for capability in capabilities {
                    write!(f, "{separator}capability {}", capability.code())?;
                    if let CapabilityBuf::Multiprotocol(family) = capability {
                        write!(f, " {family}")?;
                    }
                    separator = ", ";
                }
                Ok(())
            }
            Self::Version(version) => write!(f, "largest supported version {version}"),
            Self::MessageType(message_type) => write!(f, "message type {message_type}"),
            Self::HardReset(reason, data) => write_reason(*reason, data, f),
            Self::Octets(octets) => {
                f.write_str("0x")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// Writes a reason, followed by its decoded Data.
pub(super) fn write_reason(
    reason: Reason,
    data: &NotificationData,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "{reason}")?;
    if *data == NotificationData::Empty {
        return Ok(());
    }
    write!(f, " {data}")
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;
    use crate::message::NotificationBuf;

    #[test]
    fn data_of_each_reason_is_written_for_people() {
        let text = b"Strict mode. Please set the role on your side.";
        for (reason, data, expected) in [
            (
                Reason::UNSUPPORTED_CAPABILITY,
                &[1, 4, 0, 2, 0, 1, 65, 4, 0, 0, 0xfc, 0][..],
                "OPEN Message Error/Unsupported Capability (2/7) capability Multiprotocol ipv6 unicast, \
                 capability 4-octet AS",
            ),
            (
                Reason::MAXIMUM_PREFIXES_REACHED,
                &[0, 1, 1, 0, 0, 0, 1],
                "Cease/Maximum Number of Prefixes Reached (6/1) limit 1 for ipv4 unicast",
            ),
            (
                Reason::ROLE_MISMATCH,
                text,
                "OPEN Message Error/Role Mismatch (2/11) \"Strict mode. Please set the role on your side.\"",
            ),
            (
                Reason::ADMINISTRATIVE_SHUTDOWN,
                b"\x04bye\n",
                "Cease/Administrative Shutdown (6/2) \"bye\\n\"",
            ),
            (
                Reason::HARD_RESET,
                b"\x06\x02\x03bye",
                "Cease/Hard Reset (6/9) Cease/Administrative Shutdown (6/2) \"bye\"",
            ),
            (
                Reason::HARD_RESET,
                b"\x06\x09\x06\x09",
                "Cease/Hard Reset (6/9) Cease/Hard Reset (6/9) 0x0609",
            ),
            (
                Reason::UNSUPPORTED_VERSION_NUMBER,
                &[0, 4],
                "OPEN Message Error/Unsupported Version Number (2/1) largest supported version 4",
            ),
            (
                Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT,
                &[4],
                "Finite State Machine Error/Receive Unexpected Message in OpenSent State (5/1) message type KEEPALIVE",
            ),
            (
                Reason::BAD_PEER_AS,
                &[0, 1],
                "OPEN Message Error/Bad Peer AS (2/2) 0x0001",
            ),
            (
                Reason::BAD_PEER_AS,
                &[],
                "OPEN Message Error/Bad Peer AS (2/2)",
            ),
        ] {
            let data = data.to_vec();
            let notification = NotificationBuf { reason, data };
            assert_eq!(notification.to_string(), expected);
        }
    }

    #[test]
    fn malformed_data_is_kept_as_octets() {
        for (reason, data) in [
            (Reason::UNSUPPORTED_CAPABILITY, &[1, 4, 0, 2][..]),
            (Reason::MAXIMUM_PREFIXES_REACHED, &[0, 1, 1]),
            (Reason::ADMINISTRATIVE_SHUTDOWN, &[200, 1]),
            (Reason::HARD_RESET, &[6]),
            (Reason::UNSUPPORTED_VERSION_NUMBER, &[4]),
            // Control characters do not make a text.
            (Reason::ROLE_MISMATCH, b"\x1b[2Jcleared"),
            (Reason::ROLE_MISMATCH, b"short"),
        ] {
            let data = data.to_vec();
            let octets = NotificationData::Octets(data.clone());
            assert_eq!(NotificationBuf { reason, data }.decoded_data(), octets);
        }
    }
}
