//! Messages as clients see them: each file with its state and a URL that the gateway has signed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    app::App,
    clock::At,
    domain::{
        content::Source,
        media::{FileState, InboundFile, MediaFile, key_of},
        message::{Direction, Message},
    },
    html,
    media::Links,
    store,
};

/// The JSON of the messages, in their order. A file has besides what is stored of it `status`; once it can be had `url`,
/// `url_expires_at` and, where it came in, `media_id`; and where it can't, `reason`. The address that a provider gave is never shown.
///
/// # Errors
/// The database failed.
pub async fn view(app: &App, messages: &[Message]) -> store::Result<Vec<Value>> {
    let mut accounts = BTreeSet::new();
    let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for message in messages {
        for source in message.content.iter().flat_map(|content| content.files()) {
            match source {
                Source::MediaId(id) => {
                    ids.insert(id.as_str());
                }
                source if came_in(message) => {
                    accounts.insert(message.channel_account_id.as_str());
                    keys.extend(key_of(source));
                }
                _ => {}
            }
        }
    }
    let keys = keys.iter().map(String::as_str).collect();
    let inbound = store::media::list_inbound(&app.db, &accounts, &keys).await?;
    let known = Known {
        inbound: inbound.into_iter().map(|file| ((file.account_id.clone(), file.key.clone()), file)).collect(),
        kept: store::media::list(&app.db, &ids).await?.into_iter().map(|file| (file.id.clone(), file)).collect(),
        links: &app.links,
        now: app.clock.now(),
    };
    Ok(messages.iter().map(|message| known.show(message)).collect())
}

/// The provider keeps its files, not a client.
fn came_in(message: &Message) -> bool {
    message.direction == Direction::Inbound || message.echo
}

/// What is known of the messages' files.
struct Known<'a> {
    inbound: BTreeMap<(String, String), InboundFile>,
    kept: BTreeMap<String, MediaFile>,
    links: &'a Links,
    now: At,
}

impl Known<'_> {
    fn show(&self, message: &Message) -> Value {
        // Domain types are plain data: their JSON can't fail.
        let mut shown = serde_json::to_value(message).unwrap_or_default();
        if let Some(content) = shown.get_mut("content") {
            self.walk(message, content);
            if came_in(message) {
                content.as_array_mut().into_iter().flatten().for_each(place_images);
            }
        }
        shown
    }

    /// Files stand at many places of content: each is an object with one of the three kinds of source.
    fn walk(&self, message: &Message, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(message, item)),
            // A plugin's own data may look like a file.
            Value::Object(fields) if fields.get("type") == Some(&json!("custom")) => {}
            Value::Object(fields) => {
                if let Some(source) = source_of(fields) {
                    self.tell(message, &source, fields);
                }
                fields.values_mut().for_each(|field| self.walk(message, field));
            }
            _ => {}
        }
    }

    fn tell(&self, message: &Message, source: &Source, fields: &mut Map<String, Value>) {
        if let Source::MediaId(id) = source {
            match self.kept.get(id) {
                Some(file) if file.organization_id == message.organization_id => self.tell_stored(file, fields),
                _ => self.tell_state(FileState::Removed, fields),
            }
            return;
        }
        if !came_in(message) {
            return;
        }
        // A provider's address may hold its token, and it ends sooner than ours.
        fields.remove("url");
        let known = key_of(source).and_then(|key| self.inbound.get(&(message.channel_account_id.clone(), key)));
        // One that isn't known yet is fetched when somebody asks for it.
        let Some(known) = known else { return self.tell_state(FileState::Pending, fields) };
        self.tell_state(known.state, fields);
        if let Some(file) = &known.file {
            fields.insert("media_id".to_owned(), json!(file.id));
            self.tell_stored(file, fields);
        }
        if let Some(failure) = &known.failure {
            fields.insert("reason".to_owned(), json!({"code": failure.code, "message": failure.message}));
        }
    }

    fn tell_stored(&self, file: &MediaFile, fields: &mut Map<String, Value>) {
        self.tell_state(FileState::Stored, fields);
        fields.insert("size".to_owned(), json!(file.size));
        let link = self.links.sign(&file.id, self.now);
        fields.insert("url".to_owned(), json!(link.url));
        fields.insert("url_expires_at".to_owned(), json!(link.expires_at));
    }

    fn tell_state(&self, state: FileState, fields: &mut Map<String, Value>) {
        fields.insert("status".to_owned(), json!(state));
    }
}

/// Puts the images that an email brought along to where its HTML names them.
fn place_images(content: &mut Value) {
    if content.get("type") != Some(&json!("email")) {
        return;
    }
    let Some(html) = content.get("html").and_then(Value::as_str) else { return };
    let attachments = content.get("attachments").and_then(Value::as_array);
    let placed = html::with_images(html, |id| {
        let of_id = |file: &&Value| file.pointer("/extras/content_id").and_then(Value::as_str).is_some_and(|given| bare(given) == id);
        attachments?.iter().find(of_id)?.get("url")?.as_str().map(str::to_owned)
    });
    content["html"] = json!(placed);
}

/// A content id without its angle brackets.
fn bare(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// An object that is a file: a button or a card has a `url` too, but neither a kind of media nor the type of a sticker.
fn source_of(fields: &Map<String, Value>) -> Option<Source> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = text("media_id") {
        return Some(Source::MediaId(id));
    }
    if let Some(reference) = text("provider_ref") {
        return Some(Source::ProviderRef(reference));
    }
    let is_file = fields.contains_key("kind") || fields.get("type") == Some(&json!("sticker"));
    text("url").filter(|_| is_file).map(Source::Url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{
            failure::{Failure, FailureClass},
            media::Origin,
            message::MessageState,
        },
        outbox::blank_message,
        secrets::{Keyring, MasterKey},
        store::people::Owner,
    };

    fn shown(direction: Direction, content: Value) -> Value {
        let now = At::from_micros(1_764_000_000_000_000);
        let file = |id: &str| MediaFile {
            id: id.to_owned(),
            organization_id: "org".to_owned(),
            file_name: None,
            mime_type: "image/png".to_owned(),
            size: 12,
            origin: Origin::Inbound,
            created_at: now,
        };
        let inbound = |source: Source, state: FileState, failure: Option<Failure>| {
            let key = key_of(&source).unwrap();
            let file = (state == FileState::Stored).then(|| file("blob"));
            (("account".to_owned(), key.clone()), InboundFile { account_id: "account".to_owned(), key, state, failure, file })
        };
        let gone = Failure::new(FailureClass::Rejected, "gone", "It is gone.");
        let keyring = Keyring::new(vec![MasterKey::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap()]).unwrap();
        let known = Known {
            inbound: BTreeMap::from([
                inbound(Source::ProviderRef("stored".into()), FileState::Stored, None),
                inbound(Source::ProviderRef("gone".into()), FileState::Failed, Some(gone)),
                inbound(Source::Url("https://cdn.example.com/1?token=x".into()), FileState::Stored, None),
            ]),
            kept: BTreeMap::from([
                ("kept".to_owned(), file("kept")),
                ("theirs".to_owned(), MediaFile { organization_id: "another".to_owned(), ..file("theirs") }),
            ]),
            links: &Links::new(&keyring, "https://g.example", Duration::from_secs(60)).unwrap(),
            now,
        };
        let owner = Owner { organization_id: "org", account_id: "account" };
        let message = Message {
            content: serde_json::from_value(content).unwrap(),
            ..blank_message("m".into(), owner, direction, MessageState::Received, now)
        };
        known.show(&message)["content"].take()
    }

    #[test]
    fn each_file_that_came_in_tells_its_state() {
        let content = shown(
            Direction::Inbound,
            json!([
                {"type": "album", "items": [{"kind": "image", "provider_ref": "stored"}, {"kind": "image", "provider_ref": "new"}]},
                {"type": "sticker", "provider_ref": "gone"},
                {"type": "media", "kind": "image", "url": "https://cdn.example.com/1?token=x"},
                {"type": "custom", "kind": "k", "data": {"provider_ref": "stored"}},
            ]),
        );
        let stored = &content[0]["items"][0];
        assert_eq!((&stored["status"], &stored["media_id"], &stored["provider_ref"]), (&json!("stored"), &json!("blob"), &json!("stored")));
        assert!(stored["url"].as_str().unwrap().starts_with("https://g.example/media/blob?expires="), "{stored:#}");
        assert_eq!(content[0]["items"][1], json!({"kind": "image", "provider_ref": "new", "status": "pending"}));
        assert_eq!((&content[1]["status"], &content[1]["reason"]["code"]), (&json!("failed"), &json!("gone")));
        assert!(content[2]["url"].as_str().unwrap().starts_with("https://g.example/"), "the provider's URL is shown: {content:#}");
        assert_eq!(content[3]["data"], json!({"provider_ref": "stored"}));
    }

    #[test]
    fn images_of_an_email_are_shown_from_its_attachments() {
        let email = json!([{"type": "email", "subject": "Hi", "html": "<img src=\"cid:logo@x\"><img src=\"cid:gone\">", "html_original": "<img src=cid:logo@x>",
            "attachments": [{"kind": "image", "media_id": "kept", "extras": {"content_id": "<logo@x>"}}, {"kind": "image", "media_id": "other", "extras": {"content_id": "gone"}}]}]);
        let content = shown(Direction::Inbound, email.clone());
        let html = content[0]["html"].as_str().unwrap();
        assert!(html.starts_with("<img src=\"https://g.example/media/kept?expires="), "{html}");
        assert!(html.ends_with("<img data-src=\"cid:gone\">"), "{html}");
        assert!(html.contains("&amp;signature="), "{html}");
        assert_eq!(content[0]["html_original"], "<img src=cid:logo@x>");
        let sent = shown(Direction::Outbound, email);
        assert!(sent[0]["html"].as_str().unwrap().starts_with("<img src=\"cid:logo@x\">"), "{sent}");
    }

    #[test]
    fn a_file_of_another_organisation_is_none() {
        let mut message = json!([{"type": "media", "kind": "image", "media_id": "theirs"}]);
        message = shown(Direction::Inbound, message);
        assert_eq!((&message[0]["status"], message[0].get("url")), (&json!("removed"), None));
    }

    #[test]
    fn what_goes_out_keeps_its_address_and_has_one_where_we_keep_it() {
        let content = shown(
            Direction::Outbound,
            json!([
                {"type": "media", "kind": "image", "url": "https://cdn.example.com/1?token=x"},
                {"type": "media", "kind": "image", "media_id": "kept"},
                {"type": "media", "kind": "image", "media_id": "swept"},
            ]),
        );
        assert_eq!(content[0], json!({"type": "media", "kind": "image", "url": "https://cdn.example.com/1?token=x"}));
        assert!(content[1]["url"].as_str().unwrap().starts_with("https://g.example/media/kept?"));
        assert_eq!((&content[2]["status"], content[2].get("url")), (&json!("removed"), None));
    }
}
