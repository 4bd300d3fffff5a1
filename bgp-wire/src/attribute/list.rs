//! Attributes that are lists of items of a fixed size: communities of every kind and cluster identifiers.

use core::net::Ipv4Addr;

use crate::community::{Community, LargeCommunity};
use crate::extended_community::{ExtendedCommunity, Ipv6ExtendedCommunity};

macro_rules! list {
    ($(#[$meta:meta])* $name:ident, $octets:literal, $item:ty, $decode:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            items: &'a [[u8; $octets]],
        }

        impl<'a> $name<'a> {
            // The rules refuse a length that is no multiple of the item. The remainder is dropped for callers without
            // rules, such as the text form of a `RawAttributeBuf`.
            pub(crate) fn new(value: &'a [u8]) -> Self {
                Self { items: value.as_chunks().0 }
            }

            /// Returns the number of items.
            #[must_use]
            pub const fn len(&self) -> usize {
                self.items.len()
            }

            /// Returns `true` if the list is empty.
            #[must_use]
            pub const fn is_empty(&self) -> bool {
                self.items.is_empty()
            }

            /// Returns the items in the order of the message.
            pub fn iter(&self) -> impl ExactSizeIterator<Item = $item> + use<'a> {
                self.items.iter().copied().map($decode)
            }
        }
    };
}

list! {
    /// COMMUNITIES (RFC 1997).
    Communities, 4, Community, |octets| Community(u32::from_be_bytes(octets))
}

list! {
    /// LARGE_COMMUNITIES (RFC 8092).
    LargeCommunities, 12, LargeCommunity, LargeCommunity::from_octets
}

list! {
    /// CLUSTER_LIST (RFC 4456 section 8).
    ClusterList, 4, Ipv4Addr, Ipv4Addr::from
}

list! {
    /// EXTENDED COMMUNITIES (RFC 4360).
    ExtendedCommunities, 8, ExtendedCommunity, ExtendedCommunity
}

list! {
    /// IPv6 Address Specific Extended Communities (RFC 5701).
    Ipv6ExtendedCommunities, 20, Ipv6ExtendedCommunity, Ipv6ExtendedCommunity
}
