//! Which call a request is.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::tiktok::answer::{Outcome, Refusal, Reply};
use crate::tiktok::ask::Ask;
use crate::tiktok::server::Server;
use crate::tiktok::{login, media, reading, sending};

/// Events that an app can have sent to it.
const EVENT_TYPES: &[&str] = &["DIRECT_MESSAGE", "COMMENT", "VIDEO"];

/// Whether a call is asked with GET; none is no call.
fn is_get(name: &str) -> Option<bool> {
    Some(match name {
        "tt_user/oauth2/token" | "tt_user/oauth2/refresh_token" | "tt_user/oauth2/revoke" | "tt_user/token_info/get" => false,
        "business/webhook/update" | "business/webhook/delete" => false,
        "business/message/send" | "business/message/media/upload" | "business/message/media/download" => false,
        "business/get" | "business/video/list" | "business/webhook/list" => true,
        "business/message/capabilities/get" | "business/message/conversation/list" | "business/message/content/list" => true,
        _ => return None,
    })
}

pub(crate) async fn call(server: &Arc<Server>, ask: &Ask) -> Outcome {
    if !ask.is_api {
        return match ask.name.split_once('/') {
            Some(("v2", "auth/authorize")) => Ok(login::page(server, ask)),
            Some(("im-media", id)) => media::fetch(server, ask, id),
            _ => Ok(Reply::Page(404, "Page not available".into())),
        };
    }
    // The real one knows no path without its slash.
    let get = is_get(&ask.name).filter(|_| ask.path.ends_with('/'));
    let Some(get) = get else {
        return Err(Refusal { status: 404, ..Refusal::new(40_006, "The path doesn't exist: every path ends with a slash.") });
    };
    if (ask.method == Method::GET) != get || !matches!(ask.method, Method::GET | Method::POST) {
        return Err(Refusal { status: 405, ..Refusal::new(40_006, "The method isn't allowed.") });
    }
    if ask.multipart != (ask.name == "business/message/media/upload") {
        return Err(Refusal::parameter("Content-Type isn't the one of this call."));
    }
    match ask.name.as_str() {
        "tt_user/oauth2/token" => login::exchange(server, ask),
        "tt_user/oauth2/refresh_token" => login::refresh(server, ask),
        "tt_user/oauth2/revoke" => login::revoke(server, ask),
        "tt_user/token_info/get" => login::token_info(server, ask),
        "business/webhook/update" => update_webhook(server, ask),
        "business/webhook/list" => list_webhook(server, ask),
        "business/webhook/delete" => delete_webhook(server, ask),
        "business/message/send" => sending::send(server, ask).await,
        "business/message/media/upload" => media::upload(server, ask),
        "business/message/media/download" => media::download(server, ask),
        "business/get" => reading::business(server, ask),
        "business/video/list" => reading::videos(server, ask),
        "business/message/capabilities/get" => reading::capabilities(server, ask),
        "business/message/conversation/list" => reading::conversations(server, ask),
        _ => reading::contents(server, ask),
    }
}

/// The app and the type of event of a call about webhooks.
fn about(server: &Server, ask: &Ask) -> Result<(String, String), Refusal> {
    let app_id = server.app_with_secret(ask.needed("app_id")?, ask.needed("secret")?)?;
    let event_type = ask.needed("event_type")?;
    if !EVENT_TYPES.contains(&event_type) {
        return Err(Refusal::parameter(format!("event_type: Must be one of {}.", EVENT_TYPES.join(", "))));
    }
    Ok((app_id, event_type.to_owned()))
}

fn update_webhook(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["app_id", "secret", "event_type", "callback_url", "item_list"])?;
    let (app_id, event_type) = about(server, ask)?;
    let callback_url = ask.needed("callback_url")?;
    let url = Url::parse(callback_url).map_err(|_| Refusal::parameter("callback_url: Not a valid URL."))?;
    if url.scheme() != "https" && !matches!(url.host_str(), Some("127.0.0.1" | "localhost")) {
        return Err(Refusal::parameter("callback_url: Must be an HTTPS URL."));
    }
    server.world.lock().set_webhook(&app_id, &event_type, callback_url);
    Ok(Reply::Data(json!({"app_id": app_id, "event_type": event_type, "callback_url": callback_url})))
}

/// Without a webhook there is no `callback_url`.
fn list_webhook(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["app_id", "secret", "event_type"])?;
    let (app_id, event_type) = about(server, ask)?;
    let mut data = json!({"app_id": app_id, "event_type": event_type});
    if let Some(url) = server.world.lock().webhooks.get(&(app_id, event_type)) {
        data["callback_url"] = Value::from(url.as_str());
    }
    Ok(Reply::Data(data))
}

fn delete_webhook(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["app_id", "secret", "event_type", "item_list"])?;
    let (app_id, event_type) = about(server, ask)?;
    server.world.lock().webhooks.remove(&(app_id.clone(), event_type.clone()));
    Ok(Reply::Data(json!({"app_id": app_id, "event_type": event_type})))
}
