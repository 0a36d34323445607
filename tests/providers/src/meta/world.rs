//! Who and what there is: apps, people who log in, businesses, WhatsApp accounts, Pages and Instagram accounts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::meta::accounts::{App, Business, Config, Consent, Instagram, Number, Page, Person, User, Waba};

/// An app's webhook for one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) verify_token: String,
    /// Empty is every field.
    pub(crate) fields: Vec<String>,
}

/// What an app gets of one account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscription {
    pub(crate) fields: Vec<String>,
    /// `override_callback_uri` of a WABA.
    pub(crate) url: Option<String>,
}

/// A file that is kept: WhatsApp media, or something on the CDN.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) mime_type: String,
    pub(crate) bytes: bytes::Bytes,
    /// The number it was uploaded to, or the Page of an attachment.
    pub(crate) owner: String,
}

/// A message that an account sent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Sent {
    /// The number, Page or Instagram account.
    pub account: String,
    /// Whom it went to.
    pub to: String,
    /// The id that was answered.
    pub id: String,
    /// The request's body.
    pub body: Value,
    /// When, by the stand-in's clock, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// Media by link on loopback was fetched: `{"url","status","mime_type","size","sha256"}` each.
    pub fetched: Vec<Value>,
}

/// What kind of node an id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    App,
    User,
    Business,
    Waba,
    Number,
    Page,
    Instagram,
    Media,
    Template,
    Upload,
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) apps: Vec<App>,
    pub(crate) users: Vec<User>,
    pub(crate) businesses: Vec<Business>,
    pub(crate) pages: Vec<Page>,
    pub(crate) instagrams: Vec<Instagram>,
    pub(crate) wabas: Vec<Waba>,
    pub(crate) configs: Vec<Config>,
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) consent: Consent,
    /// By app and object.
    pub(crate) webhooks: BTreeMap<(String, String), Webhook>,
    /// By account and app.
    pub(crate) subscriptions: BTreeMap<(String, String), Subscription>,
    /// `webhook_configuration.override_callback_uri` of numbers.
    pub(crate) number_urls: BTreeMap<String, String>,
    /// By WABA.
    pub(crate) templates: BTreeMap<String, Vec<Value>>,
    pub(crate) media: BTreeMap<String, Media>,
    /// Resumable uploads that were announced: their MIME type.
    pub(crate) uploads: BTreeMap<String, String>,
    /// Messenger profiles by Page or Instagram account.
    pub(crate) profiles: BTreeMap<String, Map<String, Value>>,
    pub(crate) business_profiles: BTreeMap<String, Map<String, Value>>,
    pub(crate) sent: Vec<Sent>,
    /// When a person last wrote to an account; 0 for a window that was closed.
    pub(crate) windows: BTreeMap<(String, String), u64>,
    /// Attempts to register, by number.
    pub(crate) register_attempts: BTreeMap<String, u32>,
    /// Numbers whose WhatsApp id is written differently.
    pub(crate) wa_ids: BTreeMap<String, String>,
}

/// Puts an item in the place of the one with its id, or at the end.
fn put<T>(items: &mut Vec<T>, item: T, same: impl Fn(&T, &T) -> bool) {
    match items.iter_mut().find(|other| same(other, &item)) {
        Some(other) => *other = item,
        None => items.push(item),
    }
}

impl World {
    pub(crate) fn put_app(&mut self, app: App) {
        put(&mut self.apps, app, |one, other| one.id == other.id);
    }

    pub(crate) fn put_user(&mut self, user: User) {
        put(&mut self.users, user, |one, other| one.id == other.id);
    }

    pub(crate) fn put_business(&mut self, business: Business) {
        put(&mut self.businesses, business, |one, other| one.id == other.id);
    }

    pub(crate) fn put_page(&mut self, page: Page) {
        put(&mut self.pages, page, |one, other| one.id == other.id);
    }

    pub(crate) fn put_instagram(&mut self, instagram: Instagram) {
        put(&mut self.instagrams, instagram, |one, other| one.id == other.id);
    }

    pub(crate) fn put_waba(&mut self, waba: Waba) {
        put(&mut self.wabas, waba, |one, other| one.id == other.id);
    }

    pub(crate) fn put_config(&mut self, config: Config) {
        put(&mut self.configs, config, |one, other| one.id == other.id);
    }

    pub(crate) fn app(&self, id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    pub(crate) fn page(&self, id: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.id == id)
    }

    /// By either of its ids.
    pub(crate) fn instagram(&self, id: &str) -> Option<&Instagram> {
        self.instagrams.iter().find(|instagram| instagram.id == id || instagram.scoped_id == id)
    }

    pub(crate) fn page_of(&self, instagram: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.instagram.as_deref() == Some(instagram))
    }

    pub(crate) fn waba(&self, id: &str) -> Option<&Waba> {
        self.wabas.iter().find(|waba| waba.id == id)
    }

    pub(crate) fn number(&self, id: &str) -> Option<(&Waba, &Number)> {
        self.wabas.iter().find_map(|waba| waba.numbers.iter().find(|number| number.id == id).map(|number| (waba, number)))
    }

    pub(crate) fn number_mut(&mut self, id: &str) -> Option<&mut Number> {
        self.wabas.iter_mut().flat_map(|waba| &mut waba.numbers).find(|number| number.id == id)
    }

    pub(crate) fn kind(&self, id: &str) -> Kind {
        if id.starts_with("upload:") {
            Kind::Upload
        } else if self.app(id).is_some() {
            Kind::App
        } else if self.page(id).is_some() {
            Kind::Page
        } else if self.instagram(id).is_some() {
            Kind::Instagram
        } else if self.waba(id).is_some() {
            Kind::Waba
        } else if self.number(id).is_some() {
            Kind::Number
        } else if self.media.contains_key(id) {
            Kind::Media
        } else if self.users.iter().any(|user| user.id == id) {
            Kind::User
        } else if self.businesses.iter().any(|business| business.id == id) {
            Kind::Business
        } else if self.templates.values().flatten().any(|template| template["id"] == id) {
            Kind::Template
        } else {
            Kind::Unknown
        }
    }

    pub(crate) fn learn(&mut self, person: Person) {
        self.people.insert(person.id.clone(), person);
    }

    /// Whether a person's window with an account is open; where nothing is known it is, unless `strict`.
    pub(crate) fn window(&self, account: &str, person: &str, now_ms: u64, hours: u64, strict: bool) -> bool {
        let window = self.windows.get(&(account.to_owned(), person.to_owned()));
        window.map_or(!strict, |last| now_ms.saturating_sub(*last) <= hours * 3_600_000)
    }

    /// Everybody and everything of the fixtures.
    pub(crate) fn seed(&mut self) {
        self.put_app(App::default());
        self.put_user(User::default());
        self.put_business(Business::default());
        let second = Number { id: "900000000000002".into(), display_phone_number: "+1 555-000-1112".into(), ..Number::default() };
        self.put_waba(Waba { numbers: vec![Number::default(), second], ..Waba::default() });
        self.put_page(Page { instagram: Some(Instagram::default().id), ..Page::default() });
        self.put_instagram(Instagram::default());
        self.put_config(Config::default());
        self.templates.insert(Waba::default().id, templates());
    }
}

/// One of each sort that sending has to tell apart.
fn templates() -> Vec<Value> {
    let template = |id: u32, name: &str, status: &str, category: &str, format: &str, components: Value| {
        json!({"id": format!("6000000000000{id:02}"), "name": name, "language": "en_US", "status": status, "category": category,
            "parameter_format": format, "components": components, "quality_score": {"score": "GREEN", "date": 1_790_000_000}})
    };
    let url = "https://example.test/track/{{1}}";
    vec![
        template(
            1,
            "cart_reminder",
            "REJECTED",
            "MARKETING",
            "POSITIONAL",
            json!([{"type": "BODY", "text": "{{1}}{{2}}", "example": {"body_text": [["a", "b"]]}}]),
        ),
        template(
            2,
            "order_ready",
            "APPROVED",
            "UTILITY",
            "POSITIONAL",
            json!([{"type": "BODY", "text": "Hi {{1}}", "example": {"body_text": [["Nadia"]]}}]),
        ),
        template(3, "hello_world", "APPROVED", "UTILITY", "POSITIONAL", json!([{"type": "BODY", "text": "Hello world"}])),
        template(
            4,
            "spring_sale",
            "APPROVED",
            "MARKETING",
            "NAMED",
            json!([
                {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::fake"]}},
                {"type": "BODY", "text": "Hi {{first_name}}, everything is {{percent}} off",
                    "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Nadia"}, {"param_name": "percent", "example": "20%"}]}},
                {"type": "FOOTER", "text": "Fake Shop"},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop promotions"}, {"type": "URL", "text": "Look", "url": url}]}
            ]),
        ),
        template(
            5,
            "login_code",
            "APPROVED",
            "AUTHENTICATION",
            "POSITIONAL",
            json!([{"type": "BODY", "text": "{{1}} is your code."},
                {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code", "url": "https://www.whatsapp.com/otp/code/?code={{1}}"}]}]),
        ),
        template(6, "old_news", "PAUSED", "MARKETING", "POSITIONAL", json!([{"type": "BODY", "text": "Old news"}])),
    ]
}
