//! Performs the actions of the state machine's table on the connections of a session.

use std::io;
use std::time::{Duration, Instant};

use bgp_wire::{HoldTime, KEEPALIVE, NotificationBuf, Reason};
use bytes::{Bytes, BytesMut};

use super::Session;
use super::connection::{EventDetails, TcpConnection};
use super::connections::Slot;
use super::ending::silent_close;
use crate::collision::Initiator;
use crate::fsm::{self, Action, Event, State, Transition};
use crate::negotiate::{OpenParameters, our_open};
use crate::output::{DownReason, Output, SessionEvent, SessionId};
use crate::retry::Ending;
use crate::timer::Timer;

impl Session {
    /// Processes one event on one connection. Does nothing if the secondary does not exist.
    #[inline]
    pub(super) fn step(&mut self, now: Instant, slot: Slot, event: Event, details: EventDetails) {
        let (passive, delay_open) = (self.config.passive, self.config.delay_open);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let before = connection.state;
        let transition = fsm::step(before, event, connection.conditions(passive, delay_open));
        if before == State::Established && transition.state == State::Established {
            // Fast path: no state change, so only the table's actions run.
            for action in transition.actions {
                // HoldTimer restarts with every message: skip the dispatch of `perform` and `start_timer`.
                if matches!(action, Action::Start(Timer::Hold)) {
                    self.connections.in_use(slot).restart_hold_timer(now);
                } else {
                    self.perform(now, slot, *action, State::Established, &details);
                }
            }
            return self.clean_up(now);
        }
        self.change_state(now, slot, event, details, (before, transition));
    }

    /// Performs a transition that may change the state.
    fn change_state(
        &mut self,
        now: Instant,
        slot: Slot,
        event: Event,
        details: EventDetails,
        (before, transition): (State, Transition),
    ) {
        let mut sent = None;
        for action in transition.actions {
            sent = self
                .perform(now, slot, *action, transition.state, &details)
                .or(sent);
        }
        // The actions come first: a NOTIFICATION precedes the close of its connection.
        if before != State::Idle && transition.state == State::Idle {
            self.release(now, slot, event, sent, details);
        } else if event == Event::TcpConnectionFails {
            self.lose_tcp_connection(now, slot, details.error);
        }
        self.enter(slot, transition.state, event);
        if before != State::Established && transition.state == State::Established {
            self.establish(now, slot);
        }
        self.clean_up(now);
    }

    /// Changes the state of a connection. Emits an event if it is the session's state.
    pub(super) fn enter(&mut self, slot: Slot, to: State, cause: Event) {
        let connection = self.connections.in_use(slot);
        let from = std::mem::replace(&mut connection.state, to);
        if slot == Slot::Primary {
            self.emit_state(from, to, cause);
        }
    }

    /// Emits and counts a change of the session's state.
    fn emit_state(&mut self, from: State, to: State, cause: Event) {
        if from != to {
            self.statistics.transitions += 1;
            self.emit(SessionEvent::StateChanged { from, to, cause });
        }
    }

    /// Performs one action. Returns the NOTIFICATION that it sent, if any.
    fn perform(
        &mut self,
        now: Instant,
        slot: Slot,
        action: Action,
        next: State,
        details: &EventDetails,
    ) -> Option<NotificationBuf> {
        match action {
            Action::Dial => self.dial(now, slot),
            Action::SendOpen => self.send_open(now, slot),
            Action::SendKeepalive => self.transmit(slot, Bytes::from_static(&KEEPALIVE)),
            Action::Notify(reason) => {
                // RFC 6608 section 3: the data field contains the type of the unexpected message.
                let data = details
                    .message_type
                    .filter(|_| is_unexpected_message(reason));
                return self.send_notification(
                    slot,
                    NotificationBuf {
                        reason,
                        data: data.into_iter().collect(),
                    },
                );
            }
            Action::NotifyCause if details.suppress_notification => {}
            Action::NotifyCause => {
                debug_assert!(
                    details.notification.is_some(),
                    "the event stands for a NOTIFICATION"
                );
                let cease = || NotificationBuf {
                    reason: Reason::ADMINISTRATIVE_SHUTDOWN,
                    data: Vec::new(),
                };
                let notification =
                    self.as_hard_reset(slot, details.notification.clone().unwrap_or_else(cease));
                return self.send_notification(slot, notification);
            }
            // In Active this is the wait for our next dial, not the time that a dial may take.
            Action::Start(Timer::ConnectRetry)
                if next == State::Active && !self.config.passive && slot == Slot::Primary =>
            {
                // RFC 4271 section 8.2.2: only a connection that TCP had made leads here, from OpenSent or with DelayOpen.
                let tcp = self.connections.in_use(slot).tcp;
                let ending = tcp.map_or(Ending::Failed, |tcp| silent_close(now, tcp));
                self.retry.record(ending);
                let wait = self.retry.wait();
                self.start_timer_for(now, slot, Timer::ConnectRetry, wait);
            }
            Action::Start(timer) => self.start_timer(now, slot, timer),
            Action::Stop(timer) => self.connections.in_use(slot).timers.stop(timer),
            Action::Negotiate => {
                debug_assert!(details.negotiated.is_some(), "the OPEN is accepted");
                let connection = self.connections.in_use(slot);
                connection.negotiated.clone_from(&details.negotiated);
            }
            Action::CountRetry => self.statistics.connect_retries += 1,
            Action::ClearRetries => self.statistics.connect_retries = 0,
        }
        None
    }

    /// Sends our OPEN and records its parameters.
    fn send_open(&mut self, now: Instant, slot: Slot) {
        let open_parameters = self.open_parameters(now);
        self.connections.in_use(slot).offered = Some(open_parameters);
        let open = our_open(self.local, &self.config, open_parameters);
        let mut octets = BytesMut::new();
        let encoded = open.encode(&mut octets);
        debug_assert!(
            encoded.is_ok(),
            "the configuration is valid, and its capabilities fit into an OPEN: {encoded:?}"
        );
        if encoded.is_ok() {
            self.transmit(slot, octets.freeze());
        }
    }

    /// Returns the parameters of an OPEN that is sent now.
    pub(super) fn open_parameters(&self, now: Instant) -> OpenParameters {
        OpenParameters {
            hold_time: self.config.hold_time,
            restarted: self.restarted && !self.is_restart_over(now),
            omit_capabilities: self.omit_capabilities,
        }
    }

    /// Returns `true` if our restart ended longer ago than the restart time that our OPEN asks for.
    fn is_restart_over(&self, now: Instant) -> bool {
        // No peer keeps routes for longer, so the R bit has no purpose any more.
        let restart_time = self
            .config
            .restart
            .map_or(Duration::ZERO, |restart| restart.restart_time);
        let elapsed = now.saturating_duration_since(self.statistics.created);
        elapsed > restart_time
    }

    /// Requests a new TCP connection, in place of one that has not been made in time.
    fn dial(&mut self, now: Instant, slot: Slot) {
        let id = self.connections.next_id();
        let tcp = TcpConnection {
            id,
            initiator: Initiator::Local,
            local_address: None,
            since: now,
        };
        let connection = self.connections.in_use(slot);
        if let Some(previous) = connection.tcp.replace(tcp) {
            self.outputs.push_back(Output::Close(previous.id));
            // Without an address it was still a dial: ConnectRetryTimer has expired.
            if previous.local_address.is_none() {
                self.retry.record(Ending::NotConnected);
                self.emit_failed(DownReason::TimedOut);
            }
        }
        self.outputs.push_back(Output::Dial(id));
    }

    /// Sends a message on a connection and counts it.
    fn transmit(&mut self, slot: Slot, octets: Bytes) {
        let Some(tcp) = self.connections.in_use(slot).tcp else {
            debug_assert!(false, "a message needs a TCP connection");
            return;
        };
        self.statistics.count_sent(&octets);
        self.outputs.push_back(Output::Transmit(tcp.id, octets));
    }

    /// Sends a NOTIFICATION and returns it, or returns `None` if TCP has not connected.
    fn send_notification(
        &mut self,
        slot: Slot,
        notification: NotificationBuf,
    ) -> Option<NotificationBuf> {
        if !self.connections.in_use(slot).is_connected() {
            return None;
        }
        let mut octets = BytesMut::new();
        notification.encode(&mut octets);
        self.transmit(slot, octets.freeze());
        Some(notification)
    }

    /// Wraps a final NOTIFICATION into a Hard Reset if the peer negotiated RFC 8538.
    ///
    /// Other NOTIFICATIONs leave the peer's routes in place there, as both sides expect the session to return (section
    /// 3.1).
    fn as_hard_reset(&mut self, slot: Slot, notification: NotificationBuf) -> NotificationBuf {
        let negotiated = self.connections.in_use(slot).negotiated.as_ref();
        let peer_keeps_routes = negotiated
            .and_then(|negotiated| negotiated.restart.as_ref())
            .is_some_and(|restart| restart.notification);
        match notification.reason {
            Reason::MAXIMUM_PREFIXES_REACHED
            | Reason::ADMINISTRATIVE_SHUTDOWN
            | Reason::PEER_DECONFIGURED
                if peer_keeps_routes =>
            {
                notification.into_hard_reset()
            }
            _ => notification,
        }
    }

    /// Starts a timer with its configured or negotiated time. With a hold time of 0, HoldTimer and KeepaliveTimer are
    /// stopped.
    pub(super) fn start_timer(&mut self, now: Instant, slot: Slot, timer: Timer) {
        let connection = self.connections.in_use(slot);
        let is_unconfirmed = connection.state < State::OpenConfirm;
        let negotiated = connection
            .negotiated
            .as_ref()
            .map(|negotiated| (negotiated.hold_time, negotiated.keepalive));
        debug_assert!(
            negotiated.is_some() || !matches!(timer, Timer::Keepalive | Timer::SendHold),
            "{timer:?} runs on a negotiated time"
        );
        let time = match timer {
            // A passive session never dials: the timer only runs.
            Timer::ConnectRetry if self.config.passive => PASSIVE_CONNECT_RETRY,
            Timer::ConnectRetry => self.retry.connect_timeout(),
            Timer::Hold => match negotiated {
                // RFC 4271 section 8.2.2 runs no timer here: a peer that loses power before its KEEPALIVE would block
                // us forever.
                Some((HoldTime::ZERO, _)) if is_unconfirmed => self.open_timeout(slot),
                Some((hold_time, _)) => hold_time.duration(),
                None => self.open_timeout(slot),
            },
            Timer::Keepalive => {
                let interval = negotiated.map_or(Duration::ZERO, |(_, keepalive)| keepalive);
                self.retry.jitter(interval)
            }
            Timer::SendHold => {
                let hold_time = negotiated.map_or(HoldTime::ZERO, |(hold_time, _)| hold_time);
                self.config.send_hold(hold_time)
            }
            Timer::DelayOpen => {
                debug_assert!(self.config.delay_open.is_some(), "DelayOpen is on");
                let time = self.config.delay_open.unwrap_or_default();
                self.retry.jitter(time)
            }
            Timer::IdleHold => self.retry.wait(),
        };
        if time.is_zero() && matches!(timer, Timer::Hold | Timer::Keepalive) {
            self.connections.in_use(slot).timers.stop(timer);
        } else {
            self.start_timer_for(now, slot, timer, time);
        }
    }

    /// Returns how long to wait for the peer's OPEN.
    fn open_timeout(&mut self, slot: Slot) -> Duration {
        let tcp = self.connections.in_use(slot).tcp;
        debug_assert!(tcp.is_some(), "an OPEN needs a TCP connection");
        // An incoming connection may be from a stranger at the peer's address, and only one is held.
        match tcp.map(|tcp| tcp.initiator) {
            Some(Initiator::Remote) => ACCEPTED_OPEN_TIMEOUT,
            Some(Initiator::Local) | None => OPEN_TIMEOUT,
        }
    }

    /// Starts a timer that expires after `time`.
    fn start_timer_for(&mut self, now: Instant, slot: Slot, timer: Timer, time: Duration) {
        let timers = &mut self.connections.in_use(slot).timers;
        timers.start(timer, now + time);
    }

    /// Releases the resources of a connection that enters Idle, and emits the reason.
    fn release(
        &mut self,
        now: Instant,
        slot: Slot,
        event: Event,
        sent: Option<NotificationBuf>,
        details: EventDetails,
    ) {
        let connection = self.connections.in_use(slot);
        connection.timers.stop_all();
        connection.offered = None;
        let negotiated = connection.negotiated.take();
        let Some(tcp) = connection.tcp.take() else {
            return;
        };
        let closed = connection.closed(tcp, details.error);
        self.outputs.push_back(Output::Close(tcp.id));
        let received = matches!(event, Event::NotifMsg | Event::NotifMsgVerErr);
        let reason = match (sent, details.notification) {
            (None, _) if details.suppress_notification => DownReason::Restarting,
            (Some(sent), _) if event == Event::ManualStop => DownReason::Stopped(sent),
            (Some(sent), _) => DownReason::Local(sent),
            (None, Some(notification)) if received => DownReason::Remote(notification),
            (None, _) => closed,
        };
        let is_silent = reason.notification().is_none();
        // A collision keeps the session alive on the other connection; an operator who ends a dial knows.
        let is_expected = event == Event::OpenCollisionDump
            || (event == Event::ManualStop && is_silent && reason != DownReason::Restarting)
            || self.is_collision_resolved_by_peer(slot, &reason);
        match slot {
            _ if is_expected => {}
            Slot::Primary => {
                self.record_ending(now, event, tcp, &reason);
                self.emit_down(now, reason, negotiated.as_deref());
            }
            Slot::Secondary => self.emit_failed(reason),
        }
    }

    /// Returns `true` if the peer has ended a connection because it keeps the other one (RFC 4271 section 6.8).
    fn is_collision_resolved_by_peer(&self, slot: Slot, reason: &DownReason) -> bool {
        let is_resolution = matches!(reason, DownReason::Remote(notification)
            if notification.reason == Reason::CONNECTION_COLLISION_RESOLUTION);
        // The NOTIFICATION cannot be about the connection of an Established session, which wins every collision.
        let is_spare = slot == Slot::Secondary || self.established.is_none();
        is_resolution && is_spare && self.connections.other(slot).is_some()
    }

    /// Drops a TCP connection that has ended in a state that waits for another.
    fn lose_tcp_connection(&mut self, now: Instant, slot: Slot, error: Option<io::ErrorKind>) {
        let connection = self.connections.in_use(slot);
        connection.offered = None;
        let negotiated = connection.negotiated.take();
        debug_assert!(connection.tcp.is_some(), "a TCP connection was lost");
        if let Some(tcp) = connection.tcp.take() {
            let reason = connection.closed(tcp, error);
            self.outputs.push_back(Output::Close(tcp.id));
            if slot == Slot::Primary {
                self.emit_down(now, reason, negotiated.as_deref());
            }
        }
    }

    /// Completes the transition to Established: drops the other connection and emits `Up`.
    fn establish(&mut self, now: Instant, slot: Slot) {
        self.step(
            now,
            slot.other(),
            Event::OpenCollisionDump,
            EventDetails::default(),
        );
        // The step has moved an Established secondary into the place of the primary.
        let Some(negotiated) = self.connections.primary.negotiated.clone() else {
            debug_assert!(false, "an Established connection has negotiated");
            return;
        };
        self.restarted = false;
        let stale_time = self
            .config
            .restart
            .map_or(Duration::ZERO, |restart| restart.stale_time);
        let discarded = self
            .retention
            .peer_returned(now, negotiated.restart.as_ref(), stale_time);
        self.emit_stale_routes_gone(discarded);
        self.has_reported_path_ids = false;
        self.reported_unusable.clear();
        self.sessions += 1;
        let session = SessionId(self.sessions);
        self.established = Some((session, now));
        self.statistics.established += 1;
        self.statistics.last_established = Some(now);
        self.emit(SessionEvent::Up {
            session,
            negotiated,
        });
    }

    /// Drops an unused secondary, promotes one if the primary is unused, and starts IdleHoldTimer if the session waits
    /// in Idle.
    #[inline]
    fn clean_up(&mut self, now: Instant) {
        // Most steps are on a lone Established connection, which needs none of this.
        if self.connections.secondary.is_some()
            || self.connections.primary.state != State::Established
        {
            self.clean_up_slots(now);
        }
    }

    /// Does the work of [`Self::clean_up`]; apart, so that the check is inlined.
    fn clean_up_slots(&mut self, now: Instant) {
        self.connections.drop_unused_secondary();
        if let Some((from, to)) = self.connections.promote() {
            self.emit_state(from, to, Event::TcpConnected);
        }
        // IdleHoldTimer restarts the session (DampPeerOscillations); only an operator's stop leaves it in Idle.
        let primary = &self.connections.primary;
        let waits = primary.timers.deadline(Timer::IdleHold).is_some();
        if primary.state == State::Idle && self.enabled && !waits {
            self.start_timer(now, Slot::Primary, Timer::IdleHold);
        }
    }
}

/// Returns `true` for the subcodes that RFC 6608 adds.
fn is_unexpected_message(reason: Reason) -> bool {
    reason.code == Reason::FINITE_STATE_MACHINE_ERROR.code && reason.subcode != 0
}

/// Hold time before the OPENs negotiate one (RFC 4271 section 8.2.2 suggests 4 minutes).
const OPEN_TIMEOUT: Duration = Duration::from_secs(240);

/// ConnectRetryTime of a passive session.
const PASSIVE_CONNECT_RETRY: Duration = Duration::from_secs(30);

/// Hold time before the OPEN of a connection that the peer made.
const ACCEPTED_OPEN_TIMEOUT: Duration = Duration::from_secs(30);
