//! MESSENGER and INSTAGRAM against the stand-in: both ways of messages, receipts, echoes once, requests and stories.

use patchbay_providers::{
    Failure, Moment,
    meta::{Echoes, GraphError, Instagram, Page},
    telegram::png,
};
use serde_json::{Value, json};

use crate::harness::{
    Browser, Database, both, eventually,
    meta::{APP, INSTAGRAM, MetaBench, PAGE},
};

const PSID: &str = "200000000000001";
const IGSID: &str = "300000000000077";

/// A Page whose person has written, so that it may be answered.
async fn page(database: Database) -> (MetaBench, String) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let account = bench.create("MESSENGER", json!({})).await;
    bench.log_in(&account).await;
    assert_eq!(bench.account(&account).await["connection"], "connected");
    (bench, account)
}

async fn one_of_several_pages_is_chosen(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    bench.meta.add_page(Page { id: "100000000000002".into(), name: "Other Shop".into(), ..Page::default() });
    let account = bench.create("MESSENGER", json!({})).await;
    let link = bench.authorize(&account).await;
    let asked = Browser::new(&bench.gateway.url).follow(&link).await;
    assert!(asked.text.contains("Fake Shop") && asked.text.contains("Other Shop"), "{asked:?}");
    let question = bench.account(&account).await["prompt"]["questions"][0]["id"].as_str().unwrap().to_owned();
    let after = bench.connect(&account, json!({"step": "answers", "answers": {question: "100000000000002"}})).await;
    assert_eq!((after["connection"].clone(), after["external_id"].clone()), (json!("connected"), json!("100000000000002")), "{after}");
    let fields = bench.meta.subscription(APP, "100000000000002").unwrap();
    assert!(fields.iter().any(|field| field == "messages"), "the Page's webhooks are subscribed: {fields:?}");
}

async fn every_kind_goes_out_of_a_page(database: Database) {
    let (bench, account) = page(database).await;
    let media =
        bench.gateway.upload("/rest/v1/media?organization_id=org-1&file_name=dot.png", "image/png", png(40, 30)).await.expect_status(201);
    let card = json!({"title": "Bag", "subtitle": "Blue", "image": {"url": "https://example.com/a.png"}, "buttons": [{"title": "Buy", "reply": "BUY"}]});
    let cases = [
        json!({"type": "text", "text": "Hello"}),
        json!({"type": "media", "kind": "image", "media_id": media["id"]}),
        json!({"type": "media", "kind": "video", "url": "https://example.com/a.mp4"}),
        json!({"type": "interactive", "body": "Pick", "quick_replies": [{"id": "RED", "title": "Red"}]}),
        json!({"type": "interactive", "body": "Pick", "buttons": [{"title": "Yes", "reply": "y"}, {"title": "Site", "url": "https://example.com"}]}),
        json!({"type": "interactive", "body": "Bags", "carousel": [card]}),
    ];
    for content in cases {
        let before = bench.meta.sent(PAGE).len();
        bench.send(&account, PSID, content.clone(), "sent").await;
        assert!(bench.meta.sent(PAGE).len() > before, "{content}");
    }
    let typing = bench
        .gateway
        .post("/rest/v1/messages", json!({"channel_account_id": account, "to": PSID, "typing": true}))
        .await
        .expect_status(202);
    bench.message(typing["id"].as_str().unwrap(), "sent").await;
    assert!(bench.meta.requests().iter().any(|request| request.text("sender_action") == "typing_on"), "the person sees it");
}

async fn what_people_do_at_a_page_comes_in_once(database: Database) {
    let (bench, account) = page(database).await;
    let first = bench.send(&account, PSID, json!({"type": "text", "text": "One"}), "sent").await;
    for fixture in 1..=12 {
        let name = format!("fb-{fixture:02}");
        assert!(bench.meta.deliver(&name).await.delivered(), "{name}");
        assert!(bench.meta.deliver(&name).await.delivered(), "{name} again");
    }
    let received = bench.received(&account).await;
    let ids: std::collections::BTreeSet<String> =
        received.iter().map(|message| message["external_id"].to_string() + &message["content"].to_string()).collect();
    assert_eq!(ids.len(), received.len(), "nothing is there twice");
    assert!(
        received.iter().any(|message| message["content"][0]["type"] == "choice" && message["content"][0]["id"] == "COLOR_RED"),
        "{received:#?}"
    );
    let path = format!("/rest/v1/messages/{}", first["id"].as_str().unwrap());
    assert_eq!(bench.gateway.get(&path).await.expect_status(200)["state"], "sent", "a watermark of the past says nothing of it");
    let now = bench.meta.now_ms() + 60_000;
    let item = json!({"timestamp": now, "read": {"watermark": now}});
    assert!(bench.meta.push(&bench.meta.item(PAGE, PSID, &item)).await.delivered());
    bench.message(first["id"].as_str().unwrap(), "read").await;
}

async fn an_echo_is_no_second_message(database: Database) {
    let (bench, account) = page(database).await;
    for echoes in [Echoes::After, Echoes::Before] {
        bench.meta.set(|knobs| knobs.echoes = echoes);
        bench.send(&account, PSID, json!({"type": "text", "text": "Hello"}), "sent").await;
    }
    let path = format!("/rest/v1/messages?channel_account_id={account}&direction=outbound");
    let look = || async {
        let sent = bench.gateway.get(&path).await.expect_status(200);
        (sent.as_array().unwrap().len() == 2).then_some(())
    };
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    eventually("two messages and no third", look).await;
    // Somebody answers in the provider's own inbox.
    let message = json!({"mid": "m_native", "text": "From the inbox", "is_echo": true, "app_id": 1});
    let item = json!({"sender": {"id": PAGE}, "recipient": {"id": PSID}, "timestamp": bench.meta.now_ms(), "message": message});
    assert!(bench.meta.push(&bench.meta.item(PAGE, PSID, &item)).await.delivered());
    eventually("what was written elsewhere is there", || async {
        let sent = bench.gateway.get(&path).await.expect_status(200);
        sent.as_array().unwrap().iter().any(|message| message["external_id"] == "m_native" && message["echo"] == true).then_some(())
    })
    .await;
}

async fn a_broken_answer_is_resolved_by_the_echo(database: Database) {
    let (bench, account) = page(database).await;
    bench.meta.fail(Failure::cut("POST messages", Moment::After));
    let lost = bench.send(&account, PSID, json!({"type": "text", "text": "Perhaps"}), "uncertain").await;
    let sent = bench.meta.sent(PAGE).pop().unwrap();
    assert_eq!(sent.body["message"]["metadata"], lost["id"], "our id goes along");
    let message = json!({"mid": sent.id, "text": "Perhaps", "is_echo": true, "app_id": 300_000_000_000_001_u64, "metadata": lost["id"]});
    let item = json!({"sender": {"id": PAGE}, "recipient": {"id": PSID}, "timestamp": bench.meta.now_ms(), "message": message});
    assert!(bench.meta.push(&bench.meta.item(PAGE, PSID, &item)).await.delivered());
    bench.message(lost["id"].as_str().unwrap(), "sent").await;
    assert_eq!(bench.meta.sent(PAGE).len(), 1, "it was sent once");
}

async fn a_closed_window_is_told(database: Database) {
    let (bench, account) = page(database).await;
    bench.meta.fail_next("POST messages", &GraphError::sub(10, 2_018_278), 2);
    let closed = bench.send(&account, PSID, json!({"type": "text", "text": "Late"}), "failed").await;
    assert_eq!(closed["failure"]["class"], "window_closed", "{closed}");
}

/// An Instagram account, by either login.
async fn instagram(database: Database, login: &str) -> (MetaBench, String) {
    let bench = MetaBench::start(database, &["instagram"]).await;
    let account = bench.create("INSTAGRAM", json!({"login_type": login})).await;
    if login == "instagram" {
        let change = json!({"client_id": "310000000000001", "client_secret": "igappsecret", "webhook_secret": "appsecret"});
        bench.gateway.patch(&format!("/admin/v1/apps/{}", bench.app), change).await.expect_status(200);
    } else {
        bench.meta.add_instagram(Instagram::default());
        bench.meta.change_page(PAGE, |page| page.instagram = Some(INSTAGRAM.to_owned()));
    }
    let shown = bench.log_in(&account).await;
    let after = bench.account(&account).await;
    assert_eq!((after["connection"].clone(), after["external_id"].clone()), (json!("connected"), json!(INSTAGRAM)), "{after} {shown:?}");
    (bench, account)
}

async fn both_logins_of_instagram_connect_and_talk(database: Database) {
    for login in ["facebook", "instagram"] {
        let (bench, account) = instagram(database, login).await;
        assert!(bench.meta.text_from(INSTAGRAM, IGSID, "Do you ship?").await.delivered(), "{login}");
        let received = eventually("the question is there", || async { bench.received(&account).await.pop() }).await;
        assert_eq!(received["origin"], "message_request", "nobody has answered yet: {received}");
        let to = received["conversation"]["external_id"].as_str().unwrap();
        let answer = bench.send(&account, to, json!({"type": "text", "text": "We do"}), "sent").await;
        let letters = "ش".repeat(1_100);
        bench.send(&account, to, json!({"type": "text", "text": letters}), "sent").await;
        assert_eq!(bench.meta.sent(INSTAGRAM).len() + bench.meta.sent(PAGE).len(), 4, "{login}: 2,200 bytes are three messages");
        let picture = png(40, 30);
        assert!(bench.meta.file_from(INSTAGRAM, IGSID, "image", "image/png", picture.clone(), "").await.delivered(), "{login}");
        let received = eventually("the picture is there", || async { bench.received(&account).await.into_iter().nth(1) }).await;
        assert_eq!(received["origin"], "direct", "it goes on: {received}");
        let path = format!("/rest/v1/messages/{}/media/0", received["id"].as_str().unwrap());
        assert_eq!(bench.gateway.download(&path).await, (200, picture), "{login}");
        bench.send(&account, to, json!({"type": "media", "kind": "image", "url": "https://example.com/a.png"}), "sent").await;
        let item = json!({"timestamp": bench.meta.now_ms(), "reaction": {"mid": answer["external_id"], "action": "react", "reaction": "love", "emoji": "❤️"}});
        assert!(bench.meta.push(&bench.meta.item(INSTAGRAM, IGSID, &item)).await.delivered());
        let path = format!("/rest/v1/messages/{}", answer["id"].as_str().unwrap());
        let reacted = bench.gateway.get(&path).await.expect_status(200);
        assert_eq!(reacted["reactions"][0]["emoji"], "❤️", "{reacted}");
    }
}

async fn what_people_do_on_instagram_comes_in_once(database: Database) {
    let (bench, account) = instagram(database, "facebook").await;
    for fixture in 1..=13 {
        let name = format!("ig-{fixture:02}");
        assert!(bench.meta.deliver(&name).await.delivered(), "{name}");
        assert!(bench.meta.deliver(&name).await.delivered(), "{name} again");
    }
    let received = bench.received(&account).await;
    let find =
        |id: &str| received.iter().find(|message| message["external_id"] == id).cloned().unwrap_or_else(|| panic!("{id}: {received:#?}"));
    assert_eq!(find("aWdfZAG1FAKE02")["origin"], "story_mention");
    assert_eq!(find("aWdfZAG1FAKE03")["origin"], "story_reply");
    let taken_back: Value = find("aWdfZAG1FAKE01");
    assert!(taken_back["deleted_at"].is_string(), "{taken_back}");
    assert_eq!(received.iter().filter(|message| message["external_id"] == "aWdfZAG1FAKE01").count(), 1);
}

both! {
    one_of_several_pages_is_chosen,
    every_kind_goes_out_of_a_page,
    what_people_do_at_a_page_comes_in_once,
    an_echo_is_no_second_message,
    a_broken_answer_is_resolved_by_the_echo,
    a_closed_window_is_told,
    both_logins_of_instagram_connect_and_talk,
    what_people_do_on_instagram_comes_in_once,
}
