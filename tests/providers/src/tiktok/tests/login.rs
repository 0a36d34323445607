use super::*;

const REDIRECT: &str = "http://127.0.0.1:1/oauth/callback";

/// Where the page sends the browser, or its status.
async fn page(tiktok: &TikTok, changed: &[(&str, &str)]) -> Result<std::collections::HashMap<String, String>, u16> {
    let scopes = SCOPES.join(",");
    let mut pairs =
        vec![("client_key", APP), ("response_type", "code"), ("redirect_uri", REDIRECT), ("scope", scopes.as_str()), ("state", "s1")];
    for (name, value) in changed {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    let client = Client::of(tiktok, "");
    let response = client.http.get(format!("{}/v2/auth/authorize", tiktok.url())).query(&pairs).send().await.unwrap();
    if response.status() != 302 {
        return Err(response.status().as_u16());
    }
    let location = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    Ok(location.query_pairs().into_owned().collect())
}

fn exchange(code: &str) -> Value {
    json!({"client_id": APP, "client_secret": SECRET, "grant_type": "authorization_code", "auth_code": code, "redirect_uri": REDIRECT})
}

fn refresh(token: &Value) -> Value {
    json!({"client_id": APP, "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": token})
}

#[tokio::test]
async fn a_code_is_changed_once_for_a_pair_of_tokens() {
    let tiktok = TikTok::start().await;
    let client = Client::of(&tiktok, "");
    let back = page(&tiktok, &[]).await.unwrap();
    assert_eq!((back["state"].as_str(), back["scopes"].as_str()), ("s1", SCOPES.join(",").as_str()));
    let code = &back["code"];
    let mut elsewhere = exchange(code);
    elsewhere["redirect_uri"] = "http://127.0.0.1:1/other".into();
    assert_eq!(client.post("tt_user/oauth2/token/", elsewhere).await.0, 40_002);
    let (status, pair) = client.post("tt_user/oauth2/token/", exchange(code)).await;
    assert_eq!((status, &pair["open_id"], &pair["expires_in"]), (0, &json!(BUSINESS), &json!(86_400)));
    assert_eq!(pair["refresh_token_expires_in"], 31_536_000);
    assert_eq!(client.post("tt_user/oauth2/token/", exchange(code)).await.0, 40_002, "once");

    let info = json!({"app_id": APP, "access_token": pair["access_token"]});
    let (status, info) = client.post("tt_user/token_info/get/", info).await;
    assert_eq!((status, &info["creator_id"], &info["scope"]), (0, &json!(BUSINESS), &json!(SCOPES.join(","))));

    let late = page(&tiktok, &[]).await.unwrap();
    tiktok.advance(Duration::from_secs(601));
    assert_eq!(client.post("tt_user/oauth2/token/", exchange(&late["code"])).await.0, 40_002, "ten minutes");
}

#[tokio::test]
async fn people_deny_and_untick() {
    let tiktok = TikTok::start().await;
    tiktok.set(|knobs| knobs.untick = vec!["message.list.send".into()]);
    assert!(!page(&tiktok, &[]).await.unwrap()["scopes"].contains("message.list.send"));
    tiktok.set(|knobs| knobs.deny = true);
    let back = page(&tiktok, &[]).await.unwrap();
    assert_eq!((back["error"].as_str(), back["state"].as_str(), back.get("code")), ("access_denied", "s1", None));
    tiktok.set(|knobs| *knobs = Knobs { business_id: Some("biz_open_id_2".into()), ..Knobs::default() });
    let code = page(&tiktok, &[]).await.unwrap()["code"].clone();
    assert_eq!(Client::of(&tiktok, "").post("tt_user/oauth2/token/", exchange(&code)).await.1["open_id"], "biz_open_id_2");
}

#[tokio::test]
async fn the_page_shows_what_is_wrong_with_the_request() {
    let tiktok = TikTok::start().await;
    for wrong in [
        ("client_key", "1"),
        ("redirect_uri", "http://evil.example"),
        ("response_type", "token"),
        ("scope", "everything"),
        ("scope", "message.list.read message.list.send"),
    ] {
        assert_eq!(page(&tiktok, &[wrong]).await, Err(400), "{wrong:?}");
    }
    tiktok.add_app(App { redirect_uris: vec!["https://g.example/cb".into()], ..App::default() });
    assert_eq!(page(&tiktok, &[]).await, Err(400), "not registered");
    assert!(page(&tiktok, &[("redirect_uri", "https://g.example/cb")]).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_second_use_ends_the_chain() {
    let tiktok = TikTok::start().await;
    let first = tiktok.mint(APP, BUSINESS, SCOPES);
    let client = Client::of(&tiktok, "");
    let (status, second) = client.post("tt_user/oauth2/refresh_token/", refresh(&json!(first.refresh_token))).await;
    assert_eq!(status, 0);
    assert_ne!(second["refresh_token"], json!(first.refresh_token));
    let healthy = |token: String| {
        let client = Client::of(&tiktok, &token);
        async move { client.get("business/get/", &[("business_id", BUSINESS), ("fields", r#"["username"]"#)]).await.0 }
    };
    let access = second["access_token"].as_str().unwrap().to_owned();
    assert_eq!((healthy(first.access_token.clone()).await, healthy(access.clone()).await), (40_105, 0));
    assert_eq!(client.post("tt_user/oauth2/refresh_token/", refresh(&json!(first.refresh_token))).await.0, 40_105);
    assert_eq!(healthy(access).await, 40_105, "the chain is dead");
    assert_eq!(client.post("tt_user/oauth2/refresh_token/", refresh(&second["refresh_token"])).await.0, 40_105);
}

#[tokio::test]
async fn tokens_run_out_are_expired_and_are_revoked() {
    let tiktok = TikTok::start().await;
    let minted = tiktok.mint(APP, BUSINESS, SCOPES);
    let client = Client::of(&tiktok, &minted.access_token);
    let get = || client.get("business/get/", &[("business_id", BUSINESS)]);
    assert_eq!(get().await.0, 0);
    tiktok.advance(Duration::from_secs(86_401));
    assert_eq!(get().await.0, 40_105);
    let renewed = client.post("tt_user/oauth2/refresh_token/", refresh(&json!(minted.refresh_token))).await.1;
    let client = Client::of(&tiktok, renewed["access_token"].as_str().unwrap());
    let get = || client.get("business/get/", &[("business_id", BUSINESS)]);
    assert_eq!(get().await.0, 0);
    tiktok.expire_tokens(BUSINESS);
    assert_eq!(get().await.0, 40_105);
    let (status, renewed) = client.post("tt_user/oauth2/refresh_token/", refresh(&renewed["refresh_token"])).await;
    assert_eq!(status, 0, "the refresh token lives");
    let revoke = json!({"client_id": APP, "client_secret": SECRET, "access_token": renewed["access_token"]});
    assert_eq!(client.post("tt_user/oauth2/revoke/", revoke).await.0, 0);
    assert_eq!(client.post("tt_user/oauth2/refresh_token/", refresh(&renewed["refresh_token"])).await.0, 40_105);
    let year = tiktok.mint(APP, BUSINESS, SCOPES);
    tiktok.advance(Duration::from_secs(31_536_001));
    assert_eq!(client.post("tt_user/oauth2/refresh_token/", refresh(&json!(year.refresh_token))).await.0, 40_105);
}

#[tokio::test]
async fn wrong_secrets_fields_and_forms_are_refused() {
    let tiktok = TikTok::start().await;
    let client = Client::of(&tiktok, "");
    let code = page(&tiktok, &[]).await.unwrap()["code"].clone();
    for (name, value) in [("client_secret", "wrong"), ("client_id", "1"), ("grant_type", "refresh_token"), ("auth_code", ""), ("code", "x")]
    {
        let mut body = exchange(&code);
        body[name] = value.into();
        assert_eq!(client.post("tt_user/oauth2/token/", body).await.0, 40_002, "{name}");
    }
    let form = client.request(Method::POST, "tt_user/oauth2/token/").form(&[("client_id", APP)]);
    assert_eq!(answer(form).await.0, 40_002, "JSON only");
    assert_eq!(client.post("tt_user/oauth2/token/", exchange(&code)).await.0, 0, "the code was spared");
}
