//! `AnyNlri`: routes of any family, which carry their family and their path identifier.

use core::fmt;

use ipnet::IpNet;

use super::encode::private::Sealed;
use super::encode::{EncodeNlri, NlriValue};
use super::words::Words;
use super::{Destination, DestinationBuf, Nlri, NlriFormat, PathId};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::text::number;

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
        let destination = DestinationBuf::parse(family, &mut words)
            .filter(|destination| {
                // Without several labels the S bit is any.
                let legal = |multiple_labels| {
                    let format = NlriFormat {
                        family,
                        add_path: false,
                        multiple_labels,
                        withdrawn: false,
                    };
                    destination.is_legal(&format)
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
