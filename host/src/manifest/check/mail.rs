//! What a mail target may name.

use serde_json::Value;

use super::{Problems, declared, is_field_name};
use crate::manifest::{MailAuth, MailProtocol, MailSecurity, MailTarget, Manifest, settings::properties};

pub(super) fn target(manifest: &Manifest, name: &str, target: &MailTarget, problems: &mut Problems) {
    let path = format!("mail.{name}");
    problems.check(is_field_name(name), &path, "is named with 1 to 40 lower case letters, digits and underscores");
    for (field, setting) in target.settings() {
        let known = property(manifest, setting).is_some();
        problems.check(known, format!("{path}.{field}"), format!("names the setting \"{setting}\", which the schema doesn't have"));
    }
    for (field, secret) in target.secrets() {
        declared(manifest, secret, &format!("{path}.{field}"), problems);
    }
    problems.check(!target.username.is_empty(), format!("{path}.username"), "names a setting at least: the one to log in as");
    let has_secret = !target.password.is_empty() || target.token.is_some();
    problems.check(has_secret, &path, "names a `password` or a `token`, to log in with");
    words::<MailSecurity>(manifest, &target.security, &format!("{path}.security"), "tls, starttls, none", problems);
    words::<MailAuth>(manifest, &target.auth, &format!("{path}.auth"), "plain, login, xoauth2, oauthbearer, none", problems);
    let (hello, idle) = (format!("{path}.hello"), format!("{path}.idle"));
    problems.check(target.hello.is_none() || target.protocol == MailProtocol::Smtp, hello, "is of `protocol = \"smtp\"` alone");
    problems.check(target.idle.is_none() || target.protocol == MailProtocol::Imap, idle, "is of `protocol = \"imap\"` alone");
}

fn property<'a>(manifest: &'a Manifest, name: &str) -> Option<&'a Value> {
    properties(&manifest.settings_schema).and_then(|properties| properties.get(name))
}

/// What the schema lets the setting be are words of ours: a person learns of a wrong one when he types it in.
fn words<Word: serde::de::DeserializeOwned>(manifest: &Manifest, setting: &str, path: &str, known: &str, problems: &mut Problems) {
    let listed = property(manifest, setting).and_then(|property| property.get("enum")?.as_array());
    let right = |words: &Vec<Value>| words.iter().all(|word| serde_json::from_value::<Word>(word.clone()).is_ok());
    problems.check(listed.is_none_or(right), path, format!("names the setting \"{setting}\", whose `enum` may only hold {known}"));
}
