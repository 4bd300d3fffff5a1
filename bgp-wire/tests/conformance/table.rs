//! The parser of the table of conformance cases.

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
    /// After the speaker's OPEN, and before one of the peer.
    OpenSent,
    /// After a valid OPEN of the peer.
    OpenConfirm,
    /// In an Established session.
    Established,
}

/// An action of the peer.
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    Close,
    Reconnect,
}

/// The strict answer to a case.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// A NOTIFICATION with this code and subcode, and with this Data if the rule determines it.
    Notification(u8, u8, Option<Vec<u8>>),
    Close,
    Withdraw,
    Keep,
    Up,
}

impl Case {
    /// Returns the kind of peer.
    pub(crate) fn kind(&self) -> PeerKind {
        if self.internal {
            PeerKind::Internal
        } else {
            PeerKind::External
        }
    }
}

impl Expected {
    /// Returns `true` if `outcome` satisfies the expectation.
    pub(crate) fn is_met_by(&self, outcome: &Self) -> bool {
        match (self, outcome) {
            (Self::Notification(code, subcode, None), Self::Notification(seen, sub, _)) => {
                (code, subcode) == (seen, sub)
            }
            // Without a prefix in the case, only the survival of the session can be observed.
            (Self::Keep, Self::Up) | (Self::Up, Self::Keep | Self::Withdraw) => true,
            _ => self == outcome,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hex, because the Data is written in hex in the table.
        write!(f, "{self:x?}")
    }
}

/// Returns all cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("cases.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (word, rest) = line.split_once(' ').unwrap();
        // Any other first word is the id of the next case.
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
    // A misread line would merge cases or lose them.
    assert!(cases.len() >= 184, "{} cases", cases.len());
    cases
}

/// Parses the first line of a case, after its id.
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
        // Replaced by the line `expect`, which every case has.
        expected: Expected::Up,
    }
}

/// Parses an expectation.
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

/// Parses hex, in which `ff*16` is a repetition.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    // Spaces only group the digits.
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
