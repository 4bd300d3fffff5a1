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

/// So many routes are made at a time, so that their own memory does not count.
const SOME: u32 = 1000;

/// A table, by how many routes it has and of how many attribute sets.
#[derive(Clone, Copy)]
struct Kind {
    routes: u32,
    sets: u32,
}

impl Kind {
    fn some(self, start: u32) -> Vec<Route> {
        let route = |number: u32| {
            let address = Ipv4Addr::from(0x0a00_0000 + number);
            Route::new(Ipv4Net::new_assert(address, 32).into())
                .with_multi_exit_disc(number % self.sets)
        };
        (start..start + SOME).map(route).collect()
    }

    /// Seconds to announce all, and to pull all.
    fn fill(self, out: &mut BytesMut) -> [f64; 2] {
        let (negotiated, config) = (established::negotiated(), established::config());
        let mut rib = Rib::new();
        let mut announcing = 0.0;
        for start in (0..self.routes).step_by(usize::try_from(SOME).expect("it fits")) {
            let some = self.some(start);
            let announce = || some.iter().filter(|route| rib.announce(route)).count();
            let (seconds, announced) = cpu_time_of(announce);
            assert_eq!(announced, some.len());
            announcing += seconds;
        }
        let mut adj_rib_out = AdjRibOut::new(&mut rib, &config, &negotiated);
        let (pulling, ()) = cpu_time_of(|| {
            while !adj_rib_out.pull(&mut rib, out, BUDGET) {
                out.clear();
            }
        });
        out.clear();
        adj_rib_out.close(&mut rib);
        [announcing, pulling]
    }

    /// Nanoseconds a route, announced and pulled.
    fn measure(self) -> [f64; 2] {
        let mut out = BytesMut::new();
        let mut total = [0.0; 2];
        for _ in 0..ROUTES / self.routes {
            let seconds = self.fill(&mut out);
            total = [total[0] + seconds[0], total[1] + seconds[1]];
        }
        total.map(|seconds| seconds * 1e9 / f64::from(ROUTES))
    }
}

/// Medians of rounds that take turns.
fn medians(kinds: &[Kind]) -> Vec<[f64; 2]> {
    let mut rounds = vec![[Vec::new(), Vec::new()]; kinds.len()];
    for _ in 0..ROUNDS {
        for (kind, rounds) in kinds.iter().zip(&mut rounds) {
            let [announced, pulled] = kind.measure();
            rounds[0].push(announced);
            rounds[1].push(pulled);
        }
    }
    rounds.into_iter().map(|both| both.map(median)).collect()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let sizes = [10_000, 100_000, 1_000_000];
    let by_size = medians(&sizes.map(|routes| Kind { routes, sets: 1 }));
    for (size, figures) in sizes.iter().zip(&by_size).skip(1) {
        for (what, ours, least) in zip(figures, &by_size[0]) {
            let name = format!("5 a route of {size} {what}, beside one of 10,000");
            rows.push(Row::beside(name, "ns", ours, ("of 10,000", least), 1.5));
        }
    }
    let sets = [1, 10, 100, 1000];
    let by_sets = medians(&sets.map(|sets| Kind {
        routes: ROUTES,
        sets,
    }));
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
