//! Who the gateway says it is, to servers that ask in different ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::peer::{Peer, Server as Peers};
use super::*;

/// An SMTP server that offers these mechanisms and answers each line of a login in turn.
async fn smtp(offers: &'static str, answers: &'static [&'static str]) -> Peers {
    Peers::start(move |mut peer: Peer| async move {
        peer.say("220 mx.example").await;
        let mut answers = answers.iter();
        while let Some(line) = peer.hear().await {
            match line.split(' ').next().unwrap_or_default() {
                "EHLO" => peer.say(&format!("250-mx.example\n250 {offers}")).await,
                "NOOP" => peer.say("250 OK").await,
                _ => peer.say(answers.next().unwrap_or(&"500 what?")).await,
            }
        }
    })
    .await
}

/// The lines of a login.
fn logged_in(server: &Peers) -> Vec<String> {
    server.heard().into_iter().filter(|line| !line.starts_with("EHLO") && line != "NOOP" && line != "RSET").collect()
}

#[tokio::test]
async fn every_smtp_mechanism_is_spoken() {
    let plain = format!("AUTH PLAIN {}", STANDARD.encode(format!("\0me@example.org\0{PASSWORD}")));
    let xoauth2 = format!("AUTH XOAUTH2 {}", STANDARD.encode("user=me@example.org\x01auth=Bearer ya29.token-token\x01\x01"));
    let bearer = "n,a=me@example.org,\x01host=mail.example.com\x01port=587\x01auth=Bearer ya29.token-token\x01\x01";
    let bearer = format!("AUTH OAUTHBEARER {}", STANDARD.encode(bearer));
    let cases: [(&str, &'static str, &'static [&'static str], Vec<String>); 4] = [
        ("plain", "AUTH PLAIN LOGIN", &["235 in"], vec![plain]),
        (
            "login",
            "AUTH PLAIN LOGIN",
            &["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 in"],
            vec!["AUTH LOGIN".to_owned(), STANDARD.encode("me@example.org"), STANDARD.encode(PASSWORD)],
        ),
        ("xoauth2", "AUTH XOAUTH2", &["235 in"], vec![xoauth2]),
        ("oauthbearer", "AUTH OAUTHBEARER", &["235 in"], vec![bearer]),
    ];
    for (auth, offers, answers, expected) in cases {
        let server = smtp(offers, answers).await;
        World::of(&server, &json!({"smtp_auth": auth})).probe("out").await.unwrap();
        assert_eq!(logged_in(&server), expected, "{auth}");
    }
}

#[tokio::test]
async fn a_refused_token_is_asked_why() {
    for (auth, offers, last) in [("xoauth2", "AUTH XOAUTH2", ""), ("oauthbearer", "AUTH OAUTHBEARER", "AQ==")] {
        let server = smtp(offers, &["334 eyJzdGF0dXMiOiI0MDAifQ==", "535 5.7.8 not accepted"]).await;
        let failure = World::of(&server, &json!({"smtp_auth": auth})).probe("out").await.unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Unauthorized, "5.7.8"));
        assert!(failure.message.contains(r#"{"status":"400"}"#), "{failure:?}");
        assert_eq!(logged_in(&server)[1], last);
    }
}

#[tokio::test]
async fn a_server_that_goes_on_asking_is_told_to_stop() {
    let server = smtp("AUTH PLAIN", &["334 more", "334 and more", "501 5.7.0 cancelled"]).await;
    assert_eq!(class(World::of(&server, &json!({"smtp_auth": "plain"})).probe("out").await).0, FailureClass::Rejected);
    assert_eq!(logged_in(&server)[1..], ["", "*"]);
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_not_tried() {
    let server = smtp("AUTH LOGIN", &[]).await;
    let failure = World::of(&server, &json!({"smtp_auth": "plain"})).probe("out").await.unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Rejected, "auth_unsupported"));
    assert!(failure.message.contains("LOGIN"), "{failure:?}");
    assert!(logged_in(&server).is_empty());
}

#[tokio::test]
async fn what_the_server_repeats_of_the_login_is_told_to_nobody() {
    let server = Peers::start(|mut peer: Peer| async move {
        peer.say("220 mx.example").await;
        while let Some(line) = peer.hear().await {
            match line.strip_prefix("AUTH PLAIN ") {
                Some(words) => peer.say(&format!("535 5.7.8 {words} is hunter2-hunter2")).await,
                None => peer.say("250-mx.example\n250 AUTH PLAIN").await,
            }
        }
    })
    .await;
    let failure = World::of(&server, &json!({"smtp_auth": "plain"})).probe("out").await.unwrap_err();
    let words = STANDARD.encode(format!("\0me@example.org\0{PASSWORD}"));
    assert!(!failure.message.contains(&words) && !failure.message.contains(PASSWORD), "{failure:?}");
    assert_eq!(failure.class, FailureClass::Unauthorized);
}

/// An IMAP server that offers these capabilities and answers each line of a login in turn; `#` is the tag.
async fn imap(offers: &'static str, answers: &'static [&'static str]) -> Peers {
    Peers::start(move |mut peer: Peer| async move {
        peer.say("* OK hello").await;
        let (mut answers, mut tag) = (answers.iter(), String::new());
        while let Some(line) = peer.hear().await {
            let words: Vec<&str> = line.split(' ').collect();
            if words.first().is_some_and(|word| word.starts_with('P')) && words.len() > 1 {
                tag = words[0].to_owned();
            }
            if words.get(1) == Some(&"CAPABILITY") {
                peer.say(&format!("* CAPABILITY IMAP4rev1 {offers}\n{tag} OK done")).await;
            } else {
                peer.say(&answers.next().unwrap_or(&"# BAD what?").replace('#', &tag)).await;
            }
        }
    })
    .await
}

fn said_to_imap(server: &Peers) -> Vec<String> {
    server.heard().into_iter().filter(|line| !line.ends_with("CAPABILITY")).collect()
}

#[tokio::test]
async fn every_imap_login_is_spoken() {
    let plain = STANDARD.encode(format!("\0me@example.org\0{PASSWORD}"));
    let xoauth2 = STANDARD.encode("user=me@example.org\x01auth=Bearer ya29.token-token\x01\x01");
    let cases: [(&str, &'static str, &'static [&'static str], Vec<String>); 6] = [
        ("plain", "SASL-IR AUTH=PLAIN", &["# OK in"], vec![format!("P2 AUTHENTICATE PLAIN {plain}")]),
        ("plain", "AUTH=PLAIN", &["+", "# OK in"], vec!["P2 AUTHENTICATE PLAIN".to_owned(), plain]),
        ("plain", "", &["# OK in"], vec![format!(r#"P2 LOGIN "me@example.org" "{PASSWORD}""#)]),
        ("login", "AUTH=PLAIN", &["# OK in"], vec![format!(r#"P2 LOGIN "me@example.org" "{PASSWORD}""#)]),
        ("xoauth2", "SASL-IR AUTH=XOAUTH2", &["# OK in"], vec![format!("P2 AUTHENTICATE XOAUTH2 {xoauth2}")]),
        ("oauthbearer", "AUTH=OAUTHBEARER", &["+ ", "# OK in"], vec!["P2 AUTHENTICATE OAUTHBEARER".to_owned(), String::new()]),
    ];
    for (auth, offers, answers, mut expected) in cases {
        let server = imap(offers, answers).await;
        World::of(&server, &json!({"imap_auth": auth})).probe("in").await.unwrap();
        if auth == "oauthbearer" {
            let said = "n,a=me@example.org,\x01host=mail.example.com\x01port=143\x01auth=Bearer ya29.token-token\x01\x01";
            expected[1] = STANDARD.encode(said);
        }
        assert_eq!(said_to_imap(&server), expected, "{auth} {offers}");
    }
}

#[tokio::test]
async fn a_password_that_cannot_be_quoted_is_asked_for() {
    let server = imap("", &["+ go on", "# OK in"]).await;
    let mut world = World::of(&server, &json!({}));
    world.secrets.insert("password".to_owned(), "pässword".into());
    world.probe("in").await.unwrap();
    assert_eq!(said_to_imap(&server), [r#"P2 LOGIN "me@example.org" {9}"#, "pässword"]);
}

#[tokio::test]
async fn what_imap_refuses_has_its_class() {
    let cases: [(&str, &'static str, &'static [&'static str], FailureClass, &str); 6] = [
        ("plain", "AUTH=PLAIN SASL-IR", &["# NO [AUTHENTICATIONFAILED] no"], FailureClass::Unauthorized, "authenticationfailed"),
        ("plain", "AUTH=PLAIN SASL-IR", &["# NO [UNAVAILABLE] later"], FailureClass::Unavailable, "unavailable"),
        ("plain", "AUTH=PLAIN SASL-IR", &["* BYE going down"], FailureClass::Unavailable, "bye"),
        ("login", "LOGINDISABLED", &[], FailureClass::Rejected, "auth_unsupported"),
        ("xoauth2", "AUTH=PLAIN", &[], FailureClass::Rejected, "auth_unsupported"),
        ("none", "", &[], FailureClass::Rejected, "auth_unsupported"),
    ];
    for (auth, offers, answers, expected, code) in cases {
        let server = imap(offers, answers).await;
        assert_eq!(
            class(World::of(&server, &json!({"imap_auth": auth})).probe("in").await),
            (expected, code.to_owned()),
            "{auth} {offers}"
        );
    }
    let server = imap("SASL-IR AUTH=XOAUTH2", &["+ eyJzdGF0dXMiOiI0MDAifQ==", "# NO SASL failed"]).await;
    let failure = World::of(&server, &json!({"imap_auth": "xoauth2"})).probe("in").await.unwrap_err();
    assert!(failure.class == FailureClass::Unauthorized && failure.message.contains(r#"{"status":"400"}"#), "{failure:?}");
    assert_eq!(said_to_imap(&server)[1], "");
}
