//! What a transition asks for.

use bgp_wire::Reason;

use crate::timer::Timer;

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a TCP connection to the peer, in place of one that is being made.
    Dial,
    /// Send our OPEN.
    SendOpen,
    /// Send a KEEPALIVE.
    SendKeepalive,
    /// Send a NOTIFICATION with this reason.
    Notify(Reason),
    /// Send the NOTIFICATION that the event stands for.
    NotifyCause,
    /// Start a timer, or start it anew. HoldTimer and KeepaliveTimer stay off where the hold time is 0.
    Start(Timer),
    /// Stop a timer.
    Stop(Timer),
    /// The peer's OPEN is accepted: what both agreed on holds from here.
    Negotiate,
    /// Increment ConnectRetryCounter.
    CountRetry,
    /// Set ConnectRetryCounter to 0.
    ClearRetries,
}
