use base64::Engine as _;
use patchbay_plugin::Channel as _;
use patchbay_plugin::Fields as _;
use patchbay_plugin::messages::{Happening, Sent, Text};
use patchbay_plugin::testing::Recorded;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::*;
use crate::WebPush;
use crate::encryption::BASE64URL;

fn send(message: Outbound) -> Sent {
    WebPush::send(&call(&settings()), message)
}

/// The ids of what was accepted.
fn accepted(sent: &Sent) -> Vec<&str> {
    sent.accepted.iter().map(|part| part.external_id.as_deref().unwrap()).collect()
}

fn part(endpoint: &str) -> String {
    format!("{OURS}:{}", endpoint::id(endpoint))
}

/// The subscriptions that were told to have ended, each with its reason.
fn ended(sent: &Sent) -> Vec<(&str, &str)> {
    let ended = sent.events.iter().map(|event| match &event.what {
        Happening::Subscription(subscription) if !subscription.active => subscription,
        other => panic!("not ended: {other:?}"),
    });
    ended.map(|subscription| (subscription.endpoint.as_str(), subscription.extras.value("reason").unwrap())).collect()
}

fn failure(sent: &Sent) -> &Failure {
    sent.failed.as_ref().unwrap()
}

/// Header, claims and signature of the token, and the key that it comes with.
fn token(push: &Recorded) -> (Value, Value, Vec<u8>, String, Vec<u8>) {
    let header = push.headers.value("authorization").unwrap();
    let (jwt, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |text: &str| serde_json::from_slice(&BASE64URL.decode(text).unwrap()).unwrap();
    let bytes = |text: &str| BASE64URL.decode(text).unwrap();
    (json(header), json(claims), bytes(signature), signed.to_owned(), bytes(key))
}

#[test]
fn a_push_is_what_the_browser_shows() {
    let world = world();
    world.on(&push(CHROME)).answer_with(201, &[("location", "https://fcm.googleapis.com/0:1")], "");
    let full = Notification {
        icon: Some("https://www.example.com/icon.png".into()),
        image: Some("/truck.jpg".into()),
        url: Some("https://www.example.com/orders/7".into()),
        actions: vec![row("track", "Track", Some("/orders/7/map")), row("later", "Later", None)],
        data: Some(r#"{"order":7}"#.into()),
        ttl_s: Some(0),
        urgency: Some("high".into()),
        topic: Some("order-7".into()),
        ..notification()
    };
    let sent = send(message(full, &[CHROME]));
    assert_eq!((sent.failed.as_ref(), accepted(&sent)), (None, vec![part(CHROME).as_str()]));
    assert_eq!(sent.accepted[0].extras.value("location"), Some("https://fcm.googleapis.com/0:1"));
    let pushed = &world.requests()[0];
    let header = |name: &str| pushed.headers.value(name);
    assert_eq!(["ttl", "urgency", "topic"].map(header), [Some("0"), Some("high"), Some("order-7")]);
    assert_eq!(["content-encoding", "content-type"].map(header), [Some("aes128gcm"), Some("application/octet-stream")]);
    let tok = crate::token::of(OURS, &endpoint::id(CHROME)).unwrap();
    assert_eq!(tok.len(), 32);
    assert_eq!(
        browser::read(pushed),
        json!({
            "v": 1, "id": OURS, "title": "Order 7", "body": "It is on its way", "icon": "https://www.example.com/icon.png",
            "image": "/truck.jpg", "url": "https://www.example.com/orders/7", "tag": "order-7",
            "actions": [{"action": "track", "title": "Track", "url": "/orders/7/map"}, {"action": "later", "title": "Later"}],
            "data": {"order": 7}, "track": format!("https://gw.example/push/{ACCOUNT}/events"), "sub": endpoint::id(CHROME), "tok": tok,
        })
    );
}

#[test]
fn what_a_message_doesnt_say_the_account_does() {
    let world = world();
    world.on(&push(CHROME)).answer(201, &json!(null));
    let mut defaults = settings();
    let more = json!({"default_title": "Shop", "default_icon": "/icon.png", "default_badge": "/badge.png", "default_url": "/inbox",
        "default_ttl": 60, "default_urgency": "low"});
    defaults.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let text = Outbound { command: Command::Message(vec![Content::Text(Text::plain("Hello"))]), ..message(notification(), &[CHROME]) };
    let sent = WebPush::send(&call(&defaults), text);
    assert_eq!(sent.failed, None);
    let pushed = &world.requests()[0];
    assert_eq!(["ttl", "urgency", "topic"].map(|name| pushed.headers.value(name)), [Some("60"), Some("low"), None]);
    let shown = browser::read(pushed);
    assert_eq!(
        ["title", "body", "icon", "badge", "url"].map(|name| shown[name].as_str().unwrap()),
        ["Shop", "Hello", "/icon.png", "/badge.png", "/inbox"]
    );
    assert_eq!((shown.get("tag"), shown.get("actions"), shown.get("data")), (None, None, None));
}

#[test]
fn each_push_service_has_a_token_of_its_own_which_is_kept() {
    let world = world();
    for endpoint in [CHROME, FIREFOX, CHROME_TOO] {
        world.on(&push(endpoint)).answer(201, &json!(null));
    }
    send(message(notification(), &[CHROME, FIREFOX, CHROME_TOO]));
    let requests = world.requests();
    let [chrome, firefox, again] = requests.as_slice() else { panic!("{requests:?}") };
    let (header, claims, signature, signed, key) = token(chrome);
    assert_eq!(header, json!({"typ": "JWT", "alg": "ES256"}));
    assert_eq!(claims, json!({"aud": "https://fcm.googleapis.com", "exp": NOW_S + 43_200, "sub": "mailto:push@example.com"}));
    assert_eq!(signature.len(), 64, "raw r and s");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(signed.as_bytes(), &signature).unwrap();
    assert_eq!(token(firefox).1["aud"], "https://updates.push.services.mozilla.com");
    assert_eq!(token(again), token(chrome), "an ECDSA signature is another each time: this one was kept");
}

#[test]
fn a_token_is_made_again_when_it_is_old_or_of_another_key_or_subject() {
    let world = world();
    let signature_at = |seconds: u64, settings: &Value| {
        world.on(&push(CHROME)).answer(201, &json!(null));
        let mut later = call(settings);
        later.extras[1].value = ((NOW_S + seconds) * 1000).to_string();
        let id = format!("m{}", world.requests().len());
        WebPush::send(&later, Outbound { id, ..message(notification(), &[CHROME]) });
        token(world.requests().last().unwrap()).2
    };
    let first = signature_at(0, &settings());
    assert_eq!(signature_at(39_599, &settings()), first);
    let second = signature_at(39_600, &settings());
    assert_ne!(second, first, "after 11 hours");
    let third = signature_at(39_601, &json!({"vapid_subject": "mailto:other@example.com"}));
    assert_ne!(third, second, "of another subject");
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    world.secret("vapid_private_key", key.as_ref());
    assert_ne!(signature_at(39_602, &json!({"vapid_subject": "mailto:other@example.com"})), third, "of another key");
}

#[test]
fn the_next_attempt_pushes_only_to_those_that_havent_got_it() {
    let world = world();
    world.on(&push(CHROME)).answer(201, &json!(null));
    world.on(&push(FIREFOX)).answer_with(503, &[("retry-after", "30")], "");
    let first = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!((accepted(&first), class(failure(&first))), (vec![part(CHROME).as_str()], "unavailable"));
    let Failure::Unavailable(retry) = failure(&first) else { panic!() };
    assert_eq!(retry.after_ms, Some(30_000.0));
    world.on(&push(FIREFOX)).broken("reset");
    let second = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!(class(failure(&second)), "unavailable", "a worker shows a message once, so it is no doubt");
    world.on(&push(FIREFOX)).answer(201, &json!(null));
    let third = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!((third.failed.as_ref(), accepted(&third)), (None, vec![part(CHROME).as_str(), part(FIREFOX).as_str()]));
    assert_eq!(world.requests().len(), 4, "one to Chrome, three to Firefox");
    let fourth = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!((fourth.failed.as_ref(), fourth.accepted.len(), world.requests().len()), (None, 2, 4));
}

#[test]
fn each_status_says_what_happens_next() {
    let cases = [
        (200, "accepted"),
        (201, "accepted"),
        (202, "accepted"),
        (204, "accepted"),
        (307, "rejected"),
        (400, "rejected"),
        (401, "unauthorized"),
        (403, "unauthorized"),
        (404, "recipient"),
        (406, "limited"),
        (410, "recipient"),
        (413, "rejected"),
        (415, "rejected"),
        (429, "limited"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
    ];
    for (status, expected) in cases {
        let world = world();
        world.on(&push(CHROME)).answer_with(status, &[("retry-after", "7")], r#"{"reason":"Why Not"}"#);
        let sent = send(message(notification(), &[CHROME]));
        assert_eq!(sent.failed.as_ref().map_or("accepted", class), expected, "{status}");
        match &sent.failed {
            Some(Failure::Limited(retry) | Failure::Unavailable(retry)) => assert_eq!(retry.after_ms, Some(7000.0), "{status}"),
            Some(other) => assert!(other.detail().unwrap().message.contains("Why Not"), "{other:?}"),
            None => {}
        }
        let gone = if expected == "recipient" { vec![(CHROME, "unsubscribed")] } else { vec![] };
        assert_eq!(ended(&sent), gone, "{status}");
    }
}

#[test]
fn a_device_that_is_gone_is_forgotten_and_the_others_have_it() {
    let world = world();
    world.on(&push(CHROME)).answer(410, &json!(null));
    world.on(&push(FIREFOX)).answer(201, &json!(null));
    let sent = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!((sent.failed.as_ref(), accepted(&sent)), (None, vec![part(FIREFOX).as_str()]));
    assert_eq!(ended(&sent), [(CHROME, "unsubscribed")]);
    assert_eq!(sent.events[0].dedupe_key, format!("ended:{}", part(CHROME)));
}

#[test]
fn one_refused_among_others_was_made_with_another_key() {
    let world = world();
    world.on(&push(CHROME)).answer(403, &json!(null));
    world.on(&push(CHROME_TOO)).answer(201, &json!(null));
    let sent = send(message(notification(), &[CHROME, CHROME_TOO]));
    assert_eq!((sent.failed.as_ref(), ended(&sent)), (None, vec![(CHROME, "other_key")]));
}

#[test]
fn where_all_are_refused_it_is_the_accounts_key_unless_it_worked_there_before() {
    let world = world();
    for endpoint in [CHROME, FIREFOX] {
        world.on(&push(endpoint)).answer(403, &json!(null));
    }
    let sent = send(message(notification(), &[CHROME, FIREFOX]));
    assert_eq!((class(failure(&sent)), ended(&sent)), ("unauthorized", vec![]), "nothing is forgotten");
    world.on(&push(CHROME)).answer(201, &json!(null));
    send(Outbound { id: "m2".into(), ..message(notification(), &[CHROME]) });
    let last = world.requests();
    assert_ne!(token(&last[2]).2, token(&last[0]).2, "a refused token isn't tried again");
    world.on(&push(CHROME_TOO)).answer(403, &json!(null));
    let sent = send(Outbound { id: "m3".into(), ..message(notification(), &[CHROME_TOO]) });
    assert_eq!((class(failure(&sent)), ended(&sent)), ("recipient", vec![(CHROME_TOO, "other_key")]));
}

#[test]
fn whoever_has_to_wait_longest_says_when() {
    let world = world();
    world.on(&push(CHROME)).answer_with(429, &[("retry-after", "5")], "");
    world.on(&push(FIREFOX)).answer_with(503, &[("retry-after", "60")], "");
    world.on(&push(CHROME_TOO)).answer_with(429, &[("retry-after", "9")], "");
    let sent = send(message(notification(), &[CHROME, FIREFOX, CHROME_TOO]));
    let Failure::Limited(retry) = failure(&sent) else { panic!("{sent:?}") };
    assert_eq!(retry.after_ms, Some(9000.0));
}

#[test]
fn a_broken_subscription_isnt_pushed_to() {
    let world = world();
    let mut broken = message(notification(), &[CHROME, "https://push.elsewhere.example/x"]);
    broken.subscriptions[0].keys[1].value = "AAAA".into();
    let sent = send(broken);
    assert_eq!(ended(&sent), [(CHROME, "broken_keys")]);
    assert_eq!((class(failure(&sent)), code(failure(&sent))), ("rejected", "endpoint_not_allowed"), "an operator may allow it yet");
    assert!(world.requests().is_empty());
    assert!(world.log().iter().any(|line| line.message == "a device could not be reached"));
}

#[test]
fn without_a_device_there_is_nobody() {
    let world = world();
    let sent = send(message(notification(), &[]));
    assert_eq!((class(failure(&sent)), code(failure(&sent))), ("recipient", "not_subscribed"));
    assert!(world.requests().is_empty());
}

#[test]
fn nobody_else_reads_the_token_or_the_words() {
    let world = world();
    world.on(&push(CHROME)).answer(201, &json!(null));
    send(message(notification(), &[CHROME]));
    let pushed = format!("{:?}", world.requests());
    for secret in ["Order 7", "on its way", "track-key"] {
        assert!(!pushed.contains(secret), "{secret}");
    }
}
