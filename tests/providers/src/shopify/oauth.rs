//! Tokens by client credentials.

use serde_json::{Value, json};

use crate::shopify::answer::Answer;
use crate::shopify::server::{Ask, Server};
use crate::shopify::shops::Minted;

/// `POST /admin/oauth/access_token`, as JSON or a form.
pub(crate) fn mint(server: &Server, ask: &Ask) -> Answer {
    let fields = ask.fields();
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let refused = |status: u16, error: &str, words: &str| Answer::of(status, json!({"error": error, "error_description": words}));
    if text("grant_type") != "client_credentials" {
        return refused(400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server");
    }
    let (life_s, now_ms) = (server.knobs().token_life_s, server.now_ms());
    let mut world = server.world.lock();
    let Some(shop) = world.shop(&ask.shop).cloned() else { return Answer::error(404, "Not Found") };
    if shop.client_id.is_empty() || text("client_id") != shop.client_id {
        return refused(400, "application_cannot_be_found", "We couldn't find an application with that client id in this shop");
    }
    if shop.client_secret.is_empty() || text("client_secret") != shop.client_secret {
        return refused(401, "invalid_client", "Client authentication failed: the client secret is wrong");
    }
    let token = format!("shpca_standin_{:x}", server.next_number());
    world.minted.insert(token.clone(), Minted { shop: shop.domain, expires_ms: now_ms + life_s * 1000 });
    Answer::of(200, json!({"access_token": token, "scope": shop.scopes.join(","), "expires_in": life_s}))
}
