//! The end of the primary connection: the wait before the next dial, and whether the peer may end that wait.

use std::time::Instant;

use bgp_wire::{NotificationBuf, Reason};

use super::Session;
use super::connection::TcpConnection;
use crate::collision::Initiator;
use crate::fsm::Event;
use crate::output::DownReason;
use crate::retry::Ending;

impl Session {
    /// Records the reason for which the primary connection has ended and the session waits in Idle.
    pub(super) fn record_ending(
        &mut self,
        now: Instant,
        event: Event,
        tcp: TcpConnection,
        reason: &DownReason,
    ) {
        self.accept_in_idle = accepts_in_idle(reason);
        let ending = self.ending(now, event, tcp, reason);
        self.retry.record(ending);
    }

    fn ending(
        &self,
        now: Instant,
        event: Event,
        tcp: TcpConnection,
        reason: &DownReason,
    ) -> Ending {
        if !tcp.is_connected() {
            return Ending::NotConnected;
        }
        // The same routes are announced again, or the same AS number: retrying fails until an operator changes one side.
        if is_prefix_limit_exceeded(reason) || is_bad_as(reason) {
            return Ending::Futile;
        }
        match self.established {
            Some((_, since)) => Ending::SessionEnded {
                lasted: now.saturating_duration_since(since),
            },
            None if event == Event::TcpConnectionFails => silent_close(now, tcp),
            None => Ending::Failed,
        }
    }
}

/// Returns the ending of a TCP connection that the peer has closed without a NOTIFICATION.
pub(super) fn silent_close(now: Instant, tcp: TcpConnection) -> Ending {
    match tcp.initiator {
        Initiator::Local => Ending::ClosedSilently {
            after: now.saturating_duration_since(tcp.since),
        },
        // A router that accepts nothing yet does not connect itself.
        Initiator::Remote => Ending::Failed,
    }
}

/// Returns `true` if the peer may connect before our wait is over: its connection was lost or ended in good order, so that
/// it may be restarting, or an operator may have fixed its AS number. After another error the wait also holds off the peer
/// (DampPeerOscillations).
fn accepts_in_idle(reason: &DownReason) -> bool {
    match reason {
        DownReason::ConnectFailed { .. } | DownReason::Closed { .. } | DownReason::TimedOut => true,
        // A Hard Reset is a Cease as well (RFC 8538 section 3).
        DownReason::Remote(notification) if notification.reason.code == CEASE => true,
        DownReason::Remote(_) | DownReason::Local(_) => {
            is_hold_timer_expired(reason) || is_bad_as(reason)
        }
        DownReason::Stopped(_) | DownReason::Restarting => false,
    }
}

/// Returns `true` if one side has not heard the other in time, as happens when a link or a machine fails.
fn is_hold_timer_expired(reason: &DownReason) -> bool {
    failure(reason).is_some_and(|failure| failure.reason == Reason::HOLD_TIMER_EXPIRED)
}

/// Returns `true` if one side does not accept the AS number of the other.
fn is_bad_as(reason: &DownReason) -> bool {
    failure(reason).is_some_and(|failure| failure.reason == Reason::BAD_PEER_AS)
}

/// Returns the NOTIFICATION of a connection that one of the sessions has ended, or `None`.
fn failure(reason: &DownReason) -> Option<&NotificationBuf> {
    match reason {
        DownReason::Local(notification) | DownReason::Remote(notification) => Some(notification),
        DownReason::ConnectFailed { .. }
        | DownReason::Closed { .. }
        | DownReason::TimedOut
        | DownReason::Stopped(_)
        | DownReason::Restarting => None,
    }
}

/// Returns `true` if one side ended the session because the other exceeded its prefix limit.
fn is_prefix_limit_exceeded(reason: &DownReason) -> bool {
    let Some(notification) = failure(reason) else {
        return false;
    };
    // RFC 8538 section 3.1: a Hard Reset has the original code and subcode in its data.
    let Reason { code, subcode } = Reason::MAXIMUM_PREFIXES_REACHED;
    notification.reason == Reason::MAXIMUM_PREFIXES_REACHED
        || (notification.reason == Reason::HARD_RESET
            && notification.data.starts_with(&[code, subcode]))
}

/// The error code Cease (RFC 4486).
const CEASE: u8 = Reason::HARD_RESET.code;
