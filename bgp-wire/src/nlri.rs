//! Network Layer Reachability Information: one file per kind.

mod unicast;

pub(crate) use unicast::next_hop;
pub use unicast::{Nlri, PathId, Prefixes, UnicastPrefix};
