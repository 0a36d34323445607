//! What a plugin asks of its operator, piece by piece, and in words: for `plugin check` and `plugin diff`, and for the approval of a
//! version that asks for more than the one before. The set is stored with what was granted, so its JSON has to stay readable.
//!
//! Start at [`asks`] and [`beyond`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use patchbay_sandbox::CallLimits;
use serde::{Deserialize, Serialize};

use super::{MailProtocol, Manifest, OauthRecipe, Pattern, SecretSource, Target, Verify};
use crate::{egress::EgressSettings, sections::Interfaces};

/// KiB of a webhook that nobody has to ask for.
const WEBHOOK_KB: u32 = 1024;
const MIB: usize = 1024 * 1024;

/// One thing that a plugin asks for. Two versions of a plugin are compared by these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Requests of one method to paths that fit: exact, or with a `*` at the end all beneath.
    Request {
        to: String,
        method: String,
        path: String,
    },
    /// A secret goes along with requests to there; the plugin doesn't see it.
    Credential {
        secret: String,
        to: String,
    },
    /// The plugin writes `Authorization` there itself.
    SignsItself {
        to: String,
    },
    /// A mail server of the account's own.
    Mail {
        protocol: MailProtocol,
        server: String,
    },
    /// A secret is kept.
    Secret {
        name: String,
        from: SecretSource,
    },
    /// People are sent there to authorise an account, and codes are exchanged there.
    Authorisation {
        page: String,
        tokens: String,
    },
    Scope {
        page: String,
        scope: String,
    },
    /// Webhooks that prove nothing but that they know the account's URL.
    UnverifiedWebhooks,
    /// A call that pages in browsers may make.
    BrowserCall {
        name: String,
    },
    /// A file that browsers get from the gateway.
    BrowserFile {
        name: String,
    },
    /// An optional group of hooks.
    Hook {
        group: Group,
    },
    Command {
        name: String,
    },
    /// A command, or a kind of content, that the contract doesn't know.
    Custom {
        name: String,
    },
    /// People's devices that have subscribed.
    Subscriptions,
    /// More than is usual.
    Limit {
        of: Limit,
        most: u32,
    },
    /// Of what WASI has: `wasi:clocks/wall-clock`.
    Wasi {
        interface: String,
    },
}

/// What the host calls because the plugin has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    Polling,
    MediaDownload,
    Templates,
    Preview,
}

impl Group {
    const ALL: [Group; 4] = [Group::Polling, Group::MediaDownload, Group::Templates, Group::Preview];

    /// As the contract names the interface.
    pub fn interface(self) -> &'static str {
        match self {
            Group::Polling => "polling",
            Group::MediaDownload => "media-download",
            Group::Templates => "templates",
            Group::Preview => "preview",
        }
    }
}

/// A bound that a plugin may ask to have raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    MemoryMb,
    CpuMs,
    WallMs,
    HostCalls,
    ResponseMb,
    WebhookKb,
}

impl Ask {
    /// Is whoever was granted this granted that too?
    pub fn covers(&self, asked: &Ask) -> bool {
        match (self, asked) {
            (Ask::Request { to, method, path }, Ask::Request { to: other, method: by, path: at }) => {
                method == by && place_covers(to, other) && path_covers(path, at)
            }
            (Ask::Credential { secret, to }, Ask::Credential { secret: other, to: at }) => secret == other && place_covers(to, at),
            (Ask::SignsItself { to }, Ask::SignsItself { to: other }) => place_covers(to, other),
            (Ask::Limit { of, most }, Ask::Limit { of: other, most: asked }) => of == other && asked <= most,
            (granted, asked) => granted == asked,
        }
    }
}

fn path_covers(granted: &str, asked: &str) -> bool {
    granted == asked || granted.strip_suffix('*').is_some_and(|prefix| asked.len() > prefix.len() && asked.starts_with(prefix))
}

/// `https://*.example.com` covers every name beneath.
fn place_covers(granted: &str, asked: &str) -> bool {
    if granted == asked {
        return true;
    }
    let (Some(granted), Some(asked)) = (granted.strip_prefix("https://*"), asked.strip_prefix("https://")) else { return false };
    asked.strip_suffix(granted).is_some_and(|before| !before.is_empty())
}

/// What is asked for and isn't covered by what was granted.
pub fn beyond(asked: &BTreeSet<Ask>, granted: &BTreeSet<Ask>) -> BTreeSet<Ask> {
    asked.iter().filter(|ask| !granted.iter().any(|grant| grant.covers(ask))).cloned().collect()
}

/// Everything that a plugin asks for, by its manifest and by what its component imports and exports.
pub fn asks(manifest: &Manifest, interfaces: &Interfaces) -> BTreeSet<Ask> {
    let mut asks: BTreeSet<Ask> = BTreeSet::new();
    for target in manifest.egress.values() {
        asks.extend(of_target(target));
    }
    for target in manifest.mail.values() {
        let server = setting(&target.host);
        asks.extend(target.secrets().into_iter().map(|(_, secret)| Ask::Credential { secret: secret.to_owned(), to: server.clone() }));
        asks.insert(Ask::Mail { protocol: target.protocol, server });
    }
    asks.extend(manifest.secrets.iter().map(|(name, secret)| Ask::Secret { name: name.clone(), from: secret.from }));
    asks.extend(manifest.oauth.iter().flat_map(of_recipe));
    if let Some(browser) = &manifest.browser {
        asks.extend(browser.calls.iter().map(|name| Ask::BrowserCall { name: name.clone() }));
        asks.extend(browser.files.keys().map(|name| Ask::BrowserFile { name: name.clone() }));
    }
    let capabilities = &manifest.capabilities;
    asks.extend(capabilities.commands.iter().map(|name| Ask::Command { name: name.clone() }));
    asks.extend(capabilities.custom.iter().map(|name| Ask::Custom { name: name.clone() }));
    if capabilities.subscriptions {
        asks.insert(Ask::Subscriptions);
    }
    if manifest.webhook.as_ref().is_some_and(|webhook| webhook.verify == Verify::None {} && !webhook.path_token) {
        asks.insert(Ask::UnverifiedWebhooks);
    }
    let exported = Group::ALL.into_iter().filter(|group| interfaces.exports_group(group.interface()));
    asks.extend(exported.map(|group| Ask::Hook { group }));
    asks.extend(limits(manifest));
    asks.extend(interfaces.wasi().map(|interface| Ask::Wasi { interface: interface.to_owned() }));
    asks
}

/// Where a setting of the account names the place.
fn setting(name: &str) -> String {
    format!("{{setting:{name}}}")
}

fn of_target(target: &Target) -> BTreeSet<Ask> {
    let base = target.base.to_string();
    let (origin, prefix) = parted(&base);
    let own: BTreeSet<String> = [origin].into_iter().chain(target.base_setting.as_deref().map(setting)).collect();
    let named = target.hosts.iter().map(|host| format!("https://{host}"));
    let named: BTreeSet<String> = named.chain(target.hosts_setting.as_deref().map(setting)).collect();
    let mut asks = BTreeSet::new();
    for method in &target.methods {
        let mut ask = |to: &String, path: String| asks.insert(Ask::Request { to: to.clone(), method: method.clone(), path });
        for to in &own {
            if target.paths.is_empty() {
                ask(to, format!("{prefix}/*"));
            }
            for path in &target.paths {
                ask(to, format!("{prefix}/{}", path.trim_start_matches('/')));
            }
        }
        for to in &named {
            ask(to, "/*".to_owned());
        }
    }
    let trusted = named.iter().filter(|_| target.trusted_hosts);
    for to in own.iter().chain(trusted) {
        asks.extend(target.secrets().into_iter().map(|(_, secret)| Ask::Credential { secret: secret.to_owned(), to: to.clone() }));
        if target.signed_by_plugin {
            asks.insert(Ask::SignsItself { to: to.clone() });
        }
    }
    asks
}

/// `https://host[:port]`, and the path without a slash at its end.
fn parted(url: &str) -> (String, String) {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(after_scheme..).unwrap_or_default();
    let at = after_scheme + rest.find('/').unwrap_or(rest.len());
    let (origin, path) = url.split_at(at);
    (origin.to_owned(), path.trim_end_matches('/').to_owned())
}

fn of_recipe(recipe: &OauthRecipe) -> BTreeSet<Ask> {
    let place = |pattern: &Pattern| parted(&pattern.to_string()).0;
    let pages = [place(&recipe.authorize)].into_iter().chain(recipe.authorize_base_setting.as_deref().map(setting));
    let tokens = [place(&recipe.token)].into_iter().chain(recipe.refresh.as_ref().map(place));
    let tokens: BTreeSet<String> = tokens.chain(recipe.token_base_setting.as_deref().map(setting)).collect();
    let mut asks = BTreeSet::new();
    for page in pages {
        asks.extend(tokens.iter().map(|tokens| Ask::Authorisation { page: page.clone(), tokens: tokens.clone() }));
        asks.extend(recipe.scopes.iter().map(|scope| Ask::Scope { page: page.clone(), scope: scope.clone() }));
    }
    asks
}

fn limits(manifest: &Manifest) -> impl Iterator<Item = Ask> {
    let usual = CallLimits::USUAL;
    let number = |most: u128| u32::try_from(most).unwrap_or(u32::MAX);
    let responses = manifest.egress.values().filter_map(|target| target.max_response_mb).max();
    let asked = [
        (Limit::MemoryMb, manifest.limits.memory_mb, number((usual.memory_bytes / MIB) as u128)),
        (Limit::CpuMs, manifest.limits.cpu_ms, number(usual.cpu.as_millis())),
        (Limit::WallMs, manifest.limits.wall_ms, number(usual.wall.as_millis())),
        (Limit::HostCalls, manifest.limits.host_calls, usual.host_calls),
        (Limit::ResponseMb, responses, EgressSettings::default().max_response_bytes / (1024 * 1024)),
        (Limit::WebhookKb, manifest.webhook.as_ref().map(|webhook| webhook.max_body_kb), WEBHOOK_KB),
    ];
    let above = |(of, most, usual): (Limit, Option<u32>, u32)| most.filter(|most| *most > usual).map(|most| Ask::Limit { of, most });
    asked.into_iter().filter_map(above)
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Request { to, method, path } => write!(f, "send {method} requests to {}: {path}", place(to)),
            Ask::Credential { secret, to } => write!(f, "have the secret {secret} sent to {}", place(to)),
            Ask::SignsItself { to } => write!(f, "write the authorisation of requests to {} itself", place(to)),
            Ask::Mail { protocol: MailProtocol::Smtp, server } => write!(f, "send letters (SMTP) through {}", place(server)),
            Ask::Mail { protocol: MailProtocol::Imap, server } => write!(f, "read letters (IMAP) on {}", place(server)),
            Ask::Secret { name, from } => write!(f, "keep the secret {name}: {}", source(*from)),
            Ask::Authorisation { page, tokens } => write!(f, "have accounts authorised at {} (tokens from {})", place(page), place(tokens)),
            Ask::Scope { page, scope } => write!(f, "ask people for the scope {scope} at {}", place(page)),
            Ask::UnverifiedWebhooks => f.write_str("take webhooks from whoever knows an account's URL"),
            Ask::BrowserCall { name } => write!(f, "take the call {name} of pages in browsers"),
            Ask::BrowserFile { name } => write!(f, "give browsers the file {name}"),
            Ask::Hook { group: Group::Polling } => f.write_str("poll the provider"),
            Ask::Hook { group: Group::MediaDownload } => f.write_str("download files that people sent"),
            Ask::Hook { group: Group::Templates } => f.write_str("list the provider's templates"),
            Ask::Hook { group: Group::Preview } => f.write_str("judge messages before they are queued"),
            Ask::Command { name } => write!(f, "carry out {name} commands"),
            Ask::Custom { name } => write!(f, "carry out its own {name} commands"),
            Ask::Subscriptions => f.write_str("get the devices that people have subscribed with"),
            Ask::Limit { of, most } => match of {
                Limit::MemoryMb => write!(f, "use {most} MiB of memory for a call"),
                Limit::CpuMs => write!(f, "use {most} ms of processor time for a call"),
                Limit::WallMs => write!(f, "take {most} ms for a call"),
                Limit::HostCalls => write!(f, "call the gateway {most} times in a call"),
                Limit::ResponseMb => write!(f, "get responses of {most} MiB"),
                Limit::WebhookKb => write!(f, "get webhooks of {most} KiB"),
            },
            Ask::Wasi { interface } => write!(f, "use {interface} (harmless here: it sees no files, no network and no environment)"),
        }
    }
}

/// A place, or the words for one that an account names itself.
fn place(to: &str) -> String {
    match to.strip_prefix("{setting:").and_then(|rest| rest.strip_suffix('}')) {
        Some(setting) => format!("the server in the setting {setting}"),
        None => to.to_owned(),
    }
}

fn source(from: SecretSource) -> &'static str {
    match from {
        SecretSource::Typed => "a person types it in",
        SecretSource::Oauth => "from the provider's authorisation",
        SecretSource::Captured => "lifted out of a response",
        SecretSource::Generated => "made by the gateway",
        SecretSource::App => "from the account's app",
        SecretSource::Derived => "computed from others",
    }
}

/// A set in words, a line for each thing: what belongs together is told together.
pub fn in_words(asks: &BTreeSet<Ask>) -> Vec<String> {
    let mut methods: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let (mut commands, mut wasi, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for ask in asks {
        match ask {
            Ask::Request { to, method, path } => methods.entry((to, path)).or_default().push(method),
            Ask::Command { name } => commands.push(name.as_str()),
            Ask::Wasi { interface } => wasi.push(interface.as_str()),
            other => others.push(other.to_string()),
        }
    }
    let mut paths: BTreeMap<(&str, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for ((to, path), methods) in methods {
        paths.entry((to, methods)).or_default().push(path);
    }
    let requests = paths
        .into_iter()
        .map(|((to, methods), paths)| format!("send {} requests to {}: {}", methods.join(", "), place(to), paths.join(", ")));
    let mut lines: Vec<String> = requests.collect();
    lines.append(&mut others);
    if !commands.is_empty() {
        lines.push(format!("carry out {} commands", commands.join(", ")));
    }
    if !wasi.is_empty() {
        let names = wasi.join(", ");
        lines.push(format!("use {names} (harmless here: no files, no network and no environment are behind them)"));
    }
    lines
}
