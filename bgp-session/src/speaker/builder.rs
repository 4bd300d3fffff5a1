//! `SpeakerBuilder`: the options of a speaker that cannot change after its start, and its first listeners.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bgp_wire::{Asn, RouterId};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Speaker;
use super::error::{MAX_EVENT_CAPACITY, SpawnError};
use super::event::{EventSenders, SpeakerEvent};
use super::interface::Interfaces;
use super::shared::Shared;
use super::transport::{Dialer, TcpDialer};
use crate::config::LocalConfig;
use crate::rib::Rib;

/// A builder of a [`Speaker`].
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
            local: LocalConfig::new(asn, router_id),
            listeners: Vec::new(),
            dialer: Arc::new(TcpDialer),
            // The standard library keys this hasher randomly, which is enough for jitter.
            seed: RandomState::new().hash_one(0),
            event_capacity: 1024,
            event_sender: None,
            restarting: false,
        }
    }

    /// Adds a listener on this address. `[::]` also accepts IPv4.
    #[must_use]
    pub fn with_listener(mut self, address: SocketAddr) -> Self {
        self.listeners.push((address, None));
        self
    }

    /// Adds a listener on this address for connections that arrive through `device`, an interface or a VRF.
    #[must_use]
    pub fn with_device_listener(mut self, address: SocketAddr, device: impl Into<String>) -> Self {
        self.listeners.push((address, Some(device.into())));
        self
    }

    /// Dials peers with `dialer`, for example through a network namespace or in memory. [`TcpDialer`] by default.
    #[must_use]
    pub fn with_dialer(mut self, dialer: impl Dialer) -> Self {
        self.dialer = Arc::new(dialer);
        self
    }

    /// Sets the seed of all jitter, so that runs can be repeated. Random by default.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the number of events that a receiver of [`Speaker::events`] may fall behind before it loses the oldest: 1 to
    /// 1,048,576. The default is 1024.
    ///
    /// The memory for this number of events is allocated at the start.
    #[must_use]
    pub fn with_event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events;
        self
    }

    /// Also sends every event to `events`, without loss: while the channel is full, peers with pending events are not read.
    ///
    /// If the receiver takes nothing for a hold time, sessions end. The last events of a removed peer are lost if the channel
    /// has no room for them within one second. Refused connections are not reported while the channel is full.
    #[must_use]
    pub fn with_event_sender(mut self, events: mpsc::Sender<SpeakerEvent>) -> Self {
        self.event_sender = Some(events);
        self
    }

    /// Declares that the speaker has restarted and will announce its earlier routes again (RFC 4724 section 4.1).
    ///
    /// Until [`Speaker::restored`], sessions start with the Restart State bit, and no End-of-RIB is sent. `false` by default.
    #[must_use]
    pub fn with_restarting(mut self, restarting: bool) -> Self {
        self.restarting = restarting;
        self
    }

    /// Binds every listener and starts the speaker on the runtime that polls the future.
    ///
    /// # Errors
    ///
    /// An address cannot be bound, our AS number is 0, the capacity for events is out of range, or the calling thread is in no
    /// tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// The future completes at its first poll. Dropping it earlier binds nothing.
    ///
    /// # Panics
    ///
    /// Panics if there is a listener and the runtime has no I/O enabled.
    pub async fn spawn(self) -> Result<Speaker, SpawnError> {
        let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        self.local.validate().map_err(SpawnError::Config)?;
        // A broadcast channel without room panics, and so does one that is too large for the address space.
        if !(1..=MAX_EVENT_CAPACITY).contains(&self.event_capacity) {
            return Err(SpawnError::EventCapacity(self.event_capacity));
        }
        let stop = CancellationToken::new();
        let mut rib = Rib::new();
        // RFC 4724 section 4.1: End-of-RIB would make the peers delete the routes that are not announced again yet.
        rib.set_complete(!self.restarting);
        let shared = Arc::new(Shared {
            runtime,
            changed: watch::Sender::new(rib.version()),
            rib: Mutex::new(rib),
            events: EventSenders {
                broadcast: broadcast::Sender::new(self.event_capacity),
                channel: self.event_sender,
            },
            dialer: self.dialer,
            seed: self.seed,
            restarting: self.restarting.into(),
            interfaces: Interfaces::default(),
            addresses: watch::Sender::new(()),
            draining: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
            closed: false.into(),
        });
        // Created before the listeners: if one cannot be bound, its drop ends those that are already running.
        let speaker = Speaker::new(Arc::clone(&shared), self.local, stop.drop_guard());
        for (address, device) in &self.listeners {
            speaker
                .registry
                .add_listener(*address, device.as_deref())
                .map_err(SpawnError::Listener)?;
        }
        #[cfg(all(feature = "netlink", target_os = "linux"))]
        shared
            .runtime
            .spawn(super::netlink::watch_addresses(Arc::clone(&shared)));
        Ok(speaker)
    }
}
