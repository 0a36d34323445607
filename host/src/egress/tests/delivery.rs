//! Sent, surely not sent, or perhaps: and never twice.

use super::*;
use server::ok;

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_not_sent(result: &Result<Answer, HttpProblem>) -> bool {
    matches!(result, Err(HttpProblem::NotSent(_)))
}

fn is_broken(result: &Result<Answer, HttpProblem>) -> bool {
    matches!(result, Err(HttpProblem::Broken(_)))
}

#[tokio::test]
async fn a_refused_connection_sent_nothing_and_tells_no_credential() {
    let world = World::at(&format!("http://127.0.0.1:{}", closed_port()));
    let Err(HttpProblem::NotSent(why)) = world.call(post("path", "/x", "hello")).await else { panic!("not `NotSent`") };
    assert!(why.contains("refused") && !why.contains("s3cret") && !why.contains("http://"), "{why}");
}

#[tokio::test]
async fn an_unknown_name_sent_nothing() {
    let world = World::at("https://no-such-host.invalid");
    assert!(is_not_sent(&world.call(post("bearer", "/x", "hello")).await));
}

/// The close may be noticed before a byte is written, or after.
#[tokio::test]
async fn a_connection_closed_at_once_is_never_taken_for_an_answer() {
    let server = Server::start(|_| {});
    let world = World::at(&server.base());
    for _ in 0..50 {
        let result = world.call(post("bearer", "/x", "hello")).await;
        assert!(is_broken(&result) || is_not_sent(&result), "{result:?}");
    }
}

/// The claim that counts: what is called unsent may be sent again, so none of it may have arrived.
#[tokio::test]
async fn what_is_called_unsent_never_arrived() {
    let server = Server::start(|peer| {
        if peer.number % 3 != 0 {
            peer.read();
        }
        if peer.number % 3 == 2 {
            peer.write(&ok("{}"));
        }
    });
    let world = World::at(&server.base());
    let mut unsent = Vec::new();
    for number in 0..300 {
        let path = format!("/{number}-");
        let request = if number % 2 == 0 { post("bearer", &path, "hello") } else { request("POST", "bearer", &path) };
        if is_not_sent(&world.call(request).await) {
            unsent.push(format!("POST /v1{path} "));
        }
    }
    let seen = server.seen();
    assert!(!unsent.iter().any(|line| seen.iter().any(|request| request.starts_with(line))), "{unsent:?}");
}

#[tokio::test]
async fn a_connection_closed_after_the_request_leaves_it_in_doubt_and_it_is_not_repeated() {
    let server = Server::start(|peer| {
        peer.read();
    });
    let world = World::at(&server.base());
    for method in ["POST", "DELETE", "GET"] {
        assert!(is_broken(&world.call(request(method, "bearer", "/x")).await), "{method}");
    }
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_response_that_breaks_off_leaves_the_request_in_doubt() {
    let server = Server::start(|peer| {
        peer.read();
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ok\":");
    });
    let world = World::at(&server.base());
    assert!(is_broken(&world.call(post("bearer", "/x", "hello")).await));
    let server = Server::start(|peer| {
        peer.read();
        peer.write("HTTP/1.1 200 O");
    });
    let world = World::at(&server.base());
    assert!(is_broken(&world.call(post("bearer", "/x", "hello")).await));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_pooled_connection_that_the_server_has_closed_is_replaced_unnoticed() {
    let server = Server::start(|peer| {
        peer.read();
        peer.write(&ok("{}"));
    });
    let world = World::at(&server.base());
    for _ in 0..20 {
        world.call(post("bearer", "/x", "hello")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.seen().len(), 20);
}

/// Without a pause the next request races the server's close: some break, and none arrives twice.
#[tokio::test]
async fn a_request_that_races_the_servers_close_never_arrives_twice() {
    let server = Server::start(|peer| {
        peer.read();
        peer.write(&ok("{}"));
    });
    let world = World::at(&server.base());
    let mut unsent = 0;
    for number in 0..200 {
        unsent += usize::from(is_not_sent(&world.call(post("bearer", &format!("/{number}"), "hello")).await));
    }
    let mut seen: Vec<String> = server.seen().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    let arrived = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), arrived, "one arrived twice");
    assert!(arrived + unsent <= 200);
}

#[tokio::test]
async fn a_pooled_connection_closed_under_a_request_does_not_repeat_it() {
    let server = Server::start(|peer| {
        if peer.read().is_some() {
            peer.write(&ok("{}"));
            // The second is read, and then the line goes dead.
            peer.read();
        }
    });
    let world = World::at(&server.base());
    world.call(post("bearer", "/first", "hello")).await.unwrap();
    assert!(is_broken(&world.call(post("bearer", "/second", "hello")).await));
    assert_eq!(server.seen().iter().filter(|request| request.starts_with("POST /v1/second")).count(), 1);
}

#[tokio::test]
async fn silence_after_the_request_leaves_it_in_doubt() {
    let server = Server::start(|peer| while peer.read().is_some() {});
    let mut world = World::at(&server.base());
    world.patience = Duration::from_millis(500);
    assert_eq!(world.call(request("POST", "bearer", "/x")).await.unwrap_err(), HttpProblem::Broken("no answer in time".to_owned()));
    world.patience = Duration::from_secs(10);
    let hurried = HttpRequest { timeout: Some(Duration::from_millis(500)), ..post("bearer", "/x", "hello") };
    assert!(is_broken(&world.call(hurried).await), "the plugin's own bound");
}

#[tokio::test]
async fn silence_before_the_connection_stands_sent_nothing() {
    // TLS is asked for, and the server waits for a request in the clear.
    let server = Server::start(|peer| while peer.read().is_some() {});
    let mut world = World::at(&format!("https://127.0.0.1:{}", server.port));
    world.patience = Duration::from_millis(500);
    for empty_or_not in [request("POST", "bearer", "/x"), post("bearer", "/x", "hello")] {
        assert_eq!(world.call(empty_or_not).await.unwrap_err(), HttpProblem::NotSent("no connection in time".to_owned()));
    }
}

#[tokio::test]
async fn a_failed_handshake_sent_nothing() {
    let server = Server::start(|peer| peer.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let world = World::at(&format!("https://127.0.0.1:{}", server.port));
    assert!(is_not_sent(&world.call(post("bearer", "/x", "hello")).await));
}

#[tokio::test]
async fn a_request_that_changes_something_is_recorded_first() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let mut record = Record::default();
    world.told(request("GET", "bearer", "/x"), Some(&mut record)).await.unwrap();
    assert_eq!(record.told, 0);
    world.told(request("POST", "bearer", "/x"), Some(&mut record)).await.unwrap();
    assert_eq!(record.told, 1);
    assert!(world.told(request("POST", "elsewhere", "/x"), Some(&mut record)).await.is_err());
    assert_eq!(record.told, 1, "what is refused isn't recorded");
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_leave() {
    let server = Server::answering(|_| ok("{}"));
    let world = World::at(&server.base());
    let mut record = Record { broken: true, ..Record::default() };
    let Err(HttpProblem::NotSent(why)) = world.told(request("POST", "bearer", "/x"), Some(&mut record)).await else {
        panic!("not `NotSent`")
    };
    assert!(why.contains("the database is away"), "{why}");
    assert_eq!(server.seen().len(), 0);
}
