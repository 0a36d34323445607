//! A request of the gateway's own to a URL that a manifest names: a token is asked for. The same guard as for plugins' requests;
//! no redirect is followed, because the request holds the app's secret.

use std::error::Error;
use std::time::Duration;

use axum::http;
use reqwest::header::HOST;
use url::Url;

use super::Egress;
use super::exchange::{Way, chain, told};
use super::guard::Blocked;

/// Bytes of an answer: a token and what stands around it.
const ANSWER_MAX: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The gateway doesn't go there; another try changes nothing.
    #[error("{0}")]
    Refused(String),
    /// Another try may find it.
    #[error("{0}")]
    Unreachable(String),
}

/// How far one question goes.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub within: Duration,
    /// Bytes of the answer's body.
    pub most: usize,
    /// The operator has named the host himself in the configuration: it is dialled wherever it is, by plain http too.
    pub named_by_operator: bool,
}

impl Egress {
    /// Sends the request and answers what came back, whatever its status.
    ///
    /// # Errors
    /// Why nothing came back. The request may have arrived all the same.
    pub async fn ask(&self, request: http::Request<Vec<u8>>, within: Duration) -> Result<http::Response<Vec<u8>>, AskError> {
        let within = within.min(self.settings.request_timeout);
        self.ask_on(request, Terms { within, most: ANSWER_MAX, named_by_operator: false }).await
    }

    /// The same on other terms.
    ///
    /// # Errors
    /// As [`Egress::ask`].
    pub async fn ask_on(&self, request: http::Request<Vec<u8>>, terms: Terms) -> Result<http::Response<Vec<u8>>, AskError> {
        let asked = tokio::time::timeout(terms.within, self.asked(request, terms)).await;
        asked.unwrap_or_else(|_| Err(AskError::Unreachable(format!("no answer within {} s", terms.within.as_secs()))))
    }

    async fn asked(&self, request: http::Request<Vec<u8>>, terms: Terms) -> Result<http::Response<Vec<u8>>, AskError> {
        let (parts, body) = request.into_parts();
        let url: Url = parts.uri.to_string().parse().map_err(|error| AskError::Refused(format!("it is no URL: {error}")))?;
        let way = if terms.named_by_operator {
            self.redirected(&url).unwrap_or(Way { client: &self.open, url, host: None })
        } else {
            self.way(&url).map_err(|refused| AskError::Refused(refused.why))?
        };
        let mut request = way.client.request(parts.method, way.url).headers(parts.headers).body(body);
        if let Some(host) = way.host {
            request = request.header(HOST, host);
        }
        let mut response = request.send().await.map_err(failed)?;
        let too_large = || AskError::Refused(format!("the answer has more than {} bytes", terms.most));
        if response.content_length().is_some_and(|length| usize::try_from(length).map_or(true, |length| length > terms.most)) {
            return Err(too_large());
        }
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if answer.body().len() + piece.len() > terms.most {
                return Err(too_large());
            }
            answer.body_mut().extend_from_slice(&piece);
        }
        Ok(answer)
    }
}

fn failed(error: reqwest::Error) -> AskError {
    if chain(&error).any(<dyn Error>::is::<Blocked>) {
        return AskError::Refused(Blocked.to_string());
    }
    AskError::Unreachable(told(error))
}
