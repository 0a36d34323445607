//! Names that lie.

use server::{ok, redirect};

use super::*;
use crate::egress::names::scripted::script;
use crate::egress::{DialError, FetchError};

/// One answer for each connection, so that each request asks for the name.
fn server() -> Server {
    Server::start(|peer| {
        if peer.read().is_some() {
            peer.write(&ok("there"));
        }
    })
}

/// Only 127.0.0.1 may be reached, and the account's base is that name at the server's port.
fn world(server: &Server, name: &str) -> World {
    let settings = EgressSettings { allow: vec!["127.0.0.1/32".parse().unwrap()], ..EgressSettings::default() };
    World::with(settings, &format!("http://{name}:{}", server.port))
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_by_each() {
    for (name, private) in [("rebind.example.com", "127.0.0.2"), ("metadata.example.com", "169.254.169.254")] {
        let server = server();
        let world = world(&server, name);
        script(name, &[&["127.0.0.1"], &[private]]);
        assert_eq!(text(&world.call(request("GET", "bearer", "/x")).await.unwrap()), "there");
        for _ in 0..2 {
            assert_eq!(world.call(request("GET", "bearer", "/x")).await.map(|_| ()), denied(Denial::BlockedAddress), "{name}");
        }
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_name_is_asked_once_and_the_address_that_was_judged_is_the_one_that_is_dialled() {
    let server = server();
    let world = world(&server, "once.example.com");
    // Asked a second time between the judgement and the dialling, it would lead astray.
    script("once.example.com", &[&["127.0.0.1"], &["10.0.0.1"]]);
    assert_eq!(text(&world.call(request("GET", "bearer", "/x")).await.unwrap()), "there");
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_are_dialled() {
    let server = server();
    let world = world(&server, "several.example.com");
    script("several.example.com", &[&["169.254.169.254", "10.0.0.1", "::1", "127.0.0.1"]]);
    assert_eq!(text(&world.call(request("GET", "bearer", "/x")).await.unwrap()), "there");
}

#[tokio::test]
async fn a_redirect_to_a_name_of_a_private_address_leads_nowhere() {
    script("inside.example.com", &[&["10.0.0.1", "fd00::1"]]);
    for to in ["http://inside.example.com/", "https://inside.example.com/"] {
        let server = Server::answering(move |_| redirect(302, to));
        let world = World::at(&server.base());
        assert_eq!(world.call(request("GET", "bearer", "/x")).await.map(|_| ()), denied(Denial::BlockedAddress), "{to}");
    }
}

#[tokio::test]
async fn files_and_mail_servers_are_judged_alike() {
    script("files.example.com", &[&["169.254.169.254"]]);
    let world = World::at("https://api.example.com");
    let fetched = world.egress.fetch("https://files.example.com/x", &world.blobs, 1000, Duration::from_secs(5)).await;
    assert!(matches!(fetched, Err(FetchError::Refused(_))), "{fetched:?}");
    let dialled = world.egress.dial("files.example.com", 993, false, Instant::now() + Duration::from_secs(5)).await;
    assert!(matches!(dialled, Err(DialError::Blocked)), "{dialled:?}");
}
