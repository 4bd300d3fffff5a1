//! NLRI of every family: what the routes of a message name.

use alloc::vec::Vec;
use core::fmt;

use ipnet::IpNet;

use super::encode::private::Sealed;
use super::encode::{EncodeNlri, NlriValue, write_exactly};
use super::words::Words;
use super::{
    EvpnRoute, FlowSpec, FlowSpecBuf, Form, LabeledPrefix, Nlri, PathId, RouteTargetPrefix,
    VpnPrefix, evpn, label,
};
use crate::error::Span;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, be_u32, octet, take};
use crate::sink::Sink;
use crate::text::{Hex, hex_octets, number};

/// What a route of a received message names, by the kind of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination<'a> {
    /// Unicast and multicast.
    Prefix(IpNet),
    /// Labelled unicast (RFC 8277).
    Labeled(LabeledPrefix),
    /// VPN addresses (RFC 4364, RFC 4659).
    Vpn(VpnPrefix),
    /// Flow specifications, also of VPNs (RFC 8955, RFC 8956).
    FlowSpec(FlowSpec<'a>),
    /// EVPN (RFC 7432, RFC 9136).
    Evpn(EvpnRoute),
    /// An EVPN route of another type, as octets.
    OtherEvpn {
        /// The route type.
        route_type: u8,
        /// The value.
        value: &'a [u8],
    },
    /// Route target membership (RFC 4684).
    RouteTarget(RouteTargetPrefix),
    /// The whole field, of a family that is not parsed.
    Unknown(&'a [u8]),
}

/// What a route to send names. Each is what [`Destination`] says of the variant of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the variants are those of Destination")]
#[non_exhaustive]
pub enum DestinationBuf {
    Prefix(IpNet),
    Labeled(LabeledPrefix),
    Vpn(VpnPrefix),
    FlowSpec(FlowSpecBuf),
    Evpn(EvpnRoute),
    OtherEvpn { route_type: u8, value: Vec<u8> },
    RouteTarget(RouteTargetPrefix),
    Unknown(Vec<u8>),
}

/// A route of a received message, of any family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyNlri<'a> {
    /// The family.
    pub family: Family,
    /// Which of several paths is meant.
    pub path_id: Option<PathId>,
    /// What is named.
    pub destination: Destination<'a>,
}

/// A route to send, of any family.
///
/// It is written as its destination, and ` path-id N` behind it where it has a path identifier; to read it back, the
/// family has to be said:
///
/// ```
/// use bgp_wire::{AnyNlriBuf, Family};
/// for (family, text) in [
///     (Family::IPV4_UNICAST, "192.168.10.1/32"),
///     (Family::IPV6_LABELED, "2001:db8::/32 label 100 path-id 7"),
///     (Family::IPV4_VPN, "192.168.10.0/24 rd 64512:1 label 100"),
///     (Family::IPV6_FLOWSPEC, "destination 2001:db8::/32 protocol =icmpv6"),
///     (Family::L2VPN_EVPN, "multicast rd 64512:1 etag 0 ip 192.0.2.1"),
///     (Family::ROUTE_TARGET, "64512 target:64512:1"),
/// ] {
///     assert_eq!(AnyNlriBuf::parse(family, text)?.to_string(), text);
/// }
/// # Ok::<(), bgp_wire::ParseNlriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnyNlriBuf {
    /// The family.
    pub family: Family,
    /// Which of several paths is meant.
    pub path_id: Option<PathId>,
    /// What is named.
    pub destination: DestinationBuf,
}

/// The routes of one field of a message, of any family. The field was checked: the iterator never fails.
#[derive(Clone, Copy, Debug)]
pub struct Routes<'a> {
    rest: &'a [u8],
    form: Form,
}

impl<'a> Routes<'a> {
    /// Whether `field` is routes of this form; the octets from the first that is not, if one is not.
    ///
    /// `start` is the position of the field in its message.
    pub(crate) fn check(field: &'a [u8], form: Form, start: usize) -> Result<Self, Span> {
        if form.is_mistaken_for(field) {
            return Err(Span::new(start, start + field.len()));
        }
        let mut rest = field;
        while !rest.is_empty() {
            let Ok((after, _)) = split(rest, &form) else {
                let end = start + field.len();
                return Err(Span::new(end - rest.len(), end));
            };
            rest = after;
        }
        Ok(Self { rest: field, form })
    }

    /// `field` was checked; otherwise the iterator ends before what is wrong.
    pub(crate) fn of_checked(field: &'a [u8], form: Form) -> Self {
        Self { rest: field, form }
    }

    pub(crate) fn octets_left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Routes<'a> {
    type Item = AnyNlri<'a>;

    fn next(&mut self) -> Option<AnyNlri<'a>> {
        let (rest, route) = split(self.rest, &self.form).ok()?;
        self.rest = rest;
        Some(route)
    }
}

fn split<'a>(input: &'a [u8], form: &Form) -> Parsed<'a, AnyNlri<'a>> {
    let family = form.family;
    let (rest, path_id) = if form.add_path {
        let (rest, path_id) = be_u32(input)?;
        (rest, Some(PathId(path_id)))
    } else {
        (input, None)
    };
    let (rest, destination) = match family.safi {
        _ if family.bit() == 0 => {
            let (item, rest) = rest.split_at(rest.len());
            if item.is_empty() {
                return Err(nom::Err::Error(Short));
            }
            (rest, Destination::Unknown(item))
        }
        Safi::LABELED => LabeledPrefix::split(rest, form)
            .map(|(rest, item)| (rest, Destination::Labeled(item)))?,
        Safi::VPN => {
            VpnPrefix::split(rest, form).map(|(rest, item)| (rest, Destination::Vpn(item)))?
        }
        Safi::FLOWSPEC | Safi::FLOWSPEC_VPN => {
            FlowSpec::split(rest, family).map(|(rest, item)| (rest, Destination::FlowSpec(item)))?
        }
        Safi::EVPN => {
            let (rest, (route_type, value)) = evpn::split(rest)?;
            let destination = EvpnRoute::decode(route_type, value)?.map_or(
                Destination::OtherEvpn { route_type, value },
                Destination::Evpn,
            );
            (rest, destination)
        }
        Safi::ROUTE_TARGET => RouteTargetPrefix::split(rest, form)
            .map(|(rest, item)| (rest, Destination::RouteTarget(item)))?,
        _ => {
            let (rest, bits) = octet(rest)?;
            let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
            let prefix = label::load(octets, bits, family.afi).ok_or(nom::Err::Error(Short))?;
            (rest, Destination::Prefix(prefix))
        }
    };
    let route = AnyNlri {
        family,
        path_id,
        destination,
    };
    Ok((rest, route))
}

/// What a [`Destination`] or a [`DestinationBuf`] names, lent: both are written by the same code.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Prefix(&'a IpNet),
    Labeled(&'a LabeledPrefix),
    Vpn(&'a VpnPrefix),
    FlowSpec(FlowSpec<'a>),
    FlowSpecBuf(&'a FlowSpecBuf),
    Evpn(&'a EvpnRoute),
    OtherEvpn(u8, &'a [u8]),
    RouteTarget(&'a RouteTargetPrefix),
    Unknown(&'a [u8]),
}

impl Destination<'_> {
    const fn kind(&self) -> Kind<'_> {
        match self {
            Self::Prefix(prefix) => Kind::Prefix(prefix),
            Self::Labeled(prefix) => Kind::Labeled(prefix),
            Self::Vpn(prefix) => Kind::Vpn(prefix),
            Self::FlowSpec(flow) => Kind::FlowSpec(*flow),
            Self::Evpn(route) => Kind::Evpn(route),
            Self::OtherEvpn { route_type, value } => Kind::OtherEvpn(*route_type, value),
            Self::RouteTarget(prefix) => Kind::RouteTarget(prefix),
            Self::Unknown(octets) => Kind::Unknown(octets),
        }
    }
}

impl DestinationBuf {
    const fn kind(&self) -> Kind<'_> {
        match self {
            Self::Prefix(prefix) => Kind::Prefix(prefix),
            Self::Labeled(prefix) => Kind::Labeled(prefix),
            Self::Vpn(prefix) => Kind::Vpn(prefix),
            Self::FlowSpec(flow) => Kind::FlowSpecBuf(flow),
            Self::Evpn(route) => Kind::Evpn(route),
            Self::OtherEvpn { route_type, value } => Kind::OtherEvpn(*route_type, value.as_slice()),
            Self::RouteTarget(prefix) => Kind::RouteTarget(prefix),
            Self::Unknown(octets) => Kind::Unknown(octets.as_slice()),
        }
    }
}

impl Kind<'_> {
    /// Returns `true` if a receiver reads this as it is in the family of `form`.
    fn is_legal(self, form: &Form) -> bool {
        fn suits<V: NlriValue>(value: &V, form: &Form) -> bool {
            V::suits(form.family) && value.is_legal(form)
        }
        match self {
            Self::Prefix(prefix) => suits(prefix, form),
            Self::Labeled(prefix) => suits(prefix, form),
            Self::Vpn(prefix) => suits(prefix, form),
            Self::FlowSpec(flow) => suits(&flow, form),
            Self::FlowSpecBuf(flow) => suits(&flow, form),
            Self::Evpn(route) => suits(route, form),
            Self::OtherEvpn(route_type, value) => {
                EvpnRoute::suits(form.family)
                    && !matches!(route_type, 1..=5)
                    && value.len() <= usize::from(u8::MAX)
            }
            Self::RouteTarget(prefix) => suits(prefix, form),
            Self::Unknown(octets) => form.family.bit() == 0 && !octets.is_empty(),
        }
    }

    fn encoded_length(self, form: &Form) -> usize {
        match self {
            Self::Prefix(prefix) => prefix.encoded_length(form),
            Self::Labeled(prefix) => prefix.encoded_length(form),
            Self::Vpn(prefix) => prefix.encoded_length(form),
            Self::FlowSpec(flow) => flow.encoded_length(form),
            Self::FlowSpecBuf(flow) => flow.encoded_length(form),
            Self::Evpn(route) => route.encoded_length(form),
            Self::OtherEvpn(_, value) => 2 + value.len(),
            Self::RouteTarget(prefix) => prefix.encoded_length(form),
            Self::Unknown(octets) => octets.len(),
        }
    }

    fn write<'o>(self, form: &Form, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        match self {
            Self::Prefix(prefix) => NlriValue::write(prefix, form, out),
            Self::Labeled(prefix) => prefix.write(form, out),
            Self::Vpn(prefix) => prefix.write(form, out),
            Self::FlowSpec(flow) => flow.write(form, out),
            Self::FlowSpecBuf(flow) => flow.write(form, out),
            Self::Evpn(route) => route.write(form, out),
            Self::OtherEvpn(route_type, value) => write_exactly(2 + value.len(), out, |out| {
                out.put(&[route_type, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
                out.put(value);
            }),
            Self::RouteTarget(prefix) => prefix.write(form, out),
            Self::Unknown(octets) => write_exactly(octets.len(), out, |out| out.put(octets)),
        }
    }
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Labeled(prefix) => prefix.fmt(f),
            Self::Vpn(prefix) => prefix.fmt(f),
            Self::FlowSpec(flow) => flow.fmt(f),
            Self::FlowSpecBuf(flow) => flow.fmt(f),
            Self::Evpn(route) => route.fmt(f),
            Self::OtherEvpn(route_type, value) => write!(f, "type {route_type} {}", Hex(value)),
            Self::RouteTarget(prefix) => prefix.fmt(f),
            Self::Unknown(octets) => Hex(octets).fmt(f),
        }
    }
}

/// Implements for a destination what its [`Kind`] does.
macro_rules! destination {
    ($destination:ty) => {
        impl NlriValue for $destination {
            /// A message has at most so many (RFC 8654).
            const MAX_LENGTH: usize = 65535;

            /// Every family has a destination; [`Kind::is_legal`] looks at which.
            fn suits(_: Family) -> bool {
                true
            }

            fn is_alone(&self) -> bool {
                matches!(self.kind(), Kind::Unknown(_))
            }

            fn is_legal(&self, form: &Form) -> bool {
                self.kind().is_legal(form)
            }

            fn encoded_length(&self, form: &Form) -> usize {
                self.kind().encoded_length(form)
            }

            fn write<'o>(&self, form: &Form, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
                self.kind().write(form, out)
            }
        }
    };
}

destination!(Destination<'_>);
destination!(&DestinationBuf);

impl Sealed for AnyNlri<'_> {}

impl<'a> EncodeNlri for AnyNlri<'a> {
    type Value = Destination<'a>;

    fn family(&self) -> Family {
        self.family
    }

    fn path_id(&self) -> Option<PathId> {
        self.path_id
    }

    fn value(&self) -> Destination<'a> {
        self.destination
    }
}

impl Sealed for &AnyNlri<'_> {}

impl<'a> EncodeNlri for &AnyNlri<'a> {
    type Value = Destination<'a>;

    fn family(&self) -> Family {
        self.family
    }

    fn path_id(&self) -> Option<PathId> {
        self.path_id
    }

    fn value(&self) -> Destination<'a> {
        self.destination
    }
}

impl Sealed for &AnyNlriBuf {}

impl<'a> EncodeNlri for &'a AnyNlriBuf {
    type Value = &'a DestinationBuf;

    fn family(&self) -> Family {
        self.family
    }

    fn path_id(&self) -> Option<PathId> {
        self.path_id
    }

    fn value(&self) -> &'a DestinationBuf {
        &self.destination
    }
}

impl From<Destination<'_>> for DestinationBuf {
    fn from(destination: Destination<'_>) -> Self {
        match destination {
            Destination::Prefix(prefix) => Self::Prefix(prefix),
            Destination::Labeled(prefix) => Self::Labeled(prefix),
            Destination::Vpn(prefix) => Self::Vpn(prefix),
            Destination::FlowSpec(flow) => Self::FlowSpec(flow.into()),
            Destination::Evpn(route) => Self::Evpn(route),
            Destination::OtherEvpn { route_type, value } => Self::OtherEvpn {
                route_type,
                value: value.to_vec(),
            },
            Destination::RouteTarget(prefix) => Self::RouteTarget(prefix),
            Destination::Unknown(octets) => Self::Unknown(octets.to_vec()),
        }
    }
}

impl From<AnyNlri<'_>> for AnyNlriBuf {
    fn from(route: AnyNlri<'_>) -> Self {
        Self {
            family: route.family,
            path_id: route.path_id,
            destination: route.destination.into(),
        }
    }
}

impl From<Nlri<IpNet>> for AnyNlriBuf {
    /// A unicast route.
    fn from(nlri: Nlri<IpNet>) -> Self {
        Self {
            family: match nlri.prefix {
                IpNet::V4(_) => Family::IPV4_UNICAST,
                IpNet::V6(_) => Family::IPV6_UNICAST,
            },
            path_id: nlri.path_id,
            destination: DestinationBuf::Prefix(nlri.prefix),
        }
    }
}

impl From<IpNet> for AnyNlriBuf {
    /// A unicast route without path identifier.
    fn from(prefix: IpNet) -> Self {
        Nlri::new(prefix).into()
    }
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Display for DestinationBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Display for AnyNlri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path_id,
            destination: prefix,
            ..
        } = *self;
        Nlri { path_id, prefix }.fmt(f)
    }
}

impl fmt::Display for AnyNlriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = &self.destination;
        let path_id = self.path_id;
        Nlri { path_id, prefix }.fmt(f)
    }
}

impl AnyNlriBuf {
    /// The route that `text` names in a family. Host bits of a prefix are cleared.
    ///
    /// # Errors
    ///
    /// The text is not a route of this family.
    pub fn parse(family: Family, text: &str) -> Result<Self, ParseNlriError> {
        let error = ParseNlriError(family);
        let (text, path_id) = match text.rsplit_once(" path-id ") {
            Some((text, path_id)) => (text, Some(PathId(number(path_id).ok_or(error)?))),
            None => (text, None),
        };
        let mut words = Words::new(text);
        let destination = parse_destination(family, &mut words)
            .filter(|destination| {
                // Without several labels the S bit is any.
                let legal = |multiple_labels| {
                    let form = Form {
                        family,
                        add_path: false,
                        multiple_labels,
                        withdrawn: false,
                    };
                    destination.kind().is_legal(&form)
                };
                words.end().is_some() && (legal(false) || legal(true))
            })
            .ok_or(error)?;
        Ok(Self {
            family,
            path_id,
            destination,
        })
    }
}

fn parse_destination(family: Family, words: &mut Words<'_>) -> Option<DestinationBuf> {
    if family.bit() == 0 {
        return hex_octets(words.next()?).map(DestinationBuf::Unknown);
    }
    Some(match family.safi {
        Safi::LABELED => DestinationBuf::Labeled(LabeledPrefix::parse(words)?),
        Safi::VPN => DestinationBuf::Vpn(VpnPrefix::parse(words)?),
        Safi::FLOWSPEC | Safi::FLOWSPEC_VPN => {
            DestinationBuf::FlowSpec(FlowSpecBuf::parse(words, family.afi)?)
        }
        Safi::EVPN if words.take("type") => DestinationBuf::OtherEvpn {
            route_type: number(words.next()?)?,
            value: hex_octets(words.next()?)?,
        },
        Safi::EVPN => DestinationBuf::Evpn(EvpnRoute::parse(words)?),
        Safi::ROUTE_TARGET => DestinationBuf::RouteTarget(RouteTargetPrefix::parse(words)?),
        _ => DestinationBuf::Prefix(words.next()?.parse::<IpNet>().ok()?.trunc()),
    })
}

/// The text is not a route of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseNlriError(pub Family);

impl fmt::Display for ParseNlriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = match (self.0.afi, self.0.safi) {
            _ if self.0.bit() == 0 => "0x and the octets of the field in hex",
            (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST) => "192.168.10.1/32",
            (_, Safi::UNICAST | Safi::MULTICAST) => "2001:db8::1/128",
            (Afi::IPV4, Safi::LABELED) => "192.168.10.0/24 label 100",
            (_, Safi::LABELED) => "2001:db8::/32 label 100",
            (Afi::IPV4, Safi::VPN) => "192.168.10.0/24 rd 64512:1 label 100",
            (_, Safi::VPN) => "2001:db8::/32 rd 64512:1 label 100",
            (Afi::IPV4, Safi::FLOWSPEC) => "destination 192.0.2.0/24 protocol =udp source-port =53",
            (_, Safi::FLOWSPEC) => "destination 2001:db8::/32 protocol =udp source-port =53",
            (Afi::IPV4, Safi::FLOWSPEC_VPN) => "rd 64512:1 destination 192.0.2.0/24 protocol =udp",
            (_, Safi::FLOWSPEC_VPN) => "rd 64512:1 destination 2001:db8::/32 protocol =udp",
            (_, Safi::EVPN) => {
                "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100"
            }
            _ => "64512 target:64512:1",
        };
        write!(f, "a route of {} is written: {example}", self.0)
    }
}

impl core::error::Error for ParseNlriError {}
