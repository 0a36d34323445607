use patchbay_plugin::hooks::{Connected, Connecting, Progress, Step};
use patchbay_plugin::testing::Provider;
use patchbay_plugin::{Channel as _, Fields as _};

use super::*;
use crate::Email;

fn connect(settings: &Value) -> Result<Connected, Failure> {
    let input = Connecting { step: Step::Start, webhook_url: String::new(), state: None };
    match Email::connect(&call(settings), input)?.progress {
        Progress::Connected(connected) => Ok(connected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_servers_are_asked() {
    let provider = Provider::new();
    provider.secret("password", "secret");
    provider.on("PROBE out").probed("220 smtp.acme.test ESMTP", &["SIZE 35882577", "SMTPUTF8", "STARTTLS"]);
    provider.on("PROBE in").probed("* OK Dovecot ready.", &["IMAP4rev1", "IDLE"]);
    let connected = connect(&settings()).unwrap();
    assert_eq!(
        (connected.external_id.as_str(), connected.display_name.as_str()),
        ("support@acme.test", "Acme Support <support@acme.test>")
    );
    let facts = [
        ("smtp_server", "smtp.acme.test:587"),
        ("smtp_greeting", "220 smtp.acme.test ESMTP"),
        ("smtp_max_bytes", "35882577"),
        ("smtp_utf8", "true"),
        ("imap_server", "imap.acme.test:993"),
        ("imap_idle", "true"),
        ("receives", "true"),
    ];
    for (name, value) in facts {
        assert_eq!(connected.facts.value(name), Some(value), "{name}");
    }
}

#[test]
fn without_an_imap_server_letters_are_only_sent() {
    let provider = Provider::new();
    provider.secret("password", "secret");
    provider.on("PROBE out").probed("220 ready", &["SIZE"]);
    let mut settings = settings();
    settings["imap_host"] = json!("");
    let connected = connect(&settings).unwrap();
    assert_eq!((connected.facts.value("receives"), connected.facts.value("smtp_max_bytes")), (Some("false"), None));
}

#[test]
fn a_missing_secret_is_named_before_anybody_is_asked() {
    let _provider = Provider::new();
    assert_eq!(pointers(&connect(&settings()).unwrap_err()), ["/password", "/imap_password"]);
    let mut token = settings();
    token["smtp_auth"] = json!("xoauth2");
    token["imap_auth"] = json!("xoauth2");
    assert_eq!(pointers(&connect(&token).unwrap_err()), ["/access_token"]);
}

#[test]
fn a_refused_login_says_which_server_it_was() {
    let provider = Provider::new();
    provider.secret("password", "secret");
    provider.on("PROBE out").probed("220 ready", &[]);
    provider.on("PROBE in").fails(Failure::unauthorized("authentication_failed", "the server refused the login"));
    let Err(Failure::Unauthorized(detail)) = connect(&settings()) else { panic!("connected") };
    assert_eq!(detail.message, "IMAP imap.acme.test:993: the server refused the login");
}

#[test]
fn disconnecting_asks_nobody() {
    let _provider = Provider::new();
    let input = Connecting { step: Step::Disconnect, webhook_url: String::new(), state: None };
    assert!(Email::connect(&call(&settings()), input).is_ok());
}

#[test]
fn each_server_is_a_check() {
    let provider = Provider::new();
    provider.on("PROBE out").fails(Failure::unavailable("connect", "the connection timed out"));
    provider.on("PROBE in").probed("* OK", &[]);
    let checks = Email::health(&call(&settings())).unwrap().checks;
    let told: Vec<(&str, bool)> = checks.iter().map(|check| (check.name.as_str(), check.ok)).collect();
    assert_eq!(told, [("smtp", false), ("imap", true)]);
    assert_eq!(checks[0].detail.as_ref().unwrap().message, "SMTP smtp.acme.test:587: the connection timed out");
    provider.on("PROBE out").fails(Failure::unauthorized("535", "bad credentials"));
    assert!(matches!(Email::health(&call(&settings())), Err(Failure::Unauthorized(_))));
}
