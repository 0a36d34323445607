//! The push itself, and whether Notify would take it.

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::{Content, Custom, Media, MediaKind, Notification, Outbound, Source};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Map, Value, json};

use super::audience::Audience;
use crate::settings::Settings;

/// Characters of the text: phones show far less, and payloads end at 4 KB.
const TEXT_MAX: usize = 4000;
/// Characters of a title.
const TITLE_MAX: usize = 256;
/// What the button says that opens a link, where nothing else is said.
const OPEN: &str = "Open";
/// The content that shows nothing.
const SILENT: &str = "silent";

type Push = Map<String, Value>;

/// The problems that were found, all of them: the client gets each field at once.
#[derive(Default)]
struct Checking {
    problems: Vec<FieldProblem>,
}

pub(crate) fn of(settings: &Settings, message: &Outbound, contents: &[Content]) -> Result<(Audience, Push), Failure> {
    let mut checking = Checking::default();
    let audience = match Audience::parse(&message.to) {
        Ok(audience) => Some(audience),
        Err(Failure::Invalid(problems)) => {
            checking.problems.extend(problems);
            None
        }
        Err(other) => return Err(other),
    };
    let mut push = match contents {
        [content] => checking.push(content, "/content/0")?,
        [] => {
            checking.wrong("/content", "the message is empty");
            Push::new()
        }
        _ => {
            checking.wrong("/content", "a push is one content: send the others as messages of their own");
            Push::new()
        }
    };
    if !push.contains_key("content-available") {
        push.insert("sound".into(), message.extras.value("sound").unwrap_or(&settings.default_sound).into());
        if let Some(title) = message.extras.value("title").filter(|_| !push.contains_key("title")) {
            checking.length(title, TITLE_MAX, "/extras/title");
            push.insert("title".into(), title.into());
        }
        if let Some(orientation) = message.extras.value("orientation") {
            push.insert("orientation".into(), orientation.into());
        }
    }
    match audience {
        Some(audience) if checking.problems.is_empty() => Ok((audience, push)),
        _ => Err(Failure::Invalid(checking.problems)),
    }
}

impl Checking {
    fn wrong(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem { pointer: pointer.to_owned(), message: message.into() });
    }

    fn push(&mut self, content: &Content, at: &str) -> Result<Push, Failure> {
        Ok(match content {
            Content::Text(text) => self.words(&text.body, &format!("{at}/text")),
            Content::Notification(notification) => self.notification(notification, at),
            Content::Media(media) => self.media(media, at)?,
            Content::Custom(custom) if custom.kind == SILENT => self.silent(custom, at),
            Content::Custom(custom) => return Err(unsupported(&format!("content of kind {}", custom.kind))),
            Content::Album(_) => return Err(unsupported("albums: send one picture")),
            Content::Sticker(_) => return Err(unsupported("stickers")),
            Content::Location(_) => return Err(unsupported("locations: send a notification with a url")),
            Content::Contacts(_) => return Err(unsupported("contacts")),
            Content::Poll(_) => return Err(unsupported("polls")),
            Content::Template(_) => return Err(unsupported("templates")),
            Content::Interactive(_) => return Err(unsupported("buttons: send a notification with a url and one action")),
            Content::Email(_) => return Err(unsupported("e-mail")),
            Content::Post(_) => return Err(unsupported("posts")),
        })
    }

    /// A push that shows: without words Notify takes none.
    fn words(&mut self, words: &str, pointer: &str) -> Push {
        if words.trim().is_empty() {
            self.wrong(pointer, "is empty: a push that shows says something (content of kind silent shows nothing)");
        }
        self.length(words, TEXT_MAX, pointer);
        Push::from_iter([("message".to_owned(), words.into())])
    }

    fn notification(&mut self, notification: &Notification, at: &str) -> Push {
        let mut push = self.words(&notification.body, &format!("{at}/body"));
        self.length(&notification.title, TITLE_MAX, &format!("{at}/title"));
        if !notification.title.trim().is_empty() {
            push.insert("title".into(), notification.title.as_str().into());
        }
        if let Some(image) = filled(notification.image.as_deref()) {
            self.address(image, &format!("{at}/image"));
            attach(&mut push, "photo", image);
        }
        let url = filled(notification.url.as_deref());
        if let Some(url) = url {
            // An app's own scheme is a link, too.
            if !url.contains("://") || url.contains(char::is_whitespace) {
                self.wrong(&format!("{at}/url"), "is an address with its scheme: https://shop.example/7, or myapp://orders/7");
            }
            push.insert("url".into(), url.into());
        }
        match notification.actions.as_slice() {
            [] => {
                if url.is_some() {
                    push.insert("call2action".into(), OPEN.into());
                }
            }
            [action] => {
                if url.is_none() {
                    self.wrong(&format!("{at}/url"), "is needed where there is an action: its button opens it");
                }
                push.insert("call2action".into(), action.title.as_str().into());
            }
            _ => self.wrong(&format!("{at}/actions"), "a push of ShrinkIt's has one button, which opens url: leave one action"),
        }
        if notification.data.as_deref().is_some_and(|data| !is_nothing(data)) {
            self.wrong(&format!("{at}/data"), "isn't carried: Notify hands the app no data. Put it into url: myapp://orders/7?from=push");
        }
        push
    }

    fn media(&mut self, media: &Media, at: &str) -> Result<Push, Failure> {
        let kind = match media.kind {
            MediaKind::Image => "photo",
            MediaKind::Animation => "gif",
            MediaKind::Video => "video",
            MediaKind::Audio | MediaKind::Voice | MediaKind::Document => {
                return Err(unsupported("sound and documents: send a notification with a url to it"));
            }
        };
        let mut push = self.words(media.caption.as_deref().unwrap_or_default(), &format!("{at}/caption"));
        match &media.source {
            Source::Url(url) => {
                self.address(url, &format!("{at}/url"));
                attach(&mut push, kind, url);
            }
            Source::BlobRef(_) => {
                self.wrong(&format!("{at}/media_id"), "has no public address: set the gateway's public URL, or give the file by url");
            }
            Source::ProviderRef(_) => self.wrong(&format!("{at}/provider_ref"), "isn't public: upload the file, or give it by url"),
        }
        Ok(push)
    }

    /// Wakes the app, and shows nothing.
    fn silent(&mut self, custom: &Custom, at: &str) -> Push {
        if !is_nothing(&custom.json) {
            self.wrong(
                &format!("{at}/data"),
                "isn't carried: Notify hands the app no data. Leave it {}, and have the app fetch what is new",
            );
        }
        Push::from_iter([("content-available".to_owned(), json!(1)), ("sound".to_owned(), "".into())])
    }

    fn address(&mut self, url: &str, pointer: &str) {
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if !host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)) {
            self.wrong(pointer, "is http:// or https:// and a host: the phone fetches it from there");
        }
    }

    fn length(&mut self, text: &str, most: usize, pointer: &str) {
        let length = text.chars().count();
        if length > most {
            self.wrong(pointer, format!("has {length} characters, and {most} fit"));
        }
    }
}

/// What phones fetch and show with the words.
fn attach(push: &mut Push, kind: &str, url: &str) {
    push.insert("type".into(), kind.into());
    push.insert("attachment".into(), url.into());
    push.insert("image-url".into(), url.into());
    push.insert("mutable-content".into(), json!(1));
    push.insert("category".into(), "rich-apns".into());
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Whether the JSON holds nothing.
fn is_nothing(json: &str) -> bool {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::Null) => true,
        Ok(Value::Object(fields)) => fields.is_empty(),
        Ok(_) => false,
        Err(_) => json.trim().is_empty(),
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::unsupported("content", format!("ShrinkIt's pushes carry no {what}"))
}
