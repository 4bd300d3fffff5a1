//! Performing what the table of the state machine asks for.

use std::time::{Duration, Instant};

use bgp_wire::{HoldTime, KEEPALIVE, NotificationBuf, Reason};
use bytes::{Bytes, BytesMut};

use super::Session;
use super::connection::{Cause, Transport};
use super::connections::Slot;
use crate::collision::Initiator;
use crate::fsm::{self, Action, Event, State, Transition};
use crate::negotiate::{Mood, our_open};
use crate::output::{DownReason, Output, SessionEvent, SessionId};
use crate::timer::Timer;

impl Session {
    /// One event on one connection.
    #[inline]
    pub(super) fn step(&mut self, now: Instant, slot: Slot, event: Event, cause: Cause) {
        let (passive, delay_open) = (self.config.passive, self.config.delay_open);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let before = connection.state;
        let transition = fsm::step(before, event, connection.conditions(passive, delay_open));
        if before == State::Established && transition.state == State::Established {
            // Nearly all that ever happens: nothing but what the table says.
            for action in transition.actions {
                if let Action::Start(timer) = action {
                    self.start_timer(now, slot, *timer);
                } else {
                    self.perform(now, slot, *action, State::Established, &cause);
                }
            }
            return self.tidy(now);
        }
        self.change(now, slot, event, cause, (before, transition));
    }

    /// The rest of [`Self::step`], where the state may change.
    fn change(
        &mut self,
        now: Instant,
        slot: Slot,
        event: Event,
        cause: Cause,
        (before, transition): (State, Transition),
    ) {
        let mut sent = None;
        for action in transition.actions {
            sent = self
                .perform(now, slot, *action, transition.state, &cause)
                .or(sent);
        }
        if before != State::Idle && transition.state == State::Idle {
            self.release(now, slot, event, sent, cause);
        } else if event == Event::TcpConnectionFails {
            self.lose_transport(now, slot);
        }
        self.enter(slot, transition.state, event);
        if before != State::Established && transition.state == State::Established {
            self.establish(now, slot);
        }
        self.tidy(now);
    }

    /// Changes the state, and says so if it is the session's.
    pub(super) fn enter(&mut self, slot: Slot, to: State, cause: Event) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let from = std::mem::replace(&mut connection.state, to);
        if slot == Slot::Primary {
            self.emit_state(from, to, cause);
        }
    }

    fn emit_state(&mut self, from: State, to: State, cause: Event) {
        if from != to {
            self.statistics.transitions += 1;
            self.emit(SessionEvent::StateChanged { from, to, cause });
        }
    }

    /// Performs one action; the NOTIFICATION that was sent, if one was.
    fn perform(
        &mut self,
        now: Instant,
        slot: Slot,
        action: Action,
        next: State,
        cause: &Cause,
    ) -> Option<NotificationBuf> {
        match action {
            Action::Dial => self.dial(now, slot),
            Action::SendOpen => self.open(now, slot),
            Action::SendKeepalive => self.transmit(slot, Bytes::from_static(&KEEPALIVE)),
            Action::Notify(reason) => {
                // RFC 6608 section 3: Data is the type of the message that did not fit.
                let data = cause.message_type.filter(|_| is_unexpected_message(reason));
                return self.notify(
                    slot,
                    NotificationBuf {
                        reason,
                        data: data.into_iter().collect(),
                    },
                );
            }
            Action::NotifyCause if cause.silent => {}
            Action::NotifyCause => {
                let cease = || NotificationBuf {
                    reason: Reason::ADMINISTRATIVE_SHUTDOWN,
                    data: Vec::new(),
                };
                let notification = cause.notification.clone().unwrap_or_else(cease);
                let notification = self.in_earnest(slot, notification);
                return self.notify(slot, notification);
            }
            Action::Start(Timer::ConnectRetry)
                if next == State::Active && !self.config.passive && slot == Slot::Primary =>
            {
                let wait = self.backoff.next_wait();
                self.start_timer_for(now, slot, Timer::ConnectRetry, wait);
            }
            Action::Start(timer) => self.start_timer(now, slot, timer),
            Action::Stop(timer) => {
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.timers.stop(timer);
                }
            }
            Action::Negotiate => {
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.negotiated.clone_from(&cause.negotiated);
                }
            }
            Action::CountRetry => self.statistics.connect_retries += 1,
            Action::ClearRetries => self.statistics.connect_retries = 0,
        }
        None
    }

    fn open(&mut self, now: Instant, slot: Slot) {
        let mood = self.mood(now);
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.offered = Some(mood);
        }
        let mut octets = BytesMut::new();
        // An OPEN of a few families and capabilities always fits.
        if our_open(self.local, &self.config, mood)
            .encode(&mut octets)
            .is_ok()
        {
            self.transmit(slot, octets.freeze());
        }
    }

    /// What our OPEN says beside the rest of the configuration, if it is sent now.
    pub(super) fn mood(&self, now: Instant) -> Mood {
        Mood {
            hold_time: self.config.hold_time,
            restarted: self.restarted && !self.is_settled(now),
            plain: self.plain,
        }
    }

    /// Whether a restart before this session was made is over: no peer keeps routes for longer than we have asked for.
    fn is_settled(&self, now: Instant) -> bool {
        let asked = self
            .config
            .restart
            .map_or(0, |restart| restart.restart_time);
        let since = now.saturating_duration_since(self.statistics.created);
        since > Duration::from_secs(asked.into())
    }

    fn dial(&mut self, now: Instant, slot: Slot) {
        let id = self.connections.next_id();
        let transport = Transport {
            id,
            initiator: Initiator::Local,
            local_address: None,
            since: now,
        };
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if let Some(previous) = connection.transport.replace(transport) {
            self.outputs.push_back(Output::Close(previous.id));
            if previous.local_address.is_none() {
                self.emit_failed(DownReason::TimedOut);
            }
        }
        self.outputs.push_back(Output::Dial(id));
    }

    fn transmit(&mut self, slot: Slot, octets: Bytes) {
        let Some(transport) = self
            .connections
            .get_mut(slot)
            .and_then(|connection| connection.transport)
        else {
            return;
        };
        self.statistics.count_sent(&octets);
        self.outputs
            .push_back(Output::Transmit(transport.id, octets));
    }

    fn notify(&mut self, slot: Slot, notification: NotificationBuf) -> Option<NotificationBuf> {
        if !self
            .connections
            .get_mut(slot)
            .is_some_and(|connection| connection.is_connected())
        {
            return None;
        }
        let mut octets = BytesMut::new();
        notification.encode(&mut octets);
        self.transmit(slot, octets.freeze());
        Some(notification)
    }

    /// What ends a session for good, to a peer that keeps routes after a NOTIFICATION: a Hard Reset (RFC 8538 section 3.1).
    fn in_earnest(&mut self, slot: Slot, notification: NotificationBuf) -> NotificationBuf {
        let keeps = self
            .connections
            .get_mut(slot)
            .and_then(|connection| connection.negotiated.as_ref()?.restart.as_ref())
            .is_some_and(|restart| restart.notification);
        match notification.reason {
            Reason::MAXIMUM_PREFIXES_REACHED
            | Reason::ADMINISTRATIVE_SHUTDOWN
            | Reason::PEER_DECONFIGURED
                if keeps =>
            {
                notification.into_hard_reset()
            }
            _ => notification,
        }
    }

    /// Starts a timer with the time that is its own. HoldTimer and KeepaliveTimer stay off with a hold time of 0.
    pub(super) fn start_timer(&mut self, now: Instant, slot: Slot, timer: Timer) {
        let connection = self.connections.get_mut(slot);
        let confirming = connection
            .as_ref()
            .is_some_and(|connection| connection.state < State::OpenConfirm);
        let negotiated = connection
            .and_then(|connection| connection.negotiated.as_ref())
            .map(|negotiated| (negotiated.hold_time, negotiated.keepalive));
        let time = match timer {
            Timer::ConnectRetry => self.backoff.jitter(self.config.connect_retry),
            Timer::Hold => match negotiated {
                // With a hold time of 0 the peer is given as long to confirm our OPEN as it had for its own.
                Some((HoldTime::ZERO, _)) if confirming => self.time_for_open(slot),
                Some((hold_time, _)) => hold_time.duration(),
                None => self.time_for_open(slot),
            },
            Timer::Keepalive => {
                let interval = negotiated.map_or(Duration::ZERO, |(_, keepalive)| keepalive);
                self.backoff.jitter(interval)
            }
            Timer::SendHold => {
                let hold_time = negotiated.map_or(HoldTime::ZERO, |(hold_time, _)| hold_time);
                self.config.send_hold(hold_time)
            }
            Timer::DelayOpen => {
                let time = self.config.delay_open.unwrap_or_default();
                self.backoff.jitter(time)
            }
            Timer::IdleHold => self.backoff.next_wait(),
        };
        if time.is_zero() && matches!(timer, Timer::Hold | Timer::Keepalive) {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.timers.stop(timer);
            }
        } else {
            self.start_timer_for(now, slot, timer, time);
        }
    }

    /// How long the peer's OPEN may take. Who has connected to us may be anybody, and is given less time.
    fn time_for_open(&mut self, slot: Slot) -> Duration {
        let transport = self
            .connections
            .get_mut(slot)
            .and_then(|connection| connection.transport);
        match transport.map(|transport| transport.initiator) {
            Some(Initiator::Remote) => ACCEPTED_HOLD_TIME,
            Some(Initiator::Local) | None => LARGE_HOLD_TIME,
        }
    }

    fn start_timer_for(&mut self, now: Instant, slot: Slot, timer: Timer, time: Duration) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.timers.start(timer, now + time);
        }
    }

    /// Entering Idle: stops the timers, closes the connection, says who ended it.
    fn release(
        &mut self,
        now: Instant,
        slot: Slot,
        event: Event,
        sent: Option<NotificationBuf>,
        cause: Cause,
    ) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.timers.stop_all();
        connection.offered = None;
        let negotiated = connection.negotiated.take();
        let Some(transport) = connection.transport.take() else {
            return;
        };
        self.outputs.push_back(Output::Close(transport.id));
        let received = matches!(event, Event::NotifMsg | Event::NotifMsgVerErr);
        let reason = match (sent, cause.notification) {
            (None, _) if cause.silent => DownReason::Restarting,
            (Some(sent), _) if event == Event::ManualStop => DownReason::Stopped(sent),
            (Some(sent), _) => DownReason::Local(sent),
            (None, Some(notification)) if received => DownReason::Remote(notification),
            (None, _) => DownReason::Closed,
        };
        // What another connection is kept in place of, and a dial that the operator ends, is no failure.
        let wanted = event == Event::OpenCollisionDump
            || (event == Event::ManualStop && reason == DownReason::Closed);
        match slot {
            _ if wanted => {}
            Slot::Primary => {
                self.admits_in_idle = reason == DownReason::Closed;
                self.emit_down(now, reason, negotiated.as_deref());
            }
            Slot::Secondary => self.emit_failed(reason),
        }
    }

    /// The TCP connection has ended but the state is not Idle: waits for another.
    fn lose_transport(&mut self, now: Instant, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.offered = None;
        let negotiated = connection.negotiated.take();
        if let Some(transport) = connection.transport.take() {
            self.outputs.push_back(Output::Close(transport.id));
            if slot == Slot::Primary {
                self.emit_down(now, DownReason::Closed, negotiated.as_deref());
            }
        }
    }

    /// One connection is Established: the other one goes.
    fn establish(&mut self, now: Instant, slot: Slot) {
        self.step(
            now,
            slot.other(),
            Event::OpenCollisionDump,
            Cause::default(),
        );
        // If the primary went, the secondary is in its place now.
        let Some(negotiated) = self.connections.primary.negotiated.clone() else {
            return;
        };
        self.restarted = false;
        let stale_time = self
            .config
            .restart
            .map_or(Duration::ZERO, |restart| restart.stale_time);
        let lost = self
            .retention
            .returned(now, negotiated.restart.as_ref(), stale_time);
        self.emit_gone(lost);
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

    /// Drops a secondary that has no connection, puts one into the place of a primary that has none, and lets a
    /// session that has ended wait for its next start.
    #[inline]
    fn tidy(&mut self, now: Instant) {
        if self.connections.secondary.is_some()
            || self.connections.primary.state != State::Established
        {
            self.tidy_up(now);
        }
    }

    fn tidy_up(&mut self, now: Instant) {
        self.connections.drop_unused_secondary();
        if let Some((from, to)) = self.connections.promote() {
            self.emit_state(from, to, Event::TcpConnected);
        }
        let primary = &self.connections.primary;
        let waits = primary.timers.deadline(Timer::IdleHold).is_some();
        if primary.state == State::Idle && self.enabled && !waits {
            self.start_timer(now, Slot::Primary, Timer::IdleHold);
        }
    }
}

fn is_unexpected_message(reason: Reason) -> bool {
    reason.code == Reason::FINITE_STATE_MACHINE_ERROR.code && reason.subcode != 0
}

/// The hold time until the peer's OPEN says another (RFC 4271 section 8.2.2 suggests 4 minutes).
const LARGE_HOLD_TIME: Duration = Duration::from_secs(240);

/// The same for a connection that we have accepted.
const ACCEPTED_HOLD_TIME: Duration = Duration::from_secs(30);
