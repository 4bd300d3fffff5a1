//! The codecs, each used in the fastest way that its public interface allows for the work.

pub mod bgpkit;
pub mod hand;
pub mod netgauze;
pub mod ours;
pub mod routecore;
pub mod zettabgp;

use bytes::Bytes;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::data::Values;

/// The decoder of a codec.
pub trait Decoder {
    /// The name in the table of results.
    const NAME: &'static str;

    /// Returns a decoder for a session with four-octet AS numbers and without ADD-PATH.
    fn new() -> Self;

    /// Returns a decoder for a session with two-octet AS numbers, or `None` for codecs that are not compared there.
    #[must_use]
    fn two_octet_as() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Decodes and checks a message and returns the sum of its values, or `None` if the codec rejects it.
    fn walk(&mut self, message: &Bytes) -> Option<u64>;

    /// Returns every prefix as text, first the withdrawn and then the announced ones.
    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>>;
}

/// The encoder of a codec: from existing values to one encoded message.
pub trait Encoder {
    /// The name in the table of results.
    const NAME: &'static str;

    /// Returns an encoder for messages with these values.
    fn new(values: &Values) -> Self;

    /// Returns a message that announces IPv4 prefixes.
    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8];

    /// Returns a message that announces IPv6 prefixes.
    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8];

    /// The sum of this codec's IPv4 messages minus the sum of ours, both as our codec walks them.
    const SUM_OFFSET_IPV4: i64 = 0;

    /// The sum of this codec's IPv6 messages minus the sum of ours.
    const SUM_OFFSET_IPV6: i64 = 0;
}
