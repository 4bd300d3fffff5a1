//! A peer's status and log lines: what its session's events mean to people.

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
    /// The cause of a failed dial, while its end is being reported to the session.
    dial_error: Option<String>,
}

impl Report {
    pub(super) fn new(session: &Session) -> (Self, watch::Receiver<PeerStatus>) {
        let config = session.config();
        let peer = config.address();
        let (status, receiver) = watch::channel(PeerStatus {
            address: peer,
            remote_as: config.remote_as(),
            description: config.description_text().to_owned(),
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

    pub(super) fn configure(&self, config: &PeerConfig) {
        self.status.send_modify(|status| {
            status.remote_as = config.remote_as();
            config
                .description_text()
                .clone_into(&mut status.description);
        });
    }

    /// Returns the session, if it is Established.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Notes that the task has failed, which ends the session.
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

    pub(super) fn dial_reported(&mut self) {
        self.dial_error = None;
    }

    /// Logs an event and notes what it changes in the status.
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
                // The end of a second connection beside an Established one is not the session's.
                if self.established_since.is_none() {
                    self.last_error = Some(error);
                    self.last_down = Some(reason.clone());
                }
            }
            SessionEvent::UpdateFault(fault) => {
                tracing::debug!(%peer, "{}: {:?}", fault.error, fault.treatment);
            }
            SessionEvent::Refresh(family) => tracing::debug!(%peer, %family, "refresh requested"),
            SessionEvent::StaleRoutesGone(families) => {
                tracing::debug!(%peer, %families, "stale routes removed");
            }
            SessionEvent::StaleRoutesLongLived(families) => {
                tracing::debug!(%peer, %families, "stale routes are long-lived stale now");
            }
            SessionEvent::Update(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_)
            | SessionEvent::EndOfRib(_) => {}
        }
    }

    /// Returns the cause of a failed attempt, with what the driver and the configuration add to it.
    fn explain(&self, reason: &DownReason, session: &Session) -> String {
        if let Some(error) = &self.dial_error {
            return error.clone();
        }
        let (config, statistics) = (session.config(), session.statistics());
        let refused = |with: Reason| matches!(reason, DownReason::Local(it) if it.reason == with);
        match (reason, statistics.peer_as, statistics.peer_router_id) {
            // The kernel silently drops segments that are signed with another key, or not at all.
            (DownReason::TimedOut, ..) if config.transport.md5_key.is_some() => {
                format!("{reason}; TCP MD5 is configured: the peer's key may differ")
            }
            (_, Some(peer), _) if refused(Reason::BAD_PEER_AS) => {
                let expected = config.remote_as();
                format!("{reason}: its OPEN has AS {peer}, configured is AS {expected}")
            }
            (_, _, Some(peer)) if refused(Reason::BAD_BGP_IDENTIFIER) => {
                let ours = config.local(session.local()).router_id;
                format!("{reason}: its OPEN has {peer}, ours is {ours}")
            }
            _ => reason.to_string(),
        }
    }

    /// Publishes the status. Watchers wake only if more than counters has changed.
    pub(super) fn publish(&self, peering: &Peering) {
        let session = peering.session();
        let negotiated = session.shared_negotiated();
        let (skipped, up_to_date) = (peering.skipped(), peering.is_up_to_date());
        self.status.send_if_modified(|status| {
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
