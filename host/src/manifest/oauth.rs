//! How the gateway gets a token for an account by OAuth, and how a provider tells that somebody took it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Manifest, Pattern};

/// One of the manifest's `[[oauth]]`: the first that fits the account's settings is followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthRecipe {
    /// Without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Where the user's browser is sent: https, with `{app:…}` and `{setting:…}` behind the host.
    pub authorize: Pattern,
    /// A setting that, where it is set, takes the place of scheme, host and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize_base_setting: Option<String>,
    /// Where a code, or a refresh token, is exchanged.
    pub token: Pattern,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_base_setting: Option<String>,
    /// Where a refresh token is exchanged, if not at `token`; the same setting takes the place of its base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Pattern>,
    /// What the provider calls the parameters of a request for a token: `code = "auth_code"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_params: BTreeMap<String, String>,
    #[serde(default)]
    pub token_body: TokenBody,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    #[serde(default = "space")]
    pub scope_separator: String,
    /// More of the authorize URL; one with a placeholder that is empty is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Pattern>,
    /// No scope is asked for where this one of `params` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_unless: Option<String>,
    /// What the provider calls the client's id on the authorize page.
    #[serde(default = "client_id")]
    pub client_id_param: String,
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Proof Key for Code Exchange, by S256.
    #[serde(default)]
    pub pkce: bool,
    /// The secret that gets the access token.
    pub access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The gateway refreshes so many seconds before the token expires, 60 to 2,592,000; without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_ahead_s: Option<u32>,
    /// The provider's codes for a refresh token that is dead, besides `invalid_grant`: a person has to authorise the account anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead_codes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    pub setting: String,
    pub equals: Value,
}

/// How a request for a token is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenBody {
    /// As the standard has it.
    #[default]
    Form,
    /// The same parameters as a JSON object of texts.
    Json,
}

/// How the gateway proves to the provider which app it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// `client_id` and `client_secret` in the form.
    #[default]
    Body,
    /// HTTP basic authentication.
    Basic,
}

/// `POST /oauth/apps/{app}/deauthorize` and `…/deletion`: a form field with a signed text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCallbacks {
    /// The form field: `base64url(signature).base64url(json)`, HMAC-SHA256 over the encoded second part.
    pub field: String,
    /// A secret from the app.
    pub secret: String,
    /// Others that will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// JSON pointer to who is meant.
    pub subject: String,
    /// Which accounts are meant: a route with `{subject}` in it.
    pub route: String,
}

impl SignedCallbacks {
    /// Every secret that a signature may be made with.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.secret).chain(&self.alternatives)
    }
}

fn space() -> String {
    " ".to_owned()
}

fn client_id() -> String {
    "client_id".to_owned()
}

impl OauthRecipe {
    fn fits(&self, settings: &Value) -> bool {
        self.when.as_ref().is_none_or(|when| settings.get(&when.setting) == Some(&when.equals))
    }

    /// Whether the gateway refreshes what it gets.
    pub fn refreshes(&self) -> bool {
        self.refresh_token.is_some() && self.refresh_ahead_s.is_some()
    }
}

impl Manifest {
    /// How an account with these settings (defaults filled in) is authorised; none where a person types its credentials in.
    pub fn oauth_recipe(&self, settings: &Value) -> Option<&OauthRecipe> {
        self.oauth.iter().find(|recipe| recipe.fits(settings))
    }

    /// The settings that say to which host credentials go. Those of an account with an app are the app's: they would tell
    /// where the operator's secret goes.
    pub fn base_settings(&self) -> impl Iterator<Item = &str> {
        let targets = self.egress.values().flat_map(|target| {
            let trusted = target.hosts_setting.as_deref().filter(|_| target.trusted_hosts);
            target.base_setting.as_deref().into_iter().chain(target.base.settings()).chain(trusted)
        });
        let recipes = self.oauth.iter().flat_map(|recipe| [&recipe.authorize_base_setting, &recipe.token_base_setting]);
        targets.chain(recipes.filter_map(|setting| setting.as_deref()))
    }
}
