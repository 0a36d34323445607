//! Devices that come and go, and whom they are of; with a type that is declared and runs nothing.

use serde_json::{Value, json};

use super::*;
use crate::{
    accounts,
    boot::Gateway,
    clock::At,
    config::{Config, Overrides},
    domain::{
        account::Account,
        actor::Actor,
        content::{Content, Extras, Text, TextFormat},
        event::{Fact, Happening, Interaction, InteractionKind, Subscription},
        people::{Identity, Party},
    },
    inbox,
    manifest::Manifest,
    outbox::{self, SendRequest},
    stats,
    store::{Page, Run as _, events, sql, subscriptions::Filter},
};

const PAGE: Page = Page { limit: 100, offset: 0 };

struct World {
    app: Arc<App>,
    _gateway: Gateway,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let overrides = Overrides { data: Some(folder.path().to_owned()), bind: Some("127.0.0.1:0".parse().unwrap()) };
    let gateway = Gateway::build(Config::load(None, &overrides).unwrap()).await.unwrap();
    let app = Arc::clone(&gateway.app);
    let manifest = json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": {"type": "object", "properties": {}},
        "capabilities": {"subscriptions": true, "commands": ["message"], "content": {"text": {}}},
    });
    app.plugins.know(Manifest::from_json(manifest.to_string().as_bytes()).unwrap());
    let now = app.clock.now();
    let mut tx = app.db.begin().await.unwrap();
    store::organizations::ensure(&mut tx, "org", now).await.unwrap();
    for id in ["account", "other"] {
        let (data_key, _) = app.keyring.new_data_key(id).unwrap();
        let account = Account::for_tests(id, data_key, now);
        store::accounts::insert(&mut tx, &account).await.unwrap();
    }
    tx.commit().await.unwrap();
    World { app, _gateway: gateway, _folder: folder }
}

fn mona(schemes: &[(&str, &str)]) -> Option<Party> {
    let identities = schemes.iter().map(|(scheme, value)| Identity { scheme: (*scheme).to_owned(), value: (*value).to_owned() });
    Some(Party { identities: identities.collect(), name: None })
}

fn extras(fields: &[(&str, &str)]) -> Extras {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn device(id: &str, active: bool) -> Subscription {
    let endpoint = format!("https://push.example.com/s3cret/{id}");
    Subscription { id: id.to_owned(), endpoint, keys: extras(&[("auth", "s3cret-key")]), active, extras: extras(&[("platform", "x")]) }
}

fn seconds(n: i64) -> At {
    At::from_micros(1_795_000_000_000_000 + n * 1_000_000)
}

impl World {
    async fn happen(&self, key: &str, actor: Option<Party>, at: i64, what: Happening) {
        let fact = Fact {
            dedupe_key: key.to_owned(),
            conversation: None,
            actor,
            at: Some(seconds(at)),
            what,
            follow_up: None,
            extras: Extras::new(),
        };
        let mut tx = self.app.db.begin_ordered().await.unwrap();
        let mut wanted = Wanted::default();
        wanted.fact("account", &fact);
        let mut ledger = Ledger::new(Arc::clone(&self.app.ids), seconds(at));
        ledger.load(&mut tx, &wanted).await.unwrap();
        let owner = Owner { organization_id: "org", account_id: "account" };
        inbox::apply(&mut ledger.page(owner, false, Some("plugin")), &fact);
        ledger.save(&mut tx, &self.app.keyring).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn subscribe(&self, id: &str, actor: Option<Party>, at: i64) {
        self.happen(&format!("{id}/{at}"), actor, at, Happening::Subscription(device(id, true))).await;
    }

    async fn reached(&self, to: &str) -> Vec<String> {
        reached_by(&self.app, "account", to).await.unwrap().into_iter().map(|subscriber| subscriber.id).collect()
    }

    async fn all(&self) -> Vec<Subscriber> {
        store::subscriptions::list(&self.app.db, &Filter::default(), &PAGE).await.unwrap()
    }

    /// Of that type, oldest first: what each holds.
    async fn told(&self, event_type: &str) -> Vec<Value> {
        let rows = (&self.app.db).rows(sql("SELECT data FROM events WHERE type = $1 ORDER BY seq").bind(event_type)).await.unwrap();
        rows.iter().map(|row| row.json("data").unwrap()).collect()
    }

    async fn account(&self) -> Account {
        store::accounts::find(&self.app.db, "account").await.unwrap().unwrap()
    }

    async fn send(&self, to: &str) -> Result<crate::domain::message::Message, crate::error::ApiError> {
        let text = Content::Text(Text { text: "Hi".to_owned(), format: TextFormat::Plain, preview_links: false });
        outbox::enqueue(&self.app, &self.account().await, SendRequest::message("account".to_owned(), to.to_owned(), vec![text])).await
    }
}

#[tokio::test]
async fn a_device_is_reached_by_its_id_and_by_every_id_of_its_contact() {
    let world = world().await;
    let ids = [("external_id", "crm-7"), ("email", "mona@example.com")];
    world.subscribe("phone", mona(&ids), 1).await;
    world.subscribe("laptop", mona(&ids[1..]), 2).await;
    world.subscribe("nobodys", None, 3).await;
    let contact = world.all().await.into_iter().find(|subscriber| subscriber.id == "phone").unwrap().contact_id.unwrap();
    for to in [contact.as_str(), "crm-7", "mona@example.com"] {
        assert_eq!(world.reached(to).await, ["laptop", "phone"], "the last seen first: {to}");
    }
    assert_eq!(world.reached("nobodys").await, ["nobodys"]);
    assert!(world.reached("mona").await.is_empty());
    assert!(reached_by(&world.app, "other", "crm-7").await.unwrap().is_empty(), "another account's are another's");
    world.subscribe("phone", None, 9).await;
    assert_eq!(world.reached("crm-7").await, ["phone", "laptop"], "seen again, and still hers");
    for n in 0..12 {
        world.subscribe(&format!("d{n:02}"), mona(&ids), 20 + n).await;
    }
    let reached = world.reached("crm-7").await;
    assert_eq!((reached.len(), reached[0].as_str(), reached[9].as_str()), (10, "d11", "d02"));
}

#[tokio::test]
async fn where_to_push_is_sealed_and_no_event_tells_it() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    let (subscriber, endpoint) = opened(&world.app, "account", "phone").await.unwrap().pop().unwrap();
    assert_eq!((endpoint.endpoint, endpoint.keys), (device("phone", true).endpoint, device("phone", true).keys));
    assert_eq!((subscriber.host.as_str(), &subscriber.extras), ("push.example.com", &extras(&[("platform", "x")])));
    let rows = (&world.app.db).rows(sql("SELECT sealed FROM subscriptions")).await.unwrap();
    let sealed: Vec<u8> = rows[0].get("sealed").unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("s3cret"));
    let told = world.told("contact.subscription").await.pop().unwrap();
    assert_eq!(told["subscription"], json!({"id": "phone", "active": true, "host": "push.example.com", "extras": {"platform": "x"}}));
    assert_eq!(told["contact"]["id"], json!(subscriber.contact_id));
    assert!(!told.to_string().contains("s3cret"), "{told}");
    assert!(!json!(subscriber).to_string().contains("s3cret"));
    // The bytes of one device don't open as another's.
    let mut tx = world.app.db.begin().await.unwrap();
    tx.run(sql("UPDATE subscriptions SET id = 'laptop'")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(opened(&world.app, "account", "laptop").await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_device_that_is_gone_is_forgotten_and_told_of_with_whose_it_was() {
    let world = world().await;
    for id in ["phone", "laptop"] {
        world.subscribe(id, mona(&[("email", "mona@example.com")]), 1).await;
    }
    world.happen("gone", None, 2, Happening::Subscription(device("phone", false))).await;
    assert_eq!(world.reached("mona@example.com").await, ["laptop"]);
    let told = world.told("contact.subscription").await.pop().unwrap();
    assert_eq!((&told["subscription"]["active"], told["contact"]["id"].is_string()), (&json!(false), true), "{told}");
    let laptop = world.all().await.pop().unwrap();
    forget(&world.app, &laptop, &Actor::system()).await.unwrap();
    assert!(world.all().await.is_empty());
    let told = world.told("contact.subscription").await;
    assert_eq!((told.len(), &told[3]["subscription"]["id"], &told[3]["contact"]["id"]), (4, &json!("laptop"), &json!(laptop.contact_id)));
    world.happen("unknown", None, 3, Happening::Subscription(device("nobodys", false))).await;
    assert_eq!(world.told("contact.subscription").await[4]["contact"], Value::Null);
    world.subscribe("phone", None, 4).await;
    accounts::delete(&world.app, &world.account().await, &Actor::system()).await.unwrap();
    assert!(world.all().await.is_empty(), "it goes with its account");
}

#[tokio::test]
async fn another_endpoint_of_the_same_browser_stays_its_contacts() {
    let world = world().await;
    world.subscribe("old", mona(&[("email", "mona@example.com")]), 1).await;
    let mut new = device("new", true);
    new.extras = extras(&[("replaces", "old")]);
    world.happen("changed", None, 2, Happening::Subscription(new)).await;
    assert_eq!(world.reached("mona@example.com").await, ["new"]);
    assert!(world.reached("old").await.is_empty());
    world.subscribe("new", mona(&[("email", "omar@example.com")]), 3).await;
    assert!(world.reached("mona@example.com").await.is_empty(), "somebody else is at the browser");
    assert_eq!(world.reached("omar@example.com").await, ["new"]);
}

#[tokio::test]
async fn devices_follow_contacts_that_turn_out_to_be_one() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    world.subscribe("laptop", mona(&[("phone", "+4912345")]), 2).await;
    world.subscribe("tablet", mona(&[("email", "mona@example.com"), ("phone", "+4912345")]), 3).await;
    assert_eq!(world.reached("+4912345").await, ["tablet", "laptop", "phone"]);
}

#[tokio::test]
async fn a_message_to_nobody_who_subscribed_is_refused_with_the_way_out() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    let refused = world.send("omar@example.com").await.unwrap_err();
    assert_eq!((refused.status.as_u16(), refused.body.errors[0].pointer.as_str()), (422, "/to"));
    assert!(refused.body.errors[0].message.contains("GET /rest/v1/subscriptions?channel_account_id=account"), "{refused:?}");
    let message = world.send("mona@example.com").await.unwrap();
    assert_eq!(message.contact_id, world.all().await[0].contact_id);
}

#[tokio::test]
async fn what_is_done_with_a_notification_is_on_the_message_told_and_counted_once() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    let message = world.send("phone").await.unwrap();
    let did = |kind, action: Option<&str>| {
        Happening::Interacted(Interaction {
            target: message.id.clone(),
            kind,
            action: action.map(str::to_owned),
            url: Some("https://shop.example.com/sale".to_owned()),
        })
    };
    world.happen("click", None, 100, did(InteractionKind::Opened, Some("buy"))).await;
    for _ in 0..2 {
        world.happen("click-again", None, 5000, did(InteractionKind::Opened, None)).await;
        world.happen("away", None, 50, did(InteractionKind::Dismissed, None)).await;
    }
    let message = store::messages::find(&world.app.db, &message.id).await.unwrap().unwrap();
    let marks: Vec<_> = message.interactions.iter().map(|mark| (mark.kind, mark.action.as_deref(), mark.at)).collect();
    assert_eq!(
        marks,
        [
            (InteractionKind::Dismissed, None, seconds(50)),
            (InteractionKind::Opened, Some("buy"), seconds(100)),
            (InteractionKind::Opened, None, seconds(5000)),
        ]
    );
    let shown = json!(message);
    assert_eq!(shown["interactions"][1]["contact_id"], json!(message.contact_id));
    assert_eq!(shown["interactions"][1]["kind"], json!("opened"));
    let told = world.told("notification.opened").await;
    assert_eq!((told.len(), &told[0]["action"], &told[1]["action"]), (2, &json!("buy"), &Value::Null));
    assert_eq!((&told[0]["url"], &told[0]["message"]["id"]), (&json!("https://shop.example.com/sale"), &json!(message.id)));
    assert_eq!(told[0]["contact"]["id"], json!(message.contact_id));
    assert_eq!(world.told("notification.dismissed").await.len(), 1);
    let counted = sql("SELECT metric, count FROM account_stats WHERE metric IN ('opened', 'dismissed') ORDER BY metric");
    let counted = (&world.app.db).rows(counted).await.unwrap();
    let counted: Vec<(String, i64)> = counted.iter().map(|row| (row.get("metric").unwrap(), row.get("count").unwrap())).collect();
    assert_eq!(counted, [("dismissed".to_owned(), 1), ("opened".to_owned(), 1)], "a message counts once, when it was first opened");
    let all = (At::from_micros(0), At::from_micros(i64::MAX));
    let found = stats::recompute(&world.app.db, "account", all, false).await.unwrap();
    assert_eq!(found.drift, 0, "{:?}", found.differences);
}

#[tokio::test]
async fn an_interaction_waits_for_its_message_and_a_message_lists_so_many() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    let message = world.send("phone").await.unwrap();
    let did = |target: &str| {
        Happening::Interacted(Interaction { target: target.to_owned(), kind: InteractionKind::Opened, action: None, url: None })
    };
    world.happen("early", None, 5, did("not-yet")).await;
    assert!(world.told("notification.opened").await.is_empty(), "it waits");
    let mut tx = world.app.db.begin_ordered().await.unwrap();
    let mut wanted = Wanted::default();
    wanted.message("account", &message.id);
    wanted.new_reference("account", "not-yet");
    let mut ledger = Ledger::new(Arc::clone(&world.app.ids), seconds(6));
    ledger.load(&mut tx, &wanted).await.unwrap();
    let mut page = ledger.page(Owner { organization_id: "org", account_id: "account" }, false, None);
    page.name("not-yet", &message.id, 0);
    inbox::apply_freed(&mut page);
    ledger.save(&mut tx, &world.app.keyring).await.unwrap();
    tx.commit().await.unwrap();
    let told = world.told("notification.opened").await;
    assert_eq!((told.len(), &told[0]["message"]["interactions"][0]["at"]), (1, &json!(seconds(5))));
    for n in 0..110 {
        world.happen(&format!("click-{n}"), None, 10 + n, did(&message.id)).await;
    }
    let message = store::messages::find(&world.app.db, &message.id).await.unwrap().unwrap();
    assert_eq!((message.interactions.len(), message.interactions[0].at), (100, seconds(5)));
    assert_eq!(world.told("notification.opened").await.len(), 111, "all are told");
}

#[tokio::test]
async fn events_hold_to_their_published_schemas() {
    let world = world().await;
    world.subscribe("phone", mona(&[("email", "mona@example.com")]), 1).await;
    let message = world.send("phone").await.unwrap();
    world.happen("gone", None, 2, Happening::Subscription(device("laptop", false))).await;
    for (key, kind) in [("a", InteractionKind::Opened), ("b", InteractionKind::Dismissed)] {
        let what = Interaction { target: message.id.clone(), kind, action: None, url: None };
        world.happen(key, None, 3, Happening::Interacted(what)).await;
    }
    let told = events::list_after(&world.app.db, &events::Filter::default(), 0, 100).await.unwrap();
    for event in told {
        let name = event.event_type.as_str();
        let validator = jsonschema::validator_for(&crate::domain::payload::find(name).unwrap().schema).unwrap();
        let shown = json!(event);
        let problems: Vec<String> = validator.iter_errors(&shown).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
}
