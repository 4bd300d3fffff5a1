//! The Outbound Route Filtering capability (RFC 5291 section 5): families, each with the kinds of filters.

use alloc::vec::Vec;

use super::octet_length;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, array, octet, take};

/// A kind of filter that the sender of the capability sends or understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FilterType {
    /// The ORF Type: 64 for address prefixes (RFC 5292).
    pub number: u8,
    /// 1 receive, 2 send, 3 both.
    pub directions: u8,
}

/// The filters of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFilters<'a> {
    /// The family of the routes.
    pub family: Family,
    types: &'a [[u8; 2]],
}

impl<'a> RouteFilters<'a> {
    /// The kinds of filters.
    pub fn types(&self) -> impl Iterator<Item = FilterType> + use<'a> {
        let types = self.types.iter();
        types.map(|&[number, directions]| FilterType { number, directions })
    }

    fn split(input: &'a [u8]) -> Parsed<'a, Self> {
        let (rest, [high, low, _reserved, safi]) = array(input)?;
        let (rest, count) = octet(rest)?;
        let (rest, types) = take(rest, usize::from(count) * 2)?;
        let item = Self {
            family: Family::new(Afi(u16::from_be_bytes([high, low])), Safi(safi)),
            types: types.as_chunks().0,
        };
        Ok((rest, item))
    }
}

/// The families of an Outbound Route Filtering capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboundRouteFilter<'a>(&'a [u8]);

impl<'a> OutboundRouteFilter<'a> {
    /// The whole of `value` as families; `None` if the last one is cut short.
    pub(super) fn new(value: &'a [u8]) -> Option<Self> {
        let mut rest = value;
        while !rest.is_empty() {
            (rest, _) = RouteFilters::split(rest).ok()?;
        }
        Some(Self(value))
    }

    /// The families, in order.
    pub fn iter(&self) -> impl Iterator<Item = RouteFilters<'a>> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (after, item) = RouteFilters::split(rest).ok()?;
            rest = after;
            Some(item)
        })
    }
}

/// The filters of one family, to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouteFiltersBuf {
    /// The family of the routes.
    pub family: Family,
    /// The kinds of filters.
    pub types: Vec<FilterType>,
}

impl RouteFiltersBuf {
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.family.to_octets());
        out.push(octet_length(
            "the kinds of route filters",
            self.types.len(),
        )?);
        for filter in &self.types {
            out.extend([filter.number, filter.directions]);
        }
        Ok(())
    }
}

impl From<RouteFilters<'_>> for RouteFiltersBuf {
    fn from(filters: RouteFilters<'_>) -> Self {
        Self {
            family: filters.family,
            types: filters.types().collect(),
        }
    }
}
