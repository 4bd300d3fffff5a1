//! One instance of the state machine: its state, its timers, its TCP connection, and what was negotiated on it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_wire::{HoldTime, MessageLimit, NotificationBuf};

use crate::collision::Initiator;
use crate::fsm::{Conditions, State};
use crate::negotiate::{Negotiated, OpenParameters};
use crate::output::{ConnectionId, DownReason};
use crate::timer::{Timer, Timers};

/// An instance of the state machine. RFC 4271 section 8 requires one for each connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) timers: Timers,
    /// The TCP connection, or the dial that is to make it.
    pub(super) tcp: Option<TcpConnection>,
    /// The parameters of the OPEN that we sent. The configuration may change before the peer's OPEN arrives.
    pub(super) offered: Option<OpenParameters>,
    /// The parameters that the peer's OPEN and ours agree on; `None` before that OPEN is accepted.
    pub(super) negotiated: Option<Arc<Negotiated>>,
}

/// A TCP connection, or a dial.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpConnection {
    pub(super) id: ConnectionId,
    pub(super) initiator: Initiator,
    /// Our address; `None` while we dial.
    pub(super) local_address: Option<IpAddr>,
    /// The time at which it was connected, or at which we dialled.
    pub(super) since: Instant,
}

impl TcpConnection {
    /// Returns `true` if TCP has connected it, and `false` for a dial.
    pub(super) fn is_connected(&self) -> bool {
        self.local_address.is_some()
    }

    /// Returns `true` if the peer's OPEN may still be in transit.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < MAX_OPEN_DELAY
    }
}

impl Connection {
    /// Restarts HoldTimer of an Established connection.
    #[inline]
    pub(super) fn restart_hold_timer(&mut self, now: Instant) {
        debug_assert_eq!(
            self.state,
            State::Established,
            "the hold time is negotiated"
        );
        // With a hold time of 0 the timer has been stopped by the transition to Established.
        if let Some(negotiated) = &self.negotiated
            && negotiated.hold_time != HoldTime::ZERO
        {
            self.timers
                .start(Timer::Hold, now + negotiated.hold_time.duration());
        }
    }

    /// Creates an instance in Idle without a TCP connection.
    pub(super) fn idle() -> Self {
        Self {
            state: State::Idle,
            timers: Timers::default(),
            tcp: None,
            offered: None,
            negotiated: None,
        }
    }

    /// Returns `true` if its TCP connection has this identifier.
    pub(super) fn has_id(&self, id: ConnectionId) -> bool {
        self.tcp.is_some_and(|tcp| tcp.id == id)
    }

    /// Returns `true` if it has a TCP connection, and not only a dial.
    pub(super) fn is_connected(&self) -> bool {
        self.tcp.is_some_and(|tcp| tcp.is_connected())
    }

    /// Returns the conditions on which the rows of the table depend.
    pub(super) fn conditions(&self, passive: bool, delay_open: Option<Duration>) -> Conditions {
        Conditions {
            passive,
            delay_open: delay_open.is_some(),
            // Events 19 and 20 differ only in this timer (RFC 4271 section 8.1.5).
            delay_open_running: self.timers.deadline(Timer::DelayOpen).is_some(),
        }
    }

    /// Returns the limit for received messages.
    pub(super) fn message_limit(&self) -> MessageLimit {
        self.negotiated
            .as_ref()
            // RFC 8654 section 4: an OPEN is limited to 4,096 octets; the longer limit holds once it is negotiated.
            .map_or(MessageLimit::Standard, |negotiated| {
                negotiated.context.message_limit()
            })
    }

    /// Returns the reason for the end of its TCP connection, or of the dial, without a NOTIFICATION.
    pub(super) fn closed(&self, tcp: TcpConnection, error: Option<io::ErrorKind>) -> DownReason {
        if tcp.is_connected() {
            let state = self.state;
            DownReason::Closed { state, error }
        } else {
            DownReason::ConnectFailed { error }
        }
    }

    /// Returns the earliest deadline of its timers.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }
}

/// The data of an event: the messages and parameters that its actions need.
#[derive(Debug, Default)]
pub(super) struct EventDetails {
    /// The received NOTIFICATION, or the one that `Action::NotifyCause` sends.
    pub(super) notification: Option<NotificationBuf>,
    /// The type of the received message; RFC 6608 section 3 reports it if the state does not expect it.
    pub(super) message_type: Option<u8>,
    /// The parameters that an accepted OPEN and ours agree on.
    pub(super) negotiated: Option<Arc<Negotiated>>,
    /// `true` for a planned restart over which the peer keeps our routes: a NOTIFICATION would end that (RFC 4724
    /// section 4.1).
    pub(super) suppress_notification: bool,
    /// The error of the operating system that ended the connection.
    pub(super) error: Option<io::ErrorKind>,
}

/// Maximum delay of the OPEN of a live peer.
// RFC 4271 section 8.2.2: without DelayOpen a speaker sends its OPEN as soon as TCP connects.
const MAX_OPEN_DELAY: Duration = Duration::from_secs(5);
