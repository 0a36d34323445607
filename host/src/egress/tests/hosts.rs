//! Whole URLs, patterns of redirected hosts, and the gateway's own requests for tokens.

use axum::http;
use server::{ok, redirect};

use super::*;
use crate::egress::AskError;

/// A target that lists hosts, all of which the operator has redirected to the server.
fn world(server: &Server, redirected: &[&str]) -> World {
    let to: url::Url = server.base().parse().unwrap();
    let redirect = redirected.iter().map(|host| ((*host).to_owned(), to.clone())).collect();
    let mut world = World::with(EgressSettings { redirect, ..EgressSettings::default() }, "");
    let files = json!({ "base": "https://api.example.com/v1", "methods": ["GET", "POST"], "hosts": ["*.cdn.example.net", "api.example.com"],
        "bearer": "token", "query": { "key": "token", "proof": "absent?" } });
    world.manifest.egress.insert("files".to_owned(), serde_json::from_value(files).unwrap());
    world
}

#[tokio::test]
async fn a_whole_url_is_asked_for_without_credentials_unless_it_is_the_bases_own() {
    let server = Server::answering(|_| ok("there"));
    let world = world(&server, &["*.cdn.example.net", "api.example.com"]);
    world.call(request("GET", "files", "https://a.cdn.example.net/v/1.jpg?sig=x")).await.unwrap();
    world.call(request("GET", "files", "https://api.example.com/v/1.jpg?sig=x")).await.unwrap();
    world.call(request("GET", "files", "/x")).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /v/1.jpg?sig=x HTTP") && seen[0].contains("host: a.cdn.example.net"), "{}", seen[0]);
    assert!(!seen[0].contains("s3cret"), "{}", seen[0]);
    assert!(seen[1].starts_with("GET /v/1.jpg?sig=x&key=12345") && seen[1].contains("authorization: Bearer 12345"), "{}", seen[1]);
    assert!(!seen[1].contains("proof"), "what isn't set is left out: {}", seen[1]);
    assert!(seen[2].starts_with("GET /v1/x?key=12345"), "{}", seen[2]);
}

#[tokio::test]
async fn a_trusted_host_gets_the_credentials_and_where_it_redirects_does_not() {
    let server = Server::answering(|request| {
        if request.starts_with("GET /away") { redirect(302, "https://b.cdn.example.net/there?sig=x") } else { ok("there") }
    });
    let mut world = world(&server, &["*.cdn.example.net", "api.example.com"]);
    world.manifest.egress.get_mut("files").unwrap().trusted_hosts = true;
    world.call(request("GET", "files", "https://a.cdn.example.net/v/1.jpg?sig=x")).await.unwrap();
    world.call(post("files", "https://a.cdn.example.net/upload", "bytes")).await.unwrap();
    world.call(request("GET", "files", "https://a.cdn.example.net/away")).await.unwrap();
    let refused = world.call(request("GET", "files", "https://evil.example.org/x")).await;
    assert_eq!(refused.map(|_| ()), denied(Denial::NotGranted), "one that isn't listed");
    let seen = server.seen();
    let bearer = format!("authorization: Bearer {TOKEN}\r\n");
    assert!(seen[0].starts_with("GET /v/1.jpg?sig=x&key=12345") && seen[0].contains(&bearer), "{}", seen[0]);
    assert!(seen[1].starts_with("POST /upload?key=12345") && seen[1].contains(&bearer) && seen[1].ends_with("bytes"), "{}", seen[1]);
    let last = seen.last().unwrap();
    assert!(last.starts_with("GET /there?sig=x HTTP") && last.contains("host: b.cdn.example.net") && !last.contains("s3cret"), "{last}");
}

/// A target whose places are the account's to list, and whose requests the plugin signs.
fn pushing(mut world: World, places: &[&str]) -> World {
    let push = json!({ "base": "https://push.example.com", "methods": ["POST"], "hosts": ["push.example.com"], "hosts_setting": "places",
        "trusted_hosts": true, "signed_by_plugin": true });
    world.manifest.egress.insert("push".to_owned(), serde_json::from_value(push).unwrap());
    world.settings = json!({ "places": places });
    world
}

#[tokio::test]
async fn a_place_that_the_account_lists_is_reached_with_its_port_and_what_the_plugin_signed() {
    let server = Server::answering(|_| ok("there"));
    let world = pushing(World::at(&server.base()), &[&server.base()]);
    let mut request = post("push", &format!("{}/p/1?a=b", server.base()), "bytes");
    request.headers.push(Field { name: "Authorization".to_owned(), value: "vapid t=a.b.c, k=d".to_owned() });
    request.headers.push(Field { name: "ttl".to_owned(), value: "60".to_owned() });
    world.call(request).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("POST /p/1?a=b HTTP") && seen[0].ends_with("bytes"), "{}", seen[0]);
    assert!(seen[0].contains("authorization: vapid t=a.b.c, k=d\r\n") && seen[0].contains("ttl: 60\r\n"), "{}", seen[0]);
    assert!(!seen[0].contains("s3cret"), "{}", seen[0]);
}

#[tokio::test]
async fn a_place_that_the_account_lists_is_guarded_like_any_other() {
    let server = Server::answering(|_| ok("there"));
    // Nothing private is let through here.
    let world = World::with(EgressSettings::default(), "");
    let port = server.base().rsplit_once(':').unwrap().1.to_owned();
    let world = pushing(world, &[&server.base(), &format!("localhost:{port}"), "http://push.example.org", "https://10.0.0.1:8443"]);
    for url in [format!("{}/p", server.base()), "https://10.0.0.1:8443/p".to_owned(), format!("https://localhost:{port}/p")] {
        assert_eq!(world.call(post("push", &url, "x")).await.map(|_| ()), denied(Denial::BlockedAddress), "{url}");
    }
    let plain = world.call(post("push", "http://push.example.org/p", "x")).await;
    assert!(plain.is_err(), "plain http goes to nets of [egress] allow alone");
    assert_eq!(world.call(post("push", "https://elsewhere.example.org/p", "x")).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn nobody_else_writes_the_header_of_credentials() {
    let server = Server::answering(|_| ok("there"));
    let mut world = pushing(World::at(&server.base()), &[&server.base()]);
    world.manifest.egress.get_mut("push").unwrap().signed_by_plugin = false;
    let mut request = post("push", &format!("{}/p/1", server.base()), "bytes");
    request.headers.push(Field { name: "authorization".to_owned(), value: "Bearer x".to_owned() });
    assert_eq!(world.call(request).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_setting_that_is_the_host_is_redirected_by_its_value() {
    let server = Server::answering(|_| ok("there"));
    let mut world = world(&server, &["*.shops.example.net", "files.example.org"]);
    let shop = json!({ "base": "https://{setting:shop}/admin", "methods": ["GET"], "bearer": "token", "hosts": ["files.example.org"] });
    world.manifest.egress.insert("shop".to_owned(), serde_json::from_value(shop).unwrap());
    world.settings = json!({ "shop": "One.Shops.Example.net" });
    world.call(request("GET", "shop", "/orders")).await.unwrap();
    world.call(request("GET", "shop", "https://files.example.org/1.jpg")).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /admin/orders HTTP") && seen[0].contains("host: one.shops.example.net"), "{}", seen[0]);
    assert!(seen[0].contains("authorization: Bearer") && !seen[1].contains("s3cret"), "{seen:?}");
    for wrong in ["one.shops.example.net/x", "10.0.0.1", "localhost"] {
        world.settings = json!({ "shop": wrong });
        assert_eq!(world.call(request("GET", "shop", "/orders")).await.map(|_| ()), denied(Denial::NotGranted), "{wrong}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_whole_url_elsewhere_is_refused() {
    let server = Server::answering(|_| ok("there"));
    let world = world(&server, &["*.cdn.example.net"]);
    for (method, path) in
        [("GET", "https://evil.example.org/x"), ("POST", "https://a.cdn.example.net/x"), ("GET", "http://a.cdn.example.net/x")]
    {
        assert_eq!(world.call(request(method, "files", path)).await.map(|_| ()), denied(Denial::NotGranted), "{method} {path}");
    }
    assert_eq!(world.call(request("GET", "bearer", "https://api.example.com/x")).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn the_longest_pattern_redirects_and_a_name_of_its_own_goes_first() {
    let [all, some, one] = [(); 3].map(|()| Server::answering(|_| ok("there")));
    let redirect = [("*.example.net", &all), ("*.cdn.example.net", &some), ("a.cdn.example.net", &one)]
        .map(|(host, server)| (host.to_owned(), server.base().parse().unwrap()));
    let egress = Egress::new(EgressSettings { redirect: redirect.into(), ..EgressSettings::default() }).unwrap();
    let reached = |url: &str| egress.as_reached(&url.parse().unwrap()).to_string();
    assert_eq!(reached("https://b.example.net/x?y=1"), format!("{}/x?y=1", all.base()));
    assert_eq!(reached("https://b.cdn.example.net/x"), format!("{}/x", some.base()));
    assert_eq!(reached("https://a.cdn.example.net/x"), format!("{}/x", one.base()));
    assert_eq!(reached("https://example.net/x"), "https://example.net/x");
}

fn post_to(url: &str) -> http::Request<Vec<u8>> {
    http::Request::post(url).body(b"code=1".to_vec()).unwrap()
}

#[tokio::test]
async fn a_token_is_asked_for_once_whatever_the_answer() {
    let server = Server::answering(|_| redirect(302, "https://evil.example.org/"));
    let settings =
        EgressSettings { redirect: [("login.example.com".to_owned(), server.base().parse().unwrap())].into(), ..EgressSettings::default() };
    let egress = Egress::new(settings).unwrap();
    let answer = egress.ask(post_to("https://login.example.com/token?v=1"), Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer.status(), 302, "a redirect is the answer: the request holds a secret");
    let seen = server.seen();
    assert!(seen.len() == 1 && seen[0].starts_with("POST /token?v=1 HTTP") && seen[0].ends_with("code=1"), "{seen:?}");
    assert!(seen[0].contains("host: login.example.com"), "{}", seen[0]);
}

#[tokio::test]
async fn a_token_is_asked_of_no_blocked_place_and_no_endless_answer_is_read() {
    let egress = Egress::new(EgressSettings::default()).unwrap();
    for url in ["https://10.0.0.1/token", "http://login.example.com/token", "https://localhost/token"] {
        let refused = egress.ask(post_to(url), Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(refused, AskError::Refused(_) | AskError::Unreachable(_)), "{url}: {refused:?}");
    }
    let server = Server::answering(|_| ok(&"x".repeat(300 * 1024)));
    let world = World::at(&server.base());
    let refused = world.egress.ask(post_to(&server.base()), Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused(_)), "{refused:?}");
    let silent = Server::start(|peer| {
        peer.read();
        std::thread::sleep(Duration::from_secs(2));
    });
    let refused = world.egress.ask(post_to(&silent.base()), Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(refused, AskError::Unreachable(_)), "{refused:?}");
}
