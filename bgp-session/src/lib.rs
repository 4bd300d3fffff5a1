//! BGP sessions: a sans-IO core and the RIB of originated routes.

mod backoff;
mod collision;
mod config;
mod connection;
pub mod fsm;
mod negotiate;
mod output;
mod rib;
mod session;
#[cfg(feature = "tokio")]
mod speaker;
mod stats;
mod timer;

pub use collision::Initiator;
pub use config::{LocalConfig, PeerConfig};
pub use fsm::State;
pub use negotiate::Negotiated;
pub use output::{ConnectionId, DownReason, Output, ReceivedUpdate, SessionEvent, SessionId};
pub use rib::{AdjRibOut, Replaced, Rib, Route, Skipped};
pub use session::{NotEstablished, Session, Shutdown};
#[cfg(feature = "tokio")]
pub use speaker::{
    AddPeerError, Dialer, Dialing, Events, Peer, PeerEvent, PeerStatus, Speaker, SpeakerBuilder,
    TcpDialer, Transport,
};
pub use stats::{MessageCounts, Statistics};
pub use timer::Timer;
