//! The commands to a peer's task, as the task carries them out.

use super::super::command::Command;
use super::super::event::Refusal;
use super::super::link::Link;
use super::super::log;
use super::super::transport::Transport;
use super::{PeerTask, now};
use crate::config::PeerConfig;

impl PeerTask {
    /// Carries out a command.
    pub(super) fn handle_command(&mut self, command: Command) {
        match command {
            Command::Accept(transport, permit) => {
                drop(permit);
                self.accept(transport);
            }
            Command::Flush(done) => {
                // `Speaker::drain` and new addresses are no commands, and a command precedes them. The flush includes them.
                self.set_draining();
                if self.addresses.has_changed().unwrap_or(false) {
                    self.addresses.mark_unchanged();
                    self.look_up_interface();
                }
                let id = self.peering.flush(&mut &self.shared.rib);
                self.flushes.add(id, done);
            }
            Command::Refresh(family, done) => {
                let refreshed = self.peering.refresh(now(), family);
                // The caller may have given up.
                done.send(refreshed).ok();
            }
            Command::Drain(draining) => {
                self.draining = draining;
                self.set_draining();
            }
            Command::Update(config) => self.update(*config),
            Command::UpdateLocal(local) => {
                let updated = self.peering.update_local(now(), local);
                debug_assert_eq!(updated, Ok(()), "the registry has checked it");
            }
            // A session that the operator has stopped has nothing to reset.
            Command::Reset(_) if self.report.is_stopped() => {}
            Command::Reset(why) => {
                self.peering.stop(now(), &why);
                // The contract of `Peering`: outputs are drained after every call.
                self.drain_outputs();
                self.peering.start(now());
            }
            Command::Send(update, done) => {
                let sent = self.peering.send_update(now(), &update);
                // The caller may have given up.
                done.send(sent).ok();
            }
            Command::Stop(why) => {
                self.peering.stop(now(), &why);
                self.report.set_stopped(Some(why));
            }
            Command::Start => {
                self.report.set_stopped(None);
                self.peering.start(now());
            }
            // `run` handles it before this function is called.
            Command::Remove(..) => {}
        }
    }

    fn accept(&mut self, transport: Box<dyn Transport>) {
        // A connection without a local address has already been reset.
        let Ok(local_address) = transport.local_address() else {
            return;
        };
        if let Some(id) = self.peering.accept(now(), local_address) {
            self.links.push(Link::new(id, transport));
        } else {
            self.report_refusal(Refusal::NotAccepted);
        }
    }

    fn update(&mut self, config: PeerConfig) {
        let old = self.peering.session().config();
        let key = config.transport.md5_key.as_ref();
        if old.transport.md5_key.as_ref() != key {
            // RFC 2385 keys change on a live connection, so that the session does not need a reset.
            for link in &self.links {
                link.set_md5_key(self.address, key);
            }
        }
        self.report.configure(&config);
        match self.peering.update(now(), config) {
            Ok(change) => {
                let (peer, settings) = (self.address, change.settings());
                log::write_line!(info, %peer, ?settings, "configuration");
            }
            Err(error) => debug_assert!(false, "the registry has checked it: {error}"),
        }
        self.look_up_interface();
    }
}
