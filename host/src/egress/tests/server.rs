use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server on the loopback, and every request that it has read.
pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

/// One connection.
pub(super) struct Peer {
    stream: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    /// From 0.
    pub(super) number: usize,
}

impl Server {
    /// Does this to each connection, one after another; the thread ends with the process.
    pub(super) fn start(act: impl Fn(&mut Peer) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                act(&mut Peer { stream: stream.unwrap(), seen: Arc::clone(&record), number });
            }
        });
        Self { port, seen }
    }

    /// Answers each request on each connection.
    pub(super) fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        Self::start(move |peer| {
            while let Some(request) = peer.read() {
                peer.write(&answer(&request));
            }
        })
    }

    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Peer {
    /// A whole request with its body, as text; none where the client has closed.
    pub(super) fn read(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                if bytes.len() >= end + 4 + length {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.seen.lock().unwrap().push(text.clone());
                    return Some(text);
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }

    pub(super) fn write(&mut self, text: &str) {
        // A client that has gone away is no concern of the server's.
        drop(self.stream.write_all(text.as_bytes()));
    }
}

pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}
