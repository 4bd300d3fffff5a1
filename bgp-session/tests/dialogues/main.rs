//! Dialogues between a scripted peer and a session: each test plays the peer and checks every answer.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each test looks for one kind of event"
)]

mod application;
mod capabilities;
mod families;
mod old_peers;
mod opens;
mod reports;
mod restart;
mod retry;
mod script;
mod session;
