//! What the provider sends, and how the gateway knows that it was the provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::is_false;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    pub scope: WebhookScope,
    /// How events come. A GET that is the provider's challenge isn't one.
    #[serde(default = "by_post", skip_serializing_if = "is_by_post")]
    pub methods: Vec<WebhookMethod>,
    /// The account's URL ends with a random token, which whoever sends has to know. For `scope = "account"`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub path_token: bool,
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
    /// A GET whose query holds a text that we give back with its HMAC-SHA256.
    Hmac(HmacChallenge),
    /// A GET whose query holds a text that we give back, whoever asks.
    Echo(EchoChallenge),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacChallenge {
    /// The parameter with the text: 1 to 128 letters, digits, `-` and `_`, so that nobody has an event's body signed here.
    pub parameter: String,
    /// Name of the secret that is the key.
    pub secret: String,
    /// Other secrets: the first one that is set is the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// The members of the JSON object that is answered; `{challenge}` in them is the text and `{hmac}` its hash in hex.
    pub answer: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EchoChallenge {
    /// The parameter whose value is the answer's body.
    pub answer: String,
}

impl Challenge {
    /// The secrets that it is answered with, the first one first.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        let (secret, alternatives): (_, &[String]) = match self {
            Self::Query(challenge) => (Some(&challenge.secret), &[]),
            Self::Hmac(challenge) => (Some(&challenge.secret), &challenge.alternatives),
            Self::Echo(_) => (None, &[]),
        };
        secret.into_iter().chain(alternatives)
    }
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
    /// Whether events come by this method.
    pub fn takes(&self, method: WebhookMethod) -> bool {
        self.methods.contains(&method)
    }

    /// Bytes.
    pub fn max_body(&self) -> usize {
        usize::try_from(self.max_body_kb).unwrap_or(usize::MAX).saturating_mul(1024)
    }
}

fn default_max_body_kb() -> u32 {
    1024
}

fn by_post() -> Vec<WebhookMethod> {
    vec![WebhookMethod::Post]
}

fn is_by_post(methods: &[WebhookMethod]) -> bool {
    methods == [WebhookMethod::Post]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookMethod {
    Get,
    Post,
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
    Hmac(Box<HmacRecipe>),
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
    /// Other names that the header may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_headers: Vec<String>,
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
    /// The signature may come without its prefix too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bare: bool,
    /// Where none of the secrets is set, the token in the URL is proof enough: needs `path_token`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
    /// What is signed: text with `{body}` once and `{timestamp}` at most once. Slack: `v0:{timestamp}:{body}`.
    #[serde(default = "body_alone")]
    pub signed: String,
    /// The header with Unix seconds; needed for `{timestamp}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// The header is a list of parts, `t=1764000000,s=83930b…`, and this one has the Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_field: Option<String>,
    /// The part of such a header that has the signature; it may be there several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_field: Option<String>,
    /// Seconds that the timestamp may lie in the past or the future, 1 to 3,600; default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_s: Option<u32>,
    /// A setting of the account, or of its app, that takes the place of `tolerance_s` where it is a whole number above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_setting: Option<String>,
}

impl HmacRecipe {
    /// Seconds, by the settings of the account, or of the app.
    pub fn tolerance(&self, settings: &Map<String, Value>) -> u64 {
        let seconds = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let own = self.tolerance_setting.as_ref().and_then(|name| seconds(settings.get(name)?));
        own.filter(|seconds| *seconds > 0).unwrap_or_else(|| u64::from(self.tolerance_s.unwrap_or(300)))
    }

    /// Whether what is signed holds a time.
    pub fn is_timed(&self) -> bool {
        self.timestamp_header.is_some() || self.timestamp_field.is_some()
    }

    /// The header by all its names.
    pub fn headers(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.header).chain(&self.also_headers)
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

    /// The setting that says how old a request may be.
    pub fn tolerance_setting(&self) -> Option<&str> {
        match self {
            Self::Hmac(recipe) => recipe.tolerance_setting.as_deref(),
            Self::SecretHeader(_) | Self::None {} => None,
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
