//! `bgp-wire` beside other BGP codecs: the same octets, the same work.
//!
//! Every codec is a [`Contender`]: it walks a message, touching every attribute and every prefix, and says what it saw
//! as a sum. `benches/compare.rs` measures that only where all sums are equal; `tests/differential.rs` compares them on
//! real streams. The sum adds every attribute's type code, the value of ORIGIN, the type of every AS segment and its AS
//! numbers, NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, both fields of AGGREGATOR, the words of every community and large
//! community, the number of extended communities, the next hop of MP_REACH_NLRI, and length and address of every
//! prefix.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "benchmarks may panic"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of other crates only the variants that occur matter: the sums show it"
)]

pub mod contender;
pub mod data;
pub mod sum;

pub use contender::{Contender, Encoder};
