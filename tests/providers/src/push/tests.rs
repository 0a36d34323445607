//! The server as its users meet it: over HTTP.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::RETRY_AFTER;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::Moment;
use crate::clock::{DAY_S, now_s};
use crate::hook::client;

/// RFC 8291, section 5.
const PLAINTEXT: &str = "When I grow up, I want to be a watermelon";
const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
const PRIVATE_KEY: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
const PUBLIC_KEY: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

fn of_the_rfc(service: Service, id: &str) -> New {
    New { service, id: Some(id.into()), private_key: Some(PRIVATE_KEY.into()), auth: Some(AUTH.into()), ..New::default() }
}

fn body() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(BODY).unwrap()
}

/// An application that pushes.
struct Application {
    pair: EcdsaKeyPair,
    http: reqwest::Client,
}

impl Application {
    fn new() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap();
        Self { pair, http: client() }
    }

    fn key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    fn authorization(&self, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({"typ": "JWT", "alg": "ES256"})), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature), self.key())
    }

    /// A push as it should be.
    fn push(&self, subscription: &Subscription) -> reqwest::RequestBuilder {
        self.push_as(subscription, &json!({}))
    }

    /// With other claims.
    fn push_as(&self, subscription: &Subscription, changes: &Value) -> reqwest::RequestBuilder {
        let endpoint = url::Url::parse(&subscription.endpoint).unwrap();
        let mut claims =
            json!({"aud": endpoint.origin().ascii_serialization(), "exp": now_s() + DAY_S / 2, "sub": "mailto:push@example.com"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let request = self.http.post(endpoint).header("ttl", "60").header("content-encoding", "aes128gcm");
        request.header("authorization", self.authorization(&claims)).body(body())
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[test]
fn the_body_of_the_rfc_is_read_by_its_browser_alone() {
    assert_eq!(envelope::public_key(PRIVATE_KEY).unwrap(), PUBLIC_KEY);
    assert_eq!(decrypt(PRIVATE_KEY, AUTH, &body()).unwrap(), PLAINTEXT.as_bytes());
    let another = envelope::make_private_key();
    assert!(decrypt(&another, AUTH, &body()).is_err());
    let mut changed = body();
    *changed.last_mut().unwrap() ^= 1;
    assert!(decrypt(PRIVATE_KEY, AUTH, &changed).is_err());
}

#[test]
fn http_ece_seals_what_this_opens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = folder.parent().unwrap().join("target/push/bin/python");
    assert!(python.exists(), "{} is missing: run `make install`, which puts http_ece there", python.display());
    let text = "Größe: ناس, 40 €".repeat(40);
    let sealing = json!({"seal": {"p256dh": PUBLIC_KEY, "auth": AUTH, "text": text}});
    let output = Command::new(python).arg(folder.join("it/harness/ece.py")).arg(sealing.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sealed = URL_SAFE_NO_PAD.decode(String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    assert_eq!(decrypt(PRIVATE_KEY, AUTH, &sealed).unwrap(), text.as_bytes());
}

#[tokio::test]
async fn a_push_is_taken_and_read() {
    let push = Push::start().await;
    let application = Application::new();
    for service in [Service::Plain, Service::Fcm, Service::Mozilla, Service::Apple] {
        let subscription = push.subscribe_with(of_the_rfc(service, service.name())).unwrap();
        let request = application.push(&subscription).header("urgency", "high").header("topic", "cart_4-2");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let received = push.received_for(service.name());
        let [received] = received.as_slice() else { panic!("{received:?}") };
        assert_eq!((received.ttl, received.urgency.as_str(), received.topic.as_deref()), (60, "high", Some("cart_4-2")));
        assert_eq!((received.plaintext.as_deref(), received.location.as_str()), (Some(PLAINTEXT), location.as_str()));
        assert_eq!((received.key.as_str(), received.body.as_ref()), (application.key().as_str(), body().as_slice()));
    }
}

#[tokio::test]
async fn a_push_that_is_said_wrongly_is_refused() {
    let push = Push::start().await;
    let application = Application::new();
    let subscription = push.subscribe(Service::Plain);
    let replaced = |name: &'static str, value: &'static str| {
        let mut request = application.push(&subscription).build().unwrap();
        request.headers_mut().remove(name);
        if !value.is_empty() {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        application.http.execute(request)
    };
    for (name, value, status) in [
        ("ttl", "", 400),
        ("ttl", "-1", 400),
        ("ttl", "+60", 400),
        ("ttl", "1.5", 400),
        ("ttl", "2419201", 400),
        ("ttl", "2419200", 201),
        ("ttl", "0", 201),
        ("urgency", "urgent", 400),
        ("urgency", "very-low", 201),
        ("topic", "123456789012345678901234567890123", 400),
        ("topic", "12345678901234567890123456789012", 201),
        ("topic", "a.b", 400),
        ("content-encoding", "", 415),
        ("content-encoding", "aesgcm", 415),
        ("authorization", "", 401),
        ("authorization", "WebPush abc", 401),
        ("authorization", "vapid t=a.b.c", 401),
    ] {
        assert_eq!(replaced(name, value).await.unwrap().status(), status, "{name}: {value}");
    }
    let with = |change: fn(&mut Vec<u8>)| {
        let mut body = body();
        change(&mut body);
        answered(application.push(&subscription).body(body))
    };
    assert_eq!(with(|body| body.resize(4097, 7)).await.0, 413);
    assert_eq!(with(|body| body.resize(4096, 7)).await.0, 201);
    for (what, spoil) in [
        ("short", (|body| body.truncate(20)) as fn(&mut Vec<u8>)),
        ("no record", |body| body.truncate(86)),
        ("record size", |body| body[16..20].copy_from_slice(&17_u32.to_be_bytes())),
        ("many records", |body| body[16..20].copy_from_slice(&25_u32.to_be_bytes())),
        ("id's length", |body| body[20] = 0),
        ("no point", |body| body[40] ^= 1),
    ] {
        assert_eq!(with(spoil).await.0, 400, "{what}");
    }
}

#[tokio::test]
async fn a_token_for_something_else_is_refused() {
    let push = Push::start().await;
    let (application, another) = (Application::new(), Application::new());
    let subscription = push.subscribe(Service::Mozilla);
    for claims in [
        json!({"aud": "https://example.com"}),
        json!({"aud": format!("{}/", push.url())}),
        json!({"exp": now_s() - 1}),
        json!({"exp": now_s() + DAY_S + 60}),
        json!({"exp": "soon"}),
        json!({"sub": "push@example.com"}),
        json!({"sub": null}),
    ] {
        let (status, text) = answered(application.push_as(&subscription, &claims)).await;
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, told["errno"].as_u64()), (401, Some(109)), "{claims}: {text}");
    }
    let mut forged = application.push(&subscription).build().unwrap();
    let value = forged.headers()["authorization"].to_str().unwrap().replace(&application.key(), &another.key());
    forged.headers_mut().insert("authorization", value.parse().unwrap());
    assert_eq!(application.http.execute(forged).await.unwrap().status(), 401);
    assert!(push.received().is_empty());

    let apple = push.subscribe(Service::Apple);
    let refused = answered(application.push_as(&apple, &json!({"sub": "mailto:admin@localhost"}))).await;
    assert_eq!(refused, (403, "{\"reason\":\"BadJwtToken\"}".into()));
}

#[tokio::test]
async fn a_subscription_lets_one_application_in() {
    let push = Push::start().await;
    let (application, another) = (Application::new(), Application::new());
    let bound = push.subscribe_with(New { application_server_key: Some(application.key()), ..New::default() }).unwrap();
    let (status, text) = answered(another.push(&bound)).await;
    assert!(status == 403 && text.contains("do not correspond"), "{status} {text}");
    assert_eq!(answered(application.push(&bound)).await.0, 201);
    let open = push.subscribe(Service::Fcm);
    assert_eq!(answered(another.push(&open)).await.0, 201);
    assert_eq!(answered(application.push(&open)).await.0, 403);
}

#[tokio::test]
async fn the_address_of_a_real_service_is_its_origin() {
    let push = Push::start().await;
    let application = Application::new();
    for (service, host) in [(Service::Fcm, "fcm.googleapis.com"), (Service::Apple, "web.push.apple.com")] {
        let new = New { real_host: true, ..of_the_rfc(service, host) };
        let subscription = push.subscribe_with(new).unwrap();
        assert!(subscription.endpoint.starts_with(&format!("https://{host}/")), "{}", subscription.endpoint);
        let mut request = application.push(&subscription).header("host", host).build().unwrap();
        *request.url_mut() = url::Url::parse(&subscription.endpoint.replace(&format!("https://{host}"), &push.url())).unwrap();
        assert_eq!(application.http.execute(request).await.unwrap().status(), 201, "{host}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_each_services_own_way() {
    let push = Push::start().await;
    let application = Application::new();
    let gone = push.subscribe(Service::Apple);
    push.drop_subscription(&gone.id);
    assert_eq!(answered(application.push(&gone)).await, (410, "{\"reason\":\"Unregistered\"}".into()));
    let magic = push.subscribe_with(New { service: Service::Mozilla, id: Some("phone_404".into()), ..New::default() }).unwrap();
    let (status, text) = answered(application.push(&magic)).await;
    assert!(status == 404 && text.contains("\"errno\":102"), "{status} {text}");
    let well = push.subscribe(Service::Fcm);
    push.fail_next(429, Some(7), 1);
    let busy = application.push(&well).send().await.unwrap();
    assert_eq!((busy.status().as_u16(), busy.headers()[RETRY_AFTER].to_str().unwrap()), (429, "7"));
    push.fail(Failure::status("POST push", 502));
    assert!(answered(application.push(&well)).await.1.contains("nginx"));
    push.fail(Failure::cut("POST push", Moment::After));
    application.push(&well).send().await.unwrap_err();
    assert_eq!(push.received_for(&well.id).len(), 1);
    assert_eq!(answered(application.push(&well)).await.0, 201);
    let unknown = Subscription { endpoint: format!("{}/wpush/nobody", push.url()), ..well };
    assert_eq!(answered(application.push(&unknown)).await.0, 404);
    assert!(push.requests().iter().all(|request| request.text("ttl") == "60"));
}

#[tokio::test]
async fn people_with_curl_make_subscriptions_and_read_what_came() {
    let push = Push::start().await;
    let application = Application::new();
    let post = |path: &str, body: Value| {
        let request = application.http.post(format!("{}{path}", push.url())).json(&body).send();
        async { request.await.unwrap().json::<Value>().await.unwrap() }
    };
    let made = post("/_standin/subscriptions", json!({"service": "fcm", "private_key": PRIVATE_KEY, "auth": AUTH})).await;
    assert_eq!(made["subscription"]["keys"], json!({"p256dh": PUBLIC_KEY, "auth": AUTH}), "{made}");
    let wrong = post("/_standin/subscriptions", json!({"private_key": "no"})).await;
    assert!(wrong["error"].as_str().unwrap().contains("private key"), "{wrong}");
    let subscription = push.subscription(made["id"].as_str().unwrap()).unwrap();
    assert_eq!(answered(application.push(&subscription)).await.0, 201);
    let received: Value =
        serde_json::from_str(&answered(application.http.get(format!("{}/_standin/received", push.url()))).await.1).unwrap();
    assert_eq!(received["received"][0]["plaintext"], PLAINTEXT, "{received}");
    let delete = application.http.delete(format!("{}/_standin/subscriptions/{}", push.url(), subscription.id));
    assert_eq!(answered(delete).await.0, 200);
    assert_eq!(answered(application.push(&subscription)).await.0, 410);
}
