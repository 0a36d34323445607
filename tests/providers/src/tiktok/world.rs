//! What there is, and what was said.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::tiktok::accounts::{App, Business, Person};

/// Milliseconds that a business may answer: 48 hours.
pub(crate) const WINDOW_MS: u64 = 48 * 3_600_000;
/// Messages that it may answer with.
pub(crate) const WINDOW_MESSAGES: u32 = 10;

/// A message of a business that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// Whose it is.
    pub business_id: String,
    /// Where it went to.
    pub conversation_id: String,
    /// Empty for what is no message: typing, read marks.
    pub message_id: String,
    /// `TEXT`, `IMAGE`, `SHARE_POST`, `TEMPLATE`, `SENDER_ACTION`.
    pub message_type: String,
    /// The request's body.
    pub body: Value,
    /// When, in milliseconds since 1970 UTC.
    pub at_ms: u64,
}

/// A message as `content/list` tells it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// Upper case.
    pub(crate) kind: String,
    pub(crate) value: Value,
    pub(crate) from_person: bool,
    pub(crate) source: &'static str,
    pub(crate) at_ms: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) business_id: String,
    pub(crate) person_id: String,
    pub(crate) updated_ms: u64,
    pub(crate) messages: Vec<Message>,
    pub(crate) referral: Option<Value>,
    /// When the person wrote last, and what was sent since.
    pub(crate) opened_ms: Option<u64>,
    pub(crate) used: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) business_id: String,
    pub(crate) mime_type: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expires_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) apps: Vec<App>,
    pub(crate) businesses: Vec<Business>,
    pub(crate) people: Vec<Person>,
    pub(crate) conversations: Vec<Conversation>,
    /// By app and type of event.
    pub(crate) webhooks: HashMap<(String, String), String>,
    pub(crate) sent: Vec<Sent>,
    /// What businesses uploaded, by id.
    pub(crate) uploads: HashMap<String, Media>,
    /// What is downloaded, by the id in its URL.
    pub(crate) downloads: HashMap<String, Media>,
}

fn put<T>(list: &mut Vec<T>, item: T, same: impl Fn(&T, &T) -> bool) {
    match list.iter_mut().find(|known| same(known, &item)) {
        Some(known) => *known = item,
        None => list.push(item),
    }
}

impl World {
    pub(crate) fn seed(&mut self) {
        self.add_app(App::default());
        self.add_business(Business::default());
        self.add_business(Business {
            id: "biz_open_id_2".into(),
            username: "second".into(),
            display_name: "Second".into(),
            posts: Vec::new(),
        });
        self.add_person(Person::default());
        self.add_person(Person { id: "u_78".into(), username: "omar".into(), display_name: "Omar".into(), is_follower: false });
    }

    pub(crate) fn add_app(&mut self, app: App) {
        put(&mut self.apps, app, |a, b| a.id == b.id);
    }

    pub(crate) fn add_business(&mut self, business: Business) {
        put(&mut self.businesses, business, |a, b| a.id == b.id);
    }

    pub(crate) fn add_person(&mut self, person: Person) {
        put(&mut self.people, person, |a, b| a.id == b.id);
    }

    pub(crate) fn set_webhook(&mut self, app_id: &str, event_type: &str, url: &str) {
        self.webhooks.insert((app_id.to_owned(), event_type.to_owned()), url.to_owned());
    }

    pub(crate) fn app(&self, id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    pub(crate) fn business(&self, id: &str) -> Option<&Business> {
        self.businesses.iter().find(|business| business.id == id)
    }

    /// Whoever is named is there: somebody unknown gets a handle of their id.
    pub(crate) fn person(&mut self, id: &str) -> Person {
        let known = self.people.iter().find(|person| person.id == id).cloned();
        known.unwrap_or_else(|| {
            let person = Person { id: id.to_owned(), username: format!("user_{id}"), display_name: id.to_owned(), is_follower: false };
            self.people.push(person.clone());
            person
        })
    }

    pub(crate) fn conversation(&self, business_id: &str, id: &str) -> Option<&Conversation> {
        self.conversations.iter().find(|conversation| conversation.id == id && conversation.business_id == business_id)
    }

    pub(crate) fn conversation_mut(&mut self, business_id: &str, id: &str) -> Option<&mut Conversation> {
        self.conversations.iter_mut().find(|conversation| conversation.id == id && conversation.business_id == business_id)
    }

    /// Its id looks as real ones do: base64, often with a `+`.
    pub(crate) fn conversation_with(&mut self, business_id: &str, person_id: &str, now_ms: u64) -> String {
        let same = |conversation: &&Conversation| conversation.business_id == business_id && conversation.person_id == person_id;
        if let Some(known) = self.conversations.iter().find(same) {
            return known.id.clone();
        }
        let first = business_id == "biz_open_id_1" && person_id == "u_77";
        let id = if first { "Yx+1Q==".to_owned() } else { format!("C+{}", STANDARD.encode(format!("{business_id}/{person_id}"))) };
        self.conversations.push(Conversation {
            id: id.clone(),
            business_id: business_id.to_owned(),
            person_id: person_id.to_owned(),
            updated_ms: now_ms,
            messages: Vec::new(),
            referral: None,
            opened_ms: None,
            used: 0,
        });
        id
    }

    /// A person has written: the window is open anew.
    pub(crate) fn received(&mut self, business_id: &str, conversation_id: &str, message: Message) {
        if let Some(conversation) = self.conversation_mut(business_id, conversation_id) {
            conversation.opened_ms = Some(message.at_ms);
            conversation.used = 0;
            conversation.updated_ms = message.at_ms;
            conversation.messages.push(message);
        }
    }
}

impl Conversation {
    pub(crate) fn is_open(&self, now_ms: u64) -> bool {
        self.opened_ms.is_some_and(|opened| now_ms <= opened + WINDOW_MS) && self.used < WINDOW_MESSAGES
    }

    /// `from_user` and `to_user`, or the other way round.
    pub(crate) fn ends(&self, from_person: bool) -> (Value, Value) {
        let person = json!({"id": self.person_id, "role": "personal_account"});
        let business = json!({"id": self.business_id, "role": "business_account"});
        if from_person { (person, business) } else { (business, person) }
    }
}
