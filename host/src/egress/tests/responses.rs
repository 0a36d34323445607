use super::*;
use bytes::Bytes;
use patchbay_sandbox::services::{BlobInfo, Capture, Part, PartContent};
use server::ok;

const MIB: usize = 1024 * 1024;

async fn blob(world: &World, mime: &str, size: usize) -> BlobInfo {
    let mut writer = world.blobs.create(mime, u32::MAX).unwrap();
    for piece in vec![b'x'; size].chunks(256 * 1024) {
        writer.append(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn every_status_is_an_answer() {
    let server = Server::answering(|_| "HTTP/1.1 429 Slow\r\nretry-after: 7\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\n{}".to_owned());
    let answer = World::at(&server.base()).call(post("bearer", "/x", "{}")).await.unwrap();
    assert_eq!((answer.response.status, text(&answer)), (429, "{}"));
    assert!(answer.response.headers.contains(&field("retry-after", "7")));
    assert!(!answer.response.headers.iter().any(|header| header.name == "set-cookie"));
}

#[tokio::test]
async fn a_response_is_bounded_whether_or_not_it_tells_its_size() {
    let told = Server::answering(|_| ok(&"x".repeat(MIB + 1)));
    assert_eq!(World::at(&told.base()).call(request("GET", "small", "/x")).await.map(|_| ()), denied(Denial::TooLarge));
    let streamed = Server::start(|peer| {
        peer.read();
        peer.write("HTTP/1.1 200 OK\r\n\r\n");
        peer.write(&"x".repeat(MIB + 1));
    });
    let world = World::at(&streamed.base());
    assert_eq!(world.call(request("GET", "small", "/x")).await.map(|_| ()), denied(Denial::TooLarge));
    let into_blob = HttpRequest { into_blob: true, ..request("GET", "small", "/x") };
    assert_eq!(world.call(into_blob).await.map(|_| ()), denied(Denial::TooLarge));
    let exact = Server::answering(|_| ok(&"x".repeat(MIB)));
    assert_eq!(text(&World::at(&exact.base()).call(request("GET", "small", "/x")).await.unwrap()).len(), MIB);
}

#[tokio::test]
async fn secrets_are_blanked_in_what_the_plugin_gets() {
    let server = Server::answering(|_| {
        let body = r#"{"echo":"12345:s3cret/t0ken","json":"12345:s3cret\/t0ken"}"#;
        format!("HTTP/1.1 200 OK\r\nx-echo: 12345:s3cret/t0ken\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let answer = World::at(&server.base()).call(request("GET", "bearer", "/x")).await.unwrap();
    assert_eq!(text(&answer), r#"{"echo":"******************","json":"*******************"}"#);
    assert!(answer.response.headers.contains(&field("x-echo", "******************")));
}

#[tokio::test]
async fn a_token_is_captured_and_never_seen_by_the_plugin() {
    let server = Server::answering(|_| ok(r#"{"access_token":"EAAG-fresh-token","again":["EAAG-fresh-token"],"expires_in":3600}"#));
    let world = World::at(&server.base());
    let capture = |secret: &str| vec![Capture { pointer: "/access_token".to_owned(), secret: secret.to_owned() }];
    let answer = world.call(HttpRequest { capture: capture("access"), ..request("POST", "bearer", "/token") }).await.unwrap();
    assert_eq!(text(&answer), r#"{"access_token":"****************","again":["****************"],"expires_in":3600}"#);
    assert_eq!(answer.captured, [("access".to_owned(), Secret::from("EAAG-fresh-token"))]);
    for undeclared in ["token", "nonsense"] {
        let refused = world.call(HttpRequest { capture: capture(undeclared), ..request("POST", "bearer", "/token") }).await;
        assert_eq!(refused.map(|_| ()), denied(Denial::NotGranted), "{undeclared}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_download_goes_to_a_blob() {
    let server = Server::answering(|_| {
        let body = "y".repeat(3 * MIB);
        format!("HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    });
    let world = World::at(&server.base());
    let answer = world.call(HttpRequest { into_blob: true, ..request("GET", "bearer", "/file") }).await.unwrap();
    let HttpResponseBody::Blob(info) = answer.response.body else { panic!("no blob") };
    assert_eq!((info.mime_type.as_str(), info.size as usize), ("image/jpeg", 3 * MIB));
    assert_eq!(world.blobs.read(&info.id, 3 * MIB as u32 - 2, 10).await.unwrap(), "yy");
}

#[tokio::test]
async fn an_error_is_read_even_where_a_blob_was_asked_for() {
    let server = Server::answering(|_| "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone".to_owned());
    let answer = World::at(&server.base()).call(HttpRequest { into_blob: true, ..request("GET", "bearer", "/file") }).await.unwrap();
    assert_eq!((answer.response.status, text(&answer)), (404, "gone"));
}

#[tokio::test]
async fn a_blob_is_sent_with_its_type_and_length() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let photo = blob(&world, "image/png", 6 * MIB).await;
    world.call(HttpRequest { body: HttpBody::Blob(photo.id), ..request("POST", "bearer", "/upload") }).await.unwrap();
    let seen = server.seen();
    let head = seen[0].split("\r\n\r\n").next().unwrap();
    assert!(head.contains("content-type: image/png") && head.contains("content-length: 6291456"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
}

#[tokio::test]
async fn a_piece_of_a_blob_is_sent_with_its_own_length() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let film = blob(&world, "video/mp4", 5 * MIB).await;
    let lengths =
        [(0, Some(4 * 1024 * 1024), 4 * MIB), (4 * 1024 * 1024, Some(u32::MAX), MIB), (1, None, 5 * MIB - 1), (u32::MAX, None, 0)];
    for (offset, length, _) in lengths {
        let body = HttpBody::Piece { id: film.id.clone(), offset, length };
        world.call(HttpRequest { body, ..request("POST", "bearer", "/upload") }).await.unwrap();
    }
    for ((_, _, expected), seen) in lengths.iter().zip(server.seen()) {
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: video/mp4") && head.contains(&format!("content-length: {expected}")), "{head}");
        assert_eq!(body.len(), *expected);
    }
}

#[tokio::test]
async fn a_multipart_body_carries_text_a_blob_and_the_credential() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let photo = blob(&world, "image/png", 2 * MIB).await;
    let part = |name: &str, content: PartContent, file_name: Option<&str>| Part {
        name: name.to_owned(),
        file_name: file_name.map(str::to_owned),
        mime_type: None,
        content,
    };
    let parts =
        vec![part("chat_id", PartContent::Bytes(b"42".to_vec()), None), part("photo", PartContent::Blob(photo.id), Some("cat \"1\".png"))];
    world.call(HttpRequest { body: HttpBody::Multipart(parts), ..request("POST", "form", "/sendPhoto") }).await.unwrap();
    let seen = server.seen();
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: multipart/form-data; boundary=") && !head.contains("transfer-encoding"), "{head}");
    assert!(body.contains("name=\"chat_id\"\r\n\r\n42\r\n"), "{}", &body[..300]);
    assert!(body.contains("name=\"photo\"; filename=\"cat \\\"1\\\".png\"\r\nContent-Type: image/png\r\n"), "{}", &body[..300]);
    assert!(body.contains(&format!("name=\"secret_token\"\r\n\r\n{TOKEN}\r\n")));
    assert!(body.contains(&"x".repeat(2 * MIB)));
}

#[tokio::test]
async fn a_blob_that_is_not_there_sends_nothing() {
    let server = Server::answering(|_| ok("{}"));
    let body = HttpBody::Blob("0123456789abcdef0123456789abcdef".to_owned());
    let result = World::at(&server.base()).call(HttpRequest { body, ..request("POST", "bearer", "/upload") }).await;
    assert!(matches!(result, Err(HttpProblem::NotSent(_))), "{result:?}");
    assert_eq!(server.seen().len(), 0);
}
