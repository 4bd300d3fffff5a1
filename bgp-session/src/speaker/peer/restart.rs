//! The cleanup after a panic of a peer's task, and the wait until the task starts again.

use std::time::Duration;

use bgp_wire::FamilySet;

use super::super::command::Command;
use super::super::event::{Refusal, RemovalReason, SpeakerEvent};
use super::{PeerTask, new_session};
use crate::config::{LocalConfig, PeerConfig};
use crate::fsm::State;
use crate::output::{DownReason, SessionEvent};
use crate::peering::Peering;

impl PeerTask {
    /// Discards the session and its connections after a panic, and reports the failure. Keeps pending commands and events.
    ///
    /// `error` is the message of the panic, and `retry_in` the time until the task restarts.
    pub(in super::super) fn fail(&mut self, error: &str, retry_in: Duration) {
        let session = self.peering.session();
        let retains = session.retains_routes();
        let families = session.config().families;
        let established = self.report.session();
        self.dial = None;
        self.links.clear();
        // Dropping the senders tells the callers that no session is up.
        self.flushes.clear();
        self.deadline = None;
        self.renew_peering();
        let peer = self.address;
        if let Some(session) = established {
            let event = SessionEvent::Down {
                session,
                reason: DownReason::Closed {
                    state: State::Established,
                    error: None,
                },
                retained: FamilySet::EMPTY,
            };
            self.emit(SpeakerEvent::Session { peer, event });
        } else if retains {
            let event = SessionEvent::StaleRoutesGone(families);
            self.emit(SpeakerEvent::Session { peer, event });
        }
        self.report.fail(error);
        self.report.publish(&self.peering);
        self.emit(SpeakerEvent::PeerFailed {
            peer,
            error: error.into(),
            retry_in,
        });
    }

    /// Waits for the restart, and refuses connections meanwhile. Returns the reason if the peer is removed, otherwise `None`.
    pub(in super::super) async fn wait_to_restart(
        &mut self,
        wait: Duration,
    ) -> Option<RemovalReason> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            self.delivery.try_deliver();
            let undelivered = !self.delivery.is_empty();
            let command = tokio::select! {
                biased;
                command = self.commands.recv() => command,
                () = self.shared.stop.cancelled() => return Some(RemovalReason::ShutDown),
                () = tokio::time::sleep_until(deadline) => return None,
                () = self.delivery.deliver_next(), if undelivered => continue,
            };
            match command {
                Some(Command::Remove(_, reason)) => return Some(reason),
                None => return Some(RemovalReason::ShutDown),
                // A reset asks for a new session now, which ends the wait.
                Some(Command::Reset(_)) => return None,
                Some(Command::Stop(why)) => {
                    self.report.set_stopped(Some(why));
                    self.report.publish(&self.peering);
                }
                Some(Command::Start) => {
                    self.report.set_stopped(None);
                    return None;
                }
                Some(Command::Drain(draining)) => self.draining = draining,
                Some(Command::Accept(..)) => self.report_refusal(Refusal::PeerFailed),
                // A dropped answer tells its caller that no session is up. `renew` gets the configuration from the registry.
                Some(
                    Command::Flush(_)
                    | Command::Refresh(..)
                    | Command::Send(..)
                    | Command::Update(_)
                    | Command::UpdateLocal(_),
                ) => {}
            }
        }
    }

    /// Prepares the task for its restart with the current configuration.
    pub(in super::super) fn renew(&mut self, local: LocalConfig, config: PeerConfig) {
        self.report.configure(&config);
        self.peering = Peering::new(new_session(&self.shared, local, config));
    }
}
