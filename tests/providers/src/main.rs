//! The stand-ins as a program, for the demonstration and for load runs.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::uri::Authority;
use clap::{Parser, ValueEnum};
use patchbay_providers::telegram::{Options, Telegram};
use patchbay_providers::{Meta, Recording, Shopify, meta, shopify};

/// Stand-ins of the messaging providers.
#[derive(Debug, Parser)]
#[command(name = "patchbay-providers", version)]
struct Arguments {
    /// Serve a Telegram Bot API server there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9101")]
    telegram: SocketAddr,
    /// Serve Meta there: Graph, the login dialogs and media
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
    meta: SocketAddr,
    /// Serve Shopify there: the Admin API of its shops, and the merchant's chat
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9106")]
    shopify: SocketAddr,
    /// Post webhooks to this host and port over HTTP, whatever their URL says
    #[arg(long, value_name = "HOST:PORT")]
    deliver_to: Option<Authority>,
    /// Know only the bots that were registered at /_standin/bots
    #[arg(long)]
    only_registered: bool,
    /// Every answer waits so many milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// How much of each request is kept
    #[arg(long, value_enum, default_value = "full")]
    record: Record,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Record {
    Full,
    Summary,
    Off,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let latency = Duration::from_millis(arguments.latency_ms);
    let recording = match arguments.record {
        Record::Full => Recording::Full,
        Record::Summary => Recording::Summary,
        Record::Off => Recording::Off,
    };
    let telegram = Telegram::start_with(Options {
        address: arguments.telegram,
        deliver_to: arguments.deliver_to.clone(),
        only_registered: arguments.only_registered,
        latency,
        recording,
        ..Options::default()
    })
    .await?;
    let url = telegram.url();
    println!("Telegram Bot API   {url}/bot<token>/<method>");
    println!("  redirect to it   [egress.redirect] \"api.telegram.org\" = \"{url}\"");
    println!("  its strings      {url}/_standin");
    let address = arguments.meta;
    let deliver_to = arguments.deliver_to.clone();
    let meta = Meta::start_with(meta::Options { address, deliver_to, latency, recording, ..meta::Options::default() }).await?;
    let url = meta.url();
    println!("Meta               {url}/v26.0/<node>/<edge>");
    for host in meta::HOSTS {
        println!("  redirect to it   [egress.redirect] \"{host}\" = \"{url}\"");
    }
    println!("  its strings      {url}/_standin");
    let address = arguments.shopify;
    let deliver_to = arguments.deliver_to;
    let shopify = Shopify::start_with(shopify::Options { address, deliver_to, latency, recording, ..shopify::Options::default() }).await?;
    let url = shopify.url();
    println!("Shopify            {url}/shops/<shop>/admin/api/<version>/graphql.json, {url}/conversations/<id>/messages");
    for host in shopify::HOSTS {
        println!("  redirect to it   [egress.redirect] \"{host}\" = \"{url}\"");
    }
    println!("  its strings      {url}/_standin");
    tokio::signal::ctrl_c().await
}
