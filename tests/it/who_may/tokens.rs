//! Tokens of an identity provider: by a secret that is shared, and by keys that it publishes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use super::{SECRET, Told, ask, encoded, now_s, token, token_by};
use crate::harness::{Database, Gateway, Settings, both};

const LIST: &str = "/rest/v1/channel_accounts";

async fn gateway(database: Database, lines: &[&str]) -> Gateway {
    let settings = Settings::default().without_plugin().line(&format!("auth.jwt.secret = {SECRET:?}"));
    Gateway::start(database, lines.iter().fold(settings, |settings, line| settings.line(line))).await
}

async fn bearer(gateway: &Gateway, path: &str, token: &str) -> Told {
    Told::of(ask(gateway, Method::GET, path).bearer_auth(token)).await
}

async fn both_headers(gateway: &Gateway, apikey: &str, token: &str) -> Told {
    Told::of(ask(gateway, Method::GET, LIST).header("apikey", apikey).bearer_auth(token)).await
}

fn user(organization: &str) -> Value {
    json!({"role": "authenticated", "app_metadata": {"organization_id": organization}, "email": "mona@example.com"})
}

async fn a_users_token_opens_its_own_organisation(database: Database) {
    let gateway = gateway(database, &[]).await;
    gateway.make_key(json!({"organization_id": "acme", "name": "x", "scope": "read"})).await;
    assert_eq!(bearer(&gateway, LIST, &token(&user("acme"))).await.status, 200);
    assert_eq!(Told::of(ask(&gateway, Method::GET, LIST).header("apikey", token(&user("acme")))).await.status, 200);
    let foreign = bearer(&gateway, &format!("{LIST}?organization_id=other"), &token(&user("acme"))).await;
    assert!(foreign.status == 403 || foreign.body() == json!([]), "{foreign:?}");
    // authenticated is send: not manage, not admin.
    let told = Told::of(ask(&gateway, Method::POST, LIST).bearer_auth(token(&user("acme"))).json(&json!({
        "organization_id": "acme", "name": "x", "type": "TELEGRAM"
    })))
    .await;
    assert_eq!(told.refused(403), "scope");
    assert!(told.text.contains("mona@example.com"), "{told:?}");
    assert_eq!(bearer(&gateway, "/rest/v1/api_keys", &token(&user("acme"))).await.refused(403), "scope");
    assert_eq!(bearer(&gateway, "/admin/v1/nodes", &token(&user("acme"))).await.refused(403), "scope");
}

async fn a_token_that_is_not_to_be_believed_is_told_why(database: Database) {
    let gateway = gateway(database, &["auth.jwt.audience = [\"gateway\"]", "auth.jwt.issuer = \"https://id.example.com\""]).await;
    let good = json!({"aud": "gateway", "iss": "https://id.example.com"});
    let with = |more: Value| {
        let mut claims = user("acme");
        for extra in [&good, &more] {
            claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        }
        claims
    };
    assert_eq!(bearer(&gateway, LIST, &token(&with(json!({})))).await.status, 200);
    let whole = token(&with(json!({})));
    let (text, _) = whole.rsplit_once('.').unwrap();
    let (_, payload) = text.split_once('.').unwrap();
    let none = format!("{}.{payload}.", encoded(&json!({"alg": "none"})));
    let hs512 = format!("{}.{payload}.{}", encoded(&json!({"alg": "HS512"})), whole.rsplit('.').next().unwrap());
    let cases = [
        (token_by(&with(json!({})), "another secret, of somebody who'd like in"), "PGRST301", "signature"),
        (format!("{text}.AAAA"), "PGRST301", "signature"),
        (none, "PGRST301", "no JWT"),
        (hs512, "PGRST301", "key"),
        ("a.b.c".to_owned(), "PGRST301", "no JWT"),
        (token(&with(json!({"exp": now_s() - 60}))), "PGRST303", "JWT expired"),
        (token(&with(json!({"exp": null}))), "PGRST303", "end"),
        (token(&with(json!({"nbf": now_s() + 600}))), "PGRST303", "not yet valid"),
        (token(&with(json!({"iat": now_s() + 600}))), "PGRST303", "issued at future"),
        (token(&with(json!({"aud": "another"}))), "PGRST303", "audience"),
        (token(&with(json!({"iss": "https://elsewhere.example.com"}))), "PGRST303", "issuer"),
        (token(&with(json!({"role": "postgres"}))), "PGRST303", "role"),
        (token(&with(json!({"app_metadata": {}}))), "PGRST303", "organisation"),
        (token(&with(json!({"organization_id": "a/b"}))), "PGRST303", "organisation"),
        (token(&with(json!({"role": "anon"}))), "PGRST302", "Anonymous"),
    ];
    for (token, code, word) in cases {
        let told = bearer(&gateway, LIST, &token).await;
        assert_eq!(told.refused(401), code, "{word}: {told:?}");
        assert!(told.body()["message"].as_str().unwrap().contains(word), "{word}: {told:?}");
        assert!(told.header("www-authenticate").starts_with("Bearer"), "{told:?}");
        assert!(!told.text.contains(&token), "a token isn't repeated: {told:?}");
    }
    let nobody = Told::of(ask(&gateway, Method::GET, LIST)).await;
    assert_eq!((nobody.refused(401).as_str(), nobody.header("www-authenticate")), ("PGRST302", "Bearer"));
}

async fn without_a_secret_tokens_are_refused(database: Database) {
    let gateway = Gateway::start(database, Settings::default().without_plugin()).await;
    let told = bearer(&gateway, LIST, &token(&user("acme"))).await;
    assert_eq!(told.refused(401), "PGRST301");
    assert!(told.text.contains("auth.jwt.secret"), "{told:?}");
}

/// As supabase-js sends them: the project's key in `apikey`, the user's token in `Authorization`.
async fn the_token_in_authorization_says_who_calls_and_the_apikey_has_to_be_valid(database: Database) {
    let gateway = gateway(database, &["auth.jwt.operator_roles = [\"service_role\"]"]).await;
    let (acme, _) = gateway.make_key(json!({"organization_id": "acme", "name": "x", "scope": "read"})).await;
    let (other, _) = gateway.make_key(json!({"organization_id": "other", "name": "x", "scope": "read"})).await;
    let (anon, service) = (token(&json!({"role": "anon"})), token(&json!({"role": "service_role"})));
    let mona = token(&user("acme"));
    for project in [&acme, &anon, &mona, &service, &gateway.key] {
        assert_eq!(both_headers(&gateway, project, &mona).await.status, 200, "{project}");
    }
    assert_eq!(both_headers(&gateway, &acme, &acme).await.status, 200, "the same key twice");
    assert_eq!(both_headers(&gateway, "pb_unknown", &mona).await.refused(401), "unauthorized");
    assert_eq!(
        both_headers(&gateway, &token_by(&json!({"role": "anon"}), "of another project, long enough"), &mona).await.refused(401),
        "PGRST301"
    );
    assert_eq!(both_headers(&gateway, &other, &mona).await.refused(401), "unauthorized", "another organisation's");
    assert_eq!(both_headers(&gateway, &anon, &anon).await.refused(401), "PGRST302", "nobody is signed in");
    // Who calls is whom Authorization says: the key beside it lends nothing.
    let told = Told::of(ask(&gateway, Method::GET, "/admin/v1/nodes").header("apikey", &gateway.key).bearer_auth(&mona)).await;
    assert_eq!(told.refused(403), "scope");
    assert_eq!(bearer(&gateway, "/admin/v1/nodes", &service).await.status, 200, "the operator's role");
    // A scheme that isn't ours leaves the apikey alone.
    let basic = Told::of(ask(&gateway, Method::GET, LIST).header("apikey", &acme).header("authorization", "Basic eDp5")).await;
    assert_eq!(basic.status, 200, "{basic:?}");
}

/// A provider that publishes keys, and may be away.
struct Provider {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(keys: Value) -> Provider {
        let (keys, asked) = (Arc::new(Mutex::new(Some(keys))), Arc::new(AtomicUsize::new(0)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let router = Router::new().route("/jwks.json", get(published)).with_state((Arc::clone(&keys), Arc::clone(&asked)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Provider { url, keys, asked }
    }
}

type Shared = (Arc<Mutex<Option<Value>>>, Arc<AtomicUsize>);

async fn published(State((keys, asked)): State<Shared>) -> Result<String, StatusCode> {
    asked.fetch_add(1, Ordering::SeqCst);
    keys.lock().unwrap().as_ref().map(Value::to_string).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// A token by that header, signed.
fn signed(header: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let mut claims = user("acme");
    claims["exp"] = json!(now_s() + 3600);
    let text = format!("{}.{}", encoded(header), encoded(&claims));
    let signature = sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn published_keys_are_fetched_once_and_go_on_while_the_provider_is_away(database: Database) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let elliptic = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let edwards = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let point = elliptic.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let public = edwards.public_key().as_ref();
    let provider = Provider::start(json!({"keys": [
        {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "ec-1", "alg": "ES256", "use": "sig"},
        {"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public), "kid": "ed-1"},
    ]}))
    .await;
    let settings = Settings::default().without_plugin().line(&format!("auth.jwt.jwks_url = {:?}", provider.url));
    let gateway = Gateway::start(database, settings).await;
    let es256 = |kid: &str| signed(&json!({"alg": "ES256", "kid": kid}), |text| elliptic.sign(&random, text).unwrap().as_ref().to_vec());
    let eddsa = || signed(&json!({"alg": "EdDSA", "kid": "ed-1"}), |text| edwards.sign(text).as_ref().to_vec());
    assert_eq!(bearer(&gateway, LIST, &es256("ec-1")).await.status, 200);
    assert_eq!(bearer(&gateway, LIST, &eddsa()).await.status, 200);
    let nameless = signed(&json!({"alg": "ES256"}), |text| elliptic.sign(&random, text).unwrap().as_ref().to_vec());
    assert_eq!(bearer(&gateway, LIST, &nameless).await.status, 200, "without a name each key of its algorithm is tried");
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1, "the keys are kept");

    // A name that nobody knows is asked for once in a while, whoever makes up how many.
    for n in 0..5 {
        let told = bearer(&gateway, LIST, &es256(&format!("made-up-{n}"))).await;
        assert_eq!(told.refused(401), "PGRST301");
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1, "they were fetched a moment ago");
    // What everybody may read is no secret.
    let confused = signed(&json!({"alg": "HS256", "kid": "ed-1"}), |text| {
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public), text).as_ref().to_vec()
    });
    assert_eq!(bearer(&gateway, LIST, &confused).await.refused(401), "PGRST301");
    let crossed = signed(&json!({"alg": "EdDSA", "kid": "ec-1"}), |text| elliptic.sign(&random, text).unwrap().as_ref().to_vec());
    assert_eq!(bearer(&gateway, LIST, &crossed).await.refused(401), "PGRST301");

    *provider.keys.lock().unwrap() = None;
    assert_eq!(bearer(&gateway, LIST, &es256("ec-1")).await.status, 200);
    assert_eq!(bearer(&gateway, LIST, &es256("new")).await.refused(401), "PGRST301");
}

async fn a_provider_that_was_never_there_is_no_fault_of_the_token(database: Database) {
    let settings = Settings::default().without_plugin().line("auth.jwt.jwks_url = \"http://127.0.0.1:9/jwks.json\"");
    let gateway = Gateway::start(database, settings).await;
    let told = bearer(&gateway, LIST, &signed(&json!({"alg": "EdDSA"}), |_| vec![0; 64])).await;
    assert_eq!(told.refused(503), "jwks_unavailable");
    assert_eq!(gateway.opens(&gateway.key).await, 200, "keys work meanwhile");
}

both! {
    a_users_token_opens_its_own_organisation,
    a_token_that_is_not_to_be_believed_is_told_why,
    without_a_secret_tokens_are_refused,
    the_token_in_authorization_says_who_calls_and_the_apikey_has_to_be_valid,
    published_keys_are_fetched_once_and_go_on_while_the_provider_is_away,
    a_provider_that_was_never_there_is_no_fault_of_the_token,
}
