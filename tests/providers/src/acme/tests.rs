use serde_json::{Value, json};

use super::{Acme, TOKEN, signature};
use crate::failures::{Failure, Moment};
use crate::hook::{Hook, client};

async fn ask(acme: &Acme, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", acme.url());
    let response = client().request(method.parse().unwrap(), url).bearer_auth(token).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn messages_are_taken_of_whoever_has_the_token_for_whoever_can_be_reached() {
    let acme = Acme::start().await;
    assert_eq!(ask(&acme, "another", "GET", "/v1/me", json!({})).await.0, 401);
    let (status, answer) = ask(&acme, TOKEN, "POST", "/v1/messages", json!({"to": "user_7", "text": "Hi"})).await;
    assert_eq!((status, &answer["id"]), (201, &acme.sent()[0]["id"]));
    for (to, status, code) in [
        ("unknown_1", 404, "unknown_recipient"),
        ("blocked_1", 403, "blocked"),
        ("silent_1", 409, "window_closed"),
        ("", 422, "invalid_field"),
    ] {
        let answer = ask(&acme, TOKEN, "POST", "/v1/messages", json!({"to": to, "text": "Hi"})).await;
        assert_eq!((answer.0, answer.1["error"]["code"].as_str()), (status, Some(code)));
    }
    assert_eq!(acme.sent().len(), 1);
}

#[tokio::test]
async fn a_planned_failure_is_told_with_its_wait_and_a_cut_one_has_sent() {
    let acme = Acme::start().await;
    let limited = Failure::error("POST /v1/messages", 429, "too_many_requests");
    acme.fail(Failure { parameters: Some(json!({"retry_after": 3})), ..limited });
    acme.fail(Failure::cut("POST /v1/messages", Moment::After));
    let send =
        || client().post(format!("{}/v1/messages", acme.url())).bearer_auth(TOKEN).json(&json!({"to": "user_7", "text": "Hi"})).send();
    let refused = send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    assert!(send().await.is_err());
    assert_eq!(acme.sent().len(), 1);
}

#[tokio::test]
async fn events_are_signed_with_the_secret_that_came_with_the_webhook() {
    let (acme, hook) = (Acme::start().await, Hook::start().await);
    assert!(!acme.say("user_7", "Mona", "Hi").await.0.delivered, "there is nowhere to deliver to");
    ask(&acme, TOKEN, "PUT", "/v1/webhook", json!({"url": hook.url, "secret": "s3"})).await;
    let (delivery, id) = acme.say("user_7", "Mona", "Hi").await;
    assert!(delivery.delivered);
    let got = &hook.wait_for(1).await[0];
    assert_eq!(got.header("x-acme-signature"), signature("s3", got.body.as_bytes()));
    assert_eq!(got.json()["events"][0]["message"]["id"], json!(id));
}
