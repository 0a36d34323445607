//! IMAP, one session for each connection. The protocol's own rules are a library's; the mailboxes are ours.

mod fetch;
mod search;

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use imap_next::imap_types::auth::{AuthMechanism, AuthenticateData};
use imap_next::imap_types::command::CommandBody;
use imap_next::imap_types::core::{Tag, Text, Vec1};
use imap_next::imap_types::flag::{Flag, FlagFetch, FlagPerm, StoreResponse, StoreType};
use imap_next::imap_types::mailbox::Mailbox;
use imap_next::imap_types::response::{Capability, Code, CommandContinuationRequest, Data, Greeting, Status, StatusKind};
use imap_next::imap_types::sequence::SequenceSet;
use imap_next::imap_types::status::{StatusDataItem, StatusDataItemName};
use imap_next::server::{Event, Options, Server as Protocol};
use imap_next::{Interrupt, Io, State};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::mail::answer::{Command, Verdict};
use crate::mail::sasl::{self, Credentials};
use crate::mail::server::{Knobs, Server, StartTls};
use crate::mail::world::Letter;

/// A longer piece of an answer is broken in its middle, where the connection has to break in an answer.
const BREAKABLE: usize = 256;

struct Session {
    server: Arc<Server>,
    number: u64,
    protocol: Protocol,
    user: Option<String>,
    selected: Option<Selected>,
    /// The tag of an `AUTHENTICATE` that hasn't ended, its mechanism, and what was said so far.
    authenticating: Option<(Tag<'static>, String, Vec<Vec<u8>>)>,
    /// The tag of an `IDLE` that hasn't ended.
    idling: Option<Tag<'static>>,
    ending: Ending,
}

/// The folder that is open, and what the client has been told is in it.
struct Selected {
    folder: String,
    read_only: bool,
    known: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    /// After what is still to be said.
    Polite,
    /// In the middle of what is still to be said.
    Broken,
    Now,
}

/// How a command ends: the words, with a code before them.
struct Outcome {
    kind: StatusKind,
    code: Option<Code<'static>>,
    text: String,
}

fn done(text: &str) -> Outcome {
    Outcome { kind: StatusKind::Ok, code: None, text: text.to_owned() }
}

fn no(text: &str) -> Outcome {
    Outcome { kind: StatusKind::No, code: None, text: text.to_owned() }
}

fn bad(text: &str) -> Outcome {
    Outcome { kind: StatusKind::Bad, code: None, text: text.to_owned() }
}

pub(crate) async fn serve(server: Arc<Server>, mut stream: TcpStream, number: u64) -> io::Result<()> {
    let mut changes = server.changes.subscribe();
    let command = Command::new(&server, "IMAP CONNECT", "", "", || json!({"_connection": number}));
    let greeting = match command.verdict(&server).await {
        Verdict::Done => Greeting::ok(capabilities(&server.knobs(), false), "stand-in ready"),
        Verdict::Refused(..) => Greeting::bye(None, "Try again later"),
        Verdict::Cut => return Ok(()),
    };
    command.answered(200);
    let Ok(greeting) = greeting else { return Ok(()) };
    let ending = if matches!(greeting.kind, imap_next::imap_types::response::GreetingKind::Bye) { Ending::Polite } else { Ending::Open };
    let protocol = Protocol::new(Options::default(), greeting);
    let mut session = Session { server, number, protocol, user: None, selected: None, authenticating: None, idling: None, ending };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match session.protocol.next() {
            Err(Interrupt::Io(Io::Output(bytes))) => {
                if session.ending == Ending::Broken && bytes.len() > BREAKABLE {
                    stream.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default()).await?;
                    return Ok(());
                }
                stream.write_all(&bytes).await?;
            }
            Err(Interrupt::Io(Io::NeedMoreInput)) => {
                if session.ending != Ending::Open {
                    return Ok(());
                }
                match session.wait(&mut stream, &mut buffer, &mut changes).await? {
                    Some(0) => return Ok(()),
                    Some(read) => session.protocol.enqueue_input(buffer.get(..read).unwrap_or_default()),
                    None => session.tell_changes(),
                }
            }
            Err(Interrupt::Error(error)) => session.say(tag_of(&error), bad("Error in IMAP command")),
            Ok(event) => session.handle(event).await,
        }
        if session.ending == Ending::Now {
            return Ok(());
        }
    }
}

impl Session {
    /// Bytes, or none where a mailbox has changed that the client idles for.
    async fn wait(&self, stream: &mut TcpStream, buffer: &mut [u8], changes: &mut watch::Receiver<u64>) -> io::Result<Option<usize>> {
        if self.idling.is_none() {
            return stream.read(buffer).await.map(Some);
        }
        tokio::select! {
            read = stream.read(buffer) => read.map(Some),
            _ = changes.changed() => Ok(None),
        }
    }

    fn command(&self, name: &str, mut parameters: Value) -> Command {
        parameters["_connection"] = self.number.into();
        let folder = self.selected.as_ref().map(|selected| selected.folder.clone()).unwrap_or_default();
        Command::new(&self.server, &format!("IMAP {name}"), self.user.as_deref().unwrap_or_default(), &folder, || parameters)
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::CommandReceived { command } => {
                let (name, parameters) = named(&command.body);
                let asked = self.command(&name, parameters);
                let outcome = match asked.verdict(&self.server).await {
                    Verdict::Cut => {
                        self.ending = Ending::Now;
                        return;
                    }
                    Verdict::Refused(_, text) => no(&text),
                    Verdict::Done => self.act(command.body),
                };
                self.finish(&asked, Some(command.tag), outcome).await;
            }
            Event::CommandAuthenticateReceived { command_authenticate: asked } => {
                let mechanism = asked.mechanism.as_ref().to_ascii_uppercase();
                let initial = asked.initial_response.map(|said| said.declassify().to_vec());
                self.authenticating = Some((asked.tag, mechanism, initial.into_iter().collect()));
                self.authenticate().await;
            }
            Event::AuthenticateDataReceived { authenticate_data } => match (authenticate_data, &mut self.authenticating) {
                (AuthenticateData::Continue(said), Some((_, _, heard))) => {
                    heard.push(said.declassify().to_vec());
                    self.authenticate().await;
                }
                _ => self.end_authentication(bad("Authentication cancelled")).await,
            },
            Event::IdleCommandReceived { tag } => {
                let asked = self.command("IDLE", json!({}));
                match asked.verdict(&self.server).await {
                    Verdict::Cut => self.ending = Ending::Now,
                    Verdict::Done if self.selected.is_some() && self.server.knobs().idle => {
                        asked.answered(200);
                        if let Ok(idling) = CommandContinuationRequest::basic(None, "idling") {
                            self.protocol.idle_accept(idling).ok();
                        }
                        self.tell_changes();
                        self.idling = Some(tag);
                    }
                    _ => {
                        asked.answered(400);
                        if let Some(status) = status(Some(tag), no("IDLE isn't to be had")) {
                            self.protocol.idle_reject(status).ok();
                        }
                    }
                }
            }
            Event::IdleDoneReceived => {
                let tag = self.idling.take();
                let asked = self.command("DONE", json!({}));
                self.finish(&asked, tag, done("Idle completed")).await;
            }
            Event::ResponseSent { .. } | Event::GreetingSent { .. } => {}
        }
    }

    /// Says how a command ended, or breaks off while its answer goes out.
    async fn finish(&mut self, asked: &Command, tag: Option<Tag<'static>>, outcome: Outcome) {
        asked.answered(match outcome.kind {
            StatusKind::Ok => 200,
            StatusKind::No => 400,
            StatusKind::Bad => 500,
        });
        if asked.breaks().await {
            self.ending = Ending::Broken;
            return;
        }
        self.tell_changes();
        self.say(tag, outcome);
    }

    fn say(&mut self, tag: Option<Tag<'static>>, outcome: Outcome) {
        if let Some(status) = status(tag, outcome) {
            self.protocol.enqueue_status(status);
        }
    }

    // ---- who it is ----

    /// Goes on until the client has said all that the mechanism wants.
    async fn authenticate(&mut self) {
        let Some((_, mechanism, heard)) = &self.authenticating else { return };
        if !self.server.knobs().mechanisms.contains(mechanism) {
            return self.end_authentication(no("Unsupported authentication mechanism")).await;
        }
        let credentials = match (mechanism.as_str(), heard.as_slice()) {
            ("LOGIN", [user, password]) => Some(Credentials::Password { user: lossy(user), password: lossy(password) }),
            ("LOGIN", heard) => return self.prompt(if heard.is_empty() { "Username:" } else { "Password:" }),
            (_, []) => return self.prompt(""),
            (mechanism, [said, ..]) => Credentials::read(mechanism, said),
        };
        let Some(credentials) = credentials else { return self.end_authentication(bad("Invalid initial response")).await };
        if let Some(user) = credentials.check(&self.server) {
            self.user = Some(user);
            return self.end_authentication(self.logged_in()).await;
        }
        // The refusal proper comes after an answer.
        if credentials.is_token() && heard.len() == 1 {
            return self.prompt(sasl::TOKEN_REFUSED);
        }
        self.end_authentication(no("[AUTHENTICATIONFAILED] Authentication failed.")).await;
    }

    fn prompt(&mut self, text: &str) {
        self.protocol.authenticate_continue(CommandContinuationRequest::base64(text.as_bytes().to_vec())).ok();
    }

    async fn end_authentication(&mut self, outcome: Outcome) {
        let Some((tag, mechanism, _)) = self.authenticating.take() else { return };
        let asked = self.command("AUTHENTICATE", json!({"mechanism": mechanism}));
        let outcome = match asked.verdict(&self.server).await {
            Verdict::Cut => {
                self.ending = Ending::Now;
                return;
            }
            Verdict::Refused(_, text) => {
                self.user = None;
                no(&text)
            }
            Verdict::Done => outcome,
        };
        asked.answered(if outcome.kind == StatusKind::Ok { 200 } else { 400 });
        if let Some(status) = status(Some(tag), outcome) {
            self.protocol.authenticate_finish(status).ok();
        }
    }

    fn logged_in(&self) -> Outcome {
        Outcome { kind: StatusKind::Ok, code: capabilities(&self.server.knobs(), true), text: "Logged in".to_owned() }
    }

    // ---- the commands ----

    fn act(&mut self, body: CommandBody<'static>) -> Outcome {
        let knobs = self.server.knobs();
        match body {
            CommandBody::Capability => {
                if let Some(Code::Capability(offered)) = capabilities(&knobs, self.user.is_some()) {
                    self.protocol.enqueue_data(Data::Capability(offered));
                }
                done("Capability completed")
            }
            CommandBody::Noop => done("NOOP completed"),
            CommandBody::Logout => {
                if let Ok(bye) = Status::bye(None, "Logging out") {
                    self.protocol.enqueue_status(bye);
                }
                self.ending = Ending::Polite;
                done("Logout completed")
            }
            CommandBody::Login { username, password } => {
                let (user, password) = (lossy(username.as_ref()), lossy(password.declassify().as_ref()));
                match (Credentials::Password { user, password }).check(&self.server) {
                    Some(user) => {
                        self.user = Some(user);
                        self.logged_in()
                    }
                    None => no("[AUTHENTICATIONFAILED] Authentication failed."),
                }
            }
            _ if self.user.is_none() => bad("Please log in first"),
            CommandBody::Select { mailbox, .. } => self.select(&mailbox, false),
            CommandBody::Examine { mailbox, .. } => self.select(&mailbox, true),
            CommandBody::Status { mailbox, item_names } => self.stand(&mailbox, &item_names),
            CommandBody::List { .. } => self.list(),
            CommandBody::Close | CommandBody::Unselect => {
                self.selected = None;
                done("Closed")
            }
            CommandBody::Search { criteria, uid, .. } => self.search(&criteria.into_iter().collect::<Vec<_>>(), uid),
            CommandBody::Fetch { sequence_set, macro_or_item_names, uid, .. } => self.fetch(&sequence_set, macro_or_item_names, uid),
            CommandBody::Store { sequence_set, kind, response, flags, uid, .. } => self.store(&sequence_set, kind, response, &flags, uid),
            _ => bad("Unknown command"),
        }
    }

    fn select(&mut self, mailbox: &Mailbox<'_>, read_only: bool) -> Outcome {
        self.selected = None;
        let (user, name) = (self.user.clone().unwrap_or_default(), name(mailbox));
        let mut world = self.server.world.lock();
        if !world.folders(&user).contains(&name) {
            return no("[NONEXISTENT] Mailbox doesn't exist");
        }
        let folder = world.folder(&user, &name);
        let known: Vec<u32> = folder.letters.iter().map(|letter| letter.uid).collect();
        let (validity, next_uid) = (folder.validity, folder.next_uid);
        drop(world);
        let flags = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];
        self.protocol.enqueue_data(Data::Flags(flags.to_vec()));
        self.protocol.enqueue_data(Data::Exists(count(known.len())));
        self.protocol.enqueue_data(Data::Recent(0));
        let permanent = if read_only { Vec::new() } else { flags.into_iter().map(FlagPerm::Flag).collect() };
        let facts = [
            Some(Code::PermanentFlags(permanent)),
            NonZeroU32::new(validity).map(Code::UidValidity),
            NonZeroU32::new(next_uid).map(Code::UidNext),
        ];
        for fact in facts.into_iter().flatten() {
            self.say(None, Outcome { code: Some(fact), ..done("told") });
        }
        self.selected = Some(Selected { folder: name, read_only, known });
        Outcome { code: Some(if read_only { Code::ReadOnly } else { Code::ReadWrite }), ..done("Selected") }
    }

    fn stand(&mut self, mailbox: &Mailbox<'static>, wanted: &[StatusDataItemName]) -> Outcome {
        let (user, name) = (self.user.clone().unwrap_or_default(), name(mailbox));
        let mut world = self.server.world.lock();
        if !world.folders(&user).contains(&name) {
            return no("[NONEXISTENT] Mailbox doesn't exist");
        }
        let folder = world.folder(&user, &name);
        let unseen = folder.letters.iter().filter(|letter| !letter.flags.contains("\\Seen")).count();
        let items: Vec<StatusDataItem> = wanted
            .iter()
            .filter_map(|item| match item {
                StatusDataItemName::Messages => Some(StatusDataItem::Messages(count(folder.letters.len()))),
                StatusDataItemName::Recent => Some(StatusDataItem::Recent(0)),
                StatusDataItemName::UidNext => NonZeroU32::new(folder.next_uid).map(StatusDataItem::UidNext),
                StatusDataItemName::UidValidity => NonZeroU32::new(folder.validity).map(StatusDataItem::UidValidity),
                StatusDataItemName::Unseen => Some(StatusDataItem::Unseen(count(unseen))),
                _ => None,
            })
            .collect();
        drop(world);
        self.protocol.enqueue_data(Data::Status { mailbox: mailbox.clone(), items: items.into() });
        done("Status completed")
    }

    /// All folders, whatever pattern was asked for.
    fn list(&mut self) -> Outcome {
        let folders = self.server.world.lock().folders(self.user.as_deref().unwrap_or_default());
        for mailbox in folders.into_iter().filter_map(|folder| Mailbox::try_from(folder).ok()) {
            self.protocol.enqueue_data(Data::List { items: Vec::new(), delimiter: None, mailbox });
        }
        done("List completed")
    }

    /// The letters that a set names, with their sequence numbers, oldest first.
    fn letters(&self, set: &SequenceSet, uid: bool) -> Vec<(NonZeroU32, Letter)> {
        let Some(selected) = &self.selected else { return Vec::new() };
        self.numbered(selected).into_iter().filter(|(sequence, letter)| search::names(set, uid, *sequence, letter, selected)).collect()
    }

    /// What the client knows of and is still there.
    fn numbered(&self, selected: &Selected) -> Vec<(NonZeroU32, Letter)> {
        let mut world = self.server.world.lock();
        let letters = &world.folder(self.user.as_deref().unwrap_or_default(), &selected.folder).letters;
        let sequence = |uid: u32| selected.known.iter().position(|known| *known == uid).and_then(|at| NonZeroU32::new(count(at + 1)));
        letters.iter().filter_map(|letter| Some((sequence(letter.uid)?, letter.clone()))).collect()
    }

    fn store(&mut self, set: &SequenceSet, kind: StoreType, response: StoreResponse, flags: &[Flag<'_>], uid: bool) -> Outcome {
        let Some(selected) = &self.selected else { return bad("No mailbox selected") };
        if selected.read_only {
            return no("[READ-ONLY] Mailbox is read-only");
        }
        let given: BTreeSet<String> = flags.iter().map(ToString::to_string).collect();
        let found = self.letters(set, uid);
        let mut told = Vec::new();
        {
            let mut world = self.server.world.lock();
            let folder = world.folder(self.user.as_deref().unwrap_or_default(), &selected.folder);
            for (sequence, letter) in found {
                let Some(kept) = folder.letters.iter_mut().find(|kept| kept.uid == letter.uid) else { continue };
                match kind {
                    StoreType::Replace => kept.flags.clone_from(&given),
                    StoreType::Add => kept.flags.extend(given.iter().cloned()),
                    StoreType::Remove => kept.flags.retain(|flag| !given.contains(flag)),
                }
                told.push((sequence, kept.clone()));
            }
        }
        if response == StoreResponse::Answer {
            for (sequence, letter) in told {
                self.protocol.enqueue_data(fetch::flags(sequence, &letter, uid));
            }
        }
        done("Store completed")
    }

    /// Tells what has come and gone since the client was last told.
    fn tell_changes(&mut self) {
        let Some(selected) = &mut self.selected else { return };
        let now: Vec<u32> = {
            let mut world = self.server.world.lock();
            let folder = world.folder(self.user.as_deref().unwrap_or_default(), &selected.folder);
            folder.letters.iter().map(|letter| letter.uid).collect()
        };
        while let Some(at) = selected.known.iter().position(|uid| !now.contains(uid)) {
            selected.known.remove(at);
            if let Some(sequence) = NonZeroU32::new(count(at + 1)) {
                self.protocol.enqueue_data(Data::Expunge(sequence));
            }
        }
        if now.len() != selected.known.len() {
            self.protocol.enqueue_data(Data::Exists(count(now.len())));
            selected.known = now;
        }
    }
}

/// A command's name in the records, with what it asks.
fn named(body: &CommandBody<'_>) -> (String, Value) {
    match body {
        CommandBody::Login { username, .. } => ("LOGIN".to_owned(), json!({"user": lossy(username.as_ref())})),
        CommandBody::Select { mailbox, .. } | CommandBody::Examine { mailbox, .. } | CommandBody::Status { mailbox, .. } => {
            (body.name().to_owned(), json!({"folder": name(mailbox)}))
        }
        other => (other.name().to_owned(), json!({"asked": format!("{other:?}")})),
    }
}

fn name(mailbox: &Mailbox<'_>) -> String {
    match mailbox {
        Mailbox::Inbox => "INBOX".to_owned(),
        Mailbox::Other(other) => lossy(other.as_ref()),
    }
}

fn status(tag: Option<Tag<'static>>, outcome: Outcome) -> Option<Status<'static>> {
    let text = Text::try_from(outcome.text).or_else(|_| Text::try_from("told")).ok()?;
    Status::new(tag, outcome.kind, outcome.code, text).ok()
}

fn capabilities(knobs: &Knobs, logged_in: bool) -> Option<Code<'static>> {
    let mut offered = vec![Capability::Imap4Rev1, Capability::Unselect];
    if knobs.idle {
        offered.push(Capability::Idle);
    }
    if knobs.sasl_ir {
        offered.push(Capability::SaslIr);
    }
    if !logged_in {
        let mechanisms = knobs.mechanisms.iter().filter_map(|name| AuthMechanism::try_from(name.clone()).ok());
        offered.extend(mechanisms.map(Capability::Auth));
    }
    if knobs.starttls != StartTls::Off && !logged_in {
        offered.extend(Capability::try_from("STARTTLS").ok());
    }
    Vec1::try_from(offered).ok().map(Code::Capability)
}

/// The tag of a command that isn't one: servers know it all the same.
fn tag_of(error: &imap_next::server::Error) -> Option<Tag<'static>> {
    use imap_next::server::Error;
    let (Error::MalformedMessage { discarded_bytes }
    | Error::ExpectedCrlfGotLf { discarded_bytes }
    | Error::LiteralTooLong { discarded_bytes }
    | Error::CommandTooLong { discarded_bytes }) = error;
    let text = String::from_utf8_lossy(discarded_bytes.declassify()).into_owned();
    Tag::try_from(text.split(' ').next()?.to_owned()).ok()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn flags_of(letter: &Letter) -> Vec<FlagFetch<'static>> {
    let owned = |flag: &String| Flag::try_from(flag.as_str()).ok().map(|flag| FlagFetch::Flag(to_static(&flag)));
    letter.flags.iter().filter_map(owned).collect()
}

fn to_static(flag: &Flag<'_>) -> Flag<'static> {
    use imap_next::imap_types::ToStatic as _;
    flag.to_static()
}
