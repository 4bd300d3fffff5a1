//! What two OPENs agree on (RFC 4271 section 6.2, RFC 4724, RFC 4760, RFC 5492, RFC 6286, RFC 6793, RFC 7607, RFC 7911,
//! RFC 8538, RFC 8654, RFC 8950, RFC 9234, RFC 9494).

use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::{
    AddPathFamily, Afi, Asn, Capability, CapabilityBuf, Context, ExtendedNextHop, Family,
    FamilySet, GracefulRestart, GracefulRestartFamily, HoldTime, LongLivedRestartFamily,
    MessageLimit, NotificationBuf, Open, OpenBuf, PeerKind, Reason, Role, RouterId, Safi,
};

use crate::config::{LocalConfig, PeerConfig};

/// What a session runs on.
///
/// ```
/// use bgp_session::{Negotiated, PeerRestart};
/// use bgp_wire::PeerKind;
/// fn print(negotiated: &Negotiated) {
///     let internal = negotiated.peer_kind() == PeerKind::Internal;
///     println!("{} ({internal}): {}", negotiated.peer_as, negotiated.families());
///     if let Some(PeerRestart { restart_time, .. }) = &negotiated.restart {
///         println!("it is waited for {restart_time:?} if it restarts");
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// How what is received is decoded.
    pub context: Context,
    /// How what is sent is encoded: some of what was negotiated holds in one direction only.
    pub sends: Context,
    /// Whether the peer understands ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// Whether both understand BoRR and EoRR (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// Whether the peer makes use of End-of-RIB markers (RFC 4724 section 3).
    pub end_of_rib: bool,
    /// How the peer restarts, where both have the capability (RFC 4724).
    pub restart: Option<PeerRestart>,
    /// What the peer says it is to us (RFC 9234).
    pub peer_role: Option<Role>,
}

/// What the peer says of its restarts (RFC 4724 section 3, RFC 9494 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRestart {
    /// The R bit: it has just restarted.
    pub restarted: bool,
    /// Both keep routes after a NOTIFICATION, too (RFC 8538).
    pub notification: bool,
    /// How long it may take to come back.
    pub restart_time: Duration,
    /// The families whose routes are to be kept meanwhile.
    pub families: FamilySet,
    /// Those of them for which forwarding went on over the last restart (the F bit).
    pub forwarding: FamilySet,
    /// For how long routes are kept as a last resort, by family (RFC 9494).
    pub long_lived: Vec<(Family, Duration)>,
    /// The families for which forwarding went on over a restart of that length.
    pub long_lived_forwarding: FamilySet,
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

/// What our OPEN says beside the part of the configuration that does not change while there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mood {
    /// The hold time that we propose.
    pub(crate) hold_time: HoldTime,
    /// The R bit: we have just restarted, and no session has come up since.
    pub(crate) restarted: bool,
    /// Without capabilities: the peer has refused an OPEN with them (RFC 5492 section 3).
    pub(crate) plain: bool,
}

/// The OPEN that we send.
pub(crate) fn our_open(local: LocalConfig, config: &PeerConfig, mood: Mood) -> OpenBuf {
    let local = config.local(local);
    let mut open = OpenBuf {
        asn: local.asn,
        hold_time: mood.hold_time,
        router_id: local.router_id,
        capabilities: Vec::new(),
    };
    if mood.plain {
        // Who does not know capabilities does not know longer AS numbers (RFC 6793 section 4.2.2).
        open.asn = Asn::new(local.asn.to_two_octets().into());
        return open;
    }
    let capabilities = &mut open.capabilities;
    capabilities.extend(config.families.iter().map(CapabilityBuf::Multiprotocol));
    capabilities.push(CapabilityBuf::RouteRefresh);
    if config.extended_next_hop {
        capabilities.push(CapabilityBuf::ExtendedNextHop(extended_next_hops(config)));
    }
    if config.extended_message {
        capabilities.push(CapabilityBuf::ExtendedMessage);
    }
    // RFC 9234 section 4.1: only between ASes.
    if let Some(role) = config.role.filter(|_| config.remote_as != local.asn) {
        capabilities.push(CapabilityBuf::Role(role));
    }
    capabilities.extend(graceful_restart(config, mood));
    capabilities.push(CapabilityBuf::FourOctetAs(local.asn));
    if config.add_path {
        capabilities.push(CapabilityBuf::AddPath(add_paths(config)));
    }
    capabilities.push(CapabilityBuf::EnhancedRouteRefresh);
    capabilities.extend(long_lived(config));
    open
}

fn extended_next_hops(config: &PeerConfig) -> Vec<ExtendedNextHop> {
    let families = config.families.iter();
    families
        .filter(|family| has_extended_next_hop(*family))
        .map(|family| ExtendedNextHop {
            family,
            next_hop: Afi::IPV6,
        })
        .collect()
}

/// RFC 8950 section 4: routes of these families have IPv4 next hops unless IPv6 ones are negotiated.
fn has_extended_next_hop(family: Family) -> bool {
    family.afi == Afi::IPV4
        && matches!(
            family.safi,
            Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN
        )
}

/// Path identifiers are sent and understood, both.
fn add_paths(config: &PeerConfig) -> Vec<AddPathFamily> {
    let both = |family| AddPathFamily {
        family,
        directions: 3,
    };
    config.families.iter().map(both).collect()
}

fn graceful_restart(config: &PeerConfig, mood: Mood) -> Option<CapabilityBuf> {
    let restart = config.restart?;
    let family = |family| GracefulRestartFamily {
        family,
        forwarding: restart.forwarding,
    };
    Some(CapabilityBuf::GracefulRestart {
        restarted: mood.restarted,
        notification: restart.notification,
        restart_time: restart.restart_time,
        families: config.families.iter().map(family).collect(),
    })
}

fn long_lived(config: &PeerConfig) -> Option<CapabilityBuf> {
    let restart = config.restart?;
    let stale_time = restart.long_lived?;
    let family = |family| LongLivedRestartFamily {
        family,
        forwarding: restart.forwarding,
        stale_time,
    };
    let families = config.families.iter().map(family).collect();
    Some(CapabilityBuf::LongLivedGracefulRestart(families))
}

/// Accepts the peer's OPEN, or says why not.
pub(crate) fn negotiate(
    local: LocalConfig,
    config: &PeerConfig,
    mood: Mood,
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
    check_roles(config, internal, &offer).map_err(refuse)?;
    let ours = if mood.plain {
        FamilySet::EMPTY.with(Family::IPV4_UNICAST)
    } else {
        config.families
    };
    let families = ours.intersection(offer.families());
    if families.is_empty() {
        let missing: Vec<_> = ours.iter().map(CapabilityBuf::Multiprotocol).collect();
        return Err(NotificationBuf::unsupported_capabilities(&missing)
            .unwrap_or_else(|_| refuse(Reason::UNSUPPORTED_CAPABILITY)));
    }
    let hold_time = mood.hold_time.negotiate(open.hold_time());
    let keepalive = hold_time.keepalive();
    let peer = if internal {
        PeerKind::Internal
    } else {
        PeerKind::External
    };
    let (context, sends) = contexts(
        config,
        mood,
        &offer,
        Context::new(peer).families(families.iter()),
    );
    Ok(Negotiated {
        local_as: local.asn,
        peer_as: open.asn(),
        peer_router_id: open.router_id(),
        local_address,
        hold_time,
        keepalive: config
            .keepalive_time
            .map_or(keepalive, |interval| interval.min(keepalive)),
        context: receiving(config, local.asn, local_address, peer, context),
        sends,
        route_refresh: offer.route_refresh && !mood.plain,
        enhanced_route_refresh: offer.enhanced_route_refresh && !mood.plain,
        end_of_rib: offer.restart.is_some(),
        restart: peer_restart(config, mood, families, offer.restart, &offer.long_lived),
        peer_role: offer.role,
    })
}

/// What both directions have in common, and what each has alone: how is received, and how is sent.
fn contexts(
    config: &PeerConfig,
    mood: Mood,
    offer: &Offer<'_>,
    both: Context,
) -> (Context, Context) {
    if mood.plain {
        let both = both.four_octet_as(false);
        return (both, both);
    }
    let both = both
        .limit(offer.message_limit(config.extended_message))
        .four_octet_as(offer.four_octet_as);
    let ours = |yes: bool| config.families.iter().filter(move |_| yes);
    let ipv4 = || ours(config.extended_next_hop).filter(|family| has_extended_next_hop(*family));
    let received = both
        .add_path(ours(config.add_path).filter(|family| offer.sends_paths.contains(*family)))
        .extended_next_hop(ipv4());
    let sent = both
        .add_path(ours(config.add_path).filter(|family| offer.takes_paths.contains(*family)))
        .extended_next_hop(ipv4().filter(|family| offer.extended_next_hop.contains(*family)));
    (received, sent)
}

/// What is checked on the way in.
fn receiving(
    config: &PeerConfig,
    local_as: Asn,
    local_address: IpAddr,
    peer: PeerKind,
    context: Context,
) -> Context {
    let context = context.local_as(local_as).local_address(local_address);
    let context = if config.enforce_first_as {
        context.first_as(config.remote_as)
    } else {
        context
    };
    match config.role.and_then(counterpart) {
        Some(role) if peer == PeerKind::External => context.peer_role(role, config.remote_as),
        _ => context,
    }
}

/// What a peer is to us, by what we are to it (RFC 9234 section 4.2).
fn counterpart(ours: Role) -> Option<Role> {
    Some(match ours {
        Role::PROVIDER => Role::CUSTOMER,
        Role::CUSTOMER => Role::PROVIDER,
        Role::ROUTE_SERVER => Role::ROUTE_SERVER_CLIENT,
        Role::ROUTE_SERVER_CLIENT => Role::ROUTE_SERVER,
        Role::PEER => Role::PEER,
        _ => return None,
    })
}

/// RFC 9234 section 4.2: one role, and one that fits ours.
fn check_roles(config: &PeerConfig, internal: bool, offer: &Offer<'_>) -> Result<(), Reason> {
    let fits = match (config.role, offer.role) {
        _ if offer.roles_differ => false,
        _ if internal => true,
        (Some(ours), Some(theirs)) => counterpart(ours) == Some(theirs),
        (_, None) => !config.require_role,
        (None, Some(_)) => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Reason::ROLE_MISMATCH)
    }
}

/// RFC 4724 section 3: both have to have the capability; what the peer's says of families is what counts.
fn peer_restart(
    config: &PeerConfig,
    mood: Mood,
    negotiated: FamilySet,
    offered: Option<GracefulRestart<'_>>,
    long_lived: &[LongLivedRestartFamily],
) -> Option<PeerRestart> {
    let ours = config.restart.filter(|_| !mood.plain)?;
    let theirs = offered?;
    let entries = || {
        theirs
            .families()
            .filter(|entry| negotiated.contains(entry.family))
    };
    let families: FamilySet = entries().map(|entry| entry.family).collect();
    let forwarding = entries().filter(|entry| entry.forwarding);
    // RFC 9494 section 4.1: without the ordinary kind there is none.
    let long_lived = || {
        long_lived
            .iter()
            .filter(|entry| ours.long_lived.is_some() && negotiated.contains(entry.family))
    };
    let times =
        long_lived().map(|entry| (entry.family, Duration::from_secs(entry.stale_time.into())));
    let long_lived_forwarding = long_lived().filter(|entry| entry.forwarding);
    Some(PeerRestart {
        restarted: theirs.restarted(),
        notification: ours.notification && theirs.notification(),
        restart_time: Duration::from_secs(theirs.restart_time().into()),
        families,
        forwarding: forwarding.map(|entry| entry.family).collect(),
        long_lived: times.collect(),
        long_lived_forwarding: long_lived_forwarding.map(|entry| entry.family).collect(),
    })
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
struct Offer<'a> {
    multiprotocol: Option<FamilySet>,
    route_refresh: bool,
    enhanced_route_refresh: bool,
    four_octet_as: bool,
    extended_message: bool,
    extended_next_hop: FamilySet,
    /// Families of which the peer wants to send several paths, and of which it takes them.
    sends_paths: FamilySet,
    takes_paths: FamilySet,
    restart: Option<GracefulRestart<'a>>,
    long_lived: Vec<LongLivedRestartFamily>,
    role: Option<Role>,
    roles_differ: bool,
}

impl<'a> Offer<'a> {
    fn add(&mut self, capability: Capability<'a>) {
        match capability {
            Capability::Multiprotocol(family) => {
                self.multiprotocol = Some(self.multiprotocol.unwrap_or_default().with(family));
            }
            Capability::RouteRefresh => self.route_refresh = true,
            Capability::EnhancedRouteRefresh => self.enhanced_route_refresh = true,
            Capability::FourOctetAs(_) => self.four_octet_as = true,
            Capability::GracefulRestart(restart) => self.restart = Some(restart),
            Capability::LongLivedGracefulRestart(entries) => {
                self.long_lived = entries.iter().collect();
            }
            Capability::ExtendedMessage => self.extended_message = true,
            Capability::ExtendedNextHop(entries) => {
                let ipv6 = entries.iter().filter(|entry| entry.next_hop == Afi::IPV6);
                let families = ipv6.map(|entry| entry.family);
                self.extended_next_hop = families.fold(self.extended_next_hop, FamilySet::with);
            }
            Capability::AddPath(entries) => {
                for entry in entries.iter() {
                    if entry.sends() {
                        self.sends_paths = self.sends_paths.with(entry.family);
                    }
                    if entry.receives() {
                        self.takes_paths = self.takes_paths.with(entry.family);
                    }
                }
            }
            Capability::Role(role) => {
                self.roles_differ |= self.role.is_some_and(|first| first != role);
                self.role = Some(role);
            }
            Capability::OutboundRouteFilter(_)
            | Capability::MultipleLabels(_)
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
