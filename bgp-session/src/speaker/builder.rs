//! `SpeakerBuilder`: what a speaker is made of.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bgp_wire::{Asn, RouterId};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Speaker;
use super::event::PeerEvent;
use super::shared::Shared;
use super::transport::{Dialer, TcpDialer};
use crate::config::LocalConfig;
use crate::rib::Rib;

/// Builds a [`Speaker`].
pub struct SpeakerBuilder {
    local: LocalConfig,
    listen: Vec<(SocketAddr, Option<String>)>,
    dialer: Arc<dyn Dialer>,
    seed: u64,
    event_capacity: usize,
    deliver: Option<mpsc::Sender<PeerEvent>>,
    restarting: bool,
}

impl SpeakerBuilder {
    pub(super) fn new(asn: Asn, router_id: RouterId) -> Self {
        Self {
            local: LocalConfig { asn, router_id },
            listen: Vec::new(),
            dialer: Arc::new(TcpDialer),
            seed: RandomState::new().hash_one(0),
            event_capacity: 1024,
            deliver: None,
            restarting: false,
        }
    }

    /// Also accepts connections on this address; only from configured peers. `[::]` stands for IPv4 too.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push((address, None));
        self
    }

    /// The same for what arrives through this device only: an interface, or a VRF.
    #[must_use]
    pub fn listen_through(mut self, address: SocketAddr, device: impl Into<String>) -> Self {
        self.listen.push((address, Some(device.into())));
        self
    }

    /// Makes connections with `dialer`: through a namespace, a VRF, a mock.
    #[must_use]
    pub fn dialer(mut self, dialer: impl Dialer) -> Self {
        self.dialer = Arc::new(dialer);
        self
    }

    /// Decides the jitter of every session. Random unless given.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many events a slow receiver of [`Speaker::events`] may fall behind before it misses the oldest; 1024 unless given.
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Sends every event here, too, and none is missed: while there is no room, what has more to say is not read from. A
    /// receiver that is late by a hold time loses sessions. What a peer says last is dropped if nobody takes it within a second.
    #[must_use]
    pub fn deliver(mut self, events: mpsc::Sender<PeerEvent>) -> Self {
        self.deliver = Some(events);
        self
    }

    /// Says that the speaker has just restarted, and is about to announce what it announced before: its first OPENs have the R
    /// bit, and no End-of-RIB is sent before [`Speaker::restored`] (RFC 4724 section 4.1).
    #[must_use]
    pub fn restarting(mut self) -> Self {
        self.restarting = true;
        self
    }

    /// Binds every address and starts.
    ///
    /// # Errors
    ///
    /// An address cannot be bound; the error names it.
    pub async fn spawn(self) -> io::Result<Speaker> {
        let stop = CancellationToken::new();
        let mut rib = Rib::new();
        rib.set_complete(!self.restarting);
        let shared = Arc::new(Shared {
            local: self.local,
            changed: watch::Sender::new(rib.version()),
            rib: Mutex::new(rib),
            events: broadcast::Sender::new(self.event_capacity),
            deliver: self.deliver,
            dialer: self.dialer,
            seed: self.seed,
            restarting: self.restarting.into(),
            draining: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        // Dropped if an address cannot be bound, which ends the listeners before it.
        let speaker = Speaker::new(shared, stop.drop_guard());
        for (address, device) in &self.listen {
            speaker.registry.add_listener(*address, device.as_deref())?;
        }
        Ok(speaker)
    }
}
