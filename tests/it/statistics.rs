//! Statistics: the exact numbers of what happened, however often it was told.

use patchbay_providers::{Failure, Moment, telegram::ChatState};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, MONA, both};

const ALI: i64 = 70_010_002;
/// 2025-11-24T16:00:00Z, the provider's time of what is pushed.
const DATE: i64 = 1_764_000_000;

fn update(update_id: i64, from: i64, chat: i64) -> Value {
    json!({"update_id": update_id, "message": {
        "message_id": update_id, "from": {"id": from, "is_bot": from == BOT, "first_name": "Somebody"},
        "chat": {"id": chat, "type": "private", "first_name": "Somebody"}, "date": DATE, "text": format!("text {update_id}")}})
}

async fn push_twice(bench: &Bench, update: &Value) {
    let secret = bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    for _ in 0..2 {
        bench.gateway.webhook(&bench.account, Some(&secret), update.to_string()).await.expect_status(200);
    }
}

async fn send(bench: &Bench, text: &str, state: &str) {
    let message = bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": text}})).await;
    assert_eq!(message["state"], state, "{message:#}");
}

/// Three messages in, four out: two sent, one uncertain, one failed.
async fn talk(bench: &Bench) {
    push_twice(bench, &update(1, MONA, MONA)).await;
    push_twice(bench, &update(2, MONA, MONA)).await;
    push_twice(bench, &update(3, ALI, ALI)).await;
    send(bench, "answer", "sent").await;
    bench.telegram.fail(Failure::cut("sendMessage", Moment::After).times(1));
    send(bench, "perhaps", "uncertain").await;
    send(bench, "more", "sent").await;
    bench.telegram.set_chat(MONA, ChatState::Blocked);
    send(bench, "too late", "failed").await;
}

impl Bench {
    async fn stats(&self, rest: &str) -> Vec<Value> {
        let path = format!("/rest/v1/channel_account_stats{rest}channel_account_id={}", self.account);
        self.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
    }
}

fn total(rows: &[Value], figure: &str) -> i64 {
    rows.iter().map(|row| row[figure].as_i64().unwrap()).sum()
}

async fn what_happened_is_counted_exactly(database: Database) {
    let bench = Bench::connected(database).await;
    talk(&bench).await;
    let [row] = bench.stats("/summary?").await.try_into().unwrap();
    let expected = [
        ("type", json!("TELEGRAM")),
        ("messages_received", json!(3)),
        ("messages_sent", json!(2)),
        ("sent_native", json!(0)),
        ("messages_attempted", json!(4)),
        ("delivered", Value::Null),
        ("read", Value::Null),
        ("failed", json!({"total": 1, "recipient": 1, "system": 0, "by_class": {"recipient": 1}})),
        ("uncertain", json!(1)),
        ("conversations_new", json!(2)),
        ("conversations_active", json!(2)),
        ("unanswered", json!(1)),
        ("delivery_rate", Value::Null),
        ("read_rate", Value::Null),
        ("error_rate", json!(0.25)),
        ("error_rate_recipient", json!(0.25)),
        ("error_rate_system", json!(0.0)),
    ];
    for (figure, expected) in expected {
        assert_eq!(row[figure], expected, "{figure}: {row:#}");
    }
    for figure in ["first_response", "reply_time"] {
        assert_eq!(row[figure]["n"], 1, "{row:#}");
        let mean = row[figure]["mean_s"].as_f64().unwrap();
        assert!(mean > 0.0, "{row:#}");
        for other in ["median_s", "p90_s"] {
            assert_eq!(row[figure][other].as_f64(), Some(mean), "the one there is: {row:#}");
        }
    }

    for steps in ["?granularity=hour&", "?granularity=day&time_zone=Asia/Kathmandu&"] {
        let rows = bench.stats(steps).await;
        let sums = ["messages_received", "messages_sent", "uncertain", "conversations_new"].map(|figure| total(&rows, figure));
        assert_eq!(sums, [3, 2, 1, 2], "{steps}: {rows:#?}");
    }
    let month = bench.stats("?granularity=hour&from=2025-10-01&to=2025-11-01&").await;
    assert_eq!((month.len(), total(&month, "messages_received")), (744, 0), "the longest span");
    let versions = bench.stats("/summary?by=version&").await;
    let [version] = versions.as_slice() else { panic!("{versions:#?}") };
    assert_eq!(
        (&version["messages_received"], &version["messages_sent"], &version["messages_attempted"]),
        (&json!(3), &json!(2), &json!(4))
    );
    assert!(version["plugin_version"].is_string() && version["plugin_digest"].is_string(), "{version:#}");
    assert_eq!(version["conversations_active"], Value::Null);
}

async fn what_the_business_wrote_elsewhere_counts_when_it_did(database: Database) {
    let bench = Bench::connected(database).await;
    push_twice(&bench, &update(1, BOT, ALI)).await;
    let days = bench.stats("?from=2025-11-23&to=2025-11-26&").await;
    let figures = ["messages_sent", "sent_native", "conversations_new", "conversations_active"];
    let by_day: Vec<[i64; 4]> = days.iter().map(|day| figures.map(|figure| day[figure].as_i64().unwrap())).collect();
    assert_eq!(by_day, [[0; 4], [1; 4], [0; 4]]);
    assert_eq!(days[1]["from"], "2025-11-24T00:00:00.000000Z");
    // 16:00 UTC is 21:45 in Kathmandu.
    let hours = bench.stats("?from=2025-11-24T15:00:00Z&to=2025-11-24T17:00:00Z&granularity=hour&time_zone=Asia/Kathmandu&").await;
    let counted: Vec<(&str, i64)> =
        hours.iter().map(|hour| (hour["from"].as_str().unwrap(), hour["sent_native"].as_i64().unwrap())).collect();
    let expected = [("2025-11-24T14:15:00.000000Z", 0), ("2025-11-24T15:15:00.000000Z", 1), ("2025-11-24T16:15:00.000000Z", 0)];
    assert_eq!(counted, expected);
}

async fn the_counters_are_what_the_messages_tell(database: Database) {
    let bench = Bench::connected(database).await;
    talk(&bench).await;
    let request = json!({"channel_account_id": bench.account});
    let found = bench.gateway.post("/rest/v1/channel_account_stats/recompute", request).await.expect_status(200);
    assert_eq!((&found["drift"], &found["messages"], &found["mended"]), (&json!(0), &json!(7), &json!(false)), "{found:#}");
    let (ok, text) = bench.gateway.run(&["stats", "recompute"]);
    assert!(ok && text.contains("7 messages, 0 counters differ"), "{text}");
    let (ok, text) = bench.gateway.run(&["stats", "recompute", "--account", "nobody"]);
    assert!(!ok && text.contains("nobody"), "{text}");
}

async fn what_is_asked_wrongly_is_told_with_the_way_out(database: Database) {
    let bench = Bench::connected(database).await;
    let cases = [
        ("?from=yesterday", "bad_span", "from: “yesterday”"),
        ("?from=2026-01-02&to=2026-01-01", "bad_span", "nothing in between"),
        ("?from=2020-01-01&to=2026-01-01", "bad_span", "400 days"),
        ("?granularity=hour&from=2026-01-01&to=2026-03-01", "bad_span", "31 days"),
        ("?time_zone=Atlantis", "bad_span", "“Atlantis”"),
        ("?granularity=week", "bad_query", "hour, day"),
        ("/summary?by=colour", "bad_query", "account, version"),
        ("?chanel=1", "42703", "chanel does not exist"),
    ];
    for (rest, code, message) in cases {
        let error = bench.gateway.get(&format!("/rest/v1/channel_account_stats{rest}")).await.expect_status(400);
        assert_eq!(error["code"], code, "{rest}: {error:#}");
        assert!(error["message"].as_str().unwrap().contains(message), "{rest}: {error:#}");
    }
    bench.gateway.get("/rest/v1/channel_account_stats?channel_account_id=nobody").await.expect_status(404);
}

async fn an_organisation_sees_its_own_statistics_only(database: Database) {
    let bench = Bench::connected(database).await;
    let (ok, key) = bench.gateway.run(&["key", "new", "--organization", "org-2"]);
    assert!(ok, "{key}");
    let key = Some(key.trim());
    let path = "/rest/v1/channel_account_stats/summary";
    assert_eq!(bench.gateway.ask_as(key, Method::GET, path).await.expect_status(200), json!([]));
    let one = format!("{path}?channel_account_id={}", bench.account);
    bench.gateway.ask_as(key, Method::GET, &one).await.expect_status(404);
    bench.gateway.ask_as(key, Method::GET, &format!("{path}?organization_id=org-1")).await.expect_status(403);
    bench.gateway.ask_as(None, Method::GET, path).await.expect_status(401);
}

both! {
    what_happened_is_counted_exactly,
    what_the_business_wrote_elsewhere_counts_when_it_did,
    the_counters_are_what_the_messages_tell,
    what_is_asked_wrongly_is_told_with_the_way_out,
    an_organisation_sees_its_own_statistics_only,
}
