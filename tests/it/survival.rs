//! A gateway that is killed loses nothing it said yes to, and sends nothing twice.

use std::collections::BTreeSet;

use patchbay_providers::{Failure, Moment};
use serde_json::json;

use crate::harness::{Bench, Database, MONA, Settings, both, eventually};

async fn every_webhook_that_was_answered_survives_a_kill(database: Database) {
    let mut bench = Bench::connected(database).await;
    let secret = bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token");
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        let mut pushes = tokio::task::JoinSet::new();
        for n in 0..60_i64 {
            let id = round * 1000 + n;
            let body = json!({"update_id": id, "message": {"message_id": id, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
                              "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": format!("m{id}")}});
            let request = bench.gateway.webhook_request(&bench.account, Some(&secret), body.to_string());
            pushes.spawn(async move { (id, request.send().await.is_ok_and(|response| response.status().is_success())) });
        }
        // In the middle of them.
        for _ in 0..20 {
            let (id, ok) = pushes.join_next().await.unwrap().unwrap();
            if ok {
                answered.insert(format!("m{id}"));
            }
        }
        bench.gateway.kill();
        while let Some(pushed) = pushes.join_next().await {
            let (id, ok) = pushed.unwrap();
            if ok {
                answered.insert(format!("m{id}"));
            }
        }
        bench.gateway.start_again();
    }
    let kept: Vec<String> =
        bench.messages("inbound").await.iter().map(|message| message["content"][0]["text"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(kept.len(), distinct.len(), "none twice");
    assert!(answered.len() >= 60, "the kills came too early: {}", answered.len());
    assert!(answered.is_subset(&distinct), "lost: {:?}", answered.difference(&distinct).collect::<Vec<_>>());
}

async fn a_send_that_a_kill_interrupts_is_uncertain_and_the_rest_goes_out_once(database: Database) {
    let settings = Settings::default().line("outbox.lease_s = 12").line("outbox.send_ms = 11000");
    let mut bench = Bench::with(database, json!({}), settings).await;
    // The provider takes the message and then keeps silent: the gateway dies while it waits for the answer.
    bench.telegram.fail(Failure::hang("sendMessage", 30_000, Moment::After).times(1));
    let hanging = bench.enqueue(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "hangs"}})).await;
    bench.telegram.wait_for("sendMessage", 1, crate::harness::PATIENCE).await;
    let behind = bench.enqueue(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "behind"}})).await;
    bench.gateway.kill();
    bench.gateway.start_again();
    let hung = eventually("the interrupted one is settled", || async {
        let message = bench.gateway.get(&format!("/rest/v1/messages/{hanging}")).await.expect_status(200);
        (message["state"] == "uncertain").then_some(message)
    })
    .await;
    assert_eq!(hung["failure"]["class"], "uncertain");
    assert_eq!(bench.settled(&behind).await["state"], "sent");
    let sent: Vec<String> = bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect();
    assert_eq!(sent, ["hangs", "behind"]);
}

async fn what_waits_in_the_queue_survives_a_kill_and_is_sent_once(database: Database) {
    let settings = Settings::default().line("outbox.workers = 2").line("outbox.lease_s = 12").line("outbox.send_ms = 11000");
    let mut bench = Bench::with(database, json!({}), settings).await;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(bench.enqueue(json!({"to": (MONA + n).to_string(), "content": {"type": "text", "text": format!("q{n}")}})).await);
    }
    bench.gateway.kill();
    bench.gateway.start_again();
    let mut uncertain = 0;
    for id in &ids {
        match bench.settled(id).await["state"].as_str().unwrap() {
            "sent" => {}
            "uncertain" => uncertain += 1,
            other => panic!("{other}"),
        }
    }
    assert!(uncertain <= 2, "only what was on its way can be uncertain: {uncertain}");
    let sent: Vec<String> = bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect();
    let distinct: BTreeSet<&String> = sent.iter().collect();
    assert_eq!(sent.len(), distinct.len(), "none twice: {sent:?}");
    assert!(sent.len() + uncertain >= ids.len());
}

both! {
    every_webhook_that_was_answered_survives_a_kill,
    a_send_that_a_kill_interrupts_is_uncertain_and_the_rest_goes_out_once,
    what_waits_in_the_queue_survives_a_kill_and_is_sent_once,
}
