//! What two OPENs agree on (RFC 4271 section 6.2, RFC 4760, RFC 5492, RFC 6286, RFC 6793, RFC 7607).

use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::{
    Asn, Capability, CapabilityBuf, Context, Family, FamilySet, HoldTime, MessageLimit,
    NotificationBuf, Open, OpenBuf, PeerKind, Reason, Role, RouterId,
};

use crate::config::{LocalConfig, PeerConfig};

/// What a session runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Our AS number towards this peer.
    pub local_as: Asn,
    /// The peer's AS number.
    pub peer_as: Asn,
    /// The peer's BGP Identifier.
    pub peer_router_id: RouterId,
    /// Our address on the connection.
    pub local_address: IpAddr,
    /// The smaller of the two hold times.
    pub hold_time: HoldTime,
    /// The time between KEEPALIVEs, before jitter; zero where there are none.
    pub keepalive: Duration,
    /// How messages are encoded and decoded.
    pub context: Context,
    /// Whether the peer understands ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// Whether both understand BoRR and EoRR (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// Whether the peer makes use of End-of-RIB markers (RFC 4724 section 3).
    pub end_of_rib: bool,
}

impl Negotiated {
    /// The families that may be exchanged.
    #[must_use]
    pub fn families(&self) -> FamilySet {
        self.context.family_set()
    }

    /// Whether the peer is in our AS.
    #[must_use]
    pub fn peer_kind(&self) -> PeerKind {
        self.context.peer()
    }
}

/// The OPEN that we send.
pub(crate) fn our_open(local: LocalConfig, config: &PeerConfig) -> OpenBuf {
    let local = config.local(local);
    let families = config.families.iter().map(CapabilityBuf::Multiprotocol);
    let extended_message = config
        .extended_message
        .then_some(CapabilityBuf::ExtendedMessage);
    let others = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
        CapabilityBuf::FourOctetAs(local.asn),
    ];
    OpenBuf {
        asn: local.asn,
        hold_time: config.hold_time,
        router_id: local.router_id,
        capabilities: families.chain(extended_message).chain(others).collect(),
    }
}

/// Accepts the peer's OPEN, or says why not.
pub(crate) fn negotiate(
    local: LocalConfig,
    config: &PeerConfig,
    local_address: IpAddr,
    open: &Open<'_>,
) -> Result<Negotiated, NotificationBuf> {
    let refuse = |reason| NotificationBuf {
        reason,
        data: Vec::new(),
    };
    let local = config.local(local);
    check_as(config.remote_as, open).map_err(refuse)?;
    let internal = open.asn() == local.asn;
    // RFC 6286 section 2.2: within one AS identifiers differ.
    if internal && open.router_id() == local.router_id {
        return Err(refuse(Reason::BAD_BGP_IDENTIFIER));
    }
    let mut offer = Offer::default();
    open.capabilities()
        .for_each(|capability| offer.add(capability));
    // RFC 9234 section 4.2: several roles that are not one.
    if offer.roles_differ {
        return Err(refuse(Reason::ROLE_MISMATCH));
    }
    let families = config.families.intersection(offer.families());
    if families.is_empty() {
        let missing: Vec<_> = config
            .families
            .iter()
            .map(CapabilityBuf::Multiprotocol)
            .collect();
        return Err(NotificationBuf::unsupported_capabilities(&missing)
            .unwrap_or_else(|_| refuse(Reason::UNSUPPORTED_CAPABILITY)));
    }
    let hold_time = config.hold_time.negotiate(open.hold_time());
    let keepalive = hold_time.keepalive();
    let peer = if internal {
        PeerKind::Internal
    } else {
        PeerKind::External
    };
    Ok(Negotiated {
        local_as: local.asn,
        peer_as: open.asn(),
        peer_router_id: open.router_id(),
        local_address,
        hold_time,
        keepalive: config
            .keepalive_time
            .map_or(keepalive, |interval| interval.min(keepalive)),
        context: context(config, local, peer, &offer)
            .families(families.iter())
            .local_address(local_address),
        route_refresh: offer.route_refresh,
        enhanced_route_refresh: offer.enhanced_route_refresh,
        end_of_rib: offer.graceful_restart,
    })
}

fn context(config: &PeerConfig, local: LocalConfig, peer: PeerKind, offer: &Offer) -> Context {
    let context = Context::new(peer)
        .limit(offer.message_limit(config.extended_message))
        .four_octet_as(offer.four_octet_as)
        .local_as(local.asn);
    if config.enforce_first_as {
        context.first_as(config.remote_as)
    } else {
        context
    }
}

fn check_as(expected: Asn, open: &Open<'_>) -> Result<(), Reason> {
    let asn = open.asn();
    let has_capability = open
        .capabilities()
        .any(|capability| matches!(capability, Capability::FourOctetAs(_)));
    // RFC 6793 section 4.2: the two-octet field agrees with the capability, or says AS_TRANS.
    let my_as = Asn::new(open.my_as().into());
    let agrees = my_as == asn || my_as == Asn::TRANS;
    let zero = asn.number() == 0 || my_as.number() == 0;
    // AS_TRANS stands for a number that only the capability can say.
    let unsaid = asn == Asn::TRANS && !has_capability;
    if zero || unsaid || !agrees || asn != expected {
        Err(Reason::BAD_PEER_AS)
    } else {
        Ok(())
    }
}

/// What the peer's capabilities say.
#[derive(Default)]
struct Offer {
    multiprotocol: Option<FamilySet>,
    route_refresh: bool,
    enhanced_route_refresh: bool,
    four_octet_as: bool,
    graceful_restart: bool,
    extended_message: bool,
    role: Option<Role>,
    roles_differ: bool,
}

impl Offer {
    fn add(&mut self, capability: Capability<'_>) {
        match capability {
            Capability::Multiprotocol(family) => {
                self.multiprotocol = Some(self.multiprotocol.unwrap_or_default().with(family));
            }
            Capability::RouteRefresh => self.route_refresh = true,
            Capability::EnhancedRouteRefresh => self.enhanced_route_refresh = true,
            Capability::FourOctetAs(_) => self.four_octet_as = true,
            Capability::GracefulRestart(_) => self.graceful_restart = true,
            Capability::ExtendedMessage => self.extended_message = true,
            Capability::Role(role) => {
                self.roles_differ |= self.role.is_some_and(|first| first != role);
                self.role = Some(role);
            }
            // Whatever else the peer offers changes nothing here.
            Capability::OutboundRouteFilter(_)
            | Capability::ExtendedNextHop(_)
            | Capability::MultipleLabels(_)
            | Capability::AddPath(_)
            | Capability::LongLivedGracefulRestart(_)
            | Capability::Fqdn { .. }
            | Capability::SoftwareVersion(_)
            | Capability::LinkLocalNextHop
            | Capability::Unknown(..)
            | _ => {}
        }
    }

    /// RFC 8654 section 4: both have to offer it.
    fn message_limit(&self, ours: bool) -> MessageLimit {
        if ours && self.extended_message {
            MessageLimit::Extended
        } else {
            MessageLimit::Standard
        }
    }

    /// RFC 4760 section 8: who says nothing means IPv4 unicast.
    fn families(&self) -> FamilySet {
        self.multiprotocol
            .unwrap_or(FamilySet::EMPTY.with(Family::IPV4_UNICAST))
    }
}
