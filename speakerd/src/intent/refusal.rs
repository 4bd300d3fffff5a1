//! `Refusal`: the reasons for which a change is not made.

use super::owner::Owner;
use super::permitted::NotInPools;
use crate::pool::AllocateError;
use crate::value::Name;

/// A change is refused. Nothing of it was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The prefix, or the requested address, is not in a BGP pool.
    #[error(transparent)]
    NotInPools(#[from] NotInPools),
    /// The pool is not announced by BGP.
    #[error("the pool `{0}` is a layer2 pool, which is not announced by BGP")]
    Layer2(String),
    /// No address is assigned.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// The attributes cannot be announced.
    #[error("{0}")]
    Unusable(String),
    /// The name has no lease.
    #[error("`{0}` has no lease")]
    NoLease(Name),
    /// Another owner holds the lease.
    #[error("`{name}` is held by {holder}")]
    HeldBy {
        /// The name.
        name: Name,
        /// The owner.
        holder: Owner,
    },
}
