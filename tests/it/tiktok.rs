//! TIKTOK against the stand-in: a login, tokens that are renewed, messages both ways within TikTok's window.

use patchbay_providers::{
    Failure, Moment, TikTok,
    telegram::png,
    tiktok::{Echoes, HOSTS},
};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both, eventually};

const APP: &str = "7300000000000000001";
const SECRET: &str = "tt_app_secret";
const ACME: &str = "biz_open_id_1";
const MONA: &str = "u_77";

struct Bench {
    gateway: Gateway,
    tiktok: TikTok,
}

impl Bench {
    async fn start(database: Database) -> Bench {
        let tiktok = TikTok::start().await;
        let settings = Settings::default().without_plugin().channel("tiktok");
        let settings = HOSTS.iter().fold(settings, |settings, host| settings.redirecting(host, &tiktok.url()));
        let gateway = Gateway::start(database, settings).await;
        let app = json!({"name": "Shop", "types": ["TIKTOK"], "client_id": APP, "client_secret": SECRET});
        gateway.post("/admin/v1/apps", app).await.expect_status(201);
        Bench { gateway, tiktok }
    }

    async fn connected(database: Database) -> (Bench, String) {
        let bench = Bench::start(database).await;
        let account = bench.connect().await;
        (bench, account)
    }

    async fn connect(&self) -> String {
        let account = self.gateway.create("TIKTOK", json!({})).await;
        let shown = self.gateway.log_in(&account).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        assert_eq!(self.gateway.account(&account).await["connection"], "connected", "{shown:?}");
        account
    }

    /// Mona writes; answers the conversation.
    async fn mona_writes(&self, account: &str) -> String {
        let before = self.gateway.received(account).await.len();
        assert!(self.tiktok.say(ACME, MONA, "Price?").await.delivered);
        eventually("her message is there", || async { (self.gateway.received(account).await.len() > before).then_some(()) }).await;
        self.tiktok.conversation(ACME, MONA)
    }
}

async fn an_owner_logs_in_and_the_account_is_described(database: Database) {
    let bench = Bench::start(database).await;
    bench.tiktok.set(|knobs| knobs.untick = vec!["message.list.send".into()]);
    let account = bench.gateway.create("TIKTOK", json!({})).await;
    let shown = bench.gateway.log_in(&account).await;
    assert!(shown.text.contains("message.list.send"), "what is missing is named: {shown:?}");
    assert_ne!(bench.gateway.account(&account).await["connection"], "connected");
    bench.tiktok.set(|knobs| knobs.untick = Vec::new());
    bench.tiktok.set(|knobs| knobs.deny = true);
    bench.gateway.log_in(&account).await;
    assert_eq!(bench.gateway.account(&account).await["reason_code"], "oauth_denied");
    bench.tiktok.set(|knobs| knobs.deny = false);
    bench.gateway.log_in(&account).await;
    let account = bench.gateway.account(&account).await;
    assert_eq!((&account["connection"], &account["external_id"]), (&json!("connected"), &json!(ACME)), "{account}");
    assert!(account.to_string().contains("acme"), "{account}");
    assert_eq!(bench.tiktok.requests_of("business/webhook/update").len(), 1, "the webhook was registered");
    // The same business twice would take its own messages from itself.
    let second = bench.gateway.create("TIKTOK", json!({})).await;
    let shown = bench.gateway.log_in(&second).await;
    assert_eq!(shown.status, 409, "{shown:?}");
}

async fn messages_go_both_ways_and_are_one_each(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let Bench { gateway, tiktok } = &bench;
    let conversation = bench.mona_writes(&account).await;
    let received = gateway.received(&account).await;
    assert_eq!(received[0]["content"][0]["text"], "Price?");
    assert!(received[0].to_string().contains("mona_shop"), "{}", received[0]);

    // TikTok tells of our own message too, before it answers or after.
    for echoes in [Echoes::Before, Echoes::After] {
        tiktok.set(|knobs| knobs.echoes = echoes);
        gateway.send(&account, &conversation, json!({"type": "text", "text": "Ten euros"}), "sent").await;
    }
    let file = gateway.upload("/rest/v1/media?organization_id=org-1&file_name=dot.png", "image/png", png(40, 30)).await.expect_status(201);
    let picture = json!({"type": "media", "kind": "image", "media_id": file["id"]});
    gateway.send(&account, &conversation, picture, "sent").await;
    let shared = json!({"type": "custom", "kind": "share_post", "data": {"item_id": "75"}});
    gateway.send(&account, &conversation, shared, "sent").await;
    let kinds: Vec<String> = tiktok.sent(ACME).into_iter().map(|sent| sent.message_type).collect();
    assert_eq!(kinds, ["TEXT", "TEXT", "IMAGE", "SHARE_POST"]);

    // What can't be sent names the way.
    let video = json!({"type": "media", "kind": "video", "media_id": file["id"]});
    let request = json!({"channel_account_id": account, "to": conversation, "content": [video]});
    let answer = gateway.post("/rest/v1/messages", request).await;
    let told = match answer.status {
        422 => answer.body.to_string(),
        _ => gateway.message(answer.expect_status(202)["id"].as_str().unwrap(), "failed").await.to_string(),
    };
    assert!(told.contains("share_post") || told.contains("publish"), "{told}");

    // She reads; somebody of the business writes in TikTok's own app; a video comes.
    assert!(tiktok.read(ACME, MONA, tiktok.now_ms() + 1000).await.delivered);
    let sent = gateway.get(&format!("/rest/v1/messages?channel_account_id={account}&direction=outbound&state=read")).await;
    eventually("what she read is read", || async {
        let read = gateway.get(&format!("/rest/v1/messages?channel_account_id={account}&direction=outbound&state=read")).await;
        (read.body.as_array().unwrap().len() >= 4).then_some(())
    })
    .await;
    sent.expect_status(200);
    assert!(tiktok.write_in_app(ACME, MONA, "By hand").await.delivered);
    assert!(tiktok.message(ACME, MONA, "video", json!({})).await.delivered);
    let videos = eventually("the video is there", || async {
        let received = gateway.received(&account).await;
        (received.len() >= 2).then_some(received)
    })
    .await;
    let id = videos[1]["id"].as_str().unwrap();
    let (status, bytes) = gateway.download(&format!("/rest/v1/messages/{id}/media/0")).await;
    assert!(status == 200 && !bytes.is_empty(), "{status}");
    let ours =
        gateway.get(&format!("/rest/v1/messages?channel_account_id={account}&direction=outbound&limit=100")).await.expect_status(200);
    let echoes = ours.as_array().unwrap().iter().filter(|message| message["echo"] == true).count();
    assert_eq!(echoes, 1, "only what was written by hand: {ours:#}");
}

async fn ten_messages_fit_into_the_window(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let conversation = bench.mona_writes(&account).await;
    for n in 0..10 {
        let sent = bench.gateway.send(&account, &conversation, json!({"type": "text", "text": format!("{n}")}), "sent").await;
        assert_eq!(sent["facts"]["window_left"].to_string().trim_matches('"'), (9 - n).to_string(), "{sent}");
    }
    let asked = bench.tiktok.requests_of("business/message/send").len();
    let late = bench.gateway.send(&account, &conversation, json!({"type": "text", "text": "one more"}), "failed").await;
    assert_eq!(late["failure"]["class"], "window_closed", "{late}");
    assert_eq!(bench.tiktok.requests_of("business/message/send").len(), asked, "TikTok isn't asked");
    bench.mona_writes(&account).await;
    bench.gateway.send(&account, &conversation, json!({"type": "text", "text": "Here I am"}), "sent").await;
    // Nobody who hasn't written can be written to.
    let stranger = bench.gateway.send(&account, "Zz+9Q==", json!({"type": "text", "text": "Hi"}), "failed").await;
    assert!(stranger["failure"]["class"] == "window_closed" || stranger["failure"]["class"] == "recipient", "{stranger}");
}

async fn tokens_are_renewed_until_the_owner_is_needed(database: Database) {
    let bench = Bench::start(database).await;
    // Due a few seconds from now.
    bench.tiktok.set(|knobs| knobs.access_lives_s = 1_803);
    let account = bench.connect().await;
    let refreshes = || bench.tiktok.requests_of("tt_user/oauth2/refresh_token").len();
    eventually("the token is renewed ahead", || async { (refreshes() >= 1).then_some(()) }).await;
    bench.tiktok.set(|knobs| knobs.access_lives_s = 86_400);
    eventually("the next token lives long", || async {
        let account = bench.gateway.account(&account).await;
        let expires = account["oauth_expires_at"].as_str().unwrap().to_owned();
        let ahead = expires.parse::<jiff::Timestamp>().unwrap().as_second() - jiff::Timestamp::now().as_second();
        (ahead > 80_000).then_some(())
    })
    .await;
    let conversation = bench.mona_writes(&account).await;

    // TikTok takes the token back before its time: it is asked for another, and the message goes.
    let before = refreshes();
    bench.gateway.execute("UPDATE channel_accounts SET oauth_renewed_at = oauth_renewed_at - 120000000").await;
    bench.tiktok.expire_tokens(ACME);
    bench.gateway.send(&account, &conversation, json!({"type": "text", "text": "Still here"}), "sent").await;
    assert_eq!(refreshes(), before + 1);
    assert_eq!(bench.gateway.account(&account).await["connection"], "connected");

    // One that is refused as soon as it was given isn't what is wrong.
    let request = json!({"channel_account_id": account, "to": conversation, "content": [{"type": "text", "text": "And now"}]});
    bench.tiktok.expire_tokens(ACME);
    bench.gateway.post("/rest/v1/messages", request.clone()).await.expect_status(202);
    let needs_owner = || async {
        let account = bench.gateway.account(&account).await;
        (account["connection"] == "needs_reauth").then_some(account)
    };
    eventually("the owner is asked", needs_owner).await;
    assert_eq!(refreshes(), before + 1);

    // The owner withdraws: only he can mend it.
    bench.gateway.log_in(&account).await;
    eventually("connected again", || async { (bench.gateway.account(&account).await["connection"] == "connected").then_some(()) }).await;
    bench.tiktok.withdraw(ACME);
    bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    let account = eventually("the owner is asked again", needs_owner).await;
    assert!(account["user_action"].as_str().unwrap().contains("onnect"), "{account}");
}

async fn refusals_come_with_http_200(database: Database) {
    let (bench, account) = Bench::connected(database).await;
    let conversation = bench.mona_writes(&account).await;
    let text = || json!({"type": "text", "text": "Hi"});
    bench.tiktok.fail_next("business/message/send", 40002, 1);
    let refused = bench.gateway.send(&account, &conversation, text(), "failed").await;
    assert_eq!(refused["failure"]["class"], "rejected", "{refused}");
    // Too fast: it waits and goes.
    bench.tiktok.fail_next("business/message/send", 40100, 1);
    bench.gateway.send(&account, &conversation, text(), "sent").await;
    // The answer is lost on its way: nobody knows, and it isn't sent again.
    bench.tiktok.fail(Failure::cut("business/message/send", Moment::After));
    let sent = bench.tiktok.sent(ACME).len();
    let request: Value = json!({"channel_account_id": account, "to": conversation, "content": [text()]});
    let message = bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    eventually("it is uncertain, or told as sent by TikTok", || async {
        let message = bench.gateway.get(&format!("/rest/v1/messages/{}", message["id"].as_str().unwrap())).await.expect_status(200);
        (message["state"] == "uncertain" || message["state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(bench.tiktok.sent(ACME).len(), sent + 1);
}

both! {
    an_owner_logs_in_and_the_account_is_described,
    messages_go_both_ways_and_are_one_each,
    ten_messages_fit_into_the_window,
    tokens_are_renewed_until_the_owner_is_needed,
    refusals_come_with_http_200,
}
