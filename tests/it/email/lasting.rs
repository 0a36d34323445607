//! Nothing is lost and nothing comes twice, whatever dies in between.

use std::{collections::BTreeSet, time::Duration};

use patchbay_providers::{Failure, Mail, Moment};
use serde_json::{Value, json};

use super::bench::{Bench, MONA, SHOP, Scripted, at_standin, letter, standin};
use crate::harness::{Database, Gateway, both, eventually, eventually_within};

/// A look that a kill interrupted is taken up again when its lease has run out.
const LEASE: Duration = Duration::from_secs(150);

fn numbered(n: usize) -> String {
    letter(MONA, &format!("Letter {n}"), &format!("n{n}@example.test"), &[], &format!("Number {n}"))
}

/// Waits until all letters below that number are there, and finds each once.
async fn all(gateway: &Gateway, account: &str, count: usize) {
    let subjects = eventually_within(LEASE, &format!("{count} letters are there"), || async {
        let subjects = gateway.subjects(account).await;
        let distinct: BTreeSet<&String> = subjects.iter().collect();
        (distinct.len() >= count).then_some(subjects)
    })
    .await;
    let distinct: BTreeSet<String> = subjects.iter().cloned().collect();
    assert_eq!(subjects.len(), distinct.len(), "none twice: {subjects:?}");
    assert_eq!(distinct, (0..count).map(|n| format!("Letter {n}")).collect::<BTreeSet<_>>());
}

async fn letters_survive_kills_and_come_once(database: Database) {
    let mut bench = Bench::connected(database).await;
    let mut next = 0;
    for _ in 0..3 {
        for _ in 0..20 {
            bench.deliver(numbered(next));
            next += 1;
        }
        // In the middle of them.
        let seen = next - 18;
        eventually_within(LEASE, "some are there", || async { (bench.gateway.received(&bench.account).await.len() >= seen).then_some(()) })
            .await;
        bench.gateway.kill();
        bench.gateway.start_again();
    }
    bench.deliver(numbered(next));
    all(&bench.gateway, &bench.account, next + 1).await;
}

async fn a_folder_that_is_numbered_anew_tells_nothing_twice(database: Database) {
    let mut bench = Bench::connected(database).await;
    for n in 0..5 {
        bench.deliver(numbered(n));
    }
    all(&bench.gateway, &bench.account, 5).await;
    // As after a restore from a backup: nobody is connected meanwhile, and letters come.
    bench.gateway.kill();
    bench.servers.dovecot.forget_numbers(SHOP, "INBOX").await;
    bench.deliver(numbered(5));
    bench.gateway.start_again();
    all(&bench.gateway, &bench.account, 6).await;
    bench.deliver(numbered(6));
    all(&bench.gateway, &bench.account, 7).await;
}

async fn numbers_that_mean_other_letters_are_noticed(database: Database) {
    let bench = Scripted::connected(database, json!({})).await;
    for n in 0..4 {
        bench.mail.put(SHOP, "INBOX", numbered(n));
    }
    all(&bench.gateway, &bench.account, 4).await;
    bench.mail.put(SHOP, "INBOX", numbered(4));
    bench.mail.renumber(SHOP, "INBOX");
    all(&bench.gateway, &bench.account, 5).await;
    bench.mail.put(SHOP, "INBOX", numbered(5));
    all(&bench.gateway, &bench.account, 6).await;
}

async fn a_connection_that_breaks_in_a_letter_loses_none(database: Database) {
    let mail = Mail::start().await;
    for n in 0..3 {
        mail.put(SHOP, "INBOX", numbered(n));
    }
    mail.fail(Failure::cut("IMAP FETCH", Moment::After).times(1));
    mail.fail(Failure::cut("IMAP SELECT", Moment::Before).times(1));
    mail.fail(Failure::cut("IMAP EXAMINE", Moment::Before).times(1));
    let gateway = Gateway::start(database, standin(&mail)).await;
    let account = gateway.connected(at_standin(SHOP, json!({}))).await;
    all(&gateway, &account, 3).await;
    // The server goes away while it is waited for, and comes back.
    mail.cut();
    mail.put(SHOP, "INBOX", numbered(3));
    all(&gateway, &account, 4).await;
    assert_eq!(gateway.account(&account).await["connection"], "connected");
}

/// A server that says later is asked later, and the account goes on.
async fn a_server_that_is_busy_is_asked_again(database: Database) {
    let bench = Scripted::connected(database, json!({})).await;
    for command in ["IMAP SELECT", "IMAP EXAMINE"] {
        bench.mail.fail(Failure::error(command, 400, "[UNAVAILABLE] Try again later").times(1));
    }
    bench.mail.cut();
    bench.mail.put(SHOP, "INBOX", numbered(0));
    all(&bench.gateway, &bench.account, 1).await;
}

async fn a_letter_that_a_kill_interrupts_is_uncertain_and_not_sent_again(database: Database) {
    let settings = |mail: &Mail| standin(mail).line("outbox.lease_s = 12").line("outbox.send_ms = 11000");
    let mail = Mail::start().await;
    mail.set(|knobs| knobs.slow_ms = 30_000);
    let mut gateway = Gateway::start(database, settings(&mail)).await;
    let account = gateway.connected(at_standin(SHOP, json!({"imap_host": null}))).await;
    let enqueue = async |gateway: &Gateway, to: &str| {
        let content = json!([{"type": "email", "subject": "Hi", "text": "Hi"}]);
        let request = json!({"channel_account_id": account, "to": to, "content": content});
        let message = gateway.post("/rest/v1/messages", request).await.expect_status(202);
        message["id"].as_str().unwrap().to_owned()
    };
    let hanging = enqueue(&gateway, "slow@example.test").await;
    mail.wait_for("SMTP LETTER", 1, crate::harness::PATIENCE).await;
    gateway.kill();
    gateway.start_again();
    let behind = enqueue(&gateway, MONA).await;
    gateway.message(&behind, "sent").await;
    let hung = eventually_within(LEASE, "the interrupted one is settled", || async {
        let message: Value = gateway.get(&format!("/rest/v1/messages/{hanging}")).await.expect_status(200);
        (message["state"] == "uncertain").then_some(message)
    })
    .await;
    assert_eq!(hung["failure"]["class"], "uncertain", "{hung}");
    let recipients: Vec<String> = mail.sent().iter().map(|sent| sent.recipients.join(",")).collect();
    assert_eq!(recipients, ["slow@example.test", MONA], "each once");
}

/// What is left when an account goes: nobody waits at the server any more.
async fn an_account_that_goes_hangs_up(database: Database) {
    let bench = Scripted::connected(database, json!({"poll_interval_s": 3600})).await;
    bench.mail.wait_for("IMAP IDLE", 1, crate::harness::PATIENCE).await;
    bench.gateway.patch(&format!("/rest/v1/channel_accounts/{}", bench.account), json!({"is_active": false})).await.expect_status(200);
    eventually("it idles no more", || async {
        let ended = bench.mail.requests_of("IMAP DONE").len() + bench.mail.requests_of("IMAP LOGOUT").len();
        (ended > 0).then_some(())
    })
    .await;
}

both! {
    letters_survive_kills_and_come_once,
    a_folder_that_is_numbered_anew_tells_nothing_twice,
    numbers_that_mean_other_letters_are_noticed,
    a_connection_that_breaks_in_a_letter_loses_none,
    a_server_that_is_busy_is_asked_again,
    a_letter_that_a_kill_interrupts_is_uncertain_and_not_sent_again,
    an_account_that_goes_hangs_up,
}
