//! A shop's site in an origin of its own, with the strict policy that a careful site has.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

type Files = Arc<Mutex<HashMap<String, (String, String)>>>;

pub(crate) struct Site {
    files: Files,
    policy: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Site {
    /// Its address has to be known before its pages are: an account lists it.
    pub(crate) async fn start() -> Site {
        let (files, policy) = (Files::default(), Arc::new(Mutex::new("default-src 'none'".to_owned())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(serve).with_state((Arc::clone(&files), Arc::clone(&policy)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Site { files, policy, address }
    }

    /// `localhost`, while the gateway is at `127.0.0.1`: another site altogether, and a secure context.
    pub(crate) fn origin(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The Content-Security-Policy of everything that it serves.
    pub(crate) fn set_policy(&self, policy: &str) {
        policy.clone_into(&mut self.policy.lock().unwrap());
    }

    pub(crate) fn put(&self, path: &str, mime_type: &str, text: &str) {
        self.files.lock().unwrap().insert(path.to_owned(), (mime_type.to_owned(), text.to_owned()));
    }
}

async fn serve(State((files, policy)): State<(Files, Arc<Mutex<String>>)>, uri: Uri) -> Response {
    let Some((mime_type, text)) = files.lock().unwrap().get(uri.path()).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    let policy = HeaderValue::from_str(&policy.lock().unwrap()).unwrap();
    ([(header::CONTENT_TYPE, mime_type.parse().unwrap()), (header::CONTENT_SECURITY_POLICY, policy)], text).into_response()
}
