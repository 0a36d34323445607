use super::*;

const BACK: &str = "https://gateway.example/oauth/callback";

/// Where the consent page sends the browser.
async fn consent(client: &Client, scope: &str) -> std::collections::HashMap<String, String> {
    let query = [("response_type", "code"), ("client_id", "li_client_id"), ("redirect_uri", BACK), ("state", "st"), ("scope", scope)];
    let response = client.bare(Method::GET, "/oauth/v2/authorization").query(&query).send().await.unwrap();
    assert_eq!(response.status(), 302);
    let location = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(BACK));
    location.query_pairs().into_owned().collect()
}

async fn exchange(client: &Client, code: &str, secret: &str, redirect_uri: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", "li_client_id"),
        ("client_secret", secret),
        ("redirect_uri", redirect_uri),
    ];
    client.form("/oauth/v2/accessToken", &fields).await
}

async fn refresh(client: &Client, token: &str) -> (u16, Value) {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "li_client_id"), ("client_secret", "li_client_secret")];
    client.form("/oauth/v2/accessToken", &fields).await
}

#[tokio::test]
async fn a_member_consents_and_the_tokens_work() {
    let linkedin = LinkedIn::start().await;
    let mut client = Client::of(&linkedin, "");
    let told = consent(&client, "openid profile email rw_organization_admin").await;
    assert_eq!(told["state"], "st");
    let (status, tokens) = exchange(&client, &told["code"], "li_client_secret", BACK).await;
    assert_eq!((status, &tokens["expires_in"], &tokens["refresh_token_expires_in"]), (200, &json!(5_184_000), &json!(31_536_000)));
    assert_eq!(exchange(&client, &told["code"], "li_client_secret", BACK).await.1["error"], "invalid_request", "a code works once");
    client.token = tokens["access_token"].as_str().unwrap().into();
    let (_, me) = client.get("/v2/userinfo").await;
    assert_eq!((&me["sub"], &me["name"], &me["email"]), (&json!("me"), &json!("Mona Lind"), &json!("me@example.com")));
    let (_, acls) = client.get("/rest/organizationAcls?q=roleAssignee&role=ADMINISTRATOR&state=APPROVED").await;
    assert_eq!(acls["elements"][0]["organization"], ACME);
    assert_eq!(client.get("/rest/organizations/5590506").await.1["localizedName"], "Acme");
    assert_eq!(client.get("/rest/organizations/7").await.0, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_code_or_an_app_is_said() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, "");
    let code = || async { consent(&client, "openid").await["code"].clone() };
    assert_eq!(exchange(&client, &code().await, "wrong", BACK).await.1["error"], "invalid_client");
    assert_eq!(exchange(&client, &code().await, "li_client_secret", "https://other.example/").await.0, 400);
    let late = code().await;
    linkedin.advance(Duration::from_secs(1801));
    assert_eq!(exchange(&client, &late, "li_client_secret", BACK).await.0, 400);
    assert_eq!(consent(&client, "r_everything").await["error"], "unauthorized_scope_error");
    linkedin.set(|knobs| knobs.deny = true);
    assert_eq!(consent(&client, "openid").await["error"], "user_cancelled_authorize");
    let json = answer(client.bare(Method::POST, "/oauth/v2/accessToken").json(&json!({"grant_type": "refresh_token"}))).await;
    assert_eq!(json.0, 400, "a form is wanted");
}

#[tokio::test]
async fn a_refresh_tokens_time_is_not_renewed() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, "");
    let told = consent(&client, "openid").await;
    let (_, first) = exchange(&client, &told["code"], "li_client_secret", BACK).await;
    let token = first["refresh_token"].as_str().unwrap();
    linkedin.advance(Duration::from_secs(1000));
    let (status, second) = refresh(&client, token).await;
    assert_eq!((status, second["refresh_token"].as_str()), (200, Some(token)));
    assert!(second["refresh_token_expires_in"].as_u64().unwrap() <= 31_536_000 - 1000);
    linkedin.advance(Duration::from_secs(31_536_000));
    assert_eq!(refresh(&client, token).await.1["error"], "invalid_grant");
    linkedin.set(|knobs| knobs.refresh_tokens = false);
    let told = consent(&client, "openid").await;
    assert!(exchange(&client, &told["code"], "li_client_secret", BACK).await.1.get("refresh_token").is_none());
}

#[tokio::test]
async fn dead_tokens_are_told_apart() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, &linkedin.token(ALL, 60));
    assert_eq!(code(&Client::of(&linkedin, "").get("/v2/userinfo").await), (401, "EMPTY_ACCESS_TOKEN"));
    assert_eq!(code(&Client::of(&linkedin, "x").get("/v2/userinfo").await), (401, "INVALID_ACCESS_TOKEN"));
    linkedin.advance(Duration::from_secs(61));
    assert_eq!(client.get("/v2/userinfo").await.1["serviceErrorCode"], 65_602);
    let client = Client::of(&linkedin, &linkedin.token(ALL, 60));
    let status = || async {
        let fields = [("client_id", "li_client_id"), ("client_secret", "li_client_secret"), ("token", client.token.as_str())];
        Client::of(&linkedin, "").form("/oauth/v2/introspectToken", &fields).await.1
    };
    assert_eq!(status().await["active"], true);
    linkedin.revoke();
    assert_eq!(code(&client.get("/v2/userinfo").await), (401, "REVOKED_ACCESS_TOKEN"));
    assert_eq!((&status().await["active"], &status().await["status"]), (&json!(false), &json!("revoked")));
}

#[tokio::test]
async fn the_headers_of_rest_are_wanted() {
    let linkedin = LinkedIn::start().await;
    let client = Client::of(&linkedin, &linkedin.token(ALL, 60));
    let path = "/rest/organizations/5590506";
    let with = |version: &'static str, protocol: &'static str| {
        let mut request = client.bare(Method::GET, path);
        for (name, value) in [("linkedin-version", version), ("x-restli-protocol-version", protocol)] {
            request = if value.is_empty() { request } else { request.header(name, value) };
        }
        answer(request)
    };
    assert_eq!(code(&with("", "2.0.0").await), (400, "VERSION_MISSING"));
    assert_eq!(code(&with("202401", "").await), (400, "ILLEGAL_ARGUMENT"));
    for version in ["202413", "2024-01", "v202401"] {
        assert_eq!(code(&with(version, "2.0.0").await), (426, "NONEXISTENT_VERSION"), "{version}");
    }
    assert_eq!(with("202401", "2.0.0").await.0, 200);
    linkedin.set(|knobs| knobs.retired_versions = vec!["202401".into()]);
    assert_eq!(code(&with("202401", "2.0.0").await), (426, "NONEXISTENT_VERSION"));
    assert_eq!(with("202607", "2.0.0").await.0, 200);
}
