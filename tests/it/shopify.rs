//! SHOPIFY_INBOX against the stand-in: two shops with their own secrets, chats both ways, tokens and subscriptions that come and go.

use patchbay_providers::{Failure, Moment, Shopify};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const A: &str = "a.myshopify.com";
const B: &str = "b.myshopify.com";

struct Bench {
    gateway: Gateway,
    shopify: Shopify,
}

impl Bench {
    async fn start(database: Database) -> Bench {
        let shopify = Shopify::start().await;
        let url = shopify.url();
        let settings = Settings::default().without_plugin().channel("shopify-inbox");
        let hosts = ["*.myshopify.com", "inbox.example.com"];
        let gateway = Gateway::start(database, hosts.iter().fold(settings, |settings, host| settings.redirecting(host, &url))).await;
        Bench { gateway, shopify }
    }

    async fn connect(&self, settings: Value) -> String {
        let mut whole = json!({"inbox_base_url": "https://inbox.example.com"});
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let account = self.gateway.create("SHOPIFY_INBOX", whole).await;
        let stood = self.gateway.connect(&account, json!({})).await;
        assert_eq!(stood["connection"], "connected", "{stood}");
        account
    }

    /// Shop A by its app's id and secret.
    async fn by_client(&self) -> String {
        let settings =
            json!({"shop_domain": A, "auth_mode": "client_credentials", "client_id": "shp_client_a", "client_secret": "shp_client_secret"});
        let account = self.connect(settings).await;
        self.shopify.set_webhook(A, &self.hook(&account).await);
        account
    }

    /// Shop B by a token that its admin made.
    async fn by_token(&self) -> String {
        let settings = json!({"shop_domain": B, "auth_mode": "admin_token", "admin_token": "shpat_standin_b", "webhook_secret": "shp_client_secret_b"});
        let account = self.connect(settings).await;
        self.shopify.set_webhook(B, &self.hook(&account).await);
        account
    }

    async fn hook(&self, account: &str) -> String {
        self.gateway.account(account).await["webhook_url"].as_str().unwrap().to_owned()
    }

    async fn received(&self, account: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} messages came in"), || async {
            let received = self.gateway.received(account).await;
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

async fn two_shops_talk_each_with_its_own_secret(database: Database) {
    let bench = Bench::start(database).await;
    let (a, b) = (bench.by_client().await, bench.by_token().await);
    let Bench { gateway, shopify } = &bench;
    assert_eq!(gateway.account(&a).await["external_id"], A);
    assert!(shopify.say(A, "conv_9", 7001, "Mona", "Is it in stock?").await.delivered);
    assert!(shopify.say(B, "conv_5", 7002, "Omar", "Do you ship?").await.delivered);
    let received = bench.received(&a, 1).await;
    assert_eq!(received[0]["content"][0]["text"], "Is it in stock?");
    assert_eq!(bench.received(&b, 1).await[0]["content"][0]["text"], "Do you ship?");

    let file = gateway.upload("/rest/v1/media?organization_id=org-1&file_name=a.pdf", "application/pdf", b"%PDF-1.4".to_vec()).await;
    let file = file.expect_status(201);
    shopify.set(|knobs| knobs.statuses = true);
    let reply = gateway.send(&a, "conv_9", json!({"type": "text", "text": "It is"}), "read").await;
    gateway.send(&a, "conv_9", json!({"type": "media", "kind": "document", "media_id": file["id"]}), "read").await;
    let sent = shopify.sent(A);
    assert_eq!((sent[0].message["body"].as_str(), json!(sent[0].key)), (Some("It is"), reply["id"].clone()));
    assert!(sent[1].message["attachments"][0]["url"].as_str().unwrap().contains("/media/"), "{:#}", sent[1].message);
    assert!(shopify.sent(B).is_empty());

    // One shop's signature opens no other's address, and another shop's event isn't taken there.
    shopify.set_webhook(B, &bench.hook(&a).await);
    assert!(!shopify.say(B, "conv_5", 7002, "Omar", "Hello?").await.delivered);
    assert_eq!(gateway.received(&a).await.len(), 1);
    eventually("the refusal is in the log", || async {
        gateway.logged(&a, "webhook").await.iter().any(|entry| entry["code"] == "unverified").then_some(())
    })
    .await;
}

async fn a_closed_chat_and_a_broken_answer(database: Database) {
    let bench = Bench::start(database).await;
    let account = bench.by_token().await;
    let Bench { gateway, shopify } = &bench;
    assert!(shopify.say(B, "conv_5", 7002, "Omar", "Hi").await.delivered);
    bench.received(&account, 1).await;
    let text = || json!({"type": "text", "text": "Hi"});
    // The answer is lost: the same message goes again under its own key, and is there once.
    shopify.fail(Failure::cut("POST messages", Moment::After));
    gateway.send(&account, "conv_5", text(), "sent").await;
    assert_eq!(shopify.sent(B).len(), 1);
    shopify.close_conversation(B, "conv_5");
    let late = gateway.send(&account, "conv_5", text(), "failed").await;
    assert_eq!(late["failure"]["class"], "window_closed", "{late}");
    let gone = gateway.send(&account, "conv_404", text(), "failed").await;
    assert_eq!(gone["failure"]["class"], "recipient", "{gone}");
}

async fn tokens_are_minted_again_and_subscriptions_made_again(database: Database) {
    let bench = Bench::start(database).await;
    let account = bench.by_client().await;
    let Bench { gateway, shopify } = &bench;
    assert!(shopify.say(A, "conv_9", 7001, "Mona", "Hi").await.delivered);
    bench.received(&account, 1).await;
    let minted = shopify.requests_of("POST access_token").len();
    gateway.send(&account, "conv_9", json!({"type": "text", "text": "One"}), "sent").await;
    assert_eq!(shopify.requests_of("POST access_token").len(), minted, "a token that lives is used again");
    shopify.expire_tokens();
    gateway.send(&account, "conv_9", json!({"type": "text", "text": "Two"}), "sent").await;
    assert_eq!(shopify.sent(A).len(), 2);
    assert!(shopify.requests_of("POST access_token").len() > minted);

    assert!(shopify.drop_subscriptions(A) > 0);
    let report = gateway.post(&format!("/rest/v1/channel_accounts/{account}/health"), json!({})).await.expect_status(200);
    assert!(!shopify.subscriptions(A).is_empty(), "{report}");

    // The merchant removes the app.
    assert!(shopify.uninstall(A).await.delivered);
    let stood = eventually("the account says so", || async {
        let account = gateway.account(&account).await;
        (account["connection"] != "connected").then_some(account)
    })
    .await;
    assert!(stood["user_action"].as_str().is_some_and(|action| !action.is_empty()), "{stood}");
}

async fn what_is_set_wrongly_is_named(database: Database) {
    let bench = Bench::start(database).await;
    let new = |settings: Value| json!({"organization_id": "org-1", "name": "Shop", "type": "SHOPIFY_INBOX", "settings": settings});
    for bad in ["evil.example.com", "a.myshopify.com.evil.com", "-a.myshopify.com", "a.myshopify.com/admin"] {
        let refused = bench.gateway.post("/rest/v1/channel_accounts", new(json!({"shop_domain": bad}))).await.expect_status(422);
        assert!(refused.to_string().contains("/settings/shop_domain"), "{bad}: {refused}");
    }
    let settings =
        json!({"shop_domain": A, "auth_mode": "client_credentials", "client_id": "shp_client_a", "client_secret": "not-the-secret"});
    let account = bench.gateway.create("SHOPIFY_INBOX", settings).await;
    let refused = bench.gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await.expect_status(422);
    assert!(!refused.to_string().contains("not-the-secret"), "{refused}");
}

both! {
    two_shops_talk_each_with_its_own_secret,
    a_closed_chat_and_a_broken_answer,
    tokens_are_minted_again_and_subscriptions_made_again,
    what_is_set_wrongly_is_named,
}
