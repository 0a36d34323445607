//! `patchbay plugin keygen` and `sign`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use zeroize::Zeroizing;

use super::component;
use crate::{
    clock::{Clock, SystemClock},
    manifest::Manifest,
    plugins,
    signing::{self, SecretKey},
};

/// Where the password of a secret key comes from.
#[derive(clap::Args)]
pub(in crate::cli) struct Password {
    /// The secret key's password; asked for without. In the environment nobody sees it in a list of processes
    #[arg(long = "password", env = "PATCHBAY_KEY_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    given: Option<String>,
}

impl Password {
    fn get(self, question: &str) -> anyhow::Result<Zeroizing<String>> {
        match self.given {
            Some(given) => Ok(Zeroizing::new(given)),
            None => rpassword::prompt_password(question)
                .map(Zeroizing::new)
                .context("no password could be asked for: set PATCHBAY_KEY_PASSWORD"),
        }
    }
}

/// Makes a pair of keys in two files, which must not be there.
pub(super) fn generate(out: &Path, without_password: bool, password: Password) -> anyhow::Result<()> {
    let (secret_file, public_file) = (with_ending(out, "key"), with_ending(out, "pub"));
    for file in [&secret_file, &public_file] {
        ensure!(!file.exists(), "{} is there already: a key that is overwritten is lost", file.display());
    }
    let made = if without_password {
        signing::new_key(None)?
    } else {
        let asked = password.given.is_none();
        let chosen = password.get("Password of the new key: ")?;
        ensure!(!chosen.is_empty(), "the password is empty: say --no-password if the key is to have none");
        if asked {
            let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
            ensure!(chosen == again, "the passwords differ");
        }
        signing::new_key(Some(&chosen))?
    };
    write_new(&secret_file, 0o600, made.secret_file.as_bytes())?;
    write_new(&public_file, 0o644, made.public.to_file().as_bytes())?;
    println!("secret key {}: keep it to yourself, with a copy", secret_file.display());
    println!("public key {} ({})", public_file.display(), made.public.id());
    println!("Trust it in a gateway's configuration:\n  [plugins.trusted_keys]\n  \"{}\" = \"{}\"", stem(out), made.public);
    Ok(())
}

fn with_ending(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn stem(out: &Path) -> String {
    out.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn write_new(file: &Path, mode: u32, text: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
    opened.and_then(|mut opened| opened.write_all(text)).with_context(|| file.display().to_string())
}

/// Puts one more signature into a component.
pub(super) fn sign(file: &Path, key_file: &Path, comment: Option<String>, out: Option<&Path>, password: Password) -> anyhow::Result<()> {
    let component = component::read(file)?;
    // A manifest that is put in later would take the signature away.
    let manifest = Manifest::from_component(&component).with_context(|| file.display().to_string())?;
    let text = std::fs::read_to_string(key_file).map(Zeroizing::new).with_context(|| key_file.display().to_string())?;
    let closed = SecretKey::needs_password(&text).with_context(|| key_file.display().to_string())?;
    let password = if closed { Some(password.get(&format!("Password of {}: ", key_file.display()))?) } else { None };
    let key =
        SecretKey::open(&text, password.as_ref().map(|password| password.as_str())).with_context(|| key_file.display().to_string())?;
    let usual = || format!("{} {}, signed {}", manifest.channel_type, manifest.version, SystemClock.now());
    let signed = signing::sign(&component, &key, &comment.unwrap_or_else(usual))?;
    let public = key.public()?;
    if !signing::verify(&signed, std::slice::from_ref(&public))?.is_trusted() {
        bail!("the new signature doesn't hold: the secret key is broken");
    }
    let out = out.unwrap_or(file);
    component::write(out, &signed)?;
    println!("{} is signed by {}", out.display(), public.id());
    println!("digest {}", plugins::digest_of(&signed));
    Ok(())
}
