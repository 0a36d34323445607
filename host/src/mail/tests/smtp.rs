//! Letters out.

use bytes::Bytes;

use super::peer::{Peer, Server as Peers};
use super::*;

/// A server that takes everything, but for commands that begin so: these get the answer. An empty answer closes the connection.
async fn speak(mut peer: Peer, answers: &[(&str, &str)]) {
    let answered = |line: &str| answers.iter().find(|(begins, _)| line.starts_with(begins)).map(|(_, answer)| (*answer).to_owned());
    peer.say(&answered("(greeting)").unwrap_or("220 mx.example ready".to_owned())).await;
    while let Some(line) = peer.hear().await {
        let usual = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-mx.example\n250-SIZE 100000\n250-8BITMIME\n250 PIPELINING",
            "DATA" => "354 go on",
            "STARTTLS" => "220 go on",
            "QUIT" => "221 bye",
            _ => "250 2.1.0 OK",
        };
        let answer = answered(&line).unwrap_or(usual.to_owned());
        if answer.is_empty() {
            return;
        }
        peer.say(&answer).await;
        if line == "STARTTLS" && answer.starts_with("220") && !peer.encrypt().await {
            return;
        }
        if line == "DATA" && answer.starts_with("354") {
            loop {
                match peer.hear().await {
                    None => return,
                    Some(line) if line == "." => break,
                    Some(line) if answered(&line).is_some_and(|answer| answer.is_empty()) => return,
                    Some(_) => {}
                }
            }
            match answered("(letter)").unwrap_or("250 2.0.0 queued as 7".to_owned()) {
                answer if answer.is_empty() => return,
                answer => peer.say(&answer).await,
            }
        }
    }
}

async fn server(answers: Script) -> Peers {
    Peers::start(move |peer| async move { speak(peer, answers).await }).await
}

#[tokio::test]
async fn a_letter_goes_out_as_it_is_with_its_files() {
    let server = server(&[]).await;
    let world = World::of(&server, &json!({}));
    let mut writer = world.blobs.create("image/png", 100).unwrap();
    writer.append(Bytes::from_static(b"picture")).await.unwrap();
    let file = writer.finish().await.unwrap();
    let letter = [Stretch::Bytes(b"Subject: Hi\r\n\r\n.dot\r\n".to_vec()), Stretch::File(file.id), Stretch::Bytes(b"--b--\r\n".to_vec())];
    let mut told = Told::default();
    let submitted = world.submit_told(&["a@example.com", "b@example.com"], &letter, Some(&mut told)).await.unwrap();
    assert_eq!(submitted, Submitted { response: "250 2.0.0 queued as 7".to_owned(), refused: Vec::new() });
    assert_eq!((told.host.as_str(), told.times), (HOST, 1));
    assert_eq!(
        server.heard(),
        [
            "EHLO example.org",
            "MAIL FROM:<me@example.org> SIZE=42 BODY=8BITMIME",
            "RCPT TO:<a@example.com>",
            "RCPT TO:<b@example.com>",
            "DATA",
            "Subject: Hi",
            "",
            "..dot",
            "cGljdHVyZQ==",
            "--b--",
            "."
        ]
    );
}

#[tokio::test]
async fn a_report_has_no_sender() {
    let server = server(&[]).await;
    let world = World::of(&server, &json!({}));
    let envelope = Envelope { sender: None, recipients: vec!["a@example.com".to_owned()] };
    world.mail.submit(world.errand(None), "out", &envelope, &[Stretch::Bytes(b"x".to_vec())]).await.unwrap();
    assert!(server.heard().contains(&"MAIL FROM:<> SIZE=1 BODY=8BITMIME".to_owned()), "{:?}", server.heard());
}

#[tokio::test]
async fn recipients_are_refused_one_by_one() {
    let server = server(&[("RCPT TO:<gone", "550 5.1.1 gone"), ("RCPT TO:<slow", "451 4.7.1 greylisted")]).await;
    let world = World::of(&server, &json!({}));
    let submitted = world.submit(&["gone@example.com", "a@example.com", "slow@example.com", "no address"]).await.unwrap();
    let refused: Vec<_> = submitted.refused.into_iter().map(|refusal| (refusal.recipient, refusal.failure.class)).collect();
    let expected = [
        ("no address", FailureClass::Recipient),
        ("gone@example.com", FailureClass::Recipient),
        ("slow@example.com", FailureClass::Limited),
    ];
    assert_eq!(refused, expected.map(|(recipient, class)| (recipient.to_owned(), class)));
    // Nobody was taken: what may pass by itself is what it failed for.
    assert_eq!(class(world.submit(&["gone@example.com", "slow@example.com"]).await), (FailureClass::Limited, "4.7.1".to_owned()));
    assert_eq!(class(world.submit(&["gone@example.com"]).await), (FailureClass::Recipient, "5.1.1".to_owned()));
    assert_eq!(server.heard().iter().filter(|line| *line == "DATA").count(), 1);
    assert_eq!(server.connections(), 1, "a refusal breaks no connection");
}

#[tokio::test]
async fn an_address_says_no_more_than_itself() {
    let server = server(&[]).await;
    let world = World::of(&server, &json!({}));
    let injected = "a@example.com>\r\nRCPT TO:<evil@example.com";
    assert_eq!(class(world.submit(&[injected]).await), (FailureClass::Recipient, "address_invalid".to_owned()));
    let envelope = Envelope { sender: Some("me@example.org\r\nDATA".to_owned()), recipients: vec!["a@example.com".to_owned()] };
    let refused = world.mail.submit(world.errand(None), "out", &envelope, &[Stretch::Bytes(b"x".to_vec())]).await;
    assert_eq!(class(refused), (FailureClass::Rejected, "address_invalid".to_owned()));
    assert!(server.heard().iter().all(|line| !line.contains("evil") && line != "DATA"), "{:?}", server.heard());
}

#[tokio::test]
async fn what_the_server_refuses_has_its_class() {
    let cases: [(Script, FailureClass, &str); 6] = [
        (&[("(greeting)", "421 4.3.2 not now")], FailureClass::Unavailable, "4.3.2"),
        (&[("MAIL", "550 5.4.5 daily quota")], FailureClass::Limited, "5.4.5"),
        (&[("MAIL", "530 5.7.0 log in first")], FailureClass::Unauthorized, "5.7.0"),
        (&[("DATA", "452 4.3.1 full")], FailureClass::Unavailable, "4.3.1"),
        (&[("(letter)", "554 5.7.1 spam")], FailureClass::Rejected, "5.7.1"),
        (&[("(letter)", "451 later")], FailureClass::Unavailable, "451"),
    ];
    for (answers, expected, code) in cases {
        let server = server(answers).await;
        let refused = World::of(&server, &json!({})).submit(&["a@example.com"]).await;
        assert_eq!(class(refused), (expected, code.to_owned()), "{answers:?}");
    }
}

#[tokio::test]
async fn only_behind_the_last_dot_a_break_leaves_a_doubt() {
    let cases: [(Script, FailureClass); 5] = [
        (&[("EHLO", "")], FailureClass::Unavailable),
        (&[("MAIL", "")], FailureClass::Unavailable),
        (&[("DATA", "")], FailureClass::Unavailable),
        (&[("(letter)", "")], FailureClass::Uncertain),
        (&[("(letter)", "what?")], FailureClass::Uncertain),
    ];
    for (answers, expected) in cases {
        let server = server(answers).await;
        let refused = World::of(&server, &json!({})).submit(&["a@example.com"]).await;
        assert_eq!(class(refused).0, expected, "{answers:?}");
    }
}

#[tokio::test]
async fn a_letter_that_breaks_in_the_middle_was_not_taken() {
    let server = server(&[("EHLO", "250 mx.example"), ("middle", "")]).await;
    let world = World::of(&server, &json!({}));
    // More than the network holds.
    let mut writer = world.blobs.create("video/mp4", u32::MAX).unwrap();
    for _ in 0..16 {
        writer.append(Bytes::from(vec![7; 1024 * 1024])).await.unwrap();
    }
    let file = writer.finish().await.unwrap();
    let letter = [Stretch::Bytes(b"middle\r\n".to_vec()), Stretch::File(file.id)];
    assert_eq!(class(world.submit_told(&["a@example.com"], &letter, None).await).0, FailureClass::Unavailable);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    for (is_mute, expected) in [(true, FailureClass::Unavailable), (false, FailureClass::Uncertain)] {
        let server = Peers::start(move |mut peer| async move {
            if is_mute {
                peer.hear().await;
                return;
            }
            peer.say("220 mx.example").await;
            while let Some(line) = peer.hear().await {
                match line.as_str() {
                    "DATA" => peer.say("354 go on").await,
                    _ if line.starts_with("EHLO") || line.starts_with("MAIL") || line.starts_with("RCPT") => peer.say("250 OK").await,
                    _ => {}
                }
            }
        })
        .await;
        let world = World { patience: Duration::from_millis(400), ..World::of(&server, &json!({})) };
        assert_eq!(class(world.submit(&["a@example.com"]).await).0, expected);
    }
}

#[tokio::test]
async fn what_the_server_cannot_take_is_not_begun() {
    let server = server(&[("EHLO", "250-mx.example\n250 SIZE 10")]).await;
    let world = World::of(&server, &json!({}));
    let mut told = Told::default();
    let large = [Stretch::Bytes(b"more than ten".to_vec())];
    assert_eq!(
        class(world.submit_told(&["a@example.com"], &large, Some(&mut told)).await),
        (FailureClass::Rejected, "too_large".to_owned())
    );
    let eight_bits = [Stretch::Bytes("é".into())];
    assert_eq!(
        class(world.submit_told(&["a@example.com"], &eight_bits, None).await),
        (FailureClass::Rejected, "8bitmime_missing".to_owned())
    );
    assert_eq!(class(world.submit_told(&["é@example.com"], &[], None).await), (FailureClass::Recipient, "address_invalid".to_owned()));
    assert_eq!(told.times, 0, "nothing was about to leave");
    assert!(server.heard().iter().all(|line| !line.starts_with("MAIL")));
}

#[tokio::test]
async fn without_a_record_nothing_leaves() {
    let server = server(&[]).await;
    let world = World::of(&server, &json!({}));
    let mut told = Told { refuses: true, ..Told::default() };
    assert_eq!(
        class(world.submit_told(&["a@example.com"], &[], Some(&mut told)).await),
        (FailureClass::Unavailable, "not_recorded".to_owned())
    );
    assert!(server.heard().iter().all(|line| !line.starts_with("MAIL")));
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_where_it_died() {
    let server = Peers::start(|peer| async move {
        // The second letter finds a connection that closes instead of beginning again.
        let answers: &[(&str, &str)] = if peer.number == 1 { &[("RSET", "")] } else { &[] };
        speak(peer, answers).await;
    })
    .await;
    let mut world = World::of(&server, &json!({}));
    for connections in [1, 2, 2, 2] {
        let mut told = Told::default();
        world.submit_told(&["a@example.com"], &[], Some(&mut told)).await.unwrap();
        assert_eq!((server.connections(), told.times), (connections, 1));
    }
    world.settings["smtp_username"] = json!("other");
    world.submit(&["a@example.com"]).await.unwrap();
    assert_eq!(server.connections(), 3, "as somebody else");
    world.mail.sweep(Duration::ZERO).await;
    assert_eq!(server.heard().last().unwrap(), "QUIT");
    world.submit(&["a@example.com"]).await.unwrap();
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn connections_are_bounded_and_idle_ones_give_way() {
    let server = server(&[]).await;
    let world = World {
        mail: Mail::new(MailSettings { max_connections: 1, max_watchers: 0, idle: Duration::from_secs(30) }),
        ..World::of(&server, &json!({}))
    };
    world.submit(&["a@example.com"]).await.unwrap();
    world.probe("out").await.unwrap();
    let hold = Arc::clone(&world.mail.places).try_acquire_owned();
    assert!(hold.is_err(), "the probe's connection is kept");
    world.mail.sweep(Duration::ZERO).await;
    let _hold = Arc::clone(&world.mail.places).try_acquire_owned().unwrap();
    let world = World { patience: Duration::from_millis(200), ..world };
    assert_eq!(class(world.submit(&["a@example.com"]).await), (FailureClass::Unavailable, "busy".to_owned()));
}

#[tokio::test]
async fn starttls_encrypts_before_anything_is_said() {
    let server = server(&[("EHLO", "250-mx.example\n250-STARTTLS\n250-AUTH PLAIN\n250 8BITMIME"), ("AUTH", "235 2.7.0 in")]).await;
    let world = World::of(&server, &json!({"smtp_security": "starttls", "smtp_auth": "plain"}));
    world.submit(&["a@example.com"]).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard[..3], ["EHLO example.org", "STARTTLS", "EHLO example.org"]);
    assert!(heard[3].starts_with("AUTH PLAIN "), "{heard:?}");
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let server = server(&[("EHLO", "250-mx.example\n250 AUTH PLAIN")]).await;
    let world = World::of(&server, &json!({"smtp_security": "starttls", "smtp_auth": "plain"}));
    let failure = world.submit(&["a@example.com"]).await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Rejected, "starttls_missing"));
    assert!(failure.message.contains("smtp_security"), "{failure:?}");
    assert_eq!(server.heard(), ["EHLO example.org"]);
}

#[tokio::test]
async fn what_comes_in_the_clear_before_the_encryption_counts_for_nothing() {
    let server = server(&[("EHLO", "250-mx.example\n250 STARTTLS"), ("STARTTLS", "220 go on\n250-injected\n250 AUTH PLAIN")]).await;
    let world = World::of(&server, &json!({"smtp_security": "starttls"}));
    assert_eq!(class(world.submit(&["a@example.com"]).await), (FailureClass::Rejected, "starttls_injected".to_owned()));
}

#[tokio::test]
async fn tls_from_the_start_asks_for_the_right_certificate() {
    let server = Peers::start(|mut peer| async move {
        if peer.encrypt().await {
            speak(peer, &[]).await;
        }
    })
    .await;
    World::of(&server, &json!({"smtp_security": "tls"})).submit(&["a@example.com"]).await.unwrap();
    let unknown = World::of(&server, &json!({"smtp_security": "tls", "tls_ca_pem": ""})).submit(&["a@example.com"]).await.unwrap_err();
    assert!(unknown.code == "tls" && unknown.message.contains("tls_ca_pem"), "{unknown:?}");
    let broken = World::of(&server, &json!({"smtp_security": "tls", "tls_ca_pem": "certificate"})).submit(&["a@example.com"]).await;
    assert_eq!(class(broken), (FailureClass::Rejected, "tls_ca".to_owned()));
    let mut redirect = redirected(server.port);
    redirect.insert("other.example.com:465".to_owned(), format!("tcp://127.0.0.1:{}", server.port).parse().unwrap());
    let settings = json!({"smtp_host": "other.example.com", "smtp_auth": "none", "tls_ca_pem": server.certificate()});
    let other =
        World::with(EgressSettings { redirect, ..EgressSettings::default() }, settings).submit(&["a@example.com"]).await.unwrap_err();
    assert!(other.code == "tls" && !other.message.is_empty(), "the certificate is of another name: {other:?}");
}

#[tokio::test]
async fn addresses_are_guarded() {
    let at = |host: &str, security: &str, allow: &str| {
        let settings = json!({"smtp_host": host, "smtp_port": 1, "smtp_security": security, "smtp_auth": "none"});
        let allow = if allow.is_empty() { Vec::new() } else { vec![allow.parse().unwrap()] };
        World::with(EgressSettings { allow, connect_timeout: Duration::from_millis(500), ..EgressSettings::default() }, settings)
    };
    for (host, security, allow, code) in [
        ("127.0.0.1", "tls", "", "blocked_address"),
        ("localhost", "starttls", "", "blocked_address"),
        ("::1", "none", "", "blocked_address"),
        ("169.254.169.254", "none", "127.0.0.0/8", "blocked_address"),
        ("1.1.1.1", "none", "127.0.0.0/8", "plain_refused"),
        ("127.0.0.1", "none", "127.0.0.0/8", "not_reached"),
        ("127.0.0.1", "tls", "127.0.0.0/8", "not_reached"),
    ] {
        let failure = at(host, security, allow).submit(&["a@example.com"]).await.unwrap_err();
        assert_eq!(failure.code, code, "{host} {security}: {failure:?}");
        assert!(code != "plain_refused" || failure.message.contains("smtp_security"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_probe_tells_what_the_server_says_of_itself() {
    let server = server(&[]).await;
    let probed = World::of(&server, &json!({})).probe("out").await.unwrap();
    assert_eq!(
        probed,
        Probed {
            greeting: "mx.example ready".to_owned(),
            capabilities: ["SIZE 100000", "8BITMIME", "PIPELINING"].map(str::to_owned).into()
        }
    );
    assert_eq!(server.heard().last().unwrap(), "NOOP");
}
