use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use server::ok;

#[tokio::test]
async fn each_credential_goes_to_its_place() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    for target in ["path", "bearer", "header", "query", "basic", "form"] {
        world.call(request("POST", target, "/x")).await.unwrap();
    }
    let seen = server.seen();
    let basic = STANDARD.encode(format!("somebody-or-other:{TOKEN}"));
    assert!(seen[0].starts_with("POST /bot12345:s3cret%2Ft0ken/x HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(seen[1].contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{}", seen[1]);
    assert!(
        seen[2].contains(&format!("authorization: Bot {TOKEN}\r\n")) && seen[2].contains(&format!("x-key: {TOKEN}\r\n")),
        "{}",
        seen[2]
    );
    assert!(seen[3].starts_with("POST /v1/x?key=12345%3As3cret%2Ft0ken HTTP/1.1\r\n"), "{}", seen[3]);
    assert!(seen[4].contains(&format!("authorization: Basic {basic}\r\n")), "{}", seen[4]);
    assert!(seen[5].ends_with("\r\n\r\nsecret_token=12345%3As3cret%2Ft0ken"), "{}", seen[5]);
    assert!(seen[0].contains("content-length: 0\r\n"), "{}", seen[0]);
    assert!(seen.iter().all(|request| request.contains("user-agent: Patchbay/")));
}

#[tokio::test]
async fn a_form_credential_joins_the_plugins_fields() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let form = HttpBody::Form(vec![field("url", "https://a.example/?b&c")]);
    world.call(HttpRequest { body: form, ..request("POST", "form", "") }).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].ends_with("\r\n\r\nurl=https%3A%2F%2Fa.example%2F%3Fb%26c&secret_token=12345%3As3cret%2Ft0ken"), "{}", seen[0]);
    assert!(seen[0].contains("content-type: application/x-www-form-urlencoded\r\n"), "{}", seen[0]);
    assert_eq!(world.call(post("form", "", "{}")).await.unwrap_err(), HttpProblem::Denied(Denial::NotGranted), "no form to join");
}

#[tokio::test]
async fn a_json_credential_joins_the_plugins_members() {
    let server = Server::answering(|_| ok(r#"{"Password":"12345:s3cret/t0ken","again":"12345:s3cret\/t0ken"}"#));
    let mut world = World::at(&server.base());
    // What no reader of JSON keeps as it was: a long number, spaces, the order.
    let answer = world.call(post("json", "/x", "{\"b\": 12345678901234567890.10, \"a\":{\"Password\":1} }\n")).await.unwrap();
    assert_eq!(text(&answer), r#"{"Password":"******************","again":"*******************"}"#, "it comes back to nobody");
    world.call(post("json", "/x", "{ }")).await.unwrap();
    world.call(request("POST", "json", "/x")).await.unwrap();
    world.secrets.insert("access".to_owned(), Secret::from("quo\"te-and-more"));
    let typed = HttpRequest { headers: vec![field("content-type", "application/vnd.x+json")], ..post("json", "/x", "{\"a\":1}") };
    world.call(typed).await.unwrap();
    let seen = server.seen();
    let own = "{\"b\": 12345678901234567890.10, \"a\":{\"Password\":1} ,\"Password\":\"12345:s3cret/t0ken\"}";
    assert!(seen[0].ends_with(&format!("\r\n\r\n{own}")) && seen[0].contains("content-type: application/json\r\n"), "{}", seen[0]);
    assert!(seen[1].ends_with("\r\n\r\n{ \"Password\":\"12345:s3cret/t0ken\"}"), "{}", seen[1]);
    assert!(seen[2].ends_with("\r\n\r\n{\"Password\":\"12345:s3cret/t0ken\"}"), "{}", seen[2]);
    assert!(seen[2].contains("content-type: application/json\r\n"), "{}", seen[2]);
    let both = r#"{"a":1,"Extra":"quo\"te-and-more","Password":"12345:s3cret/t0ken"}"#;
    assert!(seen[3].ends_with(both) && seen[3].contains("content-type: application/vnd.x+json\r\n"), "{}", seen[3]);
}

#[tokio::test]
async fn a_json_credential_has_an_object_to_join() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    for body in ["[]", "1", "a=b", "{", "", "{\"Password\":\"mine\"}", "{\"P\\u0061ssword\":1}", "{}{}", "{\"Extra\":1"] {
        assert_eq!(world.call(post("json", "/x", body)).await.map(|_| ()), denied(Denial::NotGranted), "{body}");
    }
    let form = HttpRequest { body: HttpBody::Form(vec![field("a", "b")]), ..request("POST", "json", "/x") };
    assert_eq!(world.call(form).await.map(|_| ()), denied(Denial::NotGranted));
    let leak = post("json", "/x", &format!("{{\"a\":\"{TOKEN}\"}}"));
    assert_eq!(world.call(leak).await.map(|_| ()), denied(Denial::NotGranted), "a plugin that knows it sends it nowhere");
    assert_eq!(server.seen().len(), 0);
    let mut bare = World::at(&server.base());
    bare.secrets.remove("token");
    assert_eq!(bare.call(post("json", "/x", "{}")).await.map(|_| ()), denied(Denial::CredentialMissing));
}

#[tokio::test]
async fn a_missing_credential_keeps_the_request_in() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let refused = world.call(request("POST", "captured", "/x")).await;
    assert_eq!(refused.map(|_| ()), denied(Denial::CredentialMissing));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_plugin_sets_no_header_of_the_gateways() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    for name in ["Authorization", "cookie", "Proxy-Authorization", "host", "content-length", "transfer-encoding", "x-key", "bad name", ""] {
        let headers = vec![field(name, "x")];
        let refused = world.call(HttpRequest { headers, ..request("POST", "header", "/x") }).await;
        assert_eq!(refused.map(|_| ()), denied(Denial::NotGranted), "{name}");
    }
    let split = vec![field("x-a", "b\r\nauthorization: c")];
    let refused = world.call(HttpRequest { headers: split, ..request("POST", "header", "/x") }).await;
    assert_eq!(refused.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(server.seen().len(), 0);
    let headers = vec![field("Content-Type", "application/json"), field("x-a", "1"), field("x-a", "2")];
    world.call(HttpRequest { headers, ..post("header", "/x", "{}") }).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].contains("content-type: application/json\r\n") && seen[0].contains("x-a: 1\r\nx-a: 2\r\n"), "{}", seen[0]);
}

#[tokio::test]
async fn only_the_manifests_targets_and_methods_are_reached() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    assert_eq!(world.call(request("POST", "elsewhere", "/x")).await.map(|_| ()), denied(Denial::UnknownTarget));
    assert_eq!(world.call(request("PUT", "bearer", "/x")).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(world.call(request("post", "bearer", "/x")).await.map(|_| ()), denied(Denial::NotGranted));
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_secret_in_a_request_keeps_it_in() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let encoded = STANDARD.encode(format!("id:{TOKEN}"));
    let leaks = [
        HttpRequest { path: "/12345:s3cret%2Ft0ken".to_owned(), ..request("POST", "bearer", "") },
        HttpRequest { query: vec![field("q", TOKEN)], ..request("POST", "bearer", "/x") },
        HttpRequest { headers: vec![field("x-a", &encoded)], ..request("POST", "bearer", "/x") },
        post("bearer", "/x", &format!("{{\"a\":\"{TOKEN}\"}}")),
        post("bearer", "/x", "{\"a\":\"12345:s3cret\\/t0ken\"}"),
        HttpRequest { body: HttpBody::Form(vec![field("a", TOKEN)]), ..request("POST", "bearer", "/x") },
    ];
    for leak in leaks {
        assert_eq!(world.call(leak.clone()).await.map(|_| ()), denied(Denial::NotGranted), "{leak:?}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn private_addresses_are_out_of_reach() {
    let server = Server::answering(|_| ok("{}"));
    let port = server.port;
    let mut world = World::with(EgressSettings::default(), "");
    for base in [
        format!("http://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("http://localhost:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:7f00:1]:{port}"),
        format!("https://0x7f000001:{port}"),
        "http://169.254.169.254".to_owned(),
        "http://149.154.167.220".to_owned(),
    ] {
        world.settings = json!({ "base_url": base });
        assert_eq!(world.call(request("POST", "bearer", "/x")).await.map(|_| ()), denied(Denial::BlockedAddress), "{base}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_redirected_host_keeps_its_name_and_path() {
    let server = Server::answering(|_| ok("{}"));
    let redirect = BTreeMap::from([("api.example.com".to_owned(), server.base().parse().unwrap())]);
    let world = World::with(EgressSettings { redirect, ..EgressSettings::default() }, "");
    let query = vec![field("a", "b c")];
    world.call(HttpRequest { query, ..request("POST", "fixed", "/x") }).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].starts_with("POST /v1/x?a=b+c HTTP/1.1\r\n") && seen[0].contains("host: api.example.com\r\n"), "{}", seen[0]);
}

#[test]
fn a_redirect_is_an_origin() {
    for to in ["http://127.0.0.1:1/path", "ftp://127.0.0.1", "http://user@127.0.0.1"] {
        let redirect = BTreeMap::from([("api.example.com".to_owned(), to.parse().unwrap())]);
        assert!(Egress::new(EgressSettings { redirect, ..EgressSettings::default() }).is_err(), "{to}");
    }
}
