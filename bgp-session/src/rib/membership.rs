//! `Membership`: ties the positions of one peer to the table that they belong to, and to the life of their owner.
//!
//! Each log has a weak reference to the membership of each of its consumers. When the owner is dropped, the logs free the
//! positions by themselves: nothing has to be closed, and no owner needs access to the table at its end.

use std::sync::{Arc, Weak};

/// Identifies one table. Two tables never have the same identity while one of them exists.
// The address of a shared allocation: a counter would need a global variable.
#[derive(Clone, Debug, Default)]
pub(super) struct TableId(Arc<()>);

/// The membership of one peer in one table. Dropping it frees the peer's positions.
#[derive(Debug)]
pub(super) struct Membership(Arc<TableId>);

/// A log's reference to the membership of a consumer.
#[derive(Debug)]
pub(super) struct MembershipRef(Weak<TableId>);

impl Membership {
    /// Creates a membership in the table with this identity.
    pub(super) fn new(table: &TableId) -> Self {
        Self(Arc::new(table.clone()))
    }

    /// Returns `true` if this is a membership in the table with this identity.
    pub(super) fn is_in(&self, table: &TableId) -> bool {
        Arc::ptr_eq(&self.0.0, &table.0)
    }

    /// Returns a reference that does not keep the membership alive.
    pub(super) fn downgrade(&self) -> MembershipRef {
        MembershipRef(Arc::downgrade(&self.0))
    }
}

impl MembershipRef {
    /// Returns `true` until the membership is dropped.
    pub(super) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}
