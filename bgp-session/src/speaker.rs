//! `Speaker`: sessions and the table on tokio. One task a peer, one listener an address; no lock is held across an await.

mod builder;
mod event;
mod flush;
mod handle;
mod link;
mod listen;
mod peer;
mod shared;
mod sockopt;
mod status;
mod transport;

pub use builder::SpeakerBuilder;
pub use event::{Events, PeerEvent};
pub use handle::{Peer, PeerUpdate};
pub use shared::AddPeerError;
pub use status::PeerStatus;
pub use transport::{Dialer, Dialing, TcpDialer, Transport};

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgp_wire::{Asn, Family, PathId, RouterId};
use ipnet::IpNet;
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use crate::config::PeerConfig;
use crate::destination::Destination;
use crate::rib::{Replaced, Rib, Route};
use crate::session::Shutdown;
use peer::Command;
use shared::{Shared, lock};

/// A BGP speaker that announces routes to its peers. Cheap to clone; all clones are the same speaker.
///
/// Needs a tokio runtime with I/O and time. Commands return at once: what they ask for is in the table when they
/// return, and on its way to the peers; [`Speaker::flush`] waits until it has arrived. [`Speaker::shutdown`] ends it in
/// good order; when the last clone is dropped, its sessions end by themselves.
///
/// ```no_run
/// use bgp_session::{AddPeerError, Peer, PeerConfig, PeerStatus, PeerUpdate, Route, Shutdown, Speaker};
/// use bgp_session::{SpeakerBuilder, TcpDialer};
/// use bgp_wire::Asn;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let builder: SpeakerBuilder = Speaker::builder(Asn::new(64512), "192.168.0.111".parse()?);
/// let speaker = builder
///     .listen("[::]:179".parse()?)
///     .listen_through("10.0.0.1:179".parse()?, "vrf-blue")
///     .dialer(TcpDialer) // unless another one is given
///     .event_capacity(1024)
///     .seed(7) // the same jitter in every run
///     .restarting() // no End-of-RIB before `restored`
///     .spawn()
///     .await?;
/// println!("listening on {:?}", speaker.listeners());
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
/// router.reset("for the new key").await;
/// let update: PeerUpdate = speaker.update_peer(config.passive(true))?;
/// if !update.resets() {
///     update.apply().await?;
/// }
/// speaker.withdraw_path(routes[1].destination(), bgp_wire::PathId(1));
/// // Everybody who connects from there, ten at the most, until further notice.
/// let anybody = PeerConfig::new("10.1.0.0".parse()?, Asn::new(64512));
/// speaker.add_neighbors("10.1.0.0/16".parse()?, anybody, 10)?;
/// speaker.remove_neighbors("10.1.0.0/16".parse()?).await;
/// for peer in speaker.peers() {
///     speaker.remove_peer(peer.address()).await;
/// }
/// speaker.shutdown(Shutdown::administrative("")).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Speaker {
    shared: Arc<Shared>,
    _last: Arc<DropGuard>,
}

impl Speaker {
    /// A speaker of this AS with this BGP Identifier.
    #[must_use]
    pub fn builder(asn: Asn, router_id: RouterId) -> SpeakerBuilder {
        SpeakerBuilder::new(asn, router_id)
    }

    /// Adds a peer and starts its session.
    ///
    /// # Errors
    ///
    /// There is a peer with this address, its segments cannot be authenticated as it asks, or the speaker has been shut down.
    pub fn add_peer(&self, config: PeerConfig) -> Result<Peer, AddPeerError> {
        self.shared.add_peer(config)
    }

    /// Takes everybody in `prefix` who connects for a peer, at most so many at a time, with this configuration but for the
    /// address. Such a peer is gone when its session is, and its stale routes are.
    ///
    /// # Errors
    ///
    /// There are neighbors with this prefix, segments cannot be authenticated as the configuration asks, or the speaker has
    /// been shut down.
    pub fn add_neighbors(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        most: usize,
    ) -> Result<(), AddPeerError> {
        self.shared.add_neighbors(prefix, template, most)
    }

    /// Another configuration for a peer: says what it would change and reset, and changes it when it is applied.
    ///
    /// # Errors
    ///
    /// There is no peer with this address, or its segments cannot be authenticated as the configuration asks.
    pub fn update_peer(&self, config: PeerConfig) -> Result<PeerUpdate, AddPeerError> {
        PeerUpdate::new(Arc::clone(&self.shared), config)
    }

    /// Ends the session with this peer, with Cease/Peer De-configured, and forgets it; whether there was one. Its last events
    /// are on their way when this returns.
    pub async fn remove_peer(&self, address: IpAddr) -> bool {
        let removed = {
            let mut peers = lock(&self.shared.peers);
            let removed = peers.by_address.remove(&address);
            self.shared.limit_ttl(&peers);
            removed
        };
        let Some(entry) = removed else { return false };
        entry.peer.stop(Shutdown::deconfigured()).await;
        entry.peer.gone().await;
        for listener in &self.shared.listeners {
            listener.forget(address.into());
        }
        true
    }

    /// Admits no more neighbors with this prefix, and ends the sessions with those that there are as [`Speaker::remove_peer`]
    /// does; whether there was such a prefix.
    pub async fn remove_neighbors(&self, prefix: IpNet) -> bool {
        let prefix = prefix.trunc();
        let present: Vec<_> = {
            let mut peers = lock(&self.shared.peers);
            let before = peers.neighbors.len();
            peers.neighbors.retain(|known| known.prefix != prefix);
            if peers.neighbors.len() == before {
                return false;
            }
            self.shared.limit_ttl(&peers);
            let present = peers.by_address.iter();
            let present = present.filter(|(_, entry)| entry.of == Some(prefix));
            present.map(|(address, _)| *address).collect()
        };
        for listener in &self.shared.listeners {
            listener.forget(prefix);
        }
        for address in present {
            self.remove_peer(address).await;
        }
        true
    }

    /// Announces a route, in place of one with the same destination and path identifier. Returns `true` if that changes
    /// anything.
    pub fn announce(&self, route: &Route) -> bool {
        self.change(|rib| rib.announce(route))
    }

    /// Announces routes, all of which are in the table before a peer is sent one; how many change anything.
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

    /// Makes `routes` all that is announced.
    pub fn replace<'a>(&self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        let routes: Vec<_> = routes.into_iter().collect();
        self.change(|rib| rib.replace(routes))
    }

    /// Everything that was announced before the restart is announced again: peers are told so (see
    /// [`SpeakerBuilder::restarting`]).
    pub fn restored(&self) {
        self.shared.restarting.store(false, Ordering::Relaxed);
        self.change(|rib| rib.set_complete(true));
    }

    /// Asks every peer, also those to come, to prefer the routes of others, as this speaker is about to stop; or no longer
    /// (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.shared.draining.send_replace(draining);
    }

    /// Every announced route.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        lock(&self.shared.rib).routes().collect()
    }

    /// The number of announced routes of each family that has some.
    #[must_use]
    pub fn route_counts(&self) -> Vec<(Family, usize)> {
        lock(&self.shared.rib).counts().collect()
    }

    /// The announced route to exactly this destination; of several the one with the lowest path identifier.
    #[must_use]
    pub fn route(&self, destination: impl Into<Destination>) -> Option<Route> {
        let destination = destination.into();
        lock(&self.shared.rib).route(destination)
    }

    /// Returns once the kernel of every Established peer has acknowledged what was announced and withdrawn before.
    ///
    /// A peer whose session is not up, or goes down meanwhile, is not waited for: it is sent everything when it is up.
    pub async fn flush(&self) {
        let version = lock(&self.shared.rib).version();
        for peer in self.peers() {
            let (done, acknowledged) = oneshot::channel();
            if peer.send(Command::Flush { version, done }).await {
                // An error means that the session is not up.
                acknowledged.await.ok();
            }
        }
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.events.subscribe())
    }

    /// Every peer, by address.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        let peers = lock(&self.shared.peers);
        let peers = peers.by_address.values();
        peers.map(|entry| entry.peer.clone()).collect()
    }

    /// The peer with this address.
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<Peer> {
        let peers = lock(&self.shared.peers);
        peers
            .by_address
            .get(&address)
            .map(|entry| entry.peer.clone())
    }

    /// The addresses that connections are accepted on.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        let listeners = self.shared.listeners.iter();
        listeners.map(|listener| listener.address()).collect()
    }

    /// Hands over a connection that was accepted elsewhere; whether `remote` is a peer that could take it.
    pub fn accept(&self, transport: impl Transport, remote: IpAddr) -> bool {
        self.shared.accept(remote, |_| Some(Box::new(transport)))
    }

    /// Ends every session with `why` and stops; waits at most two seconds for the peers to have read it.
    pub async fn shutdown(&self, why: Shutdown) {
        // Before the sessions end: a peer that dials at once would have its connection reset.
        self.shared.close_listeners();
        let peers = std::mem::take(&mut *lock(&self.shared.peers));
        for entry in peers.by_address.into_values() {
            entry.peer.stop(why.clone()).await;
        }
        self.shared.stop.cancel();
        self.shared.tasks.close();
        tokio::time::timeout(Duration::from_secs(2), self.shared.tasks.wait())
            .await
            .ok();
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
            .field("local", &self.shared.local)
            .finish_non_exhaustive()
    }
}
