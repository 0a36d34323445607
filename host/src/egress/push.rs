//! A request of the gateway's own to a URL that a client chose: a subscriber's endpoint. The same guard as for plugins, no
//! redirects, and little of the answer is read.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use reqwest::{
    Response,
    header::{HOST, HeaderMap, LOCATION, RETRY_AFTER},
};
use url::{Host, Url};

use super::{Egress, exchange::told, guard::Gate};

/// Bytes of an answer that are kept for a person to read.
const SHOWN_MAX: usize = 500;

/// What the receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub status: u16,
    /// The wait that it asked for, in whole seconds.
    pub retry_after: Option<Duration>,
    /// Where it would have sent us.
    pub location: Option<String>,
    /// The beginning of the body.
    pub text: String,
}

impl Egress {
    /// Posts a body; answers what came back, whatever its status.
    ///
    /// # Errors
    /// Why there is no answer, in words for the endpoint's owner.
    pub async fn push(&self, url: &Url, headers: HeaderMap, body: Bytes, timeout: Duration) -> Result<Pushed, String> {
        let way = self.way(url).map_err(|refused| refused.why)?;
        let mut request = way.client.post(way.url).headers(headers).body(body);
        if let Some(host) = way.host {
            request = request.header(HOST, host);
        }
        let exchange = async { Ok(shown(request.send().await.map_err(told)?).await) };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs_f32())))
    }

    /// Whether [`Egress::push`] would dial the URL as its name resolves now. A name that doesn't resolve may yet.
    ///
    /// # Errors
    /// Why it wouldn't.
    pub async fn check_url(&self, url: &Url) -> Result<(), String> {
        let Some(host) = url.host() else { return Err("the URL has no host".to_owned()) };
        if self.is_redirected(&host.to_string()) {
            return Ok(());
        }
        let found: Vec<IpAddr> = match host {
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
            Host::Domain(name) => self.resolve(name).await,
        };
        let nets = self.allow.clone();
        let (gate, why) = match url.scheme() {
            "https" => (Gate::Guarded(nets), "its address is private or reserved"),
            _ => (Gate::Listed(nets), "plain http goes to private networks alone that the operator has let through: use https"),
        };
        if found.is_empty() || found.iter().any(|address| gate.permits(*address)) { Ok(()) } else { Err(why.to_owned()) }
    }

    /// The name's addresses; none where nobody tells them in time.
    async fn resolve(&self, name: &str) -> Vec<IpAddr> {
        match tokio::time::timeout(self.settings.connect_timeout, tokio::net::lookup_host((name, 0))).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            _ => Vec::new(),
        }
    }
}

async fn shown(mut response: Response) -> Pushed {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(RETRY_AFTER).and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let location = header(LOCATION).map(str::to_owned);
    let mut text = Vec::new();
    // The status is the answer: a body that breaks off takes nothing from it.
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(chunk.get(..SHOWN_MAX.saturating_sub(text.len()).min(chunk.len())).unwrap_or_default());
        if text.len() >= SHOWN_MAX {
            break;
        }
    }
    Pushed { status: response.status().as_u16(), retry_after, location, text: String::from_utf8_lossy(&text).into_owned() }
}
