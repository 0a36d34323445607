//! The server as its users meet it: over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use parking_lot::Mutex;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::*;
use crate::failures::Moment;

const TOKEN: &str = "700100:AAstandinstandinstandinstandinstandin";
const BOT: i64 = 700_100;
const CHAT: i64 = 70_010_001;

/// A bot as a client library would drive it.
struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(telegram: &Telegram) -> Self {
        // Where the whole workspace is built, reqwest has TLS without a provider of its own.
        rustls::crypto::ring::default_provider().install_default().ok();
        Self { http: reqwest::Client::new(), base: telegram.url() }
    }

    async fn call(&self, method: &str, parameters: Value) -> (u16, Value) {
        let response = self.http.post(format!("{}/bot{TOKEN}/{method}", self.base)).json(&parameters).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn result(&self, method: &str, parameters: Value) -> Value {
        let (status, mut answer) = self.call(method, parameters).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
        answer["result"].take()
    }

    async fn refusal(&self, method: &str, parameters: Value) -> String {
        let (status, answer) = self.call(method, parameters).await;
        assert_eq!(answer["error_code"], status, "{answer}");
        format!("{status} {}", answer["description"].as_str().unwrap())
    }

    async fn upload(&self, method: &str, form: Form) -> Value {
        self.http.post(format!("{}/bot{TOKEN}/{method}", self.base)).multipart(form).send().await.unwrap().json().await.unwrap()
    }

    async fn standin(&self, path: &str, body: Value) -> Value {
        self.http.post(format!("{}/_standin/{path}", self.base)).json(&body).send().await.unwrap().json().await.unwrap()
    }
}

/// What a webhook got, and what it answers next; nothing planned is 200.
#[derive(Default)]
struct Hook {
    got: Mutex<Vec<(String, Value, Instant)>>,
    answers: Mutex<Vec<(u16, Value)>>,
}

async fn hook() -> (String, Arc<Hook>) {
    async fn receive(State(hook): State<Arc<Hook>>, headers: HeaderMap, Json(update): Json<Value>) -> impl IntoResponse {
        let secret = headers.get("X-Telegram-Bot-Api-Secret-Token").map_or("", |secret| secret.to_str().unwrap());
        hook.got.lock().push((secret.to_owned(), update, Instant::now()));
        let mut answers = hook.answers.lock();
        let (status, body) = if answers.is_empty() { (200, json!({})) } else { answers.remove(0) };
        (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], Json(body))
    }
    let hook = Arc::new(Hook::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(routing::post(receive)).with_state(Arc::clone(&hook));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/webhooks/1"), hook)
}

async fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_sent_message_comes_back_whole_whatever_way_it_was_sent() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let first = client.result("sendMessage", json!({"chat_id": CHAT, "text": " <b>Hi</b> ", "parse_mode": "HTML"})).await;
    assert_eq!(first["message_id"], 1);
    assert_eq!(first["text"], "Hi");
    assert_eq!(first["entities"], json!([{"type": "bold", "offset": 0, "length": 2}]));
    assert_eq!((&first["chat"]["id"], &first["chat"]["type"], &first["from"]["id"]), (&json!(CHAT), &json!("private"), &json!(BOT)));
    assert!(first["date"].as_u64().unwrap() < 10_000_000_000, "seconds");

    let markup = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]});
    let fields = [("chat_id", CHAT.to_string()), ("text", "form".into()), ("reply_markup", markup.to_string())];
    let url = format!("{}/bot{TOKEN}/SENDMESSAGE", telegram.url());
    let by_form: Value = client.http.post(&url).form(&fields).send().await.unwrap().json().await.unwrap();
    assert_eq!((&by_form["result"]["message_id"], &by_form["result"]["reply_markup"]), (&json!(2), &markup));
    let by_query: Value =
        client.http.get(&url).query(&[("chat_id", CHAT.to_string()), ("text", "query".into())]).send().await.unwrap().json().await.unwrap();
    assert_eq!(by_query["result"]["message_id"], 3);

    let requests = telegram.requests_of("sendmessage");
    assert_eq!(requests.iter().map(|request| request.text("chat_id")).collect::<Vec<_>>(), vec![CHAT.to_string(); 3]);
    assert_eq!((requests[1].method.as_str(), requests[1].status, &requests[1].parameters["reply_markup"]), ("sendMessage", 200, &markup));
}

#[tokio::test]
async fn refusals_have_the_words_of_the_real_server() {
    let telegram = Telegram::start().await;
    telegram.set_chat(-5001, ChatState::Migrated { migrate_to_chat_id: -1_005_001_000_001 });
    telegram.set_chat(7, ChatState::Blocked);
    telegram.set_chat(-1_002_000_000_001, ChatState::Kicked);
    let client = Client::of(&telegram);
    let button = |button: Value| json!({"chat_id": CHAT, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}});
    for (method, parameters, refusal) in [
        ("sendMessage", json!({"chat_id": CHAT, "text": " "}), "400 Bad Request: message text is empty"),
        ("sendMessage", json!({"chat_id": CHAT, "text": "x".repeat(4097)}), "400 Bad Request: message is too long"),
        ("sendMessage", json!({"text": "x"}), "400 Bad Request: chat_id is empty"),
        ("sendMessage", json!({"chat_id": "mona", "text": "x"}), "400 Bad Request: chat not found"),
        ("sendMessage", json!({"chat_id": 7, "text": "x"}), "403 Forbidden: bot was blocked by the user"),
        ("sendMessage", json!({"chat_id": -1_002_000_000_001_i64, "text": "x"}), "403 Forbidden: bot was kicked from the supergroup chat"),
        ("sendMessage", json!({"chat_id": -5001, "text": "x"}), "400 Bad Request: group chat was upgraded to a supergroup chat"),
        (
            "sendMessage",
            json!({"chat_id": CHAT, "text": "a <hash>", "parse_mode": "html"}),
            "400 Bad Request: can't parse entities: Unsupported start tag \"hash\" at byte offset 2",
        ),
        ("sendMessage", button(json!({"text": "x", "callback_data": "é".repeat(33)})), "400 Bad Request: BUTTON_DATA_INVALID"),
        (
            "sendMessage",
            button(json!({"text": "x", "url": "http://localhost/"})),
            "400 Bad Request: inline keyboard button URL 'http://localhost/' is invalid: Wrong HTTP URL",
        ),
        (
            "sendMessage",
            button(json!({"text": "x"})),
            "400 Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ("sendPhoto", json!({"chat_id": CHAT}), "400 Bad Request: there is no photo in the request"),
        ("sendPhoto", json!({"chat_id": CHAT, "photo": "nonsense"}), "400 Bad Request: wrong file identifier/HTTP URL specified"),
        (
            "sendPhoto",
            json!({"chat_id": CHAT, "photo": "https://cdn.example.invalid/x.png"}),
            "400 Bad Request: failed to get HTTP URL content",
        ),
        ("editMessageText", json!({"chat_id": CHAT, "message_id": 9, "text": "x"}), "400 Bad Request: message to edit not found"),
        ("deleteMessage", json!({"chat_id": CHAT, "message_id": 9}), "400 Bad Request: message to delete not found"),
        (
            "setMessageReaction",
            json!({"chat_id": CHAT, "message_id": 9, "reaction": [{"type": "emoji", "emoji": "🥨"}]}),
            "400 Bad Request: REACTION_INVALID",
        ),
        (
            "answerCallbackQuery",
            json!({"callback_query_id": "1"}),
            "400 Bad Request: query is too old and response timeout expired or query ID is invalid",
        ),
        ("getFile", json!({"file_id": "?"}), "400 Bad Request: invalid file_id"),
        ("sendTelepathy", json!({}), "404 Not Found: method not found"),
    ] {
        assert_eq!(client.refusal(method, parameters).await, refusal);
    }
    let (_, migrated) = client.call("sendMessage", json!({"chat_id": -5001, "text": "x"})).await;
    assert_eq!(migrated["parameters"]["migrate_to_chat_id"], -1_005_001_000_001_i64);
}

#[tokio::test]
async fn tokens_open_their_bot_alone() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let me = client.result("getMe", json!({})).await;
    assert_eq!((&me["id"], &me["is_bot"]), (&json!(BOT), &json!(true)));
    telegram.revoke(BOT);
    assert_eq!(client.refusal("getMe", json!({})).await, "401 Unauthorized");
    assert!(telegram.register("700100:BBstandinstandinstandinstandinstandin", "shop_bot", "Shop"));
    assert_eq!(client.refusal("getMe", json!({})).await, "401 Unauthorized", "the old token stays shut");
    let malformed = client.http.get(format!("{}/bot12:x/getMe", telegram.url())).send().await.unwrap();
    assert_eq!(malformed.status(), 404);
    assert_eq!(malformed.json::<Value>().await.unwrap()["description"], "Not Found");
}

#[tokio::test]
async fn uploads_are_kept_and_can_be_fetched_and_sent_again() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let picture = png(300, 200);
    let form = Form::new()
        .text("chat_id", CHAT.to_string())
        .text("caption", "receipt")
        .part("photo", Part::bytes(picture.clone()).file_name("receipt.png").mime_str("image/png").unwrap());
    let message = client.upload("sendPhoto", form).await["result"].take();
    let sizes = message["photo"].as_array().unwrap();
    let largest = sizes.last().unwrap();
    assert_eq!((&largest["width"], &largest["height"], &message["caption"]), (&json!(300), &json!(200), &json!("receipt")));
    let recorded = &telegram.requests_of("sendPhoto")[0].parameters["photo"];
    assert_eq!((&recorded["file_name"], &recorded["size"]), (&json!("receipt.png"), &json!(picture.len())));

    let file = client.result("getFile", json!({"file_id": largest["file_id"]})).await;
    let url = format!("{}/file/bot{TOKEN}/{}", telegram.url(), file["file_path"].as_str().unwrap());
    assert_eq!(client.http.get(url).send().await.unwrap().bytes().await.unwrap(), picture);

    let again = client.result("sendPhoto", json!({"chat_id": CHAT, "photo": largest["file_id"]})).await;
    assert_eq!(again["photo"][1]["file_unique_id"], largest["file_unique_id"]);
    let refusal = client.refusal("sendDocument", json!({"chat_id": CHAT, "document": largest["file_id"]})).await;
    assert_eq!(refusal, "400 Bad Request: can't use file of type Photo as Document");
    let text = Form::new().text("chat_id", CHAT.to_string()).part("photo", Part::bytes(b"no picture".as_slice()).file_name("x.png"));
    assert_eq!(client.upload("sendPhoto", text).await["description"], "Bad Request: IMAGE_PROCESS_FAILED");
}

#[tokio::test]
async fn media_on_loopback_is_fetched_and_must_be_what_it_is_sent_as() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let form = Form::new().text("chat_id", "5").part("document", Part::bytes(png(120, 60)).file_name("p.png"));
    let document = client.upload("sendDocument", form).await["result"]["document"].take();
    let file = client.result("getFile", json!({"file_id": document["file_id"]})).await;
    let url = format!("{}/file/bot{TOKEN}/{}", telegram.url(), file["file_path"].as_str().unwrap());
    let photo = client.result("sendPhoto", json!({"chat_id": CHAT, "photo": url})).await["photo"].take();
    assert_eq!((&photo[1]["width"], &photo[1]["height"]), (&json!(120), &json!(60)));
    let missing = json!({"chat_id": CHAT, "photo": format!("{url}x")});
    assert_eq!(client.refusal("sendPhoto", missing).await, "400 Bad Request: failed to get HTTP URL content");
    let no_picture = json!({"chat_id": CHAT, "photo": format!("{}/_standin", telegram.url())});
    assert_eq!(client.refusal("sendPhoto", no_picture).await, "400 Bad Request: wrong type of the web page content");
}

#[tokio::test]
async fn an_album_is_sent_whole_or_not_at_all() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let media = json!([{"type": "photo", "media": "attach://f0", "caption": "one"}, {"type": "video", "media": "attach://f1"}]);
    let form = |media: &Value| {
        Form::new()
            .text("chat_id", CHAT.to_string())
            .text("media", media.to_string())
            .part("f0", Part::bytes(png(10, 10)).file_name("a.png"))
            .part("f1", Part::bytes(b"video".as_slice()).file_name("b.mp4"))
    };
    let messages = client.upload("sendMediaGroup", form(&media)).await["result"].take();
    let messages = messages.as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["media_group_id"]), (2, &messages[1]["media_group_id"]));
    assert_eq!((&messages[0]["caption"], &messages[1]["video"]["file_name"]), (&json!("one"), &json!("b.mp4")));

    let mixed = json!([{"type": "photo", "media": "attach://f0"}, {"type": "document", "media": "attach://f1"}]);
    assert_eq!(
        client.upload("sendMediaGroup", form(&mixed)).await["description"],
        "Bad Request: document can't be mixed with other media types"
    );
    assert_eq!(telegram.messages(BOT, CHAT).len(), 2);
}

#[tokio::test]
async fn messages_are_edited_answered_and_deleted() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    client.result("sendMessage", json!({"chat_id": CHAT, "text": "one"})).await;
    let edit = json!({"chat_id": CHAT, "message_id": 1, "text": "two"});
    let edited = client.result("editMessageText", edit.clone()).await;
    assert_eq!(edited["text"], "two");
    assert!(edited["edit_date"].is_u64());
    assert!(client.refusal("editMessageText", edit).await.starts_with("400 Bad Request: message is not modified: specified new message"));
    let caption = json!({"chat_id": CHAT, "message_id": 1, "caption": "x"});
    assert_eq!(client.refusal("editMessageCaption", caption).await, "400 Bad Request: there is no caption in the message to edit");

    let reply = json!({"chat_id": CHAT, "text": "re", "reply_parameters": {"message_id": 1}});
    assert_eq!(client.result("sendMessage", reply.clone()).await["reply_to_message"]["text"], "two");
    client.result("deleteMessage", json!({"chat_id": CHAT, "message_id": 1})).await;
    assert_eq!(client.refusal("sendMessage", reply).await, "400 Bad Request: message to be replied not found");
}

#[tokio::test]
async fn a_stopped_poll_is_told_in_an_update() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let poll = json!({"chat_id": CHAT, "question": "Tea?", "options": [{"text": "Yes"}, {"text": "No"}], "is_anonymous": false});
    let sent = client.result("sendPoll", poll).await;
    let stopped = client.result("stopPoll", json!({"chat_id": CHAT, "message_id": sent["message_id"]})).await;
    assert_eq!((&stopped["id"], &stopped["is_closed"]), (&sent["poll"]["id"], &json!(true)));
    let updates = client.result("getUpdates", json!({})).await;
    assert_eq!(updates[0]["poll"], stopped);
    let again = json!({"chat_id": CHAT, "message_id": sent["message_id"]});
    assert_eq!(client.refusal("stopPoll", again).await, "400 Bad Request: poll has already been closed");
}

#[tokio::test]
async fn planned_failures_strike_and_pass() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let send = json!({"chat_id": CHAT, "text": "x"});
    let plan = json!({"method": "sendMessage", "times": 2, "error_code": 429, "description": "Too Many Requests: retry after 3", "parameters": {"retry_after": 3}});
    client.standin("failures", plan).await;
    for _ in 0..2 {
        let (status, answer) = client.call("sendMessage", send.clone()).await;
        assert_eq!((status, &answer["parameters"]["retry_after"]), (429, &json!(3)));
    }
    client.result("sendMessage", send.clone()).await;

    telegram.fail(Failure::status("sendMessage", 502));
    let bad_gateway = client.http.post(format!("{}/bot{TOKEN}/sendMessage", telegram.url())).json(&send).send().await.unwrap();
    assert_eq!((bad_gateway.status().as_u16(), bad_gateway.headers()["content-type"].to_str().unwrap()), (502, "text/html"));

    for (moment, messages) in [(Moment::Before, 1), (Moment::After, 2)] {
        telegram.fail(Failure::cut("sendMessage", moment));
        let cut = client.http.post(format!("{}/bot{TOKEN}/sendMessage", telegram.url())).json(&send).send().await;
        assert!(cut.is_err());
        assert_eq!(telegram.messages(BOT, CHAT).len(), messages, "{moment:?}");
        assert_eq!(telegram.requests().last().unwrap().status, 0);
    }

    telegram.fail(Failure::hang("sendMessage", 200, Moment::Before));
    let begun = Instant::now();
    client.result("sendMessage", send).await;
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_update_and_confirms_by_offset() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let poll = client.result("getUpdates", json!({"timeout": 20}));
    let say = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        telegram.say(BOT, &Say { from: CHAT, name: "Mona".into(), text: "/start abc".into(), ..Say::default() }).await
    };
    let begun = Instant::now();
    let (updates, delivery) = tokio::join!(poll, say);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!delivery.delivered);
    assert_eq!(
        (&updates[0]["update_id"], &updates[0]["message"]["entities"][0]["type"]),
        (&json!(delivery.update_id), &json!("bot_command"))
    );
    assert_eq!(client.result("getUpdates", json!({})).await.as_array().unwrap().len(), 1, "unconfirmed");
    assert_eq!(client.result("getUpdates", json!({"offset": delivery.update_id + 1})).await, json!([]));
}

#[tokio::test]
async fn two_pollers_and_a_webhook_are_conflicts() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let older = client.refusal("getUpdates", json!({"timeout": 20}));
    let newer = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.result("getUpdates", json!({"timeout": 0})).await
    };
    let (older, _) = tokio::join!(older, newer);
    assert_eq!(older, "409 Conflict: terminated by other getUpdates request; make sure that only one bot instance is running");
    client.result("setWebhook", json!({"url": "https://bot.example/hook"})).await;
    let refusal = client.refusal("getUpdates", json!({})).await;
    assert!(refusal.starts_with("409 Conflict: can't use getUpdates method while webhook is active"), "{refusal}");
}

#[tokio::test]
async fn webhooks_are_checked_as_the_real_server_does() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    for (parameters, refusal) in [
        (json!({"url": "http://bot.example/"}), "400 Bad Request: bad webhook: An HTTPS URL must be provided for webhook"),
        (
            json!({"url": "https://bot.example:3000/"}),
            "400 Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        (json!({"url": "https://bot.example/", "secret_token": "a b"}), "400 Bad Request: secret token contains unallowed characters"),
        (json!({"url": "https://bot.example/", "secret_token": "a".repeat(257)}), "400 Bad Request: secret token is too long"),
    ] {
        assert_eq!(client.refusal("setWebhook", parameters).await, refusal);
    }
    let set = json!({"url": "https://bot.example:8443/h", "secret_token": "s", "max_connections": 500, "allowed_updates": ["message"]});
    let (_, answer) = client.call("setWebhook", set).await;
    assert_eq!((&answer["result"], &answer["description"]), (&json!(true), &json!("Webhook was set")));
    let info = client.result("getWebhookInfo", json!({})).await;
    assert_eq!((&info["url"], &info["max_connections"]), (&json!("https://bot.example:8443/h"), &json!(100)));
    assert_eq!(info["allowed_updates"], json!(["message"]));
    let (_, answer) = client.call("deleteWebhook", json!({})).await;
    assert_eq!(answer["description"], "Webhook was deleted");
    assert_eq!(client.result("getWebhookInfo", json!({})).await["url"], "");
}

#[tokio::test]
async fn a_failing_webhook_gets_every_update_again_in_the_order_of_its_chat() {
    let options = Options { webhook_second: Duration::from_millis(20), ..Options::default() };
    let telegram = Telegram::start_with(options).await.unwrap();
    let client = Client::of(&telegram);
    let (url, hook) = hook().await;
    client.result("setWebhook", json!({"url": url, "secret_token": "s3cret"})).await;
    hook.answers.lock().extend([(503, json!({})), (500, json!({}))]);

    let first = telegram.say(BOT, &Say { from: CHAT, text: "one".into(), ..Say::default() }).await;
    assert_eq!((first.delivered, first.status), (false, Some(503)));
    // The second attempt, which comes at once, is the one that the 500 is for.
    until(|| hook.got.lock().len() == 2).await;
    let said = |text: &str| json!({"from": CHAT, "text": text});
    let (second, other) = tokio::join!(client.standin("say", said("two")), client.standin("say", json!({"from": 5, "text": "elsewhere"})));
    assert_eq!((&second["delivered"], &second["status"]), (&json!(true), &json!(200)));
    assert_eq!(other["delivered"], true);
    until(|| hook.got.lock().len() == 5).await;

    let got = hook.got.lock();
    assert!(got.iter().all(|(secret, ..)| secret == "s3cret"));
    let of_chat = got.iter().filter(|(_, update, _)| update["message"]["chat"]["id"] == CHAT);
    let texts: Vec<_> = of_chat.map(|(_, update, _)| update["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "one", "one", "two"]);
    drop(got);
    assert_eq!(telegram.webhook_info(BOT)["pending_update_count"], 0);
    assert!(telegram.webhook_info(BOT)["last_error_message"].as_str().unwrap().starts_with("Wrong response from the webhook: 50"));
}

#[tokio::test]
async fn a_webhook_may_answer_with_a_method() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    let (url, hook) = hook().await;
    client.result("setWebhook", json!({"url": url})).await;
    hook.answers.lock().push((200, json!({"method": "sendMessage", "chat_id": CHAT, "text": "pong"})));
    telegram.say(BOT, &Say { from: CHAT, text: "ping".into(), ..Say::default() }).await;
    let sent = telegram.wait_for("sendMessage", 1, Duration::from_secs(5)).await;
    assert_eq!(sent[0].text("text"), "pong");
}

#[tokio::test]
async fn updates_go_where_the_server_is_told_to_deliver_and_wait_for_a_webhook() {
    let (url, hook) = hook().await;
    let authority = url.split('/').nth(2).unwrap().parse().unwrap();
    let telegram = Telegram::start_with(Options { deliver_to: Some(authority), ..Options::default() }).await.unwrap();
    let client = Client::of(&telegram);
    assert!(!telegram.push(BOT, json!({"poll": {"id": "1"}})).await.delivered);
    client.result("setWebhook", json!({"url": "https://bot.example/hooks/7"})).await;
    until(|| hook.got.lock().len() == 1).await;
    let unwanted = telegram.push_sample(BOT, "message_reaction").await;
    assert!(unwanted[0].note.as_ref().unwrap().contains("allowed_updates"), "only got where asked for");
}

#[tokio::test]
async fn every_sample_can_be_pushed_and_its_files_fetched() {
    let telegram = Telegram::start().await;
    let client = Client::of(&telegram);
    client.result("getMe", json!({})).await;
    for name in telegram.samples() {
        let deliveries = client.standin(&format!("samples/{name}"), json!({})).await;
        assert!(deliveries.as_array().is_some_and(|deliveries| !deliveries.is_empty()), "{name}: {deliveries}");
    }
    let updates = client.result("getUpdates", json!({"limit": 100})).await;
    let updates = updates.as_array().unwrap();
    assert!(!serde_json::to_string(updates).unwrap().contains("\"$"), "everything is filled in");
    let photo = updates.iter().find_map(|update| update["message"]["photo"][1]["file_id"].as_str()).unwrap();
    let file = client.result("getFile", json!({"file_id": photo})).await;
    let url = format!("{}/file/bot{TOKEN}/{}", telegram.url(), file["file_path"].as_str().unwrap());
    assert_eq!(client.http.get(url).send().await.unwrap().bytes().await.unwrap().len(), 210_000);
    let press = updates.iter().find_map(|update| update["callback_query"]["id"].as_str()).unwrap();
    client.result("answerCallbackQuery", json!({"callback_query_id": press})).await;
    assert!(client.refusal("answerCallbackQuery", json!({"callback_query_id": press})).await.contains("query is too old"));
    // The samples told of somebody who blocked the bot, and of a group that migrated.
    assert!(client.refusal("sendMessage", json!({"chat_id": -5001, "text": "x"})).await.contains("upgraded to a supergroup"));
    let big = updates
        .iter()
        .find_map(|update| {
            update["message"]["document"]["file_id"].as_str().filter(|_| update["message"]["document"]["file_size"] == 31_457_280)
        })
        .unwrap();
    assert_eq!(client.refusal("getFile", json!({"file_id": big})).await, "400 Bad Request: file is too big");
}

#[tokio::test]
async fn a_summary_keeps_no_parameters_and_mistakes_are_noticed() {
    let telegram = Telegram::start_with(Options { recording: crate::Recording::Summary, ..Options::default() }).await.unwrap();
    let client = Client::of(&telegram);
    client.result("sendMessage", json!({"chat_id": CHAT, "text": "x"})).await;
    assert_eq!((telegram.requests()[0].account.as_str(), &telegram.requests()[0].parameters), ("700100", &Value::Null));
    client.result("logOut", json!({})).await;
    assert_eq!(telegram.mistakes().len(), 1);
    client.standin("settings", json!({"recording": "off", "latency_ms": 50})).await;
    let begun = Instant::now();
    client.result("getMe", json!({})).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert_eq!((telegram.requests().len(), telegram.request_count()), (2, 3));
}
