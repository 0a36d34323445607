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
use sqlx::postgres::{PgPool, PgPoolOptions};
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
    /// With the database at `url`; empty is SQLite in the folder.
    pub(crate) fn start(kind: Kind, url: &str, folder: &Path) -> Baseline {
        let file = format!("sqlite://{}", folder.join(format!("{}.db", kind.word())).display());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["baseline", kind.word(), if url.is_empty() { &file } else { url }])
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
pub(crate) async fn serve(kind: Kind, url: &str) {
    let router = match kind {
        Kind::Nothing => Router::new().route("/", post(async |_: Bytes| StatusCode::OK)),
        Kind::Each => Router::new().route("/", post(keep_alone)).with_state(Bodies::open(url).await),
        Kind::Group => Router::new().route("/", post(keep_in_group)).with_state(start_committer(Bodies::open(url).await)),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// One table of bodies, in either database.
#[derive(Clone)]
enum Bodies {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

const INSERT: &str = "INSERT INTO bodies (body) VALUES ($1)";

impl Bodies {
    /// With the gateway's own settings (host/src/store/db.rs): SQLite has one connection that writes.
    async fn open(url: &str) -> Bodies {
        if url.starts_with("postgres") {
            let pool = PgPoolOptions::new().max_connections(8).connect(url).await.unwrap();
            sqlx::query("CREATE TABLE IF NOT EXISTS bodies (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA NOT NULL)")
                .execute(&pool)
                .await
                .unwrap();
            return Bodies::Postgres(pool);
        }
        let options = SqliteConnectOptions::from_str(url)
            .unwrap()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000")
            .pragma("cache_size", "-32000");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        sqlx::query("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").execute(&pool).await.unwrap();
        Bodies::Sqlite(pool)
    }

    /// In one transaction.
    async fn keep(&self, bodies: &[&Bytes]) {
        match self {
            Bodies::Sqlite(pool) => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
                for body in bodies {
                    sqlx::query(INSERT).bind(body.to_vec()).execute(&mut *tx).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
            Bodies::Postgres(pool) => {
                let mut tx = pool.begin().await.unwrap();
                let bodies: Vec<Vec<u8>> = bodies.iter().map(|body| body.to_vec()).collect();
                sqlx::query("INSERT INTO bodies (body) SELECT unnest($1)").bind(bodies).execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }
}

async fn keep_alone(State(kept): State<Bodies>, body: Bytes) -> StatusCode {
    kept.keep(&[&body]).await;
    StatusCode::OK
}

type Waiting = (Bytes, oneshot::Sender<()>);

async fn keep_in_group(State(committer): State<mpsc::Sender<Waiting>>, body: Bytes) -> StatusCode {
    let (done, kept) = oneshot::channel();
    committer.send((body, done)).await.unwrap();
    kept.await.unwrap();
    StatusCode::OK
}

fn start_committer(kept: Bodies) -> mpsc::Sender<Waiting> {
    let (queue, mut waiting) = mpsc::channel::<Waiting>(1024);
    tokio::spawn(async move {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
            kept.keep(&group.iter().map(|(body, _)| body).collect::<Vec<_>>()).await;
            for (_, done) in group.drain(..) {
                let _ = done.send(());
            }
        }
    });
    queue
}
