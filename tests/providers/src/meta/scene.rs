//! What happens at the provider, as webhooks: somebody writes, taps, reads; a message fails; an account changes.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::meta::accounts::Person;
use crate::meta::errors;
use crate::meta::params::text_of;
use crate::meta::pusher::WHATSAPP;
use crate::meta::server::Server;
use crate::meta::world::World;

/// The fixtures, by name.
pub(crate) fn samples() -> &'static Map<String, Value> {
    static SAMPLES: OnceLock<Map<String, Value>> = OnceLock::new();
    SAMPLES.get_or_init(|| serde_json::from_str(include_str!("samples.json")).unwrap_or_default())
}

/// Whether this person has written to this account.
pub(crate) fn writes_to(world: &World, person: &str, account: &str) -> bool {
    world.windows.contains_key(&(account.to_owned(), person.to_owned()))
}

/// The id of a message that comes in, in the shape that the account's kind has.
fn message_id(server: &Server, whatsapp: bool, account: &str) -> String {
    let number = server.next_number();
    if whatsapp {
        format!("wamid.HBgLStandInIn{number:012}=")
    } else if server.world.lock().instagram(account).is_some() {
        format!("aWdfZAG1StandInIn{number:012}")
    } else {
        format!("m_StandInIn{number:012}-_")
    }
}

/// A change of a number's field.
pub(crate) fn change(world: &World, number_id: &str, field: &str, mut value: Value) -> Value {
    let Some((waba, number)) = world.number(number_id) else { return Value::Null };
    value["messaging_product"] = "whatsapp".into();
    value["metadata"] = json!({"display_phone_number": number.digits(), "phone_number_id": number.id});
    json!({"object": WHATSAPP, "entry": [{"id": waba.id, "changes": [{"value": value, "field": field}]}]})
}

/// A WABA's own event (`message_template_status_update`, `account_update`…).
pub(crate) fn waba_event(server: &Server, waba: &str, field: &str, value: &Value) -> Value {
    json!({"object": WHATSAPP, "entry": [{"id": waba, "time": server.now_s(), "changes": [{"value": value, "field": field}]}]})
}

/// An item of a Page or an Instagram account, from a person.
pub(crate) fn item(server: &Server, account: &str, person: &str, content: &Value) -> Value {
    let now = server.now_ms();
    let object = if server.world.lock().instagram(account).is_some() { "instagram" } else { "page" };
    let mut item = json!({"sender": {"id": person}, "recipient": {"id": account}, "timestamp": now});
    if let (Some(item), Some(content)) = (item.as_object_mut(), content.as_object()) {
        item.extend(content.clone());
    }
    json!({"object": object, "entry": [{"id": account, "time": now + 20, "messaging": [item]}]})
}

/// A message from a person. For a WhatsApp number it is the message object (`{"type":"text","text":{…}}`), for others
/// what is under `message` (`{"text":"…"}`).
pub(crate) fn message(server: &Server, account: &str, person: &str, mut message: Value) -> Value {
    if server.world.lock().number(account).is_none() {
        if message.get("mid").is_none() {
            message["mid"] = message_id(server, false, account).into();
        }
        return item(server, account, person, &json!({ "message": message }));
    }
    if message.get("id").is_none() {
        message["id"] = message_id(server, true, account).into();
    }
    message["timestamp"] = server.now_s().to_string().into();
    let world = server.world.lock();
    let known =
        world.people.values().find(|known| known.id == person || known.bsuid.as_deref() == Some(person)).cloned().unwrap_or_default();
    let mut contact = json!({"profile": {"name": if known.name.is_empty() { "Somebody" } else { &known.name }}});
    let phone = !person.contains('.');
    if let Some(username) = known.facts.get("username") {
        contact["profile"]["username"] = username.clone();
    }
    if phone {
        message["from"] = person.into();
        contact["wa_id"] = person.into();
    }
    if let Some(bsuid) = known.bsuid.or_else(|| (!phone).then(|| person.to_owned())) {
        message["from_user_id"] = bsuid.clone().into();
        contact["user_id"] = bsuid.into();
    }
    change(&world, account, "messages", json!({"contacts": [contact], "messages": [message]}))
}

/// Text in the shape of the account's kind.
pub(crate) fn text(server: &Server, account: &str, person: &str, text: &str) -> Value {
    let whatsapp = server.world.lock().number(account).is_some();
    message(server, account, person, if whatsapp { json!({"type": "text", "text": {"body": text}}) } else { json!({ "text": text }) })
}

/// A status of a message that a number sent.
pub(crate) fn status(server: &Server, number: &str, id: &str, status: &str, code: Option<u32>) -> Value {
    let world = server.world.lock();
    let sent = world.sent.iter().find(|sent| sent.id == id);
    let to = sent.map_or_else(|| "15550002222".to_owned(), |sent| sent.to.clone());
    let mut told = json!({"id": id, "status": status, "timestamp": server.now_s().to_string()});
    let person = world.people.values().find(|person| person.id == to || person.bsuid.as_deref() == Some(&to)).cloned();
    let mut contact = json!({"profile": {"name": person.as_ref().map_or("Somebody", |person| person.name.as_str())}});
    if to.contains('.') {
        told["recipient_user_id"] = to.clone().into();
        contact["user_id"] = to.into();
    } else {
        let wa_id = world.wa_ids.get(&to).cloned().unwrap_or(to);
        told["recipient_id"] = wa_id.clone().into();
        contact["wa_id"] = wa_id.into();
        if let Some(bsuid) = person.and_then(|person| person.bsuid) {
            told["recipient_user_id"] = bsuid.clone().into();
            contact["user_id"] = bsuid.into();
        }
    }
    if let Some(data) = sent.and_then(|sent| sent.body.get("biz_opaque_callback_data")) {
        told["biz_opaque_callback_data"] = data.clone();
    }
    if status != "failed" && status != "read" {
        let category = if sent.is_some_and(|sent| sent.body["type"] == "template") { "utility" } else { "service" };
        told["pricing"] = json!({"billable": category != "service", "pricing_model": "PMP", "type": "regular", "category": category});
    }
    if let Some(code) = code {
        let text = errors::message(code, None);
        let title = text.split_once(") ").map_or(text.as_str(), |(_, title)| title);
        told["errors"] = json!([{"code": code, "title": title, "message": title, "error_data": {"details": title},
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"}]);
    }
    let mut value = json!({ "statuses": [told] });
    if code.is_none() {
        value["contacts"] = json!([contact]);
    }
    change(&world, number, "messages", value)
}

/// What an account sent, come back.
pub(crate) fn echo(server: &Server, account: &str, person: &str, id: &str, app: &str, message: &Value) -> Value {
    let mut echoed = Map::new();
    echoed.insert("mid".into(), id.into());
    echoed.insert("is_echo".into(), true.into());
    let instagram = server.world.lock().instagram(account).is_some();
    if !instagram {
        echoed.insert("app_id".into(), app.parse::<u64>().map_or_else(|_| app.into(), Value::from));
        if let Some(metadata) = message.get("metadata") {
            echoed.insert("metadata".into(), metadata.clone());
        }
    }
    if let Some(text) = message.get("text") {
        echoed.insert("text".into(), text.clone());
    }
    if let Some(attachment) = message.get("attachment") {
        echoed.insert("attachments".into(), json!([attachment]));
    }
    let mut payload = item(server, account, person, &json!({ "message": echoed }));
    let item = &mut payload["entry"][0]["messaging"][0];
    item["sender"] = json!({ "id": account });
    item["recipient"] = json!({ "id": person });
    payload
}

/// Several webhooks of one object as one, their entries in one body.
pub(crate) fn batch(payloads: &[Value]) -> Value {
    let entries: Vec<_> = payloads.iter().filter_map(|payload| payload["entry"].as_array()).flatten().cloned().collect();
    json!({"object": payloads.first().map(|first| text_of(&first["object"])), "entry": entries})
}

/// The people of the fixtures, so that their profiles can be read.
pub(crate) fn people() -> Vec<Person> {
    let person = |id: &str, name: &str| Person { id: id.into(), name: name.into(), ..Person::default() };
    let mut nadia = Person { bsuid: Some("US.10000000000000000001".into()), ..person("15550002222", "Nadia Fake") };
    nadia.facts.insert("username".into(), "nadia.fake".into());
    vec![nadia, person("200000000000001", "Omar Fake"), person("300000000000077", "Lina Fake")]
}
