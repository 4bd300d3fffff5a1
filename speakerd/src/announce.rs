//! Carries out the effects of changes.

pub(crate) mod bgp;
