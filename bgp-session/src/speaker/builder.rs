//! `SpeakerBuilder`: the parts of a speaker that are chosen before it starts.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bgp_wire::{Asn, RouterId};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Speaker;
use super::event::{EventSenders, SpeakerEvent};
use super::shared::Shared;
use super::transport::{Dialer, TcpDialer};
use crate::config::LocalConfig;
use crate::rib::Rib;

/// Builds a [`Speaker`].
pub struct SpeakerBuilder {
    local: LocalConfig,
    listeners: Vec<(SocketAddr, Option<String>)>,
    dialer: Arc<dyn Dialer>,
    seed: u64,
    event_capacity: usize,
    event_sender: Option<mpsc::Sender<SpeakerEvent>>,
    restarting: bool,
}

impl SpeakerBuilder {
    pub(super) fn new(asn: Asn, router_id: RouterId) -> Self {
        Self {
            local: LocalConfig { asn, router_id },
            listeners: Vec::new(),
            dialer: Arc::new(TcpDialer),
            seed: RandomState::new().hash_one(0),
            event_capacity: 1024,
            event_sender: None,
            restarting: false,
        }
    }

    /// Also accepts connections on this address. `[::]` includes IPv4.
    #[must_use]
    pub fn with_listener(mut self, address: SocketAddr) -> Self {
        self.listeners.push((address, None));
        self
    }

    /// Also accepts connections on this address that arrive through `device`, an interface or a VRF.
    #[must_use]
    pub fn with_device_listener(mut self, address: SocketAddr, device: impl Into<String>) -> Self {
        self.listeners.push((address, Some(device.into())));
        self
    }

    /// Makes connections with `dialer`, for example through a namespace or in memory; by TCP unless given.
    #[must_use]
    pub fn with_dialer(mut self, dialer: impl Dialer) -> Self {
        self.dialer = Arc::new(dialer);
        self
    }

    /// Sets the seed of every jitter; random unless given.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many events a slow receiver of [`Speaker::events`] may fall behind before it loses the oldest; 1024 unless
    /// given, at least 1.
    #[must_use]
    pub fn with_event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Also sends every event to `events`, without loss: while the channel is full, peers with pending events are not read.
    ///
    /// A receiver that is late by a hold time loses sessions. The last events of a peer are dropped if the channel has no
    /// room for them within a second.
    #[must_use]
    pub fn with_event_sender(mut self, events: mpsc::Sender<SpeakerEvent>) -> Self {
        self.event_sender = Some(events);
        self
    }

    /// Sets whether the speaker has just restarted and is about to announce its earlier routes again. Its first OPENs have
    /// the R bit then, and no End-of-RIB is sent before [`Speaker::restored`] (RFC 4724 section 4.1).
    #[must_use]
    pub fn with_restarting(mut self, restarting: bool) -> Self {
        self.restarting = restarting;
        self
    }

    /// Binds every listener and starts.
    ///
    /// # Errors
    ///
    /// An address cannot be bound; the error names it.
    pub async fn spawn(self) -> io::Result<Speaker> {
        let stop = CancellationToken::new();
        let mut rib = Rib::new();
        rib.set_complete(!self.restarting);
        let shared = Arc::new(Shared {
            changed: watch::Sender::new(rib.version()),
            rib: Mutex::new(rib),
            events: EventSenders {
                broadcast: broadcast::Sender::new(self.event_capacity),
                channel: self.event_sender,
            },
            dialer: self.dialer,
            seed: self.seed,
            restarting: self.restarting.into(),
            draining: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        // Dropped if an address cannot be bound, which ends the listeners before it.
        let speaker = Speaker::new(shared, self.local, stop.drop_guard());
        for (address, device) in &self.listeners {
            speaker.registry.add_listener(*address, device.as_deref())?;
        }
        Ok(speaker)
    }
}
