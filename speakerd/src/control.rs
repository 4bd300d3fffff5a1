//! The control socket: one JSON object a line each way, over a Unix socket.
//!
//! What can be asked is described once, in `protocol.rs`, for both ends.

mod client;
mod protocol;
mod server;

pub use client::{Client, ClientError, Granted};
pub(crate) use protocol::Answer;
pub use protocol::{
    Allocate, Allocated, Announce, Changed, ControlError, ErrorCode, Nothing, PeerInfo, Release,
    Remaining, Reply, Request, RouteInfo, RouteSource, VERSION, Withdraw,
};
pub(crate) use server::{ControlSocket, Handler, serve};
