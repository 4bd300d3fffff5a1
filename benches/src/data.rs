//! The messages to decode and the values to encode: generated ones, and recorded streams if their files exist.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use bytes::{BufMut, Bytes, BytesMut};
use ipnet::{Ipv4Net, Ipv6Net};

/// Attribute values as plain numbers, which every codec converts to its own types.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    /// ORIGIN.
    pub origin: u8,
    /// The AS numbers of one AS_SEQUENCE.
    pub as_path: [u32; 4],
    /// NEXT_HOP.
    pub next_hop_ipv4: Ipv4Addr,
    /// The next hop in MP_REACH_NLRI.
    pub next_hop_ipv6: Ipv6Addr,
    /// LOCAL_PREF.
    pub local_pref: u32,
    /// COMMUNITIES, in ascending order because zettabgp sorts them.
    pub communities: [u32; 2],
}

/// The values of all generated messages. With NEXT_HOP their attributes have 50 octets.
pub const VALUES: Values = Values {
    origin: 0,
    as_path: [64512, 4_200_000_000, 65536, 3356],
    next_hop_ipv4: Ipv4Addr::new(192, 0, 2, 1),
    next_hop_ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    local_pref: 100,
    communities: [0xfc00_0001, 0xfc00_0002],
};

/// Returns prefixes with the lengths 24 and 32 in turn.
#[must_use]
pub fn ipv4_prefixes(count: usize) -> Vec<Ipv4Net> {
    let lengths = [24, 32].into_iter().cycle();
    let prefix = |(number, length): (u32, u8)| {
        let address = 0x0a00_0000 + number * 0x0101;
        Ipv4Net::new_assert(address.into(), length).trunc()
    };
    (0..).zip(lengths).map(prefix).take(count).collect()
}

/// Returns prefixes with the lengths 32, 40, 48, 48 and 64 in turn.
#[must_use]
pub fn ipv6_prefixes(count: usize) -> Vec<Ipv6Net> {
    let lengths = [32, 40, 48, 48, 64].into_iter().cycle();
    let prefix = |(number, length): (u128, u8)| {
        let address = (0x2001_0db8_u128 << 96) + ((number * 0x0001_0101_0101) << 64);
        Ipv6Net::new_assert(address.into(), length).trunc()
    };
    (0..).zip(lengths).map(prefix).take(count).collect()
}

/// Returns a message that announces IPv4 prefixes.
#[must_use]
pub fn ipv4_message(prefixes: &[Ipv4Net]) -> Bytes {
    let mut nlri = Vec::new();
    for prefix in prefixes {
        let octets = prefix.addr().octets();
        put_prefix(prefix.prefix_len(), &octets, &mut nlri);
    }
    let mut attributes = attributes(true);
    put_attribute(0xc0, 8, &words(&VALUES.communities), &mut attributes);
    message(&attributes, &nlri)
}

/// Returns a message that announces IPv6 prefixes, with MP_REACH_NLRI as the last attribute.
#[must_use]
pub fn ipv6_message(prefixes: &[Ipv6Net]) -> Bytes {
    let mut value = vec![0, 2, 1, 16];
    value.extend(VALUES.next_hop_ipv6.octets());
    value.push(0);
    for prefix in prefixes {
        let octets = prefix.addr().octets();
        put_prefix(prefix.prefix_len(), &octets, &mut value);
    }
    let mut attributes = attributes(false);
    put_attribute(0xc0, 8, &words(&VALUES.communities), &mut attributes);
    put_attribute(0x80, 14, &value, &mut attributes);
    message(&attributes, &[])
}

/// Returns messages of 4,096 octets with prefixes of random lengths, all equally likely.
///
/// 64 messages are more than a branch predictor learns. bgpkit rejects them: it takes a length of 0 for the start of a
/// path identifier.
#[must_use]
pub fn random_messages() -> Vec<Bytes> {
    let mut state: u64 = 1;
    let mut random = || {
        // Knuth's MMIX generator. Its low bits have short periods, so the high ones are used.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let [a, b, c, d, ..] = state.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    };
    // netgauze rejects multicast addresses, and ours ignores them and 127.0.0.0/8: two clear bits exclude both.
    let address = |bits: u32| ((bits >> 1) & !0x0100_0000).into();
    let prefixes = |random: &mut dyn FnMut() -> u32| {
        let mut room: usize = 4096 - 73;
        let mut prefixes = Vec::new();
        while room > 0 {
            // The last prefixes fill the message to exactly 4,096 octets.
            let length = match u8::try_from(random() % 33).expect("a number that fits") {
                length if room >= 10 => length,
                _ if room > 5 => 0,
                _ => u8::try_from((room - 1) * 8).expect("a number that fits"),
            };
            room -= 1 + usize::from(length).div_ceil(8);
            prefixes.push(Ipv4Net::new_assert(address(random()), length).trunc());
        }
        prefixes
    };
    (0..64)
        .map(|_| ipv4_message(&prefixes(&mut random)))
        .collect()
}

/// Returns messages with attributes and fields that the measured messages lack.
#[must_use]
pub fn odd_messages() -> Vec<Bytes> {
    let withdrawal = message_withdrawing(&[24, 10, 0, 1, 32, 10, 0, 2, 1, 0]);
    let mut rich = attributes(true);
    put_attribute(0x80, 4, &words(&[7]), &mut rich);
    put_attribute(0x40, 6, &[], &mut rich);
    put_attribute(0xc0, 7, &words(&[65551, 0xc000_0209]), &mut rich);
    put_attribute(0xc0, 8, &words(&VALUES.communities), &mut rich);
    put_attribute(0x80, 9, &words(&[0xc000_0203]), &mut rich);
    put_attribute(0x80, 10, &words(&[1, 2]), &mut rich);
    put_attribute(0xc0, 16, &words(&[0x0002_fc00, 100]), &mut rich);
    put_attribute(0xc0, 32, &words(&[65551, 1, 2, 65551, 3, 4]), &mut rich);
    put_attribute(0xc0, 35, &words(&[65551]), &mut rich);
    let mut long = attributes(true);
    // 400 octets need the extended length.
    let many: Vec<u32> = (0..100).map(|number| 0xfc00_0000 + number).collect();
    put_attribute(0xc0, 8, &words(&many), &mut long);
    let mut unreach = Vec::new();
    put_attribute(
        0x80,
        15,
        &[0, 2, 1, 32, 0x20, 1, 0xd, 0xb8, 0],
        &mut unreach,
    );
    [
        withdrawal,
        message(&rich, &[8, 10, 23, 10, 0, 2, 0]),
        message(&long, &[24, 10, 0, 1]),
        message(&unreach, &[]),
        ipv4_message(&ipv4_prefixes(1)),
        ipv4_message(&ipv4_prefixes(894)),
        ipv6_message(&ipv6_prefixes(20)),
    ]
    .into()
}

/// Returns ORIGIN, AS_PATH, NEXT_HOP if `next_hop` is set, and LOCAL_PREF.
fn attributes(next_hop: bool) -> Vec<u8> {
    let mut attributes = Vec::new();
    put_attribute(0x40, 1, &[VALUES.origin], &mut attributes);
    let path = [&[2, 4], words(&VALUES.as_path).as_slice()].concat();
    put_attribute(0x40, 2, &path, &mut attributes);
    if next_hop {
        put_attribute(0x40, 3, &VALUES.next_hop_ipv4.octets(), &mut attributes);
    }
    put_attribute(0x40, 5, &words(&[VALUES.local_pref]), &mut attributes);
    attributes
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn put_attribute(flags: u8, code: u8, value: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(value.len()) {
        Ok(length) => out.extend([flags, code, length]),
        Err(_) => {
            out.extend([flags | 0x10, code]);
            out.put_u16(u16::try_from(value.len()).expect("a number that fits"));
        }
    }
    out.extend(value);
}

fn put_prefix(length: u8, octets: &[u8], out: &mut Vec<u8>) {
    out.push(length);
    out.extend(octets.iter().take(usize::from(length).div_ceil(8)));
}

fn message(attributes: &[u8], nlri: &[u8]) -> Bytes {
    put_message(&[], attributes, nlri)
}

fn message_withdrawing(withdrawn: &[u8]) -> Bytes {
    put_message(withdrawn, &[], &[])
}

fn put_message(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Bytes {
    let length = |octets: usize| u16::try_from(octets).expect("a number that fits");
    let mut out = BytesMut::new();
    out.put_bytes(0xff, 16);
    out.put_u16(length(23 + withdrawn.len() + attributes.len() + nlri.len()));
    out.put_u8(2);
    out.put_u16(length(withdrawn.len()));
    out.put_slice(withdrawn);
    out.put_u16(length(attributes.len()));
    out.put_slice(attributes);
    out.put_slice(nlri);
    out.freeze()
}

/// Returns the messages of a recorded stream, or `None` with a message on standard error if its file or `xz` is missing.
///
/// In the file each message follows its length, a little-endian number of four octets.
#[must_use]
pub fn stream(name: &str) -> Option<Vec<Bytes>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    if !file.exists() {
        eprintln!("LEFT OUT: {name}: {} is missing", file.display());
        return None;
    }
    let Ok(output) = Command::new("xz").arg("-dc").arg(&file).output() else {
        eprintln!("LEFT OUT: {name}: xz is not installed");
        return None;
    };
    let mut rest = Bytes::from(output.stdout);
    let mut messages = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("a number that fits");
        let _length = rest.split_to(4);
        messages.push(rest.split_to(length));
    }
    Some(messages)
}
