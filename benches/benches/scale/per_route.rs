//! Group 5: the cost of a route, announced and pulled for a peer, by the size of the table and its attribute sets.

use std::net::Ipv4Addr;

use bgp_session::{AdjRibOut, Rib, Route};
use bytes::BytesMut;
use ipnet::Ipv4Net;

use crate::established;
use crate::process::cpu_time_of;
use crate::table::{Row, median};

/// The routes of each measurement. Smaller tables are filled several times, so that all measurements take as long.
const ROUTES: u32 = 1_000_000;

const ROUNDS: usize = 5;

/// The octets that the task of a peer pulls at a time.
const BUDGET: usize = 64 * 1024;

/// The routes that are built at a time, so that the memory of the routes themselves does not matter.
const CHUNK: u32 = 1000;

/// A table to measure: its routes and its distinct attribute sets.
#[derive(Clone, Copy)]
struct TableKind {
    routes: u32,
    sets: u32,
}

impl TableKind {
    /// Returns the next chunk of routes.
    fn chunk(self, start: u32) -> Vec<Route> {
        let route = |number: u32| {
            let address = Ipv4Addr::from(0x0a00_0000 + number);
            // Neighboring routes have different attributes, which is the worst case for packing UPDATEs.
            Route::new(Ipv4Net::new_assert(address, 32).into())
                .with_multi_exit_disc(number % self.sets)
        };
        (start..start + CHUNK).map(route).collect()
    }

    /// Returns the seconds to announce all routes, and to pull all routes.
    fn fill(self, out: &mut BytesMut) -> [f64; 2] {
        let (negotiated, config) = (established::negotiated(), established::config());
        let mut rib = Rib::new();
        let mut announcing = 0.0;
        for start in (0..self.routes).step_by(usize::try_from(CHUNK).expect("a number that fits")) {
            let chunk = self.chunk(start);
            let announce = || chunk.iter().filter(|route| rib.announce(route)).count();
            let (seconds, announced) = cpu_time_of(announce);
            assert_eq!(announced, chunk.len());
            announcing += seconds;
        }
        let mut adj_rib_out = AdjRibOut::new(&mut rib, &config, &negotiated);
        let (pulling, ()) = cpu_time_of(|| {
            while !adj_rib_out.pull(&mut rib, out, BUDGET) {
                out.clear();
            }
        });
        out.clear();
        [announcing, pulling]
    }

    /// Returns the nanoseconds per route to announce and to pull.
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

/// Returns the medians of each table. All tables are measured in each round, in turn.
fn medians(kinds: &[TableKind]) -> Vec<[f64; 2]> {
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
    let by_size = medians(&sizes.map(|routes| TableKind { routes, sets: 1 }));
    for (size, figures) in sizes.iter().zip(&by_size).skip(1) {
        for (what, ours, smallest) in zip(figures, &by_size[0]) {
            let name = format!("5 a route of {size} {what}, beside one of 10,000");
            rows.push(Row::beside(name, "ns", ours, ("of 10,000", smallest), 1.5));
        }
    }
    let sets = [1, 10, 100, 1000];
    let by_sets = medians(&sets.map(|sets| TableKind {
        routes: ROUTES,
        sets,
    }));
    for (sets, figures) in sets.iter().zip(&by_sets).skip(1) {
        for (what, ours, smallest) in zip(figures, &by_sets[0]) {
            let name = format!("5 a route of 1,000,000 in {sets} attribute sets {what}");
            rows.push(Row::beside(name, "ns", ours, ("in 1 set", smallest), 2.0));
        }
    }
    rows
}

/// Pairs the figures of a table with those of the smallest table.
fn zip(ours: &[f64; 2], smallest: &[f64; 2]) -> [(&'static str, f64, f64); 2] {
    [
        ("announced", ours[0], smallest[0]),
        ("pulled", ours[1], smallest[1]),
    ]
}
