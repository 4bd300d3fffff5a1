//! `AdjRibOut`: one peer's place in the table, and the UPDATEs that bring the peer up to date.
//!
//! It pulls: when the transport has room it takes a window of the log, groups it by path, applies what this peer needs
//! and packs messages to the negotiated limit. Backpressure and coalescing follow from that; nothing is queued.

use bgp_wire::{
    EncodeError, Family, Nlri, RefreshSubtype, RouteRefresh, encode_announcements,
    encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;

use super::export::{Export, Exported};
use super::group;
use super::intern::{Interner, PathKey};
use super::log::{Change, ConsumerId, Key, Log};
use super::{ExportPolicy, Rib};
use crate::config::PeerConfig;
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
        let (families, paths) = (negotiated.families(), negotiated.sends.add_path());
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

    /// Appends messages to `out` until it holds about `budget` octets or the peer is up to date, which it then says.
    pub fn pull(&mut self, rib: &mut Rib, out: &mut BytesMut, budget: usize) -> bool {
        let version = rib.version();
        let export = &self.export;
        let mut output = Output {
            paths: &rib.paths,
            out,
            budget,
            incomplete: rib.incomplete,
            skipped: &mut self.skipped,
        };
        let ipv4 = (self.ipv4.as_mut())
            .is_none_or(|progress| progress.pull(&mut rib.ipv4, export, &mut output));
        let ipv6 = (self.ipv6.as_mut())
            .is_none_or(|progress| progress.pull(&mut rib.ipv6, export, &mut output));
        if ipv4 && ipv6 {
            self.version = Some(version);
        }
        ipv4 && ipv6
    }

    /// The version of the table up to which every change has been pulled; `None` before the first pass has ended.
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

/// What is written to, and what is needed for it.
struct Output<'a> {
    paths: &'a Interner,
    out: &'a mut BytesMut,
    budget: usize,
    incomplete: bool,
    skipped: &'a mut Skipped,
}

impl Progress {
    /// Whether the peer is up to date.
    fn pull<P: Exported>(
        &mut self,
        log: &mut Log<P>,
        export: &Export,
        output: &mut Output<'_>,
    ) -> bool {
        let mut window = Vec::new();
        loop {
            let passing = self.pass.as_ref().and_then(|pass| pass.before.as_ref());
            let before = [passing, self.wanted.before.as_ref()];
            while !log.is_at_end(self.consumer) {
                if output.out.len() >= output.budget {
                    return false;
                }
                window.clear();
                // Attributes may be as long as a message: no window becomes more than so many octets.
                let longest = output.paths.longest().max(1);
                let most = (MOST_OCTETS / longest).clamp(1, WINDOW);
                log.read(self.consumer, most, &mut window);
                export.write(&mut window, before, output);
            }
            if self.initial && !output.incomplete {
                self.initial = false;
                if export.end_of_rib {
                    encode_end_of_rib(P::FAMILY, output.out);
                }
            }
            if self.pass.take().is_some_and(|pass| pass.refresh) {
                export.mark(P::FAMILY, RefreshSubtype::END, output.out);
            }
            // RFC 7313 section 4: no BoRR before End-of-RIB.
            let early = self.initial && export.enhanced_route_refresh;
            let refresh = self.wanted.refresh && !early;
            if !refresh && !self.wanted.readvertise {
                return true;
            }
            self.pass = Some(Pass {
                refresh,
                before: self.wanted.before.take(),
            });
            self.wanted = Wanted {
                refresh: self.wanted.refresh && !refresh,
                ..Wanted::default()
            };
            log.rewind(self.consumer);
            if refresh {
                export.mark(P::FAMILY, RefreshSubtype::BEGIN, output.out);
            }
        }
    }
}

impl Export {
    /// Writes a window, grouped by path.
    ///
    /// What is not for the peer is passed over, unless the peer may have it by a policy of `before`.
    fn write<P: Exported>(
        &self,
        window: &mut Vec<(Key<P>, Change)>,
        before: [Option<&ExportPolicy>; 2],
        output: &mut Output<'_>,
    ) {
        if !self.allows_all() {
            window.retain_mut(|(key, change)| {
                let prefix = key.prefix.into();
                if !self.allows(prefix) {
                    *change = Change::Withdrawn;
                    let mut before = before.iter().flatten();
                    return before.any(|before| before.allows(prefix));
                }
                true
            });
        }
        group::by_path(window);
        let paths = self.context.add_path().contains(P::FAMILY);
        for run in window.chunk_by(|(_, one), (_, other)| one == other) {
            let routes = run.iter().map(|(key, _)| Nlri {
                path_id: paths.then_some(key.path_id),
                prefix: key.prefix,
            });
            let written = match run.first() {
                Some((_, Change::Announced(key))) => self.announce(*key, routes.clone(), output),
                _ => encode_withdrawals(&self.context, routes.clone(), output.out),
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
        key: PathKey,
        routes: impl Iterator<Item = Nlri<P>>,
        output: &mut Output<'_>,
    ) -> Result<usize, EncodeError> {
        let Some(path) = output.paths.path(key) else {
            return Ok(0);
        };
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

/// How many changes are grouped at a time, at the most.
const WINDOW: usize = 32768;

/// How many octets the changes that are grouped at a time may become, even if each has attributes of its own.
const MOST_OCTETS: usize = 2 << 20;
