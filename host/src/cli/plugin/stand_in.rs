//! `patchbay plugin stand-in`

use std::{net::SocketAddr, path::Path};

use anyhow::Context;

use crate::conformance::{Known, StandIn};

/// Plays the provider until it is interrupted.
pub(super) async fn stand_in(folder: &Path, bind: SocketAddr, webhook_url: Option<String>, secrets: &[String]) -> anyhow::Result<()> {
    let pair = |given: &String| {
        let (name, value) = given.split_once('=').with_context(|| format!("--secret {given}: it is NAME=VALUE"))?;
        anyhow::Ok((name.to_owned(), value.to_owned()))
    };
    let secrets = secrets.iter().map(pair).collect::<anyhow::Result<_>>()?;
    let stand_in = StandIn::start(folder, bind, Known { webhook_url, secrets }).await.with_context(|| folder.display().to_string())?;
    let url = format!("http://{}", stand_in.address);
    println!("{url} plays the provider of {}", folder.display());
    for host in stand_in.hosts() {
        println!("  redirect to it   [egress.redirect] \"{host}\" = \"{url}\"");
    }
    if let Some(fixture) = stand_in.fixtures().first() {
        println!("  somebody writes  curl -X POST {url}/_standin/say/{fixture}");
    }
    println!("  its strings      curl {url}/_standin");
    stand_in
        .play(async {
            // Where the signal can't be waited for it ends like any program.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}
