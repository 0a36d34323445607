//! SMTP (RFC 5321) as a client of the account's submission server (RFC 6409).
//!
//! Commands and replies are lettre's. The conversation is our own, because its connection can't do what is asked of this one: it
//! takes what came in the clear before STARTTLS for encrypted, sends a letter that is in memory alone and doesn't tell whether it
//! broke before the last byte or behind it, gives up a login that the server explains (`334` and JSON), knows neither SIZE nor
//! OAUTHBEARER, and panics at an empty line among the extensions.

mod letter;
mod refusal;
mod reply;
mod submit;

use std::fmt::Display;
use std::io;

use lettre::transport::smtp::commands::{Ehlo, Noop, Quit, Rset, Starttls};

use super::failing::{broken, rejected};
use super::sasl;
use super::server::Server;
use super::wire::Wire;
use crate::domain::failure::{Failure, FailureClass};
use crate::egress::Egress;
use crate::manifest::{MailAuth, MailSecurity};
pub(super) use letter::Letter;
use refusal::{Stage, refused};
use reply::{Extensions, Reply};
use tokio::time::Instant;

/// A connection that is logged in.
pub(super) struct Session {
    wire: Wire,
    host: String,
    pub(super) greeting: String,
    extensions: Extensions,
    /// Nothing is under way on it.
    pub(super) is_usable: bool,
}

impl Session {
    /// # Errors
    /// The server isn't reached, doesn't encrypt, or doesn't let the account in.
    pub(super) async fn open(egress: &Egress, server: &Server, deadline: Instant) -> Result<Session, Failure> {
        let wire = Wire::open(egress, server, deadline).await?;
        let mut session =
            Session { wire, host: server.host.clone(), greeting: String::new(), extensions: Extensions::default(), is_usable: true };
        let greeting = session.read().await?;
        if !greeting.is(220) {
            return Err(refused(Stage::Greeting, &greeting));
        }
        session.greeting = greeting.text();
        session.hello(server).await?;
        if server.security == MailSecurity::Starttls {
            session = session.encrypt(egress, server).await?;
        }
        session.login(server).await?;
        Ok(session)
    }

    async fn hello(&mut self, server: &Server) -> Result<(), Failure> {
        let reply = self.command(&Ehlo::new(server.hello.clone())).await?;
        if !reply.is(250) {
            return Err(refused(Stage::Greeting, &reply));
        }
        self.extensions = Extensions::of(&reply);
        Ok(())
    }

    /// What was offered in the clear counts for nothing afterwards.
    async fn encrypt(mut self, egress: &Egress, server: &Server) -> Result<Session, Failure> {
        if !self.extensions.has("STARTTLS") {
            let way_out = format!("where it encrypts from the start, the setting {} is tls", server.security_setting);
            return Err(rejected(
                "starttls_missing",
                format!("{}: the server offers no STARTTLS, and nothing is said in the clear; {way_out}", self.host),
            ));
        }
        let reply = self.command(&Starttls).await?;
        if !reply.is(220) {
            return Err(refused(Stage::Greeting, &reply));
        }
        self.wire = self.wire.encrypt(egress, server).await?;
        self.hello(server).await?;
        Ok(self)
    }

    async fn login(&mut self, server: &Server) -> Result<(), Failure> {
        let Some(mechanism) = sasl::name(server.auth) else { return Ok(()) };
        if !self.extensions.takes(mechanism) {
            let offered = self.extensions.mechanisms();
            return Err(rejected(
                "auth_unsupported",
                format!("{}: the server doesn't let one log in by {mechanism}; it offers {offered}", self.host),
            ));
        }
        let first = sasl::first_words(server);
        let (name, secret) = (sasl::encoded(&server.username), sasl::encoded(server.credential.expose()));
        let mut answers = match server.auth {
            MailAuth::Login => vec![secret.as_str(), name.as_str()],
            auth => vec![sasl::after_refusal(auth)],
        };
        let mut reply = match &first {
            Some(words) => self.command(&format!("AUTH {mechanism} {}\r\n", words.as_str())).await?,
            None => self.command(&format!("AUTH {mechanism}\r\n")).await?,
        };
        let mut explained = None;
        while reply.is(334) {
            if server.auth != MailAuth::Login {
                explained = sasl::explained(&reply.text());
            }
            // A server that goes on asking is told to stop (RFC 4954).
            let answer = answers.pop().unwrap_or("*");
            reply = self.command(&format!("{answer}\r\n")).await?;
        }
        if reply.is(235) {
            return Ok(());
        }
        let mut failure = refused(Stage::Login, &reply);
        let told: Vec<&str> = first.iter().map(|first| first.as_str()).chain([name.as_str(), secret.as_str()]).collect();
        failure.message = sasl::without(&failure.message, &told);
        if let Some(why) = explained {
            failure.message = format!("{} ({why})", failure.message);
        }
        Err(failure)
    }

    /// Whether a kept connection can begin a letter.
    pub(super) async fn is_alive(&mut self, until: Instant) -> bool {
        self.wire.until(until);
        matches!(self.command(&Rset).await, Ok(reply) if reply.is(250))
    }

    pub(super) async fn noop(&mut self) -> Result<(), Failure> {
        let reply = self.command(&Noop).await?;
        if reply.is(250) { Ok(()) } else { Err(refused(Stage::Greeting, &reply)) }
    }

    pub(super) fn until(&mut self, deadline: Instant) {
        self.wire.until(deadline);
    }

    /// What the server offers, a line each.
    pub(super) fn capabilities(&self) -> Vec<String> {
        self.extensions.lines()
    }

    pub(super) async fn close(mut self, until: Instant) {
        self.wire.until(until);
        // It is over whatever is answered.
        drop(self.command(&Quit).await);
    }

    async fn command(&mut self, command: &(impl Display + Sync)) -> Result<Reply, Failure> {
        let line = zeroize::Zeroizing::new(command.to_string());
        let sent = self.wire.write(line.as_bytes()).await;
        self.intact(sent)?;
        self.read().await
    }

    async fn read(&mut self) -> Result<Reply, Failure> {
        let reply = Reply::read(&mut self.wire).await;
        let reply = self.intact(reply)?;
        // The server closes the connection behind it.
        self.is_usable &= !reply.is(421);
        Ok(reply)
    }

    /// Nothing can follow on a connection that broke.
    fn intact<T>(&mut self, result: io::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| {
            self.is_usable = false;
            broken(&error, &self.host)
        })
    }
}

/// The letter may have been taken.
fn uncertain(host: &str, error: &io::Error) -> Failure {
    Failure::new(FailureClass::Uncertain, "no_reply", format!("{host}: the whole letter had left when the connection broke: {error}"))
}
