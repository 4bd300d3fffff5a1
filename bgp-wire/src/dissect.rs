//! `dissect`: a message as a list of its parts and their octets, for people who search for a fault in it.
//!
//! It allocates, and its names and values are for display. Programs use [`Frame::decode`](crate::Frame::decode).

mod values;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use crate::attribute::rules::{Treatment, verdict};
use crate::check::Unusable;
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
    /// The octets of the part, counted from the first octet of the marker.
    pub octets: Span,
    /// The depth of nesting: 0 for a part of the message itself, 1 for a part inside another, and so on.
    pub depth: u8,
    /// The name of the part.
    pub name: String,
    /// The value of the part as text, empty if its parts follow.
    pub value: String,
}

/// The parts of a message, and its fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dissection {
    /// The parts, in the order of the message. They end at a fault that resets the session.
    pub fields: Vec<Field>,
    /// The most severe fault and its treatment (RFC 7606 section 2), or `None` if the message is legal.
    pub fault: Option<(Treatment, DecodeError)>,
    /// The reason for which a speaker ignores announced routes although they are well-formed (see
    /// [`Checked::unusable`](crate::Checked::unusable)).
    pub unusable: Option<Unusable>,
    /// A family whose routes begin with three default routes: probably path identifiers that `context` does not permit (see
    /// [`Checked::unexpected_path_ids`](crate::Checked::unexpected_path_ids)).
    pub unexpected_path_ids: Option<Family>,
}

/// Dissects a message, which may be malformed.
///
/// `context` holds the negotiated parameters, except for the message limit: messages of any length are accepted.
///
/// ```
/// use bgp_wire::{Context, KEEPALIVE, MessageLimit, PeerKind, dissect};
/// let dissection = dissect(&KEEPALIVE, &Context::new(PeerKind::External));
/// assert_eq!(dissection.fields[2].value, "KEEPALIVE");
/// assert_eq!(dissection.fault, None);
/// ```
#[must_use]
pub fn dissect(message: &[u8], context: &Context) -> Dissection {
    // A message that was too long for the session is still shown in full.
    let context = &context.with_message_limit(MessageLimit::Extended);
    let mut dissector = Dissector {
        message,
        context,
        fields: Vec::new(),
        unusable: None,
        unexpected_path_ids: None,
    };
    dissector.header();
    let fault = match dissector.body() {
        Ok(fault) => fault,
        Err(error) => Some((Treatment::Reset, error)),
    };
    Dissection {
        fields: dissector.fields,
        fault,
        unusable: dissector.unusable,
        unexpected_path_ids: dissector.unexpected_path_ids,
    }
}

/// The state of a dissection.
struct Dissector<'a> {
    message: &'a [u8],
    context: &'a Context,
    fields: Vec<Field>,
    unusable: Option<Unusable>,
    unexpected_path_ids: Option<Family>,
}

impl<'a> Dissector<'a> {
    /// Appends a part.
    fn put(&mut self, octets: Span, depth: u8, name: &dyn fmt::Display, value: &dyn fmt::Display) {
        self.fields.push(Field {
            octets,
            depth,
            name: name.to_string(),
            value: value.to_string(),
        });
    }

    /// Returns the position of a part in the message.
    fn span(&self, part: &[u8]) -> Span {
        // Views borrow from the message, so the address of a part is its position. This keeps positions out of the views.
        let start = part
            .as_ptr()
            .addr()
            .wrapping_sub(self.message.as_ptr().addr())
            // An empty part may be a literal of this crate, with an address outside of the message.
            .min(self.message.len());
        let end = start + part.len();
        debug_assert!(end <= self.message.len(), "parts are slices of the message");
        Span::new(start, end)
    }

    /// Appends the fields of the header, as far as the message has them.
    fn header(&mut self) {
        // Read without `Frame`, which would refuse a header that is to be shown.
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

    /// Appends the fields after the header. Returns the most severe fault, or an error that resets the session.
    fn body(&mut self) -> Result<Option<(Treatment, DecodeError)>, DecodeError> {
        // Before decoding, which refuses an OPEN as a whole, so that its fields are shown also if one is illegal.
        if self.message.get(18) == Some(&MessageType::OPEN.0) {
            self.open();
        }
        match Message::decode(self.message, self.context)? {
            Message::Update(update) => return self.update(&update),
            Message::Notification(notification) => self.notification(notification),
            Message::RouteRefresh(refresh) => self.refresh(refresh),
            Message::Open(_) | Message::Keepalive => {}
        }
        Ok(None)
    }

    /// Appends the fields of an OPEN, legal or not.
    fn open(&mut self) {
        let body = self.message.get(19..).unwrap_or_default();
        // Without the fixed part, decoding reports the length.
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
            self.put(self.span(field), 0, &"malformed parameters", &hex(field));
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
        // A parameter is shown with the octets of its header, so its start is counted from the end of the message.
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
        self.put_rest(parameters.octets(), 0, "malformed parameter");
    }

    /// Appends the octets that are left when no further part can be parsed.
    fn put_rest(&mut self, rest: &'a [u8], depth: u8, name: &str) {
        if !rest.is_empty() {
            self.put(self.span(rest), depth, &name, &hex(rest));
        }
    }

    /// Appends the capabilities of one parameter.
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
        self.put_rest(rest, 1, "malformed capability");
    }

    /// Appends the fields of an UPDATE. Returns its fault, or an error that resets the session.
    fn update(
        &mut self,
        update: &Update<'a>,
    ) -> Result<Option<(Treatment, DecodeError)>, DecodeError> {
        let withdrawn = update.withdrawn_octets();
        // Decoding has checked both lengths, so the sections fill the message.
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
        let checked = update.check();
        self.attributes(update, checked.as_ref().err());
        let nlri = update.nlri_octets();
        if !nlri.is_empty() {
            self.put(self.span(nlri), 0, &"NLRI", &"");
            self.routes(
                nlri,
                NlriFormat::new(Family::IPV4_UNICAST, self.context, false),
                1,
            );
        }
        // After the parts, so that they are shown whatever the outcome.
        let checked = checked?;
        self.unusable = checked.unusable();
        self.unexpected_path_ids = checked.unexpected_path_ids();
        if let Some(family) = checked.end_of_rib() {
            let whole = Span::new(Frame::HEADER_LENGTH, self.message.len());
            self.put(whole, 0, &"End-of-RIB", &family);
        }
        Ok(checked.fault().map(|fault| (fault.treatment, fault.error)))
    }

    /// Appends the path attributes of an UPDATE and the routes in them. `reset` is the error that resets the session.
    fn attributes(&mut self, update: &Update<'a>, reset: Option<&DecodeError>) {
        let mut seen = BTreeSet::new();
        // The walk stops at an attribute that exceeds its section, which is the fault of the message.
        for raw in update.raw_attributes().map_while(Result::ok) {
            // Views do not check, so the value of a malformed attribute is shown as octets.
            let mut value = match verdict(&raw, self.context) {
                None => attribute_value(raw, self.context),
                Some(_) => hex(raw.value),
            };
            value += &format!("  ({})", flag_names(raw.flags));
            if let Err((treatment, reason)) = update.check_attribute(&raw, seen.insert(raw.code)) {
                // RFC 7606 section 5.2: in a message without routes, the same fault resets the session.
                let resets = reset.is_some_and(|error| error.span == raw.span());
                let treatment = if resets { Treatment::Reset } else { treatment };
                value += &format!("  {treatment}: {reason}");
            }
            self.put(raw.span(), 1, &raw.code, &value);
            self.multiprotocol(raw.code, raw.value);
        }
    }

    /// Appends the routes inside MP_REACH_NLRI or MP_UNREACH_NLRI.
    fn multiprotocol(&mut self, code: AttributeCode, value: &'a [u8]) {
        let withdrawn = code == AttributeCode::MP_UNREACH_NLRI;
        if let Some((family, nlri)) = crate::attribute::nlri_field(code, value) {
            self.routes(nlri, NlriFormat::new(family, self.context, withdrawn), 2);
        }
    }

    /// Appends the routes of one NLRI field, and the octets after the last legal one.
    fn routes(&mut self, field: &'a [u8], format: NlriFormat, depth: u8) {
        let start = usize::from(self.span(field).start);
        // The field is not checked here: the iterator ends at the first malformed route.
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
        self.put_rest(rest, depth, "malformed route");
    }

    /// Appends the fields of a NOTIFICATION.
    fn notification(&mut self, mut notification: Notification<'a>) {
        let mut start = Frame::HEADER_LENGTH;
        self.put(
            Span::new(start, start + 2),
            0,
            &"reason",
            &notification.reason(),
        );
        // RFC 8538 section 3.1: the data of a Hard Reset is the NOTIFICATION that it replaces. A loop, because a peer could
        // nest them until a recursion exhausts the stack.
        while let Some(inside) = notification.hard_reset() {
            (notification, start) = (inside, start + 2);
            self.put(
                Span::new(start, start + 2),
                0,
                &"wrapped reason",
                &notification.reason(),
            );
        }
        let reason = notification.reason();
        let data = notification.data();
        if data.is_empty() {
            return;
        }
        let span = Span::new(start + 2, self.message.len());
        // RFC 9003 for shutdowns, RFC 4486 section 4 for prefix limits; the data of other errors are octets.
        if let Some(communication) = notification.shutdown_communication() {
            self.put(span, 0, &"shutdown communication", &text(communication));
        } else if let Some((family, limit)) = notification.maximum_prefixes() {
            let limit = format!("{limit} prefixes of {family}");
            self.put(span, 0, &"limit", &limit);
        } else if reason.carries_text() {
            self.put(span, 0, &"malformed communication", &hex(data));
        } else {
            self.put(span, 0, &"data", &hex(data));
        }
    }

    /// Appends the fields of a ROUTE-REFRESH.
    fn refresh(&mut self, refresh: RouteRefresh) {
        self.put(Span::new(19, 21), 0, &"AFI", &refresh.family.afi);
        // RFC 7313 section 3.2 turned the reserved octet between AFI and SAFI into the subtype.
        self.put(Span::new(21, 22), 0, &"subtype", &refresh.subtype);
        self.put(Span::new(22, 23), 0, &"SAFI", &refresh.family.safi);
    }
}

impl Dissection {
    /// Returns the octets at fault and their surroundings in hex, with a line of carets below.
    ///
    /// Returns `None` if the message has no fault, or if `message` is shorter than the dissected one.
    #[must_use]
    pub fn excerpt(&self, message: &[u8]) -> Option<String> {
        let (_, DecodeError { span, .. }) = self.fault.as_ref()?;
        let (start, end) = (usize::from(span.start), usize::from(span.end));
        // A fault may cover the whole message, but the excerpt has to fit one line.
        let end = end.min(start + MAX_EXCERPT).min(message.len());
        // Clamped, because the caller may pass another message than the one that was dissected.
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

/// The maximum number of octets at fault in an excerpt.
const MAX_EXCERPT: usize = 24;
/// The number of octets in front of and after those at fault.
const EXCERPT_MARGIN: usize = 6;

impl fmt::Display for Dissection {
    /// Writes one line for each part, with its octets in front. The fault, the reason for ignored routes and a note about
    /// path identifiers follow.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Field {
            octets,
            depth,
            name,
            value,
        } in &self.fields
        {
            let indent = usize::from(*depth) * 2;
            // No line ends in spaces.
            let gap = if value.is_empty() { "" } else { "  " };
            writeln!(
                f,
                "{:>5}..{:<5} {:indent$}{name}{gap}{value}",
                octets.start, octets.end, ""
            )?;
        }
        if let Some((treatment, error)) = &self.fault {
            writeln!(f, "fault: {error}: {treatment}")?;
        }
        if let Some(reason) = &self.unusable {
            writeln!(f, "ignored: {reason}")?;
        }
        if let Some(family) = self.unexpected_path_ids {
            writeln!(
                f,
                "note: three default routes of {family}; probably path identifiers (ADD-PATH)"
            )?;
        }
        Ok(())
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
    fn legal_update_is_dissected_into_its_parts() {
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
    fn malformed_update_is_dissected_with_its_fault() {
        let update =
            "ff*16 0031 02 0000 0015 40010107 400200 400304c0a8006f 40050400000000 20c0a80a01";
        let text = dissected(update);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "fault: UPDATE Message Error/Invalid ORIGIN Attribute (3/6) at octets 23..27: treat-as-withdraw"
        );
        let message = octets(update);
        let excerpt = dissect(&message, &Context::new(PeerKind::Internal)).excerpt(&message);
        let expected =
            " 31 02 00 00 00 15 40 01 01 07 40 02 00 40 03 04\n                   ^^ ^^ ^^ ^^\n";
        assert_eq!(excerpt.as_deref(), Some(expected));
        let cut = dissected("ff*16 0031 02 0000 00ff");
        assert!(cut.ends_with("fault: Message Header Error/Bad Message Length (1/2) at octets 16..18: session reset\n"), "{cut}");
        let garbage = dissected(&"47".repeat(20));
        assert!(garbage.contains("Connection Not Synchronized"), "{garbage}");
    }

    #[test]
    fn excerpt_is_cut_to_one_line_and_to_the_message() {
        let dissection = |start, end| Dissection {
            fields: Vec::new(),
            fault: Some((
                Treatment::Reset,
                DecodeError {
                    reason: crate::Reason::MALFORMED_ATTRIBUTE_LIST,
                    span: Span { start, end },
                },
            )),
            unusable: None,
            unexpected_path_ids: None,
        };
        let message: Vec<u8> = (0..60).collect();
        for (start, end, first, octets, carets) in [
            (0, 2, 0, 8, 2),
            (3, 5, 0, 11, 2),
            (6, 7, 0, 13, 1),
            (10, 12, 4, 14, 2),
            (10, 34, 4, 36, 24),
            (10, 35, 4, 36, 24),
            (55, 60, 49, 11, 5),
            (58, 70, 52, 8, 2),
        ] {
            let excerpt = dissection(start, end).excerpt(&message).unwrap();
            let (digits, marks) = excerpt.split_once('\n').unwrap();
            let shown = octets_of(first, octets);
            assert_eq!(digits, shown, "{start} {end}");
            assert_eq!(marks.matches("^^").count(), carets, "{start} {end}");
            // The first caret is below the first octet at fault.
            let column = usize::from(start - first) * 3 + 1;
            assert_eq!(marks.find('^'), Some(column), "{start} {end}");
        }
        let whole = Dissection {
            fault: None,
            ..dissection(0, 1)
        };
        assert_eq!(whole.excerpt(&message), None);
    }

    /// Returns consecutive numbers as octets in hex.
    fn octets_of(first: u16, count: u16) -> String {
        (first..first + count)
            .map(|octet| std::format!(" {octet:02x}"))
            .collect()
    }

    #[test]
    fn reason_for_ignored_routes_is_written_last() {
        let update = "ff*16 0036 02 0000 001b 40010100 40020602010000fc00 400304c0a8006f 40050400000064 087f 080a";
        let text = dissected(update);
        assert!(text.ends_with("ignored: bogus prefix\n"), "{text}");
    }

    #[test]
    fn route_refresh_is_dissected_into_its_fields() {
        let expected =
            "   19..21    AFI  ipv6\n   21..22    subtype  request\n   22..23    SAFI  unicast\n";
        let text = dissected("ff*16 0017 05 0002 00 01");
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn attribute_and_message_have_the_same_treatment() {
        // RFC 4760 section 3: NEXT_HOP beside MP_REACH_NLRI is ignored, so its wrong length costs no route.
        let reach = "800e1c 000201 10 20010db8000000000000000000000001 00 3020010db80001";
        let unused = format!(
            "ff*16 0056 02 0000 003f {reach} 40010100 400206 02010000fde9 \
             400310 20010db8000000000000000000000001"
        );
        // RFC 7606 section 5.2: without a route the same fault resets the session.
        let alone = "ff*16 001b 02 0000 0004 40010107";
        let twice =
            "ff*16 0033 02 0000 0018 40010100 40010100 400206 02010000fde9 400304c0000201 18c63364";
        for (message, code, treatment) in [
            (unused.as_str(), "NEXT_HOP", "attribute discard"),
            (twice, "ORIGIN", "attribute discard"),
            (alone, "ORIGIN", "session reset"),
        ] {
            let text = dissected(message);
            let fault = text.lines().last().unwrap();
            assert!(fault.ends_with(treatment), "{text}");
            let named = text.lines().filter(|line| line.contains(code));
            let treated: Vec<_> = named
                .filter(|line| line.contains(": ") && *line != fault)
                .collect();
            assert_eq!(treated.len(), 1, "{text}");
            assert!(treated[0].contains(treatment), "{text}");
            assert!(!text.contains("treat-as-withdraw"), "{text}");
        }
    }

    #[test]
    fn end_of_rib_is_named_with_its_family() {
        for (message, family) in [
            ("ff*16 0017 02 0000 0000", "ipv4 unicast"),
            ("ff*16 001d 02 0000 0006 800f03000201", "ipv6 unicast"),
            ("ff*16 001e 02 0000 0007 900f0003000285", "ipv6 flowspec"),
        ] {
            let context =
                Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied());
            let dissection = dissect(&octets(message), &context);
            let last = dissection.fields.last().unwrap();
            assert_eq!(
                (last.name.as_str(), last.value.as_str()),
                ("End-of-RIB", family)
            );
            assert_eq!(usize::from(last.octets.end), octets(message).len());
        }
        let withdrawal = dissected("ff*16 001e 02 0000 0007 800f0400020100");
        assert!(!withdrawal.contains("End-of-RIB"), "{withdrawal}");
    }

    #[test]
    fn probable_path_identifiers_are_noted() {
        let update =
            "ff*16 0033 02 0000 0014 40010100 400206 02010000fde9 400304c0000201 00000001 180ac802";
        let message = octets(update);
        let context = Context::new(PeerKind::External);
        let dissection = dissect(&message, &context);
        assert_eq!(dissection.unexpected_path_ids, Some(Family::IPV4_UNICAST));
        let last =
            "note: three default routes of ipv4 unicast; probably path identifiers (ADD-PATH)\n";
        let text = dissection.to_string();
        assert!(text.ends_with(last), "{text}");
        let dissection = dissect(&message, &context.with_add_path([Family::IPV4_UNICAST]));
        assert_eq!(dissection.unexpected_path_ids, None);
        assert!(!dissection.to_string().contains("note: "));
    }

    #[test]
    fn nested_hard_resets_do_not_exhaust_the_stack() {
        let mut message = std::vec![0xff; 16];
        message.extend([0xff, 0xff, 3]);
        message.extend([6, 9].repeat(32758));
        let fields = dissect(&message, &Context::new(PeerKind::Internal)).fields;
        assert_eq!(fields.len(), 3 + 32758);
    }

    #[test]
    fn numbers_that_are_not_parsed_are_named() {
        let open = dissected("ff*16 0027 01 04 fc00 005a c0a8006f 0a 0208 0104 4004 0047 8000");
        for name in ["bgp-ls bgp-ls", "Prestandard Route Refresh (deprecated)"] {
            assert!(open.contains(&format!("{name}\n")), "{name} in {open}");
        }
        let update = dissected(
            "ff*16 0032 02 0000 001b 40010100 40020602010000fde9 400304c0000201 801d04 00000000",
        );
        assert!(update.contains("BGP-LS Attribute  0x00000000"), "{update}");
    }

    #[test]
    fn open_is_dissected_with_its_capabilities() {
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

    #[test]
    fn illegal_open_is_dissected_with_its_legal_fields() {
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
                    "   31..35      malformed capability  0x01040001",
                    "fault: OPEN Message Error/Unspecific (2/0) at octets 31..35: session reset",
                ],
            ),
            (
                "ff*16 0020 01 04 fc00 005a c0a8006f 03 fe01aa",
                &["   29..32    parameter 254  0xaa"],
            ),
            (
                "ff*16 001e 01 04 fc00 005a c0a8006f 02 ff",
                &["   28..30    malformed parameters  0x02ff"],
            ),
        ] {
            let text = dissected(open);
            for line in lines {
                assert!(text.contains(line), "{line} in\n{text}");
            }
            assert!(text.contains("fault: "), "{text}");
        }
    }

    #[test]
    fn notification_data_is_dissected_by_its_reason() {
        for (message, lines) in [
            (
                "ff*16 001b 03 0609 0602 03627965",
                &[
                    "   19..21    reason  Cease/Hard Reset (6/9)",
                    "   21..23    wrapped reason  Cease/Administrative Shutdown (6/2)",
                    "   23..27    shutdown communication  \"bye\"",
                ][..],
            ),
            (
                "ff*16 0017 03 0602 0962",
                &["   21..23    malformed communication  0x0962"],
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
    fn routes_inside_mp_reach_nlri_are_dissected() {
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
    fn control_characters_of_a_communication_are_escaped() {
        // An escape sequence from a peer must not reach the operator's terminal.
        let text = dissected("ff*16 001a 03 0602 04 611b5b32");
        assert!(
            text.contains(r#"shutdown communication  "a\u{1b}[2""#),
            "{text}"
        );
    }
}
