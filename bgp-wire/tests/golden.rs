//! Golden messages, read and written: `golden/*.txt` hold annotated octets and what they say in words.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use bgp_wire::{
    AnyNlriBuf, AttributeCode, AttributeSet, Context, Family, NextHop, Origin, PeerKind, UpdateBuf,
};
use bytes::BytesMut;
use common::{frame, hex, update};

/// One message of a file.
#[derive(Default)]
struct Golden {
    title: String,
    context: String,
    next_hop: Option<String>,
    announced: Vec<(Family, String)>,
    withdrawn: Vec<(Family, String)>,
    attributes: Option<String>,
    octets: Vec<u8>,
}

fn parse(file: &str) -> Vec<Golden> {
    let mut all = Vec::new();
    for text in file.split("\n\n") {
        let (mut golden, mut in_octets, mut digits) = (Golden::default(), false, String::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let route = || {
                let (family, route) = rest.split_once(": ").expect("FAMILY: ROUTE");
                (family.parse().expect("a family"), route.to_owned())
            };
            match word {
                _ if in_octets => {
                    digits += &rest.trim_start().replace("ff*16", &"ff".repeat(16));
                    digits.push('\n');
                }
                "=" => golden.title = rest.into(),
                "context" => golden.context = rest.into(),
                "next-hop" => golden.next_hop = Some(rest.into()),
                "announce" => golden.announced.push(route()),
                "withdraw" => golden.withdrawn.push(route()),
                "attributes" => golden.attributes = Some(rest.into()),
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
    fn context(&self) -> Context {
        let mut words = self.context.split(' ');
        let mut context = Context::new(match words.next() {
            Some("internal") => PeerKind::Internal,
            Some("confederation") => PeerKind::Confederation,
            _ => PeerKind::External,
        })
        .families(Family::PARSED);
        for word in words {
            context = match word {
                "add-path" => context.add_path(Family::PARSED),
                "extended-next-hop" => context.extended_next_hop(Family::PARSED),
                "multiple-labels" => context.multiple_labels(Family::PARSED),
                "as-sets" => context.as_sets(true),
                "as2" => context.four_octet_as(false),
                _ => panic!("{word}"),
            };
        }
        context
    }

    fn next_hop(&self) -> NextHop {
        let Some(text) = &self.next_hop else {
            return NextHop::Absent;
        };
        match text.split_once(' ') {
            Some((global, link_local)) => NextHop::GlobalAndLinkLocal(
                global.parse().unwrap(),
                link_local.parse::<Ipv6Addr>().unwrap(),
            ),
            None => NextHop::Address(text.parse::<IpAddr>().unwrap()),
        }
    }

    fn read(&self) {
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
            // As in a message: Extended Length as it stands there, no Partial bit that was not.
            let mut set = AttributeSet::from(&checked);
            for unknown in &mut set.unknown {
                let raw = update
                    .raw_attributes()
                    .flatten()
                    .find(|raw| raw.code == unknown.code);
                unknown.flags = raw.unwrap().flags;
            }
            assert_eq!(set.to_string(), *attributes, "{}", self.title);
        }
        let read = UpdateBuf::from(&checked);
        if let Some((_, next_hop)) = read.next_hops.first() {
            assert_eq!(*next_hop, self.next_hop(), "{}", self.title);
        }
    }

    fn write(&self) {
        let attributes = self.attributes.as_ref().map(|text| text.parse().unwrap());
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
fn routes_are_read_and_written() {
    let all = parse(include_str!("golden/routes.txt"));
    for golden in &all {
        golden.read();
        golden.write();
    }
    let families: BTreeSet<_> = all
        .iter()
        .flat_map(|g| &g.announced)
        .map(|(f, _)| *f)
        .collect();
    assert_eq!(families, BTreeSet::from(Family::PARSED));
    let with_path_id = all.iter().filter(|g| g.context.contains("add-path"));
    let families: BTreeSet<_> = with_path_id
        .flat_map(|g| &g.announced)
        .map(|(f, _)| *f)
        .collect();
    assert_eq!(families, BTreeSet::from(Family::PARSED), "with ADD-PATH");
}

#[test]
fn attributes_are_read_and_written() {
    let all = parse(include_str!("golden/attributes.txt"));
    let mut codes = BTreeSet::new();
    for golden in &all {
        golden.read();
        golden.write();
        let frame = frame(golden.octets.clone());
        let context = golden.context();
        let update = update(&frame, &context);
        codes.extend(update.raw_attributes().flatten().map(|raw| raw.code));
    }
    let elsewhere = [AttributeCode::MP_REACH_NLRI, AttributeCode::MP_UNREACH_NLRI];
    for code in AttributeCode::REGISTERED {
        assert!(
            codes.contains(code) || elsewhere.contains(code),
            "{code} has no message"
        );
    }
}
