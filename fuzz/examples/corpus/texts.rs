//! Texts of routes, attributes and other values, and configuration files.

use arbitrary::{Arbitrary, Unstructured};
use bgp_wire::{AnyNlriBuf, AttributeSet, Family};
use fastrand::Rng;

use crate::inputs::Inputs;
use crate::read;

/// The number of values of each type.
const VALUES: usize = 40;

pub(crate) fn add(inputs: &mut Inputs) -> std::io::Result<()> {
    for file in ["attributes", "routes"] {
        for line in read(&format!("bgp-wire/tests/golden/{file}.txt"))?.lines() {
            add_line(inputs, line);
        }
    }
    add_values(inputs);
    for file in ["metallb", "native", "warnings"] {
        // A title, the text, and the diagnostics for it.
        for case in read(&format!("speakerd/tests/data/{file}.txt"))?.split("=== ") {
            let text = case.split_once('\n').map_or("", |(_, text)| text);
            inputs.add("config", text.split(">>>").next().unwrap_or_default());
        }
    }
    inputs.add("config", read("speakerd/src/config/article.yaml")?);
    Ok(())
}

/// Adds the route or the attributes in a line of a golden file.
fn add_line(inputs: &mut Inputs, line: &str) {
    if let Some(attributes) = line.strip_prefix("attributes ") {
        add_text(inputs, 27, attributes);
    }
    let route = line
        .strip_prefix("announce ")
        .or_else(|| line.strip_prefix("withdraw "));
    if let Some((family, route)) = route.and_then(|route| route.split_once(": "))
        && let Ok(family) = family.parse()
    {
        add_route(inputs, family, route);
    }
}

fn add_text(inputs: &mut Inputs, selector: u8, text: &str) {
    inputs.add("text", [&[selector], text.as_bytes()].concat());
}

/// Adds the text of a route. Families without a grammar share the number after those of the others.
fn add_route(inputs: &mut Inputs, family: Family, text: &str) {
    let index = Family::PARSED.iter().position(|known| *known == family);
    let index = index.and_then(|index| u8::try_from(index).ok());
    add_text(inputs, 12 + index.unwrap_or(30 - 12), text);
}

/// Adds arbitrary values as text. The numbers are those of the target `text`.
fn add_values(inputs: &mut Inputs) {
    let mut random = Rng::with_seed(1);
    for _ in 0..VALUES {
        let octets: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(400).collect();
        let mut source = Unstructured::new(&octets);
        macro_rules! values {
            ($( $number:literal $type:ty; )+) => { $(
                if let Ok(value) = <$type>::arbitrary(&mut source) {
                    add_text(inputs, $number, &value.to_string());
                }
            )+ };
        }
        values! {
            0 bgp_wire::Asn;
            3 bgp_wire::Community;
            4 bgp_wire::LargeCommunity;
            5 bgp_wire::ExtendedCommunity;
            7 bgp_wire::RouteDistinguisher;
            8 bgp_wire::MacAddress;
            9 bgp_wire::EthernetSegmentIdentifier;
            10 bgp_wire::AsPathBuf;
            11 bgp_wire::Origin;
            28 bgp_wire::Labels;
            29 bgp_wire::LabeledPrefix;
            30 bgp_wire::VpnPrefix;
            31 bgp_wire::RouteTargetPrefix;
            32 bgp_wire::EvpnRoute;
            34 bgp_wire::Nlri;
            35 bgp_wire::RawAttributeBuf;
            37 bgp_wire::Reason;
            38 bgp_wire::HoldTime;
            40 bgp_wire::CapabilityCode;
            42 bgp_wire::Aggregator;
        }
        if let Ok(attributes) = AttributeSet::arbitrary(&mut source) {
            add_text(inputs, 27, &attributes.to_string());
        }
        if let Ok(route) = AnyNlriBuf::arbitrary(&mut source) {
            add_route(inputs, route.family, &route.to_string());
        }
    }
}
