//! A server of lines, in the clear or through TLS.

use std::future::Future;
use std::sync::{Arc, Mutex};

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(super) struct Server {
    pub(super) port: u16,
    certificate: String,
    /// Every line that was heard, of all connections.
    heard: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

/// One connection.
pub(super) struct Peer {
    stream: Option<Box<dyn Duplex>>,
    unread: Vec<u8>,
    heard: Arc<Mutex<Vec<String>>>,
    tls: TlsAcceptor,
    /// From 1.
    pub(super) number: usize,
}

impl Server {
    /// Does this to each connection; they run side by side.
    #[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
    pub(super) async fn start<F: Future<Output = ()> + Send>(act: impl Fn(Peer) -> F + Clone + Send + Sync + 'static) -> Server {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([super::HOST.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let tls = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        let (record, count) = (Arc::clone(&heard), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    *count
                };
                let peer =
                    Peer { stream: Some(Box::new(stream)), unread: Vec::new(), heard: Arc::clone(&record), tls: tls.clone(), number };
                let act = act.clone();
                tokio::spawn(async move { act(peer).await });
            }
        });
        Server { port, certificate: cert.pem(), heard, connections }
    }

    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Peer {
    /// A line without its end; none where the client has closed.
    pub(super) async fn hear(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                self.heard.lock().unwrap().push(line.clone());
                return Some(line);
            }
            let mut buffer = [0; 4096];
            match self.stream.as_mut().unwrap().read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.extend_from_slice(&buffer[..read]),
            }
        }
    }

    /// Text whose lines end with LF here, and with CRLF there.
    pub(super) async fn say(&mut self, text: &str) {
        let text = format!("{}\r\n", text.replace('\n', "\r\n"));
        let stream = self.stream.as_mut().unwrap();
        // A client that has gone away is no concern of the server's.
        drop(stream.write_all(text.as_bytes()).await);
        drop(stream.flush().await);
    }

    pub(super) async fn encrypt(&mut self) -> bool {
        match self.tls.accept(self.stream.take().unwrap()).await {
            Ok(stream) => {
                self.stream = Some(Box::new(stream));
                true
            }
            Err(_) => false,
        }
    }
}
