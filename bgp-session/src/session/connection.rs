//! One TCP connection to the peer, or the place for one: its state, its timers, what it has agreed on.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_wire::{MessageLimit, NotificationBuf};

use crate::collision::Initiator;
use crate::fsm::{Conditions, State};
use crate::negotiate::{Mood, Negotiated};
use crate::output::ConnectionId;
use crate::timer::{Timer, Timers};

/// An instance of the state machine (RFC 4271 section 8: one for each connection).
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) timers: Timers,
    /// The TCP connection, if there is one or one is being made.
    pub(super) transport: Option<Transport>,
    /// What our OPEN said, once it is sent.
    pub(super) offered: Option<Mood>,
    /// What the peer's OPEN said, once it is accepted.
    pub(super) negotiated: Option<Arc<Negotiated>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Transport {
    pub(super) id: ConnectionId,
    pub(super) initiator: Initiator,
    /// Our address, once it is connected.
    pub(super) local_address: Option<IpAddr>,
    /// When it was connected, or began to be.
    pub(super) since: Instant,
}

impl Transport {
    /// Whether an OPEN may still be on its way to us.
    pub(super) fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < YOUNG
    }
}

impl Connection {
    pub(super) fn idle() -> Self {
        Self {
            state: State::Idle,
            timers: Timers::default(),
            transport: None,
            offered: None,
            negotiated: None,
        }
    }

    pub(super) fn is(&self, id: ConnectionId) -> bool {
        self.transport.is_some_and(|transport| transport.id == id)
    }

    /// Whether there is a TCP connection, not only a dial.
    pub(super) fn is_connected(&self) -> bool {
        self.transport
            .is_some_and(|transport| transport.local_address.is_some())
    }

    pub(super) fn conditions(&self, passive: bool, delay_open: Option<Duration>) -> Conditions {
        Conditions {
            passive,
            delay_open: delay_open.is_some(),
            delay_open_running: self.timers.deadline(Timer::DelayOpen).is_some(),
        }
    }

    pub(super) fn message_limit(&self) -> MessageLimit {
        self.negotiated
            .as_ref()
            .map_or(MessageLimit::Standard, |negotiated| {
                negotiated.context.message_limit()
            })
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }
}

/// What came with an event: what it is about.
#[derive(Debug, Default)]
pub(super) struct Cause {
    /// The NOTIFICATION that the event stands for, received or to be sent.
    pub(super) notification: Option<NotificationBuf>,
    /// The type of the message that did not fit (RFC 6608).
    pub(super) message_type: Option<u8>,
    /// What an accepted OPEN agrees on.
    pub(super) negotiated: Option<Arc<Negotiated>>,
    /// The operator ends the session for a restart, over which the peer keeps our routes: no NOTIFICATION.
    pub(super) silent: bool,
}

/// How long the OPEN of a peer that is there takes at the most.
const YOUNG: Duration = Duration::from_secs(5);
