//! The daemon `speakerd` and its client `speakerctl`, as a library.

#![forbid(unsafe_code)]

pub mod config;
pub mod pool;
