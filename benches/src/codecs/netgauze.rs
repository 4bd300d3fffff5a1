//! netgauze-bgp-pkt 0.13.

use bytes::Bytes;
use ipnet::{Ipv4Net, Ipv6Net};
use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::community::Community;
use netgauze_bgp_pkt::nlri::{Ipv4Unicast, Ipv4UnicastAddress, Ipv6Unicast, Ipv6UnicastAddress};
use netgauze_bgp_pkt::path_attribute::{
    Aggregator, As4PathSegment, AsPath, AsPathSegmentType, Communities, LocalPreference, MpReach,
    MpUnreach, NextHop, Origin, PathAttribute, PathAttributeValue,
};
use netgauze_bgp_pkt::update::BgpUpdateMessage;
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

use super::{Decoder, Encoder};
use crate::data::Values;
use crate::sum::Sum;

/// Decodes with `BgpMessage::parse` and a reused context.
#[derive(Debug)]
pub struct Netgauze(BgpParsingContext);

impl Netgauze {
    #[inline(always)]
    fn decode(&mut self, message: &Bytes) -> Option<BgpUpdateMessage> {
        match BgpMessage::parse(&mut SliceReader::new(message), &mut self.0) {
            Ok(BgpMessage::Update(update)) => Some(update),
            _ => None,
        }
    }
}

impl Decoder for Netgauze {
    const NAME: &'static str = "netgauze";

    fn new() -> Self {
        Self(BgpParsingContext::default())
    }

    fn two_octet_as() -> Option<Self> {
        let mut context = BgpParsingContext::default();
        context.set_asn4(false);
        Some(Self(context))
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let update = self.decode(message)?;
        let mut sum = Sum::default();
        add_ipv4(update.withdraw_routes(), &mut sum);
        for attribute in update.path_attributes() {
            sum.add(match attribute.path_attribute_type() {
                Ok(code) => code.into(),
                Err(code) => code,
            });
            add_value(attribute.value(), &mut sum);
        }
        add_ipv4(update.nlri(), &mut sum);
        Some(sum.get())
    }

    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>> {
        let update = self.decode(message)?;
        let mut text = Vec::new();
        let ipv4 = |prefix: &Ipv4UnicastAddress| prefix.network().to_string();
        let ipv6 = |prefix: &Ipv6UnicastAddress| prefix.network().to_string();
        text.extend(update.withdraw_routes().iter().map(ipv4));
        // Two passes over the attributes, because MP_REACH_NLRI may precede MP_UNREACH_NLRI.
        for attribute in update.path_attributes() {
            match attribute.value() {
                PathAttributeValue::MpUnreach(MpUnreach::Ipv4Unicast { nlri }) => {
                    text.extend(nlri.iter().map(ipv4));
                }
                PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => {
                    text.extend(nlri.iter().map(ipv6));
                }
                _ => {}
            }
        }
        text.extend(update.nlri().iter().map(ipv4));
        for attribute in update.path_attributes() {
            match attribute.value() {
                PathAttributeValue::MpReach(MpReach::Ipv4Unicast { nlri, .. }) => {
                    text.extend(nlri.iter().map(ipv4));
                }
                PathAttributeValue::MpReach(MpReach::Ipv6Unicast { nlri, .. }) => {
                    text.extend(nlri.iter().map(ipv6));
                }
                _ => {}
            }
        }
        Some(text)
    }
}

#[inline(always)]
fn add_ipv4(prefixes: &[Ipv4UnicastAddress], sum: &mut Sum) {
    for prefix in prefixes {
        let network = prefix.network().address();
        sum.add(network.prefix_len());
        sum.add_ipv4(network.addr());
    }
}

#[inline(always)]
fn add_ipv6(prefixes: &[Ipv6UnicastAddress], sum: &mut Sum) {
    for prefix in prefixes {
        let network = prefix.network().address();
        sum.add(network.prefix_len());
        sum.add_ipv6(network.addr());
    }
}

#[inline(always)]
fn add_value(value: &PathAttributeValue, sum: &mut Sum) {
    match value {
        PathAttributeValue::Origin(origin) => sum.add(u8::from(*origin)),
        PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => {
            for segment in segments {
                sum.add(u8::from(segment.segment_type()));
                segment.as_numbers().iter().for_each(|asn| sum.add(*asn));
            }
        }
        // The variant follows the context, so one session uses one of the two.
        PathAttributeValue::AsPath(AsPath::As2PathSegments(segments)) => {
            for segment in segments {
                sum.add(u8::from(segment.segment_type()));
                let asns = segment.as_numbers().iter();
                asns.for_each(|asn| sum.add(u32::from(*asn)));
            }
        }
        PathAttributeValue::NextHop(next_hop) => sum.add_ipv4(next_hop.next_hop()),
        PathAttributeValue::MultiExitDiscriminator(value) => sum.add(value.metric()),
        PathAttributeValue::LocalPreference(value) => sum.add(value.metric()),
        PathAttributeValue::Aggregator(Aggregator::As4Aggregator(aggregator)) => {
            sum.add(*aggregator.asn());
            sum.add_ipv4(aggregator.origin());
        }
        PathAttributeValue::Aggregator(Aggregator::As2Aggregator(aggregator)) => {
            sum.add(u32::from(*aggregator.asn()));
            sum.add_ipv4(aggregator.origin());
        }
        PathAttributeValue::Communities(list) => {
            for community in list.communities() {
                sum.add(community.value());
            }
        }
        PathAttributeValue::LargeCommunities(list) => {
            for community in list.communities() {
                sum.add(community.global_admin());
                sum.add(community.local_data1());
                sum.add(community.local_data2());
            }
        }
        PathAttributeValue::ExtendedCommunities(list) => sum.add_count(list.communities().len()),
        PathAttributeValue::MpReach(MpReach::Ipv4Unicast { next_hop, nlri, .. }) => {
            sum.add_address(*next_hop);
            add_ipv4(nlri, sum);
        }
        PathAttributeValue::MpReach(MpReach::Ipv6Unicast {
            next_hop_global,
            nlri,
            ..
        }) => {
            sum.add_ipv6(*next_hop_global);
            add_ipv6(nlri, sum);
        }
        PathAttributeValue::MpUnreach(MpUnreach::Ipv4Unicast { nlri }) => add_ipv4(nlri, sum),
        PathAttributeValue::MpUnreach(MpUnreach::Ipv6Unicast { nlri }) => add_ipv6(nlri, sum),
        _ => {}
    }
}

/// Builds a `BgpUpdateMessage` and writes it into a reused buffer.
#[derive(Debug)]
pub struct NetgauzeEncoder(Vec<u8>);

/// Returns a well-known attribute. The arguments are the bits Optional, Transitive, Partial and Extended Length.
fn well_known(value: PathAttributeValue) -> PathAttribute {
    PathAttribute::from(false, true, false, false, value).expect("valid flags")
}

fn origin(values: &Values) -> PathAttribute {
    let origin = Origin::try_from(values.origin).expect("a valid ORIGIN");
    well_known(PathAttributeValue::Origin(origin))
}

fn path(values: &Values) -> PathAttribute {
    let segment = As4PathSegment::new(AsPathSegmentType::AsSequence, values.as_path);
    well_known(PathAttributeValue::AsPath(AsPath::as4_path_segments([
        segment,
    ])))
}

fn local_pref(values: &Values) -> PathAttribute {
    well_known(PathAttributeValue::LocalPreference(LocalPreference::new(
        values.local_pref,
    )))
}

fn communities(values: &Values) -> PathAttribute {
    let communities = Communities::new(values.communities.map(Community::new));
    let value = PathAttributeValue::Communities(communities);
    PathAttribute::from(true, true, false, false, value).expect("valid flags")
}

impl NetgauzeEncoder {
    fn write(&mut self, update: BgpUpdateMessage) -> &[u8] {
        // The buffer keeps its capacity: the benchmark measures encoding and not allocation.
        self.0.clear();
        BgpMessage::Update(update)
            .write(&mut self.0)
            .expect("a message that fits");
        &self.0
    }
}

impl Encoder for NetgauzeEncoder {
    const NAME: &'static str = "netgauze";

    fn new(_: &Values) -> Self {
        Self(Vec::with_capacity(4096))
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        let next_hop = NextHop::new(values.next_hop_ipv4);
        let nlri: Box<[_]> = prefixes
            .iter()
            .map(|prefix| {
                let network = Ipv4Unicast::from_net(*prefix).expect("unicast");
                Ipv4UnicastAddress::new_no_path_id(network)
            })
            .collect();
        let attributes = [
            origin(values),
            path(values),
            well_known(PathAttributeValue::NextHop(next_hop)),
            local_pref(values),
            communities(values),
        ];
        self.write(BgpUpdateMessage::new([], attributes, nlri))
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        let nlri = prefixes
            .iter()
            .map(|prefix| {
                let network = Ipv6Unicast::from_net(*prefix).expect("unicast");
                Ipv6UnicastAddress::new(None, network)
            })
            .collect();
        let reach = PathAttributeValue::MpReach(MpReach::Ipv6Unicast {
            next_hop_global: values.next_hop_ipv6,
            next_hop_local: None,
            nlri,
        });
        // RFC 7606 section 5.1: MP_REACH_NLRI is the first attribute.
        let attributes = [
            PathAttribute::from(true, false, false, false, reach).expect("valid flags"),
            origin(values),
            path(values),
            local_pref(values),
            communities(values),
        ];
        self.write(BgpUpdateMessage::new([], attributes, []))
    }
}
