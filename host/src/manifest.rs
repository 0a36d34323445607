//! What a plugin says of itself: who it is, which settings and secrets it needs, where it may go, what it can carry.
//!
//! An author writes `plugin.toml`, a JSON Schema of the settings, an icon and files for browsers; they travel inside the component as
//! one custom section, so that one file is the plugin and one digest covers it all. Reading it runs no code.
//!
//! Touches: the folder that [`Manifest::from_folder`] is given. Start at [`Manifest`], then `check.rs`, which says what
//! a manifest may hold.

pub mod asks;
mod browser;
mod capabilities;
mod check;
mod component;
mod mail;
mod oauth;
mod pattern;
mod settings;
mod target;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use browser::{BrowserFile, BrowserSpec, Piece, Slot};
pub use capabilities::{Capabilities, ContentLimits, Limits, Rates};
pub use component::{SECTION, embed};
pub use mail::{MailAuth, MailProtocol, MailSecurity, MailTarget};
pub use oauth::{ClientAuth, OauthRecipe, SignedCallbacks, TokenBody, When};
pub use pattern::{Pattern, Placeholder, PlaceholderSource};
pub use settings::FieldProblem;
pub use target::{Basic, Target, Template, TemplatePart, host_matches};
pub use webhook::{
    Challenge, EchoChallenge, Encoding, HmacAlgorithm, HmacChallenge, HmacRecipe, QueryChallenge, SecretHeader, Select, Verify,
    WebhookMethod, WebhookScope, WebhookSpec,
};

/// The newest version of `wit/` that this gateway speaks.
pub const CONTRACT: &str = patchbay_sandbox::contract::VERSION;

/// A plugin's manifest, checked: whoever holds one may rely on what `check.rs` asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower case letters, digits and hyphens; at most 40.
    pub id: String,
    /// The REST `type`, in capitals.
    #[serde(rename = "type")]
    pub channel_type: String,
    /// `x.y.z`.
    pub version: String,
    /// What people read: at most 60 characters.
    pub name: String,
    /// At most 500 characters.
    #[serde(default)]
    pub description: String,
    /// The version of `wit/` that the plugin was written for: `x.y.z`.
    pub contract: String,
    /// An SVG document of at most 32 KiB. In `plugin.toml` it is the name of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// The JSON Schema of an account's settings. In `plugin.toml` it is the name of a file.
    #[serde(rename = "settings")]
    pub settings_schema: serde_json::Value,
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSpec>,
    /// Where the plugin may go. A request names one of these.
    #[serde(default)]
    pub egress: BTreeMap<String, Target>,
    /// The account's mail servers that the plugin may use. A call names one of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mail: BTreeMap<String, MailTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSpec>,
    /// What pages in browsers may ask of an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<BrowserSpec>,
    /// How accounts are authorised; the first that fits an account's settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oauth: Vec<OauthRecipe>,
    /// How the provider tells that a person took a token back, or wants his data deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_callbacks: Option<SignedCallbacks>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polling: Option<Polling>,
    #[serde(default)]
    pub health: Health,
    pub capabilities: Capabilities,
    #[serde(default)]
    pub limits: Limits,
    #[serde(skip)]
    compiled: settings::Compiled,
}

/// A credential or key that the gateway keeps for the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSpec {
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    pub from: SecretSource,
    /// What it is: of use for `generated` and `typed`.
    #[serde(default, skip_serializing_if = "SecretKind::is_text")]
    pub kind: SecretKind,
    /// The account can't connect without it. Of use for `typed`.
    #[serde(default)]
    pub required: bool,
    /// Characters of a generated secret, 16 to 256; see [`SecretSpec::generated_length`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u16>,
    /// Which of the app's secrets it is, for `app`: `client_secret`, `webhook_secret`, `verify_token` or an extra one's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it is computed from, for `derived`: this or `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac: Option<DerivedHmac>,
    /// Text with `{app:NAME}` and `{secret:NAME}`, for `derived`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Pattern>,
    /// A person may type it in all the same, where the settings schema has a property of its name.
    #[serde(default, skip_serializing_if = "is_false")]
    pub also_typed: bool,
}

/// Lower-case hex of an HMAC-SHA256; absent while one of the two is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedHmac {
    /// The secret that is the key.
    pub key: String,
    /// The secret that is hashed.
    pub of: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl SecretSpec {
    /// Whether a person may type it in.
    pub fn is_typed(&self) -> bool {
        self.from == SecretSource::Typed || self.also_typed
    }

    /// Whether it is a grant of the provider's: what a person can take back.
    pub fn is_granted(&self) -> bool {
        matches!(self.from, SecretSource::Oauth | SecretSource::Captured)
    }

    /// Characters to generate: what the manifest asks, else 32.
    pub fn generated_length(&self) -> usize {
        self.length.map_or(32, usize::from)
    }
}

/// What a secret is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretKind {
    #[default]
    Text,
    /// A private key of P-256, for `crypto.sign` and `crypto.public-key`. Typed in as PEM (PKCS#8 or SEC 1), or as the base64url of
    /// its 32 bytes.
    Es256,
}

impl SecretKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_text(&self) -> bool {
        *self == SecretKind::Text
    }
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A person types it in: it is a property of the settings schema, taken out before the settings are stored.
    Typed,
    /// The gateway's OAuth dialogue.
    Oauth,
    /// Lifted out of a provider's response by a request's `capture`.
    Captured,
    /// Made by the gateway when the account is created.
    Generated,
    /// One of the secrets of the account's app.
    App,
    /// Computed by the gateway from others, again after each capture.
    Derived,
}

/// The plugin asks for updates instead of being told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polling {
    /// Polled only where this setting has the value `equals`; without it always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<serde_json::Value>,
    /// Milliseconds from the end of one poll to the next, 100 to 3,600,000.
    pub interval_ms: u32,
    /// A setting with the seconds, in place of `interval_ms` where it is set. The schema bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_setting: Option<String>,
}

impl Polling {
    /// Is an account with these settings (defaults filled in) to be polled?
    pub fn applies(&self, settings: &serde_json::Value) -> bool {
        match &self.setting {
            None => true,
            Some(name) => settings.get(name) == self.equals.as_ref(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Seconds between two checks of an account, 30 to 86,400.
    pub interval_s: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { interval_s: 300 }
    }
}

/// One thing that is wrong and where: `egress.api.base: names the secret "x", which [secrets] doesn't declare`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path in the manifest.
    pub path: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("can't read {path}: {source}")]
    Read { path: String, source: std::io::Error },
    /// With the line and what was expected there.
    #[error("plugin.toml: {0}")]
    Toml(String),
    #[error("{path} isn't JSON: {message}")]
    Schema { path: String, message: String },
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    #[error(
        "the component carries no manifest (custom section `{SECTION}`): build it with `patchbay plugin build`, or put its folder's in with \
         `patchbay plugin pack`"
    )]
    Missing,
    #[error("the component's manifest is malformed: {0}")]
    Malformed(String),
    #[error("the manifest has {}", listed(.0))]
    Invalid(Vec<Problem>),
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let noun = if lines.len() == 1 { "problem" } else { "problems" };
    format!("{} {noun}:\n  {}", lines.len(), lines.join("\n  "))
}

impl Manifest {
    /// Reads `plugin.toml` in a plugin's folder and the schema and icon that it names there.
    ///
    /// # Errors
    /// A file that can't be read or parsed, else everything that is wrong, at once.
    pub fn from_folder(folder: &Path) -> Result<Self, ManifestError> {
        let mut manifest = Self::parse_toml(&read(&folder.join("plugin.toml"))?)?;
        let mut problems = Vec::new();
        if let Some(path) = file_named(manifest.settings_schema.as_str(), "settings", &mut problems) {
            let path = folder.join(path);
            manifest.settings_schema = serde_json::from_str(&read(&path)?)
                .map_err(|error| ManifestError::Schema { path: path.display().to_string(), message: error.to_string() })?;
        }
        if manifest.icon.is_some()
            && let Some(path) = file_named(manifest.icon.as_deref(), "icon", &mut problems)
        {
            manifest.icon = Some(read(&folder.join(path))?);
        }
        for (name, file) in manifest.browser.iter_mut().flat_map(|browser| &mut browser.files) {
            if let Some(path) = file_named(Some(&file.file), &format!("browser.files.{name}.file"), &mut problems) {
                file.file = read(&folder.join(path))?;
            }
        }
        if !problems.is_empty() {
            return Err(ManifestError::Invalid(problems));
        }
        manifest.checked()
    }

    /// Reads the manifest out of a component's bytes. Runs no code of the component.
    ///
    /// # Errors
    /// Not a component, no manifest in it, a malformed one, else everything that is wrong with it, at once.
    pub fn from_component(component: &[u8]) -> Result<Self, ManifestError> {
        let json = component::section(component)?;
        Self::from_json(json)
    }

    /// Reads the JSON form, which is what travels in the section.
    ///
    /// # Errors
    /// As [`Manifest::from_component`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| ManifestError::Malformed(error.to_string()))?;
        manifest.checked()
    }

    fn parse_toml(text: &str) -> Result<Self, ManifestError> {
        toml::from_str(text).map_err(|error| ManifestError::Toml(error.to_string()))
    }

    /// The secrets that are a grant of the provider's, by name.
    pub fn granted_secrets(&self) -> Vec<&str> {
        self.secrets.iter().filter(|(_, spec)| spec.is_granted()).map(|(name, _)| name.as_str()).collect()
    }

    fn checked(self) -> Result<Self, ManifestError> {
        let problems = check::problems(&self);
        if problems.is_empty() { Ok(self) } else { Err(ManifestError::Invalid(problems)) }
    }
}

fn read(path: &Path) -> Result<String, ManifestError> {
    std::fs::read_to_string(path).map_err(|source| ManifestError::Read { path: path.display().to_string(), source })
}

/// The file that a field of `plugin.toml` names: one in the plugin's own folder.
fn file_named<'a>(value: Option<&'a str>, field: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
    let named = value.filter(|name| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']));
    if named.is_none() {
        problems.push(Problem { path: field.to_owned(), message: "names a file beside plugin.toml".to_owned() });
    }
    named
}

#[cfg(test)]
mod tests;
