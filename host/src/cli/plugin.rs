//! `patchbay plugin …`

mod build;
mod calls;
mod check;
mod component;
mod dev;
mod diff;
mod inspect;
mod new;
mod pack;
mod registry;
mod remote;
mod replay;
mod signing;
mod sources;
mod stand_in;
mod test;
mod versions;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use crate::plugins;

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
    Check {
        component: PathBuf,
        /// Checks signatures by this key: a .pub file, or its line that begins with RW
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
        /// The gateway's plugins.max_size_mb
        #[arg(long, value_name = "MIB", default_value_t = 64)]
        max_size_mb: usize,
    },
    /// Shows everything in a component; none of its code runs
    Inspect {
        component: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Tells how a component differs from another: what it asks for, settings, capabilities, imports. Exit code 0: not at all, 1: they
    /// differ, 2: trouble
    Diff {
        old: PathBuf,
        new: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Puts a folder's plugin.toml and conformance suite into a component that any tool made
    Pack {
        component: PathBuf,
        folder: PathBuf,
        /// The packed file, else <id>.wasm
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Makes a pair of keys for signatures: NAME.key and NAME.pub
    Keygen {
        #[arg(default_value = "patchbay")]
        name: PathBuf,
        /// Whoever has the file can sign
        #[arg(long)]
        no_password: bool,
        #[command(flatten)]
        password: signing::Password,
    },
    /// Signs a component
    Sign {
        component: PathBuf,
        /// The secret key: a .key file of `keygen` or of minisign
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// A line that is signed too and shown to whoever looks
        #[arg(long)]
        comment: Option<String>,
        /// The signed file, else the component's own
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        password: signing::Password,
    },
    /// Puts a component into an OCI registry
    Push {
        component: PathBuf,
        /// registry/name:tag
        reference: String,
        #[command(flatten)]
        access: registry::Access,
    },
    /// Fetches a component out of an OCI registry
    Pull {
        /// registry/name:tag or registry/name@sha256:…
        reference: String,
        /// The file, else <id>.wasm
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Checks signatures by this key: a .pub file, or its line that begins with RW
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
        #[command(flatten)]
        access: registry::Access,
    },
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
        /// A file, or a reference that the gateway pulls: registry/name:tag or registry/name@sha256:…
        component: String,
        #[command(flatten)]
        rollout: versions::RolloutArgs,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Lists the versions that a running gateway knows
    Versions {
        /// Only of this type
        #[arg(value_name = "TYPE")]
        channel_type: Option<String>,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Shows a version: what it asks for, who signed it, what was found, what became of it
    Show {
        /// Or the beginning of it
        digest: String,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Lets a version in that asks for more than was granted before
    Approve {
        /// Or the beginning of it
        digest: String,
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Keeps a version out that waits for an approval
    Reject {
        /// Or the beginning of it
        digest: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Takes a version back: where it runs, the one before runs again
    Revoke {
        /// Or the beginning of it
        digest: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Whose signatures count
    Keys {
        #[command(subcommand)]
        command: versions::KeysCommand,
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
    /// Lists the calls that failed in a running gateway
    Calls {
        #[command(flatten)]
        which: calls::Which,
        #[command(flatten)]
        gateway: remote::Gateway,
    },
    /// Runs a call that failed again, on this machine: exit status 0 for the same outcome, 1 for another one, 2 where the plugin asks
    /// what was not recorded, 3 where nothing could be run
    Replay {
        #[command(flatten)]
        what: replay::What,
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
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Diff { old, new, json } => {
                return Ok(match diff::diff(&old, &new, json) {
                    Ok(differ) => ExitCode::from(u8::from(differ)),
                    Err(error) => {
                        eprintln!("Error: {error:#}");
                        ExitCode::from(2)
                    }
                });
            }
            Command::Replay { what } => {
                let mut status = ExitCode::SUCCESS;
                super::on_runtime(async {
                    status = replay::replay(&what).await;
                    Ok(())
                })?;
                return Ok(status);
            }
            Command::Build { folders, out, with_version } => build::build(&folders, &out, with_version.as_deref()),
            Command::Check { component, trust, max_size_mb } => check::check(&component, &trust, max_size_mb),
            Command::Inspect { component, json } => inspect::inspect(&component, json),
            Command::Pack { component, folder, out } => pack::pack(&component, &folder, out),
            Command::Keygen { name, no_password, password } => signing::generate(&name, no_password, password),
            Command::Sign { component, key, comment, out, password } => signing::sign(&component, &key, comment, out.as_deref(), password),
            Command::Push { component, reference, access } => {
                super::on_runtime(async move { registry::push(&component, &reference, &access).await })
            }
            Command::Pull { reference, out, trust, access } => {
                let keys = component::keys(&trust)?;
                super::on_runtime(async move { registry::pull(&reference, out, &keys, &access).await })
            }
            Command::Test { folders, components } => super::on_runtime(async move { test::test(&folders, &components).await }),
            Command::New { name, lang, folder } => new::new(&name, lang, folder),
            Command::StandIn { folder, bind, webhooks, secret } => {
                super::on_runtime(async move { stand_in::stand_in(&folder, bind, webhooks, &secret).await })
            }
            Command::Dev { folder, out, gateway } => super::on_runtime(async move { dev::dev(&folder, &out, &gateway).await }),
            Command::Install { component, rollout, gateway } => {
                let brought = versions::Brought::named(&component)?;
                super::on_runtime(async move { gateway.install(brought, rollout).await })
            }
            Command::Versions { channel_type, gateway } => {
                super::on_runtime(async move { gateway.list_versions(channel_type.as_deref()).await })
            }
            Command::Show { digest, gateway } => super::on_runtime(async move { gateway.show(&digest).await }),
            Command::Approve { digest, reason, gateway } => {
                super::on_runtime(async move { gateway.judge(&digest, "approve", reason.as_deref()).await })
            }
            Command::Reject { digest, reason, gateway } => {
                super::on_runtime(async move { gateway.judge(&digest, "reject", Some(&reason)).await })
            }
            Command::Revoke { digest, reason, gateway } => {
                super::on_runtime(async move { gateway.judge(&digest, "revoke", Some(&reason)).await })
            }
            Command::Keys { command } => super::on_runtime(async move { command.run().await }),
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
            Command::Calls { which, gateway } => super::on_runtime(async move { calls::list(&gateway, &which).await }),
            // The exit status is the answer.
            Command::Compile { component, artefact, memory_mb } => plugins::compile_to(&component, &artefact, memory_mb),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}
