//! Measures announcements into the table of originated routes: `cargo bench -p benches --bench rib`.

use bgp_session::{Rib, Route};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::Ipv4Net;

fn rib(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("announce");
    for count in [10_000, 100_000] {
        let route =
            |number: u32| Route::new(Ipv4Net::new_assert((0x0a00_0000 + number).into(), 32).into());
        let routes: Vec<_> = (0..count).map(route).collect();
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(format!("{count} host routes"), |bencher| {
            // `ref`, so that the time to drop the table is not measured.
            bencher.iter_batched_ref(
                Rib::new,
                |rib| routes.iter().filter(|route| rib.announce(route)).count(),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, rib);
criterion_main!(benches);
