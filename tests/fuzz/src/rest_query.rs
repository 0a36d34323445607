#![no_main]

libfuzzer_sys::fuzz_target!(|query: &[u8]| patchbay_fuzz::rest::ask(query));
