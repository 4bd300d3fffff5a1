//! `Permitted`: which prefixes may be announced, with which attributes, and which addresses may be assigned.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::announcement::{Announcement, Attributes};
use crate::config::{Advertisement, Config, Pool, Protocol, RouteDefaults};
use crate::pool::{AddressPool, Ranges};
use crate::value::{AnyCommunity, Prefix};

/// The pools with their advertisements, the defaults of routes, and the addresses that are in use elsewhere.
#[derive(Clone, Debug)]
pub struct Permitted {
    pools: Vec<Pool>,
    ranges: Ranges,
    defaults: RouteDefaults,
    /// The addresses of pools that must not be assigned, each with its use.
    used: BTreeMap<IpAddr, &'static str>,
}

impl Permitted {
    /// Takes the pools and the defaults of a configuration, and the addresses of its peers.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let peers = config.peers.iter();
        Self {
            pools: config.pools.clone(),
            ranges: Ranges::new(config.pools.iter().map(|pool| pool.ranges.as_slice())),
            defaults: config.defaults,
            used: peers
                .map(|peer| (peer.address, "the address of a peer"))
                .collect(),
        }
    }

    /// Adds addresses of this host, which must not be assigned.
    #[must_use]
    pub fn with_own_addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        for address in addresses {
            self.used
                .entry(address)
                .or_insert("an address of this host");
        }
        self
    }

    /// Returns the BGP pool whose ranges cover a prefix.
    ///
    /// # Errors
    ///
    /// There is none, so the prefix must not be announced.
    pub fn pool_of(&self, prefix: Prefix) -> Result<&Pool, NotInPools> {
        let position = self.ranges.pool_of(prefix.network());
        match position.and_then(|position| self.pools.get(position)) {
            Some(pool) if pool.protocol == Protocol::Bgp => Ok(pool),
            layer2 => Err(NotInPools {
                prefix,
                layer2: layer2.map(|pool| pool.name.clone()),
                pools: self
                    .bgp_pools()
                    .map(|pool| (pool.name.clone(), pool.ranges.clone()))
                    .collect(),
            }),
        }
    }

    /// Returns the position of the pool that has an address.
    pub(super) fn position_of(&self, address: IpAddr) -> Option<usize> {
        self.ranges
            .of_address(address)
            .map(|(_, position)| position)
    }

    /// Returns `true` if this is the name of a pool whose addresses are not announced by BGP.
    pub(super) fn is_layer2(&self, name: &str) -> bool {
        let mut pools = self.pools.iter();
        pools.any(|pool| pool.name == name && pool.protocol == Protocol::Layer2)
    }

    /// Returns the pools from which addresses are assigned.
    pub(super) fn address_pools(&self) -> Vec<AddressPool> {
        let pool = |pool: &Pool| AddressPool {
            name: pool.name.as_str().into(),
            ranges: pool.ranges.clone(),
            avoid_buggy_addresses: pool.avoid_buggy_addresses,
            auto_assign: pool.auto_assign,
        };
        self.bgp_pools().map(pool).collect()
    }

    /// Returns the use of an address that must not be assigned.
    pub(super) fn used(&self, address: IpAddr) -> Option<Cow<'static, str>> {
        self.used.get(&address).copied().map(Cow::Borrowed)
    }

    /// Returns the prefixes that are announced for an assigned address: one for each aggregation length of its pool.
    pub(super) fn prefixes_for(&self, address: IpAddr) -> Vec<Prefix> {
        let host = IpNet::from(address);
        let Ok(pool) = self.pool_of(host.into()) else {
            return Vec::new();
        };
        let lengths = pool
            .advertisements
            .iter()
            .map(|advertisement| length_of(advertisement, host));
        let mut prefixes: Vec<Prefix> = lengths
            .map(|length| IpNet::new(address, length).unwrap_or(host).into())
            .collect();
        prefixes.sort();
        prefixes.dedup();
        prefixes
    }

    /// Returns the attributes of a route. The announcement goes before the pool's advertisement, and that before the defaults.
    /// Communities add up, because one that keeps a route inside an AS must not get lost.
    ///
    /// The pool is that of `address`. The advertisement is the one of the prefix's length, or the pool's first.
    pub(super) fn resolve(
        &self,
        prefix: Prefix,
        address: IpAddr,
        announcement: &Announcement,
    ) -> Attributes {
        let pool = self.pool_of(IpNet::from(address).into());
        let advertisements = pool.map_or(&[][..], |pool| pool.advertisements.as_slice());
        let network = prefix.network();
        let of_length = |advertisement: &&Advertisement| {
            length_of(advertisement, network) == network.prefix_len()
        };
        let exact = advertisements.iter().filter(of_length);
        let any = advertisements
            .first()
            .filter(|_| exact.clone().next().is_none());
        let mut attributes = Attributes {
            next_hop: announcement.next_hop,
            origin: announcement.origin.unwrap_or(self.defaults.origin),
            local_pref: announcement.local_pref,
            med: announcement.med,
            communities: announcement.communities.clone(),
        };
        for advertisement in exact.chain(any) {
            attributes.local_pref = attributes.local_pref.or(advertisement.local_pref);
            let communities = advertisement.communities.iter().copied();
            let large = advertisement.large_communities.iter().copied();
            attributes
                .communities
                .extend(communities.map(AnyCommunity::from));
            attributes.communities.extend(large.map(AnyCommunity::from));
        }
        attributes.local_pref = attributes.local_pref.or(self.defaults.local_pref);
        attributes
    }

    fn bgp_pools(&self) -> impl Iterator<Item = &Pool> {
        let mut pools = self.pools.iter();
        std::iter::from_fn(move || pools.find(|pool| pool.protocol == Protocol::Bgp))
    }
}

/// Returns the aggregation length of an advertisement for the family of a network.
fn length_of(advertisement: &Advertisement, network: IpNet) -> u8 {
    match network {
        IpNet::V4(_) => advertisement.aggregation_length,
        IpNet::V6(_) => advertisement.aggregation_length_v6,
    }
}

/// A prefix is not covered by a BGP pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInPools {
    /// The prefix.
    pub prefix: Prefix,
    /// The name of the layer2 pool that covers it.
    pub layer2: Option<String>,
    /// The BGP pools and their ranges.
    pub pools: Vec<(String, Vec<IpNet>)>,
}

/// The number of pools, and of ranges of a pool, that a message lists.
const LISTED: usize = 8;

impl fmt::Display for NotInPools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layer2 {
            Some(pool) => write!(
                f,
                "{} lies in the pool `{pool}`, a layer2 pool, which is not announced by BGP",
                self.prefix
            )?,
            None => write!(f, "{} does not lie in a BGP pool", self.prefix)?,
        }
        if self.pools.is_empty() {
            return f.write_str("; the configuration has no BGP pool");
        }
        f.write_str("; the BGP pools are ")?;
        let pools = self.pools.iter().map(|(name, ranges)| {
            let ranges = Listed(ranges.iter().map(IpNet::to_string).collect());
            format!("`{name}` ({ranges})")
        });
        Listed(pools.collect()).fmt(f)
    }
}

impl std::error::Error for NotInPools {}

/// A list of which only the first items are written.
struct Listed(Vec<String>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().take(LISTED).map(String::as_str).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
