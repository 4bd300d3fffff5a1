//! The Outbound Route Filtering capability (RFC 5291 section 5): families, each with its filter types.

use alloc::vec::Vec;

use super::octet_length;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, array, octet, take};

/// A filter type that the sender of the capability sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FilterType {
    /// The ORF Type: 64 for address prefixes (RFC 5292).
    pub number: u8,
    /// 1 to receive, 2 to send, 3 for both.
    pub directions: u8,
}

/// The filter types of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteFilters<'a> {
    /// The family of the routes.
    pub family: Family,
    types: &'a [[u8; 2]],
}

impl<'a> RouteFilters<'a> {
    /// Returns the filter types, in order.
    pub fn types(&self) -> impl Iterator<Item = FilterType> + use<'a> {
        self.types
            .iter()
            .map(|&[number, directions]| FilterType { number, directions })
    }

    /// Splits the first family off `input`. Fails if it is incomplete.
    fn split(input: &'a [u8]) -> Parsed<'a, Self> {
        // RFC 5291 section 5: AFI, a reserved octet and SAFI, as in the Multiprotocol capability.
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
    /// Creates a list of the families in `value`. Returns `None` if the last one is incomplete.
    pub(super) fn new(value: &'a [u8]) -> Option<Self> {
        // Families have no fixed size, so only a walk finds an incomplete one.
        let mut rest = value;
        while !rest.is_empty() {
            (rest, _) = RouteFilters::split(rest).ok()?;
        }
        Some(Self(value))
    }

    /// Returns the families, in order.
    pub fn iter(&self) -> impl Iterator<Item = RouteFilters<'a>> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            // `new` walked the same octets: this fails only at the end.
            let (after, item) = RouteFilters::split(rest).ok()?;
            rest = after;
            Some(item)
        })
    }
}

/// The filter types of one family, to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouteFiltersBuf {
    /// The family of the routes.
    pub family: Family,
    /// The filter types, at most 255.
    pub types: Vec<FilterType>,
}

impl RouteFiltersBuf {
    /// Appends the family to `out`. Fails if it has more than 255 filter types.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend(self.family.to_octets());
        // The field counts filter types, not octets.
        out.push(octet_length("list of filter types", self.types.len())?);
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
