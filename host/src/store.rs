//! The database: every statement stands here, beside the function that runs it. Reads take anything that [`Run`]s, writes a
//! [`Tx`]; functions take values (`now`, ids), never a clock. Start at [`db`], then one file for each family of tables.

pub mod account_health;
pub mod account_logs;
pub mod accounts;
pub mod api_keys;
pub mod apps;
pub mod audit;
pub mod backlog;
pub mod bulk;
pub mod db;
pub mod dead_letters;
pub mod endpoints;
pub mod events;
pub mod group;
pub mod idempotency;
pub mod jobs;
pub mod kv;
pub mod lists;
pub mod media;
pub mod messages;
pub mod nodes;
pub mod notices;
pub mod oauth;
pub mod organizations;
pub mod outbox;
pub mod outcomes;
pub mod pairings;
pub mod parked;
pub mod people;
pub mod plugin_calls;
pub mod plugins;
pub mod rates;
pub mod retention;
pub mod routes;
pub mod secrets;
pub mod sending;
pub mod stats;
pub mod subscriptions;
pub mod tables;
pub mod threads;
pub mod webhooks;

pub use db::{Db, Record, Row, Run, Statement, Tx, sql};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database could not be opened: {0}")]
    Open(String),
    /// A unique key is taken; the name of the constraint, or what the database says of it.
    #[error("already there: {0}")]
    Conflict(String),
    #[error("column {column} holds something unexpected: {reason}")]
    Corrupt { column: &'static str, reason: String },
    #[error("the database failed: {0}")]
    Db(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => StoreError::Conflict(database.message().to_owned()),
            _ => StoreError::Db(error),
        }
    }
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// Which rows of a list are shown.
#[derive(Debug, Clone)]
pub struct Page {
    /// At most this many rows.
    pub limit: u32,
    pub offset: u32,
}
