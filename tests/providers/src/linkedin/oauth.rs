//! The consent page, and tokens. The page consents at once.

use axum::http::Method;
use serde_json::{Value, json};

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::Ask;
use crate::linkedin::server::{Server, missing};
use crate::linkedin::world::Grant;

const CODE_S: u64 = 30 * 60;
const ACCESS_S: u64 = 5_184_000;
const REFRESH_S: u64 = 31_536_000;
/// What an app can ask for.
const SCOPES: [&str; 10] = [
    "openid",
    "profile",
    "email",
    "w_member_social",
    "r_organization_social",
    "w_organization_social",
    "rw_organization_admin",
    "r_organization_admin",
    "r_organization_social_feed",
    "w_messages",
];

pub(crate) fn call(server: &Server, ask: &Ask, call: &str) -> Outcome {
    match (&ask.method, call) {
        (&Method::GET, "authorization") => authorize(server, ask),
        (&Method::POST, "accessToken") => Ok(exchange(server, ask)),
        (&Method::POST, "introspectToken") => Ok(introspect(server, ask)),
        (&Method::POST, "revoke") => Ok(revoke(server, ask)),
        _ => Err(missing(ask)),
    }
}

fn authorize(server: &Server, ask: &Ask) -> Outcome {
    let knobs = server.knobs();
    let mut world = server.world.lock();
    let redirect_uri = ask.query("redirect_uri").unwrap_or_default();
    // Nobody is sent to an address that may be a stranger's.
    if ask.query("client_id") != Some(world.app.client_id.as_str()) {
        return Err(Refusal::invalid("You need to pass the \"client_id\" parameter of an app that exists"));
    }
    let Ok(mut back) = url::Url::parse(redirect_uri) else {
        return Err(Refusal::invalid("You need to pass the \"redirect_uri\" parameter"));
    };
    let scopes: Vec<String> =
        ask.query("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    let unknown = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str()));
    let refused = match (ask.query("response_type"), unknown) {
        (Some("code"), None) if knobs.deny => Some(("user_cancelled_authorize", "The user cancelled the authorization".to_owned())),
        (Some("code"), None) if scopes.is_empty() => Some(("invalid_scope", "The scope parameter is missing".to_owned())),
        (Some("code"), None) => None,
        (Some("code"), Some(scope)) => {
            Some(("unauthorized_scope_error", format!("Scope \"{scope}\" is not authorized for your application")))
        }
        _ => Some(("unsupported_response_type", "response_type has to be code".to_owned())),
    };
    match refused {
        Some((error, description)) => {
            back.query_pairs_mut().append_pair("error", error).append_pair("error_description", &description);
        }
        None => {
            let code = format!("AQ-standin-code-{}", server.next_number());
            let scopes = scopes.into_iter().filter(|scope| !knobs.declined.contains(scope)).collect();
            let now = server.now_s();
            let grant = Grant { scopes, issued_s: now, expires_s: now + CODE_S, revoked: false, redirect_uri: redirect_uri.to_owned() };
            world.codes.insert(code.clone(), grant);
            back.query_pairs_mut().append_pair("code", &code);
        }
    }
    if let Some(state) = ask.query("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Ok(Reply::redirect(back.as_str()))
}

fn refused(status: u16, error: &str, description: &str) -> Reply {
    Reply::status(status).with_body(status, json!({"error": error, "error_description": description}))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// None where the app has proven who it is.
fn stranger(server: &Server, form: &[(String, String)]) -> Option<Reply> {
    let world = server.world.lock();
    if form.is_empty() {
        return Some(refused(400, "invalid_request", "A required parameter \"grant_type\" is missing"));
    }
    let known = field(form, "client_id") == world.app.client_id && field(form, "client_secret") == world.app.client_secret;
    (!known).then(|| refused(401, "invalid_client", "Client authentication failed"))
}

fn exchange(server: &Server, ask: &Ask) -> Reply {
    let form = ask.form();
    if let Some(refusal) = stranger(server, &form) {
        return refusal;
    }
    match field(&form, "grant_type") {
        "authorization_code" => {
            // Once, whatever becomes of it.
            let grant = server.world.lock().codes.remove(field(&form, "code"));
            let fits = |grant: &Grant| grant.expires_s > server.now_s() && grant.redirect_uri == field(&form, "redirect_uri");
            match grant.filter(fits) {
                Some(grant) => tokens(server, grant.scopes, None),
                None => {
                    let words = "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. Or authorization code expired. Or external member binding exists";
                    refused(400, "invalid_request", words)
                }
            }
        }
        "refresh_token" => {
            let token = field(&form, "refresh_token").to_owned();
            let grant = server.world.lock().refresh_tokens.get(&token).cloned();
            match grant.filter(|grant| !grant.revoked && grant.expires_s > server.now_s()) {
                Some(grant) => tokens(server, grant.scopes.clone(), Some((token, grant))),
                None => refused(400, "invalid_grant", "The provided authorization grant or refresh token is invalid, expired or revoked."),
            }
        }
        _ => refused(400, "unsupported_grant_type", "grant_type has to be authorization_code or refresh_token"),
    }
}

/// The refresh token's time isn't renewed: it counts down from the consent.
fn tokens(server: &Server, scopes: Vec<String>, refresh: Option<(String, Grant)>) -> Reply {
    let access_token = server.mint(scopes.clone(), ACCESS_S);
    let mut answer = json!({"access_token": access_token, "expires_in": ACCESS_S, "scope": scopes.join(","), "token_type": "Bearer"});
    let refresh = refresh.or_else(|| {
        let now = server.now_s();
        let grant = Grant { scopes, issued_s: now, expires_s: now + REFRESH_S, ..Grant::default() };
        server.knobs().refresh_tokens.then(|| (format!("AQ-standin-refresh-{}", server.next_number()), grant))
    });
    if let Some((token, grant)) = refresh {
        answer["refresh_token"] = token.as_str().into();
        answer["refresh_token_expires_in"] = grant.expires_s.saturating_sub(server.now_s()).into();
        server.world.lock().refresh_tokens.insert(token, grant);
    }
    Reply::json(answer)
}

fn introspect(server: &Server, ask: &Ask) -> Reply {
    let form = ask.form();
    if let Some(refusal) = stranger(server, &form) {
        return refusal;
    }
    let world = server.world.lock();
    let token = field(&form, "token");
    let Some(grant) = world.tokens.get(token).or_else(|| world.refresh_tokens.get(token)) else {
        return Reply::json(json!({"active": false}));
    };
    let status = match () {
        () if grant.revoked => "revoked",
        () if grant.expires_s <= server.now_s() => "expired",
        () => "active",
    };
    Reply::json(json!({"active": status == "active", "status": status, "client_id": world.app.client_id, "auth_type": "3L",
        "authorized_at": grant.issued_s, "created_at": grant.issued_s, "expires_at": grant.expires_s, "scope": grant.scopes.join(",")}))
}

fn revoke(server: &Server, ask: &Ask) -> Reply {
    let form = ask.form();
    if let Some(refusal) = stranger(server, &form) {
        return refusal;
    }
    let mut world = server.world.lock();
    let token = field(&form, "token");
    if let Some(grant) = world.tokens.get_mut(token) {
        grant.revoked = true;
    }
    if let Some(grant) = world.refresh_tokens.get_mut(token) {
        grant.revoked = true;
    }
    Reply::json(Value::Object(serde_json::Map::new()))
}

pub(crate) fn userinfo(server: &Server, caller: &Grant) -> Outcome {
    caller.need(&["openid", "profile"], "me.GET.NO_VERSION")?;
    let world = server.world.lock();
    let (given, family) = world.me.name.split_once(' ').unwrap_or((world.me.name.as_str(), ""));
    let mut told = json!({"sub": world.me.id, "name": world.me.name, "given_name": given, "family_name": family,
        "picture": "https://media.licdn.com/dms/image/me.jpg", "locale": {"country": "US", "language": "en"}});
    if caller.scopes.iter().any(|scope| scope == "email") {
        told["email"] = world.me.email.as_str().into();
        told["email_verified"] = true.into();
    }
    Ok(Reply::json(told))
}
