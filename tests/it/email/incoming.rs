//! Letters in: what is read of them, what is made safe, and which of them are no messages.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::bench::{Bench, MONA, SHOP, Scripted, letter, sha256, wired};
use crate::harness::{Database, Gateway, PATIENCE, both, eventually};

/// The one of `other.md`: windows-1256 in quoted-printable, an encoded subject, a file with a name in UTF-8.
const ARABIC: &str = r#"
From: "Mona" <mona@ex.test>
To: support@acme.test
Subject: =?utf-8?B?UmU6INin2YTZgdin2KrZiNix2Kk=?=
Date: Sun, 22 Nov 2026 08:00:00 +0200
Message-ID: <r2@ex.test>
In-Reply-To: <PARENT>
References: <a1@ex.test> <PARENT>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="m1"

--m1
Content-Type: text/plain; charset=windows-1256
Content-Transfer-Encoding: quoted-printable

=E3=D1=CD=C8=C7
--m1
Content-Type: application/pdf
Content-Disposition: attachment; filename*=utf-8''%D9%81.pdf
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--m1--
"#;

/// A report of a failure, as `other.md` has it.
const BOUNCE: &str = r#"
Return-Path: <>
From: MAILER-DAEMON@mx.ex.test
To: support@acme.test
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce-1@mx.ex.test>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

could not be delivered
--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.ex.test
Original-Envelope-Id: env-77

Final-Recipient: rfc822; gone@ex.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <gone@ex.test>:
 user unknown

--b1
Content-Type: text/rfc822-headers

Message-ID: <PARENT>
Subject: Hi

--b1--
"#;

const HTML: &str = r#"<div onclick="steal()"><script>steal()</script><style>p{color:red}</style><p style="color: red; position: fixed">Sale</p>
<img src="https://tracker.example.test/open.gif?u=1" width="1"><img src="cid:logo@ex.test"><a href="javascript:steal()">one</a>
<a href="https://shop.example.test/">two</a><iframe src="https://shop.example.test/"></iframe></div>"#;

fn mail(subject: &str) -> Value {
    json!({"type": "email", "subject": subject, "text": "Hello"})
}

/// The bytes of an attachment of a message, once they are there.
async fn file(gateway: &Gateway, message: &Value, at: usize) -> Vec<u8> {
    let path = format!("/rest/v1/messages/{}", message["id"].as_str().unwrap());
    let url = eventually("the file is there", || async {
        let message = gateway.get(&path).await.expect_status(200);
        message["content"][0]["attachments"][at]["url"].as_str().map(str::to_owned)
    })
    .await;
    let url = if url.starts_with('/') { format!("{}{url}", gateway.url) } else { url };
    reqwest::get(url).await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
}

async fn an_arabic_letter_is_read_as_it_was_written(database: Database) {
    let bench = Bench::connected(database).await;
    let sent = bench.send("mona@ex.test", mail("الفاتورة")).await;
    bench.deliver(wired(ARABIC).replace("PARENT", sent["external_id"].as_str().unwrap()));
    let message = bench.arrived("Re: الفاتورة").await;
    let content = &message["content"][0];
    assert_eq!(content["text"].as_str().unwrap().trim(), "مرحبا", "{content}");
    assert_eq!(content["attachments"].as_array().unwrap().len(), 1, "{content}");
    assert_eq!(content["attachments"][0]["file_name"], "ف.pdf");
    assert_eq!(content["attachments"][0]["mime_type"], "application/pdf");
    assert_eq!(file(&bench.gateway, &message, 0).await, b"%PDF-1.4\n");
    assert_eq!((&message["conversation_id"], &message["external_id"]), (&sent["conversation_id"], &json!("r2@ex.test")), "{message}");
    assert_eq!(message["reply_to"], sent["external_id"]);
    assert_eq!(message["provider_at"], "2026-11-22T06:00:00.000000Z", "{message}");
    assert_eq!((&message["origin"], &message["automatic"], &message["echo"]), (&json!("direct"), &json!(false), &json!(false)));
    assert_eq!(message["contact"]["name"], "Mona");
    assert!(message["contact"]["identities"].as_array().unwrap().iter().any(|identity| identity["value"] == "mona@ex.test"), "{message}");
}

async fn what_strangers_write_is_safe_to_show(database: Database) {
    let bench = Bench::connected(database).await;
    let image = STANDARD.encode(patchbay_providers::telegram::png(4, 4));
    let head = letter(MONA, "Marked up", "h1@example.test", &[], "");
    let head = head.split("Content-Type").next().unwrap();
    bench.deliver(format!(
        "{head}Content-Type: multipart/related; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{}\r\n--x\r\n\
         Content-Type: image/png\r\nContent-ID: <logo@ex.test>\r\nContent-Disposition: inline; filename=logo.png\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{image}\r\n--x--\r\n",
        HTML.replace('\n', "\r\n")
    ));
    let message = bench.arrived("Marked up").await;
    let content = &message["content"][0];
    let safe = content["html"].as_str().unwrap();
    for bad in ["script", "onclick", "javascript:", "iframe", "position", "steal", " src=\"https://tracker", "'https://tracker"] {
        assert!(!safe.contains(bad), "{bad}: {safe}");
    }
    assert!(safe.contains("Sale") && safe.contains("https://shop.example.test/") && safe.contains("noopener"), "{safe}");
    assert!(safe.contains("data-src=\"https://tracker.example.test/open.gif?u=1\""), "{safe}");
    assert!(!safe.contains("cid:"), "the picture has an address of ours: {safe}");
    assert_eq!(content["html_original"].as_str().unwrap().replace("\r\n", "\n").trim(), HTML, "the original stands beside it");
    let text = content["text"].as_str().unwrap();
    assert!(text.contains("Sale") && text.contains("two") && !text.contains("steal"), "{text}");
    assert_eq!(content["attachments"][0]["extras"]["content_id"], "logo@ex.test", "{content}");
    assert_eq!(sha256(&file(&bench.gateway, &message, 0).await), sha256(&STANDARD.decode(image).unwrap()));
    // No script comes to the stream of events either.
    let listed = bench.gateway.get("/rest/v1/conversations").await.expect_status(200).to_string();
    assert!(!listed.contains("<script"), "{listed}");
}

async fn a_bounce_marks_its_letter_and_its_recipient(database: Database) {
    let bench = Bench::connected(database).await;
    let sent = bench.send("gone@ex.test", mail("Hi")).await;
    bench.deliver(wired(BOUNCE).replace("PARENT", sent["external_id"].as_str().unwrap()));
    let failed = bench.gateway.message(sent["id"].as_str().unwrap(), "failed").await;
    assert_eq!(failed["failure"]["class"], "recipient", "{failed}");
    assert!(failed["failure"].to_string().contains("5.1.1"), "{failed}");
    let contacts = bench.gateway.get("/rest/v1/contacts").await.expect_status(200);
    let contact = contacts.as_array().unwrap().iter().find(|contact| contact.to_string().contains("gone@ex.test")).cloned();
    let contact = contact.unwrap_or_else(|| panic!("nobody is flagged: {contacts}"));
    assert!(contact["unreachable_at"].is_string() && contact["unreachable_reason"].is_string(), "{contact}");
    // The same report again, and then a letter: nothing of the reports is in the inbox.
    bench.deliver(wired(BOUNCE).replace("PARENT", sent["external_id"].as_str().unwrap()).replace("bounce-1", "bounce-2"));
    bench.deliver(letter(MONA, "After", "after@example.test", &[], "Hi"));
    bench.arrived("After").await;
    assert_eq!(bench.gateway.subjects(&bench.account).await, ["After"]);
}

async fn reports_that_arrive_by_themselves_are_understood(database: Database) {
    let bench = Scripted::connected(database, json!({})).await;
    // A report may be there before the message is seen to be sent.
    let send = async |to: &str| {
        let request = json!({"channel_account_id": bench.account, "to": to, "content": [mail("Hi")]});
        let message = bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
        message["id"].as_str().unwrap().to_owned()
    };
    let (displayed, bounced) = (send("displayed@example.test").await, send("bounce@example.test").await);
    let read = bench.gateway.message(&displayed, "read").await;
    assert!(read["read_at"].is_string(), "{read}");
    let failed = bench.gateway.message(&bounced, "failed").await;
    assert_eq!(failed["failure"]["class"], "recipient", "{failed}");
    // Only delayed: nothing is lost yet.
    let late = send(MONA).await;
    bench.gateway.message(&late, "sent").await;
    assert!(bench.mail.bounce(MONA, "4.4.1"));
    bench.mail.put(SHOP, "INBOX", letter(MONA, "After", "after@example.test", &[], "Hi"));
    bench.arrived("After").await;
    assert_eq!(bench.gateway.message(&late, "sent").await["state"], "sent");
    assert_eq!(bench.gateway.subjects(&bench.account).await, ["After"], "no report is a message");
}

/// A report about a letter that isn't ours must not mark one that is.
async fn nobody_can_forge_a_bounce_of_what_was_never_sent(database: Database) {
    let bench = Bench::connected(database).await;
    let sent = bench.send(MONA, mail("Hi")).await;
    bench.deliver(wired(BOUNCE).replace("PARENT", "out-77@acme.test"));
    bench.deliver(letter(MONA, "After", "after@example.test", &[], "Hi"));
    bench.arrived("After").await;
    let sent = bench.gateway.message(sent["id"].as_str().unwrap(), "sent").await;
    assert!(sent["failure"].is_null(), "{sent}");
}

async fn machines_write_and_nothing_is_done_because_of_it(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    let sent = bench.send(MONA, mail("Hi")).await;
    let parent = format!("<{}>", sent["external_id"].as_str().unwrap());
    bench.deliver(letter(
        MONA,
        "Out of office",
        "auto@example.test",
        &[("Auto-Submitted", "auto-replied"), ("In-Reply-To", &parent)],
        "Away",
    ));
    let away = bench.arrived("Out of office").await;
    assert_eq!((&away["origin"], &away["automatic"]), (&json!("auto_reply"), &json!(true)), "{away}");
    assert_eq!(away["conversation_id"], sent["conversation_id"], "it is shown where it belongs");
    let list = [("List-Id", "News <news.example.test>"), ("Precedence", "bulk")];
    bench.deliver(letter("news@example.test", "Newsletter", "list@example.test", &list, "News"));
    let news = bench.arrived("Newsletter").await;
    assert_eq!((&news["origin"], &news["automatic"]), (&json!("list"), &json!(true)), "{news}");
    bench.deliver(letter(MONA, "A person", "person@example.test", &[("Auto-Submitted", "no")], "Hi"));
    let person = bench.arrived("A person").await;
    assert_eq!((&person["origin"], &person["automatic"]), (&json!("direct"), &json!(false)), "{person}");
    // Whoever waits for messages to answer is told of the person alone.
    let told = events.next_of("message.received").await;
    assert_eq!(told["data"]["message"]["id"], person["id"], "{told}");
    assert_eq!(bench.servers.smtp.count(), 1, "nothing was answered");
}

/// A file of 18 MiB: 25.8 MB on the wire. One of 20 MB would be 27.4 MB there, which is more than the plugin reads whole.
async fn a_letter_of_25_megabytes_comes_in_byte_for_byte(database: Database) {
    let bench = Bench::connected(database).await;
    let bytes: Vec<u8> = (0..18 * 1024 * 1024_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let lines: Vec<String> = bytes.chunks(57).map(|chunk| STANDARD.encode(chunk)).collect();
    let head = letter(MONA, "Large", "large@example.test", &[], "");
    let head = head.split("Content-Type").next().unwrap();
    bench.deliver(format!(
        "{head}Content-Type: multipart/mixed; boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nAll of it\r\n--x\r\n\
         Content-Type: application/zip\r\nContent-Disposition: attachment; filename=all.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--x--\r\n",
        lines.join("\r\n")
    ));
    let message = bench.arrived("Large").await;
    assert_eq!(message["content"][0]["attachments"][0]["file_name"], "all.zip", "{message}");
    let got = file(&bench.gateway, &message, 0).await;
    assert_eq!((got.len(), sha256(&got)), (bytes.len(), sha256(&bytes)));
}

/// Larger than may be read whole: its header tells of it, and what can be read is there.
async fn a_letter_beyond_every_bound_holds_nothing_up(database: Database) {
    let bench = Bench::connected(database).await;
    bench.deliver(letter(MONA, "Huge", "huge@example.test", &[], &format!("{}\r\n", "x".repeat(70)).repeat(450_000)));
    bench.deliver(letter(MONA, "Small", "small@example.test", &[], "Hi"));
    bench.arrived("Small").await;
    let huge = bench.arrived("Huge").await;
    assert!(!huge["content"][0]["attachments"].as_array().unwrap().is_empty(), "the letter is attached: {huge}");
}

async fn folders_are_read_and_what_was_read_is_marked(database: Database) {
    let bench = Bench::with(database, json!({"folders": ["Orders"], "sent_mailbox": "Sent", "mark_seen": true})).await;
    let dovecot = &bench.servers.dovecot;
    dovecot.deliver(SHOP, "Orders", letter(MONA, "In a folder", "f1@example.test", &[], "Hi"));
    bench.deliver(letter(MONA, "In the inbox", "f2@example.test", &[], "Hi"));
    // The same letter twice: rules copy letters.
    dovecot.deliver(SHOP, "Orders", letter(MONA, "In the inbox", "f2@example.test", &[], "Hi"));
    let inbox = bench.arrived("In the inbox").await;
    bench.arrived("In a folder").await;
    // What somebody answers with a mail program is an echo in the conversation.
    let own = letter(&format!("Shop <{SHOP}>"), "Re: In the inbox", "own@acme.test", &[("In-Reply-To", "<f2@example.test>")], "Yes");
    dovecot.deliver(SHOP, "Sent", own.replace(&format!("To: {SHOP}\r\n"), &format!("To: {MONA}\r\n")));
    let echo = eventually("the echo is there", || async {
        let path = format!("/rest/v1/messages?channel_account_id={}&limit=100", bench.account);
        let messages = bench.gateway.get(&path).await.expect_status(200);
        messages.as_array().unwrap().iter().find(|message| message["content"][0]["subject"] == "Re: In the inbox").cloned()
    })
    .await;
    assert_eq!((&echo["echo"], &echo["conversation_id"]), (&json!(true), &inbox["conversation_id"]), "{echo}");
    eventually("they are marked", || async { (dovecot.seen(SHOP, "INBOX") == 1).then_some(()) }).await;
    let mut subjects = bench.gateway.subjects(&bench.account).await;
    subjects.retain(|subject| !subject.starts_with("Re:"));
    subjects.sort_unstable();
    assert_eq!(subjects, ["In a folder", "In the inbox"]);
}

/// The server tells of a letter, and nobody waits for the next look.
async fn a_letter_comes_at_once(database: Database) {
    let bench = Bench::with(database, json!({"poll_interval_s": 3600})).await;
    for n in 0..3 {
        bench.deliver(letter(MONA, &format!("Letter {n}"), &format!("idle-{n}@example.test"), &[], "Hi"));
        bench.arrived(&format!("Letter {n}")).await;
    }
}

/// Servers that can't tell are looked at again and again.
async fn without_idle_letters_come_by_looking(database: Database) {
    let bench = Scripted::connected(database, json!({})).await;
    bench.mail.set(|knobs| knobs.idle = false);
    bench.mail.cut();
    bench.mail.put(SHOP, "INBOX", letter(MONA, "Looked for", "look@example.test", &[], "Hi"));
    bench.arrived("Looked for").await;
    let idled = bench.mail.requests_of("IMAP IDLE").iter().filter(|asked| asked.status == 400).count();
    assert_eq!(idled, 0, "what isn't offered isn't asked for");
}

/// A whole conversation with the stand-in, as the demonstration has it.
async fn somebody_writes_is_answered_and_answers(database: Database) {
    let bench = Scripted::connected(database, json!({"display_name": "Shop"})).await;
    let say =
        patchbay_providers::mail::Say { from: MONA.into(), subject: Some("Price?".into()), text: "How much?".into(), ..Default::default() };
    bench.mail.say(&say);
    let asked = bench.arrived("Price?").await;
    let to = asked["conversation"]["external_id"].as_str().unwrap();
    bench.gateway.send(&bench.account, to, json!({"type": "text", "text": "Ten"}), "sent").await;
    bench.mail.wait_for("SMTP LETTER", 1, PATIENCE).await;
    bench.mail.say(&patchbay_providers::mail::Say { from: MONA.into(), text: "Thanks".into(), reply: true, ..Default::default() });
    let thanks = bench.arrived("Re: Price?").await;
    assert_eq!(thanks["conversation_id"], asked["conversation_id"], "{thanks}");
}

both! {
    an_arabic_letter_is_read_as_it_was_written,
    what_strangers_write_is_safe_to_show,
    a_bounce_marks_its_letter_and_its_recipient,
    reports_that_arrive_by_themselves_are_understood,
    nobody_can_forge_a_bounce_of_what_was_never_sent,
    machines_write_and_nothing_is_done_because_of_it,
    a_letter_of_25_megabytes_comes_in_byte_for_byte,
    a_letter_beyond_every_bound_holds_nothing_up,
    folders_are_read_and_what_was_read_is_marked,
    a_letter_comes_at_once,
    without_idle_letters_come_by_looking,
    somebody_writes_is_answered_and_answers,
}
