//! Golden messages, decoded and encoded. `golden/*.txt` hold annotated octets and the same contents as text.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use bgp_wire::{
    AnyNlriBuf, AttributeCode, AttributeFlags, AttributeSet, Context, Family, NextHop, Origin,
    PeerKind, UpdateBuf,
};
use bytes::BytesMut;
use common::{frame, hex, update};

/// One message of a golden file.
#[derive(Default)]
struct Golden {
    title: String,
    context: String,
    next_hop: Option<String>,
    announced: Vec<(Family, String)>,
    withdrawn: Vec<(Family, String)>,
    attributes: Option<String>,
    json: Option<String>,
    octets: Vec<u8>,
}

/// Parses a golden file. Its header describes the format.
fn parse(file: &str) -> Vec<Golden> {
    let mut all = Vec::new();
    for text in file.split("\n\n") {
        let (mut golden, mut in_octets, mut digits) = (Golden::default(), false, String::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            // The first colon in front of a space ends the family; routes contain colons of their own.
            let route = || {
                let (family, route) = rest.split_once(": ").expect("FAMILY: ROUTE");
                (family.parse().expect("a family"), route.to_owned())
            };
            match word {
                // Annotations contain any words, so the octets end at the empty line only.
                _ if in_octets => {
                    let rest = rest.trim_start().replace("ff*16", &"ff".repeat(16));
                    digits += &rest.replace("00*251", &"00".repeat(251));
                    digits.push('\n');
                }
                "=" => golden.title = rest.into(),
                "context" => golden.context = rest.into(),
                "next-hop" => golden.next_hop = Some(rest.into()),
                "announce" => golden.announced.push(route()),
                "withdraw" => golden.withdrawn.push(route()),
                "attributes" => golden.attributes = Some(rest.into()),
                "json" => golden.json = Some(rest.replace("0*251", &vec!["0"; 251].join(","))),
                "octets" => in_octets = true,
                _ => panic!("{line}"),
            }
        }
        golden.octets = hex(&digits);
        all.extend(Some(golden).filter(|golden| !golden.title.is_empty()));
    }
    all
}

impl Golden {
    /// Returns the context of the line `context`.
    fn context(&self) -> Context {
        let mut words = self.context.split(' ');
        let mut context = Context::new(match words.next() {
            Some("internal") => PeerKind::Internal,
            Some("confederation") => PeerKind::Confederation,
            _ => PeerKind::External,
        })
        .with_families(Family::PARSED.iter().copied());
        for word in words {
            context = match word {
                "add-path" => context.with_add_path(Family::PARSED.iter().copied()),
                "extended-next-hop" => {
                    context.with_extended_next_hop(Family::PARSED.iter().copied())
                }
                "multiple-labels" => context.with_multiple_labels(Family::PARSED.iter().copied()),
                "as-sets" => context.with_as_sets(true),
                "raw-families" => context.with_raw_families(true),
                "as2" => context.with_four_octet_as(false),
                _ => panic!("{word}"),
            };
        }
        context
    }

    /// Returns the next hop of the line `next-hop`.
    fn next_hop(&self) -> NextHop {
        let text = self.next_hop.as_ref();
        text.map_or(NextHop::Absent, |text| text.parse().unwrap())
    }

    /// Asserts that the octets decode to the text.
    fn assert_decodes(&self) {
        let frame = frame(self.octets.clone());
        let context = self.context();
        let update = update(&frame, &context);
        let checked = update
            .check()
            .unwrap_or_else(|error| panic!("{}: {error}", self.title));
        assert_eq!(checked.fault(), None, "{}", self.title);
        let routes = |routes: Vec<bgp_wire::AnyNlri<'_>>| -> Vec<(Family, String)> {
            let text = |route: bgp_wire::AnyNlri<'_>| (route.family, route.to_string());
            routes.into_iter().map(text).collect()
        };
        assert_eq!(routes(checked.announced_routes().collect()), self.announced);
        assert_eq!(routes(checked.withdrawn_routes().collect()), self.withdrawn);
        if let Some(attributes) = &self.attributes {
            let mut set = AttributeSet::from(&checked);
            // RFC 4271 section 5: the set is ready to be passed on, and has the Partial bit of unknown attributes set.
            // The golden text shows the bit as received.
            for unknown in &mut set.unknown {
                let raw = update
                    .raw_attributes()
                    .flatten()
                    .find(|raw| raw.code == unknown.code)
                    .unwrap();
                unknown.flags.0 &= raw.flags.0 | !AttributeFlags::PARTIAL;
            }
            assert_eq!(set.to_string(), *attributes, "{}", self.title);
        }
        let read = UpdateBuf::from(&checked);
        if let Some((_, next_hop)) = read.next_hops.first_key_value() {
            assert_eq!(*next_hop, self.next_hop(), "{}", self.title);
        }
    }

    /// Asserts that the text encodes to the octets.
    fn assert_encodes(&self) {
        let attributes = self.attributes.as_ref().map(|text| text.parse().unwrap());
        // A message that only withdraws has no attributes, and those of the value are not written.
        let mut update = UpdateBuf::new(attributes.unwrap_or(AttributeSet::new(Origin::IGP)));
        for (family, route) in &self.announced {
            update.announce(AnyNlriBuf::parse(*family, route).unwrap());
            update.set_next_hop(*family, self.next_hop());
        }
        for (family, route) in &self.withdrawn {
            update.withdraw(AnyNlriBuf::parse(*family, route).unwrap());
        }
        let mut octets = BytesMut::new();
        let written = update.encode(&self.context(), &mut octets);
        assert_eq!(written, Ok(1), "{}", self.title);
        assert_eq!(octets[..], self.octets, "{}", self.title);
    }
}

#[test]
fn golden_routes_decode_and_encode() {
    let all = parse(include_str!("golden/routes.txt"));
    for golden in &all {
        golden.assert_decodes();
        golden.assert_encodes();
    }
    for path_id in [false, true] {
        // Every family, announced and withdrawn, with and without path identifiers.
        let of_form = all
            .iter()
            .filter(|golden| golden.context.contains("add-path") == path_id);
        let (mut announced, mut withdrawn) = (BTreeSet::new(), BTreeSet::new());
        for golden in of_form {
            announced.extend(golden.announced.iter().map(|(family, _)| *family));
            withdrawn.extend(golden.withdrawn.iter().map(|(family, _)| *family));
        }
        for covered in [announced, withdrawn] {
            let missing = Family::PARSED
                .iter()
                .find(|family| !covered.contains(family));
            assert_eq!(missing, None, "with path identifiers: {path_id}");
            // One family that is not parsed must be among them.
            assert!(covered.len() > Family::PARSED.len() || path_id);
        }
    }
}

/// Asserts that a decoded value equals the line `json`, and that this encodes to the octets.
#[cfg(feature = "serde")]
fn assert_json<T>(
    golden: &Golden,
    value: &T,
    write: impl FnOnce(&T, &mut BytesMut) -> Result<(), bgp_wire::EncodeError>,
) where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let json = golden.json.as_deref().unwrap_or_default();
    let expected: T =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{}: {error}", golden.title));
    assert_eq!(*value, expected, "{}", golden.title);
    // The text is also golden, because users may store it.
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    let mut octets = BytesMut::new();
    assert_eq!(write(&expected, &mut octets), Ok(()), "{}", golden.title);
    assert_eq!(octets[..], golden.octets, "{}", golden.title);
}

#[cfg(feature = "serde")]
#[test]
fn golden_messages_other_than_updates_decode_and_encode() {
    use bgp_wire::{Message, NotificationBuf, OpenBuf};
    let mut codes = BTreeSet::new();
    for golden in &parse(include_str!("golden/messages.txt")) {
        let (frame, context) = (frame(golden.octets.clone()), golden.context());
        match frame.decode(&context).unwrap() {
            Message::Open(open) => {
                codes.extend(open.capabilities().map(|capability| capability.code()));
                assert_json(golden, &OpenBuf::from(open), OpenBuf::encode);
            }
            Message::Notification(notification) => {
                let write = |value: &NotificationBuf, out: &mut BytesMut| {
                    value.encode(out);
                    Ok(())
                };
                assert_json(golden, &NotificationBuf::from(notification), write);
            }
            Message::RouteRefresh(refresh) => assert_json(golden, &refresh, |value, out| {
                value.encode(out);
                Ok(())
            }),
            Message::Keepalive => assert_eq!(golden.octets, bgp_wire::KEEPALIVE),
            Message::Update(_) => panic!("{}: an UPDATE is in routes.txt", golden.title),
        }
    }
    for code in bgp_wire::CapabilityCode::REGISTERED {
        assert!(
            codes.contains(code) || !is_parsed("capability", code.0, code),
            "{code} has no message"
        );
    }
}

/// Returns `true` if the coverage table of the crate, which a test compares with the code, has a row for the code.
fn is_parsed(kind: &str, code: u8, name: &impl std::fmt::Display) -> bool {
    let table = include_str!("../src/coverage.md");
    table.contains(&format!("| {kind} | {code} {name} |"))
}

#[test]
fn golden_attributes_decode_and_encode() {
    let all = parse(include_str!("golden/attributes.txt"));
    let mut codes = BTreeSet::new();
    for golden in &all {
        golden.assert_decodes();
        golden.assert_encodes();
        let frame = frame(golden.octets.clone());
        let context = golden.context();
        let update = update(&frame, &context);
        codes.extend(update.raw_attributes().flatten().map(|raw| raw.code));
    }
    // The golden routes have these.
    let elsewhere = [AttributeCode::MP_REACH_NLRI, AttributeCode::MP_UNREACH_NLRI];
    for code in AttributeCode::REGISTERED {
        assert!(
            codes.contains(code)
                || elsewhere.contains(code)
                || !is_parsed("attribute", code.0, code),
            "{code} has no message"
        );
    }
}

/// Asserts that the parts of a dissected message follow each other without a gap, down to its end.
fn assert_parts_fill(golden: &Golden) {
    let dissection = bgp_wire::dissect(&golden.octets, &golden.context());
    assert_eq!(dissection.fault, None, "{}", golden.title);
    let (mut end, mut before) = (0, None);
    for field in &dissection.fields {
        let (title, span) = (&golden.title, field.octets);
        if span.start == end {
            end = span.end;
        } else {
            // A part of the part before, or the message as a whole.
            assert!(
                span.start < span.end && span.end <= end,
                "{title}: {}",
                field.name
            );
        }
        let name = Some((field.depth, field.name.as_str()));
        if let Some((last, last_name)) = before
            && last_name == name
            && ["announced", "withdrawn"].contains(&field.name.as_str())
        {
            assert_eq!(span.start, last, "{title}: {}", field.name);
        }
        before = Some((span.end, name));
    }
    assert_eq!(usize::from(end), golden.octets.len(), "{}", golden.title);
    // The last route is the last part of its attribute, or of the message.
    let route = dissection
        .fields
        .iter()
        .rev()
        .find(|field| field.name == "announced");
    if let Some(route) = route {
        let ends = dissection
            .fields
            .iter()
            .filter(|field| field.name != "announced");
        assert!(
            ends.map(|field| field.octets.end)
                .any(|end| end == route.octets.end)
        );
    }
    for line in dissection.to_string().lines() {
        assert_eq!(line.trim_end(), line);
    }
}

#[test]
fn parts_of_dissected_messages_follow_each_other() {
    let files = [
        include_str!("golden/routes.txt"),
        include_str!("golden/attributes.txt"),
        include_str!("golden/messages.txt"),
    ];
    for golden in files.into_iter().flat_map(parse) {
        assert_parts_fill(&golden);
    }
}
