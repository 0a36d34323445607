//! The command line.

mod key;
mod plugin;
mod serve;
mod stats;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    boot,
    config::{Config, Overrides},
};

#[derive(Parser)]
#[command(
    name = "patchbay",
    version,
    about = "A gateway between applications and messaging channels",
    long_about = "A gateway between applications and messaging channels. Each channel type is a WebAssembly plugin, loaded and \
                  swapped while the gateway runs.",
    after_help = "A first message:
  patchbay serve                      starts with SQLite in ./data and prints an admin key once
  patchbay plugin install my.wasm     adds a channel type to the running gateway
  curl -H \"apikey: $KEY\" http://127.0.0.1:8080/rest/v1/channel_types

Every setting and its default: patchbay check --defaults. Any of them from the environment: PATCHBAY_HTTP__BIND=127.0.0.1:9000"
)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which configuration a command works on.
#[derive(Args, Clone)]
struct Place {
    /// The configuration file; its settings stand above the defaults, the environment above it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder (setting `data`)
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway
    Serve {
        /// The address to listen on (setting `http.bind`)
        #[arg(long, value_name = "ADDRESS:PORT")]
        bind: Option<SocketAddr>,
    },
    /// Checks the configuration and shows it whole, without its secrets
    Check {
        /// Shows every setting with its default and what it is for
        #[arg(long)]
        defaults: bool,
    },
    /// Brings the database to this version's schema
    Migrate,
    /// Builds, checks and installs plugins
    Plugin {
        #[command(subcommand)]
        command: plugin::Command,
    },
    /// Makes, lists, rotates and revokes API keys
    Key {
        #[command(subcommand)]
        command: key::Command,
    },
    /// Checks the statistics' counters against the messages
    Stats {
        #[command(subcommand)]
        command: stats::Command,
    },
}

impl Place {
    fn load(&self, bind: Option<SocketAddr>) -> anyhow::Result<Config> {
        let overrides = Overrides { data: self.data.clone(), bind };
        Config::load(self.config.as_ref(), &overrides).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
            anyhow::anyhow!("the configuration has {} problem(s):\n{}", problems.len(), lines.join("\n"))
        })
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !matches!(cli.command, Command::Serve { .. }) {
        leave_when_nobody_reads();
    }
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let place = cli.place;
    match cli.command {
        Command::Plugin { command } => return command.run(),
        Command::Serve { bind } => on_runtime(serve::serve(place.load(bind)?)),
        Command::Check { defaults: true } => {
            print!("{}", crate::config::DEFAULTS);
            Ok(())
        }
        Command::Check { defaults: false } => {
            print!("{}", place.load(None)?.redacted());
            Ok(())
        }
        Command::Migrate => on_runtime(async move {
            let config = place.load(None)?;
            boot::open_database(&config).await?.close().await;
            println!("The database has this version's schema.");
            Ok(())
        }),
        Command::Key { command } => on_runtime(async move { command.run(&place.load(None)?).await }),
        Command::Stats { command } => on_runtime(async move { command.run(&place.load(None)?).await }),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// `patchbay … | head` ends like other programs, without a word: Rust's `println!` panics where its reader is gone. The signal
/// itself stays off, since it would end a command for a socket that was closed, too.
fn leave_when_nobody_reads() {
    /// 128 and the number of SIGPIPE, as a shell tells it.
    const CODE: i32 = 141;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to std") && text.contains("Broken pipe")) {
            std::process::exit(CODE);
        }
        usual(panic);
    }));
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
