use std::path::PathBuf;
use std::{fs, io};

use patchbay_plugin::messages::{Content, Email, Happening, Inbound, Media, ReceiptState, Source};
use patchbay_plugin::testing::{Provider, fixtures};
use serde_json::Value;

use super::*;

const OWN: &str = "support@acme.test";
/// Monday, 23 November 2026.
const NOW_MS: f64 = 1_795_449_600_000.0;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("letters")
}

fn place() -> Place<'static> {
    Place { own: OWN, sent: false, received_at_ms: Some(NOW_MS), validity: 7, uid: 3 }
}

fn whole() -> Media {
    letter::media("the-letter".into(), "message/rfc822".into(), Some("message.eml".into()), None, Vec::new())
}

fn read_at(place: &Place<'_>, raw: &[u8]) -> Vec<Event> {
    match events(place, raw, &whole, 1000).unwrap() {
        Meaning::Events(events) => events,
        Meaning::TooMuch => panic!("too much"),
    }
}

fn read(raw: &[u8]) -> Vec<Event> {
    read_at(&place(), raw)
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.eml"))).unwrap()
}

fn inbound(events: &[Event]) -> &Inbound {
    match &events[0].what {
        Happening::Message(inbound) => inbound,
        other => panic!("{other:?}"),
    }
}

fn email(inbound: &Inbound) -> &Email {
    match &inbound.content[0] {
        Content::Email(email) => email,
        other => panic!("{other:?}"),
    }
}

/// Every `*.eml` with the events expected of it in the `*.json` of the same name. With `PATCHBAY_BLESS=1` it writes what it got.
#[test]
fn letters_become_what_their_fixtures_say() -> io::Result<()> {
    let bless = std::env::var_os("PATCHBAY_BLESS").is_some();
    let mut names: Vec<PathBuf> = fs::read_dir(folder())?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    assert!(names.len() >= 32);
    for path in names {
        let _provider = Provider::new();
        let mut got = fixtures::events(&read(&fs::read(&path)?));
        // The context is JSON inside bytes: shown as JSON.
        for event in got.as_array_mut().into_iter().flatten() {
            if let Some(context) = event.pointer_mut("/what/Message/reply_context") {
                let bytes: Vec<u8> = serde_json::from_value(context.take()).unwrap();
                *context = serde_json::from_slice(&bytes).unwrap();
            }
        }
        let expected = path.with_extension("json");
        if bless {
            fs::write(&expected, format!("{got:#}\n"))?;
        } else {
            let wanted: Value = serde_json::from_slice(&fs::read(&expected)?)?;
            assert_eq!(got, wanted, "{}: got {got:#}", path.display());
        }
    }
    Ok(())
}

#[test]
fn no_damage_panics() {
    let _provider = Provider::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let raw = fs::read(&path).unwrap();
        let step = (raw.len() / 120).max(1);
        for length in (0..raw.len()).step_by(step) {
            assert!(read(&raw[..length]).len() < 10);
        }
        // A xorshift with a fixed seed: the same damage every time.
        let mut state = 0x9e37_79b9_u32;
        for _ in 0..60 {
            let mut damaged = raw.clone();
            for _ in 0..6 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let at = state as usize % damaged.len();
                damaged[at] = [b'\n', b'-', b'=', b'"', b'<', 0, 0xff, (state >> 24) as u8][(state >> 8) as usize % 8];
            }
            let found = read(&damaged);
            assert!(found.iter().all(|event| !event.dedupe_key.is_empty()));
        }
    }
}

#[test]
fn a_reply_token_comes_before_everything() {
    let provider = Provider::new();
    provider.secret("reply_key", "k");
    let message = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0042";
    let address = thread::reply_address(OWN, message).unwrap().unwrap();
    let raw = String::from_utf8(fixture("02-reply")).unwrap().replace("support+c42.9f2a@acme.test", &address);
    let events = read(raw.as_bytes());
    let own = format!("{message}@acme.test");
    assert_eq!(inbound(&events).related, [own.as_str(), "out-1@acme.test", "a1@ex.test"]);
    assert_eq!(inbound(&events).reply_to.as_deref(), Some("out-1@acme.test"));
}

#[test]
fn a_subject_leads_back_only_where_nothing_else_does() {
    let _provider = Provider::new();
    let letter = |id: &str, subject: &str, more: &str| {
        format!("From: mona@ex.test\r\nTo: {OWN}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n{more}\r\nx")
    };
    let related = |raw: String| inbound(&read(raw.as_bytes())).related.clone();
    assert!(related(letter("1@ex.test", "Price", "")).is_empty());
    assert!(related(letter("2@ex.test", "Price", "")).is_empty(), "the same words again begin anew");
    assert_eq!(related(letter("3@ex.test", "RE: price", "")), ["2@ex.test"]);
    assert_eq!(related(letter("4@ex.test", "AW: Price", "In-Reply-To: <z@acme.test>\r\n")), ["z@acme.test"]);
    assert_eq!(related(letter("5@ex.test", "Fwd: Price", "")), [""; 0], "passed on is not answered");
    assert_eq!(related(letter("4@ex.test", "Re: Price", "")), ["5@ex.test"]);
    assert!(related(letter("6@ex.test", "Re: Another", "")).is_empty());
    let auto = letter("7@ex.test", "Re: Price", "Auto-Submitted: auto-replied\r\n");
    assert_eq!(related(auto), ["4@ex.test"]);
    assert_eq!(related(letter("8@ex.test", "Re: Price", "")), ["4@ex.test"], "a machine's letter is nothing to answer");
}

#[test]
fn what_the_business_sent_elsewhere_is_an_echo_with_the_other_side() {
    let _provider = Provider::new();
    let sent = Place { sent: true, ..place() };
    let events = read_at(&sent, &fixture("28-own-with-copy"));
    let told = inbound(&events);
    assert!(told.echo && !told.automatic);
    assert_eq!(told.conversation.external_id, "thread:a1@ex.test");
    assert_eq!(events[0].actor.as_ref().unwrap().identities[0].value, "mona@ex.test");
    assert_eq!(ReplyContext::read(told.reply_context.as_deref()).unwrap().to, ["mona@ex.test"]);
    assert!(inbound(&read(&fixture("28-own-with-copy"))).echo, "in the inbox too");
    assert!(!inbound(&read(&fixture("27-web-form"))).echo, "a form means whoever is in Reply-To");
    let own = read_at(&sent, &fixture("29-own-id"));
    let named = inbound(&own).extras.iter().find(|field| field.name == "message_id").map(|field| field.value.as_str());
    assert_eq!((inbound(&own).echo, named), (true, Some("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0029")), "the gateway finds its message by it");
    assert_eq!(read(&fixture("29-own-id"))[0].dedupe_key, own[0].dedupe_key, "and is told once, wherever it lies");
    let forged = String::from_utf8(fixture("29-own-id")).unwrap().replace("From: Support <support@acme.test>", "From: eve@ex.test");
    assert!(!inbound(&read(forged.as_bytes())).echo, "somebody else's with such an id is a letter");
}

#[test]
fn reports_mark_and_dont_reach_the_inbox() {
    let _provider = Provider::new();
    let states = |name: &str| -> Vec<(ReceiptState, String)> {
        let events = read(&fixture(name));
        let told = events.iter().map(|event| match &event.what {
            Happening::Receipt(receipt) => {
                let failure = receipt.failure.as_ref().map(|failure| match failure {
                    Failure::Recipient(detail) => format!("recipient {}", detail.code),
                    Failure::Rejected(detail) => format!("rejected {}", detail.code),
                    other => panic!("{other:?}"),
                });
                (receipt.state, failure.unwrap_or_default())
            }
            other => panic!("{name}: {other:?}"),
        });
        told.collect()
    };
    let failed = |words: &str| vec![(ReceiptState::Failed, words.to_owned())];
    assert_eq!(states("03-dsn-failed"), failed("recipient 5.1.1"));
    assert_eq!(states("10-exchange-ndr"), failed("recipient 5.1.10"));
    assert_eq!(
        states("11-postfix-mailbox-full"),
        [(ReceiptState::Failed, "rejected 5.2.2".into()), (ReceiptState::Delivered, String::new())]
    );
    assert_eq!(states("12-qmail-bounce"), failed("recipient 5.1.1"));
    assert_eq!(states("13-gmail-bounce"), failed("recipient 5.1.1"));
    assert_eq!(states("15-dsn-by-envelope"), failed("rejected 5.7.1"));
    assert_eq!(states("05-mdn-displayed"), [(ReceiptState::Read, String::new())]);
    assert!(states("30-mdn-deleted").is_empty());
    let unknown = read(&fixture("14-dsn-of-nobody"));
    assert!(inbound(&unknown).automatic, "what belongs to no message is kept");
}

#[test]
fn a_late_letter_is_no_outcome_and_another_complaint_no_wish() {
    let _provider = Provider::new();
    let late = String::from_utf8(fixture("03-dsn-failed"))
        .unwrap()
        .replace("Action: failed", "Action: delayed")
        .replace("Status: 5.1.1", "Status: 4.4.1");
    assert!(read(late.as_bytes()).is_empty());
    let warning =
        String::from_utf8(fixture("12-qmail-bounce")).unwrap().replace("failure notice", "Warning: delivery failed, still trying");
    assert!(read(warning.as_bytes()).is_empty());
    let other = String::from_utf8(fixture("16-arf")).unwrap().replace("Feedback-Type: abuse", "Feedback-Type: auth-failure");
    let foreign = String::from_utf8(fixture("16-arf")).unwrap().replace("0016@acme.test", "0016@other.test");
    assert!(matches!(read(foreign.as_bytes())[0].what, Happening::Message(_)), "nobody is taken off by a stranger's report");
    assert_eq!(read(other.as_bytes()).len(), 1);
    assert!(matches!(read(other.as_bytes())[0].what, Happening::Message(_)));
    assert!(matches!(read(&fixture("16-arf"))[0].what, Happening::OptedOut(_)));
    // A person who writes about bounces is no server.
    let person = b"From: mona@ex.test\r\nTo: support@acme.test\r\nSubject: failure notice\r\nMessage-ID: <p@ex.test>\r\n\r\n<0199aaaa-bbbb-7ccc-8ddd-eeeeffff0012@acme.test>";
    assert!(matches!(read(person)[0].what, Happening::Message(_)));
}

#[test]
fn automatic_letters_are_told() {
    let _provider = Provider::new();
    let origin = |header: &str| {
        let raw = format!("From: mona@ex.test\r\nTo: {OWN}\r\nSubject: x\r\nMessage-ID: <o@ex.test>\r\n{header}\r\n\r\nx");
        inbound(&read(raw.as_bytes())).origin.clone()
    };
    for header in [
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Return-Path: <>",
        "X-Autoreply: yes",
        "Precedence: junk",
        "Precedence: auto_reply",
    ] {
        assert_eq!(origin(header), "auto_reply", "{header}");
    }
    for header in ["List-Id: <a.b>", "Precedence: Bulk", "Precedence: list"] {
        assert_eq!(origin(header), "list", "{header}");
    }
    for header in ["Auto-Submitted: no", "X-Auto-Response-Suppress: None", "Precedence: first-class", "Return-Path: <mona@ex.test>"] {
        assert_eq!(origin(header), "direct", "{header}");
    }
    let daemon = b"From: Postmaster@ex.test\r\nSubject: Hello\r\nMessage-ID: <pm@ex.test>\r\n\r\nx";
    assert_eq!(inbound(&read(daemon)).origin, "auto_reply");
}

#[test]
fn bombs_are_handed_on_as_they_are() {
    let _provider = Provider::new();
    let mut many =
        b"From: mona@ex.test\r\nSubject: bomb\r\nMessage-ID: <b@ex.test>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n".to_vec();
    many.extend(b"--x\r\n\r\n.\r\n".repeat(600));
    let mut deep = b"From: mona@ex.test\r\nSubject: bomb\r\nMessage-ID: <b@ex.test>\r\n".to_vec();
    for n in 0..30 {
        deep.extend(format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n").bytes());
    }
    for raw in [many, deep] {
        let events = read(&raw);
        let email = email(inbound(&events));
        assert_eq!((email.subject.as_str(), email.text.as_deref(), email.attachments.len()), ("bomb", None, 1));
        assert_eq!(events[0].dedupe_key, "b@ex.test");
        assert!(matches!(&email.attachments[0].source, Source::BlobRef(reference) if reference == "the-letter"));
    }
}

#[test]
fn more_files_than_a_call_can_take_wait_for_one_of_their_own() {
    let _provider = Provider::new();
    assert!(matches!(events(&place(), &fixture("02-reply"), &whole, 2), Ok(Meaning::TooMuch)));
    assert!(matches!(events(&place(), &fixture("02-reply"), &whole, 3), Ok(Meaning::Events(_))));
}

#[test]
fn a_long_body_is_a_file_besides() {
    let _provider = Provider::new();
    let raw = format!("From: mona@ex.test\r\nMessage-ID: <l@ex.test>\r\nContent-Type: text/html\r\n\r\n<p>{}</p>", "word ".repeat(300_000));
    let events = read(raw.as_bytes());
    let email = email(inbound(&events));
    assert_eq!(email.html, None, "half a page is none");
    assert!(email.text.as_ref().unwrap().len() <= TEXT_MAX);
    let names: Vec<_> = email.attachments.iter().map(|file| file.file_name.clone().unwrap()).collect();
    assert_eq!(names, ["message.txt", "message.html"]);
}

#[test]
fn a_large_letter_is_unpacked_once() {
    let _provider = Provider::new();
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    let mut raw = b"From: mona@ex.test\r\nMessage-ID: <big@ex.test>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee\r\n--x\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    raw.extend(line.as_bytes().repeat(25 * 1024 * 1024 / line.len()));
    raw.extend(b"--x--\r\n");
    let letter = Letter::read(&raw).unwrap();
    let bodies = letter.bodies();
    let files = letter.files(&bodies);
    assert_eq!((bodies.text.as_deref(), files.len()), (Some("see"), 1));
    assert_eq!(files[0].bytes.len(), 25 * 1024 * 1024 / line.len() * 54);
    assert!(matches!(files[0].bytes, std::borrow::Cow::Borrowed(_)), "what the parser has unpacked is handed over as it is");
    let kept = files.into_iter().next().unwrap().keep().unwrap();
    assert_eq!(kept.size.unwrap() as usize, 25 * 1024 * 1024 / line.len() * 54);
}
