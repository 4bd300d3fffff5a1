//! The actions that a transition requests.

use bgp_wire::Reason;

use crate::timer::Timer;

/// One action of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Dial the peer. Replaces a dial that has not been completed.
    Dial,
    /// Send our OPEN.
    SendOpen,
    /// Send a KEEPALIVE.
    SendKeepalive,
    /// Send a NOTIFICATION with this code and subcode.
    Notify(Reason),
    /// Send the NOTIFICATION that belongs to the event: the error of a message, or the operator's Cease.
    NotifyCause,
    /// Start or restart a timer. HoldTimer and KeepaliveTimer stay off if the hold time is 0.
    Start(Timer),
    /// Stop a timer.
    Stop(Timer),
    /// Adopt the parameters that the accepted OPEN and ours agree on.
    // Explicit, because the following messages and timers depend on it.
    Negotiate,
    /// Increment ConnectRetryCounter.
    CountRetry,
    /// Set ConnectRetryCounter to 0.
    ClearRetries,
}
