//! A subscriber: it keeps what the gateway posts, and answers as the test says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::eventually;

/// One post.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) event: Value,
    pub(crate) status: u16,
}

impl Received {
    /// The first text of the message that it tells of.
    pub(crate) fn text(&self) -> &str {
        self.event["data"]["message"]["content"][0]["text"].as_str().unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    /// After a while.
    Slow(Duration),
    Redirect(String),
}

type Judge = Box<dyn Fn(&Value) -> Reply + Send>;

#[derive(Clone)]
pub(crate) struct Receiver {
    inner: Arc<Inner>,
    address: SocketAddr,
}

struct Inner {
    received: Mutex<Vec<Received>>,
    judge: Mutex<Judge>,
}

impl Receiver {
    /// It takes everything until it is told otherwise.
    pub(crate) async fn start() -> Receiver {
        let inner = Arc::new(Inner { received: Mutex::default(), judge: Mutex::new(Box::new(|_| Reply::Status(204))) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { inner, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn answer(&self, judge: impl Fn(&Value) -> Reply + Send + 'static) {
        *self.inner.judge.lock().unwrap() = Box::new(judge);
    }

    /// Every post, whatever it was answered, oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    /// What was answered 2xx.
    pub(crate) fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| (200..300).contains(&received.status)).collect()
    }

    /// The texts of the messages told and taken.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.taken().iter().map(|received| received.text().to_owned()).collect()
    }

    /// Waits until so many were taken; answers them.
    pub(crate) async fn wait_taken(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} events are taken"), || async {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
        .await
    }

    /// Waits for an event of that type that was taken.
    pub(crate) async fn wait_type(&self, event_type: &str) -> Received {
        eventually(&format!("{event_type} is taken"), || async {
            self.taken().into_iter().find(|received| received.event["type"] == event_type)
        })
        .await
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap();
    let reply = (inner.judge.lock().unwrap())(&event);
    let status = match &reply {
        Reply::Status(status) => *status,
        Reply::Slow(_) => 200,
        Reply::Redirect(_) => 302,
    };
    if let Reply::Slow(wait) = &reply {
        tokio::time::sleep(*wait).await;
    }
    inner.received.lock().unwrap().push(Received { headers, body, event, status });
    let status = StatusCode::from_u16(status).unwrap();
    match reply {
        Reply::Redirect(to) => (status, [(header::LOCATION, to)]).into_response(),
        _ => (status, "what the receiver says").into_response(),
    }
}
