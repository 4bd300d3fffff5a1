//! Random changes of all owners, against a model that computes every answer from scratch. Restarts, reverted changes and new
//! configurations included.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::pool::Request;

/// Two configurations. The second has no pool `b`, and other attributes.
const CONFIGS: [&str; 2] = [
    r#"
    local-as = 64512
    [[peer]]
    address = "10.0.0.2"
    remote-as = 64512
    [[pool]]
    name = "a"
    addresses = ["10.0.0.0/29"]
    [[pool.advertisement]]
    communities = ["no-export"]
    [[pool.advertisement]]
    aggregation-length = 29
    local-pref = 300
    [[pool]]
    name = "b"
    addresses = ["10.0.1.0/31", "2001:db8::/126"]
    avoid-buggy-addresses = true
    auto-assign = false
    "#,
    r#"
    local-as = 64512
    [routes]
    local-pref = 50
    [[pool]]
    name = "a"
    addresses = ["10.0.0.0/30"]
    "#,
];

const PREFIXES: [&str; 8] = [
    "10.0.0.0/29",
    "10.0.0.0/30",
    "10.0.0.1/32",
    "10.0.0.3/32",
    "10.0.0.7/32",
    "10.0.1.1/32",
    "2001:db8::1/128",
    // In no pool.
    "10.9.0.0/24",
];

const NAMES: [&str; 4] = ["w", "x", "y", "z"];

fn permitted(config: usize) -> Permitted {
    let loaded = Config::parse("speakerd.toml", CONFIGS[config]).unwrap();
    Permitted::new(&loaded.config)
}

#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    /// Changes whose records cannot be made durable.
    Reverted(Vec<Change>),
    Restart,
    Configure(usize),
}

fn owners() -> impl Strategy<Value = Owner> {
    prop::sample::select(vec![
        Owner::Config,
        Owner::Operator,
        Owner::Client(1),
        Owner::Client(2),
        Owner::External("k".parse().unwrap()),
        Owner::External("l".parse().unwrap()),
    ])
}

fn prefixes() -> impl Strategy<Value = Prefix> {
    prop::sample::select(PREFIXES.map(|prefix| prefix.parse().unwrap()).to_vec())
}

fn names() -> impl Strategy<Value = Name> {
    prop::sample::select(NAMES.map(|name| name.parse().unwrap()).to_vec())
}

fn routes() -> impl Strategy<Value = Vec<(Prefix, Announcement)>> {
    let announcement = (0..3_u32).prop_map(|number| Announcement {
        med: (number > 0).then_some(number),
        local_pref: (number > 1).then_some(7),
        // No next hop for a prefix of IPv6.
        next_hop: (number == 2).then(|| "192.0.2.9".parse().unwrap()),
        communities: (number > 0)
            .then(|| "64512:1".parse().unwrap())
            .into_iter()
            .collect(),
        ..Announcement::default()
    });
    vec((prefixes(), announcement), 0..4)
}

fn leases() -> impl Strategy<Value = Vec<LeaseRequest>> {
    let request = prop_oneof![
        4 => Just(Request::Any),
        1 => Just(Request::Pool("b".into())),
        1 => Just(Request::Pool("c".into())),
        2 => prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "10.0.0.7", "10.0.1.1", "10.9.0.1"])
            .prop_map(|address| Request::Address(address.parse().unwrap())),
    ];
    vec(
        (names(), request).prop_map(|(name, request)| LeaseRequest { name, request }),
        0..3,
    )
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        (owners(), routes()).prop_map(|(owner, routes)| Change::Announce(owner, routes)),
        (owners(), vec(prefixes(), 0..4))
            .prop_map(|(owner, prefixes)| Change::Withdraw(owner, prefixes)),
        (owners(), leases()).prop_map(|(owner, leases)| Change::Allocate(owner, leases)),
        (owners(), vec(names(), 0..3)).prop_map(|(owner, names)| Change::Release(owner, names)),
        (owners(), routes(), leases())
            .prop_map(|(owner, routes, leases)| Change::Replace(owner, routes, leases)),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => changes().prop_map(Step::Change),
        2 => vec(changes(), 1..4).prop_map(Step::Reverted),
        1 => Just(Step::Restart),
        1 => (0..CONFIGS.len()).prop_map(Step::Configure),
    ]
}

/// Routes and leases as plain lists.
#[derive(Clone, Debug)]
struct Model {
    permitted: Permitted,
    routes: BTreeMap<(Prefix, Owner), Announcement>,
    leases: BTreeMap<Name, (IpAddr, Owner)>,
}

impl Model {
    /// Returns the prefixes of a lease, or `None` if the configuration has no place for its address.
    fn prefixes(&self, address: IpAddr) -> Option<Vec<Prefix>> {
        let pool = self.permitted.pool_of(IpNet::from(address).into()).ok()?;
        let buggy = pool.avoid_buggy_addresses
            && matches!(address, IpAddr::V4(v4) if matches!(v4.octets()[3], 0 | 255));
        (!buggy).then(|| self.permitted.prefixes_for(address))
    }

    /// Returns every announced route.
    fn table(&self) -> BTreeMap<Prefix, Attributes> {
        let mut claims: Vec<(Prefix, Owner, Announcement, IpAddr)> = Vec::new();
        for ((prefix, owner), announcement) in &self.routes {
            if self.permitted.pool_of(*prefix).is_ok() {
                let address = prefix.network().network();
                claims.push((*prefix, owner.clone(), announcement.clone(), address));
            }
        }
        for (name, (address, _)) in &self.leases {
            for prefix in self.prefixes(*address).unwrap_or_default() {
                let owner = Owner::Lease(name.clone());
                claims.push((prefix, owner, Announcement::default(), *address));
            }
        }
        // The last insertion stays, so the first owner comes last.
        claims.sort_by(|one, other| other.1.cmp(&one.1));
        let route = |(prefix, _, announcement, address): (Prefix, Owner, Announcement, IpAddr)| {
            (
                prefix,
                self.permitted.resolve(prefix, address, &announcement),
            )
        };
        claims.into_iter().map(route).collect()
    }

    /// Returns `true` if an address can be assigned.
    fn is_free(&self, address: IpAddr) -> bool {
        let host = Prefix::from(IpNet::from(address));
        self.prefixes(address).is_some()
            && self.permitted.used(address).is_none()
            && !self.routes.keys().any(|(prefix, _)| *prefix == host)
            && !self.active().any(|(_, held)| held == address)
    }

    /// Returns the leases whose addresses are announced.
    fn active(&self) -> impl Iterator<Item = (&Name, IpAddr)> {
        let leases = self
            .leases
            .iter()
            .map(|(name, (address, _))| (name, *address));
        leases.filter(|(_, address)| self.prefixes(*address).is_some())
    }

    /// Returns the owner whose attributes a route has.
    fn first_owner(&self, prefix: Prefix) -> Option<Owner> {
        let permitted = self.permitted.pool_of(prefix).is_ok();
        let owners = self
            .routes
            .keys()
            .filter(|(other, _)| *other == prefix && permitted);
        let leases = self.active().filter(|(_, address)| {
            self.prefixes(*address)
                .unwrap_or_default()
                .contains(&prefix)
        });
        let leases = leases.map(|(name, _)| Owner::Lease(name.clone()));
        owners.map(|(_, owner)| owner.clone()).chain(leases).min()
    }

    /// Makes a change. Returns the expected results, or `None` if the change is refused; it is half made then.
    fn apply(&mut self, change: &Change) -> Option<Vec<Outcome>> {
        match change {
            Change::Announce(owner, routes) => self.announce(owner, routes),
            Change::Withdraw(owner, prefixes) => {
                let withdraw = |prefix: &Prefix| self.withdraw(owner, *prefix);
                Some(prefixes.iter().map(withdraw).collect())
            }
            Change::Allocate(holder, requests) => self.allocate(holder, requests),
            Change::Release(owner, names) => {
                names.iter().map(|name| self.release(owner, name)).collect()
            }
            Change::Replace(owner, routes, requests) => {
                let obsolete = self.routes.keys().filter(|(prefix, other)| {
                    other == owner && !routes.iter().any(|(kept, _)| kept == prefix)
                });
                let obsolete: Vec<_> = obsolete.map(|(prefix, _)| *prefix).collect();
                let released = self.leases.iter().filter(|(name, (_, holder))| {
                    holder == owner && !requests.iter().any(|request| request.name == **name)
                });
                let released: Vec<_> = released.map(|(name, _)| name.clone()).collect();
                let mut outcomes: Vec<_> = obsolete
                    .into_iter()
                    .map(|prefix| self.withdraw(owner, prefix))
                    .collect();
                for name in self.in_order(released) {
                    outcomes.push(self.release(owner, &name)?);
                }
                outcomes.extend(self.announce(owner, routes)?);
                outcomes.extend(self.allocate(owner, requests)?);
                Some(outcomes)
            }
        }
    }

    /// Returns names as a replacement releases them: those whose addresses are announced first.
    fn in_order(&self, names: Vec<Name>) -> Vec<Name> {
        let is_active = |name: &Name| self.active().any(|(other, _)| other == name);
        let (active, dormant): (Vec<_>, Vec<_>) = names.into_iter().partition(is_active);
        [active, dormant].concat()
    }

    fn announce(
        &mut self,
        owner: &Owner,
        routes: &[(Prefix, Announcement)],
    ) -> Option<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for (prefix, announcement) in routes {
            self.permitted.pool_of(*prefix).ok()?;
            let is_ipv4 = prefix.network().addr().is_ipv4();
            if announcement
                .next_hop
                .is_some_and(|next_hop| next_hop.is_ipv4() != is_ipv4)
            {
                return None;
            }
            let old = self
                .routes
                .insert((*prefix, owner.clone()), announcement.clone());
            outcomes.push(Outcome::Announced {
                prefix: *prefix,
                changed: old.as_ref() != Some(announcement),
                behind: self.first_owner(*prefix).filter(|first| first != owner),
            });
        }
        Some(outcomes)
    }

    fn withdraw(&mut self, owner: &Owner, prefix: Prefix) -> Outcome {
        let changed = self.routes.remove(&(prefix, owner.clone())).is_some();
        Outcome::Withdrawn {
            prefix,
            changed,
            remains: self.first_owner(prefix),
        }
    }

    fn release(&mut self, owner: &Owner, name: &Name) -> Option<Outcome> {
        let (address, holder) = self.leases.get(name)?.clone();
        if holder != *owner && *owner != Owner::Operator {
            return None;
        }
        self.leases.remove(name);
        let prefixes = self.prefixes(address).unwrap_or_default().into_iter();
        let prefixes = prefixes
            .map(|prefix| (prefix, self.first_owner(prefix)))
            .collect();
        let name = name.clone();
        Some(Outcome::Released { name, prefixes })
    }

    fn allocate(&mut self, holder: &Owner, requests: &[LeaseRequest]) -> Option<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for LeaseRequest { name, request } in requests {
            if let Request::Address(address) = request {
                self.permitted.pool_of(IpNet::from(*address).into()).ok()?;
            }
            let lease = self.leases.get(name);
            if lease.is_some_and(|(_, other)| other != holder && *holder != Owner::Operator) {
                return None;
            }
            let held = self.active().find(|(other, _)| *other == name);
            let held = held.map(|(_, address)| address);
            let address = match held {
                Some(held) => Some(held).filter(|held| self.serves(request, *held)),
                None => self
                    .hosts()
                    .into_iter()
                    .find(|host| self.serves(request, *host) && self.is_free(*host)),
            }?;
            if held.is_none() {
                self.leases.insert(name.clone(), (address, holder.clone()));
            }
            let pool = self.permitted.pool_of(IpNet::from(address).into()).ok()?;
            outcomes.push(Outcome::Allocated {
                name: name.clone(),
                address,
                pool: pool.name.as_str().into(),
                prefixes: self.permitted.prefixes_for(address),
                known: held.is_some(),
            });
        }
        Some(outcomes)
    }

    /// Returns `true` if an address answers a request.
    fn serves(&self, request: &Request, address: IpAddr) -> bool {
        let pool = self.permitted.pool_of(IpNet::from(address).into()).unwrap();
        match request {
            // A name keeps the address that it holds, whatever its pool.
            Request::Any => pool.auto_assign || self.active().any(|(_, held)| held == address),
            Request::Pool(wanted) => pool.name == *wanted,
            Request::Address(wanted) => *wanted == address,
        }
    }

    /// Returns the addresses of all pools in their order.
    fn hosts(&self) -> Vec<IpAddr> {
        let all = ["10.0.0.0/29", "10.0.1.0/31", "2001:db8::/126"].map(|range| {
            let range: IpNet = range.parse().unwrap();
            range.subnets(range.max_prefix_len()).unwrap()
        });
        let hosts = all.into_iter().flatten().map(|host| host.addr());
        hosts
            .filter(|host| self.permitted.pool_of(IpNet::from(*host).into()).is_ok())
            .collect()
    }

    fn restart(&mut self) {
        self.routes.retain(|(_, owner), _| owner.is_durable());
        self.leases.retain(|_, (_, holder)| holder.is_durable());
    }
}

/// The table of a speaker that carries out effects.
#[derive(Debug, Default)]
struct Table(BTreeMap<Prefix, Attributes>);

impl Table {
    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Announce(prefix, attributes) => {
                    let old = self.0.insert(*prefix, (**attributes).clone());
                    assert_ne!(
                        old.as_ref(),
                        Some(&**attributes),
                        "an effect changes something"
                    );
                }
                Effect::Withdraw(prefix) => {
                    assert!(
                        self.0.remove(prefix).is_some(),
                        "{prefix} was not announced"
                    );
                }
            }
        }
    }
}

/// Returns all that an intent keeps, as text.
fn dump(intent: &Intent) -> Vec<String> {
    let claims = intent.claims.iter().flat_map(|(prefix, claims)| {
        claims
            .iter()
            .map(move |(owner, announcement)| format!("{prefix} {owner} {announcement:?}"))
    });
    let leases = intent.allocator.leases().map(|lease| {
        let holder = intent.holders.get(&lease.name);
        format!("{lease:?} {holder:?}")
    });
    let dormant = intent.dormant.iter().map(|dormant| format!("{dormant:?}"));
    claims.chain(leases).chain(dormant).collect()
}

fn sorted(intent: &Intent) -> Vec<String> {
    let mut records: Vec<_> = intent
        .records()
        .map(|record| format!("{record:?}"))
        .collect();
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn changes_agree_with_model(steps in vec(steps(), 1..40)) {
        let mut intent = Intent::new(permitted(0));
        let mut model = Model { permitted: permitted(0), routes: BTreeMap::new(), leases: BTreeMap::new() };
        let (mut table, mut journal) = (Table::default(), Vec::new());
        for step in steps {
            match step {
                Step::Change(change) => {
                    let mut changed = model.clone();
                    match (intent.apply(change.clone()), changed.apply(&change)) {
                        (Ok(applied), Some(expected)) => {
                            prop_assert_eq!(&applied.outcomes, &expected);
                            journal.extend(applied.records.iter().cloned());
                            table.carry_out(&applied.effects);
                            model = changed;
                        }
                        (Err(refusal), None) => prop_assert!(!refusal.to_string().is_empty()),
                        (applied, expected) => {
                            let difference = format!("{change:?}: {applied:?}, expected {expected:?}");
                            return Err(TestCaseError::fail(difference));
                        }
                    }
                }
                Step::Reverted(changes) => {
                    let before = dump(&intent);
                    let mut applied = Vec::new();
                    for change in changes {
                        applied.extend(intent.apply(change));
                    }
                    for applied in applied.into_iter().rev() {
                        intent.revert(applied);
                    }
                    prop_assert_eq!(dump(&intent), before);
                }
                Step::Restart => {
                    model.restart();
                    intent = Intent::new(model.permitted.clone());
                    for record in &journal {
                        intent.restore(record.clone()).ok();
                    }
                    // The journal in fewer records restores the same.
                    let mut compacted = Intent::new(model.permitted.clone());
                    for record in intent.records() {
                        compacted.restore(record).ok();
                    }
                    prop_assert_eq!(sorted(&compacted), sorted(&intent));
                    table = Table(intent.announced().map(|(prefix, attributes)| (prefix, (*attributes).clone())).collect());
                }
                Step::Configure(number) => {
                    model.permitted = permitted(number);
                    table.carry_out(&intent.configure(permitted(number)));
                }
            }
            prop_assert_eq!(&table.0, &model.table());
            let announced: BTreeMap<_, _> = intent.announced().map(|(prefix, attributes)| (prefix, (*attributes).clone())).collect();
            prop_assert_eq!(&announced, &table.0);
        }
    }
}

fn operator(prefix: &str) -> Change {
    Change::Announce(
        Owner::Operator,
        vec![(prefix.parse().unwrap(), Announcement::default())],
    )
}

fn lease(name: &str) -> Change {
    let request = Request::Any;
    let name = name.parse().unwrap();
    Change::Allocate(Owner::Operator, vec![LeaseRequest { name, request }])
}

#[test]
fn address_that_is_announced_by_hand_is_not_assigned() {
    let mut intent = Intent::new(permitted(0));
    drop(intent.apply(operator("10.0.0.0/32")).unwrap());
    let applied = intent.apply(lease("w")).unwrap();
    let [Outcome::Allocated { address, .. }] = &applied.outcomes[..] else {
        panic!("{applied:?}")
    };
    assert_eq!(address.to_string(), "10.0.0.1");
    let request = Request::Address("10.0.0.0".parse().unwrap());
    let lease = LeaseRequest {
        name: "x".parse().unwrap(),
        request,
    };
    let refusal = intent
        .apply(Change::Allocate(Owner::Operator, vec![lease]))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "10.0.0.0 cannot be assigned: it is announced by the operator"
    );
}

#[test]
fn route_of_operator_stays_when_the_leases_behind_it_end() {
    let mut intent = Intent::new(permitted(0));
    drop(intent.apply(operator("10.0.0.0/29")).unwrap());
    for name in ["w", "x"] {
        drop(intent.apply(lease(name)).unwrap());
    }
    let names = ["w", "x"].map(|name| name.parse().unwrap());
    let applied = intent
        .apply(Change::Release(Owner::Operator, names.to_vec()))
        .unwrap();
    let withdrawn: Vec<_> = applied
        .effects
        .iter()
        .map(|effect| effect.prefix().to_string())
        .collect();
    assert_eq!(withdrawn, ["10.0.0.0/32", "10.0.0.1/32"]);
    for outcome in &applied.outcomes {
        let Outcome::Released { prefixes, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            prefixes[0],
            ("10.0.0.0/29".parse().unwrap(), Some(Owner::Operator))
        );
        assert_eq!(prefixes[1].1, None);
    }
}

#[test]
fn attributes_come_from_announcement_then_pool_then_defaults() {
    let permitted = permitted(0);
    let resolve = |prefix: &str, announcement: &Announcement| {
        let prefix: Prefix = prefix.parse().unwrap();
        let attributes = permitted.resolve(prefix, prefix.network().network(), announcement);
        let communities: Vec<_> = attributes
            .communities
            .iter()
            .map(ToString::to_string)
            .collect();
        (attributes.local_pref, communities.join(" "))
    };
    let by_hand = Announcement {
        local_pref: Some(7),
        communities: ["64512:1".parse().unwrap()].into(),
        ..Announcement::default()
    };
    let none = Announcement::default();
    for (prefix, announcement, local_pref, communities) in [
        ("10.0.0.1/32", &none, 100, "no-export"),
        ("10.0.0.1/32", &by_hand, 7, "64512:1 no-export"),
        ("10.0.0.0/29", &none, 300, ""),
        // No advertisement has this length, so the first applies.
        ("10.0.0.0/30", &none, 100, "no-export"),
        ("10.0.1.1/32", &none, 100, ""),
    ] {
        let expected = (Some(local_pref), communities.to_owned());
        assert_eq!(resolve(prefix, announcement), expected, "{prefix}");
    }
}

#[test]
fn message_about_pools_has_a_limited_length() {
    let pool = |number: usize| {
        let addresses: Vec<_> = (0..100)
            .map(|last| format!("\"10.{number}.{last}.0/24\""))
            .collect();
        let (name, addresses) = ("p".repeat(100 + number), addresses.join(","));
        format!("[[pool]]\nname = \"{name}\"\naddresses = [{addresses}]\n")
    };
    let pools: String = (0..100).map(pool).collect();
    let loaded = Config::parse("speakerd.toml", &format!("local-as = 64512\n{pools}")).unwrap();
    let permitted = Permitted::new(&loaded.config);
    let error = permitted
        .pool_of("192.0.2.0/24".parse().unwrap())
        .unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("and 92 more"), "{text}");
    assert!(text.len() < 1000, "{} octets", text.len());
}

/// The two families of a pool have advertisements of equal lengths with different communities.
#[test]
fn families_of_one_pool_have_their_own_advertisements() {
    let text = r#"
        local-as = 64512
        [[pool]]
        name = "p"
        addresses = ["10.0.0.0/24", "2001:db8::/32"]
        [[pool.advertisement]]
        communities = ["64512:1"]
        [[pool.advertisement]]
        aggregation-length = 24
        aggregation-length-v6 = 32
        communities = ["no-export"]
        "#;
    let loaded = Config::parse("speakerd.toml", text).unwrap();
    let mut intent = Intent::new(Permitted::new(&loaded.config));
    let request = |name: &str, address: &str| LeaseRequest {
        name: name.parse().unwrap(),
        request: Request::Address(address.parse().unwrap()),
    };
    let leases = vec![request("a", "10.0.0.1"), request("b", "2001:db8::1")];
    drop(
        intent
            .apply(Change::Allocate(Owner::Operator, leases))
            .unwrap(),
    );
    let announced: Vec<_> = intent
        .announced()
        .map(|(prefix, attributes)| {
            let communities = attributes.communities.iter().map(ToString::to_string);
            format!("{prefix} {}", communities.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(
        announced,
        [
            "10.0.0.0/24 no-export",
            "10.0.0.1/32 64512:1",
            "2001:db8::/32 no-export",
            "2001:db8::1/128 64512:1",
        ]
    );
}
