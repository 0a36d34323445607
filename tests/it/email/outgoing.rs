//! Letters out, as the server got them and another parser reads them.

use serde_json::{Value, json};

use super::bench::{Bench, MONA, SHOP, Scripted, sha256};
use crate::harness::{Database, both};

const UPLOAD: &str = "/rest/v1/media?organization_id=org-1";

/// The parts of a letter that aren't made of others, in their order.
fn leaves(tree: &Value) -> Vec<Value> {
    match tree["parts"].as_array() {
        Some(parts) => parts.iter().flat_map(leaves).collect(),
        None => vec![tree.clone()],
    }
}

fn header<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter["headers"][name].as_str().unwrap_or_else(|| panic!("{name} is missing: {:#}", letter["headers"]))
}

/// An uploaded file.
struct File {
    id: Value,
    size: Value,
    sha256: Value,
}

impl Bench {
    async fn upload(&self, kind: &str, bytes: Vec<u8>) -> File {
        let (size, sha256) = (json!(bytes.len()), json!(sha256(&bytes)));
        let media = self.gateway.upload(UPLOAD, kind, bytes).await.expect_status(201);
        File { id: media["id"].clone(), size, sha256 }
    }
}

async fn a_letter_with_everything_is_what_was_meant(database: Database) {
    let bench = Bench::connected(database).await;
    let logo = bench.upload("image/png", patchbay_providers::telegram::png(8, 8)).await;
    let bill = bench.upload("application/pdf", b"%PDF-1.4\nthe bill\n".to_vec()).await;
    let content = json!({
        "type": "email", "subject": "طلب رقم ١٢ – Ihre Bestellung über 100 €, und noch viel mehr, damit die Zeile gefaltet wird",
        "text": "Good morning\n.dot\nFrom here\nمرحبا", "html": "<p>Good <b>morning</b> <img src=\"cid:logo\"></p>",
        "cc": ["Omar <omar@example.test>"], "bcc": ["boss@example.test"],
        "attachments": [
            {"kind": "image", "media_id": logo.id, "file_name": "logo.png", "extras": {"content_id": "logo"}},
            {"kind": "document", "media_id": bill.id, "file_name": "فاتورة.pdf"}
        ]
    });
    let message = bench.send(MONA, content.clone()).await;
    let taken = bench.servers.smtp.wait(1).await.pop().unwrap();
    let letter = &taken.letter;
    assert_eq!(letter["defects"], json!([]), "{letter:#}");
    assert_eq!(letter["bare_line_ends"], false);
    assert!(letter["longest_line"].as_u64().unwrap() <= 998, "{letter:#}");
    let mut recipients: Vec<&str> = taken.envelope["recipients"].as_array().unwrap().iter().map(|to| to.as_str().unwrap()).collect();
    recipients.sort_unstable();
    assert_eq!(recipients, ["boss@example.test", MONA, "omar@example.test"]);

    let id = format!("{}@acme.test", message["id"].as_str().unwrap());
    assert_eq!(header(letter, "message-id"), format!("<{id}>"));
    assert_eq!(message["external_id"], json!(id), "{message}");
    assert_eq!(header(letter, "subject"), content["subject"].as_str().unwrap());
    assert_eq!(header(letter, "from"), format!("Shop <{SHOP}>"));
    assert_eq!((header(letter, "to"), header(letter, "mime-version")), (MONA, "1.0"));
    assert!(header(letter, "cc").contains("omar@example.test") && !header(letter, "date").is_empty());
    assert!(letter["headers"].get("bcc").is_none(), "who is told blindly isn't told to the others");
    assert!(!String::from_utf8_lossy(&taken.raw).contains("boss@example.test"));

    let leaves = leaves(letter);
    let kinds: Vec<&str> = leaves.iter().map(|leaf| leaf["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text/plain", "text/html", "image/png", "application/pdf"], "{letter:#}");
    assert_eq!(leaves[0]["text"].as_str().unwrap().trim_end(), content["text"].as_str().unwrap());
    assert_eq!(leaves[1]["text"].as_str().unwrap().trim_end(), content["html"].as_str().unwrap());
    assert_eq!((&leaves[2]["content_id"], &leaves[2]["disposition"]), (&json!("logo"), &json!("inline")));
    assert_eq!((&leaves[2]["sha256"], &leaves[2]["size"]), (&logo.sha256, &logo.size));
    assert_eq!((&leaves[3]["file_name"], &leaves[3]["disposition"]), (&json!("فاتورة.pdf"), &json!("attachment")));
    assert_eq!(leaves[3]["sha256"], bill.sha256);
    // The picture belongs to the HTML, the bill to the letter.
    assert_eq!(letter["type"], "multipart/mixed");
    let inner = |tree: &Value, kind: &str| tree["parts"].as_array().unwrap().iter().find(|part| part["type"] == kind).cloned();
    assert!(inner(letter, "application/pdf").is_some(), "{letter:#}");
    assert!(inner(letter, "image/png").is_none(), "{letter:#}");
}

async fn plain_texts_and_files_become_letters(database: Database) {
    let bench = Bench::with(database, json!({"default_subject": "From the shop", "reply_to": "sales@acme.test"})).await;
    bench.send(MONA, json!({"type": "text", "text": "Where are you?"})).await;
    let bill = bench.upload("application/pdf", b"%PDF-1.4\n".to_vec()).await;
    bench
        .send(MONA, json!({"type": "media", "kind": "document", "media_id": bill.id, "file_name": "bill.pdf", "caption": "Your bill"}))
        .await;
    let taken = bench.servers.smtp.wait(2).await;
    for one in &taken {
        assert_eq!(header(&one.letter, "subject"), "From the shop");
        assert_eq!(header(&one.letter, "reply-to"), "sales@acme.test");
    }
    assert_eq!(leaves(&taken[0].letter)[0]["text"].as_str().unwrap().trim_end(), "Where are you?");
    let parts = leaves(&taken[1].letter);
    assert_eq!(parts[0]["text"].as_str().unwrap().trim_end(), "Your bill");
    assert_eq!((&parts[1]["file_name"], &parts[1]["sha256"]), (&json!("bill.pdf"), &bill.sha256));
    // HTML alone: the text is made of it.
    bench.send(MONA, json!({"type": "email", "subject": "Marked up", "html": "<h1>Sale</h1><p>Ten &amp; twenty</p>"})).await;
    let parts = leaves(&bench.servers.smtp.wait(3).await[2].letter);
    assert_eq!((&parts[0]["type"], &parts[1]["type"]), (&json!("text/plain"), &json!("text/html")));
    let text = parts[0]["text"].as_str().unwrap();
    assert!(text.contains("Sale") && text.contains("Ten & twenty") && !text.contains('<'), "{text}");
}

async fn a_campaign_can_be_left(database: Database) {
    let bench = Bench::connected(database).await;
    let request = json!({
        "channel_account_id": bench.account, "to": MONA, "priority": "bulk", "extras": {"unsubscribe_url": "https://acme.test/leave?m=1"},
        "content": [{"type": "email", "subject": "Sale", "text": "Today"}]
    });
    bench.gateway.command(request, "sent").await;
    let letter = bench.servers.smtp.wait(1).await.pop().unwrap().letter;
    assert!(header(&letter, "list-unsubscribe").contains("<https://acme.test/leave?m=1>"), "{letter:#}");
    assert_eq!(header(&letter, "list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    assert_eq!(header(&letter, "precedence"), "bulk");
}

async fn nobody_smuggles_headers_in(database: Database) {
    let bench = Bench::connected(database).await;
    for to in ["mona@example.test\r\nBcc: all@example.test", "mona@example.test>, <all@example.test", "nobody", "@example.test"] {
        let request = json!({"channel_account_id": bench.account, "to": to, "content": [{"type": "email", "subject": "Hi", "text": "Hi"}]});
        let refused = bench.gateway.post("/rest/v1/messages", request).await.expect_status(422);
        assert!(refused.to_string().contains("/to"), "{refused}");
    }
    let request = json!({
        "channel_account_id": bench.account, "to": MONA,
        "content": [{"type": "email", "subject": "Hi\r\nBcc: all@example.test", "text": "Hi", "headers": {"X-Order": "1\r\nBcc: all@example.test"}}]
    });
    let answer = bench.gateway.post("/rest/v1/messages", request).await;
    if answer.status == 202 {
        bench.gateway.message(answer.body["id"].as_str().unwrap(), "sent").await;
        let taken = bench.servers.smtp.wait(1).await.pop().unwrap();
        assert!(taken.letter["headers"].get("bcc").is_none(), "{:#}", taken.letter);
        assert_eq!(taken.envelope["recipients"], json!([MONA]));
    } else {
        answer.expect_status(422);
    }
}

async fn twenty_megabytes_go_out_byte_for_byte(database: Database) {
    let bench = Bench::with(database, json!({"max_attachment_bytes": 26_214_400})).await;
    let bytes: Vec<u8> = (0..20 * 1024 * 1024_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let file = bench.upload("application/zip", bytes).await;
    let attachment = json!({"kind": "document", "media_id": file.id, "file_name": "all.zip"});
    let content = json!({"type": "email", "subject": "Large", "text": "All of it", "attachments": [attachment]});
    let request = json!({"channel_account_id": bench.account, "to": MONA, "content": [content]});
    let message = bench.gateway.post("/rest/v1/messages", request).await.expect_status(202);
    let taken = bench.servers.smtp.wait(1).await.pop().unwrap();
    bench.gateway.message(message["id"].as_str().unwrap(), "sent").await;
    let parts = leaves(&taken.letter);
    assert_eq!((&parts[1]["size"], &parts[1]["sha256"]), (&json!(20 * 1024 * 1024), &file.sha256));
    assert_eq!(taken.letter["defects"], json!([]));
}

async fn two_letters_go_over_one_connection(database: Database) {
    let bench = Bench::connected(database).await;
    for subject in ["One", "Two", "Three"] {
        bench.send(MONA, json!({"type": "email", "subject": subject, "text": "Hi"})).await;
    }
    let taken = bench.servers.smtp.wait(3).await;
    let connections: Vec<&Value> = taken.iter().map(|one| &one.envelope["connection"]).collect();
    assert_eq!(connections[0], connections[1], "{connections:?}");
    assert_eq!(connections[1], connections[2], "{connections:?}");
}

/// A connection that the server closed while it lay there is no failure of the next letter.
async fn a_connection_that_went_away_is_replaced(database: Database) {
    let bench = Scripted::connected(database, json!({})).await;
    let send = async |subject: &str| {
        let content = json!({"type": "email", "subject": subject, "text": "Hi"});
        bench.gateway.send(&bench.account, MONA, content, "sent").await
    };
    send("One").await;
    bench.mail.cut();
    let second = send("Two").await;
    assert_eq!(second["attempts"], 1, "it went at the first attempt: {second}");
    let sent = bench.mail.sent();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].connection, sent[1].connection);
}

both! {
    a_letter_with_everything_is_what_was_meant,
    plain_texts_and_files_become_letters,
    a_campaign_can_be_left,
    nobody_smuggles_headers_in,
    twenty_megabytes_go_out_byte_for_byte,
    two_letters_go_over_one_connection,
    a_connection_that_went_away_is_replaced,
}
