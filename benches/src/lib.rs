//! `bgp-wire` beside other BGP codecs: the same octets and the same work.
//!
//! Every codec is a [`Decoder`]: it walks a message, reads every attribute and every prefix, and returns a sum of the
//! values. `benches/compare.rs` measures a workload only if all sums are equal. `tests/differential.rs` compares the sums of
//! real streams.
//!
//! The sum adds every attribute's type code and these values:
//!
//! - ORIGIN, NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, and both fields of AGGREGATOR;
//! - the type of every AS segment and its AS numbers;
//! - the words of every community and large community, and the number of extended communities;
//! - the next hop of MP_REACH_NLRI;
//! - the length and the address of every prefix.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "benchmarks may panic"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "other crates have variants that the messages do not contain, as equal sums show"
)]

pub mod codecs;
pub mod data;
pub mod sum;

pub use codecs::{Decoder, Encoder};
