#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| patchbay_fuzz::read::<patchbay_whatsapp_cloud::WhatsAppCloud>(body));
