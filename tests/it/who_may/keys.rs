//! API keys as a resource.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Told, ask};
use crate::harness::{Database, Gateway, Settings, both, eventually};

const KEYS: &str = "/rest/v1/api_keys";

async fn gateway(database: Database) -> Gateway {
    Gateway::start(database, Settings::default().without_plugin()).await
}

fn path(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

async fn as_key(gateway: &Gateway, key: &str, method: Method, path: &str, body: Value) -> Told {
    let request = ask(gateway, method.clone(), path).header("apikey", key);
    Told::of(if method == Method::GET { request } else { request.json(&body) }).await
}

async fn a_key_is_made_told_once_used_renamed_and_revoked(database: Database) {
    let gateway = gateway(database).await;
    let (text, made) = gateway.make_key(json!({"organization_id": "acme", "name": "Shop", "scope": "read"})).await;
    assert!(text.starts_with("pb_") && text.starts_with(made["prefix"].as_str().unwrap()));
    assert_eq!((&made["state"], &made["scope"], &made["last_used_at"]), (&json!("valid"), &json!("read"), &Value::Null));
    assert_eq!(gateway.opens(&text).await, 200);
    let shown = eventually("its use is noted", || async {
        let shown = gateway.get(&path(&made)).await.expect_status(200);
        shown["last_used_at"].is_string().then_some(shown)
    })
    .await;
    assert!(shown.get("key").is_none() && !shown.to_string().contains(&text), "told once: {shown:#}");
    // Once a minute is enough.
    assert_eq!(gateway.opens(&text).await, 200);
    assert_eq!(gateway.get(&path(&made)).await.expect_status(200)["last_used_at"], shown["last_used_at"]);

    let later = json!({"name": "Shop's website", "expires_at": "2099-01-01T00:00:00Z"});
    let changed = gateway.patch(&path(&made), later).await.expect_status(200);
    assert_eq!((&changed["name"], &changed["expires_at"]), (&json!("Shop's website"), &json!("2099-01-01T00:00:00.000000Z")));
    assert_eq!(gateway.patch(&path(&made), json!({"expires_at": null})).await.expect_status(200)["expires_at"], Value::Null);

    gateway.delete(&path(&made)).await.expect_status(204);
    let refused = as_key(&gateway, &text, Method::GET, "/rest/v1/messages", Value::Null).await;
    assert_eq!(refused.refused(401), "unauthorized");
    assert!(refused.text.contains("revoked"), "{refused:?}");
    assert_eq!(gateway.get(&path(&made)).await.expect_status(200)["state"], "revoked");
    for (method, path) in [(Method::DELETE, path(&made)), (Method::PATCH, path(&made)), (Method::POST, format!("{}/rotate", path(&made)))] {
        let told = as_key(&gateway, &gateway.key, method, &path, json!({})).await;
        assert_eq!(told.refused(409), "revoked");
    }

    let list = async |query: &str| gateway.get(&format!("{KEYS}{query}")).await.expect_status(200).as_array().unwrap().len();
    assert_eq!(list("").await, 2);
    for (query, count) in [("?organization_id=acme", 1), ("?state=valid", 1), ("?state=revoked&scope=read", 1), ("?state=expired", 0)] {
        assert_eq!(list(query).await, count, "{query}");
    }
}

async fn a_rotated_key_works_by_both_texts_for_a_while(database: Database) {
    let gateway = gateway(database).await;
    let (first, made) = gateway.make_key(json!({"organization_id": "acme", "name": "Shop", "scope": "read"})).await;
    let rotate = async |body: Value| gateway.post(&format!("{}/rotate", path(&made)), body).await;
    let rotated = rotate(json!({})).await.expect_status(200);
    let second = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!((&rotated["id"], &rotated["previous_prefix"]), (&made["id"], &made["prefix"]));
    assert!(rotated["previous_until"].is_string(), "{rotated:#}");
    assert_eq!((gateway.opens(&first).await, gateway.opens(&second).await), (200, 200));
    // The one before the one before is over.
    let third = rotate(json!({"overlap_s": 60})).await.expect_status(200)["key"].as_str().unwrap().to_owned();
    assert_eq!((gateway.opens(&first).await, gateway.opens(&second).await, gateway.opens(&third).await), (401, 200, 200));
    // At once.
    let last = rotate(json!({"overlap_s": 0})).await.expect_status(200);
    assert_eq!(last["previous_until"], Value::Null, "{last:#}");
    assert_eq!((gateway.opens(&third).await, gateway.opens(last["key"].as_str().unwrap()).await), (401, 200));
    let refused = as_key(&gateway, &third, Method::GET, "/rest/v1/messages", Value::Null).await;
    assert!(refused.text.contains("rotated"), "{refused:?}");
    let bounded = rotate(json!({"overlap_s": 604_801})).await.expect_status(422);
    assert_eq!(bounded["errors"][0]["pointer"], "/overlap_s");
    // A key that is revoked takes the text before with it.
    let again = rotate(json!({})).await.expect_status(200);
    gateway.delete(&path(&made)).await.expect_status(204);
    for text in [&last["key"], &again["key"]] {
        assert_eq!(gateway.opens(text.as_str().unwrap()).await, 401);
    }
}

async fn a_key_makes_none_that_may_more_than_itself(database: Database) {
    let gateway = gateway(database).await;
    let soon = "2099-01-01T00:00:00Z";
    let (admin, own) = gateway.make_key(json!({"organization_id": "acme", "name": "Admin", "scope": "admin", "expires_at": soon})).await;
    let (manager, _) = gateway.make_key(json!({"organization_id": "acme", "name": "Manager", "scope": "manage"})).await;
    let make = async |key: &str, body: Value| as_key(&gateway, key, Method::POST, KEYS, body).await;
    assert_eq!(make(&manager, json!({"name": "x", "scope": "read"})).await.refused(403), "scope");
    for organization in [json!("other"), Value::Null] {
        assert_eq!(make(&admin, json!({"name": "x", "scope": "read", "organization_id": organization})).await.refused(403), "organization");
    }
    for (body, pointer) in [
        (json!({"name": "x", "scope": "read", "expires_at": "2099-01-01T00:00:01Z"}), "/expires_at"),
        (json!({"name": "x", "scope": "read", "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"name": " ", "scope": "read"}), "/name"),
        (json!({"name": "x", "scope": "root"}), "/scope"),
        (json!({"name": "x"}), "/scope"),
    ] {
        let told = make(&admin, body).await;
        assert_eq!(told.refused(422), "invalid");
        assert_eq!(told.body()["errors"][0]["pointer"], pointer, "{told:?}");
    }
    let made = make(&admin, json!({"name": "x", "scope": "admin"})).await;
    assert_eq!((made.status, &made.body()["expires_at"]), (201, &own["expires_at"]), "it ends with its maker: {made:?}");
    assert_eq!(made.header("cache-control"), "no-store");
    // Nor can it live longer by its own word.
    for expires_at in [json!("2099-01-02T00:00:00Z"), Value::Null] {
        assert_eq!(as_key(&gateway, &admin, Method::PATCH, &path(&own), json!({"expires_at": expires_at})).await.refused(422), "invalid");
    }
    // The operator says whose a key is; its own keys are nobody else's to see.
    assert_eq!(make(&gateway.key, json!({"name": "x", "scope": "read"})).await.refused(422), "invalid");
    let (_, operators) = gateway.make_key(json!({"organization_id": null, "name": "Watcher", "scope": "read"})).await;
    assert_eq!(operators["organization_id"], Value::Null);
    assert_eq!(as_key(&gateway, &admin, Method::GET, &path(&operators), Value::Null).await.refused(404), "not_found");
    let seen = as_key(&gateway, &admin, Method::GET, KEYS, Value::Null).await.body();
    assert!(seen.as_array().unwrap().iter().all(|key| key["organization_id"] == "acme") && seen.as_array().unwrap().len() == 3, "{seen:#}");
}

/// A request that is made again is answered without the text: it is kept nowhere.
async fn a_repeated_request_makes_one_key_and_tells_its_text_once(database: Database) {
    let gateway = gateway(database).await;
    let new = json!({"organization_id": "acme", "name": "Shop", "scope": "read"});
    let (first, _) = gateway.post_once(KEYS, "once", new.clone()).await;
    let first = first.expect_status(201);
    let (again, headers) = gateway.post_once(KEYS, "once", new).await;
    let again = again.expect_status(201);
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!((&again["id"], &again["key"]), (&first["id"], &Value::Null));
    assert_eq!(gateway.opens(first["key"].as_str().unwrap()).await, 200);
}

async fn the_command_line_does_the_same(database: Database) {
    let gateway = gateway(database).await;
    let text = gateway.new_key("read", "acme");
    let (_, listed) = gateway.run(&["key", "list"]);
    let line = listed.lines().find(|line| line.contains("acme")).unwrap_or_else(|| panic!("{listed}"));
    let id = line.split_whitespace().next().unwrap();
    let does = |args: &[&str]| {
        let (done, told) = gateway.run(args);
        assert!(done, "{told}");
        told
    };
    does(&["key", "rename", id, "The shop"]);
    does(&["key", "expire", id, "--days", "30"]);
    let rotated = does(&["key", "rotate", id, "--overlap", "1"]);
    let new = rotated.lines().find(|line| line.starts_with("pb_")).unwrap().to_owned();
    assert_eq!((gateway.opens(&text).await, gateway.opens(&new).await), (200, 200));
    let shown = gateway.get(&format!("{KEYS}/{id}")).await.expect_status(200);
    assert!(shown["name"] == "The shop" && shown["expires_at"].is_string() && shown["previous_until"].is_string(), "{shown:#}");
    does(&["key", "expire", id]);
    does(&["key", "revoke", id]);
    assert_eq!((gateway.opens(&text).await, gateway.opens(&new).await), (401, 401));
    assert!(!gateway.run(&["key", "rotate", id]).0 && !gateway.run(&["key", "new", "--organization", "a b"]).0);
    let log = gateway.get("/rest/v1/audit_log?organization_id=acme").await.expect_status(200);
    let deeds: Vec<&str> = log.as_array().unwrap().iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(deeds, ["api_key.create", "api_key.update", "api_key.update", "api_key.rotate", "api_key.update", "api_key.revoke"]);
    assert!(log.as_array().unwrap().iter().all(|entry| entry["actor"]["kind"] == "command_line"), "{log:#}");
}

both! {
    a_key_is_made_told_once_used_renamed_and_revoked,
    a_rotated_key_works_by_both_texts_for_a_while,
    a_key_makes_none_that_may_more_than_itself,
    a_repeated_request_makes_one_key_and_tells_its_text_once,
    the_command_line_does_the_same,
}
