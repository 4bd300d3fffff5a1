//! Decoding, checking and iterating allocate nothing. Encoding allocates nothing beyond the caller's buffer.

#![cfg(test)]
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bgp_wire::{
    AsPathBuf, Asn, AttributeSet, Community, Context, Frame, LargeCommunity, Message, MessageLimit,
    NextHop, Nlri, Origin, PeerKind, encode_announcements, encode_withdrawals,
};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

/// An allocator that counts the allocations of each thread.
// By thread, because the test harness allocates on threads of its own.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller upholds the contract of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the number of allocations that `run` makes.
fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

/// Returns attributes with a path and lists that an owned type would allocate for.
fn attributes() -> AttributeSet {
    AttributeSet {
        as_path: AsPathBuf::sequence((1..300).map(Asn::new)),
        multi_exit_disc: Some(1),
        communities: vec![Community::NO_EXPORT; 20],
        large_communities: vec![
            LargeCommunity {
                global: 1,
                local1: 2,
                local2: 3
            };
            5
        ],
        extended_communities: vec!["target:64512:1".parse().unwrap()],
        ..AttributeSet::new(Origin::IGP)
    }
}

/// Decodes and visits an UPDATE without an allocation. Returns the number of items seen.
fn walk(octets: &[u8], context: &Context) -> usize {
    let frame = Frame::from_bytes(octets.to_vec().into(), MessageLimit::Standard).unwrap();
    let mut seen = 0;
    let allocated = allocations(|| {
        let Ok(Message::Update(update)) = frame.decode(context) else {
            panic!("not an UPDATE")
        };
        let checked = update.check().unwrap();
        seen += checked.attributes().count();
        seen += checked.announced().count() + checked.withdrawn().count();
        seen += checked.as_path().map_or(0, |path| path.asns().count());
        seen += checked
            .communities()
            .map_or(0, |communities| communities.iter().count());
    });
    assert_eq!(allocated, 0);
    seen
}

#[test]
fn codec_on_updates_allocates_nothing() {
    let context = Context::new(PeerKind::Internal);
    let attributes = attributes();
    let ipv4: Vec<_> = (0..500u32)
        .map(|number| Nlri::new(Ipv4Net::new_assert((number << 8).into(), 24)))
        .collect();
    let ipv6: Vec<_> = (0..100u128)
        .map(|number| Nlri::new(Ipv6Net::new_assert((number << 80).into(), 48)))
        .collect();
    let mut messages = Vec::new();
    let mut write = |encode: &mut dyn FnMut(&mut BytesMut)| {
        let mut octets = BytesMut::with_capacity(65536);
        assert_eq!(allocations(|| encode(&mut octets)), 0);
        messages.push(octets);
    };
    let next_hop = NextHop::Address([192, 0, 2, 1].into());
    write(&mut |out| {
        encode_announcements(&context, &attributes, next_hop, ipv4.iter().copied(), out).unwrap();
    });
    let next_hop =
        NextHop::Address(std::net::Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]).into());
    write(&mut |out| {
        encode_announcements(&context, &attributes, next_hop, ipv6.iter().copied(), out).unwrap();
    });
    write(&mut |out| {
        encode_withdrawals(&context, ipv4.iter().copied(), out).unwrap();
    });
    write(&mut |out| {
        encode_withdrawals(&context, ipv6.iter().copied(), out).unwrap();
    });
    for message in messages {
        assert!(walk(&message, &context) >= 100);
    }
}
