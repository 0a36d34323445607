//! `patchbay plugin …`

mod build;
mod carried;
mod dev;
mod new;
mod remote;
mod stand_in;
mod test;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use patchbay_sandbox::{Sandbox, SandboxSettings};

use crate::{
    manifest::{Manifest, SecretSource},
    plugins,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Makes a project for a new channel type, which builds, passes its tests and talks to a stand-in
    New {
        /// The plugin's id: acme-chat
        name: String,
        /// What it is written in
        #[arg(long, value_enum, default_value = "rust")]
        lang: build::Language,
        /// Where it goes, ./NAME without it
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Makes components of plugin folders, each with a plugin.toml, in Rust, JavaScript or Python
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
    /// Plays the provider of a plugin's folder by its conformance.json and fixtures
    StandIn {
        folder: PathBuf,
        /// Where it listens
        #[arg(long, value_name = "ADDRESS:PORT", default_value = new::STAND_IN)]
        bind: SocketAddr,
        /// Where webhooks go; without it, where the plugin tells the provider when it connects
        #[arg(long, value_name = "URL")]
        webhooks: Option<String>,
        /// A secret that signs webhooks and that no request brings
        #[arg(long, value_name = "NAME=VALUE")]
        secret: Vec<String>,
    },
    /// Watches a plugin's folder: builds it at each change, swaps it into a running gateway, and shows its accounts' log
    Dev {
        folder: PathBuf,
        /// Where the components go
        #[arg(long, default_value = "target/plugins")]
        out: PathBuf,
        #[command(flatten)]
        gateway: remote::Gateway,
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
    /// Goes back to the version before
    Rollback {
        /// As GET /rest/v1/channel_types names it
        #[arg(value_name = "TYPE")]
        channel_type: String,
        #[command(flatten)]
        gateway: remote::Gateway,
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
            Command::New { name, lang, folder } => new::new(&name, lang, folder),
            Command::StandIn { folder, bind, webhooks, secret } => {
                super::on_runtime(async move { stand_in::stand_in(&folder, bind, webhooks, &secret).await })
            }
            Command::Dev { folder, out, gateway } => super::on_runtime(async move { dev::dev(&folder, &out, &gateway).await }),
            Command::Install { component, gateway } => {
                let bytes = std::fs::read(&component).with_context(|| component.display().to_string())?;
                super::on_runtime(async move { gateway.install(bytes).await })
            }
            Command::List { gateway } => super::on_runtime(async move { gateway.list().await }),
            Command::Rollback { channel_type, gateway } => super::on_runtime(async move { gateway.roll_back(&channel_type).await }),
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
