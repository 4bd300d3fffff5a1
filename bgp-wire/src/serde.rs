//! Serialization with `serde`, an optional feature.
//!
//! A type with a text form is serialized as that text, a registered number as a number, and other types by their fields.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::{
    Afi, AnyNlriBuf, AsPathBuf, AttributeCode, CapabilityCode, Community, ComponentType,
    EthernetSegmentIdentifier, EvpnRoute, ExtendedCommunity, Family, FamilySet, FlowSpecBuf,
    HoldTime, Ipv6ExtendedCommunity, Label, LabeledPrefix, Labels, LargeCommunity, MacAddress,
    MessageType, NextHop, Origin, ParameterType, PathId, PmsiTunnelType, RawAttributeBuf,
    RefreshSubtype, Role, RouteDistinguisher, RouteTargetPrefix, RouterId, Safi, SegmentBuf,
    SegmentType, TunnelType, VpnPrefix,
};

/// A visitor that parses a text with `FromStr`.
// A visitor accepts borrowed and owned strings, so deserializing does not allocate one.
struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        // The message of the parser describes a valid text, which `invalid_value` would not.
        text.parse().map_err(E::custom)
    }
}

/// Serializes types as their text.
macro_rules! texts {
    ($( $type:ty ),+ $(,)?) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // Writes to the serializer without an intermediate `String`.
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(PhantomData))
            }
        }
    )+ };
}

texts! {
    Community,
    EthernetSegmentIdentifier,
    EvpnRoute,
    ExtendedCommunity,
    Family,
    FlowSpecBuf,
    Ipv6ExtendedCommunity,
    LabeledPrefix,
    Labels,
    LargeCommunity,
    MacAddress,
    NextHop,
    Origin,
    RawAttributeBuf,
    RouteDistinguisher,
    RouteTargetPrefix,
    RouterId,
    VpnPrefix,
}

impl Serialize for AsPathBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The text omits empty segments and the borders of consecutive sequences, which a list of segments keeps.
        let text = self.to_string();
        if serializer.is_human_readable() && text.parse().as_ref() == Ok(self) {
            serializer.serialize_str(&text)
        } else {
            self.segments.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for AsPathBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(TextOrSegments)
        } else {
            Vec::deserialize(deserializer).map(|segments| Self { segments })
        }
    }
}

/// A visitor that reads an AS path from its text or from a list of segments.
struct TextOrSegments;

impl<'de> Visitor<'de> for TextOrSegments {
    type Value = AsPathBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AS path as a string or a list of segments")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AsPathBuf, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, segments: A) -> Result<AsPathBuf, A::Error> {
        let segments = Vec::<SegmentBuf>::deserialize(SeqAccessDeserializer::new(segments))?;
        Ok(AsPathBuf { segments })
    }
}

impl Serialize for FamilySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A list, because most formats have one; the text with commas is for command lines.
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FamilySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let families = Vec::<Family>::deserialize(deserializer)?;
        let set: Self = families.iter().copied().collect();
        match families.iter().find(|family| !set.contains(**family)) {
            None => Ok(set),
            // A set cannot hold such a family, and to drop it silently would change the meaning of a configuration.
            Some(family) => Err(D::Error::custom(format_args!(
                "unsupported family {family}"
            ))),
        }
    }
}

/// The serialized form of [`AnyNlriBuf`]: the family, the path identifier and the text of the destination.
// The text alone does not determine the family.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "AnyNlriBuf")]
struct Route {
    family: Family,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    path_id: Option<PathId>,
    route: String,
}

impl Serialize for AnyNlriBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let route = Route {
            family: self.family,
            path_id: self.path_id,
            route: self.destination.to_string(),
        };
        route.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyNlriBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Route {
            family,
            path_id,
            route,
        } = Route::deserialize(deserializer)?;
        let parsed = Self::parse(family, &route).map_err(D::Error::custom)?;
        // The field decides, also against a path identifier in the text.
        Ok(Self { path_id, ..parsed })
    }
}

/// Serializes types as a number that not every integer is a value of.
macro_rules! numbers {
    ($( $type:ty: $number:ty = $to:expr, $from:expr, $what:literal; )+) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let to: fn(Self) -> $number = $to;
                to(*self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let from: fn($number) -> Option<Self> = $from;
                from(<$number>::deserialize(deserializer)?).ok_or_else(|| D::Error::custom($what))
            }
        }
    )+ };
}

numbers! {
    HoldTime: u16 = Self::seconds, Self::new, "a hold time is 0, or at least 3 seconds";
    Label: u32 = Self::number, Self::new, "a label is 0 to 1048575";
}

/// Serializes registered numbers as numbers.
// Not by name: a name may be registered later, and the number of an older file must keep its meaning.
macro_rules! registered {
    ($( $type:ident: $number:ty ),+ $(,)?) => { numbers! { $(
        // Every number is a value, so the message is never used.
        $type: $number = |value| value.0, |number| Some(Self(number)), "";
    )+ } };
}

registered! {
    Afi: u16,
    AttributeCode: u8,
    CapabilityCode: u8,
    ComponentType: u8,
    MessageType: u8,
    ParameterType: u8,
    PmsiTunnelType: u8,
    RefreshSubtype: u8,
    Role: u8,
    Safi: u8,
    SegmentType: u8,
    TunnelType: u16,
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use crate::{
        AnyNlriBuf, AsPathBuf, Asn, AttributeSet, CapabilityBuf, Family, NextHop, OpenBuf,
        SegmentBuf, SegmentType, UpdateBuf,
    };

    #[test]
    fn serialized_values_deserialize_to_themselves() {
        let attributes = "origin igp as-path [ 64512 {1,2} ] med 5 community [ no-export 1:2 ] extended-community \
                          [ target:64512:1 ] large-community [ 1:2:3 ] otc 5 attribute [ 0x63 0xc0 0x0102 ]";
        let mut update = UpdateBuf::new(attributes.parse().unwrap());
        for (family, route) in [
            (Family::IPV4_UNICAST, "192.168.10.1/32 path-id 7"),
            (
                Family::IPV4_FLOWSPEC,
                "destination 192.0.2.0/24 protocol =udp",
            ),
        ] {
            update.announce(AnyNlriBuf::parse(family, route).unwrap());
        }
        update.set_next_hop(
            Family::IPV4_UNICAST,
            NextHop::Address([192, 0, 2, 1].into()),
        );
        let text = serde_json::to_string_pretty(&update).unwrap();
        assert_eq!(serde_json::from_str::<UpdateBuf>(&text).unwrap(), update);
        for expected in [
            r#""as_path": "64512 {1,2}""#,
            r#""no-export""#,
            r#""family": "ipv4 unicast""#,
            r#""path_id": 7"#,
            r#""route": "destination 192.0.2.0/24 protocol =udp""#,
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let open = OpenBuf {
            asn: 64512.into(),
            hold_time: crate::HoldTime::DEFAULT,
            router_id: "192.0.2.1".parse().unwrap(),
            capabilities: [
                CapabilityBuf::Multiprotocol(Family::L2VPN_EVPN),
                CapabilityBuf::Unknown(crate::CapabilityCode(239), [1, 2].into()),
            ]
            .into(),
        };
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!(
            serde_json::from_str::<OpenBuf>(&text).unwrap(),
            open,
            "{text}"
        );
    }

    #[test]
    fn as_path_without_a_text_of_its_own_deserializes_to_itself() {
        let segment = |kind: u8, asns: &[u32]| SegmentBuf {
            segment_type: SegmentType(kind),
            asns: asns.iter().copied().map(Asn::new).collect(),
        };
        let (one, two) = (segment(2, &[1]), segment(2, &[2]));
        for (segments, json) in [
            (vec![one.clone()], r#""1""#),
            (vec![], r#""""#),
            (
                vec![one, two],
                r#"[{"segment_type":2,"asns":[1]},{"segment_type":2,"asns":[2]}]"#,
            ),
            (
                vec![segment(3, &[1]), segment(3, &[2])],
                r#"[{"segment_type":3,"asns":[1]},{"segment_type":3,"asns":[2]}]"#,
            ),
            // Two sets count twice in the length of the path, so their text has two sets as well.
            (vec![segment(1, &[1]), segment(1, &[2])], r#""{1} {2}""#),
            (vec![segment(2, &[])], r#"[{"segment_type":2,"asns":[]}]"#),
            (vec![segment(7, &[1])], r#"[{"segment_type":7,"asns":[1]}]"#),
        ] {
            let path = AsPathBuf { segments };
            assert_eq!(serde_json::to_string(&path).unwrap(), json);
            assert_eq!(serde_json::from_str::<AsPathBuf>(json).unwrap(), path);
        }
        assert!(serde_json::from_str::<AsPathBuf>("7").is_err());
    }

    #[test]
    fn withdrawn_route_with_many_labels_deserializes_to_itself() {
        // RFC 8277 section 2.4: a withdrawal is sent without these labels, so their number does not matter.
        let labels = "1/2/3/4/5/6/7/8/9/10";
        for (family, text) in [
            (
                Family::IPV6_LABELED,
                format!("2001:db8::1/128 label {labels}"),
            ),
            (
                Family::IPV4_VPN,
                format!("10.0.0.0/8 rd 64512:1 label {labels}"),
            ),
        ] {
            let route = AnyNlriBuf::parse(family, &text).unwrap();
            let mut update = UpdateBuf::new(AttributeSet::new(crate::Origin::IGP));
            update.withdraw(route.clone());
            let context = crate::Context::new(crate::PeerKind::Internal).with_families([family]);
            assert_eq!(update.encode(&context, &mut bytes::BytesMut::new()), Ok(1));
            let json = serde_json::to_string(&update).unwrap();
            assert_eq!(serde_json::from_str::<UpdateBuf>(&json).unwrap(), update);
            // An announcement has the labels in it, which do not fit its length octet.
            update.announce(route);
            update.set_next_hop(family, NextHop::Address("2001:db8::1".parse().unwrap()));
            assert!(
                update
                    .encode(&context, &mut bytes::BytesMut::new())
                    .is_err()
            );
        }
    }

    #[test]
    fn invalid_values_are_refused_by_deserialization() {
        assert!(serde_json::from_str::<crate::HoldTime>("2").is_err());
        assert!(serde_json::from_str::<crate::Label>("1048576").is_err());
        assert!(serde_json::from_str::<Family>("\"ipv4\"").is_err());
        let route = r#"{"family":"ipv4 unicast","route":"2001:db8::/32"}"#;
        let error = serde_json::from_str::<AnyNlriBuf>(route).unwrap_err();
        assert!(error.to_string().contains("192.168.10.1/32"), "{error}");
        let set = r#"{"origin":"igp","as_path":"x"}"#;
        assert!(serde_json::from_str::<AttributeSet>(set).is_err());
    }
}
