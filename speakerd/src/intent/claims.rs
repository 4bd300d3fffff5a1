//! `Claims`: the owners of one route, first in order first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::announcement::Announcement;
use super::owner::Owner;

/// The announcements of one route by owner. Never empty.
// Nearly every route has one owner, and a map would take a hundred times its memory.
#[derive(Clone, Debug)]
pub(super) enum Claims {
    One(Owner, Arc<Announcement>),
    Many(BTreeMap<Owner, Arc<Announcement>>),
}

impl Claims {
    /// Returns every owner and its announcement, first in order first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Owner, &Arc<Announcement>)> {
        let (one, many) = match self {
            Self::One(owner, announcement) => (Some((owner, announcement)), None),
            Self::Many(claims) => (None, Some(claims.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Returns the announcement of an owner.
    pub(super) fn get(&self, owner: &Owner) -> Option<&Arc<Announcement>> {
        match self {
            Self::One(only, announcement) => (only == owner).then_some(announcement),
            Self::Many(claims) => claims.get(owner),
        }
    }

    /// Sets the announcement of an owner. Returns the one before.
    pub(super) fn insert(
        &mut self,
        owner: Owner,
        announcement: Arc<Announcement>,
    ) -> Option<Arc<Announcement>> {
        match self {
            Self::One(only, old) if *only == owner => Some(std::mem::replace(old, announcement)),
            Self::One(only, old) => {
                let claims = [(only.clone(), Arc::clone(old)), (owner, announcement)];
                *self = Self::Many(claims.into());
                None
            }
            Self::Many(claims) => claims.insert(owner, announcement),
        }
    }

    /// Removes an owner that is not the only one. Returns its announcement.
    pub(super) fn remove(&mut self, owner: &Owner) -> Option<Arc<Announcement>> {
        let Self::Many(claims) = self else {
            return None;
        };
        let removed = claims.remove(owner);
        if claims.len() == 1
            && let Some((owner, announcement)) = claims.pop_first()
        {
            *self = Self::One(owner, announcement);
        }
        removed
    }
}
