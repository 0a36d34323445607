//! Things of every kind that belong to another organisation, each with a word by which it is known wherever it turns up.

use patchbay_providers::{
    Telegram,
    telegram::{ChatState, png},
};
use serde_json::{Value, json};

use super::{SECRET, ask};
use crate::harness::{Gateway, MONA, Receiver, Settings, eventually};
use reqwest::Method;

pub(super) const OURS: &str = "ours";
pub(super) const THEIRS: &str = "theirs";
/// It stands in everything of theirs that a person wrote.
pub(super) const MARKER: &str = "zebrafish";
const THEIR_TOKEN: &str = "4200002:AAE-standin_token_0123456789abcdefghij";
const THEIR_BOT: i64 = 4_200_002;
const BLOCKED: i64 = MONA + 77;

/// A gateway that takes tokens, and counts nobody's failures: the matrix has many.
pub(super) fn settings(telegram: &Telegram) -> Settings {
    Settings::default()
        .redirecting("api.telegram.org", &telegram.url())
        .line("egress.allow = [\"127.0.0.0/8\"]")
        .line("auth.failures_per_min = 0")
        .line(&format!("auth.jwt.secret = {SECRET:?}"))
        .line("auth.jwt.roles = { owner = \"admin\" }")
}

/// Their things, by id.
pub(super) struct Theirs {
    pub(super) account: String,
    /// One that they sent, with a file.
    pub(super) message: String,
    pub(super) conversation: String,
    pub(super) contact: String,
    pub(super) delivery: String,
    pub(super) endpoint: String,
    pub(super) media: String,
    pub(super) key: String,
    pub(super) subscription: String,
    /// An admin key of theirs.
    pub(super) text: String,
    _receiver: Receiver,
}

impl Theirs {
    pub(super) async fn make(gateway: &Gateway, telegram: &Telegram) -> Theirs {
        telegram.register(THEIR_TOKEN, "zebra_bot", "Zebra");
        telegram.set_chat(BLOCKED, ChatState::Blocked);
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let named = |what: &str| format!("{MARKER} {what}");
        let new = json!({"organization_id": THEIRS, "name": named("desk"), "type": "TELEGRAM", "settings": {"bot_token": THEIR_TOKEN}, "is_active": true});
        let account = id(&gateway.post("/rest/v1/channel_accounts", new).await.expect_status(201));
        gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(200);
        let update = json!({"update_id": 1, "message": {"message_id": 1, "from": {"id": MONA, "is_bot": false, "first_name": named("Mona")},
            "chat": {"id": MONA, "type": "private", "first_name": named("Mona")}, "date": 1_764_000_000, "text": named("hello")}});
        assert!(telegram.push(THEIR_BOT, update).await.delivered);
        let upload = format!("/rest/v1/media?organization_id={THEIRS}&file_name={MARKER}.png");
        let media = id(&gateway.upload(&upload, "image/png", png(4, 3)).await.expect_status(201));
        let file = json!({"type": "media", "kind": "image", "media_id": media, "caption": named("picture")});
        let send = |to: i64, content: Value| json!({"channel_account_id": account, "to": to.to_string(), "content": [content]});
        let sent = gateway.command(send(MONA, file), "sent").await;
        let letter = json!({"type": "text", "text": named("letter")});
        let lost = gateway.post("/rest/v1/messages", send(BLOCKED, letter)).await.expect_status(202);
        let lost = format!("/rest/v1/messages/{}", id(&lost));
        eventually("a letter is dead", || async { (gateway.get(&lost).await.expect_status(200)["state"] == "failed").then_some(()) }).await;
        let receiver = Receiver::start().await;
        let endpoint = json!({"organization_id": THEIRS, "url": receiver.url(), "description": named("endpoint"), "event_types": ["message.received"]});
        let endpoint = id(&gateway.post("/rest/v1/endpoints", endpoint).await.expect_status(201));
        let (text, key) = gateway.make_key(json!({"organization_id": THEIRS, "name": named("key"), "scope": "admin"})).await;
        // No browser subscribes here; what is sealed is never opened.
        gateway.execute("INSERT INTO subscriptions (account_id, id, organization_id, contact_id, sealed, host, extras, created_at, last_seen_at)
            SELECT id, 'zebra-1', organization_id, NULL, data_key, 'zebrafish.example', '{}', 0, 0 FROM channel_accounts WHERE organization_id = 'theirs'").await;
        let first =
            async |list: &str| id(&gateway.get(&format!("/rest/v1/{list}?channel_account_id={account}")).await.expect_status(200)[0]);
        Theirs {
            message: id(&sent),
            conversation: first("conversations").await,
            contact: first("contacts").await,
            delivery: first("webhook_deliveries").await,
            endpoint,
            media,
            key: id(&key),
            subscription: "zebra-1".to_owned(),
            text,
            account: account.clone(),
            _receiver: receiver,
        }
    }

    /// The path of a route, with their things in it.
    pub(super) fn fill(&self, path: &str) -> String {
        let resource = path.split('/').nth(3).unwrap_or_default();
        let own = match resource {
            "channel_accounts" => &self.account,
            "messages" => &self.message,
            "conversations" => &self.conversation,
            "contacts" => &self.contact,
            "webhook_deliveries" => &self.delivery,
            "endpoints" => &self.endpoint,
            "media" => &self.media,
            "api_keys" => &self.key,
            "subscriptions" => &self.subscription,
            _ if path.starts_with("/admin/v1/") => &self.account,
            _ if path.contains("{id}") => panic!("{path}: say in {} which thing of theirs it means", file!()),
            _ => &self.account,
        };
        let digest = "a".repeat(64);
        path.replace("{id}", own).replace("{index}", "0").replace("{type}", "TELEGRAM").replace("{digest}", &digest)
    }

    /// What must not be told to anybody else, even by an answer that is none of an error's.
    pub(super) fn ids(&self) -> [&str; 8] {
        let Theirs { account, message, conversation, contact, delivery, endpoint, media, key, .. } = self;
        [account, message, conversation, contact, delivery, endpoint, media, key].map(String::as_str)
    }

    /// All of it, as they see it themselves.
    pub(super) async fn snapshot(&self, gateway: &Gateway) -> Value {
        let mut seen = json!({});
        let lists = [
            "channel_accounts",
            "messages",
            "conversations",
            "contacts",
            "endpoints",
            "webhook_deliveries",
            "subscriptions",
            "dead_letters",
            "api_keys",
            "audit_log",
        ];
        for list in lists {
            let mut rows = gateway.ask_as(Some(&self.text), Method::GET, &format!("/rest/v1/{list}")).await.expect_status(200);
            assert!(!rows.as_array().unwrap().is_empty(), "they have something of each kind: {list}");
            unsign(&mut rows);
            for row in rows.as_array_mut().unwrap() {
                let row = row.as_object_mut().unwrap();
                // The looking itself is a use of the key; and the gateway looks after accounts by itself.
                for name in ["last_used_at", "health", "health_at", "updated_at"] {
                    row.remove(name);
                }
            }
            seen[list] = rows;
        }
        let file = ask(gateway, Method::GET, &format!("/rest/v1/media/{}", self.media)).header("apikey", &self.text).send().await.unwrap();
        seen["media"] = json!((file.status().as_u16(), file.bytes().await.unwrap().len()));
        seen
    }
}

/// Takes signed URLs away, which are signed anew for each answer.
fn unsign(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("url").and_then(Value::as_str).is_some_and(|url| url.contains("signature=")) {
                for name in ["url", "url_expires_at"] {
                    fields.remove(name);
                }
            }
            fields.values_mut().for_each(unsign);
        }
        Value::Array(items) => items.iter_mut().for_each(unsign),
        _ => {}
    }
}
