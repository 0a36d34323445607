//! What a plugin asks of the host, one thing at a time: what a person reads before it is let in, and what two versions are compared by.
//!
//! An [`Ask`] says what could be done, not how the manifest writes it: a target that gets another name asks for nothing new, and a path
//! beneath one that was granted is granted.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{MailProtocol, Manifest, SecretSource, Surface, Target, Verify, host_matches};

/// What a call may take unless a manifest asks for other: see [`Limits`](super::Limits).
const USUAL_MEMORY_MB: u32 = 64;
const USUAL_CPU_MS: u32 = 250;
const USUAL_WALL_MS: u32 = 10_000;
const USUAL_HOST_CALLS: u32 = 200;

/// One thing that a plugin asks of the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Ask {
    /// `*.` before a host is all beneath it; `{setting:NAME}` is whatever an account's setting says. A `*` ends a path.
    Request {
        host: String,
        method: String,
        path: String,
    },
    /// The secret goes to that host, or mail server.
    Credential {
        secret: String,
        host: String,
    },
    /// It writes `Authorization` itself.
    OwnAuthorization {
        host: String,
    },
    Secret {
        name: String,
        from: SecretSource,
    },
    /// The account's server, which that setting names.
    Mail {
        protocol: MailProtocol,
        setting: String,
    },
    /// People are sent there to authorise an account, or tokens are fetched there.
    Oauth {
        host: String,
    },
    Scope {
        scope: String,
    },
    /// Pages in browsers may call it.
    BrowserCall {
        name: String,
    },
    /// Browsers get that file from the gateway's own address.
    BrowserFile {
        name: String,
    },
    /// Anybody may send it webhooks.
    UnverifiedWebhooks,
    /// Hooks beyond those of every plugin: `polling`, `media-download`.
    Hooks {
        group: String,
    },
    Command {
        name: String,
    },
    /// The gateway keeps devices that have subscribed, and hands them over.
    Subscriptions,
    /// More of the machine than usual.
    Limit {
        of: String,
        most: u32,
    },
    Wasi {
        interface: String,
    },
}

/// Everything that a plugin asks of the host.
pub fn asks(manifest: &Manifest, surface: &Surface) -> BTreeSet<Ask> {
    let mut asks = BTreeSet::new();
    for target in manifest.egress.values() {
        add_target(target, &mut asks);
    }
    for target in manifest.mail.values() {
        asks.insert(Ask::Mail { protocol: target.protocol, setting: target.host.clone() });
        let secrets = target.password.iter().chain(&target.token);
        asks.extend(secrets.map(|secret| Ask::Credential { secret: secret.clone(), host: by_setting(&target.host) }));
    }
    asks.extend(manifest.secrets.iter().map(|(name, spec)| Ask::Secret { name: name.clone(), from: spec.from }));
    for recipe in &manifest.oauth {
        let urls = [Some(&recipe.authorize), Some(&recipe.token), recipe.refresh.as_ref()];
        asks.extend(urls.into_iter().flatten().map(|url| Ask::Oauth { host: place(&url.to_string()).0 }));
        let settings = [&recipe.authorize_base_setting, &recipe.token_base_setting];
        asks.extend(settings.into_iter().flatten().map(|setting| Ask::Oauth { host: by_setting(setting) }));
        asks.extend(recipe.scopes.iter().map(|scope| Ask::Scope { scope: scope.clone() }));
    }
    if let Some(browser) = &manifest.browser {
        asks.extend(browser.calls.iter().map(|name| Ask::BrowserCall { name: name.clone() }));
        asks.extend(browser.files.keys().map(|name| Ask::BrowserFile { name: name.clone() }));
    }
    if manifest.webhook.as_ref().is_some_and(|webhook| matches!(webhook.verify, Verify::None { .. }) && !webhook.path_token) {
        asks.insert(Ask::UnverifiedWebhooks);
    }
    asks.extend(surface.groups().map(|group| Ask::Hooks { group: group.to_owned() }));
    asks.extend(surface.wasi().map(|interface| Ask::Wasi { interface: interface.to_owned() }));
    asks.extend(manifest.capabilities.commands.iter().map(|name| Ask::Command { name: name.clone() }));
    if manifest.capabilities.subscriptions {
        asks.insert(Ask::Subscriptions);
    }
    let limits = &manifest.limits;
    for (of, asked, usual) in [
        ("memory_mb", limits.memory_mb, USUAL_MEMORY_MB),
        ("cpu_ms", limits.cpu_ms, USUAL_CPU_MS),
        ("wall_ms", limits.wall_ms, USUAL_WALL_MS),
        ("host_calls", limits.host_calls, USUAL_HOST_CALLS),
    ] {
        asks.extend(asked.filter(|asked| *asked > usual).map(|most| Ask::Limit { of: of.to_owned(), most }));
    }
    asks
}

/// What of it isn't covered by what was granted.
pub fn beyond(asks: &BTreeSet<Ask>, granted: &BTreeSet<Ask>) -> BTreeSet<Ask> {
    asks.iter().filter(|ask| !granted.iter().any(|granted| granted.covers(ask))).cloned().collect()
}

fn add_target(target: &Target, asks: &mut BTreeSet<Ask>) {
    let (host, base) = place(&target.base.to_string());
    let base_path = base.trim_end_matches('/');
    let paths: Vec<String> = match target.paths.as_slice() {
        [] => vec![format!("{base_path}/*")],
        paths => paths.iter().map(|path| format!("{base_path}/{}", path.trim_start_matches('/'))).collect(),
    };
    let mut places: Vec<(String, Vec<String>)> = vec![(host.clone(), paths.clone())];
    places.extend(target.base_setting.iter().map(|setting| (by_setting(setting), paths.clone())));
    // A request that names its host names its whole path too.
    let named: Vec<String> = target.hosts.iter().cloned().chain(target.hosts_setting.iter().map(|setting| by_setting(setting))).collect();
    places.extend(named.iter().map(|host| (host.clone(), vec!["/*".to_owned()])));
    for (host, paths) in &places {
        for method in &target.methods {
            asks.extend(paths.iter().map(|path| Ask::Request { host: host.clone(), method: method.clone(), path: path.clone() }));
        }
    }
    // Credentials stay at the base, unless the named hosts are trusted.
    let trusted = places.iter().map(|(host, _)| host).filter(|place| target.trusted_hosts || !named.contains(place) || **place == host);
    for host in trusted {
        asks.extend(target.secrets().into_iter().map(|(_, secret)| Ask::Credential { secret: secret.to_owned(), host: host.clone() }));
        if target.signed_by_plugin {
            asks.insert(Ask::OwnAuthorization { host: host.clone() });
        }
    }
}

/// The host, with its port, and the path of a URL, which may have placeholders for either.
fn place(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.find('/').map_or_else(
        || (rest.to_owned(), String::new()),
        |at| {
            let (host, path) = rest.split_at(at);
            (host.to_owned(), path.to_owned())
        },
    )
}

fn by_setting(name: &str) -> String {
    format!("{{setting:{name}}}")
}

impl Ask {
    /// Whether who was granted this was granted the other.
    pub fn covers(&self, other: &Ask) -> bool {
        match (self, other) {
            (Ask::Request { host, method, path }, Ask::Request { host: other_host, method: other_method, path: other_path }) => {
                method == other_method && covers_host(host, other_host) && covers_path(path, other_path)
            }
            (Ask::Credential { secret, host }, Ask::Credential { secret: other_secret, host: other_host }) => {
                secret == other_secret && covers_host(host, other_host)
            }
            (Ask::OwnAuthorization { host }, Ask::OwnAuthorization { host: other_host })
            | (Ask::Oauth { host }, Ask::Oauth { host: other_host }) => covers_host(host, other_host),
            (Ask::Limit { of, most }, Ask::Limit { of: other_of, most: other_most }) => of == other_of && most >= other_most,
            (one, other) => one == other,
        }
    }
}

fn covers_host(granted: &str, asked: &str) -> bool {
    // All beneath a name that is itself beneath the granted one.
    granted == asked || host_matches(granted, asked.strip_prefix("*.").unwrap_or(asked))
}

fn covers_path(granted: &str, asked: &str) -> bool {
    granted == asked || granted.strip_suffix('*').is_some_and(|prefix| asked.starts_with(prefix))
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Request { host, method, path } => write!(f, "to send {method} requests to {}{path}", Host(host)),
            Ask::Credential { secret, host } => write!(f, "to have the secret “{secret}” sent to {}", Host(host)),
            Ask::OwnAuthorization { host } => write!(f, "to write the Authorization of requests to {} itself", Host(host)),
            Ask::Secret { name, from } => write!(f, "a secret “{name}”, {}", source_words(*from)),
            Ask::Mail { protocol: MailProtocol::Smtp, setting } => write!(f, "to send mail by the SMTP server in the setting “{setting}”"),
            Ask::Mail { protocol: MailProtocol::Imap, setting } => {
                write!(f, "to read the mailbox at the IMAP server in the setting “{setting}”")
            }
            Ask::Oauth { host } => write!(f, "to have accounts authorised at {}", Host(host)),
            Ask::Scope { scope } => write!(f, "the provider's permission “{scope}”"),
            Ask::BrowserCall { name } => write!(f, "to be called by pages in browsers: “{name}”"),
            Ask::BrowserFile { name } => write!(f, "to serve the file “{name}” to browsers"),
            Ask::UnverifiedWebhooks => f.write_str("to take webhooks from anybody, unverified"),
            Ask::Hooks { group } => match group.as_str() {
                "polling" => f.write_str("to poll the provider"),
                "media-download" => f.write_str("to download files"),
                "templates" => f.write_str("to list the provider's templates"),
                "preview" => f.write_str("to judge messages before they are queued"),
                other => write!(f, "to be asked for “{other}”"),
            },
            Ask::Command { name } => write!(f, "to be given the command “{name}”"),
            Ask::Subscriptions => f.write_str("to be handed the devices that have subscribed"),
            Ask::Limit { of, most } => {
                let (what, unit) = match of.as_str() {
                    "memory_mb" => ("memory", " MiB"),
                    "cpu_ms" => ("processor time", " ms"),
                    "wall_ms" => ("time", " ms"),
                    "host_calls" => ("calls of the host", ""),
                    other => (other, ""),
                };
                write!(f, "more {what} for a call than usual: {most}{unit}")
            }
            Ask::Wasi { interface } => write!(f, "the interface {interface}"),
        }
    }
}

fn source_words(from: SecretSource) -> &'static str {
    match from {
        SecretSource::Typed => "typed in by a person",
        SecretSource::Oauth => "from OAuth",
        SecretSource::Captured => "captured from a response of the provider's",
        SecretSource::Generated => "made by the gateway",
        SecretSource::App => "from the account's app",
        SecretSource::Derived => "computed from others",
    }
}

/// A host as people read it.
struct Host<'a>(&'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strip_prefix("{setting:").and_then(|rest| rest.strip_suffix('}')) {
            Some(setting) => write!(f, "the host in the setting “{setting}”"),
            None => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIGEON: &str = r#"
        id = "pigeon"
        type = "PIGEON"
        version = "1.0.0"
        name = "Pigeon"
        contract = "CONTRACT"
        settings = {"type" = "object", "properties" = {"token" = {"type" = "string"}, "server" = {"type" = "string"}}}
        [secrets.token]
        title = "Token"
        from = "typed"
        [secrets.hook]
        title = "Hook"
        from = "generated"
        [egress.api]
        base = "https://api.pigeon.example/v1"
        methods = ["GET", "POST"]
        paths = ["/messages/*", "/me"]
        bearer = "token"
        [egress.files]
        base = "https://files.pigeon.example"
        methods = ["GET"]
        hosts = ["*.cdn.example"]
        bearer = "token"
        [capabilities]
        commands = ["message"]
    "#;

    fn manifest(edit: impl FnOnce(String) -> String) -> Manifest {
        let text = edit(PIGEON.replace("CONTRACT", super::super::CONTRACT));
        Manifest::parse_toml(&text).and_then(Manifest::checked).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn asked(edit: impl FnOnce(String) -> String) -> BTreeSet<Ask> {
        asks(&manifest(edit), &Surface::default())
    }

    /// What the edit asks for beyond the original, in words.
    fn widened(edit: impl FnOnce(String) -> String) -> Vec<String> {
        beyond(&asked(edit), &asked(|text| text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everything_is_said_in_words() {
        let words: Vec<String> = asked(|text| text).iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "to send GET requests to *.cdn.example/*",
                "to send GET requests to api.pigeon.example/v1/me",
                "to send GET requests to api.pigeon.example/v1/messages/*",
                "to send POST requests to api.pigeon.example/v1/me",
                "to send POST requests to api.pigeon.example/v1/messages/*",
                "to send GET requests to files.pigeon.example/*",
                "to have the secret “token” sent to api.pigeon.example",
                "to have the secret “token” sent to files.pigeon.example",
                "a secret “hook”, made by the gateway",
                "a secret “token”, typed in by a person",
                "to be given the command “message”",
            ]
        );
    }

    #[test]
    fn what_is_narrower_or_only_named_otherwise_asks_for_nothing_new() {
        assert!(widened(|text| text).is_empty());
        assert!(widened(|text| text.replace("[egress.api]", "[egress.main]")).is_empty(), "another name for a target");
        assert!(widened(|text| text.replace(r#""GET", "POST""#, r#""POST""#)).is_empty(), "a method fewer");
        assert!(widened(|text| text.replace("/messages/*", "/messages/send/*")).is_empty(), "beneath what was granted");
        assert!(widened(|text| text.replace("*.cdn.example", "a.cdn.example")).is_empty(), "one host of many");
        assert!(widened(|text| text.replace("*.cdn.example", "*.eu.cdn.example")).is_empty(), "some hosts of many");
        assert!(widened(|text| text.replace("version = \"1.0.0\"", "version = \"2.0.0\"")).is_empty());
    }

    #[test]
    fn what_is_wider_is_named() {
        assert_eq!(
            widened(|text| text.replace(r#"["GET"]"#, r#"["GET", "DELETE"]"#)),
            ["to send DELETE requests to *.cdn.example/*", "to send DELETE requests to files.pigeon.example/*"]
        );
        assert_eq!(widened(|text| text.replace("\"/me\"", "\"/*\"")).len(), 2, "each method, to all paths");
        assert_eq!(widened(|text| text.replace("*.cdn.example", "*.example")), ["to send GET requests to *.example/*"]);
        assert_eq!(
            widened(|text| text.replace("hosts = [\"*.cdn.example\"]", "hosts = [\"*.cdn.example\"]\ntrusted_hosts = true")),
            ["to have the secret “token” sent to *.cdn.example"]
        );
        assert_eq!(
            widened(|text| text.replace("[capabilities]", "[limits]\nmemory_mb = 128\n[capabilities]")),
            ["more memory for a call than usual: 128 MiB"]
        );
        assert_eq!(widened(|text| text.replace("[\"message\"]", "[\"message\", \"delete\"]")), ["to be given the command “delete”"]);
        assert_eq!(
            widened(|text| text.replace("from = \"generated\"", "from = \"captured\"")),
            ["a secret “hook”, captured from a response of the provider's"]
        );
        assert_eq!(
            widened(|text| text.replace(
                "bearer = \"token\"\n        [egress.files]",
                "bearer = \"token\"\n        base_setting = \"server\"\n        [egress.files]"
            ))
            .len(),
            5,
            "four kinds of requests and a credential, to wherever a setting says"
        );
    }

    #[test]
    fn a_limit_covers_lower_ones() {
        let limit = |most| Ask::Limit { of: "cpu_ms".to_owned(), most };
        assert!(limit(500).covers(&limit(400)));
        assert!(!limit(400).covers(&limit(500)));
    }

    #[test]
    fn a_host_covers_what_is_beneath_it_alone() {
        assert!(covers_host("*.a.example", "b.a.example"));
        assert!(covers_host("*.a.example", "*.b.a.example"));
        assert!(!covers_host("*.a.example", "a.example"));
        assert!(!covers_host("*.a.example", "*.example"));
        assert!(!covers_host("a.example", "*.a.example"));
        assert!(!covers_host("a.example", "a.example:8443"));
    }

    #[test]
    fn exports_and_wasi_are_asked_for_too() {
        let surface = Surface {
            imports: vec!["patchbay:channel/http@0.1.0".to_owned(), "wasi:clocks/wall-clock@0.2.6".to_owned()],
            exports: vec!["patchbay:channel/channel@0.1.0".to_owned(), "patchbay:channel/polling@0.1.0".to_owned()],
        };
        let more = beyond(&asks(&manifest(|text| text), &surface), &asked(|text| text));
        let words: Vec<String> = more.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["to poll the provider", "the interface wasi:clocks/wall-clock"]);
        assert!(surface.missing().is_empty());
        let strange = Surface { imports: vec!["wasi:http/outgoing-handler@0.2.6".to_owned(), "acme:x/y".to_owned()], exports: Vec::new() };
        assert_eq!(strange.missing(), ["import wasi:http/outgoing-handler@0.2.6", "import acme:x/y", "export patchbay:channel/channel"]);
    }

    #[test]
    fn asks_are_kept_as_json() {
        let all = asked(|text| text);
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(serde_json::from_value::<BTreeSet<Ask>>(json).unwrap(), all);
    }
}
