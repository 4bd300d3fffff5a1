//! Delivery of a peer's events to the channel of `SpeakerBuilder::with_event_sender`, without loss and without blocking.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::event::SpeakerEvent;

/// The events that wait for room in the channel. While any wait, the task does not read from the peer.
pub(super) struct Delivery {
    channel: Option<mpsc::Sender<SpeakerEvent>>,
    undelivered: VecDeque<SpeakerEvent>,
}

impl Delivery {
    pub(super) fn new(channel: Option<mpsc::Sender<SpeakerEvent>>) -> Self {
        Self {
            channel,
            undelivered: VecDeque::new(),
        }
    }

    /// Adds an event, unless the application has no channel.
    pub(super) fn push(&mut self, event: &SpeakerEvent) {
        if self.channel.is_some() {
            self.undelivered.push_back(event.clone());
        }
    }

    /// Returns `true` if no event waits.
    pub(super) fn is_empty(&self) -> bool {
        self.undelivered.is_empty()
    }

    /// Delivers the events that the channel has room for.
    pub(super) fn try_deliver(&mut self) {
        let Some(channel) = &self.channel else { return };
        while !self.undelivered.is_empty() {
            // A permit first, so that no event is taken out of the queue before the channel has room for it.
            match channel.try_reserve() {
                Ok(permit) => {
                    if let Some(event) = self.undelivered.pop_front() {
                        permit.send(event);
                    }
                }
                Err(mpsc::error::TrySendError::Full(())) => return,
                Err(mpsc::error::TrySendError::Closed(())) => self.undelivered.clear(),
            }
        }
    }

    /// Waits for room in the channel and delivers one event. Cancel safe: an event stays in the queue until it is sent.
    pub(super) async fn deliver_next(&mut self) {
        let Some(channel) = &self.channel else {
            return pending().await;
        };
        match channel.reserve().await {
            // The permit is used at once: if it were returned, it would go to the next waiting task, and no task would
            // progress.
            Ok(permit) => match self.undelivered.pop_front() {
                Some(event) => permit.send(event),
                None => debug_assert!(false, "callers wait only if an event does"),
            },
            // The application has dropped its receiver.
            Err(_) => self.undelivered.clear(),
        }
    }

    /// Delivers the remaining events. Discards what the application has not taken after [`FINAL_DELIVERY_TIMEOUT`].
    pub(super) async fn finish(&mut self) {
        let Some(channel) = &self.channel else { return };
        let all = async {
            for event in self.undelivered.drain(..) {
                // An error means that the application has dropped its receiver.
                channel.send(event).await.ok();
            }
        };
        tokio::time::timeout(FINAL_DELIVERY_TIMEOUT, all).await.ok();
    }
}

/// The maximum time for the application to take the last events of a peer whose task ends.
const FINAL_DELIVERY_TIMEOUT: Duration = Duration::from_secs(1);
