//! In quiet times everybody comes to hold what the others announce, and nothing goes wrong any more.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{Session, Staleness, State};
use bgp_wire::{DestinationBuf, Family, PathId};
use ipnet::IpNet;

use crate::speaker::Peer;
use crate::world::{At, Happening, World};

/// The version by which a path to a prefix is known.
type Held = BTreeMap<(IpNet, Option<PathId>), u32>;

impl World {
    /// The faults end, everything is mended, and after a while all agree, and go on to.
    pub(crate) fn rest(&mut self) {
        self.calm();
        let end = self.now + LONGEST;
        // What has begun to go wrong before still does: hold times are three minutes at the most.
        self.play(self.now + Duration::from_secs(240), |_| false);
        let mut next = self.now;
        self.play(end, |world| {
            let due = world.now >= next;
            if due {
                next = world.now + Duration::from_secs(5);
            }
            due && world.disagreement().is_none()
        });
        let why = self.disagreement();
        assert!(
            why.is_none(),
            "after {LONGEST:?} of rest: {}",
            why.unwrap_or_default()
        );
        self.report.agreements += 1;
        let (downs, end) = (self.honest_sessions(), self.now + LONGEST / 2);
        self.play(end, |_| false);
        assert_eq!(downs, self.honest_sessions(), "sessions have ended at rest");
        let why = self.disagreement();
        assert!(why.is_none(), "later at rest: {}", why.unwrap_or_default());
    }

    fn calm(&mut self) {
        self.quiet = true;
        self.slowest = 50;
        self.cuts.clear();
        for host in self.speakers() {
            if !self.hosts[host].is_running {
                self.revive(host);
            }
            let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
            for peer in peers {
                self.start(At { host, peer });
            }
        }
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            for direction in 0..2 {
                self.later(Duration::ZERO, Happening::ReadsAgain { name, direction });
            }
        }
        self.carry_all();
        self.probe_all();
    }

    /// Which session each pair of speakers is in.
    fn honest_sessions(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        for host in self.speakers() {
            let peers = self.speaker(host).peers.values();
            all.extend(peers.filter(|peer| peer.is_honest).map(|peer| {
                let session = peer.session.as_ref().expect("the program runs");
                session.statistics().established
            }));
        }
        all
    }

    fn disagreement(&mut self) -> Option<String> {
        for host in self.speakers() {
            let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
            for peer in peers {
                let at = At { host, peer };
                if self.speaker(host).peers[&peer].is_honest
                    && let Some(why) = self.pair_disagrees(at)
                {
                    return Some(why);
                }
            }
        }
        None
    }

    /// What `at.peer` holds of what `at.host` announces.
    fn pair_disagrees(&mut self, at: At) -> Option<String> {
        let expected = {
            let speaker = self.speaker(at.host);
            let session = speaker.peers[&at.peer].session.as_ref();
            let session = session.expect("the program runs");
            if session.state() != State::Established || !speaker.is_loaded {
                return Some(format!("{at:?} is in {}", session.state()));
            }
            expected(&speaker.table, session)
        };
        let back = at.reverse();
        let peer = &self.speaker(back.host).peers[&back.peer];
        match held(peer) {
            Ok(held) if held == expected => None,
            Ok(held) => {
                let missing: Vec<_> = expected
                    .iter()
                    .filter(|(key, version)| held.get(key) != Some(version))
                    .collect();
                let extra: Vec<_> = held
                    .keys()
                    .filter(|key| !expected.contains_key(key))
                    .collect();
                Some(format!(
                    "{at:?}: the peer lacks {missing:?}, and holds {extra:?} for nothing"
                ))
            }
            Err(why) => Some(format!("{back:?}: {why}")),
        }
    }
}

fn expected(table: &crate::plan::Table, session: &Session) -> Held {
    let negotiated = session.negotiated().expect("Established");
    let mut expected = Held::new();
    for ((prefix, path_id), version) in table {
        let family = match prefix {
            IpNet::V4(_) => Family::IPV4_UNICAST,
            IpNet::V6(_) => Family::IPV6_UNICAST,
        };
        let allowed = session.config().clone();
        if !negotiated.families().contains(family) || !crate::chaos::exports(&allowed, *prefix) {
            continue;
        }
        if negotiated.sends.add_path_set().contains(family) {
            expected.insert((*prefix, Some(PathId(*path_id))), *version);
        } else {
            // Of several paths the one with the lowest identifier, which comes first.
            expected.entry((*prefix, None)).or_insert(*version);
        }
    }
    expected
}

fn held(peer: &Peer) -> Result<Held, String> {
    let mut held = Held::new();
    for (nlri, route) in peer.adj_rib_in.routes() {
        let DestinationBuf::Prefix(prefix) = nlri.destination else {
            return Err(format!("{nlri} is not unicast"));
        };
        if route.staleness != Staleness::Fresh {
            return Err(format!("{prefix} is {:?}", route.staleness));
        }
        let community = route.attributes.large_communities.first();
        let community = community.ok_or_else(|| format!("{prefix} has lost its community"))?;
        held.insert((prefix, nlri.path_id), community.local1);
    }
    Ok(held)
}

/// How long it may take until everybody agrees.
const LONGEST: Duration = Duration::from_secs(20 * 60);
