//! The supervision of a peer's task, from the end of its predecessor to its own removal, with a restart after each panic.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;

use super::super::event::{RemovalReason, SpeakerEvent};
use super::super::handle::Peer;
use super::super::log;
use super::super::peer::{Ended, PeerTask};
use super::super::shared::lock;
use super::Registry;
use crate::backoff::Backoff;
use crate::config::{LocalConfig, PeerConfig};

impl Registry {
    /// Runs a task until its peer is removed. Restarts a task that panics after a wait.
    ///
    /// `number` identifies the task in its entry, `prefix` is that of a dynamic peer, and `predecessor` is a removed
    /// peer with the same address.
    pub(super) async fn supervise(
        self: Arc<Self>,
        mut task: PeerTask,
        number: u64,
        prefix: Option<IpNet>,
        predecessor: Option<Peer>,
    ) {
        let peer = task.address();
        // The events of an address stay in order, and its old session ends before a new one begins.
        if let Some(predecessor) = predecessor {
            predecessor.ended().await;
        }
        task.emit(SpeakerEvent::PeerAdded { peer, prefix });
        let reason = self.run_over_panics(&mut task, number).await;
        if let Err(error) = catch_panic(task.finish(reason)).await {
            log_panic(peer, &error);
            task.fail(&error, Duration::ZERO);
            // `fail` has replaced the peering, so that a second panic is unlikely; the removal is reported in any case.
            catch_panic(task.finish(reason)).await.ok();
        }
        // Drops the sender of the status, which completes `Peer::ended`.
        drop(task);
        let mut state = lock(&self.state);
        let ending = state.ending.get(&peer);
        if ending.is_some_and(|ending| ending.task == number) {
            state.ending.remove(&peer);
        }
    }

    async fn run_over_panics(&self, task: &mut PeerTask, number: u64) -> RemovalReason {
        let peer = task.address();
        // Tasks that failed together must not restart together.
        let seed = self.shared.seed ^ number;
        let mut backoff = Backoff::new(MIN_RESTART_INTERVAL, MAX_RESTART_INTERVAL, seed);
        loop {
            let started = Instant::now();
            let error = match catch_panic(self.run(task, number)).await {
                Ok(reason) => return reason,
                Err(error) => error,
            };
            if started.elapsed() >= STABLE_TIME {
                backoff.reset();
            }
            log_panic(peer, &error);
            let wait = backoff.next_wait();
            task.fail(&error, wait);
            if let Some(reason) = task.wait_to_restart(wait).await {
                return reason;
            }
            match self.current_config(peer, number) {
                Ok((local, config)) => task.renew(local, config),
                Err(reason) => return reason,
            }
        }
    }

    async fn run(&self, task: &mut PeerTask, number: u64) -> RemovalReason {
        task.start();
        loop {
            match task.run().await {
                Ended::Removed(reason) => return reason,
                Ended::Idle if self.remove_idle(task, number) => {
                    return RemovalReason::SessionEnded;
                }
                Ended::Idle => {}
            }
        }
    }

    /// Removes a dynamic peer whose last connection has ended. Returns `false` if a command waits for its task.
    fn remove_idle(&self, task: &PeerTask, number: u64) -> bool {
        // `accept` holds the lock when it sends a connection, so that no connection can arrive after this check.
        let mut state = lock(&self.state);
        if task.has_commands() {
            return false;
        }
        // The peer may have been removed, and another one may already have its address.
        let address = task.address();
        let entry = state.peers.get(&address);
        if entry.is_some_and(|entry| entry.task == number) {
            state.remove(address);
        }
        true
    }

    /// Returns the current configuration of the task's peer, or the reason if the peer was removed.
    fn current_config(
        &self,
        peer: IpAddr,
        number: u64,
    ) -> Result<(LocalConfig, PeerConfig), RemovalReason> {
        // The command that changed or removed the peer may have been lost in the panic, so that only the registry is right.
        let state = lock(&self.state);
        let entry = state.peers.get(&peer).filter(|entry| entry.task == number);
        match entry {
            Some(entry) => Ok((state.local, entry.peer.config())),
            None if self.shared.is_closed() => Err(RemovalReason::ShutDown),
            None => Err(RemovalReason::Deconfigured),
        }
    }
}

fn log_panic(peer: IpAddr, error: &str) {
    log::write_line!(error, %peer, "the peer's task has panicked: {error}");
}

/// Returns the output of `future`, or the message of its panic.
async fn catch_panic<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // After a panic, the future is not polled again and the task replaces the state that it changed.
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(message(&*payload))),
        }
    })
    .await
}

/// Returns the message of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    // `panic!` has a `&str` payload for a literal, and a `String` for a message with arguments.
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

/// The wait after the first panic, which doubles with each further panic.
const MIN_RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum wait after a panic.
const MAX_RESTART_INTERVAL: Duration = Duration::from_secs(60);

/// The time after which a running task's earlier panics no longer count.
const STABLE_TIME: Duration = Duration::from_secs(60);
