//! What a plugin tells.

use patchbay_sandbox::contract::{channel, messages as wit, types};
use serde_json::{Map, Value};

use super::events::events_in;
use crate::{
    clock::At,
    domain::{
        account::HealthCheck,
        content::{
            Action, Button, Card, Choice, Choices, ContactCard, Content, Custom, Email, Extras, Interactive, Location, Media, MediaKind,
            Menu, Notification, Poll, Post, Row, Section, Source, Sticker, Template, TemplateButton, TemplateValue, Text, TextFormat,
        },
        event::{Fact, Happening, Inbound, Interaction, InteractionKind, Receipt, ReceiptState, ReceiptTarget, Subscription},
        failure::{Failure, FailureClass, FieldProblem},
        message::{Accepted, Command, Edit, Reaction},
        people::{ConversationKind, ConversationRef, Identity, Party},
        webhook::Fields,
    },
};

pub fn list_in(fields: Vec<types::Field>) -> Fields {
    fields.into_iter().map(|field| (field.name, field.value)).collect()
}

fn extras_in(fields: Vec<types::Field>) -> Extras {
    fields.into_iter().map(|field| (field.name, field.value)).collect()
}

/// JSON of a plugin's own; what isn't JSON is kept as text.
fn json_in(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn content_in(content: wit::Content) -> Content {
    match content {
        wit::Content::Text(text) => Content::Text(Text {
            text: text.body,
            format: match text.format {
                wit::TextFormat::Plain => TextFormat::Plain,
                wit::TextFormat::Markdown => TextFormat::Markdown,
                wit::TextFormat::Html => TextFormat::Html,
            },
            preview_links: text.preview_links,
        }),
        wit::Content::Media(media) => Content::Media(media_in(media)),
        wit::Content::Album(items) => Content::Album { items: items.into_iter().map(media_in).collect() },
        wit::Content::Sticker(sticker) => Content::Sticker(Sticker {
            source: source_in(sticker.source),
            emoji: sticker.emoji,
            mime_type: sticker.mime_type,
            extras: extras_in(sticker.extras),
        }),
        wit::Content::Location(location) => Content::Location(location_in(location)),
        wit::Content::Contacts(cards) => Content::Contacts {
            contacts: cards
                .into_iter()
                .map(|card| ContactCard { name: card.name, phones: card.phones, emails: card.emails, vcard: card.vcard })
                .collect(),
        },
        wit::Content::Poll(poll) => Content::Poll(Poll {
            question: poll.question,
            options: poll.options,
            multiple: poll.multiple,
            anonymous: poll.anonymous,
            extras: extras_in(poll.extras),
        }),
        wit::Content::Template(template) => Content::Template(Template {
            name: template.name,
            language: template.language,
            header: template.header.map(template_value_in),
            body: template.body.into_iter().map(template_value_in).collect(),
            buttons: template
                .buttons
                .into_iter()
                .map(|button| TemplateButton { index: button.index, kind: button.kind, value: button.value })
                .collect(),
        }),
        wit::Content::Interactive(interactive) => Content::Interactive(Interactive {
            header: interactive.header,
            body: interactive.body,
            footer: interactive.footer,
            choices: choices_in(interactive.choices),
        }),
        wit::Content::Email(email) => Content::Email(Email {
            subject: email.subject,
            text: email.text,
            html: email.html,
            html_original: None,
            remote_images: None,
            cc: email.cc,
            bcc: email.bcc,
            attachments: email.attachments.into_iter().map(media_in).collect(),
            headers: extras_in(email.headers),
        }),
        wit::Content::Notification(notification) => Content::Notification(Notification {
            title: notification.title,
            body: notification.body,
            icon: notification.icon,
            image: notification.image,
            badge: notification.badge,
            url: notification.url,
            actions: notification.actions.into_iter().map(row_in).collect(),
            data: notification.data.map(json_in),
            ttl_s: notification.ttl_s,
            urgency: notification.urgency,
            topic: notification.topic,
        }),
        wit::Content::Post(post) => Content::Post(Post {
            text: post.text,
            media: post.media.into_iter().map(media_in).collect(),
            link: post.link,
            visibility: post.visibility,
        }),
        wit::Content::Custom(custom) => Content::Custom(custom_in(custom)),
    }
}

fn custom_in(custom: wit::Custom) -> Custom {
    Custom { kind: custom.kind, data: json_in(custom.json) }
}

fn source_in(source: wit::Source) -> Source {
    match source {
        wit::Source::Url(url) => Source::Url(url),
        wit::Source::ProviderRef(reference) => Source::ProviderRef(reference),
        wit::Source::BlobRef(id) => Source::MediaId(id),
    }
}

fn media_in(media: wit::Media) -> Media {
    Media {
        kind: match media.kind {
            wit::MediaKind::Image => MediaKind::Image,
            wit::MediaKind::Video => MediaKind::Video,
            wit::MediaKind::Audio => MediaKind::Audio,
            wit::MediaKind::Voice => MediaKind::Voice,
            wit::MediaKind::Document => MediaKind::Document,
            wit::MediaKind::Animation => MediaKind::Animation,
        },
        source: source_in(media.source),
        mime_type: media.mime_type,
        file_name: media.file_name,
        size: media.size,
        caption: media.caption,
        width: media.width,
        height: media.height,
        duration_ms: media.duration_ms,
        extras: extras_in(media.extras),
    }
}

fn location_in(location: wit::Location) -> Location {
    Location { latitude: location.latitude, longitude: location.longitude, name: location.name, address: location.address }
}

fn template_value_in(value: wit::TemplateValue) -> TemplateValue {
    match value {
        wit::TemplateValue::Text(field) => TemplateValue::Text { name: field.name, value: field.value },
        wit::TemplateValue::Media(media) => TemplateValue::Media(media_in(media)),
        wit::TemplateValue::Location(location) => TemplateValue::Location(location_in(location)),
        wit::TemplateValue::Custom(field) => TemplateValue::Custom { name: field.name, value: field.value },
    }
}

fn row_in(row: wit::Row) -> Row {
    Row { id: row.id, title: row.title, description: row.description }
}

fn button_in(button: wit::Button) -> Button {
    let action = match button.action {
        wit::Action::Reply(id) => Action::Reply(id),
        wit::Action::Url(url) => Action::Url(url),
        wit::Action::Call(number) => Action::Call(number),
        wit::Action::Copy(text) => Action::Copy(text),
    };
    Button { title: button.title, action }
}

fn choices_in(choices: wit::Choices) -> Choices {
    match choices {
        wit::Choices::Buttons(buttons) => Choices::Buttons(buttons.into_iter().map(button_in).collect()),
        wit::Choices::QuickReplies(buttons) => Choices::QuickReplies(
            buttons
                .into_iter()
                .map(|button| {
                    let id = match button.action {
                        wit::Action::Reply(id) | wit::Action::Url(id) | wit::Action::Call(id) | wit::Action::Copy(id) => id,
                    };
                    Row { id, title: button.title, description: None }
                })
                .collect(),
        ),
        wit::Choices::Menu(menu) => Choices::Menu(Menu {
            label: menu.label,
            sections: menu
                .sections
                .into_iter()
                .map(|section| Section { title: section.title, rows: section.rows.into_iter().map(row_in).collect() })
                .collect(),
        }),
        wit::Choices::Carousel(cards) => Choices::Carousel(
            cards
                .into_iter()
                .map(|card| Card {
                    title: card.title,
                    subtitle: card.subtitle,
                    image: card.image.map(source_in),
                    url: card.url,
                    buttons: card.buttons.into_iter().map(button_in).collect(),
                })
                .collect(),
        ),
    }
}

fn choice_in(choice: wit::Choice) -> Choice {
    Choice { id: choice.id, title: choice.title, target: choice.target, answer_ref: choice.answer_ref }
}

fn reaction_in(reaction: wit::Reaction) -> Reaction {
    Reaction { target: reaction.target, emoji: reaction.emoji, removed: reaction.removed }
}

pub fn command_in(command: wit::Command) -> Command {
    match command {
        wit::Command::Message(content) => Command::Message(content.into_iter().map(content_in).collect()),
        wit::Command::React(reaction) => Command::React(reaction_in(reaction)),
        wit::Command::Edit(edit) => Command::Edit(Box::new(Edit { target: edit.target, content: content_in(edit.content) })),
        wit::Command::Delete(target) => Command::Delete(target),
        wit::Command::Typing(on) => Command::Typing(on),
        wit::Command::MarkRead(target) => Command::MarkRead(target),
        wit::Command::Custom(custom) => Command::Custom(custom_in(custom)),
    }
}

fn conversation_in(conversation: wit::Conversation) -> ConversationRef {
    ConversationRef {
        external_id: conversation.external_id,
        kind: match conversation.kind {
            wit::ConversationKind::Direct => ConversationKind::Direct,
            wit::ConversationKind::Group => ConversationKind::Group,
            wit::ConversationKind::Broadcast => ConversationKind::Broadcast,
        },
        title: conversation.title,
    }
}

fn party_in(party: wit::Party) -> Party {
    Party {
        identities: party.identities.into_iter().map(|identity| Identity { scheme: identity.scheme, value: identity.value }).collect(),
        name: party.name,
    }
}

fn inbound_in(inbound: wit::Inbound) -> Inbound {
    Inbound {
        external_id: inbound.external_id,
        conversation: conversation_in(inbound.conversation),
        sender: party_in(inbound.sender),
        echo: inbound.echo,
        content: inbound.content.into_iter().map(content_in).collect(),
        reply_to: inbound.reply_to,
        related: inbound.related,
        automatic: inbound.automatic,
        origin: inbound.origin,
        sent_at: inbound.sent_at_ms.and_then(At::from_millis),
        reply_context: inbound.reply_context,
        extras: extras_in(inbound.extras),
    }
}

fn receipt_in(receipt: wit::Receipt) -> Receipt {
    Receipt {
        conversation: receipt.conversation,
        target: match receipt.target {
            wit::ReceiptTarget::Messages(ids) => ReceiptTarget::Messages(ids),
            wit::ReceiptTarget::UpToMs(millis) => ReceiptTarget::UpTo(At::from_millis(millis).unwrap_or(At::from_micros(0))),
        },
        state: match receipt.state {
            wit::ReceiptState::Sent => ReceiptState::Sent,
            wit::ReceiptState::Delivered => ReceiptState::Delivered,
            wit::ReceiptState::Read => ReceiptState::Read,
            wit::ReceiptState::Played => ReceiptState::Played,
            wit::ReceiptState::Failed => ReceiptState::Failed,
        },
        at: receipt.at_ms.and_then(At::from_millis),
        failure: receipt.failure.map(failure_in),
    }
}

pub(super) fn fact_in(event: wit::Event) -> Fact {
    let what = match event.what {
        wit::Happening::Message(inbound) => Happening::Message(Box::new(inbound_in(inbound))),
        wit::Happening::Edited(inbound) => Happening::Edited(Box::new(inbound_in(inbound))),
        wit::Happening::Deleted(id) => Happening::Deleted(id),
        wit::Happening::Reacted(reaction) => Happening::Reacted(reaction_in(reaction)),
        wit::Happening::Chose(choice) => Happening::Chose(choice_in(choice)),
        wit::Happening::Voted(vote) => Happening::Voted { poll: vote.poll, options: vote.options },
        wit::Happening::Receipt(receipt) => Happening::Receipt(receipt_in(receipt)),
        wit::Happening::Typing(on) => Happening::Typing(on),
        wit::Happening::Subscription(subscription) => Happening::Subscription(Subscription {
            id: subscription.id,
            endpoint: subscription.endpoint,
            keys: extras_in(subscription.keys),
            active: subscription.active,
            extras: extras_in(subscription.extras),
        }),
        wit::Happening::Interacted(interaction) => Happening::Interacted(Interaction {
            target: interaction.target,
            kind: match interaction.kind {
                wit::InteractionKind::Opened => InteractionKind::Opened,
                wit::InteractionKind::Dismissed => InteractionKind::Dismissed,
            },
            action: interaction.action,
            url: interaction.url,
        }),
        wit::Happening::OptedOut(why) => Happening::OptedOut { code: why.code, message: why.message },
        wit::Happening::OptedIn => Happening::OptedIn,
        wit::Happening::Template(status) => Happening::Template(serde_json::json!({
            "name": status.name,
            "language": status.language,
            "status": status.status,
            "category": status.category,
            "reason": status.reason,
        })),
        wit::Happening::Account(status) => {
            let (code, message) = (status.detail.code, status.detail.message);
            Happening::AccountStatus { state: status.state, code, message, facts: facts_in(status.facts) }
        }
        wit::Happening::Moved(to) => Happening::Moved(to),
        wit::Happening::Custom(custom) => Happening::Custom(custom_in(custom)),
    };
    Fact {
        dedupe_key: event.dedupe_key,
        conversation: event.conversation.map(conversation_in),
        actor: event.actor.map(party_in),
        at: event.at_ms.and_then(At::from_millis),
        what,
        follow_up: event.follow_up.map(command_in),
        extras: extras_in(event.extras),
    }
    .with_storable_names()
}

/// What a send came to.
#[derive(Debug, Clone)]
pub struct Sent {
    pub accepted: Vec<Accepted>,
    pub failed: Option<Failure>,
    pub facts: Vec<Fact>,
}

pub async fn sent_in(sent: wit::Sent) -> Sent {
    Sent {
        accepted: sent
            .accepted
            .into_iter()
            .map(|accepted| Accepted { part: accepted.part, external_id: accepted.external_id, extras: extras_in(accepted.extras) })
            .collect(),
        failed: sent.failed.map(failure_in),
        facts: events_in(sent.events).await,
    }
}

pub fn failure_in(failure: types::Failure) -> Failure {
    let plain = |class: FailureClass, detail: types::Detail| Failure::new(class, detail.code, detail.message);
    let waiting = |class: FailureClass, retry: types::Retry| Failure {
        retry_after_ms: retry.after_ms.and_then(At::from_millis).and_then(|at| u64::try_from(at.millis()).ok()),
        ..plain(class, retry.detail)
    };
    match failure {
        types::Failure::Invalid(problems) => {
            let fields: Vec<FieldProblem> =
                problems.into_iter().map(|problem| FieldProblem::new(problem.pointer, problem.message)).collect();
            let message = fields.iter().map(|field| format!("{}: {}", field.pointer, field.message)).collect::<Vec<_>>().join("; ");
            Failure { fields, ..Failure::new(FailureClass::Invalid, "invalid", message) }
        }
        types::Failure::Unauthorized(detail) => plain(FailureClass::Unauthorized, detail),
        types::Failure::Forbidden(detail) => plain(FailureClass::Forbidden, detail),
        types::Failure::Limited(retry) => waiting(FailureClass::Limited, retry),
        types::Failure::Unavailable(retry) => waiting(FailureClass::Unavailable, retry),
        types::Failure::Uncertain(detail) => plain(FailureClass::Uncertain, detail),
        types::Failure::Recipient(detail) => plain(FailureClass::Recipient, detail),
        types::Failure::WindowClosed(detail) => plain(FailureClass::WindowClosed, detail),
        types::Failure::Rejected(detail) => plain(FailureClass::Rejected, detail),
        types::Failure::Unsupported(detail) => plain(FailureClass::Unsupported, detail),
        types::Failure::Fault(detail) => plain(FailureClass::Fault, detail),
    }
}

/// A named check of an account's health.
/// What is shown on an account.
pub fn facts_in(facts: Vec<types::Field>) -> Map<String, Value> {
    facts.into_iter().map(|fact| (fact.name, Value::String(fact.value))).collect()
}

pub fn check_in(check: channel::Check) -> HealthCheck {
    let (code, message) = check.detail.map(|detail| (detail.code, detail.message)).unzip();
    HealthCheck { name: check.name, ok: check.ok, code, message }
}
