//! The codecs, each used in the fastest way that its public interface has for the work.

pub mod bgpkit;
pub mod hand;
pub mod netgauze;
pub mod ours;
pub mod routecore;
pub mod zettabgp;

use bytes::Bytes;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::data::Values;

/// A codec that decodes.
pub trait Contender {
    /// Its name in the table.
    const NAME: &'static str;

    /// Ready to walk any number of messages of a session with four-octet AS numbers, without ADD-PATH.
    fn new() -> Self;

    /// The same for a session with two-octet AS numbers; `None` for those that are not asked.
    #[must_use]
    fn two_octet_as() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Decodes and checks a message as this codec does, and adds up all of it; `None` if the codec finds fault.
    fn walk(&mut self, message: &Bytes) -> Option<u64>;

    /// Every prefix as text: those withdrawn, then those announced.
    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>>;
}

/// A codec that encodes: from values that exist to one message in octets.
pub trait Encoder {
    /// Its name in the table.
    const NAME: &'static str;

    /// Ready to encode any number of messages with these values.
    fn new(values: &Values) -> Self;

    /// A message that announces these prefixes.
    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8];

    /// A message that announces these prefixes.
    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8];

    /// How the sum of its IPv4 messages, as our codec walks them, differs from that of ours.
    const DIFFERS_IPV4: i64 = 0;

    /// The same for IPv6.
    const DIFFERS_IPV6: i64 = 0;
}
