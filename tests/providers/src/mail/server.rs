//! What both protocols share: the mailboxes, who listens, and how the connections learn of new letters and of their end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::mail::Options;
use crate::mail::sasl;
use crate::mail::world::World;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// The mechanisms offered: `PLAIN`, `LOGIN`, `XOAUTH2`, `OAUTHBEARER`. None offered is no login at all.
    pub mechanisms: Vec<String>,
    /// What becomes of `STARTTLS` with SMTP and IMAP.
    pub starttls: StartTls,
    /// Whether letters are taken from those who have logged in alone.
    pub require_auth: bool,
    /// Nobody gets in, whatever his password is.
    pub refuse_logins: bool,
    /// Whether IMAP offers `IDLE`.
    pub idle: bool,
    /// Whether IMAP's `AUTHENTICATE` takes its first answer in the same line.
    pub sasl_ir: bool,
    /// What `EHLO` tells besides: `8BITMIME`, `SMTPUTF8`, `ENHANCEDSTATUSCODES`, `PIPELINING`, `DSN`.
    pub extensions: Vec<String>,
    /// The largest letter taken; told by `SIZE` unless it is 0.
    pub size_max: usize,
    /// Recipients with certain names fail.
    pub magic: bool,
    /// How long the final dot of a letter to `slow` waits.
    pub slow_ms: u64,
    /// Access tokens that are handed out live so long.
    pub token_life_s: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            mechanisms: owned(sasl::MECHANISMS),
            starttls: StartTls::Off,
            require_auth: true,
            refuse_logins: false,
            idle: true,
            sasl_ir: true,
            extensions: owned(&["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "PIPELINING", "DSN"]),
            size_max: 36 * 1024 * 1024,
            magic: true,
            slow_ms: 3_000,
            token_life_s: 3_600,
        }
    }
}

/// What becomes of `STARTTLS`. There is no certificate here: servers with one are Dovecot's and aiosmtpd's part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// Not offered.
    #[default]
    Off,
    /// Offered, and then refused.
    Refused,
    /// Granted with an answer to the next command in the same packet, as somebody between would smuggle in.
    Injected,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) desk: Desk,
    pub(crate) world: Mutex<World>,
    pub(crate) knobs: Mutex<Knobs>,
    /// Counts the changes of mailboxes: who idles waits for the next.
    pub(crate) changes: watch::Sender<u64>,
    connections: Mutex<CancellationToken>,
}

impl AsRef<Desk> for Server {
    fn as_ref(&self) -> &Desk {
        &self.desk
    }
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            desk: Desk::new(options.recording, options.latency, options.deliver_to),
            world: Mutex::default(),
            knobs: Mutex::new(options.knobs),
            changes: watch::Sender::new(0),
            connections: Mutex::default(),
        }
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }

    pub(crate) fn put(&self, address: &str, folder: &str, letter: Bytes) -> u32 {
        let uid = self.world.lock().folder(address, folder).put(letter);
        self.changed();
        uid
    }

    pub(crate) fn remove(&self, address: &str, folder: &str, uid: u32) -> bool {
        let removed = {
            let mut world = self.world.lock();
            let letters = &mut world.folder(address, folder).letters;
            let before = letters.len();
            letters.retain(|letter| letter.uid != uid);
            letters.len() < before
        };
        self.changed();
        removed
    }

    pub(crate) fn renumber(&self, address: &str, folder: &str) -> u32 {
        let validity = self.world.lock().folder(address, folder).renumber();
        // A session can't be told that its UIDVALIDITY has changed.
        self.cut();
        validity
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Breaks every connection that is open.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.connections.lock()).cancel();
    }
}

/// Listens on `address` (port 0 takes a free one) and serves each connection until it is cut.
pub(crate) async fn listen<F, Fut>(server: &Arc<Server>, address: SocketAddr, serve: F) -> io::Result<SocketAddr>
where
    F: Fn(Arc<Server>, TcpStream, u64) -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let stop = server.desk.stop.clone();
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors: those in use are given back in a moment.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                continue;
            };
            stream.set_nodelay(true).ok();
            let number = server.desk.next_number();
            let cut = server.connections.lock().clone();
            let session = serve(Arc::clone(&server), stream, number);
            // A broken connection is the client's to notice.
            tokio::spawn(async move { cut.run_until_cancelled(session).await });
        }
    });
    Ok(address)
}
