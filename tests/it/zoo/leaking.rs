//! A secret in what a plugin tells: its provider sends it along with each webhook.

use serde_json::json;

use super::cage::{Cage, SECRET, count};
use crate::harness::{Database, Settings, both};

async fn a_secret_in_an_event_is_blanked(database: Database) {
    let cage = Cage::open(database).await;
    let mut listener = cage.bench.gateway.listen(None).await;
    cage.push(json!({"id": "1", "trick": "tell-secret"})).await.expect_status(200);
    let blanked = format!("the secret is {}", "*".repeat(SECRET.len()));
    assert_eq!(cage.texts(&cage.account).await, [blanked.clone()]);
    let event = listener.next().await;
    assert!(event.to_string().contains(&blanked), "{event:#}");
    let metrics = cage.metrics().await;
    assert_eq!(count(&metrics, "patchbay_plugin_secrets_withheld_total{channel_type=\"ZOO\",version=\"0.1.0\"} "), 1);
    assert!(!cage.bench.gateway.log().contains(SECRET));
}

async fn a_secret_in_a_log_is_blanked(database: Database) {
    let cage = Cage::with(database, Settings::default().line("log.level = \"debug\"")).await;
    cage.push(json!({"id": "1", "trick": "log-secret"})).await.expect_status(200);
    let entries = cage.logs("plugin_log").await;
    let entry = entries.iter().find(|entry| entry["code"] == "plugin_log").unwrap();
    assert!(entry["message"].as_str().unwrap().starts_with("the secret is ****"), "{entry}");
    assert!(entry["details"]["secret"].as_str().unwrap().starts_with("****"), "{entry}");
    let log = cage.bench.gateway.log();
    assert!(log.contains("the secret is ****"), "the process logs the line too");
    assert!(!log.contains(SECRET), "{log}");
}

both! {
    a_secret_in_an_event_is_blanked,
    a_secret_in_a_log_is_blanked,
}
