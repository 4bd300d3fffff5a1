//! `Speaker`: sessions and the table on tokio. One task a peer, one listener an address; no lock is held across an await.

mod builder;
mod command;
mod dynamic_peers;
mod error;
mod event;
mod handle;
mod keys;
mod link;
mod listen;
mod listeners;
mod peer;
mod registry;
mod shared;
mod sockopt;
mod status;
mod transport;
mod update;

pub use builder::SpeakerBuilder;
pub use dynamic_peers::DynamicPeers;
pub use error::{AddPeerError, KeyError};
pub use event::{Events, Refusal, RemovalReason, SpeakerEvent};
pub use handle::Peer;
pub use status::PeerStatus;
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
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use crate::config::{LocalConfig, PeerChange, PeerConfig};
use crate::destination::Destination;
use crate::rib::{Replaced, Rib, Route};
use crate::session::Shutdown;
use command::Command;
use registry::Registry;
use shared::{Shared, lock};

/// A BGP speaker that announces routes to its peers. Cheap to clone; all clones are the same speaker.
///
/// Needs a tokio runtime with I/O and time. Commands return at once: the change is in the table and on its way to the peers;
/// [`Speaker::flush`] waits until it has arrived. [`Speaker::shutdown`] ends the sessions in good order; when the last clone
/// is dropped, they end by themselves.
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
/// speaker.set_local(LocalConfig { router_id, ..speaker.local() });
///
/// let config = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
/// let router: Peer = match speaker.add_peer(config.clone()) {
///     Err(AddPeerError::Exists(_)) => return Ok(()),
///     added => added?,
/// };
/// let routes = [Route::new("192.168.10.1/32".parse()?), Route::new("192.168.10.2/32".parse()?)];
/// speaker.announce_all(&routes);
/// speaker.restored();
/// for (family, count) in speaker.route_counts() {
///     println!("{count} routes of {family}");
/// }
///
/// let PeerStatus { state, up_to_date, .. } = router.status();
/// println!("{state}, {up_to_date}");
/// router.reset("for the new key");
/// let update: PeerUpdate = speaker.update_peer(config.passive(true))?;
/// if !update.resets() {
///     update.apply()?;
/// }
/// speaker.withdraw_path(routes[1].destination(), bgp_wire::PathId(1));
/// // At most ten peers that connect from this prefix.
/// let template = PeerConfig::new("10.1.0.0".parse()?, Asn::new(64512));
/// speaker.add_dynamic_peers("10.1.0.0/16".parse()?, template, 10)?;
/// let [known] = &speaker.dynamic_peers()[..] else { return Ok(()) };
/// let template = known.template.clone().passive(true);
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
    _last: Arc<DropGuard>,
}

impl Speaker {
    fn new(shared: Arc<Shared>, local: LocalConfig, last: DropGuard) -> Self {
        Self {
            registry: Arc::new(Registry::new(Arc::clone(&shared), local)),
            shared,
            _last: Arc::new(last),
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

    /// Replaces the AS number and the BGP Identifier of the speaker. Sessions whose OPEN that changes are reset with
    /// Cease/Other Configuration Change; those with [`PeerConfig::router_id`] and [`PeerConfig::local_as`] of their own stay.
    pub fn set_local(&self, local: LocalConfig) {
        self.registry.set_local(local);
    }

    /// Adds a peer and starts its session.
    ///
    /// # Errors
    ///
    /// A peer with this address exists, its key cannot be used, or the speaker is shut down.
    pub fn add_peer(&self, config: PeerConfig) -> Result<Peer, AddPeerError> {
        self.registry.add_peer(config)
    }

    /// Accepts connections from `prefix` as dynamic peers, at most `limit` at a time, configured from `template`. The longest
    /// prefix decides. A dynamic peer is passive, and is removed when its session has ended and its stale routes are gone.
    ///
    /// # Errors
    ///
    /// Dynamic peers with this prefix exist, the key of the template cannot be used, or the speaker is shut down.
    pub fn add_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<(), AddPeerError> {
        self.registry.add_dynamic_peers(prefix, template, limit)
    }

    /// Returns the update to another configuration of a peer: what it would change and reset. It takes effect when it is
    /// applied.
    ///
    /// # Errors
    ///
    /// No peer has this address, or its key cannot be used.
    pub fn update_peer(&self, config: PeerConfig) -> Result<PeerUpdate, AddPeerError> {
        PeerUpdate::new(Arc::clone(&self.registry), config)
    }

    /// Removes a peer and ends its session with Cease/Peer De-configured. Returns `false` if there is none. Its last events
    /// have been sent when the future ends; the peer is removed even if the future is dropped before.
    pub async fn remove_peer(&self, address: IpAddr) -> bool {
        let removed = self.registry.remove_peer(address);
        if let Some(peer) = &removed {
            peer.ended().await;
        }
        removed.is_some()
    }

    /// Replaces the template and the limit of dynamic peers. Those that are present get the new configuration, as by
    /// [`Speaker::update_peer`]; none is removed for the sake of a smaller limit. Returns what is different in the template.
    ///
    /// # Errors
    ///
    /// No dynamic peers have this prefix, or the key of the template cannot be used. Nothing is changed then.
    pub fn update_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<PeerChange, AddPeerError> {
        self.registry.update_dynamic_peers(prefix, template, limit)
    }

    /// Returns the prefixes of dynamic peers, the longest first.
    #[must_use]
    pub fn dynamic_peers(&self) -> Vec<DynamicPeers> {
        self.registry.dynamic_peers()
    }

    /// Removes the dynamic peers with this prefix, those that are present like [`Speaker::remove_peer`]. Returns `false` if
    /// the prefix is unknown.
    pub async fn remove_dynamic_peers(&self, prefix: IpNet) -> bool {
        let removed = self.registry.remove_dynamic_peers(prefix);
        for peer in removed.iter().flatten() {
            peer.ended().await;
        }
        removed.is_some()
    }

    /// Announces a route, in place of one with the same destination and path identifier. Returns `true` if that changes
    /// anything.
    pub fn announce(&self, route: &Route) -> bool {
        self.change(|rib| rib.announce(route))
    }

    /// Announces routes, all of which are in the table before a peer is sent one. Returns how many change anything.
    pub fn announce_all<'a>(&self, routes: impl IntoIterator<Item = &'a Route>) -> usize {
        // The iterator is the caller's: it must not run under the table's lock.
        let routes: Vec<_> = routes.into_iter().collect();
        self.change(|rib| routes.iter().filter(|route| rib.announce(route)).count())
    }

    /// Withdraws every route to this destination. Returns `true` if there was one.
    pub fn withdraw(&self, destination: impl Into<Destination>) -> bool {
        let destination = destination.into();
        self.change(|rib| rib.withdraw(destination))
    }

    /// Withdraws one of the routes to this destination. Returns `true` if there was one.
    pub fn withdraw_path(&self, destination: impl Into<Destination>, path_id: PathId) -> bool {
        let destination = destination.into();
        self.change(|rib| rib.withdraw_path(destination, path_id))
    }

    /// Replaces every announced route with `routes`.
    pub fn replace<'a>(&self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        let routes: Vec<_> = routes.into_iter().collect();
        self.change(|rib| rib.replace(routes))
    }

    /// Ends a restart: every route from before it is announced again, and peers are sent End-of-RIB (see
    /// [`SpeakerBuilder::with_restarting`]).
    pub fn restored(&self) {
        self.shared.restarting.store(false, Ordering::Relaxed);
        self.change(|rib| rib.set_complete(true));
    }

    /// Asks every present and future peer to prefer the routes of others, because this speaker is about to stop; or no
    /// longer (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.shared.draining.send_replace(draining);
    }

    /// Returns every announced route.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        lock(&self.shared.rib).routes().collect()
    }

    /// Returns the number of announced routes of each family that has some.
    #[must_use]
    pub fn route_counts(&self) -> Vec<(Family, usize)> {
        lock(&self.shared.rib).counts().collect()
    }

    /// Returns the announced route to exactly this destination; of several the one with the lowest path identifier.
    #[must_use]
    pub fn route(&self, destination: impl Into<Destination>) -> Option<Route> {
        let destination = destination.into();
        lock(&self.shared.rib).route(destination)
    }

    /// Returns once the kernel of every Established peer has acknowledged what was announced and withdrawn before.
    ///
    /// Does not wait for a peer whose session is not up or goes down meanwhile: it is sent everything when it is up.
    pub async fn flush(&self) {
        let version = lock(&self.shared.rib).version();
        for peer in self.peers() {
            let (done, acknowledged) = oneshot::channel();
            if peer.send(Command::Flush { version, done }) {
                // An error means that the session is not up.
                acknowledged.await.ok();
            }
        }
    }

    /// Returns a receiver of the events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.broadcast.subscribe())
    }

    /// Returns every peer, by address.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.registry.peers()
    }

    /// Returns the peer with this address.
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<Peer> {
        self.registry.peer(address)
    }

    /// Accepts connections on one more address, and only those that arrive through `device` if one is given. `[::]`
    /// includes IPv4. Returns the address, with the port that the system has chosen for port 0.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, the key of a peer cannot be set on the socket, or the speaker is shut down.
    pub fn add_listener(
        &self,
        address: SocketAddr,
        device: Option<&str>,
    ) -> io::Result<SocketAddr> {
        self.registry.add_listener(address, device)
    }

    /// Accepts no more connections on this address, through this device. Sessions stay. Returns `false` if there is no such
    /// listener.
    pub fn remove_listener(&self, address: SocketAddr, device: Option<&str>) -> bool {
        self.registry.remove_listener(address, device)
    }

    /// Returns the addresses on which connections are accepted.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        self.registry.listeners()
    }

    /// Hands over a connection that was accepted elsewhere.
    ///
    /// # Errors
    ///
    /// `remote` is no peer, or too many of its connections wait. A connection that its session does not accept is closed and
    /// reported as [`SpeakerEvent::ConnectionRefused`].
    pub fn accept(&self, transport: impl Transport, remote: IpAddr) -> Result<(), Refusal> {
        self.registry.accept(remote, |_| Ok(Box::new(transport)))
    }

    /// Ends every session with `why` and stops. Waits at most two seconds for the peers to have read it; the sessions end
    /// even if the future is dropped before.
    pub async fn shutdown(&self, why: Shutdown) {
        self.registry.close(&why);
        self.shared.tasks.close();
        tokio::time::timeout(Duration::from_secs(2), self.shared.tasks.wait())
            .await
            .ok();
        self.shared.stop.cancel();
    }

    fn change<T>(&self, change: impl FnOnce(&mut Rib) -> T) -> T {
        let mut rib = lock(&self.shared.rib);
        let result = change(&mut rib);
        let version = rib.version();
        drop(rib);
        self.shared
            .changed
            .send_if_modified(|known| std::mem::replace(known, version) != version);
        result
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("local", &self.local())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
