//! Logging in: the dialogs, and codes and tokens changed for tokens.

use axum::http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::meta::accounts::App;
use crate::meta::answer::{GraphError, Outcome, Reply};
use crate::meta::ask::Ask;
use crate::meta::server::Server;
use crate::meta::tokens::{LONG_S, SHORT_S, Token, TokenKind};
use crate::meta::world::World;

/// Seconds that a code can be changed for a token.
const CODE_S: u64 = 600;
const DAY_S: u64 = 24 * 3600;

/// The assets that the person leaves ticked; none is all there are.
pub(crate) fn ticked(world: &World) -> Option<Vec<String>> {
    let consent = &world.consent;
    if consent.all_assets && consent.untick.is_empty() {
        return None;
    }
    let user = consent.user.as_ref().map_or_else(|| world.users.first(), |id| world.users.iter().find(|user| user.id == *id));
    let has = |id: &String| user.is_none_or(|user| user.assets.is_empty() || user.assets.contains(id));
    let ids = world.wabas.iter().map(|waba| &waba.id);
    let ids = ids.chain(world.pages.iter().map(|page| &page.id)).chain(world.instagrams.iter().map(|instagram| &instagram.id));
    let ids = ids.chain(world.businesses.iter().map(|business| &business.id));
    Some(ids.filter(|id| has(id) && !consent.untick.contains(id)).cloned().collect())
}

/// `www.facebook.com/{version}/dialog/oauth`: the person consents at once, as they were told to.
pub(crate) fn facebook_dialog(server: &Server, ask: &Ask) -> Outcome {
    let world = server.world.lock();
    let app = world.app(&ask.params.needed("client_id")?).cloned();
    let app = app.ok_or_else(|| GraphError::of(101).saying("Invalid App ID: The provided app ID does not look like a valid app ID."))?;
    let redirect = redirect(&app, ask)?;
    if world.consent.deny {
        return back(
            redirect,
            &world,
            ask,
            &[
                ("error", "access_denied"),
                ("error_code", "200"),
                ("error_description", "Permissions error"),
                ("error_reason", "user_denied"),
            ],
        );
    }
    let config_id = ask.params.text("config_id");
    let config = world.configs.iter().find(|config| config.id == config_id);
    if !config_id.is_empty() && config.is_none() {
        return Err(GraphError::of(100).saying("Invalid config_id: The configuration doesn't exist for this app."));
    }
    let asked = config.map_or_else(|| ask.params.list("scope"), |config| config.scopes.clone());
    let (declined, scopes): (Vec<_>, Vec<_>) = asked.into_iter().partition(|scope| world.consent.decline.contains(scope));
    let user = world.consent.user.clone().or_else(|| world.users.first().map(|user| user.id.clone())).unwrap_or_default();
    let system = config.is_some_and(|config| config.system_user);
    let lives_s = config.filter(|_| system).map_or(SHORT_S, |config| config.lives_s);
    let now = server.now_s();
    let token = Token {
        kind: if system { TokenKind::SystemUser } else { TokenKind::User },
        app: app.id,
        user,
        scopes,
        declined,
        assets: ticked(&world),
        issued_at: now,
        expires_at: if lives_s == 0 { 0 } else { now + lives_s },
        long: system,
        ..Token::default()
    };
    let code = server.tokens.lock().code(Some(ask.params.text("redirect_uri")), token);
    back(redirect, &world, ask, &[("code", &code)]).map(|reply| with_fragment(reply, "#_=_"))
}

/// `www.instagram.com/oauth/authorize`.
pub(crate) fn instagram_dialog(server: &Server, ask: &Ask) -> Outcome {
    let world = server.world.lock();
    let client_id = ask.params.needed("client_id")?;
    let app = world.apps.iter().find(|app| app.instagram_app_id == client_id).cloned();
    let app = app.ok_or_else(|| GraphError::of(101).saying("Invalid platform app"))?;
    let redirect = redirect(&app, ask)?;
    if world.consent.deny {
        let denied = [("error", "access_denied"), ("error_reason", "user_denied"), ("error_description", "The user denied your request")];
        return back(redirect, &world, ask, &denied);
    }
    let account = world.consent.instagram.as_ref().map_or_else(|| world.instagrams.first(), |id| world.instagram(id));
    let account = account.ok_or_else(|| GraphError::of(100).saying("No Instagram account to log in with"))?;
    let (declined, scopes): (Vec<_>, Vec<_>) =
        ask.params.list("scope").into_iter().partition(|scope| world.consent.decline.contains(scope));
    let now = server.now_s();
    let token = Token {
        kind: TokenKind::Instagram,
        app: app.id,
        user: account.scoped_id.clone(),
        profile: account.id.clone(),
        scopes,
        declined,
        issued_at: now,
        expires_at: now + SHORT_S,
        ..Token::default()
    };
    let code = server.tokens.lock().code(Some(ask.params.text("redirect_uri")), token);
    back(redirect, &world, ask, &[("code", &code)]).map(|reply| with_fragment(reply, "#_"))
}

fn redirect(app: &App, ask: &Ask) -> Result<Url, GraphError> {
    let uri = ask.params.needed("redirect_uri")?;
    let blocked = || {
        GraphError::of(191)
            .saying("URL Blocked: This redirect failed because the redirect URI is not whitelisted in the app's client OAuth settings.")
    };
    if !app.redirect_uris.is_empty() && !app.redirect_uris.contains(&uri) {
        return Err(blocked());
    }
    let response_type = ask.params.text("response_type");
    if !response_type.is_empty() && response_type != "code" {
        return Err(GraphError::of(100).saying("(#100) response_type must be code"));
    }
    Url::parse(&uri).map_err(|_| blocked())
}

fn back(mut redirect: Url, world: &World, ask: &Ask, pairs: &[(&str, &str)]) -> Outcome {
    redirect.query_pairs_mut().extend_pairs(pairs);
    let state = world.consent.state.clone().unwrap_or_else(|| ask.params.text("state"));
    if !state.is_empty() {
        redirect.query_pairs_mut().append_pair("state", &state);
    }
    Ok(Reply::Redirect(redirect.into()))
}

fn with_fragment(reply: Reply, fragment: &str) -> Reply {
    match reply {
        Reply::Redirect(url) => Reply::Redirect(url + fragment),
        other => other,
    }
}

/// One path, two hosts: `api.instagram.com` has no versions and knows its own client ids.
pub(crate) fn access_token(server: &Server, ask: &Ask) -> Outcome {
    let client_id = ask.params.text("client_id");
    let by_instagram =
        !ask.versioned && server.world.lock().apps.iter().any(|app| app.instagram_app_id == client_id && app.id != client_id);
    if by_instagram {
        return instagram_code(server, ask);
    }
    let app = client(server, ask)?;
    match ask.params.text("grant_type").as_str() {
        "" | "authorization_code" => {
            let token = change_code(server, ask, &app.id)?;
            Ok(told(&token, server.now_s()))
        }
        "fb_exchange_token" => {
            let text = ask.params.needed("fb_exchange_token")?;
            let world = server.world.lock();
            let token = server.tokens.lock().authenticate(&text, &world, server.now_s())?;
            drop(world);
            if token.app != app.id {
                return Err(
                    GraphError::of(190).saying("Error validating access token: The access token does not belong to this application.")
                );
            }
            let now = server.now_s();
            let lives = if token.kind == TokenKind::SystemUser && token.expires_at == 0 { 0 } else { now + LONG_S };
            let token = server.tokens.lock().mint(Token { issued_at: now, expires_at: lives, long: true, ..token });
            Ok(told(&token, now))
        }
        "client_credentials" => Ok(json!({"access_token": format!("{}|{}", app.id, app.secret), "token_type": "bearer"}).into()),
        other => Err(GraphError::of(100).saying(format!("(#100) Unsupported grant_type {other}"))),
    }
}

fn client(server: &Server, ask: &Ask) -> Result<App, GraphError> {
    let world = server.world.lock();
    let client_id = ask.params.text("client_id");
    if client_id.is_empty() {
        return Err(GraphError::of(101).saying("Missing client_id parameter."));
    }
    let unknown = "Error validating application. Cannot get application info due to a system error.";
    let app = world.app(&client_id).ok_or_else(|| GraphError::of(101).saying(unknown))?;
    if ask.params.text("client_secret") != app.secret {
        return Err(GraphError::of(1).saying("Error validating client secret.").status(400));
    }
    Ok(app.clone())
}

/// Single use, byte-identical `redirect_uri`, ten minutes.
fn change_code(server: &Server, ask: &Ask, app: &str) -> Result<Token, GraphError> {
    let text = ask.params.needed("code")?;
    let mut tokens = server.tokens.lock();
    let found = tokens.codes.get_mut(&text).filter(|code| code.token.app == app);
    let Some(code) = found else { return Err(GraphError::sub(100, 36_007)) };
    if code.used {
        return Err(GraphError::sub(100, 36_009));
    }
    if code.token.issued_at + CODE_S < server.now_s() {
        return Err(GraphError::sub(100, 36_007).saying("This authorization code has expired."));
    }
    let given = ask.params.text("redirect_uri");
    // Codes of the JavaScript SDK have none; an empty one will do.
    let identical = code.redirect_uri.as_deref().unwrap_or_default() == given;
    if !identical {
        return Err(GraphError::sub(100, 36_008));
    }
    code.used = true;
    let token = code.token.clone();
    Ok(tokens.mint(token))
}

fn told(token: &Token, now_s: u64) -> Reply {
    let mut answer = json!({"access_token": token.token, "token_type": "bearer"});
    if token.expires_at > 0 {
        answer["expires_in"] = token.expires_at.saturating_sub(now_s).into();
    }
    answer.into()
}

/// `POST https://api.instagram.com/oauth/access_token`, a form and nothing else.
fn instagram_code(server: &Server, ask: &Ask) -> Outcome {
    if ask.method != Method::POST {
        return Err(GraphError::of(100).saying("Unsupported request - method type: get").kind("IGApiException"));
    }
    if !ask.params.form {
        return Err(GraphError::of(100).saying("Missing required field client_id").kind("IGApiException"));
    }
    if ask.params.text("grant_type") != "authorization_code" {
        return Err(GraphError::of(100).saying("Invalid grant_type").kind("IGApiException"));
    }
    let client_id = ask.params.text("client_id");
    let app = server.world.lock().apps.iter().find(|app| app.instagram_app_id == client_id).cloned().ok_or_else(|| GraphError::of(101))?;
    if ask.params.text("client_secret") != app.instagram_secret {
        return Err(GraphError::of(1).saying("Error validating client secret.").status(400));
    }
    let token = change_code(server, ask, &app.id)?;
    let knobs = server.knobs();
    let permissions = if knobs.permissions_text { Value::from(token.scopes.join(",")) } else { token.scopes.clone().into() };
    let user_id = token.profile.parse::<u64>().map_or_else(|_| Value::from(token.profile.clone()), Value::from);
    let answer = json!({"access_token": token.token, "user_id": user_id, "permissions": permissions});
    Ok(if knobs.wrapped_token { json!({"data": [answer]}) } else { answer }.into())
}

fn instagram_token(server: &Server, ask: &Ask) -> Result<Token, GraphError> {
    let text = ask.token.clone().ok_or_else(|| GraphError::of(190).saying("Invalid OAuth 2.0 Access Token"))?;
    let world = server.world.lock();
    let token = server.tokens.lock().authenticate(&text, &world, server.now_s())?;
    if token.kind == TokenKind::Instagram { Ok(token) } else { Err(GraphError::of(190)) }
}

/// A token of an hour for one of sixty days.
pub(crate) fn instagram_exchange(server: &Server, ask: &Ask) -> Outcome {
    if ask.params.text("grant_type") != "ig_exchange_token" {
        return Err(GraphError::of(100).saying("Unsupported request - method type: get").kind("IGApiException"));
    }
    let token = instagram_token(server, ask)?;
    let secret = server.world.lock().app(&token.app).map(|app| app.instagram_secret.clone()).unwrap_or_default();
    if ask.params.text("client_secret") != secret {
        return Err(GraphError::of(1).saying("Error validating client secret.").status(400));
    }
    if token.long {
        return Err(GraphError::of(100).saying("The access token is long-lived already").kind("IGApiException"));
    }
    Ok(prolonged(server, token))
}

/// Sixty days more, for a long-lived token of a day or older.
pub(crate) fn instagram_refresh(server: &Server, ask: &Ask) -> Outcome {
    if ask.params.text("grant_type") != "ig_refresh_token" {
        return Err(GraphError::of(100).saying("Unsupported request - method type: get").kind("IGApiException"));
    }
    let token = instagram_token(server, ask)?;
    if !token.long || token.issued_at + DAY_S > server.now_s() {
        return Err(GraphError::of(100)
            .saying("The access token can't be refreshed: it has to be long-lived and at least 24 hours old")
            .kind("IGApiException"));
    }
    if !token.may("instagram_business_basic") {
        return Err(GraphError::of(10));
    }
    Ok(prolonged(server, token))
}

fn prolonged(server: &Server, token: Token) -> Reply {
    let now = server.now_s();
    let token = server.tokens.lock().mint(Token { issued_at: now, expires_at: now + LONG_S, long: true, ..token });
    told(&token, now)
}

/// 200 for tokens that are not valid, too.
pub(crate) fn debug(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller(server)?;
    let input = ask.params.needed("input_token")?;
    let world = server.world.lock();
    let tokens = server.tokens.lock();
    if tokens.find(&input).is_some_and(|token| token.app != caller.app) {
        return Err(GraphError::of(100).saying("(#100) The App_id in the input_token did not match the Viewing App"));
    }
    Ok(json!({"data": tokens.debug(&input, &world, server.now_s())}).into())
}
