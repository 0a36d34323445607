//! What nodes tell each other through PostgreSQL: LISTEN and NOTIFY. SQLite has one process and nobody to tell.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Db, Result, Run, StoreError, sql};

/// Every node of a database listens to this channel.
const CHANNEL: &str = "patchbay";
/// What a notice may be long, in bytes: PostgreSQL takes no more than 7999.
pub const NOTICE_MAX: usize = 7_900;

/// Tells every node that listens, this one too.
pub async fn tell(mut db: &Db, notice: &str) -> Result<()> {
    db.rows(sql("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(notice)).await?;
    Ok(())
}

/// A connection that listens.
pub struct Listener(PgListener);

impl Listener {
    /// Listens from here on, over a connection of its own: a busy pool must not keep a node deaf.
    ///
    /// # Errors
    /// The server can't be reached; SQLite has no notices.
    pub async fn open(db: &Db) -> Result<Listener> {
        let Db::Postgres(pool) = db else { return Err(StoreError::Open("SQLite has no notices".to_owned())) };
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_with(pool.connect_options().as_ref().clone())
            .await?;
        let mut listener = PgListener::connect_with(&own).await?;
        listener.ignore_pool_close_event(true);
        // Who opens it anew looks at everything then: it mustn't reconnect by itself.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Listener(listener))
    }

    /// Waits for the next notice; none where the connection was lost, and with it perhaps a notice.
    pub async fn next(&mut self) -> Result<Option<String>> {
        Ok(self.0.try_recv().await?.map(|notice| notice.payload().to_owned()))
    }
}
