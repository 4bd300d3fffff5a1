//! `Prefix`: a prefix as people write it, without host bits.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A prefix without host bits. A bare address is the prefix of its full length.
///
/// ```
/// use speakerd::value::Prefix;
/// assert_eq!("192.168.10.1".parse::<Prefix>()?.to_string(), "192.168.10.1/32");
/// assert!("10.0.0.1/24".parse::<Prefix>().is_err());
/// # Ok::<(), speakerd::value::ParsePrefixError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

impl Prefix {
    /// The prefix as a network.
    #[must_use]
    pub fn network(self) -> IpNet {
        self.0
    }
}

impl From<IpNet> for Prefix {
    /// Host bits are cleared.
    fn from(network: IpNet) -> Self {
        Self(network.trunc())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = ParsePrefixError;

    fn try_from(text: String) -> Result<Self, ParsePrefixError> {
        text.parse()
    }
}

/// The text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// It is no address with a length.
    #[error(
        "`{0}` is not a prefix; write an address and a length (192.168.10.1/32, 2001:db8::/64)"
    )]
    Syntax(String),
    /// Bits behind the length are set.
    #[error(
        "`{text}` has bits set behind its length; write {network}, or {host} for the address alone"
    )]
    HostBits {
        /// What was written.
        text: String,
        /// The network that it lies in.
        network: IpNet,
        /// The address alone.
        host: IpNet,
    },
}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.into()));
        }
        let written: IpNet = text
            .parse()
            .map_err(|_| ParsePrefixError::Syntax(text.to_owned()))?;
        let network = written.trunc();
        if network == written {
            Ok(Self(written))
        } else {
            Err(ParsePrefixError::HostBits {
                text: text.to_owned(),
                network,
                host: written.addr().into(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, prefix) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), prefix);
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0/8",
            "example.org",
            "::/129",
            "10.0.0.0/8 ",
        ] {
            assert!(
                matches!(text.parse::<Prefix>(), Err(ParsePrefixError::Syntax(_))),
                "{text}"
            );
        }
        let error = "10.0.0.1/24".parse::<Prefix>().unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("write 10.0.0.0/24, or 10.0.0.1/32 for the address alone")
        );
    }
}
