//! `AttributeSet`: the path attributes of a route, owned, for sending and for tables.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use super::raw::put_attribute;
use super::rules::flags;
use super::{Aggregator, AsPathBuf, Attribute, RawAttributeBuf};
use crate::asn::Asn;
use crate::check::Checked;
use crate::community::{Community, LargeCommunity};
use crate::context::{Context, PeerKind};
use crate::error::EncodeError;
use crate::iana::{AttributeCode, Origin};

/// What a route carries besides its prefix and next hop.
///
/// ```
/// use bgp_wire::{AttributeSet, Origin};
/// let attributes = AttributeSet { local_pref: Some(0), ..AttributeSet::new(Origin::INCOMPLETE) };
/// assert!(attributes.as_path.segments.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttributeSet {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, without what a speaker puts in front on eBGP.
    pub as_path: AsPathBuf,
    /// MULTI_EXIT_DISC.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF; sent to internal peers only, 100 where it is not given.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, in this order.
    pub communities: Vec<Community>,
    /// LARGE_COMMUNITIES, in this order.
    pub large_communities: Vec<LargeCommunity>,
    /// Attributes that this codec does not model. Their codes must be ascending, and none of those above.
    pub unknown: Vec<RawAttributeBuf>,
}

impl AttributeSet {
    /// An empty AS path and no optional attribute.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            as_path: AsPathBuf {
                segments: Vec::new(),
            },
            multi_exit_disc: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Appends the attributes in ascending order, with `next_hop` as NEXT_HOP.
    pub(crate) fn encode(
        &self,
        context: &Context,
        next_hop: Option<Ipv4Addr>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut pending = self.unknown.iter().peekable();
        let mut put = |out: &mut BytesMut, code: AttributeCode, value: &[u8]| {
            while let Some(unknown) = pending.next_if(|unknown| unknown.code < code) {
                unknown.encode(out)?;
            }
            put_attribute(out, flags(code), code, value)
        };
        put(out, AttributeCode::ORIGIN, &[self.origin.0])?;
        put(
            out,
            AttributeCode::AS_PATH,
            &self.as_path_value(context.four_octet_as)?,
        )?;
        if let Some(next_hop) = next_hop {
            put(out, AttributeCode::NEXT_HOP, &next_hop.octets())?;
        }
        if let Some(discriminator) = self.multi_exit_disc {
            put(
                out,
                AttributeCode::MULTI_EXIT_DISC,
                &discriminator.to_be_bytes(),
            )?;
        }
        if context.peer == PeerKind::Internal {
            put(
                out,
                AttributeCode::LOCAL_PREF,
                &self.local_pref.unwrap_or(DEFAULT_LOCAL_PREF).to_be_bytes(),
            )?;
        }
        if self.atomic_aggregate {
            put(out, AttributeCode::ATOMIC_AGGREGATE, &[])?;
        }
        if let Some(Aggregator { asn, address }) = self.aggregator {
            put(
                out,
                AttributeCode::AGGREGATOR,
                &aggregator_value(asn, address, context.four_octet_as),
            )?;
        }
        if !self.communities.is_empty() {
            let value: Vec<u8> = self
                .communities
                .iter()
                .flat_map(|community| community.0.to_be_bytes())
                .collect();
            put(out, AttributeCode::COMMUNITIES, &value)?;
        }
        if !context.four_octet_as {
            self.put_as4(out, &mut put)?;
        }
        if !self.large_communities.is_empty() {
            put(
                out,
                AttributeCode::LARGE_COMMUNITIES,
                &self.large_communities_value(),
            )?;
        }
        pending.try_for_each(|unknown| unknown.encode(out))
    }

    /// AS4_PATH and AS4_AGGREGATOR, where two octets do not say it all (RFC 6793 section 4.2.2).
    fn put_as4(
        &self,
        out: &mut BytesMut,
        put: &mut impl FnMut(&mut BytesMut, AttributeCode, &[u8]) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if !self.as_path.fits_two_octets() {
            put(out, AttributeCode::AS4_PATH, &self.as_path_value(true)?)?;
        }
        match self.aggregator {
            Some(Aggregator { asn, address }) if asn.number() > u16::MAX.into() => put(
                out,
                AttributeCode::AS4_AGGREGATOR,
                &aggregator_value(asn, address, true),
            ),
            _ => Ok(()),
        }
    }

    fn as_path_value(&self, four_octet_as: bool) -> Result<BytesMut, EncodeError> {
        let mut value = BytesMut::new();
        self.as_path.encode(four_octet_as, &mut value)?;
        Ok(value)
    }

    fn large_communities_value(&self) -> Vec<u8> {
        let parts =
            |community: &LargeCommunity| [community.global, community.local1, community.local2];
        self.large_communities
            .iter()
            .flat_map(parts)
            .flat_map(u32::to_be_bytes)
            .collect()
    }
}

fn aggregator_value(asn: Asn, address: Ipv4Addr, four_octet_as: bool) -> BytesMut {
    let mut value = BytesMut::new();
    if four_octet_as {
        value.put_u32(asn.number());
    } else {
        value.put_u16(asn.to_two_octets());
    }
    value.put_slice(&address.octets());
    value
}

impl From<&Checked<'_>> for AttributeSet {
    /// Everything but the next hops, the routes, and what is made anew for each peer.
    fn from(checked: &Checked<'_>) -> Self {
        let mut set = Self::new(Origin::INCOMPLETE);
        for attribute in checked.attributes() {
            match attribute {
                Attribute::Origin(origin) => set.origin = origin,
                Attribute::AsPath(path) => set.as_path = path.into(),
                Attribute::MultiExitDisc(value) => set.multi_exit_disc = Some(value),
                Attribute::LocalPref(value) => set.local_pref = Some(value),
                Attribute::AtomicAggregate => set.atomic_aggregate = true,
                Attribute::Aggregator(aggregator) => set.aggregator = Some(aggregator),
                Attribute::Communities(communities) => set.communities.extend(communities.iter()),
                Attribute::LargeCommunities(communities) => {
                    set.large_communities.extend(communities.iter());
                }
                Attribute::Unknown(raw) => set.unknown.push(raw.into()),
                Attribute::NextHop(_)
                | Attribute::OriginatorId(_)
                | Attribute::ClusterList(_)
                | Attribute::MpReach(_)
                | Attribute::MpUnreach(_)
                | Attribute::As4Path(_)
                | Attribute::As4Aggregator(_) => {}
            }
        }
        set.unknown.sort_by_key(|unknown| unknown.code);
        set
    }
}

const DEFAULT_LOCAL_PREF: u32 = 100;
