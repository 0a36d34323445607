//! Raw webhooks: kept with what became of them, listed, replayed, quarantined, pruned.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, Gateway, MONA, Settings, both, eventually, plugin_file};

fn text_update(n: i64, text: &str) -> Value {
    json!({"update_id": n, "message": {"message_id": n, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": text}})
}

fn secret(bench: &Bench) -> String {
    bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token")
}

async fn deliveries(gateway: &Gateway, query: &str) -> Vec<Value> {
    gateway.get(&format!("/rest/v1/webhook_deliveries?{query}")).await.expect_status(200).as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value:#}"))
}

async fn set_active(bench: &Bench, active: bool) {
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    bench.gateway.patch(&path, json!({"is_active": active})).await.expect_status(200);
}

/// Stops the gateway and starts it on a configuration that begins with these lines.
fn restart_with(gateway: &mut Gateway, lines: &str) {
    gateway.stop();
    let file = gateway.data.parent().unwrap().join("patchbay.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let own = config.split_once("# changed\n").map_or(config.as_str(), |(_, own)| own);
    std::fs::write(&file, format!("{lines}\n# changed\n{own}")).unwrap();
    gateway.start_again();
}

/// No call of a plugin gets along with that.
const BROKEN: &str = "sandbox.memory_mb = 0";

async fn a_delivery_is_listed_and_shown_with_what_it_held(database: Database) {
    let bench = Bench::connected(database).await;
    let body = text_update(1, "مرحبا").to_string();
    bench.gateway.webhook(&bench.account, Some(&secret(&bench)), body.clone()).await.expect_status(200);
    let [delivery] = <[Value; 1]>::try_from(deliveries(&bench.gateway, "").await).unwrap();
    assert_eq!(delivery["channel_account_id"], bench.account);
    assert_eq!(delivery["organization_id"], "org-1");
    assert_eq!((&delivery["state"], &delivery["method"], &delivery["events"]), (&json!("processed"), &json!("POST"), &json!(1)));
    assert_eq!(delivery["size"], body.len());
    assert_eq!((&delivery["plugin_version"], &delivery["verified_by"]), (&json!("0.1.0"), &json!("secret-header")));
    assert!(delivery["plugin_digest"].is_string() && delivery["processed_at"].is_string() && delivery["reason"].is_null());
    assert!(delivery.get("body").is_none());

    let path = format!("/rest/v1/webhook_deliveries/{}", text(&delivery, "id"));
    let shown = bench.gateway.get(&path).await.expect_status(200);
    assert_eq!((&shown["body"], &shown["body_encoding"]), (&json!(body), &json!("utf-8")));
    assert!(shown["headers"].as_array().unwrap().contains(&json!({"name": "content-type", "value": "application/json"})), "{shown:#}");
    assert!(!shown.to_string().contains(&secret(&bench)), "the proof isn't kept");

    bench.gateway.webhook(&bench.account, Some(&secret(&bench)), vec![0xff, 0x00, 0xfe]).await.expect_status(200);
    let failed = deliveries(&bench.gateway, "state=failed").await.pop().unwrap();
    let shown = bench.gateway.get(&format!("/rest/v1/webhook_deliveries/{}", text(&failed, "id"))).await.expect_status(200);
    assert_eq!((&shown["body"], &shown["body_encoding"]), (&json!("/wD+"), &json!("base64")));
    bench.gateway.get("/rest/v1/webhook_deliveries/nothing").await.expect_status(404);
}

async fn the_list_is_filtered_by_account_state_and_time(database: Database) {
    let bench = Bench::connected(database).await;
    let secret = secret(&bench);
    for n in 1..=3 {
        bench.gateway.webhook(&bench.account, Some(&secret), text_update(n, "hi").to_string()).await.expect_status(200);
    }
    bench.gateway.webhook(&bench.account, Some(&secret), "not json").await.expect_status(200);
    let all = deliveries(&bench.gateway, "").await;
    assert_eq!(all.len(), 4);
    assert_eq!(all[0]["state"], "failed", "the newest comes first: {all:#?}");
    assert_eq!(deliveries(&bench.gateway, "state=processed").await.len(), 3);
    assert_eq!(deliveries(&bench.gateway, &format!("channel_account_id={}&state=eq.failed", bench.account)).await.len(), 1);
    assert!(deliveries(&bench.gateway, "channel_account_id=nobody").await.is_empty());
    assert!(deliveries(&bench.gateway, "organization_id=org-2").await.is_empty());
    let page = deliveries(&bench.gateway, "limit=2&offset=1").await;
    assert_eq!(page, all[1..3]);
    // Since the third one, and before it: all received_at differ by microseconds.
    let third = text(&all[1], "received_at");
    assert_eq!(deliveries(&bench.gateway, &format!("since={third}")).await, all[..2]);
    assert_eq!(deliveries(&bench.gateway, &format!("until={third}")).await, all[2..]);
    for (query, code) in [("state=lost", "22P02"), ("since=yesterday", "22007"), ("stat=held", "42703")] {
        let error = bench.gateway.get(&format!("/rest/v1/webhook_deliveries?{query}")).await.expect_status(400);
        assert_eq!(error["code"], code, "{error:#}");
    }
}

async fn an_organisation_sees_and_replays_its_own_alone(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(text_update(1, "ours")).await;
    bench.gateway.webhook("nobody", None, "{}").await.expect_status(404);
    let stray = eventually("the stray is quarantined", || async { deliveries(&bench.gateway, "state=quarantined").await.pop() }).await;
    let (own, other) = (bench.gateway.new_key("read", "org-1"), bench.gateway.new_key("admin", "org-2"));
    let list = bench.gateway.ask_as(Some(&own), Method::GET, "/rest/v1/webhook_deliveries").await.expect_status(200);
    assert_eq!(list.as_array().unwrap().len(), 1, "not the quarantine: {list:#}");
    let path = format!("/rest/v1/webhook_deliveries/{}", text(&list[0], "id"));
    bench.gateway.ask_as(Some(&own), Method::GET, &path).await.expect_status(200);
    bench.gateway.ask_as(Some(&own), Method::POST, &format!("{path}/replay")).await.expect_status(403);
    let none = bench.gateway.ask_as(Some(&other), Method::GET, "/rest/v1/webhook_deliveries").await.expect_status(200);
    assert_eq!(none, json!([]));
    bench.gateway.ask_as(Some(&other), Method::GET, &path).await.expect_status(404);
    bench.gateway.ask_as(Some(&other), Method::POST, &format!("{path}/replay")).await.expect_status(404);
    let stray = format!("/rest/v1/webhook_deliveries/{}", text(&stray, "id"));
    bench.gateway.ask_as(Some(&other), Method::GET, &stray).await.expect_status(404);
    bench.gateway.ask_as(Some(&other), Method::POST, &format!("{stray}/replay")).await.expect_status(404);
    bench.gateway.ask_as(None, Method::GET, "/rest/v1/webhook_deliveries").await.expect_status(401);
}

async fn what_is_held_says_so_and_is_processed_on_activation(database: Database) {
    let bench = Bench::connected(database).await;
    set_active(&bench, false).await;
    for _ in 0..3 {
        bench.gateway.webhook(&bench.account, Some(&secret(&bench)), text_update(1, "held").to_string()).await.expect_status(200);
    }
    let [held] = <[Value; 1]>::try_from(deliveries(&bench.gateway, "state=held").await).unwrap();
    assert_eq!((&held["reason"], &held["deliveries"]), (&json!("the account is inactive"), &json!(3)));
    assert!(held["repeated_at"].is_string());
    let path = format!("/rest/v1/webhook_deliveries/{}/replay", text(&held, "id"));
    assert_eq!(bench.gateway.post(&path, json!({})).await.expect_status(409)["code"], "inactive");
    set_active(&bench, true).await;
    let processed = eventually("it is processed", || async { deliveries(&bench.gateway, "state=processed").await.pop() }).await;
    assert_eq!((&processed["id"], &processed["events"]), (&held["id"], &json!(1)));
    assert_eq!(bench.messages("inbound").await.len(), 1);
}

async fn a_plugin_that_breaks_fails_a_webhook_once_and_all_failed_ones_are_replayed(database: Database) {
    let mut bench = Bench::connected(database).await;
    let secret = secret(&bench);
    restart_with(&mut bench.gateway, BROKEN);
    for _ in 0..3 {
        let error = bench.gateway.webhook(&bench.account, Some(&secret), text_update(1, "one").to_string()).await.expect_status(503);
        assert_eq!(error["code"], "plugin", "{error:#}");
    }
    bench.gateway.webhook(&bench.account, Some(&secret), text_update(2, "two").to_string()).await.expect_status(503);
    let failed = deliveries(&bench.gateway, "state=failed").await;
    assert_eq!(failed.len(), 2, "a repetition is counted: {failed:#?}");
    assert_eq!((&failed[1]["deliveries"], &failed[0]["deliveries"]), (&json!(3), &json!(1)));
    assert!(text(&failed[0], "reason").contains("memory"), "{failed:#?}");
    // A replay that fails leaves it failed.
    let path = format!("/rest/v1/webhook_deliveries/{}/replay", text(&failed[0], "id"));
    let replayed = bench.gateway.post(&path, json!({})).await.expect_status(200);
    assert_eq!((&replayed["state"], &replayed["replay"]), (&json!("failed"), &Value::Null));

    restart_with(&mut bench.gateway, "");
    let asked = json!({"channel_account_id": bench.account});
    assert_eq!(bench.gateway.post("/rest/v1/webhook_deliveries/replay", asked.clone()).await.expect_status(202)["found"], 2);
    eventually("all are processed", || async { deliveries(&bench.gateway, "state=failed").await.is_empty().then_some(()) }).await;
    let texts: Vec<Value> = bench.messages("inbound").await.iter().map(|message| message["content"][0]["text"].clone()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert_eq!(bench.gateway.post("/rest/v1/webhook_deliveries/replay", asked).await.expect_status(202)["found"], 0);
}

async fn a_new_version_of_the_plugin_takes_up_what_the_old_one_failed(database: Database) {
    let mut bench = Bench::connected(database).await;
    let secret = secret(&bench);
    bench.gateway.webhook(&bench.account, Some(&secret), "not json").await.expect_status(200);
    restart_with(&mut bench.gateway, BROKEN);
    bench.gateway.webhook(&bench.account, Some(&secret), text_update(1, "one").to_string()).await.expect_status(503);
    restart_with(&mut bench.gateway, "");
    let component = std::fs::read(plugin_file("swap/telegram.wasm")).unwrap();
    bench.gateway.upload("/admin/v1/plugins", "application/wasm", component).await.expect_status(201);
    let processed = eventually("it is processed", || async { deliveries(&bench.gateway, "state=processed").await.pop() }).await;
    assert_eq!(processed["plugin_version"], "0.1.1");
    assert_eq!(bench.messages("inbound").await.len(), 1);
    let garbage = deliveries(&bench.gateway, "state=failed").await.pop().unwrap();
    assert_eq!(garbage["plugin_version"], "0.1.1", "the new one looked at it too: {garbage:#}");
}

/// Everything that a replay might change.
async fn everything(bench: &Bench) -> Value {
    let mut lists = Vec::new();
    for kind in ["message", "react", "edit", "delete", "typing", "mark_read", "custom"] {
        let path = format!("/rest/v1/messages?kind={kind}&limit=1000");
        lists.push(bench.gateway.get(&path).await.expect_status(200));
    }
    for path in ["contacts", "conversations"] {
        lists.push(bench.gateway.get(&format!("/rest/v1/{path}?limit=1000")).await.expect_status(200));
    }
    let mut everything = Value::Array(lists);
    take_urls(&mut everything);
    everything
}

/// Signed URLs are made anew whenever they are shown.
fn take_urls(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(take_urls),
        Value::Object(fields) => {
            fields.retain(|name, _| name != "url" && name != "url_expires_at");
            fields.values_mut().for_each(take_urls);
        }
        _ => {}
    }
}

/// The ids of all events up to the message with that text.
async fn events_until(bench: &Bench, last: &str) -> Vec<String> {
    let mut events = bench.gateway.listen(Some("0")).await;
    let mut ids = Vec::new();
    loop {
        let event = events.next().await;
        ids.push(text(&event, "id").to_owned());
        if event["type"] == "message.received" && event["data"]["message"]["content"][0]["text"] == last {
            return ids;
        }
    }
}

async fn replaying_changes_nothing_that_was_there(database: Database) {
    let bench = Bench::connected(database).await;
    for name in &bench.telegram.samples() {
        bench.telegram.push_sample(BOT, name).await;
    }
    bench.push(text_update(900_001, "before")).await;
    let before = eventually("the answers to what came in are sent", || async {
        let everything = everything(&bench).await;
        let text = everything.to_string();
        (!text.contains("\"state\":\"queued\"") && !text.contains("\"status\":\"pending\"")).then_some(everything)
    })
    .await;
    let told = events_until(&bench, "before").await;
    let processed = deliveries(&bench.gateway, "state=processed&limit=1000").await;
    assert!(processed.len() > 30, "{}", processed.len());
    for delivery in &processed {
        let path = format!("/rest/v1/webhook_deliveries/{}/replay", text(delivery, "id"));
        let replayed = bench.gateway.post(&path, json!({})).await.expect_status(200);
        assert_eq!(replayed["state"], "processed", "{replayed:#}");
        assert_eq!(replayed["replay"], json!({"events_new": 0, "events_known": delivery["events"]}), "{replayed:#}");
    }
    // And all of them by their time.
    let started = deliveries(&bench.gateway, "limit=1").await.pop().unwrap()["processed_at"].clone();
    let asked = json!({"channel_account_id": bench.account, "since": processed.last().unwrap()["received_at"]});
    let found = bench.gateway.post("/rest/v1/webhook_deliveries/replay", asked).await.expect_status(202);
    assert_eq!(found["found"], deliveries(&bench.gateway, "limit=1000").await.len());
    eventually("the newest was replayed again", || async {
        let newest = deliveries(&bench.gateway, "limit=1").await.pop()?;
        (text(&newest, "processed_at") > started.as_str()?).then_some(())
    })
    .await;
    assert_eq!(everything(&bench).await, before);
    bench.push(text_update(900_002, "after")).await;
    let mut told_after = events_until(&bench, "after").await;
    told_after.pop();
    assert_eq!(told_after, told, "nobody is told twice");
}

async fn a_replay_of_many_survives_a_kill(database: Database) {
    let mut bench = Bench::connected(database).await;
    let secret = secret(&bench);
    restart_with(&mut bench.gateway, BROKEN);
    for n in 1..=20 {
        bench.gateway.webhook(&bench.account, Some(&secret), text_update(n, &n.to_string()).to_string()).await.expect_status(503);
    }
    restart_with(&mut bench.gateway, "");
    let asked = json!({"channel_account_id": bench.account, "state": "failed"});
    assert_eq!(bench.gateway.post("/rest/v1/webhook_deliveries/replay", asked).await.expect_status(202)["found"], 20);
    bench.gateway.kill();
    bench.gateway.start_again();
    eventually("all are processed", || async { (bench.messages("inbound").await.len() == 20).then_some(()) }).await;
    eventually("none is failed", || async { deliveries(&bench.gateway, "state=failed").await.is_empty().then_some(()) }).await;
}

async fn a_bad_replay_says_what_is_wrong(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(text_update(1, "hi")).await;
    let path = "/rest/v1/webhook_deliveries/replay";
    let post = |body: Value| bench.gateway.post(path, body);
    let error = post(json!({})).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/channel_account_id", "{error:#}");
    let error = post(json!({"channel_account_id": "nobody"})).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/channel_account_id", "{error:#}");
    let error = post(json!({"channel_account_id": bench.account, "state": "quarantined"})).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/state", "{error:#}");
    let error = post(json!({"channel_account_id": bench.account, "since": "yesterday"})).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/since", "{error:#}");
    bench.gateway.post("/rest/v1/webhook_deliveries/nothing/replay", json!({})).await.expect_status(404);
    let delivery = deliveries(&bench.gateway, "").await.pop().unwrap();
    let one = format!("/rest/v1/webhook_deliveries/{}/replay", text(&delivery, "id"));
    bench.gateway.post(&one, json!({"channel_account_id": "another"})).await.expect_status(422);
    bench.gateway.post(&one, json!({"channel_account_id": bench.account})).await.expect_status(200);
}

async fn what_comes_to_an_unknown_address_is_quarantined_within_bounds(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("webhooks.quarantine_max = 3")).await;
    let body = |n: i64| text_update(n, &format!("stray {n}")).to_string();
    for n in 1..=5 {
        let request = bench.gateway.webhook_request(&format!("nobody-{n}?access_token=hunter2&mode=a"), Some("s3cret"), body(n));
        let answer = request.header("x-api-key", "hunter2").header("x-kind", "update").send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    bench.gateway.webhook("nobody-6", None, vec![b' '; 70 * 1024]).await.expect_status(404);
    let strays = eventually("the last three are kept", || async {
        let strays = deliveries(&bench.gateway, "state=quarantined").await;
        (strays.len() == 3 && strays[0]["path"] == "/webhooks/nobody-5").then_some(strays)
    })
    .await;
    assert_eq!(strays[2]["path"], "/webhooks/nobody-3");
    assert!(strays[0]["channel_account_id"].is_null() && strays[0]["organization_id"].is_null() && strays[0]["verified_by"].is_null());
    let path = format!("/rest/v1/webhook_deliveries/{}", text(&strays[0], "id"));
    let shown = bench.gateway.get(&path).await.expect_status(200);
    assert!(!shown.to_string().contains("hunter2") && !shown.to_string().contains("s3cret"), "{shown:#}");
    assert!(shown["headers"].as_array().unwrap().contains(&json!({"name": "x-kind", "value": "update"})), "{shown:#}");
    assert_eq!(shown["query"], json!([{"name": "mode", "value": "a"}]));

    let error = bench.gateway.post(&format!("{path}/replay"), json!({})).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/channel_account_id", "{error:#}");
    let into = json!({"channel_account_id": bench.account});
    let replayed = bench.gateway.post(&format!("{path}/replay"), into).await.expect_status(200);
    assert_eq!((&replayed["state"], &replayed["channel_account_id"]), (&json!("processed"), &json!(bench.account)));
    assert_eq!(replayed["replay"], json!({"events_new": 1, "events_known": 0}));
    let [message] = <[Value; 1]>::try_from(bench.messages("inbound").await).unwrap();
    assert_eq!(message["content"][0]["text"], "stray 5");
    assert_eq!(deliveries(&bench.gateway, "state=quarantined").await.len(), 2);
}

async fn without_a_quarantine_nothing_of_strangers_is_kept(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("webhooks.quarantine_max = 0")).await;
    bench.gateway.webhook("nobody", None, "{}").await.expect_status(404);
    bench.gateway.webhook(&bench.account, Some("wrong"), "{}").await.expect_status(401);
    // Both are written together.
    eventually("the refusal is counted", || async {
        let account = bench.gateway.get(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(200);
        (account["webhook_refusals"] == 1 && account["last_refused_at"].is_string()).then_some(())
    })
    .await;
    assert!(deliveries(&bench.gateway, "").await.is_empty());
}

async fn a_refusal_is_counted_though_the_gateway_stops(database: Database) {
    let mut bench = Bench::connected(database).await;
    for _ in 0..3 {
        bench.gateway.webhook(&bench.account, Some("wrong"), "{}").await.expect_status(401);
    }
    bench.gateway.stop();
    bench.gateway.start_again();
    let account = bench.gateway.get(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(200);
    assert_eq!(account["webhook_refusals"], 3);
}

async fn a_deleted_account_takes_its_webhooks_and_ignores_them(database: Database) {
    let bench = Bench::connected(database).await;
    let secret = secret(&bench);
    bench.gateway.delete(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(204);
    for n in 1..=4 {
        bench.gateway.webhook(&bench.account, Some(&secret), text_update(n, "late").to_string()).await.expect_status(200);
    }
    let ignored = eventually("they are counted", || async {
        let ignored = deliveries(&bench.gateway, "state=ignored").await;
        (ignored.first()?["deliveries"] == 4).then_some(ignored)
    })
    .await;
    assert_eq!((ignored.len(), &ignored[0]["size"], &ignored[0]["organization_id"]), (1, &json!(0), &json!("org-1")));
    let path = format!("/rest/v1/webhook_deliveries/{}/replay", text(&ignored[0], "id"));
    bench.gateway.post(&path, json!({})).await.expect_status(409);
    assert!(bench.messages("inbound").await.is_empty());
}

async fn what_is_old_goes_and_what_waits_stays(database: Database) {
    let mut bench = Bench::connected(database).await;
    bench.push(text_update(1, "old")).await;
    bench.gateway.webhook(&bench.account, Some(&secret(&bench)), "not json").await.expect_status(200);
    assert_eq!(deliveries(&bench.gateway, "").await.len(), 2);
    let log = bench.gateway.data.parent().unwrap().join("gateway.log");
    restart_with(&mut bench.gateway, "retention.webhooks_days = 0.000001\nretention.attempts_days = 0.000001");
    // Said when everything was pruned.
    eventually("the old is deleted", || async {
        std::fs::read_to_string(&log).unwrap().contains("older than its retention was deleted").then_some(())
    })
    .await;
    assert!(deliveries(&bench.gateway, "state=processed").await.is_empty());
    assert_eq!(deliveries(&bench.gateway, "state=failed").await.len(), 1);
    assert_eq!(bench.messages("inbound").await.len(), 1, "the message stays");
}

both! {
    a_delivery_is_listed_and_shown_with_what_it_held,
    the_list_is_filtered_by_account_state_and_time,
    an_organisation_sees_and_replays_its_own_alone,
    what_is_held_says_so_and_is_processed_on_activation,
    a_plugin_that_breaks_fails_a_webhook_once_and_all_failed_ones_are_replayed,
    a_new_version_of_the_plugin_takes_up_what_the_old_one_failed,
    replaying_changes_nothing_that_was_there,
    a_replay_of_many_survives_a_kill,
    a_bad_replay_says_what_is_wrong,
    what_comes_to_an_unknown_address_is_quarantined_within_bounds,
    without_a_quarantine_nothing_of_strangers_is_kept,
    a_refusal_is_counted_though_the_gateway_stops,
    a_deleted_account_takes_its_webhooks_and_ignores_them,
    what_is_old_goes_and_what_waits_stays,
}
