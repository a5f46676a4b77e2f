//! Looks for inputs for which `matchbook_properties::server` does not hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| matchbook_properties::server(data));
