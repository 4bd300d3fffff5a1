//! routecore 0.7. Its AS segments hide their type: the walk adds 2 for each, which is wrong for an AS_SET.
//!
//! It announces IPv4 in MP_REACH_NLRI only, and parses each message that it has built.

use std::net::IpAddr;

use bytes::Bytes;
use inetnum::addr::Prefix;
use inetnum::asn::Asn;
use ipnet::{Ipv4Net, Ipv6Net};
use routecore::bgp::aspath::{AsPath, HopPath};
use routecore::bgp::communities::StandardCommunity;
use routecore::bgp::message::update_builder::UpdateBuilder;
use routecore::bgp::message::{SessionConfig, UpdateMessage};
use routecore::bgp::nlri::afisafi::{
    AfiSafiNlri, Ipv4UnicastNlri, Ipv6UnicastNlri, IsPrefix, NlriCompose,
};
use routecore::bgp::path_attributes::{PaMap, WireformatPathAttribute};
use routecore::bgp::types::{LocalPref, NextHop, Origin, OriginType};

use super::{Decoder, Encoder};
use crate::data::Values;
use crate::sum::Sum;

/// Decodes with `from_octets`, one pass over the attributes, and the typed NLRI iterators.
#[derive(Debug)]
pub struct Routecore(SessionConfig);

/// The AFI of each multiprotocol attribute of a message, or 0 without one.
#[derive(Default)]
struct Multiprotocol {
    reach: u16,
    unreach: u16,
}

impl Decoder for Routecore {
    const NAME: &'static str = "routecore";

    fn new() -> Self {
        Self(SessionConfig::modern())
    }

    fn two_octet_as() -> Option<Self> {
        Some(Self(SessionConfig::legacy()))
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let octets: &[u8] = message;
        let update = UpdateMessage::from_octets(octets, &self.0).ok()?;
        let mut sum = Sum::default();
        let mut multiprotocol = Multiprotocol::default();
        for attribute in update.path_attributes().ok()? {
            add_attribute(&attribute.ok()?, &self.0, &mut multiprotocol, &mut sum)?;
        }
        each_prefix(&update, &multiprotocol, |prefix| {
            sum.add(prefix.len());
            sum.add_address(prefix.addr());
        })?;
        Some(sum.get())
    }

    fn prefixes(&mut self, message: &Bytes) -> Option<Vec<String>> {
        let octets: &[u8] = message;
        let update = UpdateMessage::from_octets(octets, &self.0).ok()?;
        let mut multiprotocol = Multiprotocol::default();
        for attribute in update.path_attributes().ok()? {
            let mut sum = Sum::default();
            add_attribute(&attribute.ok()?, &self.0, &mut multiprotocol, &mut sum)?;
        }
        let mut text = Vec::new();
        each_prefix(&update, &multiprotocol, |prefix| {
            text.push(prefix.to_string());
        })?;
        Some(text)
    }
}

/// Calls `each` with every prefix: first the withdrawn, then the announced ones.
#[inline(always)]
fn each_prefix(
    update: &UpdateMessage<&[u8]>,
    multiprotocol: &Multiprotocol,
    mut each: impl FnMut(Prefix),
) -> Option<()> {
    // A typed iterator reads the conventional field and the multiprotocol attribute of its family.
    if update.withdrawn_routes_len() > 0 || multiprotocol.unreach == 1 {
        for nlri in update.typed_withdrawals::<_, Ipv4UnicastNlri>().ok()?? {
            each(nlri.ok()?.prefix());
        }
    }
    if multiprotocol.unreach == 2 {
        for nlri in update.typed_withdrawals::<_, Ipv6UnicastNlri>().ok()?? {
            each(nlri.ok()?.prefix());
        }
    }
    if update.has_conventional_nlri() || multiprotocol.reach == 1 {
        for nlri in update.typed_announcements::<_, Ipv4UnicastNlri>().ok()?? {
            each(nlri.ok()?.prefix());
        }
    }
    if multiprotocol.reach == 2 {
        for nlri in update.typed_announcements::<_, Ipv6UnicastNlri>().ok()?? {
            each(nlri.ok()?.prefix());
        }
    }
    Some(())
}

#[inline(always)]
fn add_attribute(
    attribute: &WireformatPathAttribute<'_, &[u8]>,
    session: &SessionConfig,
    multiprotocol: &mut Multiprotocol,
    sum: &mut Sum,
) -> Option<()> {
    use WireformatPathAttribute as Attribute;

    sum.add(attribute.type_code());
    match attribute {
        Attribute::Origin(value) => sum.add(value.value_into_parser().parse_u8().ok()?),
        Attribute::AsPath(value) => {
            let mut parser = value.value_into_parser();
            let octets = parser.parse_octets(parser.remaining()).ok()?;
            for segment in AsPath::new(octets, session.four_octet_enabled())
                .ok()?
                .segments()
            {
                // A segment has no public type; nearly all are AS_SEQUENCE, 2.
                sum.add(2_u8);
                segment.asns().for_each(|asn| sum.add(asn.into_u32()));
            }
        }
        Attribute::ConventionalNextHop(value)
        | Attribute::MultiExitDisc(value)
        | Attribute::LocalPref(value) => sum.add(value.value_into_parser().parse_u32_be().ok()?),
        Attribute::Aggregator(value) => {
            let mut parser = value.value_into_parser();
            sum.add(match session.four_octet_enabled() {
                true => parser.parse_u32_be().ok()?,
                false => parser.parse_u16_be().ok()?.into(),
            });
            sum.add(parser.parse_u32_be().ok()?);
        }
        Attribute::StandardCommunities(value) | Attribute::LargeCommunities(value) => {
            let mut parser = value.value_into_parser();
            while parser.remaining() > 0 {
                sum.add(parser.parse_u32_be().ok()?);
            }
        }
        Attribute::ExtendedCommunities(value) => {
            sum.add_count(value.value_into_parser().remaining() / 8);
        }
        Attribute::MpReachNlri(value) => {
            let mut parser = value.value_into_parser();
            let afi = parser.parse_u16_be().ok()?;
            let safi = parser.parse_u8().ok()?;
            multiprotocol.reach = afi;
            match NextHop::parse(&mut parser, (afi, safi).into()).ok()? {
                NextHop::Unicast(address) | NextHop::Multicast(address) => sum.add_address(address),
                NextHop::Ipv6LL { global, .. } => sum.add_ipv6(global),
                _ => {}
            }
        }
        // MP_UNREACH_NLRI has no variant of its own.
        Attribute::Unimplemented(unknown) if unknown.type_code() == 15 => {
            multiprotocol.unreach = u16::from_be_bytes(*unknown.value().first_chunk()?);
        }
        Attribute::Invalid(..) => return None,
        _ => {}
    }
    Some(())
}

/// Encodes with `UpdateBuilder` and a prepared attribute map.
#[derive(Debug)]
pub struct RoutecoreEncoder {
    session: SessionConfig,
    message: Option<UpdateMessage<Vec<u8>>>,
}

impl RoutecoreEncoder {
    fn build<A>(
        &mut self,
        values: &Values,
        next_hop: IpAddr,
        nlri: impl Iterator<Item = A>,
    ) -> &[u8]
    where
        A: AfiSafiNlri + NlriCompose + Clone,
    {
        let mut attributes = PaMap::empty();
        attributes.set(Origin(OriginType::from(values.origin)));
        attributes.set(HopPath::from(values.as_path.map(Asn::from_u32)));
        attributes.set(LocalPref(values.local_pref));
        let mut builder = UpdateBuilder::<Vec<u8>, A>::from_attributes_builder(attributes);
        for community in values.communities {
            builder
                .add_community(StandardCommunity::from_u32(community))
                .expect("a valid community");
        }
        builder
            .announcements_from_iter(nlri)
            .expect("valid announcements");
        builder
            .set_nexthop(NextHop::Unicast(next_hop))
            .expect("a valid next hop");
        let message = builder
            .into_message(&self.session)
            .expect("a message that fits");
        // The octets borrow from the message, so the encoder keeps it.
        self.message.insert(message).octets()
    }
}

impl Encoder for RoutecoreEncoder {
    const NAME: &'static str = "routecore";
    /// The type code of MP_REACH_NLRI, 14, instead of that of NEXT_HOP, 3.
    const SUM_OFFSET_IPV4: i64 = 11;

    fn new(_: &Values) -> Self {
        Self {
            session: SessionConfig::modern(),
            message: None,
        }
    }

    fn ipv4(&mut self, values: &Values, prefixes: &[Ipv4Net]) -> &[u8] {
        let nlri = prefixes.iter().map(|prefix| {
            let prefix =
                Prefix::new_v4(prefix.addr(), prefix.prefix_len()).expect("a valid prefix");
            Ipv4UnicastNlri::try_from(prefix).expect("an IPv4 prefix")
        });
        self.build(values, values.next_hop_ipv4.into(), nlri)
    }

    fn ipv6(&mut self, values: &Values, prefixes: &[Ipv6Net]) -> &[u8] {
        let nlri = prefixes.iter().map(|prefix| {
            let prefix =
                Prefix::new_v6(prefix.addr(), prefix.prefix_len()).expect("a valid prefix");
            Ipv6UnicastNlri::try_from(prefix).expect("an IPv6 prefix")
        });
        self.build(values, values.next_hop_ipv6.into(), nlri)
    }
}
