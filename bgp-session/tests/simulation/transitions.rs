//! The state changes that RFC 4271 section 8.2.2 allows, derived from the RFC's text and not from the code's table.

use bgp_session::State::{self, Active, Connect, Established, Idle, OpenConfirm, OpenSent};
use bgp_session::Timer;
use bgp_session::fsm::Event;

/// Returns `true` if an event may take a session from one state to another.
///
/// A session's state is that of its primary connection. If the primary has no transport and the secondary has received its
/// OPEN, the secondary replaces the primary, with TcpConnected as the cause.
pub(crate) fn is_allowed(from: State, to: State, cause: Event) -> bool {
    use Event::{
        AutomaticStart, AutomaticStop, BgpHeaderErr, BgpOpen, BgpOpenMsgErr, KeepaliveMsg,
        ManualStart, ManualStop, NotifMsg, NotifMsgVerErr, OpenCollisionDump, TcpConnected,
        TcpConnectionFails, TimerExpires, UpdateMsgErr,
    };
    match (from, to) {
        (Idle, Connect | Active) => matches!(
            cause,
            ManualStart | AutomaticStart | TimerExpires(Timer::IdleHold)
        ),
        // The secondary replaces a primary without transport and brings its own state.
        (Idle | Active, OpenConfirm | Established) if cause == TcpConnected => true,
        (Connect, Active) => cause == TcpConnectionFails,
        (Active, Connect) => cause == TimerExpires(Timer::ConnectRetry),
        (Connect | Active, OpenSent) => {
            matches!(cause, TcpConnected | TimerExpires(Timer::DelayOpen))
        }
        (Connect | Active | OpenSent, OpenConfirm) => cause == BgpOpen,
        (OpenSent, Active) => cause == TcpConnectionFails,
        (OpenConfirm, Established) => cause == KeepaliveMsg,
        // RFC 4271 section 8.2.2: "any other event" of a state ends the attempt.
        (Connect | Active, Idle) => true,
        (OpenSent, Idle) => !matches!(cause, ManualStart | AutomaticStart | BgpOpen),
        (OpenConfirm, Idle) => !matches!(cause, ManualStart | AutomaticStart | KeepaliveMsg),
        (Established, Idle) => match cause {
            ManualStop | AutomaticStop | BgpHeaderErr | BgpOpen | BgpOpenMsgErr | UpdateMsgErr
            | OpenCollisionDump | NotifMsg | NotifMsgVerErr | TcpConnectionFails => true,
            TimerExpires(timer) => timer != Timer::Keepalive,
            _ => false,
        },
        _ => false,
    }
}
