//! zettabgp 0.6. It panics or loops on malformed input, so it gets well-formed messages only.
//!
//! It sorts communities, drops duplicates, and encodes AS_SEQUENCE as AS_SET.

use bytes::Bytes;
use ipnet::{Ipv4Net, Ipv6Net};
use zettabgp::message::BgpMessageType;
use zettabgp::message::attributes::BgpAttrItem;
use zettabgp::message::update::BgpUpdateMessage;
use zettabgp::prelude::{
    BgpASitem, BgpASpath, BgpAddr, BgpAddrV4, BgpAddrV6, BgpAddrs, BgpAttrOrigin, BgpCommunity,
    BgpCommunityList, BgpLocalpref, BgpMPUpdates, BgpNextHop, BgpOrigin,
};
use zettabgp::{BgpMessage, BgpSessionParams, BgpTransportMode};

use super::{Decoder, Encoder};
use crate::data::Values;
use crate::sum::Sum;

fn session() -> BgpSessionParams {
    let mut session = BgpSessionParams::new(
        64512,
        180,
        BgpTransportMode::IPv4,
        [192, 0, 2, 1].into(),
        Vec::new(),
    );
    // By default it guesses path identifiers from the octets, which costs time and may be wrong.
    session.fuzzy_pathid = false;
    session
}

/// Decodes with `decode_message_head` and `decode_from`.
#[derive(Debug)]
pub struct Zettabgp(BgpSessionParams);

impl Zettabgp {
    #[inline(always)]
    fn decode(&self, message: &Bytes) -> Option<BgpUpdateMessage> {
        let (message_type, length) = self.0.decode_message_head(message).ok()?;
        let BgpMessageType::Update = message_type else {
            return None;
        };
        let mut update = BgpUpdateMessage::new();
        // The length that this codec returns excludes the header of 19 octets.
        update
            .decode_from(&self.0, message.get(19..19 + length)?)
            .ok()?;
        Some(update)
    }
}

impl Decoder for Zettabgp {
    const NAME: &'static str = "zettabgp";

    fn new() -> Self {
        Self(session())
    }

    fn two_octet_as() -> Option<Self> {
        let mut session = session();
        session.has_as32bit = false;
        Some(Self(session))
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let update = self.decode(message)?;
        let mut sum = Sum::default();
        add_routes(&update.withdraws, &mut sum);
        for attribute in &update.attrs {
            add_attribute(attribute, &mut sum);
        }
        add_routes(&update.updates, &mut sum);
        Some(sum.get())
    }

    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>> {
        let update = self.decode(message)?;
        let mut text = Vec::new();
        push_text(&update.withdraws, &mut text);
        if let Some(unreach) = update.get_mpwithdraws() {
            push_text(&unreach.addrs, &mut text);
        }
        push_text(&update.updates, &mut text);
        if let Some(reach) = update.get_mpupdates() {
            push_text(&reach.addrs, &mut text);
        }
        Some(text)
    }
}

fn push_text(routes: &BgpAddrs, text: &mut Vec<String>) {
    match routes {
        BgpAddrs::IPV4U(prefixes) | BgpAddrs::IPV4M(prefixes) => text.extend(
            prefixes
                .iter()
                .map(|prefix| format!("{}/{}", prefix.addr, prefix.prefixlen)),
        ),
        BgpAddrs::IPV6U(prefixes) | BgpAddrs::IPV6M(prefixes) => text.extend(
            prefixes
                .iter()
                .map(|prefix| format!("{}/{}", prefix.addr, prefix.prefixlen)),
        ),
        _ => {}
    }
}

#[inline(always)]
fn add_routes(routes: &BgpAddrs, sum: &mut Sum) {
    match routes {
        BgpAddrs::IPV4U(prefixes) | BgpAddrs::IPV4M(prefixes) => {
            for prefix in prefixes {
                sum.add(prefix.prefixlen);
                sum.add_ipv4(prefix.addr);
            }
        }
        BgpAddrs::IPV6U(prefixes) | BgpAddrs::IPV6M(prefixes) => {
            for prefix in prefixes {
                sum.add(prefix.prefixlen);
                sum.add_ipv6(prefix.addr);
            }
        }
        _ => {}
    }
}

#[expect(clippy::too_many_lines, reason = "a flat list of match arms")]
#[inline(always)]
fn add_attribute(attribute: &BgpAttrItem, sum: &mut Sum) {
    // An attribute has no public type code, so each arm adds its own.
    match attribute {
        BgpAttrItem::Origin(origin) => {
            sum.add(1_u8);
            sum.add(match origin.value {
                BgpAttrOrigin::Igp => 0_u8,
                BgpAttrOrigin::Egp => 1,
                BgpAttrOrigin::Incomplete => 2,
            });
        }
        BgpAttrItem::ASPath(path) => {
            sum.add(2_u8);
            for item in &path.value {
                match item {
                    BgpASitem::Seq(sequence) => {
                        sum.add(2_u8);
                        sequence.value.iter().for_each(|asn| sum.add(asn.value));
                    }
                    BgpASitem::Set(set) => {
                        sum.add(1_u8);
                        set.value.iter().for_each(|asn| sum.add(asn.value));
                    }
                }
            }
        }
        BgpAttrItem::NextHop(next_hop) => {
            sum.add(3_u8);
            sum.add_address(next_hop.value);
        }
        BgpAttrItem::MED(value) => {
            sum.add(4_u8);
            sum.add(value.value);
        }
        BgpAttrItem::LocalPref(value) => {
            sum.add(5_u8);
            sum.add(value.value);
        }
        BgpAttrItem::AtomicAggregate(_) => sum.add(6_u8),
        BgpAttrItem::AggregatorAS(aggregator) => {
            sum.add(7_u8);
            sum.add(aggregator.asn);
            sum.add_ipv4(aggregator.addr);
        }
        BgpAttrItem::CommunityList(list) => {
            sum.add(8_u8);
            list.value
                .iter()
                .for_each(|community| sum.add(community.value));
        }
        BgpAttrItem::OriginatorID(_) => sum.add(9_u8),
        BgpAttrItem::ClusterList(_) => sum.add(10_u8),
        BgpAttrItem::MPUpdates(reach) => {
            sum.add(14_u8);
            match &reach.nexthop {
                BgpAddr::V4(address) => sum.add_ipv4(*address),
                BgpAddr::V6(address) => sum.add_ipv6(*address),
                _ => {}
            }
            add_routes(&reach.addrs, sum);
        }
        BgpAttrItem::MPWithdraws(unreach) => {
            sum.add(15_u8);
            add_routes(&unreach.addrs, sum);
        }
        BgpAttrItem::ExtCommunityList(list) => {
            sum.add(16_u8);
            sum.add_count(list.value.len());
        }
        BgpAttrItem::LargeCommunityList(list) => {
            sum.add(32_u8);
            for community in &list.value {
                sum.add(community.ga);
                sum.add(community.ldp1);
                sum.add(community.ldp2);
            }
        }
        BgpAttrItem::PMSITunnel(_) => sum.add(22_u8),
        BgpAttrItem::AttrSet(_) => sum.add(128_u8),
        BgpAttrItem::Connector(_) => sum.add(20_u8),
        BgpAttrItem::OTC(_) => sum.add(35_u8),
        BgpAttrItem::Unknown(unknown) => sum.add(unknown.params.typecode),
    }
}

/// Builds a `BgpUpdateMessage` and encodes it into a reused buffer.
#[derive(Debug)]
pub struct ZettabgpEncoder {
    session: BgpSessionParams,
    out: Vec<u8>,
}

fn build(values: &Values, prefixes: BgpAddrs) -> BgpUpdateMessage {
    let mut update = BgpUpdateMessage::new();
    let origin = match values.origin {
        0 => BgpAttrOrigin::Igp,
        1 => BgpAttrOrigin::Egp,
        _ => BgpAttrOrigin::Incomplete,
    };
    let path = BgpASpath {
        value: vec![BgpASitem::Seq(zettabgp::prelude::BgpASseq {
            value: values.as_path.iter().map(|asn| (*asn).into()).collect(),
        })],
    };
    let communities = values.communities.map(BgpCommunity::new);
    let communities = BgpCommunityList {
        value: communities.into_iter().collect(),
    };
    let common = [
        BgpAttrItem::LocalPref(BgpLocalpref::new(values.local_pref)),
        BgpAttrItem::CommunityList(communities),
    ];
    // Five attributes: one allocation instead of several while the list grows.
    update.attrs.reserve_exact(5);
    update
        .attrs
        .push(BgpAttrItem::Origin(BgpOrigin::new(origin)));
    update.attrs.push(BgpAttrItem::ASPath(path));
    if let BgpAddrs::IPV6U(_) = &prefixes {
        update.attrs.extend(common);
        update.attrs.push(BgpAttrItem::MPUpdates(BgpMPUpdates {
            nexthop: BgpAddr::V6(values.next_hop_ipv6),
            addrs: prefixes,
        }));
    } else {
        update.attrs.push(BgpAttrItem::NextHop(BgpNextHop::new(
            values.next_hop_ipv4.into(),
        )));
        update.attrs.extend(common);
        update.updates = prefixes;
    }
    update
}

fn routes_ipv4(prefixes: &[Ipv4Net]) -> BgpAddrs {
    let prefix = |prefix: &Ipv4Net| BgpAddrV4::new(prefix.addr(), prefix.prefix_len());
    BgpAddrs::IPV4U(prefixes.iter().map(prefix).collect())
}

fn routes_ipv6(prefixes: &[Ipv6Net]) -> BgpAddrs {
    let prefix = |prefix: &Ipv6Net| BgpAddrV6::new(prefix.addr(), prefix.prefix_len());
    BgpAddrs::IPV6U(prefixes.iter().map(prefix).collect())
}

impl ZettabgpEncoder {
    fn encode(&mut self, update: &BgpUpdateMessage) -> &[u8] {
        // `prepare_message_buf` writes the header in front of the body.
        let (_, body) = self.out.split_at_mut(19);
        let length = update
            .encode_to(&self.session, body)
            .expect("a message that fits");
        let length = self
            .session
            .prepare_message_buf(&mut self.out, BgpMessageType::Update, length)
            .expect("a message that fits");
        self.out.get(..length).expect("a whole message")
    }
}

impl Encoder for ZettabgpEncoder {
    const NAME: &'static str = "zettabgp";
    /// The segment type of AS_SET, 1, instead of that of AS_SEQUENCE, 2.
    const SUM_OFFSET_IPV4: i64 = -1;
    const SUM_OFFSET_IPV6: i64 = -1;

    fn new(_: &Values) -> Self {
        Self {
            session: session(),
            out: vec![0; 4096],
        }
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        self.encode(&build(values, routes_ipv4(prefixes)))
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        self.encode(&build(values, routes_ipv6(prefixes)))
    }
}
