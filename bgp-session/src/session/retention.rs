//! How long what a peer has announced is kept while it restarts (RFC 4724 section 4.2, RFC 8538, RFC 9494), by family.
//!
//! The routes are the application's; here is only until when they may stay.

use std::time::{Duration, Instant};

use bgp_wire::{Family, FamilySet};

use crate::negotiate::PeerRestart;

/// The families of which stale routes are kept.
#[derive(Debug, Default)]
pub(super) struct Retention(Vec<Retained>);

#[derive(Debug)]
struct Retained {
    family: Family,
    stage: Stage,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The peer is away; if it is not back in time, this long more as a last resort.
    Away { long_lived: Duration },
    /// It has been away for long.
    LongLived,
    /// It is back and sends its routes anew.
    Returned,
}

/// What has come to pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    /// Families whose stale routes are gone.
    pub(super) gone: FamilySet,
    /// Families whose stale routes are a last resort from here on.
    pub(super) long_lived: FamilySet,
}

impl Retention {
    /// The session is down: the families of which routes are kept. Those kept from before are of no concern any more.
    pub(super) fn keep(&mut self, now: Instant, restart: &PeerRestart) -> FamilySet {
        let long_lived = |family| {
            let mut times = restart.long_lived.iter();
            let time = times.find(|(known, _)| *known == family);
            time.map_or(Duration::ZERO, |(_, time)| *time)
        };
        let retained = restart.families.iter().map(|family| Retained {
            family,
            stage: Stage::Away {
                long_lived: long_lived(family),
            },
            until: now + restart.restart_time,
        });
        self.0 = retained.collect();
        restart.families
    }

    /// The peer is back: the families whose routes it has not kept, or of which it says nothing.
    pub(super) fn returned(
        &mut self,
        now: Instant,
        restart: Option<&PeerRestart>,
        stale_time: Duration,
    ) -> FamilySet {
        let forwarding = restart.map_or(FamilySet::EMPTY, |restart| restart.forwarding);
        let lost = self
            .0
            .extract_if(.., |retained| !forwarding.contains(retained.family));
        let lost = lost.map(|retained| retained.family).collect();
        for retained in &mut self.0 {
            (retained.stage, retained.until) = (Stage::Returned, now + stale_time);
        }
        lost
    }

    /// The peer has sent all its routes of a family: whether there may be stale ones left.
    pub(super) fn end_of_rib(&mut self, family: Family) -> bool {
        let mut ended = self.0.extract_if(.., |retained| {
            retained.family == family && retained.stage == Stage::Returned
        });
        ended.next().is_some()
    }

    /// Nothing is kept any more: the families of which routes were.
    pub(super) fn clear(&mut self) -> FamilySet {
        self.0.drain(..).map(|retained| retained.family).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|retained| retained.until).min()
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        self.0.retain_mut(|retained| {
            if retained.until > now {
                return true;
            }
            match retained.stage {
                Stage::Away { long_lived } if !long_lived.is_zero() => {
                    (retained.stage, retained.until) = (Stage::LongLived, now + long_lived);
                    expired.long_lived = expired.long_lived.with(retained.family);
                    true
                }
                Stage::Away { .. } | Stage::LongLived | Stage::Returned => {
                    expired.gone = expired.gone.with(retained.family);
                    false
                }
            }
        });
        expired
    }
}
