//! The right to speak for the shop: a token that was typed in, or one that is minted of the app's credentials and lives for a day.

use std::cell::Cell;

use patchbay_plugin::http::{self, Request, Response};
use patchbay_plugin::{Call, Failure, Fields as _, crypto, kv, log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json::Json as _;
use crate::refusal::{self, Place};
use crate::settings::{AuthMode, Settings};

/// The secret that goes out with each request.
const TOKEN: &str = "admin_token";
const KEPT: &str = "token";
/// A token with less left than this is made anew: longer than the time between two checks of health.
const MARGIN_MS: f64 = 15.0 * 60.0 * 1000.0;

/// Seconds for which a token lives.
const DAY_S: f64 = 86_399.0;

/// What is known of the token that was minted last. The token itself is a secret of the gateway's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Minted {
    shop: String,
    client_id: String,
    expires_ms: f64,
}

#[derive(Debug)]
pub(crate) struct Access<'a> {
    call: &'a Call,
    pub(crate) settings: Settings,
    minted: Cell<bool>,
}

impl<'a> Access<'a> {
    /// Ready to speak: a token that is about to expire is made anew first.
    pub(crate) fn open(call: &'a Call) -> Result<Self, Failure> {
        let access = Self::checked(call)?;
        if access.mints() && !access.is_fresh() {
            access.mint()?;
        }
        Ok(access)
    }

    /// With a token made just now, which proves the credentials.
    pub(crate) fn anew(call: &'a Call) -> Result<Self, Failure> {
        let access = Self::checked(call)?;
        if access.mints() {
            access.mint()?;
        }
        Ok(access)
    }

    fn checked(call: &'a Call) -> Result<Self, Failure> {
        let settings = Settings::of(call)?;
        match settings.auth_mode {
            AuthMode::AdminToken if !crypto::has(TOKEN) => {
                Err(Failure::invalid("/admin_token", "is needed with auth_mode admin_token: it begins with shpat_"))
            }
            AuthMode::ClientCredentials if settings.client_id.is_none() => {
                Err(Failure::invalid("/client_id", "is needed with auth_mode client_credentials: it is in the Dev Dashboard"))
            }
            AuthMode::ClientCredentials if !crypto::has("client_secret") => {
                Err(Failure::invalid("/client_secret", "is needed with auth_mode client_credentials: it is in the Dev Dashboard"))
            }
            AuthMode::AdminToken | AuthMode::ClientCredentials => Ok(Self { call, settings, minted: Cell::new(false) }),
        }
    }

    fn mints(&self) -> bool {
        self.settings.auth_mode == AuthMode::ClientCredentials
    }

    /// Another app's token, or another shop's, is none of ours.
    fn is_fresh(&self) -> bool {
        let kept = kv::get_json::<Minted>(KEPT);
        crypto::has(TOKEN)
            && kept.is_some_and(|kept| {
                kept.shop == self.settings.shop_domain
                    && Some(&kept.client_id) == self.settings.client_id.as_ref()
                    && self.now_ms().is_some_and(|now| now + MARGIN_MS < kept.expires_ms)
            })
    }

    fn now_ms(&self) -> Option<f64> {
        self.call.extras.value("now_ms")?.parse().ok()
    }

    /// The gateway adds the client secret, and keeps the token.
    fn mint(&self) -> Result<(), Failure> {
        let client_id = self.settings.client_id.as_deref().unwrap_or_default();
        let body = json!({"client_id": client_id, "grant_type": "client_credentials"});
        let request = Request::post("token", "/admin/oauth/access_token").json(&body)?;
        // A token more does no harm.
        let response = request.header("accept", "application/json").capture("/access_token", TOKEN).repeatable().send()?;
        if !response.is_success() {
            return Err(refused(&response));
        }
        let told: Value = response.json()?;
        // The gateway has blanked it; but it was there.
        if !told.get("access_token").is_some_and(Value::is_string) {
            return Err(response.not_understood("a token was asked for, and none came").into());
        }
        self.minted.set(true);
        // Where nothing is told it is Shopify's day; a token that ends earlier is made anew when it is refused.
        let expires_in = told.number("expires_in").filter(|seconds| *seconds > 0.0).unwrap_or(DAY_S);
        if let Some(now) = self.now_ms() {
            let minted =
                Minted { shop: self.settings.shop_domain.clone(), client_id: client_id.to_owned(), expires_ms: now + expires_in * 1000.0 };
            // Without it the next call mints once more.
            if let Err(failure) = kv::set_json(KEPT, &minted, None) {
                log::warn("the token's end could not be kept", &[("failure", &failure.to_string())]);
            }
        }
        Ok(())
    }

    /// When the token ends, in milliseconds since 1970.
    pub(crate) fn expires_ms(&self) -> Option<f64> {
        kv::get_json::<Minted>(KEPT).filter(|_| self.mints()).map(|kept| kept.expires_ms)
    }

    /// Asks; where the token is refused, once more with a new one. What `request` makes must be safe to repeat.
    pub(crate) fn ask(&self, request: impl Fn() -> Result<Request, http::Error>) -> Result<Response, Failure> {
        let response = request()?.send()?;
        if response.status() != 401 || !self.mints() || self.minted.get() {
            return Ok(response);
        }
        self.mint()?;
        Ok(request()?.send()?)
    }

    /// Forgets what was minted.
    pub(crate) fn forget() {
        kv::delete(KEPT);
    }
}

/// Shopify says 400 to credentials that it doesn't take.
fn refused(response: &Response) -> Failure {
    if !matches!(response.status(), 400 | 401 | 403) {
        return refusal::of_status(Place::Admin, response);
    }
    let body: Value = serde_json::from_slice(response.bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(response.bytes());
    let told = |name: &str| body.get(name).and_then(Value::as_str);
    let code = told("error").unwrap_or("credentials_refused");
    if text.contains("shop_not_permitted") || text.contains("app_not_installed") {
        let words = "Shopify mints no token of this app for this shop: install the app in the shop, and see that both belong to the same organisation";
        return Failure::unauthorized("app_not_installed", words);
    }
    let theirs = told("error_description").map(|words| format!(": {}", refusal::bounded(words))).unwrap_or_default();
    Failure::unauthorized(code, format!("Shopify doesn't take client_id and client_secret{theirs}. Copy both from the Dev Dashboard again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::Field;
    use patchbay_plugin::testing::{self, Provider};

    const NOW_MS: f64 = 1_790_000_000_000.0;

    fn call(now_ms: f64, client_id: &str) -> Call {
        let mut call = testing::call(Some("acme.myshopify.com"), &json!({"shop_domain": "acme.myshopify.com", "client_id": client_id}));
        call.extras.push(Field::new("now_ms", now_ms.to_string()));
        call
    }

    fn mints(provider: &Provider, token: &str) {
        let answer = json!({"access_token": token, "scope": "read_customers", "expires_in": 86399});
        provider.on("POST token /admin/oauth/access_token").answer(200, &answer);
    }

    fn request() -> Result<Request, http::Error> {
        Ok(Request::post("inbox", "/x").repeatable())
    }

    #[test]
    fn a_token_is_minted_once_and_again_when_it_is_about_to_expire() {
        let provider = Provider::new();
        provider.secret("client_secret", "s");
        mints(&provider, "t1");
        let opened = |now: f64| Access::open(&call(now, "c1")).map(|access| access.minted.get());
        assert_eq!(opened(NOW_MS), Ok(true));
        assert_eq!(provider.secret_value("admin_token"), Some(b"t1".to_vec()));
        let sent = provider.requests().remove(0);
        assert_eq!(sent.json(), json!({"client_id": "c1", "grant_type": "client_credentials"}), "the gateway adds the secret");
        assert_eq!(opened(NOW_MS + 23.0 * 3_600_000.0), Ok(false));
        mints(&provider, "t2");
        assert_eq!(opened(NOW_MS + 23.9 * 3_600_000.0), Ok(true));
        assert_eq!(provider.secret_value("admin_token"), Some(b"t2".to_vec()));
        mints(&provider, "t3");
        let other = Access::open(&call(NOW_MS + 23.9 * 3_600_000.0, "c2")).map(|access| access.minted.get());
        assert_eq!(other, Ok(true), "another app's token isn't used");
    }

    #[test]
    fn an_end_may_be_text_or_untold() {
        for (answer, after_s) in [
            (json!({"access_token": "t", "expires_in": "3600"}), 3600.0),
            (json!({"access_token": "t", "scope": ""}), DAY_S),
            (json!({"access_token": "t", "expires_in": 0}), DAY_S),
        ] {
            let provider = Provider::new();
            provider.secret("client_secret", "s");
            provider.on("POST token /admin/oauth/access_token").answer(200, &answer);
            let call = call(NOW_MS, "c1");
            assert_eq!(Access::open(&call).unwrap().expires_ms(), Some(NOW_MS + after_s * 1000.0));
            assert_eq!(Access::open(&call).map(|access| access.minted.get()), Ok(false), "not with each call");
        }
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        let provider = Provider::new();
        provider.secret("client_secret", "s");
        mints(&provider, "t1");
        Access::open(&call(NOW_MS, "c1")).unwrap();
        let access_call = call(NOW_MS, "c1");
        let access = Access::open(&access_call).unwrap();
        provider.on("POST inbox /x").answer(401, &json!({}));
        mints(&provider, "t2");
        provider.on("POST inbox /x").answer(401, &json!({}));
        assert_eq!(access.ask(request).map(|response| response.status()), Ok(401));
        provider.on("POST inbox /x").answer(401, &json!({}));
        assert_eq!(access.ask(request).map(|response| response.status()), Ok(401), "and not once more");
    }

    #[test]
    fn a_typed_token_is_never_minted() {
        let provider = Provider::new();
        let call = testing::call(None, &json!({"shop_domain": "acme.myshopify.com", "auth_mode": "admin_token"}));
        assert!(matches!(Access::open(&call), Err(Failure::Invalid(problems)) if problems[0].pointer == "/admin_token"));
        provider.secret("admin_token", "shpat_1");
        let access = Access::anew(&call).unwrap();
        provider.on("POST inbox /x").answer(401, &json!({}));
        assert_eq!(access.ask(request).map(|response| response.status()), Ok(401));
        assert_eq!(access.expires_ms(), None);
    }

    #[test]
    fn credentials_that_are_refused_say_what_to_do() {
        let provider = Provider::new();
        let call = call(NOW_MS, "c1");
        assert!(matches!(Access::open(&call), Err(Failure::Invalid(problems)) if problems[0].pointer == "/client_secret"));
        provider.secret("client_secret", "s");
        let route = || provider.on("POST token /admin/oauth/access_token");
        route().answer(400, &json!({"error": "invalid_client", "error_description": "Client authentication failed"}));
        let Err(Failure::Unauthorized(detail)) = Access::open(&call) else { panic!("not unauthorized") };
        assert!(detail.code == "invalid_client" && detail.message.contains("Client authentication failed"));
        route().answer_bytes(400, "text/html", "<html>Oauth error shop_not_permitted: …</html>");
        assert!(matches!(Access::open(&call), Err(Failure::Unauthorized(detail)) if detail.code == "app_not_installed"));
        route().answer(503, &json!({}));
        assert!(matches!(Access::open(&call), Err(Failure::Unavailable(_))));
        route().answer(200, &json!({"scope": "x"}));
        assert!(matches!(Access::open(&call), Err(Failure::Unavailable(_))));
        route().broken("reset");
        assert!(matches!(Access::open(&call), Err(Failure::Unavailable(_))), "a token more does no harm");
    }
}
