//! What the conformance files promise, natively: the gateway's suite runs the first of them against the component.

use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;
use patchbay_plugin::hooks::{Connecting, Progress, Step};

const FILES: [&str; 2] = [include_str!("../../conformance.json"), include_str!("../../conformance-victorylink.json")];

fn files() -> [Value; 2] {
    FILES.map(|file| serde_json::from_str(file).unwrap())
}

/// A world with the file's secrets.
fn world(file: &Value) -> Provider {
    let provider = Provider::new();
    for (name, secret) in file["account"]["secrets"].as_object().unwrap() {
        provider.secret(name, secret.as_str().unwrap());
    }
    provider
}

fn script(provider: &Provider, answers: &[Value]) {
    for answer in answers {
        let body = answer["body"].as_str().map_or_else(|| answer["body"].to_string(), str::to_owned);
        let status = answer["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(200);
        provider.on(answer["on"].as_str().unwrap()).answer_bytes(status, "application/json", body);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn outbound(written: &Value) -> Outbound {
    let contents = list(written, "content").iter().map(|content| Content::Text(Text::plain(content["text"].as_str().unwrap()))).collect();
    testing::outbound(written["to"].as_str().unwrap(), Command::Message(contents))
}

#[test]
fn accounts_connect_are_well_and_send() {
    for file in files() {
        let settings = &file["account"]["settings"];
        let provider = world(&file);
        script(&provider, list(&file["connect"], "answers"));
        let input = Connecting { step: Step::Start, webhook_url: WEBHOOK.into(), state: None };
        let Progress::Connected(connected) = Sms::connect(&call(settings), input).unwrap().progress else { panic!("not connected") };
        assert_eq!(connected.external_id, file["connect"]["external_id"]);
        script(&provider, list(&file["health"], "answers"));
        assert!(Sms::health(&call(settings)).unwrap().checks.iter().all(|check| check.ok));
        script(&provider, list(&file["send"], "answers"));
        let sent = Sms::send(&call(settings), outbound(&file["send"]["message"]));
        assert_eq!((sent.failed, sent.accepted[0].external_id.as_deref()), (None, file["send"]["external_id"].as_str()));
    }
}

#[test]
fn every_error_becomes_its_failure() {
    let mut tried = 0;
    for file in files() {
        for case in list(&file, "errors") {
            let mut answers = list(if case["answers"].is_array() { case } else { &file["send"] }, "answers").to_vec();
            if let Some(answer) = answers.iter_mut().find(|answer| answer["on"] == case["on"]) {
                *answer = json!({"on": case["on"], "status": case["status"], "body": case["body"]});
            }
            let provider = world(&file);
            script(&provider, &answers);
            let message = if case["message"].is_object() { &case["message"] } else { &file["send"]["message"] };
            let failure = Sms::send(&call(&file["account"]["settings"]), outbound(message)).failed.unwrap();
            assert_eq!(class(&failure), case["failure"], "{}", case["about"]);
            // The scripted provider has no headers.
            if let (Failure::Limited(retry), true) = (failure, case["headers"].is_null()) {
                assert_eq!(retry.after_ms, case["retry_after_ms"].as_f64(), "{}", case["about"]);
            }
            tried += 1;
        }
    }
    assert!(tried >= 50, "{tried}");
}

/// What is wrong with the settings but for secrets and names, which the schema knows.
#[test]
fn settings_are_judged_as_the_files_say() {
    for file in files() {
        let judge = |case: &Value| {
            let mut settings = case["settings"].clone();
            settings.as_object_mut().unwrap().retain(|name, _| !["api_key", "password", "webhook_secret"].contains(&name.as_str()));
            Sms::configure(&settings.to_string())
        };
        for case in list(&file["settings"], "good") {
            assert!(judge(case).is_ok(), "{}", case["about"]);
        }
        for case in list(&file["settings"], "bad") {
            let pointer = case["pointer"].as_str().unwrap();
            if !["/api_key", "/password", "/sender"].contains(&pointer) {
                assert_eq!(pointers(&judge(case).unwrap_err()), [pointer], "{}", case["about"]);
            }
        }
    }
}
