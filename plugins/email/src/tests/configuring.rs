use super::*;
use crate::settings::configure;

fn configured(settings: &Value) -> Value {
    serde_json::from_str(&configure(&settings.to_string()).unwrap()).unwrap()
}

fn refused(settings: &Value) -> Vec<String> {
    let failure = configure(&settings.to_string()).unwrap_err();
    pointers(&failure).into_iter().map(str::to_owned).collect()
}

/// The least, with a change.
fn with(name: &str, value: &Value) -> Value {
    let mut settings = json!({"email_address": "support@acme.test", "smtp_host": "smtp.acme.test", "imap_host": "imap.acme.test"});
    settings[name] = value.clone();
    settings
}

#[test]
fn addresses_and_hosts_are_written_as_the_network_knows_them() {
    let settings =
        configured(&json!({"email_address": " Support@MÜNCHEN.example ", "smtp_host": "Smtp.Bücher.example", "imap_host": "::1"}));
    assert_eq!(settings["email_address"], "Support@xn--mnchen-3ya.example");
    assert_eq!(settings["smtp_host"], "smtp.xn--bcher-kva.example");
    assert_eq!(settings["imap_host"], "::1");
}

#[test]
fn a_provider_brings_its_servers_and_its_login() {
    let google = configured(
        &json!({"provider": "google", "email_address": "a@gmail.com", "smtp_auth": "plain", "smtp_security": "starttls", "imap_security": "tls"}),
    );
    assert_eq!(
        (&google["smtp_host"], &google["smtp_port"], &google["smtp_auth"]),
        (&json!("smtp.gmail.com"), &json!(587), &json!("xoauth2"))
    );
    assert_eq!(
        (&google["imap_host"], &google["imap_port"], &google["imap_auth"]),
        (&json!("imap.gmail.com"), &json!(993), &json!("xoauth2"))
    );
    let mut moved = google;
    moved["provider"] = json!("microsoft");
    let microsoft = configured(&moved);
    assert_eq!((&microsoft["smtp_host"], &microsoft["imap_host"]), (&json!("smtp.office365.com"), &json!("outlook.office365.com")));
    let own = configured(
        &json!({"provider": "google", "email_address": "a@gmail.com", "smtp_host": "127.0.0.1", "smtp_port": 2525, "smtp_auth": "oauthbearer"}),
    );
    assert_eq!((&own["smtp_host"], &own["smtp_port"], &own["smtp_auth"]), (&json!("127.0.0.1"), &json!(2525), &json!("oauthbearer")));
}

#[test]
fn a_port_follows_its_encryption_unless_it_is_another() {
    let port = |security: &str, port: Option<u16>| {
        let mut settings = with("smtp_security", &json!(security));
        settings["smtp_port"] = json!(port);
        configured(&settings)["smtp_port"].clone()
    };
    assert_eq!([port("starttls", None), port("tls", None), port("tls", Some(587)), port("starttls", Some(465))], [587, 465, 465, 587]);
    assert_eq!([port("tls", Some(2465)), port("none", Some(25))], [2465, 25]);
}

#[test]
fn who_fetches_is_who_sends() {
    assert_eq!(configured(&with("smtp_auth", &json!("login")))["imap_auth"], "login");
    assert_eq!(configured(&with("smtp_auth", &json!("none")))["imap_auth"], "plain");
    assert!(configured(&json!({"email_address": "a@b.test", "smtp_host": "s.b.test"})).get("imap_auth").is_none());
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(refused(&json!({})), ["/email_address", "/smtp_host"]);
    let wrong = [
        ("email_address", json!("Acme <support@acme.test>")),
        ("email_address", json!("support")),
        ("reply_to", json!("nobody")),
        ("display_name", json!("Acme\r\nBcc: x@y.test")),
        ("smtp_host", json!("https://smtp.acme.test")),
        ("smtp_host", json!("smtp.acme.test:587")),
        ("imap_host", json!("imap acme")),
        ("ehlo_name", json!("a b")),
        ("smtp_port", json!(0)),
        ("imap_port", json!(65_536)),
        ("smtp_security", json!("ssl")),
        ("smtp_auth", json!("cram-md5")),
        ("imap_auth", json!("none")),
        ("provider", json!("yahoo")),
        ("initial_sync", json!("yesterday")),
        ("initial_sync", json!("2026-02-30")),
        ("tls_ca_pem", json!("MIIB")),
        ("poll_interval_s", json!(4)),
        ("max_attachment_bytes", json!(52_428_801)),
        ("folders", json!("Orders")),
        ("use_idle", json!("yes")),
        ("default_subject", json!("a\nb")),
        ("microsoft_tenant", json!("../x")),
    ];
    for (name, value) in wrong {
        assert_eq!(refused(&with(name, &value)), [format!("/{name}")], "{value}");
    }
    assert_eq!(refused(&with("folders", &json!(["Orders", ""]))), ["/folders/1"]);
}

#[test]
fn what_is_empty_is_left_out() {
    let mut settings = with("reply_to", &json!(" "));
    settings["folders"] = json!([]);
    let settings = configured(&settings);
    assert!(settings.get("reply_to").is_none() && settings.get("folders").is_none(), "{settings}");
}
