//! Nodes read by id.

use serde_json::{Map, Value, json};

use crate::meta::accounts::{Instagram, Number, Page, Waba};
use crate::meta::answer::{GraphError, Outcome};
use crate::meta::ask::Ask;
use crate::meta::fields::select;
use crate::meta::server::Server;
use crate::meta::tokens::{Token, TokenKind, Tokens};
use crate::meta::world::{Kind, World};

/// The node with every field it has, and the ones told where none are asked for.
fn node(world: &World, tokens: &mut Tokens, caller: &Token, id: &str) -> Option<(Value, &'static [&'static str])> {
    match world.kind(id) {
        Kind::Page => Some((page(world, tokens, caller, world.page(id)?), &["name"])),
        Kind::Instagram => Some((instagram(world.instagram(id)?), &[])),
        Kind::Waba => Some((waba(world, world.waba(id)?), &["name", "timezone_id", "message_template_namespace"])),
        Kind::Number => {
            let usual =
                &["verified_name", "code_verification_status", "display_phone_number", "quality_rating", "platform_type", "throughput"];
            let (waba, one) = world.number(id)?;
            Some((number(world, waba, one), usual))
        }
        Kind::Business => {
            let business = world.businesses.iter().find(|business| business.id == id)?;
            Some((json!({"id": business.id, "name": business.name, "verification_status": "verified"}), &["name"]))
        }
        Kind::User => world.users.iter().find(|user| user.id == id).map(|user| (json!({"id": user.id, "name": user.name}), &["name"][..])),
        Kind::App => world.app(id).map(|app| (json!({"id": app.id, "name": app.name}), &["name"][..])),
        Kind::Template => {
            let template = world.templates.values().flatten().find(|template| template["id"] == id)?;
            Some((template.clone(), &["name", "language", "status", "category", "parameter_format", "components"]))
        }
        Kind::Media | Kind::Upload | Kind::Unknown => None,
    }
}

pub(crate) fn read(server: &Server, ask: &Ask) -> Outcome {
    let scopes: &[&str] = match ask.kind {
        Kind::Waba | Kind::Template => &["whatsapp_business_management"],
        Kind::Number => &["whatsapp_business_management", "whatsapp_business_messaging"],
        _ => &[],
    };
    let caller = ask.caller_with(server, scopes)?;
    let world = server.world.lock();
    let (node, usual) = node(&world, &mut server.tokens.lock(), &caller, &ask.account).ok_or_else(|| ask.unsupported())?;
    Ok(select(&node, &ask.params.text("fields"), usual).into())
}

/// `GET /?ids=1,2`: an object by id; one that can't be read refuses all.
pub(crate) fn several(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller(server)?;
    let world = server.world.lock();
    let mut tokens = server.tokens.lock();
    let mut told = Map::new();
    for id in ask.params.list("ids") {
        let refused = || GraphError::sub(100, 33).saying(format!("Some of the aliases you requested do not exist: {id}"));
        let (node, usual) = node(&world, &mut tokens, &caller, &id).filter(|_| caller.reaches(&id)).ok_or_else(refused)?;
        told.insert(id.clone(), select(&node, &ask.params.text("fields"), usual));
    }
    Ok(Value::Object(told).into())
}

fn extended(mut node: Value, facts: &Map<String, Value>) -> Value {
    if let Some(fields) = node.as_object_mut() {
        fields.extend(facts.clone());
    }
    node
}

/// With the token where the caller is a person who may have it.
pub(crate) fn page(world: &World, tokens: &mut Tokens, caller: &Token, page: &Page) -> Value {
    let mut node = json!({"id": page.id, "name": page.name, "category": page.category, "is_published": true,
        "picture": {"data": {"url": format!("https://scontent.xx.fbcdn.net/v/t1.30497-1/{}.png", page.id)}},
        "messaging_feature_status": {"USER_MESSAGING": "ENABLED"},
        "has_added_app": world.subscriptions.contains_key(&(page.id.clone(), caller.app.clone()))});
    match caller.kind {
        TokenKind::User | TokenKind::SystemUser => {
            node["tasks"] = page.tasks.clone().into();
            node["access_token"] = tokens.page_token(caller, &page.id).token.into();
        }
        TokenKind::Page => node["access_token"] = caller.token.clone().into(),
        TokenKind::Instagram | TokenKind::App => {}
    }
    if let Some(linked) = page.instagram.as_ref().filter(|id| caller.reaches(id)).and_then(|id| world.instagram(id)) {
        node["instagram_business_account"] = instagram(linked);
    }
    extended(node, &page.facts)
}

pub(crate) fn instagram(account: &Instagram) -> Value {
    json!({"id": account.id, "username": account.username, "name": account.name, "account_type": account.account_type,
        "profile_picture_url": format!("https://scontent.cdninstagram.com/v/t51.2885-15/{}.png", account.id), "followers_count": 1200})
}

pub(crate) fn waba(world: &World, waba: &Waba) -> Value {
    let business = world.businesses.iter().find(|business| business.id == waba.business);
    let owner = business.map_or_else(|| json!({"id": waba.business}), |business| json!({"id": business.id, "name": business.name}));
    let node = json!({"id": waba.id, "name": waba.name, "currency": "USD", "timezone_id": "1", "message_template_namespace": "fake_namespace",
        "account_review_status": "APPROVED", "business_verification_status": "verified", "ownership_type": "SELF",
        "owner_business_info": owner, "country": "US", "status": "ACTIVE",
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "health_status": {"can_send_message": "AVAILABLE", "entities": [{"entity_type": "WABA", "id": waba.id, "can_send_message": "AVAILABLE"},
            {"entity_type": "BUSINESS", "id": waba.business, "can_send_message": "AVAILABLE"}]}});
    extended(node, &waba.facts)
}

pub(crate) fn number(world: &World, waba: &Waba, number: &Number) -> Value {
    let (status, platform) = if number.registered { ("CONNECTED", "CLOUD_API") } else { ("PENDING", "NOT_APPLICABLE") };
    let mut node = json!({"id": number.id, "display_phone_number": number.display_phone_number, "verified_name": number.verified_name,
        "status": status, "quality_rating": "GREEN", "name_status": "APPROVED",
        "code_verification_status": if number.registered { "VERIFIED" } else { "NOT_VERIFIED" },
        "account_mode": "LIVE", "platform_type": platform, "throughput": {"level": "STANDARD"}, "is_on_biz_app": false,
        "is_pin_enabled": number.pin.is_some(), "is_official_business_account": false, "last_onboarded_time": "2026-01-01T00:00:00+0000",
        "whatsapp_business_manager_messaging_limit": "TIER_2K",
        "health_status": {"can_send_message": "AVAILABLE", "entities": [
            {"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": "AVAILABLE"},
            {"entity_type": "WABA", "id": waba.id, "can_send_message": "AVAILABLE"},
            {"entity_type": "BUSINESS", "id": waba.business, "can_send_message": "AVAILABLE"}]}});
    let waba_url =
        world.subscriptions.iter().find(|((account, _), _)| *account == waba.id).and_then(|(_, subscription)| subscription.url.clone());
    let application =
        world.webhooks.iter().find(|((_, object), _)| object == "whatsapp_business_account").map(|(_, webhook)| webhook.url.clone());
    let mut urls = Map::new();
    for (name, url) in [
        ("phone_number", world.number_urls.get(&number.id).cloned()),
        ("whatsapp_business_account", waba_url),
        ("application", application),
    ] {
        if let Some(url) = url {
            urls.insert(name.into(), url.into());
        }
    }
    node["webhook_configuration"] = Value::Object(urls);
    extended(node, &number.facts)
}
