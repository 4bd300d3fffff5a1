//! Values that the configuration, the control protocol, the intent and the journal share, with their texts.

mod community;
mod name;
pub(crate) mod origin;
mod prefix;

pub use community::AnyCommunity;
pub use name::{Name, ParseNameError};
pub use prefix::{ParsePrefixError, Prefix};
