//! What is said: the same words for every channel type, both ways. The JSON of a message's `content`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words;

/// What one provider alone knows, by name.
pub type Extras = BTreeMap<String, String>;

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    Text(Text),
    Media(Media),
    Album { items: Vec<Media> },
    Sticker(Sticker),
    Location(Location),
    Contacts { contacts: Vec<ContactCard> },
    Poll(Poll),
    Template(Template),
    Interactive(Interactive),
    Email(Email),
    Notification(Notification),
    Post(Post),
    Choice(Choice),
    Custom(Custom),
}

impl Content {
    /// The kind as the manifest's `[capabilities.content]` names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Content::Text(_) => "text",
            Content::Media(_) => "media",
            Content::Album { .. } => "album",
            Content::Sticker(_) => "sticker",
            Content::Location(_) => "location",
            Content::Contacts { .. } => "contacts",
            Content::Poll(_) => "poll",
            Content::Template(_) => "template",
            Content::Interactive(_) => "interactive",
            Content::Email(_) => "email",
            Content::Notification(_) => "notification",
            Content::Post(_) => "post",
            Content::Choice(_) => "choice",
            Content::Custom(_) => "custom",
        }
    }

    /// Every file in it, in order.
    pub fn files(&self) -> Vec<&Source> {
        match self {
            Content::Sticker(sticker) => vec![&sticker.source],
            Content::Interactive(Interactive { choices: Choices::Carousel(cards), .. }) => {
                cards.iter().filter_map(|card| card.image.as_ref()).collect()
            }
            other => other.media().into_iter().map(|media| &media.source).collect(),
        }
    }

    /// The same, to be replaced.
    pub fn files_mut(&mut self) -> Vec<&mut Source> {
        match self {
            Content::Sticker(sticker) => vec![&mut sticker.source],
            Content::Interactive(Interactive { choices: Choices::Carousel(cards), .. }) => {
                cards.iter_mut().filter_map(|card| card.image.as_mut()).collect()
            }
            other => other.media_mut().into_iter().map(|(_, media)| &mut media.source).collect(),
        }
    }

    /// Every media in it, in order.
    pub fn media(&self) -> Vec<&Media> {
        match self {
            Content::Media(media) => vec![media],
            Content::Album { items } => items.iter().collect(),
            Content::Email(email) => email.attachments.iter().collect(),
            Content::Post(post) => post.media.iter().collect(),
            Content::Template(template) => template.header.iter().chain(&template.body).filter_map(TemplateValue::media).collect(),
            _ => Vec::new(),
        }
    }

    /// Every media in it with its JSON pointer inside of the content.
    pub fn media_mut(&mut self) -> Vec<(String, &mut Media)> {
        let listed = |name: &str, n: usize| format!("/{name}/{n}");
        match self {
            Content::Media(media) => vec![(String::new(), media)],
            Content::Album { items } => items.iter_mut().enumerate().map(|(n, media)| (listed("items", n), media)).collect(),
            Content::Email(email) => email.attachments.iter_mut().enumerate().map(|(n, media)| (listed("attachments", n), media)).collect(),
            Content::Post(post) => post.media.iter_mut().enumerate().map(|(n, media)| (listed("media", n), media)).collect(),
            Content::Template(template) => {
                let header = template.header.iter_mut().map(|value| ("/header".to_owned(), value));
                let body = template.body.iter_mut().enumerate().map(|(n, value)| (listed("body", n), value));
                header.chain(body).filter_map(|(place, value)| Some((format!("{place}/media"), value.media_mut()?))).collect()
            }
            _ => Vec::new(),
        }
    }
}

words! {
    #[derive(Default)]
    pub enum TextFormat {
        #[default]
        Plain = "plain",
        Markdown = "markdown",
        Html = "html",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    pub text: String,
    #[serde(default)]
    pub format: TextFormat,
    #[serde(default = "yes")]
    pub preview_links: bool,
}

fn yes() -> bool {
    true
}

/// Where bytes are: exactly one of a public URL, the provider's own reference, or the id of media the gateway keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Url(String),
    ProviderRef(String),
    MediaId(String),
}

words! {
    pub enum MediaKind {
        Image = "image",
        Video = "video",
        Audio = "audio",
        Voice = "voice",
        Document = "document",
        Animation = "animation",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Media {
    pub kind: MediaKind,
    #[serde(flatten)]
    pub source: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sticker {
    #[serde(flatten)]
    pub source: Source,
    /// The text that stands for the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Location {
    pub latitude: f64,
    pub longitude: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContactCard {
    pub name: String,
    #[serde(default)]
    pub phones: Vec<String>,
    #[serde(default)]
    pub emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Poll {
    pub question: String,
    pub options: Vec<String>,
    #[serde(default)]
    pub multiple: bool,
    #[serde(default)]
    pub anonymous: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Template {
    pub name: String,
    pub language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateValue>,
    #[serde(default)]
    pub body: Vec<TemplateValue>,
    #[serde(default)]
    pub buttons: Vec<TemplateButton>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateValue {
    Text { name: String, value: String },
    Media(Media),
    Location(Location),
    Custom { name: String, value: String },
}

impl TemplateValue {
    fn media(&self) -> Option<&Media> {
        if let TemplateValue::Media(media) = self { Some(media) } else { None }
    }

    fn media_mut(&mut self) -> Option<&mut Media> {
        if let TemplateValue::Media(media) = self { Some(media) } else { None }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateButton {
    pub index: u32,
    pub kind: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interactive {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    #[serde(flatten)]
    pub choices: Choices,
}

/// Exactly one of `buttons`, `quick_replies`, `menu` and `carousel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choices {
    Buttons(Vec<Button>),
    QuickReplies(Vec<Row>),
    Menu(Menu),
    Carousel(Vec<Card>),
}

impl Choices {
    /// The kind as the manifest's `choices` names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Choices::Buttons(_) => "buttons",
            Choices::QuickReplies(_) => "quick-replies",
            Choices::Menu(_) => "menu",
            Choices::Carousel(_) => "carousel",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Button {
    pub title: String,
    #[serde(flatten)]
    pub action: Action,
}

/// Exactly one of `reply` (the id that comes back), `url`, `call` (a phone number) and `copy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Reply(String),
    Url(String),
    Call(String),
    Copy(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Menu {
    pub label: String,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    pub title: String,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default)]
    pub buttons: Vec<Button>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Email {
    pub subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of one that came in: made safe to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// As it came: never to be shown as a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_original: Option<String>,
    /// Images of `html` that stand elsewhere. Their addresses are in `data-src`, and nothing fetches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_images: Option<u32>,
    #[serde(default)]
    pub cc: Vec<String>,
    #[serde(default)]
    pub bcc: Vec<String>,
    #[serde(default)]
    pub attachments: Vec<Media>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: Extras,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    pub title: String,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default)]
    pub actions: Vec<Row>,
    /// Handed to the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Post {
    pub text: String,
    #[serde(default)]
    pub media: Vec<Media>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    pub visibility: String,
}

/// A button or row that somebody chose: it comes in, it isn't sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// The id that was given to the button.
    pub id: String,
    pub title: String,
    /// The provider's id of the message that had the button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What an answer to this very press has to name, where the provider wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_ref: Option<String>,
}

/// A kind named by the plugin's manifest, with JSON of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Custom {
    pub kind: String,
    pub data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round(value: &Value) {
        let content: Content = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(content).unwrap(), *value);
    }

    #[test]
    fn content_keeps_its_json() {
        round(&json!({"type": "text", "text": "Hi", "format": "html", "preview_links": false}));
        round(&json!({"type": "media", "kind": "image", "url": "https://example.com/a.png", "caption": "A", "width": 3}));
        round(&json!({"type": "album", "items": [{"kind": "video", "provider_ref": "BAAC"}]}));
        round(
            &json!({"type": "interactive", "body": "Pick", "buttons": [{"title": "Yes", "reply": "y"}, {"title": "Site", "url": "https://e.com"}]}),
        );
        round(&json!({"type": "custom", "kind": "dice", "data": {"value": 6}}));
    }

    #[test]
    fn the_short_form_of_a_text_takes_the_defaults() {
        let content: Content = serde_json::from_value(json!({"type": "text", "text": "Hi"})).unwrap();
        assert_eq!(content, Content::Text(Text { text: "Hi".into(), format: TextFormat::Plain, preview_links: true }));
    }
}
