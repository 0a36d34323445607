use patchbay_plugin::Channel as _;

use super::*;
use crate::WebPush;

fn configured(settings: &Value) -> Result<Value, Failure> {
    WebPush::configure(&settings.to_string()).map(|normalised| serde_json::from_str(&normalised).unwrap())
}

#[test]
fn settings_come_out_as_browsers_write_them() {
    let written = json!({"vapid_subject": " mailto:push@example.com ", "site_origins": ["HTTPS://WWW.Example.com:443/", "http://localhost:3000"],
        "endpoint_allowlist": ["Push.Example.ORG:8443", "http://127.0.0.1:9109/"], "default_url": " /inbox ", "default_icon": ""});
    let expected = json!({"vapid_subject": "mailto:push@example.com", "site_origins": ["https://www.example.com", "http://localhost:3000"],
        "endpoint_allowlist": ["push.example.org:8443", "http://127.0.0.1:9109"], "default_url": "/inbox"});
    assert_eq!(configured(&written).unwrap(), expected);
    assert_eq!(configured(&expected).unwrap(), expected, "again it is the same");
}

#[test]
fn a_subject_is_one_that_apple_takes_too() {
    for right in ["mailto:push@example.com", "https://www.example.com/contact", "mailto:a+b@mail.example.co.uk"] {
        assert!(configured(&json!({"vapid_subject": right})).is_ok(), "{right}");
    }
    for wrong in [
        "push@example.com",
        "mailto: push@example.com",
        "mailto:push@localhost",
        "mailto:@example.com",
        "mailto:push@",
        "mailto:push@host.invalid",
        "https://localhost/",
        "https://a.localhost",
        "https://x.invalid",
        "http://www.example.com",
        "https://",
        "tel:+4930",
    ] {
        assert_eq!(pointers(&configured(&json!({"vapid_subject": wrong})).unwrap_err()), ["/vapid_subject"], "{wrong}");
    }
}

#[test]
fn every_wrong_setting_is_named_with_its_place() {
    let wrong = json!({
        "site_origins": ["https://www.example.com", "https://www.example.com/shop", "http://www.example.com", "*", 7],
        "endpoint_allowlist": ["push.example.org", "push.example.org/x", "a b", "https://u@push.example.org"],
        "default_icon": "icon.png", "default_badge": "//evil.example/x.png", "default_url": "javascript:alert(1)",
        "default_ttl": 2_419_201, "default_urgency": "urgent", "sw_path": "sw.js",
    });
    let expected = [
        "/vapid_subject",
        "/site_origins/1",
        "/site_origins/2",
        "/site_origins/3",
        "/site_origins/4",
        "/endpoint_allowlist/1",
        "/endpoint_allowlist/2",
        "/endpoint_allowlist/3",
        "/default_icon",
        "/default_badge",
        "/default_url",
        "/default_ttl",
        "/default_urgency",
        "/sw_path",
    ];
    assert_eq!(pointers(&configured(&wrong).unwrap_err()), expected);
    for path in ["/", "/../sw.js", "//evil.example/sw.js", "/sw.js?x", "/a b.js"] {
        assert!(configured(&json!({"vapid_subject": "mailto:a@example.com", "sw_path": path})).is_err(), "{path}");
    }
    for (ttl, urgency) in [(0, "very-low"), (2_419_200, "high")] {
        let right = json!({"vapid_subject": "mailto:a@example.com", "default_ttl": ttl, "default_urgency": urgency});
        assert_eq!(configured(&right).unwrap(), right);
    }
}
