//! `dissect`: a message as a list of its parts, each with its octets, for people who look for what is wrong in one.
//!
//! It allocates and is made for the eye; programs use [`Frame::decode`](crate::Frame::decode).

mod values;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use crate::attribute::rules::{Treatment, verdict};
use crate::context::{Context, MessageLimit};
use crate::error::{DecodeError, Span};
use crate::family::Family;
use crate::frame::Frame;
use crate::iana::{AttributeCode, MessageType, ParameterType};
use crate::message::{Message, Notification, Parameters, RouteRefresh, Update, fixed_part};
use crate::nlri::{NlriFormat, Routes};
use values::{attribute_value, capability_value, flag_names, hex, text};

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Field {
    /// Its octets.
    pub octets: Span,
    /// How many parts it is inside of.
    pub depth: u8,
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// What a message consists of and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dissection {
    /// The parts, in the order of the message; up to the fault, where one ends the session.
    pub fields: Vec<Field>,
    /// The strongest fault and what it costs (RFC 7606).
    pub fault: Option<(Treatment, DecodeError)>,
}

/// Takes a whole message apart.
///
/// ```
/// use bgp_wire::{Context, KEEPALIVE, MessageLimit, PeerKind, dissect};
/// let dissection = dissect(&KEEPALIVE, &Context::new(PeerKind::External));
/// assert_eq!(dissection.fields[2].value, "KEEPALIVE");
/// assert_eq!(dissection.fault, None);
/// ```
#[must_use]
pub fn dissect(message: &[u8], context: &Context) -> Dissection {
    let context = &context.with_message_limit(MessageLimit::Extended);
    let mut dissector = Dissector {
        message,
        context,
        fields: Vec::new(),
    };
    dissector.header();
    let fault = match dissector.body() {
        Ok(fault) => fault,
        Err(error) => Some((Treatment::Reset, error)),
    };
    Dissection {
        fields: dissector.fields,
        fault,
    }
}

struct Dissector<'a> {
    message: &'a [u8],
    context: &'a Context,
    fields: Vec<Field>,
}

impl<'a> Dissector<'a> {
    fn put(&mut self, octets: Span, depth: u8, name: &dyn fmt::Display, value: &dyn fmt::Display) {
        self.fields.push(Field {
            octets,
            depth,
            name: name.to_string(),
            value: value.to_string(),
        });
    }

    /// Where a part of the message stands in it.
    fn span(&self, part: &[u8]) -> Span {
        let start = part
            .as_ptr()
            .addr()
            .wrapping_sub(self.message.as_ptr().addr());
        // An empty part may be anywhere.
        let start = start.min(self.message.len());
        let end = start + part.len();
        debug_assert!(end <= self.message.len(), "parts are slices of the message");
        Span::new(start, end)
    }

    fn header(&mut self) {
        let part = |from: usize, to| self.message.get(from..to);
        let (marker, length, kind) = (part(0, 16), part(16, 18), part(18, 19));
        if let Some(marker) = marker {
            let value = if marker.iter().all(|octet| *octet == 0xff) {
                "all ones".into()
            } else {
                hex(marker)
            };
            self.put(Span::new(0, 16), 0, &"marker", &value);
        }
        if let Some(&[high, low]) = length {
            self.put(
                Span::new(16, 18),
                0,
                &"length",
                &u16::from_be_bytes([high, low]),
            );
        }
        if let Some(&[kind]) = kind {
            self.put(Span::new(18, 19), 0, &"type", &MessageType(kind));
        }
    }

    fn body(&mut self) -> Result<Option<(Treatment, DecodeError)>, DecodeError> {
        if self.message.get(18) == Some(&MessageType::OPEN.0) {
            self.open();
        }
        match Message::decode(self.message, self.context)? {
            Message::Update(update) => return self.update(&update),
            Message::Notification(notification) => {
                self.notification(&notification, Frame::HEADER_LENGTH);
            }
            Message::RouteRefresh(refresh) => self.refresh(refresh),
            Message::Open(_) | Message::Keepalive => {}
        }
        Ok(None)
    }

    /// What of an OPEN can be read, legal or not.
    fn open(&mut self) {
        let body = self.message.get(19..).unwrap_or_default();
        let Ok((field, (version, my_as, hold_time, identifier))) = fixed_part(body) else {
            return;
        };
        let identifier = Ipv4Addr::from(identifier);
        self.put(Span::new(19, 20), 0, &"version", &version);
        self.put(Span::new(20, 22), 0, &"my AS", &my_as);
        self.put(
            Span::new(22, 24),
            0,
            &"hold time",
            &format!("{hold_time} s"),
        );
        self.put(Span::new(24, 28), 0, &"BGP identifier", &identifier);
        let Some(mut parameters) = Parameters::frame(field) else {
            self.put(self.span(field), 0, &"not parameters", &hex(field));
            return;
        };
        let start = self.message.len() - parameters.octets().len();
        let form = if parameters.is_extended() {
            "extended (RFC 9072), "
        } else {
            ""
        };
        let length = format!("{form}{}", parameters.octets().len());
        self.put(Span::new(28, start), 0, &"parameters length", &length);
        while let Ok((rest, (kind, value))) = parameters.split() {
            let whole = parameters.octets().len() - rest.octets().len();
            let start = self.message.len() - parameters.octets().len();
            let span = Span::new(start, start + whole);
            if kind == ParameterType::CAPABILITIES {
                self.put(span, 0, &"capabilities", &"");
                self.capabilities(value);
            } else {
                self.put(span, 0, &format!("parameter {kind}"), &hex(value));
            }
            parameters = rest;
        }
        self.put_rest(parameters.octets(), 0, "not a parameter");
    }

    /// What is left where no more parts can be told apart.
    fn put_rest(&mut self, rest: &'a [u8], depth: u8, what: &str) {
        if !rest.is_empty() {
            self.put(self.span(rest), depth, &what, &hex(rest));
        }
    }

    fn capabilities(&mut self, mut rest: &'a [u8]) {
        while let Some((after, capability)) = crate::message::Capability::split(rest) {
            let start = self.span(rest).start;
            let end = usize::from(start) + rest.len() - after.len();
            let name = capability.code();
            self.put(
                Span::new(start.into(), end),
                1,
                &name,
                &capability_value(&capability),
            );
            rest = after;
        }
        self.put_rest(rest, 1, "not a capability");
    }

    fn update(
        &mut self,
        update: &Update<'a>,
    ) -> Result<Option<(Treatment, DecodeError)>, DecodeError> {
        let withdrawn = update.withdrawn_octets();
        self.put(
            Span::new(19, 21),
            0,
            &"withdrawn routes length",
            &withdrawn.len(),
        );
        self.routes(
            withdrawn,
            NlriFormat::new(Family::IPV4_UNICAST, self.context, true),
            0,
        );
        let attributes = self.message.len() - update.nlri_octets().len();
        let start = 21 + withdrawn.len();
        self.put(
            Span::new(start, start + 2),
            0,
            &"path attributes length",
            &(attributes - start - 2),
        );
        for raw in update.raw_attributes().map_while(Result::ok) {
            let name = raw.code;
            let found = verdict(&raw, self.context);
            let mut value = match found {
                None => attribute_value(raw, self.context),
                Some(_) => hex(raw.value),
            };
            value += &format!("  ({})", flag_names(raw.flags));
            if let Some((treatment, reason)) = found {
                value += &format!("  {treatment}: {reason}");
            }
            self.put(raw.span(), 1, &name, &value);
            self.multiprotocol(raw.code, raw.value);
        }
        let nlri = update.nlri_octets();
        if !nlri.is_empty() {
            self.put(self.span(nlri), 0, &"NLRI", &"");
            self.routes(
                nlri,
                NlriFormat::new(Family::IPV4_UNICAST, self.context, false),
                1,
            );
        }
        let checked = update.check()?;
        Ok(checked.fault().map(|fault| (fault.treatment, fault.error)))
    }

    /// The routes inside of an attribute.
    fn multiprotocol(&mut self, code: AttributeCode, value: &'a [u8]) {
        let withdrawn = code == AttributeCode::MP_UNREACH_NLRI;
        if let Some((family, nlri)) = crate::attribute::nlri_field(code, value) {
            self.routes(nlri, NlriFormat::new(family, self.context, withdrawn), 2);
        }
    }

    fn routes(&mut self, field: &'a [u8], format: NlriFormat, depth: u8) {
        let start = usize::from(self.span(field).start);
        let mut routes = Routes::from_checked(field, format);
        let mut left = field.len();
        while let Some(route) = routes.next() {
            let at = start + field.len() - left;
            left = routes.octets_left();
            let name = if format.withdrawn {
                "withdrawn"
            } else {
                "announced"
            };
            self.put(
                Span::new(at, start + field.len() - left),
                depth,
                &name,
                &route,
            );
        }
        let rest = field.get(field.len() - left..).unwrap_or_default();
        self.put_rest(rest, depth, "not a route");
    }

    /// `start` is where its code stands: behind that of a Hard Reset, if it is inside of one.
    fn notification(&mut self, notification: &Notification<'a>, start: usize) {
        let reason = notification.reason();
        let name = if start == Frame::HEADER_LENGTH {
            "reason"
        } else {
            "in place of"
        };
        self.put(Span::new(start, start + 2), 0, &name, &reason);
        if let Some(inside) = notification.hard_reset() {
            return self.notification(&inside, start + 2);
        }
        let data = notification.data();
        if data.is_empty() {
            return;
        }
        let span = Span::new(start + 2, self.message.len());
        if let Some(said) = notification.shutdown_communication() {
            self.put(span, 0, &"shutdown communication", &text(said));
        } else if let Some((family, limit)) = notification.maximum_prefixes() {
            let limit = format!("{limit} prefixes of {family}");
            self.put(span, 0, &"limit", &limit);
        } else if reason.carries_text() {
            self.put(span, 0, &"not a communication", &hex(data));
        } else {
            self.put(span, 0, &"data", &hex(data));
        }
    }

    fn refresh(&mut self, refresh: RouteRefresh) {
        self.put(Span::new(19, 21), 0, &"AFI", &refresh.family.afi);
        self.put(Span::new(21, 22), 0, &"subtype", &refresh.subtype);
        self.put(Span::new(22, 23), 0, &"SAFI", &refresh.family.safi);
    }
}

impl Dissection {
    /// The octets at fault with some around them in hex, and carets below; `None` where nothing is wrong.
    #[must_use]
    pub fn excerpt(&self, message: &[u8]) -> Option<String> {
        let (_, DecodeError { span, .. }) = self.fault.as_ref()?;
        let (start, end) = (usize::from(span.start), usize::from(span.end));
        let end = end.min(start + MAX_EXCERPT).min(message.len());
        let from = start.saturating_sub(EXCERPT_MARGIN).min(message.len());
        let to = (end + EXCERPT_MARGIN).min(message.len());
        let octets = message.get(from..to)?.iter().enumerate();
        let (mut digits, mut carets) = (String::new(), String::new());
        for (position, octet) in octets {
            let at_fault = (start..end).contains(&(from + position));
            digits += &format!(" {octet:02x}");
            carets.push_str(if at_fault { " ^^" } else { "   " });
        }
        Some(format!("{digits}\n{}\n", carets.trim_end()))
    }
}

/// How many octets at fault are shown at most, and how many in front and behind.
const MAX_EXCERPT: usize = 24;
const EXCERPT_MARGIN: usize = 6;

impl fmt::Display for Dissection {
    /// One line a part, with its octets in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Field {
            octets,
            depth,
            name,
            value,
        } in &self.fields
        {
            let indent = usize::from(*depth) * 2;
            let gap = if value.is_empty() { "" } else { "  " };
            writeln!(
                f,
                "{:>5}..{:<5} {:indent$}{name}{gap}{value}",
                octets.start, octets.end, ""
            )?;
        }
        match &self.fault {
            Some((treatment, error)) => writeln!(f, "wrong: {error}: {treatment}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;
    use crate::PeerKind;

    fn octets(text: &str) -> Vec<u8> {
        let text = text.replace(' ', "").replace("ff*16", &"ff".repeat(16));
        let mut octets = std::vec![0; text.len() / 2];
        crate::text::hex(&text, &mut octets).unwrap();
        octets
    }

    fn dissected(text: &str) -> String {
        dissect(&octets(text), &Context::new(PeerKind::Internal)).to_string()
    }

    #[test]
    fn a_good_update() {
        let update =
            "ff*16 0031 02 0000 0015 40010102 400200 400304c0a8006f 40050400000000 20c0a80a01";
        let expected = "    0..16    marker  all ones
   16..18    length  49
   18..19    type  UPDATE
   19..21    withdrawn routes length  0
   21..23    path attributes length  21
   23..27      ORIGIN  incomplete  (well-known, transitive)
   27..30      AS_PATH  empty  (well-known, transitive)
   30..37      NEXT_HOP  192.168.0.111  (well-known, transitive)
   37..44      LOCAL_PREF  0  (well-known, transitive)
   44..49    NLRI
   44..49      announced  192.168.10.1/32
";
        assert_eq!(dissected(update), expected);
    }

    #[test]
    fn a_bad_update_says_where() {
        let update =
            "ff*16 0031 02 0000 0015 40010107 400200 400304c0a8006f 40050400000000 20c0a80a01";
        let text = dissected(update);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "wrong: UPDATE Message Error/Invalid ORIGIN Attribute (3/6) at octets 23..27: treat-as-withdraw"
        );
        let message = octets(update);
        let excerpt = dissect(&message, &Context::new(PeerKind::Internal)).excerpt(&message);
        let expected =
            " 31 02 00 00 00 15 40 01 01 07 40 02 00 40 03 04\n                   ^^ ^^ ^^ ^^\n";
        assert_eq!(excerpt.as_deref(), Some(expected));
        let cut = dissected("ff*16 0031 02 0000 00ff");
        assert!(cut.ends_with("wrong: Message Header Error/Bad Message Length (1/2) at octets 16..18: session reset\n"), "{cut}");
        let garbage = dissected(&"47".repeat(20));
        assert!(garbage.contains("Connection Not Synchronized"), "{garbage}");
    }

    #[test]
    fn opens_and_their_capabilities() {
        let text =
            dissected("ff*16 002b 01 04 fc00 005a c0a8006f 0e 020c 010400010001 41040000fc00");
        assert!(
            text.contains("   31..37      Multiprotocol  ipv4 unicast\n"),
            "{text}"
        );
        assert!(
            text.contains("   37..43      4-octet AS  64512\n"),
            "{text}"
        );
    }

    /// What is wrong in an OPEN is shown among what can be read of it.
    #[test]
    fn bad_opens() {
        for (open, lines) in [
            (
                "ff*16 001d 01 03 0000 0001 00000000 00",
                &[
                    "   19..20    version  3",
                    "   20..22    my AS  0",
                    "   22..24    hold time  1 s",
                ][..],
            ),
            (
                "ff*16 0023 01 04 fc00 005a c0a8006f 06 0204 0104 0001",
                &[
                    "   31..35      not a capability  0x01040001",
                    "wrong: OPEN Message Error/Unspecific (2/0) at octets 31..35: session reset",
                ],
            ),
            (
                "ff*16 0020 01 04 fc00 005a c0a8006f 03 fe01aa",
                &["   29..32    parameter 254  0xaa"],
            ),
            (
                "ff*16 001e 01 04 fc00 005a c0a8006f 02 ff",
                &["   28..30    not parameters  0x02ff"],
            ),
        ] {
            let text = dissected(open);
            for line in lines {
                assert!(text.contains(line), "{line} in\n{text}");
            }
            assert!(text.contains("wrong: "), "{text}");
        }
    }

    #[test]
    fn notifications() {
        for (message, lines) in [
            (
                "ff*16 001b 03 0609 0602 03627965",
                &[
                    "   19..21    reason  Cease/Hard Reset (6/9)",
                    "   21..23    in place of  Cease/Administrative Shutdown (6/2)",
                    "   23..27    shutdown communication  \"bye\"",
                ][..],
            ),
            (
                "ff*16 0017 03 0602 0962",
                &["   21..23    not a communication  0x0962"],
            ),
            (
                "ff*16 001c 03 0601 00010100000064",
                &["   21..28    limit  100 prefixes of ipv4 unicast"],
            ),
            ("ff*16 0016 03 0501 02", &["   21..22    data  0x02"]),
        ] {
            let text = dissected(message);
            for line in lines {
                assert!(text.contains(line), "{line} in\n{text}");
            }
        }
    }

    #[test]
    fn routes_inside_attributes() {
        let text = dissected(
            "ff*16 0044 02 0000 002d 900e001c 000201 1020010db8000000000000000000000001 00 3020010db80010 40010100 \\
             4002060201 0000fc01"
                .replace("\\\n", "")
                .as_str(),
        );
        assert!(
            text.contains("   48..55        announced  2001:db8:10::/48\n"),
            "{text}"
        );
    }

    #[test]
    fn terminals_are_safe() {
        let text = dissected("ff*16 001a 03 0602 04 611b5b32");
        assert!(
            text.contains(r#"shutdown communication  "a\u{1b}[2""#),
            "{text}"
        );
    }
}
