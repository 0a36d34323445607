//! A file that a client or a stranger names by URL: fetched into a blob, from public addresses alone.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use patchbay_sandbox::services::BlobInfo;
use reqwest::header::{CONTENT_TYPE, HOST, LOCATION};
use reqwest::{Response, StatusCode};
use url::Url;

use super::Egress;
use super::exchange::{REDIRECTS_MAX, Way, chain, told};
use super::guard::{Blocked, Gate};
use crate::blobs::{BlobError, BlobWriter, Blobs};

/// Why a URL wasn't fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The gateway doesn't go there; another try changes nothing.
    #[error("{0}")]
    Refused(String),
    #[error("it has more than {0} bytes")]
    TooLarge(u32),
    #[error("its server answers {0}")]
    Status(u16),
    /// Another try may find it.
    #[error("{0}")]
    Unreachable(String),
}

impl Egress {
    /// Fetches what is at the URL into a blob of at most `most` bytes. No credential goes along, and no private address is
    /// dialled, not even one that `allow` lets plugins reach; only hosts that the operator has redirected go elsewhere.
    ///
    /// # Errors
    /// Why it wasn't fetched; nothing of it is kept then.
    pub async fn fetch(&self, url: &str, blobs: &Blobs, most: u32, within: Duration) -> Result<BlobInfo, FetchError> {
        let within = within.min(self.settings.request_timeout);
        let fetched = tokio::time::timeout(within, self.fetch_hops(url, blobs, most)).await;
        fetched.unwrap_or_else(|_| Err(FetchError::Unreachable("its server doesn't answer in time".to_owned())))
    }

    async fn fetch_hops(&self, url: &str, blobs: &Blobs, most: u32) -> Result<BlobInfo, FetchError> {
        let mut url = Url::parse(url).map_err(|error| FetchError::Refused(format!("it is no URL: {error}")))?;
        for _ in 0..=REDIRECTS_MAX {
            let way = self.public_way(&url)?;
            let mut request = way.client.get(way.url);
            if let Some(host) = way.host {
                request = request.header(HOST, host);
            }
            let response = request.send().await.map_err(failed)?;
            match next(&url, &response)? {
                Some(next) => url = next,
                None => return store(response, blobs, most).await,
            }
        }
        Err(FetchError::Refused(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    fn public_way(&self, url: &Url) -> Result<Way<'_>, FetchError> {
        let no = |why: &str| Err(FetchError::Refused(why.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return no("its URL is neither https nor http");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return no("its URL holds a user name or a password");
        }
        let Some(host) = url.host() else { return no("its URL has no host") };
        if let Some(way) = self.redirected(url) {
            return Ok(way);
        }
        if !Gate::Guarded(Arc::default()).permits_host(&host) {
            return no(Blocked::ADDRESS);
        }
        Ok(Way { client: &self.public, url: url.clone(), host: None })
    }
}

fn failed(error: reqwest::Error) -> FetchError {
    if chain(&error).any(<dyn Error>::is::<Blocked>) {
        return FetchError::Refused(Blocked::ADDRESS.to_owned());
    }
    FetchError::Unreachable(told(error))
}

/// Where a redirect leads, if it is one.
fn next(url: &Url, response: &Response) -> Result<Option<Url>, FetchError> {
    let status = response.status();
    let redirects = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = response.headers().get(LOCATION).filter(|_| redirects) else {
        return if status.is_success() { Ok(None) } else { Err(FetchError::Status(status.as_u16())) };
    };
    let next = location.to_str().ok().and_then(|text| url.join(text).ok());
    match next {
        Some(next) if url.scheme() == "https" && next.scheme() != "https" => {
            Err(FetchError::Refused("it redirects from https to http".to_owned()))
        }
        Some(next) => Ok(Some(next)),
        None => Err(FetchError::Refused("it redirects to what is no URL".to_owned())),
    }
}

async fn store(mut response: Response, blobs: &Blobs, most: u32) -> Result<BlobInfo, FetchError> {
    if response.content_length().is_some_and(|length| length > u64::from(most)) {
        return Err(FetchError::TooLarge(most));
    }
    let mime = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/octet-stream");
    let mut writer = blobs.create(mime, most).map_err(|error| not_kept(&error))?;
    match fill(&mut writer, &mut response).await {
        Ok(()) => writer.finish().await.map_err(|error| not_kept(&error)),
        Err(error) => {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "a part of a blob stays in the store");
            }
            Err(error)
        }
    }
}

async fn fill(writer: &mut BlobWriter, response: &mut Response) -> Result<(), FetchError> {
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        writer.append(piece).await.map_err(|error| not_kept(&error))?;
    }
    Ok(())
}

fn not_kept(error: &BlobError) -> FetchError {
    match error {
        BlobError::TooLarge(most) => FetchError::TooLarge(*most),
        other => FetchError::Unreachable(other.to_string()),
    }
}
