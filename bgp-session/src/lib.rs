//! BGP sessions for programs that announce routes.
//!
//! - [`Session`] is the protocol without I/O: inputs report events and times, and its outputs are the things to do. It
//!   uses no clock, no socket and no runtime. The same inputs give the same outputs.
//! - [`Rib`] is the table of the routes that the speaker originates. [`AdjRibOut`] is one peer's position in it.
//! - [`Peering`] is a session with such a position: the core of a driver.
//! - [`Speaker`] runs sessions and the table on tokio. It needs the feature `tokio`, which is on by default:
//!
//! ```no_run
//! use bgp_session::{PeerConfig, Route, Speaker};
//! use bgp_wire::Asn;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let speaker = Speaker::builder(Asn::new(64512), "192.168.0.111".parse()?).spawn().await?;
//! speaker.add_peer(PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)))?;
//! speaker.announce(&Route::new("192.168.10.1/32".parse()?))?;
//! # Ok(())
//! # }
//! ```
//!
//! [`fsm`] is the state machine of RFC 4271 as a pure table. [`driver`] tells how to write a driver of your own.
//!
//! With the feature `serde`, status and events implement `Serialize`, and configurations also `Deserialize`. Keys are not
//! serialized.
//!
//! # Errors and panics
//!
//! Impossible values are errors: [`PeerConfig::validate`] finds them, and every entrance calls it. A function that can panic
//! has a section `# Panics`. Every async function has a section `# Cancel safety`.

// docs.rs shows the feature that each item needs. The attribute is unstable, and docs.rs builds with nightly Rust.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adj_rib_in;
mod backoff;
mod collision;
mod config;
mod destination;
pub mod driver;
pub mod fsm;
// Public for the fuzz target, but no API: an ordinary build does not contain it.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod identity;
mod negotiate;
mod output;
mod peering;
mod retry;
mod rib;
mod route;
mod routes;
#[cfg(feature = "serde")]
mod serialize;
mod session;
// The only module that does I/O: the core builds without it.
#[cfg(feature = "tokio")]
mod speaker;
mod stats;
mod timer;
mod withheld;

/// The crates whose types are part of this API. A program that uses them from here needs no versions of its own.
pub use {bgp_wire, bytes, ipnet};

pub use adj_rib_in::{AdjRibIn, ReceivedRoute, RouteChange, Staleness};
pub use config::{
    AoAlgorithm, AoKey, CapabilityError, ChangeEffect, ConfigError, ExportFilter, ExportPolicy,
    FamiliesError, LocalConfig, Md5Key, OpenCheck, PeerChange, PeerConfig, PeerSetting,
    PrefixRange, RemoteAs, RestartConfig, RetryPolicy,
};
pub use destination::{Destination, DestinationError};
pub use fsm::State;
pub use negotiate::{Negotiated, PeerRestart};
pub use output::{
    ConnectionId, DownReason, MalformedUpdate, Output, ReceivedUpdate, SessionEvent, SessionId,
};
pub use peering::{FlushId, FlushOutcome, PeerFlush, Peering};
pub use rib::{AdjRibOut, Replaced, Rib, RibAccess};
pub use route::Route;
pub use session::{NotEstablished, RefreshError, SendError, Session, Shutdown};
#[cfg(feature = "tokio")]
pub use speaker::{
    AddPeerError, Dialer, Dialing, DynamicPeers, Events, FlushReport, KeyError, LastNotification,
    Peer, PeerError, PeerStatus, PeerUpdate, Refusal, RemovalReason, SpawnError, Speaker,
    SpeakerBuilder, SpeakerEvent, SpeakerShutDown, TcpDialer, Transport, TransportOption,
};
pub use stats::{FamilyCounts, MessageCounts, RejectedOpen, Statistics};
pub use timer::Timer;
pub use withheld::{Withheld, WithheldCounts, WithheldReason};

/// Compiles the code of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the code of this crate's README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct CrateReadme;
