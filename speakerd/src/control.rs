//! The control socket: one JSON object a line each way, over a Unix socket.
//!
//! What can be asked is described once, in `protocol.rs`, for both ends.

mod client;
mod prefix;
mod protocol;
mod server;

pub use client::{Client, ClientError, Granted};
pub use prefix::{ParsePrefixError, Prefix};
pub use protocol::{
    Allocate, Allocated, Announce, AnyCommunity, Changed, ControlError, ErrorCode, Nothing,
    PeerInfo, Release, Reply, Request, RouteInfo, RouteSource, VERSION, Withdraw,
};
pub(crate) use protocol::{Answer, parse_origin};
pub(crate) use server::{ControlSocket, Handler, serve};
