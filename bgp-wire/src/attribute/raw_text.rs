//! Attributes without a field in [`AttributeSet`](super::AttributeSet) in text form.
//!
//! An attribute is written in words if the words express its whole value. Otherwise its code, flags and value are in
//! hex.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use super::words::{
    AIGP, HEX, IPV6_COMMUNITIES, PMSI_TUNNEL, PREFIX_SID, ParseAttributesError, bracketed, items,
};
use super::{Aigp, Ipv6ExtendedCommunities, PmsiTunnel, PrefixSid, RawAttributeBuf};
use crate::extended_community::Ipv6ExtendedCommunity;
use crate::iana::{AttributeCode, PmsiTunnelType};
use crate::text::{Hex, hex_array, hex_octets, number};

impl fmt::Display for RawAttributeBuf {
    /// Writes the attribute in words, or in hex if words would lose a part of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parsing the words back finds every loss: unusual flags, further TLVs, reserved bits that are set.
        let words = self
            .in_words()
            .filter(|words| words.parse().as_ref() == Ok(self));
        if let Some(words) = words {
            return f.write_str(&words);
        }
        let (code, value) = ([self.code.0], Hex(&self.value));
        write!(f, "{HEX} [ {} {} {value} ]", Hex(&code), self.flags)
    }
}

impl RawAttributeBuf {
    /// Returns the attribute in words, which may omit a part of the value. `None` if the code has no words.
    fn in_words(&self) -> Option<String> {
        let value = self.value.as_slice();
        Some(match self.code {
            AttributeCode::AIGP => format!("{AIGP} {}", Aigp::new(value).metric()?),
            AttributeCode::PREFIX_SID => {
                format!("{PREFIX_SID} [ {} ]", PrefixSid::new(value).label_index()?)
            }
            AttributeCode::PMSI_TUNNEL => {
                let PmsiTunnel {
                    tunnel_type,
                    label,
                    identifier,
                    ..
                } = PmsiTunnel::decode(value)?;
                // RFC 6514 section 5: with ingress replication the identifier is an address. Other types have
                // structures that no words express.
                let identifier = match (tunnel_type, identifier.len()) {
                    (_, 0) => String::new(),
                    (PmsiTunnelType::INGRESS_REPLICATION, 4) => {
                        format!("{} ", IpAddr::from(*identifier.first_chunk::<4>()?))
                    }
                    (PmsiTunnelType::INGRESS_REPLICATION, 16) => {
                        format!("{} ", IpAddr::from(*identifier.first_chunk::<16>()?))
                    }
                    _ => format!("{} ", Hex(identifier)),
                };
                format!("{PMSI_TUNNEL} [ {tunnel_type} {label} {identifier}]")
            }
            AttributeCode::IPV6_EXTENDED_COMMUNITIES => {
                let communities: Vec<_> = Ipv6ExtendedCommunities::new(value)
                    .iter()
                    .map(|item| item.to_string())
                    .collect();
                format!("{IPV6_COMMUNITIES} [ {} ]", communities.join(" "))
            }
            _ => return None,
        })
    }

    /// Parses the attribute of a keyword from the words after it. Returns `None` if the keyword or the words are
    /// invalid.
    pub(super) fn parse<'a>(
        keyword: &str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        match keyword {
            HEX => {
                let [code, flags, value] = *bracketed(words)?.as_array()?;
                let [code] = hex_array(code)?;
                Some(Self {
                    flags: flags.parse().ok()?,
                    code: AttributeCode(code),
                    value: hex_octets(value)?,
                })
            }
            AIGP => Some(Self::aigp(number(words.next()?)?)),
            PREFIX_SID => {
                let [index] = *bracketed(words)?.as_array()?;
                Some(Self::label_index(number(index)?))
            }
            PMSI_TUNNEL => pmsi_tunnel(&bracketed(words)?),
            IPV6_COMMUNITIES => {
                let communities: Vec<Ipv6ExtendedCommunity> = items(words)?;
                Some(Self::ipv6_extended_communities(&communities))
            }
            _ => None,
        }
    }
}

/// Parses the words of PMSI_TUNNEL: type, label field and, if the type has one, an identifier.
fn pmsi_tunnel(words: &[&str]) -> Option<RawAttributeBuf> {
    let (tunnel_type, label, identifier) = match *words {
        [tunnel_type, label] => (tunnel_type, label, Vec::new()),
        [tunnel_type, label, identifier] => {
            // An identifier in hex begins with `0x`, so it cannot be mistaken for an address.
            let octets = match identifier.parse() {
                Ok(IpAddr::V4(address)) => address.octets().to_vec(),
                Ok(IpAddr::V6(address)) => address.octets().to_vec(),
                Err(_) => hex_octets(identifier)?,
            };
            (tunnel_type, label, octets)
        }
        _ => return None,
    };
    Some(RawAttributeBuf::pmsi_tunnel(PmsiTunnel {
        // Words cannot express flags; a tunnel with some is written in hex.
        flags: 0,
        tunnel_type: tunnel_type.parse().ok()?,
        // The field has 24 bits: a larger number would be encoded as another label.
        label: number(label).filter(|label| *label < 1 << 24)?,
        identifier: &identifier,
    }))
}

impl FromStr for RawAttributeBuf {
    type Err = ParseAttributesError;

    /// Parses one attribute in the text form of an [`AttributeSet`](super::AttributeSet).
    fn from_str(text: &str) -> Result<Self, ParseAttributesError> {
        let mut words = text.split_whitespace();
        // An empty text names no keyword: the error then shows the form that suits every attribute.
        let keyword = words.next().unwrap_or(HEX);
        let attribute = Self::parse(keyword, &mut words).filter(|_| words.next().is_none());
        attribute.ok_or_else(|| ParseAttributesError(keyword.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    const TABLE: [(&str, AttributeCode, &[u8]); 10] = [
        (
            "aigp 256",
            AttributeCode::AIGP,
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0],
        ),
        // A second TLV after the metric: words would lose it.
        (
            "attribute [ 0x1a 0x80 0x01000b000000000000010002000400 ]",
            AttributeCode::AIGP,
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 4, 0],
        ),
        (
            "bgp-prefix-sid [ 5 ]",
            AttributeCode::PREFIX_SID,
            &[1, 0, 7, 0, 0, 0, 0, 0, 0, 5],
        ),
        (
            "attribute [ 0x28 0xc0 0x01000700000100000005 ]",
            AttributeCode::PREFIX_SID,
            &[1, 0, 7, 0, 0, 1, 0, 0, 0, 5],
        ),
        (
            "pmsi-tunnel [ ingress-replication 4112 192.0.2.1 ]",
            AttributeCode::PMSI_TUNNEL,
            &[0, 6, 0, 0x10, 0x10, 192, 0, 2, 1],
        ),
        (
            "pmsi-tunnel [ none 0 ]",
            AttributeCode::PMSI_TUNNEL,
            &[0, 0, 0, 0, 0],
        ),
        (
            "pmsi-tunnel [ pim-ssm 0 0xc0000201ef000001 ]",
            AttributeCode::PMSI_TUNNEL,
            &[0, 3, 0, 0, 0, 192, 0, 2, 1, 239, 0, 0, 1],
        ),
        (
            "attribute [ 0x16 0xc0 0x0100000000 ]",
            AttributeCode::PMSI_TUNNEL,
            &[1, 0, 0, 0, 0],
        ),
        (
            "ipv6-extended-community [ target:2001:db8::1:7 ]",
            AttributeCode::IPV6_EXTENDED_COMMUNITIES,
            &[
                0, 2, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7,
            ],
        ),
        ("attribute [ 0x63 0xc0 0x ]", AttributeCode(99), &[]),
    ];

    #[test]
    fn raw_attribute_is_written_in_words_or_hex() {
        for (text, code, value) in TABLE {
            let attribute: RawAttributeBuf = text.parse().unwrap();
            assert_eq!(
                (attribute.code, &attribute.value[..]),
                (code, value),
                "{text}"
            );
            assert_eq!(attribute.to_string(), text);
        }
        for text in [
            "",
            "aigp",
            "aigp 1 2",
            "aigp x",
            "bgp-prefix-sid [ ]",
            "pmsi-tunnel [ none 16777216 ]",
            "x 1",
        ] {
            assert!(text.parse::<RawAttributeBuf>().is_err(), "{text}");
        }
    }
}
