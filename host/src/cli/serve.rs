//! `patchbay serve`

use std::io::IsTerminal;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{boot::Gateway, config::Config, domain::node::Role};

pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    start_log(&config)?;
    let gateway = Gateway::build(config).await?;
    announce(&gateway)?;
    gateway.run(stopped()?).await
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log.level).context("log.level")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if config.log.format == "json" {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
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
