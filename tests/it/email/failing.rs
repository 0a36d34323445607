//! What SMTP servers answer, and what becomes of the letter.

use patchbay_providers::{Failure, Mail};
use serde_json::{Value, json};

use super::bench::{MONA, Scripted, at_standin, standin};
use crate::harness::{Database, Gateway, both, eventually};

/// An account of its own for each: one that has to wait holds up no other.
async fn account(gateway: &Gateway, name: &str) -> String {
    gateway.connected(at_standin(&format!("{name}@acme.test"), json!({"imap_host": null}))).await
}

async fn enqueue(gateway: &Gateway, account: &str, to: &str) -> String {
    let content = json!([{"type": "email", "subject": "Hi", "text": "Hi"}]);
    let request = json!({"channel_account_id": account, "to": to, "content": content});
    gateway.post("/rest/v1/messages", request).await.expect_status(202)["id"].as_str().unwrap().to_owned()
}

/// The message once it has failed in some way, for good or not.
async fn struck(gateway: &Gateway, id: &str) -> Value {
    let path = format!("/rest/v1/messages/{id}");
    eventually("it failed in some way", || async {
        let message = gateway.get(&path).await.expect_status(200);
        message["failure"]["class"].is_string().then_some(message)
    })
    .await
}

async fn every_answer_has_its_class(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, standin(&mail)).await;
    let table = [
        ("unknown", "failed", "recipient", "5.1.1"),
        ("nodomain", "failed", "recipient", "5.1.2"),
        ("moved", "failed", "recipient", "5.1.6"),
        ("spam", "failed", "rejected", "5.7.1"),
        ("large", "failed", "rejected", "5.3.4"),
        ("data-550-5.7.26", "failed", "rejected", "5.7.26"),
        ("rcpt-555-5.5.4", "failed", "rejected", "5.5.4"),
        ("full", "queued", "unavailable", "4.2.2"),
        ("rcpt-451-4.3.0", "queued", "unavailable", "4.3.0"),
        ("data-451-4.3.0", "queued", "unavailable", "4.3.0"),
        ("data-452", "queued", "unavailable", "452"),
        ("greylist", "queued", "limited", "4.7.1"),
        ("quota", "queued", "limited", "5.4.5"),
        ("busy", "queued", "limited", "4.7.0"),
        ("drop-before", "queued", "unavailable", ""),
        ("drop-after", "uncertain", "uncertain", ""),
    ];
    let mut ids = Vec::new();
    for (name, ..) in table {
        let account = account(&gateway, name).await;
        ids.push((account.clone(), enqueue(&gateway, &account, &format!("{name}@example.test")).await));
    }
    let mut wrong = Vec::new();
    for ((name, state, class, code), (_, id)) in table.iter().zip(&ids) {
        let message = struck(&gateway, id).await;
        let failure = &message["failure"];
        if message["state"] != *state || failure["class"] != *class || !failure.to_string().contains(code) {
            wrong.push(format!("{name}: {} {failure}", message["state"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What may have arrived isn't sent again: the account goes on with other letters.
    let (account, uncertain) = &ids[table.len() - 1];
    let next = enqueue(&gateway, account, MONA).await;
    gateway.message(&next, "sent").await;
    gateway.message(uncertain, "uncertain").await;
    assert_eq!(mail.letters("drop-after@example.test", "INBOX").len(), 1);
    // Who isn't there is known as such.
    let contacts = gateway.get("/rest/v1/contacts").await.expect_status(200);
    if let Some(contact) = contacts.as_array().unwrap().iter().find(|contact| contact.to_string().contains("unknown@example.test")) {
        assert!(contact["unreachable_at"].is_string(), "{contact}");
    }
}

async fn who_must_log_in_anew_parks_the_account(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, standin(&mail)).await;
    let account = account(&gateway, "auth").await;
    let id = enqueue(&gateway, &account, "auth@example.test").await;
    let told = eventually("the account needs a new login", || async {
        let account = gateway.account(&account).await;
        (account["connection"] == "needs_reauth").then_some(account)
    })
    .await;
    assert!(told.to_string().contains("5.7.0"), "{told}");
    assert_eq!(gateway.get(&format!("/rest/v1/messages/{id}")).await.expect_status(200)["state"], "queued");
}

async fn a_server_that_fails_once_is_tried_again(database: Database) {
    let mail = Mail::start().await;
    let gateway = Gateway::start(database, standin(&mail).line("outbox.retry_s = [1, 1, 1, 1]")).await;
    let account = account(&gateway, "shop").await;
    for failure in [
        Failure::error("SMTP MAIL", 451, "4.3.2 System not accepting network messages"),
        Failure::error("SMTP RCPT", 450, "4.2.0 Try again later"),
        Failure::error("SMTP DATA", 452, "4.3.1 Insufficient system storage"),
    ] {
        mail.fail(failure);
        let id = enqueue(&gateway, &account, MONA).await;
        let message = gateway.message(&id, "sent").await;
        assert_eq!(message["attempts"], 2, "{message}");
    }
    assert_eq!(mail.sent().len(), 3);
}

/// Of several recipients some are refused: the others have the letter, and the refusals are told.
async fn some_recipients_of_a_letter_are_refused(database: Database) {
    let bench = Scripted::connected(database, json!({"imap_host": null})).await;
    let content = json!({"type": "email", "subject": "Hi", "text": "Hi", "cc": ["unknown@example.test", "omar@example.test"]});
    let message = bench.gateway.send(&bench.account, MONA, content, "sent").await;
    assert_eq!(bench.mail.sent()[0].recipients, [MONA, "omar@example.test"]);
    assert!(message.to_string().contains("unknown@example.test") && message.to_string().contains("5.1.1"), "{message}");
    assert_eq!(bench.mail.sent().len(), 1, "once");
}

async fn a_letter_that_the_server_would_not_take_is_not_carried_there(database: Database) {
    let mail = Mail::start().await;
    mail.set(|knobs| knobs.size_max = 10_000);
    let gateway = Gateway::start(database, standin(&mail)).await;
    let account = account(&gateway, "shop").await;
    let content = json!([{"type": "email", "subject": "Long", "text": "word ".repeat(10_000)}]);
    let request = json!({"channel_account_id": account, "to": MONA, "content": content});
    let answer = gateway.post("/rest/v1/messages", request).await;
    if answer.status == 202 {
        let message = gateway.message(answer.body["id"].as_str().unwrap(), "failed").await;
        assert_eq!(message["failure"]["class"], "rejected", "{message}");
    } else {
        answer.expect_status(422);
    }
    assert!(mail.requests_of("SMTP DATA").is_empty(), "it wasn't carried there");
}

/// Servers of another age: no extension at all.
async fn a_server_without_extensions_gets_plain_ascii(database: Database) {
    let mail = Mail::start().await;
    mail.set(|knobs| {
        knobs.extensions.clear();
        knobs.size_max = 0;
    });
    let gateway = Gateway::start(database, standin(&mail)).await;
    let account = account(&gateway, "shop").await;
    let content = json!({"type": "email", "subject": "مرحبا", "text": "مرحبا"});
    gateway.send(&account, MONA, content, "sent").await;
    let told = mail.requests_of("SMTP LETTER").pop().unwrap();
    assert_eq!((told.text("eight_bit").as_str(), told.text("bare_line_ends").as_str()), ("false", "false"), "{told:?}");
    let from = mail.requests_of("SMTP MAIL").pop().unwrap().text("line");
    assert_eq!(from.trim(), "FROM:<shop@acme.test>", "nothing that wasn't offered");
    assert!(mail.letters(MONA, "INBOX")[0].header("subject").unwrap().starts_with("=?utf-8?"), "encoded");
}

both! {
    every_answer_has_its_class,
    who_must_log_in_anew_parks_the_account,
    a_server_that_fails_once_is_tried_again,
    some_recipients_of_a_letter_are_refused,
    a_letter_that_the_server_would_not_take_is_not_carried_there,
    a_server_without_extensions_gets_plain_ascii,
}
