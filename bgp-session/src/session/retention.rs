//! How long what a peer has announced is kept while it restarts (RFC 4724 section 4.2, RFC 8538, RFC 9494 section 4.2), by family.
//!
//! The routes are the application's; here is only until when they may stay.

use std::time::{Duration, Instant};

use bgp_wire::{Family, FamilySet};

use crate::negotiate::PeerRestart;

/// The families of which stale routes are kept.
#[derive(Debug, Default)]
pub(super) struct Retention(Vec<Retained>);

#[derive(Clone, Copy, Debug)]
struct Retained {
    family: Family,
    /// Until when routes stay that are stale, but not yet for long; `None` once there are none.
    stale: Option<Instant>,
    /// How much longer they stay as a last resort, from then on.
    long_lived_time: Duration,
    /// Until when routes stay that are a last resort, if there are any.
    long_lived: Option<Instant>,
    /// The peer is back and sends its routes anew.
    returned: bool,
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
    /// The session is down: the families of which routes are kept.
    pub(super) fn keep(&mut self, now: Instant, restart: &PeerRestart) -> FamilySet {
        let time = |family| {
            let mut times = restart.long_lived.iter();
            let time = times.find(|(known, _)| *known == family);
            time.map_or(Duration::ZERO, |(_, time)| *time)
        };
        let before = std::mem::take(&mut self.0);
        let retained = restart.families.iter().map(|family| Retained {
            family,
            stale: Some(now + restart.restart_time),
            long_lived_time: time(family),
            // RFC 9494 section 4.2: however often the peer goes, the time of a last resort is not begun anew.
            long_lived: before
                .iter()
                .find(|before| before.family == family)
                .and_then(|before| before.long_lived),
            returned: false,
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
        // Each capability has an F bit of its own.
        let kept = |retained: &Retained| {
            restart.is_some_and(|restart| {
                let forwarding = match retained.long_lived {
                    Some(_) => restart.long_lived_forwarding,
                    None => restart.forwarding,
                };
                forwarding.contains(retained.family)
            })
        };
        let lost = self.0.extract_if(.., |retained| !kept(retained));
        let lost = lost.map(|retained| retained.family).collect();
        for retained in &mut self.0 {
            retained.returned = true;
            if retained.stale.is_some() {
                retained.stale = Some(now + stale_time);
            }
        }
        lost
    }

    /// The peer has sent all its routes of a family: whether there may be stale ones left.
    pub(super) fn end_of_rib(&mut self, family: Family) -> bool {
        let mut ended = self.0.extract_if(.., |retained| {
            retained.family == family && retained.returned
        });
        ended.next().is_some()
    }

    /// Nothing is kept any more: the families of which routes were.
    pub(super) fn clear(&mut self) -> FamilySet {
        self.0.drain(..).map(|retained| retained.family).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = |retained: &Retained| [retained.stale, retained.long_lived];
        self.0.iter().flat_map(deadlines).flatten().min()
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        self.0.retain_mut(|retained| {
            if retained.stale.is_some_and(|until| until <= now) {
                retained.stale = None;
                // Who is back has had time enough, unless there is a last resort already.
                let more = !retained.returned && !retained.long_lived_time.is_zero();
                if more && retained.long_lived.is_none() {
                    retained.long_lived = Some(now + retained.long_lived_time);
                }
                if retained.long_lived.is_some_and(|until| until > now) {
                    expired.long_lived = expired.long_lived.with(retained.family);
                }
            }
            let over = retained.long_lived.is_some_and(|until| until <= now);
            let gone = over || (retained.stale.is_none() && retained.long_lived.is_none());
            if gone {
                expired.gone = expired.gone.with(retained.family);
            }
            !gone
        });
        expired
    }
}
