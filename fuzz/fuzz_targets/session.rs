//! Fuzz target `session`. Its body is a library function, so that a test can replay the corpus: `bgp_session::fuzz::session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bgp_session::fuzz::session(input));
