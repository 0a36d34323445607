//! A request of the gateway's own to a URL that a manifest names: a token is asked for. The same guard as for plugins' requests;
//! no redirect is followed, because the request holds the app's secret.

use std::error::Error;
use std::time::Duration;

use axum::http;
use reqwest::header::HOST;

use super::Egress;
use super::exchange::{chain, told};
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

impl Egress {
    /// Sends the request and answers what came back, whatever its status.
    ///
    /// # Errors
    /// Why nothing came back. The request may have arrived all the same.
    pub async fn ask(&self, request: http::Request<Vec<u8>>, within: Duration) -> Result<http::Response<Vec<u8>>, AskError> {
        let within = within.min(self.settings.request_timeout);
        let asked = tokio::time::timeout(within, self.asked(request)).await;
        asked.unwrap_or_else(|_| Err(AskError::Unreachable(format!("no answer within {} s", within.as_secs()))))
    }

    async fn asked(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, AskError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse().map_err(|error| AskError::Refused(format!("it is no URL: {error}")))?;
        let way = self.way(&url).map_err(|refused| AskError::Refused(refused.why))?;
        let mut request = way.client.request(parts.method, way.url).headers(parts.headers).body(body);
        if let Some(host) = way.host {
            request = request.header(HOST, host);
        }
        let mut response = request.send().await.map_err(failed)?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if answer.body().len() + piece.len() > ANSWER_MAX {
                return Err(AskError::Refused(format!("the answer has more than {ANSWER_MAX} bytes")));
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
