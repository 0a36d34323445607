//! The only file that knows there are two databases. One portable SQL text runs on both: `$1` placeholders,
//! `ON CONFLICT`, `RETURNING`, row values. What differs stands in [`Dialect`]; `{lock}` in a statement becomes the row
//! lock of a claim.

use std::{borrow::Cow, path::Path, time::Duration};

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, PgPool, Postgres, SqlSafeStr as _, Sqlite, SqlitePool, Transaction, Type,
    migrate::{Migration, MigrationType, Migrator},
    postgres::{PgPoolOptions, PgRow},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
    types::Json,
};

use super::StoreError;
use crate::clock::At;

/// A value bound to a placeholder. Each kind holds an `Option`, so that a NULL keeps its type (PostgreSQL asks for it).
#[derive(Debug, Clone)]
pub enum Arg {
    Bool(Option<bool>),
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// As it is written: see [`written`].
    Json(Option<String>),
}

macro_rules! arg_from {
    ($($type:ty => $case:ident($value:ident) $make:expr;)*) => {$(
        impl From<$type> for Arg {
            fn from($value: $type) -> Arg {
                Arg::$case(Some($make))
            }
        }
        impl From<Option<$type>> for Arg {
            fn from(value: Option<$type>) -> Arg {
                Arg::$case(value.map(|$value| $make))
            }
        }
    )*};
}
arg_from! {
    bool => Bool(v) v;
    i64 => Int(v) v;
    u32 => Int(v) i64::from(v);
    At => Int(v) v.micros();
    String => Text(v) storable(v);
    &str => Text(v) storable(v.to_owned());
    &String => Text(v) storable(v.clone());
    Vec<u8> => Bytes(v) v;
    &[u8] => Bytes(v) v.to_vec();
    Value => Json(v) storable_json(v.to_string());
}

/// A value as the JSON that a column stores. Domain types are plain data: their JSON can't fail but for a map with keys that
/// aren't text, and there is none.
pub fn written(value: &impl Serialize) -> Arg {
    Arg::Json(Some(storable_json(serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))))
}

/// PostgreSQL stores no NUL in text: what a stranger sends must not stop an account for ever.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

pub fn written_option(value: Option<&impl Serialize>) -> Arg {
    value.map_or(Arg::Json(None), written)
}

/// The same for written JSON, where a NUL is an escape: `\u0000` behind an even number of backslashes.
fn storable_json(text: String) -> String {
    const NUL: &str = "\\u0000";
    if !text.contains(NUL) {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(NUL) {
        kept.push_str(before);
        let escaped = before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        kept.push_str(if escaped { NUL } else { "\\ufffd" });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// A statement and its values.
#[derive(Debug, Clone)]
pub struct Statement {
    text: Cow<'static, str>,
    args: Vec<Arg>,
    /// Rows of values that stand in the text; then there are no other values.
    grid: Option<Grid>,
}

#[derive(Debug, Clone)]
struct Grid {
    at: usize,
    rows: Vec<Vec<Arg>>,
}

/// What differs between the two.
struct Dialect {
    /// PostgreSQL skips rows that another node is claiming; SQLite has one writer, so that there is nothing to skip.
    lock: &'static str,
    /// How rows of values are written.
    fill: fn(&[Vec<Arg>]) -> String,
    /// How many of so many rows go into one statement: both keep prepared statements by their text.
    rows_at_once: fn(usize) -> usize,
}

const SQLITE: Dialect = Dialect { lock: "", fill: places, rows_at_once: |rows| 1 << rows.clamp(1, ROWS_MAX).ilog2() };
const POSTGRES: Dialect = Dialect { lock: "FOR UPDATE SKIP LOCKED", fill: arrays, rows_at_once: |rows| rows.min(ARRAY_MAX) };

/// The most rows of one statement where its text tells how many they are: powers of two, so that there are few texts.
const ROWS_MAX: usize = 64;
/// Where it doesn't.
const ARRAY_MAX: usize = 1024;

/// `VALUES (?, ?), (?, ?)`. Without numbers: SQLite takes them for names, and looks for each among all the others; with two
/// thousand of them that is most of what a statement costs.
fn places(rows: &[Vec<Arg>]) -> String {
    let row = |row: &Vec<Arg>| format!("({})", vec!["?"; row.len()].join(", "));
    format!("VALUES {}", rows.iter().map(row).collect::<Vec<_>>().join(", "))
}

/// `SELECT * FROM unnest($1::text[], $2::bigint[])`: one text for any number of rows, planned once.
fn arrays(rows: &[Vec<Arg>]) -> String {
    let kind = |arg: &Arg| match arg {
        Arg::Bool(_) => "bool",
        Arg::Int(_) => "bigint",
        Arg::Text(_) => "text",
        Arg::Bytes(_) => "bytea",
        Arg::Json(_) => "jsonb",
    };
    let columns = rows.iter().take(1).flatten().enumerate().map(|(n, arg)| format!("${}::{}[]", n + 1, kind(arg)));
    format!("SELECT * FROM unnest({})", columns.collect::<Vec<_>>().join(", "))
}

/// Starts a statement: `sql("SELECT n FROM t WHERE id = $1").bind(id)`.
pub fn sql(text: impl Into<Cow<'static, str>>) -> Statement {
    Statement { text: text.into(), args: Vec::new(), grid: None }
}

impl Statement {
    #[must_use]
    pub fn bind(mut self, value: impl Into<Arg>) -> Statement {
        self.args.push(value.into());
        self
    }

    /// Adds text to the statement. Only text of the store's own may come here, never a client's.
    pub fn push(&mut self, text: &str) {
        self.text.to_mut().push_str(text);
    }

    /// Binds a value to the next placeholder and answers its number.
    pub fn add(&mut self, value: impl Into<Arg>) -> usize {
        self.args.push(value.into());
        self.args.len()
    }

    /// Adds a list of values in brackets, for `IN`. The list mustn't be empty: SQL has no empty one.
    #[must_use]
    pub fn list<'a>(mut self, values: impl IntoIterator<Item = &'a str>) -> Statement {
        for (n, value) in values.into_iter().enumerate() {
            let place = self.add(value);
            self.push(&format!("{}${place}", if n == 0 { "(" } else { ", " }));
        }
        self.push(")");
        self
    }

    /// Adds rows of values, for `INSERT` or `WITH`, to a statement that has no other values. There has to be one row at least,
    /// and a column's values are of one kind.
    #[must_use]
    pub fn rows(mut self, rows: Vec<Vec<Arg>>) -> Statement {
        self.grid = Some(Grid { at: self.text.len(), rows });
        self
    }

    fn dialect_text(&self, dialect: &Dialect) -> Cow<'static, str> {
        let text = match &self.grid {
            Some(grid) => {
                let (before, after) = self.text.split_at_checked(grid.at).unwrap_or((&self.text, ""));
                Cow::Owned([before, &(dialect.fill)(&grid.rows), after].concat())
            }
            None => self.text.clone(),
        };
        if text.contains("{lock}") { Cow::Owned(text.replace("{lock}", dialect.lock)) } else { text }
    }
}

/// One row of either database.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column can be read as, from both.
pub trait Column: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}
impl<T> Column for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Row {
    /// Reads a column by name.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the column when it is missing or of another type.
    pub fn get<T: Column>(&self, column: &'static str) -> Result<T, StoreError> {
        fn read<'r, R, T>(row: &'r R, column: &'static str) -> Result<T, StoreError>
        where
            R: sqlx::Row,
            T: Decode<'r, R::Database> + Type<R::Database>,
            &'static str: ColumnIndex<R>,
        {
            row.try_get(column).map_err(|error| StoreError::Corrupt { column, reason: error.to_string() })
        }
        match self {
            Row::Sqlite(row) => read(row, column),
            Row::Postgres(row) => read(row, column),
        }
    }

    pub fn at(&self, column: &'static str) -> Result<At, StoreError> {
        self.get::<i64>(column).map(At::from_micros)
    }

    pub fn at_option(&self, column: &'static str) -> Result<Option<At>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(At::from_micros))
    }

    pub fn json<T: serde::de::DeserializeOwned + 'static>(&self, column: &'static str) -> Result<T, StoreError> {
        self.get::<Json<T>>(column).map(|Json(value)| value)
    }

    pub fn json_option<T: serde::de::DeserializeOwned + 'static>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        Ok(self.get::<Option<Json<T>>>(column)?.map(|Json(value)| value))
    }

    /// Reads a text column as one of an enum's words.
    pub fn word<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| StoreError::Corrupt { column, reason: format!("“{text}” is none of its words") })
    }
}

/// What a row is read as.
pub trait Record: Sized {
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

/// What runs statements: a [`Db`] for reads, a [`Tx`] for writes.
pub trait Run {
    fn rows(&mut self, statement: Statement) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
    /// Answers how many rows were touched.
    fn run(&mut self, statement: Statement) -> impl Future<Output = Result<u64, StoreError>> + Send;

    fn all<T: Record>(&mut self, statement: Statement) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send
    where
        Self: Send,
    {
        async { self.rows(statement).await?.iter().map(T::from_row).collect() }
    }

    fn optional<T: Record>(&mut self, statement: Statement) -> impl Future<Output = Result<Option<T>, StoreError>> + Send
    where
        Self: Send,
    {
        async { self.rows(statement).await?.first().map(T::from_row).transpose() }
    }
}

/// A database with its connections.
#[derive(Clone)]
pub enum Db {
    /// One connection writes (`BEGIN IMMEDIATE`), several read, over a write-ahead log with `synchronous = FULL`.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// A transaction; dropped without [`Tx::commit`] it is rolled back.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres { tx: Transaction<'static, Postgres>, ordered: bool },
}

/// How one database takes what the two take differently.
trait BindOwn<'q>: Database {
    const DIALECT: Dialect;

    fn bind_json(query: Query<'q, Self>, json: Option<String>) -> Query<'q, Self>;
    fn bind_rows(query: Query<'q, Self>, rows: Vec<Vec<Arg>>) -> Result<Query<'q, Self>, StoreError>;
}

type Query<'q, DB> = sqlx::query::Query<'q, DB, <DB as Database>::Arguments>;

impl<'q> BindOwn<'q> for Sqlite {
    const DIALECT: Dialect = SQLITE;

    fn bind_json(query: Query<'q, Sqlite>, json: Option<String>) -> Query<'q, Sqlite> {
        query.bind(json)
    }

    fn bind_rows(query: Query<'q, Sqlite>, rows: Vec<Vec<Arg>>) -> Result<Query<'q, Sqlite>, StoreError> {
        Ok(rows.into_iter().flatten().fold(query, bind))
    }
}

impl<'q> BindOwn<'q> for Postgres {
    const DIALECT: Dialect = POSTGRES;

    fn bind_json(query: Query<'q, Postgres>, json: Option<String>) -> Query<'q, Postgres> {
        query.bind(json.map(raw))
    }

    fn bind_rows(mut query: Query<'q, Postgres>, rows: Vec<Vec<Arg>>) -> Result<Query<'q, Postgres>, StoreError> {
        let mixed = || StoreError::Corrupt { column: "a row of values", reason: "a column's values are of several kinds".to_owned() };
        let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
        loop {
            // What one column has in each row.
            let column: Vec<Arg> = rows.iter_mut().filter_map(Iterator::next).collect();
            macro_rules! array {
                ($kind:ident) => {{
                    let values = column.into_iter().map(|arg| if let Arg::$kind(value) = arg { Ok(value) } else { Err(mixed()) });
                    values.collect::<Result<Vec<_>, _>>()?
                }};
            }
            query = match column.first() {
                None => return Ok(query),
                Some(Arg::Bool(_)) => query.bind(array!(Bool)),
                Some(Arg::Int(_)) => query.bind(array!(Int)),
                Some(Arg::Text(_)) => query.bind(array!(Text)),
                Some(Arg::Bytes(_)) => query.bind(array!(Bytes)),
                Some(Arg::Json(_)) => query.bind(array!(Json).into_iter().map(|json| json.map(raw)).collect::<Vec<_>>()),
            };
        }
    }
}

/// It was written by serde: it is JSON.
fn raw(json: String) -> Json<Box<RawValue>> {
    Json(RawValue::from_string(json).unwrap_or_default())
}

fn bind<'q, DB>(query: Query<'q, DB>, arg: Arg) -> Query<'q, DB>
where
    DB: BindOwn<'q>,
    Option<bool>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<i64>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<String>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<Vec<u8>>: sqlx::Encode<'q, DB> + Type<DB>,
{
    match arg {
        Arg::Bool(v) => query.bind(v),
        Arg::Int(v) => query.bind(v),
        Arg::Text(v) => query.bind(v),
        Arg::Bytes(v) => query.bind(v),
        Arg::Json(v) => DB::bind_json(query, v),
    }
}

fn bind_all<'q, DB>(statement: Statement) -> Result<Query<'q, DB>, StoreError>
where
    DB: BindOwn<'q>,
    Option<bool>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<i64>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<String>: sqlx::Encode<'q, DB> + Type<DB>,
    Option<Vec<u8>>: sqlx::Encode<'q, DB> + Type<DB>,
{
    #[expect(clippy::disallowed_methods, reason = "the one place where statements meet sqlx")]
    let query = sqlx::query(AssertSqlSafe(statement.dialect_text(&DB::DIALECT)));
    match statement.grid {
        Some(grid) => DB::bind_rows(query, grid.rows),
        None => Ok(statement.args.into_iter().fold(query, bind)),
    }
}

impl Db {
    /// Opens the SQLite file, making it and its folder when absent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the file can't be opened or isn't a database.
    pub async fn open_sqlite(file: &Path, readers: u32) -> Result<Db, StoreError> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Open(format!("{}: {error}", folder.display())))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A webhook is answered 2xx after its commit: the commit has to survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            // Of a file that is made now. Rows hold a few KiB: larger pages are fewer writes (docs/performance.md).
            .page_size(8192)
            // Fewer checkpoints of more pages: each one stalls the writer.
            .pragma("wal_autocheckpoint", "2000")
            .pragma("cache_size", "-32000")
            .pragma("temp_store", "memory")
            .statement_cache_capacity(256);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let read = SqlitePoolOptions::new().max_connections(readers).connect_with(options.read_only(true)).await?;
        Ok(Db::Sqlite { read, write })
    }

    /// Connects to PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the server refuses or doesn't answer.
    pub async fn open_postgres(url: &str, connections: u32) -> Result<Db, StoreError> {
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(10)).connect(url).await?;
        Ok(Db::Postgres(pool))
    }

    /// Applies the migrations that this database hasn't seen; answers how many there are in all.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        let files: &[(i64, &str, &'static str)] = match self {
            Db::Sqlite { .. } => SQLITE_MIGRATIONS,
            Db::Postgres(_) => POSTGRES_MIGRATIONS,
        };
        let migrations = files
            .iter()
            .map(|&(version, name, text)| {
                Migration::new(version, Cow::Owned(name.to_owned()), MigrationType::Simple, text.into_sql_str(), false)
            })
            .collect::<Vec<_>>();
        let count = migrations.len();
        let migrator = Migrator::with_migrations(migrations);
        match self {
            Db::Sqlite { write, .. } => migrator.run(write).await,
            Db::Postgres(pool) => migrator.run(pool).await,
        }
        .map_err(|error| StoreError::Open(format!("a migration failed: {error}")))?;
        Ok(count)
    }

    /// Begins a write that may append events: whatever else it touches is taken after the lock that orders them, so that two
    /// such writes never wait for each other.
    pub async fn begin_ordered(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin().await?;
        tx.commit_in_order().await?;
        Ok(tx)
    }

    /// Begins a claim on the outbox: one at a time over all nodes, since claims share the allowances of rates.
    pub async fn begin_claim(&self) -> Result<Tx, StoreError> {
        const LOCK: i64 = 0x636c_6169_6d73; // “claims”
        let mut tx = self.begin().await?;
        if matches!(tx, Tx::Postgres { .. }) {
            tx.rows(sql("SELECT pg_advisory_xact_lock($1)").bind(LOCK)).await?;
        }
        Ok(tx)
    }

    /// Begins a write.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Db::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Db::Postgres(pool) => Tx::Postgres { tx: pool.begin().await?, ordered: false },
        })
    }

    pub async fn close(&self) {
        match self {
            Db::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Db::Postgres(_))
    }

    /// How many connections are busy, by what they are for.
    pub fn busy(&self) -> Vec<(&'static str, usize)> {
        let of = |size: u32, idle: usize| usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(idle);
        match self {
            Db::Sqlite { read, write } => vec![("read", of(read.size(), read.num_idle())), ("write", of(write.size(), write.num_idle()))],
            Db::Postgres(pool) => vec![("all", of(pool.size(), pool.num_idle()))],
        }
    }
}

impl Tx {
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await?,
            Tx::Postgres { tx, .. } => tx.commit().await?,
        }
        Ok(())
    }

    /// How many of so many rows go into one statement.
    pub(super) fn rows_at_once(&self, rows: usize) -> usize {
        match self {
            Tx::Sqlite(_) => (SQLITE.rows_at_once)(rows),
            Tx::Postgres { .. } => (POSTGRES.rows_at_once)(rows),
        }
    }

    /// From here to its commit this transaction excludes others that asked the same. SQLite has one writer anyway.
    async fn commit_in_order(&mut self) -> Result<(), StoreError> {
        const LOCK: i64 = 0x7061_7463_6862; // “patchb”
        if let Tx::Postgres { ordered: ordered @ false, .. } = self {
            *ordered = true;
            self.rows(sql("SELECT pg_advisory_xact_lock($1)").bind(LOCK)).await?;
        }
        Ok(())
    }

    /// From here to its commit no other node does what is done once for a database: several may start at the same time.
    pub async fn exclude_other_starts(&mut self) -> Result<(), StoreError> {
        const LOCK: i64 = 0x7061_7463_6863; // “patchc”
        if let Tx::Postgres { .. } = self {
            self.rows(sql("SELECT pg_advisory_xact_lock($1)").bind(LOCK)).await?;
        }
        Ok(())
    }
}

impl Run for &mut Tx {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        Tx::rows(self, statement).await
    }

    async fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        Tx::run(self, statement).await
    }
}

impl Run for &Db {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Db::Sqlite { read, .. } => bind_all::<Sqlite>(statement)?.fetch_all(read).await?.into_iter().map(Row::Sqlite).collect(),
            Db::Postgres(pool) => bind_all::<Postgres>(statement)?.fetch_all(pool).await?.into_iter().map(Row::Postgres).collect(),
        })
    }

    async fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let touched = tx.run(statement).await?;
        tx.commit().await?;
        Ok(touched)
    }
}

impl Run for Tx {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => bind_all::<Sqlite>(statement)?.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect(),
            Tx::Postgres { tx, .. } => {
                bind_all::<Postgres>(statement)?.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        Ok(match self {
            Tx::Sqlite(tx) => bind_all::<Sqlite>(statement)?.execute(&mut **tx).await?.rows_affected(),
            Tx::Postgres { tx, .. } => bind_all::<Postgres>(statement)?.execute(&mut **tx).await?.rows_affected(),
        })
    }
}

const SQLITE_MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "main job", include_str!("../../../migrations/sqlite/0001_main_job.sql")),
    (2, "ledger", include_str!("../../../migrations/sqlite/0002_ledger.sql")),
    (3, "outbox", include_str!("../../../migrations/sqlite/0003_outbox.sql")),
    (4, "webhook deliveries", include_str!("../../../migrations/sqlite/0004_webhook_deliveries.sql")),
    (5, "endpoints", include_str!("../../../migrations/sqlite/0005_endpoints.sql")),
    (6, "media", include_str!("../../../migrations/sqlite/0006_media.sql")),
    (7, "account logs", include_str!("../../../migrations/sqlite/0007_account_logs.sql")),
    (8, "nodes", include_str!("../../../migrations/sqlite/0008_nodes.sql")),
    (9, "statistics", include_str!("../../../migrations/sqlite/0009_statistics.sql")),
    (10, "wide rows", include_str!("../../../migrations/sqlite/0010_wide_rows.sql")),
    (11, "apps", include_str!("../../../migrations/sqlite/0011_apps.sql")),
    (12, "app webhooks", include_str!("../../../migrations/sqlite/0012_app_webhooks.sql")),
    (13, "answered", include_str!("../../../migrations/sqlite/0013_answered.sql")),
    (14, "tokens", include_str!("../../../migrations/sqlite/0014_tokens.sql")),
    (15, "facts and pairings", include_str!("../../../migrations/sqlite/0015_facts_and_pairings.sql")),
    (16, "threads", include_str!("../../../migrations/sqlite/0016_threads.sql")),
    (17, "subscriptions", include_str!("../../../migrations/sqlite/0017_subscriptions.sql")),
    (18, "plugin versions", include_str!("../../../migrations/sqlite/0018_plugin_versions.sql")),
    (19, "rollouts", include_str!("../../../migrations/sqlite/0019_rollouts.sql")),
    (20, "plugin calls", include_str!("../../../migrations/sqlite/0020_plugin_calls.sql")),
    (21, "api keys", include_str!("../../../migrations/sqlite/0021_api_keys.sql")),
    (22, "lists", include_str!("../../../migrations/sqlite/0022_lists.sql")),
];
const POSTGRES_MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "main job", include_str!("../../../migrations/postgres/0001_main_job.sql")),
    (2, "ledger", include_str!("../../../migrations/postgres/0002_ledger.sql")),
    (3, "outbox", include_str!("../../../migrations/postgres/0003_outbox.sql")),
    (4, "webhook deliveries", include_str!("../../../migrations/postgres/0004_webhook_deliveries.sql")),
    (5, "endpoints", include_str!("../../../migrations/postgres/0005_endpoints.sql")),
    (6, "media", include_str!("../../../migrations/postgres/0006_media.sql")),
    (7, "account logs", include_str!("../../../migrations/postgres/0007_account_logs.sql")),
    (8, "nodes", include_str!("../../../migrations/postgres/0008_nodes.sql")),
    (9, "statistics", include_str!("../../../migrations/postgres/0009_statistics.sql")),
    (10, "wide rows", include_str!("../../../migrations/postgres/0010_wide_rows.sql")),
    (11, "apps", include_str!("../../../migrations/postgres/0011_apps.sql")),
    (12, "app webhooks", include_str!("../../../migrations/postgres/0012_app_webhooks.sql")),
    (13, "answered", include_str!("../../../migrations/postgres/0013_answered.sql")),
    (14, "tokens", include_str!("../../../migrations/postgres/0014_tokens.sql")),
    (15, "facts and pairings", include_str!("../../../migrations/postgres/0015_facts_and_pairings.sql")),
    (16, "threads", include_str!("../../../migrations/postgres/0016_threads.sql")),
    (17, "subscriptions", include_str!("../../../migrations/postgres/0017_subscriptions.sql")),
    (18, "plugin versions", include_str!("../../../migrations/postgres/0018_plugin_versions.sql")),
    (19, "rollouts", include_str!("../../../migrations/postgres/0019_rollouts.sql")),
    (20, "plugin calls", include_str!("../../../migrations/postgres/0020_plugin_calls.sql")),
    (21, "api keys", include_str!("../../../migrations/postgres/0021_api_keys.sql")),
    (22, "lists", include_str!("../../../migrations/postgres/0022_lists.sql")),
];
