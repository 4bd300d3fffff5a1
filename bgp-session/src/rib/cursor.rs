//! `Cursor`: the place of one peer in the log of one family, and what it is still to be sent of it.

use bgp_wire::{Family, RefreshSubtype};

use super::log::ConsumerId;
use super::table::{FamilyKey, ForKeys, Table, for_family};
use super::window::Window;
use super::writer::Writer;
use super::{Rib, RibAccess};
use crate::config::ExportPolicy;

/// The progress in one family.
#[derive(Debug)]
pub(super) struct Cursor {
    family: Family,
    consumer: ConsumerId,
    /// End-of-RIB is due once the first pass is over.
    initial: bool,
    /// The pass after the first that is under way.
    pass: Option<Pass>,
    wanted: Wanted,
}

/// A further pass through the table.
#[derive(Debug)]
struct Pass {
    /// It answers a ROUTE-REFRESH, so that it goes between BoRR and EoRR.
    refresh: bool,
    /// The policy by which the peer was sent its routes, if it is another one now.
    before: Option<ExportPolicy>,
}

/// The next pass.
#[derive(Debug, Default)]
struct Wanted {
    refresh: bool,
    readvertise: bool,
    before: Option<ExportPolicy>,
}

/// The result of one look at the table.
enum Taken {
    /// There is more to send than the output has room for.
    Nothing,
    /// The window has been filled. `ends` is `true` if no change is left behind it.
    Changes { ends: bool, incomplete: bool },
}

impl Cursor {
    /// A cursor at the beginning of the log.
    pub(super) fn new(table: &mut Table, family: Family, every_path: bool) -> Self {
        Self {
            family,
            consumer: table.join(family, every_path),
            initial: true,
            pass: None,
            wanted: Wanted::default(),
        }
    }

    pub(super) fn close(self, table: &mut Table) {
        table.leave(self.family, self.consumer);
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Requests a pass that answers a ROUTE-REFRESH.
    pub(super) fn refresh(&mut self) {
        self.wanted.refresh = true;
    }

    /// Requests a pass because what is sent has changed. `before` is the policy of the routes sent until now.
    pub(super) fn readvertise(&mut self, before: Option<&ExportPolicy>) {
        self.wanted.readvertise = true;
        // Of several changes at once the peer knows only the policy before the first.
        if self.wanted.before.is_none() {
            self.wanted.before = before.cloned();
        }
    }

    /// Writes until the output is full, then returns `false`, or the peer is up to date, then returns `true`.
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
            let Taken::Changes { ends, incomplete } = taken else {
                return false;
            };
            let passing = self.pass.as_ref().and_then(|pass| pass.before.as_ref());
            let before = [passing, self.wanted.before.as_ref()];
            writer.write(self.family, &mut window, before);
            if !ends {
                continue;
            }
            self.end_pass(incomplete, writer);
            let Some(refresh) = self.next_pass(writer) else {
                return true;
            };
            table.with_rib(|rib| D::log(&mut rib.table, self.family).rewind(self.consumer));
            if refresh {
                writer.mark(self.family, RefreshSubtype::BEGIN);
            }
        }
    }

    /// Fills the window with the next changes, if there is room in the output for them.
    fn take<D: FamilyKey>(&self, rib: &mut Rib, full: bool, window: &mut Window<D>) -> Taken {
        let log = D::log(&mut rib.table, self.family);
        window.clear();
        if !log.is_at_end(self.consumer) {
            if full {
                return Taken::Nothing;
            }
            window.fill(log, self.consumer, &rib.paths);
        }
        Taken::Changes {
            ends: log.is_at_end(self.consumer),
            incomplete: rib.incomplete,
        }
    }

    fn end_pass(&mut self, incomplete: bool, writer: &mut Writer<'_>) {
        if self.initial && !incomplete {
            self.initial = false;
            writer.end_of_rib(self.family);
        }
        if self.pass.take().is_some_and(|pass| pass.refresh) {
            writer.mark(self.family, RefreshSubtype::END);
        }
    }

    /// Begins the requested pass. Returns whether it answers a ROUTE-REFRESH, or `None` if no pass is wanted.
    fn next_pass(&mut self, writer: &Writer<'_>) -> Option<bool> {
        // RFC 7313 section 4: no BoRR before End-of-RIB.
        let early = self.initial && writer.export.enhanced_route_refresh;
        let refresh = self.wanted.refresh && !early;
        if !refresh && !self.wanted.readvertise {
            return None;
        }
        self.pass = Some(Pass {
            refresh,
            before: self.wanted.before.take(),
        });
        self.wanted = Wanted {
            refresh: self.wanted.refresh && !refresh,
            ..Wanted::default()
        };
        Some(refresh)
    }
}

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
