use base64::Engine as _;
use patchbay_plugin::Channel as _;
use patchbay_plugin::Fields as _;
use patchbay_plugin::hooks::{Connected, Connecting, Progress, Step};

use super::*;
use crate::WebPush;
use crate::encryption::BASE64URL;

fn connect(step: Step) -> Result<Connected, Failure> {
    let webhook_url = format!("https://gw.example/webhooks/{ACCOUNT}");
    match WebPush::connect(&call(&settings()), Connecting { step, webhook_url, state: None })?.progress {
        Progress::Connected(connected) => Ok(connected),
        other => panic!("not connected: {other:?}"),
    }
}

#[test]
fn an_account_is_its_key_and_tells_what_a_site_needs() {
    let _world = world();
    let connected = connect(Step::Start).unwrap();
    let key = BASE64URL.decode(connected.facts.value("vapid_public_key").unwrap()).unwrap();
    assert_eq!((key.len(), key[0]), (65, 4), "an uncompressed point");
    assert_eq!(connected.facts.value("client_url"), Some(format!("https://gw.example/push/{ACCOUNT}/client.js").as_str()));
    assert_eq!(connected.facts.value("worker_url"), Some(format!("https://gw.example/push/{ACCOUNT}/worker.js").as_str()));
    assert_eq!(connected.external_id.len(), 16);
    assert_eq!(connected.display_name, "www.example.com");
    assert_eq!(connect(Step::Start).unwrap().external_id, connected.external_id, "again it is the same");
}

#[test]
fn another_key_is_another_account() {
    let first = {
        let _world = world();
        connect(Step::Start).unwrap().external_id
    };
    let _world = world();
    assert_ne!(connect(Step::Start).unwrap().external_id, first);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let bare = Provider::new();
    assert_eq!(class(&connect(Step::Start).unwrap_err()), "unauthorized");
    bare.secret("vapid_private_key", "no key");
    let failure = connect(Step::Start).unwrap_err();
    assert_eq!((class(&failure), code(&failure)), ("unauthorized", "secret_wrong"));
    assert!(WebPush::health(&call(&settings())).is_err());
    assert!(connect(Step::Disconnect).is_ok(), "one goes out of service without a key");
}

#[test]
fn health_looks_at_both_keys() {
    let all = |call: &Call| WebPush::health(call).unwrap().checks.into_iter().map(|check| (check.name, check.ok)).collect::<Vec<_>>();
    {
        let _world = world();
        assert_eq!(all(&call(&settings())), [("vapid_key".to_owned(), true), ("track_key".to_owned(), true)]);
    }
    let bare = Provider::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    bare.secret("vapid_private_key", key.as_ref());
    assert_eq!(all(&call(&settings())), [("vapid_key".to_owned(), true), ("track_key".to_owned(), false)]);
}
