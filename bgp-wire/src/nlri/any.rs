//! `AnyNlri`: a route of any family, together with its family and its path identifier.

use core::fmt;

use ipnet::IpNet;

use super::bogus::is_bogus_prefix;
use super::encode::private::Sealed;
use super::encode::{EncodeNlri, NlriValue};
use super::words::Words;
use super::{Destination, DestinationBuf, Nlri, NlriFormat, PATH_ID_SEPARATOR, PathId};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::text::number;

/// A received route of any family, borrowed from its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnyNlri<'a> {
    /// The family of the route.
    pub family: Family,
    /// The path identifier; `None` unless ADD-PATH is negotiated for the family.
    pub path_id: Option<PathId>,
    /// The destination: a prefix, a rule, or another kind of NLRI.
    pub destination: Destination<'a>,
}

/// An owned route of any family.
///
/// `Display` writes the destination, followed by ` path-id N` if the route has a path identifier. The text does not
/// contain the family, so [`AnyNlriBuf::parse`] takes it as an argument:
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
    /// The family of the route.
    pub family: Family,
    /// The path identifier. The encoder requires one exactly if ADD-PATH is negotiated for the family.
    pub path_id: Option<PathId>,
    /// The destination: a prefix, a rule, or another kind of NLRI.
    pub destination: DestinationBuf,
}

impl AnyNlri<'_> {
    /// Returns `true` if the route is of a unicast or multicast family and its prefix is bogus.
    pub(crate) fn is_bogus(&self) -> bool {
        // A prefix of another family has a meaning of its own: that of a VPN may have addresses that are local elsewhere.
        let plain = matches!(self.family.safi, Safi::UNICAST | Safi::MULTICAST);
        matches!(self.destination, Destination::Prefix(prefix) if plain && is_bogus_prefix(prefix))
    }
}

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
    /// Converts to a route of the unicast family of the address.
    fn from(nlri: Nlri<IpNet>) -> Self {
        Self {
            // A multicast prefix looks the same; its family has to be set by the caller.
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
    /// Converts to a unicast route without a path identifier.
    fn from(prefix: IpNet) -> Self {
        Nlri::new(prefix).into()
    }
}

impl fmt::Display for AnyNlri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Nlri` knows the format of a path identifier.
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
    /// Parses a route of `family`. Host bits of a prefix are cleared.
    ///
    /// Any stack of labels is accepted, because a withdrawal may have it; the encoder of announcements may refuse it.
    ///
    /// # Errors
    ///
    /// Returns [`ParseNlriError`] if the text is not a route of this family.
    pub fn parse(family: Family, text: &str) -> Result<Self, ParseNlriError> {
        let error = ParseNlriError(family);
        // From the end, because the text of a destination contains spaces itself.
        let (text, path_id) = match text.rsplit_once(PATH_ID_SEPARATOR) {
            Some((text, path_id)) => (text, Some(PathId(number(path_id).ok_or(error)?))),
            None => (text, None),
        };
        let mut words = Words::new(text);
        let destination = DestinationBuf::parse(family, &mut words)
            .filter(|destination| {
                // As a withdrawal, which any number of labels suits (RFC 8277 section 2.4). An announcement may have a form
                // that not every session permits; its encoder decides.
                let format = NlriFormat {
                    family,
                    add_path: false,
                    multiple_labels: false,
                    withdrawn: true,
                };
                // Left-over words are an error, because part of the route would be lost.
                words.end().is_some() && destination.is_legal(&format)
            })
            .ok_or(error)?;
        Ok(Self {
            family,
            path_id,
            destination,
        })
    }
}

/// The text is not a route of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseNlriError(pub Family);

impl fmt::Display for ParseNlriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = match (self.0.afi, self.0.safi) {
            _ if self.0.bit() == 0 => "0x0102",
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
        // The families differ so much that an example helps more than a grammar.
        write!(f, "invalid route of {}; example: {example}", self.0)
    }
}

impl core::error::Error for ParseNlriError {}
