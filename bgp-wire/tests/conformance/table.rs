//! Reads the table of conformance cases.

use std::fmt;
use std::time::Duration;

use bgp_wire::PeerKind;

/// A case of `cases.txt`.
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) phase: Phase,
    pub(crate) internal: bool,
    pub(crate) open: Vec<u8>,
    pub(crate) first: Vec<u8>,
    pub(crate) steps: Vec<Step>,
    pub(crate) sentinel: Vec<u8>,
    pub(crate) expected: Expected,
}

/// When a case is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Right behind the speaker's OPEN.
    OpenSent,
    /// Behind a valid OPEN.
    OpenConfirm,
    /// In an Established session.
    Established,
}

pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    Close,
    Reconnect,
}

/// The strict answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// Code, subcode and, where the rule says it, Data.
    Notification(u8, u8, Option<Vec<u8>>),
    Close,
    Withdraw,
    Keep,
    Up,
}

impl Case {
    pub(crate) fn kind(&self) -> PeerKind {
        if self.internal {
            PeerKind::Internal
        } else {
            PeerKind::External
        }
    }
}

impl Expected {
    pub(crate) fn is_met_by(&self, outcome: &Self) -> bool {
        match (self, outcome) {
            (Self::Notification(code, subcode, None), Self::Notification(seen, sub, _)) => {
                (code, subcode) == (seen, sub)
            }
            // Where no prefix tells, that the session stays is all there is to see.
            (Self::Keep, Self::Up) | (Self::Up, Self::Keep | Self::Withdraw) => true,
            _ => self == outcome,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:x?}")
    }
}

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("cases.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (word, rest) = line.split_once(' ').unwrap();
        let case = cases.last_mut();
        match (word, case) {
            ("open", Some(case)) => case.open = octets(rest),
            ("first", Some(case)) => case.first = octets(rest),
            ("sentinel", Some(case)) => case.sentinel = octets(rest),
            ("send", Some(case)) => case.steps.push(Step::Send(octets(rest))),
            ("wait", Some(case)) => case
                .steps
                .push(Step::Wait(Duration::from_secs_f64(rest.parse().unwrap()))),
            ("do", Some(case)) => case.steps.push(if rest == "FIN" {
                Step::Close
            } else {
                Step::Reconnect
            }),
            ("expect", Some(case)) => case.expected = expected(rest),
            _ => cases.push(head(word, rest)),
        }
    }
    assert!(cases.len() >= 184, "the table is whole");
    cases
}

fn head(id: &'static str, rest: &'static str) -> Case {
    let parts: Vec<_> = rest.split(" | ").collect();
    let (phase, kind) = parts[0].split_once(' ').unwrap();
    Case {
        id,
        title: parts[2],
        phase: match phase {
            "openconfirm" => Phase::OpenConfirm,
            "established" => Phase::Established,
            _ => Phase::OpenSent,
        },
        internal: kind == "ibgp",
        open: Vec::new(),
        first: Vec::new(),
        steps: Vec::new(),
        sentinel: Vec::new(),
        expected: Expected::Up,
    }
}

fn expected(text: &str) -> Expected {
    let words: Vec<_> = text.split(' ').collect();
    match words[..] {
        ["notification", code, subcode] => {
            Expected::Notification(code.parse().unwrap(), subcode.parse().unwrap(), None)
        }
        ["notification", code, subcode, data] => Expected::Notification(
            code.parse().unwrap(),
            subcode.parse().unwrap(),
            Some(octets(data)),
        ),
        ["close"] => Expected::Close,
        ["withdraw"] => Expected::Withdraw,
        ["keep"] => Expected::Keep,
        ["up"] => Expected::Up,
        _ => panic!("{text}"),
    }
}

/// Hex, of which `ff*16` repeats.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        let unit = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        octets.extend(unit.collect::<Vec<_>>().repeat(times.parse().unwrap()));
    }
    octets
}
