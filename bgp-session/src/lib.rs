//! BGP sessions for programs that announce routes.
//!
//! - [`Session`] is the protocol without I/O: it is told what happened and when, and says what to do. It knows no clock,
//!   no socket and no runtime, and the same inputs give the same outputs.
//! - [`Rib`] is the table of routes that the speaker originates, and [`AdjRibOut`] one peer's place in it.
//! - [`Speaker`], with the feature `tokio` (on by default), runs sessions and the table:
//!
//! ```no_run
//! use bgp_session::{PeerConfig, Route, Speaker};
//! use bgp_wire::Asn;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let speaker = Speaker::builder(Asn::new(64512), "192.168.0.111".parse()?).spawn().await?;
//! speaker.add_peer(PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)))?;
//! speaker.announce(&Route::new("192.168.10.1/32".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! [`fsm`] is the state machine of RFC 4271 as a pure table.

mod adj_rib_in;
mod backoff;
mod collision;
mod config;
mod connection;
mod destination;
pub mod fsm;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod identity;
mod negotiate;
mod output;
mod rib;
mod routes;
mod session;
#[cfg(feature = "tokio")]
mod speaker;
mod stats;
mod timer;

pub use adj_rib_in::{AdjRibIn, ReceivedRoute, RouteChange, Staleness};
pub use config::{
    AoAlgorithm, AoKey, ExportPolicy, FamiliesError, LocalConfig, Md5Key, PeerChange, PeerConfig,
    PrefixRange, RestartConfig,
};
pub use destination::{Destination, DestinationError};
pub use fsm::State;
pub use negotiate::{Negotiated, PeerRestart};
pub use output::{ConnectionId, DownReason, Output, ReceivedUpdate, SessionEvent, SessionId};
pub use rib::{AdjRibOut, Replaced, Rib, RibAccess, Route, Skipped};
pub use session::{NotEstablished, Session, Shutdown};
#[cfg(feature = "tokio")]
pub use speaker::{
    AddPeerError, Dialer, Dialing, Events, Peer, PeerEvent, PeerStatus, PeerUpdate, Speaker,
    SpeakerBuilder, TcpDialer, Transport,
};
pub use stats::{FamilyCounts, MessageCounts, Statistics};
pub use timer::Timer;

/// The README's code, compiled.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The code of this crate's README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct CrateReadme;
