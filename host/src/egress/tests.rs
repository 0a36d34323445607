//! Against real sockets on the loopback: each server is a thread that does what the test says to each connection.

mod credentials;
mod delivery;
mod fetch;
mod hosts;
mod names;
mod redirects;
mod responses;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use patchbay_sandbox::services::{Denial, Field, HttpBody, HttpProblem, HttpRequest, HttpResponseBody};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Dispatch, Egress, EgressSettings, Errand};
use crate::blobs::Blobs;
use crate::manifest::Manifest;
use crate::secrets::Secret;
use server::Server;

const TOKEN: &str = "12345:s3cret/t0ken";

struct World {
    manifest: Manifest,
    egress: Egress,
    settings: Value,
    secrets: BTreeMap<String, Secret>,
    blobs: Blobs,
    _folder: tempfile::TempDir,
    /// How long a request may take.
    patience: Duration,
}

fn manifest() -> Manifest {
    let target = |more: Value| {
        let mut target = json!({ "base": "https://api.example.com/v1", "base_setting": "base_url", "methods": ["GET", "POST", "DELETE"] });
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        target
    };
    let manifest = json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": "1.0.0",
        "settings": { "type": "object", "properties": { "base_url": { "type": "string" }, "token": { "type": "string" } } },
        "secrets": {
            "token": { "title": "Token", "from": "typed" },
            "user": { "title": "User", "from": "generated" },
            "access": { "title": "Access", "from": "captured" }
        },
        "egress": {
            "path": target(json!({ "base": "https://api.example.com/bot{secret:token}" })),
            "bearer": target(json!({ "bearer": "token" })),
            "header": target(json!({ "header": { "x-key": "token", "authorization": "Bot {secret:token}" } })),
            "query": target(json!({ "query": { "key": "token" } })),
            "basic": target(json!({ "basic": { "user": "user", "password": "token" } })),
            "form": target(json!({ "form": { "secret_token": "token" } })),
            "json": target(json!({ "json": { "Password": "token", "Extra": "access?" } })),
            "captured": target(json!({ "bearer": "access" })),
            "small": target(json!({ "max_response_mb": 1 })),
            "fixed": { "base": "https://api.example.com/v1", "methods": ["POST"], "bearer": "token" }
        },
        "capabilities": {}
    });
    Manifest::from_json(manifest.to_string().as_bytes()).unwrap()
}

impl World {
    /// The account's own base is the server, which the operator has allowed.
    fn at(base: &str) -> Self {
        let settings = EgressSettings { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressSettings::default() };
        Self::with(settings, base)
    }

    fn with(settings: EgressSettings, base: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            manifest: manifest(),
            egress: Egress::new(settings).unwrap(),
            settings: json!({ "base_url": base }),
            secrets: [("token", TOKEN), ("user", "somebody-or-other")].map(|(name, value)| (name.to_owned(), value.into())).into(),
            blobs: Blobs::in_folder(folder.path()).unwrap(),
            _folder: folder,
            patience: Duration::from_secs(10),
        }
    }

    async fn call(&self, request: HttpRequest) -> Result<Answer, HttpProblem> {
        self.told(request, None).await
    }

    async fn told<'a>(&'a self, request: HttpRequest, dispatch: Option<&'a mut dyn Dispatch>) -> Result<Answer, HttpProblem> {
        let errand = Errand {
            manifest: &self.manifest,
            settings: &self.settings,
            secrets: &self.secrets,
            blobs: &self.blobs,
            deadline: Instant::now() + self.patience,
            dispatch,
        };
        // What runs it is multi-threaded.
        fn send<T: Send>(future: T) -> T {
            future
        }
        send(self.egress.call(errand, request)).await
    }
}

fn request(method: &str, target: &str, path: &str) -> HttpRequest {
    HttpRequest {
        target: target.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: HttpBody::Empty,
        timeout: None,
        into_blob: false,
        capture: Vec::new(),
    }
}

fn post(target: &str, path: &str, body: &str) -> HttpRequest {
    HttpRequest { body: HttpBody::Bytes(body.as_bytes().to_vec()), ..request("POST", target, path) }
}

fn field(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned() }
}

fn text(answer: &Answer) -> &str {
    match &answer.response.body {
        HttpResponseBody::Bytes(bytes) => std::str::from_utf8(bytes).unwrap(),
        HttpResponseBody::Blob(blob) => panic!("a blob: {blob:?}"),
    }
}

fn denied<T>(denial: Denial) -> Result<T, HttpProblem> {
    Err(HttpProblem::Denied(denial))
}

/// Counts, and refuses where it is told to.
#[derive(Default)]
struct Record {
    told: usize,
    broken: bool,
}

#[async_trait]
impl Dispatch for Record {
    async fn about_to_send(&mut self) -> Result<(), String> {
        self.told += 1;
        if self.broken { Err("the database is away".to_owned()) } else { Ok(()) }
    }
}
