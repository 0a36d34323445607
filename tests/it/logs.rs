//! What the people who run the gateway see: accounts' logs, health and its history, metrics, readiness; and that a stop loses
//! nothing.

use std::collections::BTreeSet;

use patchbay_providers::Failure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, Gateway, MONA, Settings, TOKEN, both, eventually};

fn update(id: i64, text: &str) -> Value {
    json!({"update_id": id, "message": {"message_id": id, "from": {"id": MONA, "is_bot": false, "first_name": "Mona"},
           "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": text}})
}

fn secret(bench: &Bench) -> String {
    bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token")
}

/// The account's log with these filters, newest first.
async fn logs(bench: &Bench, filters: &str) -> Vec<Value> {
    let path = format!("/rest/v1/account_logs?channel_account_id={}{filters}", bench.account);
    bench.gateway.get(&path).await.expect_status(200).as_array().unwrap().clone()
}

/// Waits until the log has an entry of that kind and code; answers the newest.
async fn entry(bench: &Bench, kind: &str, code: &str) -> Value {
    eventually(&format!("an entry {kind} {code}"), || async {
        logs(bench, &format!("&kind={kind}")).await.into_iter().find(|entry| entry["code"] == code)
    })
    .await
}

async fn standing(bench: &Bench) -> Value {
    bench.gateway.get(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(200)
}

async fn check(bench: &Bench) -> Value {
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/health", bench.account), json!({})).await.expect_status(200)
}

async fn an_accounts_log_tells_what_happened_and_nothing_that_is_anybodys(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(update(1, "a private word")).await;
    let sent = bench.enqueue(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "an open answer"}})).await;
    assert_eq!(bench.settled(&sent).await["state"], "sent");
    bench.telegram.fail(Failure::error("sendMessage", 400, "Bad Request: chat not found").times(1));
    let failed = bench.enqueue(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "nobody hears"}})).await;
    bench.settled(&failed).await;
    for _ in 0..5 {
        bench.gateway.webhook(&bench.account, Some("wrong"), update(2, "forged").to_string()).await.expect_status(401);
    }

    let step = eventually("the step is logged with its requests", || async {
        logs(&bench, "&kind=connection").await.into_iter().find(|entry| entry["details"]["http"].is_array())
    })
    .await;
    assert_eq!((&step["code"], &step["level"]), (&json!("connected"), &json!("info")), "{step:#}");
    let paths: Vec<&str> = step["details"]["http"].as_array().unwrap().iter().filter_map(|http| http["path"].as_str()).collect();
    assert!(paths.contains(&"/getMe"), "{step:#}");
    let change = logs(&bench, "&kind=connection").await.into_iter().find(|entry| entry["details"]["to"] == "connected").unwrap();
    assert_eq!(change["details"]["from"], "unconfigured");

    let processed = entry(&bench, "webhook", "processed").await;
    assert_eq!((&processed["level"], &processed["details"]["events"]), (&json!("info"), &json!(1)), "{processed:#}");
    assert!(processed["webhook_delivery_id"].is_string() && processed["plugin_digest"].is_string(), "{processed:#}");
    let refused = entry(&bench, "webhook", "unverified").await;
    assert_eq!(refused["level"], "warn");
    let counted: u64 = {
        let all = logs(&bench, "&kind=webhook&level=warn").await;
        all.iter().filter_map(|entry| entry["details"]["count"].as_u64()).sum()
    };
    assert!((1..=5).contains(&counted), "{counted}");
    eventually("every refused webhook is counted", || async {
        let all = logs(&bench, "&kind=webhook&level=warn").await;
        (all.iter().filter_map(|entry| entry["details"]["count"].as_u64()).sum::<u64>() == 5).then_some(())
    })
    .await;

    let accepted = entry(&bench, "send", "accepted").await;
    assert_eq!((&accepted["message_id"], &accepted["details"]["attempt"]), (&json!(sent), &json!(1)), "{accepted:#}");
    let http = &accepted["details"]["http"][0];
    assert_eq!((&http["method"], &http["host"], &http["path"]), (&json!("POST"), &json!("api.telegram.org"), &json!("/sendMessage")));
    assert_eq!(http["status"], 200, "{http:#}");
    assert!(http["response_bytes"].as_u64().unwrap() > 0 && http["elapsed_ms"].is_u64(), "{http:#}");
    let refused = eventually("the failed send is logged", || async { logs(&bench, "&kind=send&level=error").await.pop() }).await;
    assert_eq!((&refused["message_id"], &refused["details"]["class"]), (&json!(failed), &json!("recipient")), "{refused:#}");

    let all = logs(&bench, "&limit=1000").await;
    let text = json!(all).to_string();
    for anybodys in [TOKEN, &secret(&bench), "a private word", "an open answer", "nobody hears", "forged", "Mona", &MONA.to_string()] {
        assert!(!text.contains(anybodys), "“{anybodys}” is in the log: {text}");
    }
    let times: Vec<&str> = all.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
}

async fn the_log_is_filtered_paged_and_its_organizations_own(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(update(1, "x")).await;
    entry(&bench, "webhook", "processed").await;
    let all = logs(&bench, "").await;
    assert!(all.len() >= 3, "{all:#?}");
    assert_eq!(logs(&bench, "&limit=1&offset=1").await, all[1..2]);
    let middle = all[1]["at"].as_str().unwrap();
    assert!(logs(&bench, &format!("&since={middle}")).await.contains(&all[0]));
    assert!(!logs(&bench, &format!("&until={middle}")).await.contains(&all[1]));
    let kinds = logs(&bench, "&kind=connection,send").await;
    assert!(!kinds.is_empty() && kinds.iter().all(|entry| entry["kind"] == "connection"), "{kinds:#?}");
    for (filter, named) in
        [("kind=postcard", "connection"), ("level=loud", "warn"), ("since=yesterday", "RFC 3339"), ("colour=red", "since")]
    {
        let error = bench.gateway.get(&format!("/rest/v1/account_logs?{filter}")).await.expect_status(400);
        assert!(error["hint"].as_str().unwrap().contains(named), "{error:#}");
    }
    let (_, key) = bench.gateway.run(&["key", "new", "--scope", "read", "--organization", "org-2"]);
    let theirs = key.lines().last().unwrap().trim().to_owned();
    let path = format!("/rest/v1/account_logs?channel_account_id={}", bench.account);
    assert_eq!(bench.gateway.ask_as(Some(&theirs), Method::GET, &path).await.expect_status(200), json!([]));
    let path = format!("/rest/v1/channel_accounts/{}/health/history", bench.account);
    bench.gateway.ask_as(Some(&theirs), Method::GET, &path).await.expect_status(404);
}

async fn a_webhook_that_was_taken_away_degrades_the_account_until_it_is_back(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    assert_eq!(check(&bench).await["ok"], true);
    let removed = reqwest::Client::new().post(format!("{}/bot{TOKEN}/deleteWebhook", bench.telegram.url())).send().await.unwrap();
    assert!(removed.status().is_success());
    for _ in 0..3 {
        assert_eq!(check(&bench).await["ok"], false);
    }
    let account = standing(&bench).await;
    assert_eq!((&account["connection"], &account["reason_code"]), (&json!("degraded"), &json!("webhook_missing")), "{account:#}");
    assert!(account["user_action"].is_string() && account["is_connected"] == true, "{account:#}");
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/connect", bench.account), json!({})).await.expect_status(200);
    assert_eq!(check(&bench).await["ok"], true);

    // Each change is told once, however often it was looked at.
    for connection in ["degraded", "connected"] {
        let event = events.next_of("account.connection").await;
        assert_eq!(event["data"]["standing"]["connection"], connection, "{event:#}");
    }
    let path = format!("/rest/v1/channel_accounts/{}/health/history", bench.account);
    let history = bench.gateway.get(&path).await.expect_status(200);
    let results: Vec<bool> = history.as_array().unwrap().iter().map(|record| record["ok"].as_bool().unwrap()).collect();
    assert_eq!(results, [true, false, true], "{history:#}");
    assert_eq!(history[1]["checks"][2]["code"], "webhook_missing", "{history:#}");
    let codes: Vec<Value> = logs(&bench, "&kind=health").await.iter().map(|entry| entry["code"].clone()).collect();
    assert_eq!(codes, ["healthy", "webhook_missing"]);
}

async fn a_provider_that_is_away_is_told_when_it_stays_away(database: Database) {
    let bench = Bench::connected(database).await;
    let away = || bench.telegram.fail(Failure::status("getMe", 502).times(1));
    away();
    assert_eq!(check(&bench).await["ok"], false);
    assert_eq!(standing(&bench).await["connection"], "connected", "once says nothing of the account");
    assert_eq!(check(&bench).await["ok"], true);
    away();
    check(&bench).await;
    assert_eq!(standing(&bench).await["connection"], "connected", "nor do two with a good one between them");
    away();
    check(&bench).await;
    let account = standing(&bench).await;
    assert_eq!((&account["connection"], &account["is_connected"]), (&json!("degraded"), &json!(true)), "{account:#}");
    assert!(account["user_action"].as_str().unwrap().contains("by itself"), "{account:#}");
    check(&bench).await;
    assert_eq!(standing(&bench).await["connection"], "connected");
    // What is worse is kept: a dead credential doesn't get well because the provider is away.
    bench.telegram.revoke(BOT);
    check(&bench).await;
    assert_eq!(standing(&bench).await["connection"], "needs_reauth");
    for _ in 0..2 {
        away();
        check(&bench).await;
    }
    assert_eq!(standing(&bench).await["connection"], "needs_reauth");
}

async fn metrics_tell_of_the_work_and_of_no_account(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(update(1, "x")).await;
    bench.gateway.webhook(&bench.account, Some("wrong"), update(2, "y").to_string()).await.expect_status(401);
    bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "z"}})).await;
    let _listener = bench.gateway.listen(None).await;
    let scrape = || async { bench.gateway.get("/metrics").await.expect_status(200).as_str().unwrap().to_owned() };
    let text = scrape().await;
    for line in [
        "patchbay_webhooks_received_total{channel_type=\"TELEGRAM\",result=\"accepted\"} 1",
        "patchbay_webhooks_received_total{channel_type=\"TELEGRAM\",result=\"refused\"} 1",
        "patchbay_webhook_seconds_count{channel_type=\"TELEGRAM\"} 2",
        "patchbay_webhook_parse_seconds_count{channel_type=\"TELEGRAM\"} 1",
        "patchbay_attempts_total{channel_type=\"TELEGRAM\",class=\"accepted\"} 1",
        "patchbay_attempt_seconds_count{channel_type=\"TELEGRAM\"} 1",
        "patchbay_ingest_group_size_count 1",
        "patchbay_outbox_messages{state=\"queued\"} 0",
        "patchbay_outbox_backlog_age_seconds 0.0",
        "patchbay_accounts{channel_type=\"TELEGRAM\",connection=\"connected\"} 1",
        "patchbay_plugin_up{channel_type=\"TELEGRAM\"} 1",
        "patchbay_database_up 1",
        "patchbay_event_listeners 1",
        "patchbay_log_entries_lost_total 0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} isn't in\n{text}");
    }
    for name in ["patchbay_build_info{version=", "process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_open_fds "] {
        assert!(text.contains(name), "{name} isn't in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains(&bench.account) && !text.contains("org-1"), "{text}");

    bench.gateway.ask_as(None, Method::GET, "/metrics").await.expect_status(401);
    let (_, key) = bench.gateway.run(&["key", "new", "--scope", "admin", "--organization", "org-1"]);
    bench.gateway.ask_as(Some(key.lines().last().unwrap().trim()), Method::GET, "/metrics").await.expect_status(403);
    let (_, key) = bench.gateway.run(&["key", "new", "--scope", "read"]);
    bench.gateway.ask_as(Some(key.lines().last().unwrap().trim()), Method::GET, "/metrics").await.expect_status(200);
}

async fn a_backlog_shows_with_its_age(database: Database) {
    let settings = Settings::default().line("metrics.public = true").line("outbox.workers = 1");
    let bench = Bench::with(database, json!({}), settings).await;
    bench.telegram.fail(Failure::hang("sendMessage", 8000, patchbay_providers::Moment::Before).times(1));
    for n in 0..3 {
        bench.enqueue(json!({"to": MONA.to_string(), "content": {"type": "text", "text": format!("m{n}")}})).await;
    }
    eventually("two wait, one is on its way, and the wait has an age", || async {
        let text = bench.gateway.ask_as(None, Method::GET, "/metrics").await.expect_status(200).as_str()?.to_owned();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let leased = value("patchbay_outbox_messages{state=\"leased\"}")? == 1.0;
        let queued = value("patchbay_outbox_messages{state=\"queued\"}")? == 2.0;
        (leased && queued && value("patchbay_outbox_backlog_age_seconds")? > 0.0).then_some(())
    })
    .await;
}

async fn a_gateway_that_stops_says_so_first_and_goes_on_meanwhile(database: Database) {
    let mut bench = Bench::with(database, json!({}), Settings::default().line("http.drain_ms = 4000")).await;
    assert_eq!(bench.gateway.get("/healthz").await.expect_status(200), "ok");
    let ready = bench.gateway.get("/readyz").await.expect_status(200);
    assert_eq!(ready["ready"], true);
    let names: Vec<&Value> = ready["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert_eq!(names, ["running", "database", "plugins"]);
    bench.gateway.terminate();
    let told = eventually("it is no longer ready", || async {
        let answer = bench.gateway.get("/readyz").await;
        (answer.status == 503).then_some(answer.body)
    })
    .await;
    assert_eq!((&told["ready"], &told["checks"][0]["ok"]), (&json!(false), &json!(false)), "{told:#}");
    assert!(told["checks"][0]["reason"].as_str().unwrap().contains("shutting down"), "{told:#}");
    assert_eq!(bench.gateway.get("/healthz").await.expect_status(200), "ok");
    bench.push(update(1, "still taken")).await;
    bench.gateway.stopped().await;
    bench.gateway.start_again();
    assert_eq!(bench.messages("inbound").await.len(), 1);
    let entries = logs(&bench, "&kind=webhook").await;
    assert_eq!(entries.len(), 1, "what waited in memory was written: {entries:#?}");
}

async fn a_database_that_is_away_makes_the_gateway_unready(database: Database) {
    let bench = Bench::connected(database).await;
    if database == Database::Sqlite {
        // A file can't be away. That the check looks at the database at all, PostgreSQL shows.
        return;
    }
    bench.gateway.drop_database();
    let told = eventually("it isn't ready", || async {
        let answer = bench.gateway.get("/readyz").await;
        (answer.status == 503).then_some(answer.body)
    })
    .await;
    assert_eq!((&told["checks"][1]["name"], &told["checks"][1]["ok"]), (&json!("database"), &json!(false)), "{told:#}");
    assert_eq!(bench.gateway.get("/healthz").await.expect_status(200), "ok");
}

async fn a_stop_under_load_loses_nothing_and_sends_nothing_twice(database: Database) {
    let mut bench = Bench::with(database, json!({}), Settings::default().line("outbox.workers = 4")).await;
    bench.telegram.set_latency(std::time::Duration::from_millis(20));
    let secret = secret(&bench);
    let mut work = tokio::task::JoinSet::new();
    for n in 0..80_i64 {
        let webhook = bench.gateway.webhook_request(&bench.account, Some(&secret), update(n, &format!("in{n}")).to_string());
        let send = json!({"channel_account_id": bench.account, "to": (MONA + n).to_string(), "content": {"type": "text", "text": format!("out{n}")}});
        let send = bench.gateway.request(Method::POST, "/rest/v1/messages").json(&send);
        work.spawn(async move {
            let taken = webhook.send().await.is_ok_and(|response| response.status().is_success());
            let accepted = send.send().await.is_ok_and(|response| response.status() == 202);
            (n, taken, accepted)
        });
    }
    let (mut taken, mut accepted) = (BTreeSet::new(), BTreeSet::new());
    let mut ended = 0;
    while let Some(done) = work.join_next().await {
        let (n, was_taken, was_accepted) = done.unwrap();
        if was_taken {
            taken.insert(format!("in{n}"));
        }
        if was_accepted {
            accepted.insert(format!("out{n}"));
        }
        ended += 1;
        if ended == 30 {
            bench.gateway.terminate();
        }
    }
    bench.gateway.stopped().await;
    bench.gateway.start_again();
    let kept: Vec<String> =
        bench.messages("inbound").await.iter().map(|message| message["content"][0]["text"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(kept.len(), distinct.len(), "none twice");
    assert!(taken.len() >= 30 && taken.is_subset(&distinct), "lost: {:?}", taken.difference(&distinct).collect::<Vec<_>>());
    for message in bench.messages("outbound").await {
        let settled = bench.settled(message["id"].as_str().unwrap()).await;
        assert_eq!(settled["state"], "sent", "a stop leaves nothing in doubt: {settled:#}");
    }
    let sent: Vec<String> = bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect();
    let once: BTreeSet<String> = sent.iter().cloned().collect();
    assert_eq!(sent.len(), once.len(), "none twice: {sent:?}");
    assert!(accepted.len() >= 30 && accepted.is_subset(&once), "not sent: {:?}", accepted.difference(&once).collect::<Vec<_>>());
}

async fn a_log_may_keep_warnings_alone(database: Database) {
    let telegram = patchbay_providers::Telegram::start().await;
    let settings = Settings::default().line("logs.level = \"warn\"").redirecting("api.telegram.org", &telegram.url());
    let gateway = Gateway::start(database, settings).await;
    let account = gateway.create_account("Help desk", json!({})).await;
    gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(200);
    telegram.revoke(BOT);
    gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(422);
    let entries = eventually("the failure is logged", || async {
        let entries = gateway.get(&format!("/rest/v1/account_logs?channel_account_id={account}")).await.expect_status(200);
        (!entries.as_array()?.is_empty()).then_some(entries)
    })
    .await;
    assert!(entries.as_array().unwrap().iter().all(|entry| entry["level"] != "info"), "{entries:#}");
}

both! {
    an_accounts_log_tells_what_happened_and_nothing_that_is_anybodys,
    the_log_is_filtered_paged_and_its_organizations_own,
    a_webhook_that_was_taken_away_degrades_the_account_until_it_is_back,
    a_provider_that_is_away_is_told_when_it_stays_away,
    metrics_tell_of_the_work_and_of_no_account,
    a_backlog_shows_with_its_age,
    a_gateway_that_stops_says_so_first_and_goes_on_meanwhile,
    a_database_that_is_away_makes_the_gateway_unready,
    a_stop_under_load_loses_nothing_and_sends_nothing_twice,
    a_log_may_keep_warnings_alone,
}
