//! Messages out: queued, sent once, settled.

use patchbay_providers::{
    Failure, Moment,
    telegram::{ChatState, png},
};
use serde_json::{Value, json};

use crate::harness::{Bench, Database, MONA, PATIENCE, Settings, both, eventually};

fn text(text: &str) -> Value {
    json!({"to": MONA.to_string(), "content": [{"type": "text", "text": text}]})
}

async fn a_message_is_queued_sent_and_told(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    let message = bench.send(text("Hello")).await;
    assert_eq!(message["state"], "sent", "{message:#}");
    assert!(message["sent_at"].is_string());
    let request = bench.telegram.requests_of("sendMessage").pop().unwrap();
    assert_eq!(request.text("chat_id"), MONA.to_string());
    assert_eq!(request.text("text"), "Hello");
    assert!(message["external_id"].as_str().unwrap().starts_with(&format!("{MONA}:")));
    assert_eq!(message["conversation"]["external_id"], MONA.to_string());
    assert_eq!(events.next_of("message.queued").await["message_id"], message["id"]);
    assert_eq!(events.next_of("message.sent").await["message_id"], message["id"]);
}

async fn every_kind_of_content_arrives(database: Database) {
    let bench = Bench::connected(database).await;
    let upload = "/rest/v1/media?organization_id=org-1&file_name=dot.png";
    let media = bench.gateway.upload(upload, "image/png", png(40, 30)).await.expect_status(201);
    let media_id = media["id"].as_str().unwrap();
    let cases = [
        ("sendMessage", json!({"type": "text", "text": "<b>Hi</b>", "format": "html"})),
        ("sendPhoto", json!({"type": "media", "kind": "image", "media_id": media_id, "caption": "A dot"})),
        ("sendPhoto", json!({"type": "media", "kind": "image", "url": "https://example.com/a.png"})),
        ("sendVideo", json!({"type": "media", "kind": "video", "url": "https://example.com/a.mp4"})),
        ("sendAudio", json!({"type": "media", "kind": "audio", "url": "https://example.com/a.mp3"})),
        ("sendVoice", json!({"type": "media", "kind": "voice", "url": "https://example.com/a.ogg"})),
        ("sendDocument", json!({"type": "media", "kind": "document", "url": "https://example.com/a.pdf"})),
        ("sendAnimation", json!({"type": "media", "kind": "animation", "url": "https://example.com/a.gif"})),
        (
            "sendMediaGroup",
            json!({"type": "album", "items": [{"kind": "image", "media_id": media_id}, {"kind": "image", "url": "https://example.com/b.png"}]}),
        ),
        ("sendSticker", json!({"type": "sticker", "url": "https://example.com/s.webp"})),
        ("sendPoll", json!({"type": "poll", "question": "Tea?", "options": ["Yes", "No"], "multiple": true})),
        ("sendLocation", json!({"type": "location", "latitude": 30.04, "longitude": 31.23})),
        ("sendVenue", json!({"type": "location", "latitude": 30.04, "longitude": 31.23, "name": "Tower", "address": "1 Street"})),
        ("sendContact", json!({"type": "contacts", "contacts": [{"name": "Ali", "phones": ["+201000000001"]}]})),
        (
            "sendMessage",
            json!({"type": "interactive", "body": "Pick", "buttons": [{"title": "Yes", "reply": "y"}, {"title": "Site", "url": "https://example.com"}]}),
        ),
        ("sendMessage", json!({"type": "interactive", "body": "Pick", "quick_replies": [{"id": "a", "title": "A"}]})),
    ];
    for (method, content) in cases {
        bench.telegram.clear_requests();
        let message = bench.send(json!({"to": MONA.to_string(), "content": content})).await;
        assert_eq!(message["state"], "sent", "{method}: {message:#}");
        let methods: Vec<String> = bench.telegram.requests().into_iter().map(|request| request.method).collect();
        assert!(methods.iter().any(|sent| sent == method), "{method} is not among {methods:?}");
    }
}

async fn a_reply_an_edit_a_reaction_and_a_deletion_name_the_message(database: Database) {
    let bench = Bench::connected(database).await;
    let first = bench.send(text("Frist")).await;
    let id = first["id"].as_str().unwrap();
    let external: i64 = first["external_id"].as_str().unwrap().split(':').nth(1).unwrap().parse().unwrap();
    let mut reply = text("Re");
    reply["reply_to"] = json!(id);
    bench.send(reply).await;
    let sent = bench.telegram.requests_of("sendMessage").pop().unwrap();
    assert_eq!(sent.parameters["reply_parameters"]["message_id"], external);
    for (asked, method) in [
        (json!({"edit": {"target": id, "content": {"type": "text", "text": "First"}}}), "editMessageText"),
        (json!({"react": {"target": id, "emoji": "👍"}}), "setMessageReaction"),
        (json!({"delete": id}), "deleteMessage"),
        (json!({"typing": true}), "sendChatAction"),
    ] {
        let mut asked = asked;
        asked["to"] = json!(MONA.to_string());
        let done = bench.send(asked).await;
        assert_eq!(done["state"], "sent", "{method}: {done:#}");
        let request = bench.telegram.requests_of(method).pop().unwrap();
        if method != "sendChatAction" {
            assert_eq!(request.text("message_id"), external.to_string(), "{method}");
        }
    }
    let first = bench.gateway.get(&format!("/rest/v1/messages/{id}")).await.expect_status(200);
    assert_eq!(first["content"][0]["text"], "First", "what was done to it shows: {first:#}");
    assert!(first["edited_at"].is_string() && first["deleted_at"].is_string());
}

async fn a_long_text_is_several_messages_that_go_together(database: Database) {
    let bench = Bench::connected(database).await;
    let message = bench.send(text(&"word ".repeat(1200))).await;
    assert_eq!(message["state"], "sent", "{message:#}");
    let parts = message["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    let second = parts[1]["external_id"].as_str().unwrap();
    let found = bench.gateway.get(&format!("/rest/v1/messages?external_id={second}")).await.expect_status(200);
    assert_eq!(found[0]["id"], message["id"]);
    let deleted = bench.send(json!({"to": MONA.to_string(), "delete": message["id"]})).await;
    assert_eq!(deleted["state"], "sent", "{deleted:#}");
    assert!(bench.telegram.messages(crate::harness::BOT, MONA).is_empty());
}

async fn what_the_channel_cannot_carry_is_refused_before_it_is_queued(database: Database) {
    let bench = Bench::connected(database).await;
    let to = MONA.to_string();
    let cases = [
        (json!({"to": to}), "/content"),
        (json!({"content": {"type": "text", "text": "x"}}), "/to"),
        (json!({"to": to, "content": []}), "/content"),
        (json!({"to": to, "content": {"type": "text", "text": ""}}), "/content/0/text"),
        (json!({"to": to, "content": {"type": "email", "subject": "s"}}), "/content/0/type"),
        (json!({"to": to, "content": [{"type": "txt"}]}), "/content"),
        (
            json!({"to": to, "content": {"type": "album", "items": [{"kind": "image", "media_id": "none"}, {"kind": "image", "url": "https://e.com/a"}]}}),
            "/content/0/items/0/media_id",
        ),
        (json!({"to": to, "content": {"type": "poll", "question": "?", "options": ["one"]}}), "/content/0/options"),
        (json!({"to": to, "content": {"type": "media", "kind": "image", "media_id": "none"}}), "/content/0/media_id"),
        (json!({"to": to, "content": {"type": "location", "latitude": 100, "longitude": 0}}), "/content/0/latitude"),
        (json!({"to": to, "mark_read": "1:1"}), "/mark_read"),
        (json!({"to": to, "content": {"type": "text", "text": "x"}, "typing": true}), "/content"),
        (json!({"to": to, "content": {"type": "text", "text": "x"}, "expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"to": to, "conten": {}}), "/conten"),
    ];
    for (mut body, pointer) in cases {
        body["channel_account_id"] = json!(bench.account);
        let error = bench.gateway.post("/rest/v1/messages", body.clone()).await.expect_status(422);
        assert_eq!(error["errors"][0]["pointer"], pointer, "{body}: {error:#}");
    }
    let mut nowhere = text("x");
    nowhere["channel_account_id"] = json!("nobody");
    let error = bench.gateway.post("/rest/v1/messages", nowhere).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/channel_account_id");
    assert!(bench.messages("outbound").await.is_empty());
}

async fn a_rate_limit_delays_and_costs_no_attempt(database: Database) {
    let bench = Bench::connected(database).await;
    let parameters = json!({"retry_after": 1});
    let mut limited = Failure::error("sendMessage", 429, "Too Many Requests: retry after 1").times(2);
    limited.parameters = Some(parameters);
    bench.telegram.fail(limited);
    let message = bench.send(text("patient")).await;
    assert_eq!(message["state"], "sent", "{message:#}");
    assert_eq!(message["attempts"], 1);
    assert_eq!(bench.telegram.requests_of("sendMessage").len(), 3);
}

async fn what_was_certainly_not_taken_is_sent_again_in_order(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("outbox.retry_s = [1]")).await;
    bench.telegram.fail(Failure::error("sendMessage", 502, "Bad Gateway").times(1));
    let first = bench.enqueue(text("first")).await;
    let second = bench.enqueue(text("second")).await;
    assert_eq!(bench.settled(&first).await["state"], "sent");
    assert_eq!(bench.settled(&second).await["state"], "sent");
    let texts: Vec<String> =
        bench.telegram.requests_of("sendMessage").iter().filter(|sent| sent.status == 200).map(|sent| sent.text("text")).collect();
    assert_eq!(texts, ["first", "second"]);
}

async fn what_may_have_arrived_is_never_sent_again(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("outbox.retry_s = [1]")).await;
    bench.telegram.fail(Failure::cut("sendMessage", Moment::After).times(1));
    let message = bench.send(text("perhaps")).await;
    assert_eq!(message["state"], "uncertain", "{message:#}");
    assert!(message["failure"]["way_out"].is_string());
    assert_eq!(bench.send(text("next")).await["state"], "sent", "the conversation goes on");
    let sent: Vec<String> = bench.telegram.requests_of("sendMessage").iter().map(|sent| sent.text("text")).collect();
    assert_eq!(sent, ["perhaps", "next"]);
}

async fn somebody_who_blocked_the_bot_is_told_as_such(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.telegram.set_chat(MONA, ChatState::Blocked);
    let message = bench.send(text("anybody?")).await;
    assert_eq!(message["state"], "failed", "{message:#}");
    assert_eq!(message["failure"]["class"], "recipient");
    events.next_of("contact.opted_out").await;
}

async fn a_dead_token_parks_the_queue_until_the_account_is_connected_again(database: Database) {
    let bench = Bench::connected(database).await;
    let path = format!("/rest/v1/channel_accounts/{}", bench.account);
    bench.telegram.revoke(crate::harness::BOT);
    let id = bench.enqueue(text("waits")).await;
    eventually("the account needs a new token", || async {
        let account = bench.gateway.get(&path).await.expect_status(200);
        (account["connection"] == "needs_reauth").then_some(())
    })
    .await;
    let later = bench.enqueue(text("waits too")).await;
    assert_eq!(bench.gateway.get(&format!("/rest/v1/messages/{id}")).await.body["state"], "queued");
    bench.telegram.restore(crate::harness::BOT);
    bench.gateway.post(&format!("{path}/connect"), json!({})).await.expect_status(200);
    assert_eq!(bench.settled(&id).await["state"], "sent");
    assert_eq!(bench.settled(&later).await["state"], "sent");
}

async fn a_missing_permission_parks_the_message_and_asks_the_provider_once(database: Database) {
    let bench = Bench::connected(database).await;
    bench.telegram.fail(Failure::error("sendMessage", 409, "Conflict: somebody else is at it").times(100));
    bench.enqueue(text("not allowed")).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let asked = bench.telegram.requests_of("sendMessage").len();
    assert!(asked <= 2, "{asked} times");
}

async fn a_parked_message_expires(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("outbox.expires_s = 1")).await;
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/disconnect", bench.account), json!({})).await.expect_status(200);
    let id = bench.enqueue(text("too late")).await;
    assert_eq!(bench.settled(&id).await["state"], "expired");
    assert!(bench.telegram.requests_of("sendMessage").is_empty());
}

async fn an_inactive_account_sends_nothing(database: Database) {
    let bench = Bench::connected(database).await;
    bench.gateway.patch(&format!("/rest/v1/channel_accounts/{}", bench.account), json!({"is_active": false})).await.expect_status(200);
    let mut body = text("no");
    body["channel_account_id"] = json!(bench.account);
    let error = bench.gateway.post("/rest/v1/messages", body).await.expect_status(409);
    assert_eq!(error["code"], "account_inactive");
    assert!(bench.telegram.requests_of("sendMessage").is_empty());
}

async fn a_message_for_later_waits_and_can_be_cancelled(database: Database) {
    let bench = Bench::connected(database).await;
    let mut later = text("later");
    later["send_at"] = json!("2099-01-01T00:00:00Z");
    later["channel_account_id"] = json!(bench.account);
    bench.gateway.post("/rest/v1/messages", later.clone()).await.expect_status(422);
    let soon = bench.gateway.get("/rest/v1/channel_accounts").await.body[0]["created_at"].as_str().unwrap().to_owned();
    let tomorrow = soon.replacen(&soon[..4], &(soon[..4].parse::<i32>().unwrap() + 1).to_string(), 1);
    // A year ahead is the most; stay a little below it.
    later["send_at"] = json!(tomorrow);
    let id = bench.gateway.post("/rest/v1/messages", later).await.expect_status(202)["id"].as_str().unwrap().to_owned();
    assert_eq!(bench.send(text("now")).await["state"], "sent", "what is for later holds nobody back");
    let cancelled = bench.gateway.post(&format!("/rest/v1/messages/{id}/cancel"), json!({})).await.expect_status(200);
    assert_eq!(cancelled["state"], "cancelled");
    bench.gateway.post(&format!("/rest/v1/messages/{id}/cancel"), json!({})).await.expect_status(409);
    assert_eq!(bench.telegram.wait_for("sendMessage", 1, PATIENCE).await.len(), 1);
}

both! {
    a_message_is_queued_sent_and_told,
    every_kind_of_content_arrives,
    a_reply_an_edit_a_reaction_and_a_deletion_name_the_message,
    a_long_text_is_several_messages_that_go_together,
    what_the_channel_cannot_carry_is_refused_before_it_is_queued,
    a_rate_limit_delays_and_costs_no_attempt,
    what_was_certainly_not_taken_is_sent_again_in_order,
    what_may_have_arrived_is_never_sent_again,
    somebody_who_blocked_the_bot_is_told_as_such,
    a_dead_token_parks_the_queue_until_the_account_is_connected_again,
    a_missing_permission_parks_the_message_and_asks_the_provider_once,
    a_parked_message_expires,
    an_inactive_account_sends_nothing,
    a_message_for_later_waits_and_can_be_cancelled,
}
