//! See `bgp_session::fuzz::session`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bgp_session::fuzz::session(input));
