//! Channel accounts over REST: made, listed, changed, connected, checked, deleted.

use patchbay_providers::Telegram;
use reqwest::Method;
use serde_json::json;

use crate::harness::{BOT, Bench, Database, Gateway, MONA, Settings, TOKEN, both, eventually};

async fn an_account_is_made_listed_changed_and_deleted(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let new = json!({"organization_id": "7b1c5c6e-7d4d-4a55-9d0e-1f6f5d3b2a10", "name": "Help desk", "type": "TELEGRAM",
                     "settings": {"bot_token": TOKEN}, "is_active": true});
    let made = gateway.post("/rest/v1/channel_accounts", new).await.expect_status(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["type"], "TELEGRAM");
    assert_eq!(made["is_active"], true);
    assert_eq!(made["connection"], "unconfigured");
    assert_eq!(made["settings"]["mode"], "webhook", "defaults of the schema are filled in: {made:#}");
    assert_eq!(made["settings"]["bot_token"], json!({"set": true, "last4": "ghij"}));
    assert!(made["webhook_url"].as_str().unwrap().ends_with(&format!("/webhooks/{id}")));
    assert!(!made.to_string().contains(TOKEN), "a secret is never given back");

    let other = json!({"organization_id": "other", "name": "Second", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}});
    let other = gateway.post("/rest/v1/channel_accounts", other).await.expect_status(201);
    assert_eq!(other["is_active"], false, "an account is inactive unless asked otherwise");

    for (query, count) in [
        ("", 2),
        ("?organization_id=other", 1),
        ("?type=TELEGRAM", 2),
        ("?type=EMAIL", 0),
        ("?is_active=true", 1),
        ("?organization_id=other&type=TELEGRAM&is_active=true", 0),
        ("?is_active=eq.false", 1),
    ] {
        let list = gateway.get(&format!("/rest/v1/channel_accounts{query}")).await.expect_status(200);
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }

    let path = format!("/rest/v1/channel_accounts/{id}");
    let change = json!({"name": "Renamed", "is_active": false, "settings": {"parse_mode": "HTML"}});
    let changed = gateway.patch(&path, change).await.expect_status(200);
    assert_eq!((&changed["name"], &changed["is_active"]), (&json!("Renamed"), &json!(false)));
    assert_eq!(changed["settings"]["parse_mode"], "HTML");
    assert_eq!(changed["settings"]["bot_token"]["set"], true, "a secret stays unless it is given anew");

    gateway.delete(&path).await.expect_status(204);
    gateway.get(&path).await.expect_status(404);
    assert_eq!(gateway.get("/rest/v1/channel_accounts").await.expect_status(200).as_array().unwrap().len(), 1);
}

async fn bad_input_names_the_field_and_the_way_out(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let make = |body| gateway.post("/rest/v1/channel_accounts", body);
    let whole = json!({"organization_id": "o", "name": "n", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}});
    let with = |field: &str, value: serde_json::Value| {
        let mut body = whole.clone();
        body[field] = value;
        body
    };
    let cases = [
        (json!({"organization_id": "o", "type": "TELEGRAM", "settings": {}}), "/name"),
        (with("name", json!("")), "/name"),
        (with("name", json!(7)), "/name"),
        (with("type", json!("PIGEON")), "/type"),
        (with("organization_id", json!("a b")), "/organization_id"),
        (with("settings", json!({})), "/settings/bot_token"),
        (with("settings", json!({"bot_token": "nonsense"})), "/settings/bot_token"),
        (with("settings", json!({"bot_token": TOKEN, "mode": "carrier"})), "/settings/mode"),
        (with("settings", json!({"bot_token": TOKEN, "moode": "webhook"})), "/settings/moode"),
        (with("settings", json!({"bot_token": TOKEN, "webhook_secret": "mine"})), "/settings/webhook_secret"),
        (with("is_actve", json!(true)), "/is_actve"),
    ];
    for (body, pointer) in cases {
        let error = make(body).await.expect_status(422);
        assert_eq!(error["errors"][0]["pointer"], pointer, "{error:#}");
        assert!(!error.to_string().contains("nonsense"), "what was typed into a secret isn't repeated: {error:#}");
    }
    let unknown = make(with("type", json!("PIGEON"))).await.body;
    assert!(unknown["message"].as_str().unwrap().contains("TELEGRAM"), "it says which there are: {unknown:#}");
    let error = gateway.upload("/rest/v1/channel_accounts", "application/json", b"{".to_vec()).await.expect_status(400);
    assert_eq!(error["code"], "not_json");
    let error = gateway.get("/rest/v1/channel_accounts?tpe=TELEGRAM").await.expect_status(400);
    assert_eq!(error["code"], "42703");
    gateway.get("/rest/v1/nothing").await.expect_status(404);
    assert!(gateway.get("/rest/v1/channel_accounts").await.expect_status(200).as_array().unwrap().is_empty());
}

async fn no_key_or_a_wrong_one_opens_nothing(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    for (key, path) in [(None, "/rest/v1/channel_accounts"), (Some("pb_wrong"), "/rest/v1/messages"), (None, "/admin/v1/plugins")] {
        gateway.ask_as(key, Method::GET, path).await.expect_status(401);
    }
    let (made, key) = gateway.run(&["key", "new", "--scope", "read", "--organization", "org-1"]);
    assert!(made, "{key}");
    let key = key.lines().last().unwrap().trim().to_owned();
    let key = Some(key.as_str());
    gateway.create_account("Ours", json!({})).await;
    let list = gateway.ask_as(key, Method::GET, "/rest/v1/channel_accounts").await.expect_status(200);
    assert_eq!(list.as_array().unwrap().len(), 1);
    let id = list[0]["id"].as_str().unwrap().to_owned();
    gateway.ask_as(key, Method::DELETE, &format!("/rest/v1/channel_accounts/{id}")).await.expect_status(403);
    gateway.ask_as(key, Method::GET, "/rest/v1/channel_accounts?organization_id=org-2").await.expect_status(403);
    let theirs = json!({"organization_id": "org-2", "name": "Theirs", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}});
    let theirs = gateway.post("/rest/v1/channel_accounts", theirs).await.expect_status(201);
    let theirs = format!("/rest/v1/channel_accounts/{}", theirs["id"].as_str().unwrap());
    gateway.ask_as(key, Method::GET, &theirs).await.expect_status(404);
    let (_, admin) = gateway.run(&["key", "new", "--scope", "admin", "--organization", "org-1"]);
    let admin = admin.lines().last().unwrap().trim().to_owned();
    gateway.ask_as(Some(&admin), Method::GET, &theirs).await.expect_status(404);
    gateway.ask_as(Some(&admin), Method::GET, "/admin/v1/plugins").await.expect_status(403);
}

async fn connecting_sets_the_webhook_with_a_secret_and_disconnecting_removes_it(database: Database) {
    let bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    let account = bench.gateway.get(&path).await.expect_status(200);
    assert_eq!(account["connection"], "connected");
    assert_eq!(account["external_id"], BOT.to_string());
    assert_eq!(account["is_connected"], true);
    let set = bench.telegram.requests_of("setWebhook").pop().unwrap();
    assert_eq!(set.text("url"), account["webhook_url"].as_str().unwrap());
    let secret = set.text("secret_token");
    assert_eq!(secret.len(), 48);
    assert!(!account.to_string().contains(&secret));

    let again = bench.gateway.create_account("Twin", json!({})).await;
    let refused = bench.gateway.post(&format!("/rest/v1/channel_accounts/{again}/connect"), json!({})).await.expect_status(409);
    assert!(refused["hint"].as_str().unwrap().contains("Help desk"), "{refused:#}");
    eventually("the first account takes its webhooks back", || async {
        let url = bench.telegram.webhook_info(BOT)["url"].as_str()?.to_owned();
        (url == account["webhook_url"].as_str()?).then_some(())
    })
    .await;

    let account = bench.gateway.post(&format!("{path}/disconnect"), json!({})).await.expect_status(200);
    assert_eq!(account["connection"], "logged_out");
    assert_eq!(bench.telegram.requests_of("deleteWebhook").len(), 1);
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{again}/connect"), json!({})).await.expect_status(200);
}

async fn a_wrong_token_is_told_as_such(database: Database) {
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, Settings::default().redirecting("api.telegram.org", &telegram.url())).await;
    telegram.register(TOKEN, "desk_bot", "Desk");
    telegram.revoke(BOT);
    let account = gateway.create_account("Help desk", json!({})).await;
    let path = format!("/rest/v1/channel_accounts/{account}");
    let error = gateway.post(&format!("{path}/connect"), json!({})).await.expect_status(422);
    assert_eq!(error["code"], "unauthorized", "{error:#}");
    assert!(!error.to_string().contains(TOKEN));
    let account = gateway.get(&path).await.expect_status(200);
    assert_eq!(account["connection"], "needs_reauth");
    assert!(account["user_action"].is_string(), "{account:#}");
}

async fn a_provider_that_is_away_is_no_wrong_token(database: Database) {
    // Nobody listens there.
    let gateway = Gateway::start(database, Settings::default().redirecting("api.telegram.org", "http://127.0.0.1:9")).await;
    let account = gateway.create_account("Help desk", json!({})).await;
    let error = gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(502);
    assert_eq!(error["code"], "unavailable", "{error:#}");
}

async fn a_plugin_reaches_only_what_it_was_granted(database: Database) {
    // No redirect: the account's own base_url names this machine, which the address guard blocks.
    let telegram = Telegram::start().await;
    let gateway = Gateway::start(database, Settings::default()).await;
    let account = gateway.create_account("Help desk", json!({"base_url": telegram.url().replace("http://", "https://")})).await;
    let answer = gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await;
    assert_ne!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(telegram.request_count(), 0);
}

async fn health_and_test_tell_how_the_account_is(database: Database) {
    let bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    let report = bench.gateway.post(&format!("{path}/health"), json!({})).await.expect_status(200);
    assert_eq!(report["ok"], true, "{report:#}");
    let tested = bench.gateway.post(&format!("{path}/test"), json!({"to": MONA.to_string()})).await.expect_status(200);
    bench.settled(tested["message"]["id"].as_str().unwrap()).await;
    assert!(bench.telegram.requests_of("sendMessage").pop().unwrap().text("text").contains("Help desk"));

    bench.telegram.revoke(BOT);
    let report = bench.gateway.post(&format!("{path}/health"), json!({})).await.expect_status(200);
    assert_eq!(report["ok"], false);
    assert_eq!(bench.gateway.get(&path).await.expect_status(200)["connection"], "needs_reauth");

    bench.telegram.restore(BOT);
    bench.gateway.post(&format!("{path}/connect"), json!({})).await.expect_status(200);
    assert_eq!(bench.gateway.get(&path).await.expect_status(200)["connection"], "connected");
}

async fn changed_settings_reach_the_provider(database: Database) {
    let bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    bench.gateway.patch(&path, json!({"settings": {"mode": "polling"}})).await.expect_status(200);
    eventually("the webhook is gone and the bot is polled", || async {
        let polled = !bench.telegram.requests_of("getUpdates").is_empty();
        (polled && bench.telegram.webhook_info(BOT)["url"] == "").then_some(())
    })
    .await;
    let other = "4200002:AAE-standin_token_0123456789abcdefghij";
    bench.gateway.patch(&path, json!({"settings": {"mode": "webhook", "bot_token": other}})).await.expect_status(200);
    let account = eventually("it is the other bot's account", || async {
        let account = bench.gateway.get(&path).await.expect_status(200);
        (account["external_id"] == "4200002" && account["connection"] == "connected").then_some(account)
    })
    .await;
    assert_eq!(bench.telegram.webhook_info(4_200_002)["url"], account["webhook_url"]);
    assert_eq!(account["settings"]["bot_token"]["last4"], "ghij");
}

async fn a_bot_can_be_polled_instead(database: Database) {
    let bench = Bench::with(database, json!({"mode": "polling"}), Settings::default()).await;
    assert!(bench.telegram.requests_of("setWebhook").is_empty());
    for text in ["one", "two"] {
        let update = json!({"message": {"message_id": if text == "one" { 1 } else { 2 }, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
                            "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": text}});
        bench.telegram.push(BOT, update).await;
    }
    let messages = eventually("both are read", || async {
        let messages = bench.messages("inbound").await;
        (messages.len() == 2).then_some(messages)
    })
    .await;
    assert_eq!(messages[0]["content"][0]["text"], "one");
    assert_eq!(messages[1]["content"][0]["text"], "two");
    // A check of its health leaves the poll that is under way alone: two at a time would end each other.
    let path = format!("/rest/v1/channel_accounts/{}/health", bench.account);
    for _ in 0..3 {
        assert_eq!(bench.gateway.post(&path, json!({})).await.expect_status(200)["ok"], true);
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let polls = bench.telegram.requests_of("getUpdates");
    assert!(polls.iter().all(|poll| matches!(poll.status, 0 | 200)), "{polls:#?}");
}

both! {
    an_account_is_made_listed_changed_and_deleted,
    bad_input_names_the_field_and_the_way_out,
    no_key_or_a_wrong_one_opens_nothing,
    connecting_sets_the_webhook_with_a_secret_and_disconnecting_removes_it,
    a_wrong_token_is_told_as_such,
    a_provider_that_is_away_is_no_wrong_token,
    a_plugin_reaches_only_what_it_was_granted,
    health_and_test_tell_how_the_account_is,
    changed_settings_reach_the_provider,
    a_bot_can_be_polled_instead,
}
