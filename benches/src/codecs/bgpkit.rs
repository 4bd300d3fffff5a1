//! bgpkit-parser 0.23, feature `parser`.

use bgpkit_parser::models::{
    Afi, AsPath, AsPathSegment, Asn, AsnLength, AttributeValue, Attributes, BgpMessage,
    BgpUpdateMessage, Community, NetworkPrefix, NextHopAddress, Nlri, Origin, Safi,
};
use bgpkit_parser::parser::bgp::parse_bgp_message;
use bytes::Bytes;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{Decoder, Encoder};
use crate::data::Values;
use crate::sum::Sum;

/// Decodes with `parse_bgp_message`.
#[derive(Debug)]
pub struct Bgpkit;

#[inline(always)]
fn decode(message: &Bytes) -> Option<BgpUpdateMessage> {
    // This codec reports attribute errors as warnings, where the others reject the message.
    match parse_bgp_message(&mut message.clone(), false, &AsnLength::Bits32) {
        Ok(BgpMessage::Update(update)) if !update.attributes.has_validation_warnings() => {
            Some(update)
        }
        _ => None,
    }
}

impl Decoder for Bgpkit {
    const NAME: &'static str = "bgpkit";

    fn new() -> Self {
        Self
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let update = decode(message)?;
        let mut sum = Sum::default();
        add_prefixes(&update.withdrawn_prefixes, &mut sum);
        for value in update.attributes.iter() {
            sum.add(value.attr_code());
            add_value(value, &mut sum);
        }
        add_prefixes(&update.announced_prefixes, &mut sum);
        Some(sum.get())
    }

    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>> {
        let update = decode(message)?;
        let mut text = Vec::new();
        let mut push = |prefixes: &[NetworkPrefix]| {
            text.extend(prefixes.iter().map(|prefix| prefix.prefix.to_string()));
        };
        push(&update.withdrawn_prefixes);
        if let Some(unreach) = update.attributes.get_unreachable_nlri() {
            push(&unreach.prefixes);
        }
        push(&update.announced_prefixes);
        if let Some(reach) = update.attributes.get_reachable_nlri() {
            push(&reach.prefixes);
        }
        Some(text)
    }
}

#[inline(always)]
fn add_prefixes(prefixes: &[NetworkPrefix], sum: &mut Sum) {
    for prefix in prefixes {
        sum.add_prefix(prefix.prefix);
    }
}

#[inline(always)]
fn add_value(value: &AttributeValue, sum: &mut Sum) {
    match value {
        AttributeValue::Origin(origin) => sum.add(u8::from(*origin)),
        AttributeValue::AsPath(path) => {
            for segment in &path.segments {
                sum.add(match segment {
                    AsPathSegment::AsSet(_) => 1_u8,
                    AsPathSegment::AsSequence(_) => 2,
                    AsPathSegment::ConfedSequence(_) => 3,
                    AsPathSegment::ConfedSet(_) => 4,
                });
                segment.iter().for_each(|asn| sum.add(asn.to_u32()));
            }
        }
        AttributeValue::NextHop(address) => sum.add_address(*address),
        AttributeValue::MultiExitDiscriminator(value) | AttributeValue::LocalPreference(value) => {
            sum.add(*value);
        }
        AttributeValue::Aggregator { asn, id } => {
            sum.add(asn.to_u32());
            sum.add_ipv4(*id);
        }
        AttributeValue::Communities(list) => {
            for community in list {
                // This codec turns well-known values into variants, so their words are spelled out here.
                sum.add(match community {
                    Community::NoExport => 0xffff_ff01,
                    Community::NoAdvertise => 0xffff_ff02,
                    Community::NoExportSubConfed => 0xffff_ff03,
                    Community::Custom(asn, value) => asn.to_u32() << 16 | u32::from(*value),
                });
            }
        }
        AttributeValue::ExtendedCommunities(list) => sum.add_count(list.len()),
        AttributeValue::LargeCommunities(list) => {
            for community in list {
                sum.add(community.global_admin);
                community.local_data.iter().for_each(|word| sum.add(*word));
            }
        }
        AttributeValue::MpReachNlri(reach) => {
            if let Some(next_hop) = reach.next_hop {
                sum.add_address(next_hop.addr());
            }
            add_prefixes(&reach.prefixes, sum);
        }
        AttributeValue::MpUnreachNlri(unreach) => add_prefixes(&unreach.prefixes, sum),
        _ => {}
    }
}

/// Builds a `BgpUpdateMessage` and encodes it.
#[derive(Debug)]
pub struct BgpkitEncoder(Bytes);

fn build(values: &Values, prefixes: Vec<NetworkPrefix>, ipv6: bool) -> BgpMessage {
    let communities = values.communities.map(|word| {
        let [a, b, c, d] = word.to_be_bytes();
        match word {
            0xffff_ff01 => Community::NoExport,
            0xffff_ff02 => Community::NoAdvertise,
            0xffff_ff03 => Community::NoExportSubConfed,
            _ => Community::Custom(
                Asn::new_16bit(u16::from_be_bytes([a, b])),
                u16::from_be_bytes([c, d]),
            ),
        }
    });
    let origin = Origin::try_from(values.origin).expect("a valid ORIGIN");
    let mut attributes = Attributes::default();
    let mut add = |value: AttributeValue| attributes.add_attr(value.into());
    add(AttributeValue::Origin(origin));
    add(AttributeValue::AsPath(AsPath::from_sequence(
        values.as_path,
    )));
    // RFC 4760 section 3: an UPDATE without other routes than those of MP_REACH_NLRI needs no NEXT_HOP.
    if !ipv6 {
        add(AttributeValue::NextHop(values.next_hop_ipv4.into()));
    }
    add(AttributeValue::LocalPreference(values.local_pref));
    add(AttributeValue::Communities(communities.into()));
    let mut announced_prefixes = Vec::new();
    if ipv6 {
        add(AttributeValue::MpReachNlri(Nlri {
            afi: Afi::Ipv6,
            safi: Safi::Unicast,
            next_hop: Some(NextHopAddress::Ipv6(values.next_hop_ipv6)),
            prefixes,
            labeled_prefixes: None,
            link_state_nlris: None,
            flowspec_nlris: None,
        }));
    } else {
        announced_prefixes = prefixes;
    }
    BgpMessage::Update(BgpUpdateMessage {
        withdrawn_prefixes: Vec::new(),
        attributes,
        announced_prefixes,
    })
}

impl BgpkitEncoder {
    fn encode(&mut self, message: &BgpMessage) -> &[u8] {
        self.0 = message
            .encode(AsnLength::Bits32)
            .expect("a message that fits");
        &self.0
    }
}

impl Encoder for BgpkitEncoder {
    const NAME: &'static str = "bgpkit";

    fn new(_: &Values) -> Self {
        Self(Bytes::new())
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        let prefix = |prefix: &Ipv4Net| NetworkPrefix::new(IpNet::V4(*prefix), None);
        self.encode(&build(values, prefixes.iter().map(prefix).collect(), false))
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        let prefix = |prefix: &Ipv6Net| NetworkPrefix::new(IpNet::V6(*prefix), None);
        self.encode(&build(values, prefixes.iter().map(prefix).collect(), true))
    }
}
