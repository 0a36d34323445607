//! The bytes at rest: form, nonce, ciphertext with its tag.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use super::{Secret, SecretError};

pub(super) const KEY_LEN: usize = 32;
/// The first byte of everything sealed: what follows it may change once.
pub(super) const FORM: u8 = 1;

/// The key that seals one owner's secrets; an account's, or an app's. It opens nobody else's.
pub struct DataKey {
    owner: String,
    key: LessSafeKey,
}

impl DataKey {
    pub(super) fn new(owner: &str, key: &[u8]) -> Option<Self> {
        Some(Self { owner: owner.to_owned(), key: cipher(key)? })
    }

    /// Seals a secret under its name.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn seal(&self, name: &str, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        seal(&self.key, &context(&["secret", &self.owner, name]), secret.expose().as_bytes())
    }

    /// Opens what was sealed for this owner under this name.
    ///
    /// # Errors
    /// It was sealed for another owner or under another name, or its bytes have changed.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Secret, SecretError> {
        let what = || format!("the secret \"{name}\"");
        let mut plain = open(&self.key, &context(&["secret", &self.owner, name]), sealed, what)?;
        let bytes = std::mem::take(&mut *plain);
        String::from_utf8(bytes).map(Secret::new).map_err(|_| SecretError::DoesNotOpen(what()))
    }
}

/// Each part with its length before it, so that no two lists of parts give the same bytes.
pub(super) fn context(parts: &[&str]) -> Vec<u8> {
    let mut bytes = b"patchbay".to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

pub(super) fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// A random nonce of 96 bits: safe for 2^32 seals with one key; an account's seals its secrets, and each device that subscribes.
pub(super) fn seal(key: &LessSafeKey, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SecretError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SecretError::NoRandomness)?;
    let mut buffer = Zeroizing::new(plain.to_vec());
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut buffer)
        .map_err(|_| SecretError::NoRandomness)?;
    Ok([&[FORM], &nonce[..], &buffer, tag.as_ref()].concat())
}

pub(super) fn open(key: &LessSafeKey, context: &[u8], sealed: &[u8], what: impl Fn() -> String) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let Some((&FORM, rest)) = sealed.split_first() else { return Err(SecretError::UnknownForm(what())) };
    let broken = || SecretError::DoesNotOpen(what());
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut buffer).map_err(|_| broken())?.len();
    buffer.truncate(length);
    Ok(buffer)
}
