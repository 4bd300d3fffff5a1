//! See `bgp_wire::fuzz::round_trip`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| bgp_wire::fuzz::round_trip(input));
