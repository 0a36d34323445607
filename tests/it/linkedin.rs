//! LINKEDIN against the stand-in: a login and the choice of the page, posts and what people say below them, messages.

use patchbay_providers::{LinkedIn, linkedin::HOSTS, telegram::png};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const PAGE: &str = "urn:li:organization:5590506";
const THREAD: &str = "urn:li:messageThread:2-abc";

struct Bench {
    gateway: Gateway,
    linkedin: LinkedIn,
    app: String,
}

impl Bench {
    async fn start(database: Database) -> Bench {
        let linkedin = LinkedIn::start().await;
        let settings = Settings::default().without_plugin().channel("linkedin");
        let settings = HOSTS.iter().fold(settings, |settings, host| settings.redirecting(host, &linkedin.url()));
        let gateway = Gateway::start(database, settings).await;
        let app = json!({"name": "Shop", "types": ["LINKEDIN"], "client_id": "li_client_id", "client_secret": "li_client_secret",
            "settings": {"application_id": "9001"}});
        let app = gateway.post("/admin/v1/apps", app).await.expect_status(201)["id"].as_str().unwrap().to_owned();
        Bench { gateway, linkedin, app }
    }

    /// Logs in; where the page is asked for, it is chosen.
    async fn connect(&self, settings: Value) -> String {
        let account = self.gateway.create("LINKEDIN", settings).await;
        let shown = self.gateway.log_in(&account).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        let stood = self.gateway.account(&account).await;
        if stood["prompt"]["kind"] == "ask" {
            let question = stood["prompt"]["questions"][0]["id"].as_str().unwrap();
            let options = stood["prompt"]["questions"][0]["options"].as_array().unwrap();
            assert!(options.len() >= 2, "the page, and one's own profile: {stood}");
            self.gateway.connect(&account, json!({"step": "answers", "answers": {question: PAGE}})).await;
        }
        let stood = self.gateway.account(&account).await;
        assert_eq!((&stood["connection"], &stood["external_id"]), (&json!("connected"), &json!(PAGE)), "{stood}");
        account
    }

    async fn connected(database: Database) -> (Bench, String) {
        let bench = Bench::start(database).await;
        let account = bench.connect(json!({})).await;
        let url = format!("{}/webhooks/apps/{}", bench.gateway.url, bench.app);
        bench.linkedin.set_webhook(&url).await.unwrap();
        (bench, account)
    }
}

async fn the_page_is_chosen_and_its_webhook_proven(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let facts = bench.gateway.account(&account).await["facts"].to_string();
    assert!(facts.contains("days_until_reauthorisation"), "{facts}");
    assert!(!bench.linkedin.requests_of("PUT eventSubscriptions").is_empty(), "the page's comments are subscribed to");
    assert_eq!(bench.linkedin.validate_webhooks().await, Vec::<String>::new(), "the challenge is answered again and again");
}

async fn posts_are_shown_whole(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let Bench { gateway, linkedin, .. } = &bench;
    let text = "50 % off (today) [really] {yes} <b> a_b *c* ~d~ | x\\y @nobody #1";
    let post = gateway.send(&account, "feed", json!({"type": "post", "text": text, "media": [], "visibility": ""}), "sent").await;
    assert_eq!(linkedin.posts()[0].shown.replace('\\', ""), text.replace('\\', ""), "{:?}", linkedin.posts()[0]);
    assert_eq!((linkedin.posts()[0].author.as_str(), linkedin.posts()[0].visibility.as_str()), (PAGE, "PUBLIC"));
    let urn = post["external_id"].as_str().unwrap().to_owned();
    assert!(urn.starts_with("urn:li:"), "{post}");

    // The same again is the post that is there.
    let again = gateway.send(&account, "feed", json!({"type": "post", "text": text, "media": [], "visibility": ""}), "sent").await;
    assert_eq!(again["external_id"], json!(urn));
    assert_eq!(linkedin.posts().len(), 1);

    let file = gateway.upload("/rest/v1/media?organization_id=org-1&file_name=dot.png", "image/png", png(40, 30)).await.expect_status(201);
    let media = json!([{"kind": "image", "media_id": file["id"], "caption": "A dot"}]);
    gateway.send(&account, "feed", json!({"type": "post", "text": "A picture", "media": media, "visibility": "PUBLIC"}), "sent").await;
    let article = json!({"type": "post", "text": "Read", "media": [], "link": "https://example.com/a", "visibility": "PUBLIC"});
    gateway.send(&account, "feed", article, "sent").await;
    let posts = linkedin.posts();
    assert!(posts[1].content.to_string().contains("urn:li:image:"), "{:#}", posts[1].content);
    assert!(posts[2].content.to_string().contains("https://example.com/a"), "{:#}", posts[2].content);

    // A comment below it, and a message to somebody who wrote.
    gateway.send(&account, &urn, json!({"type": "text", "text": "Thank you all"}), "sent").await;
    assert_eq!(linkedin.comments().last().unwrap().text, "Thank you all");
    gateway.send(&account, THREAD, json!({"type": "text", "text": "Yes, we ship"}), "sent").await;
    assert_eq!(linkedin.messages().last().unwrap().body, "Yes, we ship");

    let long = json!({"channel_account_id": account, "to": "feed",
        "content": [{"type": "post", "text": "a".repeat(3001), "media": [], "visibility": "PUBLIC"}]});
    let answer = gateway.post("/rest/v1/messages", long).await;
    let told = match answer.status {
        422 => answer.body.to_string(),
        _ => gateway.message(answer.expect_status(202)["id"].as_str().unwrap(), "failed").await.to_string(),
    };
    assert!(told.contains("3000") && told.contains("3001"), "{told}");
}

async fn a_version_that_was_retired_is_named(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    bench.linkedin.set(|knobs| knobs.retired_versions = vec!["202401".into()]);
    let post = || json!({"type": "post", "text": "Hello", "media": [], "visibility": "PUBLIC"});
    let request = json!({"channel_account_id": account, "to": "feed", "content": [post()]});
    let message = bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    let stood = eventually("the account says so", || async {
        let account = bench.gateway.account(&account).await;
        let message = bench.gateway.get(&format!("/rest/v1/messages/{}", message["id"].as_str().unwrap())).await.expect_status(200);
        (account["connection"] != "connected" || message["state"] == "failed").then(|| format!("{account} {message}"))
    })
    .await;
    assert!(stood.contains("api_version") && stood.contains("202401"), "{stood}");
    let path = format!("/rest/v1/channel_accounts/{account}");
    bench.gateway.patch(&path, json!({"settings": {"api_version": "202607"}})).await.expect_status(200);
    bench.gateway.connect(&account, json!({})).await;
    bench.gateway.send(&account, "feed", json!({"type": "post", "text": "Again", "media": [], "visibility": "PUBLIC"}), "sent").await;
    let version = bench.linkedin.requests_of("POST posts").last().unwrap().text("_version");
    assert_eq!(version, "202607");
}

async fn what_people_say_comes_in_once(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let Bench { gateway, linkedin, .. } = &bench;
    assert!(linkedin.say(PAGE, "urn:li:person:abc", "Do you ship?").await.delivered);
    let comment = json!({"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": [{
        "notificationId": 501, "organizationalEntity": PAGE, "action": "COMMENT", "sourcePost": "urn:li:share:71",
        "decoratedGeneratedActivity": {"comment": {"entity": "urn:li:comment:(urn:li:activity:71,9)", "owner": "urn:li:person:abc", "text": "Great!"}},
        "generatedActivity": "urn:li:comment:(urn:li:activity:71,9)", "lastModifiedAt": 1_764_000_000_000_u64, "subscriber": "urn:li:person:me"
    }, {
        "notificationId": 502, "organizationalEntity": PAGE, "action": "LIKE", "sourcePost": "urn:li:share:71",
        "generatedActivity": "urn:li:like:(urn:li:person:abc,urn:li:activity:71)", "lastModifiedAt": 1_764_000_001_000_u64
    }]});
    for _ in 0..2 {
        assert!(linkedin.push(&comment).await.delivered);
    }
    let received = eventually("both are there", || async {
        let received = gateway.received(&account).await;
        (received.len() >= 2).then_some(received)
    })
    .await;
    assert_eq!(received.len(), 2, "{received:#?}");
    let told = json!(received).to_string();
    assert!(told.contains("Do you ship?") && told.contains("Great!"), "{told}");
    // Somebody else's signature isn't LinkedIn's.
    let url = format!("{}/webhooks/apps/{}", gateway.url, bench.app);
    let client = reqwest::Client::new();
    let forged = client.post(&url).header("x-li-signature", "00".repeat(32)).body(comment.to_string()).send().await.unwrap();
    assert!(matches!(forged.status().as_u16(), 401 | 403), "{}", forged.status());
}

both! {
    the_page_is_chosen_and_its_webhook_proven,
    posts_are_shown_whole,
    a_version_that_was_retired_is_named,
    what_people_say_comes_in_once,
}
