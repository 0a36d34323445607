//! What the gateway is compared with: an axum handler that keeps the body and nothing else, in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Router, routing::post};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot};

/// Bodies that share one transaction: as many as in the gateway's inbox.
const GROUP_MAX: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Answers and keeps nothing: what HTTP alone costs here.
    Nothing,
    /// Each body in a transaction of its own.
    Each,
    /// What comes at the same time shares a transaction, as in the gateway: the least that a durable inbox can cost.
    Group,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Nothing, Kind::Each, Kind::Group];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nothing => "axum, keeps nothing",
            Kind::Each => "axum, body, its own transaction",
            Kind::Group => "axum, body, group commit",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Nothing => "nothing",
            Kind::Each => "each",
            Kind::Group => "group",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Kind, String> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("no baseline is called {word}"))
    }
}

/// A baseline that runs; it ends when this is dropped.
pub(crate) struct Baseline {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Baseline {
    pub(crate) fn start(kind: Kind, folder: &Path) -> Baseline {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["baseline", kind.word()])
            .arg(folder.join(format!("{}.db", kind.word())))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Baseline { address: line.trim().parse().unwrap(), child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does: says where it listens, and serves until it is killed.
pub(crate) async fn serve(kind: Kind, file: &Path) {
    let router = match kind {
        Kind::Nothing => Router::new().route("/", post(async |_: Bytes| StatusCode::OK)),
        Kind::Each => Router::new().route("/", post(keep_alone)).with_state(open(file).await),
        Kind::Group => Router::new().route("/", post(keep_in_group)).with_state(start_committer(open(file).await)),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// One connection that writes, with the gateway's own settings (host/src/store/db.rs).
async fn open(file: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-32000");
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").execute(&pool).await.unwrap();
    pool
}

const INSERT: &str = "INSERT INTO bodies (body) VALUES ($1)";

async fn keep_alone(State(pool): State<SqlitePool>, body: Bytes) -> StatusCode {
    sqlx::query(INSERT).bind(body.to_vec()).execute(&pool).await.unwrap();
    StatusCode::OK
}

type Waiting = (Bytes, oneshot::Sender<()>);

async fn keep_in_group(State(committer): State<mpsc::Sender<Waiting>>, body: Bytes) -> StatusCode {
    let (done, kept) = oneshot::channel();
    committer.send((body, done)).await.unwrap();
    kept.await.unwrap();
    StatusCode::OK
}

fn start_committer(pool: SqlitePool) -> mpsc::Sender<Waiting> {
    let (queue, mut waiting) = mpsc::channel::<Waiting>(1024);
    tokio::spawn(async move {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
            let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            for (body, _) in &group {
                sqlx::query(INSERT).bind(body.to_vec()).execute(&mut *tx).await.unwrap();
            }
            tx.commit().await.unwrap();
            for (_, done) in group.drain(..) {
                let _ = done.send(());
            }
        }
    });
    queue
}
