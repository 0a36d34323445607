//! What a manifest says of webhooks: how they come, how they are believed, how the provider asks for the address.

use super::{
    apps::{example, read, told},
    *,
};

/// An account's own URL with a recipe and a challenge.
fn webhook(more: &serde_json::Value) -> serde_json::Value {
    let mut webhook = json!({"scope": "account", "methods": ["GET", "POST"], "path_token": true,
        "verify": {"kind": "hmac", "header": "x-sig", "also_headers": ["sig"], "secret": "webhook_secret", "optional": true,
            "prefix": "sha256=", "bare": true, "timestamp_field": "t", "signature_field": "s", "signed": "{timestamp}.{body}",
            "tolerance_setting": "api_version"},
        "challenge": {"kind": "hmac", "parameter": "code", "secret": "webhook_secret", "alternatives": ["app_secret"],
            "answer": {"code": "{challenge}", "response": "{hmac}"}}});
    for (pointer, value) in more.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = webhook.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() { drop(parent.remove(name)) } else { drop(parent.insert(name.to_owned(), value.clone())) }
    }
    webhook
}

#[test]
fn a_whole_webhook_is_right_and_travels_unchanged() {
    let mut manifest = example();
    assert_eq!(read(&manifest).unwrap().webhook.unwrap().methods, [WebhookMethod::Post], "the default");
    manifest["webhook"] = webhook(&json!({}));
    let whole = read(&manifest).unwrap();
    assert_eq!(read(&serde_json::to_value(&whole).unwrap()).unwrap(), whole);
    manifest["webhook"] = webhook(&json!({"/challenge": {"kind": "echo", "answer": "challenge"}, "/verify/signature_field": "s"}));
    let spec = read(&manifest).unwrap().webhook.unwrap();
    assert!(spec.path_token && spec.takes(WebhookMethod::Get) && spec.verify.tolerance_setting() == Some("api_version"));
}

#[test]
fn every_mistake_is_told_at_its_place() {
    for (change, path) in [
        (json!({"/methods": []}), "webhook.methods: names POST or GET or both"),
        (json!({"/methods": ["POST", "POST"]}), "webhook.methods: names POST or GET or both"),
        (json!({"/scope": "app", "/verify/optional": false}), "webhook.path_token: is for"),
        (json!({"/path_token": false, "/verify/optional": false}), "webhook.methods: GET needs `path_token = true`"),
        (json!({"/path_token": false, "/methods": ["POST"]}), "webhook.verify.optional: needs `path_token = true`"),
        (json!({"/verify/also_headers": ["a b"]}), "webhook.verify.also_headers: isn't the name"),
        (json!({"/verify/signature_field": null}), "webhook.verify.timestamp_field: needs a signature_field"),
        (json!({"/verify/timestamp_header": "x-at"}), "webhook.verify.timestamp_field: and timestamp_header exclude"),
        (json!({"/verify/timestamp_field": "t=x"}), "webhook.verify.timestamp_field: is the name of a part"),
        (json!({"/verify/signature_field": ""}), "webhook.verify.signature_field: is the name of a part"),
        (json!({"/verify/signed": "{body}"}), "webhook.verify.timestamp_field: and {timestamp} in `signed` need each other"),
        (json!({"/verify/timestamp_field": null, "/verify/tolerance_setting": null}), "webhook.verify.timestamp_header: and {timestamp}"),
        (json!({"/verify/prefix": null}), "webhook.verify.bare: needs a prefix"),
        (json!({"/verify/tolerance_setting": "gone"}), "webhook.verify.tolerance_setting: names the setting \"gone\""),
        (
            json!({"/verify/timestamp_field": null, "/verify/signed": "{body}"}),
            "webhook.verify.tolerance_setting: needs a timestamp_header or a timestamp_field",
        ),
        (json!({"/challenge/parameter": ""}), "webhook.challenge.parameter: names the parameter"),
        (json!({"/challenge/alternatives": ["gone"]}), "webhook.challenge.alternatives: names the secret"),
        (json!({"/challenge/answer": {"code": "{challenge}"}}), "webhook.challenge.answer: has no {hmac}"),
        (json!({"/challenge/answer": {"code": "{hmac} {other}"}}), "webhook.challenge.answer: knows the placeholders"),
        (json!({"/challenge": {"kind": "echo", "answer": ""}}), "webhook.challenge.answer: names the parameter"),
    ] {
        let problems = told("/webhook", webhook(&change));
        assert!(problems.len() == 1 && problems[0].starts_with(path), "{change}: {problems:?}");
    }
}

#[test]
fn a_method_is_one_that_providers_deliver_by() {
    let mut manifest = example();
    manifest["webhook"]["methods"] = json!(["PUT"]);
    let refused = read(&manifest).unwrap_err().to_string();
    assert!(refused.contains("PUT") && refused.contains("POST"), "{refused}");
}
