use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::{
    manifest::asks::{Ask, Limit, asks, beyond, in_words},
    sections::Interfaces,
};

fn pigeon() -> serde_json::Value {
    json!({
        "id": "pigeon", "type": "PIGEON", "version": "1.0.0", "name": "Pigeon", "contract": CONTRACT,
        "settings": {"type": "object", "properties": {"token": {"type": "string"}, "server": {"type": "string"}}},
        "secrets": {"token": {"title": "Token", "from": "typed"}, "hook": {"title": "Hook", "from": "generated"}},
        "egress": {
            "api": {"base": "https://api.pigeon.example/v1", "methods": ["GET", "POST"], "paths": ["/messages/*", "/me"], "bearer": "token"},
            "files": {"base": "https://files.pigeon.example", "methods": ["GET"], "hosts": ["*.cdn.example"], "bearer": "token"}
        },
        "capabilities": {"commands": ["message"]}
    })
}

/// What the manifest asks for after somebody has written something else at some of its places.
fn asked(edits: &[(&str, serde_json::Value)]) -> BTreeSet<Ask> {
    let mut manifest = pigeon();
    for (pointer, value) in edits {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    let manifest = Manifest::from_json(manifest.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}\n{manifest:#}"));
    asks(&manifest, &Interfaces::default())
}

/// What the edits ask for beyond the original.
fn widened(edits: &[(&str, serde_json::Value)]) -> Vec<String> {
    beyond(&asked(edits), &asked(&[])).iter().map(ToString::to_string).collect()
}

#[test]
fn everything_is_said_in_words() {
    assert_eq!(
        in_words(&asked(&[])),
        [
            "send GET requests to https://*.cdn.example: /*",
            "send GET, POST requests to https://api.pigeon.example: /v1/me, /v1/messages/*",
            "send GET requests to https://files.pigeon.example: /*",
            "have the secret token sent to https://api.pigeon.example",
            "have the secret token sent to https://files.pigeon.example",
            "keep the secret hook: made by the gateway",
            "keep the secret token: a person types it in",
            "carry out message commands",
        ]
    );
}

#[test]
fn what_is_narrower_or_only_named_otherwise_asks_for_nothing_new() {
    let api = pigeon()["egress"]["api"].clone();
    assert!(widened(&[]).is_empty());
    assert!(widened(&[("/egress", json!({"main": api}))]).is_empty(), "another name for a target, and another gone");
    assert!(widened(&[("/egress/api/methods", json!(["POST"]))]).is_empty(), "a method fewer");
    assert!(widened(&[("/egress/api/paths", json!(["/messages/send/*", "/messages/1"]))]).is_empty(), "beneath what was granted");
    assert!(widened(&[("/egress/files/hosts", json!(["a.cdn.example"]))]).is_empty(), "one host of many");
    assert!(widened(&[("/egress/files/hosts", json!(["*.eu.cdn.example"]))]).is_empty(), "some hosts of many");
    assert!(widened(&[("/version", json!("2.0.0")), ("/limits", json!({"memory_mb": 32}))]).is_empty());
}

#[test]
fn what_is_wider_is_named() {
    assert_eq!(
        widened(&[("/egress/files/methods", json!(["GET", "DELETE"]))]),
        ["send DELETE requests to https://*.cdn.example: /*", "send DELETE requests to https://files.pigeon.example: /*"]
    );
    assert_eq!(widened(&[("/egress/api/paths", json!(["/*"]))]).len(), 2, "each method, to all paths");
    assert_eq!(widened(&[("/egress/files/hosts", json!(["cdn.example"]))]), ["send GET requests to https://cdn.example: /*"]);
    assert_eq!(widened(&[("/egress/files/trusted_hosts", json!(true))]), ["have the secret token sent to https://*.cdn.example"]);
    assert_eq!(widened(&[("/limits", json!({"memory_mb": 128}))]), ["use 128 MiB of memory for a call"]);
    assert_eq!(widened(&[("/egress/api/max_response_mb", json!(40))]), ["get responses of 40 MiB"]);
    assert_eq!(widened(&[("/capabilities/commands", json!(["message", "delete"]))]), ["carry out delete commands"]);
    assert_eq!(widened(&[("/secrets/hook/from", json!("captured"))]), ["keep the secret hook: lifted out of a response"]);
    let by_setting = widened(&[("/egress/api/base_setting", json!("server"))]);
    assert_eq!(by_setting.len(), 5, "four kinds of requests and a credential, to wherever a setting says: {by_setting:?}");
    assert!(by_setting.contains(&"have the secret token sent to the server in the setting server".to_owned()), "{by_setting:?}");
}

#[test]
fn webhooks_that_prove_nothing_are_asked_for_unless_their_url_is_a_secret() {
    let open = json!({"scope": "account", "verify": {"kind": "none"}});
    assert_eq!(widened(&[("/webhook", open.clone())]), ["take webhooks from whoever knows an account's URL"]);
    let mut secret = open;
    secret["path_token"] = json!(true);
    assert!(widened(&[("/webhook", secret)]).is_empty());
}

#[test]
fn a_grant_covers_what_is_less_and_never_what_is_beside_it() {
    let limit = |most| Ask::Limit { of: Limit::CpuMs, most };
    assert!(limit(500).covers(&limit(400)) && !limit(400).covers(&limit(500)));
    let to = |host: &str| Ask::SignsItself { to: format!("https://{host}") };
    assert!(to("*.a.example").covers(&to("b.a.example")));
    assert!(to("*.a.example").covers(&to("*.b.a.example")));
    for (granted, asked) in [
        ("*.a.example", "a.example"),
        ("*.a.example", "*.example"),
        ("a.example", "*.a.example"),
        ("a.example", "a.example:8443"),
        ("*.a.example", "ba.example"),
    ] {
        assert!(!to(granted).covers(&to(asked)), "{granted} covers {asked}");
    }
    let request =
        |method: &str, path: &str| Ask::Request { to: "https://a.example".to_owned(), method: method.to_owned(), path: path.to_owned() };
    assert!(request("GET", "/v1/*").covers(&request("GET", "/v1/me")));
    assert!(!request("GET", "/v1/*").covers(&request("POST", "/v1/me")));
    assert!(!request("GET", "/v1/me").covers(&request("GET", "/v1/*")));
    assert!(!request("GET", "/v1/*").covers(&request("GET", "/v10")));
}

#[test]
fn exports_and_wasi_are_asked_for_too() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let interfaces = Interfaces {
        imports: names(&["patchbay:channel/http@1.0.0", "wasi:clocks/wall-clock@0.2.6"]),
        exports: names(&["patchbay:channel/channel@1.0.0", "patchbay:channel/polling@1.0.0"]),
    };
    let manifest = Manifest::from_json(pigeon().to_string().as_bytes()).unwrap();
    let more = beyond(&asks(&manifest, &interfaces), &asked(&[]));
    let words = in_words(&more);
    assert_eq!(words[0], "poll the provider");
    assert!(words[1].starts_with("use wasi:clocks/wall-clock (") && words.len() == 2, "{words:?}");
}

#[test]
fn what_was_granted_is_kept_as_json() {
    let interfaces =
        Interfaces { imports: vec!["wasi:io/poll@0.2.6".to_owned()], exports: vec!["patchbay:channel/preview@1.0.0".to_owned()] };
    let manifest = Manifest::from_json(pigeon().to_string().as_bytes()).unwrap();
    let all = asks(&manifest, &interfaces);
    let stored = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<BTreeSet<Ask>>(&stored).unwrap(), all);
}
