//! A request with its credentials: what goes out at each hop.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchbay_sandbox::services::{Capture, Denial, Field, HttpBody, HttpRequest, PartContent};
use reqwest::Method;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT};
use serde::de::IgnoredAny;
use serde_json::Value;
use url::{Origin, Url};
use zeroize::Zeroizing;

use super::address::{self, Place};
use super::{Refused, scan::Scanner};
use crate::manifest::Target;
use crate::secrets::Secret;

/// Headers of the connection, and credentials: the gateway's alone.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a plugin's header may still be where a provider sends us to another host.
const ELSEWHERE: &[HeaderName] = &[ACCEPT, ACCEPT_LANGUAGE, RANGE, USER_AGENT];

pub(super) struct Plan {
    pub(super) method: Method,
    /// With the query and its credentials.
    pub(super) url: Url,
    /// The target's own origin: credentials go there alone.
    pub(super) home: Origin,
    pub(super) body: HttpBody,
    pub(super) into_blob: bool,
    pub(super) capture: Vec<Capture>,
    /// The plugin's.
    headers: HeaderMap,
    /// The gateway's.
    credentials: HeaderMap,
    query: Vec<(String, Secret)>,
    /// Form fields.
    pub(super) form: Vec<(String, Secret)>,
}

impl Plan {
    pub(super) fn new(
        target: &Target,
        settings: &Value,
        secrets: &BTreeMap<String, Secret>,
        request: HttpRequest,
    ) -> Result<Self, Refused> {
        if !target.methods.contains(&request.method) {
            return Err(Refused::new(Denial::NotGranted, "the manifest's target doesn't list this method"));
        }
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| Refused::new(Denial::NotGranted, "no such method"))?;
        let Place { mut url, home } = address::place(target, settings, secrets, &request.path)?;
        let at_home = url.origin() == home;
        if !at_home && !matches!(method, Method::GET | Method::HEAD) {
            return Err(Refused::new(Denial::NotGranted, "another host than the target's own is only asked for files: GET or HEAD"));
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query.iter().map(|field| (&field.name, &field.value)));
        }
        let mut plan = Self {
            headers: headers(target, &request)?,
            credentials: HeaderMap::new(),
            query: Vec::new(),
            form: Vec::new(),
            method,
            url,
            home,
            body: request.body,
            into_blob: request.into_blob,
            capture: request.capture,
        };
        if !at_home {
            return Ok(plan);
        }
        plan.credentials = credentials(target, secrets)?;
        for (field, secret, optional) in target.query_secrets() {
            match address::secret(secrets, secret) {
                Ok(secret) => plan.query.push((field.to_owned(), secret.clone())),
                Err(_) if optional => {}
                Err(refused) => return Err(refused),
            }
        }
        for (field, secret) in &target.form {
            plan.form.push((field.clone(), address::secret(secrets, secret)?.clone()));
        }
        if !plan.form.is_empty() && matches!(plan.body, HttpBody::Bytes(_) | HttpBody::Blob(_) | HttpBody::Piece { .. }) {
            return Err(Refused::new(Denial::NotGranted, "the target's credential is a form field, and the body isn't a form"));
        }
        let mut members = Vec::new();
        for (member, secret, optional) in target.json_secrets() {
            match address::secret(secrets, secret) {
                Ok(secret) => members.push((member, secret)),
                Err(_) if optional => {}
                Err(refused) => return Err(refused),
            }
        }
        if !target.json.is_empty() {
            plan.body = json_with(plan.body, &members)?;
            plan.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        let url = plan.with_query(plan.url.clone());
        Ok(Self { url, ..plan })
    }

    /// Adds the query's credentials where they aren't yet.
    pub(super) fn with_query(&self, mut url: Url) -> Url {
        for (field, secret) in &self.query {
            if !url.query_pairs().any(|(name, _)| name == *field) {
                url.query_pairs_mut().append_pair(field, secret.expose());
            }
        }
        url
    }

    /// The headers of a hop: to the target's own origin, or to another that a provider has named.
    pub(super) fn headers(&self, at_home: bool) -> HeaderMap {
        let mut headers = self.headers.clone();
        if at_home {
            headers.extend(self.credentials.clone());
            return headers;
        }
        ELSEWHERE.iter().filter_map(|name| headers.remove(name).map(|value| (name.clone(), value))).collect()
    }

    pub(super) fn has_type(&self) -> bool {
        self.headers.contains_key(CONTENT_TYPE)
    }
}

/// The body with credentials as members of its JSON object. What the plugin wrote stays as it is, byte by byte.
fn json_with(body: HttpBody, members: &[(&str, &Secret)]) -> Result<HttpBody, Refused> {
    let wrong = |why: &str| Refused::new(Denial::NotGranted, &format!("the target's credential is a member of a JSON object, and {why}"));
    let written = match body {
        HttpBody::Empty if members.is_empty() => return Ok(HttpBody::Empty),
        HttpBody::Empty => b"{}".to_vec(),
        HttpBody::Bytes(written) => written,
        HttpBody::Form(_) | HttpBody::Multipart(_) | HttpBody::Blob(_) | HttpBody::Piece { .. } => return Err(wrong("the body isn't one")),
    };
    let own: BTreeMap<String, IgnoredAny> = serde_json::from_slice(&written).map_err(|_| wrong("the body isn't one"))?;
    if let Some((member, _)) = members.iter().find(|(member, _)| own.contains_key(*member)) {
        return Err(wrong(&format!("\"{member}\" is the gateway's to set")));
    }
    let mut whole = written.trim_ascii_end().strip_suffix(b"}").unwrap_or_default().to_vec();
    for (n, (member, secret)) in members.iter().enumerate() {
        if n > 0 || !own.is_empty() {
            whole.push(b',');
        }
        let value = Zeroizing::new(Value::from(secret.expose()).to_string());
        whole.extend_from_slice(format!("{}:", Value::from(*member)).as_bytes());
        whole.extend_from_slice(value.as_bytes());
    }
    whole.push(b'}');
    Ok(HttpBody::Bytes(whole))
}

fn headers(target: &Target, request: &HttpRequest) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    let own_type = matches!(request.body, HttpBody::Form(_) | HttpBody::Multipart(_));
    for Field { name, value } in &request.headers {
        let wrong = |why: &str| Refused::new(Denial::NotGranted, &format!("the header \"{name}\" {why}"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("isn't one"))?;
        let of_target = target.header.keys().any(|own| own.eq_ignore_ascii_case(header.as_str()));
        let is_own = target.signed_by_plugin && header == AUTHORIZATION;
        if (RESERVED.contains(&header.as_str()) && !is_own) || header.as_str().starts_with("proxy-") || of_target {
            return Err(wrong("is the gateway's to set"));
        }
        // The type of a form or multipart body is known here, with its boundary.
        if !(own_type && header == CONTENT_TYPE) {
            headers.append(header, HeaderValue::from_str(value).map_err(|_| wrong("has a value that no header can have"))?);
        }
    }
    Ok(headers)
}

fn credentials(target: &Target, secrets: &BTreeMap<String, Secret>) -> Result<HeaderMap, Refused> {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: Zeroizing<String>| {
        let wrong = |_| Refused::new(Denial::CredentialMissing, &format!("the secret for the header {name} can't stand in a header"));
        let mut value = HeaderValue::from_str(&value).map_err(wrong)?;
        value.set_sensitive(true);
        headers.append(name, value);
        Ok(())
    };
    if let Some(name) = &target.bearer {
        add(AUTHORIZATION, Zeroizing::new(format!("Bearer {}", address::secret(secrets, name)?.expose())))?;
    }
    if let Some(basic) = &target.basic {
        let (user, password) = (address::secret(secrets, &basic.user)?, address::secret(secrets, &basic.password)?);
        let pair = Zeroizing::new(format!("{}:{}", user.expose(), password.expose()));
        add(AUTHORIZATION, Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes()))))?;
    }
    for (header, value) in &target.header {
        let wrong = |_| Refused::new(Denial::NotGranted, &format!("the header \"{header}\" isn't one"));
        let name = HeaderName::from_bytes(header.as_bytes()).map_err(wrong)?;
        add(name, Zeroizing::new(address::credential(&value.credential(), secrets)?))?;
    }
    Ok(headers)
}

/// A plugin holds no secret; one that has found a way to hold one doesn't get it out.
pub(super) fn refuse_leaks(scanner: &Scanner, request: &HttpRequest) -> Result<(), Refused> {
    let fields = |fields: &[Field]| {
        fields
            .iter()
            .find_map(|field| scanner.find(field.name.as_bytes()).or_else(|| scanner.find(field.value.as_bytes())).map(str::to_owned))
    };
    let body = match &request.body {
        HttpBody::Empty | HttpBody::Blob(_) | HttpBody::Piece { .. } => None,
        HttpBody::Bytes(bytes) => scanner.find(bytes).map(str::to_owned),
        HttpBody::Form(form) => fields(form),
        HttpBody::Multipart(parts) => parts.iter().find_map(|part| {
            let texts = [Some(&part.name), part.file_name.as_ref(), part.mime_type.as_ref()];
            let in_text = texts.into_iter().flatten().find_map(|text| scanner.find(text.as_bytes()));
            let in_content = || match &part.content {
                PartContent::Bytes(bytes) => scanner.find(bytes),
                PartContent::Blob(_) => None,
            };
            in_text.or_else(in_content).map(str::to_owned)
        }),
    };
    let elsewhere =
        || scanner.find(request.path.as_bytes()).map(str::to_owned).or_else(|| fields(&request.query)).or_else(|| fields(&request.headers));
    match body.or_else(elsewhere) {
        Some(name) => Err(Refused::new(Denial::NotGranted, &format!("the plugin's request holds the secret \"{name}\""))),
        None => Ok(()),
    }
}
