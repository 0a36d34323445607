//! Files: fetched in the background, served by signed URLs, sent from uploads and URLs, streamed whatever their size.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use futures::future::join_all;
use patchbay::manifest::{self, Manifest};
use patchbay_providers::{Failure, Moment, telegram::png};
use reqwest::{Client, Method, header};
use serde_json::{Value, json};

use crate::harness::{BOT, Bench, Database, Gateway, MONA, Settings, both, eventually, install_tls, plugin_file};

const MIB: usize = 1024 * 1024;
const UPLOAD: &str = "/rest/v1/media?organization_id=org-1";

/// A document that somebody sends.
fn document(number: i64, file: &str, size: usize) -> Value {
    json!({"message": {
        // The chat's ids are both sides': those of what the bot sends come first.
        "message_id": 500 + number, "date": 1_790_000_000 + number,
        "from": {"id": MONA, "is_bot": false, "first_name": "Mona"}, "chat": {"id": MONA, "type": "private", "first_name": "Mona"},
        "document": {"file_id": format!("BQACAgQAAxk{file}"), "file_unique_id": file, "file_name": format!("{file}.txt"),
                     "mime_type": "text/plain", "file_size": size},
    }})
}

/// The only file of the account's only inbound message, once its status is this.
async fn file_with(bench: &Bench, status: &str) -> Value {
    eventually(&format!("the file is {status}"), || async {
        let file = bench.messages("inbound").await.pop()?["content"][0].clone();
        (file["status"] == status).then_some(file)
    })
    .await
}

/// Without a key.
async fn open(url: &str, headers: &[(header::HeaderName, &str)]) -> reqwest::Response {
    let request = headers.iter().fold(Client::new().get(url), |request, (name, value)| request.header(name, *value));
    request.send().await.unwrap()
}

async fn a_file_is_fetched_in_the_background_and_opened_by_a_signed_url(database: Database) {
    let bench = Bench::connected(database).await;
    let mut events = bench.gateway.listen(None).await;
    bench.push(document(1, "report", 3000)).await;
    let told = events.next_of("media.stored").await;
    let file = file_with(&bench, "stored").await;
    assert_eq!((&told["data"]["media"]["id"], &told["data"]["media"]["origin"]), (&file["media_id"], &json!("inbound")));
    assert_eq!(told["data"]["provider_ref"], file["provider_ref"]);
    let url = file["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/media/", bench.gateway.url)), "{url}");

    let whole = open(url, &[]).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], "text/plain");
    assert_eq!(whole.headers()["content-disposition"], "attachment; filename*=UTF-8''report%2Etxt");
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    assert!(whole.headers()["cache-control"].to_str().unwrap().starts_with("private, max-age=3"), "{:?}", whole.headers());
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = whole.bytes().await.unwrap();
    assert_eq!(bytes.len(), 3000);

    let part = open(url, &[(header::RANGE, "bytes=10-19")]).await;
    assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 10-19/3000"));
    assert_eq!(part.bytes().await.unwrap(), bytes[10..20]);
    let end = open(url, &[(header::RANGE, "bytes=-5")]).await;
    assert_eq!(end.bytes().await.unwrap(), bytes[2995..]);
    let beyond = open(url, &[(header::RANGE, "bytes=3000-")]).await;
    assert_eq!((beyond.status().as_u16(), beyond.headers()["content-range"].to_str().unwrap()), (416, "bytes */3000"));
    assert_eq!(open(url, &[(header::IF_NONE_MATCH, &etag)]).await.status(), 304);
    let head = Client::new().head(url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "3000"));

    let id = file["media_id"].as_str().unwrap();
    let by_key = bench.gateway.download(&format!("/rest/v1/media/{id}")).await;
    assert_eq!(by_key, (200, bytes.to_vec()));
    let stranger = bench.gateway.ask_as(None, Method::GET, &format!("/rest/v1/media/{id}")).await;
    stranger.expect_status(401);

    // The same file again is there at once.
    bench.push(document(2, "report", 3000)).await;
    assert_eq!(bench.messages("inbound").await.pop().unwrap()["content"][0]["status"], "stored");
    assert_eq!(bench.telegram.requests_of("getFile").len(), 1);
    // And it can be sent on.
    let sent = bench.send(json!({"to": MONA.to_string(), "content": {"type": "media", "kind": "document", "media_id": id}})).await;
    assert_eq!((&sent["state"], &sent["content"][0]["status"]), (&json!("sent"), &json!("stored")), "{sent:#}");
}

async fn a_signed_url_ends_and_cannot_be_changed(database: Database) {
    let gateway = Gateway::start(database, Settings::default().without_plugin()).await;
    let media = gateway.upload(UPLOAD, "image/png", png(4, 3)).await.expect_status(201);
    let url = media["url"].as_str().unwrap().to_owned();
    assert_eq!(open(&url, &[]).await.headers()["content-disposition"], "inline");
    let other = gateway.upload(UPLOAD, "image/png", png(5, 3)).await.expect_status(201);
    let (id, other) = (media["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    for forged in [
        url.replace(id, other),
        url.replace("expires=1", "expires=2"),
        url.replace("signature=", "signature=A"),
        url[..url.len() - 60].to_owned(),
    ] {
        let answer = open(&forged, &[]).await;
        assert_eq!(answer.status(), 403, "{forged}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "bad_signature");
    }
    let path = format!("/rest/v1/media/{id}/url");
    let short = gateway.post(&path, json!({"expires_in_s": 1})).await.expect_status(200);
    let ended = eventually("the URL has ended", || async {
        let answer = open(short["url"].as_str().unwrap(), &[]).await;
        (answer.status() == 403).then_some(answer)
    })
    .await;
    let error = ended.json::<Value>().await.unwrap();
    assert_eq!(error["code"], "url_expired");
    assert!(error["hint"].as_str().unwrap().contains("/url"), "{error:#}");
    let fresh = gateway.post(&path, json!({})).await.expect_status(200);
    assert_eq!(open(fresh["url"].as_str().unwrap(), &[]).await.status(), 200);
    for seconds in [0, 604_801] {
        let error = gateway.post(&path, json!({"expires_in_s": seconds})).await.expect_status(422);
        assert_eq!(error["errors"][0]["pointer"], "/expires_in_s");
    }
    let wrong = Client::new().post(&url).send().await.unwrap();
    assert_eq!(wrong.status(), 405);
}

async fn a_file_whose_server_fails_is_fetched_again_and_one_that_is_gone_is_not(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("media.retry_s = [1]")).await;
    let mut events = bench.gateway.listen(None).await;
    bench.telegram.fail(Failure::status("getFile", 502).times(2));
    bench.push(document(1, "late", 100)).await;
    file_with(&bench, "stored").await;
    assert_eq!(bench.telegram.requests_of("getFile").len(), 3);
    events.next_of("media.stored").await;

    // The stand-in refuses more than 20 MB, as the provider does.
    bench.push(document(2, "huge", 21 * MIB)).await;
    let told = events.next_of("media.failed").await;
    assert_eq!(told["data"]["reason"]["class"], "rejected", "{told:#}");
    let file = file_with(&bench, "failed").await;
    assert_eq!(file["reason"]["code"], told["data"]["reason"]["code"]);
    assert!(file.get("url").is_none(), "{file:#}");
    let asked = bench.telegram.requests_of("getFile").len();
    let message = bench.messages("inbound").await.pop().unwrap();
    let (status, _) = bench.gateway.download(&format!("/rest/v1/messages/{}/media/0", message["id"].as_str().unwrap())).await;
    assert_eq!(status, 410);
    assert_eq!(bench.telegram.requests_of("getFile").len(), asked, "what is gone isn't asked for again");
}

async fn a_file_that_is_too_large_is_not_fetched(database: Database) {
    let bench = Bench::with(database, json!({}), Settings::default().line("media.max_mb = 1")).await;
    bench.push(document(1, "large", 2 * MIB)).await;
    let file = file_with(&bench, "failed").await;
    assert_eq!(file["reason"]["code"], "too_large", "{file:#}");
    assert!(bench.telegram.requests_of("getFile").is_empty());
    // One that doesn't tell its size is cut where it grows too large.
    let mut untold = document(2, "untold", 2 * MIB);
    // Only the provider knows: another bot was sent it.
    bench.telegram.push(BOT + 1, untold.clone()).await;
    untold["message"]["document"].as_object_mut().unwrap().remove("file_size");
    bench.push(untold).await;
    eventually("the file is cut", || async {
        let file = bench.messages("inbound").await.pop()?["content"][0].clone();
        (file["file_name"] == "untold.txt" && file["reason"]["code"] == "too_large").then_some(())
    })
    .await;
    assert_eq!(bench.telegram.requests_of("getFile").len(), 1, "it is asked for once");
    let refused = bench.gateway.upload(UPLOAD, "text/plain", vec![b'x'; MIB + 1]).await.expect_status(413);
    assert_eq!(refused["code"], "too_large");
    bench.gateway.upload(UPLOAD, "text/plain", vec![b'x'; MIB]).await.expect_status(201);
}

async fn a_file_outlives_a_kill_and_dies_with_its_account(database: Database) {
    let settings = Settings::default().line("media.retry_s = [1]");
    let mut bench = Bench::with(database, json!({}), settings).await;
    bench.telegram.fail(Failure::hang("getFile", 30_000, Moment::Before));
    bench.push(document(1, "kept", 100)).await;
    bench.telegram.wait_for("getFile", 1, crate::harness::PATIENCE).await;
    bench.gateway.kill();
    if database == Database::Postgres {
        // Another node would wait for the lease to run out.
        bench.gateway.execute("UPDATE inbound_media SET leased_until = 0").await;
    }
    bench.gateway.start_again();
    file_with(&bench, "stored").await;

    // The process has another port now.
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/connect", bench.account), json!({})).await.expect_status(200);
    bench.telegram.fail(Failure::status("getFile", 502).times(1000));
    bench.push(document(2, "orphan", 100)).await;
    file_with(&bench, "pending").await;
    bench.gateway.delete(&format!("/rest/v1/channel_accounts/{}", bench.account)).await.expect_status(204);
    let file = file_with(&bench, "failed").await;
    assert_eq!(file["reason"]["code"], "account_deleted", "{file:#}");
}

/// A server of files on the loopback, which the gateway knows as `files.example.com`, and what it was asked for.
async fn file_server() -> (String, Arc<Mutex<Vec<String>>>) {
    type Asked = Arc<Mutex<Vec<String>>>;
    async fn answer(State(asked): State<Asked>, uri: axum::http::Uri) -> axum::response::Response {
        asked.lock().unwrap().push(uri.path().to_owned());
        match uri.path() {
            "/dot.png" => ([("content-type", "image/png")], png(40, 30)).into_response(),
            "/large" => vec![b'x'; 2 * MIB].into_response(),
            "/inward" => (StatusCode::FOUND, [("location", "http://169.254.169.254/latest/meta-data")]).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
    let asked = Asked::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(get(answer)).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

async fn a_file_is_imported_from_a_public_url_alone(database: Database) {
    let (server, asked) = file_server().await;
    let settings = Settings::default()
        .without_plugin()
        .redirecting("files.example.com", &server)
        .line("egress.allow = [\"127.0.0.0/8\"]")
        .line("media.max_mb = 1");
    let gateway = Gateway::start(database, settings).await;
    let import = |url: &str| gateway.post("/rest/v1/media", json!({"organization_id": "org-1", "url": url}));
    let media = import("https://files.example.com/dot.png").await.expect_status(201);
    assert_eq!((&media["file_name"], &media["mime_type"], &media["origin"]), (&json!("dot.png"), &json!("image/png"), &json!("url")));
    assert_eq!(open(media["url"].as_str().unwrap(), &[]).await.bytes().await.unwrap(), png(40, 30));
    assert_eq!(import("https://files.example.com/large").await.expect_status(413)["code"], "too_large");
    asked.lock().unwrap().clear();
    for url in [format!("{server}/dot.png"), "http://localhost/".to_owned(), "file:///etc/passwd".to_owned(), "dot.png".to_owned()] {
        let error = import(&url).await.expect_status(422);
        assert_eq!(error["errors"][0]["pointer"], "/url", "{url}");
    }
    assert!(asked.lock().unwrap().is_empty(), "a private address was reached: {asked:?}");
    import("https://files.example.com/none").await.expect_status(422);
    let inward = import("http://files.example.com/inward").await.expect_status(422);
    assert!(inward["message"].as_str().unwrap().contains("private"), "{inward:#}");
    import("https://unreachable.invalid/").await.expect_status(502);
}

async fn the_gateway_fetches_a_url_for_a_provider_that_fetches_none(database: Database) {
    let (server, asked) = file_server().await;
    let bench = Bench::with(database, json!({}), Settings::default().redirecting("files.example.com", &server)).await;
    let component = std::fs::read(plugin_file("telegram.wasm")).unwrap();
    let mut manifest = Manifest::from_component(&component).unwrap();
    manifest.version = "0.1.9".to_owned();
    manifest.capabilities.content.get_mut("media").unwrap().urls = Some(false);
    let component = manifest::embed(&component, &manifest).unwrap();
    bench.gateway.upload("/admin/v1/plugins", "application/wasm", component).await.expect_status(201);
    let types = bench.gateway.get("/rest/v1/channel_types").await.expect_status(200);
    assert_eq!(types[0]["capabilities"]["content"]["media"]["urls"], false);
    let picture = |url: &str| json!({"to": MONA.to_string(), "content": {"type": "media", "kind": "image", "url": url}});
    let message = bench.send(picture("https://files.example.com/dot.png")).await;
    assert_eq!(message["state"], "sent", "{message:#}");
    assert!(message["content"][0]["media_id"].is_string(), "{message:#}");
    assert_eq!(*asked.lock().unwrap(), ["/dot.png"], "the gateway fetched it, once");
    let request = bench.telegram.requests_of("sendPhoto").pop().unwrap();
    assert!(!request.text("photo").contains("example.com"), "the provider was given the URL: {request:?}");
    let mut wrong = picture("https://files.example.com/none");
    wrong["channel_account_id"] = json!(bench.account);
    let error = bench.gateway.post("/rest/v1/messages", wrong).await.expect_status(422);
    assert_eq!(error["errors"][0]["pointer"], "/content/0/url");
}

async fn files_go_when_nobody_needs_them(database: Database) {
    let mut bench = Bench::with(database, json!({}), Settings::default().line("retention.media_days = 30")).await;
    let upload = async |text: &'static str| {
        let media = bench.gateway.upload(UPLOAD, "text/plain", text.into()).await.expect_status(201);
        media["id"].as_str().unwrap().to_owned()
    };
    let (unused, fresh, used) = (upload("unused").await, upload("fresh").await, upload("used").await);
    let content = json!({"type": "media", "kind": "document", "media_id": used});
    let sent = bench.send(json!({"to": MONA.to_string(), "content": content})).await;
    assert_eq!(sent["state"], "sent", "{sent:#}");
    bench.push(document(1, "old", 100)).await;
    let old = file_with(&bench, "stored").await;
    let blobs = bench.gateway.data.join("blobs");
    let bytes = |id: &str| blobs.join(&id[..2]).join(id).exists();
    bench.gateway.stop();
    // 8 days ago; what is used or came in 31 days ago, but for the one that was uploaded just now.
    bench.gateway.execute("UPDATE media SET created_at = created_at - 691200000000 WHERE size = 6").await;
    bench.gateway.execute("UPDATE media SET used_until = used_until - 2764800000000").await;
    bench.gateway.execute("UPDATE inbound_media SET seen_at = seen_at - 2764800000000").await;
    bench.gateway.start_again();
    let message = eventually("the inbound file is removed", || async {
        let message = bench.messages("inbound").await.pop().unwrap();
        (message["content"][0]["status"] == "removed").then_some(message)
    })
    .await;
    let status = async |id: &str| bench.gateway.download(&format!("/rest/v1/media/{id}")).await.0;
    let old = old["media_id"].as_str().unwrap();
    for id in [&unused, &used, old] {
        assert_eq!(status(id).await, 404, "{id}");
        eventually("its bytes are gone", || async { (!bytes(id)).then_some(()) }).await;
    }
    assert!(status(&fresh).await == 200 && bytes(&fresh));
    let path = format!("/rest/v1/messages/{}/media/0", message["id"].as_str().unwrap());
    assert_eq!(bench.gateway.download(&path).await.0, 410);
    let sent = bench.gateway.get(&format!("/rest/v1/messages/{}", sent["id"].as_str().unwrap())).await.expect_status(200);
    assert_eq!(sent["content"][0]["status"], "removed");
    // Sent anew, it is fetched anew. The process has another port now.
    bench.gateway.post(&format!("/rest/v1/channel_accounts/{}/connect", bench.account), json!({})).await.expect_status(200);
    bench.push(document(2, "old", 100)).await;
    file_with(&bench, "stored").await;
}

/// The most memory that the process ever had, in MiB.
fn peak(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

async fn files_of_ten_megabytes_stream(database: Database) {
    const FILES: i64 = 20;
    let bench = Bench::connected(database).await;
    // Every road is gone once, with something small: what a first time takes isn't the files'.
    let send = async |file: Value| {
        let content = json!({"type": "media", "kind": "document", "media_id": file["id"]});
        let message = bench.send(json!({"to": MONA.to_string(), "content": content})).await;
        assert_eq!(message["state"], "sent", "{message:#}");
    };
    let small = bench.gateway.upload(UPLOAD, "application/pdf", vec![b'x'; 100]).await.expect_status(201);
    open(small["url"].as_str().unwrap(), &[]).await.bytes().await.unwrap();
    send(small).await;
    bench.push(document(1, "small", 100)).await;
    file_with(&bench, "stored").await;
    let before = peak(bench.gateway.id());

    let uploads = (0..FILES).map(|_| bench.gateway.upload(UPLOAD, "application/pdf", vec![b'x'; 10 * MIB]));
    let files: Vec<Value> = join_all(uploads).await.into_iter().map(|answer| answer.expect_status(201)).collect();
    let sizes = join_all(files.iter().map(|file| async {
        let bytes = open(file["url"].as_str().unwrap(), &[]).await.bytes().await.unwrap();
        bytes.len()
    }));
    assert!(sizes.await.iter().all(|size| *size == 10 * MIB));
    let served = peak(bench.gateway.id());
    join_all(files.into_iter().take(4).map(&send)).await;
    assert_eq!(bench.telegram.requests_of("sendDocument").len(), 5);
    let sent = peak(bench.gateway.id());
    for n in 0..8 {
        bench.push(document(10 + n, &format!("large{n}"), 10 * MIB)).await;
    }
    eventually("all are fetched", || async {
        let messages = bench.messages("inbound").await;
        messages.iter().all(|message| message["content"][0]["status"] == "stored").then_some(())
    })
    .await;
    let fetched = peak(bench.gateway.id());
    let figures =
        format!("peak memory: {before} MiB before, {served} after uploads and downloads, {sent} after sends, {fetched} at the end");
    println!("{figures}");
    assert!(fetched - before < 64, "{figures}");
}

/// A server of the S3 protocol, of a package that `.ci/install` installs.
struct Bucket {
    url: String,
    server: Child,
}

impl Bucket {
    async fn start() -> Option<Bucket> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/moto/bin/moto_server");
        if !program.exists() {
            eprintln!("skipped: {} is missing, so there is no S3 to test against; .ci/install installs it", program.display());
            return None;
        }
        let mut server =
            Command::new(program).args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.split_once("Running on ").map(|(_, url)| url.trim().to_owned())).unwrap();
        // It writes a line for each request, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        install_tls();
        assert!(Client::new().put(format!("{url}/files")).send().await.unwrap().status().is_success());
        Some(Bucket { url, server })
    }

    fn settings(&self) -> Settings {
        Settings::default()
            .line("blobs.url = \"s3://files/some/where\"")
            .line(&format!("blobs.endpoint = \"{}\"", self.url))
            .line("blobs.access_key_id = \"test\"")
            .line("blobs.secret_access_key = \"test\"")
            .line("blobs.allow_http = true")
    }

    /// The names of its objects.
    async fn names(&self) -> Vec<String> {
        let list = Client::new().get(format!("{}/files?list-type=2", self.url)).send().await.unwrap().text().await.unwrap();
        list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

async fn files_are_kept_in_a_bucket(database: Database) {
    let Some(bucket) = Bucket::start().await else { return };
    let mut bench = Bench::with(database, json!({}), bucket.settings()).await;
    // Of several parts, of one, and of none.
    let large: Vec<u8> = (0..12 * MIB).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let mut files = Vec::new();
    for bytes in [large.clone(), b"small".to_vec(), Vec::new()] {
        let media = bench.gateway.upload(UPLOAD, "application/pdf", bytes.clone()).await.expect_status(201);
        let url = media["url"].as_str().unwrap().to_owned();
        assert_eq!(open(&url, &[]).await.bytes().await.unwrap(), bytes);
        files.push(url);
    }
    let part = open(&files[0], &[(header::RANGE, "bytes=6291450-6291470")]).await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), large[6_291_450..=6_291_470]);
    bench.push(document(1, "report", 3000)).await;
    let url = file_with(&bench, "stored").await["url"].as_str().unwrap().to_owned();
    assert_eq!(open(&url, &[]).await.bytes().await.unwrap().len(), 3000);
    let names = bucket.names().await;
    assert!(names.len() == 8 && names.iter().all(|name| name.starts_with("some/where/")), "{names:?}");
    assert!(!bench.gateway.data.join("blobs").exists(), "something lies in the data folder");
    bench.gateway.stop();
    bench.gateway.execute("UPDATE media SET created_at = 0").await;
    bench.gateway.start_again();
    eventually("the unused ones are removed", || async { (bucket.names().await.len() == 2).then_some(()) }).await;
}

both! {
    a_file_is_fetched_in_the_background_and_opened_by_a_signed_url,
    a_signed_url_ends_and_cannot_be_changed,
    a_file_whose_server_fails_is_fetched_again_and_one_that_is_gone_is_not,
    a_file_that_is_too_large_is_not_fetched,
    a_file_outlives_a_kill_and_dies_with_its_account,
    a_file_is_imported_from_a_public_url_alone,
    the_gateway_fetches_a_url_for_a_provider_that_fetches_none,
    files_go_when_nobody_needs_them,
    files_of_ten_megabytes_stream,
    files_are_kept_in_a_bucket,
}
