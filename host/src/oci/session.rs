//! One pull: who asks, with which token, and where the registry may send us on to.

use std::time::Duration;

use axum::http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use oci_client::{
    Reference,
    manifest::{IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE},
};
use serde::Deserialize;
use url::Url;

use super::PullError;
use crate::{
    config::Registry,
    egress::{Egress, Terms},
};

/// Bytes of a manifest, and of a token with what stands around it.
const TEXT_MAX: usize = 1024 * 1024;
/// Registries send to their stores, and those on to others.
const REDIRECTS_MAX: usize = 5;
/// For a token or a manifest, and for a component.
const TEXT_WITHIN: Duration = Duration::from_secs(30);
const BLOB_WITHIN: Duration = Duration::from_secs(300);

pub(super) struct Session<'a> {
    egress: &'a Egress,
    registry: &'a Registry,
    reference: &'a Reference,
    /// What the registry asked for.
    authorization: Option<HeaderValue>,
}

/// What a token service answers: some say `token`, some `access_token`.
#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: String,
}

impl<'a> Session<'a> {
    pub(super) fn new(egress: &'a Egress, registry: &'a Registry, reference: &'a Reference) -> Session<'a> {
        Session { egress, registry, reference, authorization: None }
    }

    /// The image's manifest, byte by byte.
    pub(super) async fn manifest(&mut self) -> Result<Vec<u8>, PullError> {
        let wanted = self.reference.digest().or_else(|| self.reference.tag()).unwrap_or("latest");
        let url = self.url(&format!("manifests/{wanted}"))?;
        let mut answer = self.get(&url, TEXT_MAX, TEXT_WITHIN).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.authorize(answer.headers()).await?;
            answer = self.get(&url, TEXT_MAX, TEXT_WITHIN).await?;
        }
        self.body(answer)
    }

    /// A blob of at most so many bytes; its digest isn't looked at.
    pub(super) async fn blob(&self, digest: &str, most: usize) -> Result<Vec<u8>, PullError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.get(&url, most, BLOB_WITHIN).await?;
        self.body(answer)
    }

    fn url(&self, rest: &str) -> Result<Url, PullError> {
        let scheme = if self.registry.plain_http { "http" } else { "https" };
        let text = format!("{scheme}://{}/v2/{}/{rest}", self.reference.registry(), self.reference.repository());
        text.parse().map_err(|error: url::ParseError| self.wrong(format!("{text} is no URL: {error}")))
    }

    fn wrong(&self, why: String) -> PullError {
        PullError::Unreachable { registry: self.reference.registry().to_owned(), why }
    }

    /// Is it the registry itself, as the operator has named it?
    fn is_registry(&self, url: &Url) -> bool {
        let own = self.url("");
        own.is_ok_and(|own| own.origin() == url.origin())
    }

    /// The registry itself is dialled wherever it is; where it sends us on to is guarded as any other address, and gets no credentials.
    async fn get(&self, url: &Url, most: usize, within: Duration) -> Result<Response<Vec<u8>>, PullError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let own = self.is_registry(&url);
            let mut headers = HeaderMap::new();
            if own {
                for accepted in [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE] {
                    headers.append(ACCEPT, HeaderValue::from_static(accepted));
                }
                headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
            }
            let answer = self.ask(&url, headers, Terms { within, most, named_by_operator: own }).await?;
            let Some(next) = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection()) else { return Ok(answer) };
            let next = next.to_str().ok().and_then(|next| url.join(next).ok());
            let next = next.ok_or_else(|| self.wrong("it redirects to what is no URL".to_owned()))?;
            self.keeps_secret(&next, "redirects")?;
            url = next;
        }
        Err(self.wrong(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    async fn ask(&self, url: &Url, headers: HeaderMap, terms: Terms) -> Result<Response<Vec<u8>>, PullError> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = url.as_str().parse().map_err(|error| self.wrong(format!("it sends to what is no URL: {error}")))?;
        *request.headers_mut() = headers;
        self.egress.ask_on(request, terms).await.map_err(|error| PullError::unreachable(self.reference.registry(), &error))
    }

    /// Nothing goes over plain http, unless it is the registry that the operator has named so.
    fn keeps_secret(&self, url: &Url, how: &str) -> Result<(), PullError> {
        if url.scheme() == "https" || self.is_registry(url) {
            return Ok(());
        }
        Err(self.wrong(format!("it {how} to {}, which isn't https", url.origin().ascii_serialization())))
    }

    /// Gets what the registry wants to see, by the way that it names.
    async fn authorize(&mut self, headers: &HeaderMap) -> Result<(), PullError> {
        let refused = || PullError::Unauthorized(self.reference.registry().to_owned());
        let text = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let challenges =
            http_auth::parse_challenges(text).map_err(|_| self.wrong(format!("it asks for what nobody can read: {text:?}")))?;
        let named = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let value = if let Some(bearer) = named("bearer") {
            let field =
                |name: &str| bearer.params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_unescaped());
            let realm = field("realm").ok_or_else(refused)?;
            format!("Bearer {}", self.token(&realm, field("service").as_deref()).await?)
        } else if named("basic").is_some() {
            self.basic().ok_or_else(refused)?
        } else {
            return Err(refused());
        };
        let mut value = HeaderValue::from_str(&value).map_err(|_| refused())?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    async fn token(&self, realm: &str, service: Option<&str>) -> Result<String, PullError> {
        let mut url: Url = realm.parse().map_err(|_| self.wrong(format!("it sends for a token to what is no URL: {realm:?}")))?;
        self.keeps_secret(&url, "sends for a token")?;
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(service.map(|service| ("service", service)));
            query.append_pair("scope", &format!("repository:{}:pull", self.reference.repository()));
        }
        let basic = self.basic().and_then(|value| HeaderValue::from_str(&value).ok());
        let headers: HeaderMap = basic.map(|value| (AUTHORIZATION, value)).into_iter().collect();
        let terms = Terms { within: TEXT_WITHIN, most: TEXT_MAX, named_by_operator: self.is_registry(&url) };
        let answer = self.ask(&url, headers, terms).await?;
        let body = self.body(answer)?;
        let token: Token = serde_json::from_slice(&body).map_err(|_| self.wrong("its token service answers no token".to_owned()))?;
        Ok(token.token)
    }

    fn basic(&self) -> Option<String> {
        let Registry { username, password, .. } = self.registry;
        (!username.is_empty()).then(|| format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
    }

    /// The body of an answer that is well.
    fn body(&self, answer: Response<Vec<u8>>) -> Result<Vec<u8>, PullError> {
        match answer.status() {
            status if status.is_success() => Ok(answer.into_body()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PullError::Unauthorized(self.reference.registry().to_owned())),
            StatusCode::NOT_FOUND => Err(PullError::NotFound(self.reference.to_string())),
            status => Err(self.wrong(format!("it answers {status}"))),
        }
    }
}
