//! The task of one peer: owns the peer's sockets and channels, and carries out the decisions of its [`Peering`].

mod addresses;
mod attempts;
mod commands;
mod delivery;
mod flushes;
mod report;
mod restart;

use std::future::{pending, poll_fn};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::command::Command;
use super::event::{Refusal, RefusalLimit, RemovalReason, SpeakerEvent};
use super::link::{Link, Progress};
use super::log;
use super::shared::Shared;
use super::status::PeerStatus;
use super::transport::{Dialing, Transport};
use crate::config::{LocalConfig, PeerConfig};
use crate::output::{ConnectionId, Output, SessionEvent};
use crate::peering::Peering;
use crate::session::{Session, Shutdown};
use delivery::Delivery;
use flushes::Flushes;
use report::Report;

/// The reason why [`PeerTask::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer has been removed.
    Removed(RemovalReason),
    /// A dynamic peer has neither a connection nor retained routes.
    Idle,
}

pub(super) struct PeerTask {
    shared: Arc<Shared>,
    address: IpAddr,
    peering: Peering,
    commands: mpsc::UnboundedReceiver<Command>,
    changed: watch::Receiver<u64>,
    addresses: watch::Receiver<()>,
    delivery: Delivery,
    report: Report,
    /// `true` for a dynamic peer, whose task ends with its last connection.
    dynamic: bool,
    /// `true` while this peer is drained (RFC 8326), even if others are not.
    draining: bool,
    all_draining: watch::Receiver<bool>,
    dial: Option<(ConnectionId, Dialing)>,
    links: Vec<Link>,
    flushes: Flushes,
    deadline: Option<Instant>,
    refusal_limit: RefusalLimit,
}

/// The event that woke the task.
enum Wake {
    Command(Option<Command>),
    Dialled(ConnectionId, io::Result<Box<dyn Transport>>),
    Link(usize, Progress),
    Timeout,
    TableChanged,
    AddressesChanged,
    Flush,
    Draining,
    Delivered,
    Abandoned,
}

impl PeerTask {
    /// Creates the task and the receiver of its status. The session does not start yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        local: LocalConfig,
        config: PeerConfig,
        commands: mpsc::UnboundedReceiver<Command>,
        dynamic: bool,
    ) -> (Self, watch::Receiver<PeerStatus>) {
        let address = config.address();
        let session = new_session(&shared, local, config);
        let (report, status) = Report::new(&session);
        let task = Self {
            address,
            peering: Peering::new(session),
            commands,
            changed: shared.changed.subscribe(),
            addresses: shared.addresses.subscribe(),
            delivery: Delivery::new(shared.events.channel.clone()),
            report,
            dynamic,
            draining: false,
            all_draining: shared.draining.subscribe(),
            dial: None,
            links: Vec::new(),
            flushes: Flushes::default(),
            deadline: None,
            refusal_limit: RefusalLimit::default(),
            shared,
        };
        (task, status)
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Starts the session, unless the operator has stopped it.
    pub(super) fn start(&mut self) {
        self.set_draining();
        // A task that failed starts again, but the operator's stop outlasts that.
        if !self.report.is_stopped() {
            self.peering.start(now());
        }
    }

    /// Returns `true` if commands wait.
    pub(super) fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Runs the session until the peer is removed or a dynamic peer is idle. May run again after [`Ended::Idle`].
    pub(super) async fn run(&mut self) -> Ended {
        while let Some(wake) = self.turn().await {
            match wake {
                Wake::Command(Some(Command::Remove(why, reason))) => {
                    self.peering.stop(now(), &why);
                    return Ended::Removed(reason);
                }
                // The speaker was dropped without a shutdown.
                Wake::Command(None) | Wake::Abandoned => {
                    self.peering.stop(now(), &Shutdown::administrative(""));
                    return Ended::Removed(RemovalReason::ShutDown);
                }
                Wake::Command(Some(command)) => self.handle_command(command),
                Wake::Dialled(id, Ok(transport)) => self.connected(id, transport),
                Wake::Dialled(id, Err(error)) => {
                    self.dial = None;
                    // The session reports the failure in `drain_outputs`, and the cause must not reach a later event.
                    self.report.dial_failed(&error);
                    self.peering.handle_error(now(), id, error.kind());
                    self.drain_outputs();
                    self.report.dial_reported();
                }
                Wake::Link(index, progress) => self.progress(index, progress),
                Wake::Timeout => self.peering.handle_timeout(now()),
                Wake::TableChanged => self.peering.handle_table_changed(),
                Wake::AddressesChanged => self.look_up_interface(),
                Wake::Draining => self.set_draining(),
                // The next turn answers the flushes and delivers further events.
                Wake::Flush | Wake::Delivered => {}
            }
        }
        Ended::Idle
    }

    /// Sends the last octets of the session, releases its position in the table and reports the removal of the peer.
    pub(super) async fn finish(&mut self, reason: RemovalReason) {
        self.drain_outputs();
        self.report.publish(&self.peering);
        self.renew_peering();
        let peer = self.address;
        self.emit(SpeakerEvent::PeerRemoved { peer, reason });
        self.delivery.finish().await;
    }

    /// Replaces the peering with a new one that has not started. Releases the position in the table.
    fn renew_peering(&mut self) {
        let session = self.peering.session();
        let (local, config) = (session.local(), session.config().clone());
        self.peering = Peering::new(new_session(&self.shared, local, config));
    }

    /// Does all pending work and waits for the next event. Returns `None` when the task of a dynamic peer can end.
    async fn turn(&mut self) -> Option<Wake> {
        // `wake` prefers timers and commands: without this poll, a flood of either would starve the connections.
        if let Some((index, progress)) = self.poll_links().await {
            self.progress(index, progress);
        }
        // Written before the other work of this turn, so that a single announced route leaves without a delay.
        if self.drain_outputs()
            && self.peering.is_up_to_date()
            && let Some((index, progress)) = self.poll_links().await
        {
            self.progress(index, progress);
            self.drain_outputs();
        }
        self.report.publish(&self.peering);
        self.answer_flushes();
        self.delivery.try_deliver();
        if self.is_over() && !self.has_commands() {
            return None;
        }
        Some(self.wake().await)
    }

    /// Returns `true` for a dynamic peer that has no connection, no retained routes and no undelivered events.
    fn is_over(&self) -> bool {
        self.dynamic
            && self.links.is_empty()
            && self.delivery.is_empty()
            && !self.peering.session().retains_routes()
    }

    /// Returns the progress of the first connection that has made any, without waiting.
    async fn poll_links(&mut self) -> Option<(usize, Progress)> {
        let reads = self.delivery.is_empty();
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

    /// Waits for the next event.
    async fn wake(&mut self) -> Wake {
        // A peering that is behind reads the table whenever the socket has room, so that no change needs to wake it.
        let follows = self.peering.is_up_to_date();
        let flushing = self.peering.awaits_acknowledgement();
        let reads = self.delivery.is_empty();
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
        // The order matters: a command to stop, with its reason, precedes the end of the speaker, and a flood on a connection
        // delays no timer. Every branch is cancel safe: dials, links and undelivered events stay in `self`.
        tokio::select! {
            biased;
            command = self.commands.recv() => Wake::Command(command),
            () = self.shared.stop.cancelled() => Wake::Abandoned,
            () = until(self.deadline) => Wake::Timeout,
            wake = dialled => wake,
            _ = self.changed.changed(), if follows => Wake::TableChanged,
            _ = self.all_draining.changed() => Wake::Draining,
            _ = self.addresses.changed() => Wake::AddressesChanged,
            () = tokio::time::sleep(ACKNOWLEDGEMENT_INTERVAL), if flushing => Wake::Flush,
            () = self.delivery.deliver_next(), if !reads => Wake::Delivered,
            wake = link => wake,
        }
    }

    fn report_refusal(&mut self, reason: Refusal) {
        let remote = self.address;
        log::write_line!(debug, %remote, "connection refused: {reason}");
        // The peer can cause these events: they must not pile up while the application takes none.
        if self.delivery.is_empty() && self.refusal_limit.allows(now()) {
            self.emit(SpeakerEvent::ConnectionRefused { remote, reason });
        }
    }

    fn set_draining(&mut self) {
        let all = *self.all_draining.borrow_and_update();
        self.peering.set_draining(self.draining || all);
    }

    fn connected(&mut self, id: ConnectionId, transport: Box<dyn Transport>) {
        self.dial = None;
        match transport.local_address() {
            Ok(local_address) => {
                self.links.push(Link::new(id, transport));
                self.peering.handle_connected(now(), id, local_address);
            }
            // The peer has reset the connection since it was made.
            Err(_) => {
                let error = io::ErrorKind::ConnectionReset;
                self.peering.handle_error(now(), id, error);
            }
        }
    }

    fn progress(&mut self, index: usize, progress: Progress) {
        let Some(link) = self.links.get_mut(index) else {
            debug_assert!(false, "no link is removed between its poll and this call");
            return;
        };
        match progress {
            Progress::Received => self.peering.handle_bytes(now(), link.id, &mut link.inbound),
            Progress::Written(taken) => self.peering.handle_written(now(), link.id, taken),
            Progress::Closed(error) => {
                let link = self.links.swap_remove(index);
                match error {
                    Some(error) => self.peering.handle_error(now(), link.id, error),
                    None => self.peering.handle_closed(now(), link.id),
                }
            }
        }
    }

    /// Carries out all outputs of the peering. Returns `true` if octets were queued on a connection.
    fn drain_outputs(&mut self) -> bool {
        let mut queued = false;
        loop {
            match self.peering.poll_output(now(), &mut &self.shared.rib) {
                Output::Dial(id) => {
                    let config = self.peering.session().config();
                    self.dial = Some((id, self.shared.dialer.dial(config)));
                }
                Output::Transmit(id, octets) => {
                    if let Some(link) = self.links.iter_mut().find(|link| link.id == id) {
                        link.queue(octets);
                        queued = true;
                    }
                }
                Output::Close(id) => self.close(id),
                Output::Event(event) => {
                    self.report.follow(&event, &self.peering);
                    let is_up = matches!(event, SessionEvent::Up { .. });
                    let peer = self.address;
                    self.emit(SpeakerEvent::Session { peer, event });
                    // Before the first route is sent, so that no route is sent twice.
                    if is_up {
                        self.look_up_interface();
                    }
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return queued;
                }
            }
        }
    }

    /// Sends an event to the application's channel and to every receiver.
    pub(super) fn emit(&mut self, event: SpeakerEvent) {
        self.delivery.push(&event);
        self.shared.events.publish(event);
    }

    fn close(&mut self, id: ConnectionId) {
        self.dial.take_if(|(dialled, _)| *dialled == id);
        if let Some(index) = self.links.iter().position(|link| link.id == id) {
            let link = self.links.swap_remove(index);
            // In a task of its own: the next session must not wait until the peer has read the NOTIFICATION.
            self.shared.tasks.spawn(link.linger());
        }
    }

    /// Answers the flushes that have ended, and cancels those whose callers have given up.
    fn answer_flushes(&mut self) {
        let peering = &mut self.peering;
        for id in self.flushes.take_abandoned() {
            peering.cancel_flush(id);
        }
        if peering.awaits_acknowledgement()
            && let Some(id) = peering.connection_id()
            && let Some(link) = self.links.iter().find(|link| link.id == id)
        {
            peering.handle_unacknowledged(id, link.unacknowledged());
        }
        while let Some((id, flushed)) = peering.poll_flushed() {
            self.flushes.answer(id, flushed);
        }
    }
}

fn new_session(shared: &Shared, local: LocalConfig, config: PeerConfig) -> Session {
    let seed = shared.seed ^ seed_of(config.address());
    let session = Session::from_valid(local, config, now(), seed);
    // RFC 4724 section 4.1: a restarting speaker sets the Restart State bit in its OPEN.
    if shared.restarting.load(Ordering::Relaxed) {
        session.restarted()
    } else {
        session
    }
}

/// Returns a number that differs between the peers of a speaker, so that their timers have different jitter.
fn seed_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        // Peers may differ in either half of their addresses, so that every segment contributes.
        IpAddr::V6(address) => address
            .segments()
            .iter()
            .fold(0, |bits, segment| bits << 8 ^ u64::from(*segment)),
    }
}

/// Returns the time of the runtime, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

/// The interval between queries of the unacknowledged octets during a flush. The kernel has no event for acknowledgements.
const ACKNOWLEDGEMENT_INTERVAL: Duration = Duration::from_millis(1);
