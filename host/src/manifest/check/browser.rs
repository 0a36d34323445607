//! What `[browser]` may hold.

use super::{Problems, declared, properties};
use crate::manifest::{BrowserFile, BrowserSpec, Manifest, SecretKind, Slot};

const FILES_MAX: usize = 16;
/// Bytes of all files together.
const FILES_BYTES_MAX: usize = 256 * 1024;
const CALLS_MAX: usize = 16;
/// No page: what a plugin has a browser show would have the gateway's own origin.
const TYPES: &[&str] = &["text/javascript", "text/css", "text/plain", "application/json", "application/manifest+json"];
/// Headers of the connection, and those that the gateway sets.
const RESERVED: &[&str] = &[
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cross-origin-resource-policy",
    "etag",
    "set-cookie",
    "transfer-encoding",
    "upgrade",
    "vary",
    "x-content-type-options",
];

pub(super) fn browser(manifest: &Manifest, spec: &BrowserSpec, problems: &mut Problems) {
    problems.check(!spec.files.is_empty() || !spec.calls.is_empty(), "browser", "has neither files nor calls");
    if let Some(setting) = &spec.origins {
        has_setting(manifest, setting, "browser.origins", problems);
    }
    problems.check(spec.calls.len() <= CALLS_MAX, "browser.calls", format!("has {} calls; {CALLS_MAX} are the most", spec.calls.len()));
    for (n, call) in spec.calls.iter().enumerate() {
        let once = spec.calls.iter().position(|other| other == call) == Some(n);
        let right = is_call(call) && once;
        problems.check(right, format!("browser.calls[{n}]"), "is 1 to 40 lower case letters, digits, hyphens and underscores, each once");
    }
    problems.check(!spec.private.iter().any(String::is_empty), "browser.private", "has a member without a name");
    problems.check(spec.files.len() <= FILES_MAX, "browser.files", format!("has {} files; {FILES_MAX} are the most", spec.files.len()));
    let bytes: usize = spec.files.values().map(|file| file.file.len()).sum();
    let too_large = format!("has {bytes} bytes together; {FILES_BYTES_MAX} are the most");
    problems.check(bytes <= FILES_BYTES_MAX, "browser.files", too_large);
    for (name, file) in &spec.files {
        self::file(manifest, name, file, problems);
    }
}

fn is_call(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn is_file(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=80).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

fn file(manifest: &Manifest, name: &str, file: &BrowserFile, problems: &mut Problems) {
    let path = format!("browser.files.{name}");
    problems.check(is_file(name), &path, "is named with 1 to 80 letters, digits, hyphens, underscores and dots, no dot first");
    problems.check(!file.file.is_empty(), format!("{path}.file"), "is empty");
    let known = TYPES.contains(&file.mime_type.as_str());
    problems.check(known, format!("{path}.type"), format!("isn't one of {}", TYPES.join(", ")));
    for (header, value) in &file.headers {
        let path = format!("{path}.headers.{header}");
        let is_name = reqwest::header::HeaderName::from_lowercase(header.as_bytes()).is_ok();
        let free = !RESERVED.contains(&header.as_str()) && !header.starts_with("access-control-");
        problems.check(is_name && free, &path, "isn't a header, in lower case, that a file can have of its own");
        problems.check(reqwest::header::HeaderValue::from_str(value).is_ok(), &path, "has a value that no header can have");
    }
    for slot in file.slots() {
        let path = format!("{path}.file");
        match slot {
            Slot::Account | Slot::Base => {}
            Slot::Setting(setting) => has_setting(manifest, setting, &path, problems),
            Slot::PublicKey(secret) => {
                declared(manifest, secret, &path, problems);
                if manifest.secrets.get(secret).is_some_and(|spec| spec.kind != SecretKind::Es256) {
                    problems.add(path, format!("names the secret \"{secret}\", which isn't of `kind = \"es256\"`"));
                }
            }
        }
    }
}

fn has_setting(manifest: &Manifest, setting: &str, path: &str, problems: &mut Problems) {
    if properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting)) {
        problems.add(path, format!("names the setting \"{setting}\", which the schema doesn't have"));
        return;
    }
    let secret = manifest.secrets.contains_key(setting);
    problems.check(!secret, path, format!("names \"{setting}\", which is a secret"));
}
