//! Letters in.

use super::peer::{Peer, Server as Peers};
use super::*;

/// A folder of a server, which behaves but for what the test wants of it.
#[derive(Clone)]
pub(super) struct Mailbox {
    pub(super) letters: Arc<Mutex<Vec<(u32, String)>>>,
    pub(super) validity: u32,
    pub(super) offers: &'static str,
    /// It says no more than that it has letters.
    pub(super) tells_next_uid: bool,
    /// What answers commands that begin so, behind the tag; `#` is the tag. An empty answer closes the connection.
    pub(super) answers: Script,
}

impl Mailbox {
    pub(super) fn of(letters: &[(u32, &str)]) -> Mailbox {
        let letters = letters.iter().map(|(uid, text)| (*uid, (*text).to_owned())).collect();
        Mailbox { letters: Arc::new(Mutex::new(letters)), validity: 7, offers: "IDLE", tells_next_uid: true, answers: &[] }
    }

    fn answering(self, answers: Script) -> Mailbox {
        Mailbox { answers, ..self }
    }

    pub(super) async fn serve(self) -> Peers {
        Peers::start(move |peer| {
            let mailbox = self.clone();
            async move { mailbox.speak(peer).await }
        })
        .await
    }

    fn all(&self) -> Vec<(u32, String)> {
        self.letters.lock().unwrap().clone()
    }

    async fn speak(self, mut peer: Peer) {
        peer.say("* OK hello").await;
        while let Some(line) = peer.hear().await {
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = match self.answers.iter().find(|(begins, _)| command.starts_with(begins)) {
                Some((_, answer)) => answer.replace('#', tag),
                None => self.usual(tag, command),
            };
            if answer.is_empty() {
                return;
            }
            peer.say(&answer).await;
            if command == "STARTTLS" && answer.contains("OK") && !peer.encrypt().await {
                return;
            }
            if command == "IDLE" {
                self.tell_news(&mut peer, tag).await;
            }
        }
    }

    /// Tells of letters as they come, until the client has had enough.
    async fn tell_news(&self, peer: &mut Peer, tag: &str) {
        let mut known = self.all().len();
        loop {
            tokio::select! {
                line = peer.hear() => {
                    let end = if line.as_deref() == Some("DONE") { "OK idle done" } else { "BAD what?" };
                    return peer.say(&format!("{tag} {end}")).await;
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if self.all().len() > known {
                known = self.all().len();
                peer.say(&format!("* OK still here\n* {known} EXISTS\n* 1 RECENT")).await;
            }
        }
    }

    fn usual(&self, tag: &str, command: &str) -> String {
        let words: Vec<&str> = command.split(' ').collect();
        let letters = self.all();
        let next_uid = letters.last().map_or(1, |(uid, _)| uid + 1);
        match words.as_slice() {
            ["CAPABILITY"] => format!("* CAPABILITY IMAP4rev1 {}\n{tag} OK done", self.offers),
            ["EXAMINE" | "SELECT", ..] => {
                let next = if self.tells_next_uid { format!("\n* OK [UIDNEXT {next_uid}] next") } else { String::new() };
                format!(
                    "* FLAGS (\\Seen)\n* {} EXISTS\n* OK [UIDVALIDITY {}] valid{next}\n{tag} OK [READ-ONLY] in",
                    letters.len(),
                    self.validity
                )
            }
            ["UID", "SEARCH", "UID", range, ..] => {
                let from: u32 = range.split(':').next().unwrap().parse().unwrap_or(u32::MAX);
                let last = letters.last().map(|(uid, _)| *uid);
                // The last letter belongs to every range that ends with a star. Servers may answer in any order.
                let found = letters.iter().rev().map(|(uid, _)| *uid).filter(|uid| *uid >= from || Some(*uid) == last);
                let found: Vec<String> = found.map(|uid| uid.to_string()).collect();
                format!("* SEARCH {}\n{tag} OK done", found.join(" "))
            }
            ["UID", "FETCH", _, "(UID", "RFC822.SIZE", ..] => {
                let line = |(n, (uid, text)): (usize, &(u32, String))| {
                    format!("* {} FETCH (UID {uid} RFC822.SIZE {} INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")\n", n + 1, wire(text).len())
                };
                format!("{}* 9 FETCH (FLAGS (\\Seen))\n{tag} OK done", letters.iter().enumerate().map(line).collect::<String>())
            }
            ["UID", "FETCH", uid, "(UID", section] => match letters.iter().find(|(known, _)| known.to_string() == *uid) {
                Some((uid, text)) => {
                    let is_header = section.contains("HEADER");
                    let text = if is_header { text.split("\n\n").next().unwrap_or_default() } else { text };
                    let section = if is_header { "HEADER" } else { "" };
                    format!("* 1 FETCH (UID {uid} BODY[{section}] {{{}}}\n{text})\n{tag} OK done", wire(text).len())
                }
                None => format!("{tag} OK done"),
            },
            ["IDLE"] => "+ idling".to_owned(),
            ["LOGOUT"] => format!("* BYE\n{tag} OK"),
            _ => format!("{tag} OK done"),
        }
    }
}

/// As the peer writes it.
fn wire(text: &str) -> String {
    text.replace('\n', "\r\n")
}

const HI: &str = "Subject: Hi\n\nHi (Mona) {3}\n)\n";

#[tokio::test]
async fn letters_come_in_order_and_once() {
    let server = Mailbox::of(&[(3, "Subject: a\n\na"), (7, HI), (9, "Subject: c\n\nc")]).serve().await;
    let world = World::of(&server, &json!({}));
    let folder = world.fetch(Some(3)).await.unwrap();
    assert_eq!((folder.validity, folder.next_uid, folder.more), (7, 10, false));
    assert_eq!(folder.letters.iter().map(|letter| letter.uid).collect::<Vec<_>>(), [7, 9]);
    let letter = &folder.letters[0];
    assert_eq!((world.text(letter).await, letter.whole, letter.received_at_ms), (wire(HI), true, Some(837_596_665_000.0)));
    assert_eq!((letter.size, letter.content.mime_type.as_str()), (u32::try_from(wire(HI).len()).unwrap(), "message/rfc822"));
    assert_eq!(*world.made.lock().unwrap(), folder.letters.iter().map(|letter| letter.content.id.clone()).collect::<Vec<_>>());
    assert!(world.fetch(Some(9)).await.unwrap().letters.is_empty());
    let heard = server.heard();
    assert!(
        heard.iter().any(|line| line.ends_with("EXAMINE \"INBOX\""))
            && !heard.iter().any(|line| line.contains("SELECT") || line.contains("BODY["))
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_last_letter_is_not_new_because_a_star_names_it() {
    let mailbox = Mailbox { tells_next_uid: false, ..Mailbox::of(&[(3, "a"), (7, "b")]) };
    let server =
        Mailbox { ..mailbox }.answering(&[("EXAMINE", "* 2 EXISTS\n* OK [UIDVALIDITY 7] x\n* OK [UIDNEXT 99] x\n# OK in")]).serve().await;
    let folder = World::of(&server, &json!({})).fetch(Some(7)).await.unwrap();
    assert!(folder.letters.is_empty() && !folder.more, "{folder:?}");
    assert!(server.heard().iter().any(|line| line.ends_with("UID SEARCH UID 8:*")), "it was asked for");
}

#[tokio::test]
async fn where_a_folder_stands_needs_no_letter() {
    let server = Mailbox { tells_next_uid: false, ..Mailbox::of(&[(3, "a"), (7, "b")]) }.serve().await;
    let world = World::of(&server, &json!({}));
    let folder = world.fetch(None).await.unwrap();
    assert_eq!((folder.validity, folder.next_uid, folder.letters.len()), (7, 8, 0), "the last letter tells what the next one will have");
    assert!(world.fetch(Some(u32::MAX)).await.unwrap().letters.is_empty());
    let server = Mailbox { tells_next_uid: false, ..Mailbox::of(&[]) }.serve().await;
    assert_eq!(World::of(&server, &json!({})).fetch(None).await.unwrap().next_uid, 1);
}

#[tokio::test]
async fn a_page_has_no_more_than_was_asked_for() {
    let server = Mailbox::of(&[(1, "a"), (2, "b"), (3, "c")]).serve().await;
    let world = World::of(&server, &json!({}));
    let query = |after_uid, since_ms| FolderQuery { folder: "Entwürfe".to_owned(), after_uid, since_ms, max: 2, max_bytes: 1000 };
    let folder = world.fetch_as(query(Some(0), None)).await.unwrap();
    assert_eq!((folder.letters.iter().map(|letter| letter.uid).collect::<Vec<_>>(), folder.more), (vec![1, 2], true));
    let folder = world.fetch_as(query(Some(2), Some(1_795_323_600_000.0))).await.unwrap();
    assert_eq!((folder.letters.len(), folder.more), (1, false));
    let heard = server.heard();
    assert!(heard.iter().any(|line| line.ends_with("EXAMINE \"Entw&APw-rfe\"")), "{heard:?}");
    assert!(heard.iter().any(|line| line.ends_with("UID SEARCH UID 3:* SINCE 21-Nov-2026")), "{heard:?}");
}

#[tokio::test]
async fn of_a_letter_that_is_too_large_the_header_comes() {
    let large = format!("Subject: Large\n\n{}", "x".repeat(2000));
    let server = Mailbox::of(&[(1, &large), (2, HI)]).serve().await;
    let world = World::of(&server, &json!({}));
    let folder = world.fetch(Some(0)).await.unwrap();
    let [first, second] = folder.letters.as_slice() else { panic!("{folder:?}") };
    assert_eq!((world.text(first).await.as_str(), first.whole, first.size), ("Subject: Large", false, 2018));
    assert!(second.whole);
}

#[tokio::test]
async fn a_letter_that_is_larger_than_it_was_said_to_be_is_not_read() {
    let server = Mailbox::of(&[(1, HI)]).answering(&[("UID FETCH 1 (UID BODY", "* 1 FETCH (UID 1 BODY[] {400000000}\nx")]).serve().await;
    let failure = World::of(&server, &json!({})).fetch(Some(0)).await.unwrap_err();
    assert!(failure.class == FailureClass::Unavailable && failure.message.contains("larger"), "{failure:?}");
    let server = Mailbox::of(&[(1, HI)]).answering(&[("UID SEARCH", "* SEARCH {400000000}\nx")]).serve().await;
    let failure = World::of(&server, &json!({})).fetch(Some(0)).await.unwrap_err();
    assert!(failure.class == FailureClass::Unavailable && failure.message.contains("too long"), "{failure:?}");
}

#[tokio::test]
async fn what_broke_in_the_middle_comes_the_next_time() {
    for (answer, code) in [
        ("* 2 FETCH (UID 2 BODY[] {30}\nSubject: b\n* BYE going", "connection_lost"),
        ("* BYE shutting down\n# OK", "bye"),
        ("# NO [SERVERBUG] oh", "serverbug"),
        ("", "connection_lost"),
    ] {
        let answers: Script = Box::leak(Box::new([("UID FETCH 2 (UID BODY", answer)]));
        // What was sent of a letter that stays unfinished: the connection is closed by what the client says next.
        let server = Mailbox::of(&[(1, HI), (2, "Subject: b\n\nb")]).answering(answers).serve().await;
        let world = World { patience: Duration::from_millis(1500), ..World::of(&server, &json!({})) };
        let folder = world.fetch(Some(0)).await.unwrap();
        assert_eq!((folder.letters.len(), folder.more), (1, true), "{answer}");
        assert_eq!(world.text(&folder.letters[0]).await, wire(HI));
        let failure = world.fetch(Some(1)).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Unavailable, "{answer}");
        assert!(failure.code == code || failure.code == "timed_out", "{answer}: {failure:?}");
    }
}

#[tokio::test]
async fn a_search_that_is_refused_found_not_nothing() {
    let cases: [(Script, FailureClass); 5] = [
        (&[("UID SEARCH", "# NO [LIMIT] slow down")], FailureClass::Limited),
        (&[("UID SEARCH", "")], FailureClass::Unavailable),
        (&[("UID FETCH", "# BAD what?")], FailureClass::Rejected),
        (&[("EXAMINE", "# NO no such folder")], FailureClass::Rejected),
        (&[("EXAMINE", "* 1 EXISTS\n# OK in")], FailureClass::Rejected),
    ];
    for (answers, expected) in cases {
        let server = Mailbox::of(&[(1, HI)]).answering(answers).serve().await;
        assert_eq!(class(World::of(&server, &json!({})).fetch(Some(0)).await).0, expected, "{answers:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_gone_is_passed_over_and_a_short_one_may_be_quoted() {
    let server = Mailbox::of(&[(1, "a"), (2, "b"), (3, "c")])
        .answering(&[("UID FETCH 1 (UID BODY", "# OK nothing"), ("UID FETCH 2 (UID BODY", "* 2 FETCH (UID 2 BODY[] \"b\")\n# OK done")])
        .serve()
        .await;
    let world = World::of(&server, &json!({}));
    let folder = world.fetch(Some(0)).await.unwrap();
    let [second, third] = folder.letters.as_slice() else { panic!("{folder:?}") };
    assert_eq!((second.uid, world.text(second).await.as_str(), third.uid, world.text(third).await.as_str()), (2, "b", 3, "c"));
}

#[tokio::test]
async fn letters_are_marked_where_their_numbers_still_mean_them() {
    let server = Mailbox::of(&[(1, "a"), (2, "b")]).serve().await;
    let world = World::of(&server, &json!({}));
    let mark = |validity, uids: &'static [u32]| world.mail.mark_seen(world.errand(None), "in", "INBOX", validity, uids);
    mark(6, &[1]).await.unwrap();
    assert!(server.heard().iter().all(|line| !line.contains("STORE")), "they were numbers of another folder");
    mark(7, &[1, 2, 9]).await.unwrap();
    let heard = server.heard();
    assert!(heard.iter().any(|line| line.ends_with("SELECT \"INBOX\"")));
    assert!(heard.iter().any(|line| line.ends_with(r"UID STORE 1:2,9 +FLAGS.SILENT (\Seen)")), "{heard:?}");
}

#[tokio::test]
async fn starttls_encrypts_before_the_login_and_never_falls_back() {
    let server = Mailbox { offers: "STARTTLS", ..Mailbox::of(&[(1, HI)]) }.serve().await;
    let world = World::of(&server, &json!({"imap_security": "starttls"}));
    assert_eq!(world.fetch(Some(0)).await.unwrap().letters.len(), 1);
    assert_eq!(
        server.heard()[..4],
        ["P1 CAPABILITY", "P2 STARTTLS", "P3 CAPABILITY", format!("P4 LOGIN \"me@example.org\" \"{PASSWORD}\"").as_str()]
    );
    let without = Mailbox::of(&[]).serve().await;
    assert_eq!(
        class(World::of(&without, &json!({"imap_security": "starttls"})).fetch(None).await),
        (FailureClass::Rejected, "starttls_missing".to_owned())
    );
    assert_eq!(without.heard(), ["P1 CAPABILITY"]);
    let injected =
        Mailbox { offers: "STARTTLS", ..Mailbox::of(&[]) }.answering(&[("STARTTLS", "# OK go on\n* CAPABILITY IMAP4rev1")]).serve().await;
    assert_eq!(
        class(World::of(&injected, &json!({"imap_security": "starttls"})).fetch(None).await),
        (FailureClass::Rejected, "starttls_injected".to_owned())
    );
}

#[tokio::test]
async fn a_connection_that_died_is_replaced() {
    let mailbox = Mailbox::of(&[(1, HI)]);
    let server = Peers::start(move |peer| {
        let mailbox = mailbox.clone();
        // The first answers nothing more once it was idle.
        let mailbox = if peer.number == 1 { mailbox.answering(&[("NOOP", "")]) } else { mailbox };
        async move { mailbox.speak(peer).await }
    })
    .await;
    let world = World::of(&server, &json!({}));
    for connections in [1, 2, 2] {
        assert_eq!(world.fetch(Some(0)).await.unwrap().letters.len(), 1);
        assert_eq!(server.connections(), connections);
    }
    world.mail.sweep(Duration::ZERO).await;
    assert!(server.heard().last().unwrap().ends_with("LOGOUT"));
}
