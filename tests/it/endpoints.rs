//! Events out: signed, in order for each conversation, again until they are taken; to URLs and to NATS.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::harness::{BOT, Bench, Database, Gateway, MONA, NatsServer, Received, Receiver, Reply, Settings, both, eventually};

const OMAR: i64 = MONA + 1;

/// The receivers are on this machine.
fn allowing() -> Settings {
    Settings::default().line("egress.allow = [\"127.0.0.0/8\"]")
}

fn impatient() -> Settings {
    allowing().line("endpoints.retry_s = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]")
}

async fn bench(database: Database, settings: Settings) -> Bench {
    Bench::with(database, json!({}), settings).await
}

/// Subscribes the receiver to inbound messages, unless `more` says otherwise.
async fn subscribe(gateway: &Gateway, receiver: &Receiver, more: Value) -> Value {
    let mut new = json!({"organization_id": "org-1", "url": receiver.url(), "event_types": ["message.received"]});
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.post("/rest/v1/endpoints", new).await.expect_status(201)
}

fn path(endpoint: &Value) -> String {
    format!("/rest/v1/endpoints/{}", endpoint["id"].as_str().unwrap())
}

/// Somebody writes to the bot; between the ids is room for its own messages.
async fn say(bench: &Bench, update: i64, from: i64, text: &str) {
    bench
        .push(
            json!({"update_id": update, "message": {"message_id": 1000 * update, "from": {"id": from, "is_bot": false, "first_name": "P"},
                     "chat": {"id": from, "type": "private"}, "date": 1_764_000_000, "text": text}}),
        )
        .await;
}

fn verify(secret: &Value, received: &Received) -> bool {
    Webhook::new(secret.as_str().unwrap()).unwrap().verify(&received.body, &received.headers).is_ok()
}

async fn an_event_is_posted_as_the_stream_tells_it_and_any_standard_library_verifies_it(database: Database) {
    let (bench, receiver) = (bench(database, allowing()).await, Receiver::start().await);
    let mut stream = bench.gateway.listen(None).await;
    let endpoint = subscribe(&bench.gateway, &receiver, json!({"event_types": []})).await;
    let secret = &endpoint["secret"];
    assert!(secret.as_str().unwrap().starts_with("whsec_"));
    say(&bench, 1, MONA, "مرحبا 😀").await;
    let received = receiver.wait_type("message.received").await;
    assert_eq!(received.event, stream.next_of("message.received").await);
    assert_eq!(received.headers["webhook-id"], received.event["id"].as_str().unwrap());
    assert_eq!(received.headers["content-type"], "application/json");
    assert!(verify(secret, &received));
    let forged = Received { body: [&received.body[..], b" "].concat().into(), ..received.clone() };
    assert!(!verify(secret, &forged), "a changed body is noticed");
    assert!(!verify(&json!("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &received), "another secret doesn't fit");

    let shown = bench.gateway.get(&path(&endpoint)).await.expect_status(200);
    assert!(!shown.to_string().contains("whsec_"), "the secret is told once: {shown:#}");
    let deliveries = bench.gateway.get(&format!("{}/deliveries?state=delivered", path(&endpoint))).await;
    let deliveries = deliveries.expect_status(200);
    let delivery = deliveries.as_array().unwrap().iter().find(|delivery| delivery["event_id"] == received.event["id"]);
    if let Some(delivery) = delivery {
        assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(1), &json!(204)), "{delivery:#}");
    } else {
        eventually("the delivery is settled", || async {
            let deliveries = bench.gateway.get(&format!("{}/deliveries?state=delivered", path(&endpoint))).await.expect_status(200);
            deliveries.as_array().unwrap().iter().any(|delivery| delivery["event_id"] == received.event["id"]).then_some(())
        })
        .await;
    }
}

async fn a_failing_delivery_holds_back_its_own_conversation_alone(database: Database) {
    let (bench, receiver) = (bench(database, impatient()).await, Receiver::start().await);
    let failing = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&failing);
    receiver.answer(move |event| {
        let text = event["data"]["message"]["content"][0]["text"].as_str().unwrap_or_default();
        Reply::Status(if text == "m2" && broken.load(Ordering::SeqCst) { 500 } else { 200 })
    });
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    for (n, (from, text)) in [(MONA, "m1"), (MONA, "m2"), (MONA, "m3"), (OMAR, "o1"), (MONA, "m4"), (OMAR, "o2")].into_iter().enumerate() {
        say(&bench, i64::try_from(n).unwrap() + 1, from, text).await;
    }
    receiver.wait_taken(3).await;
    eventually("it is tried again", || async {
        (receiver.received().iter().filter(|received| received.text() == "m2").count() >= 2).then_some(())
    })
    .await;
    let taken: BTreeSet<String> = receiver.texts().into_iter().collect();
    assert_eq!(taken, BTreeSet::from(["m1", "o1", "o2"].map(str::to_owned)));
    let deliveries = bench.gateway.get(&format!("{}/deliveries", path(&endpoint))).await.expect_status(200);
    let states: Vec<&str> = deliveries.as_array().unwrap().iter().map(|delivery| delivery["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "held").count(), 2, "{deliveries:#}");
    let waiting = deliveries.as_array().unwrap().iter().find(|delivery| delivery["state"] == "waiting").unwrap();
    assert_eq!(waiting["last_status"], 500);
    assert!(waiting["last_error"].as_str().unwrap().contains("what the receiver says"), "{waiting:#}");
    assert!(waiting["next_attempt_at"].is_string());

    failing.store(false, Ordering::SeqCst);
    receiver.wait_taken(6).await;
    let of_mona: Vec<String> = receiver.texts().into_iter().filter(|text| text.starts_with('m')).collect();
    assert_eq!(of_mona, ["m1", "m2", "m3", "m4"], "each once, and in order");
    let ids: BTreeSet<String> =
        receiver.received().iter().filter(|received| received.text() == "m2").map(|r| r.event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "an event keeps its id");
}

async fn a_slow_endpoint_delays_no_other(database: Database) {
    let bench = bench(database, allowing().line("endpoints.parallel = 2")).await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    slow.answer(move |_| {
        seen.store(true, Ordering::SeqCst);
        Reply::Slow(Duration::from_secs(60))
    });
    subscribe(&bench.gateway, &slow, json!({})).await;
    subscribe(&bench.gateway, &fast, json!({})).await;
    say(&bench, 1, MONA, "first").await;
    eventually("the slow one is asked", || async { asked.load(Ordering::SeqCst).then_some(()) }).await;
    for n in 2..=10 {
        say(&bench, n, MONA + n, "more").await;
    }
    fast.wait_taken(10).await;
    assert!(slow.taken().is_empty());
}

async fn an_endpoint_that_only_fails_is_deactivated_with_notice_and_goes_on_when_it_is_mended(database: Database) {
    let bench = bench(database, impatient().line("endpoints.disable_after_s = 2")).await;
    let (broken, other) = (Receiver::start().await, Receiver::start().await);
    broken.answer(|_| Reply::Status(503));
    let mut stream = bench.gateway.listen(None).await;
    let endpoint = subscribe(&bench.gateway, &broken, json!({"description": "the broken one"})).await;
    subscribe(&bench.gateway, &other, json!({"event_types": ["endpoint.*"]})).await;
    say(&bench, 1, MONA, "one").await;
    let notice = other.wait_type("endpoint.disabled").await;
    assert_eq!(notice.event["data"]["endpoint"]["id"], endpoint["id"]);
    assert_eq!(notice.event["channel_account_id"], Value::Null);
    assert!(notice.event["data"]["reason"].as_str().unwrap().contains("503"), "{:#}", notice.event);
    assert_eq!(stream.next_of("endpoint.disabled").await, notice.event);
    let shown = bench.gateway.get(&path(&endpoint)).await.expect_status(200);
    assert_eq!(shown["is_active"], false);
    assert_eq!(shown["disabled_reason"], notice.event["data"]["reason"]);
    let error = bench.gateway.post(&format!("{}/replay", path(&endpoint)), json!({"since": "2026-01-01T00:00:00Z"})).await;
    error.expect_status(409);

    say(&bench, 2, MONA, "two").await;
    broken.answer(|_| Reply::Status(200));
    let mended = bench.gateway.patch(&path(&endpoint), json!({"is_active": true})).await.expect_status(200);
    assert_eq!((&mended["is_active"], &mended["disabled_reason"]), (&json!(true), &Value::Null));
    broken.wait_taken(2).await;
    assert_eq!(broken.texts(), ["one", "two"]);
}

async fn a_receiver_that_is_gone_is_deactivated_at_once(database: Database) {
    let (bench, receiver) = (bench(database, allowing()).await, Receiver::start().await);
    receiver.answer(|_| Reply::Status(410));
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    say(&bench, 1, MONA, "one").await;
    let shown = eventually("it is inactive", || async {
        let shown = bench.gateway.get(&path(&endpoint)).await.expect_status(200);
        (shown["is_active"] == false).then_some(shown)
    })
    .await;
    assert!(shown["disabled_reason"].as_str().unwrap().contains("410"), "{shown:#}");
    assert_eq!(receiver.received().len(), 1);
}

async fn what_happened_since_a_time_is_told_again(database: Database) {
    let (bench, receiver) = (bench(database, allowing()).await, Receiver::start().await);
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    for n in 1..=3 {
        say(&bench, n, MONA, &format!("m{n}")).await;
    }
    let first = receiver.wait_taken(3).await;
    // From the second event on.
    let since = &first[1].event["timestamp"];
    let created = bench.messages("inbound").await[1]["created_at"].clone();
    assert!(since.is_string() && created.is_string());
    let replayed = bench.gateway.post(&format!("{}/replay", path(&endpoint)), json!({"since": created})).await.expect_status(202);
    assert_eq!(replayed["events"], 2, "{replayed:#}");
    receiver.wait_taken(5).await;
    assert_eq!(receiver.texts(), ["m1", "m2", "m3", "m2", "m3"]);
    let again = receiver.taken();
    assert_eq!(again[3].event, first[1].event, "the same event, with its id");
    say(&bench, 4, MONA, "m4").await;
    receiver.wait_taken(6).await;
    let error = bench.gateway.post(&format!("{}/replay", path(&endpoint)), json!({"since": "yesterday"})).await.expect_status(422);
    assert!(error["message"].as_str().unwrap().contains("/since"), "{error:#}");
}

async fn what_was_given_up_can_be_replayed_and_held_nobody_for_ever(database: Database) {
    let (bench, receiver) = (bench(database, allowing().line("endpoints.retry_s = [1]")).await, Receiver::start().await);
    receiver.answer(|event| Reply::Status(if event["data"]["message"]["content"][0]["text"] == "bad" { 400 } else { 200 }));
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    say(&bench, 1, MONA, "bad").await;
    say(&bench, 2, MONA, "good").await;
    receiver.wait_taken(1).await;
    assert_eq!(receiver.texts(), ["good"]);
    let failed = bench.gateway.get(&format!("{}/deliveries?state=failed", path(&endpoint))).await.expect_status(200);
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["attempts"]), (1, &json!(2)), "{failed:#}");
    receiver.answer(|_| Reply::Status(200));
    let replay = json!({"since": "2026-01-01T00:00:00Z", "failed": true});
    let replayed = bench.gateway.post(&format!("{}/replay", path(&endpoint)), replay).await.expect_status(202);
    assert_eq!(replayed["events"], 1);
    receiver.wait_taken(2).await;
    assert_eq!(receiver.texts(), ["good", "bad"]);
}

async fn a_rotated_secret_signs_beside_the_old_one(database: Database) {
    let (bench, receiver) = (bench(database, allowing()).await, Receiver::start().await);
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    let rotated = bench.gateway.post(&format!("{}/rotate_secret", path(&endpoint)), json!({})).await.expect_status(200);
    assert_ne!(rotated["secret"], endpoint["secret"]);
    say(&bench, 1, MONA, "signed twice").await;
    let received = receiver.wait_taken(1).await.remove(0);
    assert!(verify(&rotated["secret"], &received) && verify(&endpoint["secret"], &received));
    assert_eq!(received.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
    let shown = bench.gateway.get(&path(&endpoint)).await.expect_status(200);
    assert_eq!(shown["previous_secret_until"], rotated["previous_secret_until"]);
}

async fn a_url_that_leads_inside_is_refused_and_a_redirect_is_not_followed(database: Database) {
    let gateway = Gateway::start(database, Settings::default().without_plugin()).await;
    let new = |url: &str| json!({"organization_id": "org-1", "url": url});
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://127.0.0.1:8080/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.7/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0x7f000001/",
        "http://93.184.216.34/",
    ] {
        let error = gateway.post("/rest/v1/endpoints", new(url)).await.expect_status(422);
        assert_eq!(error["errors"][0]["pointer"], "/url", "{url}: {error:#}");
        assert!(error["hint"].as_str().unwrap().contains("egress.allow"), "{url}: {error:#}");
    }
    for url in ["ftp://example.com/", "example.com", "https://me:secret@example.com/", "https://"] {
        gateway.post("/rest/v1/endpoints", new(url)).await.expect_status(422);
    }
    assert_eq!(gateway.get("/rest/v1/endpoints").await.expect_status(200), json!([]));

    let (bench, receiver, inside) = (bench(database, impatient()).await, Receiver::start().await, Receiver::start().await);
    let to = inside.url();
    receiver.answer(move |_| Reply::Redirect(to.clone()));
    let endpoint = subscribe(&bench.gateway, &receiver, json!({})).await;
    let refused = bench.gateway.patch(&path(&endpoint), json!({"url": "https://169.254.169.254/"})).await.expect_status(422);
    assert_eq!(refused["errors"][0]["pointer"], "/url");
    let tested = bench.gateway.post(&format!("{}/test", path(&endpoint)), json!({})).await.expect_status(200);
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(false), &json!(302)), "{tested:#}");
    assert!(tested["error"].as_str().unwrap().contains("redirects aren't followed"), "{tested:#}");
    assert!(inside.received().is_empty());
}

async fn a_test_says_what_the_receiver_said(database: Database) {
    let (gateway, receiver) = (Gateway::start(database, allowing().without_plugin()).await, Receiver::start().await);
    let endpoint = subscribe(&gateway, &receiver, json!({})).await;
    let tested = gateway.post(&format!("{}/test", path(&endpoint)), json!({})).await.expect_status(200);
    assert_eq!((&tested["delivered"], &tested["status"], &tested["error"]), (&json!(true), &json!(204), &Value::Null));
    let received = receiver.taken().remove(0);
    assert_eq!((&received.event["type"], &received.event["id"]), (&json!("endpoint.test"), &tested["event_id"]));
    assert!(verify(&endpoint["secret"], &received));
    receiver.answer(|_| Reply::Status(418));
    let tested = gateway.post(&format!("{}/test", path(&endpoint)), json!({})).await.expect_status(200);
    assert_eq!((&tested["delivered"], &tested["status"]), (&json!(false), &json!(418)));
    let shown = gateway.get(&path(&endpoint)).await.expect_status(200);
    assert_eq!(shown["failing_since"], Value::Null, "a test tells nothing of the endpoint's health");
}

async fn a_kill_loses_no_event(database: Database) {
    const MESSAGES: i64 = 60;
    // A lease runs out soon: 2 s and 10 s more.
    let settings = allowing().line("endpoints.timeout_s = 2");
    let (mut bench, receiver) = (bench(database, settings).await, Receiver::start().await);
    receiver.answer(|_| Reply::Slow(Duration::from_millis(20)));
    subscribe(&bench.gateway, &receiver, json!({})).await;
    for n in 1..=MESSAGES {
        say(&bench, n, MONA + n % 3, &format!("{}-{n:02}", n % 3)).await;
        if n == 30 {
            receiver.wait_taken(3).await;
            bench.gateway.kill();
            bench.gateway.start_again();
            bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/connect", bench.account), json!({})).await.expect_status(200);
        }
    }
    eventually("every message is told", || async {
        let told: BTreeSet<String> = receiver.texts().into_iter().collect();
        (told.len() == usize::try_from(MESSAGES).unwrap()).then_some(())
    })
    .await;
    let mut seen = BTreeSet::new();
    let first_times: Vec<String> = receiver.texts().into_iter().filter(|text| seen.insert(text.clone())).collect();
    for conversation in ["0-", "1-", "2-"] {
        let told: Vec<&String> = first_times.iter().filter(|text| text.starts_with(conversation)).collect();
        assert!(told.is_sorted(), "in order: {told:?}");
    }
}

async fn an_organisation_sees_its_own_alone(database: Database) {
    let (bench, receiver, theirs) = (bench(database, allowing()).await, Receiver::start().await, Receiver::start().await);
    let ours = subscribe(&bench.gateway, &receiver, json!({})).await;
    let other = subscribe(&bench.gateway, &theirs, json!({"organization_id": "org-2", "event_types": []})).await;
    let key = |scope: &str, organization: &str| {
        let (made, key) = bench.gateway.run(&["key", "new", "--scope", scope, "--organization", organization]);
        assert!(made, "{key}");
        key.lines().last().unwrap().trim().to_owned()
    };
    let (manager, reader) = (key("manage", "org-2"), key("read", "org-2"));
    let list = bench.gateway.ask_as(Some(&manager), Method::GET, "/rest/v1/endpoints").await.expect_status(200);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["id"]), (1, &other["id"]));
    for (method, suffix) in
        [(Method::GET, ""), (Method::DELETE, ""), (Method::GET, "/deliveries"), (Method::POST, "/rotate_secret"), (Method::POST, "/test")]
    {
        bench.gateway.ask_as(Some(&manager), method, &format!("{}{suffix}", path(&ours))).await.expect_status(404);
    }
    bench.gateway.ask_as(Some(&reader), Method::GET, &path(&other)).await.expect_status(200);
    bench.gateway.ask_as(Some(&reader), Method::DELETE, &path(&other)).await.expect_status(403);
    bench.gateway.ask_as(Some(&reader), Method::POST, &format!("{}/rotate_secret", path(&other))).await.expect_status(403);
    let wrong = json!({"organization_id": "org-2", "url": theirs.url(), "channel_account_id": bench.account});
    let error = bench.gateway.post("/rest/v1/endpoints", wrong).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/channel_account_id");
    say(&bench, 1, MONA, "ours").await;
    receiver.wait_taken(1).await;
    // Theirs is asked after ours was told: nothing came before.
    bench.gateway.post(&format!("{}/test", path(&other)), json!({})).await.expect_status(200);
    assert_eq!(theirs.received().len(), 1);
    bench.gateway.delete(&path(&ours)).await.expect_status(204);
    bench.gateway.get(&path(&ours)).await.expect_status(404);
}

async fn an_endpoint_hears_what_it_asked_for(database: Database) {
    let (bench, receiver) = (bench(database, allowing()).await, Receiver::start().await);
    let unknown = json!({"organization_id": "org-1", "url": receiver.url(), "event_types": ["message.sent", "message.recieved"]});
    let error = bench.gateway.post("/rest/v1/endpoints", unknown).await.expect_status(422);
    assert!(error["message"].as_str().unwrap().contains("message.recieved"), "{error:#}");
    let more = json!({"event_types": ["contact.*", "message.sent"], "channel_account_id": bench.account});
    let endpoint = subscribe(&bench.gateway, &receiver, more).await;
    say(&bench, 1, MONA, "not asked for").await;
    let sent = bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "Hi"}})).await;
    let received = receiver.wait_taken(1).await;
    assert_eq!(received[0].event["type"], "message.sent");
    assert_eq!(received[0].event["message_id"], sent["id"]);
    let changed = json!({"event_types": ["message.received"], "channel_account_id": null, "description": "all accounts"});
    let changed = bench.gateway.patch(&path(&endpoint), changed).await.expect_status(200);
    assert_eq!(changed["channel_account_id"], Value::Null);
    say(&bench, 2, MONA, "asked for").await;
    receiver.wait_type("message.received").await;
    assert_eq!(receiver.texts(), ["Hi", "asked for"]);
    assert_eq!(receiver.received().len(), 2);
}

async fn nats_has_every_event_once_and_in_order_though_it_was_killed(database: Database) {
    const MESSAGES: usize = 60;
    let mut nats = NatsServer::start().await;
    let bench = bench(database, allowing().line(&format!("nats.url = \"{}\"", nats.url()))).await;
    let gateway = &bench.gateway;
    let endpoint = gateway.post("/rest/v1/endpoints", json!({"kind": "nats"})).await.expect_status(201);
    assert_eq!((&endpoint["secret"], &endpoint["organization_id"]), (&Value::Null, &Value::Null));
    let (_, key) = gateway.run(&["key", "new", "--scope", "admin", "--organization", "org-1"]);
    gateway.ask_as(Some(key.lines().last().unwrap().trim()), Method::GET, &path(&endpoint)).await.expect_status(404);
    let mut update = 0;
    for round in 0..3 {
        if round == 1 {
            nats.kill();
        }
        for _ in 0..MESSAGES / 3 {
            update += 1;
            say(&bench, update, MONA + update % 4, &format!("{update:03}")).await;
        }
        if round == 0 {
            eventually("the first are published", || async {
                let shown = gateway.get(&path(&endpoint)).await.expect_status(200);
                shown["last_success_at"].is_string().then_some(())
            })
            .await;
        }
        if round == 1 {
            eventually("the endpoint says that NATS is away", || async {
                gateway.get(&path(&endpoint)).await.expect_status(200)["failing_since"].is_string().then_some(())
            })
            .await;
            nats.start_again().await;
        }
    }
    let published = consume(&nats, MESSAGES).await;
    let texts: Vec<&str> = published.iter().map(|(_, _, event)| event["data"]["message"]["content"][0]["text"].as_str().unwrap()).collect();
    let wanted: Vec<String> = (1..=MESSAGES).map(|n| format!("{n:03}")).collect();
    assert_eq!(texts, wanted, "each once, and in order");
    for (subject, id, event) in &published {
        assert_eq!(subject, "patchbay.org-1.message.received");
        assert_eq!(*id, event["id"]);
    }
}

/// Reads the stream until it has that many inbound messages: subject, message id and event of each.
async fn consume(nats: &NatsServer, count: usize) -> Vec<(String, Value, Value)> {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let stream = jetstream.get_stream("PATCHBAY").await.unwrap();
    let config =
        async_nats::jetstream::consumer::pull::Config { filter_subject: "patchbay.*.message.received".into(), ..Default::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.messages().await.unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let message = tokio::time::timeout(crate::harness::PATIENCE, messages.next()).await.expect("no message came").unwrap().unwrap();
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).unwrap().to_string();
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        found.push((message.subject.to_string(), json!(id), event));
        message.ack().await.unwrap();
    }
    found
}

async fn every_event_is_as_its_published_schema_says(database: Database) {
    let bench = bench(database, impatient().line("endpoints.disable_after_s = 0").line("outbox.retry_s = [1]")).await;
    let broken = Receiver::start().await;
    broken.answer(|_| Reply::Status(500));
    let endpoint = subscribe(&bench.gateway, &broken, json!({})).await;
    let text = |text: &str| json!({"to": MONA.to_string(), "content": {"type": "text", "text": text}});
    bench.send(text("Hi")).await;
    let poll = json!({"to": MONA.to_string(), "content": {"type": "poll", "question": "Tea?", "options": ["Yes", "No"]}});
    bench.send(poll).await;
    bench.telegram.fail(patchbay_providers::Failure::error("sendMessage", 400, "Bad Request: message is too long").times(1));
    let failed = bench.send(text("refused")).await;
    assert_eq!(failed["state"], "failed", "{failed:#}");
    bench.telegram.fail(patchbay_providers::Failure::cut("sendMessage", patchbay_providers::Moment::After).times(1));
    let cut = bench.send(text("perhaps")).await;
    assert_eq!(cut["state"], "uncertain", "{cut:#}");
    for name in bench.telegram.samples() {
        bench.telegram.push_sample(BOT, name).await;
    }
    eventually("the failing endpoint is deactivated", || async {
        (bench.gateway.get(&path(&endpoint)).await.expect_status(200)["is_active"] == false).then_some(())
    })
    .await;
    say(&bench, 1_000_000, OMAR, "the last one").await;

    let list = bench.gateway.get("/rest/v1/event_types").await.expect_status(200);
    let mut schemas = BTreeMap::new();
    for entry in list.as_array().unwrap() {
        let shown = bench.gateway.get(entry["schema_url"].as_str().unwrap()).await.expect_status(200);
        for field in ["type", "since", "version", "description"] {
            assert_eq!(shown[field], entry[field]);
            assert_ne!(shown[field], Value::Null);
        }
        schemas.insert(entry["type"].as_str().unwrap().to_owned(), jsonschema::draft202012::new(&shown["schema"]).unwrap());
    }
    bench.gateway.get("/rest/v1/event_types/message.nothing").await.expect_status(404);

    let mut stream = bench.gateway.listen(Some("0")).await;
    let mut seen = BTreeSet::new();
    loop {
        let event = stream.next().await;
        let name = event["type"].as_str().unwrap().to_owned();
        let schema = schemas.get(&name).unwrap_or_else(|| panic!("{name} isn't in the list"));
        let problems: Vec<String> = schema.iter_errors(&event).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{event:#}\n{problems:#?}");
        seen.insert(name);
        if event["data"]["message"]["content"][0]["text"] == "the last one" {
            break;
        }
    }
    for name in [
        "account.connection",
        "contact.opted_out",
        "endpoint.disabled",
        "message.choice",
        "message.edited",
        "message.failed",
        "message.queued",
        "message.reaction",
        "message.received",
        "message.sent",
        "message.uncertain",
    ] {
        assert!(seen.contains(name), "{name} isn't among {seen:?}");
    }
}

both! {
    an_event_is_posted_as_the_stream_tells_it_and_any_standard_library_verifies_it,
    a_failing_delivery_holds_back_its_own_conversation_alone,
    a_slow_endpoint_delays_no_other,
    an_endpoint_that_only_fails_is_deactivated_with_notice_and_goes_on_when_it_is_mended,
    a_receiver_that_is_gone_is_deactivated_at_once,
    what_happened_since_a_time_is_told_again,
    what_was_given_up_can_be_replayed_and_held_nobody_for_ever,
    a_rotated_secret_signs_beside_the_old_one,
    a_url_that_leads_inside_is_refused_and_a_redirect_is_not_followed,
    a_test_says_what_the_receiver_said,
    a_kill_loses_no_event,
    an_organisation_sees_its_own_alone,
    an_endpoint_hears_what_it_asked_for,
    nats_has_every_event_once_and_in_order_though_it_was_killed,
    every_event_is_as_its_published_schema_says,
}
