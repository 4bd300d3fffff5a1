//! `bgp-wire`. The other modules of this crate do not use it.

use std::net::IpAddr;

use bgp_wire::{
    AsPath, AsPathBuf, Asn, Attribute, AttributeSet, Checked, Community, Context, Message,
    MessageLimit, NextHop, Nlri, Origin, PeerKind, UnicastPrefix, encode_announcements,
};
use bytes::{Bytes, BytesMut};
use ipnet::{Ipv4Net, Ipv6Net};

use super::{Decoder, Encoder};
use crate::data::Values;
use crate::sum::Sum;

/// This project's decoder: decodes, checks by RFC 7606, and walks.
#[derive(Debug)]
pub struct Ours(Context);

impl Decoder for Ours {
    const NAME: &'static str = "bgp-wire";

    fn new() -> Self {
        // The stream is from 2019, before RFC 9774 deprecated AS_SET.
        let context = Context::new(PeerKind::Internal).with_as_sets(true);
        Self(context.with_message_limit(MessageLimit::Extended))
    }

    fn two_octet_as() -> Option<Self> {
        // The stream is from 2007: it contains AS_SET, and one peer sends confederation segments.
        let context = Context::new(PeerKind::Internal).with_as_sets(true);
        Some(Self(
            context.with_confederation(true).with_four_octet_as(false),
        ))
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let Message::Update(update) = Message::decode(message, &self.0).ok()? else {
            return None;
        };
        let checked = update.check().ok()?;
        // A fault that only withdraws the routes counts as a rejection here, as it does in the other codecs.
        if checked.fault().is_some() {
            return None;
        }
        let mut sum = Sum::default();
        add_attributes(&checked, &mut sum);
        checked
            .withdrawn()
            .for_each(|nlri| sum.add_prefix(nlri.prefix));
        checked
            .announced()
            .for_each(|nlri| sum.add_prefix(nlri.prefix));
        Some(sum.get())
    }

    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>> {
        let Message::Update(update) = Message::decode(message, &self.0).ok()? else {
            return None;
        };
        let checked = update.check().ok()?;
        let all = checked.withdrawn().chain(checked.announced());
        Some(all.map(|nlri| nlri.prefix.to_string()).collect())
    }
}

#[inline(always)]
fn add_attributes(checked: &Checked<'_>, sum: &mut Sum) {
    for attribute in checked.attributes() {
        match attribute {
            Attribute::Origin(origin) => add(sum, 1, origin.0),
            Attribute::AsPath(path) => {
                sum.add(2_u8);
                add_path(path, sum);
            }
            Attribute::NextHop(address) => add(sum, 3, u32::from(address)),
            Attribute::MultiExitDisc(value) => add(sum, 4, value),
            Attribute::LocalPref(value) => add(sum, 5, value),
            Attribute::AtomicAggregate => sum.add(6_u8),
            Attribute::Aggregator(aggregator) => {
                add(sum, 7, aggregator.asn.number());
                sum.add_ipv4(aggregator.address);
            }
            Attribute::Communities(list) => {
                sum.add(8_u8);
                list.iter().for_each(|community| sum.add(community.0));
            }
            Attribute::OriginatorId(_) => sum.add(9_u8),
            Attribute::ClusterList(_) => sum.add(10_u8),
            Attribute::MpReach(reach) => {
                sum.add(14_u8);
                if let Some(next_hop) = reach.next_hop() {
                    sum.add_address(next_hop);
                }
            }
            Attribute::MpUnreach(_) => sum.add(15_u8),
            Attribute::ExtendedCommunities(list) => {
                sum.add(16_u8);
                sum.add_count(list.len());
            }
            Attribute::As4Path(_) => sum.add(17_u8),
            Attribute::As4Aggregator(_) => sum.add(18_u8),
            Attribute::PmsiTunnel(_) => sum.add(22_u8),
            Attribute::TunnelEncapsulation(_) => sum.add(23_u8),
            Attribute::Ipv6ExtendedCommunities(_) => sum.add(25_u8),
            Attribute::Aigp(_) => sum.add(26_u8),
            Attribute::LargeCommunities(list) => {
                sum.add(32_u8);
                for community in list.iter() {
                    sum.add(community.global);
                    sum.add(community.local1);
                    sum.add(community.local2);
                }
            }
            Attribute::OnlyToCustomer(_) => sum.add(35_u8),
            Attribute::PrefixSid(_) => sum.add(40_u8),
            Attribute::AttrSet(_) => sum.add(128_u8),
            Attribute::Unknown(raw) => sum.add(raw.code.0),
            _ => {}
        }
    }
}

#[inline(always)]
fn add(sum: &mut Sum, code: u8, value: impl Into<u64>) {
    sum.add(code);
    sum.add(value);
}

#[inline(always)]
fn add_path(path: AsPath<'_>, sum: &mut Sum) {
    for segment in path.segments() {
        sum.add(segment.segment_type.0);
        segment.asns().for_each(|asn| sum.add(asn.number()));
    }
}

fn attributes(values: &Values) -> AttributeSet {
    AttributeSet {
        as_path: AsPathBuf::sequence(values.as_path.map(Asn::new)),
        local_pref: Some(values.local_pref),
        communities: values.communities.map(Community).into(),
        ..AttributeSet::new(Origin(values.origin))
    }
}

/// This project's encoder. It reuses one [`AttributeSet`], as a speaker does, which keeps one for each route.
#[derive(Debug)]
pub struct OurEncoder {
    context: Context,
    attributes: AttributeSet,
    out: BytesMut,
}

impl Encoder for OurEncoder {
    const NAME: &'static str = "bgp-wire";

    fn new(values: &Values) -> Self {
        Self {
            context: Context::new(PeerKind::Internal),
            attributes: attributes(values),
            // Twice the message limit of RFC 4271 section 4.1, so that the buffer never grows while it is measured.
            out: BytesMut::with_capacity(8192),
        }
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        self.encode(values.next_hop_ipv4.into(), prefixes)
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        self.encode(values.next_hop_ipv6.into(), prefixes)
    }
}

impl OurEncoder {
    #[inline]
    fn encode<P: UnicastPrefix>(&mut self, next_hop: IpAddr, prefixes: &[P]) -> &[u8] {
        self.out.clear();
        let prefixes = prefixes.iter().copied().map(Nlri::new);
        encode_announcements(
            &self.context,
            &self.attributes,
            NextHop::Address(next_hop),
            prefixes,
            &mut self.out,
        )
        .expect("a message that fits");
        &self.out
    }
}

/// This project's encoder with an [`AttributeSet`] that is built for each message, as the other codecs do.
#[derive(Debug)]
pub struct OurBuildingEncoder(OurEncoder);

impl Encoder for OurBuildingEncoder {
    const NAME: &'static str = "bgp-wire, attributes built";

    fn new(values: &Values) -> Self {
        Self(OurEncoder::new(values))
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        self.0.attributes = attributes(values);
        self.0.ipv4(values, prefixes)
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        self.0.attributes = attributes(values);
        self.0.ipv6(values, prefixes)
    }
}
