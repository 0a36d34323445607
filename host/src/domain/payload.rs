//! What an event's `data` holds, type by type: the published list, and the JSON Schemas made from it. Within a version of the
//! gateway's API fields are added, never taken away.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    account::{Connection, Standing},
    event::EventType,
    failure::Failure,
    media::MediaFile,
    message::{Message, Reaction},
    people::{ConversationKind, Identity},
    subscription::SubscriptionView,
};
use crate::clock::At;

/// An event as it is told.
#[derive(JsonSchema)]
pub struct Told<D> {
    /// Equal whenever the event is delivered again: remember it to drop what you had already.
    pub id: String,
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// When it happened; the same as `occurred_at`.
    pub timestamp: At,
    /// The shape of `data`; it rises when that changes.
    pub version: u32,
    pub organization_id: String,
    /// Null where it is about no account.
    pub channel_account_id: Option<String>,
    /// Events of one conversation are delivered in order.
    pub conversation_id: Option<String>,
    pub message_id: Option<String>,
    pub occurred_at: At,
    pub data: D,
}

#[derive(JsonSchema)]
pub struct ConversationView {
    pub id: String,
    /// The provider's id of it.
    pub external_id: String,
    pub kind: ConversationKind,
    pub title: Option<String>,
}

#[derive(JsonSchema)]
pub struct ContactView {
    pub id: Option<String>,
    pub name: Option<String>,
    pub identities: Vec<Identity>,
}

/// A message as it stands now.
#[derive(JsonSchema)]
pub struct MessageData {
    pub message: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactView>,
}

/// A receipt that named no message we know of, or told nothing new of it.
#[derive(JsonSchema)]
pub struct ReceiptData {
    pub receipt: ReceiptView,
    pub at: At,
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptView {
    /// The provider's ids of the messages.
    ExternalIds(Vec<String>),
    /// Everything sent up to then.
    UpTo(At),
}

#[derive(JsonSchema)]
#[serde(untagged)]
pub enum MessageStateData {
    Message(Box<MessageData>),
    Receipt(ReceiptData),
}

#[derive(JsonSchema)]
#[serde(untagged)]
pub enum DeletedData {
    Message(Box<MessageData>),
    Unknown(UnknownMessage),
}

/// A message we don't have.
#[derive(JsonSchema)]
pub struct UnknownMessage {
    /// The provider's id of it.
    pub external_id: String,
    pub conversation: Option<ConversationView>,
    pub contact: Option<ContactView>,
}

#[derive(JsonSchema)]
pub struct ReactionData {
    pub reaction: Reaction,
    /// The message as it stands now; absent where we don't have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationView>,
    pub contact: Option<ContactView>,
}

#[derive(JsonSchema)]
pub struct VoteData {
    pub vote: VoteView,
    /// The poll's message as it stands now; absent where we don't have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationView>,
    pub contact: Option<ContactView>,
}

#[derive(JsonSchema)]
pub struct VoteView {
    /// The provider's id of the poll.
    pub poll: String,
    /// Indexes of the options, from 0; none where the vote was taken back.
    pub options: Vec<u32>,
}

/// Something that is about no message: where it happened, and who did it.
#[derive(JsonSchema)]
pub struct PlainData<D> {
    #[serde(flatten)]
    pub what: D,
    pub conversation: Option<ConversationView>,
    pub contact: Option<ContactView>,
}

#[derive(JsonSchema)]
pub struct TypingView {
    /// False where it ended.
    pub typing: bool,
}

#[derive(JsonSchema)]
pub struct OptedOutView {
    pub code: String,
    pub message: String,
}

#[derive(JsonSchema)]
pub struct OptedInView {}

#[derive(JsonSchema)]
pub struct SubscribedView {
    pub subscription: SubscriptionView,
}

/// What somebody did with a notification.
#[derive(JsonSchema)]
pub struct InteractionData {
    /// The id of the button that was pressed; null where it was the notification itself.
    pub action: Option<String>,
    pub url: Option<String>,
    /// The message as it stands now; absent where we don't have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message>>,
    /// The provider's id of a message that we don't have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    pub conversation: Option<ConversationView>,
    pub contact: Option<ContactView>,
}

#[derive(JsonSchema)]
pub struct TemplateView {
    /// What the channel tells of it.
    pub template: Value,
}

#[derive(JsonSchema)]
pub struct StatusView {
    pub state: String,
    pub code: String,
    pub message: String,
}

#[derive(JsonSchema)]
pub struct CustomView {
    /// Named by the plugin's manifest; `duplicate` where a message came by two roads.
    pub kind: String,
    pub data: Value,
}

#[derive(JsonSchema)]
pub struct MovedData {
    /// The provider's id of the conversation before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// And after.
    pub to: String,
}

#[derive(JsonSchema)]
pub struct ConnectionData {
    pub before: Connection,
    pub account: AccountView,
    pub standing: Standing,
}

/// The code isn't in it: who began the pairing gets it at `GET /rest/v1/channel_accounts/{id}/pairing`.
#[derive(JsonSchema)]
pub struct PairingData {
    pub account: AccountView,
    pub expires_at: At,
    /// How many more codes the provider gives before the pairing has to begin again.
    pub refreshes_left: u32,
}

#[derive(JsonSchema)]
pub struct AccountView {
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub channel_type: String,
}

#[derive(JsonSchema)]
pub struct DisabledData {
    pub endpoint: EndpointView,
    pub reason: String,
    pub failing_since: Option<At>,
}

#[derive(JsonSchema)]
pub struct TestData {
    pub endpoint: EndpointView,
    pub message: String,
}

#[derive(JsonSchema)]
pub struct EndpointView {
    pub id: String,
    pub url: Option<String>,
    pub description: String,
}

/// Ids of contacts.
#[derive(JsonSchema)]
pub struct MergedData {
    /// The one that is no more.
    pub from: String,
    /// The one that it became.
    pub into: String,
}

#[derive(JsonSchema)]
pub struct MediaStoredData {
    pub message_id: String,
    /// The provider's own name of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<String>,
    pub media: MediaFile,
}

#[derive(JsonSchema)]
pub struct MediaFailedData {
    pub message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<String>,
    pub reason: Failure,
}

/// One type of the published list.
pub struct Entry {
    pub event_type: EventType,
    /// The first version of the gateway that tells it.
    pub since: &'static str,
    pub description: &'static str,
    /// JSON Schema, draft 2020-12, of the whole event.
    pub schema: Value,
}

/// The published list, in its order.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> =
        LazyLock::new(|| EventType::WORDS.iter().filter_map(|word| word.parse().ok()).map(entry).collect());
    &ENTRIES
}

fn entry(event_type: EventType) -> Entry {
    let (description, schema) = match event_type {
        EventType::MessageReceived => ("Somebody wrote.", schema::<MessageData>()),
        EventType::MessageAutomatic => (
            "A machine wrote: an absence note, a mailing list. It is told in place of `message.received`, and asks for no answer.",
            schema::<MessageData>(),
        ),
        EventType::MessageEcho => ("The business wrote elsewhere, in the provider's own app for instance.", schema::<MessageData>()),
        EventType::MessageEdited => ("The other side changed a message.", schema::<MessageData>()),
        EventType::MessageDeleted => ("The other side took a message back.", schema::<DeletedData>()),
        EventType::MessageReaction => ("Somebody reacted to a message, or took a reaction back.", schema::<ReactionData>()),
        EventType::MessageChoice => ("Somebody pressed a button or chose a row; it is a message of its own.", schema::<MessageData>()),
        EventType::MessageVote => ("Somebody voted in a poll, or took a vote back.", schema::<VoteData>()),
        EventType::MessageQueued => ("A message waits to be sent.", schema::<MessageData>()),
        EventType::MessageSent => ("The provider took a message.", schema::<MessageStateData>()),
        EventType::MessageDelivered => ("A message reached its recipient.", schema::<MessageStateData>()),
        EventType::MessageRead => ("A message was read.", schema::<MessageStateData>()),
        EventType::MessagePlayed => ("A voice message or a video was played.", schema::<MessageStateData>()),
        EventType::MessageFailed => ("A message will not arrive: `failure` says why and what to do.", schema::<MessageStateData>()),
        EventType::MessageUncertain => ("Perhaps a message arrived; it isn't sent again by itself.", schema::<MessageData>()),
        EventType::ConversationTyping => ("Somebody is typing.", schema::<PlainData<TypingView>>()),
        EventType::ConversationMoved => ("A conversation goes on under another id of the provider's.", schema::<MovedData>()),
        EventType::ContactOptedOut => ("A contact wants no more messages.", schema::<PlainData<OptedOutView>>()),
        EventType::ContactOptedIn => ("A contact wants messages again.", schema::<PlainData<OptedInView>>()),
        EventType::ContactSubscription => ("A device takes notifications, or takes none any more.", schema::<PlainData<SubscribedView>>()),
        EventType::NotificationOpened => ("Somebody opened a notification, or pressed one of its buttons.", schema::<InteractionData>()),
        EventType::NotificationDismissed => ("Somebody put a notification away.", schema::<InteractionData>()),
        EventType::TemplateStatus => ("The provider judged a template.", schema::<PlainData<TemplateView>>()),
        EventType::AccountStatus => ("The provider told something about the account.", schema::<PlainData<StatusView>>()),
        EventType::AccountConnection => ("An account's connection changed.", schema::<ConnectionData>()),
        EventType::AccountPairing => {
            ("There is a code to scan that connects an account, or another one in its place.", schema::<PairingData>())
        }
        EventType::ChannelCustom => ("Something that one channel alone knows.", schema::<PlainData<CustomView>>()),
        EventType::ContactMerged => ("Two contacts turned out to be one person.", schema::<MergedData>()),
        EventType::MediaStored => ("A file that came in is kept by the gateway.", schema::<MediaStoredData>()),
        EventType::MediaFailed => ("A file that came in could not be fetched.", schema::<MediaFailedData>()),
        EventType::EndpointDisabled => ("The gateway has deactivated an endpoint that doesn't take events.", schema::<DisabledData>()),
        EventType::EndpointTest => ("A test that was asked for; the endpoint tested alone gets it.", schema::<TestData>()),
    };
    let schema = named(schema, event_type);
    Entry { event_type, since: "0.1.0", description, schema }
}

fn schema<D: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Told<D>>()
}

fn named(schema: Schema, event_type: EventType) -> Value {
    let mut schema = schema.to_value();
    if let Some(given) = schema.pointer_mut("/properties/type") {
        *given = json!({"const": event_type});
    }
    if let Some(title) = schema.get_mut("title") {
        *title = json!(event_type);
    }
    schema
}

/// The entry of a type, by its name.
pub fn find(name: &str) -> Option<&'static Entry> {
    static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Entry>> =
        LazyLock::new(|| entries().iter().map(|entry| (entry.event_type.as_str(), entry)).collect());
    BY_NAME.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_schema_that_names_it() {
        assert_eq!(entries().len(), EventType::WORDS.len());
        for word in EventType::WORDS {
            let entry = find(word).unwrap();
            assert_eq!(entry.schema["properties"]["type"]["const"], *word);
            assert_eq!(entry.schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            jsonschema::validator_for(&entry.schema).unwrap_or_else(|error| panic!("{word}: {error}"));
        }
    }

    #[test]
    fn a_schema_refuses_what_lacks_something() {
        let at = "2026-11-23T20:00:00.000000Z";
        let mut event = json!({"id": "e", "type": "conversation.typing", "timestamp": at, "version": 1, "organization_id": "o",
            "channel_account_id": "a", "conversation_id": null, "message_id": null, "occurred_at": at,
            "data": {"typing": true, "conversation": null, "contact": {"id": null, "name": null, "identities": []}}});
        let validator = jsonschema::validator_for(&find("conversation.typing").unwrap().schema).unwrap();
        assert!(validator.is_valid(&event), "{:?}", validator.iter_errors(&event).map(|error| error.to_string()).collect::<Vec<_>>());
        event["data"]["contact"]["identities"] = json!([{"scheme": "phone"}]);
        assert!(!validator.is_valid(&event));
        event["data"] = json!({"conversation": null, "contact": null});
        assert!(!validator.is_valid(&event));
    }
}
