//! The check of convergence: without faults, each speaker comes to hold the routes that its peers announce, and stays up.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{Session, Staleness, State};
use bgp_wire::{DestinationBuf, Family, PathId};
use ipnet::IpNet;

use crate::speaker::Peer;
use crate::world::{Side, World, WorldEvent};

/// The version of each path, by prefix and path identifier.
type RouteVersions = BTreeMap<(IpNet, Option<PathId>), u32>;

impl World {
    /// Ends all faults, and fails if the speakers do not converge in time or do not stay converged.
    pub(crate) fn check_convergence(&mut self) {
        self.end_faults();
        let end = self.now + CONVERGENCE_TIMEOUT;
        // A session that a fault has broken may last until its hold time expires, which is 180 s at most.
        self.play(self.now + Duration::from_secs(240), |_| false);
        let mut next = self.now;
        self.play(end, |world| {
            let due = world.now >= next;
            if due {
                next = world.now + Duration::from_secs(5);
            }
            due && world.difference().is_none()
        });
        let difference = self.difference();
        assert!(
            difference.is_none(),
            "not converged after {CONVERGENCE_TIMEOUT:?}: {}",
            difference.unwrap_or_default()
        );
        self.report.convergences += 1;
        let (sessions, end) = (self.honest_sessions(), self.now + CONVERGENCE_TIMEOUT / 2);
        self.play(end, |_| false);
        assert_eq!(
            sessions,
            self.honest_sessions(),
            "a session ended without a fault"
        );
        let difference = self.difference();
        assert!(
            difference.is_none(),
            "diverged without a fault: {}",
            difference.unwrap_or_default()
        );
    }

    /// Repairs the network, starts every host and session, and injects no more faults.
    fn end_faults(&mut self) {
        self.faults_ended = true;
        // The delays of `World::new`: a slow network is a fault.
        self.max_delay_ms = 50;
        self.partitions.clear();
        for host in self.speakers() {
            if !self.hosts[host].is_running {
                self.start_host_again(host);
            }
            let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
            for peer in peers {
                self.start(Side { host, peer });
            }
        }
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            for direction in 0..2 {
                self.schedule_after(
                    Duration::ZERO,
                    WorldEvent::ResumeReading { name, direction },
                );
            }
        }
        self.schedule_deliveries();
        // Without keepalives of TCP, a host would learn of a crashed peer only from its hold timer.
        self.probe_connections();
    }

    /// Returns the number of sessions that each honest peer has had so far.
    fn honest_sessions(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        for host in self.speakers() {
            let peers = self.speaker(host).peers.values();
            all.extend(
                peers
                    .filter(|peer| peer.is_honest)
                    .map(|peer| peer.session().statistics().established),
            );
        }
        all
    }

    /// Describes the first pair of speakers that has not converged. Returns `None` if all have.
    fn difference(&mut self) -> Option<String> {
        for host in self.speakers() {
            let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
            for peer in peers {
                let side = Side { host, peer };
                if self.speaker(host).peers[&peer].is_honest
                    && let Some(difference) = self.difference_between(side)
                {
                    return Some(difference);
                }
            }
        }
        None
    }

    /// Compares the routes that `side.peer` holds with those that `side.host` announces to it.
    fn difference_between(&mut self, side: Side) -> Option<String> {
        let expected = {
            let speaker = self.speaker(side.host);
            let session = speaker.peers[&side.peer].session();
            if session.state() != State::Established || !speaker.is_loaded {
                return Some(format!("{side:?} is in {}", session.state()));
            }
            expected(&speaker.table, session)
        };
        let back = side.reverse();
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
                    "{side:?}: the peer lacks {missing:?} and still holds {extra:?}"
                ))
            }
            Err(error) => Some(format!("{back:?}: {error}")),
        }
    }
}

/// Returns the routes that a session should have sent: those of negotiated families that its policy exports.
fn expected(table: &crate::plan::Table, session: &Session) -> RouteVersions {
    let negotiated = session.negotiated().expect("Established");
    let mut expected = RouteVersions::new();
    for ((prefix, path_id), version) in table {
        let family = match prefix {
            IpNet::V4(_) => Family::IPV4_UNICAST,
            IpNet::V6(_) => Family::IPV6_UNICAST,
        };
        let exported = crate::faults::exports(session.config(), *prefix);
        if !negotiated.families().contains(family) || !exported {
            continue;
        }
        if negotiated.sends.add_path().contains(family) {
            expected.insert((*prefix, Some(PathId(*path_id))), *version);
        } else {
            // Without ADD-PATH only one path is sent: the one with the lowest identifier, which comes first here.
            expected.entry((*prefix, None)).or_insert(*version);
        }
    }
    expected
}

/// Returns the routes that a peer holds, or an error if one is stale or lacks its version.
fn held(peer: &Peer) -> Result<RouteVersions, String> {
    let mut held = RouteVersions::new();
    for (nlri, route) in peer.adj_rib_in.routes() {
        let DestinationBuf::Prefix(prefix) = nlri.destination else {
            return Err(format!("{nlri} is not unicast"));
        };
        if route.staleness != Staleness::Fresh {
            return Err(format!("{prefix} is {:?}", route.staleness));
        }
        let community = route
            .attributes
            .large_communities
            .first()
            .ok_or_else(|| format!("{prefix} has lost its community"))?;
        held.insert((prefix, nlri.path_id), community.local1);
    }
    Ok(held)
}

/// The limit of the time to converge. The maximum waits of `plan.rs`, one after the other, take less than 17 minutes.
const CONVERGENCE_TIMEOUT: Duration = Duration::from_secs(20 * 60);
