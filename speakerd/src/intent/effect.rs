//! `Effect`: what a change of the intent does to the announced routes.

use std::sync::Arc;

use super::announcement::Attributes;
use crate::value::Prefix;

/// One difference of the announced routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The route is announced, in place of one to the same prefix.
    Announce(Prefix, Arc<Attributes>),
    /// The route is withdrawn.
    Withdraw(Prefix),
}

impl Effect {
    /// Returns the destination.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        match self {
            Self::Announce(prefix, _) | Self::Withdraw(prefix) => *prefix,
        }
    }
}
