//! The one way out: every HTTP request that a plugin asks for leaves here, and no other does. `mail.rs` dials here too.
//!
//! A request names a target of the manifest. This room builds the URL, adds the credentials, which the plugin never sees,
//! dials public addresses alone, bounds sizes and times, and tells apart what surely wasn't sent from what perhaps was:
//! a message is never sent twice because of a guess made here.
//!
//! Touches: the network, and blobs. Start at [`Egress::call`].

mod address;
mod ask;
mod body;
mod capture;
mod dial;
mod exchange;
mod fetch;
mod guard;
mod names;
mod push;
mod rehearse;
mod request;
mod response;
mod scan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use patchbay_sandbox::services::{Denial, HttpProblem, HttpRequest, HttpResponse};
use reqwest::{Client, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::blobs::Blobs;
use crate::manifest::{Manifest, SecretSource};
use crate::secrets::Secret;
pub use ask::{AskError, Terms};
pub use dial::DialError;
use exchange::Exchange;
pub use fetch::FetchError;
use guard::Gate;
pub use push::Pushed;
use request::Plan;
pub(crate) use scan::Scanner;

/// An idle connection that is kept longer is likelier to be closed by the server just as it is used again, which leaves
/// a request in doubt.
const POOL_IDLE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// A host, or `*.` and a domain for all beneath, to the address that takes its place: scheme, host and port, no path. For mail, a
    /// host and a port to `tcp://host:port`. For demonstrations and tests.
    pub redirect: BTreeMap<String, Url>,
    /// Private nets that plugins may reach all the same, and the only ones they reach by plain http.
    pub allow: Vec<IpNet>,
    /// For name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// The most that one request takes, redirects and response body included.
    pub request_timeout: Duration,
    /// Bytes of a response where the target asks for no other bound.
    pub max_response_bytes: u32,
    /// Bytes of a response that goes to a blob, whatever the target asks for.
    pub max_blob_bytes: u32,
    pub user_agent: String,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            redirect: BTreeMap::new(),
            allow: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            max_response_bytes: 16 * 1024 * 1024,
            max_blob_bytes: 64 * 1024 * 1024,
            user_agent: concat!("Patchbay/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The gateway can't have a way out.
#[derive(Debug, thiserror::Error)]
#[error("egress: {0}")]
pub struct EgressError(String);

/// What one request is made with: whose it is, what they may, and until when.
pub struct Errand<'a> {
    pub manifest: &'a Manifest,
    /// The account's, for a target's `base_setting`.
    pub settings: &'a Value,
    /// All that the gateway keeps for the account: credentials to add, and values that mustn't leak.
    pub secrets: &'a BTreeMap<String, Secret>,
    pub blobs: &'a Blobs,
    /// Nothing goes on after it.
    pub deadline: Instant,
    pub dispatch: Option<&'a mut dyn Dispatch>,
}

/// Told before the first byte of a request that may change something (neither GET nor HEAD) leaves.
#[async_trait]
pub trait Dispatch: Send {
    /// The provider's host that the next request goes to.
    fn heading_for(&mut self, _host: &str) {}

    /// Called once for each such request, before its first byte. An error keeps the request in.
    async fn about_to_send(&mut self) -> Result<(), String>;
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Secrets are blanked in its headers and, unless it went to a blob, in its body.
    pub response: HttpResponse,
    /// Secrets lifted out of the body, by name: to be stored.
    pub captured: Vec<(String, Secret)>,
}

/// Why a request stayed in; the reason goes to the log.
#[derive(Debug)]
struct Refused {
    denial: Denial,
    why: String,
}

impl Refused {
    fn new(denial: Denial, why: &str) -> Self {
        Self { denial, why: why.to_owned() }
    }
}

pub struct Egress {
    settings: EgressSettings,
    allow: Arc<[IpNet]>,
    /// For https.
    guarded: Client,
    /// For http, to nets of `allow` alone.
    listed: Client,
    /// For hosts of `redirect`.
    open: Client,
    /// For what a client or a stranger names by URL: `allow` was meant for plugins.
    public: Client,
    /// The machine's.
    roots: RootCertStore,
    tls: Arc<ClientConfig>,
}

impl Egress {
    /// # Errors
    /// A redirect isn't an origin, or TLS can't be set up.
    pub fn new(settings: EgressSettings) -> Result<Self, EgressError> {
        for (host, to) in &settings.redirect {
            if dial::is_port_redirect(host, to) {
                continue;
            }
            let origin = matches!(to.scheme(), "http" | "https") && to.host().is_some() && to.path() == "/" && to.query().is_none();
            if !origin || !to.username().is_empty() || to.password().is_some() {
                return Err(EgressError(format!(
                    "redirect.\"{host}\" must be http(s)://host[:port] and no more, or for host:port tcp://host:port"
                )));
            }
        }
        let allow: Arc<[IpNet]> = settings.allow.clone().into();
        let roots = native_roots();
        let tls = tls_trusting(roots.clone())?;
        Ok(Self {
            guarded: client(&settings, &tls, Gate::Guarded(Arc::clone(&allow)))?,
            listed: client(&settings, &tls, Gate::Listed(Arc::clone(&allow)))?,
            open: client(&settings, &tls, Gate::Open)?,
            public: client(&settings, &tls, Gate::Guarded(Arc::default()))?,
            allow,
            settings,
            roots,
            tls: Arc::new(tls),
        })
    }

    /// Sends a plugin's request to the target it names and answers what came back, whatever its status.
    ///
    /// A body of a status of 400 or more stays out of a blob that was asked for: it tells what is wrong.
    ///
    /// # Errors
    /// `Denied`: it wasn't allowed, and nothing left (but for `TooLarge`, which a response can be). `NotSent`: surely
    /// nothing was sent. `Broken`: perhaps it was.
    pub async fn call(&self, errand: Errand<'_>, request: HttpRequest) -> Result<Answer, HttpProblem> {
        let began = Instant::now();
        let deadline = errand.deadline.min(began + request.timeout.unwrap_or(Duration::MAX).min(self.settings.request_timeout));
        let (target, method) = (request.target.clone(), request.method.clone());
        let Errand { manifest, settings, secrets, blobs, dispatch, .. } = errand;
        let plugin = &manifest.id;
        let result = match self.prepare(manifest, settings, secrets, request) {
            Ok((plan, scanner, most)) => Exchange { egress: self, blobs, scanner, plan, most }.run(dispatch, deadline).await,
            Err(refused) => Err(exchange::Stopped::from(refused)),
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok((host, answer)) => {
                let status = answer.response.status;
                tracing::debug!(plugin.id = plugin, target.name = %target, host, method, status, duration_ms, "request answered");
                Ok(answer)
            }
            Err(stopped) => {
                let why = stopped.why;
                tracing::warn!(plugin.id = plugin, target.name = %target, method, duration_ms, problem = ?stopped.problem, why, "request failed");
                Err(stopped.problem)
            }
        }
    }

    /// Everything that can be refused is refused here, before anything is dialled.
    fn prepare(
        &self,
        manifest: &Manifest,
        settings: &Value,
        secrets: &BTreeMap<String, Secret>,
        request: HttpRequest,
    ) -> Result<(Plan, Scanner, Most), Refused> {
        let unknown = || Refused::new(Denial::UnknownTarget, "the manifest has no such target");
        let target = manifest.egress.get(&request.target).ok_or_else(unknown)?;
        for capture in &request.capture {
            let source = manifest.secrets.get(&capture.secret).map(|spec| spec.from);
            if !matches!(source, Some(SecretSource::Captured | SecretSource::Oauth)) {
                let why = format!("the manifest has no secret \"{}\" that is captured", capture.secret);
                return Err(Refused::new(Denial::NotGranted, &why));
            }
        }
        if request.into_blob && !request.capture.is_empty() {
            return Err(Refused::new(Denial::NotGranted, "a response that goes to a blob isn't searched for secrets to capture"));
        }
        let scanner = Scanner::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret)));
        request::refuse_leaks(&scanner, &request)?;
        let plan = Plan::new(target, settings, secrets, request)?;
        let asked = target.max_response_mb.map(|mb| mb.saturating_mul(1024 * 1024));
        let in_memory = asked.unwrap_or(self.settings.max_response_bytes);
        let in_blob = asked.unwrap_or(u32::MAX).min(self.settings.max_blob_bytes);
        Ok((plan, scanner, Most { in_memory, in_blob }))
    }
}

/// Bytes that a response may have.
#[derive(Debug, Clone, Copy)]
struct Most {
    /// Of one that is handed to the plugin.
    in_memory: u32,
    in_blob: u32,
}

/// A client for what the operator himself has named in the configuration: it goes anywhere.
///
/// # Errors
/// TLS can't be set up.
#[cfg(feature = "s3")]
pub(crate) fn trusted_client() -> Result<Client, EgressError> {
    client(&EgressSettings::default(), &tls_trusting(native_roots())?, Gate::Open)
}

fn native_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        // The gateway starts all the same: with redirects alone, as in a demonstration, it needs none.
        tracing::warn!("the machine has no CA certificates, so no provider can be reached by https: install ca-certificates");
    }
    roots
}

fn tls_trusting(roots: RootCertStore) -> Result<ClientConfig, EgressError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| EgressError(format!("TLS can't be set up: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A client for an address that the operator has configured, not a plugin: it may be on this machine. It follows no redirects.
///
/// # Errors
/// TLS can't be set up.
#[expect(clippy::disallowed_methods, reason = "this is the room that guards addresses, sizes and times")]
pub fn operators_client(timeout: Duration) -> Result<Client, EgressError> {
    Client::builder()
        .tls_backend_preconfigured(tls_trusting(native_roots())?)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(timeout)
        .user_agent(EgressSettings::default().user_agent)
        .build()
        .map_err(|error| EgressError(error.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "this is the room that guards addresses, sizes and times")]
fn client(settings: &EgressSettings, tls: &ClientConfig, gate: Gate) -> Result<Client, EgressError> {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(gate)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        // What is known of when bytes leave is known of HTTP/1.1.
        .http1_only()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE)
        .build()
        .map_err(|error| EgressError(error.to_string()))
}

#[cfg(test)]
mod tests;
