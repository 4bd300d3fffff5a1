//! Arbitrary values of every type that can be encoded, for property tests and fuzzing of users of this crate.
//!
//! Most values are legal. A few are not, so that the encoder's refusals are also tested.

#![expect(
    clippy::expect_used,
    reason = "values drawn from a legal range are legal"
)]

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use arbitrary::{Arbitrary, Result, Unstructured};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::iana::{Afi, AttributeCode, Origin, RefreshSubtype, Role, Safi, SegmentType};
use crate::{
    AddPathFamily, Aggregator, AnyNlriBuf, AsPathBuf, Asn, AttributeFlags, AttributeSet,
    CapabilityBuf, CapabilityCode, Community, ComponentType, DestinationBuf,
    EthernetSegmentIdentifier, EvpnRoute, ExtendedCommunity, ExtendedNextHop, Family, FilterType,
    FlowSpecBuf, FlowSpecComponent, FlowSpecMatch, FlowSpecOperator, GracefulRestartFamily,
    HoldTime, Label, LabeledPrefix, Labels, LargeCommunity, LongLivedRestartFamily, MacAddress,
    MultipleLabelsFamily, NextHop, Nlri, NotificationBuf, OpenBuf, PathId, RawAttributeBuf, Reason,
    RouteDistinguisher, RouteFiltersBuf, RouteRefresh, RouteTargetPrefix, RouterId, SegmentBuf,
    UpdateBuf, VpnPrefix,
};

/// The source of arbitrary octets.
type Input<'a, 'b> = &'a mut Unstructured<'b>;

/// Implements `Arbitrary` with a closure or a function.
macro_rules! arbitrary {
    ($( $type:ty = $make:expr; )+) => { $(
        impl<'b> Arbitrary<'b> for $type {
            fn arbitrary(input: &mut Unstructured<'b>) -> Result<Self> {
                let make: fn(Input<'_, 'b>) -> Result<Self> = $make;
                make(input)
            }
        }
    )+ };
}

arbitrary! {
    Asn = |input| input.arbitrary().map(Self::new);
    Community = |input| input.arbitrary().map(Self);
    ExtendedCommunity = |input| input.arbitrary().map(Self);
    RouteDistinguisher = |input| input.arbitrary().map(Self);
    MacAddress = |input| input.arbitrary().map(Self);
    EthernetSegmentIdentifier = |input| input.arbitrary().map(Self);
    PathId = |input| input.arbitrary().map(Self);
    AttributeFlags = |input| input.arbitrary().map(Self);
    AttributeCode = |input| input.arbitrary().map(Self);
    CapabilityCode = |input| input.arbitrary().map(Self);
    Afi = |input| input.arbitrary().map(Self);
    Safi = |input| input.arbitrary().map(Self);
    Role = |input| input.arbitrary().map(Self);
    RefreshSubtype = |input| input.arbitrary().map(Self);
    // Out of the eight operators, bitmasks use four.
    FlowSpecOperator = |input| input.int_in_range(0..=7).map(Self);
    // One value beyond the registered ones, so that illegal values occur but do not dominate.
    Origin = |input| input.int_in_range(0..=3).map(Self);
    SegmentType = |input| input.int_in_range(1..=5).map(Self);
    ComponentType = |input| input.int_in_range(1..=13).map(Self);
    // 1 and 2 are not hold times.
    HoldTime = |input| Ok(Self::new(input.arbitrary()?).unwrap_or(Self::DEFAULT));
    // 0.0.0.0 is no identifier. The input is rejected, because any substitute would be drawn too often.
    RouterId = |input| RouterId::from_bits(input.arbitrary()?).ok_or(arbitrary::Error::IncorrectFormat);
    Label = |input| Ok(Self::new(input.int_in_range(0..=0xf_ffff)?).expect("20 bits"));
    Reason = |input| Ok(Self { code: input.arbitrary()?, subcode: input.arbitrary()? });
    LargeCommunity = |input| Ok(Self {
        global: input.arbitrary()?,
        local1: input.arbitrary()?,
        local2: input.arbitrary()?,
    });
    Labels = |input| {
        // A stack has at least one label and at most ten.
        let label = input.arbitrary::<Label>()?;
        Ok(match Self::new(input.arbitrary::<Vec<Label>>()?) {
            Some(labels) => labels,
            None => label.into(),
        })
    };
    // Two arbitrary numbers are hardly ever a family with a grammar.
    Family = |input| Ok(if input.ratio(7, 8)? {
        *input.choose(Self::PARSED)?
    } else {
        Self::new(input.arbitrary()?, input.arbitrary()?)
    });
    Aggregator = |input| Ok(Self { asn: input.arbitrary()?, address: input.arbitrary()? });
    SegmentBuf = |input| Ok(Self { segment_type: input.arbitrary()?, asns: input.arbitrary()? });
    AsPathBuf = |input| Ok(Self { segments: input.arbitrary()? });
    RawAttributeBuf = |input| Ok(Self {
        flags: input.arbitrary()?,
        code: input.arbitrary()?,
        value: input.arbitrary()?,
    });
    AttributeSet = attributes;
    LabeledPrefix = |input| Ok(Self { labels: input.arbitrary()?, prefix: prefix(input, None)? });
    VpnPrefix = |input| Ok(Self {
        distinguisher: input.arbitrary()?,
        labels: input.arbitrary()?,
        prefix: prefix(input, None)?,
    });
    RouteTargetPrefix = |input| {
        // Most lengths are illegal; the whole prefix takes their place.
        let whole = Self::new(input.arbitrary()?, input.arbitrary()?);
        Ok(whole.truncate(input.arbitrary()?).unwrap_or(whole))
    };
    FlowSpecMatch = |input| Ok(Self {
        and: input.arbitrary()?,
        operator: input.arbitrary()?,
        // The shift makes small values likely, which the encoder writes in fewer octets.
        value: input.arbitrary::<u64>()? >> input.int_in_range(0..=63)?,
    });
    EvpnRoute = evpn;
    AnyNlriBuf = |input| {
        let family: Family = input.arbitrary()?;
        Ok(Self { family, path_id: input.arbitrary()?, destination: destination(input, family)? })
    };
    Nlri = |input| Ok(Self { path_id: input.arbitrary()?, prefix: prefix(input, None)? });
    NextHop = |input| Ok(match input.int_in_range(0..=3)? {
        0 => Self::Absent,
        1 => Self::GlobalAndLinkLocal(input.arbitrary()?, input.arbitrary()?),
        _ => Self::Address(input.arbitrary()?),
    });
    UpdateBuf = |input| {
        let mut update = Self::new(input.arbitrary()?);
        update.announced = input.arbitrary()?;
        update.withdrawn = input.arbitrary()?;
        // A family without a next hop is refused, so each gets one.
        for family in update.announced.iter().map(|route| route.family).collect::<Vec<_>>() {
            update.set_next_hop(family, next_hop(input, family)?);
        }
        Ok(update)
    };
    FilterType = |input| Ok(Self { number: input.arbitrary()?, directions: input.arbitrary()? });
    RouteFiltersBuf = |input| Ok(Self { family: input.arbitrary()?, types: input.arbitrary()? });
    GracefulRestartFamily = |input| Ok(Self { family: input.arbitrary()?, forwarding: input.arbitrary()? });
    LongLivedRestartFamily = |input| Ok(Self {
        family: input.arbitrary()?,
        forwarding: input.arbitrary()?,
        stale_time: input.int_in_range(0..=0xff_ffff)?,
    });
    ExtendedNextHop = |input| Ok(Self { family: input.arbitrary()?, next_hop: input.arbitrary()? });
    AddPathFamily = |input| Ok(Self { family: input.arbitrary()?, directions: input.arbitrary()? });
    MultipleLabelsFamily = |input| Ok(Self { family: input.arbitrary()?, count: input.arbitrary()? });
    CapabilityBuf = capability;
    OpenBuf = |input| Ok(Self {
        asn: input.arbitrary()?,
        hold_time: input.arbitrary()?,
        router_id: input.arbitrary()?,
        capabilities: input.arbitrary()?,
    });
    NotificationBuf = |input| Ok(Self { reason: input.arbitrary()?, data: input.arbitrary()? });
    RouteRefresh = |input| Ok(Self { family: input.arbitrary()?, subtype: input.arbitrary()? });
}

/// Returns a prefix of the address family, or of either one for `None`. Host bits are cleared.
fn prefix(input: Input<'_, '_>, afi: Option<Afi>) -> Result<IpNet> {
    let ipv6 = match afi {
        Some(afi) => afi == Afi::IPV6,
        None => input.arbitrary()?,
    };
    let net = if ipv6 {
        Ipv6Net::new(input.arbitrary()?, input.int_in_range(0..=128)?).map(IpNet::V6)
    } else {
        Ipv4Net::new(input.arbitrary()?, input.int_in_range(0..=32)?).map(IpNet::V4)
    };
    // Decoded prefixes have no host bits, so a round trip would not be equal with them.
    Ok(net.expect("no longer than the address").trunc())
}

/// Returns a destination of the family.
fn destination(input: Input<'_, '_>, family: Family) -> Result<DestinationBuf> {
    let afi = Some(family.afi);
    if family.bit() == 0 {
        return input.arbitrary().map(DestinationBuf::Unknown);
    }
    Ok(match family.safi {
        Safi::LABELED => DestinationBuf::Labeled(LabeledPrefix {
            labels: input.arbitrary()?,
            prefix: prefix(input, afi)?,
        }),
        Safi::VPN => DestinationBuf::Vpn(VpnPrefix {
            distinguisher: input.arbitrary()?,
            labels: input.arbitrary()?,
            prefix: prefix(input, afi)?,
        }),
        Safi::FLOWSPEC | Safi::FLOWSPEC_VPN => {
            let vpn = family.safi == Safi::FLOWSPEC_VPN;
            let distinguisher = if vpn { Some(input.arbitrary()?) } else { None };
            let mut components = Vec::new();
            for _ in 0..input.int_in_range(1..=6)? {
                components.push(component(input, family.afi)?);
            }
            // RFC 8955 section 4.2: ascending types, each once.
            components.sort_by_key(FlowSpecComponent::component_type);
            components.dedup_by_key(|component| component.component_type());
            DestinationBuf::FlowSpec(FlowSpecBuf {
                distinguisher,
                components,
            })
        }
        Safi::EVPN if input.ratio(1, 8)? => DestinationBuf::OtherEvpn {
            route_type: input.arbitrary()?,
            value: input.arbitrary()?,
        },
        Safi::EVPN => DestinationBuf::Evpn(input.arbitrary()?),
        Safi::ROUTE_TARGET => DestinationBuf::RouteTarget(input.arbitrary()?),
        _ => DestinationBuf::Prefix(prefix(input, afi)?),
    })
}

/// Returns a component of a rule for the address family.
fn component(input: Input<'_, '_>, afi: Afi) -> Result<FlowSpecComponent<Vec<FlowSpecMatch>>> {
    let component_type: ComponentType = input.arbitrary()?;
    if matches!(component_type.0, 1 | 2) {
        let mut prefix = prefix(input, Some(afi))?;
        let mut offset = 0;
        if let IpNet::V6(net) = prefix
            && input.arbitrary()?
            && let Some(max) = net.prefix_len().checked_sub(1)
        {
            // RFC 8956 section 3.1: the offset is less than the length, and the bits before it are not sent.
            offset = input.int_in_range(0..=max)?;
            let kept = u128::MAX.checked_shr(offset.into()).unwrap_or(0);
            let address = Ipv6Addr::from_bits(net.network().to_bits() & kept);
            let net = Ipv6Net::new(address, net.prefix_len());
            prefix = net.expect("the length of a prefix").into();
        }
        return Ok(FlowSpecComponent::Prefix {
            component_type,
            prefix,
            offset,
        });
    }
    let mut matches = input.arbitrary::<Vec<FlowSpecMatch>>()?;
    // A component has at least one comparison.
    matches.push(input.arbitrary()?);
    if component_type.is_bitmask() {
        matches.iter_mut().for_each(|item| item.operator.0 &= 3);
    }
    // RFC 8955 section 4.2.1.1: the first comparison has nothing to be combined with.
    if let Some(first) = matches.first_mut() {
        first.and = false;
    }
    Ok(FlowSpecComponent::Matches(component_type, matches))
}

/// Returns a next hop, which suits the family in seven of eight cases.
fn next_hop(input: Input<'_, '_>, family: Family) -> Result<NextHop> {
    if input.ratio(1, 8)? {
        return input.arbitrary();
    }
    Ok(match (family.afi, family.safi) {
        // RFC 8955 section 4: a flow specification has no next hop.
        (_, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN) => NextHop::Absent,
        _ if family.bit() == 0 => NextHop::Absent,
        (Afi::IPV6, _) => IpAddr::V6(input.arbitrary()?).into(),
        _ => IpAddr::V4(input.arbitrary()?).into(),
    })
}

/// Returns a set of attributes, of which each code occurs once.
fn attributes(input: Input<'_, '_>) -> Result<AttributeSet> {
    let mut unknown: Vec<RawAttributeBuf> = input.arbitrary()?;
    for attribute in &mut unknown {
        // An unknown well-known attribute would end the session (RFC 4271 section 6.3).
        attribute.flags.0 |= AttributeFlags::OPTIONAL;
    }
    unknown.sort_by_key(|attribute| attribute.code);
    unknown.dedup_by_key(|attribute| attribute.code);
    Ok(AttributeSet {
        origin: input.arbitrary()?,
        as_path: input.arbitrary()?,
        multi_exit_disc: input.arbitrary()?,
        local_pref: input.arbitrary()?,
        atomic_aggregate: input.arbitrary()?,
        aggregator: input.arbitrary()?,
        communities: input.arbitrary()?,
        originator_id: input.arbitrary()?,
        cluster_list: input.arbitrary()?,
        extended_communities: input.arbitrary()?,
        large_communities: input.arbitrary()?,
        only_to_customer: input.arbitrary()?,
        unknown,
    })
}

/// Returns a route of type 1 to 5.
fn evpn(input: Input<'_, '_>) -> Result<EvpnRoute> {
    let label = |input: Input<'_, '_>| input.int_in_range(0..=0xff_ffff);
    let (distinguisher, segment) = (input.arbitrary()?, input.arbitrary()?);
    let tag = input.arbitrary()?;
    Ok(match input.int_in_range(1..=5)? {
        1 => EvpnRoute::AutoDiscovery {
            distinguisher,
            segment,
            tag,
            label: label(input)?,
        },
        2 => EvpnRoute::MacIp {
            distinguisher,
            segment,
            tag,
            mac: input.arbitrary()?,
            address: input.arbitrary()?,
            label: label(input)?,
            second_label: if input.arbitrary()? {
                Some(label(input)?)
            } else {
                None
            },
        },
        3 => EvpnRoute::InclusiveMulticast {
            distinguisher,
            tag,
            originator: input.arbitrary()?,
        },
        4 => EvpnRoute::EthernetSegment {
            distinguisher,
            segment,
            originator: input.arbitrary()?,
        },
        _ => {
            let prefix = prefix(input, None)?;
            EvpnRoute::IpPrefix {
                distinguisher,
                segment,
                tag,
                prefix,
                // One length field covers prefix and gateway (RFC 9136 section 3.1).
                gateway: match prefix {
                    IpNet::V4(_) => IpAddr::V4(input.arbitrary()?),
                    IpNet::V6(_) => IpAddr::V6(input.arbitrary()?),
                },
                label: label(input)?,
            }
        }
    })
}

/// Returns a capability.
fn capability(input: Input<'_, '_>) -> Result<CapabilityBuf> {
    Ok(match input.int_in_range(0..=15)? {
        0 => CapabilityBuf::Multiprotocol(input.arbitrary()?),
        1 => CapabilityBuf::RouteRefresh,
        2 => CapabilityBuf::OutboundRouteFilter(input.arbitrary()?),
        3 => CapabilityBuf::ExtendedNextHop(input.arbitrary()?),
        4 => CapabilityBuf::ExtendedMessage,
        5 => CapabilityBuf::MultipleLabels(input.arbitrary()?),
        6 => CapabilityBuf::Role(input.arbitrary()?),
        7 => CapabilityBuf::GracefulRestart {
            restarted: input.arbitrary()?,
            notification: input.arbitrary()?,
            restart_time: input.int_in_range(0..=0x0fff)?,
            families: input.arbitrary()?,
        },
        8 => CapabilityBuf::FourOctetAs(input.arbitrary()?),
        9 => CapabilityBuf::AddPath(input.arbitrary()?),
        10 => CapabilityBuf::EnhancedRouteRefresh,
        11 => CapabilityBuf::LongLivedGracefulRestart(input.arbitrary()?),
        12 => CapabilityBuf::Fqdn {
            host: input.arbitrary()?,
            domain: input.arbitrary()?,
        },
        13 => CapabilityBuf::SoftwareVersion(input.arbitrary()?),
        14 => CapabilityBuf::LinkLocalNextHop,
        _ => CapabilityBuf::Unknown(input.arbitrary()?, input.arbitrary()?),
    })
}
