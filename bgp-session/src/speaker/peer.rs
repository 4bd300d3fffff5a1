//! The task of one peer: lets the session decide, and does what it says.

use std::future::{pending, poll_fn};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bgp_wire::Family;
use bytes::BytesMut;
use tokio::sync::{mpsc, oneshot, watch};

use super::event::PeerEvent;
use super::link::{Link, Progress};
use super::status::PeerStatus;
use super::transport::{Dialing, Transport};
use super::{Shared, lock};
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
    dial: Option<(ConnectionId, Dialing)>,
    links: Vec<Link>,
    /// The connection that the session is Established on, and the peer's place in the table.
    established: Option<(ConnectionId, AdjRibOut)>,
    since: Option<Instant>,
    up_to_date: bool,
    flushes: Vec<(u64, oneshot::Sender<()>)>,
    deadline: Option<Instant>,
    last_down: Option<DownReason>,
    last_error: Option<String>,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Dialled(ConnectionId, io::Result<Box<dyn Transport>>),
    Link(usize, Progress),
    Timeout,
    TableChanged,
    Flush,
}

impl PeerTask {
    pub(super) fn new(
        shared: Arc<Shared>,
        config: PeerConfig,
        commands: mpsc::Receiver<Command>,
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
            dial: None,
            links: Vec::new(),
            established: None,
            since: None,
            up_to_date: false,
            flushes: Vec::new(),
            deadline: None,
            last_down: None,
            last_error: None,
            shared,
        };
        (task, receiver)
    }

    pub(super) async fn run(mut self) {
        self.session.start(now());
        loop {
            self.drain();
            self.pull();
            self.publish();
            self.answer_flushes();
            match self.wake().await {
                Wake::Command(Some(Command::Stop(why))) => {
                    self.session.stop(now(), &why);
                    break;
                }
                // Every handle is gone: nobody can ask for anything any more.
                Wake::Command(None) => {
                    self.session.stop(now(), &Shutdown::administrative(""));
                    break;
                }
                Wake::Command(Some(command)) => self.obey(command),
                Wake::Dialled(id, Ok(transport)) => self.connected(id, transport),
                Wake::Dialled(id, Err(error)) => {
                    self.last_error = Some(format!("cannot connect: {error}"));
                    self.session.handle_closed(now(), id);
                }
                Wake::Link(index, progress) => self.progress(index, progress),
                Wake::Timeout => self.session.handle_timeout(now()),
                Wake::TableChanged => self.up_to_date = false,
                Wake::Flush => {}
            }
        }
        self.drain();
        self.publish();
    }

    async fn wake(&mut self) -> Wake {
        let follows = self.established.is_some() && self.up_to_date;
        let flushing = !self.flushes.is_empty();
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
                if let Poll::Ready(progress) = link.poll(context) {
                    return Poll::Ready(Wake::Link(index, progress));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            command = self.commands.recv() => Wake::Command(command),
            wake = dialled => wake,
            wake = link => wake,
            () = until(self.deadline) => Wake::Timeout,
            _ = self.changed.changed(), if follows => Wake::TableChanged,
            () = tokio::time::sleep(ACKNOWLEDGED), if flushing => Wake::Flush,
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
                self.flushes.push((version, done));
                self.up_to_date = false;
            }
            Command::Refresh(family) => {
                self.session.refresh(now(), family).ok();
            }
            Command::Stop(_) => {}
        }
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
            Progress::Written => {}
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
            SessionEvent::Down { session, reason } => {
                tracing::warn!(%peer, %session, "down: {reason}");
                self.down(reason);
            }
            SessionEvent::Failed { reason } => {
                tracing::info!(%peer, "attempt failed: {}", self.explain(reason));
                self.last_error = Some(self.explain(reason));
                self.last_down = Some(reason.clone());
            }
            SessionEvent::UpdateFault(fault) => {
                tracing::debug!(%peer, "{}: {:?}", fault.error, fault.treatment);
            }
            SessionEvent::Refresh(family) => {
                tracing::info!(%peer, %family, "refresh");
                if let Some((_, adj_rib_out)) = &mut self.established {
                    adj_rib_out.refresh(*family);
                    self.up_to_date = false;
                }
            }
            SessionEvent::Update(_) | SessionEvent::EndOfRib(_) => {}
        }
        // Nobody may be listening.
        self.shared.events.send(PeerEvent { peer, event }).ok();
    }

    /// A dial that failed has said more than the session knows.
    fn explain(&self, reason: &DownReason) -> String {
        match (&self.last_error, reason) {
            (Some(error), DownReason::Closed) if error.starts_with("cannot connect") => {
                error.clone()
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
        self.since = Some(now());
        self.up_to_date = false;
        self.last_error = None;
    }

    fn down(&mut self, reason: &DownReason) {
        if let Some((_, adj_rib_out)) = self.established.take() {
            adj_rib_out.close(&mut lock(&self.shared.rib));
        }
        self.since = None;
        self.up_to_date = false;
        self.last_error = Some(reason.to_string());
        self.last_down = Some(reason.clone());
    }

    /// Takes from the table while the socket has room.
    fn pull(&mut self) {
        let Some((id, adj_rib_out)) = &mut self.established else {
            return;
        };
        let Some(link) = self.links.iter_mut().find(|link| link.id == *id) else {
            return;
        };
        if self.up_to_date || link.queued() >= QUEUED {
            return;
        }
        self.changed.mark_unchanged();
        let mut messages = BytesMut::new();
        self.up_to_date = adj_rib_out.pull(&mut lock(&self.shared.rib), &mut messages, QUEUED);
        if !messages.is_empty() && self.session.send(now(), messages.freeze()).is_ok() {
            self.drain();
        }
    }

    fn publish(&self) {
        let negotiated = self.session.negotiated();
        let skipped = self
            .established
            .as_ref()
            .map(|(_, adj_rib_out)| adj_rib_out.skipped())
            .unwrap_or_default();
        self.status.send_if_modified(|status| {
            status.statistics = self.session.statistics().clone();
            status.skipped = skipped;
            let changed = status.state != self.session.state()
                || status.up_to_date != self.up_to_date
                || status.established_since != self.since
                || status.last_error != self.last_error;
            status.state = self.session.state();
            status.negotiated = negotiated.copied();
            status.established_since = self.since;
            status.up_to_date = self.up_to_date;
            status.last_error.clone_from(&self.last_error);
            status.last_down.clone_from(&self.last_down);
            changed
        });
    }

    fn answer_flushes(&mut self) {
        if self.flushes.is_empty() {
            return;
        }
        let Some((id, adj_rib_out)) = &self.established else {
            return self.flushes.clear();
        };
        let Some(link) = self.links.iter().find(|link| link.id == *id) else {
            return self.flushes.clear();
        };
        let Some(version) = adj_rib_out.version().filter(|_| link.unacknowledged() == 0) else {
            return;
        };
        for (_, done) in self
            .flushes
            .extract_if(.., |(wanted, _)| *wanted <= version)
        {
            done.send(()).ok();
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
