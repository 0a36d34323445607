use super::*;
use server::{ok, redirect};

#[tokio::test]
async fn a_redirect_on_the_same_host_keeps_the_credential() {
    let server = Server::answering(|request| if request.contains("/v1/x") { redirect(302, "/v2/y?a=1#z") } else { ok("there") });
    let world = World::at(&server.base());
    assert_eq!(text(&world.call(request("GET", "bearer", "/x")).await.unwrap()), "there");
    assert_eq!(text(&world.call(request("GET", "query", "/x")).await.unwrap()), "there");
    let seen = server.seen();
    assert!(seen[1].starts_with("GET /v2/y?a=1 HTTP") && seen[1].contains("authorization: Bearer "), "{}", seen[1]);
    assert!(seen[3].starts_with("GET /v2/y?a=1&key=12345"), "{}", seen[3]);
}

#[tokio::test]
async fn a_redirect_to_another_host_drops_the_credential() {
    let other = Server::answering(|_| ok("there"));
    let to = format!("{}/file", other.base());
    let server = Server::answering(move |_| redirect(302, &to));
    let world = World::at(&server.base());
    let headers = vec![field("accept", "image/png"), field("x-tenant", "7")];
    world.call(HttpRequest { headers, ..request("GET", "header", "/x") }).await.unwrap();
    let seen = other.seen();
    assert!(seen[0].starts_with("GET /file HTTP") && seen[0].contains("accept: image/png"), "{}", seen[0]);
    assert!(!seen[0].contains("s3cret") && !seen[0].contains("x-tenant"), "{}", seen[0]);
}

#[tokio::test]
async fn the_status_says_what_becomes_of_the_method_and_the_body() {
    for (status, second) in [
        (301, "GET /v1/y HTTP/1.1"),
        (302, "GET /v1/y HTTP/1.1"),
        (303, "GET /v1/y HTTP/1.1"),
        (307, "POST /v1/y HTTP/1.1"),
        (308, "POST /v1/y HTTP/1.1"),
    ] {
        let server = Server::answering(move |request| if request.contains("/v1/x") { redirect(status, "y") } else { ok("there") });
        let world = World::at(&server.base());
        let mut record = Record::default();
        world.told(post("bearer", "/x", "hello"), Some(&mut record)).await.unwrap();
        let seen = server.seen();
        assert!(seen[1].starts_with(second), "{status}: {}", seen[1]);
        assert_eq!(seen[1].ends_with("\r\n\r\nhello"), second.starts_with("POST"), "{status}: {}", seen[1]);
        assert_eq!((record.told, seen.len()), (1, 2), "{status}");
    }
}

#[tokio::test]
async fn a_body_is_not_sent_to_another_host() {
    let other = Server::answering(|_| ok("there"));
    let to = other.base();
    let server = Server::answering(move |_| redirect(307, &to));
    let world = World::at(&server.base());
    assert_eq!(world.call(post("bearer", "/x", "hello")).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn a_redirect_leads_to_no_blocked_place() {
    for (to, denial) in [
        ("http://169.254.169.254/latest/meta-data", Denial::BlockedAddress),
        ("https://10.0.0.1/", Denial::BlockedAddress),
        ("https://[::1]/", Denial::BlockedAddress),
        ("file:///etc/passwd", Denial::NotGranted),
        ("https://a.example/?t=12345:s3cret%2Ft0ken", Denial::NotGranted),
    ] {
        let server = Server::answering(move |_| redirect(302, to));
        let world = World::at(&server.base());
        assert_eq!(world.call(request("GET", "bearer", "/x")).await.map(|_| ()), denied(denial), "{to}");
    }
}

#[tokio::test]
async fn redirects_come_to_an_end() {
    let server = Server::answering(|_| redirect(302, "/again"));
    let world = World::at(&server.base());
    assert_eq!(world.call(request("GET", "bearer", "/x")).await.unwrap_err(), HttpProblem::Broken("more than 3 redirects".to_owned()));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn what_breaks_after_a_redirect_is_in_doubt() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::answering(move |_| redirect(303, &format!("http://127.0.0.1:{gone}/")));
    let world = World::at(&server.base());
    assert!(matches!(world.call(post("bearer", "/x", "hello")).await, Err(HttpProblem::Broken(_))));
}

#[tokio::test]
async fn a_redirect_without_a_place_is_an_answer() {
    let server = Server::answering(|_| "HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n".to_owned());
    let world = World::at(&server.base());
    assert_eq!(world.call(request("GET", "bearer", "/x")).await.unwrap().response.status, 304);
}
