//! How a mailbox is brought into service, and why it isn't.

use patchbay_providers::{Mail, mail::StartTls};
use serde_json::{Value, json};

use super::bench::{Bench, MONA, SHOP, Scripted, Servers, at_standin, standin};
use crate::harness::{Database, Gateway, MAIL_PASSWORD, Settings, both, eventually};

const HI: &str = "Hi";

fn mail(subject: &str) -> Value {
    json!({"type": "email", "subject": subject, "text": "Good morning"})
}

/// Asks to connect where that can't go well; answers what was said and the account.
async fn refused(gateway: &Gateway, settings: Value) -> (String, Value) {
    let account = gateway.create("EMAIL", settings).await;
    let answer = gateway.post(&format!("/rest/v1/channel_accounts/{account}/connect"), json!({})).await;
    let after = gateway.account(&account).await;
    assert_ne!(after["connection"], "connected", "{after}");
    (answer.body.to_string(), after)
}

async fn a_mailbox_connects_by_starttls_and_by_tls(database: Database) {
    let servers = Servers::start().await;
    let gateway = Gateway::start(database, servers.redirects()).await;
    let ways = [
        json!({"smtp_security": "starttls", "imap_security": "tls"}),
        json!({"smtp_security": "tls", "smtp_auth": "login", "imap_security": "starttls", "imap_auth": "login"}),
    ];
    for (n, way) in ways.into_iter().enumerate() {
        // One account for an address: the next takes its place.
        let account = gateway.connected(servers.account(way)).await;
        let told = gateway.account(&account).await;
        assert_eq!(told["external_id"], SHOP, "{told}");
        assert!(!told.to_string().contains(MAIL_PASSWORD), "the password is kept to itself: {told}");
        gateway.send(&account, MONA, mail(HI), "sent").await;
        let taken = servers.smtp.wait(n + 1).await.pop().unwrap();
        let envelope = &taken.envelope;
        assert_eq!(
            (&envelope["encrypted"], &envelope["user"], &envelope["sender"]),
            (&json!(true), &json!(SHOP), &json!(SHOP)),
            "{envelope}"
        );
        assert_eq!(envelope["recipients"], json!([MONA]));
        gateway.delete(&format!("/rest/v1/channel_accounts/{account}")).await;
    }
    assert!(!gateway.log().contains(MAIL_PASSWORD), "no secret is logged");
}

async fn the_login_is_the_one_that_was_set(database: Database) {
    // A server that offers nothing but LOGIN.
    let servers = Servers::offering(&["LOGIN"]).await;
    let gateway = Gateway::start(database, servers.redirects()).await;
    let account = gateway.connected(servers.account(json!({"smtp_auth": "login"}))).await;
    gateway.send(&account, MONA, mail(HI), "sent").await;
    servers.smtp.wait(1).await;
    let (said, _) = refused(&gateway, servers.account(json!({"smtp_auth": "plain", "email_address": "other@acme.test"}))).await;
    assert!(said.to_lowercase().contains("smtp"), "{said}");
}

async fn somebody_signs_in_with_google_and_tokens_are_renewed(database: Database) {
    let servers = Servers::start().await;
    let gateway = Gateway::start(database, servers.redirects()).await;
    let app = json!({"name": "Mail", "types": ["EMAIL"], "client_id": "google-client", "client_secret": "google-secret"});
    gateway.post("/admin/v1/apps", app).await.expect_status(201);
    let google = json!({"provider": "google", "smtp_host": null, "imap_host": null, "password": null});
    let account = gateway.create("EMAIL", servers.account(google)).await;
    let shown = gateway.log_in(&account).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let told = gateway.account(&account).await;
    assert_eq!((&told["connection"], &told["external_id"]), (&json!("connected"), &json!(SHOP)), "{told}");
    gateway.send(&account, MONA, mail("One"), "sent").await;
    assert_eq!(servers.smtp.wait(1).await[0].envelope["user"], SHOP);
    servers.dovecot.deliver(SHOP, "INBOX", super::bench::letter(MONA, "To Google", "g1@example.test", &[], "Hi"));
    gateway.arrived(&account, "To Google").await;
    // The tokens end before their time: the server's refusal is answered with new ones, and nobody notices.
    gateway.execute("UPDATE channel_accounts SET oauth_renewed_at = oauth_renewed_at - 120000000").await;
    servers.tokens.expire_tokens();
    let before = servers.tokens.requests_of("OAUTH token").len();
    // A connection that is open stays logged in: a new one has to log in anew.
    servers.dovecot.cut();
    servers.dovecot.deliver(SHOP, "INBOX", super::bench::letter(MONA, "After", "g2@example.test", &[], "Hi"));
    gateway.arrived(&account, "After").await;
    assert!(servers.tokens.requests_of("OAUTH token").len() > before, "a token was renewed");
    assert_eq!(gateway.account(&account).await["connection"], "connected");
}

async fn tokens_log_in_too(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, standin(&mail)).await;
    for (n, mechanism) in ["xoauth2", "oauthbearer"].into_iter().enumerate() {
        let settings =
            json!({"smtp_auth": mechanism, "imap_auth": mechanism, "password": null, "access_token": patchbay_providers::mail::TOKEN});
        gateway.connected(at_standin(&format!("shop{n}@acme.test"), settings)).await;
        for protocol in ["SMTP AUTH", "IMAP AUTHENTICATE"] {
            let asked = mail.requests_of(protocol).pop().unwrap();
            assert_eq!(asked.text("mechanism").to_lowercase(), mechanism, "{asked:?}");
        }
    }
    let settings = json!({"smtp_auth": "xoauth2", "imap_auth": "xoauth2", "password": null, "access_token": "an-old-token"});
    let (said, account) = refused(&gateway, at_standin("late@acme.test", settings)).await;
    assert!(!said.contains("an-old-token") && !account.to_string().contains("an-old-token"), "{said} {account}");
}

async fn a_wrong_password_is_told_in_words(database: Database) {
    let servers = Servers::start().await;
    let gateway = Gateway::start(database, servers.redirects()).await;
    let (said, account) = refused(&gateway, servers.account(json!({"password": "not the password"}))).await;
    assert_eq!(account["connection"], "needs_reauth", "{account}");
    let words = said + &account.to_string();
    assert!(words.contains("SMTP") && words.contains("password"), "{words}");
    assert!(!words.contains("not the password"), "{words}");
    // The IMAP server's alone.
    let settings = servers.account(json!({"imap_password": "not the password", "email_address": SHOP}));
    let (said, account) = refused(&gateway, settings).await;
    assert_eq!(account["connection"], "needs_reauth", "{account}");
    assert!((said + &account.to_string()).contains("IMAP"), "{account}");
}

async fn a_password_that_ends_parks_the_queue_until_it_is_mended(database: Database) {
    let bench = Scripted::connected(database, json!({"use_idle": false, "poll_interval_s": 3600})).await;
    bench.mail.set(|knobs| knobs.refuse_logins = true);
    bench.mail.cut();
    let request = json!({"channel_account_id": bench.account, "to": MONA, "content": [mail(HI)]});
    let waiting = bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    let account = eventually("the account needs a new login", || async {
        let account = bench.gateway.account(&bench.account).await;
        (account["connection"] == "needs_reauth").then_some(account)
    })
    .await;
    assert!(account["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{account}");
    assert!(bench.mail.sent().is_empty());
    bench.mail.set(|knobs| knobs.refuse_logins = false);
    bench.gateway.connect(&bench.account, json!({})).await;
    bench.gateway.message(waiting["id"].as_str().unwrap(), "sent").await;
    assert_eq!(bench.mail.sent().len(), 1);
}

async fn without_encryption_nothing_is_said(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, standin(&mail)).await;
    // Not offered, refused, and forged: each time the password stays here.
    for starttls in [StartTls::Off, StartTls::Refused, StartTls::Injected] {
        mail.set(|knobs| knobs.starttls = starttls);
        for settings in [json!({"smtp_security": "starttls"}), json!({"imap_security": "starttls"})] {
            let imap = settings["imap_security"].is_string();
            mail.clear_requests();
            let (said, account) = refused(&gateway, at_standin(SHOP, settings)).await;
            let words = said + &account.to_string();
            if starttls == StartTls::Off {
                assert!(words.contains("starttls_missing"), "{words}");
            }
            let spoken: Vec<String> = mail.requests().iter().map(|asked| asked.method.clone()).collect();
            let (login, other) = if imap { ("IMAP LOGIN", "IMAP AUTHENTICATE") } else { ("SMTP AUTH", "SMTP MAIL") };
            assert!(!spoken.iter().any(|said| said == login || said == other), "{starttls:?}: {spoken:?}");
        }
    }
    // A server that isn't the one of the certificate.
    let servers = Servers::start().await;
    let settings = servers.redirects().redirecting("mx.elsewhere.test:587", &format!("tcp://127.0.0.1:{}", servers.smtp.starttls));
    let other = Gateway::start(database, settings).await;
    let (said, account) = refused(&other, servers.account(json!({"smtp_host": "mx.elsewhere.test"}))).await;
    assert!((said + &account.to_string()).to_lowercase().contains("certificate"), "{account}");
    // And one whose authority nobody knows.
    let (said, account) = refused(&other, servers.account(json!({"tls_ca_pem": null}))).await;
    assert!((said + &account.to_string()).to_lowercase().contains("certificate"), "{account}");
    assert_eq!(servers.smtp.count(), 0);
}

async fn private_addresses_are_out_of_reach(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, Settings::default().without_plugin().channel("email")).await;
    let settings = json!({
        "smtp_host": "127.0.0.1", "smtp_port": mail.smtp().port(), "imap_host": "127.0.0.1", "imap_port": mail.imap().port()
    });
    let (said, account) = refused(&gateway, at_standin(SHOP, settings)).await;
    assert!((said + &account.to_string()).contains("127.0.0.1"), "{account}");
    assert!(mail.requests().is_empty(), "nobody knocked: {:?}", mail.requests());
    let allowing = Settings::default().without_plugin().channel("email").line("egress.allow = [\"127.0.0.0/8\"]");
    let gateway = Gateway::start(database, allowing).await;
    let settings = json!({
        "smtp_host": "127.0.0.1", "smtp_port": mail.smtp().port(), "imap_host": "127.0.0.1", "imap_port": mail.imap().port()
    });
    gateway.connected(at_standin(SHOP, settings)).await;
}

/// Letters that were there before stay where they are, unless they are asked for.
async fn history_is_left_alone(database: Database) {
    let mail = Mail::start().await;
    mail.put(SHOP, "INBOX", super::bench::letter(MONA, "Old", "old@example.test", &[], "Hi"));
    let gateway = Gateway::start(database, standin(&mail)).await;
    let account = gateway.connected(at_standin(SHOP, json!({"initial_sync": null}))).await;
    mail.wait_for("IMAP IDLE", 1, crate::harness::PATIENCE).await;
    mail.put(SHOP, "INBOX", super::bench::letter(MONA, "New", "new@example.test", &[], "Hi"));
    gateway.arrived(&account, "New").await;
    assert_eq!(gateway.subjects(&account).await, ["New"]);
}

async fn connecting_again_tells_nothing_twice(database: Database) {
    let bench = Bench::connected(database).await;
    bench.deliver(super::bench::letter(MONA, "Once", "once@example.test", &[], "Hi"));
    bench.arrived("Once").await;
    bench.gateway.connect(&bench.account, json!({})).await;
    bench.deliver(super::bench::letter(MONA, "Next", "next@example.test", &[], "Hi"));
    bench.arrived("Next").await;
    assert_eq!(bench.gateway.subjects(&bench.account).await, ["Once", "Next"]);
}

both! {
    a_mailbox_connects_by_starttls_and_by_tls,
    the_login_is_the_one_that_was_set,
    somebody_signs_in_with_google_and_tokens_are_renewed,
    tokens_log_in_too,
    a_wrong_password_is_told_in_words,
    a_password_that_ends_parks_the_queue_until_it_is_mended,
    without_encryption_nothing_is_said,
    private_addresses_are_out_of_reach,
    history_is_left_alone,
    connecting_again_tells_nothing_twice,
}
