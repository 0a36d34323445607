//! How often somebody may ask, and from which pages.

use reqwest::Method;
use serde_json::json;

use super::{SECRET, Told, ask, token};
use crate::harness::{Database, Gateway, Settings, both};

const LIST: &str = "/rest/v1/channel_accounts";

async fn gateway(database: Database, lines: &[&str]) -> Gateway {
    Gateway::start(database, lines.iter().fold(Settings::default().without_plugin(), |settings, line| settings.line(line))).await
}

async fn each_key_is_counted_and_told_where_it_stands(database: Database) {
    let secret = format!("auth.jwt.secret = {SECRET:?}");
    // One more a minute: none comes back while the test runs that it would see.
    let gateway = gateway(database, &["auth.requests_per_min = 3", &secret]).await;
    let (one, other) = (gateway.new_key("read", "acme"), gateway.new_key("read", "acme"));
    let list = async |key: &str| Told::of(ask(&gateway, Method::GET, LIST).header("apikey", key)).await;
    for left in ["2", "1", "0"] {
        let told = list(&one).await;
        assert_eq!((told.status, told.header("x-ratelimit-limit"), told.header("x-ratelimit-remaining")), (200, "3", left), "{told:?}");
        assert_eq!(told.header("ratelimit-policy"), "\"default\";q=3;w=60");
        assert!(told.header("ratelimit").starts_with(&format!("\"default\";r={left};t=")), "{told:?}");
    }
    let told = list(&one).await;
    assert_eq!((told.refused(429).as_str(), told.header("x-ratelimit-remaining")), ("too_many_requests", "0"));
    assert!((1..=60).contains(&told.header("retry-after").parse::<u64>().unwrap()), "{told:?}");
    assert_eq!(list(&other).await.header("x-ratelimit-remaining"), "2", "each key for itself");
    let mona = token(&json!({"role": "authenticated", "organization_id": "acme", "sub": "mona"}));
    let omar = token(&json!({"role": "authenticated", "organization_id": "acme", "sub": "omar"}));
    for (token, left) in [(&mona, "2"), (&mona, "1"), (&omar, "2")] {
        assert_eq!(list(token).await.header("x-ratelimit-remaining"), left, "each subject for itself");
    }
}

async fn who_fails_too_often_is_told_to_wait_and_who_is_somebody_is_let_in(database: Database) {
    let gateway = gateway(database, &["auth.failures_per_min = 2", "http.client_ip_header = \"x-real-ip\""]).await;
    let from = async |address: &str, key: &str| {
        Told::of(ask(&gateway, Method::GET, LIST).header("x-real-ip", address).header("apikey", key)).await
    };
    for _ in 0..2 {
        assert_eq!(from("192.0.2.1", "pb_wrong").await.refused(401), "unauthorized");
    }
    let told = from("192.0.2.1", "pb_wrong").await;
    assert_eq!(told.refused(429), "too_many_failures");
    assert!(told.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(from("192.0.2.1", &gateway.key).await.status, 200, "its neighbour isn't locked out");
    // Two addresses share a place once in 65,536 times; not all of these do.
    let mut others = Vec::new();
    for n in 2..8 {
        others.push(from(&format!("192.0.2.{n}"), "pb_wrong").await.status);
    }
    assert!(others.contains(&401), "{others:?}");
    assert_eq!(Told::of(ask(&gateway, Method::GET, "/metrics").header("x-real-ip", "192.0.2.1")).await.refused(429), "too_many_failures");
}

async fn pages_may_call_as_supabase_js_does(database: Database) {
    let gateway = gateway(database, &[]).await;
    let asked = "apikey,authorization,content-profile,content-type,idempotency-key,prefer,x-client-info";
    let preflight = ask(&gateway, Method::OPTIONS, &format!("{LIST}?select=*"))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", asked);
    let told = Told::of(preflight).await;
    assert_eq!((told.status, told.header("access-control-allow-origin")), (200, "*"), "{told:?}");
    assert_eq!((told.header("access-control-allow-headers"), told.header("access-control-max-age")), (asked, "86400"));
    for method in ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        assert!(told.header("access-control-allow-methods").split(',').any(|allowed| allowed == method), "{method}: {told:?}");
    }
    assert_eq!(told.header("access-control-allow-credentials"), "", "no cookie opens anything");
    // A refusal can be read too.
    for key in [gateway.key.as_str(), "pb_wrong"] {
        let told = Told::of(ask(&gateway, Method::GET, LIST).header("origin", "https://app.example.com").header("apikey", key)).await;
        assert_eq!(told.header("access-control-allow-origin"), "*", "{told:?}");
        let exposed = told.header("access-control-expose-headers").to_owned();
        for name in [
            "content-encoding",
            "content-location",
            "content-range",
            "content-type",
            "date",
            "location",
            "server",
            "transfer-encoding",
            "range-unit",
            "retry-after",
            "ratelimit",
            "x-ratelimit-remaining",
            "idempotency-replayed",
        ] {
            assert!(exposed.split(',').any(|told| told == name), "{name} in {exposed}");
        }
    }
}

async fn the_operator_lists_whose_pages_may_call(database: Database) {
    let gateway = gateway(database, &["http.cors_origins = [\"https://app.example.com\"]"]).await;
    let from =
        async |origin: &str| Told::of(ask(&gateway, Method::GET, LIST).header("origin", origin).header("apikey", &gateway.key)).await;
    assert_eq!(from("https://app.example.com").await.header("access-control-allow-origin"), "https://app.example.com");
    for origin in ["https://evil.example.com", "http://app.example.com", "https://app.example.com.evil.example", "null"] {
        assert_eq!(from(origin).await.header("access-control-allow-origin"), "", "{origin}");
    }
}

both! {
    each_key_is_counted_and_told_where_it_stands,
    who_fails_too_often_is_told_to_wait_and_who_is_somebody_is_let_in,
    pages_may_call_as_supabase_js_does,
    the_operator_lists_whose_pages_may_call,
}
