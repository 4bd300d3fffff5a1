//! `Speaker`: sessions and the table on tokio. One task a peer, one listener an address; no lock is held across an await.

mod event;
mod flush;
mod link;
mod listen;
mod peer;
mod sockopt;
mod status;
mod transport;

pub use event::{Events, PeerEvent};
pub use status::PeerStatus;
pub use transport::{Dialer, Dialing, TcpDialer, Transport};

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use bgp_wire::{Asn, Family, RouterId};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{LocalConfig, Md5Key, PeerConfig};
use crate::rib::{Replaced, Rib, Route};
use crate::session::Shutdown;
use peer::{Command, PeerTask};

/// A BGP speaker that announces routes to its peers. Cheap to clone; all clones are the same speaker.
///
/// Needs a tokio runtime with I/O and time. Commands return at once: what they ask for is in the table when they
/// return, and on its way to the peers; [`Speaker::flush`] waits until it has arrived. [`Speaker::shutdown`] ends it in
/// good order; when the last clone is dropped, its sessions end by themselves.
#[derive(Clone)]
pub struct Speaker {
    shared: Arc<Shared>,
    _last: Arc<DropGuard>,
}

/// What the tasks of one speaker share.
struct Shared {
    local: LocalConfig,
    rib: Mutex<Rib>,
    /// The table's version: wakes the peers.
    changed: watch::Sender<u64>,
    peers: Mutex<BTreeMap<IpAddr, Peer>>,
    events: broadcast::Sender<PeerEvent>,
    dialer: Arc<dyn Dialer>,
    listeners: Vec<SocketAddr>,
    sockets: Vec<Arc<TcpListener>>,
    seed: u64,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Builds a [`Speaker`].
pub struct SpeakerBuilder {
    local: LocalConfig,
    listen: Vec<SocketAddr>,
    dialer: Arc<dyn Dialer>,
    seed: u64,
    event_capacity: usize,
}

impl SpeakerBuilder {
    /// Also accepts connections on this address; only from configured peers. `[::]` stands for IPv4 too.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen.push(address);
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

    /// How many events a slow receiver may fall behind before it misses the oldest; 1024 unless given.
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Binds every address and starts.
    ///
    /// # Errors
    ///
    /// An address cannot be bound; the error names it.
    pub async fn spawn(self) -> io::Result<Speaker> {
        let mut sockets = Vec::new();
        for address in &self.listen {
            sockets.push(Arc::new(listen::bind(*address)?));
        }
        let listeners = sockets
            .iter()
            .map(|socket| socket.local_addr())
            .collect::<io::Result<_>>()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            local: self.local,
            rib: Mutex::new(Rib::new()),
            changed: watch::Sender::new(0),
            peers: Mutex::new(BTreeMap::new()),
            events: broadcast::Sender::new(self.event_capacity),
            dialer: self.dialer,
            listeners,
            sockets: sockets.clone(),
            seed: self.seed,
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        for socket in sockets {
            shared
                .tasks
                .spawn(listen::accept_all(Arc::clone(&shared), socket));
        }
        let speaker = Speaker {
            shared,
            _last: Arc::new(stop.drop_guard()),
        };
        Ok(speaker)
    }
}

/// A peer of a [`Speaker`].
#[derive(Clone)]
pub struct Peer {
    address: IpAddr,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<PeerStatus>,
}

/// Why a peer was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddPeerError {
    /// There is a peer with this address.
    Exists(IpAddr),
    /// The speaker has been shut down.
    ShutDown,
    /// The MD5 key cannot be set on a listening socket.
    Md5Key(io::ErrorKind),
}

impl fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(address) => write!(f, "there is a peer {address} already"),
            Self::ShutDown => f.write_str("the speaker has been shut down"),
            Self::Md5Key(error) => {
                write!(f, "cannot set the MD5 key on a listening socket: {error}")
            }
        }
    }
}

impl std::error::Error for AddPeerError {}

impl Speaker {
    /// A speaker of this AS with this BGP Identifier.
    #[must_use]
    pub fn builder(asn: Asn, router_id: RouterId) -> SpeakerBuilder {
        SpeakerBuilder {
            local: LocalConfig { asn, router_id },
            listen: Vec::new(),
            dialer: Arc::new(TcpDialer),
            seed: RandomState::new().hash_one(0),
            event_capacity: 1024,
        }
    }

    /// Adds a peer and starts its session.
    ///
    /// # Errors
    ///
    /// There is a peer with this address, or the speaker has been shut down.
    pub fn add_peer(&self, config: PeerConfig) -> Result<Peer, AddPeerError> {
        let address = config.address();
        let mut peers = lock(&self.shared.peers);
        if self.shared.stop.is_cancelled() {
            return Err(AddPeerError::ShutDown);
        }
        if peers.contains_key(&address) {
            return Err(AddPeerError::Exists(address));
        }
        // Before the peer can connect.
        if let Some(key) = &config.md5_key {
            let failed = |error: io::Error| AddPeerError::Md5Key(error.kind());
            self.shared
                .set_md5_key(address, Some(key))
                .map_err(failed)?;
        }
        // A full queue means that the task is behind; who fills it waits or is refused.
        let (commands, receiver) = mpsc::channel(16);
        let (task, status) = PeerTask::new(Arc::clone(&self.shared), config, receiver);
        self.shared.tasks.spawn(task.run());
        let peer = Peer {
            address,
            commands,
            status,
        };
        peers.insert(address, peer.clone());
        Ok(peer)
    }

    /// Ends the session with this peer, with Cease/Peer De-configured, and forgets it; whether there was one.
    pub async fn remove_peer(&self, address: IpAddr) -> bool {
        let removed = lock(&self.shared.peers).remove(&address);
        let Some(peer) = removed else { return false };
        peer.stop(Shutdown::deconfigured()).await;
        // There may be none.
        self.shared.set_md5_key(address, None).ok();
        true
    }

    /// Announces a route, in place of one to the same prefix; whether that changes anything.
    pub fn announce(&self, route: &Route) -> bool {
        self.change(|rib| rib.announce(route))
    }

    /// Withdraws the route to this prefix; whether there was one.
    pub fn withdraw(&self, prefix: IpNet) -> bool {
        self.change(|rib| rib.withdraw(prefix))
    }

    /// Makes `routes` all that is announced.
    pub fn replace<'a>(&self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        // The iterator is the caller's: it must not run under the table's lock.
        let routes: Vec<_> = routes.into_iter().collect();
        self.change(|rib| rib.replace(routes))
    }

    /// Every announced route.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        lock(&self.shared.rib).routes().collect()
    }

    /// How many IPv4 and how many IPv6 routes are announced.
    #[must_use]
    pub fn route_counts(&self) -> (usize, usize) {
        lock(&self.shared.rib).counts()
    }

    /// The announced route to exactly this prefix.
    #[must_use]
    pub fn route(&self, prefix: IpNet) -> Option<Route> {
        lock(&self.shared.rib).route(prefix)
    }

    /// Returns once the kernel of every Established peer has acknowledged what was announced and withdrawn before.
    ///
    /// A peer whose session is not up, or goes down meanwhile, is not waited for: it is sent everything when it is up.
    pub async fn flush(&self) {
        let version = lock(&self.shared.rib).version();
        let peers: Vec<_> = lock(&self.shared.peers).values().cloned().collect();
        for peer in peers {
            let (done, acknowledged) = oneshot::channel();
            if peer
                .commands
                .send(Command::Flush { version, done })
                .await
                .is_ok()
            {
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
        lock(&self.shared.peers).values().cloned().collect()
    }

    /// The peer with this address.
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<Peer> {
        lock(&self.shared.peers).get(&address).cloned()
    }

    /// The addresses that connections are accepted on.
    #[must_use]
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.shared.listeners
    }

    /// Hands over a connection that was accepted elsewhere; whether `remote` is a peer that could take it.
    pub fn accept(&self, transport: impl Transport, remote: IpAddr) -> bool {
        self.shared.accept(Box::new(transport), remote)
    }

    /// Ends every session with `why` and stops; waits at most two seconds for the peers to have read it.
    pub async fn shutdown(&self, why: Shutdown) {
        let peers = std::mem::take(&mut *lock(&self.shared.peers));
        for peer in peers.into_values() {
            peer.stop(why.clone()).await;
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

impl Shared {
    /// On every listening socket of the peer's family.
    fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
        for (socket, address) in self.sockets.iter().zip(&self.listeners) {
            match (address, peer) {
                (SocketAddr::V4(_), IpAddr::V4(_)) | (SocketAddr::V6(_), IpAddr::V6(_)) => {
                    sockopt::set_md5_key(socket.as_fd(), peer, key)?;
                }
                // An IPv6 socket knows IPv4 peers by their mapped addresses.
                (SocketAddr::V6(_), IpAddr::V4(ipv4)) => {
                    sockopt::set_md5_key(socket.as_fd(), ipv4.to_ipv6_mapped().into(), key)?;
                }
                (SocketAddr::V4(_), IpAddr::V6(_)) => {}
            }
        }
        Ok(())
    }

    fn accept(&self, transport: Box<dyn Transport>, remote: IpAddr) -> bool {
        let peer = lock(&self.peers).get(&remote.to_canonical()).cloned();
        peer.is_some_and(|peer| peer.commands.try_send(Command::Accept(transport)).is_ok())
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("local", &self.shared.local)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How the session is.
    #[must_use]
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// Returns the first status from now on that `wanted` accepts; `None` if the peer is removed before.
    pub async fn wait_for(&self, wanted: impl FnMut(&PeerStatus) -> bool) -> Option<PeerStatus> {
        let mut status = self.status.clone();
        status
            .wait_for(wanted)
            .await
            .ok()
            .map(|status| status.clone())
    }

    /// Asks the peer for its routes of `family` once more, if its session is up and it understands that.
    pub async fn refresh(&self, family: Family) {
        self.commands.send(Command::Refresh(family)).await.ok();
    }

    async fn stop(&self, why: Shutdown) {
        self.commands.send(Command::Stop(why)).await.ok();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.address).finish()
    }
}

/// A lock whose holder panicked holds what it held before: every change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
