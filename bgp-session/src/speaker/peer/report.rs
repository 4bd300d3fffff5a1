//! A peer's status and log lines, derived from the events of its session.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use bgp_wire::Reason;
use tokio::sync::watch;

use super::super::status::PeerStatus;
use super::now;
use crate::config::PeerConfig;
use crate::output::{DownReason, SessionEvent, SessionId};
use crate::peering::Peering;
use crate::rib::Skipped;
use crate::session::Session;

pub(super) struct Report {
    peer: IpAddr,
    status: watch::Sender<PeerStatus>,
    /// The session, while it is Established.
    session: Option<SessionId>,
    established_since: Option<Instant>,
    last_error: Option<String>,
    last_down: Option<DownReason>,
    /// The cause of a failed dial, until the session has reported the failure.
    dial_error: Option<String>,
}

impl Report {
    pub(super) fn new(session: &Session) -> (Self, watch::Receiver<PeerStatus>) {
        let config = session.config();
        let peer = config.address();
        let (status, receiver) = watch::channel(PeerStatus {
            address: peer,
            remote_as: config.remote_as(),
            description: config.description().to_owned(),
            state: session.state(),
            negotiated: None,
            established_since: None,
            last_error: None,
            last_down: None,
            statistics: session.statistics().clone(),
            skipped: Skipped::default(),
            up_to_date: false,
            failures: 0,
        });
        let report = Self {
            peer,
            status,
            session: None,
            established_since: None,
            last_error: None,
            last_down: None,
            dial_error: None,
        };
        (report, receiver)
    }

    /// Publishes the configured parts of the status.
    pub(super) fn configure(&self, config: &PeerConfig) {
        self.status.send_modify(|status| {
            status.remote_as = config.remote_as();
            config.description().clone_into(&mut status.description);
        });
    }

    /// Returns the session if it is Established, or `None`.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Records that the task has failed, which ends the session.
    pub(super) fn fail(&mut self, error: &str) {
        self.session = None;
        self.established_since = None;
        self.dial_error = None;
        self.last_error = Some(format!("the peer's task failed: {error}"));
        self.status.send_modify(|status| status.failures += 1);
    }

    /// Keeps the cause of a failed dial for the event that follows.
    pub(super) fn dial_failed(&mut self, error: &io::Error) {
        self.dial_error = Some(format!("cannot connect: {error}"));
    }

    /// Discards the cause of a failed dial.
    pub(super) fn dial_reported(&mut self) {
        self.dial_error = None;
    }

    /// Logs an event and records its effect on the status.
    pub(super) fn follow(&mut self, event: &SessionEvent, peering: &Peering) {
        let peer = self.peer;
        match event {
            SessionEvent::StateChanged { from, to, cause } => {
                tracing::info!(%peer, "{from} -> {to}: {cause}");
            }
            SessionEvent::Up {
                session,
                negotiated,
            } => {
                tracing::info!(%peer, %session, hold_time = %negotiated.hold_time, "up");
                self.session = Some(*session);
                self.established_since = Some(now());
                // `last_down` stays: it is history, while `last_error` is a present problem.
                self.last_error = None;
            }
            SessionEvent::Down {
                session, reason, ..
            } => {
                tracing::warn!(%peer, %session, "down: {reason}");
                self.session = None;
                self.established_since = None;
                self.last_error = Some(reason.to_string());
                self.last_down = Some(reason.clone());
            }
            SessionEvent::Failed { reason } => {
                let error = self.explain(reason, peering.session());
                tracing::info!(%peer, "attempt failed: {error}");
                // RFC 4271 section 6.8: a second connection that loses a collision does not affect the Established one.
                if self.established_since.is_none() {
                    self.last_error = Some(error);
                    self.last_down = Some(reason.clone());
                }
            }
            // The peer controls the number of faults, so that they must not fill the log.
            SessionEvent::UpdateFault(fault) => {
                tracing::debug!(%peer, "{}: {:?}", fault.error, fault.treatment);
            }
            SessionEvent::UnexpectedPathIds(family) => {
                tracing::warn!(
                    %peer, %family,
                    "routes begin with three default routes: probably path identifiers; \
                     help: enable ADD-PATH on both sides or on neither"
                );
            }
            SessionEvent::Refresh(family) => tracing::debug!(%peer, %family, "refresh requested"),
            SessionEvent::StaleRoutesGone(families) => {
                tracing::debug!(%peer, %families, "stale routes removed");
            }
            SessionEvent::StaleRoutesLongLived(families) => {
                tracing::debug!(%peer, %families, "stale routes are long-lived stale now");
            }
            // One line per UPDATE would cost more than its processing.
            SessionEvent::Update(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_)
            | SessionEvent::EndOfRib(_) => {}
        }
    }

    /// Returns the cause of a failed attempt, with details from the driver and the configuration.
    fn explain(&self, reason: &DownReason, session: &Session) -> String {
        // The session only learns that the connection was closed; the system's error is more precise.
        if let Some(error) = &self.dial_error {
            return error.clone();
        }
        let (config, statistics) = (session.config(), session.statistics());
        let refused_for =
            |expected: Reason| matches!(reason, DownReason::Local(it) if it.reason == expected);
        match (reason, statistics.peer_as, statistics.peer_router_id) {
            // RFC 2385 section 2: segments without a valid signature are dropped silently, so that only a timeout shows.
            (DownReason::TimedOut, ..) if config.transport.md5_key.is_some() => {
                format!("{reason}; TCP MD5 is configured: the peer's key may differ")
            }
            (_, Some(peer), _) if refused_for(Reason::BAD_PEER_AS) => {
                let expected = config.remote_as();
                format!("{reason}: its OPEN has AS {peer}, configured is AS {expected}")
            }
            (_, _, Some(peer)) if refused_for(Reason::BAD_BGP_IDENTIFIER) => {
                let ours = config.local(session.local()).router_id;
                format!("{reason}: its OPEN has {peer}, ours is {ours}")
            }
            _ => reason.to_string(),
        }
    }

    /// Publishes the status. Wakes watchers only if more than the counters changed.
    pub(super) fn publish(&self, peering: &Peering) {
        let session = peering.session();
        let negotiated = session.shared_negotiated();
        let (skipped, up_to_date) = (peering.skipped(), peering.is_up_to_date());
        self.status.send_if_modified(|status| {
            // Counters change with every message, which is too often to wake a watcher. `negotiated` changes only with
            // the state.
            let changed = status.state != session.state()
                || status.up_to_date != up_to_date
                || status.established_since != self.established_since
                || status.last_error != self.last_error
                || status.last_down != self.last_down
                || status.skipped != skipped;
            status.statistics = session.statistics().clone();
            status.skipped = skipped;
            status.state = session.state();
            status.negotiated = negotiated;
            status.established_since = self.established_since;
            status.up_to_date = up_to_date;
            status.last_error.clone_from(&self.last_error);
            status.last_down.clone_from(&self.last_down);
            changed
        });
    }
}
