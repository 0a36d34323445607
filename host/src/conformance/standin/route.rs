//! Which requests an answer of the script is for: `POST api /messages`, with the target's base before the path.

use crate::{
    conformance::suite::{Script, Scripted},
    manifest::{Manifest, Target, TemplatePart},
};

/// An answer and the requests it is for.
pub(super) struct Route {
    pub(super) scripted: Scripted,
    /// The provider's id of the message, where the answer is to a message that was sent.
    pub(super) message_id: Option<String>,
    method: String,
    /// The literal stretches of the path; between two of them is a secret, without a slash.
    path: Vec<String>,
}

impl Route {
    pub(super) fn fits(&self, method: &str, path: &str) -> bool {
        if self.method != method {
            return false;
        }
        let Some((first, others)) = self.path.split_first() else { return false };
        let Some(mut rest) = path.strip_prefix(first.as_str()) else { return false };
        for (place, stretch) in others.iter().enumerate() {
            let last = place + 1 == others.len();
            let found = if last && stretch.is_empty() { Some(rest.len()) } else { rest.find(stretch.as_str()) };
            let Some(at) = found else { return false };
            let (secret, after) = rest.split_at(at);
            if secret.is_empty() || secret.contains('/') {
                return false;
            }
            rest = after.strip_prefix(stretch.as_str()).unwrap_or(after);
        }
        rest.is_empty()
    }
}

/// Those of every script, each once: what is asked twice while connecting, and again for health, has its answers in order.
pub(super) fn of_scripts(manifest: &Manifest, scripts: &[Script]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for script in scripts {
        let sent = script.send.answers.iter().map(|scripted| (scripted, script.send.external_id.clone()));
        let others = script.connect.answers.iter().chain(&script.health.answers).map(|scripted| (scripted, None));
        for (scripted, message_id) in others.chain(sent) {
            if !routes.iter().any(|route| route.scripted == *scripted) {
                routes.extend(route(manifest, scripted, message_id));
            }
        }
    }
    routes
}

/// The hosts of all targets.
pub(super) fn hosts(manifest: &Manifest) -> Vec<String> {
    let mut hosts: Vec<String> = manifest.egress.values().filter_map(|target| Some(split(&base(target))?.0)).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn route(manifest: &Manifest, scripted: &Scripted, message_id: Option<String>) -> Option<Route> {
    // Of a mail server there is nothing to play: `SUBMIT target`.
    let [method, target, path] = scripted.on.splitn(3, ' ').collect::<Vec<_>>().try_into().ok()?;
    let whole = if path.starts_with("https://") {
        split(path)?.1
    } else {
        let (_, before) = split(&base(manifest.egress.get(target)?))?;
        format!("{}{path}", before.trim_end_matches('/'))
    };
    let path = whole.split(SECRET).map(str::to_owned).collect();
    Some(Route { scripted: scripted.clone(), message_id, method: method.to_owned(), path })
}

/// What can't stand in an address.
const SECRET: char = '\u{0}';

fn base(target: &Target) -> String {
    target.base.parts().iter().map(|part| if let TemplatePart::Text(text) = part { text.clone() } else { SECRET.to_string() }).collect()
}

/// Host and path of an address.
fn split(address: &str) -> Option<(String, String)> {
    let (_, rest) = address.split_once("://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    Some((host.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &[&str]) -> Route {
        let scripted = serde_json::from_value(serde_json::json!({"on": "POST api /x"})).unwrap();
        Route { scripted, message_id: None, method: "POST".to_owned(), path: path.iter().map(|&stretch| stretch.to_owned()).collect() }
    }

    #[test]
    fn a_secret_in_the_path_is_any_word() {
        let with_token = route(&["/bot", "/sendMessage"]);
        assert!(with_token.fits("POST", "/bot123:abc/sendMessage"));
        for (method, path) in
            [("GET", "/bot1/sendMessage"), ("POST", "/bot/sendMessage"), ("POST", "/bot1/x/sendMessage"), ("POST", "/bot1/sendMessages")]
        {
            assert!(!with_token.fits(method, path), "{method} {path}");
        }
        assert!(route(&["/hook/", ""]).fits("POST", "/hook/s3cret"));
        assert!(!route(&["/hook/", ""]).fits("POST", "/hook/s3/cret"));
    }

    #[test]
    fn a_plain_path_is_itself() {
        assert!(route(&["/v1/messages"]).fits("POST", "/v1/messages"));
        assert!(!route(&["/v1/messages"]).fits("POST", "/v1/messages/1"));
    }
}
