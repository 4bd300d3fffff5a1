//! [`Update::check`] without its fast paths, the reference for tests and fuzzing.

use std::format;
use std::string::String;

use super::index::{Index, Seen};
use super::marks::Marks;
use super::{Checked, StrongestFault};
use crate::attribute::Treatment;
use crate::error::{DecodeError, Span};
use crate::family::Family;
use crate::message::Update;
use crate::nlri::{NlriFormat, Routes};
use crate::reason::Reason;

/// Asserts that the fast paths do not change the result.
pub(crate) fn assert_shortcuts_are_right(update: &Update<'_>) {
    let (quick, thorough) = (update.check(), check(update));
    assert_eq!(outcome(&quick), outcome(&thorough), "{update:?}");
}

/// Returns the visible result of a check: the index, the fault and the unusable routes, or the error.
fn outcome(result: &Result<Checked<'_>, DecodeError>) -> String {
    match result {
        Ok(checked) => {
            let Checked {
                index, unusable, ..
            } = checked;
            let (bogus, withdrawn) = (checked.has_bogus(), checked.treats_as_withdraw());
            let path_ids = checked.unexpected_path_ids();
            format!(
                "{index:?} {:?} {bogus} {withdrawn} {unusable} {path_ids:?}",
                checked.fault()
            )
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Checks every attribute by the table of rules.
fn check<'a>(update: &Update<'a>) -> Result<Checked<'a>, DecodeError> {
    let withdrawn = (update.withdrawn_octets(), update.withdrawn_start());
    let announced = (update.nlri_octets(), update.nlri_start());
    for (field, start) in [withdrawn, announced] {
        // The generic check of all families: the fast one for prefixes has shortcuts of its own.
        let format = NlriFormat::new(Family::IPV4_UNICAST, update.context(), false);
        let network_field = |span: Span| DecodeError {
            reason: Reason::INVALID_NETWORK_FIELD,
            span,
        };
        Routes::check(field, format, start).map_err(network_field)?;
    }
    let mut checked = Checked {
        update: *update,
        index: Index::EMPTY,
        strongest: StrongestFault::NONE,
        // The search for path identifiers, which suspects permit, always runs.
        marks: Marks::SUSPECT,
        unusable: 0,
    };
    let mut seen = Seen::default();
    for item in update.raw_attributes() {
        match item {
            Ok(raw) => checked.check_by_rules(raw.start, seen.insert(raw.code)),
            Err(error) => checked.record_fault(Treatment::Withdraw, error),
        }
    }
    // `Update::check` skips the second call if nothing is unusual; here it always runs.
    if checked.announces_routes() {
        checked.check_mandatory();
        checked.check_usable();
    }
    // The generic iterators again, which have no table of suspects.
    let bogus = checked.reachable_routes().any(|route| route.is_bogus());
    let withdrawn =
        checked.unusable != 0 || checked.strongest.treatment() == Some(Treatment::Withdraw);
    checked.marks = Marks::SUSPECT;
    for (mark, is_set) in [(Marks::BOGUS, bogus), (Marks::WITHDRAWN, withdrawn)] {
        if is_set {
            checked.marks.set(mark);
        }
    }
    match checked.fault() {
        None => Ok(checked),
        Some(fault) => checked.apply_fault(fault).map(|()| checked),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    use crate::fuzz::context;
    use crate::message::Message;

    const MARKER: [u8; 16] = [0xff; 16];

    // Every value of the 256 would take minutes. These are lengths, flags, codes and first octets of addresses, with
    // their neighbors.
    const VALUES: [u8; 22] = [
        0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 24, 25, 32, 33, 0x40, 0x50, 127, 0x80, 0xc0, 224, 255,
    ];

    fn message(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
        let octets = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let mut message = MARKER.to_vec();
        message.extend(octets(23 + attributes.len() + nlri.len()));
        message.extend([2, 0, 0]);
        message.extend(octets(attributes.len()));
        message.extend(attributes);
        message.extend(nlri);
        message
    }

    fn change_each_octet(message: &[u8]) {
        for position in 19..message.len() {
            let old = message[position];
            for value in VALUES
                .into_iter()
                .chain([old.wrapping_add(1), old ^ 0x10, old ^ 0x40])
            {
                let mut changed = message.to_vec();
                changed[position] = value;
                for context in [0, 1, 2, 4, 8].map(context) {
                    if let Ok(Message::Update(update)) = Message::decode(&changed, &context) {
                        assert_shortcuts_are_right(&update);
                    }
                }
            }
        }
    }

    #[test]
    fn one_changed_octet_gives_same_result_as_thorough_check() {
        // Each message takes a fast path, so that one changed octet crosses its border.
        let head = [
            &[0x40, 1, 1, 0][..],
            &[0x50, 2, 0, 10, 2, 2, 0, 0, 0xfc, 0, 0, 1, 0, 0],
            &[0x40, 3, 4, 192, 0, 2, 1],
        ]
        .concat();
        let others = [
            &[0x80, 4, 4, 0, 0, 0, 7, 0x40, 5, 4, 0, 0, 0, 100, 0x40, 6, 0][..],
            &[
                0xc0, 7, 8, 0, 0, 0xfc, 0, 192, 0, 2, 9, 0xc0, 8, 4, 0, 1, 0, 2,
            ],
            &[
                0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xc0, 99, 1, 5,
            ],
        ]
        .concat();
        let nlri = [24, 10, 0, 1, 32, 10, 0, 2, 1, 8, 10, 17, 10, 3, 0, 0];
        let more = [
            &[0x80, 9, 4, 1, 2, 3, 4, 0x80, 10, 4, 1, 2, 3, 4][..],
            &[
                0xc0, 16, 8, 0, 2, 0xfc, 0, 0, 0, 0, 1, 0xc0, 17, 6, 2, 1, 0, 1, 0, 0,
            ],
            &[
                0xc0, 18, 8, 0, 1, 0, 0, 192, 0, 2, 9, 0xc0, 22, 5, 0, 0, 0, 0, 0,
            ],
            &[0xc0, 23, 4, 0, 1, 0, 0, 0xc0, 25, 20, 0, 2],
            &[0; 18],
            &[
                0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7, 0xc0, 35, 4, 0, 0, 0, 1,
            ],
            &[
                0xc0, 40, 10, 1, 0, 7, 0, 0, 0, 0, 0, 0, 9, 0xc0, 128, 4, 0, 0, 0, 1,
            ],
        ]
        .concat();
        // Nine AS numbers: one more than the fast path of the head accepts.
        let long = [&[0x40, 2, 38, 2, 9][..], &[0, 0, 0, 1].repeat(9)].concat();
        let messages = [
            message(&[&head[..], &others].concat(), &nlri),
            message(&[&head[..], &more].concat(), &nlri),
            message(&[&head[..4], &long, &head[18..]].concat(), &nlri),
            message(&[&others[..], &head, &head].concat(), &[]),
            message(&[&head[..18], &[0x80, 14, 5, 0, 2, 1, 0, 0]].concat(), &[]),
        ];
        messages
            .iter()
            .for_each(|message| change_each_octet(message));
    }
}
