//! Whatever happens, and in whatever order: the counters are what the messages tell.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        content::{Choice, Extras},
        event::{Fact, Happening, Inbound, Interaction, InteractionKind, Receipt, ReceiptState, ReceiptTarget},
        failure::{Failure, FailureClass},
        message::{Direction, Message, MessageState},
        people::{ConversationKind, ConversationRef, Identity, Party},
    },
    ids::Ids,
    inbox,
    ledger::{Ledger, Wanted},
    outbox::blank_message,
    secrets::Keyring,
    store::{Run, Tx, people::Owner, sql},
};

const OWNER: Owner<'_> = Owner { organization_id: "o", account_id: "a" };
const MINUTE: i64 = 60_000_000;
const ALL: Stretch = (At::from_micros(0), At::from_micros(i64::MAX));

/// What may happen. Small numbers, so that it happens to the same ones again.
#[derive(Debug, Clone)]
enum Step {
    Pass { minutes: i64 },
    Receive { conversation: u8, number: u8, delivery: u8 },
    Native { conversation: u8, number: u8, minutes_ago: i64 },
    Press { conversation: u8, delivery: u8 },
    Queue { conversation: Option<u8>, number: u8 },
    Settle { number: u8, state: MessageState },
    Receipt { number: u8, state: ReceiptState, minutes_ago: i64, delivery: u8 },
    ReadUpTo { conversation: u8, minutes_ago: i64, delivery: u8 },
    Echo { number: u8, delivery: u8 },
    Interact { number: u8, kind: InteractionKind, minutes_ago: i64, delivery: u8 },
    Move { from: u8, to: u8, delivery: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let states = [
        MessageState::Sent,
        MessageState::PartiallySent,
        MessageState::Failed,
        MessageState::Expired,
        MessageState::Uncertain,
        MessageState::Cancelled,
    ];
    let receipts = [ReceiptState::Sent, ReceiptState::Delivered, ReceiptState::Read, ReceiptState::Played, ReceiptState::Failed];
    let (conversation, number, delivery, ago) = (0..3_u8, 0..6_u8, 0..3_u8, 0..90_i64);
    prop_oneof![
        (0..2000_i64).prop_map(|minutes| Step::Pass { minutes }),
        (conversation.clone(), number.clone(), delivery.clone()).prop_map(|(conversation, number, delivery)| Step::Receive {
            conversation,
            number,
            delivery
        }),
        (conversation.clone(), number.clone(), ago.clone()).prop_map(|(conversation, number, minutes_ago)| Step::Native {
            conversation,
            number,
            minutes_ago
        }),
        (conversation.clone(), delivery.clone()).prop_map(|(conversation, delivery)| Step::Press { conversation, delivery }),
        (prop::option::of(conversation.clone()), number.clone()).prop_map(|(conversation, number)| Step::Queue { conversation, number }),
        (number.clone(), prop::sample::select(states.to_vec())).prop_map(|(number, state)| Step::Settle { number, state }),
        (number.clone(), prop::sample::select(receipts.to_vec()), ago.clone(), delivery.clone())
            .prop_map(|(number, state, minutes_ago, delivery)| Step::Receipt { number, state, minutes_ago, delivery }),
        (conversation.clone(), ago, delivery.clone()).prop_map(|(conversation, minutes_ago, delivery)| Step::ReadUpTo {
            conversation,
            minutes_ago,
            delivery
        }),
        (number.clone(), delivery.clone()).prop_map(|(number, delivery)| Step::Echo { number, delivery }),
        (number, prop::bool::ANY, 0..90_i64, delivery.clone()).prop_map(|(number, opened, minutes_ago, delivery)| {
            let kind = if opened { InteractionKind::Opened } else { InteractionKind::Dismissed };
            Step::Interact { number, kind, minutes_ago, delivery }
        }),
        (conversation.clone(), conversation, delivery).prop_map(|(from, to, delivery)| Step::Move { from, to, delivery }),
    ]
}

struct World {
    db: Db,
    ids: Arc<Ids>,
    now: At,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db"), 1).await.unwrap();
        db.migrate().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.run(sql("INSERT INTO organizations (id, name, created_at) VALUES ('o', 'o', 0)")).await.unwrap();
        let account = sql("INSERT INTO channel_accounts
                   (id, organization_id, type, name, settings, is_active, connection, facts, data_key, webhook_refusals, created_at, updated_at)
                 VALUES ('a', 'o', 'T', 'A', '{}', TRUE, 'connected', '{}', $1, 0, 0, 0)");
        tx.run(account.bind(vec![0_u8])).await.unwrap();
        tx.commit().await.unwrap();
        World { db, ids: Arc::default(), now: At::from_micros(1_795_000_000_000_000), _folder: folder }
    }

    fn ago(&self, minutes: i64) -> At {
        At::from_micros(self.now.micros() - minutes * MINUTE)
    }

    async fn happen(&mut self, steps: &[Step]) {
        let mut tx = self.db.begin_ordered().await.unwrap();
        for (n, step) in steps.iter().enumerate() {
            // Less than a second, so that most share a quarter of an hour.
            self.now = At::from_micros(self.now.micros() + 700_000);
            self.step(&mut tx, n, step).await;
        }
        tx.commit().await.unwrap();
    }

    async fn step(&mut self, tx: &mut Tx, n: usize, step: &Step) {
        match step {
            Step::Pass { minutes } => self.now = At::from_micros(self.now.micros() + minutes * MINUTE),
            Step::Receive { conversation, number, delivery } => {
                let mut inbound = inbound(*conversation, &format!("in-{conversation}-{number}"), false, None);
                // Some are of machines, and some of a thread that began elsewhere.
                inbound.automatic = *number == 5;
                inbound.related = if *number >= 4 { vec![format!("in-{}-0", (conversation + 1) % 3)] } else { Vec::new() };
                self.tell(tx, format!("in-{conversation}-{number}/{delivery}"), Happening::Message(Box::new(inbound))).await;
            }
            Step::Native { conversation, number, minutes_ago } => {
                let id = format!("native-{conversation}-{number}");
                let inbound = inbound(*conversation, &id, true, Some(self.ago(*minutes_ago)));
                self.tell(tx, format!("{id}/{n}"), Happening::Message(Box::new(inbound))).await;
            }
            Step::Press { conversation, delivery } => {
                let choice = Choice { id: "x".to_owned(), title: "X".to_owned(), target: None, answer_ref: None };
                let fact = Fact {
                    conversation: Some(reference(*conversation)),
                    ..self.fact(format!("press-{conversation}/{delivery}"), Happening::Chose(choice))
                };
                self.apply(tx, &fact).await;
            }
            Step::Queue { conversation, number } => self.queue(tx, *conversation, *number).await,
            Step::Settle { number, state } => self.settle(tx, *number, *state).await,
            Step::Receipt { number, state, minutes_ago, delivery } => {
                let failure = (*state == ReceiptState::Failed).then(|| Failure::new(FailureClass::Recipient, "x", "x"));
                let target = ReceiptTarget::Messages(vec![format!("out-{number}")]);
                let receipt = Receipt { conversation: None, target, state: *state, at: Some(self.ago(*minutes_ago)), failure };
                self.tell(tx, format!("receipt-{number}-{state}/{delivery}"), Happening::Receipt(receipt)).await;
            }
            Step::ReadUpTo { conversation, minutes_ago, delivery } => {
                let until = self.ago(*minutes_ago);
                let receipt = Receipt {
                    conversation: Some(format!("c{conversation}")),
                    target: ReceiptTarget::UpTo(until),
                    state: ReceiptState::Read,
                    at: Some(until),
                    failure: None,
                };
                self.tell(tx, format!("up-to-{conversation}/{delivery}"), Happening::Receipt(receipt)).await;
            }
            Step::Echo { number, delivery } => {
                let inbound = inbound(0, &format!("out-{number}"), true, Some(self.now));
                self.tell(tx, format!("echo-{number}/{delivery}"), Happening::Message(Box::new(inbound))).await;
            }
            Step::Interact { number, kind, minutes_ago, delivery } => {
                let what = Interaction { target: format!("out-{number}"), kind: *kind, action: None, url: None };
                let key = format!("did-{number}-{kind}/{delivery}");
                let fact = Fact { at: Some(self.ago(*minutes_ago)), ..self.fact(key, Happening::Interacted(what)) };
                self.apply(tx, &fact).await;
            }
            Step::Move { from, to, delivery } => {
                let moved = self.fact(format!("move-{from}-{to}/{delivery}"), Happening::Moved(format!("c{to}")));
                let fact = Fact { conversation: Some(reference(*from)), ..moved };
                self.apply(tx, &fact).await;
            }
        }
    }

    fn fact(&self, dedupe_key: String, what: Happening) -> Fact {
        Fact { dedupe_key, conversation: None, actor: None, at: Some(self.now), what, follow_up: None, extras: Extras::new() }
    }

    async fn tell(&self, tx: &mut Tx, dedupe_key: String, what: Happening) {
        self.apply(tx, &self.fact(dedupe_key, what)).await;
    }

    async fn ledger(&self, tx: &mut Tx, wanted: &Wanted<'_>) -> Ledger {
        let mut ledger = Ledger::new(Arc::clone(&self.ids), self.now);
        ledger.load(tx, wanted).await.unwrap();
        ledger
    }

    async fn apply(&self, tx: &mut Tx, fact: &Fact) {
        let mut wanted = Wanted::default();
        wanted.fact("a", fact);
        let mut ledger = self.ledger(tx, &wanted).await;
        inbox::apply(&mut ledger.page(OWNER, true, Some("in")), fact);
        ledger.save(tx, &Keyring::for_tests()).await.unwrap();
    }

    async fn queue(&self, tx: &mut Tx, conversation: Option<u8>, number: u8) {
        let id = format!("ours-{number}");
        let conversation = conversation.map(reference);
        let mut wanted = Wanted::default();
        wanted.message("a", &id);
        if let Some(conversation) = &conversation {
            wanted.conversation("a", &conversation.external_id);
        }
        let mut ledger = self.ledger(tx, &wanted).await;
        let mut page = ledger.page(OWNER, true, None);
        if page.message(&id).is_some() {
            return;
        }
        let conversation_id = conversation.and_then(|conversation| page.converse(&conversation, None).map(|it| it.id.clone()));
        let blank = blank_message(id.clone(), OWNER, Direction::Outbound, MessageState::Queued, self.now);
        page.save(Message { conversation_id, ..blank });
        ledger.save(tx, &Keyring::for_tests()).await.unwrap();
    }

    /// As the outbox does it: once for each message.
    async fn settle(&self, tx: &mut Tx, number: u8, state: MessageState) {
        let (id, external_id) = (format!("ours-{number}"), format!("out-{number}"));
        let mut wanted = Wanted::default();
        wanted.message("a", &id);
        wanted.new_reference("a", &external_id);
        let mut ledger = self.ledger(tx, &wanted).await;
        let mut page = ledger.page(OWNER, true, Some("out"));
        let Some(mut message) = page.message(&id).filter(|message| message.state == MessageState::Queued).cloned() else { return };
        message.state = state;
        match state {
            MessageState::Sent | MessageState::PartiallySent => message.sent_at = Some(self.now),
            MessageState::Uncertain => {}
            _ => {
                message.failed_at = Some(self.now);
                message.failure = Some(Failure::new(FailureClass::Fault, "x", "x"));
            }
        }
        page.save(message);
        page.name(&external_id, &id, 0);
        inbox::apply_freed(&mut page);
        ledger.save(tx, &Keyring::for_tests()).await.unwrap();
    }

    async fn count(&self, condition: &str) -> i64 {
        let rows = (&self.db).rows(sql(format!("SELECT COUNT(*) AS n FROM messages WHERE kind = 'message' AND {condition}"))).await;
        rows.unwrap().first().unwrap().get("n").unwrap()
    }

    async fn counted(&self, metric: &str) -> i64 {
        let statement = sql("SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) AS n FROM account_stats WHERE metric = $1").bind(metric);
        (&self.db).rows(statement).await.unwrap().first().unwrap().get("n").unwrap()
    }
}

fn reference(number: u8) -> ConversationRef {
    ConversationRef { external_id: format!("c{number}"), kind: ConversationKind::Direct, title: None }
}

fn inbound(conversation: u8, external_id: &str, echo: bool, sent_at: Option<At>) -> Inbound {
    let identity = Identity { scheme: "t".to_owned(), value: format!("person {conversation}") };
    Inbound {
        external_id: external_id.to_owned(),
        conversation: reference(conversation),
        sender: Party { identities: vec![identity], name: None },
        echo,
        content: Vec::new(),
        reply_to: None,
        related: Vec::new(),
        automatic: false,
        origin: "direct".to_owned(),
        sent_at,
        reply_context: None,
        extras: Extras::new(),
    }
}

async fn check(world: &World) {
    let found = recompute(&world.db, "a", ALL, false).await.unwrap();
    assert_eq!(found.drift, 0, "{:#?}", found.differences);
    // Told another way, by the database itself.
    for (metric, condition) in [
        ("received", "direction = 'inbound'"),
        ("sent", "direction = 'outbound' AND sent_at IS NOT NULL"),
        ("sent_native", "echo"),
        ("delivered", "direction = 'outbound' AND (delivered_at IS NOT NULL OR read_at IS NOT NULL OR played_at IS NOT NULL)"),
        ("read", "direction = 'outbound' AND (read_at IS NOT NULL OR played_at IS NOT NULL)"),
        ("failed", "state IN ('failed', 'expired')"),
        ("uncertain", "state = 'uncertain'"),
        ("opened", "direction = 'outbound' AND opened_at IS NOT NULL"),
        ("dismissed", "direction = 'outbound' AND dismissed_at IS NOT NULL"),
        ("episodes_answered", "responds_since IS NOT NULL"),
        ("reply_time", "answers_since IS NOT NULL"),
    ] {
        assert_eq!(world.counted(metric).await, world.count(condition).await, "{metric}");
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_counters_are_what_the_messages_tell(steps in prop::collection::vec(step(), 1..80)) {
        block_on(async {
            let mut world = World::new().await;
            let (first, second) = steps.split_at(steps.len() / 2);
            world.happen(first).await;
            world.happen(second).await;
            check(&world).await;
        });
    }
}

#[test]
fn a_counter_that_is_wrong_is_found_and_mended() {
    block_on(async {
        let mut world = World::new().await;
        let steps = [
            Step::Receive { conversation: 0, number: 0, delivery: 0 },
            Step::Queue { conversation: Some(0), number: 0 },
            Step::Settle { number: 0, state: MessageState::Sent },
        ];
        world.happen(&steps).await;
        check(&world).await;
        let mut tx = world.db.begin().await.unwrap();
        tx.run(sql("UPDATE account_stats SET count = count + 2 WHERE metric = 'sent'")).await.unwrap();
        tx.run(sql("DELETE FROM conversation_activity")).await.unwrap();
        tx.commit().await.unwrap();
        let found = recompute(&world.db, "a", ALL, false).await.unwrap();
        let told: Vec<(&str, i64, i64)> =
            found.differences.iter().map(|difference| (difference.metric, difference.counted, difference.told)).collect();
        assert_eq!(told, [(ACTIVE, 0, 1), ("sent", 3, 1)]);
        assert_eq!((found.drift, found.messages, found.mended), (2, 2, false));
        let elsewhere = (At::from_micros(0), Slot::of(world.now).start().plus(Slot::SPAN * 2));
        assert!(recompute(&world.db, "a", elsewhere, true).await.unwrap().mended);
        check(&world).await;
    });
}
