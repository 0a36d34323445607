//! Logging in: the page, which consents at once, and codes and tokens changed for tokens.

use axum::http::Method;
use serde_json::json;
use url::Url;

use crate::tiktok::answer::{Outcome, Refusal, Reply};
use crate::tiktok::ask::Ask;
use crate::tiktok::server::Server;
use crate::tiktok::tokens::{Grant, Minted};

/// What an app may ask for.
const SCOPES: &[&str] = &[
    "user.info.basic",
    "user.info.username",
    "user.info.stats",
    "user.info.profile",
    "user.account.type",
    "user.insights",
    "message.list.read",
    "message.list.send",
    "message.list.manage",
    "video.list",
    "video.insights",
    "video.publish",
    "comment.list",
    "comment.list.manage",
];

/// `www.tiktok.com/v2/auth/authorize`: whoever logs in consents at once, as the knobs say. What is wrong with the request itself
/// is shown on the page and never sent on.
pub(crate) fn page(server: &Server, ask: &Ask) -> Reply {
    let wrong = |words: &str| Reply::Page(400, format!("Something went wrong: {words}"));
    if ask.method != Method::GET {
        return wrong("method");
    }
    let (world, knobs) = (server.world.lock(), server.knobs());
    let Some(app) = world.app(ask.text("client_key")) else { return wrong("client_key") };
    let redirect_uri = ask.text("redirect_uri");
    let Ok(mut redirect) = Url::parse(redirect_uri) else { return wrong("redirect_uri") };
    let safe = redirect.scheme() == "https" || matches!(redirect.host_str(), Some("127.0.0.1" | "localhost"));
    if !safe || !(app.redirect_uris.is_empty() || app.redirect_uris.iter().any(|uri| uri == redirect_uri)) {
        return wrong("redirect_uri");
    }
    if ask.text("response_type") != "code" {
        return wrong("response_type");
    }
    let asked: Vec<&str> = ask.text("scope").split(',').collect();
    if let Some(unknown) = asked.iter().find(|scope| !SCOPES.contains(scope)) {
        return wrong(&format!("scope {unknown}"));
    }
    let state = ask.text("state");
    let mut answer = |pairs: &[(&str, &str)]| {
        redirect.query_pairs_mut().extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
        Reply::Redirect(redirect.to_string())
    };
    if knobs.deny {
        return answer(&[("error", "access_denied"), ("error_description", "User canceled the authorization"), ("state", state)]);
    }
    let wanted = knobs.business_id.as_deref();
    let Some(business) = world.businesses.iter().find(|business| wanted.is_none_or(|id| id == business.id)) else {
        return wrong("there is no business account to log in with");
    };
    let scopes: Vec<String> =
        asked.iter().filter(|scope| !knobs.untick.iter().any(|unticked| unticked == *scope)).map(|scope| (*scope).to_owned()).collect();
    let told = scopes.join(",");
    let grant = Grant { app_id: app.id.clone(), business_id: business.id.clone(), scopes };
    let code = server.tokens.lock().code(grant, redirect_uri, server.now_ms());
    answer(&[("code", &code), ("scopes", &told), ("state", state)])
}

/// `client_id` with its secret.
fn app(server: &Server, ask: &Ask) -> Result<String, Refusal> {
    server.app_with_secret(ask.needed("client_id")?, ask.needed("client_secret")?)
}

fn grant_type(ask: &Ask, wanted: &str) -> Result<(), Refusal> {
    if ask.needed("grant_type")? == wanted { Ok(()) } else { Err(Refusal::parameter(format!("grant_type: Must be {wanted}."))) }
}

pub(crate) fn exchange(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["client_id", "client_secret", "grant_type", "auth_code", "redirect_uri"])?;
    grant_type(ask, "authorization_code")?;
    let (app_id, code, redirect_uri) = (app(server, ask)?, ask.needed("auth_code")?, ask.needed("redirect_uri")?);
    let grant = server.tokens.lock().redeem(code, &app_id, redirect_uri, server.now_ms())?;
    let minted = server.mint(&grant.app_id, &grant.business_id, grant.scopes.clone());
    Ok(pair(server, &grant, &minted))
}

pub(crate) fn refresh(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["client_id", "client_secret", "grant_type", "refresh_token"])?;
    grant_type(ask, "refresh_token")?;
    let (app_id, token) = (app(server, ask)?, ask.needed("refresh_token")?);
    let (grant, minted) = server.tokens.lock().refresh(token, &app_id, server.lives(), server.now_ms())?;
    Ok(pair(server, &grant, &minted))
}

fn pair(server: &Server, grant: &Grant, minted: &Minted) -> Reply {
    let lives = server.lives();
    Reply::Data(
        json!({"access_token": minted.access_token, "token_type": "Bearer", "scope": grant.scopes.join(","), "expires_in": lives.access_s,
        "refresh_token": minted.refresh_token, "refresh_token_expires_in": lives.refresh_s, "open_id": grant.business_id}),
    )
}

pub(crate) fn revoke(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["client_id", "client_secret", "access_token"])?;
    let app_id = app(server, ask)?;
    server.tokens.lock().revoke(ask.needed("access_token")?, &app_id)?;
    Ok(Reply::Data(json!({})))
}

/// Without the secret.
pub(crate) fn token_info(server: &Server, ask: &Ask) -> Outcome {
    ask.only(&["app_id", "access_token"])?;
    let app_id = ask.needed("app_id")?;
    let tokens = server.tokens.lock();
    let grant = tokens.grant(ask.needed("access_token")?, server.now_ms())?;
    if grant.app_id != app_id {
        return Err(Refusal::of(40_105));
    }
    Ok(Reply::Data(json!({"app_id": app_id, "scope": grant.scopes.join(","), "creator_id": grant.business_id})))
}
