//! See `bgp_wire::fuzz::builder`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bgp_wire::fuzz::builder(input));
