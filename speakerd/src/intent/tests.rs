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
    /// A change whose records cannot be made durable.
    Reverted(Change),
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
        2 => changes().prop_map(Step::Reverted),
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

    /// Returns the reason for which an address is not free.
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

    /// Makes a change if that is possible. The addresses of new leases must be the lowest free ones.
    fn apply(&mut self, change: &Change, outcomes: &[Outcome]) {
        let mut outcomes = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Allocated { .. }));
        match change {
            Change::Announce(owner, routes) => self.announce(owner, routes),
            Change::Withdraw(owner, prefixes) => {
                self.routes
                    .retain(|(prefix, other), _| other != owner || !prefixes.contains(prefix));
            }
            Change::Allocate(holder, requests) => self.allocate(holder, requests, &mut outcomes),
            Change::Release(_, names) => self.leases.retain(|name, _| !names.contains(name)),
            Change::Replace(owner, routes, requests) => {
                let kept = |prefix: &Prefix| routes.iter().any(|(kept, _)| kept == prefix);
                self.routes
                    .retain(|(prefix, other), _| other != owner || kept(prefix));
                let named = |name: &Name| requests.iter().any(|request| request.name == *name);
                self.leases
                    .retain(|name, (_, holder)| holder != owner || named(name));
                self.allocate(owner, requests, &mut outcomes);
                self.announce(owner, routes);
            }
        }
    }

    fn announce(&mut self, owner: &Owner, routes: &[(Prefix, Announcement)]) {
        for (prefix, announcement) in routes {
            self.routes
                .insert((*prefix, owner.clone()), announcement.clone());
        }
    }

    fn allocate<'a>(
        &mut self,
        holder: &Owner,
        requests: &[LeaseRequest],
        outcomes: &mut impl Iterator<Item = &'a Outcome>,
    ) {
        for LeaseRequest { name, request } in requests {
            let Some(Outcome::Allocated { address, known, .. }) = outcomes.next() else {
                panic!("an outcome for each request");
            };
            let held = self.active().find(|(other, _)| *other == name);
            assert_eq!(*known, held.is_some());
            if let Some((_, held)) = held {
                assert_eq!(*address, held);
                continue;
            }
            let pools: &[&str] = match request {
                Request::Any => &["10.0.0.0/29"],
                Request::Pool(_) => &["10.0.1.0/31", "2001:db8::/126"],
                Request::Address(_) => &[],
            };
            let hosts = pools.iter().flat_map(|pool| {
                let pool: IpNet = pool.parse().unwrap();
                // `hosts` leaves out the ends of a network.
                pool.subnets(pool.max_prefix_len())
                    .unwrap()
                    .map(|host| host.addr())
            });
            let expected = match request {
                Request::Address(address) => Some(*address),
                Request::Any | Request::Pool(_) => {
                    hosts.into_iter().find(|host| self.is_free(*host))
                }
            };
            assert_eq!(Some(*address), expected, "{name} {request:?}");
            assert!(self.is_free(*address));
            self.leases.insert(name.clone(), (*address, holder.clone()));
        }
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
                Step::Change(change) => match intent.apply(change.clone()) {
                    Ok(applied) => {
                        journal.extend(applied.records.iter().cloned());
                        table.carry_out(&applied.effects);
                        model.apply(&change, &applied.outcomes);
                    }
                    Err(refusal) => prop_assert!(!refusal.to_string().is_empty()),
                },
                Step::Reverted(change) => {
                    let before = sorted(&intent);
                    if let Ok(applied) = intent.apply(change) {
                        intent.revert(applied);
                    }
                    prop_assert_eq!(sorted(&intent), before);
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
fn message_about_pools_lists_eight_of_them() {
    let pools = (0..100).map(|number| {
        (
            format!("p{number}"),
            vec!["10.0.0.0/32".parse().unwrap(); 100],
        )
    });
    let error = NotInPools {
        prefix: "10.9.0.0/24".parse().unwrap(),
        layer2: None,
        pools: pools.collect(),
    };
    let text = error.to_string();
    assert!(text.ends_with("and 92 more"), "{text}");
    assert!(text.len() < 2000, "{} octets", text.len());
}
