//! A peer's status and log lines, derived from the events of its session.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use bgp_wire::Reason;
use tokio::sync::watch;

use super::super::log::{self, LogLimit};
use super::super::peer_error::{LastNotification, PeerError};
use super::super::status::PeerStatus;
use super::attempts::Attempts;
use super::now;
use crate::config::PeerConfig;
use crate::output::{DownReason, SessionEvent, SessionId};
use crate::peering::Peering;
use crate::session::{Session, Shutdown};
use crate::withheld::WithheldCounts;

pub(super) struct Report {
    peer: IpAddr,
    status: watch::Sender<PeerStatus>,
    /// The session, while it is Established.
    session: Option<SessionId>,
    established_since: Option<Instant>,
    last_error: Option<(PeerError, Instant)>,
    last_down: Option<DownReason>,
    stopped: Option<Shutdown>,
    last_notification: Option<LastNotification>,
    /// The cause of a failed dial, until the session has reported the failure.
    dial_error: Option<PeerError>,
    malformed_limit: LogLimit,
    attempts: Attempts,
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
            last_error_at: None,
            last_down: None,
            stopped: None,
            last_notification: None,
            statistics: session.statistics().clone(),
            withheld: WithheldCounts::default(),
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
            stopped: None,
            last_notification: None,
            dial_error: None,
            malformed_limit: LogLimit::default(),
            attempts: Attempts::default(),
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

    /// Records that the operator has stopped the session, or has started it again.
    pub(super) fn set_stopped(&mut self, stopped: Option<Shutdown>) {
        self.stopped = stopped;
    }

    /// Returns `true` while the operator has stopped the session.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Records that the task has failed, which ends the session.
    pub(super) fn fail(&mut self, error: &str) {
        self.session = None;
        self.established_since = None;
        self.dial_error = None;
        self.last_error = Some((PeerError::TaskFailed(error.into()), now()));
        self.status.send_modify(|status| status.failures += 1);
    }

    /// Keeps the cause of a failed dial for the event that follows.
    pub(super) fn dial_failed(&mut self, error: &io::Error) {
        self.dial_error = Some(PeerError::Connect {
            kind: error.kind(),
            message: error.to_string().into(),
        });
    }

    /// Discards the cause of a failed dial.
    pub(super) fn dial_reported(&mut self) {
        self.dial_error = None;
    }

    /// Logs an event and records its effect on the status.
    pub(super) fn follow(&mut self, event: &SessionEvent, peering: &Peering) {
        let repeats = self.attempts.repeats(event);
        match event {
            SessionEvent::Up { session, .. } => {
                self.session = Some(*session);
                self.established_since = Some(now());
                // `last_down` stays: it is history, while `last_error` is a present problem.
                self.last_error = None;
            }
            SessionEvent::Down { reason, .. } => {
                self.session = None;
                self.established_since = None;
                self.record_end(PeerError::Down(reason.clone()), reason);
            }
            SessionEvent::Failed { reason } => {
                let error = self.explain(reason, peering.session());
                // An absent peer is dialled every second or two.
                if repeats {
                    log::write_line!(debug, peer = %self.peer, "attempt failed: {error}");
                } else {
                    log::write_line!(info, peer = %self.peer, "attempt failed: {error}");
                }
                // RFC 4271 section 6.8: a second connection that loses a collision does not affect the Established one.
                if self.established_since.is_none() {
                    self.record_end(error, reason);
                } else if let Some(notification) = LastNotification::of(reason, now()) {
                    self.last_notification = Some(notification);
                }
            }
            // RFC 7606 section 6: the routes and the whole message. The peer controls the number of faults, so that they must
            // not fill the log.
            SessionEvent::UpdateFault(malformed) => {
                if let Some(suppressed) = self.malformed_limit.take(now()) {
                    log::write_line!(warn, peer = %self.peer, suppressed, "malformed UPDATE: {malformed}");
                }
            }
            SessionEvent::StateChanged { .. }
            | SessionEvent::Update(_)
            | SessionEvent::RoutesIgnored { .. }
            | SessionEvent::UnexpectedPathIds(_)
            | SessionEvent::Refresh(_)
            | SessionEvent::Withheld(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_)
            | SessionEvent::EndOfRib(_)
            | SessionEvent::StaleRoutesGone(_)
            | SessionEvent::StaleRoutesLongLived(_) => {}
        }
        log_event(self.peer, event, repeats);
    }

    /// Records the end of the session or of an attempt.
    fn record_end(&mut self, error: PeerError, reason: &DownReason) {
        let now = now();
        self.last_error = Some((error, now));
        self.last_down = Some(reason.clone());
        // A connection that ends without a NOTIFICATION must not hide the reason that the peer gave before.
        if let Some(notification) = LastNotification::of(reason, now) {
            self.last_notification = Some(notification);
        }
    }

    /// Returns the cause of a failed attempt, with details from the driver and the configuration.
    fn explain(&self, reason: &DownReason, session: &Session) -> PeerError {
        let config = session.config();
        let rejected = session.statistics().rejected_open.unwrap_or_default();
        if let (DownReason::ConnectFailed { .. }, Some(error)) = (reason, &self.dial_error) {
            // The session only learns the kind of the error; the system's text is more precise.
            return error.clone();
        }
        let reason = reason.clone();
        // RFC 2385 section 2: segments without a valid signature are dropped silently, so that only a timeout shows.
        if reason == DownReason::TimedOut && config.transport.md5_key.is_some() {
            return PeerError::KeyMayDiffer(reason);
        }
        let refused = refusal(&reason);
        if refused == Some(Reason::BAD_PEER_AS)
            && let (Some(asn), Some(my_as)) = (rejected.asn, rejected.my_as)
        {
            let configured = config.remote_as();
            return PeerError::WrongAs {
                reason,
                asn,
                my_as,
                configured,
            };
        }
        if refused == Some(Reason::BAD_BGP_IDENTIFIER)
            && let Some(peer) = rejected.router_id
        {
            let local = config.local(session.local()).router_id;
            return PeerError::SameRouterId {
                reason,
                peer,
                local,
            };
        }
        PeerError::Down(reason)
    }

    /// Publishes the status. Wakes watchers only if more than the counters changed.
    pub(super) fn publish(&self, peering: &Peering) {
        let session = peering.session();
        let negotiated = session.shared_negotiated();
        let (withheld, up_to_date) = (peering.withheld(), peering.is_up_to_date());
        let (last_error, last_error_at) = match &self.last_error {
            Some((error, at)) => (Some(error), Some(*at)),
            None => (None, None),
        };
        self.status.send_if_modified(|status| {
            // Counters change with every message, which is too often to wake a watcher. `negotiated` changes only with
            // the state.
            let mut changed = status.state != session.state()
                || status.up_to_date != up_to_date
                || status.established_since != self.established_since
                || status.stopped != self.stopped
                || status.withheld != withheld;
            status.statistics = session.statistics().clone();
            status.withheld = withheld;
            status.state = session.state();
            status.negotiated = negotiated;
            status.established_since = self.established_since;
            status.up_to_date = up_to_date;
            status.stopped.clone_from(&self.stopped);
            // These allocate, so that they are copied only if they have changed.
            if (status.last_error.as_ref(), status.last_error_at) != (last_error, last_error_at) {
                status.last_error = last_error.cloned();
                status.last_error_at = last_error_at;
                changed = true;
            }
            if status.last_down != self.last_down {
                status.last_down.clone_from(&self.last_down);
                changed = true;
            }
            if status.last_notification != self.last_notification {
                status.last_notification.clone_from(&self.last_notification);
                changed = true;
            }
            changed
        });
    }
}

/// Returns the reason for which we ended a connection, or `None` if we did not.
fn refusal(reason: &DownReason) -> Option<Reason> {
    if let DownReason::Local(notification) = reason {
        Some(notification.reason)
    } else {
        None
    }
}

/// Logs an event that needs neither the configuration nor a limit.
fn log_event(peer: IpAddr, event: &SessionEvent, repeats: bool) {
    match event {
        SessionEvent::StateChanged { from, to, cause } if repeats => {
            log::write_line!(debug, %peer, "{from} -> {to}: {cause}");
        }
        SessionEvent::StateChanged { from, to, cause } => {
            log::write_line!(info, %peer, "{from} -> {to}: {cause}");
        }
        SessionEvent::Up {
            session,
            negotiated,
        } => log::write_line!(info, %peer, %session, hold_time = %negotiated.hold_time, "up"),
        SessionEvent::Down {
            session, reason, ..
        } => log::write_line!(warn, %peer, %session, "down: {reason}"),
        // At most one event a session and reason. A peer whose paths pass us is not at fault.
        SessionEvent::RoutesIgnored { reason, .. } => {
            log::write_line!(debug, %peer, "routes ignored: {reason}");
        }
        SessionEvent::UnexpectedPathIds(family) => log::write_line!(
            warn,
            %peer, %family,
            "three default routes in a row, probably path identifiers; help: enable ADD-PATH on both sides or on neither"
        ),
        SessionEvent::Refresh(family) => {
            log::write_line!(debug, %peer, %family, "refresh requested");
        }
        SessionEvent::StaleRoutesGone(families) => {
            log::write_line!(debug, %peer, %families, "stale routes removed");
        }
        SessionEvent::StaleRoutesLongLived(families) => {
            log::write_line!(debug, %peer, %families, "stale routes are long-lived stale now");
        }
        // At most one line for each reason in a session.
        SessionEvent::Withheld(withheld) => {
            let help = withheld.reason.help();
            log::write_line!(warn, %peer, "route withheld: {withheld}; help: {help}");
        }
        // `follow` logs the first two. One line per UPDATE would cost more than its processing.
        SessionEvent::Failed { .. }
        | SessionEvent::UpdateFault(_)
        | SessionEvent::Update(_)
        | SessionEvent::RefreshBegins(_)
        | SessionEvent::RefreshEnds(_)
        | SessionEvent::EndOfRib(_) => {}
    }
}

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "each helper looks for one kind of output"
)]
mod tests {
    use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, NotificationBuf, OpenBuf};
    use bytes::BytesMut;

    use super::super::super::log::recorder::Recorder;
    use super::*;
    use crate::config::{LocalConfig, Md5Key};
    use crate::fsm::State;
    use crate::output::{ConnectionId, Output};
    use crate::withheld::WithheldReason;

    #[test]
    fn unexpected_path_ids_are_a_warning() {
        let recorder = Recorder::new();
        tracing::subscriber::with_default(recorder.clone(), || {
            let event = SessionEvent::UnexpectedPathIds(Family::IPV4_UNICAST);
            log_event([192, 0, 2, 1].into(), &event, false);
        });
        let lines = recorder.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("WARN"), "{lines:?}");
        assert!(lines[0].contains("ipv4 unicast"), "{lines:?}");
    }

    /// Returns a session that has received an OPEN with these numbers, and the reason for which it failed, if it did.
    fn session_after_open(config: PeerConfig, asn: u32, router_id: &str) -> (Session, DownReason) {
        let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse().unwrap());
        let mut session = Session::new(local, config, now(), 1).unwrap();
        session.start(now());
        let Output::Dial(dial) = session.poll_output() else {
            panic!("dial")
        };
        session.handle_connected(now(), dial, [192, 168, 0, 111].into());
        let open = OpenBuf {
            asn: Asn::new(asn),
            hold_time: HoldTime::DEFAULT,
            router_id: router_id.parse().unwrap(),
            capabilities: vec![
                CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
                CapabilityBuf::FourOctetAs(Asn::new(asn)),
            ],
        };
        let mut octets = BytesMut::new();
        open.encode(&mut octets).unwrap();
        session.handle_bytes(now(), dial, &mut octets);
        let mut reason = DownReason::TimedOut;
        loop {
            match session.poll_output() {
                Output::Event(SessionEvent::Failed { reason: failed }) => reason = failed,
                Output::Wait(_) => return (session, reason),
                _ => {}
            }
        }
    }

    /// Returns an Established session and its event.
    fn established() -> (Session, SessionEvent) {
        let (mut session, _) = session_after_open(config(), 64512, "192.168.0.254");
        receive_keepalive(&mut session);
        loop {
            match session.poll_output() {
                Output::Event(up @ SessionEvent::Up { .. }) => return (session, up),
                Output::Wait(_) => panic!("not Established"),
                _ => {}
            }
        }
    }

    fn receive_keepalive(session: &mut Session) {
        let mut keepalive = BytesMut::from(&bgp_wire::KEEPALIVE[..]);
        session.handle_bytes(now(), ConnectionId(1), &mut keepalive);
    }

    fn config() -> PeerConfig {
        PeerConfig::new([192, 168, 0, 254].into(), Asn::new(64512))
    }

    fn text(session: &Session, reason: &DownReason) -> String {
        Report::new(session).0.explain(reason, session).to_string()
    }

    #[test]
    fn refused_open_is_explained_with_both_sides() {
        let (session, reason) = session_after_open(config(), 64513, "192.168.0.254");
        assert_eq!(
            text(&session, &reason),
            "we sent OPEN Message Error/Bad Peer AS (2/2): its OPEN has AS 64513, configured is AS 64512"
        );
        let (session, reason) = session_after_open(config(), 64512, "192.168.0.111");
        assert_eq!(
            text(&session, &reason),
            "we sent OPEN Message Error/Bad BGP Identifier (2/3): its OPEN has 192.168.0.111, ours is 192.168.0.111"
        );
    }

    #[test]
    fn failure_for_another_reason_is_not_explained_by_an_earlier_open() {
        let (session, _) = session_after_open(config(), 64513, "192.168.0.254");
        let notification = |reason| NotificationBuf {
            reason,
            data: Vec::new(),
        };
        for (reason, expected) in [
            // The peer rejects our numbers, not its own.
            (
                DownReason::Remote(notification(Reason::BAD_PEER_AS)),
                "the peer sent OPEN Message Error/Bad Peer AS (2/2)",
            ),
            (
                DownReason::Remote(notification(Reason::BAD_BGP_IDENTIFIER)),
                "the peer sent OPEN Message Error/Bad BGP Identifier (2/3)",
            ),
            (
                DownReason::Local(notification(Reason::UNACCEPTABLE_HOLD_TIME)),
                "we sent OPEN Message Error/Unacceptable Hold Time (2/6)",
            ),
            // No key is configured.
            (
                DownReason::TimedOut,
                "the connection did not come up in time",
            ),
        ] {
            assert_eq!(text(&session, &reason), expected);
        }
    }

    #[test]
    fn key_explains_a_timeout_only() {
        let key = Md5Key::new(*b"secret").unwrap();
        let (session, _) = session_after_open(config().with_md5_key(key), 64512, "192.168.0.254");
        let explained = text(&session, &DownReason::TimedOut);
        assert!(
            explained.ends_with("the peer's key may differ"),
            "{explained}"
        );
        let error = Some(io::ErrorKind::ConnectionRefused);
        let refused = DownReason::ConnectFailed { error };
        assert_eq!(
            text(&session, &refused),
            "cannot connect: connection refused"
        );
    }

    #[test]
    fn text_of_the_system_explains_a_failed_dial_only() {
        let (session, _) = session_after_open(config(), 64512, "192.168.0.254");
        let (mut report, _) = Report::new(&session);
        report.dial_failed(&io::Error::other("no route in vrf-blue"));
        let error = Some(io::ErrorKind::Other);
        let failed = DownReason::ConnectFailed { error };
        let explained = report.explain(&failed, &session).to_string();
        assert_eq!(explained, "cannot connect: no route in vrf-blue");
        let state = State::OpenSent;
        let closed = DownReason::Closed { state, error: None };
        let explained = report.explain(&closed, &session).to_string();
        assert_eq!(explained, "the connection was closed after our OPEN");
    }

    #[test]
    fn later_failures_do_not_replace_the_last_notification() {
        let (session, refused) = session_after_open(config(), 64513, "192.168.0.254");
        let (mut report, status) = Report::new(&session);
        let peering = Peering::new(session);
        let failed = |reason| SessionEvent::Failed { reason };
        report.follow(&failed(refused), &peering);
        report.publish(&peering);
        let before = status.borrow().clone();
        let error = Some(io::ErrorKind::ConnectionRefused);
        report.follow(&failed(DownReason::ConnectFailed { error }), &peering);
        report.publish(&peering);
        let after = status.borrow().clone();
        assert_ne!(after.last_error, before.last_error);
        assert!(after.last_error_at >= before.last_error_at && after.last_error_at.is_some());
        let last = after.last_notification.unwrap();
        assert_eq!(Some(&last), before.last_notification.as_ref());
        assert!(last.sent && Some(last.at) == before.last_error_at);
        let expected = "we sent OPEN Message Error/Bad Peer AS (2/2)";
        assert_eq!(last.to_string(), expected);
        // A new session ends the error, but not the memory of the NOTIFICATION.
        let (_, up) = established();
        report.follow(&up, &peering);
        report.publish(&peering);
        let status = status.borrow();
        assert_eq!((&status.last_error, status.last_error_at), (&None, None));
        assert_eq!(status.last_notification, before.last_notification);
    }

    #[test]
    fn malformed_updates_are_logged_whole_at_a_limited_rate() {
        let recorder = Recorder::new();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let (mut session, _) = established();
        let (mut report, _) = Report::new(&session);
        // ORIGIN 7 for 10.0.0.0/8.
        let body = [
            &[0, 0, 0, 18, 0x40, 1, 1, 7, 0x40, 2, 0][..],
            &[
                0x40, 3, 4, 192, 168, 0, 254, 0x40, 5, 4, 0, 0, 0, 100, 8, 10,
            ],
        ]
        .concat();
        let mut message = [&[0xff; 16][..], &[0, 19, 2], &body].concat();
        let length = u16::try_from(message.len()).unwrap();
        message[16..18].copy_from_slice(&length.to_be_bytes());
        message[22] = 21;
        for _ in 0..7 {
            let mut octets = BytesMut::from(&message[..]);
            session.handle_bytes(now(), ConnectionId(1), &mut octets);
        }
        let peering = Peering::new(Session::new(session.local(), config(), now(), 1).unwrap());
        while let Output::Event(event) = session.poll_output() {
            report.follow(&event, &peering);
        }
        let lines = recorder.lines();
        assert_eq!(lines.len(), 5, "{lines:?}");
        let digits: String = message.iter().map(|octet| format!("{octet:02x}")).collect();
        let expected = format!(
            "WARN message=malformed UPDATE: UPDATE Message Error/Invalid ORIGIN Attribute (3/6) at octets 23..27: \
             treat-as-withdraw; routes 10.0.0.0/8; message {digits} peer=192.168.0.254 suppressed=0"
        );
        assert_eq!(lines[0], expected);
        assert_eq!(session.statistics().updates_treated_as_withdraw, 7);
    }

    #[test]
    fn every_change_of_the_status_alone_wakes_watchers() {
        let (session, _) = established();
        let (report, mut status) = Report::new(&session);
        let mut peering = Peering::new(session);
        let mut wakes = |alter: &dyn Fn(&mut PeerStatus), peering: &Peering| {
            // The next status that is published differs from this one in what `alter` has changed.
            report.status.send_modify(alter);
            status.borrow_and_update();
            report.publish(peering);
            status.has_changed().unwrap()
        };
        let notification = LastNotification::of(
            &DownReason::Remote(NotificationBuf::with_text(Reason::CEASE_UNSPECIFIC, "")),
            now(),
        );
        wakes(&|_| {}, &peering);
        assert!(!wakes(&|_| {}, &peering), "nothing has changed");
        assert!(wakes(&|status| status.up_to_date = true, &peering));
        assert!(wakes(
            &|status| status.last_down = Some(DownReason::TimedOut),
            &peering
        ));
        assert!(wakes(
            &|status| status.last_notification = notification.clone(),
            &peering
        ));
        let error = PeerError::TaskFailed("test".into());
        assert!(wakes(
            &|status| status.last_error = Some(error.clone()),
            &peering
        ));
        assert!(wakes(
            &|status| status.last_error_at = Some(now()),
            &peering
        ));
        assert!(wakes(&|status| status.state = State::Idle, &peering));
        assert!(wakes(
            &|status| status.established_since = Some(now()),
            &peering
        ));
        assert!(wakes(
            &|status| status.stopped = Some(Shutdown::restart()),
            &peering
        ));
        let withhold = |status: &mut PeerStatus| {
            *status.withheld.of_mut(WithheldReason::Denied).unwrap() = 1;
        };
        assert!(wakes(&withhold, &peering));
        // Counters alone change too often.
        let received = status_total(&peering);
        let mut keepalive = BytesMut::from(&bgp_wire::KEEPALIVE[..]);
        peering.handle_bytes(now(), ConnectionId(1), &mut keepalive);
        assert_eq!(status_total(&peering), received + 1);
        assert!(!wakes(&|_| {}, &peering), "only a counter has changed");
    }

    fn status_total(peering: &Peering) -> u64 {
        peering.session().statistics().received.total()
    }
}
