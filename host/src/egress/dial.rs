//! Connections for what isn't HTTP: the same guard, and the redirects of `host:port`.

use std::sync::Arc;

use ipnet::IpNet;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use url::Url;

use super::guard::{Blocked, Gate};
use super::{Egress, tls_trusting};

/// Why there is no connection. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{Blocked}")]
    Blocked,
    /// The address may be dialled, but not without encryption.
    #[error("a connection without encryption goes to nets of [egress] allow alone")]
    Plain,
    #[error("{0}")]
    Failed(String),
}

impl Egress {
    /// Connects to a host by name or address. The name is resolved once, and only checked addresses are dialled.
    ///
    /// # Errors
    /// The address is private, or not listed where the connection is plain; or nobody answers in time.
    pub async fn dial(&self, host: &str, port: u16, is_plain: bool, deadline: Instant) -> Result<TcpStream, DialError> {
        let (host, port, gate) = match self.redirected_port(host, port) {
            Some((host, port)) => (host, port, Gate::Open),
            None if is_plain => (host.to_owned(), port, Gate::Listed(Arc::clone(&self.allow))),
            None => (host.to_owned(), port, Gate::Guarded(Arc::clone(&self.allow))),
        };
        let deadline = deadline.min(Instant::now() + self.settings.connect_timeout);
        match tokio::time::timeout_at(deadline, connect(&host, port, &gate, deadline)).await {
            Ok(Err(DialError::Blocked)) if is_plain && reaches_plain(&host, port, &self.allow).await => Err(DialError::Plain),
            Ok(result) => result,
            Err(_) => Err(DialError::Failed(format!("no connection to {host}:{port} in time"))),
        }
    }

    fn redirected_port(&self, host: &str, port: u16) -> Option<(String, u16)> {
        let to = self.settings.redirect.get(&format!("{}:{port}", host.to_ascii_lowercase()))?;
        Some((to.host_str()?.trim_matches(['[', ']']).to_owned(), to.port()?))
    }

    /// How TLS is spoken where further certificates, in PEM, are trusted besides the machine's.
    ///
    /// # Errors
    /// The text holds no certificate: why.
    pub fn tls(&self, further: Option<&str>) -> Result<Arc<ClientConfig>, String> {
        let Some(further) = further.filter(|pem| !pem.trim().is_empty()) else { return Ok(Arc::clone(&self.tls)) };
        let mut roots = self.roots.clone();
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(further.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("isn't PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("holds a certificate that can't be trusted: {error}"))?;
            added += 1;
        }
        if added == 0 {
            return Err("holds no certificate: it begins with -----BEGIN CERTIFICATE-----".to_owned());
        }
        tls_trusting(roots).map(Arc::new).map_err(|error| error.to_string())
    }
}

/// Is it the lack of encryption alone that is wrong with the address?
async fn reaches_plain(host: &str, port: u16, allow: &Arc<[IpNet]>) -> bool {
    matches!(Gate::Guarded(Arc::clone(allow)).addresses(host, port).await, Ok(Some(_)))
}

async fn connect(host: &str, port: u16, gate: &Gate, deadline: Instant) -> Result<TcpStream, DialError> {
    let failed = |error: std::io::Error| DialError::Failed(format!("{host}:{port}: {error}"));
    let addresses = gate.addresses(host, port).await.map_err(failed)?.ok_or(DialError::Blocked)?;
    let mut last = None;
    // Each has its share of the time: an address where nobody answers hides no other.
    let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    for address in addresses {
        let connected = tokio::time::timeout(share, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| DialError::Failed(format!("{host} has no address")), failed))
}

/// Whether an entry of `redirect` is one of a port: `"mail.example.com:587" = "tcp://127.0.0.1:2525"`.
pub(super) fn is_port_redirect(host: &str, to: &Url) -> bool {
    let of_port = host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
    let bare = matches!(to.path(), "" | "/") && to.query().is_none() && to.username().is_empty() && to.password().is_none();
    of_port && to.scheme() == "tcp" && to.host_str().is_some_and(|host| !host.is_empty()) && to.port().is_some() && bare
}
