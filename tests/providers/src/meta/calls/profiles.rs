//! People's profiles, and what a Page or Instagram account shows before the first message.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::meta::accounts::Person;
use crate::meta::answer::{GraphError, Outcome};
use crate::meta::ask::Ask;
use crate::meta::calls::messenger::bad;
use crate::meta::fields::select;
use crate::meta::server::Server;
use crate::meta::tokens::TokenKind;

const PROPERTIES: &[&str] =
    &["account_linking_url", "commands", "get_started", "greeting", "ice_breakers", "persistent_menu", "whitelisted_domains"];

/// `GET /{psid}` and `GET /{igsid}`.
pub(crate) fn read(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller(server)?;
    if !matches!(caller.kind, TokenKind::Page | TokenKind::Instagram) {
        return Err(ask.unsupported());
    }
    let world = server.world.lock();
    let Some(person) = world.people.get(&ask.node) else { return Err(ask.unsupported()) };
    if person.private {
        return Err(if caller.kind == TokenKind::Instagram { GraphError::of(230) } else { ask.unsupported() });
    }
    Ok(select(&profile(person), &ask.params.text("fields"), &["first_name", "last_name", "profile_pic"]).into())
}

fn profile(person: &Person) -> Value {
    let (first, last) = person.name.split_once(' ').unwrap_or((&person.name, ""));
    let picture = format!("https://scontent.xx.fbcdn.net/v/t1.30497-1/{}.png", person.id);
    let mut node = json!({"id": person.id, "name": person.name, "first_name": first, "last_name": last, "profile_pic": picture,
        "username": person.name.to_lowercase().replace(' ', "."), "follower_count": 12, "is_verified_user": false,
        "is_user_follow_business": true, "is_business_follow_user": false});
    if let Some(fields) = node.as_object_mut() {
        fields.extend(person.facts.clone());
    }
    node
}

pub(crate) fn messenger(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(
        server,
        &["pages_messaging", "pages_manage_metadata", "instagram_business_manage_messages", "instagram_manage_messages"],
    )?;
    let mut world = server.world.lock();
    let profile = world.profiles.entry(ask.account.clone()).or_default();
    match ask.method {
        Method::GET => {
            let fields = ask.params.list("fields");
            let shown: Map<_, _> =
                profile.iter().filter(|(name, _)| fields.contains(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
            Ok(json!({"data": if shown.is_empty() { vec![] } else { vec![shown] }}).into())
        }
        Method::DELETE => {
            let fields = ask.params.list("fields");
            if fields.is_empty() {
                return Err(bad("The parameter fields is required"));
            }
            profile.retain(|name, _| !fields.contains(name));
            Ok(json!({"result": "success"}).into())
        }
        _ => {
            let given: Vec<_> = PROPERTIES.iter().filter(|name| ask.params.has(name)).collect();
            if given.is_empty() {
                return Err(bad("Requires one of the params: get_started, greeting, ice_breakers, persistent_menu, ..."));
            }
            if ask.params.has("persistent_menu")
                && !ask.params.has("get_started")
                && !profile.contains_key("get_started")
                && ask.params.text("platform") != "instagram"
            {
                return Err(bad("You must set a Get Started button if you also wish to use persistent menu"));
            }
            let questions = |list: &Value| list.as_array().map_or(0, Vec::len);
            if let Some(first) = ask.params.get("ice_breakers").get(0)
                && (questions(&first["call_to_actions"]) > 4 || questions(ask.params.get("ice_breakers")) > 4)
            {
                return Err(bad("Param ice_breakers can have at most 4 questions"));
            }
            for name in given {
                profile.insert((*name).into(), ask.params.get(name).clone());
            }
            Ok(json!({"result": "success"}).into())
        }
    }
}

/// The one with a person, by ids alone.
pub(crate) fn conversations(server: &Server, ask: &Ask) -> Outcome {
    ask.caller_with(server, &[])?;
    let person = ask.params.text("user_id");
    let known = server.world.lock().windows.contains_key(&(ask.account.clone(), person.clone()));
    let rows = if known { vec![json!({"id": format!("t_{person}"), "updated_time": "2026-11-01T00:00:00+0000"})] } else { Vec::new() };
    Ok(json!({ "data": rows }).into())
}
