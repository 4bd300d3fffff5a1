//! The finite state machine of RFC 4271 section 8 as a pure table.
//!
//! [`step`] says for every state and event which state follows and what is to be done, and does none of it. The rows
//! are in `table.rs`, one function a state. What the table changes against the letter of the RFC stands there, with
//! its reason.

mod action;
mod event;
mod table;

pub use action::Action;
pub use event::Event;

use std::fmt;

/// A state of a connection (RFC 4271 section 8.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Refuses connections and makes none.
    Idle,
    /// Waits for the connection that it is making.
    Connect,
    /// Waits for a connection to be made to it.
    Active,
    /// Has sent an OPEN and waits for the peer's.
    OpenSent,
    /// Waits for the KEEPALIVE that answers its OPEN.
    OpenConfirm,
    /// Exchanges routes.
    Established,
}

impl State {
    /// Every state, in the order of the RFC.
    pub const ALL: [Self; 6] = [
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
pub struct Conditions {
    /// PassiveTcpEstablishment: the peer dials, we do not.
    pub passive: bool,
    /// DelayOpen: wait for the peer's OPEN before sending ours.
    pub delay_open: bool,
    /// Whether the DelayOpenTimer runs.
    pub delay_open_running: bool,
}

/// What one event does to one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that follows.
    pub state: State,
    /// What is to be done, in order. Entering Idle moreover stops every timer and closes the connection.
    pub actions: &'static [Action],
}

/// What `event` does in `state`. Total, without side effect, without allocation.
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
        State::OpenSent => table::open_sent(event),
        State::OpenConfirm => table::open_confirm(event),
        State::Established => table::established(event),
    }
}
