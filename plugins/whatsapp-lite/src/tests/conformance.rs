//! What `conformance.json` says of the settings and of the refusals holds here, too.

use patchbay_plugin::Channel as _;
use patchbay_plugin::messages::{Command, Content, Text};

use super::*;
use crate::WhatsAppLite;

fn written() -> Value {
    serde_json::from_str(include_str!("../../conformance.json")).unwrap()
}

#[test]
fn settings_are_taken_and_refused_as_written() {
    let written = written();
    for good in written["settings"]["good"].as_array().unwrap() {
        assert!(WhatsAppLite::configure(&good["settings"].to_string()).is_ok(), "{good}");
    }
    for bad in written["settings"]["bad"].as_array().unwrap() {
        let Err(Failure::Invalid(problems)) = WhatsAppLite::configure(&bad["settings"].to_string()) else { panic!("taken: {bad}") };
        assert!(problems.iter().any(|problem| bad["pointer"] == problem.pointer.as_str()), "{bad}: {problems:?}");
    }
}

#[test]
fn refusals_have_the_classes_that_are_written() {
    let written = written();
    let account = &written["account"];
    let call = testing::call(account["external_id"].as_str(), &account["settings"]);
    let to = written["send"]["message"]["to"].as_str().unwrap();
    for error in written["errors"].as_array().unwrap().iter().filter(|error| error.get("headers").is_none()) {
        let provider = Provider::new();
        let body = error["body"].as_str().map_or_else(|| error["body"].to_string(), str::to_owned);
        let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
        provider.on(error["on"].as_str().unwrap()).answer_bytes(status, "application/json", body);
        let message = testing::outbound(to, Command::Message(vec![Content::Text(Text::plain("Hi"))]));
        let failure = WhatsAppLite::send(&call, message).failed.unwrap();
        assert_eq!(class(&failure).0, error["failure"].as_str().unwrap(), "{error}");
        if let (Failure::Limited(retry), Some(wanted)) = (&failure, error["retry_after_ms"].as_f64()) {
            assert_eq!(retry.after_ms, Some(wanted), "{error}");
        }
    }
}
