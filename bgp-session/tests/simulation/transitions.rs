//! The changes of state that RFC 4271 section 8.2.2 allows, written down from the RFC's text and not from the code's table.

use bgp_session::State::{self, Active, Connect, Established, Idle, OpenConfirm, OpenSent};
use bgp_session::Timer;
use bgp_session::fsm::Event;

/// Whether a session may go from one state to another because of an event.
///
/// A session's state is that of its foremost connection. Where that has none and another one that the peer has made is past
/// its OPEN, that other one takes its place, with TcpConnected as the cause.
pub(crate) fn allowed(from: State, to: State, cause: Event) -> bool {
    use Event::{
        AutomaticStart, AutomaticStop, BgpHeaderErr, BgpOpen, BgpOpenMsgErr, KeepaliveMsg,
        ManualStart, ManualStop, NotifMsg, NotifMsgVerErr, OpenCollisionDump, RouteRefreshMsg,
        TcpConnected, TcpConnectionFails, TimerExpires, UpdateMsg, UpdateMsgErr,
    };
    match (from, to) {
        (Idle, Connect | Active) => matches!(
            cause,
            ManualStart | AutomaticStart | TimerExpires(Timer::IdleHold)
        ),
        (Idle | Active, OpenConfirm | Established) if cause == TcpConnected => true,
        (Connect, Active) => cause == TcpConnectionFails,
        (Active, Connect) => cause == TimerExpires(Timer::ConnectRetry),
        (Connect | Active, OpenSent) => {
            matches!(cause, TcpConnected | TimerExpires(Timer::DelayOpen))
        }
        (Connect | Active | OpenSent, OpenConfirm) => cause == BgpOpen,
        (OpenSent, Active) => cause == TcpConnectionFails,
        (OpenConfirm, Established) => cause == KeepaliveMsg,
        // Whatever does not belong into a state ends the attempt.
        (Connect | Active, Idle) => true,
        (OpenSent, Idle) => !matches!(cause, ManualStart | AutomaticStart | BgpOpen),
        (OpenConfirm, Idle) => !matches!(cause, ManualStart | AutomaticStart | KeepaliveMsg),
        (Established, Idle) => match cause {
            ManualStop | AutomaticStop | BgpHeaderErr | BgpOpen | BgpOpenMsgErr | UpdateMsgErr
            | OpenCollisionDump | NotifMsg | NotifMsgVerErr | TcpConnectionFails => true,
            TimerExpires(timer) => timer != Timer::Keepalive,
            KeepaliveMsg
            | UpdateMsg
            | RouteRefreshMsg
            | ManualStart
            | AutomaticStart
            | TcpConnected
            | Event::TcpConnectionValid
            | Event::TcpCrInvalid => false,
        },
        _ => false,
    }
}
