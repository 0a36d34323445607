//! What a plugin's folder, or its component, holds for the checks: `conformance.json`, `conformance-*.json` where accounts are of several kinds, and
//! `fixtures/*.json`.

use std::collections::BTreeMap;
use std::path::Path;

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

/// The files of a suite by their paths in the folder: `conformance.json`, `fixtures/text.json`.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What a component is checked against: from its folder, or carried by it.
#[derive(Debug)]
pub struct Suite {
    /// Each with the name of its file.
    pub(super) scripts: Vec<(String, Script)>,
    pub(super) fixtures: Vec<Fixture>,
}

impl Suite {
    /// Reads a plugin's folder.
    ///
    /// # Errors
    /// A file can't be read or isn't as it should be, or there is no `conformance.json`.
    pub fn from_folder(folder: &Path) -> Result<Suite, SuiteError> {
        let files = read_folder(folder)?;
        if files.is_empty() {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(SuiteError::Read { path: folder.join("conformance.json").display().to_string(), source });
        }
        let within = |error| match error {
            SuiteError::Malformed { path, message } => SuiteError::Malformed { path: folder.join(path).display().to_string(), message },
            other => other,
        };
        Suite::from_files(&files).map_err(within)
    }

    /// How much it has: `2 scripts, 31 fixtures`.
    pub fn in_words(&self) -> String {
        let several = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!("{}, {}", several(self.scripts.len(), "script"), several(self.fixtures.len(), "fixture"))
    }

    pub(super) fn from_files(files: &Files) -> Result<Suite, SuiteError> {
        let (mut scripts, mut fixtures) = (BTreeMap::new(), BTreeMap::new());
        for (path, text) in files {
            let name = path.strip_suffix(JSON).unwrap_or(path);
            if let Some(name) = name.strip_prefix(FIXTURES) {
                fixtures.insert(name.to_owned(), Fixture { name: name.to_owned(), ..parse(path, text)? });
            } else if is_script(name) {
                scripts.insert(name.to_owned(), parse(path, text)?);
            } else {
                return Err(SuiteError::Malformed { path: path.clone(), message: "is no file of a suite".to_owned() });
            }
        }
        if scripts.is_empty() {
            return Err(SuiteError::Malformed { path: "conformance.json".to_owned(), message: "is missing".to_owned() });
        }
        // By their names without the ending: `conformance` is before `conformance-b`.
        Ok(Suite { scripts: scripts.into_iter().collect(), fixtures: fixtures.into_values().collect() })
    }
}

const JSON: &str = ".json";
const FIXTURES: &str = "fixtures/";

fn is_script(name: &str) -> bool {
    name == "conformance" || name.starts_with("conformance-")
}

/// The files of a suite; none where the folder has no `conformance.json`. A channel that takes nothing in has no fixtures.
pub(super) fn read_folder(folder: &Path) -> Result<Files, SuiteError> {
    let mut files = read_files(folder, "")?;
    files.retain(|path, _| path.strip_suffix(JSON).is_some_and(is_script));
    let fixtures = folder.join(FIXTURES);
    if !files.is_empty() && fixtures.exists() {
        files.append(&mut read_files(&fixtures, FIXTURES)?);
    }
    Ok(files)
}

fn read_files(folder: &Path, prefix: &str) -> Result<Files, SuiteError> {
    let read = |path: &Path, source| SuiteError::Read { path: path.display().to_string(), source };
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).map_err(|source| read(folder, source))? {
        let file = entry.map_err(|source| read(folder, source))?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            files.insert(format!("{prefix}{name}"), std::fs::read(&file).map_err(|source| read(&file, source))?);
        }
    }
    Ok(files)
}

fn parse<T: for<'de> Deserialize<'de>>(path: &str, text: &[u8]) -> Result<T, SuiteError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| SuiteError::Malformed { path: path.to_owned(), message: error.to_string() })
}
