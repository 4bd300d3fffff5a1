//! The time for which a restarting peer's stale routes are kept, by family (RFC 4724 section 4.2, RFC 8538, RFC 9494
//! section 4.2).
//!
//! The application holds the routes; this file holds their deadlines.

use std::time::{Duration, Instant};

use bgp_wire::{Family, FamilySet};

use crate::negotiate::PeerRestart;

/// The families whose stale routes are kept.
#[derive(Debug, Default)]
pub(super) struct Retention(Vec<Retained>);

/// The deadlines of one family.
#[derive(Clone, Copy, Debug)]
struct Retained {
    family: Family,
    /// End of the ordinary stale time; `None` once it has passed.
    stale: Option<Instant>,
    /// Duration of the long-lived stale time that follows; zero without RFC 9494.
    long_lived_time: Duration,
    /// End of the long-lived stale time; `None` before it begins.
    long_lived: Option<Instant>,
    /// `true` once the peer has returned and sends its routes again.
    returned: bool,
}

/// Families whose retention timers expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    /// Families whose stale routes must be removed.
    pub(super) gone: FamilySet,
    /// Families whose stale routes become long-lived stale.
    pub(super) long_lived: FamilySet,
}

impl Retention {
    /// Begins to keep the routes of a peer whose session went down. Returns their families.
    pub(super) fn keep(&mut self, now: Instant, restart: &PeerRestart) -> FamilySet {
        let previous = std::mem::take(&mut self.0);
        let retained = restart.families.iter().map(|family| Retained {
            family,
            stale: Some(now + restart.restart_time),
            long_lived_time: long_lived_time(restart, family),
            // RFC 9494 section 4.2: further failures do not restart the timer of routes that are long-lived stale.
            long_lived: previous
                .iter()
                .find(|previous| previous.family == family)
                .and_then(|previous| previous.long_lived),
            returned: false,
        });
        self.0 = retained.collect();
        restart.families
    }

    /// Stops keeping the families that the returned peer has not preserved, and returns them.
    ///
    /// The peer has `stale_time` to send the routes of the others again.
    pub(super) fn peer_returned(
        &mut self,
        now: Instant,
        restart: Option<&PeerRestart>,
        stale_time: Duration,
    ) -> FamilySet {
        // RFC 4724 and RFC 9494 define an F bit each: the one of the current phase decides.
        let is_preserved = |retained: &Retained| {
            restart.is_some_and(|restart| {
                let forwarding = match retained.long_lived {
                    Some(_) => restart.long_lived_forwarding,
                    None => restart.forwarding,
                };
                forwarding.contains(retained.family)
            })
        };
        let discarded = self
            .0
            .extract_if(.., |retained| !is_preserved(retained))
            .map(|retained| retained.family)
            .collect();
        for retained in &mut self.0 {
            retained.returned = true;
            // A long-lived stale route keeps its deadline: the peer's return does not extend it.
            if retained.stale.is_some() {
                retained.stale = Some(now + stale_time);
            }
        }
        discarded
    }

    /// Ends keeping a family because the peer has sent all its routes. Returns `true` if stale ones may remain.
    pub(super) fn end_of_rib(&mut self, family: Family) -> bool {
        let mut ended = self.0.extract_if(.., |retained| {
            retained.family == family && retained.returned
        });
        ended.next().is_some()
    }

    /// Stops keeping all routes. Returns their families.
    pub(super) fn clear(&mut self) -> FamilySet {
        self.0.drain(..).map(|retained| retained.family).collect()
    }

    /// Returns the earliest deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = |retained: &Retained| [retained.stale, retained.long_lived];
        self.0.iter().flat_map(deadlines).flatten().min()
    }

    /// Ends every stale time that has passed. Returns the affected families.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        self.0.retain_mut(|retained| {
            if retained.stale.is_some_and(|until| until <= now) {
                retained.stale = None;
                // A peer that has returned has had `stale_time` to send its routes; only an absent one is waited for
                // longer.
                let continues = !retained.returned && !retained.long_lived_time.is_zero();
                if continues && retained.long_lived.is_none() {
                    retained.long_lived = Some(now + retained.long_lived_time);
                }
                if retained.long_lived.is_some_and(|until| until > now) {
                    expired.long_lived = expired.long_lived.with(retained.family);
                }
            }
            let has_expired = retained.long_lived.is_some_and(|until| until <= now);
            let gone = has_expired || (retained.stale.is_none() && retained.long_lived.is_none());
            if gone {
                expired.gone = expired.gone.with(retained.family);
            }
            !gone
        });
        expired
    }
}

/// Returns the long-lived stale time of a family; zero if the peer's OPEN contains none.
fn long_lived_time(restart: &PeerRestart, family: Family) -> Duration {
    // One capability has the entries, at most 36 in its 255 octets.
    restart
        .long_lived
        .iter()
        .find(|(known, _)| *known == family)
        .map_or(Duration::ZERO, |(_, time)| *time)
}
