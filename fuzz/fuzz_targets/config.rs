//! Fuzz target `config`. Its body is a library function, so that a test can replay the corpus: `speakerd::fuzz::config`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| speakerd::fuzz::config(input));
