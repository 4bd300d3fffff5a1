//! What a route costs in a table of any size, and of any number of attribute sets: announced, and pulled for a peer.

use std::net::Ipv4Addr;

use bgp_session::{AdjRibOut, Rib, Route};
use bytes::BytesMut;
use ipnet::Ipv4Net;

use crate::established;
use crate::process::cpu_time_of;
use crate::table::{Row, median};

/// At least so many routes are measured at a time, in as many tables as it takes.
const ROUTES: u32 = 1_000_000;

const ROUNDS: usize = 5;

/// What a speaker's task takes at a time.
const BUDGET: usize = 64 * 1024;

fn routes(count: u32, sets: u32) -> Vec<Route> {
    let route = |number: u32| {
        let address = Ipv4Addr::from(0x0a00_0000 + number);
        Route::new(Ipv4Net::new_assert(address, 32).into()).multi_exit_disc(number % sets)
    };
    (0..count).map(route).collect()
}

/// Nanoseconds a route, announced and pulled.
fn measure(routes: &[Route]) -> [f64; 2] {
    let negotiated = established::negotiated();
    let config = established::config();
    let tables = ROUTES / u32::try_from(routes.len()).expect("it fits");
    let mut out = BytesMut::new();
    let mut total = [0.0; 2];
    for _ in 0..tables {
        let mut rib = Rib::new();
        let announce = || routes.iter().filter(|route| rib.announce(route)).count();
        let (announcing, announced) = cpu_time_of(announce);
        assert_eq!(announced, routes.len());
        let mut adj_rib_out = AdjRibOut::new(&mut rib, &config, &negotiated);
        let (pulling, ()) = cpu_time_of(|| {
            while !adj_rib_out.pull(&mut rib, &mut out, BUDGET) {
                out.clear();
            }
        });
        out.clear();
        adj_rib_out.close(&mut rib);
        total[0] += announcing;
        total[1] += pulling;
    }
    total.map(|seconds| seconds * 1e9 / f64::from(ROUTES))
}

/// Medians of rounds that take turns.
fn medians(kinds: &[Vec<Route>]) -> Vec<[f64; 2]> {
    let mut rounds = vec![[Vec::new(), Vec::new()]; kinds.len()];
    for _ in 0..ROUNDS {
        for (routes, rounds) in kinds.iter().zip(&mut rounds) {
            let [announced, pulled] = measure(routes);
            rounds[0].push(announced);
            rounds[1].push(pulled);
        }
    }
    rounds.into_iter().map(|both| both.map(median)).collect()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let sizes = [10_000, 100_000, 1_000_000];
    let kinds: Vec<_> = sizes.iter().map(|size| routes(*size, 1)).collect();
    let by_size = medians(&kinds);
    for (size, figures) in sizes.iter().zip(&by_size).skip(1) {
        for (what, ours, least) in zip(figures, &by_size[0]) {
            let name = format!("5 a route of {size} {what}, beside one of 10,000");
            rows.push(Row::beside(name, "ns", ours, ("of 10,000", least), 1.5));
        }
    }
    drop(kinds);
    let sets = [1, 10, 100, 1000];
    let kinds: Vec<_> = sets.iter().map(|sets| routes(ROUTES, *sets)).collect();
    let by_sets = medians(&kinds);
    for (sets, figures) in sets.iter().zip(&by_sets).skip(1) {
        for (what, ours, least) in zip(figures, &by_sets[0]) {
            let name = format!("5 a route of 1,000,000 in {sets} attribute sets {what}");
            rows.push(Row::beside(name, "ns", ours, ("in 1 set", least), 2.0));
        }
    }
    rows
}

fn zip(ours: &[f64; 2], least: &[f64; 2]) -> [(&'static str, f64, f64); 2] {
    [
        ("announced", ours[0], least[0]),
        ("pulled", ours[1], least[1]),
    ]
}
