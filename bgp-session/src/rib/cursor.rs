//! `Cursor`: the position of one peer in the log of one family, and the passes through the log that are due.

use bgp_wire::{Family, RefreshSubtype};

use super::log::ConsumerId;
use super::membership::Membership;
use super::table::{FamilyKey, ForKeys, Table, for_family};
use super::window::Window;
use super::writer::{Sent, Writer};
use super::{Rib, RibAccess};
use crate::config::ExportPolicy;

/// The progress of one peer in one family.
#[derive(Debug)]
pub(super) struct Cursor {
    family: Family,
    consumer: ConsumerId,
    /// `true` until End-of-RIB is due, which is at the end of the first pass.
    initial: bool,
    /// The further pass that is under way.
    pass: Option<Pass>,
    requested: Requested,
    progress: Progress,
}

/// A point in the history of what a peer is sent. A later point includes every earlier one.
// The derived order compares the generations first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Progress {
    /// The number of the pass that sends all routes in their current form.
    pub(super) generation: u64,
    /// The version of the table up to which every change has been sent in that form. `None` precedes all versions.
    pub(super) version: Option<u64>,
}

impl Progress {
    /// A point that is never reached.
    pub(super) const NEVER: Self = Self {
        generation: u64::MAX,
        version: None,
    };
}

/// A pass through the table after the first one.
#[derive(Debug)]
struct Pass {
    /// `true` if the pass answers a ROUTE-REFRESH, so that BoRR precedes it and EoRR follows it.
    refresh: bool,
    /// The policy that the peer's routes were sent with, if it has changed.
    before: Option<ExportPolicy>,
    /// The generation that every route has at the end of the pass, if the pass sends a new form.
    generation: Option<u64>,
}

/// The reasons for the next pass.
#[derive(Debug, Default)]
struct Requested {
    refresh: bool,
    /// The first and the last generation that the pass sends, if the form of the routes has changed.
    readvertise: Option<(u64, u64)>,
    before: Option<ExportPolicy>,
}

/// The result of taking changes from the table.
enum Taken {
    /// The output is full, and changes are left.
    Nothing,
    /// The window has been filled. `ends` is `true` if it contains the last change, `is_first` if it contains nothing that the
    /// peer may have been sent, and `incomplete` is that of the table. This pass has taken every change up to `version`.
    Changes {
        ends: bool,
        is_first: bool,
        incomplete: bool,
        version: Option<u64>,
    },
}

impl Cursor {
    /// Creates a cursor at the beginning of the log. It leaves the log when `membership` is dropped.
    pub(super) fn new(
        table: &mut Table,
        family: Family,
        every_path: bool,
        membership: &Membership,
    ) -> Self {
        Self {
            family,
            consumer: table.join(family, every_path, membership),
            initial: true,
            pass: None,
            requested: Requested::default(),
            progress: Progress::default(),
        }
    }

    /// Returns the last point up to which the peer has been sent everything.
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Requests a pass that answers a ROUTE-REFRESH.
    pub(super) fn refresh(&mut self) {
        self.requested.refresh = true;
    }

    /// Requests a pass with this number because the export has changed. `before` is the policy of the routes sent so far, if
    /// it has changed.
    pub(super) fn readvertise(&mut self, generation: u64, before: Option<&ExportPolicy>) {
        let first = self
            .requested
            .readvertise
            .map_or(generation, |(first, _)| first);
        self.requested.readvertise = Some((first, generation));
        // If the policy changes several times before the pass, the peer's routes are those of the first policy.
        if self.requested.before.is_none() {
            self.requested.before = before.cloned();
        }
    }

    /// Writes changes. Returns `true` if the peer is up to date, or `false` if the output is full and changes are left.
    pub(super) fn pull(&mut self, table: &mut impl RibAccess, writer: &mut Writer<'_>) -> bool {
        let family = self.family;
        let cursor = self;
        for_family(
            family,
            Pull {
                cursor,
                table,
                writer,
            },
        )
    }

    fn pull_from<D: FamilyKey>(
        &mut self,
        table: &mut impl RibAccess,
        writer: &mut Writer<'_>,
    ) -> bool {
        let mut window = Window::<D>::default();
        loop {
            let full = writer.is_full();
            let taken = table.with_rib(|rib| self.take(rib, full, &mut window));
            let Taken::Changes {
                ends,
                is_first,
                incomplete,
                version,
            } = taken
            else {
                return false;
            };
            // A new policy applies at once. During a pass the peer may have routes of two earlier policies.
            let passing = self.pass.as_ref().and_then(|pass| pass.before.as_ref());
            let before = [passing, self.requested.before.as_ref()];
            writer.write(self.family, &mut window, Sent { is_first, before });
            // A refresh begins again, but the peer keeps what it was sent before.
            self.progress.version = self.progress.version.max(version);
            if !ends {
                continue;
            }
            self.end_pass(incomplete, writer);
            let Some(refresh) = self.next_pass(writer) else {
                return true;
            };
            table.with_rib(|rib| {
                let log = D::log(&mut rib.table, self.family);
                log.rewind(self.consumer);
                // The checkpoints of flushes that wait for this pass may be gone: the first reading has passed them.
                log.add_checkpoint(rib.version);
            });
            if refresh {
                writer.mark(self.family, RefreshSubtype::BEGIN);
            }
        }
    }

    /// Fills the window with the next changes, unless the output is full.
    fn take<D: FamilyKey>(&self, rib: &mut Rib, full: bool, window: &mut Window<D>) -> Taken {
        let log = D::log(&mut rib.table, self.family);
        // An empty window still goes through the end of the pass, whose marks are due even if the output is full.
        window.clear();
        if !log.is_at_end(self.consumer) {
            if full {
                return Taken::Nothing;
            }
            window.fill(log, self.consumer, &rib.paths);
        }
        let ends = log.is_at_end(self.consumer);
        Taken::Changes {
            ends,
            // A further pass reads the same routes again.
            is_first: self.pass.is_none() && log.is_before_joined(self.consumer),
            incomplete: rib.incomplete,
            version: if ends {
                Some(rib.version)
            } else {
                log.version_read(self.consumer)
            },
        }
    }

    /// Writes the marks that are due at the end of a pass.
    fn end_pass(&mut self, incomplete: bool, writer: &mut Writer<'_>) {
        // RFC 4724 section 4.1: a restarted speaker sends End-of-RIB when its table is complete again.
        if self.initial && !incomplete {
            self.initial = false;
            writer.end_of_rib(self.family);
        }
        let Some(pass) = self.pass.take() else {
            return;
        };
        if pass.refresh {
            writer.mark(self.family, RefreshSubtype::END);
        }
        if let Some(generation) = pass.generation {
            self.progress.generation = generation;
        }
    }

    /// Begins the requested pass. Returns `true` if it answers a ROUTE-REFRESH, or `None` if no pass is due.
    fn next_pass(&mut self, writer: &Writer<'_>) -> Option<bool> {
        // RFC 7313 section 4: BoRR must not be sent before End-of-RIB.
        let early = self.initial && writer.export.enhanced_route_refresh;
        let refresh = self.requested.refresh && !early;
        if !refresh && self.requested.readvertise.is_none() {
            return None;
        }
        if let Some((first, _)) = self.requested.readvertise {
            // Flushes from before the first request have been reached: the peer has read the whole log. Those between two
            // requests have not.
            self.progress = Progress {
                generation: first,
                version: None,
            };
        }
        self.pass = Some(Pass {
            refresh,
            before: self.requested.before.take(),
            generation: self.requested.readvertise.map(|(_, last)| last),
        });
        // A refresh that is too early stays due. All other requests are part of the pass that begins.
        self.requested = Requested {
            refresh: self.requested.refresh && !refresh,
            ..Requested::default()
        };
        Some(refresh)
    }
}

/// [`Cursor::pull`], generic over the keys of the family.
struct Pull<'a, 'w, T> {
    cursor: &'a mut Cursor,
    table: &'a mut T,
    writer: &'a mut Writer<'w>,
}

impl<T: RibAccess> ForKeys for Pull<'_, '_, T> {
    type Output = bool;

    fn run<D: FamilyKey>(self) -> bool {
        self.cursor.pull_from::<D>(self.table, self.writer)
    }
}
