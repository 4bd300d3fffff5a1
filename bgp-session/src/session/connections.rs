//! The two connections of a session, and the promotion of the secondary to primary.

use std::time::Instant;

use super::connection::{Connection, TcpConnection};
use crate::fsm::State;
use crate::output::ConnectionId;
use crate::timer::earlier;

/// One of the two connections.
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

/// The connections of a session: RFC 4271 section 6.8 permits two until a collision is resolved.
#[derive(Debug)]
pub(super) struct Connections {
    /// The connection that we dial on. Its state is the session's state.
    pub(super) primary: Connection,
    /// A connection that the peer made while the primary was in use.
    pub(super) secondary: Option<Connection>,
    /// The last connection identifier in use.
    last_id: u64,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            primary: Connection::idle(),
            secondary: None,
            last_id: 0,
        }
    }

    /// Returns a new connection identifier.
    pub(super) fn next_id(&mut self) -> ConnectionId {
        // An identifier is never reused: late input for an ended connection must not reach a new one.
        self.last_id += 1;
        ConnectionId(self.last_id)
    }

    /// Returns the connection in `slot`. The primary always exists.
    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Connection> {
        match slot {
            Slot::Primary => Some(&self.primary),
            Slot::Secondary => self.secondary.as_ref(),
        }
    }

    /// Returns the connection in `slot`. The primary always exists.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        match slot {
            Slot::Primary => Some(&mut self.primary),
            Slot::Secondary => self.secondary.as_mut(),
        }
    }

    /// Returns the connection in a slot that is in use: the primary, or a secondary on which an event occurs.
    #[expect(
        clippy::expect_used,
        reason = "every event is performed on a connection that was found, and clean_up runs after its actions"
    )]
    #[inline]
    pub(super) fn in_use(&mut self, slot: Slot) -> &mut Connection {
        self.get_mut(slot).expect("the slot is in use")
    }

    /// Returns the slot of a connection, or `None` if it has ended.
    #[inline]
    pub(super) fn slot(&self, id: ConnectionId) -> Option<Slot> {
        [Slot::Primary, Slot::Secondary].into_iter().find(|slot| {
            self.get(*slot)
                .is_some_and(|connection| connection.has_id(id))
        })
    }

    /// Returns the slot and the TCP connection of an identifier, or `None` if it has ended.
    pub(super) fn tcp_mut(&mut self, id: ConnectionId) -> Option<(Slot, &mut TcpConnection)> {
        let slot = self.slot(id)?;
        let tcp = self.get_mut(slot)?.tcp.as_mut()?;
        Some((slot, tcp))
    }

    /// Returns slot, state and TCP connection of the other instance, if TCP has connected it.
    pub(super) fn other(&self, slot: Slot) -> Option<(Slot, State, TcpConnection)> {
        let other = slot.other();
        let connection = self.get(other)?;
        // A mere dial has sent nothing and cannot collide.
        let connected = connection.tcp.filter(TcpConnection::is_connected)?;
        Some((other, connection.state, connected))
    }

    /// Returns the earliest deadline of all timers.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let secondary = self.secondary.as_ref().and_then(Connection::next_deadline);
        earlier(self.primary.next_deadline(), secondary)
    }

    /// Drops a secondary that has no TCP connection.
    pub(super) fn drop_unused_secondary(&mut self) {
        let unused = |secondary: &mut Connection| secondary.tcp.is_none();
        // The peer made this connection. After a failure only the primary dials again.
        self.secondary.take_if(unused);
    }

    /// Makes the secondary the primary if the primary has no TCP connection. Returns the session's state before and
    /// after.
    pub(super) fn promote(&mut self) -> Option<(State, State)> {
        let primary_is_unused =
            matches!(self.primary.state, State::Idle | State::Active) && self.primary.tcp.is_none();
        if !primary_is_unused {
            return None;
        }
        // Before its OPEN is accepted, an incoming connection may be from a stranger at the peer's address.
        let has_negotiated = |secondary: &mut Connection| secondary.negotiated.is_some();
        let secondary = self.secondary.take_if(has_negotiated)?;
        let from = std::mem::replace(&mut self.primary, secondary).state;
        Some((from, self.primary.state))
    }
}
