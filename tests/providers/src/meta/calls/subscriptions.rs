//! Who gets an account's webhooks: `subscriptions` of apps, `subscribed_apps` of accounts.

use axum::http::Method;
use serde_json::json;

use crate::meta::answer::{GraphError, Outcome, success};
use crate::meta::ask::Ask;
use crate::meta::pusher::{WHATSAPP, challenge};
use crate::meta::server::Server;
use crate::meta::tokens::TokenKind;
use crate::meta::world::{Kind, Subscription, Webhook};

/// Of the v26 SDK's enum, those that have to do with messages, and some beside.
const PAGE_FIELDS: &[&str] = &[
    "feed",
    "mention",
    "name",
    "message_deliveries",
    "message_echoes",
    "message_edits",
    "message_mention",
    "message_reactions",
    "message_reads",
    "messages",
    "messaging_account_linking",
    "messaging_customer_information",
    "messaging_feedback",
    "messaging_handovers",
    "messaging_optins",
    "messaging_payments",
    "messaging_policy_enforcement",
    "messaging_postbacks",
    "messaging_referrals",
    "response_feedback",
    "send_cart",
    "standby",
];

const INSTAGRAM_FIELDS: &[&str] = &[
    "comments",
    "live_comments",
    "mentions",
    "message_edit",
    "message_reactions",
    "messages",
    "messaging_handover",
    "messaging_optins",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_seen",
    "standby",
    "story_insights",
];

const OBJECTS: &[&str] = &["page", "instagram", WHATSAPP];

pub(crate) async fn app(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller(server)?;
    if caller.kind != TokenKind::App || caller.app != ask.account {
        return Err(GraphError::of(15).saying("(#15) This method must be called with an app access_token.").status(400));
    }
    let object = ask.params.text("object");
    if ask.method == Method::GET {
        let world = server.world.lock();
        let own = world.webhooks.iter().filter(|((app, _), _)| *app == ask.account);
        let rows: Vec<_> = own
            .map(|((_, object), webhook)| {
                let fields: Vec<_> = webhook.fields.iter().map(|field| json!({"name": field, "version": "v26.0"})).collect();
                json!({"object": object, "callback_url": webhook.url, "active": true, "fields": fields})
            })
            .collect();
        return Ok(json!({ "data": rows }).into());
    }
    if !OBJECTS.contains(&object.as_str()) {
        return Err(GraphError::of(100).saying(format!("(#100) Param object must be one of {{{}}}", OBJECTS.join(", "))));
    }
    if ask.method == Method::DELETE {
        server.world.lock().webhooks.remove(&(ask.account.clone(), object));
        return success();
    }
    let (url, verify_token) = (ask.params.needed("callback_url")?, ask.params.needed("verify_token")?);
    challenge(server, &url, &verify_token).await?;
    let webhook = Webhook { url, verify_token, fields: ask.params.list("fields") };
    server.world.lock().webhooks.insert((ask.account.clone(), object), webhook);
    success()
}

pub(crate) async fn waba(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller_with(server, &["whatsapp_business_management"])?;
    let key = (ask.account.clone(), caller.app.clone());
    match ask.method.as_str() {
        "GET" => {
            let world = server.world.lock();
            let rows: Vec<_> = world
                .subscriptions
                .iter()
                .filter(|((account, _), _)| *account == ask.account)
                .map(|((_, app), subscription)| {
                    let name = world.app(app).map(|app| app.name.clone());
                    let mut row = json!({"whatsapp_business_api_data": {"id": app, "name": name, "link": "https://example.test/"}});
                    if let Some(url) = &subscription.url {
                        row["override_callback_uri"] = url.clone().into();
                    }
                    row
                })
                .collect();
            Ok(json!({ "data": rows }).into())
        }
        "DELETE" => {
            server.world.lock().subscriptions.remove(&key);
            success()
        }
        _ => {
            let url = ask.params.text("override_callback_uri");
            if !url.is_empty() {
                challenge(server, &url, &ask.params.needed("verify_token")?).await?;
            }
            let subscription = Subscription { fields: Vec::new(), url: Some(url).filter(|url| !url.is_empty()) };
            server.world.lock().subscriptions.insert(key, subscription);
            success()
        }
    }
}

/// Of Pages and Instagram accounts.
pub(crate) fn page(server: &Server, ask: &Ask) -> Outcome {
    let (allowed, scope) = match ask.kind {
        Kind::Page => (PAGE_FIELDS, "pages_manage_metadata"),
        _ => (INSTAGRAM_FIELDS, "instagram_business_manage_messages"),
    };
    let caller = ask.caller(server)?;
    if ask.kind == Kind::Page && caller.kind != TokenKind::Page {
        return Err(GraphError::of(210).saying("(#210) A page access token is required to request this resource.").status(400));
    }
    if ask.kind == Kind::Instagram && caller.kind != TokenKind::Instagram {
        // Linked accounts come through their Page.
        return Err(ask.unsupported());
    }
    let caller = if ask.method == Method::GET { ask.caller_with(server, &[])? } else { ask.caller_with(server, &[scope])? };
    let key = (ask.account.clone(), caller.app.clone());
    let mut world = server.world.lock();
    match ask.method.as_str() {
        "GET" => {
            let own = world.subscriptions.iter().filter(|((account, _), _)| *account == ask.account);
            let rows: Vec<_> = own
                .map(|((_, app), subscription)| {
                    let id = if ask.kind == Kind::Page { "id" } else { "app_id" };
                    let name = world.app(app).map(|app| app.name.clone());
                    json!({id: app, "name": name, "link": "https://example.test/", "subscribed_fields": subscription.fields})
                })
                .collect();
            Ok(json!({ "data": rows }).into())
        }
        "DELETE" => {
            world.subscriptions.remove(&key);
            success()
        }
        _ => {
            let fields = ask.params.list("subscribed_fields");
            if fields.is_empty() {
                return Err(GraphError::of(100).saying("(#100) The parameter subscribed_fields is required"));
            }
            if let Some((at, unknown)) = fields.iter().enumerate().find(|(_, field)| !allowed.contains(&field.as_str())) {
                let known = allowed.join(", ");
                return Err(GraphError::of(100)
                    .saying(format!("(#100) Param subscribed_fields[{at}] must be one of {{{known}}} - got \"{unknown}\".")));
            }
            world.subscriptions.insert(key, Subscription { fields, url: None });
            success()
        }
    }
}
