//! The IANA registries of the numbers in BGP messages. Each type is documented by the name of its registry.
//!
//! <https://www.iana.org/assignments/bgp-parameters>,
//! <https://www.iana.org/assignments/capability-codes>,
//! <https://www.iana.org/assignments/address-family-numbers>, <https://www.iana.org/assignments/safi-namespace>.

use crate::registry::registry;

registry! {
    /// BGP Message Types (RFC 4271 section 4.1, RFC 2918).
    pub struct MessageType(u8);
    /// Opens a session (RFC 4271 section 4.2).
    OPEN = 1, "OPEN";
    /// Announces and withdraws routes (RFC 4271 section 4.3).
    UPDATE = 2, "UPDATE";
    /// Ends a session and carries the reason (RFC 4271 section 4.5).
    NOTIFICATION = 3, "NOTIFICATION";
    /// Keeps the hold timer from expiring (RFC 4271 section 4.4).
    KEEPALIVE = 4, "KEEPALIVE";
    /// Requests the routes of a family again (RFC 2918), or delimits them (RFC 7313).
    ROUTE_REFRESH = 5, "ROUTE-REFRESH";
}

// 73, 75 and 77 are defined by Internet-Drafts only, but routers send them.
registry! {
    /// Capability Codes (RFC 5492).
    pub struct CapabilityCode(u8);
    /// Multiprotocol Extensions (RFC 4760 section 8).
    MULTIPROTOCOL = 1, "Multiprotocol";
    /// Route Refresh (RFC 2918).
    ROUTE_REFRESH = 2, "Route Refresh";
    /// Outbound Route Filtering (RFC 5291).
    OUTBOUND_ROUTE_FILTER = 3, "Outbound Route Filtering";
    /// Extended Next Hop Encoding (RFC 8950).
    EXTENDED_NEXT_HOP = 5, "Extended Next Hop Encoding";
    /// BGP Extended Message (RFC 8654).
    EXTENDED_MESSAGE = 6, "Extended Message";
    /// Multiple Labels (RFC 8277 section 2.1).
    MULTIPLE_LABELS = 8, "Multiple Labels";
    /// BGP Role (RFC 9234 section 4.1).
    ROLE = 9, "BGP Role";
    /// Graceful Restart (RFC 4724 section 3, RFC 8538).
    GRACEFUL_RESTART = 64, "Graceful Restart";
    /// 4-octet AS numbers (RFC 6793 section 3).
    FOUR_OCTET_AS = 65, "4-octet AS";
    /// ADD-PATH (RFC 7911).
    ADD_PATH = 69, "ADD-PATH";
    /// Enhanced Route Refresh (RFC 7313).
    ENHANCED_ROUTE_REFRESH = 70, "Enhanced Route Refresh";
    /// Long-Lived Graceful Restart (RFC 9494).
    LONG_LIVED_GRACEFUL_RESTART = 71, "Long-Lived Graceful Restart";
    /// FQDN (draft-walton-bgp-hostname-capability).
    FQDN = 73, "FQDN";
    /// Software Version (draft-abraitis-bgp-version-capability).
    SOFTWARE_VERSION = 75, "Software Version";
    /// Link-Local Next Hop (draft-ietf-idr-linklocal-capability).
    LINK_LOCAL_NEXT_HOP = 77, "Link-Local Next Hop";
    // Not parsed: named for people who read a message.
    /// BGPsec (RFC 8205 section 2.1).
    BGPSEC = 7, "BGPsec";
    /// Dynamic Capability (draft-ietf-idr-dynamic-cap).
    DYNAMIC_CAPABILITY = 67, "Dynamic Capability";
    /// Multisession BGP (draft-ietf-idr-bgp-multisession).
    MULTISESSION = 68, "Multisession BGP";
    /// The limit of paths to one destination (draft-abraitis-idr-addpath-paths-limit).
    PATHS_LIMIT = 76, "PATHS-LIMIT";
    /// Route Refresh as older routers announce it (RFC 8810).
    PRESTANDARD_ROUTE_REFRESH = 128, "Prestandard Route Refresh (deprecated)";
    /// Outbound Route Filtering or Routing Policy Distribution as older routers announce it (RFC 8810).
    PRESTANDARD_POLICY_DISTRIBUTION = 129, "Prestandard Routing Policy Distribution (deprecated)";
    /// Outbound Route Filtering as older routers announce it (RFC 8810).
    PRESTANDARD_OUTBOUND_ROUTE_FILTER = 130, "Prestandard Outbound Route Filtering (deprecated)";
    /// Multisession BGP as older routers announce it (RFC 8810).
    PRESTANDARD_MULTISESSION = 131, "Prestandard Multisession (deprecated)";
    /// FQDN as older routers announce it (RFC 8810).
    PRESTANDARD_FQDN = 184, "Prestandard FQDN (deprecated)";
    /// The OPERATIONAL message as older routers announce it (RFC 8810).
    PRESTANDARD_OPERATIONAL = 185, "Prestandard OPERATIONAL message (deprecated)";
}

// Names are those of the registry, which is why some are in capitals and others are not.
registry! {
    /// BGP Path Attributes (RFC 4271 section 5).
    pub struct AttributeCode(u8);
    /// The origin of the route (RFC 4271 section 5.1.1).
    ORIGIN = 1, "ORIGIN";
    /// The ASes that the route has passed (RFC 4271 section 5.1.2).
    AS_PATH = 2, "AS_PATH";
    /// The next hop of the prefixes in the NLRI field (RFC 4271 section 5.1.3).
    NEXT_HOP = 3, "NEXT_HOP";
    /// The preference among several links to the same AS (RFC 4271 section 5.1.4).
    MULTI_EXIT_DISC = 4, "MULTI_EXIT_DISC";
    /// The preference of the route inside the AS (RFC 4271 section 5.1.5).
    LOCAL_PREF = 5, "LOCAL_PREF";
    /// Marks an aggregate whose path omits ASes (RFC 4271 section 5.1.6).
    ATOMIC_AGGREGATE = 6, "ATOMIC_AGGREGATE";
    /// The AS and the speaker that formed an aggregate (RFC 4271 section 5.1.7).
    AGGREGATOR = 7, "AGGREGATOR";
    /// Communities of four octets (RFC 1997).
    COMMUNITIES = 8, "COMMUNITIES";
    /// The BGP Identifier of the originator of a reflected route (RFC 4456 section 8).
    ORIGINATOR_ID = 9, "ORIGINATOR_ID";
    /// The clusters that a reflected route has passed (RFC 4456 section 8).
    CLUSTER_LIST = 10, "CLUSTER_LIST";
    /// Announced routes of a family other than IPv4 unicast, or with another next hop (RFC 4760 section 3).
    MP_REACH_NLRI = 14, "MP_REACH_NLRI";
    /// Withdrawn routes of a family (RFC 4760 section 4).
    MP_UNREACH_NLRI = 15, "MP_UNREACH_NLRI";
    /// Communities of eight octets (RFC 4360).
    EXTENDED_COMMUNITIES = 16, "EXTENDED COMMUNITIES";
    /// The AS path with four-octet numbers, sent to peers without the capability (RFC 6793 section 3).
    AS4_PATH = 17, "AS4_PATH";
    /// The aggregator with a four-octet number, sent to peers without the capability (RFC 6793 section 3).
    AS4_AGGREGATOR = 18, "AS4_AGGREGATOR";
    /// The tunnel of a multicast VPN or of EVPN (RFC 6514 section 5).
    PMSI_TUNNEL = 22, "PMSI_TUNNEL";
    /// The tunnels to the next hop (RFC 9012 section 2).
    TUNNEL_ENCAPSULATION = 23, "Tunnel Encapsulation";
    /// Communities of twenty octets, with an IPv6 address (RFC 5701).
    IPV6_EXTENDED_COMMUNITIES = 25, "IPv6 Address Specific Extended Community";
    /// The accumulated IGP metric (RFC 7311).
    AIGP = 26, "AIGP";
    /// Communities of twelve octets (RFC 8092).
    LARGE_COMMUNITIES = 32, "LARGE_COMMUNITIES";
    /// Marks a route that must only reach customers (RFC 9234 section 5).
    ONLY_TO_CUSTOMER = 35, "Only to Customer (OTC)";
    /// The segment identifier of a prefix (RFC 8669).
    PREFIX_SID = 40, "BGP Prefix-SID";
    /// The attributes of a customer's route, carried through a provider (RFC 6368 section 5).
    ATTR_SET = 128, "ATTR_SET";
    // Not parsed: named for people who read a message.
    /// The connector of a multicast VPN (RFC 6037 section 5.2.1).
    CONNECTOR = 20, "Connector Attribute (deprecated)";
    /// The maximum length of the AS path (draft-ietf-idr-as-pathlimit).
    AS_PATHLIMIT = 21, "AS_PATHLIMIT (deprecated)";
    /// Traffic engineering of a layer 1 VPN (RFC 5543).
    TRAFFIC_ENGINEERING = 24, "Traffic Engineering";
    /// Labels that distinguish provider edge routers (RFC 6514 section 8).
    PE_DISTINGUISHER_LABELS = 27, "PE Distinguisher Labels";
    /// Entropy label capability (RFC 6790 section 5.2).
    ENTROPY_LABEL = 28, "BGP Entropy Label Capability Attribute (deprecated)";
    /// The properties of a link, a node or a prefix (RFC 9552 section 5.3).
    BGP_LS = 29, "BGP-LS Attribute";
    /// The signed AS path (RFC 8205 section 3).
    BGPSEC_PATH = 33, "BGPsec_Path";
    /// Communities in containers (draft-ietf-idr-wide-bgp-communities).
    COMMUNITY_CONTAINER = 34, "BGP Community Container Attribute";
    /// The domains that an EVPN route has passed (draft-ietf-bess-evpn-ipvpn-interworking).
    D_PATH = 36, "BGP Domain Path (D-PATH)";
    /// A service function path (RFC 9015 section 3.2.1).
    SFP = 37, "SFP attribute";
    /// The discriminator of a BFD session (RFC 9026 section 3.1.6).
    BFD_DISCRIMINATOR = 38, "BFD Discriminator";
    /// Reserved for development (RFC 2042).
    DEVELOPMENT = 255, "Reserved for development";
}

registry! {
    /// BGP Roles (RFC 9234 section 4.1), from the sender's point of view.
    pub struct Role(u8);
    /// The sender is a transit provider of the receiver.
    PROVIDER = 0, "provider";
    /// The sender is a route server.
    ROUTE_SERVER = 1, "rs";
    /// The sender is a client of the receiver's route server.
    ROUTE_SERVER_CLIENT = 2, "rs-client";
    /// The sender is a transit customer of the receiver.
    CUSTOMER = 3, "customer";
    /// Sender and receiver exchange only their own and their customers' routes.
    PEER = 4, "peer";
}

registry! {
    /// Address Family Numbers (RFC 4760 section 3).
    pub struct Afi(u16);
    /// IP, version 4.
    IPV4 = 1, "ipv4";
    /// IP, version 6.
    IPV6 = 2, "ipv6";
    /// Layer 2 virtual private networks.
    L2VPN = 25, "l2vpn";
    /// Link state, which is not parsed (RFC 9552 section 5.2).
    BGP_LS = 16388, "bgp-ls";
}

registry! {
    /// Subsequent Address Family Identifiers (RFC 4760 section 6).
    pub struct Safi(u8);
    /// Unicast forwarding (RFC 4760).
    UNICAST = 1, "unicast";
    /// Multicast forwarding (RFC 4760).
    MULTICAST = 2, "multicast";
    /// Prefixes with MPLS labels (RFC 8277).
    LABELED = 4, "labeled-unicast";
    /// Ethernet VPN (RFC 7432).
    EVPN = 70, "evpn";
    /// Labelled VPN addresses (RFC 4364).
    VPN = 128, "vpn";
    /// Route target constraint (RFC 4684).
    ROUTE_TARGET = 132, "route-target";
    /// Flow specification (RFC 8955).
    FLOWSPEC = 133, "flowspec";
    /// Flow specification in VPNs (RFC 8955).
    FLOWSPEC_VPN = 134, "flowspec-vpn";
    // Not parsed: named for people who read a message.
    /// Multicast VPN (RFC 6514 section 4).
    MVPN = 5, "mvpn";
    /// Virtual private LAN service (RFC 4761 section 3.2.2).
    VPLS = 65, "vpls";
    /// The multicast distribution tree of a VPN (RFC 6037 section 5.2.2).
    MDT = 66, "mdt";
    /// Link state (RFC 9552 section 5.2).
    BGP_LS = 71, "bgp-ls";
    /// Link state in VPNs (RFC 9552 section 5.2).
    BGP_LS_VPN = 72, "bgp-ls-vpn";
    /// Segment routing policies (RFC 9830 section 2.1).
    SR_POLICY = 73, "sr-policy";
    /// Multicast forwarding in VPNs (RFC 6514).
    VPN_MULTICAST = 129, "vpn-multicast";
}

registry! {
    /// BGP Origin Codes (RFC 4271 section 5.1.1). Only the three registered values are legal in an UPDATE.
    pub struct Origin(u8);
    /// The route is interior to the originating AS. Routers print `i`.
    IGP = 0, "IGP" | "i";
    /// The route was learned by EGP (RFC 904). Routers print `e`.
    EGP = 1, "EGP" | "e";
    /// The route was learned by other means. Routers print `?`.
    INCOMPLETE = 2, "incomplete" | "?";
}

impl Origin {
    /// Returns the letter that routers print after the AS path: `i`, `e` or `?`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::IGP => 'i',
            Self::EGP => 'e',
            // Unregistered values never pass the check of an UPDATE, so they need no letter of their own.
            _ => '?',
        }
    }
}

registry! {
    /// BGP AS_PATH Segment Types (RFC 4271 section 4.3, RFC 5065 section 3).
    pub struct SegmentType(u8);
    /// An unordered set of ASes (deprecated by RFC 9774).
    AS_SET = 1, "AS_SET";
    /// An ordered list of ASes.
    AS_SEQUENCE = 2, "AS_SEQUENCE";
    /// An ordered list of member ASes of the local confederation.
    AS_CONFED_SEQUENCE = 3, "AS_CONFED_SEQUENCE";
    /// An unordered set of member ASes of the local confederation.
    AS_CONFED_SET = 4, "AS_CONFED_SET";
}

impl SegmentType {
    /// Returns `true` for AS_SET and AS_CONFED_SET.
    #[must_use]
    pub const fn is_set(self) -> bool {
        // A set counts as one AS in the length of a path (RFC 4271 section 9.1.2.2).
        matches!(self, Self::AS_SET | Self::AS_CONFED_SET)
    }

    /// Returns `true` for AS_CONFED_SEQUENCE and AS_CONFED_SET.
    #[must_use]
    pub const fn is_confederation(self) -> bool {
        // RFC 5065 section 5: these must not leave the confederation.
        matches!(self, Self::AS_CONFED_SEQUENCE | Self::AS_CONFED_SET)
    }
}

registry! {
    /// BGP OPEN Optional Parameter Types (RFC 5492 section 4, RFC 9072 section 2).
    pub struct ParameterType(u8);
    /// A list of capabilities (RFC 5492 section 4).
    CAPABILITIES = 2, "Capabilities";
    /// Marks the form of the parameters with two-octet lengths (RFC 9072 section 2).
    // The value is never the type of a parameter: it stands where the first type would be.
    EXTENDED_LENGTH = 255, "Extended Length";
}

registry! {
    /// Route Refresh Subcodes (RFC 7313 section 3.2).
    pub struct RefreshSubtype(u8);
    /// A request for the routes of the family (RFC 2918).
    REQUEST = 0, "request";
    /// BoRR, the beginning: the routes of the family follow.
    BEGIN = 1, "BoRR";
    /// EoRR, the end: all routes of the family were sent again.
    END = 2, "EoRR";
}

// The format of the tunnel identifier depends on the type (RFC 6514 section 5).
registry! {
    /// P-Multicast Service Interface Tunnel Types (RFC 6514 section 5).
    pub struct PmsiTunnelType(u8);
    /// No tunnel.
    NONE = 0, "none";
    /// A point-to-multipoint label-switched path of RSVP-TE.
    RSVP_TE_P2MP = 1, "rsvp-te-p2mp";
    /// A point-to-multipoint label-switched path of multipoint LDP.
    MLDP_P2MP = 2, "mldp-p2mp";
    /// A tree of PIM-SSM.
    PIM_SSM = 3, "pim-ssm";
    /// A tree of PIM-SM.
    PIM_SM = 4, "pim-sm";
    /// A tree of bidirectional PIM.
    BIDIR_PIM = 5, "bidir-pim";
    /// A unicast tunnel to each receiver.
    INGRESS_REPLICATION = 6, "ingress-replication";
    /// A multipoint-to-multipoint label-switched path of multipoint LDP.
    MLDP_MP2MP = 7, "mldp-mp2mp";
}

registry! {
    /// BGP Tunnel Encapsulation Attribute Tunnel Types (RFC 9012 section 13.2).
    pub struct TunnelType(u16);
    /// L2TPv3 over IP.
    L2TPV3 = 1, "l2tpv3";
    /// GRE.
    GRE = 2, "gre";
    /// IP in IP.
    IP_IN_IP = 7, "ip-in-ip";
    /// VXLAN.
    VXLAN = 8, "vxlan";
    /// NVGRE.
    NVGRE = 9, "nvgre";
    /// MPLS.
    MPLS = 10, "mpls";
    /// MPLS in GRE.
    MPLS_IN_GRE = 11, "mpls-in-gre";
    /// VXLAN with the Generic Protocol Extension.
    VXLAN_GPE = 12, "vxlan-gpe";
    /// MPLS in UDP.
    MPLS_IN_UDP = 13, "mpls-in-udp";
    /// A segment routing policy.
    SR_POLICY = 15, "sr-policy";
    /// Geneve.
    GENEVE = 19, "geneve";
}
