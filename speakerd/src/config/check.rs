//! What holds between the parts of a configuration: nothing twice, no overlap, aggregates within their pools.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use bgp_session::{ConfigError, PeerSetting};
use bgp_wire::Family;
use ipnet::IpNet;

use super::diagnostic::{Located, Problem, Report};
use super::{Advertisement, Peer, Pool, Protocol};
use crate::value::AnyCommunity;

/// A pool whose parts are each right by themselves.
#[derive(Debug)]
pub(super) struct PoolDraft {
    pub(super) name: Located<String>,
    pub(super) entries: Vec<Located<Vec<IpNet>>>,
    pub(super) avoid_buggy_addresses: bool,
    pub(super) auto_assign: bool,
    pub(super) protocol: Protocol,
    pub(super) advertisements: Vec<AdvertisementDraft>,
}

/// An advertisement whose parts are each right by themselves.
#[derive(Debug)]
pub(super) struct AdvertisementDraft {
    pub(super) span: Range<usize>,
    pub(super) aggregation_length: Option<Located<u8>>,
    pub(super) aggregation_length_v6: Option<Located<u8>>,
    pub(super) local_pref: Option<u32>,
    pub(super) communities: Vec<AnyCommunity>,
}

impl AdvertisementDraft {
    fn finish(&self) -> Advertisement {
        let mut advertisement = Advertisement {
            local_pref: self.local_pref,
            ..Advertisement::default()
        };
        if let Some(length) = &self.aggregation_length {
            advertisement.aggregation_length = length.value;
        }
        if let Some(length) = &self.aggregation_length_v6 {
            advertisement.aggregation_length_v6 = length.value;
        }
        for community in &self.communities {
            match *community {
                AnyCommunity::Community(community) => advertisement.communities.push(community),
                AnyCommunity::Large(community) => advertisement.large_communities.push(community),
            }
        }
        advertisement.communities.sort_unstable();
        advertisement.communities.dedup();
        advertisement.large_communities.sort_unstable();
        advertisement.large_communities.dedup();
        advertisement
    }
}

/// Returns the peers. Reports those that no session can have, and two with the same address.
pub(super) fn peers(report: &mut Report<'_>, drafts: Vec<Located<Peer>>) -> Vec<Peer> {
    let mut seen = BTreeMap::new();
    let mut peers = Vec::with_capacity(drafts.len());
    for Located { value: peer, span } in drafts {
        if let Some(first) = seen.get(&peer.address) {
            let line = report.line(*first);
            let problem = Problem::new(format!("the peer `{}` is there twice", peer.address));
            let help = format!(
                "the first is in line {line}: two sessions with one router take turns in breaking each other"
            );
            report.error(&span, problem.help(help));
        } else {
            seen.insert(peer.address, span.start);
        }
        if let Err(error) = peer.session_config().validate() {
            report.error(&span, Problem::new(peer_message(&error)));
        }
        peers.push(peer);
    }
    peers
}

/// Returns the text of an error with the name of the setting as files spell it: `source-address`, not `source_address`.
fn peer_message(error: &ConfigError) -> String {
    let text = error.to_string();
    match text.split_once(' ') {
        Some((name, rest))
            if PeerSetting::ALL
                .iter()
                .any(|setting| setting.name() == name) =>
        {
            format!("{} {rest}", name.replace('_', "-"))
        }
        _ => text,
    }
}

/// The pools, once all of them agree.
pub(super) fn pools(report: &mut Report<'_>, drafts: Vec<PoolDraft>) -> Vec<Pool> {
    names(report, &drafts);
    overlaps(report, &drafts);
    let mut pools = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let advertisements = advertisements(report, &draft);
        pools.push(Pool {
            name: draft.name.value,
            ranges: draft
                .entries
                .into_iter()
                .flat_map(|entry| entry.value)
                .collect(),
            avoid_buggy_addresses: draft.avoid_buggy_addresses,
            auto_assign: draft.auto_assign,
            protocol: draft.protocol,
            advertisements,
        });
    }
    pools
}

fn names(report: &mut Report<'_>, drafts: &[PoolDraft]) {
    let mut seen = BTreeMap::new();
    for PoolDraft { name, .. } in drafts {
        if let Some(first) = seen.get(&name.value) {
            let line = report.line(*first);
            let problem = Problem::new(format!("the pool `{}` is there twice", name.value));
            let help = format!("the first is in line {line}; give each pool its own name");
            report.error(&name.span, problem.help(help));
        } else {
            seen.insert(&name.value, name.span.start);
        }
    }
}

fn overlaps(report: &mut Report<'_>, drafts: &[PoolDraft]) {
    let mut ranges = Vec::new();
    for PoolDraft { name, entries, .. } in drafts {
        for Located { value, span } in entries {
            ranges.extend(value.iter().map(|range| (*range, &name.value, span)));
        }
    }
    ranges.sort_by_key(|(range, ..)| (range.network(), range.prefix_len()));
    let mut ranges = ranges.into_iter();
    let Some(mut widest) = ranges.next() else {
        return;
    };
    let mut reported = BTreeSet::new();
    // In the order of their first addresses, a network overlaps an earlier one if it overlaps the one reaching farthest.
    for next in ranges {
        if next.0.network() > widest.0.broadcast() {
            widest = next;
            continue;
        }
        let (first, second) = if widest.2.start < next.2.start {
            (widest, next)
        } else {
            (next, widest)
        };
        if !reported.insert((first.2.start, second.2.start)) {
            continue;
        }
        let line = report.line(first.2.start);
        let problem = Problem::new(format!(
            "{} of the pool `{}` overlaps {} of the pool `{}`",
            second.0, second.1, first.0, first.1
        ));
        let help = format!("the other is in line {line}; an address can be in one pool, once");
        report.error(second.2, problem.help(help));
    }
}

/// The advertisements of a pool; without any, the one that announces each address by itself.
fn advertisements(report: &mut Report<'_>, pool: &PoolDraft) -> Vec<Advertisement> {
    let mut finished: Vec<Advertisement> = Vec::with_capacity(pool.advertisements.len());
    for draft in &pool.advertisements {
        for (length, family) in [
            (&draft.aggregation_length, Family::IPV4_UNICAST),
            (&draft.aggregation_length_v6, Family::IPV6_UNICAST),
        ] {
            if let Some(length) = length {
                let result = within(pool, length.value, family);
                report.take(&length.span, result);
            }
        }
        let advertisement = draft.finish();
        let result = beside(pool, &finished, &advertisement);
        report.take(&draft.span, result);
        finished.push(advertisement);
    }
    if finished.is_empty() {
        finished.push(Advertisement::default());
    }
    finished
}

/// An aggregate must not reach beyond the entry whose addresses it stands for; of a range, beyond its largest network.
fn within(pool: &PoolDraft, length: u8, family: Family) -> Result<(), Problem> {
    let shortest = |entry: &Located<Vec<IpNet>>| {
        entry
            .value
            .iter()
            .filter(|range| family_of(range.addr()) == family)
            .min_by_key(|range| range.prefix_len())
            .copied()
    };
    let narrowest = pool
        .entries
        .iter()
        .filter_map(shortest)
        .max_by_key(IpNet::prefix_len);
    match narrowest {
        Some(range) if length < range.prefix_len() => Err(Problem::new(format!(
            "an aggregation length of {length} reaches beyond {range} of the pool `{}`",
            pool.name.value
        ))
        .help(format!("write {} or more", range.prefix_len()))),
        _ => Ok(()),
    }
}

/// Two advertisements of a pool must differ, and must not ask for two local preferences of one route.
fn beside(
    pool: &PoolDraft,
    others: &[Advertisement],
    advertisement: &Advertisement,
) -> Result<(), Problem> {
    if others.contains(advertisement) {
        return Err(Problem::new(format!(
            "the pool `{}` has this advertisement twice",
            pool.name.value
        ))
        .help("leave one of them out"));
    }
    let has = |family| {
        let mut ranges = pool.entries.iter().flat_map(|entry| &entry.value);
        ranges.any(|range| family_of(range.addr()) == family)
    };
    let (ipv4, ipv6) = (has(Family::IPV4_UNICAST), has(Family::IPV6_UNICAST));
    let conflict = others.iter().find(|other| {
        let same_route = (ipv4 && other.aggregation_length == advertisement.aggregation_length)
            || (ipv6 && other.aggregation_length_v6 == advertisement.aggregation_length_v6);
        same_route && other.local_pref != advertisement.local_pref
    });
    match conflict {
        Some(_) => Err(Problem::new(format!(
            "two advertisements of the pool `{}` give the same routes different local preferences",
            pool.name.value
        ))
        .help("give them different aggregation lengths, or the same local preference")),
        None => Ok(()),
    }
}

fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::IPV4_UNICAST,
        IpAddr::V6(_) => Family::IPV6_UNICAST,
    }
}
