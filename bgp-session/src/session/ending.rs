//! The end of the primary connection: the wait before the next dial, and whether the peer may end that wait.

use std::time::Instant;

use bgp_wire::Reason;

use super::Session;
use super::connection::TcpConnection;
use crate::output::DownReason;
use crate::retry::Ending;

impl Session {
    /// Records the reason for which the primary connection has ended and the session waits in Idle.
    pub(super) fn record_ending(&mut self, now: Instant, tcp: TcpConnection, reason: &DownReason) {
        // Closed in silence: the peer may be restarting, and connects to us when it is up.
        self.accept_in_idle = *reason == DownReason::Closed;
        let ending = self.ending(now, tcp, reason);
        self.retry.record(ending);
    }

    fn ending(&self, now: Instant, tcp: TcpConnection, reason: &DownReason) -> Ending {
        if !tcp.is_connected() {
            return Ending::NotConnected;
        }
        // The peer announces the same routes again: retrying fails until an operator raises the limit.
        if is_prefix_limit_exceeded(reason) {
            return Ending::Futile;
        }
        match self.established {
            Some((_, since)) => Ending::SessionEnded {
                lasted: now.saturating_duration_since(since),
            },
            None => Ending::Failed,
        }
    }
}

/// Returns `true` if we ended the session because the peer exceeded its prefix limit.
fn is_prefix_limit_exceeded(reason: &DownReason) -> bool {
    let DownReason::Local(notification) = reason else {
        return false;
    };
    // RFC 8538 section 3.1: a Hard Reset has the original code and subcode in its data.
    let Reason { code, subcode } = Reason::MAXIMUM_PREFIXES_REACHED;
    notification.reason == Reason::MAXIMUM_PREFIXES_REACHED
        || (notification.reason == Reason::HARD_RESET
            && notification.data.starts_with(&[code, subcode]))
}
