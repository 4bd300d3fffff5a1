//! Five codecs and a walk by hand see the same in the same octets.

#![cfg(test)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use benches::Contender;
use benches::contender::bgpkit::Bgpkit;
use benches::contender::hand::Hand;
use benches::contender::netgauze::Netgauze;
use benches::contender::ours::Ours;
use benches::contender::routecore::Routecore;
use benches::contender::zettabgp::Zettabgp;
use benches::data;
use bytes::Bytes;
use libtest_mimic::{Arguments, Completion, Trial};

fn walk<C: Contender>(messages: &[Bytes]) -> (&'static str, Vec<Option<u64>>) {
    let mut contender = C::new();
    let sums = messages.iter().map(|message| contender.walk(message));
    (C::NAME, sums.collect())
}

/// The sums of every contender, ours first.
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

/// The prefixes that one codec saw in a message, sorted: the order of sections and attributes is the message's.
fn text<C: Contender>(message: &Bytes) -> Vec<String> {
    let mut prefixes = C::new().prefixes(message).expect("legal");
    prefixes.sort();
    prefixes
}

fn same_prefixes(message: &Bytes) {
    let ours = text::<Ours>(message);
    assert_eq!(text::<Routecore>(message), ours, "{message:x}");
    assert_eq!(text::<Netgauze>(message), ours, "{message:x}");
    assert_eq!(text::<Bgpkit>(message), ours, "{message:x}");
    assert_eq!(text::<Zettabgp>(message), ours, "{message:x}");
}

fn made_messages() {
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

/// Prefixes of any length, 0 among them, which bgpkit cannot read.
fn random_messages() {
    let messages = data::random_messages();
    let [(_, ours), others @ ..] = walk_all(&messages);
    assert!(ours.iter().all(Option::is_some));
    for (name, sums) in others {
        assert!(sums == ours || name == "bgpkit", "{name}");
    }
}

/// How many of the messages of a stream a contender sees otherwise than our codec, and why that is not our fault.
fn tolerated(name: &str) -> usize {
    match name {
        // 39 messages with an AS_SET, of which it does not say that they are sets.
        "routecore" => 39,
        _ => 0,
    }
}

/// A stream of 2007: AS numbers of two octets.
fn two_octet_as_numbers(mut messages: Vec<Bytes>) {
    fn walk<C: Contender>(messages: &[Bytes]) -> Vec<Option<u64>> {
        let mut contender = C::two_octet_as().expect("asked");
        let sums = messages.iter().map(|message| contender.walk(message));
        sums.collect()
    }
    // The octets of an MP attribute of IPv4 multicast, of which the sums know nothing.
    let multicast = |message: &Bytes| {
        let mut windows = message.windows(6);
        windows.any(|octets| matches!(octets, [0x90, 14 | 15, 0, _, 0, 1]))
    };
    messages.retain(|message| message.get(18) == Some(&2) && !multicast(message));
    assert_eq!(messages.len(), 23_243, "UPDATEs");
    let ours = walk::<Ours>(&messages);
    assert!(ours.iter().all(Option::is_some));
    for (name, sums, tolerated) in [
        // Messages with an AS_SET, of which it does not say that it is one.
        ("routecore", walk::<Routecore>(&messages), 38),
        ("netgauze", walk::<Netgauze>(&messages), 0),
        ("zettabgp", walk::<Zettabgp>(&messages), 0),
    ] {
        let differing = ours.iter().zip(&sums).filter(|(ours, sum)| ours != sum);
        assert_eq!(differing.count(), tolerated, "{name}");
    }
}

/// One withdrawal of 36,894 octets (RFC 8654).
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
    for (contender, sums) in others {
        let count = sums.iter().zip(&ours).filter(|(one, other)| one != other);
        differing.insert(contender, count.count());
    }
    eprintln!("{differing:?}");
    for (contender, count) in differing {
        assert!(count <= tolerated(contender), "{contender}: {count}");
    }
    messages.iter().step_by(97).for_each(same_prefixes);
}

fn main() -> ExitCode {
    let made = |name, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let stream = |name, most, run: fn(Vec<Bytes>)| {
        Trial::ignorable_test(name, move || {
            let Some(messages) = data::stream(name) else {
                return Ok(Completion::ignored_with("it or xz is not here"));
            };
            assert_eq!(messages.len(), most);
            run(messages);
            Ok(Completion::Completed)
        })
    };
    let trials = vec![
        made("made messages", made_messages),
        made("random messages", random_messages),
        stream("updates-2007.as2.xz", 23_394, two_octet_as_numbers),
        stream("updates-2019.as4.xz", 54_107, |it| real_stream(&it)),
        stream("packed-2019.as4.xz", 150, |it| real_stream(&it)),
        stream("long-withdrawal.as4.xz", 1, |it| an_extended_message(&it)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
