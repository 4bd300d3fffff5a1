//! The events of RFC 4271 section 8.1, the one of RFC 9687, and one for ROUTE-REFRESH (RFC 2918).

use std::fmt;

use crate::timer::Timer;

/// An event of the state machine.
///
/// The RFC's six start events are two here, because passive mode and damping are configuration. Events 19 and 20 are
/// both [`Event::BgpOpen`], because the table checks DelayOpenTimer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
    /// Event 14. A configured peer requests a connection.
    TcpConnectionValid,
    /// Event 15. An unknown peer requests a connection.
    TcpCrInvalid,
    /// Events 16 and 17. The TCP connection is made, by us or by the peer.
    TcpConnected,
    /// Event 18. The TCP connection ended, or could not be made.
    TcpConnectionFails,
    /// Events 19 and 20. A valid OPEN was received.
    BgpOpen,
    /// Event 21. A message header is malformed.
    BgpHeaderErr,
    /// Event 22. An OPEN is malformed or unacceptable.
    BgpOpenMsgErr,
    /// Event 23. Collision detection keeps another connection to the same peer.
    OpenCollisionDump,
    /// Event 24. A NOTIFICATION with Unsupported Version Number was received.
    NotifMsgVerErr,
    /// Event 25. Any other NOTIFICATION was received.
    NotifMsg,
    /// Event 26. A KEEPALIVE was received.
    KeepaliveMsg,
    /// Event 27. A valid UPDATE was received.
    UpdateMsg,
    /// Event 28. An UPDATE has an error that ends the session.
    UpdateMsgErr,
    /// A ROUTE-REFRESH was received (RFC 2918). RFC 4271 has no such event.
    RouteRefreshMsg,
}

impl Event {
    /// Every event, in the order of its number.
    pub const ALL: &'static [Self] = &[
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
        // RFC 9687 continues the numbers of RFC 4271.
        Self::TimerExpires(Timer::SendHold),
        // Without a number, therefore last.
        Self::RouteRefreshMsg,
    ];

    /// Returns the number of the event in RFC 4271 or RFC 9687, or `None` for [`Event::RouteRefreshMsg`].
    ///
    /// An event that combines several has the lowest of their numbers.
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        // A numbered event has no fallback arm, so a new one cannot be forgotten here.
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
            // The RFC's names: HoldTimer_Expires, KeepaliveTimer_Expires.
            f.pad(&format!("{timer:?}Timer_Expires"))
        } else {
            f.pad(&format!("{self:?}"))
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
