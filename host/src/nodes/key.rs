//! Every node has the same master key: one with another would fail later, at the first secret, and seal what nobody else opens.

use anyhow::bail;

use crate::{
    clock::At,
    secrets::{Keyring, SecretError},
    store::{self, Tx, nodes::KeyCheck},
};

/// Checks that the keyring is this database's; on the first start the database becomes the keyring's.
///
/// # Errors
/// The database was sealed under another master key.
pub async fn prove_key(tx: &mut Tx, keyring: &Keyring, now: At) -> anyhow::Result<()> {
    if let Some(check) = store::nodes::key_check(&mut *tx).await?
        && let Err(error) = keyring.open_data_key(&check.owner, &check.wrapped)
    {
        match error {
            SecretError::UnknownKey(_) => bail!("{}", unknown_key(&check, &format!("this gateway was given {}", keyring.current_id()?))),
            other => bail!("the master key can't be checked against the database: {other}"),
        }
    }
    let (wrapped, _) = keyring.new_data_key(store::nodes::CHECK_OWNER)?;
    Ok(store::nodes::keep_key_check(tx, wrapped, now).await?)
}

/// What to say where the database's master key isn't there; `but` says what is there instead.
pub fn unknown_key(check: &KeyCheck, but: &str) -> String {
    format!(
        "the secrets in this database are sealed under the master key {}, but {but}. Give every node the same key, in \
         secrets.master_key or secrets.master_key_file; the first start made it in the file master.key of its data folder \
         unless one was given.",
        Keyring::wrapped_by(&check.wrapped).unwrap_or("of another form")
    )
}
