//! `AdjRibOut`: one peer's place in the table, and the UPDATEs that bring the peer up to date.
//!
//! It pulls: when the transport has room it takes a window of the log, grouped by path, applies what this peer needs
//! and packs messages to the negotiated limit. Backpressure and coalescing follow from that; nothing is queued. The table
//! is locked only while a window is taken.

use bgp_wire::{
    EncodeError, Family, Nlri, RefreshSubtype, RouteRefresh, encode_announcements,
    encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

use super::export::{Export, Exported};
use super::log::{Change, ConsumerId};
use super::route::Path;
use super::window::Window;
use super::{Rib, RibAccess};
use crate::config::{ExportPolicy, PeerConfig};
use crate::negotiate::Negotiated;

/// What one peer has been sent of the table. Made when the session comes up, given back when it goes down.
///
/// One that is dropped without [`AdjRibOut::close`] keeps withdrawals in the table for ever.
///
/// ```
/// use bgp_session::{AdjRibOut, Negotiated, PeerConfig, Rib};
/// use bytes::BytesMut;
///
/// /// Everything that a peer is to be sent when its session comes up.
/// fn whole_table(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> BytesMut {
///     let mut adj_rib_out = AdjRibOut::new(rib, config, negotiated);
///     let mut messages = BytesMut::new();
///     while !adj_rib_out.pull(rib, &mut messages, usize::MAX) {}
///     assert_eq!(adj_rib_out.version(), Some(rib.version()));
///     adj_rib_out.close(rib);
///     messages
/// }
///
/// /// The operator has changed the policy, and is about to stop the speaker.
/// fn operate(adj_rib_out: &mut AdjRibOut, config: &PeerConfig, negotiated: &Negotiated) {
///     adj_rib_out.set_policy(config, negotiated);
///     adj_rib_out.set_draining(true);
///     let bgp_session::Skipped { routes, error } = adj_rib_out.skipped();
///     println!("{routes} routes were passed over: {error:?}");
/// }
/// ```
#[derive(Debug)]
pub struct AdjRibOut {
    export: Export,
    ipv4: Option<Progress>,
    ipv6: Option<Progress>,
    /// The version of the table that has been pulled whole.
    version: Option<u64>,
    skipped: Skipped,
}

/// Routes that a peer is not sent because they cannot be encoded for it. They are withdrawn instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How often a route was passed over.
    pub routes: u64,
    /// Why the last one was.
    pub error: Option<EncodeError>,
}

/// The progress in one family.
#[derive(Debug)]
struct Progress {
    consumer: ConsumerId,
    /// End-of-RIB is due once the first pass is over.
    initial: bool,
    /// The pass that is under way from the beginning, after the first.
    pass: Option<Pass>,
    wanted: Wanted,
}

/// One more time through the table.
#[derive(Debug)]
struct Pass {
    /// It answers a ROUTE-REFRESH: it stands between BoRR and EoRR.
    refresh: bool,
    /// What the peer was sent by, where that is no longer so.
    before: Option<ExportPolicy>,
}

/// What the next pass is to be.
#[derive(Debug, Default)]
struct Wanted {
    refresh: bool,
    readvertise: bool,
    before: Option<ExportPolicy>,
}

impl Progress {
    fn new(consumer: ConsumerId) -> Self {
        Self {
            consumer,
            initial: true,
            pass: None,
            wanted: Wanted::default(),
        }
    }
}

impl AdjRibOut {
    /// A peer that has been sent nothing yet.
    #[must_use]
    pub fn new(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let (families, paths) = (negotiated.families(), negotiated.sends.add_path_set());
        let (ipv4, ipv6) = (Family::IPV4_UNICAST, Family::IPV6_UNICAST);
        Self {
            export: Export::new(config, negotiated),
            ipv4: families
                .contains(ipv4)
                .then(|| Progress::new(rib.ipv4.join(paths.contains(ipv4)))),
            ipv6: families
                .contains(ipv6)
                .then(|| Progress::new(rib.ipv6.join(paths.contains(ipv6)))),
            version: None,
            skipped: Skipped::default(),
        }
    }

    /// The session is down: the table keeps nothing for this peer any more.
    pub fn close(self, rib: &mut Rib) {
        if let Some(Progress { consumer, .. }) = self.ipv4 {
            rib.ipv4.leave(consumer);
        }
        if let Some(Progress { consumer, .. }) = self.ipv6 {
            rib.ipv6.leave(consumer);
        }
    }

    /// The peer wants the routes of `family` once more (RFC 2918). Requests that come while one is answered are
    /// answered by one more pass together.
    pub fn refresh(&mut self, family: Family) {
        let progress = match family {
            Family::IPV4_UNICAST => &mut self.ipv4,
            Family::IPV6_UNICAST => &mut self.ipv6,
            _ => return,
        };
        if let Some(progress) = progress {
            progress.wanted.refresh = true;
            self.version = None;
        }
    }

    /// Export policy and next hops are those of `config` from here on: what that changes is sent again, what it forbids is
    /// withdrawn. What was negotiated is the session's.
    pub fn set_policy(&mut self, config: &PeerConfig, negotiated: &Negotiated) {
        let Some(before) = self.export.change(config, negotiated) else {
            return;
        };
        for progress in [&mut self.ipv4, &mut self.ipv6].into_iter().flatten() {
            // Of several changes at once the peer knows only what was before the first.
            progress.wanted.before.get_or_insert_with(|| before.clone());
        }
        self.readvertise();
    }

    /// Asks the peer to prefer the routes of others, as the session is about to end, or no longer (RFC 8326): external
    /// peers by the community GRACEFUL_SHUTDOWN, internal ones by LOCAL_PREF 0, too.
    pub fn set_draining(&mut self, draining: bool) {
        if self.export.set_draining(draining) {
            self.readvertise();
        }
    }

    fn readvertise(&mut self) {
        for progress in [&mut self.ipv4, &mut self.ipv6].into_iter().flatten() {
            progress.wanted.readvertise = true;
        }
        self.version = None;
    }

    /// Appends messages to `out` until it holds about `budget` octets, then returns `false`, or until the peer is up to date,
    /// then returns `true`.
    ///
    /// Changes that are made while this runs, where others share the table, may be left to the next call; see
    /// [`AdjRibOut::version`].
    pub fn pull(&mut self, table: &mut impl RibAccess, out: &mut BytesMut, budget: usize) -> bool {
        let export = &self.export;
        let mut output = Output {
            out,
            budget,
            skipped: &mut self.skipped,
        };
        let version = table.with_rib(|rib| rib.version());
        let ipv4 = (self.ipv4.as_mut())
            .is_none_or(|progress| progress.pull::<Ipv4Net>(table, export, &mut output));
        let ipv6 = (self.ipv6.as_mut())
            .is_none_or(|progress| progress.pull::<Ipv6Net>(table, export, &mut output));
        if ipv4 && ipv6 {
            self.version = Some(version);
        }
        ipv4 && ipv6
    }

    /// Returns the version of the table up to which every change has been pulled, or `None` while the first pass or one that
    /// was asked for is under way.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// What the peer was not sent.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }
}

/// What is written to.
struct Output<'a> {
    out: &'a mut BytesMut,
    budget: usize,
    skipped: &'a mut Skipped,
}

impl Output<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }
}

/// What one look at the table found.
enum Taken {
    /// There is more to send than the output has room for.
    Nothing,
    /// The window has been filled. `ends` says that no change is left behind it.
    Changes { ends: bool, incomplete: bool },
}

impl Progress {
    /// Returns `true` if the peer is up to date.
    fn pull<P: Exported>(
        &mut self,
        table: &mut impl RibAccess,
        export: &Export,
        output: &mut Output<'_>,
    ) -> bool {
        let mut window = Window::<P>::default();
        loop {
            let full = output.is_full();
            let taken = table.with_rib(|rib| self.take(rib, full, &mut window));
            let Taken::Changes { ends, incomplete } = taken else {
                return false;
            };
            let passing = self.pass.as_ref().and_then(|pass| pass.before.as_ref());
            let before = [passing, self.wanted.before.as_ref()];
            export.write(&mut window, before, output);
            if ends && !self.begin_pass::<P>(table, export, incomplete, output.out) {
                return true;
            }
        }
    }

    /// Fills the window with the next changes, if there is room in the output for them.
    fn take<P: Exported>(&self, rib: &mut Rib, full: bool, window: &mut Window<P>) -> Taken {
        let incomplete = rib.incomplete;
        let (log, paths) = P::log(rib);
        window.clear();
        if !log.is_at_end(self.consumer) {
            if full {
                return Taken::Nothing;
            }
            window.fill(log, self.consumer, paths);
        }
        Taken::Changes {
            ends: log.is_at_end(self.consumer),
            incomplete,
        }
    }

    /// Ends a pass through the table and begins the next. Returns `false` if none is wanted.
    fn begin_pass<P: Exported>(
        &mut self,
        table: &mut impl RibAccess,
        export: &Export,
        incomplete: bool,
        out: &mut BytesMut,
    ) -> bool {
        if self.initial && !incomplete {
            self.initial = false;
            if export.end_of_rib {
                encode_end_of_rib(P::FAMILY, out);
            }
        }
        if self.pass.take().is_some_and(|pass| pass.refresh) {
            export.mark(P::FAMILY, RefreshSubtype::END, out);
        }
        // RFC 7313 section 4: no BoRR before End-of-RIB.
        let early = self.initial && export.enhanced_route_refresh;
        let refresh = self.wanted.refresh && !early;
        if !refresh && !self.wanted.readvertise {
            return false;
        }
        self.pass = Some(Pass {
            refresh,
            before: self.wanted.before.take(),
        });
        self.wanted = Wanted {
            refresh: self.wanted.refresh && !refresh,
            ..Wanted::default()
        };
        table.with_rib(|rib| P::log(rib).0.rewind(self.consumer));
        if refresh {
            export.mark(P::FAMILY, RefreshSubtype::BEGIN, out);
        }
        true
    }
}

impl Export {
    /// Writes a window.
    ///
    /// What is not for the peer is passed over, unless the peer may have it by a policy of `before`: then it is withdrawn.
    fn write<P: Exported>(
        &self,
        window: &mut Window<P>,
        before: [Option<&ExportPolicy>; 2],
        output: &mut Output<'_>,
    ) {
        if !self.allows_all() {
            window.retain_mut(|key, change| {
                let prefix = key.destination.into();
                if !self.allows(prefix) {
                    *change = Change::Withdrawn;
                    let mut before = before.iter().flatten();
                    return before.any(|before| before.allows(prefix));
                }
                true
            });
        }
        let paths = self.context.add_path_set().contains(P::FAMILY);
        for (path, run) in window.groups() {
            let routes = run.iter().map(|(key, _)| Nlri {
                path_id: paths.then_some(key.path_id),
                prefix: key.destination,
            });
            let written = match path {
                Some(path) => self.announce(path, routes.clone(), output),
                None => encode_withdrawals(&self.context, routes.clone(), output.out),
            };
            if let Err(error) = written {
                // The peer may hold an older state of the route, which is no longer true. Withdrawals always encode.
                encode_withdrawals(&self.context, routes, output.out).ok();
                output.skipped.routes += u64::try_from(run.len()).unwrap_or(u64::MAX);
                output.skipped.error = Some(error);
            }
        }
    }

    fn announce<P: Exported>(
        &self,
        path: &Path,
        routes: impl Iterator<Item = Nlri<P>>,
        output: &mut Output<'_>,
    ) -> Result<usize, EncodeError> {
        let Some(attributes) = self.attributes(P::FAMILY, path) else {
            // It may have been one for this peer before.
            return encode_withdrawals(&self.context, routes, output.out);
        };
        let next_hop = P::next_hop(path, self).ok_or(EncodeError::NextHopMissing(P::FAMILY))?;
        encode_announcements(&self.context, &attributes, next_hop, routes, output.out)
    }

    /// BoRR and EoRR, where the peer understands them (RFC 7313).
    fn mark(&self, family: Family, subtype: RefreshSubtype, out: &mut BytesMut) {
        if self.enhanced_route_refresh {
            RouteRefresh { family, subtype }.encode(out);
        }
    }
}
