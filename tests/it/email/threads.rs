//! Which conversation a letter belongs to, and what an answer carries.

use serde_json::{Value, json};

use super::bench::{Bench, MONA, SHOP, letter};
use crate::harness::{Database, both};

fn conversation(message: &Value) -> String {
    message["conversation_id"].as_str().unwrap_or_else(|| panic!("it has no conversation: {message}")).to_owned()
}

fn mail(subject: &str) -> Value {
    json!({"type": "email", "subject": subject, "text": "Hello"})
}

async fn a_reply_finds_the_letter_that_it_answers(database: Database) {
    let bench = Bench::connected(database).await;
    let sent = bench.send(MONA, mail("Your order 7")).await;
    let id = sent["external_id"].as_str().unwrap().to_owned();
    let own = conversation(&sent);
    let parent = format!("<{id}>");

    bench.deliver(letter(MONA, "By answer", "r1@example.test", &[("In-Reply-To", &parent)], "1"));
    let first = bench.arrived("By answer").await;
    assert_eq!((conversation(&first), first["reply_to"].as_str()), (own.clone(), Some(id.as_str())), "{first}");

    let references = format!("<elsewhere@example.test> {parent}\r\n <unknown@example.test>");
    bench.deliver(letter(MONA, "By references", "r2@example.test", &[("References", &references)], "2"));
    assert_eq!(conversation(&bench.arrived("By references").await), own);

    // Somebody else joins by the letter, too: the thread is what counts.
    bench.deliver(letter("omar@example.test", "From Omar", "r3@example.test", &[("In-Reply-To", "<r1@example.test>")], "3"));
    assert_eq!(conversation(&bench.arrived("From Omar").await), own);

    // Mail programs that keep no thread: the subject of the last letter, from the same address, and only as an answer.
    bench.deliver(letter(MONA, "RE: Your order 7", "r4@example.test", &[], "4"));
    assert_eq!(conversation(&bench.arrived("RE: Your order 7").await), own);
    bench.deliver(letter("stranger@example.test", "Re: Your order 7", "r5@example.test", &[], "5"));
    assert_ne!(conversation(&bench.arrived("Re: Your order 7").await), own, "another's letter with that subject is another matter");
    bench.deliver(letter(MONA, "Your order 7", "r6@example.test", &[], "6"));
    assert_ne!(conversation(&bench.arrived("Your order 7").await), own, "a new letter with that subject is a new matter");
    // The header counts more than the subject.
    bench.deliver(letter(MONA, "Re: Re: Your order 7", "r7@example.test", &[("In-Reply-To", "<nobody-knows@example.test>")], "7"));
    assert_ne!(conversation(&bench.arrived("Re: Re: Your order 7").await), own);
}

async fn an_answer_carries_its_thread(database: Database) {
    let bench = Bench::connected(database).await;
    let from = "\"Mona, of sales\" <Mona@example.test>";
    bench.deliver(letter(
        from,
        "Size 42?",
        "a1@example.test",
        &[("References", "<a0@example.test>"), ("In-Reply-To", "<a0@example.test>")],
        "Hi",
    ));
    let asked = bench.arrived("Size 42?").await;
    assert_eq!(asked["contact"]["name"], "Mona, of sales", "{asked}");
    let answer = json!({
        "channel_account_id": bench.account, "conversation_id": conversation(&asked), "content": [{"type": "text", "text": "Yes"}]
    });
    let sent = bench.gateway.command(answer, "sent").await;
    let taken = bench.servers.smtp.wait(1).await.pop().unwrap();
    let headers = &taken.letter["headers"];
    assert_eq!(taken.envelope["recipients"].as_array().unwrap().len(), 1);
    assert!(taken.envelope["recipients"][0].as_str().unwrap().eq_ignore_ascii_case(MONA), "{}", taken.envelope);
    assert_eq!(headers["in-reply-to"], "<a1@example.test>", "{headers:#}");
    assert_eq!(headers["references"], "<a0@example.test> <a1@example.test>", "{headers:#}");
    assert_eq!(headers["subject"], "Re: Size 42?", "{headers:#}");
    assert_eq!(conversation(&sent), conversation(&asked));

    // Her answer to it, and ours to that: the thread grows, the subject doesn't.
    let own = format!("<{}>", sent["external_id"].as_str().unwrap());
    let references = format!("<a0@example.test> <a1@example.test> {own}");
    bench.deliver(letter(from, "Re: Size 42?", "a2@example.test", &[("References", &references), ("In-Reply-To", &own)], "Thanks"));
    let thanks = bench.arrived("Re: Size 42?").await;
    assert_eq!(conversation(&thanks), conversation(&asked));
    let to = thanks["conversation"]["external_id"].as_str().unwrap();
    bench.send(to, json!({"type": "text", "text": "Welcome"})).await;
    let headers = bench.servers.smtp.wait(2).await.pop().unwrap().letter["headers"].clone();
    assert_eq!(headers["in-reply-to"], "<a2@example.test>", "{headers:#}");
    assert_eq!(headers["references"], format!("{references} <a2@example.test>"), "{headers:#}");
    assert_eq!(headers["subject"], "Re: Size 42?");
}

/// The business wrote first: an answer in the conversation knows the address although nobody has written yet.
async fn a_conversation_that_we_began_can_be_continued(database: Database) {
    let bench = Bench::connected(database).await;
    let first = bench.send(MONA, mail("News")).await;
    let more = json!({"channel_account_id": bench.account, "conversation_id": conversation(&first), "content": [{"type": "text", "text": "More"}]});
    let second = bench.gateway.command(more, "sent").await;
    assert_eq!(conversation(&second), conversation(&first));
    let taken = bench.servers.smtp.wait(2).await;
    assert_eq!(taken[1].envelope["recipients"], json!([MONA]));
    let headers = &taken[1].letter["headers"];
    assert_eq!(headers["in-reply-to"], taken[0].letter["headers"]["message-id"], "{headers:#}");
    assert_eq!(headers["subject"], "Re: News");
}

async fn answers_go_where_the_writer_wants_them(database: Database) {
    let bench = Bench::connected(database).await;
    bench.deliver(letter(MONA, "Elsewhere", "w1@example.test", &[("Reply-To", "Desk <desk@example.test>")], "Hi"));
    let asked = bench.arrived("Elsewhere").await;
    let identities = asked["contact"]["identities"].to_string();
    assert!(identities.contains(MONA) && !identities.contains("desk@"), "she is who wrote: {identities}");
    let answer = json!({
        "channel_account_id": bench.account, "conversation_id": conversation(&asked), "reply_to": asked["id"],
        "content": [{"type": "text", "text": "Here"}]
    });
    bench.gateway.command(answer, "sent").await;
    let taken = bench.servers.smtp.wait(1).await.pop().unwrap();
    assert_eq!(taken.envelope["recipients"], json!(["desk@example.test"]));
    assert_eq!(taken.letter["headers"]["in-reply-to"], "<w1@example.test>");
}

/// Programs that lose every header of a thread still answer to the address that they were given.
async fn a_token_in_the_address_tells_what_is_answered(database: Database) {
    let bench = Bench::with(database, json!({"plus_addressing": true})).await;
    let sent = bench.send(MONA, mail("With a token")).await;
    let headers = bench.servers.smtp.wait(1).await.pop().unwrap().letter["headers"].clone();
    let reply_to = headers["reply-to"].as_str().unwrap();
    let address = reply_to.rsplit_once('<').map_or(reply_to, |(_, rest)| rest.trim_end_matches('>'));
    let id = sent["id"].as_str().unwrap();
    assert!(address.starts_with(&format!("support+{id}.")) && address.ends_with("@acme.test"), "{reply_to}");
    let lost = letter(MONA, "Something else", "t1@example.test", &[("Delivered-To", address)], "Hi");
    bench.deliver(lost.replace(&format!("To: {SHOP}\r\n"), &format!("To: {address}\r\n")));
    assert_eq!(conversation(&bench.arrived("Something else").await), conversation(&sent));
    // A made-up token is worth nothing.
    let forged = format!("support+{id}.0123456789abcdef@acme.test");
    bench.deliver(letter(MONA, "Forged", "t2@example.test", &[], "Hi").replace(&format!("To: {SHOP}\r\n"), &format!("To: {forged}\r\n")));
    assert_ne!(conversation(&bench.arrived("Forged").await), conversation(&sent));
}

both! {
    a_reply_finds_the_letter_that_it_answers,
    an_answer_carries_its_thread,
    a_conversation_that_we_began_can_be_continued,
    answers_go_where_the_writer_wants_them,
    a_token_in_the_address_tells_what_is_answered,
}
