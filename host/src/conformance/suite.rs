//! What a plugin's folder holds for the checks: `conformance.json`, `conformance-*.json` where accounts are of several kinds, and
//! `fixtures/*.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::failure::FailureClass;

/// Nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    #[error("{path}: {source}")]
    Read { path: String, source: std::io::Error },
    /// With the place in the file.
    #[error("{path}: {message}")]
    Malformed { path: String, message: String },
    #[error(transparent)]
    Manifest(#[from] crate::manifest::ManifestError),
    #[error("the component can't run: {0}")]
    Component(String),
}

/// `conformance.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    pub(super) settings: SettingsCases,
    pub(super) account: AccountScript,
    pub(super) connect: ConnectScript,
    pub(super) health: HealthScript,
    pub(super) send: SendScript,
    #[serde(default)]
    pub(super) errors: Vec<ErrorCase>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsCases {
    pub(super) good: Vec<GoodSettings>,
    pub(super) bad: Vec<BadSettings>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoodSettings {
    pub(super) about: String,
    pub(super) settings: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BadSettings {
    pub(super) about: String,
    pub(super) settings: Map<String, Value>,
    /// The field that has to be named, or one above it.
    pub(super) pointer: String,
}

/// Whose calls they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountScript {
    pub(super) external_id: Option<String>,
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
    /// Everything that the gateway would keep, by the names of the manifest.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) app: Option<AppScript>,
    /// The recipient's devices, where the plugin's messages go to these.
    #[serde(default)]
    pub(super) subscriptions: Vec<SubscriptionScript>,
}

/// A device that takes notifications.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionScript {
    pub(super) id: String,
    pub(super) endpoint: String,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, String>,
}

/// The account's app at the provider.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppScript {
    pub(super) client_id: String,
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectScript {
    #[serde(default)]
    pub(super) answers: Vec<Scripted>,
    /// What the user chooses where the plugin asks.
    #[serde(default)]
    pub(super) choose: BTreeMap<String, String>,
    pub(super) external_id: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthScript {
    #[serde(default)]
    pub(super) answers: Vec<Scripted>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendScript {
    /// As in `POST /rest/v1/messages`, without the account.
    pub(super) message: Map<String, Value>,
    #[serde(default)]
    pub(super) answers: Vec<Scripted>,
    /// What the provider calls the message.
    pub(super) external_id: Option<String>,
    /// The provider knows the message by our id and takes it once: what broke may be sent again.
    #[serde(default)]
    pub(super) repeatable: bool,
}

/// One of the provider's errors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorCase {
    pub(super) about: String,
    /// Which answer of the script it takes the place of; without it nothing is asked of the provider.
    pub(super) on: Option<String>,
    #[serde(default)]
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: Value,
    pub(super) failure: FailureClass,
    pub(super) retry_after_ms: Option<u64>,
    /// In place of the message that is sent.
    pub(super) message: Option<Map<String, Value>>,
    /// In place of the script.
    pub(super) answers: Option<Vec<Scripted>>,
}

/// An answer of the provider's, to one request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scripted {
    /// Method, target and path: `POST api /messages`.
    pub(super) on: String,
    #[serde(default = "ok")]
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// JSON, or a string as it is; `{webhook_url}` in it is the address that the account's webhooks go to.
    #[serde(default)]
    pub(super) body: Value,
}

fn ok() -> u16 {
    200
}

/// A webhook with what is expected of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fixture {
    #[serde(skip)]
    pub(super) name: String,
    pub(super) body: Value,
    pub(super) method: Option<String>,
    /// Which of the calls of a page it is.
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) expected: Value,
}

impl Fixture {
    pub(super) fn body(&self) -> Vec<u8> {
        bytes(&self.body)
    }

    /// The dedupe keys that are expected, in order; none where the fixture is to be refused.
    pub(super) fn keys(&self) -> Option<Vec<&str>> {
        let events = self.expected.as_array()?;
        Some(events.iter().filter_map(|event| event.get("dedupe_key")?.as_str()).collect())
    }
}

impl Scripted {
    pub(super) fn bytes(&self, webhook_url: &str) -> Vec<u8> {
        match String::from_utf8(bytes(&self.body)) {
            Ok(text) => text.replace("{webhook_url}", webhook_url).into_bytes(),
            Err(error) => error.into_bytes(),
        }
    }
}

/// A body: text is taken as it is, nothing is empty.
fn bytes(body: &Value) -> Vec<u8> {
    match body {
        Value::String(text) => text.clone().into_bytes(),
        Value::Null => Vec::new(),
        json => json.to_string().into_bytes(),
    }
}

/// Everything in a folder.
#[derive(Debug)]
pub(super) struct Suite {
    /// Each with the name of its file.
    pub(super) scripts: Vec<(String, Script)>,
    pub(super) fixtures: Vec<Fixture>,
}

impl Suite {
    pub(super) fn read(folder: &Path) -> Result<Suite, SuiteError> {
        let of_account = |name: &str| name == "conformance" || name.starts_with("conformance-");
        let scripts: Vec<(String, Script)> = files(folder)?
            .into_iter()
            .filter(|(name, _)| of_account(name))
            .map(|(name, file)| Ok((name, read_json(&file)?)))
            .collect::<Result<_, SuiteError>>()?;
        if scripts.is_empty() {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(SuiteError::Read { path: folder.join("conformance.json").display().to_string(), source });
        }
        let place = folder.join("fixtures");
        // A channel that takes nothing in has none.
        let fixtures = if place.exists() { files(&place)? } else { Vec::new() };
        let fixture = |(name, file): (String, PathBuf)| read_json(&file).map(|fixture| Fixture { name, ..fixture });
        Ok(Suite { scripts, fixtures: fixtures.into_iter().map(fixture).collect::<Result<_, _>>()? })
    }
}

/// The JSON files of a folder by name, without the ending, in order.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, SuiteError> {
    let read = |source| SuiteError::Read { path: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let file = entry.map_err(read)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push((file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), file));
        }
    }
    files.sort();
    Ok(files)
}

fn read_json<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, SuiteError> {
    let path = file.display().to_string();
    let text = std::fs::read(file).map_err(|source| SuiteError::Read { path: path.clone(), source })?;
    let mut json = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| SuiteError::Malformed { path, message: error.to_string() })
}
