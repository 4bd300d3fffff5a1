//! Holds the table in the crate's documentation to what is covered.

use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use crate::attribute::{Attribute, RawAttribute};
use crate::context::{Context, PeerKind};
use crate::family::Family;
use crate::iana::{AttributeCode, CapabilityCode, MessageType};
use crate::message::Capability;

fn documented(kind: &str) -> BTreeSet<String> {
    let rows = include_str!("coverage.md").lines();
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, what, covered, by, _] = cells[..] else {
            return None;
        };
        let named = by.starts_with("RFC ") || by.starts_with("draft-");
        (what == kind && named).then(|| covered.to_string())
    })
    .collect()
}

#[test]
fn messages() {
    let all = MessageType::REGISTERED.iter().map(ToString::to_string);
    assert_eq!(documented("message"), all.collect());
}

/// The capabilities that have a type of their own for some value.
#[test]
fn capabilities() {
    let values: Vec<Vec<u8>> = (0..20)
        .map(|length| vec![0; length])
        .chain([
            vec![0, 1, 0, 1],
            vec![0, 0, 0, 1],
            vec![1, b'a', 0],
            vec![1, b'a'],
        ])
        .collect();
    let typed = |code: u8| {
        let known = |value: &Vec<u8>| {
            let length = u8::try_from(value.len()).unwrap();
            let octets = [&[code, length], value.as_slice()].concat();
            let (_, capability) = Capability::split(&octets).unwrap();
            !matches!(capability, Capability::Unknown(..))
        };
        values.iter().any(known)
    };
    let all = (0..=255)
        .filter(|code| typed(*code))
        .map(|code| format!("{code} {}", CapabilityCode(code)));
    assert_eq!(documented("capability"), all.collect());
}

#[test]
fn attributes() {
    let context = Context::new(PeerKind::Internal);
    let typed = |code: u8| {
        let raw = RawAttribute {
            code: AttributeCode(code),
            ..RawAttribute::split(&[0xc0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0], 0)
                .unwrap()
                .1
        };
        !matches!(Attribute::decode(raw, &context), Attribute::Unknown(_))
    };
    let all = (0..=255)
        .filter(|code| typed(*code))
        .map(|code| format!("{code} {}", AttributeCode(code)));
    assert_eq!(documented("attribute"), all.collect());
}

#[test]
fn routes() {
    let all = Family::PARSED.iter().map(ToString::to_string);
    assert_eq!(documented("routes"), all.collect());
}
