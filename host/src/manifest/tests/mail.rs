//! What a manifest says of mail servers, and of polling them.

use super::{apps::read, *};

fn example() -> serde_json::Value {
    serde_json::to_value(crate::mail::tests::manifest()).unwrap()
}

#[test]
fn a_target_names_settings_and_secrets() {
    let manifest = read(&example()).unwrap();
    assert_eq!(read(&serde_json::to_value(&manifest).unwrap()).unwrap(), manifest);
    let target = &manifest.mail["out"];
    assert_eq!(target.secrets(), [("password".to_owned(), "password"), ("token".to_owned(), "access_token")]);
    assert!(target.settings().contains(&("username".to_owned(), "email_address")));
}

#[test]
fn every_mistake_of_a_mail_target_is_told_at_its_place() {
    for (pointer, value, told) in [
        ("/mail/out/host", json!("gone"), "mail.out.host: names the setting \"gone\", which the schema doesn't have"),
        ("/mail/out/hello", json!("gone"), "mail.out.hello: names the setting \"gone\""),
        ("/mail/out/username", json!(["gone"]), "mail.out.username: names the setting \"gone\""),
        ("/mail/out/username", json!([]), "mail.out.username: names a setting at least"),
        ("/mail/out/password", json!(["gone"]), "mail.out.password: names the secret \"gone\""),
        ("/mail/out/token", json!("gone"), "mail.out.token: names the secret \"gone\""),
        ("/mail/in/idle", json!("gone"), "mail.in.idle: names the setting \"gone\""),
        ("/mail/in/hello", json!("ehlo_name"), "mail.in.hello: is of `protocol = \"smtp\"` alone"),
        ("/mail/out/idle", json!("use_idle"), "mail.out.idle: is of `protocol = \"imap\"` alone"),
        ("/mail/Out", example()["mail"]["out"].clone(), "mail.Out: is named with"),
        (
            "/settings/properties/smtp_security/enum",
            json!(["tls", "ssl"]),
            "mail.out.security: names the setting \"smtp_security\", whose `enum` may only hold",
        ),
        (
            "/settings/properties/imap_auth/enum",
            json!(["cram-md5"]),
            "mail.in.auth: names the setting \"imap_auth\", whose `enum` may only hold",
        ),
        ("/polling", json!({"interval_ms": 1000, "interval_setting": "gone"}), "polling.interval_setting: names the setting \"gone\""),
        ("/polling", json!({"interval_ms": 1000, "interval_setting": "smtp_port"}), "polling.interval_setting: needs a `minimum`"),
    ] {
        let mut manifest = example();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        let problems = match read(&manifest) {
            Err(ManifestError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{pointer} isn't refused: {other:?}"),
        };
        assert!(problems.iter().any(|problem| problem.starts_with(told)), "{told}: {problems:?}");
    }
    let mut manifest = example();
    for name in ["password", "token"] {
        manifest["mail"]["in"].as_object_mut().unwrap().remove(name);
    }
    assert!(read(&manifest).unwrap_err().to_string().contains("mail.in: names a `password` or a `token`"));
}

#[test]
fn an_account_says_how_often_it_is_polled() {
    let polling: Polling = serde_json::from_value(json!({"interval_ms": 1500, "interval_setting": "every_s"})).unwrap();
    assert_eq!(polling.interval(&json!({"every_s": 5})).as_millis(), 5000);
    for settings in [json!({}), json!({"every_s": null}), json!({"every_s": 0}), json!({"every_s": "5"})] {
        assert_eq!(polling.interval(&settings).as_millis(), 1500, "{settings}");
    }
}
