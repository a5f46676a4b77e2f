//! Looks for inputs for which `matchbook_properties::target` does not hold.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| matchbook_properties::target(data));
