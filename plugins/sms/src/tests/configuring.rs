use super::*;
use crate::Sms;
use patchbay_plugin::Channel as _;

fn wrong(settings: &Value) -> Failure {
    Sms::configure(&settings.to_string()).unwrap_err()
}

#[test]
fn settings_are_normalised() {
    let given = json!({"provider": " victorylink ", "username": " acme ", "sender_id": "ACME Shop", "base_url": " http://127.0.0.1:9107/ ",
        "default_country": "+20", "campaign_name": " ", "dlr_status_map": {}, "suit_id": null});
    let normalised: Value = serde_json::from_str(&Sms::configure(&given.to_string()).unwrap()).unwrap();
    assert_eq!(
        normalised,
        json!({"provider": "victorylink", "username": "acme", "sender_id": "ACME Shop", "base_url": "http://127.0.0.1:9107",
            "default_country": "20"})
    );
    let again = Sms::configure(&normalised.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), normalised);
}

#[test]
fn what_the_chosen_provider_needs_is_named_when_it_is_missing() {
    assert_eq!(pointers(&wrong(&json!({}))), ["/provider"]);
    assert_eq!(pointers(&wrong(&json!({"provider": "twilio"}))), ["/provider"]);
    assert_eq!(pointers(&wrong(&json!({"provider": "appgain_notify"}))), ["/suit_id"]);
    assert_eq!(pointers(&wrong(&json!({"provider": "victorylink", "username": " "}))), ["/username", "/sender_id"]);
    assert!(Sms::configure(&appgain().to_string()).is_ok(), "a sender is the project's own there");
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let given = json!({"provider": "victorylink", "base_url": "smsvas.vlserv.com", "suit_id": "../x", "username": 7, "sender_id": "ACME & Sons",
        "default_country": "Egypt", "campaign_name": "x".repeat(101), "smart_encoding": "yes",
        "dlr_status_map": {"5": "seen", "six": "delivered", "7": "delivered"}});
    assert_eq!(
        pointers(&wrong(&given)),
        [
            "/username",
            "/base_url",
            "/suit_id",
            "/sender_id",
            "/default_country",
            "/campaign_name",
            "/smart_encoding",
            "/dlr_status_map/5",
            "/dlr_status_map/six"
        ]
    );
    assert_eq!(pointers(&wrong(&json!({"provider": "appgain_notify", "suit_id": "5db9", "dlr_status_map": []}))), ["/dlr_status_map"]);
    assert!(matches!(Sms::configure("[]"), Err(Failure::Invalid(_))));
}

#[test]
fn a_sender_is_a_name_of_eleven_or_a_number_of_fifteen() {
    let judged = |sender: &str| {
        let mut settings = victorylink();
        settings["sender_id"] = json!(sender);
        Sms::configure(&settings.to_string())
    };
    for sender in ["ACME", "ACME Shop 1", "Abcdefghijk", "+201001383533", "123456789012345", "8"] {
        assert!(judged(sender).is_ok(), "{sender}");
    }
    for sender in ["Abcdefghijkl", "1234567890123456", "متجر", "ACME-1", "+", "ACME\tX"] {
        assert_eq!(pointers(&judged(sender).unwrap_err()), ["/sender_id"], "{sender}");
    }
}

#[test]
fn the_providers_own_address_is_as_good_as_none() {
    let base = |mut settings: Value, base: &str| {
        settings["base_url"] = json!(base);
        let normalised: Value = serde_json::from_str(&Sms::configure(&settings.to_string()).unwrap()).unwrap();
        normalised.get("base_url").cloned()
    };
    assert_eq!(base(appgain(), "https://notify.appgain.io/"), None, "the probe is at api.appgain.io");
    assert_eq!(base(victorylink(), "https://smsvas.vlserv.com/VLSMSPlatformResellerAPI/"), Some(json!("https://smsvas.vlserv.com")));
    assert_eq!(base(victorylink(), "http://127.0.0.1:9107"), Some(json!("http://127.0.0.1:9107")));
}

#[test]
fn an_address_is_a_whole_one() {
    let judged = |base: &str| {
        let mut settings = appgain();
        settings["base_url"] = json!(base);
        Sms::configure(&settings.to_string()).is_ok()
    };
    assert!(judged("http://127.0.0.1:9107") && judged("https://sms.example/under/"));
    for base in ["https://", "https:///x", "ftp://x", "//x", "https://a b", "x", "https://a?b", "https://u@a"] {
        assert!(!judged(base), "{base}");
    }
}

#[test]
fn the_schema_explains_every_setting_and_knows_what_each_provider_needs() {
    let schema: Value = serde_json::from_str(include_str!("../../settings.schema.json")).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    for (name, property) in properties {
        assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
    }
    let secrets: Vec<&String> = properties.iter().filter(|(_, property)| property["writeOnly"] == true).map(|(name, _)| name).collect();
    assert_eq!(secrets, ["api_key", "password", "webhook_secret"]);
    assert_eq!(schema["allOf"][0]["then"]["required"], json!(["suit_id", "api_key"]));
    assert_eq!(schema["allOf"][1]["then"]["required"], json!(["username", "password", "sender_id"]));
}
