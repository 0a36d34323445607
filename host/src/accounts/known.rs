//! An account with its secrets, as the webhook door needs both.

use std::collections::BTreeMap;

use super::open_secrets;
use crate::{
    app::App,
    domain::account::Account,
    memory::Remembered,
    secrets::Secret,
    store::{self, Result},
};

/// An account and everything that the gateway keeps for it, opened.
pub struct Known {
    pub account: Account,
    pub secrets: BTreeMap<String, Secret>,
}

impl Remembered for Known {
    async fn read(app: &App, id: &str) -> Result<Option<Known>> {
        let Some(account) = store::accounts::find(&app.db, id).await? else { return Ok(None) };
        let secrets = open_secrets(app, &account).await?;
        Ok(Some(Known { account, secrets }))
    }
}
