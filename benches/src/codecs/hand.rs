//! A walk written by hand for exactly this sum. It checks only the bounds of slices, so it is a lower bound and no codec.

use std::net::Ipv6Addr;

use bytes::Bytes;

use super::Decoder;
use crate::sum::Sum;

/// The handwritten walk.
#[derive(Debug)]
pub struct Hand;

impl Decoder for Hand {
    const NAME: &'static str = "hand";

    fn new() -> Self {
        Self
    }

    fn walk(&mut self, message: &Bytes) -> Option<u64> {
        let mut sum = Sum::default();
        let (withdrawn, rest) = behind_u16(message.get(19..)?)?;
        let (mut attributes, nlri) = behind_u16(rest)?;
        add_ipv4(withdrawn, &mut sum);
        while let [flags, code, rest @ ..] = attributes {
            // RFC 4271 section 4.3: the Extended Length bit means a length of two octets.
            let (value, rest) = if flags & 0x10 == 0 {
                let (length, rest) = rest.split_first()?;
                rest.split_at_checked((*length).into())?
            } else {
                behind_u16(rest)?
            };
            attributes = rest;
            sum.add(*code);
            add_value(*code, value, &mut sum)?;
        }
        add_ipv4(nlri, &mut sum);
        Some(sum.get())
    }

    // The walk is compared by its sums alone.
    fn prefixes(&mut self, _: &Bytes) -> Option<Vec<String>> {
        None
    }
}

/// Splits off the value behind a length of two octets.
#[inline(always)]
fn behind_u16(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[inline(always)]
fn add_value(code: u8, value: &[u8], sum: &mut Sum) -> Option<()> {
    match code {
        1 => sum.add(*value.first()?),
        2 => {
            let mut path = value;
            while let [segment_type, count, rest @ ..] = path {
                let (asns, rest) = rest.split_at_checked(usize::from(*count) * 4)?;
                sum.add(*segment_type);
                add_words(asns, sum);
                path = rest;
            }
        }
        // Attributes of four-octet words: NEXT_HOP, MED, LOCAL_PREF, AGGREGATOR, COMMUNITIES and LARGE_COMMUNITY.
        3..=5 | 7 | 8 | 32 => add_words(value, sum),
        14 => {
            let (afi, rest) = value.split_first_chunk()?;
            let [_safi, length, rest @ ..] = rest else {
                return None;
            };
            let (next_hop, rest) = rest.split_at_checked((*length).into())?;
            if *afi == [0, 1] {
                add_words(next_hop, sum);
            } else {
                sum.add_ipv6((*next_hop.first_chunk::<16>()?).into());
            }
            add_family(*afi, rest.get(1..)?, sum);
        }
        15 => {
            let (afi, rest) = value.split_first_chunk()?;
            add_family(*afi, rest.get(1..)?, sum);
        }
        16 => sum.add_count(value.len() / 8),
        _ => {}
    }
    Some(())
}

#[inline(always)]
fn add_words(octets: &[u8], sum: &mut Sum) {
    for word in octets.as_chunks().0 {
        sum.add(u32::from_be_bytes(*word));
    }
}

#[inline(always)]
fn add_family(afi: [u8; 2], prefixes: &[u8], sum: &mut Sum) {
    if afi == [0, 1] {
        add_ipv4(prefixes, sum);
    } else {
        add_ipv6(prefixes, sum);
    }
}

/// Adds IPv4 prefixes. Nearly all have three octets; the branch for them makes the next position predictable.
#[inline(always)]
fn add_ipv4(mut rest: &[u8], sum: &mut Sum) {
    while let Some((bits, octets)) = rest.split_first() {
        sum.add(*bits);
        if let (17..=24, Some(word)) = (*bits, octets.first_chunk::<4>()) {
            sum.add(u32::from_be_bytes(*word) & (u32::MAX << (32 - bits)));
            rest = octets.get(3..).unwrap_or_default();
            continue;
        }
        let length = usize::from(*bits).div_ceil(8).min(octets.len());
        let (prefix, behind) = octets.split_at(length);
        let word = prefix
            .iter()
            .fold(0, |word: u32, octet| word << 8 | u32::from(*octet));
        let word = word
            .checked_shl(u32::try_from(32 - 8 * length.min(4)).unwrap_or(0))
            .unwrap_or(0);
        sum.add(
            word & u32::MAX
                .checked_shl(32_u32.saturating_sub((*bits).into()))
                .unwrap_or(0),
        );
        rest = behind;
    }
}

#[inline(always)]
fn add_ipv6(mut rest: &[u8], sum: &mut Sum) {
    while let Some((bits, octets)) = rest.split_first() {
        let length = usize::from(*bits).div_ceil(8).min(octets.len());
        let word = match octets.first_chunk::<16>() {
            Some(word) => u128::from_be_bytes(*word),
            None => {
                let mut word = [0; 16];
                word.iter_mut()
                    .zip(octets)
                    .for_each(|(to, from)| *to = *from);
                u128::from_be_bytes(word)
            }
        };
        let mask = u128::MAX
            .checked_shl(128_u32.saturating_sub((*bits).into()))
            .unwrap_or(0);
        sum.add(*bits);
        sum.add_ipv6(Ipv6Addr::from(word & mask));
        rest = octets.get(length..).unwrap_or_default();
    }
}
