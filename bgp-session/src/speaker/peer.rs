//! The task of one peer: lets the session decide, and does what it says.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use bgp_wire::{Family, Reason};
use bytes::BytesMut;
use tokio::sync::{mpsc, oneshot, watch};

use super::event::PeerEvent;
use super::flush::Flushes;
use super::link::{Link, Progress};
use super::shared::{Shared, lock};
use super::status::PeerStatus;
use super::transport::{Dialing, Transport};
use crate::config::PeerConfig;
use crate::output::{ConnectionId, DownReason, Output, SessionEvent};
use crate::rib::AdjRibOut;
use crate::session::{Session, Shutdown};

/// What a peer's task is asked to do.
pub(super) enum Command {
    /// Take this connection, if it is wanted.
    Accept(Box<dyn Transport>),
    /// Say when the table up to this version has been acknowledged.
    Flush {
        version: u64,
        done: oneshot::Sender<()>,
    },
    /// Ask the peer for its routes once more.
    Refresh(Family),
    /// Ask the peer to prefer the routes of others, or no longer.
    Drain(bool),
    /// Another configuration.
    Update(Box<PeerConfig>),
    /// End the session and start it again.
    Reset(Shutdown),
    /// End the session, and the task.
    Stop(Shutdown),
}

pub(super) struct PeerTask {
    shared: Arc<Shared>,
    address: IpAddr,
    session: Session,
    commands: mpsc::Receiver<Command>,
    changed: watch::Receiver<u64>,
    status: watch::Sender<PeerStatus>,
    /// What the application has not taken yet: until it has, nothing more is read.
    undelivered: VecDeque<PeerEvent>,
    /// Which of the speaker's tasks this is.
    number: u64,
    /// The peer is there because it has connected, and goes when it has gone.
    dynamic: bool,
    /// Whether this peer, and whether all, are asked to prefer the routes of others.
    draining: bool,
    all_draining: watch::Receiver<bool>,
    dial: Option<(ConnectionId, Dialing)>,
    links: Vec<Link>,
    /// The connection that the session is Established on, and the peer's place in the table.
    established: Option<(ConnectionId, AdjRibOut)>,
    since: Option<Instant>,
    up_to_date: bool,
    flushes: Flushes,
    /// Families that the peer wants once more, and when the next answer may begin.
    refreshes: Vec<Family>,
    next_refresh: Instant,
    deadline: Option<Instant>,
    last_down: Option<DownReason>,
    last_error: Option<String>,
    /// Why the dial has failed whose end the session is being told.
    dial_error: Option<String>,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Dialled(ConnectionId, io::Result<Box<dyn Transport>>),
    Link(usize, Progress),
    Timeout,
    TableChanged,
    Flush,
    Refresh,
    Draining,
    Delivered,
    Abandoned,
}

impl PeerTask {
    pub(super) fn new(
        shared: Arc<Shared>,
        config: PeerConfig,
        commands: mpsc::Receiver<Command>,
        (number, dynamic): (u64, bool),
    ) -> (Self, watch::Receiver<PeerStatus>) {
        let address = config.address();
        let now = now();
        let bits = match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            // Which half differs between peers is not known: both count.
            IpAddr::V6(address) => address
                .segments()
                .iter()
                .fold(0, |bits, segment| bits << 8 ^ u64::from(*segment)),
        };
        let session = Session::new(shared.local, config, now, shared.seed ^ bits);
        let session = if shared.restarting.load(Ordering::Relaxed) {
            session.restarted()
        } else {
            session
        };
        let status = watch::Sender::new(PeerStatus {
            address,
            remote_as: session.config().remote_as(),
            description: session.config().description_text().to_owned(),
            state: session.state(),
            negotiated: None,
            established_since: None,
            last_error: None,
            last_down: None,
            statistics: session.statistics().clone(),
            skipped: crate::rib::Skipped::default(),
            up_to_date: false,
        });
        let receiver = status.subscribe();
        let task = Self {
            address,
            session,
            commands,
            changed: shared.changed.subscribe(),
            status,
            undelivered: VecDeque::new(),
            number,
            dynamic,
            draining: false,
            all_draining: shared.draining.subscribe(),
            dial: None,
            links: Vec::new(),
            established: None,
            since: None,
            up_to_date: false,
            flushes: Flushes::default(),
            refreshes: Vec::new(),
            next_refresh: now,
            deadline: None,
            last_down: None,
            last_error: None,
            dial_error: None,
            shared,
        };
        (task, receiver)
    }

    pub(super) async fn run(mut self) {
        self.session.start(now());
        loop {
            // Whatever else there is to do, connections are looked at in every turn.
            if let Some((index, progress)) = self.look_at_links().await {
                self.progress(index, progress);
            }
            self.drain();
            // The last of what is new leaves before anything else is done.
            if self.pull()
                && self.up_to_date
                && let Some((index, progress)) = self.look_at_links().await
            {
                self.progress(index, progress);
            }
            self.publish();
            self.answer_flushes();
            self.deliver();
            if self.is_over()
                && self
                    .shared
                    .dismiss(self.address, self.number, &self.commands)
            {
                break;
            }
            match self.wake().await {
                Wake::Command(Some(Command::Stop(why))) => {
                    self.session.stop(now(), &why);
                    break;
                }
                // Whoever removed the peer did not wait until it was told.
                Wake::Command(None) => {
                    self.session.stop(now(), &Shutdown::administrative(""));
                    break;
                }
                Wake::Command(Some(command)) => self.obey(command),
                Wake::Dialled(id, Ok(transport)) => self.connected(id, transport),
                Wake::Dialled(id, Err(error)) => {
                    self.dial = None;
                    self.dial_error = Some(format!("cannot connect: {error}"));
                    self.session.handle_closed(now(), id);
                    self.drain();
                    self.dial_error = None;
                }
                Wake::Link(index, progress) => self.progress(index, progress),
                Wake::Timeout => self.session.handle_timeout(now()),
                Wake::TableChanged => self.up_to_date = false,
                Wake::Draining => self.set_draining(),
                Wake::Flush | Wake::Refresh | Wake::Delivered => {}
                Wake::Abandoned => {
                    self.session.stop(now(), &Shutdown::administrative(""));
                    break;
                }
            }
        }
        self.drain();
        self.publish();
        self.deliver_all().await;
    }

    /// A neighbor that has gone, with everything that was to be kept of it.
    fn is_over(&self) -> bool {
        self.dynamic
            && self.links.is_empty()
            && self.undelivered.is_empty()
            && !self.session.retains_routes()
    }

    /// What a connection has to say right now.
    async fn look_at_links(&mut self) -> Option<(usize, Progress)> {
        let reads = self.undelivered.is_empty();
        poll_fn(|context| {
            let mut links = self.links.iter_mut().enumerate();
            Poll::Ready(
                links.find_map(|(index, link)| match link.poll(context, reads) {
                    Poll::Ready(progress) => Some((index, progress)),
                    Poll::Pending => None,
                }),
            )
        })
        .await
    }

    async fn wake(&mut self) -> Wake {
        let follows = self.established.is_some() && self.up_to_date;
        let flushing = !self.flushes.is_empty();
        // Once the time has come, the end of the last answer is what is waited for.
        let refreshing = !self.refreshes.is_empty() && self.next_refresh > now();
        let next_refresh = self.next_refresh.into();
        let reads = self.undelivered.is_empty();
        let (dial, links) = (&mut self.dial, &mut self.links);
        let dialled = async {
            match dial {
                Some((id, dialing)) => {
                    let result = dialing.await;
                    Wake::Dialled(*id, result)
                }
                None => pending().await,
            }
        };
        let link = poll_fn(|context| {
            for (index, link) in links.iter_mut().enumerate() {
                if let Poll::Ready(progress) = link.poll(context, reads) {
                    return Poll::Ready(Wake::Link(index, progress));
                }
            }
            Poll::Pending
        });
        let (deliver, undelivered) = (self.shared.deliver.as_ref(), &mut self.undelivered);
        let delivered = async {
            let Some(deliver) = deliver else {
                return pending().await;
            };
            match deliver.reserve().await {
                // A place that is given back goes to the next peer that waits for one: it has to be used.
                Ok(place) => {
                    if let Some(event) = undelivered.pop_front() {
                        place.send(event);
                    }
                }
                // Nobody listens any more.
                Err(_) => undelivered.clear(),
            }
        };
        // In this order: an order to stop goes before the end of the speaker, and no flood on a connection keeps timers
        // and orders from being seen.
        tokio::select! {
            biased;
            command = self.commands.recv() => Wake::Command(command),
            () = self.shared.stop.cancelled() => Wake::Abandoned,
            () = until(self.deadline) => Wake::Timeout,
            wake = dialled => wake,
            _ = self.changed.changed(), if follows => Wake::TableChanged,
            _ = self.all_draining.changed() => Wake::Draining,
            () = tokio::time::sleep(ACKNOWLEDGED), if flushing => Wake::Flush,
            () = tokio::time::sleep_until(next_refresh), if refreshing => Wake::Refresh,
            () = delivered, if !reads => Wake::Delivered,
            wake = link => wake,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Accept(transport) => {
                let Ok(local_address) = transport.local_address() else {
                    return;
                };
                if let Some(id) = self.session.accept(now(), local_address) {
                    self.links.push(Link::new(id, transport));
                } else {
                    tracing::debug!(peer = %self.address, "connection refused: the session does not want it now");
                }
            }
            Command::Flush { version, done } => {
                self.flushes.push(version, done);
                self.up_to_date = false;
            }
            Command::Refresh(family) => {
                self.session.refresh(now(), family).ok();
            }
            Command::Drain(draining) => {
                self.draining = draining;
                self.set_draining();
            }
            Command::Update(config) => self.update(*config),
            Command::Reset(why) => {
                self.session.stop(now(), &why);
                self.drain();
                self.session.start(now());
            }
            Command::Stop(_) => {}
        }
    }

    fn set_draining(&mut self) {
        let draining = self.draining || *self.all_draining.borrow_and_update();
        if let Some((_, adj_rib_out)) = &mut self.established {
            adj_rib_out.set_draining(draining);
            self.up_to_date = false;
        }
    }

    fn update(&mut self, config: PeerConfig) {
        let key = config.transport.md5_key.as_ref();
        if self.session.config().transport.md5_key.as_ref() != key {
            self.links
                .iter()
                .for_each(|link| link.set_md5_key(self.address, key));
        }
        let change = self.session.config().change(&config);
        tracing::info!(peer = %self.address, ?change, "configuration");
        self.session.update(now(), config);
        // A reset has given up the place in the table.
        self.drain();
        if let (Some((_, adj_rib_out)), Some(negotiated)) =
            (&mut self.established, self.session.negotiated())
        {
            adj_rib_out.set_policy(self.session.config(), negotiated);
            self.up_to_date = false;
        }
        let description = self.session.config().description_text();
        self.status.send_modify(|status| {
            status.remote_as = self.session.config().remote_as();
            description.clone_into(&mut status.description);
        });
    }

    fn connected(&mut self, id: ConnectionId, transport: Box<dyn Transport>) {
        self.dial = None;
        match transport.local_address() {
            Ok(local_address) => {
                self.links.push(Link::new(id, transport));
                self.session.handle_connected(now(), id, local_address);
            }
            Err(_) => self.session.handle_closed(now(), id),
        }
    }

    fn progress(&mut self, index: usize, progress: Progress) {
        let Some(link) = self.links.get_mut(index) else {
            return;
        };
        match progress {
            Progress::Received => self.session.handle_bytes(now(), link.id, &mut link.inbound),
            Progress::Written(taken) => {
                let left = link.queued();
                self.session.handle_written(now(), link.id, taken, left);
            }
            Progress::Closed => {
                let link = self.links.swap_remove(index);
                self.session.handle_closed(now(), link.id);
            }
        }
    }

    /// Does everything that the session wants done.
    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Dial(id) => {
                    self.dial = Some((id, self.shared.dialer.dial(self.session.config())));
                }
                Output::Transmit(id, octets) => {
                    if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
                        link.queue(octets);
                    }
                }
                Output::Close(id) => self.close(id),
                Output::Event(event) => self.handle_event(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn close(&mut self, id: ConnectionId) {
        if self
            .dial
            .as_ref()
            .is_some_and(|(dialled, _)| *dialled == id)
        {
            self.dial = None;
        }
        if let Some(index) = self.links.iter().position(|link| link.id == id) {
            let link = self.links.swap_remove(index);
            self.shared.tasks.spawn(link.linger());
        }
    }

    fn handle_event(&mut self, event: SessionEvent) {
        let peer = self.address;
        match &event {
            SessionEvent::StateChanged { from, to, cause } => {
                tracing::info!(%peer, "{from} -> {to}: {cause}");
            }
            SessionEvent::Up {
                session,
                negotiated,
            } => {
                tracing::info!(%peer, %session, hold_time = %negotiated.hold_time, "up");
                self.up(negotiated);
            }
            SessionEvent::Down {
                session, reason, ..
            } => {
                tracing::warn!(%peer, %session, "down: {reason}");
                self.down(reason);
            }
            SessionEvent::Failed { reason } => {
                let why = self.explain(reason);
                tracing::info!(%peer, "attempt failed: {why}");
                // A second connection beside an Established one says nothing about the session.
                if self.established.is_none() {
                    self.last_error = Some(why);
                    self.last_down = Some(reason.clone());
                }
            }
            SessionEvent::UpdateFault(fault) => {
                tracing::debug!(%peer, "{}: {:?}", fault.error, fault.treatment);
            }
            SessionEvent::Refresh(family) => {
                tracing::debug!(%peer, %family, "refresh");
                if !self.refreshes.contains(family) {
                    self.refreshes.push(*family);
                }
            }
            SessionEvent::StaleRoutesGone(families) => {
                tracing::debug!(%peer, %families, "stale routes are gone");
            }
            SessionEvent::StaleRoutesLongLived(families) => {
                tracing::debug!(%peer, %families, "stale routes are a last resort");
            }
            SessionEvent::Update(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_)
            | SessionEvent::EndOfRib(_) => {}
        }
        let event = PeerEvent { peer, event };
        if self.shared.deliver.is_some() {
            self.undelivered.push_back(event.clone());
        }
        // Nobody may be listening.
        self.shared.events.send(event).ok();
    }

    /// Gives the application what it has room for.
    fn deliver(&mut self) {
        let Some(deliver) = &self.shared.deliver else {
            return;
        };
        while !self.undelivered.is_empty() {
            match deliver.try_reserve() {
                Ok(permit) => {
                    if let Some(event) = self.undelivered.pop_front() {
                        permit.send(event);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => return,
                Err(mpsc::error::TrySendError::Closed(())) => self.undelivered.clear(),
            }
        }
    }

    /// The task ends: what is left is delivered, if that does not take long.
    async fn deliver_all(&mut self) {
        let Some(deliver) = &self.shared.deliver else {
            return;
        };
        let all = async {
            for event in self.undelivered.drain(..) {
                deliver.send(event).await.ok();
            }
        };
        tokio::time::timeout(LAST_WORDS, all).await.ok();
    }

    /// Why an attempt has failed, with what the driver and the operator know beside.
    fn explain(&self, reason: &DownReason) -> String {
        if let Some(error) = &self.dial_error {
            return error.clone();
        }
        let (config, statistics) = (self.session.config(), self.session.statistics());
        let refused = |with: Reason| matches!(reason, DownReason::Local(it) if it.reason == with);
        match (reason, statistics.peer_as, statistics.peer_router_id) {
            // The system drops what is signed with another key, or not at all, and says nothing.
            (DownReason::TimedOut, ..) if config.transport.md5_key.is_some() => {
                format!("{reason}; TCP MD5 is configured: the peer's key may be another")
            }
            (_, Some(peer), _) if refused(Reason::BAD_PEER_AS) => {
                let expected = config.remote_as();
                format!("{reason}: it says AS {peer}, and is configured as AS {expected}")
            }
            (_, _, Some(peer)) if refused(Reason::BAD_BGP_IDENTIFIER) => {
                let ours = config.local(self.shared.local).router_id;
                format!("{reason}: it says {peer}, and ours is {ours}")
            }
            _ => reason.to_string(),
        }
    }

    fn up(&mut self, negotiated: &crate::negotiate::Negotiated) {
        let Some(id) = self.session.connection_id() else {
            return;
        };
        let adj_rib_out = AdjRibOut::new(
            &mut lock(&self.shared.rib),
            self.session.config(),
            negotiated,
        );
        self.established = Some((id, adj_rib_out));
        self.set_draining();
        self.since = Some(now());
        self.up_to_date = false;
        self.last_error = None;
    }

    fn down(&mut self, reason: &DownReason) {
        if let Some((_, adj_rib_out)) = self.established.take() {
            adj_rib_out.close(&mut lock(&self.shared.rib));
        }
        self.since = None;
        self.refreshes.clear();
        self.up_to_date = false;
        self.last_error = Some(reason.to_string());
        self.last_down = Some(reason.clone());
    }

    /// Takes from the table while the socket has room; whether there is something to write.
    fn pull(&mut self) -> bool {
        let Some((id, adj_rib_out)) = &mut self.established else {
            return false;
        };
        let Some(link) = self.links.iter_mut().find(|link| link.id == *id) else {
            return false;
        };
        // Many requests in a row get few answers: none begins before the last one has left.
        if link.queued() == 0 && now() >= self.next_refresh && !self.refreshes.is_empty() {
            self.refreshes
                .drain(..)
                .for_each(|family| adj_rib_out.refresh(family));
            self.next_refresh = now() + REFRESH_INTERVAL;
            self.up_to_date = false;
        }
        if self.up_to_date || link.queued() >= QUEUED {
            return false;
        }
        self.changed.mark_unchanged();
        let mut messages = BytesMut::new();
        self.up_to_date = adj_rib_out.pull(&mut &self.shared.rib, &mut messages, QUEUED);
        let sends = !messages.is_empty() && self.session.send(now(), messages.freeze()).is_ok();
        if sends {
            self.drain();
        }
        sends
    }

    fn publish(&self) {
        let negotiated = self.session.shared_negotiated();
        let skipped = self
            .established
            .as_ref()
            .map(|(_, adj_rib_out)| adj_rib_out.skipped())
            .unwrap_or_default();
        self.status.send_if_modified(|status| {
            status.statistics = self.session.statistics().clone();
            let changed = status.state != self.session.state()
                || status.up_to_date != self.up_to_date
                || status.established_since != self.since
                || status.last_error != self.last_error
                || status.last_down != self.last_down
                || status.skipped != skipped;
            status.skipped = skipped;
            status.state = self.session.state();
            status.negotiated = negotiated;
            status.established_since = self.since;
            status.up_to_date = self.up_to_date;
            status.last_error.clone_from(&self.last_error);
            status.last_down.clone_from(&self.last_down);
            changed
        });
    }

    fn answer_flushes(&mut self) {
        let established = self.established.as_ref();
        let link = established.and_then(|(id, _)| self.links.iter().find(|link| link.id == *id));
        match (established, link) {
            (Some((_, adj_rib_out)), Some(link)) => {
                self.flushes.answer(adj_rib_out.version(), link);
            }
            // A session that is not up is not waited for.
            _ => self.flushes.clear(),
        }
    }
}

/// The driver's clock, which tests may pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// How many octets may wait for room in the socket before the table is asked for more.
const QUEUED: usize = 64 * 1024;

/// How often to look whether the peer has acknowledged everything, while somebody waits for that.
const ACKNOWLEDGED: Duration = Duration::from_millis(1);

/// How long the application may take for the last events of a peer.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// At least so long between the beginnings of two answers to ROUTE-REFRESH.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
