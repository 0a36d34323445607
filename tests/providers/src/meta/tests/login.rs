use super::*;

const REDIRECT: &str = "http://127.0.0.1:1/oauth/callback";

async fn dialog(meta: &Meta, path: &str, pairs: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
    let client = Client::of(meta, "");
    let response = client.request(Method::GET, path).query(pairs).send().await.unwrap();
    assert_eq!(response.status(), 302);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let url = url::Url::parse(&location).unwrap();
    url.query_pairs().into_owned().collect()
}

const FACEBOOK: &[(&str, &str)] =
    &[("client_id", APP), ("redirect_uri", REDIRECT), ("state", "s1"), ("scope", "pages_show_list,pages_messaging,pages_manage_metadata")];

fn exchange<'a>(code: &'a str, redirect: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("client_id", APP), ("client_secret", "appsecret"), ("redirect_uri", redirect), ("code", code)]
}

async fn token(client: &Client, pairs: &[(&str, &str)]) -> (u16, Value) {
    answer(client.request(Method::GET, "/v26.0/oauth/access_token").query(pairs)).await
}

#[tokio::test]
async fn a_page_is_reached_by_code_long_lived_token_and_list() {
    let meta = Meta::start().await;
    let client = Client::of(&meta, "");
    let back = dialog(&meta, "/v26.0/dialog/oauth", FACEBOOK).await;
    assert_eq!(back["state"], "s1");
    let code = &back["code"];
    assert_eq!(refused(token(&client, &exchange(code, "http://127.0.0.1:1/oauth/callback/")).await), (400, 100, 36_008));
    let (status, short) = token(&client, &exchange(code, REDIRECT)).await;
    assert_eq!((status, &short["expires_in"]), (200, &json!(3600)));
    assert_eq!(refused(token(&client, &exchange(code, REDIRECT)).await), (400, 100, 36_009));

    let short = short["access_token"].as_str().unwrap();
    let pairs = [("grant_type", "fb_exchange_token"), ("client_id", APP), ("client_secret", "appsecret"), ("fb_exchange_token", short)];
    let form = client.request(Method::POST, "/v26.0/oauth/access_token").form(&pairs);
    let (_, long) = answer(form).await;
    assert_eq!(long["expires_in"], 5_183_944);

    let person = Client::of(&meta, long["access_token"].as_str().unwrap());
    let (_, pages) = person.get("/v26.0/me/accounts?fields=id,name,access_token,instagram_business_account{id,username}").await;
    let page = &pages["data"][0];
    assert_eq!((&page["id"], &page["instagram_business_account"]["id"]), (&json!(PAGE), &json!(INSTAGRAM)));
    let (_, bare) = person.get("/v26.0/me/accounts?fields=id,name").await;
    assert_eq!(bare["data"][0], json!({"id": PAGE, "name": "Fake Shop"}));

    let page_token = page["access_token"].as_str().unwrap();
    let (status, debug) = person.get(&format!("/v26.0/debug_token?input_token={page_token}&access_token={APP}|appsecret")).await;
    assert_eq!(status, 200);
    let data = &debug["data"];
    assert_eq!((&data["type"], &data["expires_at"], &data["profile_id"]), (&json!("PAGE"), &json!(0), &json!(PAGE)));
    assert_eq!(data["granular_scopes"][1], json!({"scope": "pages_messaging", "target_ids": [PAGE]}));
}

#[tokio::test]
async fn people_deny_decline_and_untick() {
    let meta = Meta::start().await;
    meta.set_consent(Consent { deny: true, ..Consent::default() });
    let back = dialog(&meta, "/v26.0/dialog/oauth", FACEBOOK).await;
    assert_eq!((back["error"].as_str(), back["error_code"].as_str(), back["state"].as_str()), ("access_denied", "200", "s1"));

    meta.set_consent(Consent { decline: vec!["pages_messaging".into()], untick: vec![PAGE.into()], ..Consent::default() });
    let back = dialog(&meta, "/v26.0/dialog/oauth", FACEBOOK).await;
    let (_, got) = token(&Client::of(&meta, ""), &exchange(&back["code"], REDIRECT)).await;
    let person = Client::of(&meta, got["access_token"].as_str().unwrap());
    let (_, permissions) = person.get("/v26.0/me/permissions").await;
    assert!(permissions["data"].as_array().unwrap().contains(&json!({"permission": "pages_messaging", "status": "declined"})));
    assert_eq!(person.get("/v26.0/me/accounts").await.1["data"], json!([]));

    meta.set_consent(Consent { untick: vec![INSTAGRAM.into()], ..Consent::default() });
    let person = Client::of(&meta, &meta.user_token(APP, PAGE_SCOPES));
    let (_, pages) = person.get("/v26.0/me/accounts?fields=name,instagram_business_account{id}").await;
    assert_eq!(pages["data"][0], json!({"id": PAGE, "name": "Fake Shop"}));
}

#[tokio::test]
async fn pages_of_a_business_are_found_by_their_ids_alone() {
    let meta = Meta::start().await;
    meta.add_page(Page { in_me_accounts: false, ..Page::default() });
    let person = Client::of(&meta, &meta.user_token(APP, &["pages_show_list", "business_management"]));
    assert_eq!(person.get("/v26.0/me/accounts").await.1["data"], json!([]));
    let (_, pages) = person.get(&format!("/v26.0/?ids={PAGE}&fields=name,access_token")).await;
    assert!(pages[PAGE]["access_token"].is_string());
    let (_, businesses) = person.get("/v26.0/me/businesses").await;
    let business = businesses["data"][0]["id"].as_str().unwrap();
    assert_eq!(person.get(&format!("/v26.0/{business}/owned_pages")).await.1["data"][0]["id"], PAGE);
}

#[tokio::test]
async fn lists_have_pages() {
    let meta = Meta::start().await;
    for number in 1..=3 {
        meta.add_page(Page { id: format!("10000000000001{number}"), ..Page::default() });
    }
    let person = Client::of(&meta, &meta.user_token(APP, &["pages_show_list"]));
    let (_, first) = person.get("/v26.0/me/accounts?fields=id&limit=3").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    assert!(first["paging"]["next"].as_str().unwrap().starts_with("https://graph.facebook.com/v26.0/me/accounts?"));
    let after = first["paging"]["cursors"]["after"].as_str().unwrap();
    let (_, second) = person.get(&format!("/v26.0/me/accounts?fields=id&limit=3&after={after}")).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert!(second["paging"].get("next").is_none());
}

#[tokio::test]
async fn instagram_logs_in_exchanges_and_refreshes_after_a_day() {
    let meta = Meta::start().await;
    let client = Client::of(&meta, "");
    let scope = "instagram_business_basic,instagram_business_manage_messages";
    let asked = [("client_id", "310000000000001"), ("redirect_uri", REDIRECT), ("response_type", "code"), ("scope", scope), ("state", "s")];
    let back = dialog(&meta, "/oauth/authorize", &asked).await;
    let pairs = [
        ("client_id", "310000000000001"),
        ("client_secret", "igappsecret"),
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT),
        ("code", back["code"].as_str()),
    ];
    let (status, wrong) = answer(client.request(Method::GET, "/oauth/access_token").query(&pairs)).await;
    assert_eq!((status, &wrong["error"]["message"]), (400, &json!("Unsupported request - method type: get")));
    meta.set(|knobs| knobs.wrapped_token = true);
    let (_, got) = answer(client.request(Method::POST, "/oauth/access_token").form(&pairs)).await;
    let got = &got["data"][0];
    assert_eq!(got["user_id"], 17_841_400_000_000_001_u64);
    meta.set(|knobs| knobs.wrapped_token = false);

    let short = got["access_token"].as_str().unwrap();
    let (_, long) = client.get(&format!("/access_token?grant_type=ig_exchange_token&client_secret=igappsecret&access_token={short}")).await;
    let long = long["access_token"].as_str().unwrap();
    let (_, me) = Client::of(&meta, long).get("/v26.0/me?fields=user_id,id,username,account_type").await;
    assert_eq!(me, json!({"user_id": INSTAGRAM, "id": "28978000000000001", "username": "fake.shop", "account_type": "BUSINESS"}));

    let refresh = format!("/refresh_access_token?grant_type=ig_refresh_token&access_token={long}");
    assert_eq!(refused(client.get(&refresh).await).0, 400);
    meta.advance(Duration::from_secs(25 * 3600));
    assert_eq!(client.get(&refresh).await.1["expires_in"], 5_183_944);
    meta.advance(Duration::from_secs(60 * 24 * 3600));
    let (status, expired) = client.get(&refresh).await;
    assert_eq!((status, &expired["error"]["error_subcode"], &expired["error"]["type"]), (401, &json!(463), &json!("IGApiException")));
}

#[tokio::test]
async fn dead_tokens_are_told_apart_and_debugged_with_200() {
    let meta = Meta::start().await;
    let text = meta.page_token(APP, PAGE, PAGE_SCOPES);
    meta.kill_token(&text, 460);
    let client = Client::of(&meta, &text);
    assert_eq!(refused(client.get("/v26.0/me").await), (401, 190, 460));
    let app = Client::of(&meta, &format!("{APP}|appsecret"));
    let (status, debug) = app.get(&format!("/v26.0/debug_token?input_token={text}")).await;
    assert_eq!((status, &debug["data"]["is_valid"], &debug["data"]["error"]["subcode"]), (200, &json!(false), &json!(460)));
    assert_eq!(app.get("/v26.0/debug_token?input_token=nonsense").await.1["data"]["is_valid"], false);
    assert_eq!(refused(Client::of(&meta, &format!("{APP}|wrong")).get("/v26.0/debug_token?input_token=x").await).1, 190);
}

#[tokio::test]
async fn the_proof_is_checked_where_it_comes_and_demanded_where_the_app_says_so() {
    let meta = Meta::start().await;
    let text = meta.system_token(APP, WHATSAPP_SCOPES, 0);
    let client = Client::of(&meta, &text);
    assert_eq!(client.get(&format!("/v26.0/{WABA}")).await.0, 200);
    meta.add_app(App { require_proof: true, ..App::default() });
    let (status, missing) = client.get(&format!("/v26.0/{WABA}")).await;
    assert_eq!((status, &missing["error"]["code"], &missing["error"]["type"]), (400, &json!(100), &json!("GraphMethodException")));
    assert_eq!(client.get(&format!("/v26.0/{WABA}?appsecret_proof=00")).await.0, 400);
    let proof = appsecret_proof("appsecret", &text);
    assert_eq!(client.get(&format!("/v26.0/{WABA}?appsecret_proof={proof}")).await.0, 200);
}

#[tokio::test]
async fn a_signup_code_has_no_redirect_uri_and_a_configuration_gives_a_business_token() {
    let meta = Meta::start().await;
    let client = Client::of(&meta, "");
    let code = meta.signup_code(APP, WHATSAPP_SCOPES);
    let (_, got) = token(&client, &exchange(&code, "")).await;
    assert!(got.get("expires_in").is_none(), "{got}");
    let asked = [("client_id", APP), ("redirect_uri", REDIRECT), ("config_id", "500000000000001"), ("response_type", "code")];
    let back = dialog(&meta, "/v26.0/dialog/oauth", &asked).await;
    let (_, got) = token(&client, &exchange(&back["code"], REDIRECT)).await;
    let text = got["access_token"].as_str().unwrap();
    let (_, debug) = Client::of(&meta, &format!("{APP}|appsecret")).get(&format!("/v26.0/debug_token?input_token={text}")).await;
    assert_eq!((&debug["data"]["type"], &debug["data"]["granular_scopes"][0]["target_ids"]), (&json!("SYSTEM_USER"), &json!([WABA])));
}

#[tokio::test]
async fn whoever_takes_the_app_back_kills_its_tokens() {
    let meta = Meta::start().await;
    let text = meta.user_token(APP, PAGE_SCOPES);
    let person = Client::of(&meta, &text);
    assert_eq!(person.delete("/v26.0/me/permissions/pages_messaging").await.0, 200);
    assert!(!person.get("/v26.0/me/permissions").await.1.to_string().contains("pages_messaging"));
    assert_eq!(person.delete("/v26.0/me/permissions").await.1, json!({"success": true}));
    assert_eq!(refused(person.get("/v26.0/me").await), (401, 190, 458));
}
