//! `patchbay stats …`: works on the database, whether a gateway runs on it or not.

use anyhow::anyhow;

use crate::{
    boot,
    config::Config,
    error::ApiError,
    stats::{self, Asked, Span},
    store,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Tells the counters anew from the messages and compares
    Recompute {
        /// Only this account's; all accounts' without
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// A date or a time, included
        #[arg(long)]
        from: Option<String>,
        /// A date or a time, excluded
        #[arg(long)]
        to: Option<String>,
        /// The time zone of dates
        #[arg(long, value_name = "NAME")]
        time_zone: Option<String>,
        /// Writes what the messages tell in place of what was counted
        #[arg(long)]
        mend: bool,
    },
}

impl Command {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let Command::Recompute { account, from, to, time_zone, mend } = self;
        let stretch = Span::unbounded(&Asked { from, to, time_zone }).map_err(|error| told(&error))?;
        let db = boot::open_database(config).await?;
        let known = store::stats::account_ids(&db).await?;
        let accounts = match account {
            Some(id) if !known.contains(&id) => return Err(anyhow!("there is no channel account {id}")),
            Some(id) => vec![id],
            None => known,
        };
        let mut drift = 0;
        for id in &accounts {
            let found = stats::recompute(&db, id, stretch, mend).await?;
            drift += if found.mended { 0 } else { found.drift };
            let mended = if found.mended { ", mended" } else { "" };
            println!("{id}  {} messages, {} counters differ{mended}", found.messages, found.drift);
            for difference in &found.differences {
                let name = [difference.metric, &difference.label].join(" ");
                println!("  {} {}: counted {}, told {}", difference.slot, name.trim_end(), difference.counted, difference.told);
            }
        }
        db.close().await;
        anyhow::ensure!(drift == 0, "{drift} counters aren't what the messages tell; --mend writes them anew");
        Ok(())
    }
}

fn told(error: &ApiError) -> anyhow::Error {
    let hint = error.body.hint.as_deref().unwrap_or_default();
    anyhow!("{} {hint}", error.body.message)
}
