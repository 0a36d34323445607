//! Tokens (JWT) of the operator's identity provider: signed with a shared secret (HS256), or with a key that the provider publishes
//! (RS256, ES256, EdDSA). Which algorithm a key checks is the key's own; what a token says of it only picks among the keys.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::{
    Identity,
    jwks::{Jwks, Key},
    unauthorized, verifier,
};
use crate::{
    app::App,
    clock::At,
    config::{Jwt, Rights},
    domain::{actor::Actor, key::Scope, organization},
    error::ApiError,
    secrets::Secret,
};

/// Bytes of a token.
const TOKEN_MAX: usize = 16 * 1024;
/// Characters of a subject, and of what people know it by.
const SUBJECT_MAX: usize = 200;

/// Whether a text is meant as a token: three parts with dots between. The gateway's own keys have none.
pub(super) fn is_token(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The keys that tokens are checked by, and what their claims have to say.
pub struct Tokens {
    secret: Option<DecodingKey>,
    jwks: Option<Jwks>,
    rules: Jwt,
}

impl Tokens {
    pub fn new(rules: Jwt, secret: Option<&Secret>) -> Tokens {
        verifier::install();
        Tokens {
            secret: secret.map(|secret| DecodingKey::from_secret(secret.expose().as_bytes())),
            jwks: (!rules.jwks_url.is_empty()).then(|| Jwks::new(&rules.jwks_url)),
            rules,
        }
    }

    /// Looks at the provider's keys again.
    pub(super) async fn look_again(&self, app: &App) {
        if let Some(jwks) = &self.jwks {
            jwks.look_again(app).await;
        }
    }

    /// Whose token it is. None of a role that may nothing by itself; nor, where the token says nothing of who calls (`calls` is false),
    /// of one that is of no organisation.
    ///
    /// # Errors
    /// 401 where it is no token to be believed, 503 where the provider's keys can't be had.
    pub(super) async fn identify(&self, app: &Arc<App>, text: &str, calls: bool) -> Result<Option<Identity>, ApiError> {
        if self.secret.is_none() && self.jwks.is_none() {
            return Err(bad("This gateway takes no tokens (JWT): none is configured.")
                .hint("Send an API key (pb_…); the operator configures tokens with auth.jwt.secret or auth.jwt.jwks_url."));
        }
        let header = header_of(text)?;
        let keys = self.keys_for(app, &header).await?;
        if keys.is_empty() {
            return Err(bad("No suitable key or wrong key type").details(format!(
                "The gateway has no key for the algorithm {:?}{}.",
                header.alg,
                header.kid.map(|id| format!(" by the name of “{id}”")).unwrap_or_default()
            )));
        }
        let claims = keys.iter().find_map(|key| signed_claims(text, key)).ok_or_else(|| bad("The token's signature is wrong."))?;
        self.judge(&claims, app.clock.now(), calls)
    }

    /// A shared secret is for HS256 and nothing else; a public key never is.
    async fn keys_for(&self, app: &Arc<App>, header: &Header) -> Result<Vec<Key>, ApiError> {
        match header.alg {
            Algorithm::HS256 => Ok(self.secret.iter().map(|secret| Key::of(Algorithm::HS256, secret.clone())).collect()),
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => match &self.jwks {
                Some(jwks) => jwks.find(app, header.kid.as_deref(), header.alg).await,
                None => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    /// What claims that are the provider's own words make of their bearer.
    fn judge(&self, claims: &Map<String, Value>, now: At, calls: bool) -> Result<Option<Identity>, ApiError> {
        let rules = &self.rules;
        check_times(claims, now, f64::from(rules.leeway_s))?;
        if !rules.issuer.is_empty() && claims.get("iss").and_then(Value::as_str) != Some(&rules.issuer) {
            return Err(unfit("JWT of another issuer").details("The claim iss has to be auth.jwt.issuer."));
        }
        if !rules.audience.is_empty() && !words(claims.get("aud")).any(|audience| rules.audience.iter().any(|own| own == audience)) {
            return Err(unfit("JWT not in audience").details("The claim aud has to be among auth.jwt.audience."));
        }
        let Some(role) = self.role(claims)? else { return Ok(None) };
        let organization_id = self.organization(claims)?;
        if organization_id.is_none() && !role.operates {
            if !calls {
                return Ok(None);
            }
            let names = rules.organization_claims.join(" or ");
            return Err(unfit("The token says no organisation.")
                .details(format!("It is looked for in the claim {names}."))
                .hint("Roles that are the operator's, for all organisations, are listed in auth.jwt.operator_roles."));
        }
        let Some(scope) = role.rights.scope() else { return Ok(None) };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or(&role.name);
        let name = claims.get("email").and_then(Value::as_str).filter(|email| !email.is_empty()).unwrap_or(subject);
        let short = |text: &str| text.chars().take(SUBJECT_MAX).collect::<String>();
        Ok(Some(Identity {
            id: format!("jwt:{}", short(subject)),
            actor: Actor::token(&short(subject), &short(name)),
            organization_id,
            scope,
            expires_at: None,
        }))
    }

    /// Of several roles the one that may most. None where it may nothing.
    fn role(&self, claims: &Map<String, Value>) -> Result<Option<Role>, ApiError> {
        let rules = &self.rules;
        let claimed = rules.role_claims.iter().find_map(|path| find(claims, path));
        let names: Vec<&str> = words(claimed).collect();
        let known = names.iter().filter_map(|name| Some((*name, *rules.roles.get(*name)?)));
        let best = known.max_by_key(|(name, rights)| (rights.scope().map(rank), rules.operator_roles.iter().any(|role| role == name)));
        match best {
            Some((_, Rights::None)) => Ok(None),
            Some((name, rights)) => {
                Ok(Some(Role { name: name.to_owned(), rights, operates: rules.operator_roles.iter().any(|role| role == name) }))
            }
            None if names.is_empty() => {
                Err(unfit("The token says no role.").details(format!("It is looked for in the claim {}.", rules.role_claims.join(" or "))))
            }
            None => Err(unfit("The token's role may nothing here.")
                .details(format!("It says “{}”.", names.join("”, “")))
                .hint("The operator says in auth.jwt.roles what a role may.")),
        }
    }

    fn organization(&self, claims: &Map<String, Value>) -> Result<Option<String>, ApiError> {
        let Some(claimed) = self.rules.organization_claims.iter().find_map(|path| find(claims, path)) else { return Ok(None) };
        match claimed.as_str() {
            Some(id) if organization::is_id(id) => Ok(Some(id.to_owned())),
            _ => Err(unfit("The token's organisation is none.").details(format!("It {}.", organization::ID_RULE))),
        }
    }
}

struct Role {
    name: String,
    rights: Rights,
    /// Without an organisation its bearer is the operator.
    operates: bool,
}

fn rank(scope: Scope) -> usize {
    [Scope::Read, Scope::Send, Scope::Manage, Scope::Admin].iter().filter(|lower| scope.includes(**lower)).count()
}

fn header_of(text: &str) -> Result<Header, ApiError> {
    if text.len() > TOKEN_MAX {
        return Err(bad("The token is too long.").details(format!("It has more than {TOKEN_MAX} bytes.")));
    }
    let header = decode_header(text).map_err(|error| bad("The token is no JWT that can be read.").details(error.to_string()))?;
    // Something in it has to be understood that isn't.
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(bad("The token is of a kind that isn't taken.").details("Its header has crit, enc or zip."));
    }
    Ok(header)
}

/// The claims, where the key has signed them. Times and audiences are judged by [`Tokens::judge`], at the gateway's time.
fn signed_claims(text: &str, key: &Key) -> Option<Map<String, Value>> {
    let mut rules = Validation::new(key.algorithm);
    rules.required_spec_claims.clear();
    (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
    decode::<Map<String, Value>>(text, &key.key, &rules).ok().map(|token| token.claims)
}

fn check_times(claims: &Map<String, Value>, now: At, leeway: f64) -> Result<(), ApiError> {
    let now = now.micros() as f64 / 1e6;
    let Some(expires) = time(claims, "exp")? else {
        return Err(unfit("JWT without an end").details("The claim exp is missing: a token that is good for ever is refused."));
    };
    if expires + leeway <= now {
        return Err(unfit("JWT expired").hint("Sign in again, or refresh the session."));
    }
    if time(claims, "nbf")?.is_some_and(|from| from - leeway > now) {
        return Err(unfit("JWT not yet valid"));
    }
    if time(claims, "iat")?.is_some_and(|issued| issued - leeway > now) {
        return Err(unfit("JWT issued at future").details("The clock of the gateway or of the identity provider is wrong."));
    }
    Ok(())
}

/// Seconds since 1970.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, ApiError> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_f64().map(Some).ok_or_else(|| unfit("The token's times can't be read.").details(format!("{name} is no number.")))
        }
    }
}

/// A claim by its name, or by the names on the way to it: some providers have dots in their names.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let found = claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    });
    found.filter(|value| !value.is_null())
}

/// A text, or each of several.
fn words(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let several = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(several)
}

/// A token that isn't to be believed.
fn bad(message: &str) -> ApiError {
    refused("PGRST301", message)
}

/// A token that is the provider's, and says what won't do.
fn unfit(message: &str) -> ApiError {
    refused("PGRST303", message)
}

fn refused(code: &'static str, message: &str) -> ApiError {
    let mut error = unauthorized(code, message);
    // The messages are the gateway's own, without a quote.
    if let Ok(told) = HeaderValue::try_from(format!("Bearer error=\"invalid_token\", error_description=\"{message}\"")) {
        error.headers.insert(header::WWW_AUTHENTICATE, told);
    }
    error
}

#[cfg(test)]
mod tests;
