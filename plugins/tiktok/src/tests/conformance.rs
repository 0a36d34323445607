//! `conformance.json`, as far as it can be looked at without the gateway: what it says of headers and of messages in their REST form
//! is the gateway's.

use super::*;
use crate::TikTok;
use patchbay_plugin::Fields as _;
use patchbay_plugin::hooks::{Connecting, Progress, Step};
use patchbay_plugin::messages::{Command, Content, Text};
use patchbay_plugin::{Channel as _, Failure};

fn document() -> Value {
    serde_json::from_str(include_str!("../../conformance.json")).unwrap()
}

fn script(provider: &Provider, answers: &Value) {
    for answer in answers.as_array().unwrap() {
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        provider.on(answer["on"].as_str().unwrap()).answer_bytes(status, "application/json", written(&answer["body"]));
    }
}

fn written(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// The account of the document, with its secrets.
fn account(provider: &Provider, document: &Value) -> Call {
    let account = &document["account"];
    for (name, value) in account["secrets"].as_object().unwrap() {
        provider.secret(name, value.as_str().unwrap());
    }
    let call = call(account["external_id"].as_str(), &account["settings"]);
    assert_eq!(call.extras.value("app.client_id"), account["app"]["client_id"].as_str());
    call
}

#[test]
fn settings_are_taken_and_refused_as_written() {
    let document = document();
    for good in document["settings"]["good"].as_array().unwrap() {
        assert!(TikTok::configure(&good["settings"].to_string()).is_ok(), "{}", good["about"]);
    }
    for bad in document["settings"]["bad"].as_array().unwrap() {
        let Err(Failure::Invalid(problems)) = TikTok::configure(&bad["settings"].to_string()) else { panic!("{}", bad["about"]) };
        assert_eq!(problems[0].pointer, bad["pointer"].as_str().unwrap(), "{}", bad["about"]);
    }
}

#[test]
fn it_connects_and_is_healthy_as_written() {
    let (provider, document) = (Provider::new(), document());
    let call = account(&provider, &document);
    script(&provider, &document["connect"]["answers"]);
    let outcome = TikTok::connect(&call, Connecting { step: Step::Start, webhook_url: HOOK.into(), state: None }).unwrap();
    let Progress::Connected(connected) = outcome.progress else { panic!("not connected") };
    assert_eq!(connected.external_id, document["connect"]["external_id"].as_str().unwrap());
    script(&provider, &document["health"]["answers"]);
    assert!(!TikTok::health(&call).unwrap().checks.is_empty());
}

fn class(failure: &Failure) -> &'static str {
    match failure {
        Failure::Invalid(_) => "invalid",
        Failure::Unauthorized(_) => "unauthorized",
        Failure::Forbidden(_) => "forbidden",
        Failure::Limited(_) => "limited",
        Failure::Unavailable(_) => "unavailable",
        Failure::Uncertain(_) => "uncertain",
        Failure::Recipient(_) => "recipient",
        Failure::WindowClosed(_) => "window_closed",
        Failure::Rejected(_) => "rejected",
        Failure::Unsupported(_) => "unsupported",
        Failure::Fault(_) => "fault",
    }
}

#[test]
fn sends_fail_as_written() {
    let document = document();
    let text = document["send"]["message"]["content"][0]["text"].as_str().unwrap();
    let message =
        testing::outbound(document["send"]["message"]["to"].as_str().unwrap(), Command::Message(vec![Content::Text(Text::plain(text))]));
    let provider = Provider::new();
    let call = account(&provider, &document);
    script(&provider, &document["send"]["answers"]);
    let sent = TikTok::send(&call, message.clone());
    assert_eq!(sent.accepted[0].external_id.as_deref(), document["send"]["external_id"].as_str());
    drop(provider);
    for error in document["errors"].as_array().unwrap() {
        let provider = Provider::new();
        let call = account(&provider, &document);
        script(&provider, &json!([error]));
        let failed = TikTok::send(&call, message.clone()).failed.unwrap();
        assert_eq!(class(&failed), error["failure"].as_str().unwrap(), "{}", error["about"]);
        if let (Failure::Limited(retry), None) = (&failed, error.get("headers")) {
            assert_eq!(retry.after_ms, error["retry_after_ms"].as_f64(), "{}", error["about"]);
        }
    }
}
