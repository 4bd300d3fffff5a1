//! The thread that makes changes: it applies those that wait, makes them durable with one write, and carries them out.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use bgp_session::Speaker;
use tokio::sync::oneshot;

use crate::announce::bgp;
use crate::intent::{Applied, Change, Intent, Outcome, Refusal};
use crate::store::Store;

/// A change that was made.
#[derive(Debug)]
pub(super) struct Committed {
    /// The result of each item.
    pub(super) outcomes: Vec<Outcome>,
    /// `true` if the change survives a restart.
    pub(super) is_durable: bool,
}

/// A change was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("nothing was changed: {0}")]
    Storage(String),
    #[error("the daemon stops and announces nothing more")]
    Stopping,
}

/// The answer to a change.
type Answer = oneshot::Sender<Result<Committed, CommitError>>;

enum Job {
    Change(Change, Answer),
    Stop(oneshot::Sender<()>),
    #[cfg(test)]
    SetFull(bool),
}

/// The intent as everybody may read it. Only the thread of the [`Committer`] changes it.
pub(super) type SharedIntent = Arc<RwLock<Intent>>;

pub(super) fn read(intent: &RwLock<Intent>) -> RwLockReadGuard<'_, Intent> {
    intent.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(intent: &RwLock<Intent>) -> RwLockWriteGuard<'_, Intent> {
    intent.write().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts changes, in the order in which they are made.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: Sender<Job>,
}

impl Committer {
    /// Starts the thread, which owns the journal.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread.
    pub(super) fn start(intent: SharedIntent, store: Store, speaker: Speaker) -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let worker = Worker {
            intent,
            store,
            speaker,
            is_failing: false,
        };
        let named = thread::Builder::new().name("journal".into());
        named.spawn(move || worker.run(&waiting))?;
        Ok(Self { jobs })
    }

    /// Makes a change. It is made even if the caller does not wait for the answer.
    ///
    /// # Errors
    ///
    /// The change is refused, or cannot be made durable, or the daemon stops. Nothing was changed.
    pub(super) async fn commit(&self, change: Change) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Change(change, answer);
        self.jobs.send(job).map_err(|_| CommitError::Stopping)?;
        answered.await.map_err(|_| CommitError::Stopping)?
    }

    /// Fills the disk, or makes room on it.
    #[cfg(test)]
    fn set_full(&self, full: bool) {
        self.jobs.send(Job::SetFull(full)).unwrap();
    }

    /// Ends the thread after the changes that wait. Returns once the journal is closed.
    pub(super) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).is_ok() {
            stopped.await.ok();
        }
    }
}

struct Worker {
    intent: SharedIntent,
    store: Store,
    speaker: Speaker,
    /// `true` if the last write failed.
    is_failing: bool,
}

/// A change that is applied but not durable yet.
struct Pending {
    applied: Applied,
    /// The change, if it only removes. It is made even if it cannot be made durable.
    removal: Option<Change>,
    answer: Answer,
}

impl Worker {
    fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let mut changes = Vec::new();
            let mut stop = None;
            // Changes that arrived during the last write share the next one.
            for job in [first].into_iter().chain(waiting.try_iter()) {
                match job {
                    Job::Change(change, answer) => changes.push((change, answer)),
                    Job::Stop(done) => stop = Some(done),
                    #[cfg(test)]
                    Job::SetFull(full) => self.store.set_full(full),
                }
                if stop.is_some() || changes.len() == MAX_BATCH {
                    break;
                }
            }
            self.commit(changes);
            if let Some(done) = stop {
                // Closes the journal, so that another daemon can use it once this is answered.
                drop(self);
                done.send(()).ok();
                return;
            }
        }
    }

    fn commit(&mut self, changes: Vec<(Change, Answer)>) {
        let mut pending = Vec::new();
        let mut intent = write(&self.intent);
        for (change, answer) in changes {
            let removal = change.only_removes().then(|| change.clone());
            match intent.apply(change) {
                Ok(applied) => pending.push(Pending {
                    applied,
                    removal,
                    answer,
                }),
                Err(refusal) => drop(answer.send(Err(refusal.into()))),
            }
        }
        // Readers do not wait for the storage. They may see a change that is not durable yet, but it is not announced.
        drop(intent);
        if pending.is_empty() {
            return;
        }
        match self.save(&pending) {
            Ok(()) => {
                let is_durable = self.store.is_durable() && !self.store.is_incomplete();
                self.carry_out(pending, is_durable);
                self.store.compact(read(&self.intent).records());
            }
            Err(error) => self.go_on_without_storage(pending, &error),
        }
    }

    fn save(&mut self, pending: &[Pending]) -> io::Result<()> {
        let changes = pending.iter().map(|pending| &pending.applied.records[..]);
        let mut changes = changes.filter(|records| !records.is_empty()).peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        if self.store.is_incomplete() {
            self.store.rewrite(read(&self.intent).records())?;
        } else {
            self.store.append(changes)?;
        }
        if std::mem::replace(&mut self.is_failing, false) {
            tracing::info!("changes are durable again");
        }
        Ok(())
    }

    /// Carries out changes, and answers them.
    fn carry_out(&self, pending: Vec<Pending>, is_durable: bool) {
        // Of several changes of one route the last counts.
        let mut effects = BTreeMap::new();
        let mut answers = Vec::new();
        for Pending {
            applied, answer, ..
        } in pending
        {
            let by_prefix = applied.effects.into_iter();
            effects.extend(by_prefix.map(|effect| (effect.prefix(), effect)));
            answers.push((applied.outcomes, answer));
        }
        let effects: Vec<_> = effects.into_values().collect();
        let carried_out = bgp::carry_out(&self.speaker, &effects);
        for (outcomes, answer) in answers {
            let result = match carried_out {
                Ok(()) => Ok(Committed {
                    outcomes,
                    is_durable,
                }),
                Err(_) => Err(CommitError::Stopping),
            };
            answer.send(result).ok();
        }
    }

    /// Reverts changes that could not be made durable, and makes those again that only remove something.
    ///
    /// A full disk must not keep an address announced. The answer tells that a restart brings the route back.
    fn go_on_without_storage(&mut self, pending: Vec<Pending>, error: &io::Error) {
        // Each request of a client would cause the line again.
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!("changes cannot be made durable: {error}");
        }
        let mut removals = Vec::new();
        let mut intent = write(&self.intent);
        for Pending {
            applied,
            removal,
            answer,
        } in pending.into_iter().rev()
        {
            intent.revert(applied);
            match removal {
                Some(change) => removals.push((change, answer)),
                None => drop(answer.send(Err(CommitError::Storage(error.to_string())))),
            }
        }
        let mut applied = Vec::new();
        for (change, answer) in removals.into_iter().rev() {
            match intent.apply(change) {
                Ok(removed) => applied.push(Pending {
                    applied: removed,
                    removal: None,
                    answer,
                }),
                Err(refusal) => drop(answer.send(Err(refusal.into()))),
            }
        }
        drop(intent);
        if !applied.is_empty() {
            self.store.note_missing_change();
        }
        self.carry_out(applied, false);
    }
}

/// The number of changes that one write makes durable.
// A client waits for the whole write, which a limit keeps short.
const MAX_BATCH: usize = 4096;

#[cfg(test)]
mod tests;
