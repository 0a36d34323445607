//! From a configuration to a running gateway: the only room that builds the real things.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, middleware};
use patchbay_sandbox::{Sandbox, SandboxSettings};
use tokio::net::TcpListener;

use crate::{
    app::App,
    blobs::Blobs,
    clock::SystemClock,
    config::Config,
    domain::key::Scope,
    egress::{Egress, EgressSettings},
    endpoints::{self, Nats},
    ids::Ids,
    inbox::Inbox,
    outbox,
    plugins::{self, Registry},
    rest, schedule,
    secrets::{Keyring, MasterKey},
    store::{self, Db},
    tasks::Tasks,
    wake::Wake,
    webhooks,
};

/// How long a shutdown waits for what is being done.
const GRACE: Duration = Duration::from_secs(25);

/// Opens the database and brings it to this version's schema.
pub async fn open_database(config: &Config) -> anyhow::Result<Db> {
    let db = if config.database.url.is_empty() {
        Db::open_sqlite(&config.database_file(), config.database.connections).await?
    } else {
        Db::open_postgres(&config.database.url, config.database.connections).await?
    };
    db.migrate().await?;
    Ok(db)
}

/// The master key from the configuration, or from a file that is made on the first start.
fn open_keyring(config: &Config) -> anyhow::Result<Keyring> {
    let key = if !config.secrets.master_key.is_empty() {
        MasterKey::from_base64(&config.secrets.master_key)?
    } else if !config.secrets.master_key_file.is_empty() {
        MasterKey::from_file(Path::new(&config.secrets.master_key_file))?
    } else {
        let file = config.data.join("master.key");
        let (key, made) = MasterKey::from_file_or_new(&file)?;
        if made {
            tracing::warn!(file = %file.display(), "a master key was made: keep a copy of it, without it no credential can be read");
        }
        key
    };
    Ok(Keyring::new(vec![key])?)
}

fn open_egress(config: &Config) -> anyhow::Result<Egress> {
    let redirect = config
        .egress
        .redirect
        .iter()
        .map(|(host, base)| Ok((host.clone(), base.parse()?)))
        .collect::<Result<_, url::ParseError>>()
        .context("egress.redirect")?;
    let allow = config.egress.allow.iter().map(|net| net.parse()).collect::<Result<_, ipnet::AddrParseError>>().context("egress.allow")?;
    Ok(Egress::new(EgressSettings {
        redirect,
        allow,
        connect_timeout: Duration::from_millis(config.egress.connect_timeout_ms),
        max_response_bytes: u32::try_from(config.egress.max_response_mb.saturating_mul(1024 * 1024)).unwrap_or(u32::MAX),
        ..EgressSettings::default()
    })?)
}

/// A gateway that listens.
pub struct Gateway {
    pub app: Arc<App>,
    listener: TcpListener,
    /// Told once, on the first start.
    pub first_key: Option<String>,
}

impl Gateway {
    /// Builds everything, loads the plugins and binds the address. Nothing is answered before [`Gateway::run`].
    ///
    /// # Errors
    /// What is missing or can't be opened. A plugin that can't be loaded is none: it is listed as failed.
    pub async fn build(config: Config) -> anyhow::Result<Gateway> {
        for folder in [&config.data, &config.plugin_folder()] {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let db = open_database(&config).await?;
        let listener = TcpListener::bind(config.http.bind).await.with_context(|| format!("http.bind = {}", config.http.bind))?;
        let address = listener.local_addr()?;
        let public_url = match config.http.public_url.trim_end_matches('/') {
            "" => format!("http://{address}"),
            url => url.to_owned(),
        };
        let clock = Arc::new(SystemClock);
        let ids = Arc::new(Ids::default());
        let (wake, tasks) = (Wake::default(), Tasks::default());
        let inbox = Inbox::start(db.clone(), Arc::clone(&clock) as Arc<_>, Arc::clone(&ids), wake.clone());
        let sandbox = Sandbox::new(&SandboxSettings {
            calls: config.sandbox.concurrency,
            live: config.sandbox.hot_instances,
            ..SandboxSettings::default()
        })?;
        let app = Arc::new(App {
            keyring: open_keyring(&config)?,
            egress: open_egress(&config)?,
            nats: Nats::new(config.nats.clone()),
            blobs: Blobs::in_folder(&config.data.join("blobs"))?,
            plugins: Registry::default(),
            config,
            public_url,
            db,
            clock,
            ids,
            sandbox,
            inbox,
            wake,
            tasks,
        });
        let first_key = make_first_key(&app).await?;
        outbox::worker::recover(&app).await?;
        plugins::sync(&app).await?;
        plugins::folder::load(&app).await?;
        Ok(Gateway { app, listener, first_key })
    }

    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then finishes what is being done.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let app = self.app;
        app.tasks.spawn(outbox::worker::run(Arc::clone(&app)));
        app.tasks.spawn(schedule::run(Arc::clone(&app)));
        app.tasks.spawn(endpoints::run(Arc::clone(&app)));
        app.tasks.spawn(plugins::folder::watch(Arc::clone(&app)));
        let tasks = app.tasks.clone();
        let serving = axum::serve(self.listener, router(&app)).with_graceful_shutdown(async move {
            stop.await;
            tracing::info!("shutting down");
            tasks.stop();
        });
        let ended = async {
            serving.await?;
            app.tasks.join().await;
            std::io::Result::Ok(())
        };
        let overdue = async {
            app.tasks.stopping().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = ended => ended?,
            () = overdue => {
                tracing::warn!("what was being done didn't end within {} s; it is taken up again at the next start", GRACE.as_secs());
            }
        }
        app.inbox.close().await;
        app.db.close().await;
        Ok(())
    }
}

fn router(app: &Arc<App>) -> Router {
    Router::new()
        .merge(webhooks::router())
        .merge(rest::router(app))
        .layer(middleware::from_fn_with_state((), rest::answer_panics))
        .with_state(Arc::clone(app))
}

/// The operator's key; its text is told once.
async fn make_first_key(app: &App) -> store::Result<Option<String>> {
    if !store::api_keys::list(&app.db).await?.is_empty() {
        return Ok(None);
    }
    let (key, stored) = rest::new_key(&app.ids, "first admin key", None, Scope::Admin, None, app.clock.now());
    let mut tx = app.db.begin().await?;
    store::api_keys::insert(&mut tx, &stored, &rest::hash_key(&key)).await?;
    tx.commit().await?;
    Ok(Some(key))
}
