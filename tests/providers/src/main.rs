//! The stand-ins as a program, for the demonstration and for load runs.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::uri::Authority;
use clap::{Parser, ValueEnum};
use patchbay_providers::{
    Acme, Appgain, LinkedIn, Mail, Meta, Push, Recording, Shopify, Telegram, TikTok, VictoryLink, acme, appgain, linkedin, mail, meta,
    push, shopify, telegram, tiktok, victorylink,
};

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
    /// Serve TikTok there: Business Messaging, the login page and media
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9103")]
    tiktok: SocketAddr,
    /// Serve LinkedIn there: its API, the login page and uploads
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9104")]
    linkedin: SocketAddr,
    /// Serve Shopify there: its Admin API, and the Inbox endpoint of our proposal
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9105")]
    shopify: SocketAddr,
    /// Serve Appgain there: SMS, WhatsApp and app pushes
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9106")]
    appgain: SocketAddr,
    /// Serve VictoryLink's SMS gateway there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9107")]
    victorylink: SocketAddr,
    /// Serve a push service for browsers there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9111")]
    push: SocketAddr,
    /// Serve the strings of the mail server there, and the logins that hand out tokens for it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9109")]
    mail: SocketAddr,
    /// Take letters by SMTP there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9108")]
    mail_smtp: SocketAddr,
    /// Let mailboxes be read by IMAP there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9110")]
    mail_imap: SocketAddr,
    /// Serve Acme Chat there, the provider of the example channels
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9112")]
    acme: SocketAddr,
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

impl From<Record> for Recording {
    fn from(record: Record) -> Recording {
        match record {
            Record::Full => Recording::Full,
            Record::Summary => Recording::Summary,
            Record::Off => Recording::Off,
        }
    }
}

/// Starts a stand-in with what all of them can be given, and tells how it is reached.
macro_rules! serve {
    ($arguments:ident, $room:ident, $name:ident, $address:ident, $calls:expr) => {{
        let options = $room::Options {
            address: $arguments.$address,
            deliver_to: $arguments.deliver_to.clone(),
            latency: Duration::from_millis($arguments.latency_ms),
            recording: $arguments.record.into(),
            ..$room::Options::default()
        };
        let standin = $name::start_with(options).await?;
        announce(stringify!($name), &standin.url(), $calls, $room::HOSTS);
        standin
    }};
}

fn announce(name: &str, url: &str, calls: &str, hosts: &[&str]) {
    println!("{name:<12} {url}{calls}");
    for host in hosts {
        println!("  redirect to it   [egress.redirect] \"{host}\" = \"{url}\"");
    }
    println!("  its strings      {url}/_standin");
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let _telegram = Telegram::start_with(telegram::Options {
        address: arguments.telegram,
        deliver_to: arguments.deliver_to.clone(),
        only_registered: arguments.only_registered,
        latency: Duration::from_millis(arguments.latency_ms),
        recording: arguments.record.into(),
        ..telegram::Options::default()
    })
    .await
    .inspect(|telegram| announce("Telegram", &telegram.url(), "/bot<token>/<method>", &["api.telegram.org"]))?;
    let _meta = serve!(arguments, meta, Meta, meta, "/v26.0/<node>/<edge>");
    let _tiktok = serve!(arguments, tiktok, TikTok, tiktok, "/open_api/v1.3/<call>/");
    let _linkedin = serve!(arguments, linkedin, LinkedIn, linkedin, "/rest/<call>");
    let _shopify = serve!(arguments, shopify, Shopify, shopify, "/admin/api/<version>/graphql.json");
    let _appgain = serve!(arguments, appgain, Appgain, appgain, "/<suit>/send");
    let _victorylink = serve!(arguments, victorylink, VictoryLink, victorylink, "/VLSMSPlatformResellerAPI/…");
    let _acme = Acme::start_with(acme::Options {
        address: arguments.acme,
        deliver_to: arguments.deliver_to.clone(),
        latency: Duration::from_millis(arguments.latency_ms),
        recording: arguments.record.into(),
    })
    .await
    .inspect(|acme| announce("Acme", &acme.url(), "/v1/messages", acme::HOSTS))?;
    let _push = Push::start_with(push::Options {
        address: arguments.push,
        latency: Duration::from_millis(arguments.latency_ms),
        recording: arguments.record.into(),
    })
    .await
    .inspect(|push| announce("Push", &push.url(), "/wpush/<subscription>", push::HOSTS))?;
    let _mail = Mail::start_with(mail::Options {
        address: arguments.mail,
        smtp: arguments.mail_smtp,
        imap: arguments.mail_imap,
        latency: Duration::from_millis(arguments.latency_ms),
        recording: arguments.record.into(),
        ..mail::Options::default()
    })
    .await
    .inspect(|mail| {
        announce("Mail", &mail.url(), "/_standin/say", mail::HOSTS);
        println!("  letters          smtp {}, imap {}", mail.smtp(), mail.imap());
    })?;
    tokio::signal::ctrl_c().await
}
