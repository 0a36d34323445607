#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| patchbay_fuzz::read::<patchbay_telegram::Telegram>(body));
