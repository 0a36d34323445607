//! Threads, what machines write, who can't be reached, and files that came with the facts.

use super::*;
use crate::{
    domain::{
        content::{Media, MediaKind, Source},
        failure::{Failure, FailureClass},
        media::{MediaFile, Origin},
        message::Edit,
        people::Conversation,
    },
    store::{Run as _, sql},
};

const ALL: Span = Span { limit: 100, offset: 0 };

/// A letter of a thread: where it says it belongs, and which letters it names.
fn letter(id: &str, thread: &str, related: &[&str]) -> Inbound {
    let mut letter = *inbound(id, id);
    letter.conversation.external_id = thread.into();
    letter.related = related.iter().map(|id| (*id).to_owned()).collect();
    letter
}

fn step(inbound: Inbound) -> Step {
    let fact = fact(&inbound.external_id.clone(), 1, Happening::Message(Box::new(inbound)));
    Step::Fact(Box::new(Fact { conversation: None, actor: None, ..fact }))
}

fn from(mut inbound: Inbound, person: &str) -> Inbound {
    inbound.sender.identities[0].value = person.into();
    inbound
}

async fn conversations(db: &Db) -> Vec<Conversation> {
    store::people::list_conversations(db, None, None, &ALL).await.unwrap()
}

async fn messages(db: &Db) -> Vec<Message> {
    store::messages::list(db, &store::messages::Filter::default(), &ALL).await.unwrap()
}

/// The conversation of each message, by the provider's ids.
async fn places(db: &Db) -> BTreeMap<String, Option<String>> {
    let placed = messages(db).await.into_iter().filter(|message| message.direction == Direction::Inbound);
    placed.map(|message| (message.external_id.unwrap(), message.conversation_id)).collect()
}

async fn texts(db: &Db, statement: &'static str) -> Vec<String> {
    let mut db = db;
    db.rows(sql(statement)).await.unwrap().iter().map(|row| row.get("text").unwrap()).collect()
}

#[test]
fn a_thread_is_one_conversation_in_whatever_order_its_letters_come() {
    block_on(async {
        // The last one names only the letter before it, and would belong elsewhere.
        let thread = [letter("r0", "thread:r0", &[]), letter("r1", "thread:r0", &["r0"]), letter("r2", "thread:r1", &["r1"])];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for size in 1..=3 {
                let folder = tempfile::tempdir().unwrap();
                let db = database(folder.path()).await;
                let ids = Arc::new(Ids::default());
                let steps: Vec<Step> = order.iter().map(|n| step(thread[*n].clone())).collect();
                for group in steps.chunks(size) {
                    commit(&db, &ids, group).await;
                }
                let standing = conversations(&db).await;
                assert_eq!(standing.len(), 1, "{order:?} by {size}: {standing:#?}");
                let places = places(&db).await;
                assert_eq!(places.len(), 3);
                assert!(places.values().all(|place| place.as_ref() == Some(&standing[0].id)), "{order:?} by {size}: {places:?}");
                db.close().await;
            }
        }
    });
}

#[test]
fn the_nearest_letter_that_is_known_decides_and_a_stranger_s_thread_stays_apart() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        let steps = [
            step(letter("a0", "thread:a0", &[])),
            step(letter("b0", "thread:b0", &[])),
            step(letter("b1", "thread:a0", &["unknown", "b0", "a0"])),
            step(letter("c0", "thread:c0", &["nobody-s"])),
        ];
        commit(&db, &ids, &steps).await;
        let places = places(&db).await;
        assert_eq!(places["b1"], places["b0"]);
        assert_ne!(places["a0"], places["b0"]);
        assert!(![&places["a0"], &places["b0"]].contains(&&places["c0"]));
        // Our own message is known by our id.
        let mut tx = db.begin_ordered().await.unwrap();
        let mut ledger = Ledger::new(Arc::clone(&ids), seconds(100));
        let ours = "01940000-0000-7000-8000-000000000001";
        let blank = outbox::blank_message(ours.into(), OWNER, Direction::Outbound, MessageState::Sent, seconds(0));
        ledger.page(OWNER, true, None).save(Message { conversation_id: places["a0"].clone(), ..blank });
        ledger.save(&mut tx, &Keyring::for_tests()).await.unwrap();
        tx.commit().await.unwrap();
        commit(&db, &ids, &[step(letter("d0", "thread:d0", &[ours]))]).await;
        let after = super::letters::places(&db).await;
        assert_eq!(after["d0"], places["a0"]);
    });
}

#[test]
fn a_colleague_who_joins_changes_nothing_of_whom_it_is_with() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        commit(&db, &ids, &[step(letter("m0", "thread:m0", &[]))]).await;
        let before = conversations(&db).await.remove(0);
        assert!(before.contact_id.is_some());
        let joined = from(letter("m1", "thread:m0", &["m0"]), "colleague");
        let elsewhere = from(letter("m2", "thread:other", &["m1"]), "another");
        commit(&db, &ids, &[step(joined), step(elsewhere)]).await;
        let after = conversations(&db).await;
        assert_eq!((after.len(), &after[0].contact_id), (1, &before.contact_id));
        let writers: std::collections::BTreeSet<_> = messages(&db).await.into_iter().filter_map(|message| message.contact_id).collect();
        assert_eq!(writers.len(), 3, "each message is its writer's");
    });
}

#[test]
fn what_a_machine_wrote_is_kept_and_nothing_is_done_because_of_it() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        let note = Inbound { automatic: true, origin: "auto_reply".into(), ..letter("n", "thread:n", &[]) };
        let follow_up = Some(Command::Edit(Box::new(Edit { target: "n".into(), content: text("seen").remove(0) })));
        let with = |inbound: Inbound| match step(inbound) {
            Step::Fact(fact) => Step::Fact(Box::new(Fact { follow_up: follow_up.clone(), ..*fact })),
            settled @ Step::Settled(_) => settled,
        };
        commit(&db, &ids, &[with(note)]).await;
        assert_eq!(texts(&db, "SELECT type AS text FROM events").await, ["message.automatic"]);
        let [kept] = messages(&db).await.into_iter().filter(|message| message.automatic).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((json!(kept)["automatic"].as_bool(), kept.origin.as_deref()), (Some(true), Some("auto_reply")));
        assert!(texts(&db, "SELECT message_id AS text FROM outbox").await.is_empty(), "no answer");
        let count = "SELECT metric AS text FROM account_stats WHERE count > 0 ORDER BY metric";
        assert_eq!(texts(&db, count).await, ["received"]);
        // What a person writes then is the first of the conversation, and is answered.
        commit(&db, &ids, &[with(letter("p", "thread:n", &["n"]))]).await;
        assert_eq!(texts(&db, "SELECT type AS text FROM events ORDER BY seq DESC LIMIT 1").await, ["message.received"]);
        assert_eq!(texts(&db, "SELECT message_id AS text FROM outbox").await.len(), 1);
        assert_eq!(texts(&db, count).await, ["conversations_new", "episodes", "received"]);
    });
}

#[test]
fn a_machine_says_where_an_answer_goes_only_where_nobody_did() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        let context = |inbound: Inbound, text: &str| Inbound { reply_context: Some(text.into()), ..inbound };
        let machine = |inbound: Inbound| Inbound { automatic: true, ..inbound };
        commit(&db, &ids, &[step(context(letter("a", "thread:a", &[]), "person"))]).await;
        commit(&db, &ids, &[step(machine(context(letter("b", "thread:a", &["a"]), "machine")))]).await;
        commit(&db, &ids, &[step(machine(context(letter("c", "thread:c", &[]), "list")))]).await;
        let kept = "SELECT CAST(reply_context AS TEXT) AS text FROM conversations ORDER BY id";
        assert_eq!(texts(&db, kept).await, ["person", "list"]);
        commit(&db, &ids, &[step(context(letter("d", "thread:c", &["c"]), "person"))]).await;
        assert_eq!(texts(&db, kept).await, ["person", "person"]);
    });
}

#[test]
fn who_cannot_be_reached_is_flagged_until_they_write() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        let contact = || async {
            let [contact] = store::people::list_contacts(&db, None, None, &ALL).await.unwrap().try_into().unwrap();
            contact
        };
        commit(&db, &ids, &[step(letter("in", "talk", &[])), Step::Settled(0), Step::Settled(1)]).await;
        // It went to the conversation.
        let mut tx = db.begin().await.unwrap();
        tx.run(sql("UPDATE messages SET conversation_id = (SELECT id FROM conversations) WHERE direction = 'outbound'")).await.unwrap();
        tx.commit().await.unwrap();
        let bounce = |key: &str, id: &str, class: FailureClass| {
            let target = ReceiptTarget::Messages(vec![id.into()]);
            let failure = Some(Failure::new(class, "5.1.1", "No such mailbox."));
            let receipt = Receipt { conversation: None, target, state: ReceiptState::Failed, at: None, failure };
            Step::Fact(Box::new(Fact { conversation: None, actor: None, ..fact(key, 2, Happening::Receipt(receipt)) }))
        };
        commit(&db, &ids, &[bounce("full", "p1", FailureClass::Rejected)]).await;
        assert_eq!(contact().await.unreachable_at, None, "a refusal of the message says nothing of the person");
        commit(&db, &ids, &[bounce("gone", "p0", FailureClass::Recipient)]).await;
        let flagged = contact().await;
        assert_eq!((flagged.unreachable_at, flagged.unreachable_reason.as_deref()), (Some(seconds(100)), Some("No such mailbox.")));
        let machine = Inbound { automatic: true, ..letter("note", "talk", &[]) };
        commit(&db, &ids, &[step(machine)]).await;
        assert!(contact().await.unreachable_at.is_some());
        commit(&db, &ids, &[step(letter("again", "talk", &[]))]).await;
        assert_eq!((contact().await.unreachable_at, contact().await.unreachable_reason), (None, None));
    });
}

#[test]
fn files_of_a_call_are_kept_with_the_message_that_names_them() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let file = |id: &str| MediaFile {
            id: id.into(),
            organization_id: "org".into(),
            file_name: Some("a.pdf".into()),
            mime_type: "application/pdf".into(),
            size: 3,
            origin: Origin::Inbound,
            created_at: seconds(0),
        };
        let with_file = |key: &str, message: &str, id: &str| {
            let media = Media {
                kind: MediaKind::Document,
                source: Source::MediaId(id.into()),
                mime_type: None,
                file_name: None,
                size: None,
                caption: None,
                width: None,
                height: None,
                duration_ms: None,
                extras: Extras::new(),
            };
            let inbound = Inbound { content: vec![Content::Media(media)], ..letter(message, "talk", &[]) };
            fact(key, 1, Happening::Message(Box::new(inbound)))
        };
        let ids = Arc::new(Ids::default());
        // The second is another delivery of the first: its file is one more copy.
        for (key, id, expected) in [("k1", "f1", vec!["f1"]), ("k1", "f2", vec![]), ("k2", "f3", vec![])] {
            let fact = with_file(key, "m", id);
            let files = [file(id), file("unnamed")];
            let mut tx = db.begin_ordered().await.unwrap();
            let mut wanted = Wanted::default();
            wanted.fact("account", &fact);
            let mut ledger = Ledger::new(Arc::clone(&ids), seconds(100));
            ledger.load(&mut tx, &wanted).await.unwrap();
            apply(&mut ledger.page(OWNER, true, None).with_files(&files), &fact);
            let applied = ledger.save(&mut tx, &Keyring::for_tests()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(applied.kept.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{key} {id}");
        }
        let kept = store::media::find(&db, "f1").await.unwrap().unwrap();
        assert_eq!((kept.file_name.as_deref(), kept.size), (Some("a.pdf"), 3));
        assert_eq!(texts(&db, "SELECT id AS text FROM media").await, ["f1"]);
        assert_eq!(texts(&db, "SELECT id AS text FROM media WHERE used_until IS NULL").await.len(), 0);
    });
}
