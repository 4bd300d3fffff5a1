//! Five codecs and a handwritten walk read the same values from the same messages.

#![cfg(test)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use benches::Decoder;
use benches::codecs::bgpkit::Bgpkit;
use benches::codecs::hand::Hand;
use benches::codecs::netgauze::Netgauze;
use benches::codecs::ours::Ours;
use benches::codecs::routecore::Routecore;
use benches::codecs::zettabgp::Zettabgp;
use benches::data;
use bytes::Bytes;
use libtest_mimic::{Arguments, Completion, Trial};

fn walk<C: Decoder>(messages: &[Bytes]) -> (&'static str, Vec<Option<u64>>) {
    let mut decoder = C::new();
    (
        C::NAME,
        messages
            .iter()
            .map(|message| decoder.walk(message))
            .collect(),
    )
}

/// Returns the sums of every decoder, ours first.
fn walk_all(messages: &[Bytes]) -> [(&'static str, Vec<Option<u64>>); 6] {
    [
        walk::<Ours>(messages),
        walk::<Hand>(messages),
        walk::<Routecore>(messages),
        walk::<Netgauze>(messages),
        walk::<Bgpkit>(messages),
        walk::<Zettabgp>(messages),
    ]
}

/// Returns the prefixes that one codec reads, sorted, because codecs read the sections of a message in different orders.
fn sorted_prefixes<C: Decoder>(message: &Bytes) -> Vec<String> {
    let mut prefixes = C::new().prefixes(message).expect("a valid message");
    prefixes.sort();
    prefixes
}

fn same_prefixes(message: &Bytes) {
    let ours = sorted_prefixes::<Ours>(message);
    assert_eq!(sorted_prefixes::<Routecore>(message), ours, "{message:x}");
    assert_eq!(sorted_prefixes::<Netgauze>(message), ours, "{message:x}");
    assert_eq!(sorted_prefixes::<Bgpkit>(message), ours, "{message:x}");
    assert_eq!(sorted_prefixes::<Zettabgp>(message), ours, "{message:x}");
}

fn generated_messages() {
    let messages = data::odd_messages();
    let [(_, ours), others @ ..] = walk_all(&messages);
    for (name, sums) in others {
        for ((message, sum), ours) in messages.iter().zip(sums).zip(&ours) {
            assert!(ours.is_some(), "{message:x}");
            assert_eq!(sum, *ours, "{name}: {message:x}");
        }
    }
    messages.iter().for_each(same_prefixes);
}

/// Compares messages with prefixes of any length. bgpkit rejects a length of 0.
fn random_messages() {
    let messages = data::random_messages();
    let [(_, ours), others @ ..] = walk_all(&messages);
    assert!(ours.iter().all(Option::is_some));
    for (name, sums) in others {
        assert!(sums == ours || name == "bgpkit", "{name}");
    }
}

/// Returns the number of messages of a stream on which a codec may differ from ours.
fn tolerated(name: &str) -> usize {
    match name {
        // 39 messages with an AS_SET: this codec hides the type of a segment.
        "routecore" => 39,
        _ => 0,
    }
}

/// Compares a stream from 2007 with AS numbers of two octets.
fn two_octet_as_numbers(mut messages: Vec<Bytes>) {
    fn walk<C: Decoder>(messages: &[Bytes]) -> Vec<Option<u64>> {
        let mut decoder = C::two_octet_as().expect("a compared codec");
        messages
            .iter()
            .map(|message| decoder.walk(message))
            .collect()
    }
    // The sums do not cover the multiprotocol attributes of IPv4 multicast, so such messages are left out.
    let multicast = |message: &Bytes| {
        let mut windows = message.windows(6);
        windows.any(|octets| matches!(octets, [0x90, 14 | 15, 0, _, 0, 1]))
    };
    messages.retain(|message| message.get(18) == Some(&2) && !multicast(message));
    assert_eq!(messages.len(), 23_243, "UPDATEs");
    let ours = walk::<Ours>(&messages);
    assert!(ours.iter().all(Option::is_some));
    for (name, sums, tolerated) in [
        // Messages with an AS_SET: this codec hides the type of a segment.
        ("routecore", walk::<Routecore>(&messages), 38),
        ("netgauze", walk::<Netgauze>(&messages), 0),
        ("zettabgp", walk::<Zettabgp>(&messages), 0),
    ] {
        let differing = ours.iter().zip(&sums).filter(|(ours, sum)| ours != sum);
        assert_eq!(differing.count(), tolerated, "{name}");
    }
}

/// Compares one withdrawal of 36,894 octets (RFC 8654).
fn an_extended_message(messages: &[Bytes]) {
    let [(_, ours), others @ ..] = walk_all(messages);
    assert!(ours.iter().all(Option::is_some));
    for (name, sums) in others {
        assert_eq!(sums, ours, "{name}");
    }
}

fn real_stream(messages: &[Bytes]) {
    let [(_, ours), others @ ..] = walk_all(messages);
    assert!(ours.iter().all(Option::is_some));
    let mut differing = BTreeMap::new();
    for (decoder, sums) in others {
        let count = sums.iter().zip(&ours).filter(|(one, other)| one != other);
        differing.insert(decoder, count.count());
    }
    eprintln!("messages that differ from bgp-wire: {differing:?}");
    for (decoder, count) in differing {
        assert!(count <= tolerated(decoder), "{decoder}: {count}");
    }
    // Text is slow to compare, so only a sample of the messages is.
    messages.iter().step_by(97).for_each(same_prefixes);
}

fn main() -> ExitCode {
    let generated = |name, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let stream = |name, count, run: fn(Vec<Bytes>)| {
        Trial::ignorable_test(name, move || {
            let Some(messages) = data::stream(name) else {
                return Ok(Completion::ignored_with("the file or xz is missing"));
            };
            assert_eq!(messages.len(), count);
            run(messages);
            Ok(Completion::Completed)
        })
    };
    let trials = vec![
        generated("generated messages", generated_messages),
        generated("random messages", random_messages),
        stream("updates-2007.as2.xz", 23_394, two_octet_as_numbers),
        stream("updates-2019.as4.xz", 54_107, |it| real_stream(&it)),
        stream("packed-2019.as4.xz", 150, |it| real_stream(&it)),
        stream("long-withdrawal.as4.xz", 1, |it| an_extended_message(&it)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
