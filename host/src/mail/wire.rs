//! Bytes to and from a mail server, by lines: in the clear, then or at once through TLS.

use std::io;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failing::{denied, rejected, unavailable};
use super::server::Server;
use crate::domain::failure::Failure;
use crate::egress::{DialError, Egress};
use crate::manifest::MailSecurity;
use patchbay_sandbox::services::Denial;

const READ_AT_ONCE: usize = 16 * 1024;

pub(super) struct Wire {
    stream: Stream,
    /// What was read and not asked for yet.
    unread: BytesMut,
    /// Nothing goes on after it.
    deadline: Instant,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Connects, and encrypts at once where the account has it so.
    pub(super) async fn open(egress: &Egress, server: &Server, deadline: Instant) -> Result<Wire, Failure> {
        let Server { host, port, security, .. } = server;
        let stream = egress.dial(host, *port, *security == MailSecurity::None, deadline).await.map_err(|error| match error {
            DialError::Blocked => denied(Denial::BlockedAddress, format!("{host}: {error}")),
            DialError::Plain => {
                let way_out = format!("the setting {} must be tls or starttls", server.security_setting);
                rejected("plain_refused", format!("{host}: {error}: {way_out}"))
            }
            DialError::Failed(why) => unavailable("not_reached", why),
        })?;
        let wire = Wire { stream: Stream::Plain(stream), unread: BytesMut::new(), deadline };
        if *security == MailSecurity::Tls { wire.encrypt(egress, server).await } else { Ok(wire) }
    }

    /// The same connection through TLS.
    ///
    /// # Errors
    /// Something came in the clear that nobody asked for: it would count as if it had come encrypted. Or there is no TLS.
    pub(super) async fn encrypt(self, egress: &Egress, server: &Server) -> Result<Wire, Failure> {
        if !self.unread.is_empty() {
            return Err(rejected(
                "starttls_injected",
                format!("{}: there were bytes before the encryption began that belong to nothing", server.host),
            ));
        }
        let Stream::Plain(stream) = self.stream else { return Ok(self) };
        let tls = egress.tls(server.ca.as_deref()).map_err(|why| {
            let setting = server.ca_setting.as_deref().unwrap_or("with the certificates");
            rejected("tls_ca", format!("the setting {setting} {why}"))
        })?;
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| rejected("tls_name", format!("{}: there can be no certificate for such a name", server.host)))?;
        let failed = |error: &io::Error| unavailable("tls", format!("{}: no TLS: {error}{}", server.host, way_out(error, server)));
        let stream = match timeout_at(self.deadline, TlsConnector::from(tls).connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => return Err(failed(&late())),
        };
        Ok(Wire { stream: Stream::Encrypted(Box::new(stream)), unread: BytesMut::new(), deadline: self.deadline })
    }

    pub(super) fn until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// A line without its end. What isn't finished stays unread where the wait is given up.
    pub(super) async fn line(&mut self, most: usize) -> io::Result<BytesMut> {
        let mut searched = 0;
        loop {
            let found = self.unread.get(searched..).and_then(|rest| memchr::memchr(b'\n', rest)).map(|at| searched + at);
            if let Some(end) = found.filter(|end| *end <= most) {
                let mut line = self.unread.split_to(end + 1);
                line.truncate(if line.ends_with(b"\r\n") { end - 1 } else { end });
                return Ok(line);
            }
            searched = self.unread.len();
            if found.is_some() || searched > most {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {most} bytes")));
            }
            self.fill().await?;
        }
    }

    /// Bytes, at least one and at most so many.
    pub(super) async fn piece(&mut self, most: usize) -> io::Result<Bytes> {
        if self.unread.is_empty() {
            self.fill().await?;
        }
        let length = self.unread.len().min(most);
        Ok(self.unread.split_to(length).freeze())
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.unread.reserve(READ_AT_ONCE);
        let reading = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.read_buf(&mut self.unread).await,
                Stream::Encrypted(stream) => stream.read_buf(&mut self.unread).await,
            }
        };
        match timeout_at(self.deadline, reading).await {
            Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late()),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.write_all(bytes).await,
                Stream::Encrypted(stream) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
            }
        };
        timeout_at(self.deadline, writing).await.map_err(|_| late())?
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

/// What to do about a certificate that isn't trusted.
fn way_out(error: &io::Error, server: &Server) -> String {
    let is_certificate =
        error.get_ref().and_then(|error| error.downcast_ref()).is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
    match &server.ca_setting {
        Some(setting) if is_certificate => format!("; the setting {setting} takes the certificate of its authority"),
        _ => String::new(),
    }
}
