use patchbay_plugin::messages::{Content, Happening};
use patchbay_plugin::testing::{self, Provider};
use patchbay_plugin::testing::{ScriptedFolder, ScriptedLetter};
use serde_json::{Value, json};

use super::*;

fn call(settings: &Value) -> Call {
    let mut all = json!({"email_address": "support@acme.test", "imap_host": "imap.acme.test"});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let mut call = testing::call(Some("support@acme.test"), &all);
    call.extras.push(Field::new("now_ms", "1795449600000"));
    call
}

fn letter(uid: u32) -> ScriptedLetter {
    let raw = format!("From: mona@ex.test\r\nTo: support@acme.test\r\nSubject: n{uid}\r\nMessage-ID: <{uid}@ex.test>\r\n\r\nletter {uid}");
    ScriptedLetter { received_at_ms: Some(1_795_000_000_000.0 + f64::from(uid)), ..ScriptedLetter::new(uid, raw) }
}

fn folder(validity: u32, uids: &[u32], next_uid: u32, more: bool) -> ScriptedFolder {
    ScriptedFolder { validity, next_uid, letters: uids.iter().map(|uid| letter(*uid)).collect(), more }
}

fn cursor(page: &Page) -> Value {
    serde_json::from_slice(page.cursor.as_deref().unwrap()).unwrap()
}

fn keys(page: &Page) -> Vec<&str> {
    page.events.iter().map(|event| event.dedupe_key.as_str()).collect()
}

fn step(call: &Call, page: &Page) -> Page {
    super::page(call, page.cursor.as_deref()).unwrap()
}

#[test]
fn the_first_poll_only_notes_where_the_mailbox_stands() {
    let provider = Provider::new();
    let call = call(&json!({}));
    provider.on("FETCH in INBOX").folder(folder(9, &[], 41, false));
    let first = super::page(&call, None).unwrap();
    assert_eq!((first.events.len(), first.more), (0, false));
    assert_eq!(provider.queries()[0].after_uid, None);
    assert_eq!(cursor(&first)["folders"]["INBOX"]["uid"], 40);
    // `n:*` answers the last letter even where none is new.
    provider.on("FETCH in INBOX").folder(folder(9, &[40, 41, 43], 44, false));
    let second = step(&call, &first);
    assert_eq!(keys(&second), ["41@ex.test", "43@ex.test"]);
    assert_eq!((provider.queries()[1].after_uid, provider.queries()[1].since_ms), (Some(40), None));
    assert_eq!(cursor(&second)["folders"]["INBOX"]["uid"], 43);
}

#[test]
fn an_initial_sync_reads_from_its_day_on_page_by_page() {
    let provider = Provider::new();
    let call = call(&json!({"initial_sync": "2026-11-22"}));
    provider.on("FETCH in INBOX").folder(folder(9, &[5, 6], 90, true));
    let first = super::page(&call, None).unwrap();
    assert_eq!((first.events.len(), first.more), (2, true));
    provider.on("FETCH in INBOX").folder(folder(9, &[80], 90, false));
    let second = step(&call, &first);
    assert_eq!((keys(&second), second.more), (vec!["80@ex.test"], false));
    let queries = provider.queries();
    assert_eq!((queries[0].after_uid, queries[1].after_uid), (Some(0), Some(6)));
    assert_eq!((queries[0].since_ms, queries[1].since_ms), (Some(1_795_305_600_000.0), Some(1_795_305_600_000.0)));
    assert_eq!(cursor(&second)["folders"]["INBOX"]["uid"], 89);
    provider.on("FETCH in INBOX").folder(folder(9, &[], 90, false));
    step(&call, &second);
    assert_eq!(provider.queries()[2].since_ms, None, "what is moved there later is new, however old");
}

#[test]
fn a_folder_made_anew_is_read_again_from_a_day_before_its_last_letter() {
    let provider = Provider::new();
    let call = call(&json!({}));
    let place = json!({"folders": {"INBOX": {"validity": 1, "uid": 500, "seen_ms": 1_795_000_000_000.0_f64, "to_mark": [499]}}});
    provider.on("FETCH in INBOX").folder(folder(2, &[7], 8, false));
    provider.on("FETCH in INBOX").folder(folder(2, &[3, 4], 8, true));
    let first = super::page(&call, Some(place.to_string().as_bytes())).unwrap();
    assert_eq!((keys(&first), first.more), (vec!["3@ex.test", "4@ex.test"], true), "told by Message-ID: a second time changes nothing");
    let query = provider.queries()[1].clone();
    assert_eq!((query.after_uid, query.since_ms), (Some(0), Some(1_794_913_600_000.0)));
    assert_eq!(cursor(&first)["folders"]["INBOX"]["validity"], 2);
    provider.on("FETCH in INBOX").folder(folder(2, &[7], 8, false));
    let second = step(&call, &first);
    assert_eq!(keys(&second), ["7@ex.test"]);
    assert_eq!(provider.queries()[2].since_ms, Some(1_794_913_600_000.0));
}

#[test]
fn folders_take_turns() {
    let provider = Provider::new();
    let call = call(&json!({"mailbox": "INBOX", "folders": ["Sales", "inbox", "Sales"], "sent_mailbox": "Sent"}));
    let at = json!({"validity": 1, "uid": 0});
    let place = json!({"folders": {"INBOX": at, "Sales": at, "Sent": at, "Gone": at}});
    let full: Vec<u32> = (1..=80).collect();
    provider.on("FETCH in INBOX").folder(folder(1, &full, 90, true));
    let first = super::page(&call, Some(place.to_string().as_bytes())).unwrap();
    let read = first.events.len();
    assert!(first.more && (20..80).contains(&read), "{read}");
    assert_eq!((&cursor(&first)["turn"], cursor(&first)["folders"].get("Gone")), (&json!("Sales"), None));
    provider.on("FETCH in Sales").folder(folder(1, &[1], 2, false));
    provider.on("FETCH in Sent").folder(folder(1, &[2], 3, false));
    provider.on("FETCH in INBOX").folder(folder(1, &full, 90, false));
    let second = step(&call, &first);
    assert_eq!((read + second.events.len(), second.more), (82, false));
    let echo = second.events.iter().filter(|event| matches!(&event.what, Happening::Message(inbound) if inbound.echo)).count();
    assert_eq!(echo, 1, "what lies among the sent is the business's own");
    assert_eq!(provider.queries().last().unwrap().after_uid, u32::try_from(read).ok());
}

#[test]
fn nothing_is_lost_where_a_page_ends_early() {
    let provider = Provider::new();
    let call = call(&json!({}));
    let large = |uid: u32| {
        let raw = format!("From: mona@ex.test\r\nMessage-ID: <{uid}@ex.test>\r\n\r\n{}", "x".repeat(5 << 20));
        ScriptedLetter { raw: raw.into_bytes(), ..letter(uid) }
    };
    let all = |from: u32| ScriptedFolder { validity: 1, next_uid: 5, letters: (from..=4).map(large).collect(), more: false };
    let mut found: Vec<String> = Vec::new();
    let mut cursor = Some(json!({"folders": {"INBOX": {"validity": 1, "uid": 0}}}).to_string().into_bytes());
    let mut pages = 0;
    loop {
        provider.on("FETCH in INBOX").folder(all(u32::try_from(found.len()).unwrap() + 1));
        let page = super::page(&call, cursor.as_deref()).unwrap();
        found.extend(keys(&page).into_iter().map(str::to_owned));
        pages += 1;
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    assert_eq!((found.len(), pages), (4, 2));
    found.dedup();
    assert_eq!(found.len(), 4);
}

#[test]
fn letters_are_marked_once_they_are_stored() {
    let provider = Provider::new();
    let call = call(&json!({"mark_seen": true, "sent_mailbox": "Sent"}));
    let at = json!({"validity": 1, "uid": 0});
    let place = json!({"folders": {"INBOX": at, "Sent": at}});
    provider.on("FETCH in INBOX").folder(folder(1, &[1, 2], 3, false));
    provider.on("FETCH in Sent").folder(folder(1, &[1], 2, false));
    let first = super::page(&call, Some(place.to_string().as_bytes())).unwrap();
    assert!(provider.seen().is_empty(), "not before the gateway has them");
    provider.on("SEEN in INBOX").fails(Failure::unavailable("broken", "gone"));
    provider.on("FETCH in INBOX").folder(folder(1, &[], 3, false));
    provider.on("FETCH in Sent").folder(folder(1, &[], 2, false));
    let second = step(&call, &first);
    provider.on("SEEN in INBOX").seen();
    provider.on("FETCH in INBOX").folder(folder(1, &[], 3, false));
    provider.on("FETCH in Sent").folder(folder(1, &[], 2, false));
    let third = step(&call, &second);
    assert_eq!(provider.seen(), vec![("INBOX".to_owned(), 1, vec![1, 2]); 2]);
    provider.on("FETCH in INBOX").folder(folder(1, &[], 3, false));
    provider.on("FETCH in Sent").folder(folder(1, &[], 2, false));
    step(&call, &third);
}

#[test]
fn a_read_only_folder_is_not_asked_for_ever() {
    let provider = Provider::new();
    let call = call(&json!({"mark_seen": true}));
    let place = json!({"folders": {"INBOX": {"validity": 1, "uid": 2, "to_mark": [1, 2]}}});
    provider.on("SEEN in INBOX").fails(Failure::rejected("read_only", "NO"));
    provider.on("FETCH in INBOX").folder(folder(1, &[], 3, false));
    let page = super::page(&call, Some(place.to_string().as_bytes())).unwrap();
    assert_eq!(cursor(&page)["folders"]["INBOX"].get("to_mark"), None);
    assert_eq!(provider.log().len(), 1);
}

#[test]
fn a_letter_that_ends_the_call_is_handed_on() {
    let provider = Provider::new();
    let place = json!({"folders": {"INBOX": {"validity": 1, "uid": 0}}}).to_string().into_bytes();
    for (attempt, max, max_bytes, subject) in [(2, 1, LETTER_MAX, "n1"), (3, 1, LETTER_MAX, "n1"), (4, 1, LETTER_MAX, ""), (5, 1, 1, "")] {
        let call = Call { attempt, ..call(&json!({})) };
        provider.on("FETCH in INBOX").folder(folder(1, &[1], 3, true));
        let page = super::page(&call, Some(&place)).unwrap();
        let query = provider.queries().last().unwrap().clone();
        assert_eq!((query.max, query.max_bytes), (max, max_bytes), "{attempt}");
        let Happening::Message(inbound) = &page.events[0].what else { panic!("a letter") };
        let Content::Email(email) = &inbound.content[0] else { panic!("an email") };
        let unread = attempt >= 3;
        assert_eq!(
            (email.subject.as_str(), email.text.is_none(), email.attachments.len()),
            (subject, unread, usize::from(unread)),
            "{attempt}"
        );
        assert_eq!((page.more, &cursor(&page)["folders"]["INBOX"]["uid"]), (true, &json!(1)), "{attempt}");
    }
}

#[test]
fn a_letter_that_is_too_large_has_its_subject_and_itself() {
    let provider = Provider::new();
    let place = json!({"folders": {"INBOX": {"validity": 1, "uid": 0}}});
    let head = ScriptedLetter { size: Some(60 << 20), ..letter(1) };
    provider.on("FETCH in INBOX").folder(ScriptedFolder { validity: 1, next_uid: 2, letters: vec![head], more: false });
    let page = super::page(&call(&json!({})), Some(place.to_string().as_bytes())).unwrap();
    let Happening::Message(inbound) = &page.events[0].what else { panic!("a letter") };
    assert_eq!((inbound.external_id.as_str(), inbound.extras[0].value.as_str()), ("1@ex.test", "it is too large"));
    let Content::Email(email) = &inbound.content[0] else { panic!("an email") };
    assert_eq!((email.subject.as_str(), email.text.as_deref(), email.attachments.len()), ("n1", None, 1));
    assert_eq!(email.attachments[0].mime_type.as_deref(), Some("message/rfc822"));
}

#[test]
fn without_a_server_nothing_is_asked() {
    let _provider = Provider::new();
    let call = testing::call(None, &json!({"email_address": "support@acme.test"}));
    let page = super::page(&call, Some(b"kept")).unwrap();
    assert_eq!((page.events.len(), page.cursor.as_deref(), page.more), (0, Some(&b"kept"[..]), false));
}

#[test]
fn a_server_that_fails_leaves_the_cursor_alone() {
    let provider = Provider::new();
    provider.on("FETCH in INBOX").fails(Failure::unauthorized("login", "NO [AUTHENTICATIONFAILED]"));
    assert!(matches!(super::page(&call(&json!({})), None), Err(Failure::Unauthorized(_))));
}

#[test]
fn days_are_read() {
    assert_eq!(day_ms("2026-11-22"), Some(1_795_305_600_000.0));
    assert_eq!(day_ms("2026-11-22T10:00:00Z"), Some(1_795_305_600_000.0));
    for text in ["none", "", "2026-13-01", "yesterday!"] {
        assert_eq!(day_ms(text), None, "{text}");
    }
}
