//! `patchbay key …`: works on the database, so that whoever has the data folder can't be locked out.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use crate::{
    audit, auth, boot,
    clock::{At, Clock, SystemClock},
    config::Config,
    domain::{
        actor::Actor,
        key::{ApiKey, KeyState, Scope},
        organization,
    },
    ids::Ids,
    store::{self, Db, Tx},
};

const DAY: Duration = Duration::from_secs(86_400);

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
    /// Gives a key another name
    Rename {
        /// As `patchbay key list` shows it
        id: String,
        name: String,
    },
    /// Says when a key ends
    Expire {
        /// As `patchbay key list` shows it
        id: String,
        /// Valid for so many days from now; for ever without
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// Gives a key a new text and tells it once; the one before works along for a while
    Rotate {
        /// As `patchbay key list` shows it
        id: String,
        /// For so many hours the text before works; 0 for none, 168 at most
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(0..=168))]
        overlap: u64,
    },
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

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Scope {
        match scope {
            ScopeArg::Read => Scope::Read,
            ScopeArg::Send => Scope::Send,
            ScopeArg::Manage => Scope::Manage,
            ScopeArg::Admin => Scope::Admin,
        }
    }
}

impl Command {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let desk = Desk { db: boot::open_database(config).await?, ids: Ids::default(), now: SystemClock.now() };
        let done = desk.run(self).await;
        desk.db.close().await;
        done
    }
}

/// What a command works with.
struct Desk {
    db: Db,
    ids: Ids,
    now: At,
}

impl Desk {
    async fn run(&self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::New { name, scope, organization, days } => {
                let usual = if organization.is_some() { ScopeArg::Manage } else { ScopeArg::Admin };
                self.make(&name, scope.unwrap_or(usual).into(), organization.as_deref(), self.in_days(days)).await
            }
            Command::List => self.list().await,
            Command::Rename { id, name } => {
                anyhow::ensure!(!name.trim().is_empty(), "a key's name says what it is for: it can't be empty");
                self.change(&id, |key| name.trim().clone_into(&mut key.name), "name").await
            }
            Command::Expire { id, days } => {
                let expires_at = self.in_days(days);
                self.change(&id, |key| key.expires_at = expires_at, "expires_at").await
            }
            Command::Rotate { id, overlap } => self.rotate(&id, Duration::from_secs(overlap * 3600)).await,
            Command::Revoke { id } => {
                let mut tx = self.db.begin().await?;
                let key = live(&mut tx, &id).await?;
                store::api_keys::revoke(&mut tx, &id, self.now).await?;
                self.record(&mut tx, "api_key.revoke", &key, json!({"name": key.name})).await?;
                tx.commit().await?;
                println!("Revoked.");
                Ok(())
            }
        }
    }

    fn in_days(&self, days: Option<u32>) -> Option<At> {
        days.map(|days| self.now.plus(DAY * days))
    }

    async fn make(&self, name: &str, scope: Scope, organization: Option<&str>, expires_at: Option<At>) -> anyhow::Result<()> {
        if let Some(id) = organization {
            anyhow::ensure!(organization::is_id(id), "--organization: “{id}” {}", organization::ID_RULE);
        }
        let mut tx = self.db.begin().await?;
        let made = auth::insert(&mut tx, &self.ids, name, organization, scope, expires_at, self.now).await?;
        let detail = json!({"name": made.key.name, "scope": made.key.scope, "expires_at": expires_at});
        self.record(&mut tx, "api_key.create", &made.key, detail).await?;
        tx.commit().await?;
        println!("{}", made.text.expose());
        Ok(())
    }

    async fn list(&self) -> anyhow::Result<()> {
        for key in store::api_keys::all(&self.db).await? {
            let state = match (key.state(self.now), key.revoked_at, key.expires_at) {
                (KeyState::Revoked, Some(at), _) => format!("revoked {at}"),
                (KeyState::Expired, _, Some(at)) => format!("expired {at}"),
                (_, _, Some(at)) => format!("until {at}"),
                _ => "valid".to_owned(),
            };
            let organization = key.organization_id.as_deref().unwrap_or("all organisations");
            let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
            println!("{}  {}…  {}  {organization}  {state}  {used}  {}", key.id, key.prefix, key.scope, key.name);
        }
        Ok(())
    }

    async fn change(&self, id: &str, change: impl FnOnce(&mut ApiKey), field: &str) -> anyhow::Result<()> {
        let mut tx = self.db.begin().await?;
        let mut key = live(&mut tx, id).await?;
        change(&mut key);
        store::api_keys::update(&mut tx, &key).await?;
        self.record(&mut tx, "api_key.update", &key, json!({"fields": [field], "expires_at": key.expires_at})).await?;
        tx.commit().await?;
        println!("Changed.");
        Ok(())
    }

    async fn rotate(&self, id: &str, overlap: Duration) -> anyhow::Result<()> {
        let mut tx = self.db.begin().await?;
        let key = live(&mut tx, id).await?;
        anyhow::ensure!(key.state(self.now) == KeyState::Valid, "the key {id} has expired: patchbay key expire gives it more time first");
        let (made, until) = (auth::Text::make(&self.ids), self.now.plus(overlap));
        store::api_keys::rotate(&mut tx, id, &made.hash, &made.prefix, until, self.now).await?;
        self.record(&mut tx, "api_key.rotate", &key, json!({"previous_until": until})).await?;
        tx.commit().await?;
        eprintln!("The text before works until {until}.");
        println!("{}", made.text.expose());
        Ok(())
    }

    async fn record(&self, tx: &mut Tx, action: &str, key: &ApiKey, detail: serde_json::Value) -> store::Result<()> {
        let entry = audit::entry(&self.ids, self.now, &Actor::command_line(), auth::deed(action, key, detail));
        store::audit::record(tx, &entry).await
    }
}

async fn live(tx: &mut Tx, id: &str) -> anyhow::Result<ApiKey> {
    let key = store::api_keys::find(tx, id).await?.filter(|key| key.revoked_at.is_none());
    key.ok_or_else(|| anyhow::anyhow!("there is no valid key {id}: see patchbay key list"))
}
