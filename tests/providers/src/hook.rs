//! A webhook for the tests of stand-ins: it keeps what it gets and answers what it is told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::{Router, routing};
use parking_lot::Mutex;
use serde_json::Value;

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Hook {
    pub(crate) url: String,
    got: Mutex<Vec<Got>>,
    answers: Mutex<Vec<u16>>,
}

impl Hook {
    pub(crate) async fn start() -> Arc<Self> {
        async fn receive(State(hook): State<Arc<Hook>>, method: Method, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
            hook.got.lock().push(Got { method, uri, headers, body });
            let mut answers = hook.answers.lock();
            StatusCode::from_u16(if answers.is_empty() { 200 } else { answers.remove(0) }).unwrap()
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/acc/token", listener.local_addr().unwrap());
        let hook = Arc::new(Self { url, ..Self::default() });
        let router = Router::new().fallback(routing::any(receive)).with_state(Arc::clone(&hook));
        tokio::spawn(async move { axum::serve(listener, router).await });
        hook
    }

    /// The next requests are answered with these; then it is 200 again.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().extend(statuses);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().clone()
    }

    /// Waits for that many requests.
    ///
    /// # Panics
    /// Where they don't come within five seconds.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Got> {
        for _ in 0..1_000 {
            if self.got.lock().len() >= count {
                return self.got();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} requests were awaited, {:#?} came", self.got());
    }
}

/// A client that follows no redirects.
pub(crate) fn client() -> reqwest::Client {
    // Where the whole workspace is built, reqwest has TLS without a provider of its own.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
