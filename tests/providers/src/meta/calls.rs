//! Which call does what.

mod attachments;
mod generic;
mod interactive;
mod me;
pub(crate) mod media;
mod messages;
mod messenger;
mod nodes;
mod numbers;
pub(crate) mod oauth;
mod profiles;
mod subscriptions;
mod template_sends;
mod templates;

use std::sync::Arc;

use crate::meta::answer::{GraphError, Outcome};
use crate::meta::ask::Ask;
use crate::meta::server::Server;
use crate::meta::world::Kind;

pub(crate) async fn call(server: &Arc<Server>, ask: &Ask) -> Outcome {
    match (ask.method.as_str(), ask.node.as_str(), ask.edge.as_str()) {
        ("GET", "dialog", "oauth") => oauth::facebook_dialog(server, ask),
        ("GET", "oauth", "authorize") => oauth::instagram_dialog(server, ask),
        ("GET" | "POST", "oauth", "access_token") => oauth::access_token(server, ask),
        ("GET", "access_token", "") => oauth::instagram_exchange(server, ask),
        ("GET", "refresh_access_token", "") => oauth::instagram_refresh(server, ask),
        ("GET", "debug_token", "") => oauth::debug(server, ask),
        ("GET", "whatsapp_business", _) => media::download(server, ask),
        ("GET", "ig_messaging_cdn" | "v", _) => media::cdn(server, ask),
        ("GET", "", "") if ask.params.has("ids") => nodes::several(server, ask),
        ("GET", "me", "") => me::read(server, ask),
        ("GET", "me", "accounts") => me::accounts(server, ask),
        ("GET" | "DELETE", "me", "permissions") => me::permissions(server, ask),
        ("GET", "me", "businesses") => me::businesses(server, ask),
        _ => node(server, ask).await,
    }
}

async fn node(server: &Arc<Server>, ask: &Ask) -> Outcome {
    if ask.node == "me" {
        // Says what is wrong with the token before anything else.
        ask.caller(server)?;
    }
    match (ask.method.as_str(), ask.kind, ask.edge.as_str()) {
        (
            "GET",
            Kind::Page | Kind::Instagram | Kind::Waba | Kind::Number | Kind::Business | Kind::User | Kind::App | Kind::Template,
            "",
        ) => nodes::read(server, ask),
        ("GET", Kind::Media, "") => media::url(server, ask),
        ("DELETE", Kind::Media, "") => media::delete(server, ask),
        ("GET", Kind::Unknown, "") => profiles::read(server, ask),
        ("POST", Kind::Number, "") => numbers::change(server, ask).await,
        ("POST", Kind::Template, "") => templates::edit(server, ask),
        ("POST", Kind::Upload, "") => media::resumable_bytes(server, ask),
        ("POST", Kind::App, "uploads") => media::resumable(server, ask),
        ("GET" | "POST" | "DELETE", Kind::App, "subscriptions") => subscriptions::app(server, ask).await,
        ("GET" | "POST" | "DELETE", Kind::Waba, "subscribed_apps") => subscriptions::waba(server, ask).await,
        ("GET" | "POST" | "DELETE", Kind::Page | Kind::Instagram, "subscribed_apps") => subscriptions::page(server, ask),
        ("GET", Kind::Business, "owned_pages" | "client_pages") => me::business_pages(server, ask),
        ("GET", Kind::Business, "owned_whatsapp_business_accounts" | "client_whatsapp_business_accounts") => {
            me::business_wabas(server, ask)
        }
        ("GET", Kind::Waba, "phone_numbers") => numbers::list(server, ask),
        ("POST", Kind::Waba, "phone_numbers") => numbers::add(server, ask),
        ("GET", Kind::Waba, "message_templates") => templates::list(server, ask),
        ("POST", Kind::Waba, "message_templates") => templates::create(server, ask),
        ("DELETE", Kind::Waba, "message_templates") => templates::delete(server, ask),
        ("POST", Kind::Number, "register" | "deregister" | "request_code" | "verify_code") => numbers::register(server, ask),
        ("GET" | "POST", Kind::Number, "whatsapp_business_profile") => numbers::profile(server, ask),
        ("POST", Kind::Number, "media") => media::upload(server, ask),
        ("POST", Kind::Number, "messages") => messages::send(server, ask).await,
        ("POST", Kind::Page | Kind::Instagram, "messages") => messenger::send(server, ask).await,
        ("POST", Kind::Page | Kind::Instagram, "message_attachments") => attachments::upload(server, ask).await,
        ("GET" | "POST" | "DELETE", Kind::Page | Kind::Instagram, "messenger_profile") => profiles::messenger(server, ask),
        ("GET", Kind::Page | Kind::Instagram, "conversations") => profiles::conversations(server, ask),
        _ => {
            ask.caller(server)?;
            Err(if ask.kind == Kind::Unknown || ask.edge.is_empty() {
                ask.unsupported()
            } else {
                GraphError::of(2_500).saying(format!("Unknown path components: /{}", ask.edge))
            })
        }
    }
}
