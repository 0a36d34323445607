//! Message requests. Webhooks don't tell in which folder a conversation is, so who waits for a first answer is derived: people with
//! whom there is a conversation in which the account has said nothing.

use patchbay_meta::{Graph, Json as _};
use patchbay_plugin::messages::{Accepted, Conversation, ConversationKind, Custom, Event, Happening, Identity, Party, Sent};
use patchbay_plugin::{Call, Failure};
use serde_json::{Value, json};

use crate::settings::Settings;

/// The command, and the event for each.
pub(crate) const KIND: &str = "message_requests";
const EVENT: &str = "message_request";
const FIELDS: &str = "id,updated_time,participants,messages.limit(20){id,from,created_time}";

/// Asks for the conversations, and tells of each that was never answered.
pub(crate) fn list(call: &Call, settings: &Settings) -> Result<Sent, Failure> {
    let account = settings.account(call).ok_or_else(|| Failure::unauthorized("not_connected", "connect the account first"))?;
    let graph = Graph::new(settings.target(), &settings.graph_version);
    let node = settings.node(call).unwrap_or("me");
    let path = format!("{node}/conversations");
    let page = graph.page(&path, &[("platform", "instagram"), ("fields", FIELDS), ("limit", "50")], None)?;
    let events: Vec<Event> = page.items.iter().filter_map(|conversation| request(conversation, account, node)).collect();
    Ok(Sent { accepted: vec![Accepted { part: 0, external_id: None, extras: Vec::new() }], failed: None, events })
}

fn request(conversation: &Value, account: &str, node: &str) -> Option<Event> {
    let list = |name: &str| conversation.get(name).map_or(&[][..], |inner| inner.list("data"));
    let ours = |id: &str| id == account || id == node;
    let messages = list("messages");
    let answered = messages.iter().any(|message| message.get("from").and_then(|from| from.id("id")).is_some_and(|id| ours(&id)));
    if answered || messages.is_empty() {
        return None;
    }
    let person = list("participants").iter().find(|person| person.id("id").is_some_and(|id| !ours(&id)))?;
    let id = person.id("id")?;
    let last = messages.first().and_then(|message| message.id("id")).unwrap_or_default();
    let username = person.text("username");
    let told = json!({"person": id, "username": username, "message": last, "updated_time": conversation.text("updated_time")});
    let mut event = Event::new(format!("ig:{account}:request:{id}:{last}"), Happening::Custom(Custom::new(EVENT, &told)));
    event.account = Some(account.to_owned());
    event.conversation = Some(Conversation { external_id: id.clone(), kind: ConversationKind::Direct, title: None });
    let mut identities = vec![Identity::new("instagram", id)];
    identities.extend(username.map(|username| Identity::new("instagram_username", username)));
    event.actor = Some(Party { identities, name: person.text("name").or(username).map(str::to_owned) });
    Some(event)
}
