//! The rows of the state machine: one function a state, in the order of RFC 4271 section 8.2.2.
//!
//! Deviations from the text of the RFC:
//! - A NOTIFICATION never causes another (section 6.4), not even in OpenSent.
//! - A header error in Established has its own code (section 6.1), instead of Finite State Machine Error.
//! - A passive session never dials, not even when ConnectRetryTimer expires. Routers implement it this way.
//! - IdleHoldTimer leads from Idle to the next attempt after every end of a connection; the RFC allows it as an option
//!   (DampPeerOscillations). The table starts timers without their times, which the retry policy decides.
//! - An unexpected message has the subcode of RFC 6608 for the current state.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rows of the RFC end with \"any other event\""
)]

use bgp_wire::Reason;

use super::Action::{
    ClearRetries, CountRetry, Dial, Negotiate, Notify, NotifyCause, SendKeepalive, SendOpen, Start,
    Stop,
};
use super::State::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};
use super::{Action, Conditions, Event, State, Transition};
use crate::timer::Timer;

/// Returns a transition to `state` with `actions`.
const fn to(state: State, actions: &'static [Action]) -> Transition {
    Transition { state, actions }
}

/// Returns a transition that does nothing.
const fn stay(state: State) -> Transition {
    to(state, &[])
}

/// Returns the row of Idle for `event`.
pub(super) fn idle(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart if conditions.passive => {
            to(Active, &[ClearRetries, Start(Timer::ConnectRetry)])
        }
        Event::ManualStart => to(Connect, &[ClearRetries, Start(Timer::ConnectRetry), Dial]),
        // DampPeerOscillations: an automatic restart must not clear the counter of the failures that delayed it.
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

/// Returns the row of Connect for `event`.
pub(super) fn connect(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid => stay(Connect),
        // RFC 4271 section 8.1.1: SendNOTIFICATIONwithoutOPEN permits the Cease before an OPEN.
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

/// Returns the row of Active for `event`.
pub(super) fn active(event: Event, conditions: Conditions) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid => stay(Active),
        // RFC 4271 section 8.1.1: SendNOTIFICATIONwithoutOPEN permits the Cease before an OPEN.
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

/// Returns the row of Connect and Active for a TCP connection that is made.
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

/// Returns the rows that Connect and Active share.
fn before_open(event: Event, conditions: Conditions) -> Transition {
    match event {
        // Event 20: the peer did not wait, so our OPEN and its confirmation go out together.
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
        // SendNOTIFICATIONwithoutOPEN: the peer learns what is wrong with its message.
        Event::BgpHeaderErr | Event::BgpOpenMsgErr => to(Idle, &[NotifyCause, CountRetry]),
        // RFC 4271 section 8.2.2: a version error while DelayOpenTimer runs is not counted.
        Event::NotifMsgVerErr if conditions.delay_open_running => to(Idle, &[]),
        _ => to(Idle, &[CountRetry]),
    }
}

/// Returns the row of OpenSent for `event`.
pub(super) fn open_sent(event: Event) -> Transition {
    match event {
        // RFC 4271 section 8.2.2: a second TCP connection is tracked by an instance of its own.
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
        // Not a failure of the protocol: the state machine waits for another connection.
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
        // RFC 4271 section 6.4: no NOTIFICATION in response to a NOTIFICATION.
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

/// Returns the row of OpenConfirm for `event`.
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
        // KeepaliveTimer already runs since OpenConfirm.
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

/// Returns the row of Established for `event`.
pub(super) fn established(event: Event) -> Transition {
    match event {
        Event::ManualStart
        | Event::AutomaticStart
        | Event::TcpConnectionValid
        | Event::TcpCrInvalid
        | Event::TcpConnected => stay(Established),
        Event::ManualStop => to(Idle, &[NotifyCause, ClearRetries]),
        // RFC 4271 section 6.1: a header error has its own code in every state.
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
        // RFC 9687 section 4.3 permits a NOTIFICATION that does not delay the close. The core only queues it.
        Event::TimerExpires(Timer::SendHold) => {
            to(Idle, &[Notify(Reason::SEND_HOLD_TIMER_EXPIRED), CountRetry])
        }
        Event::TcpConnectionFails | Event::NotifMsgVerErr | Event::NotifMsg => {
            to(Idle, &[CountRetry])
        }
        // RFC 4271 section 8.2.2 names the first two; any valid message shows that the peer lives.
        Event::KeepaliveMsg | Event::UpdateMsg | Event::RouteRefreshMsg => {
            to(Established, &[Start(Timer::Hold)])
        }
        // No second OPEN is valid, so its contents do not matter.
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
