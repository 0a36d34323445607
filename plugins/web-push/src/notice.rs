//! A message as browsers get it, and whether they would show it.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::{Command, Content, Notification, Outbound, Row, Text};
use patchbay_plugin::{Failure, Fields as _};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::address::is_link;
use crate::encryption::PLAINTEXT_MAX;
use crate::settings::{Settings, TTL_MAX, Urgency};

/// Buttons: browsers show two, and a few three.
const ACTIONS_MAX: usize = 4;
/// Characters of a button's id.
const ACTION_MAX: usize = 64;
/// Characters of a title; browsers cut far earlier.
const TITLE_MAX: usize = 256;
/// Characters of an address.
const LINK_MAX: usize = 1500;
/// Characters of a topic, by RFC 8030.
const TOPIC_MAX: usize = 32;
/// Bytes that the address for events takes at most. A preview doesn't know where the gateway is.
const TRACK_MAX: usize = 200;

/// What is shown and what the push service is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    shown: Shown,
    pub(crate) ttl_s: u32,
    pub(crate) urgency: Urgency,
    pub(crate) topic: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Shown {
    v: u8,
    id: String,
    title: String,
    body: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    data: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Action {
    action: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// What is one subscription's own.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Addressed<'a> {
    pub(crate) track: &'a str,
    pub(crate) sub: &'a str,
    pub(crate) tok: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    shown: &'a Shown,
    #[serde(flatten)]
    addressed: &'a Addressed<'a>,
}

impl Notice {
    /// # Errors
    /// [`Failure::Invalid`] names each wrong field.
    pub(crate) fn of(settings: &Settings, message: &Outbound) -> Result<Self, Failure> {
        let Command::Message(contents) = &message.command else {
            return Err(Failure::unsupported("command", "a notification is sent, and nothing can be done to it afterwards"));
        };
        let [content] = contents.as_slice() else {
            return Err(Failure::invalid("/content", "a push is one notification: send the others as messages of their own"));
        };
        let mut checking = Checking { message, settings, problems: Vec::new() };
        let notice = match content {
            Content::Notification(notification) => checking.notification(notification),
            Content::Text(text) => checking.text(text),
            _ => return Err(Failure::unsupported("content", "a browser shows a notification, or a text as one: send one of these")),
        };
        if checking.problems.is_empty() {
            checking.size(&notice);
        }
        if checking.problems.is_empty() { Ok(notice) } else { Err(Failure::Invalid(checking.problems)) }
    }

    /// The JSON that a subscription's browser reads.
    pub(crate) fn payload(&self, addressed: &Addressed<'_>) -> Result<Vec<u8>, Failure> {
        let payload = Payload { shown: &self.shown, addressed };
        serde_json::to_vec(&payload).map_err(|error| Failure::fault("payload", error.to_string()))
    }

    /// Bytes of it, with the longest address that it may have.
    pub(crate) fn bytes(&self) -> usize {
        let addressed = Addressed { track: &"t".repeat(TRACK_MAX), sub: &"s".repeat(32), tok: &"k".repeat(crate::token::LENGTH) };
        self.payload(&addressed).map_or(usize::MAX, |payload| payload.len())
    }
}

/// The problems that were found, all of them: the client gets each field at once.
struct Checking<'a> {
    message: &'a Outbound,
    settings: &'a Settings,
    problems: Vec<FieldProblem>,
}

impl Checking<'_> {
    fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem { pointer: format!("/content/0/{field}"), message: message.into() });
    }

    /// Under the title of its extras, else the account's. Without one the worker shows the site's name.
    fn text(&mut self, text: &Text) -> Notice {
        if text.body.trim().is_empty() {
            self.wrong("text", "is empty: a browser always shows a push");
        }
        let title = self.message.extras.value("title").or(self.settings.default_title.as_deref()).unwrap_or_default();
        self.notice(title, &text.body)
    }

    fn notification(&mut self, notification: &Notification) -> Notice {
        let title = notification.title.trim();
        if title.is_empty() {
            self.wrong("title", "is empty: a notification has a title");
        } else if title.chars().count() > TITLE_MAX {
            self.wrong("title", format!("has {} characters, and {TITLE_MAX} fit", title.chars().count()));
        }
        let mut notice = self.notice(title, &notification.body);
        let shown = &mut notice.shown;
        shown.icon = self.link("icon", notification.icon.as_deref()).or(shown.icon.take());
        shown.image = self.link("image", notification.image.as_deref());
        shown.badge = self.link("badge", notification.badge.as_deref()).or(shown.badge.take());
        shown.url = self.link("url", notification.url.as_deref()).or(shown.url.take());
        shown.actions = self.actions(&notification.actions);
        shown.data = self.data(notification.data.as_deref());
        notice.topic = self.topic(notification.topic.as_deref());
        notice.ttl_s = notification.ttl_s.unwrap_or(notice.ttl_s);
        if notice.ttl_s > TTL_MAX {
            self.wrong("ttl_s", format!("is {} seconds, and push services keep nothing for more than {TTL_MAX} (28 days)", notice.ttl_s));
        }
        if let Some(word) = filled(notification.urgency.as_deref()) {
            match Urgency::parse(word) {
                Some(urgency) => notice.urgency = urgency,
                None => self.wrong("urgency", "is very-low, low, normal or high"),
            }
        }
        // What takes the place of a push that waits takes the place of a notification that is shown.
        notice.shown.tag = notice.shown.tag.or_else(|| notice.topic.clone());
        notice
    }

    fn notice(&self, title: &str, body: &str) -> Notice {
        let Settings { default_icon, default_badge, default_url, default_ttl, default_urgency, .. } = self.settings;
        let shown = Shown {
            v: 1,
            id: self.message.id.clone(),
            title: title.to_owned(),
            body: body.trim().to_owned(),
            icon: default_icon.clone(),
            image: None,
            badge: default_badge.clone(),
            url: default_url.clone(),
            tag: self.message.extras.value("tag").map(str::to_owned),
            actions: Vec::new(),
            data: Map::new(),
        };
        Notice { shown, ttl_s: *default_ttl, urgency: *default_urgency, topic: None }
    }

    fn link(&mut self, field: &str, link: Option<&str>) -> Option<String> {
        let link = filled(link)?;
        if !is_link(link) {
            self.wrong(field, "is an http(s) address, or a path at the site that begins with one /");
        } else if link.chars().count() > LINK_MAX {
            self.wrong(field, format!("has {} characters, and {LINK_MAX} fit", link.chars().count()));
        }
        Some(link.to_owned())
    }

    /// A button: `id`, `title`, and in `description` the page that it opens, where that isn't the notification's.
    fn actions(&mut self, rows: &[Row]) -> Vec<Action> {
        if rows.len() > ACTIONS_MAX {
            self.wrong("actions", format!("has {} buttons: at most {ACTIONS_MAX}, of which most browsers show two", rows.len()));
        }
        let mut actions: Vec<Action> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let field = |name: &str| format!("actions/{place}/{name}");
            if row.id.is_empty() || row.id.chars().count() > ACTION_MAX {
                self.wrong(&field("id"), format!("has 1 to {ACTION_MAX} characters"));
            }
            if actions.iter().any(|other| other.action == row.id) {
                self.wrong(&field("id"), "is the id of two buttons: a click couldn't be told apart");
            }
            if row.title.trim().is_empty() {
                self.wrong(&field("title"), "is empty: it is what the button says");
            }
            let url = self.link(&field("description"), row.description.as_deref());
            actions.push(Action { action: row.id.clone(), title: row.title.clone(), url });
        }
        actions
    }

    fn data(&mut self, data: Option<&str>) -> Map<String, Value> {
        match filled(data).map(serde_json::from_str) {
            None | Some(Ok(Value::Null)) => Map::new(),
            Some(Ok(Value::Object(data))) => data,
            Some(_) => {
                self.wrong("data", "is a JSON object");
                Map::new()
            }
        }
    }

    fn topic(&mut self, topic: Option<&str>) -> Option<String> {
        let topic = filled(topic)?;
        let fits = topic.len() <= TOPIC_MAX && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !fits {
            self.wrong("topic", format!("has at most {TOPIC_MAX} characters of A to Z, a to z, 0 to 9, - and _"));
        }
        Some(topic.to_owned())
    }

    /// The whole has to fit; the field that takes most of it is the one to shorten.
    fn size(&mut self, notice: &Notice) {
        let bytes = notice.bytes();
        if bytes <= PLAINTEXT_MAX {
            return;
        }
        let length = |field: &Option<String>| field.as_ref().map_or(0, String::len);
        let shown = &notice.shown;
        let is_text = matches!(&self.message.command, Command::Message(contents) if matches!(contents.as_slice(), [Content::Text(_)]));
        let fields = [
            (shown.title.len(), "title"),
            (shown.body.len(), if is_text { "text" } else { "body" }),
            (length(&shown.icon), "icon"),
            (length(&shown.image), "image"),
            (length(&shown.badge), "badge"),
            (length(&shown.url), "url"),
            (serde_json::to_string(&shown.actions).map_or(0, |json| json.len()), "actions"),
            (serde_json::to_string(&shown.data).map_or(0, |json| json.len()), "data"),
        ];
        if let Some((largest, field)) = fields.into_iter().max() {
            let over = bytes - PLAINTEXT_MAX;
            let shorter = format!("shorten this, its largest field ({largest} bytes), by {over}");
            self.wrong(field, format!("the notification has {bytes} bytes, and {PLAINTEXT_MAX} fit into a push: {shorter}"));
        }
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
