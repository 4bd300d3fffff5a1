//! `AnyCommunity`: a community of either kind, as people write it.

use std::fmt;
use std::str::FromStr;

use bgp_wire::{Community, LargeCommunity, ParseCommunityError};
use serde::{Deserialize, Serialize};

/// A community (RFC 1997) or a large community (RFC 8092). Their texts differ in the number of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AnyCommunity {
    /// Two numbers, `64512:100`, or a well-known name, `no-export`.
    Community(Community),
    /// Three numbers, `64512:1:2`.
    Large(LargeCommunity),
}

impl FromStr for AnyCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self::Community)
            .or_else(|_| text.parse().map(Self::Large))
    }
}

impl TryFrom<String> for AnyCommunity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map_err(|error| format!("`{text}` is not a community: {error}"))
    }
}

impl fmt::Display for AnyCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Community(community) => community.fmt(f),
            Self::Large(community) => community.fmt(f),
        }
    }
}

impl From<Community> for AnyCommunity {
    fn from(community: Community) -> Self {
        Self::Community(community)
    }
}

impl From<LargeCommunity> for AnyCommunity {
    fn from(community: LargeCommunity) -> Self {
        Self::Large(community)
    }
}

impl From<AnyCommunity> for String {
    fn from(community: AnyCommunity) -> Self {
        community.to_string()
    }
}
