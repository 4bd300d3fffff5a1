//! Counters of one session.

use std::time::Instant;

use bgp_wire::{Asn, MessageType, Reason, RouterId, Treatment};

use crate::output::DownReason;

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
/// use bgp_session::{MessageCounts, Statistics};
/// fn print(statistics: &Statistics) {
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
    /// How often the session was Established.
    pub established: u64,
    /// How often its state changed.
    pub transitions: u64,
    /// ConnectRetryCounter (RFC 4271 section 8.1.1).
    pub connect_retries: u64,
    /// Prefixes announced by the peer.
    pub prefixes_announced: u64,
    /// Prefixes withdrawn by the peer, or treated as withdrawn.
    pub prefixes_withdrawn: u64,
    /// UPDATEs of which an attribute was discarded (RFC 7606).
    pub updates_with_discard: u64,
    /// UPDATEs that were treated as withdrawals (RFC 7606).
    pub updates_treated_as_withdraw: u64,
    /// Since when the session is Established, or was when it last was.
    pub last_established: Option<Instant>,
    /// The AS number that the peer's last OPEN said, accepted or not.
    pub peer_as: Option<Asn>,
    /// Its BGP Identifier.
    pub peer_router_id: Option<RouterId>,
    /// When the session was made.
    pub created: Instant,
    /// Why the last connection ended: NOTIFICATION code and whether it was ours.
    pub last_reason: Option<(Reason, bool)>,
}

impl Statistics {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            received: MessageCounts::default(),
            sent: MessageCounts::default(),
            established: 0,
            transitions: 0,
            connect_retries: 0,
            prefixes_announced: 0,
            prefixes_withdrawn: 0,
            updates_with_discard: 0,
            updates_treated_as_withdraw: 0,
            last_established: None,
            peer_as: None,
            peer_router_id: None,
            created: now,
            last_reason: None,
        }
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

    pub(crate) fn count_prefixes(&mut self, announced: usize, withdrawn: usize) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.prefixes_announced += count(announced);
        self.prefixes_withdrawn += count(withdrawn);
    }

    pub(crate) fn count_fault(&mut self, treatment: Treatment) {
        match treatment {
            Treatment::Discard => self.updates_with_discard += 1,
            Treatment::Withdraw => self.updates_treated_as_withdraw += 1,
            Treatment::Reset => {}
        }
    }
}
