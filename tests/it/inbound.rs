//! Webhooks: verified, kept, deduplicated, told.

use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, MONA, both, eventually};

fn text_update(update_id: i64, message_id: i64, text: &str) -> Value {
    json!({"update_id": update_id, "message": {
        "message_id": message_id, "from": {"id": MONA, "is_bot": false, "first_name": "Mona", "username": "mona_x"},
        "chat": {"id": MONA, "type": "private", "first_name": "Mona"}, "date": 1_764_000_000, "text": text}})
}

fn secret(bench: &Bench) -> String {
    bench.telegram.requests_of("setWebhook").pop().unwrap().text("secret_token")
}

async fn an_update_becomes_a_message_with_conversation_and_contact(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.push(text_update(1, 41, "مرحبا 😀")).await;
    let messages = bench.messages("inbound").await;
    let [message] = messages.as_slice() else { panic!("{messages:#?}") };
    assert_eq!(message["content"][0], json!({"type": "text", "text": "مرحبا 😀", "format": "plain", "preview_links": true}));
    assert_eq!(message["external_id"], format!("{MONA}:41"));
    assert_eq!(message["conversation"]["external_id"], MONA.to_string());
    assert_eq!(message["conversation"]["kind"], "direct");
    assert_eq!(message["contact"]["name"], "Mona");
    assert!(message["contact"]["identities"].as_array().unwrap().contains(&json!({"scheme": "telegram", "value": MONA.to_string()})));
    assert_eq!(message["provider_at"], "2025-11-24T16:00:00.000000Z");

    let event = events.next_of("message.received").await;
    assert_eq!(event["data"]["message"]["id"], message["id"]);
    assert_eq!(event["channel_account_id"], bench.account);
}

async fn a_name_that_changes_hands_makes_nobody_another(database: Database) {
    let bench = Bench::connected(database).await;
    for (n, id) in [(1, 82_000_001), (2, 82_000_002), (3, 82_000_001)] {
        let from = json!({"id": id, "is_bot": false, "first_name": format!("Person {id}"), "username": "recycled"});
        let chat = json!({"id": id, "type": "private"});
        bench
            .push(json!({"update_id": n, "message": {"message_id": n, "from": from, "chat": chat, "date": 1_764_000_000, "text": "Hi"}}))
            .await;
    }
    let messages = bench.messages("inbound").await;
    assert_ne!(messages[0]["contact_id"], messages[1]["contact_id"]);
    assert_eq!(messages[0]["contact_id"], messages[2]["contact_id"]);
    assert_eq!(messages[1]["contact"]["name"], "Person 82000002");
}

async fn a_repeated_update_is_one_message(database: Database) {
    let bench = Bench::connected(database).await;
    for _ in 0..3 {
        bench.gateway.webhook(&bench.account, Some(&secret(&bench)), text_update(7, 1, "once").to_string()).await.expect_status(200);
    }
    assert_eq!(bench.messages("inbound").await.len(), 1);
}

async fn a_webhook_without_the_secret_is_refused_and_counted(database: Database) {
    let bench = Bench::connected(database).await;
    let body = text_update(1, 1, "forged").to_string();
    let error = bench.gateway.webhook(&bench.account, Some("wrong"), body.clone()).await.expect_status(401);
    assert!(error["hint"].as_str().unwrap().contains("x-telegram-bot-api-secret-token"), "{error:#}");
    bench.gateway.webhook(&bench.account, None, body.clone()).await.expect_status(401);
    bench.gateway.webhook("nobody", Some("wrong"), body).await.expect_status(404);
    eventually("both are counted", || async {
        let account = bench.gateway.get(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(200);
        (account["webhook_refusals"] == 2).then_some(())
    })
    .await;
    assert!(bench.messages("inbound").await.is_empty());
}

async fn a_body_that_is_too_large_is_refused_and_one_that_is_no_update_is_kept_as_failed(database: Database) {
    let bench = Bench::connected(database).await;
    let secret = secret(&bench);
    let large = vec![b' '; 1100 * 1024];
    bench.gateway.webhook(&bench.account, Some(&secret), large).await.expect_status(413);
    // Delivered again it would be no better: the provider mustn't hold back what comes after it.
    bench.gateway.webhook(&bench.account, Some(&secret), "not json").await.expect_status(200);
    let failed = bench.gateway.get("/rest/v1/webhook_deliveries?state=failed").await.expect_status(200);
    assert_eq!(failed.as_array().unwrap().len(), 1, "{failed:#}");
    bench.gateway.webhook(&bench.account, Some(&secret), text_update(9, 1, "after").to_string()).await.expect_status(200);
    assert_eq!(bench.messages("inbound").await.len(), 1);
}

async fn an_inactive_account_holds_what_comes_in(database: Database) {
    let bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    bench.gateway.patch(&path, json!({"is_active": false})).await.expect_status(200);
    for n in 1..=3 {
        bench.push(text_update(n, n, &format!("held {n}"))).await;
    }
    assert!(bench.messages("inbound").await.is_empty());
    bench.gateway.patch(&path, json!({"is_active": true})).await.expect_status(200);
    let messages = eventually("the held ones are processed", || async {
        let messages = bench.messages("inbound").await;
        (messages.len() == 3).then_some(messages)
    })
    .await;
    let texts: Vec<&str> = messages.iter().map(|message| message["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["held 1", "held 2", "held 3"]);
}

async fn what_is_held_survives_a_kill(database: Database) {
    let mut bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    bench.gateway.patch(&path, json!({"is_active": false})).await.expect_status(200);
    for n in 1..=20 {
        bench.push(text_update(n, n, &format!("held {n}"))).await;
    }
    bench.gateway.patch(&path, json!({"is_active": true})).await.expect_status(200);
    bench.gateway.kill();
    bench.gateway.start_again();
    eventually("all of them are processed", || async { (bench.messages("inbound").await.len() == 20).then_some(()) }).await;
}

async fn text_that_a_database_cannot_store_stops_nobody(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(text_update(1, 1, "nul \u{0} inside")).await;
    bench.push(text_update(2, 2, "after")).await;
    let messages = bench.messages("inbound").await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["content"][0]["text"], "nul \u{FFFD} inside");
}

async fn edits_reactions_presses_votes_and_blocks_find_their_message(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.push(text_update(1, 10, "frist")).await;
    let mut edited = text_update(2, 10, "first");
    let message = edited["message"].take();
    edited.as_object_mut().unwrap().remove("message");
    edited["edited_message"] = message;
    edited["edited_message"]["edit_date"] = json!(1_764_000_100);
    bench.push(edited).await;
    let from = json!({"id": MONA, "is_bot": false, "first_name": "Mona"});
    let chat = json!({"id": MONA, "type": "private"});
    bench
        .push(json!({"update_id": 3, "message_reaction": {"chat": chat, "message_id": 10, "user": from, "date": 1_764_000_200,
                     "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]}}))
        .await;
    let [message] = <[Value; 1]>::try_from(bench.messages("inbound").await).unwrap();
    assert_eq!(message["content"][0]["text"], "first");
    assert_eq!(message["edited_at"], "2025-11-24T16:01:40.000000Z");
    assert_eq!(message["reactions"][0]["emoji"], "👍");

    bench
        .push(json!({"update_id": 4, "callback_query": {"id": "4382", "from": from, "chat_instance": "-33", "data": "order:42:yes",
                     "message": {"message_id": 50, "date": 1_764_000_000, "chat": chat, "text": "Pick"}}}))
        .await;
    let press = events.next_of("message.choice").await;
    assert_eq!(press["data"]["message"]["content"][0]["id"], "order:42:yes");
    let answered = bench.telegram.wait_for("answerCallbackQuery", 1, crate::harness::PATIENCE).await;
    assert_eq!(answered[0].text("callback_query_id"), "4382");

    let poll = bench.send(json!({"to": MONA.to_string(), "content": {"type": "poll", "question": "Tea?", "options": ["Yes", "No"]}})).await;
    assert_eq!(poll["state"], "sent", "{poll:#}");
    let poll_id = poll_id(&bench);
    bench.push(json!({"update_id": 5, "poll_answer": {"poll_id": poll_id, "user": from, "option_ids": [1]}})).await;
    let vote = events.next_of("message.vote").await;
    assert_eq!(vote["data"]["message"]["id"], poll["id"]);
    assert_eq!(vote["data"]["message"]["votes"][0]["options"], json!([1]));

    bench
        .push(json!({"update_id": 6, "my_chat_member": {"chat": chat, "from": from, "date": 1_764_000_300,
                     "old_chat_member": {"user": {"id": BOT, "is_bot": true, "first_name": "B"}, "status": "member"},
                     "new_chat_member": {"user": {"id": BOT, "is_bot": true, "first_name": "B"}, "status": "kicked", "until_date": 0}}}))
        .await;
    events.next_of("contact.opted_out").await;
    let contacts = bench.gateway.get("/rest/v1/contacts").await.expect_status(200);
    assert!(contacts[0]["opted_out_at"].is_string(), "{contacts:#}");
}

/// The id that the stand-in gave the last poll it made.
fn poll_id(bench: &Bench) -> String {
    let messages = bench.telegram.messages(BOT, MONA);
    messages.iter().rev().find_map(|message| message["poll"]["id"].as_str()).unwrap().to_owned()
}

async fn a_group_that_moves_keeps_its_conversation(database: Database) {
    let bench = Bench::connected(database).await;
    let from = json!({"id": MONA, "is_bot": false, "first_name": "Mona"});
    let group = json!({"id": -5001, "type": "group", "title": "Help"});
    bench
        .push(json!({"update_id": 1, "message": {"message_id": 1, "from": from, "chat": group, "date": 1_764_000_000, "text": "Hi all"}}))
        .await;
    let before = bench.messages("inbound").await[0]["conversation_id"].clone();
    bench
        .push(json!({"update_id": 2, "message": {"message_id": 2, "from": from, "chat": group, "date": 1_764_000_001, "migrate_to_chat_id": -1_005_001_000_001_i64}}))
        .await;
    let supergroup = json!({"id": -1_005_001_000_001_i64, "type": "supergroup", "title": "Help"});
    bench
        .push(json!({"update_id": 3, "message": {"message_id": 1, "from": from, "chat": supergroup, "date": 1_764_000_002, "text": "Still here"}}))
        .await;
    let after = bench.messages("inbound").await.pop().unwrap();
    assert_eq!(after["content"][0]["text"], "Still here");
    assert_eq!(after["conversation_id"], before);
    assert_eq!(after["conversation"]["external_id"], "-1005001000001");
}

async fn every_kind_of_update_is_kept_and_told(database: Database) {
    let bench = Bench::connected(database).await;
    let samples = bench.telegram.samples();
    assert!(samples.len() > 30);
    for name in &samples {
        for delivery in bench.telegram.push_sample(BOT, name).await {
            // What the bot didn't ask for isn't sent to it, as in the real server.
            assert!(delivery.delivered || delivery.note.as_deref().is_some_and(|note| note.contains("not among")), "{name}: {delivery:?}");
        }
    }
    let kinds: Vec<String> = bench
        .messages("inbound")
        .await
        .iter()
        .flat_map(|message| message["content"].as_array().unwrap().clone())
        .map(|content| match content["kind"].as_str() {
            Some(kind) => kind.to_owned(),
            None => content["type"].as_str().unwrap().to_owned(),
        })
        .collect();
    for kind in ["text", "image", "video", "audio", "voice", "document", "animation", "sticker", "poll", "location", "contacts", "choice"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind} is missing among {kinds:?}");
    }
}

async fn an_inbound_file_is_fetched_through_the_gateway(database: Database) {
    let bench = Bench::connected(database).await;
    bench.telegram.push_sample(BOT, "photo").await;
    let message = bench.messages("inbound").await.pop().unwrap();
    assert!(message["content"][0]["provider_ref"].is_string(), "{message:#}");
    let path = format!("/rest/v1/messages/{}/media/0", message["id"].as_str().unwrap());
    let (status, bytes) = bench.gateway.download(&path).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    assert!(!bytes.is_empty());
    assert_eq!(bench.gateway.download(&path).await.1, bytes);
    assert_eq!(bench.telegram.requests_of("getFile").len(), 1, "it is fetched once");
    bench.telegram.push_sample(BOT, "document").await;
    let document = bench.messages("inbound").await.pop().unwrap();
    let path = format!("/rest/v1/messages/{}/media/0", document["id"].as_str().unwrap());
    let headers = bench.gateway.headers(&path).await;
    assert_eq!(headers["content-type"].to_str().unwrap(), document["content"][0]["mime_type"].as_str().unwrap());
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename*=UTF-8''"));
    let path = format!("/rest/v1/messages/{}/media/0", message["id"].as_str().unwrap());
    assert_eq!(bench.gateway.download(&path.replace("/media/0", "/media/5")).await.0, 404);
}

async fn a_listener_that_comes_back_misses_nothing(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.push(text_update(1, 1, "heard")).await;
    let last = events.next_of("message.received").await["id"].as_str().unwrap().to_owned();
    drop(events);
    for n in 2..=4 {
        bench.push(text_update(n, n, &format!("missed {n}"))).await;
    }
    let mut events = bench.gateway.listen(Some(&last)).await;
    for n in 2..=4 {
        let event = events.next_of("message.received").await;
        assert_eq!(event["data"]["message"]["content"][0]["text"], format!("missed {n}"));
    }
}

both! {
    an_update_becomes_a_message_with_conversation_and_contact,
    a_name_that_changes_hands_makes_nobody_another,
    a_repeated_update_is_one_message,
    a_webhook_without_the_secret_is_refused_and_counted,
    a_body_that_is_too_large_is_refused_and_one_that_is_no_update_is_kept_as_failed,
    an_inactive_account_holds_what_comes_in,
    what_is_held_survives_a_kill,
    text_that_a_database_cannot_store_stops_nobody,
    edits_reactions_presses_votes_and_blocks_find_their_message,
    a_group_that_moves_keeps_its_conversation,
    every_kind_of_update_is_kept_and_told,
    an_inbound_file_is_fetched_through_the_gateway,
    a_listener_that_comes_back_misses_nothing,
}
