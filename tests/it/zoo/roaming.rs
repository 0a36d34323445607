//! Where a plugin would like to go, and what it would like to bring home.

use serde_json::json;

use super::cage::{Cage, TOKEN};
use crate::harness::{Database, Settings, both};

/// Whatever the account lists.
const PLACES: [&str; 8] = [
    "https://10.0.0.1",
    "https://127.0.0.1",
    "https://169.254.169.254",
    "http://169.254.169.254",
    "https://[::1]",
    "https://[fd00:ec2::254]",
    "https://localhost",
    "http://localhost",
];

async fn a_private_address_is_reached_by_no_name_and_no_detour(database: Database) {
    let cage = Cage::open(database).await;
    let account = cage.connected("roamer", json!({"places": PLACES})).await;
    let detours = ["to-private", "to-metadata", "to-name"].map(|path| format!("GET api /{path}"));
    let direct = PLACES.map(|place| format!("GET roam {place}/latest/meta-data"));
    for text in direct.iter().chain(&detours) {
        let message = cage.send_over(&account, text).await;
        let reason = message["failure"]["message"].as_str().unwrap_or_default();
        assert!(reason.contains("address that the gateway doesn't call"), "{text}: {message:#}");
    }
    let unlisted = cage.send_over(&account, "GET roam https://elsewhere.example/x").await;
    assert!(unlisted["failure"]["message"].as_str().unwrap().contains("hasn't granted"), "{unlisted:#}");
    assert_eq!(cage.keeper.asked(), ["/v1/to-private", "/v1/to-metadata", "/v1/to-name"]);
    cage.all_goes_on().await;
}

async fn a_gigabyte_is_cut_off_and_a_drip_ends_with_its_call(database: Database) {
    let settings = Settings::default().line("outbox.send_ms = 1500").line("media.max_mb = 2");
    let cage = Cage::with(database, settings).await;
    for text in ["GET api /big", "GET api /told", "FILE files /big", "FILE files /told"] {
        let message = cage.send(text).await;
        let reason = message["failure"]["message"].as_str().unwrap_or_default();
        assert!(reason.contains("larger than the egress target allows"), "{text}: {message:#}");
    }
    for text in ["GET api /drip", "GET api /never", "FILE files /drip"] {
        let (message, ()) = futures::join!(cage.send(text), cage.neighbour_goes_on());
        let reason = message["failure"]["message"].as_str().unwrap_or_default();
        assert!(reason.contains("in time"), "{text}: {message:#}");
    }
    cage.all_goes_on().await;
}

async fn a_secret_leaves_in_no_url_and_no_header(database: Database) {
    let cage = Cage::open(database).await;
    // How a plugin comes by it is not the question here: the message brings it.
    let encoded = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    for text in [
        format!("GET api /{TOKEN}"),
        format!("GET api /{encoded}"),
        format!("QUERY api {TOKEN}"),
        format!("HEADER api {TOKEN}"),
        format!("a text with {TOKEN} in it"),
    ] {
        let message = cage.send(&text).await;
        assert_eq!(message["state"], "failed", "{text}: {message:#}");
    }
    assert!(cage.keeper.asked().is_empty(), "nothing left");
}

both! {
    a_private_address_is_reached_by_no_name_and_no_detour,
    a_gigabyte_is_cut_off_and_a_drip_ends_with_its_call,
    a_secret_leaves_in_no_url_and_no_header,
}
