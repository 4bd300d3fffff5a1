//! `SpeakerEvent`: the events of a speaker's peers, sessions and listeners, and the channels to the application.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::{broadcast, mpsc};

use crate::output::SessionEvent;

/// An event of a speaker.
///
/// The events of one peer are in order, from [`SpeakerEvent::PeerAdded`] to [`SpeakerEvent::PeerRemoved`]. The events of a
/// later peer with the same address follow them.
///
/// ```
/// use bgp_session::{Refusal, RemovalReason, SessionEvent, SpeakerEvent};
///
/// fn print(event: &SpeakerEvent) {
///     match event {
///         SpeakerEvent::Session { peer, event: SessionEvent::Up { .. }, .. } => println!("{peer} is up"),
///         SpeakerEvent::PeerAdded { peer, prefix: Some(prefix), .. } => println!("{peer} of {prefix} has connected"),
///         SpeakerEvent::PeerRemoved { peer, reason: RemovalReason::ShutDown, .. } => println!("{peer}: we stop"),
///         SpeakerEvent::ConnectionRefused { remote, reason: Refusal::UnknownPeer, .. } => println!("{remote} is no peer"),
///         SpeakerEvent::ListenerFailed { address, error, .. } => println!("{address}: {error}"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum SpeakerEvent {
    /// An event of one peer's session.
    #[non_exhaustive]
    Session {
        /// The peer.
        peer: IpAddr,
        /// The event.
        event: SessionEvent,
    },
    /// A peer was added.
    #[non_exhaustive]
    PeerAdded {
        /// The peer.
        peer: IpAddr,
        /// The prefix of a dynamic peer; `None` for a configured one.
        prefix: Option<IpNet>,
    },
    /// A peer was removed, and its session has ended.
    #[non_exhaustive]
    PeerRemoved {
        /// The peer.
        peer: IpAddr,
        /// The reason.
        reason: RemovalReason,
    },
    /// The peer's task panicked, which is a fault of this program. The session has ended, and the task restarts after a wait.
    ///
    /// If the session was Established, [`SessionEvent::Down`] is reported first.
    #[non_exhaustive]
    PeerFailed {
        /// The peer.
        peer: IpAddr,
        /// The message of the panic.
        error: Arc<str>,
        /// The time until the task restarts.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
        retry_in: Duration,
    },
    /// An incoming connection was refused.
    ///
    /// Any host can cause these events. Each listener and each peer therefore reports at most ten per second, and none while
    /// the channel of [`SpeakerBuilder::with_event_sender`](super::SpeakerBuilder::with_event_sender) is full.
    #[non_exhaustive]
    ConnectionRefused {
        /// The address that the connection came from.
        remote: IpAddr,
        /// The reason.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::text"))]
        reason: Refusal,
    },
    /// A listener cannot accept connections at present. It retries until it can.
    #[non_exhaustive]
    ListenerFailed {
        /// The address of the listener.
        address: SocketAddr,
        /// The first error since connections were last accepted.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::text"))]
        error: Arc<io::Error>,
    },
    /// A listener that failed accepts connections again.
    #[non_exhaustive]
    ListenerRecovered {
        /// The address of the listener.
        address: SocketAddr,
    },
}

/// The reason why a peer was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum RemovalReason {
    /// The application removed the peer, or the prefix of a dynamic peer.
    Deconfigured,
    /// The session of a dynamic peer has ended.
    SessionEnded,
    /// The speaker was shut down or dropped.
    ShutDown,
}

/// The reason why an incoming connection was refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The address is neither that of a peer nor in a prefix of dynamic peers.
    UnknownPeer,
    /// The limit of dynamic peers with this prefix is reached.
    LimitReached(IpNet),
    /// Sixteen connections of the peer already wait for its session.
    TooManyConnections,
    /// The session accepts no connection at present: it waits after a failure, or has enough connections.
    NotAccepted,
    /// The peer's task has failed and has not restarted.
    PeerFailed,
    /// An option of the socket, for example the key, cannot be set.
    Socket(Arc<io::Error>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPeer => f.write_str("unknown peer"),
            Self::LimitReached(prefix) => write!(f, "limit of dynamic peers {prefix} reached"),
            Self::TooManyConnections => f.write_str("too many connections"),
            Self::PeerFailed => f.write_str("the peer's task has failed"),
            Self::NotAccepted => f.write_str("the session accepts no connection now"),
            Self::Socket(error) => write!(f, "cannot set up the connection: {error}"),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Socket(error) => Some(error),
            Self::UnknownPeer
            | Self::LimitReached(_)
            | Self::TooManyConnections
            | Self::PeerFailed
            | Self::NotAccepted => None,
        }
    }
}

/// The senders of a speaker's events.
pub(super) struct EventSenders {
    /// Slow receivers lose the oldest events.
    pub(super) broadcast: broadcast::Sender<SpeakerEvent>,
    /// The channel of `SpeakerBuilder::with_event_sender`, which loses no event of a peer.
    pub(super) channel: Option<mpsc::Sender<SpeakerEvent>>,
}

impl EventSenders {
    /// Sends an event to every receiver of the broadcast.
    pub(super) fn publish(&self, event: SpeakerEvent) {
        // An error means that no receiver exists, which is normal.
        self.broadcast.send(event).ok();
    }

    /// Sends an event that belongs to no peer. Waits while the channel is full.
    pub(super) async fn send(&self, event: SpeakerEvent) {
        if let Some(channel) = &self.channel {
            // An error means that the application has dropped its receiver.
            channel.send(event.clone()).await.ok();
        }
        self.publish(event);
    }

    /// Sends an event that belongs to no peer and may be lost.
    pub(super) fn try_send(&self, event: SpeakerEvent) {
        if let Some(channel) = &self.channel {
            // A listener that waited here would accept no connection while the application is slow.
            // Lost if the channel is full, as `SpeakerEvent::ConnectionRefused` documents.
            channel.try_send(event.clone()).ok();
        }
        self.publish(event);
    }
}

/// Limits the reports of refused connections, so that unknown hosts cannot displace other events.
#[derive(Debug, Default)]
pub(super) struct RefusalLimit {
    next: Option<Instant>,
}

impl RefusalLimit {
    /// Returns `true` if a refusal may be reported now.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        // A fixed interval instead of a token bucket: no burst may build up in a quiet time.
        let allowed = self.next.is_none_or(|next| now >= next);
        if allowed {
            self.next = Some(now + REFUSAL_INTERVAL);
        }
        allowed
    }
}

/// The minimum time between two reports of refused connections by one listener or peer.
const REFUSAL_INTERVAL: Duration = Duration::from_millis(100);
