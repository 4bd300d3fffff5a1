//! `Statistics`: the counters of one session.

use std::time::Instant;

use bgp_wire::{Asn, Checked, Family, MessageType, Reason, RouterId, Treatment, Unusable};

use crate::output::DownReason;
use crate::routes::{has_others, other_announced, other_withdrawn};

/// The number of messages of each type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MessageCounts {
    /// The number of OPEN messages.
    pub open: u64,
    /// The number of UPDATE messages.
    pub update: u64,
    /// The number of NOTIFICATION messages.
    pub notification: u64,
    /// The number of KEEPALIVE messages.
    pub keepalive: u64,
    /// The number of ROUTE-REFRESH messages.
    pub route_refresh: u64,
}

impl MessageCounts {
    /// Counts a message.
    pub(crate) fn count(&mut self, message_type: MessageType) {
        let counter = match message_type {
            MessageType::OPEN => &mut self.open,
            MessageType::UPDATE => &mut self.update,
            MessageType::NOTIFICATION => &mut self.notification,
            MessageType::KEEPALIVE => &mut self.keepalive,
            // The only other type that a session sends or accepts (RFC 2918).
            _ => &mut self.route_refresh,
        };
        *counter += 1;
    }

    /// Returns the number of messages of all types.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }
}

/// The counters of one session since it was created. No counter is reset, except `connect_retries`.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Statistics {
    /// The messages that were received completely.
    pub received: MessageCounts,
    /// The messages that were passed to the driver for sending.
    pub sent: MessageCounts,
    /// The number of times that the session was Established.
    pub established: u64,
    /// The number of state changes.
    pub transitions: u64,
    /// The ConnectRetryCounter (RFC 4271 section 8.1.1).
    pub connect_retries: u64,
    /// The number of UPDATEs with a discarded attribute (RFC 7606 section 2).
    pub updates_with_discard: u64,
    /// The number of UPDATEs that were treated as withdrawals (RFC 7606 section 2).
    pub updates_treated_as_withdraw: u64,
    /// The number of UPDATEs that reset the session.
    pub updates_with_reset: u64,
    /// The time at which the session last became Established.
    // An `Instant` means nothing outside of this process.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub last_established: Option<Instant>,
    /// The identity in the last OPEN that was rejected. [`Negotiated`](crate::Negotiated) has that of an Established peer.
    pub rejected_open: Option<RejectedOpen>,
    /// The time at which the session was created.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub created: Instant,
    /// The NOTIFICATION that ended the last connection, with `true` if we sent it. `None` if it ended without one.
    pub last_reason: Option<(Reason, bool)>,
    /// The counters of each family, in the order of [`Family::PARSED`].
    // An array instead of a map: counting a route must not allocate.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_families"))]
    families: [FamilyCounts; Family::PARSED.len()],
    /// The numbers of ignored routes, in the order of [`Unusable::ALL`].
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_ignored"))]
    ignored: [u64; Unusable::ALL.len()],
}

/// The identity of a peer in an OPEN that was rejected, for an operator who corrects the configuration.
///
/// Every field is `None` if the OPEN does not decode. The AS numbers are set if AS 0 is the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RejectedOpen {
    /// The AS number: that of capability 65, or else that of the My Autonomous System field.
    pub asn: Option<Asn>,
    /// The two-octet My Autonomous System field.
    pub my_as: Option<u16>,
    /// The BGP Identifier.
    pub router_id: Option<RouterId>,
}

/// The counters of the received routes of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FamilyCounts {
    /// The number of routes that the peer announced. A route counts once each time it is announced.
    pub announced: u64,
    /// The number of routes that the peer withdrew, or that count as withdrawn because they were malformed or unusable.
    pub withdrawn: u64,
    /// The number of End-of-RIB markers (RFC 4724 section 2).
    pub end_of_rib: u64,
}

impl Statistics {
    /// Creates the counters of a session that is created at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            received: MessageCounts::default(),
            sent: MessageCounts::default(),
            established: 0,
            transitions: 0,
            connect_retries: 0,
            updates_with_discard: 0,
            updates_treated_as_withdraw: 0,
            updates_with_reset: 0,
            last_established: None,
            rejected_open: None,
            created: now,
            last_reason: None,
            families: Default::default(),
            ignored: Default::default(),
        }
    }

    /// Returns the number of routes of all families that the peer announced.
    #[must_use]
    pub fn prefixes_announced(&self) -> u64 {
        self.families.iter().map(|counts| counts.announced).sum()
    }

    /// Returns the number of routes of all families that the peer withdrew, or that were treated as withdrawn.
    #[must_use]
    pub fn prefixes_withdrawn(&self) -> u64 {
        self.families.iter().map(|counts| counts.withdrawn).sum()
    }

    /// Returns the counters of a family. They are zero for a family that is not in [`Family::PARSED`].
    #[must_use]
    pub fn family(&self, family: Family) -> FamilyCounts {
        self.families()
            .find(|(known, _)| *known == family)
            .map_or_else(FamilyCounts::default, |(_, counts)| counts)
    }

    /// Returns the counters of each family, in the order of [`Family::PARSED`].
    pub fn families(&self) -> impl Iterator<Item = (Family, FamilyCounts)> {
        Family::PARSED.iter().copied().zip(self.families)
    }

    /// Returns the number of announced routes that were ignored for this reason, although they were well-formed.
    #[must_use]
    pub fn ignored(&self, reason: Unusable) -> u64 {
        let mut counts = Unusable::ALL.iter().zip(self.ignored);
        counts
            .find(|(known, _)| **known == reason)
            .map_or(0, |(_, count)| count)
    }

    /// Returns the number of announced routes that were ignored for any reason, although they were well-formed.
    #[must_use]
    pub fn routes_ignored(&self) -> u64 {
        self.ignored.iter().sum()
    }

    /// Counts the sent messages in `octets`, which contains whole messages.
    pub(crate) fn count_sent(&mut self, mut octets: &[u8]) {
        // The output of a pull holds many messages. The header of each is enough to count it (RFC 4271 section 4.1).
        while let [header @ .., message_type] = octets.get(..19).unwrap_or_default() {
            self.sent.count(MessageType(*message_type));
            let length = header
                .last_chunk::<2>()
                .map_or(0, |field| u16::from_be_bytes(*field));
            // The minimum of a header ensures that the loop ends.
            octets = octets
                .get(usize::from(length).max(19)..)
                .unwrap_or_default();
        }
    }

    /// Records the reason that a connection ended.
    pub(crate) fn count_down(&mut self, reason: &DownReason) {
        self.last_reason = match reason {
            DownReason::Local(notification) | DownReason::Stopped(notification) => {
                Some((notification.reason, true))
            }
            DownReason::Remote(notification) => Some((notification.reason, false)),
            DownReason::ConnectFailed { .. }
            | DownReason::Closed { .. }
            | DownReason::TimedOut
            | DownReason::Restarting => None,
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
        ipv4.announced += to_u64(checked.announced().count());
        ipv4.withdrawn += to_u64(checked.withdrawn().count());
    }

    #[inline(never)]
    fn count_multiprotocol(&mut self, checked: &Checked<'_>) {
        // The iterators of unicast routes are faster than those of all families, and most messages contain only unicast.
        // `Family::PARSED` begins with IPv4 and IPv6 unicast.
        let [ipv4, ipv6, ..] = &mut self.families;
        let (announced_ipv4, announced_ipv6) = checked.announced().count_by_family();
        ipv4.announced += to_u64(announced_ipv4);
        ipv6.announced += to_u64(announced_ipv6);
        let (withdrawn_ipv4, withdrawn_ipv6) = checked.withdrawn().count_by_family();
        ipv4.withdrawn += to_u64(withdrawn_ipv4);
        ipv6.withdrawn += to_u64(withdrawn_ipv6);
        if has_others(checked) {
            for route in other_announced(checked) {
                self.count(route.family, |counts| &mut counts.announced);
            }
            for route in other_withdrawn(checked) {
                self.count(route.family, |counts| &mut counts.withdrawn);
            }
        }
    }

    /// Counts an End-of-RIB marker.
    pub(crate) fn count_end_of_rib(&mut self, family: Family) {
        self.count(family, |counts| &mut counts.end_of_rib);
    }

    /// Adds 1 to a counter of a family. Families that are not in [`Family::PARSED`] are not counted.
    fn count(&mut self, family: Family, counter: impl FnOnce(&mut FamilyCounts) -> &mut u64) {
        let position = Family::PARSED.iter().position(|known| *known == family);
        if let Some(counts) = position.and_then(|position| self.families.get_mut(position)) {
            *counter(counts) += 1;
        }
    }

    /// Counts an UPDATE with a fault, by its treatment (RFC 7606 section 2).
    pub(crate) fn count_fault(&mut self, treatment: Treatment) {
        match treatment {
            Treatment::Discard => self.updates_with_discard += 1,
            Treatment::Withdraw => self.updates_treated_as_withdraw += 1,
            Treatment::Reset => self.updates_with_reset += 1,
        }
    }

    /// Counts the routes that a message announces and that are ignored.
    pub(crate) fn count_ignored(&mut self, reason: Unusable, checked: &Checked<'_>) {
        let position = Unusable::ALL.iter().position(|known| *known == reason);
        if let Some(ignored) = position.and_then(|position| self.ignored.get_mut(position)) {
            *ignored += u64::try_from(checked.rejected_routes().count()).unwrap_or(u64::MAX);
        }
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Serializes the counters of the families that have any.
#[cfg(feature = "serde")]
fn serialize_families<S: serde::Serializer>(
    families: &[FamilyCounts],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let counts = Family::PARSED.iter().copied().zip(families);
    serializer.collect_map(counts.filter(|(_, counts)| **counts != FamilyCounts::default()))
}

/// Serializes the numbers of ignored routes by reason.
#[cfg(feature = "serde")]
fn serialize_ignored<S: serde::Serializer>(
    ignored: &[u64],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(Unusable::ALL.iter().zip(ignored))
}
