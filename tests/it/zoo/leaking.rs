//! A secret in what a plugin tells: here its provider tells it first.

use serde_json::json;

use super::cage::{Cage, SECRET, count};
use crate::harness::{Database, both};

async fn a_secret_in_an_event_is_blanked(database: Database) {
    let cage = Cage::open(database).await;
    let mut listener = cage.bench.gateway.listen(None).await;
    cage.push(json!({"id": "1", "text": format!("the secret is {SECRET}")})).await.expect_status(200);
    let blanked = format!("the secret is {}", "*".repeat(SECRET.len()));
    assert_eq!(cage.texts(&cage.account).await, std::slice::from_ref(&blanked));
    let event = listener.next().await;
    assert!(event.to_string().contains(&blanked), "{event:#}");
    let metrics = cage.metrics().await;
    assert_eq!(count(&metrics, "patchbay_plugin_secrets_withheld_total{channel_type=\"ZOO\",version=\"0.1.0\"} "), 1);
    assert!(!cage.bench.gateway.log().contains(SECRET));
}

async fn a_secret_in_a_log_is_blanked(database: Database) {
    let cage = Cage::open(database).await;
    cage.push(json!({"id": "1", "trick": "log-text", "text": format!("the secret is {SECRET}")})).await.expect_status(200);
    let entries = cage.logs("plugin_log").await;
    let entry = entries.iter().find(|entry| entry["code"] == "plugin_log").unwrap();
    assert!(entry["message"].as_str().unwrap().starts_with("the secret is ****"), "{entry}");
    assert!(entry["details"]["text"].as_str().unwrap().starts_with("the secret is ****"), "{entry}");
    let log = cage.bench.gateway.log();
    assert!(log.contains("the secret is ****"), "the process logs the line too");
    assert!(!log.contains(SECRET), "{log}");
}

async fn the_header_that_proves_a_webhook_is_not_the_plugins_to_see(database: Database) {
    let cage = Cage::open(database).await;
    cage.push(json!({"id": "1", "trick": "header"})).await.expect_status(200);
    assert_eq!(cage.texts(&cage.account).await, ["the header is "]);
}

both! {
    the_header_that_proves_a_webhook_is_not_the_plugins_to_see,
    a_secret_in_an_event_is_blanked,
    a_secret_in_a_log_is_blanked,
}
