//! What the provider sends, and how the gateway knows that it was the provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    pub scope: WebhookScope,
    /// KiB, 1 to 8,192: a larger request is answered 413.
    #[serde(default = "default_max_body_kb")]
    pub max_body_kb: u32,
    /// Of an app that serves several types: which requests are this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    pub verify: Verify,
    /// How the provider asks whether the URL is ours, before it sends anything there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

/// A request is this type's where its JSON body has that value at that place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// JSON pointer.
    pub pointer: String,
    pub equals: Value,
}

impl Select {
    pub fn fits(&self, body: &Value) -> bool {
        body.pointer(&self.pointer) == Some(&self.equals)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Challenge {
    /// A GET whose query holds a token that we know and a text that we give back.
    Query(QueryChallenge),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryChallenge {
    /// Parameters and the values that they have to have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, String>,
    /// The parameter with the token.
    pub token: String,
    /// Name of the secret that the token has to equal.
    pub secret: String,
    /// The parameter whose value is the answer's body.
    pub answer: String,
}

impl WebhookSpec {
    /// Bytes.
    pub fn max_body(&self) -> usize {
        usize::try_from(self.max_body_kb).unwrap_or(usize::MAX).saturating_mul(1024)
    }
}

fn default_max_body_kb() -> u32 {
    1024
}

/// Whose URL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookScope {
    /// Each account has a URL of its own.
    Account,
    /// One URL of the operator's app serves many accounts; each event tells its own.
    App,
}

/// How a request proves where it comes from; checked over the raw bytes before any code of the plugin runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verify {
    /// A header holds the secret itself.
    SecretHeader(SecretHeader),
    /// A header holds a keyed hash of the body (Slack, Standard Webhooks).
    Hmac(HmacRecipe),
    /// The provider proves nothing; the account's URL is the only secret.
    None {},
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretHeader {
    pub header: String,
    /// Name of the secret.
    pub secret: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacRecipe {
    /// The header with the signature.
    pub header: String,
    /// Name of the secret that is the key.
    pub secret: String,
    /// Other secrets that will do; one that isn't set is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    #[serde(default)]
    pub algorithm: HmacAlgorithm,
    #[serde(default)]
    pub encoding: Encoding,
    /// Stands before the signature in the header: `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// What is signed: text with `{body}` once and `{timestamp}` at most once. Slack: `v0:{timestamp}:{body}`.
    #[serde(default = "body_alone")]
    pub signed: String,
    /// The header with Unix seconds; needed for `{timestamp}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// Seconds that the timestamp may lie in the past or the future, 1 to 3,600; default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_s: Option<u32>,
}

impl HmacRecipe {
    /// Seconds.
    pub fn tolerance(&self) -> u32 {
        self.tolerance_s.unwrap_or(300)
    }
}

fn body_alone() -> String {
    "{body}".to_owned()
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HmacAlgorithm {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

impl Verify {
    /// The secret that the recipe needs.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::SecretHeader(recipe) => Some(&recipe.secret),
            Self::Hmac(recipe) => Some(&recipe.secret),
            Self::None {} => None,
        }
    }

    /// Other secrets that will do.
    pub fn alternatives(&self) -> &[String] {
        match self {
            Self::Hmac(recipe) => &recipe.alternatives,
            Self::SecretHeader(_) | Self::None {} => &[],
        }
    }

    /// The name that a plugin reads in `webhook.verified-by`.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::SecretHeader(_) => Some("secret-header"),
            Self::Hmac(_) => Some("hmac"),
            Self::None {} => None,
        }
    }
}
