//! The finite state machine of RFC 4271 section 8 as a pure table.
//!
//! [`step`] returns the next state and the actions for every state and event, and performs none of them. The rows are
//! in `table.rs`, one function a state. That file also lists the deviations from the text of the RFC, with their
//! reasons.

mod action;
mod event;
mod table;

pub use action::Action;
pub use event::Event;

use std::fmt;

/// A state of a connection (RFC 4271 section 8.2.2). States compare in the order in which a session passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Refuses incoming connections and makes none.
    Idle,
    /// Waits for its own TCP connection to complete.
    Connect,
    /// Waits for the peer to connect.
    Active,
    /// Has sent an OPEN and waits for the peer's.
    OpenSent,
    /// Waits for the KEEPALIVE that confirms its OPEN.
    OpenConfirm,
    /// Exchanges UPDATEs.
    Established,
}

impl State {
    /// Every state, in the order of the RFC.
    pub const ALL: &'static [Self] = &[
        // Tests and the printed table iterate over this order.
        Self::Idle,
        Self::Connect,
        Self::Active,
        Self::OpenSent,
        Self::OpenConfirm,
        Self::Established,
    ];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Like strings, states honour the width of the format.
        f.pad(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// The session attributes and timer states that a row may depend on (RFC 4271 section 8.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// PassiveTcpEstablishment: only the peer makes connections.
    pub passive: bool,
    /// DelayOpen: our OPEN waits for the peer's, or for DelayOpenTimer.
    pub delay_open: bool,
    /// `true` while DelayOpenTimer runs.
    pub delay_open_running: bool,
}

/// The effect of one event in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The next state.
    pub state: State,
    /// The actions to perform, in order. Entering Idle also stops every timer and closes the connection.
    pub actions: &'static [Action],
}

/// Returns the transition for `event` in `state`. It covers every combination, has no side effect and does not
/// allocate.
///
/// ```
/// use bgp_session::fsm::{Action, Conditions, Event, State, step};
/// let transition = step(State::Idle, Event::ManualStart, Conditions::default());
/// assert_eq!(transition.state, State::Connect);
/// assert!(transition.actions.contains(&Action::Dial));
///
/// use bgp_session::Timer;
/// use bgp_session::fsm::Transition;
/// let expires = Event::TimerExpires(Timer::Hold);
/// let Transition { state, .. } = step(State::Established, expires, Conditions::default());
/// assert_eq!((state, expires.number()), (State::Idle, Some(10)));
/// ```
#[must_use]
pub fn step(state: State, event: Event, conditions: Conditions) -> Transition {
    match state {
        State::Idle => table::idle(event, conditions),
        State::Connect => table::connect(event, conditions),
        State::Active => table::active(event, conditions),
        // Once our OPEN is sent, neither passive mode nor DelayOpen matters.
        State::OpenSent => table::open_sent(event),
        State::OpenConfirm => table::open_confirm(event),
        State::Established => table::established(event),
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
