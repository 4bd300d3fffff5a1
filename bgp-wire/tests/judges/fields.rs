//! The fields of a message under the names and in the notation of tshark.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_wire::{
    AnyNlri, Attribute, AttributeCode, Capability, Context, Destination, EvpnRoute, Family,
    FlowSpecComponent, Frame, Labels, Message, Open, RawAttribute, Safi, Segment, Update,
};
use ipnet::IpNet;

/// The values of each field, in the order of the message.
pub(crate) type Fields = BTreeMap<&'static str, Vec<String>>;

/// The fields that are compared, without the prefix `bgp.`.
pub(crate) const NAMES: &[&str] = &[
    "type",
    "length",
    "open.version",
    "open.myas",
    "open.holdtime",
    "open.identifier",
    "cap.type",
    "cap.mp.afi",
    "cap.mp.safi",
    "cap.4as",
    "cap.gr.timers.restart_time",
    "cap.ap.afi",
    "cap.ap.safi",
    "cap.ap.sendreceive",
    "cap.enh.afi",
    "cap.enh.nhafi",
    "notify.major_error",
    "notify.communication",
    "route_refresh.afi",
    "route_refresh.safi",
    "route_refresh.subtype",
    "update.withdrawn_routes.length",
    "update.path_attributes.length",
    "update.path_attribute.type_code",
    "update.path_attribute.flags",
    "update.path_attribute.length",
    "update.path_attribute.origin",
    "update.path_attribute.as_path_segment.type",
    "update.path_attribute.as_path_segment.as2",
    "update.path_attribute.as_path_segment.as4",
    "update.path_attribute.next_hop",
    "update.path_attribute.multi_exit_disc",
    "update.path_attribute.local_pref",
    "update.path_attribute.aggregator_as",
    "update.path_attribute.aggregator_origin",
    "update.path_attribute.community_wellknown",
    "update.path_attribute.community_as",
    "update.path_attribute.community_value",
    "update.path_attribute.originator_id",
    "path_attribute.cluster_id",
    "large_communities.ga",
    "large_communities.ldp1",
    "large_communities.ldp2",
    "ext_com.type",
    "update.attribute.aigp.accu_igp_metric",
    "prefix_sid.label_index.value",
    "update.path_attribute.mp_reach_nlri.afi",
    "update.path_attribute.mp_reach_nlri.safi",
    "update.path_attribute.mp_reach_nlri.next_hop.ipv4",
    "update.path_attribute.mp_reach_nlri.next_hop.ipv6",
    "update.path_attribute.mp_reach_nlri.next_hop.ipv6.link_local",
    "update.path_attribute.mp_unreach_nlri.afi",
    "update.path_attribute.mp_unreach_nlri.safi",
    "nlri_path_id",
    "nlri_prefix",
    "withdrawn_prefix",
    "mp_reach_nlri_ipv4_prefix",
    "mp_reach_nlri_ipv6_prefix",
    "mp_unreach_nlri_ipv4_prefix",
    "mp_unreach_nlri_ipv6_prefix",
    "prefix_length",
    "rd",
    "evpn.nlri.rt",
    "evpn.nlri.rd",
    "evpn.nlri.etag",
    "evpn.nlri.mac_addr",
    "flowspec_nlri.filter_type",
    "flowspec_nlri.dst_prefix_filter",
    "flowspec_nlri.src_prefix_filter",
];

/// Collects the values of a message.
struct Recorder(Fields);

/// A value in the notation of tshark.
struct Value(String);

// tshark prints numbers in decimal and addresses as usual, like `Display`.
impl<T: std::fmt::Display> From<T> for Value {
    fn from(value: T) -> Self {
        Self(value.to_string())
    }
}

impl Recorder {
    /// Appends a value of a field.
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        // A field that is not in the list would never be compared.
        debug_assert!(NAMES.contains(&name), "{name}");
        let Value(value) = value.into();
        self.0.entry(name).or_default().push(value);
    }
}

/// Returns the fields of one message.
pub(crate) fn fields(frame: &Frame, context: &Context) -> Fields {
    let mut record = Recorder(Fields::new());
    record.put("type", u8::from(frame.message_type()));
    record.put("length", frame.octets().len());
    match frame.decode(context).expect("a message") {
        Message::Open(open) => record.open(&open),
        Message::Update(update) => record.update(&update),
        Message::Notification(notification) => {
            record.put("notify.major_error", notification.reason().code);
            // The name of the subcode's field depends on the code, so subcodes are not compared.
            if let Some(text) = notification.shutdown_communication() {
                record.put("notify.communication", text);
            }
        }
        Message::RouteRefresh(refresh) => {
            record.put("route_refresh.afi", u16::from(refresh.family.afi));
            record.put("route_refresh.safi", u8::from(refresh.family.safi));
            record.put("route_refresh.subtype", u8::from(refresh.subtype));
        }
        Message::Keepalive => {}
    }
    record.0
}

/// Returns an octet in the notation of tshark's flag fields.
fn flags(flags: u8) -> String {
    format!("0x{flags:02x}")
}

impl Recorder {
    /// Records the fields of an OPEN.
    fn open(&mut self, open: &Open<'_>) {
        // Decoding has refused any other version.
        self.put("open.version", 4);
        self.put("open.myas", open.my_as());
        self.put("open.holdtime", open.hold_time().seconds());
        self.put("open.identifier", open.router_id());
        for capability in open.capabilities() {
            self.put("cap.type", u8::from(capability.code()));
            match capability {
                Capability::Multiprotocol(family) => {
                    self.put("cap.mp.afi", u16::from(family.afi));
                    self.put("cap.mp.safi", u8::from(family.safi));
                }
                Capability::FourOctetAs(asn) => self.put("cap.4as", asn),
                Capability::GracefulRestart(restart) => {
                    self.put("cap.gr.timers.restart_time", restart.restart_time());
                }
                Capability::AddPath(entries) => entries.iter().for_each(|entry| {
                    self.put("cap.ap.afi", u16::from(entry.family.afi));
                    self.put("cap.ap.safi", u8::from(entry.family.safi));
                    self.put("cap.ap.sendreceive", entry.directions);
                }),
                Capability::ExtendedNextHop(entries) => entries.iter().for_each(|entry| {
                    self.put("cap.enh.afi", u16::from(entry.family.afi));
                    self.put("cap.enh.nhafi", u16::from(entry.next_hop));
                }),
                // Of the others only the code is compared.
                _ => {}
            }
        }
    }

    /// Records the fields of an UPDATE.
    fn update(&mut self, update: &Update<'_>) {
        let checked = update.check().expect("an UPDATE that the session survives");
        self.put(
            "update.withdrawn_routes.length",
            update.withdrawn_octets().len(),
        );
        let nlri = update.nlri_octets().len();
        // Header, two section lengths.
        let attributes = update.octets().len() - nlri - 23 - update.withdrawn_octets().len();
        self.put("update.path_attributes.length", attributes);
        // The order of the message: withdrawn routes, attributes, NLRI.
        for route in checked
            .withdrawn_routes()
            .filter(|route| !is_multiprotocol(update, route))
        {
            self.route(&route, true, true);
        }
        update
            .raw_attributes()
            .flatten()
            .for_each(|raw| self.raw(&raw));
        for attribute in checked.attributes() {
            self.attribute(&attribute, update.context());
        }
        // From an external peer these attributes are discarded, but tshark shows them.
        if checked.fault().is_some() {
            for raw in update.raw_attributes().flatten() {
                match raw.code {
                    AttributeCode::AIGP => {
                        // The metric is the last part of the only TLV (RFC 7311 section 3).
                        let metric = raw.value.last_chunk().map(|it| u64::from_be_bytes(*it));
                        self.put("update.attribute.aigp.accu_igp_metric", metric.unwrap());
                    }
                    AttributeCode::PREFIX_SID => {
                        // The label index ends the only TLV (RFC 8669 section 3.1).
                        let index = raw.value.last_chunk().map(|it| u32::from_be_bytes(*it));
                        self.put("prefix_sid.label_index.value", index.unwrap());
                    }
                    _ => {}
                }
            }
        }
        for route in checked
            .announced_routes()
            .filter(|route| !is_multiprotocol(update, route))
        {
            self.route(&route, false, true);
        }
    }

    /// Records the header of an attribute.
    fn raw(&mut self, raw: &RawAttribute<'_>) {
        self.put("update.path_attribute.type_code", u8::from(raw.code));
        self.put("update.path_attribute.flags", flags(raw.flags.0));
        self.put("update.path_attribute.length", raw.value.len());
    }

    /// Records the value of an attribute.
    fn attribute(&mut self, attribute: &Attribute<'_>, context: &Context) {
        const LINK_LOCAL_NEXT_HOP: &str =
            "update.path_attribute.mp_reach_nlri.next_hop.ipv6.link_local";
        match attribute {
            Attribute::Origin(origin) => {
                self.put("update.path_attribute.origin", u8::from(*origin));
            }
            Attribute::AsPath(path) => {
                path.segments()
                    .for_each(|segment| self.segment(&segment, context.four_octet_as()));
            }
            // Its numbers always have four octets (RFC 6793 section 3).
            Attribute::As4Path(path) => path
                .segments()
                .for_each(|segment| self.segment(&segment, true)),
            Attribute::NextHop(address) => self.put("update.path_attribute.next_hop", address),
            Attribute::MultiExitDisc(value) => {
                self.put("update.path_attribute.multi_exit_disc", value);
            }
            Attribute::LocalPref(value) => self.put("update.path_attribute.local_pref", value),
            Attribute::Aggregator(aggregator) | Attribute::As4Aggregator(aggregator) => {
                self.put("update.path_attribute.aggregator_as", aggregator.asn);
                self.put(
                    "update.path_attribute.aggregator_origin",
                    aggregator.address,
                );
            }
            // tshark splits a community into AS and value, unless it is well-known.
            Attribute::Communities(list) => list.iter().for_each(|community| {
                if community.name().is_some() {
                    self.put(
                        "update.path_attribute.community_wellknown",
                        format!("0x{:08x}", community.0),
                    );
                } else {
                    self.put("update.path_attribute.community_as", community.0 >> 16);
                    self.put(
                        "update.path_attribute.community_value",
                        community.0 & 0xffff,
                    );
                }
            }),
            Attribute::OriginatorId(address) => {
                self.put("update.path_attribute.originator_id", address);
            }
            Attribute::ClusterList(list) => {
                list.iter()
                    .for_each(|address| self.put("path_attribute.cluster_id", address));
            }
            Attribute::LargeCommunities(list) => list.iter().for_each(|community| {
                self.put("large_communities.ga", community.global);
                self.put("large_communities.ldp1", community.local1);
                self.put("large_communities.ldp2", community.local2);
            }),
            Attribute::ExtendedCommunities(list) => {
                list.iter()
                    .for_each(|community| self.put("ext_com.type", flags(community.0[0])));
            }
            Attribute::Aigp(aigp) => {
                aigp.metric().into_iter().for_each(|metric| {
                    self.put("update.attribute.aigp.accu_igp_metric", metric);
                });
            }
            Attribute::PrefixSid(sid) => sid.label_index().into_iter().for_each(|index| {
                self.put("prefix_sid.label_index.value", index);
            }),
            // tshark shows the attributes inside like those of the message.
            Attribute::AttrSet(set) => set.raw_attributes().flatten().for_each(|raw| {
                self.raw(&raw);
                if raw.code == AttributeCode::ORIGIN {
                    self.put("update.path_attribute.origin", raw.value[0]);
                }
            }),
            Attribute::MpReach(reach) => {
                self.put(
                    "update.path_attribute.mp_reach_nlri.afi",
                    u16::from(reach.family().afi),
                );
                self.put(
                    "update.path_attribute.mp_reach_nlri.safi",
                    u8::from(reach.family().safi),
                );
                match reach.next_hop() {
                    Some(IpAddr::V4(address)) => {
                        self.put("update.path_attribute.mp_reach_nlri.next_hop.ipv4", address);
                    }
                    Some(IpAddr::V6(address)) => {
                        self.put("update.path_attribute.mp_reach_nlri.next_hop.ipv6", address);
                    }
                    None => {}
                }
                reach
                    .link_local_next_hop()
                    .into_iter()
                    .for_each(|address| self.put(LINK_LOCAL_NEXT_HOP, address));
                reach
                    .routes()
                    .for_each(|route| self.route(&route, false, false));
            }
            Attribute::MpUnreach(unreach) => {
                self.put(
                    "update.path_attribute.mp_unreach_nlri.afi",
                    u16::from(unreach.family().afi),
                );
                self.put(
                    "update.path_attribute.mp_unreach_nlri.safi",
                    u8::from(unreach.family().safi),
                );
                unreach
                    .routes()
                    .for_each(|route| self.route(&route, true, false));
            }
            _ => {}
        }
    }

    /// Records a segment of an AS path.
    fn segment(&mut self, segment: &Segment<'_>, wide: bool) {
        self.put(
            "update.path_attribute.as_path_segment.type",
            u8::from(segment.segment_type),
        );
        for asn in segment.asns() {
            if wide {
                self.put("update.path_attribute.as_path_segment.as4", asn);
            } else {
                self.put("update.path_attribute.as_path_segment.as2", asn);
            }
        }
    }

    /// Records a route. `legacy` is `true` in the Withdrawn Routes and NLRI fields.
    fn route(&mut self, route: &AnyNlri<'_>, withdrawn: bool, legacy: bool) {
        if let Some(path_id) = route.path_id {
            self.put("nlri_path_id", path_id.0);
        }
        match route.destination {
            Destination::Prefix(prefix) => self.prefix(prefix, 0, withdrawn, legacy),
            Destination::Labeled(labeled) => self.prefix(
                labeled.prefix,
                label_bits(&labeled.labels),
                withdrawn,
                legacy,
            ),
            Destination::Vpn(vpn) => {
                self.put("rd", vpn.distinguisher);
                self.prefix(vpn.prefix, label_bits(&vpn.labels) + 64, withdrawn, legacy);
            }
            // Values of matches have a field for each type and operator, which are too many to compare.
            Destination::FlowSpec(flow) => flow.components().for_each(|component| {
                self.put(
                    "flowspec_nlri.filter_type",
                    u8::from(component.component_type()),
                );
                self.component(&component);
            }),
            Destination::Evpn(route) => self.evpn(&route),
            Destination::OtherEvpn { route_type, .. } => self.put("evpn.nlri.rt", route_type),
            Destination::RouteTarget(prefix) if prefix.bits() > 0 => {
                self.put("prefix_length", prefix.bits());
            }
            Destination::RouteTarget(_) | Destination::Unknown(_) | _ => {}
        }
        debug_assert!(!legacy || route.family.safi == Safi::UNICAST);
    }

    /// Records a prefix and its length, which includes the `bits_before` of labels and distinguisher.
    fn prefix(&mut self, prefix: IpNet, bits_before: u8, withdrawn: bool, legacy: bool) {
        self.put("prefix_length", prefix.prefix_len() + bits_before);
        let name = match (prefix, withdrawn, legacy) {
            (_, true, true) => "withdrawn_prefix",
            (_, false, true) => "nlri_prefix",
            (IpNet::V4(_), false, false) => "mp_reach_nlri_ipv4_prefix",
            (IpNet::V4(_), true, false) => "mp_unreach_nlri_ipv4_prefix",
            (IpNet::V6(_), false, false) => "mp_reach_nlri_ipv6_prefix",
            (IpNet::V6(_), true, false) => "mp_unreach_nlri_ipv6_prefix",
        };
        self.put(name, prefix.network());
    }

    /// Records the prefix of a flow specification component.
    fn component<M>(&mut self, component: &FlowSpecComponent<M>) {
        // tshark has these fields for IPv4 only.
        if let FlowSpecComponent::Prefix {
            component_type,
            prefix: IpNet::V4(prefix),
            ..
        } = component
        {
            self.put("prefix_length", prefix.prefix_len());
            let name = if u8::from(*component_type) == 1 {
                "flowspec_nlri.dst_prefix_filter"
            } else {
                "flowspec_nlri.src_prefix_filter"
            };
            self.put(name, prefix.network());
        }
    }

    /// Records an EVPN route.
    fn evpn(&mut self, route: &EvpnRoute) {
        self.put("evpn.nlri.rt", route.route_type());
        // tshark prints the distinguisher of EVPN as octets, unlike that of other families.
        let octets = route
            .distinguisher()
            .0
            .map(|octet| format!("{octet:02x}"))
            .concat();
        self.put("evpn.nlri.rd", octets);
        if let Some(tag) = route.tag() {
            self.put("evpn.nlri.etag", tag);
        }
        if let EvpnRoute::MacIp { mac, .. } = route {
            self.put("evpn.nlri.mac_addr", mac);
        }
    }
}

/// Returns `true` if a route is in a multiprotocol attribute.
// No message of the test has IPv4 unicast routes in both places.
fn is_multiprotocol(update: &Update<'_>, route: &AnyNlri<'_>) -> bool {
    let legacy = !update.nlri_octets().is_empty() || !update.withdrawn_octets().is_empty();
    route.family != Family::IPV4_UNICAST || !legacy
}

/// Returns the length of a label stack in bits.
fn label_bits(labels: &Labels) -> u8 {
    u8::try_from(labels.as_slice().len()).unwrap() * 24
}
