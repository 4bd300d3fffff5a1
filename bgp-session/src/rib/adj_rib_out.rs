//! `AdjRibOut`: one peer's place in the table, and the UPDATEs that bring the peer up to date.
//!
//! It pulls: when the transport has room it takes a window of the log, groups it by path, applies what this peer needs
//! and packs messages to the negotiated limit. Backpressure and coalescing follow from that; nothing is queued.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{
    AttributeSet, Context, EncodeError, Family, NextHop, Nlri, PeerKind, RefreshSubtype,
    RouteRefresh, UnicastPrefix, encode_announcements, encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

use super::intern::{Interner, PathKey};
use super::log::{Change, ConsumerId, Log};
use super::{Path, Rib};
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
///     adj_rib_out.close(rib);
///     messages
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

/// What a peer needs done to every route.
#[derive(Debug)]
struct Export {
    context: Context,
    local_as: bgp_wire::Asn,
    next_hop_ipv4: Option<Ipv4Addr>,
    next_hop_ipv6: Option<Ipv6Addr>,
    enhanced_route_refresh: bool,
    end_of_rib: bool,
}

/// The progress in one family.
#[derive(Debug)]
struct Progress {
    consumer: ConsumerId,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The first time through: End-of-RIB follows, and then a refresh that was asked for meanwhile.
    Initial { refresh: bool },
    /// Changes as they come.
    Following,
    /// A refresh was asked for.
    RefreshWanted,
    /// The refresh is under way; whether it was asked for once more.
    Refreshing { again: bool },
}

impl AdjRibOut {
    /// A peer that has been sent nothing yet.
    #[must_use]
    pub fn new(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let families = negotiated.families();
        let (local_ipv4, local_ipv6) = match negotiated.local_address {
            IpAddr::V4(address) => (Some(address), None),
            IpAddr::V6(address) => (None, Some(address)),
        };
        let progress = |consumer| Progress {
            consumer,
            stage: Stage::Initial { refresh: false },
        };
        Self {
            export: Export {
                context: negotiated.context,
                local_as: negotiated.local_as,
                next_hop_ipv4: config.next_hop_ipv4.or(local_ipv4),
                next_hop_ipv6: config.next_hop_ipv6.or(local_ipv6),
                enhanced_route_refresh: negotiated.enhanced_route_refresh,
                end_of_rib: negotiated.end_of_rib,
            },
            ipv4: families
                .contains(Family::IPV4_UNICAST)
                .then(|| progress(rib.ipv4.join())),
            ipv6: families
                .contains(Family::IPV6_UNICAST)
                .then(|| progress(rib.ipv6.join())),
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
            progress.stage = match progress.stage {
                Stage::Refreshing { .. } => Stage::Refreshing { again: true },
                // RFC 7313 section 4: no BoRR before End-of-RIB.
                Stage::Initial { .. } => Stage::Initial { refresh: true },
                Stage::Following | Stage::RefreshWanted => Stage::RefreshWanted,
            };
            self.version = None;
        }
    }

    /// Appends messages to `out` until it holds about `budget` octets or the peer is up to date, which it then says.
    pub fn pull(&mut self, rib: &mut Rib, out: &mut BytesMut, budget: usize) -> bool {
        let version = rib.version();
        let export = &self.export;
        let mut output = Output {
            paths: &rib.paths,
            out,
            skipped: &mut self.skipped,
        };
        let ipv4 = (self.ipv4.as_mut())
            .is_none_or(|progress| progress.pull(&mut rib.ipv4, export, &mut output, budget));
        let ipv6 = (self.ipv6.as_mut())
            .is_none_or(|progress| progress.pull(&mut rib.ipv6, export, &mut output, budget));
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
    skipped: &'a mut Skipped,
}

impl Progress {
    /// Whether the peer is up to date.
    fn pull<P: UnicastPrefix + Eq + Hash + Exported>(
        &mut self,
        log: &mut Log<P>,
        export: &Export,
        output: &mut Output<'_>,
        budget: usize,
    ) -> bool {
        let mut window = Vec::new();
        loop {
            if self.stage == Stage::RefreshWanted {
                log.rewind(self.consumer);
                self.stage = Stage::Refreshing { again: false };
                export.mark(P::FAMILY, RefreshSubtype::BEGIN, output.out);
            }
            while !log.is_at_end(self.consumer) {
                if output.out.len() >= budget {
                    return false;
                }
                window.clear();
                log.read(self.consumer, WINDOW, &mut window);
                export.write(&mut window, output);
            }
            let again = match std::mem::replace(&mut self.stage, Stage::Following) {
                Stage::Initial { refresh } => {
                    if export.end_of_rib {
                        encode_end_of_rib(P::FAMILY, output.out);
                    }
                    refresh
                }
                Stage::Following | Stage::RefreshWanted => false,
                Stage::Refreshing { again } => {
                    export.mark(P::FAMILY, RefreshSubtype::END, output.out);
                    again
                }
            };
            if again {
                self.stage = Stage::RefreshWanted;
                continue;
            }
            return true;
        }
    }
}

impl Export {
    /// Writes a window, grouped by path.
    fn write<P: UnicastPrefix + Exported>(
        &self,
        window: &mut [(P, Change)],
        output: &mut Output<'_>,
    ) {
        let group = |change: &Change| match change {
            Change::Withdrawn => None,
            Change::Announced(key) => Some(*key),
        };
        if !window.is_sorted_by_key(|(_, change)| group(change)) {
            window.sort_by_key(|(_, change)| group(change));
        }
        for run in window.chunk_by(|(_, one), (_, other)| one == other) {
            let prefixes = run.iter().map(|(prefix, _)| Nlri::new(*prefix));
            let key = run.first().and_then(|(_, change)| group(change));
            let written = match key {
                Some(key) => self.announce(key, prefixes.clone(), output),
                None => encode_withdrawals(&self.context, prefixes.clone(), output.out),
            };
            if let Err(error) = written {
                // The peer may hold an older state of the prefix, which is no longer true.
                // Without path identifiers, which nobody gives them, withdrawals always encode.
                encode_withdrawals(&self.context, prefixes, output.out).ok();
                output.skipped.routes += u64::try_from(run.len()).unwrap_or(u64::MAX);
                output.skipped.error = Some(error);
            }
        }
    }

    fn announce<P: UnicastPrefix + Exported>(
        &self,
        key: PathKey,
        prefixes: impl Iterator<Item = Nlri<P>>,
        output: &mut Output<'_>,
    ) -> Result<usize, EncodeError> {
        let Some(path) = output.paths.path(key) else {
            return Ok(0);
        };
        let next_hop = P::next_hop(path, self).ok_or(EncodeError::NextHopMissing(P::FAMILY))?;
        let prepended;
        let attributes = match self.context.peer() {
            PeerKind::Internal => &path.attributes,
            // RFC 4271 section 5.1.2 (b). No session is within a confederation yet.
            PeerKind::External | PeerKind::Confederation => {
                let as_path = path.attributes.as_path.clone().prepend(self.local_as, 1);
                prepended = AttributeSet {
                    as_path,
                    ..path.attributes.clone()
                };
                &prepended
            }
        };
        encode_announcements(&self.context, attributes, next_hop, prefixes, output.out)
    }

    /// BoRR and EoRR, where the peer understands them (RFC 7313).
    fn mark(&self, family: Family, subtype: RefreshSubtype, out: &mut BytesMut) {
        if self.enhanced_route_refresh {
            RouteRefresh { family, subtype }.encode(out);
        }
    }
}

/// A family that can be announced.
trait Exported {
    const FAMILY: Family;

    /// The route's own next hop, the peer's, or the speaker's address: the first that there is.
    fn next_hop(path: &Path, export: &Export) -> Option<NextHop>;
}

impl Exported for Ipv4Net {
    const FAMILY: Family = Family::IPV4_UNICAST;

    fn next_hop(path: &Path, export: &Export) -> Option<NextHop> {
        path.next_hop_ipv4
            .or(export.next_hop_ipv4)
            .map(|address| NextHop::Address(address.into()))
    }
}

impl Exported for Ipv6Net {
    const FAMILY: Family = Family::IPV6_UNICAST;

    fn next_hop(path: &Path, export: &Export) -> Option<NextHop> {
        path.next_hop_ipv6
            .or(export.next_hop_ipv6)
            .map(|address| NextHop::Address(address.into()))
    }
}

/// How many changes are grouped at a time.
const WINDOW: usize = 16384;
