//! The audit log: every change over REST, by whom, and never a secret.

use jiff::Timestamp;
use patchbay_providers::Telegram;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Told, ask, now_s, theirs, token};
use crate::harness::{Database, Gateway, TOKEN, both};

async fn deeds(gateway: &Gateway, key: &str, query: &str) -> Vec<Value> {
    let list = gateway.ask_as(Some(key), Method::GET, &format!("/rest/v1/audit_log{query}")).await.expect_status(200);
    list.as_array().unwrap().iter().rev().cloned().collect()
}

async fn every_change_is_noted_with_who_made_it(database: Database) {
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, theirs::settings(&telegram)).await;
    let (admin, made) = gateway.make_key(json!({"organization_id": "acme", "name": "Mona's", "scope": "admin"})).await;
    let does = async |method: Method, path: &str, body: Value, status: u16| {
        let told = Told::of(ask(&gateway, method, path).bearer_auth(&admin).json(&body)).await;
        assert_eq!(told.status, status, "{path}: {told:?}");
        told.body()
    };
    let accounts = "/rest/v1/channel_accounts";
    let new = json!({"organization_id": "acme", "name": "Desk", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}, "is_active": true});
    let account = format!("{accounts}/{}", does(Method::POST, accounts, new, 201).await["id"].as_str().unwrap());
    does(Method::POST, &format!("{account}/connect"), json!({}), 200).await;
    does(Method::PATCH, &account, json!({"name": "Help", "settings": {"parse_mode": "HTML", "bot_token": TOKEN}}), 200).await;
    let endpoint = json!({"url": "https://93.184.215.14/hook", "description": "mine"});
    let endpoint = does(Method::POST, "/rest/v1/endpoints", endpoint, 201).await;
    let (secret, endpoint) = (endpoint["secret"].as_str().unwrap(), format!("/rest/v1/endpoints/{}", endpoint["id"].as_str().unwrap()));
    does(Method::PATCH, &endpoint, json!({"is_active": false}), 200).await;
    does(Method::POST, &format!("{endpoint}/rotate_secret"), json!({}), 200).await;
    does(Method::DELETE, &endpoint, json!({}), 204).await;
    does(Method::POST, "/rest/v1/dead_letters/replay", json!({}), 200).await;
    let tomorrow = Timestamp::from_second(now_s() + 86_400).unwrap().to_string();
    let send = json!({"channel_account_id": account.rsplit('/').next(), "to": "1", "content": [{"type": "text", "text": "x"}], "send_at": tomorrow});
    let message = does(Method::POST, "/rest/v1/messages", send, 202).await;
    does(Method::POST, &format!("/rest/v1/messages/{}/cancel", message["id"].as_str().unwrap()), json!({}), 200).await;
    does(Method::POST, &format!("{account}/disconnect"), json!({}), 200).await;
    does(Method::DELETE, &account, json!({}), 204).await;
    // What was refused was not done.
    does(Method::PATCH, &account, json!({"name": "x"}), 404).await;

    let log = deeds(&gateway, &admin, "").await;
    let actions: Vec<&str> = log.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "api_key.create",
            "channel_account.create",
            "channel_account.connect",
            "channel_account.update",
            "endpoint.create",
            "endpoint.update",
            "endpoint.rotate_secret",
            "endpoint.delete",
            "dead_letters.replay",
            "message.cancel",
            "channel_account.disconnect",
            "channel_account.delete",
        ],
        "{log:#?}"
    );
    assert!(log.iter().all(|entry| entry["organization_id"] == "acme"), "{log:#?}");
    let mine = json!({"kind": "key", "id": made["id"], "name": "Mona's"});
    assert!(log[1..].iter().all(|entry| entry["actor"] == mine), "{log:#?}");
    assert_eq!(log[0]["actor"]["name"], "first admin key");
    assert_eq!(log[3]["detail"]["fields"], json!(["name", "settings.bot_token", "settings.parse_mode"]));
    let text = Value::from(log).to_string();
    assert!(
        !text.contains(TOKEN) && !text.contains(secret) && !text.contains(&admin) && !text.contains("HTML"),
        "no value of anything: {text}"
    );

    assert_eq!(deeds(&gateway, &admin, "?action=endpoint.").await.len(), 4);
    let id = account.rsplit('/').next().unwrap();
    assert_eq!(deeds(&gateway, &admin, &format!("?subject_id={id}")).await.len(), 5);
    let newest = deeds(&gateway, &admin, "?limit=1").await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(deeds(&gateway, &admin, &format!("?before={newest}")).await.len(), 11);
    let all = gateway.get("/admin/v1/audit?organization_id=acme").await.expect_status(200);
    assert_eq!(all.as_array().unwrap().len(), 12);
}

async fn a_token_is_named_by_its_subject_and_the_operators_deeds_are_its_own(database: Database) {
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, theirs::settings(&telegram)).await;
    let owner = token(&json!({"role": "owner", "organization_id": "acme", "sub": "u-7", "email": "mona@example.com"}));
    let told =
        Told::of(ask(&gateway, Method::POST, "/rest/v1/api_keys").bearer_auth(&owner).json(&json!({"name": "x", "scope": "read"}))).await;
    assert_eq!(told.status, 201, "{told:?}");
    let app = json!({"name": "App", "types": ["TELEGRAM"], "client_id": "1", "client_secret": "the app's secret"});
    let app = gateway.post("/admin/v1/apps", app).await.expect_status(201);
    let path = format!("/admin/v1/apps/{}", app["id"].as_str().unwrap());
    let change = json!({"client_secret": "another one of it", "settings": {"region": "eu"}, "secrets": {"extra": "more of it"}});
    gateway.patch(&path, change).await.expect_status(200);
    gateway.delete(&path).await.expect_status(204);
    let own = deeds(&gateway, &owner, "").await;
    assert_eq!(own.len(), 1, "{own:#?}");
    assert_eq!(own[0]["actor"], json!({"kind": "token", "id": "u-7", "name": "mona@example.com"}));
    let apps = deeds(&gateway, &gateway.key, "?action=app.").await;
    assert_eq!(apps.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>(), ["app.create", "app.update", "app.delete"]);
    assert_eq!(apps[1]["detail"]["fields"], json!(["client_secret", "settings.region", "secrets.extra"]));
    assert!(!Value::from(apps).to_string().contains("of it"));
}

both! {
    every_change_is_noted_with_who_made_it,
    a_token_is_named_by_its_subject_and_the_operators_deeds_are_its_own,
}
