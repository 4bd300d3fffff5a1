//! `Speaker`: runs sessions and the table on tokio, with one task per peer and one per listener.
//!
//! No lock is held across an await. [`Peering`](crate::Peering) decides what a peer is sent and when.

#[cfg(feature = "serde")]
mod age;
mod builder;
mod command;
mod dynamic_peers;
mod error;
mod event;
mod events;
mod flush;
mod handle;
mod hops;
mod interface;
mod keys;
mod link;
mod listen;
mod listeners;
mod log;
#[cfg(all(feature = "netlink", target_os = "linux"))]
mod netlink;
mod peer;
mod peer_error;
mod registry;
mod shared;
mod sockopt;
mod status;
mod support;
mod transport;
mod update;

pub use builder::SpeakerBuilder;
pub use dynamic_peers::DynamicPeers;
pub use error::{AddPeerError, KeyError, SpawnError, SpeakerShutDown};
pub use event::{Refusal, RemovalReason, SpeakerEvent};
pub use events::Events;
pub use flush::FlushReport;
pub use handle::Peer;
pub use peer_error::{LastNotification, PeerError};
pub use status::PeerStatus;
pub use support::TransportOption;
pub use transport::{Dialer, Dialing, TcpDialer, Transport};
pub use update::PeerUpdate;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgp_wire::{Asn, Family, PathId, RouterId};
use ipnet::IpNet;
use tokio_util::sync::DropGuard;

use crate::config::{ConfigError, LocalConfig, PeerChange, PeerConfig};
use crate::destination::Destination;
use crate::rib::{Replaced, Rib, SharedRoute, Wanted};
use crate::route::Route;
use crate::session::Shutdown;
use registry::Registry;
use shared::{Shared, lock};

/// A BGP speaker that announces routes to its peers. Cheap to clone: all clones are the same speaker.
///
/// All tasks run on the tokio runtime of [`SpeakerBuilder::spawn`] and end with it. It needs I/O and time enabled: without one
/// of them, the tasks panic. Methods may be called on any thread unless they have a section `# Panics`.
///
/// Commands take effect at once and do not wait for the peers; [`Speaker::flush`] waits until the peers have acknowledged the
/// changes. [`Speaker::shutdown`] ends the sessions with a reason. When the last clone is dropped, they end with
/// Cease/Administrative Shutdown.
///
/// ```no_run
/// use bgp_session::{AddPeerError, LocalConfig, Peer, PeerConfig, PeerStatus, PeerUpdate, Route, Shutdown, Speaker};
/// use bgp_session::{SpeakerBuilder, TcpDialer};
/// use bgp_wire::Asn;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let builder: SpeakerBuilder = Speaker::builder(Asn::new(64512), "192.168.0.111".parse()?);
/// let speaker = builder
///     .with_listener("[::]:179".parse()?)
///     .with_device_listener("10.0.0.1:179".parse()?, "vrf-blue")
///     .with_dialer(TcpDialer) // unless another one is given
///     .with_event_capacity(1024)
///     .with_seed(7) // the same jitter in every run
///     .with_restarting(true) // no End-of-RIB before `restored`
///     .spawn()
///     .await?;
/// speaker.add_listener("10.0.0.1:1790".parse()?, None)?;
/// println!("listening on {:?}", speaker.listeners());
/// speaker.remove_listener("10.0.0.1:179".parse()?, Some("vrf-blue"));
///
/// let router_id = "192.168.0.112".parse()?;
/// speaker.set_local(LocalConfig::new(speaker.local().asn, router_id))?;
///
/// let config = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
/// let router: Peer = match speaker.add_peer(config.clone()) {
///     Err(AddPeerError::Exists(_)) => return Ok(()),
///     added => added?,
/// };
/// let routes = [Route::new("192.168.10.1/32".parse()?), Route::new("192.168.10.2/32".parse()?)];
/// speaker.announce_all(&routes)?;
/// speaker.restored();
/// for (family, count) in speaker.route_counts() {
///     println!("{count} routes of {family}");
/// }
///
/// let PeerStatus { state, up_to_date, .. } = router.status();
/// println!("{state}, {up_to_date}");
/// router.reset("for the new key");
/// router.stop(Shutdown::administrative("maintenance until noon"));
/// router.start();
/// let update: PeerUpdate = speaker.update_peer(config.with_passive(true))?;
/// if !update.resets() {
///     update.apply()?;
/// }
/// speaker.withdraw_path(routes[1].destination(), bgp_wire::PathId(1))?;
/// // At most ten peers that connect from this prefix.
/// let template = PeerConfig::new("10.1.0.0".parse()?, Asn::new(64512));
/// speaker.add_dynamic_peers("10.1.0.0/16".parse()?, template, 10)?;
/// let [known] = &speaker.dynamic_peers()[..] else { return Ok(()) };
/// let template = known.template.clone().with_passive(true);
/// speaker.update_dynamic_peers(known.prefix, template, 2 * known.present)?;
/// speaker.remove_dynamic_peers("10.1.0.0/16".parse()?).await;
/// for peer in speaker.peers() {
///     speaker.remove_peer(peer.address()).await;
/// }
/// speaker.shutdown(Shutdown::administrative("")).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Speaker {
    registry: Arc<Registry>,
    shared: Arc<Shared>,
    // Cancels `stop` when the last clone is dropped. The tasks hold the registry, so its own drop would come too late.
    _stop_on_drop: Arc<DropGuard>,
}

impl Speaker {
    fn new(shared: Arc<Shared>, local: LocalConfig, stop_on_drop: DropGuard) -> Self {
        Self {
            registry: Arc::new(Registry::new(Arc::clone(&shared), local)),
            shared,
            _stop_on_drop: Arc::new(stop_on_drop),
        }
    }

    /// Returns the builder of a speaker with this AS number and BGP Identifier.
    #[must_use]
    pub fn builder(asn: Asn, router_id: RouterId) -> SpeakerBuilder {
        SpeakerBuilder::new(asn, router_id)
    }

    /// Returns the AS number and the BGP Identifier of the speaker.
    #[must_use]
    pub fn local(&self) -> LocalConfig {
        self.registry.local()
    }

    /// Replaces the AS number and the BGP Identifier of the speaker.
    ///
    /// Resets the sessions whose OPEN changes, with Cease/Other Configuration Change. A peer with its own
    /// [`PeerConfig::router_id`] and [`PeerConfig::local_as`] keeps its session.
    ///
    /// # Errors
    ///
    /// The AS number is 0. Nothing changes.
    pub fn set_local(&self, local: LocalConfig) -> Result<(), ConfigError> {
        self.registry.set_local(local)
    }

    /// Adds a peer and starts its session.
    ///
    /// # Errors
    ///
    /// The configuration is not possible, a peer with this address already exists, the key cannot be used, or the speaker is
    /// shut down.
    pub fn add_peer(&self, config: PeerConfig) -> Result<Peer, AddPeerError> {
        self.registry.add_peer(config)
    }

    /// Accepts connections from `prefix` as dynamic peers, at most `limit` at a time, configured from `template`.
    ///
    /// If several prefixes contain an address, the longest applies. A dynamic peer is passive. It is removed when its session
    /// has ended and its stale routes have expired.
    ///
    /// # Errors
    ///
    /// The template is not possible, dynamic peers with this prefix already exist, the key of the template cannot be used, or
    /// the speaker is shut down.
    pub fn add_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<(), AddPeerError> {
        self.registry.add_dynamic_peers(prefix, template, limit)
    }

    /// Prepares a new configuration for a peer. Returns a [`PeerUpdate`] that reports the differences and the need for a
    /// reset, and takes effect when it is applied.
    ///
    /// # Errors
    ///
    /// The configuration is not possible, no peer has this address, or the new key cannot be used.
    pub fn update_peer(&self, config: PeerConfig) -> Result<PeerUpdate, AddPeerError> {
        PeerUpdate::new(Arc::clone(&self.registry), config)
    }

    /// Removes a peer and ends its session with Cease/Peer De-configured. Returns `false` if no peer has this address.
    ///
    /// Completes after the peer's last events have been sent.
    ///
    /// # Cancel safety
    ///
    /// The first poll removes the peer. Dropping the future afterwards only ends the wait.
    pub async fn remove_peer(&self, address: IpAddr) -> bool {
        // All state changes before the first await, so that a dropped future leaves no half-removed peer.
        let removed = self.registry.remove_peer(address);
        if let Some(peer) = &removed {
            peer.ended().await;
        }
        removed.is_some()
    }

    /// Replaces the template and the limit of dynamic peers. Returns the differences between the templates.
    ///
    /// Present peers get the new configuration, as from [`Speaker::update_peer`]. A smaller limit removes no present peer.
    ///
    /// # Errors
    ///
    /// The template is not possible, no dynamic peers have this prefix, or the key of the template cannot be used. An error
    /// leaves everything unchanged.
    pub fn update_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<PeerChange, AddPeerError> {
        self.registry.update_dynamic_peers(prefix, template, limit)
    }

    /// Returns the dynamic peers of every prefix, longest prefix first.
    #[must_use]
    pub fn dynamic_peers(&self) -> Vec<DynamicPeers> {
        self.registry.dynamic_peers()
    }

    /// No longer accepts dynamic peers from this prefix, and removes the present ones like [`Speaker::remove_peer`]. Returns
    /// `false` if the prefix is unknown.
    ///
    /// # Cancel safety
    ///
    /// The first poll removes the prefix and its peers. Dropping the future afterwards only ends the wait.
    pub async fn remove_dynamic_peers(&self, prefix: IpNet) -> bool {
        let removed = self.registry.remove_dynamic_peers(prefix);
        for peer in removed.iter().flatten() {
            peer.ended().await;
        }
        removed.is_some()
    }

    /// Announces a route. Replaces a route with the same destination and path identifier. Returns `true` if the table
    /// changed.
    ///
    /// # Errors
    ///
    /// The speaker is shut down.
    pub fn announce(&self, route: &Route) -> Result<bool, SpeakerShutDown> {
        self.change(|rib| rib.announce(route))
    }

    /// Announces routes. All of them enter the table before a peer is sent any. Returns the number of routes that changed the
    /// table.
    ///
    /// # Errors
    ///
    /// The speaker is shut down.
    pub fn announce_all<'a>(
        &self,
        routes: impl IntoIterator<Item = &'a Route>,
    ) -> Result<usize, SpeakerShutDown> {
        // The caller's iterator must not run under the table's lock: it may block, or call this speaker again.
        let routes: Vec<_> = routes.into_iter().collect();
        self.change(|rib| routes.iter().filter(|route| rib.announce(route)).count())
    }

    /// Withdraws every route to this destination. Returns `true` if at least one was announced.
    ///
    /// # Errors
    ///
    /// The speaker is shut down.
    pub fn withdraw(&self, destination: impl Into<Destination>) -> Result<bool, SpeakerShutDown> {
        let destination = destination.into();
        self.change(|rib| rib.withdraw(destination))
    }

    /// Withdraws the route to this destination with this path identifier. Returns `true` if it was announced.
    ///
    /// # Errors
    ///
    /// The speaker is shut down.
    pub fn withdraw_path(
        &self,
        destination: impl Into<Destination>,
        path_id: PathId,
    ) -> Result<bool, SpeakerShutDown> {
        let destination = destination.into();
        self.change(|rib| rib.withdraw_path(destination, path_id))
    }

    /// Replaces all announced routes with `routes`. Returns the numbers of changes.
    ///
    /// # Errors
    ///
    /// The speaker is shut down.
    pub fn replace<'a>(
        &self,
        routes: impl IntoIterator<Item = &'a Route>,
    ) -> Result<Replaced, SpeakerShutDown> {
        // Outside the lock for the same reason as in `announce_all`, and because sorting takes time.
        let wanted = Wanted::new(routes);
        self.change(|rib| rib.replace_with(wanted))
    }

    /// Ends a restart: declares that every earlier route has been announced again. Peers are then sent End-of-RIB (see
    /// [`SpeakerBuilder::with_restarting`]).
    pub fn restored(&self) {
        // RFC 4724 section 4.1: the Restart State bit is for sessions that start before the table is complete. No other
        // memory depends on the flag, so that relaxed order is enough.
        self.shared.restarting.store(false, Ordering::Relaxed);
        // After a shutdown no session is left that would be sent End-of-RIB.
        self.change(|rib| rib.set_complete(true)).ok();
    }

    /// Asks every present and future peer to prefer the routes of other speakers because this one will stop, or ends that
    /// request (RFC 8326).
    pub fn drain(&self, draining: bool) {
        // `send` would discard the value while no peer listens; later peers must see it.
        self.shared.draining.send_replace(draining);
    }

    /// Returns every announced route.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        // The attributes are copied after the lock is released, for which all peers wait.
        let shared: Vec<_> = lock(&self.shared.rib).shared_routes().collect();
        shared.into_iter().map(SharedRoute::into_route).collect()
    }

    /// Returns the number of announced routes of each family. Omits families without routes.
    #[must_use]
    pub fn route_counts(&self) -> Vec<(Family, usize)> {
        lock(&self.shared.rib).counts().collect()
    }

    /// Returns the announced route to exactly this destination, or `None`. Of several, returns the one with the lowest path
    /// identifier.
    #[must_use]
    pub fn route(&self, destination: impl Into<Destination>) -> Option<Route> {
        let destination = destination.into();
        lock(&self.shared.rib).route(destination)
    }

    /// Waits until the kernel of every Established peer has acknowledged all earlier announcements and withdrawals. Returns the
    /// outcome at every peer, with the numbers of routes that it is not sent.
    ///
    /// Later changes do not prolong the wait. A route that changed again before it was sent is not waited for; see
    /// [`FlushOutcome::Acknowledged`](crate::FlushOutcome::Acknowledged).
    ///
    /// Does not wait for a peer whose session is not up or goes down meanwhile: its next session gets the whole table. A peer
    /// that reads nothing ends its session by [`PeerConfig::with_send_hold_time`]; [`Speaker::flush_within`] waits for less.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only ends the wait. The routes are sent in any case.
    pub async fn flush(&self) -> FlushReport {
        FlushReport::collect(self.peers(), std::future::pending()).await
    }

    /// Waits like [`Speaker::flush`], at most for `timeout`. Peers that have not acknowledged everything by then are
    /// [`FlushOutcome::Pending`](crate::FlushOutcome::Pending).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only ends the wait. The routes are sent in any case.
    ///
    /// # Panics
    ///
    /// Panics if it is called outside of a tokio runtime.
    pub async fn flush_within(&self, timeout: Duration) -> FlushReport {
        FlushReport::collect(self.peers(), tokio::time::sleep(timeout)).await
    }

    /// Looks the addresses of the interfaces up again, which are next hops of routes of the address family that a session does
    /// not run over. They are also looked up when a session becomes Established.
    ///
    /// Not needed on Linux with the feature `netlink`, which does this when an address changes.
    pub fn refresh_addresses(&self) {
        self.shared.refresh_addresses();
    }

    /// Returns a receiver of all events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.broadcast.subscribe())
    }

    /// Returns every peer, ordered by address.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.registry.peers()
    }

    /// Returns the peer with this address, or `None`.
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<Peer> {
        self.registry.peer(address)
    }

    /// Adds a listener. If `device` is given, it accepts only connections that arrive through this interface or VRF. `[::]`
    /// also accepts IPv4. Returns the bound address, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, the key of a peer cannot be set on the socket, or the speaker is shut down.
    ///
    /// # Panics
    ///
    /// Panics if the runtime of the speaker has no I/O enabled. Nothing changes then.
    pub fn add_listener(
        &self,
        address: SocketAddr,
        device: Option<&str>,
    ) -> io::Result<SocketAddr> {
        self.registry.add_listener(address, device)
    }

    /// Closes the listener with this address and device. Sessions stay up. Returns `false` if no listener matches.
    pub fn remove_listener(&self, address: SocketAddr, device: Option<&str>) -> bool {
        self.registry.remove_listener(address, device)
    }

    /// Returns the bound addresses of the listeners.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        self.registry.listeners()
    }

    /// Takes over a connection from `remote` that the application has accepted.
    ///
    /// Returns before the session has looked at the connection. If the session does not accept it, the connection is closed
    /// and reported as [`SpeakerEvent::ConnectionRefused`].
    ///
    /// # Errors
    ///
    /// `remote` is neither a peer nor in a prefix of dynamic peers, the limit of that prefix is reached, or 16 connections of
    /// the peer already wait.
    pub fn accept(&self, transport: impl Transport, remote: IpAddr) -> Result<(), Refusal> {
        self.registry.accept(remote, |_| Ok(Box::new(transport)))
    }

    /// Ends every session with the reason `why` and stops the speaker.
    ///
    /// Waits up to two seconds for the peers to read the reason.
    ///
    /// # Cancel safety
    ///
    /// The first poll ends the sessions, and nothing can be added or announced afterwards. Dropping the future then only ends
    /// the wait.
    ///
    /// # Panics
    ///
    /// Panics if it is polled outside of a tokio runtime.
    pub async fn shutdown(&self, why: Shutdown) {
        self.registry.close(&why);
        // `wait` needs a closed tracker, which still accepts the tasks of connections that linger.
        self.shared.tasks.close();
        tokio::time::timeout(SHUTDOWN_TIMEOUT, self.shared.tasks.wait())
            .await
            .ok();
        self.shared.stop.cancel();
    }

    fn change<T>(&self, change: impl FnOnce(&mut Rib) -> T) -> Result<T, SpeakerShutDown> {
        if self.shared.is_closed() {
            return Err(SpeakerShutDown);
        }
        let mut rib = lock(&self.shared.rib);
        let result = change(&mut rib);
        let version = rib.version();
        // Unlocked before the peers wake, because the first thing they need is this lock.
        drop(rib);
        self.shared
            .changed
            .send_if_modified(|known| std::mem::replace(known, version) != version);
        Ok(result)
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("local", &self.local())
            .finish_non_exhaustive()
    }
}

/// The maximum time of a shutdown. Longer than the second that a connection may linger and that the application may take for
/// the last events of a peer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
