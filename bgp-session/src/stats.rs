//! Counters of one session.

use std::time::Instant;

use bgp_wire::{Asn, Checked, Family, MessageType, Reason, RouterId, Treatment, UnicastRoutes};
use ipnet::IpNet;

use crate::output::DownReason;
use crate::routes::{has_others, other_announced, other_withdrawn};

/// Messages of each type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// OPEN.
    pub open: u64,
    /// UPDATE.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl MessageCounts {
    pub(crate) fn count(&mut self, message_type: MessageType) {
        let counter = match message_type {
            MessageType::OPEN => &mut self.open,
            MessageType::UPDATE => &mut self.update,
            MessageType::NOTIFICATION => &mut self.notification,
            MessageType::KEEPALIVE => &mut self.keepalive,
            _ => &mut self.route_refresh,
        };
        *counter += 1;
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }
}

/// Counters of one session since it was made.
///
/// ```
/// use bgp_session::{FamilyCounts, MessageCounts, Statistics};
/// fn print(statistics: &Statistics) {
///     println!("{} announced, {} withdrawn", statistics.prefixes_announced(), statistics.prefixes_withdrawn());
///     for (family, FamilyCounts { announced, withdrawn, .. }) in statistics.families() {
///         println!("{family}: {announced} announced, {withdrawn} withdrawn");
///     }
///     let MessageCounts { update, keepalive, .. } = statistics.received;
///     println!("{update} UPDATEs, {keepalive} KEEPALIVEs, {} in all", statistics.received.total());
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Messages received whole.
    pub received: MessageCounts,
    /// Messages given to the driver.
    pub sent: MessageCounts,
    /// The number of times that the session was Established.
    pub established: u64,
    /// The number of state changes.
    pub transitions: u64,
    /// ConnectRetryCounter (RFC 4271 section 8.1.1).
    pub connect_retries: u64,
    /// UPDATEs of which an attribute was discarded (RFC 7606).
    pub updates_with_discard: u64,
    /// UPDATEs that were treated as withdrawals (RFC 7606).
    pub updates_treated_as_withdraw: u64,
    /// When the session last became Established.
    pub last_established: Option<Instant>,
    /// The AS number in the peer's last OPEN, accepted or not.
    pub peer_as: Option<Asn>,
    /// Its BGP Identifier.
    pub peer_router_id: Option<RouterId>,
    /// When the session was made.
    pub created: Instant,
    /// Why the last connection ended: NOTIFICATION code and whether it was ours.
    pub last_reason: Option<(Reason, bool)>,
    /// In the order of [`Family::PARSED`].
    families: [FamilyCounts; Family::PARSED.len()],
}

/// Counters of the received routes of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyCounts {
    /// Routes announced by the peer.
    pub announced: u64,
    /// Routes withdrawn by the peer, or treated as withdrawn.
    pub withdrawn: u64,
    /// End-of-RIB markers (RFC 4724 section 2).
    pub end_of_rib: u64,
}

impl Statistics {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            received: MessageCounts::default(),
            sent: MessageCounts::default(),
            established: 0,
            transitions: 0,
            connect_retries: 0,
            updates_with_discard: 0,
            updates_treated_as_withdraw: 0,
            last_established: None,
            peer_as: None,
            peer_router_id: None,
            created: now,
            last_reason: None,
            families: Default::default(),
        }
    }

    /// Routes of all families that the peer has announced.
    #[must_use]
    pub fn prefixes_announced(&self) -> u64 {
        self.families.iter().map(|counts| counts.announced).sum()
    }

    /// Routes of all families that the peer has withdrawn, or that were treated as withdrawn.
    #[must_use]
    pub fn prefixes_withdrawn(&self) -> u64 {
        self.families.iter().map(|counts| counts.withdrawn).sum()
    }

    /// The counters of a family.
    #[must_use]
    pub fn family(&self, family: Family) -> FamilyCounts {
        let mut families = self.families();
        families
            .find(|(known, _)| *known == family)
            .map_or_else(FamilyCounts::default, |(_, counts)| counts)
    }

    /// The counters of each family, in the order of [`Family::PARSED`].
    pub fn families(&self) -> impl Iterator<Item = (Family, FamilyCounts)> {
        Family::PARSED.into_iter().zip(self.families)
    }

    /// Counts every message of a run of whole messages.
    pub(crate) fn count_sent(&mut self, mut octets: &[u8]) {
        while let [header @ .., message_type] = octets.get(..19).unwrap_or_default() {
            self.sent.count(MessageType(*message_type));
            let length = header
                .last_chunk::<2>()
                .map_or(0, |field| u16::from_be_bytes(*field));
            octets = octets
                .get(usize::from(length).max(19)..)
                .unwrap_or_default();
        }
    }

    pub(crate) fn count_down(&mut self, reason: &DownReason) {
        self.last_reason = match reason {
            DownReason::Local(notification) | DownReason::Stopped(notification) => {
                Some((notification.reason, true))
            }
            DownReason::Remote(notification) => Some((notification.reason, false)),
            DownReason::Closed | DownReason::TimedOut | DownReason::Restarting => None,
        };
    }

    /// Counts the routes of an UPDATE.
    #[inline(always)]
    pub(crate) fn count_routes(&mut self, checked: &Checked<'_>) {
        // Most UPDATEs have IPv4 routes only, in the fields of RFC 4271: counting them needs no look at each.
        if checked.is_multiprotocol() {
            return self.count_multiprotocol(checked);
        }
        let [ipv4, ..] = &mut self.families;
        ipv4.announced += count(checked.announced());
        ipv4.withdrawn += count(checked.withdrawn());
    }

    #[inline(never)]
    fn count_multiprotocol(&mut self, checked: &Checked<'_>) {
        let [ipv4, ipv6, ..] = &mut self.families;
        let [announced_ipv4, announced_ipv6] = unicast(checked.announced());
        ipv4.announced += announced_ipv4;
        ipv6.announced += announced_ipv6;
        let [withdrawn_ipv4, withdrawn_ipv6] = unicast(checked.withdrawn());
        ipv4.withdrawn += withdrawn_ipv4;
        ipv6.withdrawn += withdrawn_ipv6;
        if has_others(checked) {
            for route in other_announced(checked) {
                self.count(route.family, |counts| &mut counts.announced);
            }
            for route in other_withdrawn(checked) {
                self.count(route.family, |counts| &mut counts.withdrawn);
            }
        }
    }

    pub(crate) fn count_end_of_rib(&mut self, family: Family) {
        self.count(family, |counts| &mut counts.end_of_rib);
    }

    fn count(&mut self, family: Family, counter: impl FnOnce(&mut FamilyCounts) -> &mut u64) {
        let place = Family::PARSED.iter().position(|known| *known == family);
        if let Some(counts) = place.and_then(|place| self.families.get_mut(place)) {
            *counter(counts) += 1;
        }
    }

    pub(crate) fn count_fault(&mut self, treatment: Treatment) {
        match treatment {
            Treatment::Discard => self.updates_with_discard += 1,
            Treatment::Withdraw => self.updates_treated_as_withdraw += 1,
            Treatment::Reset => {}
        }
    }
}

#[inline(always)]
fn count(routes: UnicastRoutes<'_>) -> u64 {
    u64::try_from(routes.count()).unwrap_or(u64::MAX)
}

/// Returns the numbers of IPv4 and of IPv6 routes.
fn unicast(routes: UnicastRoutes<'_>) -> [u64; 2] {
    routes.fold([0; 2], |[ipv4, ipv6], nlri| match nlri.prefix {
        IpNet::V4(_) => [ipv4 + 1, ipv6],
        IpNet::V6(_) => [ipv4, ipv6 + 1],
    })
}
