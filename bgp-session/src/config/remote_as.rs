//! `RemoteAs`: the AS numbers that a peer may have.

use std::fmt;
use std::str::FromStr;

use bgp_wire::{Asn, ParseAsnError};

/// The AS numbers that a peer's OPEN may contain.
///
/// An [`Asn`] converts into [`RemoteAs::Is`]. The text forms are the number, `external` and `internal`.
///
/// ```
/// use bgp_session::{PeerConfig, RemoteAs};
/// use bgp_wire::Asn;
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64513));
/// assert_eq!(router.remote_as(), RemoteAs::Is(Asn::new(64513)));
/// let fabric = PeerConfig::new("192.168.0.253".parse()?, RemoteAs::External);
/// assert_eq!(fabric.remote_as().to_string().parse(), Ok(RemoteAs::External));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemoteAs {
    /// This number.
    Is(Asn),
    /// Any number but ours.
    External,
    /// Our number.
    Internal,
}

impl RemoteAs {
    /// Returns the number, or `None` if several are accepted or ours is meant.
    #[must_use]
    pub const fn asn(self) -> Option<Asn> {
        match self {
            Self::Is(asn) => Some(asn),
            Self::External | Self::Internal => None,
        }
    }

    /// Returns `true` if a peer may have the number `remote` while ours is `local`.
    #[must_use]
    pub fn accepts(self, remote: Asn, local: Asn) -> bool {
        match self {
            Self::Is(asn) => remote == asn,
            Self::External => remote != local,
            Self::Internal => remote == local,
        }
    }

    /// Returns `true` if the peer is in our AS, whose number is `local`.
    #[must_use]
    pub fn is_internal(self, local: Asn) -> bool {
        self.accepts(local, local)
    }
}

impl From<Asn> for RemoteAs {
    fn from(asn: Asn) -> Self {
        Self::Is(asn)
    }
}

impl fmt::Display for RemoteAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(asn) => asn.fmt(f),
            Self::External => f.pad("external"),
            Self::Internal => f.pad("internal"),
        }
    }
}

impl FromStr for RemoteAs {
    type Err = ParseAsnError;

    fn from_str(text: &str) -> Result<Self, ParseAsnError> {
        match text {
            "external" => Ok(Self::External),
            "internal" => Ok(Self::Internal),
            _ => text.parse().map(Self::Is),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Asn = Asn::new(64512);
    const OTHER: Asn = Asn::new(64513);

    #[test]
    fn remote_as_accepts_its_numbers() {
        for (remote_as, ours, other) in [
            (RemoteAs::Is(LOCAL), true, false),
            (RemoteAs::Is(OTHER), false, true),
            (RemoteAs::External, false, true),
            (RemoteAs::Internal, true, false),
        ] {
            assert_eq!(remote_as.accepts(LOCAL, LOCAL), ours, "{remote_as}");
            assert_eq!(remote_as.accepts(OTHER, LOCAL), other, "{remote_as}");
            assert_eq!(remote_as.is_internal(LOCAL), ours, "{remote_as}");
            assert_eq!(remote_as.to_string().parse(), Ok(remote_as));
        }
        assert_eq!(RemoteAs::from(OTHER).asn(), Some(OTHER));
        assert_eq!(RemoteAs::External.asn(), None);
        assert!("outside".parse::<RemoteAs>().is_err());
    }
}
