//! The rows of the state machine: one function a state, as in RFC 4271 section 8.2.2.
//!
//! Against the letter of the RFC:
//! - A NOTIFICATION is never answered by one (section 6.4), in OpenSent either.
//! - A header fault in Established is answered by its own code (section 6.1), not by a Finite State Machine Error.
//! - A passive peer does not dial when its ConnectRetryTimer expires, as PassiveTcpEstablishment is understood today.
//! - Unexpected messages are named by the subcodes of RFC 6608.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the RFC's rows end with: any other event"
)]

use bgp_wire::Reason;

use super::Action::{
    ClearRetries, CountRetry, Dial, Negotiate, Notify, NotifyCause, SendKeepalive, SendOpen, Start,
    Stop,
};
use super::State::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};
use super::{Action, Conditions, Event, State, Transition};
use crate::timer::Timer;

const fn to(state: State, actions: &'static [Action]) -> Transition {
    Transition { state, actions }
}

const fn stay(state: State) -> Transition {
    to(state, &[])
}

pub(super) fn idle(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart if conditions.passive => {
            to(Active, &[ClearRetries, Start(Timer::ConnectRetry)])
        }
        Event::ManualStart => to(Connect, &[ClearRetries, Start(Timer::ConnectRetry), Dial]),
        // With damping the counter outlives the start that it delays.
        Event::AutomaticStart | Event::TimerExpires(Timer::IdleHold) if conditions.passive => {
            to(Active, &[Start(Timer::ConnectRetry)])
        }
        Event::AutomaticStart | Event::TimerExpires(Timer::IdleHold) => {
            to(Connect, &[Start(Timer::ConnectRetry), Dial])
        }
        Event::ManualStop
        | Event::AutomaticStop
        | Event::TimerExpires(_)
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid
        | Event::TcpConnected
        | Event::TcpConnectionFails
        | Event::BgpOpen
        | Event::BgpHeaderErr
        | Event::BgpOpenMsgErr
        | Event::OpenCollisionDump
        | Event::NotifMsgVerErr
        | Event::NotifMsg
        | Event::KeepaliveMsg
        | Event::UpdateMsg
        | Event::UpdateMsgErr
        | Event::RouteRefreshMsg => stay(Idle),
    }
}

pub(super) fn connect(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid => stay(Connect),
        // SendNOTIFICATIONwithoutOPEN is on.
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        Event::TimerExpires(Timer::ConnectRetry) => to(
            Connect,
            &[Stop(Timer::DelayOpen), Start(Timer::ConnectRetry), Dial],
        ),
        Event::TimerExpires(Timer::DelayOpen) => to(OpenSent, &[SendOpen, Start(Timer::Hold)]),
        Event::TcpConnected => connected(Connect, conditions),
        Event::TcpConnectionFails if conditions.delay_open_running => to(
            Active,
            &[Stop(Timer::DelayOpen), Start(Timer::ConnectRetry)],
        ),
        Event::TcpConnectionFails => to(Idle, &[]),
        _ => before_open(event, conditions),
    }
}

pub(super) fn active(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid => stay(Active),
        // SendNOTIFICATIONwithoutOPEN is on.
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        Event::TimerExpires(Timer::ConnectRetry) if conditions.passive => {
            to(Active, &[Start(Timer::ConnectRetry)])
        }
        Event::TimerExpires(Timer::ConnectRetry) => {
            to(Connect, &[Start(Timer::ConnectRetry), Dial])
        }
        Event::TimerExpires(Timer::DelayOpen) => to(
            OpenSent,
            &[Stop(Timer::ConnectRetry), SendOpen, Start(Timer::Hold)],
        ),
        Event::TcpConnected => connected(Active, conditions),
        Event::TcpConnectionFails => to(Idle, &[CountRetry]),
        _ => before_open(event, conditions),
    }
}

/// Connect and Active, once there is a connection.
fn connected(state: State, conditions: Conditions) -> Transition {
    if conditions.delay_open {
        to(state, &[Stop(Timer::ConnectRetry), Start(Timer::DelayOpen)])
    } else {
        to(
            OpenSent,
            &[Stop(Timer::ConnectRetry), SendOpen, Start(Timer::Hold)],
        )
    }
}

/// The rows that Connect and Active share.
fn before_open(event: Event, conditions: Conditions) -> Transition {
    match event {
        // Event 20.
        Event::BgpOpen if conditions.delay_open_running => to(
            OpenConfirm,
            &[
                Stop(Timer::ConnectRetry),
                Stop(Timer::DelayOpen),
                SendOpen,
                Negotiate,
                SendKeepalive,
                Start(Timer::Keepalive),
                Start(Timer::Hold),
            ],
        ),
        // SendNOTIFICATIONwithoutOPEN is on: the peer learns what is wrong.
        Event::BgpHeaderErr | Event::BgpOpenMsgErr => to(Idle, &[NotifyCause, CountRetry]),
        Event::NotifMsgVerErr if conditions.delay_open_running => to(Idle, &[]),
        _ => to(Idle, &[CountRetry]),
    }
}

pub(super) fn open_sent(event: Event) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid
        | Event::TcpConnected => stay(OpenSent),
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        Event::AutomaticStop | Event::BgpHeaderErr | Event::BgpOpenMsgErr => {
            to(Idle, &[NotifyCause, CountRetry])
        }
        Event::OpenCollisionDump => to(
            Idle,
            &[Notify(Reason::CONNECTION_COLLISION_RESOLUTION), CountRetry],
        ),
        Event::TimerExpires(Timer::Hold) => {
            to(Idle, &[Notify(Reason::HOLD_TIMER_EXPIRED), CountRetry])
        }
        Event::TcpConnectionFails => to(Active, &[Stop(Timer::Hold), Start(Timer::ConnectRetry)]),
        Event::BgpOpen => to(
            OpenConfirm,
            &[
                Stop(Timer::DelayOpen),
                Stop(Timer::ConnectRetry),
                Negotiate,
                SendKeepalive,
                Start(Timer::Keepalive),
                Start(Timer::Hold),
            ],
        ),
        Event::NotifMsgVerErr => to(Idle, &[]),
        Event::NotifMsg => to(Idle, &[CountRetry]),
        Event::KeepaliveMsg | Event::UpdateMsg | Event::UpdateMsgErr | Event::RouteRefreshMsg => {
            to(
                Idle,
                &[Notify(Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT), CountRetry],
            )
        }
        Event::TimerExpires(_) => to(
            Idle,
            &[Notify(Reason::FINITE_STATE_MACHINE_ERROR), CountRetry],
        ),
    }
}

pub(super) fn open_confirm(event: Event) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid
        | Event::TcpConnected => stay(OpenConfirm),
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        Event::AutomaticStop | Event::BgpHeaderErr => to(Idle, &[NotifyCause, CountRetry]),
        Event::OpenCollisionDump => to(
            Idle,
            &[Notify(Reason::CONNECTION_COLLISION_RESOLUTION), CountRetry],
        ),
        Event::TimerExpires(Timer::Hold) => {
            to(Idle, &[Notify(Reason::HOLD_TIMER_EXPIRED), CountRetry])
        }
        Event::TimerExpires(Timer::Keepalive) => {
            to(OpenConfirm, &[SendKeepalive, Start(Timer::Keepalive)])
        }
        Event::TcpConnectionFails | Event::NotifMsg => to(Idle, &[CountRetry]),
        Event::NotifMsgVerErr => to(Idle, &[]),
        Event::KeepaliveMsg => to(Established, &[Start(Timer::Hold)]),
        Event::BgpOpen
        | Event::BgpOpenMsgErr
        | Event::UpdateMsg
        | Event::UpdateMsgErr
        | Event::RouteRefreshMsg => to(
            Idle,
            &[
                Notify(Reason::UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM),
                CountRetry,
            ],
        ),
        Event::TimerExpires(_) => to(
            Idle,
            &[Notify(Reason::FINITE_STATE_MACHINE_ERROR), CountRetry],
        ),
    }
}

pub(super) fn established(event: Event) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid
        | Event::TcpConnected => stay(Established),
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        Event::AutomaticStop | Event::BgpHeaderErr | Event::UpdateMsgErr => {
            to(Idle, &[NotifyCause, CountRetry])
        }
        Event::OpenCollisionDump => to(
            Idle,
            &[Notify(Reason::CONNECTION_COLLISION_RESOLUTION), CountRetry],
        ),
        Event::TimerExpires(Timer::Hold) => {
            to(Idle, &[Notify(Reason::HOLD_TIMER_EXPIRED), CountRetry])
        }
        Event::TimerExpires(Timer::Keepalive) => {
            to(Established, &[SendKeepalive, Start(Timer::Keepalive)])
        }
        // RFC 9687 section 4: the NOTIFICATION is worth a try.
        Event::TimerExpires(Timer::SendHold) => {
            to(Idle, &[Notify(Reason::SEND_HOLD_TIMER_EXPIRED), CountRetry])
        }
        Event::TcpConnectionFails | Event::NotifMsgVerErr | Event::NotifMsg => {
            to(Idle, &[CountRetry])
        }
        Event::KeepaliveMsg | Event::UpdateMsg | Event::RouteRefreshMsg => {
            to(Established, &[Start(Timer::Hold)])
        }
        Event::BgpOpen | Event::BgpOpenMsgErr => to(
            Idle,
            &[
                Notify(Reason::UNEXPECTED_MESSAGE_IN_ESTABLISHED),
                CountRetry,
            ],
        ),
        Event::TimerExpires(_) => to(
            Idle,
            &[Notify(Reason::FINITE_STATE_MACHINE_ERROR), CountRetry],
        ),
    }
}
