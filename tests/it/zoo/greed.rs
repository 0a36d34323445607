//! Too much of everything: processor time, memory, stack, host calls, requests, log, events.

use serde_json::json;

use super::cage::Cage;
use crate::harness::{Database, Settings, both};

/// Each trick, and what its call ends with.
const GREEDY: [(&str, &str); 7] = [
    ("loop", "cpu"),
    ("recursion", "trap"),
    ("memory", "memory"),
    ("fill", "cpu"),
    ("trap", "trap"),
    ("host-calls", "host_calls"),
    ("requests", "http_requests"),
];

async fn a_webhook_that_asks_for_too_much_costs_its_own_call(database: Database) {
    let cage = Cage::open(database).await;
    for (trick, fault) in GREEDY {
        let before = cage.faults("parse", fault).await;
        // The neighbour is served while the trick is played.
        let (answer, ()) = futures::join!(cage.push(json!({"id": trick, "trick": trick})), cage.neighbour_goes_on());
        assert_eq!(answer.status, 503, "{trick}: {:#}", answer.body);
        assert_eq!(cage.faults("parse", fault).await, before + 1, "{trick}");
        cage.all_goes_on().await;
    }
    let failed = cage.bench.gateway.get(&format!("/rest/v1/webhook_deliveries?channel_account_id={}&state=failed", cage.account)).await;
    assert_eq!(failed.expect_status(200).as_array().unwrap().len(), GREEDY.len(), "each is kept, with its reason");
    assert_eq!(cage.texts(&cage.account).await, vec!["plain"; GREEDY.len()]);
}

async fn a_send_that_asks_for_too_much_costs_its_own_call(database: Database) {
    // The breaker of sends is another test's matter.
    let cage = Cage::with(database, Settings::default().line("outbox.breaker_failures = 1000")).await;
    for (trick, fault) in GREEDY {
        let before = cage.faults("send", fault).await;
        let text = format!("!{trick}");
        let (message, ()) = futures::join!(cage.send(&text), cage.neighbour_goes_on());
        assert_eq!((&message["state"], &message["failure"]["class"]), (&json!("failed"), &json!("fault")), "{trick}: {message:#}");
        assert!(cage.faults("send", fault).await > before, "{trick}");
        cage.all_goes_on().await;
    }
}

async fn a_flood_of_log_lines_is_cut(database: Database) {
    let cage = Cage::open(database).await;
    cage.push(json!({"id": "flood", "trick": "log", "text": "dry"})).await.expect_status(200);
    cage.all_goes_on().await;
    let entries = cage.logs("plugin_log").await;
    let lines = entries.iter().filter(|entry| entry["code"] == "plugin_log").count();
    assert!((1..=66).contains(&lines), "of 10,000 lines with a field there are {lines}");
    assert_eq!(cage.texts(&cage.account).await, ["plain", "dry"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
}

async fn events_are_bounded_by_number_and_by_size(database: Database) {
    let cage = Cage::open(database).await;
    for (count, bytes) in [(501, 1), (1, 5 * 1024 * 1024), (9, 512 * 1024)] {
        let before = cage.faults("parse", "output").await;
        let answer = cage.push(json!({"id": format!("{count}"), "trick": "events", "count": count, "bytes": bytes})).await;
        assert_eq!(answer.status, 503, "{count} of {bytes}: {:#}", answer.body);
        assert_eq!(cage.faults("parse", "output").await, before + 1);
        cage.neighbour_goes_on().await;
    }
    assert!(cage.texts(&cage.account).await.is_empty(), "nothing of them is told");
    cage.push(json!({"id": "many", "trick": "events", "count": 500, "bytes": 1000})).await.expect_status(200);
    assert_eq!(cage.texts(&cage.account).await.len(), 500, "as many as a call may tell");
}

async fn calls_that_take_all_they_may_at_once_leave_room_for_others(database: Database) {
    let settings = Settings::default().line("sandbox.cpu_ms = 100").line("sandbox.breaker_faults = 1000");
    let cage = Cage::with(database, settings).await;
    let pushes = (0..24).map(|n| cage.push(json!({"id": format!("loop-{n}"), "trick": "loop"})));
    let neighbour = async {
        for _ in 0..3 {
            cage.neighbour_goes_on().await;
        }
    };
    let (answers, ()) = futures::join!(futures::future::join_all(pushes), neighbour);
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert_eq!(cage.faults("parse", "cpu").await, 24);
}

both! {
    a_webhook_that_asks_for_too_much_costs_its_own_call,
    a_send_that_asks_for_too_much_costs_its_own_call,
    a_flood_of_log_lines_is_cut,
    events_are_bounded_by_number_and_by_size,
    calls_that_take_all_they_may_at_once_leave_room_for_others,
}
