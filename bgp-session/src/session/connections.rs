//! The connections of a session: two at most, and which of them the session's state is that of.

use std::time::Instant;

use super::connection::Connection;
use crate::fsm::State;
use crate::output::ConnectionId;
use crate::timer::earlier;

/// Names one of the two places for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Primary,
    Secondary,
}

impl Slot {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }
}

#[derive(Debug)]
pub(super) struct Connections {
    /// The connection that we dial on. Its state is the session's state.
    pub(super) primary: Connection,
    /// A connection that the peer has made while the primary is in use.
    pub(super) secondary: Option<Connection>,
    /// The connections that have been named so far.
    named: u64,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            primary: Connection::idle(),
            secondary: None,
            named: 0,
        }
    }

    /// Returns the name of the next connection.
    pub(super) fn next_id(&mut self) -> ConnectionId {
        self.named += 1;
        ConnectionId(self.named)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Connection> {
        match slot {
            Slot::Primary => Some(&self.primary),
            Slot::Secondary => self.secondary.as_ref(),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        match slot {
            Slot::Primary => Some(&mut self.primary),
            Slot::Secondary => self.secondary.as_mut(),
        }
    }

    /// Returns the slot of a connection, or `None` if it has ended.
    #[inline]
    pub(super) fn slot(&self, id: ConnectionId) -> Option<Slot> {
        let is = |slot: &Slot| self.get(*slot).is_some_and(|connection| connection.is(id));
        [Slot::Primary, Slot::Secondary].into_iter().find(is)
    }

    /// Returns the other one of the two connections, if TCP has connected it.
    pub(super) fn other(&self, slot: Slot) -> Option<(Slot, &Connection)> {
        let other = slot.other();
        let connection = self.get(other)?;
        connection.is_connected().then_some((other, connection))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let secondary = self.secondary.as_ref().and_then(Connection::next_deadline);
        earlier(self.primary.next_deadline(), secondary)
    }

    /// Drops a secondary that has no transport.
    pub(super) fn drop_unused_secondary(&mut self) {
        let unused = |secondary: &mut Connection| secondary.transport.is_none();
        self.secondary.take_if(unused);
    }

    /// Puts the secondary into the place of a primary that has no transport, if an OPEN has shown that it is the peer's.
    /// Returns the states of the session before and after that.
    pub(super) fn promote(&mut self) -> Option<(State, State)> {
        let primary_is_unused = matches!(self.primary.state, State::Idle | State::Active)
            && self.primary.transport.is_none();
        if !primary_is_unused {
            return None;
        }
        let proven = |secondary: &mut Connection| secondary.negotiated.is_some();
        let secondary = self.secondary.take_if(proven)?;
        let from = std::mem::replace(&mut self.primary, secondary).state;
        Some((from, self.primary.state))
    }
}
