//! Against a registry that does what each test says, on the loopback. Debian's own registry is in the end-to-end suite.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use super::*;
use crate::egress::EgressSettings;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 and so on";
const MOST: usize = 1000;

/// Status, headers and body.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// What it answers, by path; and who asked.
#[derive(Default)]
struct Answers {
    by_path: BTreeMap<String, Answer>,
    /// The `Authorization` that every path but the token's asks for.
    wanted: Option<(&'static str, String)>,
    seen: Vec<(String, Option<String>)>,
}

struct Standin {
    address: String,
    answers: Arc<Mutex<Answers>>,
    _serving: JoinSet<()>,
}

impl Standin {
    async fn start() -> Standin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers = Arc::new(Mutex::new(Answers::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&answers));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Standin { address, answers, _serving: serving }
    }

    fn answer(&self, path: &str, status: u16, headers: Vec<(&'static str, String)>, body: &[u8]) {
        self.answers.lock().unwrap().by_path.insert(path.to_owned(), (status, headers, body.to_vec()));
    }

    /// An image under the tag, with this layer of that type and size; its digest.
    fn image(&self, media_type: &str, size: usize) -> String {
        let manifest = manifest(media_type, size).to_string();
        self.answer("/v2/plugins/pigeon/manifests/1", 200, Vec::new(), manifest.as_bytes());
        sha256(manifest.as_bytes())
    }

    fn blob(&self, bytes: &[u8]) {
        self.answer(&format!("/v2/plugins/pigeon/blobs/{}", sha256(COMPONENT)), 200, Vec::new(), bytes);
    }

    fn reference(&self, rest: &str) -> Reference {
        parse(&format!("{}/plugins/pigeon{rest}", self.address)).unwrap()
    }

    async fn pull(&self, registry: &Registry, rest: &str) -> Result<Pulled, PullError> {
        // No private address is allowed: the registry is dialled because it is named.
        let egress = Egress::new(EgressSettings::default()).unwrap();
        pull_from(&egress, registry, &self.reference(rest), MOST).await
    }
}

async fn answer(State(answers): State<Arc<Mutex<Answers>>>, request: Request) -> Response {
    let mut answers = answers.lock().unwrap();
    let path = request.uri().to_string();
    let authorization = request.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    answers.seen.push((path.clone(), authorization.clone()));
    if let Some((challenge, wanted)) = &answers.wanted
        && path.starts_with("/v2/")
        && authorization.as_ref() != Some(wanted)
    {
        return (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, (*challenge).replace("HOST", request.headers()["host"].to_str().unwrap()))],
        )
            .into_response();
    }
    let Some((status, headers, body)) = answers.by_path.get(&path).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    let headers: HeaderMap = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
}

fn manifest(media_type: &str, size: usize) -> Value {
    json!({
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG, "digest": sha256(b"{}"), "size": 2},
        "layers": [{"mediaType": media_type, "digest": sha256(COMPONENT), "size": size}],
    })
}

fn plain() -> Registry {
    Registry { plain_http: true, ..Registry::default() }
}

#[tokio::test]
async fn a_component_is_pulled_by_tag_and_by_digest() {
    let standin = Standin::start().await;
    let digest = standin.image(LAYER, COMPONENT.len());
    standin.blob(COMPONENT);
    let pulled = standin.pull(&plain(), ":1").await.unwrap();
    assert_eq!(pulled.component, COMPONENT);
    assert_eq!(pulled.pinned, format!("{}/plugins/pigeon:1@{digest}", standin.address));
    let by_digest = manifest(LAYER, COMPONENT.len()).to_string();
    standin.answer(&format!("/v2/plugins/pigeon/manifests/{digest}"), 200, Vec::new(), by_digest.as_bytes());
    for rest in [format!("@{digest}"), format!(":1@{digest}")] {
        assert_eq!(standin.pull(&plain(), &rest).await.unwrap().pinned, format!("{}/plugins/pigeon{rest}", standin.address));
    }
    assert_eq!(standin.pull(&plain(), ":2").await, Err(PullError::NotFound(format!("{}/plugins/pigeon:2", standin.address))));
}

#[tokio::test]
async fn what_isnt_what_was_asked_for_is_refused() {
    let standin = Standin::start().await;
    standin.image(LAYER, COMPONENT.len());
    let changed = [&COMPONENT[..COMPONENT.len() - 1], b"!"].concat();
    standin.blob(&changed);
    let tampered = |what, expected, found| Err(PullError::Tampered { what, expected, found });
    assert_eq!(standin.pull(&plain(), ":1").await, tampered("the component", sha256(COMPONENT), sha256(&changed)));
    let asked = sha256(b"another");
    let text = manifest(LAYER, 1).to_string();
    standin.answer(&format!("/v2/plugins/pigeon/manifests/{asked}"), 200, Vec::new(), text.as_bytes());
    assert_eq!(standin.pull(&plain(), &format!("@{asked}")).await, tampered("the image's manifest", asked, sha256(text.as_bytes())));
}

#[tokio::test]
async fn a_component_that_is_too_large_is_told_before_and_while_it_comes() {
    let standin = Standin::start().await;
    standin.image(LAYER, MOST + 1);
    assert_eq!(standin.pull(&plain(), ":1").await, Err(PullError::TooLarge { size: MOST as u64 + 1, most: MOST }));
    assert!(standin.answers.lock().unwrap().seen.iter().all(|(path, _)| !path.contains("blobs")), "it wasn't even asked for");
    // One that says less than it has.
    standin.image(LAYER, 10);
    standin.blob(&[0; MOST + 1]);
    let error = standin.pull(&plain(), ":1").await.unwrap_err();
    assert!(error.to_string().contains(&format!("more than {MOST} bytes")), "{error}");
}

#[tokio::test]
async fn what_is_no_plugin_is_told_by_its_layers() {
    let standin = Standin::start().await;
    standin.image("application/vnd.oci.image.layer.v1.tar+gzip", 10);
    let error = standin.pull(&plain(), ":1").await.unwrap_err();
    assert!(
        error.to_string().ends_with("it has no layer of type application/wasm, but application/vnd.oci.image.layer.v1.tar+gzip"),
        "{error}"
    );
    standin.answer("/v2/plugins/pigeon/manifests/1", 200, Vec::new(), br#"{"schemaVersion": 2, "manifests": []}"#);
    assert!(matches!(standin.pull(&plain(), ":1").await, Err(PullError::NotAPlugin { .. })));
}

#[tokio::test]
async fn a_registry_gets_the_credentials_that_it_asks_for() {
    let standin = Standin::start().await;
    standin.image(LAYER, COMPONENT.len());
    standin.blob(COMPONENT);
    let known = Registry { username: "me".to_owned(), password: "s3cret".to_owned(), ..plain() };
    // Basic: base64 of me:s3cret.
    standin.answers.lock().unwrap().wanted = Some(("Basic realm=\"r\"", "Basic bWU6czNjcmV0".to_owned()));
    assert_eq!(standin.pull(&known, ":1").await.unwrap().component, COMPONENT);
    assert_eq!(standin.pull(&plain(), ":1").await, Err(PullError::Unauthorized(standin.address.clone())));
    // A token, which its service gives to whoever says who he is.
    let challenge = "Bearer realm=\"http://HOST/token\",service=\"s\",scope=\"repository:plugins/pigeon:pull\"";
    standin.answers.lock().unwrap().wanted = Some((challenge, "Bearer t0ken".to_owned()));
    let path = "/token?service=s&scope=repository%3Aplugins%2Fpigeon%3Apull";
    standin.answer(path, 200, Vec::new(), br#"{"access_token": "t0ken"}"#);
    assert_eq!(standin.pull(&known, ":1").await.unwrap().component, COMPONENT);
    let seen = standin.answers.lock().unwrap().seen.clone();
    assert!(seen.contains(&(path.to_owned(), Some("Basic bWU6czNjcmV0".to_owned()))), "{seen:?}");
}

#[tokio::test]
async fn a_registry_sends_nobody_to_private_addresses_or_over_plain_http() {
    let (standin, other) = (Standin::start().await, Standin::start().await);
    standin.image(LAYER, COMPONENT.len());
    let blob = format!("/v2/plugins/pigeon/blobs/{}", sha256(COMPONENT));
    let port = other.address.rsplit(':').next().unwrap();
    for (to, told) in [
        (format!("http://{}/blob", other.address), "isn't https"),
        (format!("https://{}/blob", other.address), "private or reserved"),
        (format!("https://localhost:{port}/blob"), "private or reserved"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "private or reserved"),
    ] {
        standin.answer(&blob, 307, vec![("location", to.clone())], b"");
        let error = standin.pull(&plain(), ":1").await.unwrap_err();
        assert!(error.to_string().contains(told), "{to}: {error}");
    }
    standin.answers.lock().unwrap().wanted = Some(("Bearer realm=\"https://10.0.0.1/token\"", "Bearer t".to_owned()));
    let error = standin.pull(&plain(), ":1").await.unwrap_err();
    assert!(error.to_string().contains("private or reserved"), "{error}");
    assert!(other.answers.lock().unwrap().seen.is_empty());
    // Within itself it may.
    standin.answers.lock().unwrap().wanted = None;
    standin.answer(&blob, 307, vec![("location", "/elsewhere".to_owned())], b"");
    standin.answer("/elsewhere", 200, Vec::new(), COMPONENT);
    assert_eq!(standin.pull(&plain(), ":1").await.unwrap().component, COMPONENT);
    standin.answer("/elsewhere", 307, vec![("location", "/elsewhere".to_owned())], b"");
    assert!(standin.pull(&plain(), ":1").await.unwrap_err().to_string().contains("redirects more than"));
}

#[test]
fn a_reference_names_its_registry() {
    for (text, registry, tag) in [
        ("registry.example/plugins/pigeon:1.2.0", "registry.example", Some("1.2.0")),
        ("127.0.0.1:5000/pigeon", "127.0.0.1:5000", Some("latest")),
        ("localhost/pigeon:1", "localhost", Some("1")),
    ] {
        let parsed = parse(text).unwrap();
        assert_eq!((parsed.registry(), parsed.tag()), (registry, tag), "{text}");
    }
    for text in [
        "pigeon",
        "plugins/pigeon:1",
        "",
        "https://registry.example/pigeon:1",
        "registry.example/Pigeon:1",
        "registry.example/pigeon@sha512:aa",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, PullError::Reference { .. }) && error.to_string().contains("registry/name:tag"), "{text}: {error}");
    }
}
