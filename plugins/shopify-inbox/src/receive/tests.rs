use super::*;
use crate::ShopifyInbox;
use patchbay_plugin::failure::Words;
use patchbay_plugin::messages::{Content, Identity, ReceiptState};
use patchbay_plugin::testing::{self, fixtures};
use patchbay_plugin::{Channel as _, Field};
use serde_json::json;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const SHOP: &str = "acme.myshopify.com";

/// A webhook with headers, as a fixture has them.
fn delivered(headers: &Value, body: &Value) -> Result<Vec<Event>, Failure> {
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let mut webhook = testing::webhook(testing::account(Some(SHOP), &json!({"shop_domain": SHOP})), body);
    let headers = headers.as_object().into_iter().flatten();
    webhook.headers = headers.map(|(name, value)| Field::new(name, value.as_str().unwrap_or_default())).collect();
    ShopifyInbox::parse_inbound(webhook).map(|parsed| parsed.events)
}

fn on(topic: &str, webhook_id: &str, body: &Value) -> Vec<Event> {
    delivered(&json!({"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": SHOP, "X-Shopify-Webhook-Id": webhook_id}), body).unwrap()
}

fn each(mut look: impl FnMut(&std::path::Path, &Value)) -> usize {
    let mut files: Vec<_> = std::fs::read_dir(FIXTURES).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in &files {
        look(file, &serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap());
    }
    files.len()
}

#[test]
fn every_kind_of_webhook_gives_its_events() {
    let bless = std::env::var_os("PATCHBAY_BLESS").is_some();
    let count = each(|path, fixture| {
        let got = match delivered(&fixture["headers"], &fixture["body"]) {
            Ok(events) => fixtures::events(&events),
            Err(failure) => json!({"failure": Words(&failure).to_string()}),
        };
        if bless {
            let mut fixture = fixture.clone();
            fixture["expected"] = got;
            std::fs::write(path, format!("{fixture:#}\n")).unwrap();
        } else {
            assert_eq!(got, fixture["expected"], "{}: got {got:#}", path.display());
        }
    });
    assert!(count > 30);
}

#[test]
fn a_webhook_that_is_delivered_again_has_the_same_keys() {
    each(|path, fixture| {
        let keys = || {
            delivered(&fixture["headers"], &fixture["body"])
                .map(|events| events.into_iter().map(|event| event.dedupe_key).collect::<Vec<_>>())
        };
        assert_eq!(keys(), keys(), "{}", path.display());
        assert!(keys().unwrap_or_default().iter().all(|key| key.starts_with("shopify:acme.myshopify.com:")));
    });
}

#[test]
fn one_message_of_two_subscriptions_is_one_fact() {
    let body = json!({"conversation": {"id": "c"}, "customer": {"id": 1}, "message": {"id": "m", "body": "Hi", "author": "customer"}});
    let key = |topic: &str, id: &str, body: &Value| on(topic, id, body).remove(0).dedupe_key;
    assert_eq!(key("inbox/message_created", "w1", &body), key("inbox/message_created", "w2", &body));
    let mut edited = body.clone();
    edited["message"]["body"] = "Hello".into();
    assert_ne!(key("inbox/message_created", "w1", &body), key("inbox/message_updated", "w1", &body));
    assert_eq!(key("inbox/message_updated", "w1", &edited), key("inbox/message_updated", "w2", &edited));
    assert_ne!(key("inbox/message_updated", "w1", &body), key("inbox/message_updated", "w1", &edited), "each edit is a fact");
    let at = |text: &str, at: &str| {
        let body = json!({"conversation": {"id": "c"}, "message": {"id": "m", "body": text, "updated_at": at}});
        key("inbox/message_updated", "w1", &body)
    };
    assert_ne!(at("A", "2026-11-22T07:00:00Z"), at("B", "2026-11-22T07:00:00Z"), "two edits of one second");
    assert_ne!(at("A", "2026-11-22T07:00:00Z"), at("A", "2026-11-22T07:00:01Z"), "back to what it was");
}

#[test]
fn each_state_and_each_closing_is_a_fact_of_its_own() {
    let status =
        |id: &str, state: &str| on("inbox/message_status", id, &json!({"message": {"id": "m", "status": state}})).remove(0).dedupe_key;
    assert_ne!(status("w1", "delivered"), status("w1", "read"));
    assert_eq!(status("w1", "read"), status("w2", "read"));
    let closed = |id: &str, at: Option<&str>| {
        on("inbox/conversation_closed", id, &json!({"conversation": {"id": "c"}, "closed_at": at})).remove(0).dedupe_key
    };
    assert_eq!(closed("w1", Some("2026-11-22T07:00:00Z")), closed("w2", Some("2026-11-22T07:00:00Z")));
    assert_ne!(closed("w1", Some("2026-11-22T07:00:00Z")), closed("w1", Some("2026-11-23T07:00:00Z")));
    assert_ne!(closed("w1", None), closed("w2", None));
}

#[test]
fn an_app_that_is_uninstalled_twice_is_told_twice_and_a_repeated_delivery_once() {
    let body = json!({"id": 1, "myshopify_domain": SHOP});
    let key = |id: &str| on("app/uninstalled", id, &body).remove(0).dedupe_key;
    assert_eq!(key("w1"), key("w1"));
    assert_ne!(key("w1"), key("w2"));
    let of_event = |webhook: &str| {
        let headers = json!({"X-Shopify-Topic": "app/uninstalled", "X-Shopify-Shop-Domain": SHOP, "X-Shopify-Webhook-Id": webhook, "X-Shopify-Event-Id": "e1"});
        delivered(&headers, &body).unwrap().remove(0).dedupe_key
    };
    assert_eq!(of_event("w1"), of_event("w2"), "two subscriptions, one event");
    let Happening::Account(status) = on("app/uninstalled", "w1", &body).remove(0).what else { panic!("no account status") };
    assert_eq!((status.state.as_str(), status.detail.code.as_str()), ("needs_reauth", "app_uninstalled"));
}

#[test]
fn ids_named_in_one_breath_are_one_persons() {
    let body = json!({"conversation": {"id": "c"}, "customer": {"id": 7001, "email": " M@Example.test", "anonymous_id": "anon_3"}, "message": {"id": "m", "body": "Hi"}});
    let sender = on("inbox/message_created", "w", &body).remove(0).actor.unwrap();
    let ids = [Identity::new("shopify", "7001"), Identity::new("email", "m@example.test"), Identity::new("shopify_anonymous", "anon_3")];
    assert_eq!(sender.identities, ids);
}

#[test]
fn what_the_shop_says_is_an_echo() {
    let echo = |author: Value| {
        let body = json!({"conversation": {"id": "c"}, "message": {"id": "m", "body": "Hi", "author": author}});
        match on("inbox/message_created", "w", &body).remove(0).what {
            Happening::Message(inbound) => inbound.echo,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([json!("staff"), json!({"type": "bot"}), json!("customer"), Value::Null].map(echo), [true, true, false, false]);
}

#[test]
fn another_shops_webhook_is_refused() {
    let body = json!({"conversation": {"id": "c"}, "message": {"id": "m", "body": "Hi"}});
    for headers in [
        json!({"X-Shopify-Topic": "inbox/message_created", "X-Shopify-Shop-Domain": "evil.myshopify.com"}),
        json!({"X-Shopify-Topic": "inbox/message_created"}),
        json!({"X-Shopify-Shop-Domain": SHOP}),
    ] {
        assert!(matches!(delivered(&headers, &body), Err(Failure::Rejected(_))), "{headers}");
    }
    let headers = json!({"x-shopify-topic": "INBOX/message_created", "shopify-shop-domain": "ACME.myshopify.com"});
    assert_eq!(delivered(&headers, &body).map(|events| events.len()), Ok(1), "whatever the case");
}

#[test]
fn before_the_first_connection_the_settings_name_the_shop() {
    let mut webhook = testing::webhook(testing::account(None, &json!({"shop_domain": SHOP})), "{}");
    webhook.headers = vec![Field::new("X-Shopify-Topic", "orders/create"), Field::new("X-Shopify-Shop-Domain", SHOP)];
    assert!(ShopifyInbox::parse_inbound(webhook).is_ok());
}

#[test]
fn a_body_cut_off_anywhere_is_refused_and_breaks_nothing() {
    each(|_, fixture| {
        let text = fixture["body"].as_str().map_or_else(|| fixture["body"].to_string(), str::to_owned);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let cut = delivered(&fixture["headers"], &json!(text[..end]));
            assert!(matches!(cut, Err(Failure::Invalid(_) | Failure::Rejected(_))), "{}", &text[..end]);
        }
    });
}

#[test]
fn fields_of_other_types_break_nothing() {
    for odd in [json!(null), json!(7), json!("x"), json!([]), json!({}), json!([[]]), json!(true)] {
        for topic in [
            "inbox/message_created",
            "inbox/message_updated",
            "inbox/message_status",
            "inbox/conversation_closed",
            "customers/redact",
            "app/uninstalled",
        ] {
            let headers = json!({"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": SHOP});
            for body in [
                json!({"conversation": odd, "customer": odd, "message": odd, "closed_at": odd}),
                json!({"conversation": {"id": "c", "url": odd}, "customer": {"id": odd, "email": odd, "first_name": odd},
                    "message": {"id": "m", "body": odd, "author": odd, "attachments": odd, "status": odd, "created_at": odd, "updated_at": odd}}),
                json!({"conversation": {"id": "c"}, "message": {"id": "m", "attachments": [odd], "status": "failed", "error": odd}}),
            ] {
                let result = delivered(&headers, &body);
                assert!(matches!(result, Ok(_) | Err(Failure::Invalid(_))), "{topic} {body}: {result:?}");
            }
        }
    }
}

#[test]
fn a_failed_state_says_why() {
    let body = json!({"message": {"id": "m", "status": "failed", "error": {"code": "left", "message": "Gone"}}});
    let Happening::Receipt(receipt) = on("inbox/message_status", "w", &body).remove(0).what else { panic!("no receipt") };
    assert_eq!((receipt.state, receipt.failure), (ReceiptState::Failed, Some(Failure::rejected("left", "Gone"))));
}

#[test]
fn a_file_without_a_usable_address_is_told_and_not_fetched() {
    let body = json!({"conversation": {"id": "c"}, "message": {"id": "m", "attachments": [{"url": "file:///etc/passwd"}]}});
    let Happening::Message(inbound) = on("inbox/message_created", "w", &body).remove(0).what else { panic!("no message") };
    assert!(matches!(inbound.content.as_slice(), [Content::Custom(custom)] if custom.kind == "unsupported"));
}
