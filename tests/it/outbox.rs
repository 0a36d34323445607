//! The send queue: rates, pauses, breakers, priorities, dead letters, keys, and a crash at every step.

use std::{collections::BTreeSet, time::Duration};

use jiff::{Timestamp, ToSpan};
use patchbay_providers::{Failure, Moment, telegram::ChatState};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, MONA, PATIENCE, Settings, both, eventually};

/// The token of a second bot.
const OTHER_TOKEN: &str = "4200002:AAE-standin_token_0123456789abcdefghij";

fn text_to(chat: i64, text: &str) -> Value {
    json!({"to": chat.to_string(), "content": [{"type": "text", "text": text}]})
}

fn time(of: &Value) -> Timestamp {
    of.as_str().unwrap().parse().unwrap()
}

fn texts(bench: &Bench) -> Vec<String> {
    bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect()
}

impl Bench {
    async fn account(&self) -> Value {
        self.gateway.get(&format!("/rest/v1/channel_accounts/{}", self.account)).await.expect_status(200)
    }

    async fn message(&self, id: &str) -> Value {
        self.gateway.get(&format!("/rest/v1/messages/{id}")).await.expect_status(200)
    }

    /// Waits until sending stands so; answers the account's `sending`.
    async fn sending(&self, state: &str) -> Value {
        eventually(&format!("sending is {state}"), || async {
            let sending = self.account().await["sending"].clone();
            (sending["state"] == state).then_some(sending)
        })
        .await
    }

    async fn disconnect(&self) {
        self.gateway.post(&format!("/rest/v1/channel_accounts/{}/disconnect", self.account), json!({})).await.expect_status(200);
    }

    async fn connect(&self) {
        self.gateway.post(&format!("/rest/v1/channel_accounts/{}/connect", self.account), json!({})).await.expect_status(200);
    }

    async fn set_active(&self, is_active: bool) {
        let path = format!("/rest/v1/channel_accounts/{}", self.account);
        self.gateway.patch(&path, json!({"is_active": is_active})).await.expect_status(200);
    }

    async fn dead_letters(&self, filter: &str) -> Vec<Value> {
        let path = format!("/rest/v1/dead_letters?channel_account_id={}{filter}", self.account);
        self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }

    async fn attempts(&self, id: &str) -> Vec<Value> {
        self.gateway.get(&format!("/rest/v1/messages/{id}/attempts")).await.expect_status(200).as_array().unwrap().clone()
    }
}

// ---- rates, pauses, breakers ----

async fn a_conversations_rate_delays_keeps_the_order_and_costs_no_attempt(database: Database) {
    // Three at once, then one every six seconds.
    let settings = Settings::default()
        .line("outbox.rates.TELEGRAM = { per_account_per_s = 0, per_conversation_per_s = 0, per_conversation_per_min = 12 }");
    let bench = Bench::with(database, json!({}), settings).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(bench.enqueue(text_to(MONA, &format!("m{n}"))).await);
    }
    let other = bench.send(text_to(MONA + 1, "other")).await;
    assert_eq!(other["state"], "sent", "a conversation's rate is no other's matter: {other:#}");
    let mut settled = Vec::new();
    for id in &ids {
        settled.push(bench.settled(id).await);
    }
    for message in &settled {
        assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)), "{message:#}");
    }
    assert!(time(&settled[3]["sent_at"]) >= time(&settled[0]["created_at"]) + 6.seconds(), "{:#}", settled[3]);
    assert_eq!(bench.attempts(&ids[3]).await.len(), 1, "waiting is no attempt");
    let sent: Vec<String> = texts(&bench).into_iter().filter(|text| text.starts_with('m')).collect();
    assert_eq!(sent, ["m0", "m1", "m2", "m3"]);
}

async fn an_accounts_rate_is_shared_by_its_conversations(database: Database) {
    let settings =
        Settings::default().line("outbox.rates.TELEGRAM = { per_account_per_s = 0, per_account_per_min = 12, per_conversation_per_s = 0 }");
    let bench = Bench::with(database, json!({}), settings).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(bench.enqueue(text_to(MONA + n, "hi")).await);
    }
    let mut sent_at = BTreeSet::new();
    let mut first = None;
    for id in &ids {
        let message = bench.settled(id).await;
        assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)), "{message:#}");
        first.get_or_insert(time(&message["created_at"]));
        sent_at.insert(time(&message["sent_at"]));
    }
    assert!(*sent_at.last().unwrap() >= first.unwrap() + 6.seconds(), "{sent_at:?}");
}

async fn a_rate_holds_after_a_kill(database: Database) {
    let settings =
        Settings::default().line("outbox.rates.TELEGRAM = { per_account_per_s = 0, per_account_per_min = 12, per_conversation_per_s = 0 }");
    let mut bench = Bench::with(database, json!({}), settings).await;
    let mut first = None;
    for n in 0..3 {
        let message = bench.send(text_to(MONA + n, "before")).await;
        first.get_or_insert(time(&message["created_at"]));
    }
    bench.gateway.kill();
    bench.gateway.start_again();
    let after = bench.send(text_to(MONA + 3, "after")).await;
    assert!(time(&after["sent_at"]) >= first.unwrap() + 6.seconds(), "{after:#}");
}

async fn a_providers_limit_pauses_the_whole_account(database: Database) {
    let bench = Bench::connected(database).await;
    let mut limited = Failure::error("sendMessage", 429, "Too Many Requests: retry after 3");
    limited.parameters = Some(json!({"retry_after": 3}));
    bench.telegram.fail(limited);
    let first = bench.enqueue(text_to(MONA, "first")).await;
    let until = bench.sending("paused").await["until"].clone();
    let second = bench.enqueue(text_to(MONA + 1, "second")).await;
    for id in [&first, &second] {
        let message = bench.settled(id).await;
        assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)), "{message:#}");
        assert!(time(&message["sent_at"]) >= time(&until), "{until} {message:#}");
    }
    bench.sending("flowing").await;
}

async fn a_breaker_holds_the_account_and_lets_one_probe(database: Database) {
    let settings = Settings::default().line("outbox.breaker_failures = 3").line("outbox.breaker_s = 3").line("outbox.retry_s = [1]");
    let bench = Bench::with(database, json!({}), settings).await;
    // Three that open it, and the first probe.
    bench.telegram.fail(Failure::error("sendMessage", 502, "Bad Gateway").times(4));
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(bench.enqueue(text_to(MONA + n, "at first")).await);
    }
    let broken = bench.sending("broken").await;
    assert!(broken["reason"].as_str().unwrap().contains("api.telegram.org"), "{broken}");
    for n in 3..6 {
        ids.push(bench.enqueue(text_to(MONA + n, "while broken")).await);
    }
    let mut attempts = 0;
    for id in &ids {
        let message = bench.settled(id).await;
        assert_eq!(message["state"], "sent", "{message:#}");
        assert!(time(&message["sent_at"]) >= time(&broken["until"]), "{broken} {message:#}");
        attempts += message["attempts"].as_i64().unwrap();
    }
    assert_eq!(attempts, 6 + 4, "waiting for the breaker costs no attempt");
    let failed = bench.telegram.requests_of("sendMessage").iter().filter(|sent| sent.status == 502).count();
    assert_eq!(failed, 4);
    bench.sending("flowing").await;
}

async fn a_recipients_failure_never_opens_a_breaker(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("outbox.breaker_failures = 1")).await;
    bench.telegram.set_chat(MONA, ChatState::Blocked);
    assert_eq!(bench.send(text_to(MONA, "blocked")).await["state"], "failed");
    assert_eq!(bench.account().await["sending"], json!({"state": "flowing", "until": null, "reason": null}));
    assert_eq!(bench.send(text_to(MONA + 1, "fine")).await["state"], "sent");
}

async fn a_message_expires_behind_an_open_breaker(database: Database) {
    let settings = Settings::default()
        .line("outbox.breaker_failures = 1")
        .line("outbox.breaker_s = 3600")
        .line("outbox.retry_s = [1]")
        .line("outbox.expires_s = 3");
    let bench = Bench::with(database, json!({}), settings).await;
    bench.telegram.fail(Failure::error("sendMessage", 502, "Bad Gateway"));
    bench.enqueue(text_to(MONA, "opens it")).await;
    bench.sending("broken").await;
    let held = bench.send(text_to(MONA + 1, "held")).await;
    assert_eq!((&held["state"], &held["failure"]["class"]), (&json!("expired"), &json!("expired")), "{held:#}");
    assert_eq!(bench.telegram.requests_of("sendMessage").len(), 1);
    bench.connect().await;
    bench.sending("flowing").await;
    assert_eq!(bench.send(text_to(MONA + 1, "connected again")).await["state"], "sent");
}

// ---- parking, times, priorities ----

async fn what_is_parked_goes_on_when_the_account_is_active_and_connected(database: Database) {
    let bench = Bench::connected(database).await;
    bench.disconnect().await;
    let id = bench.enqueue(text_to(MONA, "patient")).await;
    bench.set_active(false).await;
    bench.connect().await;
    assert_eq!(bench.account().await["sending"]["state"], "parked");
    let mut refused = text_to(MONA, "no");
    refused["channel_account_id"] = json!(bench.account);
    refused["send_at"] = json!((Timestamp::now() + 1.hours()).to_string());
    let error = bench.gateway.post("/rest/v1/messages", refused).await.expect_status(409);
    assert!(error["hint"].as_str().unwrap().contains("send_at"), "{error:#}");
    assert_eq!(bench.message(&id).await["state"], "queued");
    bench.set_active(true).await;
    let message = bench.settled(&id).await;
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)), "{message:#}");
    assert_eq!(texts(&bench), ["patient"]);
}

async fn a_scheduled_message_goes_at_its_time_and_holds_nobody_back(database: Database) {
    let bench = Bench::connected(database).await;
    let mut later = text_to(MONA, "later");
    later["send_at"] = json!((Timestamp::now() + 3.seconds()).to_string());
    let later = bench.enqueue(later).await;
    let mut never = text_to(MONA, "never");
    never["send_at"] = json!((Timestamp::now() + 3.seconds()).to_string());
    let never = bench.enqueue(never).await;
    bench.gateway.post(&format!("/rest/v1/messages/{never}/cancel"), json!({})).await.expect_status(200);
    assert_eq!(bench.send(text_to(MONA, "now")).await["state"], "sent");
    let message = bench.settled(&later).await;
    assert_eq!(message["state"], "sent");
    assert!(time(&message["sent_at"]) >= time(&message["send_at"]), "{message:#}");
    assert_eq!(texts(&bench), ["now", "later"]);
    bench.gateway.post(&format!("/rest/v1/messages/{later}/cancel"), json!({})).await.expect_status(409);
}

async fn a_reply_passes_a_campaign_that_waits(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("outbox.workers = 1")).await;
    bench.disconnect().await;
    let mut ids = Vec::new();
    for (chat, text, priority) in [
        (MONA, "campaign 1", "bulk"),
        (MONA, "campaign 2", "bulk"),
        (MONA + 1, "campaign 3", "bulk"),
        (MONA, "reply 1", "normal"),
        (MONA, "reply 2", "normal"),
    ] {
        let mut request = text_to(chat, text);
        request["priority"] = json!(priority);
        ids.push(bench.enqueue(request).await);
    }
    bench.connect().await;
    for id in &ids {
        assert_eq!(bench.settled(id).await["state"], "sent");
    }
    let sent = texts(&bench);
    assert_eq!(&sent[..2], ["reply 1", "reply 2"]);
    let of_mona: Vec<&String> = sent.iter().filter(|text| *text != "campaign 3").collect();
    assert_eq!(of_mona, ["reply 1", "reply 2", "campaign 1", "campaign 2"]);
    let mut odd = text_to(MONA, "x");
    odd["priority"] = json!("urgent");
    odd["channel_account_id"] = json!(bench.account);
    let error = bench.gateway.post("/rest/v1/messages", odd).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/priority");
}

async fn a_slow_account_leaves_slots_to_the_others(database: Database) {
    let settings = Settings::default().line("outbox.workers = 2").line("outbox.workers_per_account = 1");
    let bench = Bench::with(database, json!({}), settings).await;
    let other =
        json!({"organization_id": "org-1", "name": "Other", "type": "TELEGRAM", "settings": {"bot_token": OTHER_TOKEN}, "is_active": true});
    let other = bench.gateway.post("/rest/v1/channel_accounts", other).await.expect_status(201)["id"].as_str().unwrap().to_owned();
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{other}/connect"), json!({})).await.expect_status(200);
    let mut slow = Failure::hang("sendMessage", 15_000, Moment::Before).times(2);
    slow.account = Some(BOT.to_string());
    bench.telegram.fail(slow);
    let held: Vec<String> = [bench.enqueue(text_to(MONA, "slow 1")).await, bench.enqueue(text_to(MONA + 1, "slow 2")).await].into();
    bench.telegram.wait_for("sendMessage", 1, PATIENCE).await;
    let mut quick = text_to(MONA, "quick");
    quick["channel_account_id"] = json!(other);
    let quick = bench.gateway.post("/rest/v1/messages", quick).await.expect_status(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(bench.settled(&quick).await["state"], "sent");
    for id in held {
        assert_eq!(bench.message(&id).await["state"], "queued", "the slow one was still at it");
    }
    assert_eq!(texts(&bench).iter().filter(|text| text.starts_with("slow")).count(), 1);
}

// ---- dead letters ----

async fn a_failed_message_is_a_dead_letter_until_it_is_replayed(database: Database) {
    let bench = Bench::connected(database).await;
    bench.telegram.set_chat(MONA, ChatState::Blocked);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(bench.send(text_to(MONA, &format!("d{n}"))).await["id"].as_str().unwrap().to_owned());
    }
    let letters = bench.dead_letters("&class=recipient").await;
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[0]["id"], json!(ids[2]), "newest first");
    assert_eq!(letters[0]["attempt_log"][0]["outcome"], "failed", "{:#}", letters[0]);
    assert!(letters[0]["way_out"].as_str().unwrap().contains("/replay"), "{:#}", letters[0]);
    assert!(bench.dead_letters("&class=uncertain").await.is_empty());
    let future = (Timestamp::now() + 1.hours()).to_string();
    assert!(bench.dead_letters(&format!("&since={future}")).await.is_empty());
    bench.gateway.get("/rest/v1/dead_letters?class=bad").await.expect_status(400);
    bench.gateway.get("/rest/v1/dead_letters?since=yesterday").await.expect_status(400);

    bench.telegram.set_chat(MONA, ChatState::Active);
    let replay = format!("/rest/v1/messages/{}/replay", ids[0]);
    let queued = bench.gateway.post(&replay, json!({})).await.expect_status(202);
    assert_eq!((&queued["id"], &queued["attempts"], &queued["failure"]), (&json!(ids[0]), &json!(0), &Value::Null), "{queued:#}");
    let message = bench.settled(&ids[0]).await;
    assert_eq!((&message["state"], &message["attempts"]), (&json!("sent"), &json!(1)), "{message:#}");
    let attempts = bench.attempts(&ids[0]).await;
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    let error = bench.gateway.post(&replay, json!({})).await.expect_status(409);
    assert_eq!(error["code"], "not_dead");

    bench.gateway.post("/rest/v1/dead_letters/replay", json!({})).await.expect_status(422);
    let filter = json!({"channel_account_id": bench.account, "class": "unavailable"});
    let none = bench.gateway.post("/rest/v1/dead_letters/replay", filter).await.expect_status(200);
    assert_eq!(none, json!({"replayed": 0, "skipped": 0, "more": false}));
    let filter = json!({"channel_account_id": bench.account, "class": "recipient"});
    let all = bench.gateway.post("/rest/v1/dead_letters/replay", filter).await.expect_status(200);
    assert_eq!(all, json!({"replayed": 2, "skipped": 0, "more": false}));
    for id in &ids[1..] {
        assert_eq!(bench.settled(id).await["state"], "sent");
    }
    assert!(bench.dead_letters("").await.is_empty());
    let sent: Vec<String> =
        bench.telegram.requests_of("sendMessage").iter().filter(|sent| sent.status == 200).map(|sent| sent.text("text")).collect();
    assert_eq!(sent, ["d0", "d1", "d2"]);
}

async fn an_uncertain_message_needs_a_person(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.telegram.fail(Failure::cut("sendMessage", Moment::After).times(3));
    let mut ids = Vec::new();
    for n in 0..3 {
        let message = bench.send(text_to(MONA, &format!("u{n}"))).await;
        assert_eq!(message["state"], "uncertain");
        ids.push(message["id"].as_str().unwrap().to_owned());
    }
    let all = bench.gateway.post("/rest/v1/dead_letters/replay", json!({"channel_account_id": bench.account})).await.expect_status(200);
    assert_eq!(all["replayed"], 0, "none blindly");
    let error = bench.gateway.post(&format!("/rest/v1/messages/{}/replay", ids[0]), json!({})).await.expect_status(409);
    assert!(error["hint"].as_str().unwrap().contains("force"), "{error:#}");

    let resolve = |id: &str| format!("/rest/v1/messages/{id}/resolve");
    bench.gateway.post(&resolve(&ids[0]), json!({"outcome": "perhaps"})).await.expect_status(422);
    let sent = bench.gateway.post(&resolve(&ids[0]), json!({"outcome": "sent"})).await.expect_status(200);
    assert_eq!((&sent["state"], &sent["failure"]), (&json!("sent"), &Value::Null), "{sent:#}");
    assert!(sent["sent_at"].is_string() && sent["conversation"]["external_id"] == json!(MONA.to_string()), "{sent:#}");
    assert_eq!(events.next_of("message.sent").await["message_id"], json!(ids[0]));
    let failed = bench.gateway.post(&resolve(&ids[1]), json!({"outcome": "failed"})).await.expect_status(200);
    assert_eq!(failed["state"], "failed");
    assert_eq!(events.next_of("message.failed").await["message_id"], json!(ids[1]));
    bench.gateway.post(&resolve(&ids[1]), json!({"outcome": "sent"})).await.expect_status(409);

    bench.gateway.post(&format!("/rest/v1/messages/{}/replay", ids[2]), json!({"force": true})).await.expect_status(202);
    assert_eq!(bench.settled(&ids[2]).await["state"], "sent");
    assert_eq!(texts(&bench), ["u0", "u1", "u2", "u2"]);
}

async fn a_message_sent_in_part_is_never_replayed_whole(database: Database) {
    let bench = Bench::connected(database).await;
    let mut second = Failure::error("sendMessage", 400, "Bad Request: TOPIC_CLOSED");
    second.skip = 1;
    bench.telegram.fail(second);
    let message = bench.send(text_to(MONA, &"word ".repeat(1200))).await;
    assert_eq!(message["state"], "partially_sent", "{message:#}");
    let id = message["id"].as_str().unwrap();
    let error = bench.gateway.post(&format!("/rest/v1/messages/{id}/replay"), json!({"force": true})).await.expect_status(409);
    assert_eq!(error["code"], "partially_sent");
    let letters = bench.dead_letters("").await;
    assert!(letters[0]["way_out"].as_str().unwrap().contains("missing"), "{:#}", letters[0]);
}

async fn a_cancelled_message_can_be_replayed(database: Database) {
    let bench = Bench::connected(database).await;
    let mut later = text_to(MONA, "after all");
    later["send_at"] = json!((Timestamp::now() + 1.hours()).to_string());
    let id = bench.enqueue(later).await;
    bench.gateway.post(&format!("/rest/v1/messages/{id}/cancel"), json!({})).await.expect_status(200);
    bench.gateway.post(&format!("/rest/v1/messages/{id}/replay"), json!({})).await.expect_status(202);
    assert_eq!(bench.settled(&id).await["state"], "sent");
}

async fn a_dead_letter_is_its_organisations_alone(database: Database) {
    let bench = Bench::connected(database).await;
    bench.telegram.set_chat(MONA, ChatState::Blocked);
    let id = bench.send(text_to(MONA, "secret")).await["id"].as_str().unwrap().to_owned();
    let (_, made) = bench.gateway.run(&["key", "new", "--organization", "org-2", "--scope", "manage"]);
    let key = made.split_whitespace().find(|word| word.starts_with("pb_")).unwrap_or_else(|| panic!("{made}")).to_owned();
    let others = bench.gateway.ask_as(Some(&key), Method::GET, "/rest/v1/dead_letters").await.expect_status(200);
    assert_eq!(others, json!([]));
    for path in ["attempts", "replay", "resolve"] {
        let method = if path == "attempts" { Method::GET } else { Method::POST };
        let answer = bench.gateway.ask_as(Some(&key), method, &format!("/rest/v1/messages/{id}/{path}")).await;
        assert!(matches!(answer.status, 404 | 422), "{path}: {answer:?}");
    }
}

// ---- Idempotency-Key ----

async fn the_same_key_sends_once_and_answers_the_same(database: Database) {
    let mut bench = Bench::connected(database).await;
    let mut request = text_to(MONA, "once");
    request["channel_account_id"] = json!(bench.account);
    let (first, headers) = bench.gateway.post_once("/rest/v1/messages", "order-1", request.clone()).await;
    let first = first.expect_status(202);
    assert!(!headers.contains_key("idempotency-replayed"));
    bench.settled(first["id"].as_str().unwrap()).await;
    bench.gateway.kill();
    bench.gateway.start_again();
    let (again, headers) = bench.gateway.post_once("/rest/v1/messages", "order-1", request.clone()).await;
    assert_eq!(again.expect_status(202), first);
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(headers["location"], format!("/rest/v1/messages/{}", first["id"].as_str().unwrap()));

    let mut other = request.clone();
    other["content"][0]["text"] = json!("twice");
    let (conflict, _) = bench.gateway.post_once("/rest/v1/messages", "order-1", other.clone()).await;
    let conflict = conflict.expect_status(409);
    assert!(conflict["code"] == "idempotency_mismatch" && conflict["hint"].is_string(), "{conflict:#}");
    let (second, _) = bench.gateway.post_once("/rest/v1/messages", "order-2", other).await;
    bench.settled(second.expect_status(202)["id"].as_str().unwrap()).await;
    assert_eq!(texts(&bench), ["once", "twice"]);
    for bad in ["", &"k".repeat(256)] {
        let (answer, _) = bench.gateway.post_once("/rest/v1/messages", bad, request.clone()).await;
        assert_eq!(answer.expect_status(400)["code"], "idempotency_key");
    }
}

async fn the_same_key_at_the_same_time_is_one_message(database: Database) {
    let bench = std::sync::Arc::new(Bench::connected(database).await);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let bench = std::sync::Arc::clone(&bench);
        asking.spawn(async move {
            let mut request = text_to(MONA, "once");
            request["channel_account_id"] = json!(bench.account);
            bench.gateway.post_once("/rest/v1/messages", "race", request).await.0.expect_status(202)["id"].clone()
        });
    }
    let ids = asking.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    bench.settled(ids[0].as_str().unwrap()).await;
    assert_eq!(bench.messages("outbound").await.len(), 1);
    assert_eq!(texts(&bench), ["once"]);
}

async fn every_post_takes_a_key(database: Database) {
    let bench = Bench::connected(database).await;
    let new = json!({"organization_id": "org-1", "name": "Twin", "type": "TELEGRAM", "settings": {"bot_token": OTHER_TOKEN}});
    let (first, _) = bench.gateway.post_once("/rest/v1/channel_accounts", "account", new.clone()).await;
    let first = first.expect_status(201);
    let (again, _) = bench.gateway.post_once("/rest/v1/channel_accounts", "account", new.clone()).await;
    assert_eq!(again.expect_status(201), first);
    assert_eq!(bench.gateway.get("/rest/v1/channel_accounts").await.body.as_array().unwrap().len(), 2);
    // A refusal is an answer too.
    let bad = json!({"organization_id": "org-1", "name": "", "type": "TELEGRAM"});
    let (refused, _) = bench.gateway.post_once("/rest/v1/channel_accounts", "bad", bad.clone()).await;
    let (again, headers) = bench.gateway.post_once("/rest/v1/channel_accounts", "bad", bad).await;
    assert_eq!(again.expect_status(422), refused.expect_status(422));
    assert_eq!(headers["idempotency-replayed"], "true");

    let path = "/rest/v1/media?organization_id=org-1";
    let file = bench.gateway.upload_once(path, "file", vec![7; 300_000]).await.expect_status(201);
    let again = bench.gateway.upload_once(path, "file", vec![7; 300_000]).await.expect_status(201);
    assert_eq!(file, again);
    let other = bench.gateway.upload_once(path, "file", vec![8; 300_000]).await.expect_status(409);
    assert_eq!(other["code"], "idempotency_mismatch");
}

async fn a_request_in_flight_holds_its_key(database: Database) {
    let bench = std::sync::Arc::new(Bench::connected(database).await);
    bench.telegram.clear_requests();
    bench.telegram.fail(Failure::hang("setWebhook", 4_000, Moment::Before));
    let path = format!("/rest/v1/channel_accounts/{}/connect", bench.account);
    let (slow, slow_path) = (std::sync::Arc::clone(&bench), path.clone());
    let mut first = tokio::task::JoinSet::new();
    first.spawn(async move { slow.gateway.post_once(&slow_path, "connect", json!({})).await.0.status });
    bench.telegram.wait_for("setWebhook", 1, PATIENCE).await;
    let (busy, headers) = bench.gateway.post_once(&path, "connect", json!({})).await;
    assert_eq!(busy.expect_status(409)["code"], "idempotency_in_progress");
    assert!(headers.contains_key("retry-after"));
    assert_eq!(first.join_all().await, [200]);
    let (again, headers) = bench.gateway.post_once(&path, "connect", json!({})).await;
    again.expect_status(200);
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(bench.telegram.requests_of("setWebhook").len(), 1, "connected once");
}

// ---- a crash at every step ----

/// The process dies at the step; what the provider has then, what becomes of the message, and what the provider has in the end.
async fn crash(database: Database, step: &str, taken: usize, state: &str, in_the_end: usize) {
    let settings = Settings::default().line("outbox.lease_s = 3").line("outbox.send_ms = 2000").line("outbox.retry_s = [1]");
    let mut bench = Bench::with(database, json!({}), settings).await;
    let mut request = text_to(MONA, step);
    request["channel_account_id"] = json!(bench.account);
    bench.gateway.crash_at(step);
    bench.gateway.post_and_crash("/rest/v1/messages", request).await;
    assert_eq!(texts(&bench).len(), taken, "{step}: what had left before the crash");
    bench.gateway.start_again();
    let id = bench.messages("outbound").await[0]["id"].as_str().unwrap().to_owned();
    let message = bench.settled(&id).await;
    assert_eq!(message["state"], state, "{step}: {message:#}");
    assert_eq!(bench.send(text_to(MONA, "the next")).await["state"], "sent", "{step}: the conversation goes on");
    let sent = texts(&bench).iter().filter(|text| *text == step).count();
    assert_eq!(sent, in_the_end, "{step}: what the provider got in the end");
}

async fn a_crash_before_the_lease_sends_once(database: Database) {
    crash(database, "claiming", 0, "sent", 1).await;
}

async fn a_crash_after_the_lease_sends_once(database: Database) {
    crash(database, "leased", 0, "sent", 1).await;
}

async fn a_crash_as_bytes_are_about_to_leave_is_uncertain(database: Database) {
    crash(database, "dispatching", 0, "uncertain", 0).await;
}

async fn a_crash_with_the_answer_in_hand_is_uncertain(database: Database) {
    crash(database, "answered", 1, "uncertain", 1).await;
}

async fn a_crash_before_the_settlement_is_committed_is_uncertain(database: Database) {
    crash(database, "settling", 1, "uncertain", 1).await;
}

async fn a_crash_after_the_bytes_left_is_uncertain(database: Database) {
    let settings = Settings::default().line("outbox.lease_s = 3").line("outbox.send_ms = 2000");
    let mut bench = Bench::with(database, json!({}), settings).await;
    bench.telegram.fail(Failure::hang("sendMessage", 30_000, Moment::After));
    let id = bench.enqueue(text_to(MONA, "left")).await;
    bench.telegram.wait_for("sendMessage", 1, PATIENCE).await;
    bench.gateway.kill();
    bench.gateway.start_again();
    assert_eq!(bench.settled(&id).await["state"], "uncertain");
    // Whatever would send it again has had the time to.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(texts(&bench), ["left"]);
}

both! {
    a_conversations_rate_delays_keeps_the_order_and_costs_no_attempt,
    an_accounts_rate_is_shared_by_its_conversations,
    a_rate_holds_after_a_kill,
    a_providers_limit_pauses_the_whole_account,
    a_breaker_holds_the_account_and_lets_one_probe,
    a_recipients_failure_never_opens_a_breaker,
    a_message_expires_behind_an_open_breaker,
    what_is_parked_goes_on_when_the_account_is_active_and_connected,
    a_scheduled_message_goes_at_its_time_and_holds_nobody_back,
    a_reply_passes_a_campaign_that_waits,
    a_slow_account_leaves_slots_to_the_others,
    a_failed_message_is_a_dead_letter_until_it_is_replayed,
    an_uncertain_message_needs_a_person,
    a_message_sent_in_part_is_never_replayed_whole,
    a_cancelled_message_can_be_replayed,
    a_dead_letter_is_its_organisations_alone,
    the_same_key_sends_once_and_answers_the_same,
    the_same_key_at_the_same_time_is_one_message,
    every_post_takes_a_key,
    a_request_in_flight_holds_its_key,
    a_crash_before_the_lease_sends_once,
    a_crash_after_the_lease_sends_once,
    a_crash_as_bytes_are_about_to_leave_is_uncertain,
    a_crash_with_the_answer_in_hand_is_uncertain,
    a_crash_before_the_settlement_is_committed_is_uncertain,
    a_crash_after_the_bytes_left_is_uncertain,
}
