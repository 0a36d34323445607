//! What the gateway asks of a plugin.

use patchbay_sandbox::contract::{channel, messages as wit, types};
use serde_json::Value;

use crate::{
    clock::At,
    domain::{
        content::{Action, Button, Choices, Content, Custom, Extras, Location, Media, MediaKind, Row, Source, TemplateValue, TextFormat},
        failure::{Failure, FailureClass, FieldProblem},
        message::Command,
        webhook::{Fields, Request},
    },
};

/// A webhook as the plugin gets it; without an account where one URL serves many. What it is told besides is the same whenever it is
/// read again.
pub fn webhook_out(account: Option<types::Account>, request: &Request, received_at: At, verified_by: Option<String>) -> channel::Webhook {
    channel::Webhook {
        account,
        method: request.method.clone(),
        path: request.path.clone(),
        query: list_out(&request.query),
        headers: list_out(&request.headers),
        body: request.body.clone(),
        verified_by,
        extras: vec![types::Field { name: "received_ms".to_owned(), value: received_at.millis().to_string() }],
    }
}

pub fn extras_out(extras: &Extras) -> Vec<types::Field> {
    extras.iter().map(|(name, value)| types::Field { name: name.clone(), value: value.clone() }).collect()
}

pub(super) fn list_out(fields: &Fields) -> Vec<types::Field> {
    fields.iter().map(|(name, value)| types::Field { name: name.clone(), value: value.clone() }).collect()
}

/// What the gateway itself has found out for a plugin that asked.
pub fn failure_out(failure: Failure) -> types::Failure {
    let Failure { class, code, message, fields, retry_after_ms, .. } = failure;
    let detail = types::Detail { code, message, extras: Vec::new() };
    let retry = |detail| types::Retry { after_ms: retry_after_ms.map(|ms| ms as f64), detail };
    match class {
        FailureClass::Invalid => {
            let problem = |field: FieldProblem| types::FieldProblem { pointer: field.pointer, message: field.message };
            types::Failure::Invalid(fields.into_iter().map(problem).collect())
        }
        FailureClass::Unauthorized => types::Failure::Unauthorized(detail),
        FailureClass::Forbidden => types::Failure::Forbidden(detail),
        FailureClass::Limited => types::Failure::Limited(retry(detail)),
        FailureClass::Unavailable => types::Failure::Unavailable(retry(detail)),
        FailureClass::Uncertain => types::Failure::Uncertain(detail),
        FailureClass::Recipient => types::Failure::Recipient(detail),
        FailureClass::WindowClosed => types::Failure::WindowClosed(detail),
        // A plugin has no word for what only the outbox finds out.
        FailureClass::Rejected | FailureClass::Expired | FailureClass::Cancelled => types::Failure::Rejected(detail),
        FailureClass::Unsupported => types::Failure::Unsupported(detail),
        FailureClass::Fault => types::Failure::Fault(detail),
    }
}

pub fn command_out(command: &Command) -> wit::Command {
    match command {
        Command::Message(content) => wit::Command::Message(content.iter().map(content_out).collect()),
        Command::React(reaction) => {
            wit::Command::React(wit::Reaction { target: reaction.target.clone(), emoji: reaction.emoji.clone(), removed: reaction.removed })
        }
        Command::Edit(edit) => wit::Command::Edit(wit::Edit { target: edit.target.clone(), content: content_out(&edit.content) }),
        Command::Delete(target) => wit::Command::Delete(target.clone()),
        Command::Typing(on) => wit::Command::Typing(*on),
        Command::MarkRead(target) => wit::Command::MarkRead(target.clone()),
        Command::Custom(custom) => wit::Command::Custom(custom_out(custom)),
    }
}

fn custom_out(custom: &Custom) -> wit::Custom {
    wit::Custom { kind: custom.kind.clone(), json: custom.data.to_string() }
}

fn content_out(content: &Content) -> wit::Content {
    match content {
        Content::Text(text) => wit::Content::Text(wit::Text {
            body: text.text.clone(),
            format: match text.format {
                TextFormat::Plain => wit::TextFormat::Plain,
                TextFormat::Markdown => wit::TextFormat::Markdown,
                TextFormat::Html => wit::TextFormat::Html,
            },
            preview_links: text.preview_links,
        }),
        Content::Media(media) => wit::Content::Media(media_out(media)),
        Content::Album { items } => wit::Content::Album(items.iter().map(media_out).collect()),
        Content::Sticker(sticker) => wit::Content::Sticker(wit::Sticker {
            source: source_out(&sticker.source),
            emoji: sticker.emoji.clone(),
            mime_type: sticker.mime_type.clone(),
            extras: extras_out(&sticker.extras),
        }),
        Content::Location(location) => wit::Content::Location(location_out(location)),
        Content::Contacts { contacts } => wit::Content::Contacts(
            contacts
                .iter()
                .map(|card| wit::ContactCard {
                    name: card.name.clone(),
                    phones: card.phones.clone(),
                    emails: card.emails.clone(),
                    vcard: card.vcard.clone(),
                })
                .collect(),
        ),
        Content::Poll(poll) => wit::Content::Poll(wit::Poll {
            question: poll.question.clone(),
            options: poll.options.clone(),
            multiple: poll.multiple,
            anonymous: poll.anonymous,
            extras: extras_out(&poll.extras),
        }),
        Content::Template(template) => wit::Content::Template(wit::Template {
            name: template.name.clone(),
            language: template.language.clone(),
            header: template.header.as_ref().map(template_value_out),
            body: template.body.iter().map(template_value_out).collect(),
            buttons: template
                .buttons
                .iter()
                .map(|button| wit::TemplateButton { index: button.index, kind: button.kind.clone(), value: button.value.clone() })
                .collect(),
        }),
        Content::Interactive(interactive) => wit::Content::Interactive(wit::Interactive {
            header: interactive.header.clone(),
            body: interactive.body.clone(),
            footer: interactive.footer.clone(),
            choices: choices_out(&interactive.choices),
        }),
        Content::Email(email) => wit::Content::Email(wit::Email {
            subject: email.subject.clone(),
            text: email.text.clone(),
            html: email.html.clone(),
            cc: email.cc.clone(),
            bcc: email.bcc.clone(),
            attachments: email.attachments.iter().map(media_out).collect(),
            headers: extras_out(&email.headers),
        }),
        Content::Notification(notification) => wit::Content::Notification(wit::Notification {
            title: notification.title.clone(),
            body: notification.body.clone(),
            icon: notification.icon.clone(),
            image: notification.image.clone(),
            badge: notification.badge.clone(),
            url: notification.url.clone(),
            actions: notification.actions.iter().map(row_out).collect(),
            data: notification.data.as_ref().map(Value::to_string),
            ttl_s: notification.ttl_s,
            urgency: notification.urgency.clone(),
            topic: notification.topic.clone(),
        }),
        Content::Post(post) => wit::Content::Post(wit::Post {
            text: post.text.clone(),
            media: post.media.iter().map(media_out).collect(),
            link: post.link.clone(),
            visibility: post.visibility.clone(),
        }),
        Content::Choice(choice) => {
            wit::Content::Custom(wit::Custom { kind: "choice".to_owned(), json: serde_json::json!(choice).to_string() })
        }
        Content::Custom(custom) => wit::Content::Custom(custom_out(custom)),
    }
}

fn source_out(source: &Source) -> wit::Source {
    match source {
        Source::Url(url) => wit::Source::Url(url.clone()),
        Source::ProviderRef(reference) => wit::Source::ProviderRef(reference.clone()),
        Source::MediaId(id) => wit::Source::BlobRef(id.clone()),
    }
}

fn media_out(media: &Media) -> wit::Media {
    wit::Media {
        kind: match media.kind {
            MediaKind::Image => wit::MediaKind::Image,
            MediaKind::Video => wit::MediaKind::Video,
            MediaKind::Audio => wit::MediaKind::Audio,
            MediaKind::Voice => wit::MediaKind::Voice,
            MediaKind::Document => wit::MediaKind::Document,
            MediaKind::Animation => wit::MediaKind::Animation,
        },
        source: source_out(&media.source),
        mime_type: media.mime_type.clone(),
        file_name: media.file_name.clone(),
        size: media.size,
        caption: media.caption.clone(),
        width: media.width,
        height: media.height,
        duration_ms: media.duration_ms,
        extras: extras_out(&media.extras),
    }
}

fn location_out(location: &Location) -> wit::Location {
    wit::Location {
        latitude: location.latitude,
        longitude: location.longitude,
        name: location.name.clone(),
        address: location.address.clone(),
    }
}

fn template_value_out(value: &TemplateValue) -> wit::TemplateValue {
    let field = |name: &String, value: &String| types::Field { name: name.clone(), value: value.clone() };
    match value {
        TemplateValue::Text { name, value } => wit::TemplateValue::Text(field(name, value)),
        TemplateValue::Media(media) => wit::TemplateValue::Media(media_out(media)),
        TemplateValue::Location(location) => wit::TemplateValue::Location(location_out(location)),
        TemplateValue::Custom { name, value } => wit::TemplateValue::Custom(field(name, value)),
    }
}

fn row_out(row: &Row) -> wit::Row {
    wit::Row { id: row.id.clone(), title: row.title.clone(), description: row.description.clone() }
}

fn button_out(button: &Button) -> wit::Button {
    let action = match &button.action {
        Action::Reply(id) => wit::Action::Reply(id.clone()),
        Action::Url(url) => wit::Action::Url(url.clone()),
        Action::Call(number) => wit::Action::Call(number.clone()),
        Action::Copy(text) => wit::Action::Copy(text.clone()),
    };
    wit::Button { title: button.title.clone(), action }
}

fn choices_out(choices: &Choices) -> wit::Choices {
    match choices {
        Choices::Buttons(buttons) => wit::Choices::Buttons(buttons.iter().map(button_out).collect()),
        Choices::QuickReplies(rows) => wit::Choices::QuickReplies(
            rows.iter().map(|row| wit::Button { title: row.title.clone(), action: wit::Action::Reply(row.id.clone()) }).collect(),
        ),
        Choices::Menu(menu) => wit::Choices::Menu(wit::Menu {
            label: menu.label.clone(),
            sections: menu
                .sections
                .iter()
                .map(|section| wit::Section { title: section.title.clone(), rows: section.rows.iter().map(row_out).collect() })
                .collect(),
        }),
        Choices::Carousel(cards) => wit::Choices::Carousel(
            cards
                .iter()
                .map(|card| wit::Card {
                    title: card.title.clone(),
                    subtitle: card.subtitle.clone(),
                    image: card.image.as_ref().map(source_out),
                    url: card.url.clone(),
                    buttons: card.buttons.iter().map(button_out).collect(),
                })
                .collect(),
        ),
    }
}
