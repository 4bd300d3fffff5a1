//! A property test of random steps against a naive model.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u32, u32),
    /// Announces this many paths to a destination.
    AnnounceMany(u8, u32, u32),
    Withdraw(u8),
    WithdrawPath(u8, u32),
    Replace(Vec<(u8, u32, u32)>),
    Up(usize),
    Down(usize),
    /// A pull with the announcements that are made during it.
    Pull(usize, usize, Vec<(u8, u32, u32)>),
    Refresh(usize, usize),
    Policy(usize, u8),
    Flush(usize),
}

/// Returns steps with few prefixes and usually one path to each.
// Steps must meet at the same destinations, or replacement and withdrawal would hardly be tested.
fn step() -> impl Strategy<Value = Step> {
    let path = || prop_oneof![3 => Just(1), 2 => 0..4u32];
    let number = || prop_oneof![2 => 0..12u8, 1 => FIRST_OTHER..FIRST_OTHER + 8];
    let route = || (number(), path(), 0..3u32);
    let budget = || prop_oneof![Just(1), Just(60), Just(4096)];
    prop_oneof![
        8 => route().prop_map(|(number, path, preference)| Step::Announce(number, path, preference)),
        1 => (number(), 17..40u32, 0..3u32).prop_map(|(number, paths, preference)| Step::AnnounceMany(number, paths, preference)),
        3 => number().prop_map(Step::Withdraw),
        3 => (number(), prop_oneof![path(), 0..40u32]).prop_map(|(number, path)| Step::WithdrawPath(number, path)),
        1 => prop::collection::vec(route(), 0..20).prop_map(Step::Replace),
        1 => (0..4usize).prop_map(Step::Up),
        1 => (0..4usize).prop_map(Step::Down),
        4 => (0..4usize, budget(), Just(Vec::new())).prop_map(|(peer, budget, routes)| Step::Pull(peer, budget, routes)),
        1 => (0..4usize, budget(), prop::collection::vec(route(), 0..6)).prop_map(|(peer, budget, routes)| Step::Pull(peer, budget, routes)),
        1 => (0..4usize, 0..FAMILIES.len()).prop_map(|(peer, family)| Step::Refresh(peer, family)),
        1 => (0..4usize, 0..5u8).prop_map(|(peer, policy)| Step::Policy(peer, policy)),
        2 => (0..4usize).prop_map(Step::Flush),
    ]
}

fn path(number: u8, path_id: u32, preference: u32) -> Route {
    route(number, preference).with_path_id(PathId(path_id))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_peer_ends_with_its_share_of_the_table(steps in prop::collection::vec(step(), 0..400)) {
        let (mut rib, mut model) = (Rib::new(), BTreeMap::new());
        let mut peers: [Peer; 4] = Default::default();
        (peers[2].add_path, peers[3].add_path) = (true, true);
        (peers[1].every_family, peers[3].every_family) = (true, true);
        // The families of a peer without `every_family` leave most destinations unread, which must not disturb its order.
        for step in steps {
            match step {
                Step::Announce(number, path_id, preference) => {
                    peers.iter_mut().for_each(|peer| peer.change(number, path_id));
                    let changed = model.insert((number, path_id), preference) != Some(preference);
                    prop_assert_eq!(rib.announce(&path(number, path_id, preference)), changed);
                }
                Step::AnnounceMany(number, paths, preference) => {
                    for path_id in 0..paths {
                        peers.iter_mut().for_each(|peer| peer.change(number, path_id));
                        let changed = model.insert((number, path_id), preference) != Some(preference);
                        prop_assert_eq!(rib.announce(&path(number, path_id, preference)), changed);
                    }
                }
                Step::Withdraw(number) => {
                    (0..40).for_each(|id| peers.iter_mut().for_each(|peer| peer.change(number, id)));
                    let before = model.len();
                    model.retain(|(known, _), _| *known != number);
                    prop_assert_eq!(rib.withdraw(destination(number, 0)), model.len() < before);
                }
                Step::WithdrawPath(number, path_id) => {
                    peers.iter_mut().for_each(|peer| peer.change(number, path_id));
                    let known = model.remove(&(number, path_id)).is_some();
                    prop_assert_eq!(rib.withdraw_path(destination(number, 0), PathId(path_id)), known);
                }
                Step::Replace(set) => {
                    for (number, path_id) in set.iter().map(|(number, path_id, _)| (number, path_id)).chain(model.keys().map(|(number, path_id)| (number, path_id))) {
                        peers.iter_mut().for_each(|peer| peer.change(*number, *path_id));
                    }
                    model = set.iter().map(|(number, path_id, preference)| ((*number, *path_id), *preference)).collect();
                    let routes: Vec<_> = model.iter().map(|((number, id), preference)| path(*number, *id, *preference)).collect();
                    rib.replace(&routes);
                }
                Step::Up(peer) => peers[peer].up(&mut rib),
                Step::Down(peer) => peers[peer].down(),
                Step::Pull(peer, budget, routes) => {
                    let concurrent = routes.iter().flat_map(|(number, path_id, _)| keys(*number, *path_id));
                    peers[peer].concurrent = concurrent.collect();
                    let Peer { flushes, concurrent, .. } = &mut peers[peer];
                    flushes.iter_mut().for_each(|flush| flush.later.extend(concurrent.iter().cloned()));
                    let changes = routes.iter().map(|(number, path_id, preference)| {
                        model.insert((*number, *path_id), *preference);
                        vec![path(*number, *path_id, *preference)]
                    });
                    peers[peer].pull(&mut Busy { rib: &mut rib, changes }, budget);
                    peers[peer].concurrent.clear();
                    routes.iter().for_each(|(number, path_id, _)| peers.iter_mut().for_each(|peer| peer.change(*number, *path_id)));
                }
                Step::Refresh(peer, family) => {
                    peers[peer].passing.insert(FAMILIES[family]);
                    if let Some(adj_rib_out) = &mut peers[peer].adj_rib_out {
                        adj_rib_out.refresh(FAMILIES[family]);
                    }
                }
                Step::Flush(peer) => peers[peer].flush(&mut rib, &model),
                Step::Policy(peer, number) => {
                    peers[peer].policy = number;
                    // A route may be sent with either policy at an earlier flush.
                    peers[peer].flushes.clear();
                    let families = peers[peer].families();
                    peers[peer].passing.extend(families);
                    let negotiated = peers[peer].negotiated();
                    if let Some(adj_rib_out) = &mut peers[peer].adj_rib_out {
                        adj_rib_out.set_policy(&policy(number), &negotiated);
                    }
                }
            }
            prop_assert_eq!(rib.len(), model.len());
        }
        let routes = rib.routes().map(|route| (route_key(&route.nlri()), (route.attributes().local_pref.unwrap(), route.nlri())));
        let whole = Peer { add_path: true, every_family: true, ..Peer::default() };
        prop_assert_eq!(&routes.collect::<Table>(), &whole.share(&model));
        for peer in &mut peers {
            while !peer.pull(&mut rib, 1000) {}
            if peer.adj_rib_out.is_some() {
                prop_assert_eq!(&peer.table, &peer.share(&model));
                prop_assert_eq!(peer.flushes.len(), 0, "every flush has ended");
                prop_assert_eq!(peer.adj_rib_out.as_ref().unwrap().withheld(), peer.withheld(&model));
                let before = peer.announcements;
                prop_assert!(peer.pull(&mut rib, 1000) && peer.announcements == before, "nothing twice");
            }
        }
    }
}
