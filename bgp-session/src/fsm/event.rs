//! The events of RFC 4271 section 8.1, the one of RFC 9687, and one for ROUTE-REFRESH (RFC 2918).

use std::fmt;

use crate::timer::Timer;

/// An event.
///
/// The eight start events are two here, because passivity and damping are configuration; BGPOpen with the DelayOpenTimer
/// running is [`Event::BgpOpen`], because the table asks whether it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Events 1 and 4. The operator starts the session.
    ManualStart,
    /// Event 2. The operator stops the session.
    ManualStop,
    /// Events 3, 5, 6 and 7. The system starts the session.
    AutomaticStart,
    /// Event 8. The system stops the session.
    AutomaticStop,
    /// Events 9 to 13 and, of RFC 9687, 29. A timer expires.
    TimerExpires(Timer),
    /// Event 14. Somebody connects who may.
    TcpConnectionValid,
    /// Event 15. Somebody connects who may not.
    TcpCrInvalid,
    /// Events 16 and 17. The TCP connection is there, whoever made it.
    TcpConnected,
    /// Event 18. The TCP connection is gone, or could not be made.
    TcpConnectionFails,
    /// Events 19 and 20. A valid OPEN was received.
    BgpOpen,
    /// Event 21. A message header is wrong.
    BgpHeaderErr,
    /// Event 22. An OPEN is wrong.
    BgpOpenMsgErr,
    /// Event 23. Another connection to the same peer is kept in place of this one.
    OpenCollisionDump,
    /// Event 24. A NOTIFICATION says that the version is not supported.
    NotifMsgVerErr,
    /// Event 25. Any other NOTIFICATION was received.
    NotifMsg,
    /// Event 26. A KEEPALIVE was received.
    KeepaliveMsg,
    /// Event 27. A valid UPDATE was received.
    UpdateMsg,
    /// Event 28. An UPDATE is wrong in a way that resets the session.
    UpdateMsgErr,
    /// A ROUTE-REFRESH was received (RFC 2918); not an event of RFC 4271.
    RouteRefreshMsg,
}

impl Event {
    /// Every event, in the order of the RFC.
    pub const ALL: [Self; 24] = [
        Self::ManualStart,
        Self::ManualStop,
        Self::AutomaticStart,
        Self::AutomaticStop,
        Self::TimerExpires(Timer::ConnectRetry),
        Self::TimerExpires(Timer::Hold),
        Self::TimerExpires(Timer::Keepalive),
        Self::TimerExpires(Timer::DelayOpen),
        Self::TimerExpires(Timer::IdleHold),
        Self::TcpConnectionValid,
        Self::TcpCrInvalid,
        Self::TcpConnected,
        Self::TcpConnectionFails,
        Self::BgpOpen,
        Self::BgpHeaderErr,
        Self::BgpOpenMsgErr,
        Self::OpenCollisionDump,
        Self::NotifMsgVerErr,
        Self::NotifMsg,
        Self::KeepaliveMsg,
        Self::UpdateMsg,
        Self::UpdateMsgErr,
        Self::TimerExpires(Timer::SendHold),
        Self::RouteRefreshMsg,
    ];

    /// The RFC's number of the event, the first where it stands for several; `None` for [`Event::RouteRefreshMsg`].
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        Some(match self {
            Self::ManualStart => 1,
            Self::ManualStop => 2,
            Self::AutomaticStart => 3,
            Self::AutomaticStop => 8,
            Self::TimerExpires(Timer::ConnectRetry) => 9,
            Self::TimerExpires(Timer::Hold) => 10,
            Self::TimerExpires(Timer::Keepalive) => 11,
            Self::TimerExpires(Timer::DelayOpen) => 12,
            Self::TimerExpires(Timer::IdleHold) => 13,
            Self::TcpConnectionValid => 14,
            Self::TcpCrInvalid => 15,
            Self::TcpConnected => 16,
            Self::TcpConnectionFails => 18,
            Self::BgpOpen => 19,
            Self::BgpHeaderErr => 21,
            Self::BgpOpenMsgErr => 22,
            Self::OpenCollisionDump => 23,
            Self::NotifMsgVerErr => 24,
            Self::NotifMsg => 25,
            Self::KeepaliveMsg => 26,
            Self::UpdateMsg => 27,
            Self::UpdateMsgErr => 28,
            Self::TimerExpires(Timer::SendHold) => 29,
            Self::RouteRefreshMsg => return None,
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::TimerExpires(timer) = self {
            f.pad(&format!("{timer:?}Timer_Expires"))
        } else {
            f.pad(&format!("{self:?}"))
        }
    }
}
