//! Running a peer's task: from its predecessor's end to its own removal, over panics.

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
use super::super::peer::{Ended, PeerTask};
use super::super::shared::lock;
use super::{PeerEntry, Registry};
use crate::backoff::Backoff;
use crate::config::{LocalConfig, PeerConfig};

impl Registry {
    /// Runs a task until its peer is removed. A task that panics is started again after a wait. `number` is the task's in its
    /// entry, `prefix` that of a dynamic peer, and `predecessor` a removed peer with the same address.
    pub(super) async fn supervise(
        self: Arc<Self>,
        mut task: PeerTask,
        number: u64,
        prefix: Option<IpNet>,
        predecessor: Option<Peer>,
    ) {
        let peer = task.address();
        // The events of an address are in order, and its old session has ended before a new one begins.
        if let Some(predecessor) = predecessor {
            predecessor.ended().await;
        }
        task.emit(SpeakerEvent::PeerAdded { peer, prefix });
        let reason = self.run_over_panics(&mut task, number).await;
        if let Err(error) = catch_panic(task.finish(reason)).await {
            log_panic(peer, &error);
            task.fail(&error, Duration::ZERO);
            // The peering is new, so that nothing is left that could panic again.
            catch_panic(task.finish(reason)).await.ok();
        }
        drop(task);
        let mut state = lock(&self.state);
        let ending = state.ending.get(&peer);
        if ending.is_some_and(|ending| ending.task == number) {
            state.ending.remove(&peer);
        }
    }

    async fn run_over_panics(&self, task: &mut PeerTask, number: u64) -> RemovalReason {
        let peer = task.address();
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
            match self.present(peer, number) {
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

    /// Removes a dynamic peer whose last connection has ended. Returns `false` if another connection waits for its task.
    fn remove_idle(&self, task: &PeerTask, number: u64) -> bool {
        let mut state = lock(&self.state);
        if task.has_commands() {
            return false;
        }
        // Another peer may have this address by now.
        let address = task.address();
        let entry = state.peers.get(&address);
        if entry.is_some_and(|entry| entry.task == number) {
            state.remove(address);
        }
        true
    }

    /// Returns the configuration of the task's peer, or the reason if the peer was removed. The command that did it may have
    /// been lost in the panic.
    fn present(
        &self,
        peer: IpAddr,
        number: u64,
    ) -> Result<(LocalConfig, PeerConfig), RemovalReason> {
        let state = lock(&self.state);
        let own = |entry: &&PeerEntry| entry.task == number;
        match state.peers.get(&peer).filter(own) {
            Some(entry) => Ok((state.local, entry.config.clone())),
            None if state.closed => Err(RemovalReason::ShutDown),
            None => Err(RemovalReason::Deconfigured),
        }
    }
}

fn log_panic(peer: IpAddr, error: &str) {
    tracing::error!(%peer, "the peer's task has panicked: {error}");
}

/// Returns the output of `future`, or the message of its panic.
async fn catch_panic<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // After a panic the future is not polled again, and its task replaces what it has changed.
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(message(&*payload))),
        }
    })
    .await
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// The wait after the first panic. Doubles with each that follows.
const MIN_RESTART_INTERVAL: Duration = Duration::from_secs(1);

const MAX_RESTART_INTERVAL: Duration = Duration::from_secs(60);

/// After a task has run this long, earlier panics no longer count.
const STABLE_TIME: Duration = Duration::from_secs(60);
