//! OAuth: an account is authorised at its provider with a browser, and every way that can go wrong ends in a clear state.

use patchbay_providers::meta::Consent;
use serde_json::{Value, json};

use crate::harness::{
    Browser, Database, both,
    meta::{APP_SECRET, MetaBench, PAGE},
};

async fn page_is_connected(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let account = bench.create("MESSENGER", json!({})).await;
    let shown = bench.log_in(&account).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(shown.text.contains("Fake Shop"), "{shown:?}");
    let connected = bench.account(&account).await;
    assert_eq!(connected["connection"], "connected", "{connected}");
    assert_eq!(connected["external_id"], PAGE);
    assert_eq!(connected["settings"]["page_token"]["set"], true);
    assert_eq!(connected["webhook_url"], bench.webhook_url());
    let told = connected.to_string() + &shown.text + &json!(bench.logged(&account, "oauth").await).to_string();
    for request in bench.meta.requests_of("GET oauth/access_token") {
        assert!(!request.text("fb_exchange_token").is_empty() || !request.text("code").is_empty());
    }
    assert!(!told.contains(APP_SECRET), "no secret is told");
}

/// Authorises, fails, and answers the account with what the browser showed.
async fn fail(bench: &MetaBench, consent: Consent) -> (Value, String) {
    let account = bench.create("MESSENGER", json!({})).await;
    bench.meta.set_consent(consent);
    let shown = bench.log_in(&account).await;
    let account = bench.account(&account).await;
    assert_ne!(account["is_connected"], true, "{account}");
    assert_eq!(account["settings"].get("page_token"), None, "nothing is stored: {account}");
    (account, shown.text)
}

async fn who_declines_is_told_and_nothing_is_stored(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let (denied, shown) = fail(&bench, Consent { deny: true, ..Consent::default() }).await;
    assert_eq!(denied["reason_code"], "oauth_denied", "{denied}");
    assert!(denied["user_action"].is_string());
    assert!(!shown.is_empty());
    let (half, _) = fail(&bench, Consent { decline: vec!["pages_messaging".to_owned()], ..Consent::default() }).await;
    assert!(half["reason"].as_str().unwrap().contains("pages_messaging"), "{half}");
    let logs = bench.logged(half["id"].as_str().unwrap(), "oauth").await;
    assert!(!logs.is_empty(), "the log tells of it");
}

async fn a_state_is_good_once_for_its_browser(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let account = bench.create("MESSENGER", json!({})).await;
    let page = bench.authorize(&account).await;
    let mut browser = Browser::new(&bench.gateway.url);
    let (_, dialog) = browser.open(&page).await;
    let (_, back) = browser.open(&dialog.unwrap()).await;
    let back = back.unwrap();
    // Somebody else got hold of the address.
    let (stolen, _) = Browser::new(&bench.gateway.url).open(&back).await;
    assert!((400..500).contains(&stolen.status), "{stolen:?}");
    assert_ne!(bench.account(&account).await["is_connected"], true);
    let forged = format!("{}/oauth/callback?code=x&state=forged", bench.gateway.url);
    assert!((400..500).contains(&browser.open(&forged).await.0.status));
    assert_eq!(browser.follow(&back).await.status, 200, "the right browser goes on");
    let after = bench.account(&account).await;
    assert_eq!(after["is_connected"], true, "{after}");
    let (again, _) = browser.open(&back).await;
    assert!((400..500).contains(&again.status), "a state is used once: {again:?}");
    assert_eq!(bench.account(&account).await["is_connected"], after["is_connected"]);
}

async fn authorising_again_keeps_the_account(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let account = bench.create("MESSENGER", json!({})).await;
    bench.log_in(&account).await;
    assert_eq!(bench.account(&account).await["is_connected"], true);
    let again = bench.connect(&account, json!({"step": "start", "reauthorize": true})).await;
    let page = again["prompt"]["url"].as_str().unwrap().to_owned();
    bench.meta.set_consent(Consent { deny: true, ..Consent::default() });
    Browser::new(&bench.gateway.url).follow(&page).await;
    let kept = bench.account(&account).await;
    assert_eq!(kept["is_connected"], true, "it goes on with what it had: {kept}");
    bench.meta.set_consent(Consent::default());
    let again = bench.connect(&account, json!({"step": "start", "reauthorize": true})).await;
    Browser::new(&bench.gateway.url).follow(again["prompt"]["url"].as_str().unwrap()).await;
    let renewed = bench.account(&account).await;
    assert_eq!((renewed["is_connected"].clone(), renewed["id"].clone()), (json!(true), json!(account)), "{renewed}");
}

async fn whoever_withdraws_is_disconnected(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let account = bench.create("MESSENGER", json!({})).await;
    bench.log_in(&account).await;
    let app = bench.gateway.get(&format!("/admin/v1/apps/{}", bench.app)).await.expect_status(200);
    let url = app["deauthorize_url"].as_str().unwrap();
    let (refused, _) = bench.meta.post_signed_request(url, "another secret", "218471").await.unwrap();
    assert!((400..500).contains(&refused), "{refused}");
    assert_eq!(bench.account(&account).await["is_connected"], true);
    let (taken, _) = bench.meta.post_signed_request(url, APP_SECRET, "218471").await.unwrap();
    assert_eq!(taken, 200);
    let gone = bench.account(&account).await;
    assert_eq!(gone["connection"], "needs_reauth", "{gone}");
    assert_eq!(gone["settings"].get("page_token"), None, "its tokens are erased: {gone}");
    let url = app["deletion_url"].as_str().unwrap();
    let (taken, answer) = bench.meta.post_signed_request(url, APP_SECRET, "218471").await.unwrap();
    assert_eq!(taken, 200);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["confirmation_code"].is_string());
    let (status, page) = bench.gateway.download(answer["url"].as_str().unwrap().strip_prefix(&bench.gateway.url).unwrap()).await;
    assert_eq!(status, 200);
    assert!(!page.is_empty());
}

async fn an_app_is_checked_and_kept_while_it_is_used(database: Database) {
    let bench = MetaBench::start(database, &["messenger"]).await;
    let bad = json!({"name": "", "types": ["NO_SUCH"], "client_id": "1", "client_secret": "2"});
    let error = bench.gateway.post("/admin/v1/apps", bad).await.expect_status(422);
    let pointers: Vec<&str> = error["errors"].as_array().unwrap().iter().map(|problem| problem["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/types/0"], "{error}");
    let app = bench.gateway.get(&format!("/admin/v1/apps/{}", bench.app)).await.expect_status(200);
    assert!(!app.to_string().contains(APP_SECRET), "a secret is shown as its last characters at most");
    bench.create("MESSENGER", json!({})).await;
    let path = format!("/admin/v1/apps/{}", bench.app);
    bench.gateway.delete(&path).await.expect_status(409);
    let missing = bench.gateway.ask_as(None, reqwest::Method::GET, &path).await;
    missing.expect_status(401);
}

both! {
    page_is_connected,
    who_declines_is_told_and_nothing_is_stored,
    a_state_is_good_once_for_its_browser,
    authorising_again_keeps_the_account,
    whoever_withdraws_is_disconnected,
    an_app_is_checked_and_kept_while_it_is_used,
}
