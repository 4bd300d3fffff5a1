//! Sessions as dialogues: what the peer does, and what the session answers.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test asks for one kind of event"
)]

mod capabilities;
mod families;
mod old_peers;
mod restart;
mod script;
mod session;
