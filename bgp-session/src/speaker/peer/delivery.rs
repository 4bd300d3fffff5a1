//! Delivery of a peer's events to the channel of `SpeakerBuilder::with_event_sender`: none is lost, and none blocks the task.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;

use super::super::event::SpeakerEvent;

/// Events that the application has not taken. While there are any, the peer is not read from.
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

    pub(super) fn push(&mut self, event: &SpeakerEvent) {
        if self.channel.is_some() {
            self.undelivered.push_back(event.clone());
        }
    }

    /// Returns `true` if the application has taken every event.
    pub(super) fn is_empty(&self) -> bool {
        self.undelivered.is_empty()
    }

    /// Delivers the events that the channel has room for.
    pub(super) fn try_deliver(&mut self) {
        let Some(channel) = &self.channel else { return };
        while !self.undelivered.is_empty() {
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

    /// Waits for room in the channel and delivers one event. Cancel safe: an event stays here until it is sent.
    pub(super) async fn deliver_next(&mut self) {
        let Some(channel) = &self.channel else {
            return pending().await;
        };
        match channel.reserve().await {
            // Permits go to waiting tasks in turn: one that is given back unused would only wake the next one early.
            Ok(permit) => {
                if let Some(event) = self.undelivered.pop_front() {
                    permit.send(event);
                }
            }
            // The application has dropped its receiver.
            Err(_) => self.undelivered.clear(),
        }
    }

    /// Delivers the rest, unless the application takes nothing for [`FINAL_DELIVERY_TIMEOUT`].
    pub(super) async fn finish(&mut self) {
        let Some(channel) = &self.channel else { return };
        let all = async {
            for event in self.undelivered.drain(..) {
                channel.send(event).await.ok();
            }
        };
        tokio::time::timeout(FINAL_DELIVERY_TIMEOUT, all).await.ok();
    }
}

/// The time that the application has to take the last events of a peer whose task ends.
const FINAL_DELIVERY_TIMEOUT: Duration = Duration::from_secs(1);
