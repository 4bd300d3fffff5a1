//! Fuzz target `dissect`. Its body is a library function, so that a test can replay the corpus: `bgp_wire::fuzz::dissect`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bgp_wire::fuzz::dissect(input));
