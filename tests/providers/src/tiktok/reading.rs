//! What a business reads: itself, its posts, what a conversation can, and the lists.

use serde_json::{Map, Value, json};

use crate::tiktok::answer::{Outcome, Refusal, Reply};
use crate::tiktok::ask::Ask;
use crate::tiktok::server::Server;
use crate::tiktok::world::{Conversation, Message};

/// Messages that `content/list` tells at most: the newest.
const CONTENTS_MAX: usize = 20;
/// Milliseconds of conversations that are listed: 90 days.
const LISTED_MS: u64 = 90 * 86_400_000;

pub(crate) fn business(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "fields", "start_date", "end_date"])?;
    let id = server.acting(ask, "user.info.basic")?;
    let fields = if ask.params.contains_key("fields") { ask.list("fields")? } else { vec!["display_name".into(), "profile_image".into()] };
    let world = server.world.lock();
    let business = world.business(&id).ok_or_else(|| Refusal::of(40_007))?;
    let mut data = Map::new();
    for field in fields {
        let value = match field.as_str() {
            "username" => {
                server.acting(ask, "user.info.username")?;
                json!(business.username)
            }
            "display_name" => json!(business.display_name),
            "profile_image" => json!(format!("https://p16-sign-va.tiktokcdn.com/{id}.jpeg")),
            "is_business_account" => json!(true),
            "followers_count" | "videos_count" | "likes" => {
                server.acting(ask, "user.info.stats")?;
                json!(business.posts.len())
            }
            _ => return Err(Refusal::parameter(format!("fields: {field} isn't a field."))),
        };
        data.insert(field, value);
    }
    Ok(Reply::Data(Value::Object(data)))
}

pub(crate) fn videos(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "fields", "cursor", "max_count"])?;
    let id = server.acting(ask, "user.info.basic")?;
    let world = server.world.lock();
    let posts = world.business(&id).map_or(&[][..], |business| business.posts.as_slice());
    let videos: Vec<Value> = posts.iter().map(|post| json!({"item_id": post.item_id, "caption": post.caption})).collect();
    Ok(Reply::Data(json!({"videos": videos, "has_more": false, "cursor": 0})))
}

pub(crate) fn capabilities(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "conversation_id", "conversation_type", "capability_types"])?;
    let business_id = server.acting(ask, "message.list.read")?;
    let single = conversation_type(ask)?;
    let types = ask.list("capability_types")?;
    let world = server.world.lock();
    conversation(world.conversation(&business_id, ask.needed("conversation_id")?).filter(|known| is_single(known) == single))?;
    if let Some(unknown) = types.iter().find(|one| *one != "IMAGE_SEND") {
        return Err(Refusal::parameter(format!("capability_types: {unknown} isn't a capability.")));
    }
    let result = server.knobs().image_send;
    let infos: Vec<Value> = types.iter().map(|one| json!({"capability_type": one, "capability_result": result})).collect();
    Ok(Reply::Data(json!({"capability_infos": infos})))
}

/// A `+` that wasn't escaped in the query has become a space.
fn conversation(known: Option<&Conversation>) -> Result<&Conversation, Refusal> {
    known.ok_or_else(|| Refusal::parameter("conversation_id is invalid"))
}

/// Whether it is asked for conversations that the business has taken part in, and not for strangers'.
fn conversation_type(ask: &Ask) -> Result<bool, Refusal> {
    match ask.needed("conversation_type")? {
        "SINGLE" => Ok(true),
        "STRANGER" => Ok(false),
        _ => Err(Refusal::parameter("conversation_type: Must be SINGLE or STRANGER.")),
    }
}

/// People whose id begins with `stranger` write as strangers: their conversations are listed as `STRANGER`.
fn is_single(conversation: &Conversation) -> bool {
    !conversation.person_id.starts_with("stranger")
}

pub(crate) fn conversations(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "conversation_type", "limit", "cursor"])?;
    let business_id = server.acting(ask, "message.list.read")?;
    let single = conversation_type(ask)?;
    let number = |name: &str, usual: usize| match ask.text(name) {
        "" => Ok(usual),
        text => text.parse::<usize>().map_err(|_| Refusal::parameter(format!("{name}: Not a valid integer."))),
    };
    let (limit, cursor) = (number("limit", 10)?, number("cursor", 0)?);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::parameter("limit: Between 1 and 100."));
    }
    let since = server.now_ms().saturating_sub(LISTED_MS);
    let world = server.world.lock();
    let wanted = |one: &&Conversation| one.business_id == business_id && is_single(one) == single && one.updated_ms >= since;
    let mut all: Vec<&Conversation> = world.conversations.iter().filter(wanted).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.updated_ms));
    let told = |one: &&Conversation| {
        let mut told = json!({"conversation_id": one.id, "update_time": one.updated_ms});
        if let Some(referral) = &one.referral {
            told["referral"] = referral.clone();
        }
        told
    };
    let page: Vec<Value> = all.iter().skip(cursor).take(limit).map(told).collect();
    let next = cursor + page.len();
    Ok(Reply::Data(json!({"conversations": page, "has_more": next < all.len(), "cursor": next})))
}

pub(crate) fn contents(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["business_id", "conversation_id"])?;
    let business_id = server.acting(ask, "message.list.read")?;
    let world = server.world.lock();
    let conversation = conversation(world.conversation(&business_id, ask.needed("conversation_id")?))?;
    let newest = conversation.messages.iter().rev().take(CONTENTS_MAX);
    let messages: Vec<Value> = newest.map(|message| told(conversation, message)).collect();
    let person = world.people.iter().find(|person| person.id == conversation.person_id).cloned().unwrap_or_default();
    let business = world.business(&business_id).cloned().unwrap_or_default();
    let participants = json!([
        {"id": person.id, "role": "PERSONAL_ACCOUNT", "display_name": person.display_name, "is_follower": person.is_follower,
            "profile_image": format!("https://p16-sign-va.tiktokcdn.com/{}.jpeg", person.id)},
        {"id": business.id, "role": "BUSINESS_ACCOUNT", "display_name": business.display_name,
            "profile_image": format!("https://p16-sign-va.tiktokcdn.com/{}.jpeg", business.id)},
    ]);
    Ok(Reply::Data(json!({"messages": messages, "participants": participants})))
}

fn told(conversation: &Conversation, message: &Message) -> Value {
    let (sender, recipient) = match message.from_person {
        true => (&conversation.person_id, &conversation.business_id),
        false => (&conversation.business_id, &conversation.person_id),
    };
    let known = matches!(message.kind.as_str(), "TEXT" | "IMAGE" | "VIDEO" | "SHARE_POST" | "TEMPLATE" | "STICKER" | "EMOJI");
    let kind = if known { message.kind.as_str() } else { "OTHER" };
    let mut told = json!({"message_id": message.id, "message_type": kind, "sender": sender, "recipient": recipient,
        "timestamp": message.at_ms, "message_tag": {"source": message.source}, "conversation_id": conversation.id});
    if known && let Some(told) = told.as_object_mut() {
        told.insert(message.kind.to_lowercase(), message.value.clone());
    }
    told
}
