//! A recipe with the account's and its app's values filled in: the page at the provider, and the exchange of a code or a refresh
//! token for an access token. The protocol is the crate `oauth2`'s; what providers do otherwise is made even here.

use std::{pin::Pin, time::Duration};

use axum::http::{Request, Response, StatusCode, header};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    app::App,
    apps,
    domain::provider_app::{ProviderApp, as_text},
    egress::{AskError, Egress, Scanner},
    manifest::{ClientAuth, OauthRecipe, Pattern, Placeholder, PlaceholderSource, TokenBody},
    secrets::Secret,
    store,
};

const WITHIN: Duration = Duration::from_secs(20);
/// Characters of a provider's words that are shown and kept.
const WORDS_MAX: usize = 300;
/// A value's place in a URL.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Where a token's object stands in what providers answer.
const HOLDERS: [&str; 3] = ["", "/data/0", "/data"];

/// What providers tell besides what the standard has.
#[derive(Debug, Serialize, Deserialize)]
struct Extra {
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for Extra {}

type TokenAnswer = StandardTokenResponse<Extra, BasicTokenType>;
type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A recipe as it is for one account.
pub(super) struct Registration {
    client_id: String,
    client_secret: Option<Secret>,
    authorize: Url,
    token: Url,
    refresh: Url,
    params: Vec<(String, String)>,
    recipe: OauthRecipe,
}

/// What the provider gave.
pub(super) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
    pub(super) expires_in: Option<Duration>,
    /// Of the refresh token.
    pub(super) refresh_expires_in: Option<Duration>,
}

/// Why it gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExchangeError {
    /// The provider's word for it, and what it says.
    Refused { code: String, text: String },
    /// Another try may go right.
    Unreachable(String),
    /// It can't be asked, or can't be understood.
    Malformed(String),
}

impl Registration {
    /// # Errors
    /// What is wrong with the app's or the account's settings.
    pub(super) async fn of(
        app: &App,
        recipe: &OauthRecipe,
        settings: &Value,
        provider_app: &ProviderApp,
    ) -> store::Result<Result<Registration, String>> {
        let secrets = apps::open_secrets(app, provider_app).await?;
        let client_secret = apps::field(&secrets, apps::CLIENT_SECRET).cloned();
        Ok(Registration::new(recipe, settings, provider_app, client_secret))
    }

    fn new(
        recipe: &OauthRecipe,
        settings: &Value,
        provider_app: &ProviderApp,
        client_secret: Option<Secret>,
    ) -> Result<Registration, String> {
        let value = |placeholder: &Placeholder| match placeholder.source {
            PlaceholderSource::App => provider_app.value(&placeholder.name),
            PlaceholderSource::Setting => settings.get(&placeholder.name).and_then(as_text),
            PlaceholderSource::Secret => None,
        };
        let url = |pattern: &Pattern, base_setting: &Option<String>| {
            let encoded = |placeholder: &Placeholder| value(placeholder).map(|value| utf8_percent_encode(&value, IN_URL).to_string());
            let whole = pattern.fill(encoded).ok_or_else(|| format!("a value for {pattern} isn't set"))?;
            let url = Url::parse(&whole).map_err(|error| format!("{pattern}: {error}"))?;
            let base = base_setting.as_ref().and_then(|name| settings.get(name)?.as_str()).filter(|base| !base.is_empty());
            base.map_or(Ok(url.clone()), |base| rebased(&url, base))
        };
        let params = recipe.params.iter().filter_map(|(name, pattern)| Some((name.clone(), pattern.fill(value)?))).collect();
        Ok(Registration {
            client_id: provider_app.client_id.clone(),
            client_secret,
            authorize: url(&recipe.authorize, &recipe.authorize_base_setting)?,
            token: url(&recipe.token, &recipe.token_base_setting)?,
            refresh: url(recipe.refresh.as_ref().unwrap_or(&recipe.token), &recipe.token_base_setting)?,
            params,
            recipe: recipe.clone(),
        })
    }

    /// For requests for tokens to the URL.
    fn client(&self, token: &Url, redirect_uri: &str) -> Result<Client, String> {
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(|error| format!("the redirect URL: {error}"))?;
        let client = oauth2::Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(token.clone()))
            .set_redirect_uri(redirect)
            .set_auth_type(match self.recipe.client_auth {
                ClientAuth::Body => AuthType::RequestBody,
                ClientAuth::Basic => AuthType::BasicAuth,
            });
        Ok(match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        })
    }

    /// The provider's page, where the user says yes or no.
    pub(super) fn authorize_url(&self, redirect_uri: &str, state: &str, verifier: Option<&Secret>) -> Result<Url, String> {
        let client = self.client(&self.token, redirect_uri)?;
        let mut request = client.authorize_url(|| CsrfToken::new(state.to_owned()));
        if let Some(verifier) = verifier {
            let verifier = PkceCodeVerifier::new(verifier.expose().to_owned());
            request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        }
        for (name, value) in &self.params {
            request = request.add_extra_param(name.clone(), value.clone());
        }
        let recipe = &self.recipe;
        let replaced = recipe.scopes_unless.as_ref().is_some_and(|unless| self.params.iter().any(|(name, _)| name == unless));
        if !replaced && recipe.scope_separator == " " {
            request = request.add_scopes(recipe.scopes.iter().cloned().map(Scope::new));
        } else if !replaced && !recipe.scopes.is_empty() {
            request = request.add_extra_param("scope", recipe.scopes.join(&recipe.scope_separator));
        }
        let (mut url, _) = request.url();
        if recipe.client_id_param != "client_id" {
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            let renamed = |name: &String| if name == "client_id" { recipe.client_id_param.clone() } else { name.clone() };
            url.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|(name, value)| (renamed(name), value)));
        }
        Ok(url)
    }

    /// A request for a token as the provider has it: its names, and its kind of body.
    fn written(&self, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        let recipe = &self.recipe;
        if recipe.token_params.is_empty() && recipe.token_body == TokenBody::Form {
            return request;
        }
        let param = |name: String| recipe.token_params.get(&name).cloned().unwrap_or(name);
        let pairs = url::form_urlencoded::parse(request.body()).into_owned().map(|(name, value)| (param(name), value));
        let (body, kind) = match recipe.token_body {
            TokenBody::Form => {
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (form, "application/x-www-form-urlencoded")
            }
            TokenBody::Json => {
                let object: Map<String, Value> = pairs.map(|(name, value)| (name, Value::from(value))).collect();
                (Value::Object(object).to_string(), "application/json")
            }
        };
        *request.body_mut() = body.into_bytes();
        request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        request
    }

    pub(super) async fn exchange_code(
        &self,
        egress: &Egress,
        redirect_uri: &str,
        code: &str,
        verifier: Option<&Secret>,
    ) -> Result<Tokens, ExchangeError> {
        let client = self.client(&self.token, redirect_uri).map_err(ExchangeError::Malformed)?;
        let mut request = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        if let Some(verifier) = verifier {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        }
        self.got(request.request_async(&Asking { registration: self, egress }).await)
    }

    pub(super) async fn exchange_refresh(&self, egress: &Egress, redirect_uri: &str, refresh: &Secret) -> Result<Tokens, ExchangeError> {
        let client = self.client(&self.refresh, redirect_uri).map_err(ExchangeError::Malformed)?;
        let refresh = RefreshToken::new(refresh.expose().to_owned());
        self.got(client.exchange_refresh_token(&refresh).request_async(&Asking { registration: self, egress }).await)
    }

    async fn ask(&self, egress: &Egress, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, AskError> {
        let answer = egress.ask(self.written(request), WITHIN).await?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(AskError::Unreachable(format!("the provider answers {}", status.as_u16())));
        }
        Ok(even(&answer))
    }

    fn got(&self, answer: Result<TokenAnswer, RequestTokenError<AskError, BasicErrorResponse>>) -> Result<Tokens, ExchangeError> {
        match answer {
            Ok(tokens) => Ok(Tokens {
                access: Secret::new(tokens.access_token().secret().clone()),
                refresh: tokens.refresh_token().map(|token| Secret::new(token.secret().clone())),
                expires_in: tokens.expires_in(),
                refresh_expires_in: tokens.extra_fields().refresh_token_expires_in.map(Duration::from_secs),
            }),
            Err(RequestTokenError::ServerResponse(refused)) => {
                let text = refused.error_description().cloned().unwrap_or_else(|| "The provider gave no token.".to_owned());
                // Some providers repeat what they were asked.
                let scanner = Scanner::new(self.client_secret.iter().map(|secret| ("client_secret", secret)));
                Err(ExchangeError::Refused { code: short(refused.error().as_ref()), text: short(&scanner.blank_text(text)) })
            }
            Err(RequestTokenError::Request(AskError::Unreachable(why))) => Err(ExchangeError::Unreachable(why)),
            Err(RequestTokenError::Request(AskError::Refused(why)) | RequestTokenError::Other(why)) => Err(ExchangeError::Malformed(why)),
            Err(RequestTokenError::Parse(..)) => Err(ExchangeError::Malformed("the provider's answer can't be understood".to_owned())),
        }
    }
}

/// The gateway's way out, as the crate asks for it.
struct Asking<'a> {
    registration: &'a Registration,
    egress: &'a Egress,
}

impl<'c> AsyncHttpClient<'c> for Asking<'_> {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, AskError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.registration.ask(self.egress, request))
    }
}

pub(super) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

/// The URL with another's scheme, host, port and path prefix.
fn rebased(url: &Url, base: &str) -> Result<Url, String> {
    let wrong = || "a base must be http(s)://host[:port][/path]".to_owned();
    let base = Url::parse(base).map_err(|_| wrong())?;
    let bare = base.username().is_empty() && base.password().is_none() && base.query().is_none() && base.fragment().is_none();
    if !bare || !matches!(base.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    // An operator may write the address with the beginning of the path that the recipe has anyway.
    let given = base.path().trim_end_matches('/');
    let path = url.path().strip_prefix(given).filter(|rest| !given.is_empty() && rest.starts_with('/')).unwrap_or(url.path());
    Url::parse(&format!("{}{path}{query}", base.as_str().trim_end_matches('/'))).map_err(|_| wrong())
}

/// A provider's answer as the standard has it: a token at the top with its type, or an error in words.
fn even(answer: &Response<Vec<u8>>) -> Response<Vec<u8>> {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let token = if answer.status().is_success() { HOLDERS.iter().find_map(|holder| token(body.pointer(holder)?)) } else { None };
    let (status, body) = match token {
        Some(token) => (StatusCode::OK, token),
        None => (StatusCode::BAD_REQUEST, refusal(&body, answer.status())),
    };
    let mut even = Response::new(body.to_string().into_bytes());
    *even.status_mut() = status;
    even.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    even
}

fn token(holder: &Value) -> Option<Value> {
    let text = |name: &str| holder.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut token = Map::new();
    token.insert("access_token".to_owned(), json!(text("access_token")?));
    token.insert("token_type".to_owned(), json!(text("token_type").unwrap_or("bearer")));
    if let Some(refresh) = text("refresh_token") {
        token.insert("refresh_token".to_owned(), json!(refresh));
    }
    let seconds = |name: &str| {
        let seconds: Option<u64> = holder.get(name).and_then(|span| span.as_u64().or_else(|| span.as_str()?.parse().ok()));
        seconds.filter(|seconds| *seconds > 0)
    };
    if let Some(seconds) = seconds("expires_in") {
        token.insert("expires_in".to_owned(), json!(seconds));
    }
    if let Some(seconds) = seconds("refresh_token_expires_in").or_else(|| seconds("refresh_expires_in")) {
        token.insert("refresh_token_expires_in".to_owned(), json!(seconds));
    }
    Some(Value::Object(token))
}

fn refusal(body: &Value, status: StatusCode) -> Value {
    let text = |pointers: &[&str]| pointers.iter().find_map(|pointer| body.pointer(pointer).and_then(as_text));
    let code = text(&["/error", "/error/type", "/error/code", "/error_type", "/code"]);
    let words = text(&["/error_description", "/error/message", "/error_message", "/message"]);
    json!({
        "error": code.unwrap_or_else(|| format!("http_{}", status.as_u16())),
        "error_description": words.unwrap_or_else(|| format!("The provider answered {} without a token.", status.as_u16())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::At;

    fn recipe(more: &Value) -> OauthRecipe {
        let mut recipe = json!({
            "authorize": "https://login.example.com/{setting:version}/dialog", "authorize_base_setting": "login_base",
            "token": "https://api.example.com/{setting:version}/token", "scopes": ["read", "write"], "access_token": "token",
        });
        recipe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(recipe).unwrap()
    }

    fn registration(recipe: &OauthRecipe, settings: &Value, of_app: &Value) -> Result<Registration, String> {
        let provider_app = ProviderApp {
            id: "app".to_owned(),
            name: "App".to_owned(),
            types: Vec::new(),
            client_id: "77".to_owned(),
            settings: of_app.as_object().unwrap().clone(),
            data_key: Vec::new(),
            created_at: At::from_micros(0),
            updated_at: At::from_micros(0),
        };
        Registration::new(recipe, settings, &provider_app, Some(Secret::from("hunter2-hunter2")))
    }

    fn authorize(recipe: &OauthRecipe, settings: &Value, of_app: &Value, verifier: Option<&Secret>) -> (String, Vec<(String, String)>) {
        let url = registration(recipe, settings, of_app).unwrap();
        let url = url.authorize_url("https://gw.example/oauth/callback", "st", verifier).unwrap();
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        pairs.sort();
        (url[..url::Position::AfterPath].to_owned(), pairs)
    }

    fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
        pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_providers_page_gets_what_the_standard_asks() {
        let (page, pairs) = authorize(&recipe(&json!({})), &json!({"version": "v1.0"}), &json!({}), None);
        assert_eq!(page, "https://login.example.com/v1.0/dialog");
        let right = [
            ("client_id", "77"),
            ("redirect_uri", "https://gw.example/oauth/callback"),
            ("response_type", "code"),
            ("scope", "read write"),
            ("state", "st"),
        ];
        assert_eq!(pairs, right.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_recipe_bends_what_a_provider_has_otherwise() {
        let recipe = recipe(&json!({"scope_separator": ",", "client_id_param": "client_key", "pkce": true,
            "params": {"config_id": "{app:config_id}", "prompt": "consent"}, "scopes_unless": "config_id"}));
        let settings = json!({"version": "v1", "login_base": "http://127.0.0.1:9/base/"});
        let verifier = Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let (page, pairs) = authorize(&recipe, &settings, &json!({}), Some(&verifier));
        assert_eq!(page, "http://127.0.0.1:9/base/v1/dialog");
        assert_eq!(value(&pairs, "scope"), Some("read,write"));
        assert_eq!((value(&pairs, "client_key"), value(&pairs, "client_id")), (Some("77"), None));
        assert_eq!((value(&pairs, "prompt"), value(&pairs, "config_id")), (Some("consent"), None));
        // RFC 7636, appendix B.
        assert_eq!(value(&pairs, "code_challenge"), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        let (_, pairs) = authorize(&recipe, &settings, &json!({"config_id": 5}), None);
        assert_eq!((value(&pairs, "config_id"), value(&pairs, "scope")), (Some("5"), None));
    }

    #[test]
    fn a_path_that_the_setting_has_already_is_not_there_twice() {
        let url = Url::parse("https://api.example.com/open/v1/token/").unwrap();
        let rebased = |base: &str| rebased(&url, base).unwrap().to_string();
        assert_eq!(rebased("http://127.0.0.1:9/"), "http://127.0.0.1:9/open/v1/token/");
        assert_eq!(rebased("http://127.0.0.1:9/open/v1"), "http://127.0.0.1:9/open/v1/token/");
        assert_eq!(rebased("http://127.0.0.1:9/proxy"), "http://127.0.0.1:9/proxy/open/v1/token/");
    }

    #[test]
    fn a_value_never_leaves_its_place_in_the_url() {
        let (page, _) = authorize(&recipe(&json!({})), &json!({"version": "v1/../x?y#z"}), &json!({}), None);
        assert_eq!(page, "https://login.example.com/v1%2F..%2Fx%3Fy%23z/dialog");
        assert!(registration(&recipe(&json!({})), &json!({}), &json!({})).is_err(), "a value is missing");
        assert!(registration(&recipe(&json!({})), &json!({"version": "1", "login_base": "file:///x"}), &json!({})).is_err());
    }

    fn evened(status: u16, body: &str) -> (u16, Value) {
        let mut answer = Response::new(body.as_bytes().to_vec());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        let even = even(&answer);
        (even.status().as_u16(), serde_json::from_slice(even.body()).unwrap())
    }

    #[test]
    fn a_token_is_found_wherever_providers_put_it() {
        let plain = json!({"access_token": "T", "token_type": "bearer"});
        for body in [
            r#"{"access_token":"T"}"#,
            r#"{"data":[{"access_token":"T","permissions":"a,b"}]}"#,
            r#"{"data":{"access_token":"T","expires_in":0},"message":"ok"}"#,
        ] {
            assert_eq!(evened(200, body), (200, plain.clone()), "{body}");
        }
        let whole = evened(200, r#"{"access_token":"T","token_type":"Bearer","expires_in":"5183944","refresh_token":"R"}"#).1;
        assert_eq!(whole, json!({"access_token": "T", "token_type": "Bearer", "expires_in": 5_183_944, "refresh_token": "R"}));
    }

    #[test]
    fn a_refusal_is_told_in_one_form() {
        for (status, body, code, words) in [
            (400, r#"{"error":"invalid_grant","error_description":"Used."}"#, "invalid_grant", "Used."),
            (400, r#"{"error":{"message":"Wrong redirect","type":"AuthFault","code":100}}"#, "AuthFault", "Wrong redirect"),
            (400, r#"{"error_type":"AuthFault","code":400,"error_message":"No."}"#, "AuthFault", "No."),
            (200, r#"{"error":"access_denied"}"#, "access_denied", "The provider answered 200 without a token."),
            (200, r#"{"code":40105,"message":"Token is dead.","request_id":"r"}"#, "40105", "Token is dead."),
            (401, "<html>", "http_401", "The provider answered 401 without a token."),
            (200, r#"{"access_token":""}"#, "http_200", "The provider answered 200 without a token."),
        ] {
            assert_eq!(evened(status, body), (400, json!({"error": code, "error_description": words})), "{body}");
        }
    }

    #[test]
    fn the_life_of_a_refresh_token_is_told_by_either_name() {
        for name in ["refresh_token_expires_in", "refresh_expires_in"] {
            let whole = evened(200, &format!(r#"{{"code":0,"data":{{"access_token":"T","refresh_token":"R","{name}":31536000}}}}"#)).1;
            assert_eq!(whole["refresh_token_expires_in"], json!(31_536_000), "{name}");
        }
    }

    #[test]
    fn a_request_for_a_token_is_written_as_the_provider_has_it() {
        let written = |more: &Value| {
            let registration = registration(&recipe(more), &json!({"version": "1"}), &json!({})).unwrap();
            let request = Request::post("https://api.example.com/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let request = request.body(b"grant_type=authorization_code&code=a%26b&client_id=77".to_vec()).unwrap();
            let written = registration.written(request);
            let kind = written.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            (kind, String::from_utf8(written.into_body()).unwrap())
        };
        let form = "application/x-www-form-urlencoded".to_owned();
        let plain = "grant_type=authorization_code&code=a%26b&client_id=77".to_owned();
        assert_eq!(written(&json!({"client_id_param": "client_key"})), (form.clone(), plain), "that name is the authorize page's");
        let renamed = "grant_type=authorization_code&auth_code=a%26b&client_id=77".to_owned();
        assert_eq!(written(&json!({"token_params": {"code": "auth_code"}})), (form, renamed));
        let (kind, body) = written(&json!({"token_params": {"code": "auth_code"}, "token_body": "json"}));
        assert_eq!(kind, "application/json");
        let object = json!({"grant_type": "authorization_code", "auth_code": "a&b", "client_id": "77"});
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), object);
    }

    #[test]
    fn a_refresh_may_have_an_address_of_its_own() {
        let urls = |more: &Value, settings: &Value| {
            let registration = registration(&recipe(more), settings, &json!({})).unwrap();
            (registration.token.to_string(), registration.refresh.to_string())
        };
        let token = "https://api.example.com/v1/token".to_owned();
        assert_eq!(urls(&json!({}), &json!({"version": "v1"})), (token.clone(), token.clone()));
        let more = json!({"refresh": "https://api.example.com/{setting:version}/refresh/", "token_base_setting": "base"});
        assert_eq!(urls(&more, &json!({"version": "v1"})), (token, "https://api.example.com/v1/refresh/".to_owned()));
        let there = urls(&more, &json!({"version": "v1", "base": "http://127.0.0.1:9"}));
        assert_eq!(there, ("http://127.0.0.1:9/v1/token".to_owned(), "http://127.0.0.1:9/v1/refresh/".to_owned()));
    }
}
