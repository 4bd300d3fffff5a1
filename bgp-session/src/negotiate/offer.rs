//! `Offer`: the capabilities of the peer's OPEN, by what they mean for the session.

use bgp_wire::{
    Afi, Capability, Family, FamilySet, GracefulRestart, LongLivedRestartFamily, MessageLimit, Role,
};

/// The capabilities of the peer's OPEN.
#[derive(Default)]
pub(super) struct Offer<'a> {
    pub(super) multiprotocol: Option<FamilySet>,
    pub(super) route_refresh: bool,
    pub(super) enhanced_route_refresh: bool,
    pub(super) four_octet_as: bool,
    pub(super) extended_message: bool,
    pub(super) extended_next_hop: FamilySet,
    /// Families for which the peer can send several paths (RFC 7911).
    pub(super) sends_paths: FamilySet,
    /// Families for which the peer can receive several paths (RFC 7911).
    pub(super) receives_paths: FamilySet,
    pub(super) restart: Option<GracefulRestart<'a>>,
    pub(super) long_lived: Vec<LongLivedRestartFamily>,
    pub(super) role: Option<Role>,
    pub(super) roles_differ: bool,
}

impl<'a> Offer<'a> {
    /// Adds one capability.
    pub(super) fn add(&mut self, capability: Capability<'a>) {
        match capability {
            // RFC 4760 section 8: one capability for each family.
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
                self.extended_next_hop = entries
                    .iter()
                    .filter(|entry| entry.next_hop == Afi::IPV6)
                    .map(|entry| entry.family)
                    .fold(self.extended_next_hop, FamilySet::with);
            }
            Capability::AddPath(entries) => {
                for entry in entries.iter() {
                    if entry.sends() {
                        self.sends_paths = self.sends_paths.with(entry.family);
                    }
                    if entry.receives() {
                        self.receives_paths = self.receives_paths.with(entry.family);
                    }
                }
            }
            Capability::Role(role) => {
                // RFC 9234 section 4.2: several capabilities must not declare different roles.
                self.roles_differ |= self.role.is_some_and(|first| first != role);
                self.role = Some(role);
            }
            // RFC 5492 section 3: a capability that we do not support is ignored.
            Capability::OutboundRouteFilter(_)
            | Capability::MultipleLabels(_)
            | Capability::Fqdn { .. }
            | Capability::SoftwareVersion(_)
            | Capability::LinkLocalNextHop
            | Capability::Unknown(..)
            | _ => {}
        }
    }

    /// Returns the limit for messages of both sides: extended if both offer it (RFC 8654 section 4).
    pub(super) fn message_limit(&self, ours: bool) -> MessageLimit {
        if ours && self.extended_message {
            MessageLimit::Extended
        } else {
            MessageLimit::Standard
        }
    }

    /// Returns the offered families; IPv4 unicast if the OPEN contains none (RFC 4760 section 8).
    pub(super) fn families(&self) -> FamilySet {
        self.multiprotocol
            .unwrap_or(FamilySet::EMPTY.with(Family::IPV4_UNICAST))
    }
}
