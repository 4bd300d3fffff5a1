//! The daemon `speakerd` and its client `speakerctl`, as a library; the two programs only call [`cli`] and [`ctl`].

#![forbid(unsafe_code)]

mod announce;
pub mod cli;
pub mod config;
pub mod control;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod exit;
// Public for the fuzz target, but no API: an ordinary build does not contain it.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod intent;
mod logging;
mod paths;
pub mod pool;
mod runtime;
mod store;
mod table;
pub mod value;
