//! Who may call: tokens of an identity provider, and how often.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    domain::{key::Scope, words},
    secrets::Secret,
};

/// Characters that a shared secret has at least: as many bytes as its signatures.
const SECRET_MIN: usize = 32;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub requests_per_min: u32,
    pub failures_per_min: u32,
    pub jwt: Jwt,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    pub secret: String,
    pub secret_file: String,
    pub jwks_url: String,
    pub organization_claims: Vec<String>,
    pub role_claims: Vec<String>,
    pub roles: BTreeMap<String, Rights>,
    pub operator_roles: Vec<String>,
    pub audience: Vec<String>,
    pub issuer: String,
    pub leeway_s: u32,
}

words! {
    /// What a token's role may do.
    pub enum Rights {
        /// Nothing by itself: the public token of a project, which comes beside a user's.
        None = "none",
        Read = "read",
        Send = "send",
        Manage = "manage",
        Admin = "admin",
    }
}

impl Rights {
    /// None: nothing.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Rights::None => None,
            Rights::Read => Some(Scope::Read),
            Rights::Send => Some(Scope::Send),
            Rights::Manage => Some(Scope::Manage),
            Rights::Admin => Some(Scope::Admin),
        }
    }
}

impl Auth {
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let jwt = &self.jwt;
        if !jwt.secret.is_empty() && !jwt.secret_file.is_empty() {
            problems.push("auth.jwt: give secret or secret_file, not both".to_owned());
        }
        if !jwt.secret.is_empty() && jwt.secret.len() < SECRET_MIN {
            problems.push(format!("auth.jwt.secret: has to have {SECRET_MIN} characters at least, or it can be guessed from any token"));
        }
        if !jwt.jwks_url.is_empty()
            && !Url::parse(&jwt.jwks_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        {
            let example = "https://id.example.com/.well-known/jwks.json";
            problems.push(format!("auth.jwt.jwks_url: “{}” is no http(s) URL, like {example}", jwt.jwks_url));
        }
        for (name, paths) in [("organization_claims", &jwt.organization_claims), ("role_claims", &jwt.role_claims)] {
            if paths.is_empty() || paths.iter().any(String::is_empty) {
                problems.push(format!("auth.jwt.{name}: name at least one claim, like app_metadata.organization_id"));
            }
            // Supabase lets each user write these.
            if paths.iter().any(|path| path.split('.').next() == Some("user_metadata")) {
                problems.push(format!("auth.jwt.{name}: user_metadata is each user's own to write: it says nothing"));
            }
        }
        for role in &jwt.operator_roles {
            if jwt.roles.get(role).is_none_or(|rights| *rights == Rights::None) {
                problems.push(format!("auth.jwt.operator_roles: “{role}” may nothing by auth.jwt.roles: say there what it may"));
            }
        }
        problems
    }
}

impl Jwt {
    /// The secret that tokens may be signed with; none where there is none.
    ///
    /// # Errors
    /// Why its file can't be used.
    pub fn read_secret(&self) -> Result<Option<Secret>, String> {
        if !self.secret.is_empty() {
            return Ok(Some(Secret::from(self.secret.as_str())));
        }
        if self.secret_file.is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(Path::new(&self.secret_file))
            .map_err(|error| format!("auth.jwt.secret_file = {}: {error}", self.secret_file))?;
        let secret = Secret::from(text.trim_end_matches(['\r', '\n']));
        if secret.expose().len() < SECRET_MIN {
            return Err(format!("auth.jwt.secret_file = {}: the secret has to have {SECRET_MIN} characters at least", self.secret_file));
        }
        Ok(Some(secret))
    }
}
