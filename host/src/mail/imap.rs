//! IMAP4rev1 (RFC 3501) as a client that reads: letters by UID, without marking them.
//!
//! What a server says is parsed by imap-proto. The conversation is our own: async-imap, which is built on the same parser, takes a
//! search or a fetch that the server refused, or that broke in the middle, for one that found nothing; holds a letter of whatever
//! size in memory; and writes passwords to its log. imap-client and imap-next hold letters in memory too, and stand on versions that
//! aren't released yet. Here a letter goes straight into a blob.

mod fetch;
mod folder;
mod idle;
mod refusal;
mod reply;
mod said;

use std::io;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::failing::{broken, rejected, unavailable};
use super::sasl;
use super::server::Server;
use super::wire::Wire;
use crate::domain::failure::Failure;
use crate::egress::Egress;
use crate::manifest::{MailAuth, MailSecurity};
pub(super) use fetch::Fetching;
pub(super) use idle::News;
use refusal::{Doing, refused};
use reply::{Body, Reply};
use said::{Said, Status};

/// Untagged lines of one command that are kept.
const NOTES_MAX: usize = 64;

/// A connection that is logged in.
pub(super) struct Session {
    wire: Wire,
    host: String,
    pub(super) greeting: String,
    capabilities: Vec<String>,
    tags: u32,
    /// Nothing is under way on it.
    pub(super) is_usable: bool,
}

/// What came before the end of a command.
#[derive(Default)]
struct Notes {
    /// Untagged OK, NO and BAD, with their codes.
    said: Vec<Said>,
    /// Everything else, as imap-proto reads it.
    data: Vec<Vec<u8>>,
}

impl Session {
    /// # Errors
    /// The server isn't reached, doesn't encrypt, or doesn't let the account in.
    pub(super) async fn open(egress: &Egress, server: &Server, deadline: Instant) -> Result<Session, Failure> {
        let wire = Wire::open(egress, server, deadline).await?;
        let (host, greeting, capabilities) = (server.host.clone(), String::new(), Vec::new());
        let mut session = Session { wire, host, greeting, capabilities, tags: 0, is_usable: true };
        let greeting = match session.read(None).await? {
            Reply::Untagged(said) => said,
            _ => return Err(unavailable("not_imap", format!("{}: what was answered isn't IMAP", server.host))),
        };
        let is_in = match greeting.status {
            Status::Ok => false,
            Status::PreAuth => true,
            _ => return Err(refused(Doing::Greeting, &greeting)),
        };
        session.greeting = greeting.text.clone();
        session.learn(&greeting);
        if server.security == MailSecurity::Starttls {
            if is_in {
                return Err(rejected(
                    "starttls_missing",
                    format!("{}: the server logs in by itself, before anything is encrypted", server.host),
                ));
            }
            session = session.encrypt(egress, server).await?;
        }
        if !is_in {
            session.login(server).await?;
        }
        Ok(session)
    }

    /// What was offered in the clear counts for nothing afterwards.
    async fn encrypt(mut self, egress: &Egress, server: &Server) -> Result<Session, Failure> {
        self.know_capabilities().await?;
        if !self.offers("STARTTLS") {
            let way_out = format!("where it encrypts from the start, the setting {} is tls", server.security_setting);
            return Err(rejected(
                "starttls_missing",
                format!("{}: the server offers no STARTTLS, and nothing is said in the clear; {way_out}", self.host),
            ));
        }
        self.command(Doing::Other, "STARTTLS").await?;
        self.wire = self.wire.encrypt(egress, server).await?;
        self.capabilities.clear();
        Ok(self)
    }

    async fn login(&mut self, server: &Server) -> Result<(), Failure> {
        let Some(mechanism) = sasl::name(server.auth) else {
            return Err(rejected("auth_unsupported", format!("{}: nobody is let in without a login", self.host)));
        };
        self.know_capabilities().await?;
        let offers_mechanism = self.offers(&format!("AUTH={mechanism}"));
        let by_command = server.auth == MailAuth::Login || (server.auth == MailAuth::Plain && !offers_mechanism);
        if if by_command { self.offers("LOGINDISABLED") } else { !offers_mechanism } {
            let offered: Vec<&str> = self.capabilities.iter().filter_map(|word| word.strip_prefix("AUTH=")).collect();
            let offered = if offered.is_empty() { "nothing of the kind".to_owned() } else { offered.join(", ") };
            return Err(rejected(
                "auth_unsupported",
                format!("{}: the server doesn't let one log in by {mechanism}; it offers {offered}", self.host),
            ));
        }
        let result = if by_command { self.log_in_by_command(server).await } else { self.authenticate(server, mechanism).await };
        let first = sasl::first_words(server);
        result.map_err(|failure| {
            let told: Vec<&str> = first.iter().map(|first| first.as_str()).chain([server.credential.expose()]).collect();
            Failure { message: sasl::without(&failure.message, &told), ..failure }
        })?;
        if self.capabilities.is_empty() {
            self.know_capabilities().await?;
        }
        Ok(())
    }

    async fn authenticate(&mut self, server: &Server, mechanism: &str) -> Result<(), Failure> {
        let words = sasl::first_words(server).unwrap_or_default();
        let tag = self.next_tag();
        let is_short = self.offers("SASL-IR");
        let command = if is_short {
            format!("{tag} AUTHENTICATE {mechanism} {}\r\n", words.as_str())
        } else {
            format!("{tag} AUTHENTICATE {mechanism}\r\n")
        };
        self.write(Zeroizing::new(command).as_bytes()).await?;
        self.capabilities.clear();
        let mut answers = vec![sasl::after_refusal(server.auth)];
        if !is_short {
            answers.push(words.as_str());
        }
        let mut explained = None;
        loop {
            match self.read(None).await? {
                Reply::Continue(challenge) => {
                    explained = sasl::explained(&challenge).or(explained);
                    // A server that goes on asking is told to stop.
                    let answer = Zeroizing::new(format!("{}\r\n", answers.pop().unwrap_or("*")));
                    self.write(answer.as_bytes()).await?;
                }
                Reply::Tagged(name, said) if name == tag => {
                    self.learn(&said);
                    return match (said.status, explained) {
                        (Status::Ok, _) => Ok(()),
                        (_, None) => Err(refused(Doing::Login, &said)),
                        (_, Some(why)) => {
                            let failure = refused(Doing::Login, &said);
                            Err(Failure { message: format!("{} ({why})", failure.message), ..failure })
                        }
                    };
                }
                other => self.pass(Doing::Login, &other)?,
            }
        }
    }

    /// What can't be quoted goes as a literal: the server asks for it.
    async fn log_in_by_command(&mut self, server: &Server) -> Result<(), Failure> {
        let tag = self.next_tag();
        let mut line = Zeroizing::new(format!("{tag} LOGIN").into_bytes());
        for argument in [server.username.as_str(), server.credential.expose()] {
            line.push(b' ');
            match folder::quoted(argument) {
                Some(quoted) => line.extend_from_slice(Zeroizing::new(quoted).as_bytes()),
                None => {
                    line.extend_from_slice(format!("{{{}}}\r\n", argument.len()).as_bytes());
                    self.write(&line).await?;
                    loop {
                        match self.read(None).await? {
                            Reply::Continue(_) => break,
                            Reply::Tagged(_, said) => return Err(refused(Doing::Login, &said)),
                            other => self.pass(Doing::Login, &other)?,
                        }
                    }
                    line = Zeroizing::new(argument.as_bytes().to_vec());
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        self.write(&line).await?;
        self.capabilities.clear();
        let (said, _) = self.finish(Doing::Login, &tag, None).await?;
        self.learn(&said);
        Ok(())
    }

    async fn know_capabilities(&mut self) -> Result<(), Failure> {
        if !self.capabilities.is_empty() {
            return Ok(());
        }
        let notes = self.command(Doing::Other, "CAPABILITY").await?;
        for line in notes.data {
            let line = String::from_utf8_lossy(&line).to_ascii_uppercase();
            if let Some(words) = line.strip_prefix("* CAPABILITY ") {
                self.capabilities = words.split_whitespace().map(str::to_owned).collect();
            }
        }
        Ok(())
    }

    /// A server may tell its capabilities along with something else.
    fn learn(&mut self, said: &Said) {
        if let Some(words) = said.code.to_ascii_uppercase().strip_prefix("CAPABILITY ") {
            self.capabilities = words.split_whitespace().map(str::to_owned).collect();
        }
    }

    pub(super) fn offers(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|word| word == capability)
    }

    pub(super) fn capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    /// Whether a kept connection can be used.
    pub(super) async fn is_alive(&mut self, until: Instant) -> bool {
        self.wire.until(until);
        self.command(Doing::Other, "NOOP").await.is_ok()
    }

    pub(super) fn until(&mut self, deadline: Instant) {
        self.wire.until(deadline);
    }

    pub(super) async fn close(mut self, until: Instant) {
        self.wire.until(until);
        // It is over whatever is answered.
        drop(self.command(Doing::Other, "LOGOUT").await);
    }

    /// Says a command and reads all that comes of it.
    async fn command(&mut self, doing: Doing, command: &str) -> Result<Notes, Failure> {
        self.command_into(doing, command, None).await
    }

    async fn command_into(&mut self, doing: Doing, command: &str, body: Option<&mut Body<'_>>) -> Result<Notes, Failure> {
        let tag = self.next_tag();
        self.write(format!("{tag} {command}\r\n").as_bytes()).await?;
        self.finish(doing, &tag, body).await.map(|(_, notes)| notes)
    }

    /// Reads up to the end of a command.
    async fn finish(&mut self, doing: Doing, tag: &str, mut body: Option<&mut Body<'_>>) -> Result<(Said, Notes), Failure> {
        let mut notes = Notes::default();
        loop {
            match self.read(body.as_deref_mut()).await? {
                Reply::Tagged(name, said) if name == tag => {
                    return if said.status == Status::Ok { Ok((said, notes)) } else { Err(refused(doing, &said)) };
                }
                Reply::Untagged(said) if said.status == Status::Bye => return Err(self.left(&said)),
                Reply::Untagged(said) if notes.said.len() < NOTES_MAX => notes.said.push(said),
                Reply::Data(line) => notes.data.push(line),
                _ => {}
            }
        }
    }

    /// What is no answer to what was asked.
    fn pass(&mut self, doing: Doing, reply: &Reply) -> Result<(), Failure> {
        match reply {
            Reply::Untagged(said) if said.status == Status::Bye => Err(self.left(said)),
            Reply::Tagged(_, said) => Err(refused(doing, said)),
            _ => Ok(()),
        }
    }

    fn left(&mut self, said: &Said) -> Failure {
        self.is_usable = false;
        refused(Doing::Other, said)
    }

    fn next_tag(&mut self) -> String {
        self.tags = self.tags.wrapping_add(1);
        format!("P{}", self.tags)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.wire.write(bytes).await;
        self.intact(written)
    }

    async fn read(&mut self, body: Option<&mut Body<'_>>) -> Result<Reply, Failure> {
        let reply = Reply::read(&mut self.wire, body).await;
        self.intact(reply)
    }

    fn intact<T>(&mut self, result: io::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| {
            self.is_usable = false;
            broken(&error, &self.host)
        })
    }
}
