//! Which files of a message are to be fetched.

use crate::domain::{
    content::{Content, Source},
    media::WantedFile,
    message::Message,
};

/// The files of a message that came in, or that the business wrote elsewhere: what the provider keeps, not what the gateway does.
pub fn wanted(message: &Message) -> Vec<WantedFile> {
    message.content.iter().flat_map(|content| of_content(message, content)).collect()
}

fn of_content(message: &Message, content: &Content) -> Vec<WantedFile> {
    let bare = |source: &Source| WantedFile {
        organization_id: message.organization_id.clone(),
        account_id: message.channel_account_id.clone(),
        message_id: message.id.clone(),
        source: source.clone(),
        mime_type: None,
        file_name: None,
        size: None,
    };
    let files = match content {
        Content::Sticker(sticker) => vec![WantedFile { mime_type: sticker.mime_type.clone(), ..bare(&sticker.source) }],
        other => other
            .media()
            .into_iter()
            .map(|media| WantedFile {
                mime_type: media.mime_type.clone(),
                file_name: media.file_name.clone(),
                size: media.size,
                ..bare(&media.source)
            })
            .collect(),
    };
    files.into_iter().filter(|file| !matches!(file.source, Source::MediaId(_))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        clock::At,
        domain::message::{Direction, MessageState},
        outbox::blank_message,
        store::people::Owner,
    };

    #[test]
    fn files_that_the_provider_keeps_are_wanted_with_what_is_told_of_them() {
        let owner = Owner { organization_id: "org", account_id: "account" };
        let content = json!([
            {"type": "text", "text": "Look"},
            {"type": "media", "kind": "document", "provider_ref": "D", "mime_type": "text/plain", "file_name": "a.txt", "size": 3},
            {"type": "album", "items": [{"kind": "image", "url": "https://cdn.example.com/1"}, {"kind": "image", "media_id": "kept"}]},
            {"type": "sticker", "provider_ref": "S", "mime_type": "image/webp"},
        ]);
        let message = Message {
            content: serde_json::from_value(content).unwrap(),
            ..blank_message("m".into(), owner, Direction::Inbound, MessageState::Received, At::from_micros(0))
        };
        let found = wanted(&message);
        let sources: Vec<&Source> = found.iter().map(|file| &file.source).collect();
        let url = Source::Url("https://cdn.example.com/1".into());
        assert_eq!(sources, [&Source::ProviderRef("D".into()), &url, &Source::ProviderRef("S".into())]);
        let [document, _, sticker] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (document.mime_type.as_deref(), document.file_name.as_deref(), document.size),
            (Some("text/plain"), Some("a.txt"), Some(3))
        );
        assert_eq!((sticker.mime_type.as_deref(), sticker.message_id.as_str()), (Some("image/webp"), "m"));
    }
}
