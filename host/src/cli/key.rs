//! `patchbay key …`: works on the database, so that whoever has the data folder can't be locked out.

use std::time::Duration;

use clap::ValueEnum;

use crate::{
    boot,
    clock::{Clock, SystemClock},
    config::Config,
    domain::key::Scope,
    ids::Ids,
    rest, store,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and tells it once
    New {
        /// What it is for
        #[arg(long, default_value = "made on the command line")]
        name: String,
        /// What it may do: admin unless you say otherwise, manage where it is an organisation's
        #[arg(long)]
        scope: Option<ScopeArg>,
        /// Only this organisation's
        #[arg(long, value_name = "ID")]
        organization: Option<String>,
        /// Valid for so many days; for ever without
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// Lists the keys by their first characters
    List,
    /// Makes a key worthless, at once
    Revoke {
        /// As `patchbay key list` shows it
        id: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ScopeArg {
    Read,
    Send,
    Manage,
    Admin,
}

impl Command {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let db = boot::open_database(config).await?;
        let now = SystemClock.now();
        match self {
            Command::New { name, scope, organization, days } => {
                let usual = if organization.is_some() { ScopeArg::Manage } else { ScopeArg::Admin };
                let scope = match scope.unwrap_or(usual) {
                    ScopeArg::Read => Scope::Read,
                    ScopeArg::Send => Scope::Send,
                    ScopeArg::Manage => Scope::Manage,
                    ScopeArg::Admin => Scope::Admin,
                };
                let expires_at = days.map(|days| now.plus(Duration::from_secs(u64::from(days) * 86_400)));
                let (key, stored) = rest::new_key(&Ids::default(), &name, organization.clone(), scope, expires_at, now);
                let mut tx = db.begin().await?;
                if let Some(organization) = &organization {
                    store::organizations::ensure(&mut tx, organization, now).await?;
                }
                store::api_keys::insert(&mut tx, &stored, &rest::hash_key(&key)).await?;
                tx.commit().await?;
                println!("{key}");
            }
            Command::List => {
                for key in store::api_keys::list(&db).await? {
                    let state = match (key.revoked_at, key.expires_at) {
                        (Some(at), _) => format!("revoked {at}"),
                        (None, Some(at)) => format!("until {at}"),
                        (None, None) => "valid".to_owned(),
                    };
                    let organization = key.organization_id.as_deref().unwrap_or("all organisations");
                    println!("{}  {}…  {}  {organization}  {state}  {}", key.id, key.prefix, key.scope, key.name);
                }
            }
            Command::Revoke { id } => {
                let mut tx = db.begin().await?;
                let revoked = store::api_keys::revoke(&mut tx, &id, now).await?;
                tx.commit().await?;
                anyhow::ensure!(revoked, "there is no valid key {id}: see patchbay key list");
                println!("Revoked.");
            }
        }
        db.close().await;
        Ok(())
    }
}
