//! Decoding, checking and walking UPDATEs, and encoding them.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use bgp_wire::{
    AsPathBuf, Asn, Attribute, AttributeSet, Community, Context, Frame, Message, MessageLimit,
    NextHop, Nlri, Origin, PeerKind, encode_announcements,
};
use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{Ipv4Net, Ipv6Net};

fn attributes() -> AttributeSet {
    AttributeSet {
        as_path: AsPathBuf::sequence([64512, 64513, 64514, 64515].map(Asn::new)),
        local_pref: Some(100),
        communities: vec![Community::new(64512, 1), Community::NO_EXPORT],
        ..AttributeSet::new(Origin::IGP)
    }
}

fn ipv4(count: u32) -> Vec<Nlri<Ipv4Net>> {
    (0..count)
        .map(|number| Nlri::new(Ipv4Net::new_assert((0x0a00_0000 + number * 256).into(), 24)))
        .collect()
}

fn ipv6(count: u128) -> Vec<Nlri<Ipv6Net>> {
    let prefix =
        |number: u128| Ipv6Net::new_assert(((0x2001_0db8_u128 << 96) + (number << 80)).into(), 48);
    (0..count).map(|number| Nlri::new(prefix(number))).collect()
}

fn walk(frame: &Frame, context: &Context) -> u64 {
    let Ok(Message::Update(update)) = frame.decode(context) else {
        return 0;
    };
    let Ok(checked) = update.check() else {
        return 0;
    };
    let attributes = checked.attributes().fold(0, |sum, attribute| {
        sum + u64::from(!matches!(black_box(attribute), Attribute::AtomicAggregate))
    });
    checked.announced().fold(attributes, |sum, nlri| {
        sum + u64::from(black_box(nlri).prefix.prefix_len())
    })
}

fn codec(criterion: &mut Criterion) {
    let context = Context::new(PeerKind::Internal);
    let address_ipv4 = NextHop::Address([192, 0, 2, 1].into());
    let address_ipv6 = NextHop::Address(std::net::Ipv6Addr::LOCALHOST.into());
    let encode_ipv4 = |count: u32, out: &mut BytesMut| {
        encode_announcements(&context, &attributes(), address_ipv4, ipv4(count), out)
            .expect("it fits");
    };
    let mut messages = Vec::new();
    for count in [1, 880] {
        let mut octets = BytesMut::new();
        encode_ipv4(count, &mut octets);
        messages.push((format!("{count} ipv4"), count.into(), octets));
    }
    let mut octets = BytesMut::new();
    encode_announcements(&context, &attributes(), address_ipv6, ipv6(20), &mut octets)
        .expect("it fits");
    messages.push(("20 ipv6".to_owned(), 20, octets));

    let mut group = criterion.benchmark_group("decode, check, walk");
    for (name, prefixes, octets) in &messages {
        let frame =
            Frame::from_bytes(octets.clone().freeze(), MessageLimit::Standard).expect("our own");
        group.throughput(Throughput::Elements(*prefixes));
        group.bench_function(name, |bencher| {
            bencher.iter(|| walk(black_box(&frame), &context));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("encode");
    let (set, few, many) = (attributes(), ipv4(1), ipv4(880));
    let mut out = BytesMut::with_capacity(8192);
    for (name, prefixes) in [("1 ipv4", &few), ("880 ipv4", &many)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_announcements(
                    &context,
                    black_box(&set),
                    address_ipv4,
                    prefixes.iter().copied(),
                    &mut out,
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
