//! `Replacements`: changes of many routes at once, each distinct route once.

use std::collections::HashMap;
use std::sync::Arc;

use bgp_wire::{AttributeSet, Community};

use super::pool::Pool;
use super::store::SharedRoute;
use super::{ReceivedRoute, Staleness};

impl SharedRoute {
    /// Returns the route with another staleness.
    pub(super) fn with_staleness(&self, staleness: Staleness) -> Self {
        Self(ReceivedRoute {
            staleness,
            ..self.0.clone()
        })
    }
}

/// Replaced routes, each with its replacement, by the address of the original. `None` if it has none.
// Many routes share one original, whose attributes are then looked at once.
#[derive(Default)]
pub(super) struct Replacements(
    HashMap<*const SharedRoute, (Arc<SharedRoute>, Option<Arc<SharedRoute>>)>,
);

impl Replacements {
    /// Returns the replacement of a route, which `replacement` makes for the first of equal routes.
    pub(super) fn find(
        &mut self,
        original: &Arc<SharedRoute>,
        replacement: impl FnOnce(&SharedRoute) -> Option<Arc<SharedRoute>>,
    ) -> Option<&Arc<SharedRoute>> {
        let (_, replacement) = self.0.entry(Arc::as_ptr(original)).or_insert_with(|| {
            // Keeping the original ensures that no other route is allocated at its address.
            (Arc::clone(original), replacement(original))
        });
        replacement.as_ref()
    }

    /// Returns the result of [`Self::find`] for this route, or `None` if it was not called with it.
    pub(super) fn known(&self, original: &Arc<SharedRoute>) -> Option<Option<&Arc<SharedRoute>>> {
        let (_, replacement) = self.0.get(&Arc::as_ptr(original))?;
        Some(replacement.as_ref())
    }
}

/// Returns the attributes with LLGR_STALE, or `None` if their routes must not be retained (RFC 9494 section 4.2).
pub(super) fn mark_long_lived(
    attributes: &Arc<AttributeSet>,
    sets: &mut Pool<AttributeSet>,
) -> Option<Arc<AttributeSet>> {
    let communities = &attributes.communities;
    if communities.contains(&Community::NO_LLGR) {
        return None;
    }
    // Another speaker may have added the community before.
    if communities.contains(&Community::LLGR_STALE) {
        return Some(Arc::clone(attributes));
    }
    let mut marked = AttributeSet::clone(attributes);
    marked.communities.push(Community::LLGR_STALE);
    Some(sets.share(marked))
}
