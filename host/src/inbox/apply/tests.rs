//! The order in which facts come, how often, and how they are cut into transactions doesn't matter.

mod letters;

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    clock::At,
    domain::{
        account::Account,
        content::{Extras, Text, TextFormat},
        event::{Receipt, ReceiptState, ReceiptTarget},
        people::{ConversationKind, ConversationRef, Identity, Party},
    },
    ids::Ids,
    ledger::{Ledger, Wanted},
    secrets::Keyring,
    store::{self, Db, Page as Span, people::Owner},
};

const OWNER: Owner<'static> = Owner { organization_id: "org", account_id: "account" };
/// What was sent before the provider told anything of it.
const OURS: [&str; 3] = ["ours-0", "ours-1", "ours-2"];

/// One thing that happens: a provider's fact, or the answer to one of our sends.
#[derive(Debug, Clone)]
enum Step {
    Fact(Box<Fact>),
    /// Our message gets its ids at the provider.
    Settled(usize),
}

fn seconds(n: i64) -> At {
    At::from_micros(1_764_000_000_000_000 + n * 1_000_000)
}

fn mona() -> Party {
    Party { identities: vec![Identity { scheme: "phone".into(), value: "1".into() }], name: Some("Mona".into()) }
}

fn talk() -> ConversationRef {
    ConversationRef { external_id: "talk".into(), kind: ConversationKind::Direct, title: None }
}

fn fact(key: &str, at: i64, what: Happening) -> Fact {
    Fact {
        dedupe_key: key.into(),
        conversation: Some(talk()),
        actor: Some(mona()),
        at: Some(seconds(at)),
        what,
        follow_up: None,
        extras: Extras::new(),
    }
}

fn boxed(key: &str, at: i64, what: Happening) -> Box<Fact> {
    Box::new(fact(key, at, what))
}

fn text(text: &str) -> Vec<Content> {
    vec![Content::Text(Text { text: text.into(), format: TextFormat::Plain, preview_links: false })]
}

fn inbound(id: &str, words: &str) -> Box<Inbound> {
    Box::new(Inbound {
        external_id: id.into(),
        conversation: talk(),
        sender: mona(),
        echo: false,
        content: text(words),
        reply_to: None,
        related: Vec::new(),
        automatic: false,
        origin: "user".into(),
        sent_at: None,
        reply_context: None,
        extras: Extras::new(),
    })
}

fn receipt(key: &str, at: i64, ids: &[&str], state: ReceiptState) -> Step {
    let target = ReceiptTarget::Messages(ids.iter().map(|id| (*id).to_owned()).collect());
    Step::Fact(boxed(key, at, Happening::Receipt(Receipt { conversation: None, target, state, at: None, failure: None })))
}

/// Everything that may happen to a few messages, in the order it really happened.
fn script() -> Vec<Step> {
    let mut steps = vec![Step::Settled(0), Step::Settled(1), Step::Settled(2)];
    for n in 0..4_i64 {
        let id = format!("in-{n}");
        steps.push(Step::Fact(boxed(&id, n, Happening::Message(inbound(&id, &id)))));
    }
    steps.extend([
        Step::Fact(boxed("edit-1", 20, Happening::Edited(inbound("in-1", "first edit")))),
        Step::Fact(boxed("edit-2", 30, Happening::Edited(inbound("in-1", "second edit")))),
        Step::Fact(boxed("gone", 25, Happening::Deleted("in-2".into()))),
        Step::Fact(boxed("like", 21, Happening::Reacted(Reaction { target: "in-0".into(), emoji: Some("👍".into()), removed: false }))),
        receipt("sent", 30, &["p0"], ReceiptState::Sent),
        receipt("delivered", 31, &["p0", "p1"], ReceiptState::Delivered),
        receipt("read", 35, &["p0"], ReceiptState::Read),
        receipt("failed", 36, &["p1"], ReceiptState::Failed),
        // The third went out in two parts.
        receipt("part-0", 40, &["p2a"], ReceiptState::Delivered),
        receipt("part-1", 42, &["p2b"], ReceiptState::Delivered),
    ]);
    steps
}

async fn database(folder: &std::path::Path) -> Db {
    let db = Db::open_sqlite(&folder.join("test.db"), 1).await.unwrap();
    db.migrate().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", seconds(0)).await.unwrap();
    let account = Account::for_tests("account", Vec::new(), seconds(0));
    store::accounts::insert(&mut tx, &account).await.unwrap();
    let ids = Arc::new(Ids::default());
    let mut ledger = Ledger::new(Arc::clone(&ids), seconds(0));
    let mut page = ledger.page(OWNER, true, None);
    for id in OURS {
        let blank = outbox::blank_message(id.into(), OWNER, Direction::Outbound, MessageState::Queued, seconds(0));
        page.save(Message { content: text(id), to: Some("talk".into()), ..blank });
    }
    ledger.save(&mut tx, &Keyring::for_tests()).await.unwrap();
    tx.commit().await.unwrap();
    db
}

/// The ids that our messages get at the provider.
fn references(n: usize) -> &'static [&'static str] {
    match n {
        0 => &["p0"],
        1 => &["p1"],
        _ => &["p2a", "p2b"],
    }
}

/// One transaction.
async fn commit(db: &Db, ids: &Arc<Ids>, group: &[Step]) {
    let mut tx = db.begin_ordered().await.unwrap();
    let mut wanted = Wanted::default();
    for step in group {
        match step {
            Step::Fact(fact) => wanted.fact("account", fact),
            Step::Settled(n) => {
                wanted.message("account", OURS[*n]);
                references(*n).iter().for_each(|reference| wanted.new_reference("account", reference));
            }
        }
    }
    let mut ledger = Ledger::new(Arc::clone(ids), seconds(100));
    ledger.load(&mut tx, &wanted).await.unwrap();
    let mut page = ledger.page(OWNER, true, None);
    for step in group {
        match step {
            Step::Fact(fact) => apply(&mut page, fact),
            Step::Settled(n) => {
                let known = page.message(OURS[*n]).cloned().unwrap();
                if known.external_id.is_none() {
                    let sent_at = Some(seconds(10));
                    page.save(Message { state: MessageState::Sent, sent_at, external_id: Some(references(*n)[0].into()), ..known });
                }
                for (part, reference) in references(*n).iter().enumerate() {
                    page.name(reference, OURS[*n], part as u32);
                }
                apply_freed(&mut page);
            }
        }
    }
    ledger.save(&mut tx, &Keyring::for_tests()).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the messages say in the end, by what names them for good.
async fn outcome(db: &Db) -> BTreeMap<String, String> {
    let messages = store::messages::list(db, &store::messages::Filter::default(), &Span { limit: 100, offset: 0 }).await.unwrap();
    let told = |message: &Message| {
        let reactions: Vec<&str> = message.reactions.iter().map(|mark| mark.emoji.as_str()).collect();
        format!(
            "{} {} {:?} delivered {:?} read {:?} failed {:?} deleted {:?} {reactions:?}",
            message.direction, message.state, message.content, message.delivered_at, message.read_at, message.failed_at, message.deleted_at
        )
    };
    messages.iter().map(|message| (message.external_id.clone().unwrap_or_else(|| message.id.clone()), told(message))).collect()
}

async fn run(steps: &[Step], sizes: &[usize]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let db = database(folder.path()).await;
    let ids = Arc::new(Ids::default());
    let mut rest = steps;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let (group, later) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
        commit(&db, &ids, group).await;
        rest = later;
    }
    let found = outcome(&db).await;
    let people = store::people::list_contacts(&db, None, None, &Span { limit: 10, offset: 0 }).await.unwrap();
    assert_eq!(people.len(), 1, "one person");
    let conversations = store::people::list_conversations(&db, None, None, &Span { limit: 10, offset: 0 }).await.unwrap();
    assert_eq!(conversations.len(), 1, "one conversation");
    db.close().await;
    found
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Shuffled, repeated and cut into transactions of any size, the script comes to the same.
    #[test]
    fn order_repetition_and_cuts_change_nothing(
        shuffled in Just(script()).prop_shuffle(),
        repeats in prop::collection::vec((0..17_usize, 0..40_usize), 0..12),
        sizes in prop::collection::vec(1..8_usize, 1..6),
    ) {
        let mut steps = shuffled;
        for (which, at) in repeats {
            let again = steps[which].clone();
            let at = at.min(steps.len());
            steps.insert(at, again);
        }
        let straight = block_on(run(&script(), &[1]));
        let mixed = block_on(run(&steps, &sizes));
        prop_assert_eq!(straight, mixed);
    }
}

#[test]
fn the_script_ends_as_its_author_meant() {
    let found = block_on(run(&script(), &[3]));
    assert_eq!(found.len(), 7);
    assert!(found["in-1"].contains("second edit"), "{}", found["in-1"]);
    assert!(found["p0"].contains("outbound read"), "{}", found["p0"]);
    assert!(found["p1"].contains("outbound delivered"), "a failure doesn't outrank a delivery: {}", found["p1"]);
    let of_parts = format!("delivered {:?}", Some(seconds(42)));
    assert!(found["p2a"].contains(&of_parts), "a message is delivered with its last part: {}", found["p2a"]);
}

#[test]
fn two_ids_named_in_one_breath_are_one_person() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let db = database(folder.path()).await;
        let ids = Arc::new(Ids::default());
        let party = |ids: &[(&str, &str)]| Party {
            identities: ids.iter().map(|(scheme, value)| Identity { scheme: (*scheme).into(), value: (*value).into() }).collect(),
            name: None,
        };
        let from = |key: &str, party: Party, to: &str| {
            let mut inbound = *inbound(key, key);
            inbound.sender = party;
            inbound.conversation.external_id = to.into();
            Step::Fact(Box::new(Fact { actor: None, conversation: None, ..fact(key, 1, Happening::Message(Box::new(inbound))) }))
        };
        let one = from("a", party(&[("phone", "1")]), "a");
        let other = from("b", party(&[("user-id", "x")]), "b");
        let both = from("c", party(&[("phone", "1"), ("user-id", "x"), ("username", "mona")]), "a");
        let namesake = from("d", party(&[("phone", "2"), ("username", "mona")]), "d");
        for step in [one, other, both, namesake] {
            commit(&db, &ids, &[step]).await;
        }
        let people = store::people::list_contacts(&db, None, None, &Span { limit: 10, offset: 0 }).await.unwrap();
        assert_eq!(people.len(), 2, "{people:#?}");
        let merged = people.iter().find(|contact| contact.identities.iter().any(|identity| identity.value == "x")).unwrap();
        assert!(merged.identities.iter().any(|identity| identity.value == "1"));
        assert!(merged.identities.iter().all(|identity| identity.scheme != "username"), "a name that changed hands");
        let messages = store::messages::list(&db, &store::messages::Filter::default(), &Span { limit: 10, offset: 0 }).await.unwrap();
        let theirs = messages.iter().filter(|message| message.contact_id.as_ref() == Some(&merged.id)).count();
        assert_eq!(theirs, 3, "the messages of both are the one person's");
    });
}
