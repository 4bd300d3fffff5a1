//! Negotiation of a session's parameters from two OPENs (RFC 4271 section 6.2, RFC 4724, RFC 4760, RFC 5492, RFC 6286,
//! RFC 6793, RFC 7607, RFC 7911, RFC 8538, RFC 8654, RFC 8950, RFC 9234, RFC 9494).

mod offer;

use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::{
    AddPathFamily, Afi, Asn, Capability, CapabilityBuf, Context, ExtendedNextHop, Family,
    FamilySet, GracefulRestart, GracefulRestartFamily, HoldTime, LongLivedRestartFamily,
    NotificationBuf, Open, OpenBuf, PeerKind, Reason, Role, RouterId, Safi,
};

use crate::config::{LocalConfig, PeerConfig, RemoteAs};
use offer::Offer;

/// The parameters of a session, negotiated from both OPENs.
///
/// ```
/// use bgp_session::{Negotiated, PeerRestart};
/// use bgp_wire::PeerKind;
/// fn print(negotiated: &Negotiated) {
///     let internal = negotiated.peer_kind() == PeerKind::Internal;
///     println!("{} ({internal}): {}", negotiated.peer_as, negotiated.families());
///     if let Some(PeerRestart { restart_time, .. }) = &negotiated.restart {
///         println!("it has {restart_time:?} to restart");
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Negotiated {
    /// Our AS number towards this peer.
    pub local_as: Asn,
    /// The peer's AS number.
    pub peer_as: Asn,
    /// The peer's BGP Identifier.
    pub peer_router_id: RouterId,
    /// Our address on the connection.
    pub local_address: IpAddr,
    /// The smaller of the two hold times (RFC 4271 section 4.2); 0 s means no HoldTimer and no KEEPALIVEs.
    pub hold_time: HoldTime,
    /// The interval between KEEPALIVEs before jitter: at most a third of the hold time. Zero if the hold time is 0.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub keepalive: Duration,
    /// The context that decodes received messages.
    pub context: Context,
    /// The context that encodes sent messages. It differs because ADD-PATH and RFC 8950 are negotiated for each
    /// direction.
    pub sends: Context,
    /// `true` if the peer supports ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// `true` if both sides support BoRR and EoRR (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// `true` if the peer has the Graceful Restart Capability, and thus understands End-of-RIB (RFC 4724 section 3).
    pub end_of_rib: bool,
    /// The peer's restart parameters, if both sides have the Graceful Restart Capability (RFC 4724).
    pub restart: Option<PeerRestart>,
    /// The families of the peer's Long-Lived Graceful Restart Capability, whether or not we have it (RFC 9494).
    pub peer_long_lived: FamilySet,
    /// The role that the peer declares (RFC 9234).
    pub peer_role: Option<Role>,
    /// Every capability of the peer's OPEN, in its order, also those that the session ignores.
    pub peer_capabilities: Vec<CapabilityBuf>,
}

/// The restart parameters of a peer's OPEN (RFC 4724 section 3, RFC 9494 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerRestart {
    /// The R bit: the peer has just restarted.
    pub restarted: bool,
    /// The N bit: both sides also keep routes after a NOTIFICATION that is no Hard Reset (RFC 8538).
    pub notification: bool,
    /// The time in which the peer expects to return; 0 to 4,095 s.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub restart_time: Duration,
    /// The negotiated families whose routes are kept meanwhile.
    pub families: FamilySet,
    /// The families of these with the F bit: the peer preserved forwarding over its last restart.
    pub forwarding: FamilySet,
    /// The long-lived stale time by family; at most 16,777,215 s (RFC 9494).
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::serialize::seconds_by_family")
    )]
    pub long_lived: Vec<(Family, Duration)>,
    /// The families with the F bit of RFC 9494: forwarding was preserved over a restart of that length.
    pub long_lived_forwarding: FamilySet,
}

impl Negotiated {
    /// Returns the negotiated families.
    #[must_use]
    pub fn families(&self) -> FamilySet {
        self.context.families()
    }

    /// Returns whether the peer is internal or external: internal if it is in our AS.
    #[must_use]
    pub fn peer_kind(&self) -> PeerKind {
        self.context.peer_kind()
    }
}

/// The parts of our OPEN that may differ between connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenParameters {
    /// The hold time that we propose.
    pub(crate) hold_time: HoldTime,
    /// The R bit: we have just restarted, and no session has been Established since.
    pub(crate) restarted: bool,
    /// Send no capabilities, because the peer rejected them (RFC 5492 section 3).
    pub(crate) omit_capabilities: bool,
}

/// Returns the OPEN that we send.
pub(crate) fn our_open(
    local: LocalConfig,
    config: &PeerConfig,
    parameters: OpenParameters,
) -> OpenBuf {
    let local = config.local(local);
    let mut open = OpenBuf {
        asn: local.asn,
        hold_time: parameters.hold_time,
        router_id: local.router_id,
        capabilities: Vec::new(),
    };
    if parameters.omit_capabilities {
        // RFC 6793 section 4.2.2: a peer without capabilities has two-octet AS numbers; ours may become AS_TRANS.
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
    // RFC 9234 section 4.1: roles exist between ASes only.
    if let Some(role) = config
        .role
        .filter(|_| !config.remote_as.is_internal(local.asn))
    {
        capabilities.push(CapabilityBuf::Role(role));
    }
    capabilities.extend(graceful_restart(config, parameters));
    // RFC 6793 section 3: also sent for an AS number that fits into two octets.
    capabilities.push(CapabilityBuf::FourOctetAs(local.asn));
    if config.add_path {
        capabilities.push(CapabilityBuf::AddPath(add_paths(config)));
    }
    capabilities.push(CapabilityBuf::EnhancedRouteRefresh);
    capabilities.extend(long_lived(config));
    capabilities.extend_from_slice(&config.capabilities);
    open
}

/// Returns the entries of the Extended Next Hop capability (RFC 8950 section 4): IPv6 next hops for IPv4 families.
fn extended_next_hops(config: &PeerConfig) -> Vec<ExtendedNextHop> {
    config
        .families
        .iter()
        .filter(|family| has_extended_next_hop(*family))
        .map(|family| ExtendedNextHop {
            family,
            next_hop: Afi::IPV6,
        })
        .collect()
}

/// Returns `true` if the routes of a family have IPv4 next hops unless IPv6 ones are negotiated (RFC 8950 section 4).
fn has_extended_next_hop(family: Family) -> bool {
    family.afi == Afi::IPV4
        && matches!(
            family.safi,
            Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN
        )
}

/// Returns the entries of the ADD-PATH capability (RFC 7911 section 4): both directions for every family.
fn add_paths(config: &PeerConfig) -> Vec<AddPathFamily> {
    let both = |family| AddPathFamily {
        family,
        // RFC 7911 section 4: 1 receives paths, 2 sends them, 3 does both.
        directions: 3,
    };
    config.families.iter().map(both).collect()
}

/// Returns the Graceful Restart Capability (RFC 4724 section 3), if it is configured.
fn graceful_restart(config: &PeerConfig, parameters: OpenParameters) -> Option<CapabilityBuf> {
    let restart = config.restart?;
    let family = |family| GracefulRestartFamily {
        family,
        forwarding: restart.forwarding,
    };
    Some(CapabilityBuf::GracefulRestart {
        restarted: parameters.restarted,
        notification: restart.notification,
        // Both values are valid: `PeerConfig::validate` limits them to the widths of their fields.
        restart_time: u16::try_from(restart.restart_time.as_secs()).unwrap_or(u16::MAX),
        families: config.families.iter().map(family).collect(),
    })
}

/// Returns the Long-Lived Graceful Restart Capability (RFC 9494 section 3.1), if it is configured.
fn long_lived(config: &PeerConfig) -> Option<CapabilityBuf> {
    let restart = config.restart?;
    let stale_time = restart.long_lived?.as_secs();
    let stale_time = u32::try_from(stale_time).unwrap_or(u32::MAX);
    let family = |family| LongLivedRestartFamily {
        family,
        forwarding: restart.forwarding,
        stale_time,
    };
    let families = config.families.iter().map(family).collect();
    Some(CapabilityBuf::LongLivedGracefulRestart(families))
}

/// Negotiates the session's parameters from the peer's OPEN and ours, or returns the NOTIFICATION that refuses the
/// OPEN.
pub(crate) fn negotiate(
    local: LocalConfig,
    config: &PeerConfig,
    parameters: OpenParameters,
    local_address: IpAddr,
    open: &Open<'_>,
) -> Result<Negotiated, NotificationBuf> {
    let local = config.local(local);
    check_as(config.remote_as, local.asn, open).map_err(refusal)?;
    let internal = open.asn() == local.asn;
    // RFC 6286 section 2.2: two speakers of one AS must not have the same identifier.
    if internal && open.router_id() == local.router_id {
        return Err(refusal(Reason::BAD_BGP_IDENTIFIER));
    }
    let mut offer = Offer::default();
    open.capabilities()
        .for_each(|capability| offer.add(capability));
    check_roles(config, internal, &offer).map_err(refusal)?;
    let families = common_families(our_families(config, parameters), &offer)?;
    // Last, so that the application only sees OPENs that the session would accept.
    if let Some(check) = &config.open_check {
        check.check(config.address, open)?;
    }
    let hold_time = parameters.hold_time.negotiate(open.hold_time());
    let keepalive = hold_time.keepalive();
    let peer = if internal {
        PeerKind::Internal
    } else {
        PeerKind::External
    };
    let (context, sends) = contexts(
        config,
        parameters,
        &offer,
        Context::new(peer).with_families(families.iter()),
    );
    Ok(Negotiated {
        local_as: local.asn,
        peer_as: open.asn(),
        peer_router_id: open.router_id(),
        local_address,
        hold_time,
        keepalive: config
            .keepalive_time
            // RFC 4271 section 4.4: the interval is at most a third of the negotiated hold time.
            .map_or(keepalive, |interval| interval.min(keepalive)),
        context: receive_context(config, local, local_address, context, open.asn()),
        sends,
        route_refresh: offer.route_refresh && !parameters.omit_capabilities,
        enhanced_route_refresh: offer.enhanced_route_refresh && !parameters.omit_capabilities,
        end_of_rib: offer.restart.is_some(),
        restart: peer_restart(
            config,
            parameters,
            families,
            offer.restart,
            &offer.long_lived,
        ),
        // RFC 9494 section 4.1: the capability is ignored without the one of RFC 4724.
        peer_long_lived: offer
            .restart
            .iter()
            .flat_map(|_| &offer.long_lived)
            .map(|entry| entry.family)
            .collect(),
        peer_role: offer.role,
        peer_capabilities: open.capabilities().map(CapabilityBuf::from).collect(),
    })
}

/// Returns a NOTIFICATION without data.
fn refusal(reason: Reason) -> NotificationBuf {
    NotificationBuf {
        reason,
        data: Vec::new(),
    }
}

/// Returns the families that our OPEN offers.
fn our_families(config: &PeerConfig, parameters: OpenParameters) -> FamilySet {
    // RFC 4760 section 8: an OPEN without capabilities offers IPv4 unicast.
    if parameters.omit_capabilities {
        FamilySet::EMPTY.with(Family::IPV4_UNICAST)
    } else {
        config.families
    }
}

/// Returns the families that both sides offer, or the NOTIFICATION that refuses the OPEN if there are none.
fn common_families(ours: FamilySet, offer: &Offer<'_>) -> Result<FamilySet, NotificationBuf> {
    let families = ours.intersection(offer.families());
    if !families.is_empty() {
        return Ok(families);
    }
    // RFC 5492 section 5: the data field lists the capabilities that the peer lacks.
    let missing: Vec<_> = ours.iter().map(CapabilityBuf::Multiprotocol).collect();
    let notification = NotificationBuf::unsupported_capabilities(&missing);
    debug_assert!(notification.is_ok(), "a family takes four octets");
    Err(notification.unwrap_or_else(|_| refusal(Reason::UNSUPPORTED_CAPABILITY)))
}

/// Returns the contexts for received and for sent messages.
fn contexts(
    config: &PeerConfig,
    parameters: OpenParameters,
    offer: &Offer<'_>,
    base: Context,
) -> (Context, Context) {
    if parameters.omit_capabilities {
        // RFC 6793 section 4.2.2: without the capability AS_PATH has two-octet numbers.
        let both = base.with_four_octet_as(false);
        return (both, both);
    }
    let both = base
        .with_message_limit(offer.message_limit(config.extended_message))
        .with_four_octet_as(offer.four_octet_as);
    let ours = |enabled: bool| config.families.iter().filter(move |_| enabled);
    let ipv4 = || ours(config.extended_next_hop).filter(|family| has_extended_next_hop(*family));
    // RFC 7911 section 4, RFC 8950 section 4: each direction is negotiated by itself.
    let received = both
        .with_add_path(ours(config.add_path).filter(|family| offer.sends_paths.contains(*family)))
        // Our own capability permits the peer to use it; the peer's permits us.
        .with_extended_next_hop(ipv4());
    let sent = both
        .with_add_path(
            ours(config.add_path).filter(|family| offer.receives_paths.contains(*family)),
        )
        .with_extended_next_hop(ipv4().filter(|family| offer.extended_next_hop.contains(*family)));
    (received, sent)
}

/// Adds the checks of received routes to a context.
fn receive_context(
    config: &PeerConfig,
    local: LocalConfig,
    local_address: IpAddr,
    context: Context,
    peer_as: Asn,
) -> Context {
    let mut context = context
        .with_local_as(local.asn)
        .with_local_address(local_address);
    if config.enforce_first_as {
        context = context.with_first_as(peer_as);
    }
    // RFC 4456 section 8: only internal peers reflect our own routes to us.
    if context.peer_kind() == PeerKind::Internal {
        context = context.with_router_id(local.router_id);
    }
    match config.role.and_then(expected_peer_role) {
        Some(role) if context.peer_kind() == PeerKind::External => {
            context.with_peer_role(role, peer_as)
        }
        _ => context,
    }
}

/// Returns the role that a peer must have towards ours (RFC 9234 section 4.2).
fn expected_peer_role(ours: Role) -> Option<Role> {
    Some(match ours {
        Role::PROVIDER => Role::CUSTOMER,
        Role::CUSTOMER => Role::PROVIDER,
        Role::ROUTE_SERVER => Role::ROUTE_SERVER_CLIENT,
        Role::ROUTE_SERVER_CLIENT => Role::ROUTE_SERVER,
        Role::PEER => Role::PEER,
        _ => return None,
    })
}

/// Checks that the peer declares one role, and that it matches ours (RFC 9234 section 4.2).
fn check_roles(config: &PeerConfig, internal: bool, offer: &Offer<'_>) -> Result<(), Reason> {
    let fits = match (config.role, offer.role) {
        _ if offer.roles_differ => false,
        // RFC 9234 section 4.1: within an AS roles have no meaning.
        _ if internal => true,
        (Some(ours), Some(theirs)) => expected_peer_role(ours) == Some(theirs),
        (_, None) => !config.require_role,
        (None, Some(_)) => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Reason::ROLE_MISMATCH)
    }
}

/// Returns the peer's restart parameters if both sides have the capability (RFC 4724 section 3).
///
/// The peer's families decide, not ours.
fn peer_restart(
    config: &PeerConfig,
    parameters: OpenParameters,
    negotiated: FamilySet,
    offered: Option<GracefulRestart<'_>>,
    long_lived: &[LongLivedRestartFamily],
) -> Option<PeerRestart> {
    let ours = config.restart.filter(|_| !parameters.omit_capabilities)?;
    let theirs = offered?;
    let entries = || {
        theirs
            .families()
            .filter(|entry| negotiated.contains(entry.family))
    };
    // RFC 9494 section 4.1: the capability is ignored without the one of RFC 4724.
    let long_lived = || {
        long_lived
            .iter()
            .filter(|entry| ours.long_lived.is_some() && negotiated.contains(entry.family))
    };
    Some(PeerRestart {
        restarted: theirs.restarted(),
        notification: ours.notification && theirs.notification(),
        restart_time: Duration::from_secs(theirs.restart_time().into()),
        families: entries().map(|entry| entry.family).collect(),
        forwarding: entries()
            .filter(|entry| entry.forwarding)
            .map(|entry| entry.family)
            .collect(),
        long_lived: long_lived()
            .map(|entry| (entry.family, Duration::from_secs(entry.stale_time.into())))
            .collect(),
        long_lived_forwarding: long_lived()
            .filter(|entry| entry.forwarding)
            .map(|entry| entry.family)
            .collect(),
    })
}

/// Checks that the AS number of the peer's OPEN is valid and that the configuration accepts it.
fn check_as(expected: RemoteAs, local: Asn, open: &Open<'_>) -> Result<(), Reason> {
    let asn = open.asn();
    let has_capability = open
        .capabilities()
        .any(|capability| matches!(capability, Capability::FourOctetAs(_)));
    // RFC 6793 section 4.2: the two-octet field contains the number of the capability, or AS_TRANS.
    let my_as = Asn::new(open.my_as().into());
    let agrees = my_as == asn || my_as == Asn::TRANS;
    // RFC 7607 section 2 reserves AS 0.
    let zero = asn.number() == 0 || my_as.number() == 0;
    // AS_TRANS stands for a number that only the capability can contain.
    let unknown = asn == Asn::TRANS && !has_capability;
    if zero || unknown || !agrees || !expected.accepts(asn, local) {
        Err(Reason::BAD_PEER_AS)
    } else {
        Ok(())
    }
}
