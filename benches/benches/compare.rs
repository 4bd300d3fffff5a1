//! Compares `bgp-wire` with four other codecs on the same octets: decoding, checking and walking; and encoding.
//!
//! `cargo bench -p benches --bench compare [-- WORKLOAD]` measures every codec in turn, five times, and takes the median of
//! the five medians. It prints a table of ratios and writes `target/bench/codec.json` (`codec-plain.json` with
//! `--profile plain`).

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::codecs::bgpkit::{Bgpkit, BgpkitEncoder};
use benches::codecs::hand::Hand;
use benches::codecs::netgauze::{Netgauze, NetgauzeEncoder};
use benches::codecs::ours::{OurBuildingEncoder, OurEncoder, Ours};
use benches::codecs::routecore::{Routecore, RoutecoreEncoder};
use benches::codecs::zettabgp::{Zettabgp, ZettabgpEncoder};
use benches::data::{self, VALUES};
use benches::{Decoder, Encoder};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, SamplingMode};
use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value, json};

/// The rounds in which all codecs are measured in turn, so that a change of the machine's speed affects all of them.
const ROUNDS: usize = 5;

/// A workload of messages to decode and walk.
struct Decode {
    name: &'static str,
    /// The goal of this project: the time of the fastest other codec divided by ours.
    goal: f64,
    messages: Vec<Bytes>,
    /// The messages or prefixes by which the time is divided.
    units: usize,
    /// The codec that rejects these messages.
    without: Option<&'static str>,
}

/// The prefixes of a message to encode.
enum Prefixes {
    Ipv4(Vec<Ipv4Net>),
    Ipv6(Vec<Ipv6Net>),
}

struct Encode {
    name: &'static str,
    goal: f64,
    prefixes: Prefixes,
}

fn decodes() -> Vec<Decode> {
    let one = |name, goal, message| Decode {
        name,
        goal,
        messages: vec![message],
        units: 1,
        without: None,
    };
    let random = data::random_messages();
    let mut decodes = vec![
        one(
            "decode 1 ipv4",
            4.0,
            data::ipv4_message(&data::ipv4_prefixes(1)),
        ),
        one(
            "decode 894 ipv4",
            2.5,
            data::ipv4_message(&data::ipv4_prefixes(894)),
        ),
        one(
            "decode 20 ipv6",
            3.0,
            data::ipv6_message(&data::ipv6_prefixes(20)),
        ),
        Decode {
            name: "decode random lengths",
            goal: 1.0,
            units: random.len(),
            messages: random,
            without: Some(Bgpkit::NAME),
        },
    ];
    // The names promise these messages; 4,096 octets are the message limit.
    let lengths: Vec<_> = decodes
        .iter()
        .map(|decode| decode.messages[0].len())
        .collect();
    assert_eq!(lengths, [77, 4096, 226, 4096]);
    if let Some(messages) = data::stream("updates-2019.as4.xz") {
        let messages = agreed(messages);
        decodes.push(Decode {
            name: "updates-2019, per message",
            goal: 3.5,
            units: messages.len(),
            messages,
            without: None,
        });
    }
    if let Some(messages) = data::stream("packed-2019.as4.xz") {
        decodes.push(Decode {
            name: "packed-2019, per prefix",
            goal: 3.0,
            messages: agreed(messages),
            // The prefixes of all 150 messages.
            units: 150_389,
            without: None,
        });
    }
    decodes
}

fn encodes() -> [Encode; 3] {
    let encode = |name, goal, prefixes| Encode {
        name,
        goal,
        prefixes,
    };
    let ipv4 = |count| Prefixes::Ipv4(data::ipv4_prefixes(count));
    [
        encode("encode 1 ipv4", 6.0, ipv4(1)),
        encode("encode 880 ipv4", 2.5, ipv4(880)),
        encode(
            "encode 20 ipv6",
            4.0,
            Prefixes::Ipv6(data::ipv6_prefixes(20)),
        ),
    ]
}

/// Returns the messages on which all codecs agree. Messages with an AS_SET are not among them, because of routecore.
fn agreed(messages: Vec<Bytes>) -> Vec<Bytes> {
    fn sums<C: Decoder>(messages: &[Bytes]) -> Vec<Option<u64>> {
        let mut codec = C::new();
        messages.iter().map(|message| codec.walk(message)).collect()
    }
    let ours = sums::<Ours>(&messages);
    let others = [
        sums::<Hand>(&messages),
        sums::<Routecore>(&messages),
        sums::<Netgauze>(&messages),
        sums::<Bgpkit>(&messages),
        sums::<Zettabgp>(&messages),
    ];
    let all = messages.len();
    let same = |number: usize| {
        ours[number].is_some() && others.iter().all(|other| other[number] == ours[number])
    };
    let agreed: Vec<_> = messages
        .into_iter()
        .enumerate()
        .filter_map(|(number, message)| same(number).then_some(message))
        .collect();
    println!("all codecs agree on {} of {all} messages", agreed.len());
    // A comparison that leaves out more than one message in a hundred would not be representative.
    assert!(agreed.len() * 100 >= all * 99);
    agreed
}

/// Runs the benchmarks and collects the results that criterion writes to files.
struct Bench {
    criterion: Criterion,
    output: PathBuf,
    /// The medians of the rounds in ns per unit, by workload and codec.
    medians: BTreeMap<(&'static str, &'static str), Vec<f64>>,
}

impl Bench {
    /// Measures one codec on one workload in one round.
    fn run(
        &mut self,
        (workload, codec): (&'static str, &'static str),
        round: usize,
        units: usize,
        mut work: impl FnMut(),
    ) {
        let mut group = self.criterion.benchmark_group(workload);
        // Linear sampling repeats a workload ever more often, which takes too long for slow ones.
        if units > 1 {
            group.sampling_mode(SamplingMode::Flat);
        }
        group.bench_function(BenchmarkId::new(codec, round), |bencher| {
            bencher.iter(&mut work);
        });
        group.finish();
        let estimates = self
            .output
            .join(workload)
            .join(codec)
            .join(round.to_string())
            .join("new/estimates.json");
        // The file does not exist if an argument excludes the benchmark.
        let Ok(text) = fs::read_to_string(&estimates) else {
            return;
        };
        let estimates: Value = serde_json::from_str(&text).expect("criterion writes JSON");
        let median = estimates["median"]["point_estimate"]
            .as_f64()
            .expect("criterion estimates a median");
        let units = f64::from(u32::try_from(units).expect("a number that fits"));
        self.medians
            .entry((workload, codec))
            .or_default()
            .push(median / units);
    }

    fn walk<C: Decoder>(&mut self, decode: &Decode, round: usize) {
        if decode.without == Some(C::NAME) {
            return;
        }
        // Codecs are compared only if they do the same work.
        let mut codec = C::new();
        let mut expected = Ours::new();
        for message in &decode.messages {
            assert_eq!(codec.walk(message), expected.walk(message), "{}", C::NAME);
        }
        self.run((decode.name, C::NAME), round, decode.units, || {
            for message in black_box(&decode.messages) {
                black_box(codec.walk(message));
            }
        });
    }

    fn encode<E: Encoder>(&mut self, encode: &Encode, round: usize) {
        fn sum(octets: &[u8]) -> i64 {
            let sum = Ours::new().walk(&Bytes::copy_from_slice(octets));
            sum.expect("a valid message").cast_signed()
        }
        let (mut encoder, mut ours) = (E::new(&VALUES), OurEncoder::new(&VALUES));
        match &encode.prefixes {
            Prefixes::Ipv4(prefixes) => {
                let expected = sum(ours.ipv4(&VALUES, prefixes)).wrapping_add(E::SUM_OFFSET_IPV4);
                assert_eq!(
                    sum(encoder.ipv4(&VALUES, prefixes)),
                    expected,
                    "{}",
                    E::NAME
                );
                self.run((encode.name, E::NAME), round, 1, || {
                    black_box(encoder.ipv4(black_box(&VALUES), black_box(prefixes)));
                });
            }
            Prefixes::Ipv6(prefixes) => {
                let expected = sum(ours.ipv6(&VALUES, prefixes)).wrapping_add(E::SUM_OFFSET_IPV6);
                assert_eq!(
                    sum(encoder.ipv6(&VALUES, prefixes)),
                    expected,
                    "{}",
                    E::NAME
                );
                self.run((encode.name, E::NAME), round, 1, || {
                    black_box(encoder.ipv6(black_box(&VALUES), black_box(prefixes)));
                });
            }
        }
    }

    fn median(&self, workload: &'static str, codec: &'static str) -> Option<f64> {
        let mut rounds = self.medians.get(&(workload, codec))?.clone();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied()
    }

    /// Prints one row and returns it as JSON, or `None` if the workload was not measured.
    fn report(&self, workload: &'static str, goal: f64) -> Option<Value> {
        let ours = self.median(workload, Ours::NAME)?;
        let others = [
            Routecore::NAME,
            Netgauze::NAME,
            Bgpkit::NAME,
            Zettabgp::NAME,
        ];
        let (fastest, other) = others
            .into_iter()
            .filter_map(|name| Some((self.median(workload, name)?, name)))
            .min_by(|one, other| one.0.total_cmp(&other.0))?;
        let hand = self.median(workload, Hand::NAME);
        let to_hand = hand.map_or_else(String::new, |hand| format!("{:.2}", ours / hand));
        println!(
            "| {workload:<25} | {ours:>8.2} | {other:<9} | {fastest:>8.2} | {:>5.2} | {goal:>4.1} | {to_hand:>6} |",
            fastest / ours,
        );
        let all: BTreeMap<_, _> = self
            .medians
            .keys()
            .filter(|(name, _)| *name == workload)
            .filter_map(|(_, codec)| Some((*codec, self.median(workload, codec)?)))
            .collect();
        Some(json!({
            "workload": workload, "nanoseconds": all, "fastest_other": other, "ratio": fastest / ours, "goal": goal,
            "to_hand": hand.map(|hand| ours / hand),
        }))
    }
}

/// Returns the target directory and the name of the profile, which is a directory in it.
fn target() -> (PathBuf, String) {
    let program = std::env::current_exe().expect("the path of this program");
    let mut parents = program.ancestors().skip(2);
    let (Some(profile), Some(target)) = (parents.next(), parents.next()) else {
        panic!("{} is not in a target directory", program.display());
    };
    let profile = profile.file_name().expect("a directory").to_string_lossy();
    (target.into(), profile.into_owned())
}

fn main() {
    let (target, profile) = target();
    let output = target.join("bench").join(&profile);
    // Files of an earlier run would be read as results of benchmarks that this run excludes.
    let _absent = fs::remove_dir_all(&output);
    let criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(10)
        .nresamples(1000)
        .without_plots()
        .output_directory(&output)
        .configure_from_args();
    let mut bench = Bench {
        criterion,
        output,
        medians: BTreeMap::new(),
    };
    let (decodes, encodes) = (decodes(), encodes());
    for round in 0..ROUNDS {
        for decode in &decodes {
            bench.walk::<Ours>(decode, round);
            bench.walk::<Routecore>(decode, round);
            bench.walk::<Netgauze>(decode, round);
            bench.walk::<Bgpkit>(decode, round);
            bench.walk::<Zettabgp>(decode, round);
            bench.walk::<Hand>(decode, round);
        }
        for encode in &encodes {
            bench.encode::<OurEncoder>(encode, round);
            bench.encode::<OurBuildingEncoder>(encode, round);
            bench.encode::<RoutecoreEncoder>(encode, round);
            bench.encode::<NetgauzeEncoder>(encode, round);
            bench.encode::<BgpkitEncoder>(encode, round);
            bench.encode::<ZettabgpEncoder>(encode, round);
        }
    }
    println!(
        "| {:<25} | bgp-wire | next best | ns       | ratio | goal | / hand |",
        "ns"
    );
    println!(
        "|{:-<27}|---------:|-----------|---------:|------:|-----:|-------:|",
        ""
    );
    let rows: Vec<_> = decodes
        .iter()
        .map(|decode| (decode.name, decode.goal))
        .chain(encodes.iter().map(|encode| (encode.name, encode.goal)))
        .filter_map(|(workload, goal)| bench.report(workload, goal))
        .collect();
    if !rows.is_empty() {
        write(&target, &profile, &rows);
    }
}

/// Writes the rows as JSON beside criterion's output.
fn write(target: &Path, profile: &str, rows: &[Value]) {
    let suffix = match profile {
        "release" => String::new(),
        other => format!("-{other}"),
    };
    let file = target.join(format!("bench/codec{suffix}.json"));
    let text = serde_json::to_string_pretty(
        &json!({ "profile": profile, "rounds": ROUNDS, "rows": rows }),
    );
    fs::write(&file, text.expect("valid JSON")).expect("a writable target directory");
    println!("figures of all codecs: {}", file.display());
}
