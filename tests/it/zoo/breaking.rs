//! The breaker of a version and an account.

use serde_json::json;

use super::cage::{Cage, count};
use crate::harness::{Database, Settings, both, eventually};

fn opened(metrics: &str, hook: &str) -> u64 {
    count(metrics, &format!("patchbay_plugin_breakers_opened_total{{channel_type=\"ZOO\",version=\"0.1.0\",hook=\"{hook}\"}} "))
}

async fn a_parser_that_breaks_again_and_again_is_left_alone_for_a_while(database: Database) {
    let settings = Settings::default().line("sandbox.breaker_faults = 3").line("sandbox.breaker_s = 3");
    let cage = Cage::with(database, settings).await;
    let other = cage.connected("other", json!({})).await;
    for n in 0..3 {
        cage.push(json!({"id": format!("trap-{n}"), "trick": "trap"})).await.expect_status(503);
    }
    assert_eq!(opened(&cage.metrics().await, "parse"), 1);
    cage.logs("plugin_breaker").await;
    // Good ones are kept too, and nothing is run.
    cage.push(json!({"id": "kept", "text": "kept"})).await.expect_status(503);
    assert_eq!((cage.faults("parse", "trap").await, cage.faults("parse", "held").await), (3, 1));
    // Sends, other accounts and other plugins go on.
    assert_eq!(cage.send("plain").await["state"], "sent");
    cage.push_to(&other, json!({"id": "1", "text": "other"})).await.expect_status(200);
    cage.neighbour_goes_on().await;
    // Then it is called again, with what was kept too.
    eventually("what was kept is read", || async { (cage.texts(&cage.account).await == ["kept"]).then_some(()) }).await;
    cage.push(json!({"id": "after", "text": "after"})).await.expect_status(200);
    assert_eq!(cage.texts(&cage.account).await, ["kept", "after"]);
    assert_eq!(cage.faults("parse", "trap").await, 3, "what had trapped is for the next version");
}

async fn sends_that_break_wait_behind_a_breaker(database: Database) {
    let settings = Settings::default().line("outbox.breaker_failures = 2").line("outbox.breaker_s = 2");
    let cage = Cage::with(database, settings).await;
    let broken = cage.send("!trap").await;
    assert_eq!(broken["state"], "failed", "{broken:#}");
    let account = cage.bench.gateway.account(&cage.account).await;
    assert_eq!(account["sending"]["state"], "broken", "{account:#}");
    cage.neighbour_goes_on().await;
    assert_eq!(cage.send("plain").await["state"], "sent", "once its time is over");
    assert_eq!(cage.bench.gateway.account(&cage.account).await["sending"]["state"], "flowing");
}

both! {
    a_parser_that_breaks_again_and_again_is_left_alone_for_a_while,
    sends_that_break_wait_behind_a_breaker,
}
