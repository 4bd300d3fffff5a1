//! `Events`: a receiver of a speaker's events, as a future per event or as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::ReusableBoxFuture;

use super::event::SpeakerEvent;

/// A receiver of the events of a speaker, in the order in which they were sent. Also a [`Stream`] of them.
///
/// A slow receiver loses the oldest events instead of blocking a session; [`Events::missed`] counts them.
///
/// ```
/// use bgp_session::{Events, SpeakerEvent};
/// use futures_util::{Stream, StreamExt};
///
/// /// Returns the events of all peers except those of their sessions.
/// fn changes(events: Events) -> impl Stream<Item = SpeakerEvent> {
///     events.filter(|event| {
///         let is_change = !matches!(event, SpeakerEvent::Session { .. });
///         async move { is_change }
///     })
/// }
/// ```
pub struct Events {
    // `broadcast::Receiver` has no `poll_recv`. The allocation of the future is used for every event.
    next: ReusableBoxFuture<'static, Received>,
    missed: u64,
}

type Received = (
    Result<SpeakerEvent, RecvError>,
    broadcast::Receiver<SpeakerEvent>,
);

async fn receive(mut receiver: broadcast::Receiver<SpeakerEvent>) -> Received {
    (receiver.recv().await, receiver)
}

impl Events {
    pub(super) fn new(receiver: broadcast::Receiver<SpeakerEvent>) -> Self {
        Self {
            next: ReusableBoxFuture::new(receive(receiver)),
            missed: 0,
        }
    }

    /// Returns the next event, or `None` after all handles of the speaker were dropped and its tasks have ended.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped: the next call returns it.
    pub async fn next(&mut self) -> Option<SpeakerEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Returns the number of events that were lost so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<SpeakerEvent>> {
        loop {
            let (received, receiver) = ready!(self.next.poll(context));
            // The future has completed and must not be polled again, also after the end.
            self.next.set(receive(receiver));
            match received {
                Ok(event) => return Poll::Ready(Some(event)),
                // The receiver is now at the oldest event that is left, so that the next poll succeeds.
                Err(RecvError::Lagged(missed)) => self.missed += missed,
                Err(RecvError::Closed) => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Events {
    type Item = SpeakerEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<SpeakerEvent>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}
