//! A trap in every hook.

use reqwest::Method;
use serde_json::json;

use super::cage::Cage;
use crate::harness::{Answer, Database, both, eventually};

fn traps_in(hook: &str) -> serde_json::Value {
    json!({"tricks": {hook: "trap"}})
}

async fn a_trap_in_any_hook_costs_that_call(database: Database) {
    let cage = Cage::open(database).await;
    let gateway = &cage.bench.gateway;

    let refused = cage.made("org-1", "configure", traps_in("configure")).await;
    assert!((400..600).contains(&refused.status) && refused.body["code"] == "plugin_fault", "{refused:?}");

    let account = cage.made("org-1", "connect", traps_in("connect")).await.expect_status(201)["id"].as_str().unwrap().to_owned();
    let refused = gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await;
    assert!((400..600).contains(&refused.status), "{refused:?}");
    assert_eq!(cage.faults("connect", "trap").await, 1);

    let account = cage.connected("health", traps_in("health")).await;
    let report = gateway.post(&format!("/rest/v1/channel_accounts/{account}/health"), json!({})).await.expect_status(200);
    assert_eq!(report["ok"], false, "{report}");
    assert!(cage.faults("health", "trap").await >= 1);

    let account = cage.connected("templates", traps_in("list_templates")).await;
    let refused = gateway.get(&format!("/rest/v1/channel_accounts/{account}/templates")).await;
    assert!((400..600).contains(&refused.status), "{refused:?}");
    assert_eq!(cage.faults("list_templates", "trap").await, 1);

    let mut polls = traps_in("poll");
    polls["mode"] = json!("polling");
    cage.connected("poll", polls).await;
    eventually("it is polled", || async { (cage.faults("poll", "trap").await >= 1).then_some(()) }).await;

    let refused = Answer::of(preview(&cage, "?trap").send().await.unwrap()).await;
    assert!((400..600).contains(&refused.status), "{refused:?}");
    assert_eq!(cage.faults("preview", "trap").await, 1);

    assert_eq!(cage.send("!trap").await["failure"]["class"], "fault");
    cage.push(json!({"id": "trap", "trick": "trap"})).await.expect_status(503);
    cage.push(json!({"id": "failure", "trick": "failure"})).await.expect_status(503);
    assert_eq!(cage.faults("parse", "trap").await, 1);

    cage.all_goes_on().await;
    assert!(!cage.bench.gateway.log().contains("panicked"), "the gateway itself never did");
}

fn preview(cage: &Cage, text: &str) -> reqwest::RequestBuilder {
    let request = json!({"channel_account_id": cage.account, "to": "mona", "content": [{"type": "text", "text": text}]});
    cage.bench.gateway.request(Method::POST, "/rest/v1/messages").json(&request)
}

both! {
    a_trap_in_any_hook_costs_that_call,
}
