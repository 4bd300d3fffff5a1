//! Serialization of instants as the seconds that have passed since them: an instant means nothing outside of this process.

use std::time::Instant;

use serde::ser::Serializer;

pub(super) fn seconds<S: Serializer>(since: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(seconds_since(*since))
}

pub(super) fn optional_seconds<S: Serializer>(
    since: &Option<Instant>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match since {
        Some(since) => serializer.serialize_some(&seconds_since(*since)),
        None => serializer.serialize_none(),
    }
}

fn seconds_since(since: Instant) -> u64 {
    let now = tokio::time::Instant::now().into_std();
    now.saturating_duration_since(since).as_secs()
}
