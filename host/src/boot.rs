//! From a configuration to a running gateway: the only room that builds the real things.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, middleware};
use patchbay_sandbox::{Sandbox, SandboxSettings};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    app::App,
    audit,
    auth::{self, Auth, Limits, Tokens},
    blobs::{BlobError, Blobs, S3Settings},
    browser,
    clock::{Clock, SystemClock},
    config::Config,
    domain::{actor::Actor, key::Scope, node::Role},
    egress::{Egress, EgressSettings},
    endpoints::{self, Nats},
    ids::Ids,
    inbox::{self, Committer, Inbox, TurnedAway},
    logbook::Logbook,
    mail::{self, Mail, MailSettings},
    media::{self, Links},
    memory::Memory,
    metrics::Metrics,
    nodes, oauth, outbox,
    plugins::{self, Registry, recording::Recordings},
    rest, schedule,
    secrets::{Keyring, MasterKey},
    store::{self, Db, group::Group},
    tasks::Tasks,
    wake::{self, Wake},
    webhooks,
};

/// How long a shutdown waits for what is being done.
const GRACE: Duration = Duration::from_secs(25);
/// How long it waits for the database's connections then.
const CLOSING: Duration = Duration::from_secs(5);

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

/// The master key from the configuration, or from a file that is made on the first start: not where the database was sealed
/// under another one already.
async fn open_keyring(config: &Config, db: &Db) -> anyhow::Result<Keyring> {
    let key = if !config.secrets.master_key.is_empty() {
        MasterKey::from_base64(&config.secrets.master_key)?
    } else if !config.secrets.master_key_file.is_empty() {
        MasterKey::from_file(Path::new(&config.secrets.master_key_file))?
    } else {
        let file = config.data.join("master.key");
        if let Some(check) = store::nodes::key_check(db).await?
            && !file.exists()
        {
            anyhow::bail!("{}", nodes::unknown_key(&check, &format!("there is no file {}", file.display())));
        }
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
        max_blob_bytes: config.media.max_bytes(),
        ..EgressSettings::default()
    })?)
}

fn open_auth(config: &Config) -> anyhow::Result<Auth> {
    let settings = &config.auth;
    let secret = settings.jwt.read_secret().map_err(anyhow::Error::msg)?;
    let tokens = Tokens::new(settings.jwt.clone(), secret.as_ref());
    Ok(Auth::new(tokens, Limits::new(settings.requests_per_min, settings.failures_per_min)))
}

fn open_blobs(config: &Config) -> Result<Blobs, BlobError> {
    let bucket = &config.blobs;
    if bucket.url.is_empty() {
        return Blobs::in_folder(&config.data.join("blobs"));
    }
    Blobs::in_bucket(&S3Settings {
        url: bucket.url.clone(),
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        access_key_id: bucket.access_key_id.clone(),
        secret_access_key: bucket.secret_access_key.clone(),
        allow_http: bucket.allow_http,
    })
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
        let clock = Arc::new(SystemClock);
        nodes::time::check(&db, clock.as_ref()).await?;
        let listener = TcpListener::bind(config.http.bind).await.with_context(|| format!("http.bind = {}", config.http.bind))?;
        let address = listener.local_addr()?;
        let public_url = match config.http.public_url.trim_end_matches('/') {
            "" => format!("http://{address}"),
            url => url.to_owned(),
        };
        let ids = Arc::new(Ids::default());
        let node = nodes::this_node(&config, address, &ids, clock.now());
        let wake = if db.is_postgres() { Wake::among_nodes(&node.id) } else { Wake::default() };
        let tasks = Tasks::default();
        let plugins = Arc::new(Registry::default());
        let metrics = Arc::new(Metrics::new(clock.now()));
        let logbook = Arc::new(Logbook::start(
            db.clone(),
            Arc::clone(&clock) as Arc<_>,
            Arc::clone(&ids),
            config.logs.level,
            metrics.log_entries_lost.clone(),
        ));
        let recordings =
            Arc::new(Recordings::start(db.clone(), Arc::clone(&clock) as Arc<_>, Arc::clone(&ids), config.plugins.failed_calls));
        let keyring = Arc::new(open_keyring(&config, &db).await?);
        let blobs = open_blobs(&config).context("blobs")?;
        let committer = Committer {
            db: db.clone(),
            clock: Arc::clone(&clock) as Arc<_>,
            ids: Arc::clone(&ids),
            keyring: Arc::clone(&keyring),
            plugins: Arc::clone(&plugins),
            wake: wake.clone(),
            metrics: Arc::clone(&metrics),
        };
        let inbox = Inbox::start(committer, Arc::clone(&logbook), blobs.clone());
        let sandbox = Sandbox::new(&SandboxSettings {
            calls: config.sandbox.concurrency,
            live: config.sandbox.hot_instances,
            ..SandboxSettings::default()
        })?;
        let app = Arc::new(App {
            links: Links::new(&keyring, &public_url, Duration::from_secs(config.media.url_ttl_s))?,
            keyring,
            egress: open_egress(&config)?,
            mail: Mail::new(MailSettings {
                max_connections: config.mail.max_connections,
                max_watchers: config.mail.max_watchers,
                idle: Duration::from_secs(config.mail.idle_s),
            }),
            nats: Nats::new(config.nats.clone()),
            blobs,
            plugins,
            browser_calls: browser::Calls::new(config.http.browser_calls_per_min),
            auth: open_auth(&config)?,
            config,
            node,
            public_url,
            clock,
            ids,
            sandbox,
            group: Group::start(db.clone()),
            known: Memory::default(),
            known_apps: Memory::default(),
            db,
            inbox,
            turned_away: TurnedAway::default(),
            logbook,
            recordings,
            metrics,
            wake,
            tasks,
        });
        let first_key = claim_database(&app).await?;
        nodes::presence::let_examinations_go(&app).await?;
        plugins::sync(&app).await?;
        plugins::folder::load(&app).await?;
        // What becomes of a send that was cut off is its plugin's to say: after the plugins.
        outbox::worker::recover(&app).await?;
        media::worker::recover(&app).await?;
        nodes::presence::enter(&app).await?;
        Ok(Gateway { app, listener, first_key })
    }

    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then finishes what is being done.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let app = self.app;
        app.tasks.spawn(wake::link::run(Arc::clone(&app)));
        app.tasks.spawn(nodes::presence::run(Arc::clone(&app)));
        app.tasks.spawn(plugins::folder::watch(Arc::clone(&app)));
        app.tasks.spawn(plugins::watch(Arc::clone(&app)));
        app.tasks.spawn(plugins::take_up(Arc::clone(&app)));
        app.tasks.spawn(inbox::count_turned_away(Arc::clone(&app)));
        app.tasks.spawn(mail::run(Arc::clone(&app)));
        if app.db.is_postgres() {
            app.tasks.spawn(plugins::follow(Arc::clone(&app)));
        }
        if app.node.has(Role::Worker) {
            app.tasks.spawn(outbox::worker::run(Arc::clone(&app)));
            app.tasks.spawn(schedule::run(Arc::clone(&app)));
            app.tasks.spawn(endpoints::run(Arc::clone(&app)));
            app.tasks.spawn(media::worker::run(Arc::clone(&app)));
        }
        let tasks = app.tasks.clone();
        let drain = Duration::from_millis(app.config.http.drain_ms);
        let serving = axum::serve(self.listener, router(&app).into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(
            async move {
                stop.await;
                tracing::info!("shutting down");
                tasks.drain();
                tokio::time::sleep(drain).await;
                tasks.stop();
            },
        );
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
        inbox::flush_turned_away(&app).await;
        app.group.close().await;
        app.inbox.close().await;
        app.recordings.close().await;
        app.logbook.close().await;
        wake::link::finish(&app).await;
        // A task that didn't end in time may hold a connection.
        if tokio::time::timeout(CLOSING, app.db.close()).await.is_err() {
            tracing::warn!("the database's connections were not given back");
        }
        Ok(())
    }
}

fn router(app: &Arc<App>) -> Router {
    let doors = if app.node.has(Role::Web) {
        webhooks::router().merge(browser::router(app)).merge(oauth::router()).merge(rest::router(app))
    } else {
        rest::status_router()
    };
    doors.layer(middleware::from_fn_with_state((), rest::answer_panics)).with_state(Arc::clone(app))
}

/// What is done once for a database, however many nodes start at the same time: it gets its master key, and the operator's key,
/// whose text is told once.
async fn claim_database(app: &App) -> anyhow::Result<Option<String>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    tx.exclude_other_starts().await?;
    nodes::prove_key(&mut tx, &app.keyring, now).await?;
    let first_key = if store::api_keys::all(&mut tx).await?.is_empty() {
        let made = auth::insert(&mut tx, &app.ids, "first admin key", None, Scope::Admin, None, now).await?;
        let deed = auth::deed("api_key.create", &made.key, json!({"name": made.key.name, "scope": made.key.scope, "expires_at": null}));
        audit::record(app, &mut tx, &Actor::system(), deed).await?;
        Some(made.text.expose().to_owned())
    } else {
        None
    };
    tx.commit().await?;
    Ok(first_key)
}
