//! The server as its users meet it: over HTTP.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;

const A: &str = "a.myshopify.com";
const B: &str = "b.myshopify.com";
const TOKEN: &str = "shpat_standin_a";
const GRAPHQL: &str = "/admin/api/2026-07/graphql.json";

fn client() -> reqwest::Client {
    // Where the whole workspace is built, reqwest has TLS without a provider of its own.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().build().unwrap()
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

async fn got(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Got { status, headers, body: serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default() }
}

async fn ask_as(shopify: &Shopify, token: &str, path: &str, query: &str, variables: Value) -> Got {
    let url = format!("{}{path}", shopify.url());
    got(client().post(url).header("host", A).header("x-shopify-access-token", token).json(&json!({"query": query, "variables": variables})))
        .await
}

async fn ask(shopify: &Shopify, query: &str, variables: Value) -> Value {
    let got = ask_as(shopify, TOKEN, GRAPHQL, query, variables).await;
    assert_eq!(got.status, 200);
    got.body
}

const CREATE: &str = "mutation($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, \
                      webhookSubscription: $hook) { webhookSubscription { id uri topic } userErrors { field message } } }";

async fn subscribe(shopify: &Shopify, topic: &str, uri: &str) -> Value {
    let answer = ask(shopify, CREATE, json!({"topic": topic, "hook": {"uri": uri, "format": "JSON"}})).await;
    answer["data"]["webhookSubscriptionCreate"].clone()
}

async fn mint(shopify: &Shopify, shop: &str, id: &str, secret: &str, form: bool) -> Got {
    let fields = json!({"client_id": id, "client_secret": secret, "grant_type": "client_credentials"});
    let request = client().post(format!("{}/admin/oauth/access_token", shopify.shop_url(shop)));
    got(if form { request.form(&fields) } else { request.json(&fields) }).await
}

async fn send(shopify: &Shopify, conversation: &str, key: &str, text: &str) -> Got {
    let request = client().post(format!("{}/conversations/{conversation}/messages", shopify.url()));
    let body = json!({"shop": A, "message": {"id": key, "body": text, "attachments": [], "author": {"name": "Agent"}}});
    got(request.header("x-shopify-access-token", TOKEN).header("idempotency-key", key).json(&body)).await
}

type Seen = Vec<(HeaderMap, Vec<u8>)>;

/// What was posted, and with what it is answered.
#[derive(Debug, Default, Clone)]
struct Hook {
    seen: Arc<Mutex<Seen>>,
    refuse: Arc<Mutex<usize>>,
}

impl Hook {
    async fn start() -> (Self, String) {
        let hook = Self::default();
        let router = Router::new().route("/hook", routing::post(Self::take)).with_state(hook.clone());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let address = crate::server::listen(address, router, tokio_util::sync::CancellationToken::new()).await.unwrap();
        (hook, format!("http://{address}/hook"))
    }

    async fn take(State(hook): State<Self>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
        hook.seen.lock().push((headers, body.to_vec()));
        let mut refuse = hook.refuse.lock();
        if *refuse == 0 {
            return StatusCode::OK;
        }
        *refuse -= 1;
        StatusCode::SERVICE_UNAVAILABLE
    }

    async fn wait(&self, count: usize) -> Seen {
        for _ in 0..500 {
            if self.seen.lock().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.seen.lock().clone()
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[test]
fn the_signature_is_the_golden_one() {
    let body = br#"{"id":820982911946154508,"note":"h\u00e9llo \u0026 bye"}"#;
    assert_eq!(signature("shp_client_secret", body), "S1xoM5M4CigyG0yvRuFCLZuf7Jhd/+ivuC4f+0RuRK0=");
}

#[tokio::test]
async fn tokens_are_minted_for_the_right_secret_and_end() {
    let shopify = Shopify::start().await;
    for form in [false, true] {
        let got = mint(&shopify, A, "shp_client_a", "shp_client_secret", form).await;
        assert_eq!((got.status, &got.body["expires_in"]), (200, &json!(86_399)));
        assert!(got.body["scope"].as_str().unwrap().contains("read_customers"));
    }
    for (shop, id, secret, status) in [
        (A, "shp_client_a", "wrong", 401),
        (A, "shp_client_b", "shp_client_secret_b", 400),
        (B, "shp_client_a", "shp_client_secret", 400),
        ("c.myshopify.com", "x", "y", 404),
    ] {
        assert_eq!(mint(&shopify, shop, id, secret, false).await.status, status, "{shop} {id}");
    }
    shopify.set(|knobs| knobs.token_life_s = 60);
    let token = mint(&shopify, A, "shp_client_a", "shp_client_secret", false).await.body["access_token"].as_str().unwrap().to_owned();
    let status = async |token: &str| ask_as(&shopify, token, GRAPHQL, "{ shop { name } }", Value::Null).await.status;
    assert_eq!((status(&token).await, status("shpat_standin_b").await, status("").await), (200, 401, 401));
    shopify.advance(Duration::from_secs(61));
    assert_eq!(status(&token).await, 401);
    let again = mint(&shopify, A, "shp_client_a", "shp_client_secret", false).await.body["access_token"].as_str().unwrap().to_owned();
    shopify.expire_tokens();
    assert_eq!((status(&again).await, status(TOKEN).await), (401, 200));
    assert_eq!(shopify.requests_of("POST access_token")[0].account, A);
}

#[tokio::test]
async fn the_shop_and_the_scopes_are_told_as_they_are_asked_for() {
    let shopify = Shopify::start().await;
    let answer =
        ask(&shopify, "{ shop { id name myshopifyDomain } currentAppInstallation { accessScopes { handle } } }", Value::Null).await;
    assert_eq!(answer["data"]["shop"], json!({"id": "gid://shopify/Shop/548380001", "name": "Shop A", "myshopifyDomain": A}));
    assert_eq!(answer["data"]["currentAppInstallation"]["accessScopes"][0], json!({"handle": "read_customers"}));
    assert!(answer["extensions"]["cost"]["throttleStatus"]["restoreRate"].is_number());
    for wrong in ["{ shop }", "{ shop { inbox { id } } }", "{ conversations { id } }", "mutation { send { id } }", "{ shop { name }"] {
        assert!(ask(&shopify, wrong, Value::Null).await["errors"][0]["message"].is_string(), "{wrong}");
    }
    let plain = client().post(format!("{}{GRAPHQL}", shopify.shop_url(A))).header("x-shopify-access-token", TOKEN).body("{}");
    assert_eq!(got(plain).await.status, 400);
}

#[tokio::test]
async fn an_old_version_falls_forward_to_the_oldest_one() {
    let shopify = Shopify::start().await;
    for (asked, served) in [("2026-07", "2026-07"), ("2023-01", "2025-07"), ("2031-01", "2025-07")] {
        let got = ask_as(&shopify, TOKEN, &format!("/admin/api/{asked}/graphql.json"), "{ shop { name } }", Value::Null).await;
        assert_eq!((got.status, header(&got.headers, "x-shopify-api-version").as_str()), (200, served));
    }
    assert_eq!(ask_as(&shopify, TOKEN, "/admin/api/latest/graphql.json", "{ shop { name } }", Value::Null).await.status, 404);
}

#[tokio::test]
async fn webhooks_are_subscribed_listed_deleted_and_dropped() {
    let shopify = Shopify::start().await;
    let made = subscribe(&shopify, "APP_UNINSTALLED", "https://gateway.example/hook").await;
    assert_eq!(made["userErrors"], json!([]));
    let id = made["webhookSubscription"]["id"].clone();
    assert!(
        subscribe(&shopify, "APP_UNINSTALLED", "https://gateway.example/hook").await["userErrors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("taken")
    );
    for (topic, uri) in [
        ("APP_UNINSTALLED", "http://gateway.example/x"),
        ("APP_UNINSTALLED", "nowhere"),
        ("PRODUCTS_UPDATE", "https://gateway.example/hook"),
    ] {
        let refused = subscribe(&shopify, topic, uri).await;
        assert!(refused["webhookSubscription"].is_null() && refused["userErrors"][0]["message"].is_string(), "{topic} {uri}");
    }
    let unknown = ask(&shopify, CREATE, json!({"topic": "INBOX_MESSAGE", "hook": {"uri": "https://x.example"}})).await;
    assert!(unknown["errors"][0]["message"].as_str().unwrap().contains("topic"));
    let older = "mutation { webhookSubscriptionCreate(topic: SHOP_UPDATE, webhookSubscription: {callbackUrl: \"https://gateway.example/hook\", format: JSON}) { userErrors { field } } }";
    assert_eq!(ask(&shopify, older, Value::Null).await["data"]["webhookSubscriptionCreate"]["userErrors"], json!([]));

    let list = "{ webhookSubscriptions(first: 1) { edges { node { id topic endpoint { __typename ... on WebhookHttpEndpoint { callbackUrl } } } } pageInfo { hasNextPage endCursor } } }";
    let page = ask(&shopify, list, Value::Null).await["data"]["webhookSubscriptions"].clone();
    let node = json!({"id": id, "topic": "APP_UNINSTALLED", "endpoint": {"__typename": "WebhookHttpEndpoint", "callbackUrl": "https://gateway.example/hook"}});
    assert_eq!(page, json!({"edges": [{"node": node}], "pageInfo": {"hasNextPage": true, "endCursor": id}}));
    let next = "query($after: String) { webhookSubscriptions(first: 5, after: $after, topics: [SHOP_UPDATE]) { nodes { topic } } }";
    assert_eq!(
        ask(&shopify, next, json!({"after": null})).await["data"]["webhookSubscriptions"]["nodes"],
        json!([{"topic": "SHOP_UPDATE"}])
    );

    let delete = "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }";
    let deleted = ask(&shopify, delete, json!({"id": id})).await["data"]["webhookSubscriptionDelete"].clone();
    assert_eq!(deleted, json!({"deletedWebhookSubscriptionId": id, "userErrors": []}));
    let again = ask(&shopify, delete, json!({"id": id})).await["data"]["webhookSubscriptionDelete"].clone();
    assert_eq!(again["userErrors"][0]["message"], "Webhook subscription does not exist");

    assert_eq!((shopify.drop_subscriptions(A), shopify.subscriptions(A).len()), (1, 0));
    shopify.set(|knobs| knobs.forget_subscriptions = true);
    assert_eq!(subscribe(&shopify, "APP_UNINSTALLED", "https://gateway.example/hook").await["userErrors"], json!([]));
    assert_eq!(shopify.subscriptions(A), []);
}

#[tokio::test]
async fn throttling_is_an_answer_of_status_200() {
    let shopify = Shopify::start().await;
    shopify.set(|knobs| knobs.throttle = 1);
    let throttled = ask(&shopify, "{ shop { name } }", Value::Null).await;
    assert_eq!(throttled["errors"][0]["extensions"]["code"], "THROTTLED");
    assert_eq!(throttled["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"], 0.0);
    assert!(ask(&shopify, "{ shop { name } }", Value::Null).await["data"].is_object());
    let numbers = json!({"requested": 150, "available": 50, "restore_rate": 50});
    shopify.fail(Failure { parameters: Some(numbers), ..Failure::error("POST graphql", 200, "THROTTLED") });
    assert_eq!(ask(&shopify, "{ shop { name } }", Value::Null).await["extensions"]["cost"]["requestedQueryCost"], 150.0);
    shopify.fail(Failure { parameters: Some(json!({"retry_after": 3})), ..Failure::error("POST graphql", 429, "slow") });
    let got = ask_as(&shopify, TOKEN, GRAPHQL, "{ shop { name } }", Value::Null).await;
    assert_eq!((got.status, header(&got.headers, "retry-after").as_str()), (429, "3"));
}

#[tokio::test]
async fn a_shop_that_cannot_be_reached_says_why() {
    let shopify = Shopify::start().await;
    for (standing, status) in [(Standing::Frozen, 402), (Standing::Locked, 423), (Standing::Gone, 404)] {
        shopify.set_shop(Shop { standing, ..shopify.shop(A).unwrap() });
        assert_eq!(ask_as(&shopify, TOKEN, GRAPHQL, "{ shop { name } }", Value::Null).await.status, status);
        assert_eq!(send(&shopify, "conv_9", "k1", "Hi").await.status, status);
    }
}

#[tokio::test]
async fn a_message_is_taken_once_however_often_it_is_sent() {
    let shopify = Shopify::start().await;
    let first = send(&shopify, "conv_9", "k1", "Hi").await;
    let second = send(&shopify, "conv_9", "k1", "Hi").await;
    assert_eq!((first.status, second.status, &first.body), (201, 201, &second.body));
    assert_eq!(send(&shopify, "conv_9", "k1", "Other").await.status, 422);
    assert_eq!(shopify.sent(A).len(), 1);
    for (key, text) in [("k2", String::new()), ("k3", "x".repeat(4001)), ("", "Hi".into())] {
        assert_eq!(send(&shopify, "conv_9", key, &text).await.status, 422, "{key}");
    }
    let request = |token: &str, shop: &str| {
        let body = json!({"shop": shop, "message": {"id": "m", "body": "Hi"}});
        client()
            .post(format!("{}/conversations/c/messages", shopify.url()))
            .header("x-shopify-access-token", token)
            .header("idempotency-key", "m")
            .json(&body)
    };
    assert_eq!((got(request("shpat_x", A)).await.status, got(request(TOKEN, B)).await.status), (401, 403));
}

#[tokio::test]
async fn conversations_that_end_in_a_status_meet_it() {
    let shopify = Shopify::start().await;
    for status in [401, 402, 403, 404, 409, 422, 423, 429, 500, 502, 503] {
        let got = send(&shopify, &format!("conv_{status}"), &format!("k{status}"), "Hi").await;
        assert_eq!(got.status, status);
        assert_eq!(got.headers.contains_key("retry-after"), status == 429);
    }
    shopify.close_conversation(A, "conv_9");
    let closed = send(&shopify, "conv_9", "k9", "Hi").await;
    assert_eq!((closed.status, &closed.body["error"]), (409, &json!("conversation_closed")));
    shopify.set(|knobs| knobs.strict_conversations = true);
    assert_eq!(send(&shopify, "conv_7", "k7", "Hi").await.status, 404);
    assert_eq!(shopify.sent(A), []);
}

#[tokio::test]
async fn what_customers_write_is_pushed_signed_and_again_until_it_is_taken() {
    let shopify = Shopify::start_with(Options { webhook_gap: Duration::from_millis(5), ..Options::default() }).await.unwrap();
    let (hook, url) = Hook::start().await;
    assert!(!shopify.say(A, "conv_9", 7001, "Mona", "Hi").await.delivered);
    shopify.set_webhook(A, &url);
    *hook.refuse.lock() = 2;
    let delivery = shopify.say(A, "conv_9", 7001, "Mona", "Hi").await;
    assert_eq!((delivery.delivered, delivery.status), (false, Some(503)));
    let seen = hook.wait(3).await;
    for (headers, body) in &seen {
        assert_eq!(header(headers, "x-shopify-hmac-sha256"), signature("shp_client_secret", body));
        assert_eq!(header(headers, "x-shopify-webhook-id"), delivery.webhook_id);
        assert_eq!(
            (header(headers, "x-shopify-topic"), header(headers, "x-shopify-shop-domain")),
            ("inbox/message_created".into(), A.into())
        );
        for name in ["x-shopify-api-version", "x-shopify-event-id", "x-shopify-triggered-at"] {
            assert!(!header(headers, name).is_empty(), "{name}");
        }
    }
    let body: Value = serde_json::from_slice(&seen[0].1).unwrap();
    assert_eq!(
        (&body["message"]["body"], &body["customer"]["id"], &body["conversation"]["id"]),
        (&json!("Hi"), &json!(7001), &json!("conv_9"))
    );

    shopify.set_shop(Shop { previous_secret: Some("old".into()), ..shopify.shop(A).unwrap() });
    shopify.set(|knobs| (knobs.old_secret, knobs.bare_headers) = (true, true));
    assert!(shopify.deliver(A, "inbox-closed").await.unwrap().delivered);
    let (headers, body) = hook.wait(4).await.pop().unwrap();
    assert_eq!(header(&headers, "shopify-hmac-sha256"), signature("old", &body));
    assert_eq!(send(&shopify, "conv_9", "k1", "Hi").await.status, 409);
}

#[tokio::test]
async fn a_webhook_that_is_never_taken_ends_its_subscription() {
    let options = Options { webhook_gap: Duration::from_millis(1), webhook_retries: 3, ..Options::default() };
    let shopify = Shopify::start_with(options).await.unwrap();
    let (hook, url) = Hook::start().await;
    subscribe(&shopify, "SHOP_UPDATE", &url).await;
    *hook.refuse.lock() = 99;
    shopify.push(A, "shop/update", &json!({"id": 1})).await;
    assert_eq!(hook.wait(4).await.len(), 4);
    for _ in 0..500 {
        if shopify.subscriptions(A).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still there");
}

#[tokio::test]
async fn statuses_follow_and_who_uninstalls_ends_it_all() {
    let shopify = Shopify::start().await;
    let (hook, url) = Hook::start().await;
    subscribe(&shopify, "APP_UNINSTALLED", &url).await;
    shopify.set(|knobs| knobs.statuses = true);
    // Without a webhook of the chat's own its events go where the shop's do.
    let id = send(&shopify, "conv_9", "k1", "Hi").await.body["message"]["id"].clone();
    let told: Vec<Value> =
        hook.wait(2).await.iter().map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap()["message"].take()).collect();
    assert_eq!(told.iter().map(|message| message["status"].as_str().unwrap()).collect::<Vec<_>>(), ["delivered", "read"]);
    assert!(told.iter().all(|message| message["id"] == id));
    assert!(shopify.uninstall(A).await.delivered);
    assert_eq!(header(&hook.wait(3).await[2].0, "x-shopify-topic"), "app/uninstalled");
    assert_eq!((shopify.subscriptions(A).len(), send(&shopify, "conv_9", "k2", "Hi").await.status), (0, 401));
}

#[tokio::test]
async fn failures_are_planned_and_all_of_it_can_be_done_with_curl() {
    let shopify = Shopify::start().await;
    let (hook, url) = Hook::start().await;
    let control = |path: &str, body: Value| got(client().post(format!("{}/_standin/{path}", shopify.url())).body(body.to_string()));
    assert_eq!(control("failures", json!({"method": "POST messages", "chat": "conv_9", "break": "after"})).await.status, 200);
    let request = client().post(format!("{}/conversations/conv_9/messages", shopify.url()));
    let body = json!({"shop": A, "message": {"id": "k1", "body": "Hi"}});
    assert!(request.header("x-shopify-access-token", TOKEN).header("idempotency-key", "k1").json(&body).send().await.is_err());
    assert_eq!(shopify.sent(A).len(), 1);
    assert_eq!(control("webhook", json!({"url": url})).await.body["shop"], A);
    assert_eq!(control("say", json!({"text": "Hi"})).await.body["delivered"], true);
    assert_eq!(control("status", json!({"id": "msg_out_1", "status": "read"})).await.body["topic"], "inbox/message_status");
    assert_eq!(control("samples/inbox-image", json!({})).await.body["delivered"], true);
    assert_eq!(control("close", json!({})).await.body["delivered"], true);
    assert_eq!(hook.wait(4).await.len(), 4);
    assert_eq!(control("shops", json!({"domain": "c.myshopify.com", "admin_token": "shpat_c"})).await.body["admin_token"], "shpat_c");
    assert_eq!(control("knobs", json!({"throttle": 2})).await.body["throttle"], 2);
    assert_eq!(
        (control("knobs", json!({"magic": 2})).await.status, control("say", json!({"shop": "x", "text": "y"})).await.status),
        (400, 404)
    );
    for topic in ["drop", "expire", "uninstall"] {
        assert_eq!(control(topic, json!({})).await.status, 200, "{topic}");
    }
    let overview = got(client().get(format!("{}/_standin", shopify.url()))).await;
    assert_eq!(overview.body["provider"], "shopify");
}
