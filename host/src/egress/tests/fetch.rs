use super::server::{Server, ok, redirect};
use super::*;
use crate::egress::FetchError;

const MOST: u32 = 64;

async fn fetched(settings: EgressSettings, url: &str) -> Result<(u32, usize), FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::in_folder(folder.path()).unwrap();
    let info = Egress::new(settings).unwrap().fetch(url, &blobs, MOST, Duration::from_secs(10)).await;
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    info.map(|info| (info.size, left))
}

/// The operator sends `files.example.com` to the server.
fn redirecting(server: &Server) -> EgressSettings {
    EgressSettings { redirect: [("files.example.com".to_owned(), server.base().parse().unwrap())].into(), ..EgressSettings::default() }
}

#[tokio::test]
async fn a_url_is_fetched_into_a_blob_over_its_redirects() {
    let server = Server::answering(|request| match request.split(' ').nth(1) {
        Some("/old") => redirect(302, "https://files.example.com/new?x=1"),
        Some("/new?x=1") => ok("twelve bytes"),
        other => panic!("{other:?}"),
    });
    assert_eq!(fetched(redirecting(&server), "https://files.example.com/old").await, Ok((12, 1)));
    assert!(server.seen()[0].contains("host: files.example.com"), "{:?}", server.seen());
}

#[tokio::test]
async fn nothing_private_is_reached_even_where_plugins_may() {
    let server = Server::answering(|_| ok("secret"));
    let allowing = || EgressSettings { allow: vec!["127.0.0.0/8".parse().unwrap()], ..redirecting(&server) };
    for url in [
        server.base(),
        format!("http://localhost:{}/", server.port),
        format!("http://[::ffff:127.0.0.1]:{}/", server.port),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://me:word@files.example.com/".to_owned(),
        "no url".to_owned(),
    ] {
        let refused = fetched(allowing(), &url).await;
        assert!(matches!(refused, Err(FetchError::Refused(_))), "{url}: {refused:?}");
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

#[tokio::test]
async fn a_redirect_leads_to_nothing_private() {
    let inner = Server::answering(|_| ok("secret"));
    let to = inner.base();
    let server = Server::answering(move |_| redirect(307, &to));
    let refused = fetched(redirecting(&server), "http://files.example.com/").await;
    assert!(matches!(refused, Err(FetchError::Refused(_))), "{refused:?}");
    let refused = fetched(redirecting(&server), "https://files.example.com/").await;
    assert_eq!(refused, Err(FetchError::Refused("it redirects from https to http".to_owned())));
    assert!(inner.seen().is_empty());
}

#[tokio::test]
async fn what_is_too_large_or_refused_leaves_nothing() {
    let long = "x".repeat(65);
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n41\r\n{long}\r\n0\r\n\r\n");
    let server = Server::answering(move |request| match request.split(' ').nth(1) {
        Some("/told") => ok(&long),
        Some("/chunked") => chunked.clone(),
        _ => "HTTP/1.1 404 Gone\r\ncontent-length: 0\r\n\r\n".to_owned(),
    });
    assert_eq!(fetched(redirecting(&server), "http://files.example.com/told").await, Err(FetchError::TooLarge(MOST)));
    assert_eq!(fetched(redirecting(&server), "http://files.example.com/chunked").await, Err(FetchError::TooLarge(MOST)));
    assert_eq!(fetched(redirecting(&server), "http://files.example.com/none").await, Err(FetchError::Status(404)));
}
