//! `patchbay plugin …`

mod build;
mod remote;
mod test;

use std::path::PathBuf;

use anyhow::Context;
use patchbay_sandbox::{Sandbox, SandboxSettings};

use crate::{
    manifest::{Manifest, SecretSource},
    plugins,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Makes components of plugin folders (each with Cargo.toml and plugin.toml)
    Build {
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Where the components go
        #[arg(long, default_value = "target/plugins")]
        out: PathBuf,
        /// Another version than the manifest's, to try a swap
        #[arg(long, value_name = "X.Y.Z")]
        with_version: Option<String>,
    },
    /// Checks a component and says in words what it asks for
    Check { component: PathBuf },
    /// Runs the conformance suite: a component against the `conformance.json` and the fixtures of its folder
    Test {
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Where `build` has put the components
        #[arg(long, default_value = "target/plugins")]
        components: PathBuf,
    },
    /// Installs a component in a running gateway
    Install {
        component: PathBuf,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Lists what a running gateway runs, and its versions
    List {
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Has an installed version run for all accounts
    Activate {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        digest: String,
        #[command(flatten)]
        word: remote::Word,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Goes back to the version before
    Rollback {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        #[command(flatten)]
        word: remote::Word,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Has an installed version run for some accounts
    Canary {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        digest: String,
        #[command(flatten)]
        whom: remote::Whom,
        #[command(flatten)]
        word: remote::Word,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Has the canary run for all accounts
    Promote {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        #[command(flatten)]
        word: remote::Word,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Ends the canary: its accounts go back to the active version
    StopCanary {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        #[command(flatten)]
        word: remote::Word,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Shows what an installed version would make of the last webhooks
    Shadow {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        digest: String,
        /// How many; as plugins.shadow_webhooks says unless given
        #[arg(long)]
        webhooks: Option<u32>,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// What the gateway starts to run the conformance suite of a component that is compiled: not for people
    #[command(hide = true)]
    Examine {
        component: PathBuf,
        artefact: PathBuf,
        #[arg(long, default_value_t = 120)]
        cpu_s: u64,
    },
    /// What the gateway starts to compile a component: not for people
    #[command(hide = true)]
    Compile {
        component: PathBuf,
        artefact: PathBuf,
        #[arg(long, default_value_t = 4096)]
        memory_mb: u64,
    },
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Build { folders, out, with_version } => build::build(&folders, &out, with_version.as_deref()),
            Command::Check { component } => check(&component),
            Command::Test { folders, components } => super::on_runtime(async move { test::test(&folders, &components).await }),
            Command::Install { component, gateway } => {
                let bytes = std::fs::read(&component).with_context(|| component.display().to_string())?;
                super::on_runtime(async move { gateway.install(bytes).await })
            }
            Command::List { gateway } => super::on_runtime(async move { gateway.list().await }),
            Command::Activate { channel_type, digest, word, gateway } => {
                super::on_runtime(async move { gateway.activate(&channel_type, digest, word).await })
            }
            Command::Rollback { channel_type, word, gateway } => {
                super::on_runtime(async move { gateway.roll_back(&channel_type, word).await })
            }
            Command::Canary { channel_type, digest, whom, word, gateway } => {
                super::on_runtime(async move { gateway.begin_canary(&channel_type, digest, whom, word).await })
            }
            Command::Promote { channel_type, word, gateway } => {
                super::on_runtime(async move { gateway.promote(&channel_type, word).await })
            }
            Command::StopCanary { channel_type, word, gateway } => {
                super::on_runtime(async move { gateway.stop_canary(&channel_type, word).await })
            }
            Command::Shadow { channel_type, digest, webhooks, gateway } => {
                super::on_runtime(async move { gateway.shadow(&channel_type, digest, webhooks).await })
            }
            Command::Examine { component, artefact, cpu_s } => {
                super::on_runtime(async move { plugins::examine(&component, &artefact, cpu_s).await })
            }
            Command::Compile { component, artefact, memory_mb } => plugins::compile_to(&component, &artefact, memory_mb),
        }
    }
}

fn check(component: &PathBuf) -> anyhow::Result<()> {
    let bytes = std::fs::read(component).with_context(|| component.display().to_string())?;
    let manifest = Manifest::from_component(&bytes)?;
    let folder = std::env::temp_dir().join(format!("patchbay-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let artefact = folder.join("checked.cwasm");
    let loaded = patchbay_sandbox::compile(&bytes).map_err(anyhow::Error::from).and_then(|compiled| {
        std::fs::write(&artefact, compiled)?;
        Ok(Sandbox::new(&SandboxSettings { calls: 1, live: 0, ..SandboxSettings::default() })?.load(&artefact)?)
    });
    std::fs::remove_dir_all(&folder)?;
    let groups = loaded?.groups();
    println!("{} {} ({}), contract {}, {} bytes", manifest.channel_type, manifest.version, manifest.name, manifest.contract, bytes.len());
    println!("digest {}", plugins::digest_of(&bytes));
    println!("It asks for:");
    for (name, target) in &manifest.egress {
        println!("  {name}: {} to {}", target.methods.join(", "), target.base);
    }
    for (name, secret) in &manifest.secrets {
        let from = match secret.from {
            SecretSource::Typed => "typed in",
            SecretSource::Oauth => "from OAuth",
            SecretSource::Captured => "captured from a response",
            SecretSource::Generated => "made by the gateway",
            SecretSource::App => "from the account's app",
            SecretSource::Derived => "computed from others",
        };
        println!("  secret {name} ({}), {from}", secret.title);
    }
    if groups.polling {
        println!("  to poll the provider");
    }
    if groups.media_download {
        println!("  to download files");
    }
    println!("It fits this gateway.");
    Ok(())
}
