//! One scrape: what stands in the database and in the sandbox is read, then everything is written out.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::{sync::Mutex, time::Instant};

use super::{TypeLabel, counted, measured};
use crate::{
    app::App,
    store::{self, backlog},
};

/// How old a reading of the database may be: scrapes in a row cost one.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabel {
    pool: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    channel_type: String,
    connection: String,
}

/// What is as it is, whoever looks.
pub(super) struct Standing {
    /// When the database was last read.
    read_at: Mutex<Option<Instant>>,
    database_up: Gauge,
    events: Counter,
    outbox: Family<StateLabel, Gauge>,
    outbox_age: Gauge<f64, AtomicU64>,
    webhooks: Family<StateLabel, Gauge>,
    accounts: Family<ConnectionLabels, Gauge>,
    pool_busy: Family<PoolLabel, Gauge>,
    plugin_up: Family<TypeLabel, Gauge>,
    calls: Gauge,
    live: Gauge,
}

impl Standing {
    pub(super) fn register(registry: &mut Registry) -> Standing {
        Standing {
            read_at: Mutex::new(None),
            database_up: counted(registry, "database_up", "1 where the database answered the last reading"),
            events: counted(registry, "events_appended", "Events appended, by all nodes and in all time"),
            outbox: counted(registry, "outbox_messages", "Messages in the send queue by state, 100000 at most"),
            outbox_age: measured(registry, "outbox_backlog_age", "How long the oldest due message waits", Gauge::default()),
            webhooks: counted(registry, "webhooks_waiting", "Stored webhooks that aren't processed, by state, 100000 at most"),
            accounts: counted(registry, "accounts", "Channel accounts by type and connection, 100000 at most"),
            pool_busy: counted(registry, "database_connections_busy", "Connections in use"),
            plugin_up: counted(registry, "plugin_up", "1 where the type's active version runs"),
            calls: counted(registry, "sandbox_calls", "Calls of plugins that run"),
            live: counted(registry, "sandbox_live_instances", "Instances kept between the calls of hot accounts"),
        }
    }

    async fn refresh(&self, app: &App) {
        for (pool, busy) in app.db.busy() {
            self.pool_busy.get_or_create(&PoolLabel { pool }).set(i64::try_from(busy).unwrap_or(i64::MAX));
        }
        for channel_type in app.plugins.type_names() {
            let up = app.plugins.get(&channel_type).is_some() && app.plugins.problem(&channel_type).is_none();
            self.plugin_up.get_or_create(&TypeLabel { channel_type }).set(i64::from(up));
        }
        let load = app.sandbox.load_now();
        self.calls.set(i64::from(load.calls));
        self.live.set(i64::from(load.live));
        let mut read_at = self.read_at.lock().await;
        if read_at.is_some_and(|read_at| read_at.elapsed() < FRESH) {
            return;
        }
        let up = match tokio::time::timeout(FRESH, self.read(app)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the backlog could not be read for a scrape");
                false
            }
            Err(_) => false,
        };
        self.database_up.set(i64::from(up));
        *read_at = Some(Instant::now());
    }

    async fn read(&self, app: &App) -> store::Result<()> {
        let outbox = backlog::outbox(&app.db).await?;
        let counts = [("queued", outbox.queued), ("leased", outbox.leased), ("parked", outbox.parked)];
        for (state, count) in counts {
            self.outbox.get_or_create(&StateLabel { state: state.to_owned() }).set(count);
        }
        let age = outbox.oldest_due.and_then(|due| app.clock.now().since(due)).unwrap_or_default();
        self.outbox_age.set(age.as_secs_f64());
        // What is gone is no longer told as what it was.
        let webhooks = backlog::webhooks(&app.db).await?;
        self.webhooks.clear();
        for (state, count) in webhooks {
            self.webhooks.get_or_create(&StateLabel { state }).set(count);
        }
        let accounts = backlog::accounts(&app.db).await?;
        self.accounts.clear();
        for (channel_type, connection, count) in accounts {
            self.accounts.get_or_create(&ConnectionLabels { channel_type, connection }).set(count);
        }
        let events = u64::try_from(store::events::last_seq(&app.db).await?).unwrap_or(0);
        self.events.inner().fetch_max(events, Ordering::Relaxed);
        Ok(())
    }
}

/// Everything as text in the OpenMetrics format. Never fails: where the database is away, `patchbay_database_up` is 0 and the
/// rest is told.
pub async fn scrape(app: &App) -> String {
    app.metrics.process.refresh();
    app.metrics.standing.refresh(app).await;
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &app.metrics.registry) {
        tracing::error!(%error, "the metrics could not be written out");
    }
    text
}
