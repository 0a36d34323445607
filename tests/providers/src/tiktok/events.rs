//! What happens in conversations, as webhooks tell it.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use crate::tiktok::media;
use crate::tiktok::pusher::{self, Delivery};
use crate::tiktok::server::Server;
use crate::tiktok::world::{Conversation, Message, World};

/// A webhook of every kind, by name: `{"about", "event", "business_id", "content"}` with the content as an object.
#[must_use]
pub fn samples() -> &'static Map<String, Value> {
    static SAMPLES: OnceLock<Map<String, Value>> = OnceLock::new();
    SAMPLES.get_or_init(|| serde_json::from_str(include_str!("samples.json")).unwrap_or_default())
}

/// A person writes.
pub(crate) async fn message(server: &Arc<Server>, business_id: &str, person_id: &str, kind: &str, value: Value) -> Delivery {
    let now = server.now_ms();
    let value = if matches!(kind, "image" | "video") { media::value(server, value) } else { value };
    let id = format!("m_in_{}", server.next_number());
    let message = Message { id, kind: kind.to_uppercase(), value, from_person: true, source: "APP", at_ms: now };
    let content = {
        let mut world = server.world.lock();
        world.person(person_id);
        let conversation_id = world.conversation_with(business_id, person_id, now);
        world.received(business_id, &conversation_id, message.clone());
        content(&world, business_id, &conversation_id, &message)
    };
    pusher::push(server, "im_receive_msg", business_id, &content).await
}

/// What the API sent comes back.
pub(crate) async fn sent(server: &Arc<Server>, business_id: &str, conversation_id: &str, message: &Message) {
    let content = content(&server.world.lock(), business_id, conversation_id, message);
    pusher::push(server, "im_send_msg", business_id, &content).await;
}

/// Somebody of the business writes by hand.
pub(crate) async fn written_in_app(server: &Arc<Server>, business_id: &str, person_id: &str, text: &str) -> Delivery {
    let now = server.now_ms();
    let id = format!("m_app_{}", server.next_number());
    let message = Message { id, kind: "TEXT".into(), value: json!({"body": text}), from_person: false, source: "APP", at_ms: now };
    let content = {
        let mut world = server.world.lock();
        world.person(person_id);
        let conversation_id = world.conversation_with(business_id, person_id, now);
        if let Some(conversation) = world.conversation_mut(business_id, &conversation_id) {
            conversation.messages.push(message.clone());
        }
        content(&world, business_id, &conversation_id, &message)
    };
    pusher::push(server, "im_send_msg", business_id, &content).await
}

/// The mark up to which a person has read.
pub(crate) async fn read(server: &Arc<Server>, business_id: &str, person_id: &str, up_to_ms: u64) -> Delivery {
    let now = server.now_ms();
    let content = {
        let mut world = server.world.lock();
        let id = world.conversation_with(business_id, person_id, now);
        let (from, to) = world.conversation(business_id, &id).map(|conversation| conversation.ends(true)).unwrap_or_default();
        json!({"conversation_id": id, "timestamp": now, "read": {"last_read_timestamp": up_to_ms}, "from_user": from, "to_user": to})
    };
    pusher::push(server, "im_mark_read_msg", business_id, &content).await
}

/// A sample's message is there from then on, and opens the window.
pub(crate) async fn deliver(server: &Arc<Server>, name: &str) -> Delivery {
    let Some(sample) = samples().get(name) else {
        let known = samples().keys().cloned().collect::<Vec<_>>().join(", ");
        return Delivery { note: Some(format!("no sample {name:?}; there are: {known}")), ..Delivery::default() };
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (event, business_id, content) = (text(&sample["event"]), text(&sample["business_id"]), &sample["content"]);
    if event == "im_receive_msg" {
        let now = server.now_ms();
        let kind = text(&content["type"]);
        let message = Message {
            id: text(&content["message_id"]),
            kind: kind.to_uppercase(),
            value: content[&kind].clone(),
            from_person: true,
            source: "APP",
            at_ms: now,
        };
        let mut world = server.world.lock();
        let person_id = text(&content["from_user"]["id"]);
        world.person(&person_id);
        let conversation_id = world.conversation_with(&business_id, &person_id, now);
        world.received(&business_id, &conversation_id, message);
    }
    pusher::push(server, &event, &business_id, content).await
}

fn content(world: &World, business_id: &str, conversation_id: &str, message: &Message) -> Value {
    let Some(conversation) = world.conversation(business_id, conversation_id) else { return Value::Null };
    let kind = message.kind.to_lowercase();
    let (from_user, to_user) = conversation.ends(message.from_person);
    let (person, business) = names(world, conversation);
    let (from, to) = if message.from_person { (person, business) } else { (business, person) };
    let follows = world.people.iter().any(|person| person.id == conversation.person_id && person.is_follower);
    json!({
        "from": from, "to": to, "unique_identifier": conversation.person_id, "from_user": from_user, "to_user": to_user,
        "conversation_id": conversation.id, "message_id": message.id, "timestamp": message.at_ms, "type": kind, kind.as_str(): message.value,
        "scene_type": 0, "is_follower": follows, "message_tag": {"source": message.source},
    })
}

fn names(world: &World, conversation: &Conversation) -> (String, String) {
    let person = world.people.iter().find(|person| person.id == conversation.person_id);
    let business = world.business(&conversation.business_id);
    (
        person.map(|person| person.username.clone()).unwrap_or_default(),
        business.map(|business| business.username.clone()).unwrap_or_default(),
    )
}
