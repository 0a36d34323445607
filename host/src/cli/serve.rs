//! `patchbay serve`

use std::io::IsTerminal;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    boot::Gateway,
    config::Config,
    domain::node::Role,
    traces::{self, Traces},
};

pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    let traces = Traces::start(&config.otlp)?;
    start_log(&config, traces.as_ref())?;
    let gateway = Gateway::build(config).await?;
    announce(&gateway)?;
    let ended = gateway.run(stopped()?).await;
    if let Some(traces) = traces {
        traces.close().await;
    }
    ended
}

fn start_log(config: &Config, traces: Option<&Traces>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log.level).context("log.level")?;
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // Spans are the traces' alone: the log's lines name what they are about themselves.
    let filter = filter.and(filter_fn(|metadata| metadata.target() != traces::TARGET));
    let log = if config.log.format == "json" {
        log.json().with_filter(filter).boxed()
    } else {
        log.with_target(false).with_filter(filter).boxed()
    };
    tracing_subscriber::registry().with(log).with(traces.map(Traces::layer)).init();
    Ok(())
}

/// Says what runs, where, and with which key: what a person needs for the first request.
fn announce(gateway: &Gateway) -> anyhow::Result<()> {
    let address = gateway.address()?;
    let app = &gateway.app;
    println!("Patchbay {} on http://{address}", env!("CARGO_PKG_VERSION"));
    let roles: Vec<&str> = app.node.roles.iter().map(|role| role.as_str()).collect();
    println!("  node      {} ({})", app.node.name, roles.join(", "));
    if app.node.has(Role::Web) {
        println!("  API       http://{address}/rest/v1");
        println!("  webhooks  {}/webhooks/{{account}}", app.public_url);
    }
    println!("  data      {}", app.config.data.display());
    println!("  plugins   {} (drop a component there, and it runs)", app.config.plugin_folder().display());
    for manifest in app.plugins.manifests() {
        match app.plugins.problem(&manifest.channel_type) {
            None => println!("    {} {} ({})", manifest.channel_type, manifest.version, manifest.name),
            Some(problem) => println!("    {} can't run: {}", manifest.channel_type, problem.reason),
        }
    }
    match &gateway.first_key {
        Some(key) => println!("  key       {key}   (the admin key: it is told this once)"),
        None => println!("  key       the one you have; a new one: patchbay key new"),
    }
    Ok(())
}

/// Ends with SIGTERM or SIGINT.
fn stopped() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
