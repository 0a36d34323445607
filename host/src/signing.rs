//! Signatures of components. One covers every byte before it, in a custom section of its own at the end of the file, so that the
//! code, the manifest and the suite are signed as one, and a signed component is still one file that any tool reads.
//!
//! Keys and signatures are minisign's: Ed25519 over BLAKE2b-512, and texts that its program reads too. Several signatures stand one
//! behind the other; each covers what is before it, the earlier ones included.
//!
//! Start at [`verify`].

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sections::{self, NotAComponent, SIGNATURE};

/// Signatures of one component: each is checked over the whole file.
const SIGNATURES_MAX: usize = 16;
/// Characters of a comment, and of a whole signature's section.
const COMMENT_MAX: usize = 1024;
const SECTION_MAX: usize = 4 * COMMENT_MAX;

/// Bytes of a key in a `.pub` file: what it is for, its id, the key.
const PUBLIC_KEY: usize = 2 + 8 + 32;
/// Bytes of a signature's first line: how it was made, the key's id, the signature.
const SIGNATURE_LINE: usize = 2 + 8 + 64;
const GLOBAL_SIGNATURE: usize = 64;
/// Bytes of a key in a `.key` file, and where it says whether a password opens it.
const SECRET_KEY: usize = 2 + 2 + 2 + 32 + 8 + 8 + 8 + 64 + 32;
const ED25519: &[u8] = b"Ed";

/// Why there is no key, or no signature that holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    #[error("the public key isn't one: expected is the line of a .pub file that begins with RW")]
    PublicKey,
    #[error("the secret key isn't one: expected is a file that `patchbay plugin keygen` or minisign made")]
    SecretKey,
    #[error("the secret key is protected by a password")]
    PasswordNeeded,
    /// The password, mostly.
    #[error("the secret key can't be opened: {0}")]
    Closed(String),
    #[error("the component can't be signed: {0}")]
    Component(#[from] NotAComponent),
    #[error("the comment has to be one line of at most {COMMENT_MAX} characters")]
    Comment,
    #[error("it is signed by the key {0} already")]
    SignedAlready(KeyId),
    #[error("it has more than {SIGNATURES_MAX} signatures")]
    TooMany,
    /// Which one, counted from 1.
    #[error("signature {number} is malformed: {why}")]
    Malformed { number: usize, why: &'static str },
    #[error("{section} stands behind the signature, which doesn't cover it: sign the component anew")]
    Uncovered { section: String },
    /// The key is known, and it says no.
    #[error("the signature by the key {0} is wrong: the component was changed after it was signed")]
    Wrong(KeyId),
    #[error("the signature can't be made: {0}")]
    Sign(String),
}

/// Which key: eight bytes that its maker drew, in hex as minisign shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    fn of(bytes: &[u8]) -> Option<KeyId> {
        Some(KeyId(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whom an operator trusts.
#[derive(Debug, Clone)]
pub struct PublicKey(minisign::PublicKey);

impl PublicKey {
    /// Reads the line that begins with `RW`, or a whole `.pub` file.
    ///
    /// # Errors
    /// It is no public key.
    pub fn parse(text: &str) -> Result<PublicKey, SigningError> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(SigningError::PublicKey)?;
        let bytes = exactly(line, PUBLIC_KEY).ok_or(SigningError::PublicKey)?;
        if !bytes.starts_with(ED25519) {
            return Err(SigningError::PublicKey);
        }
        minisign::PublicKey::from_bytes(&bytes).map(PublicKey).map_err(|_| SigningError::PublicKey)
    }

    /// Tells keys apart for people. Whoever makes a key chooses its id: it proves nothing.
    pub fn id(&self) -> KeyId {
        KeyId::of(self.0.keynum()).unwrap_or(KeyId(0))
    }

    /// The whole `.pub` file.
    pub fn to_file(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{self}\n", self.id())
    }
}

/// The line that begins with `RW`.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.to_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = SigningError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bytes() == other.0.to_bytes()
    }
}

impl Eq for PublicKey {}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// An author's key, open.
pub struct SecretKey(minisign::SecretKey);

impl SecretKey {
    /// Does a password open this `.key` file?
    ///
    /// # Errors
    /// It is no secret key.
    pub fn needs_password(file: &str) -> Result<bool, SigningError> {
        let line = file.lines().nth(1).ok_or(SigningError::SecretKey)?;
        let bytes = Zeroizing::new(exactly(line, SECRET_KEY).ok_or(SigningError::SecretKey)?);
        match (bytes.get(..2), bytes.get(2..4)) {
            (Some(ED25519), Some([0, 0])) => Ok(false),
            (Some(ED25519), Some(b"Sc")) => Ok(true),
            _ => Err(SigningError::SecretKey),
        }
    }

    /// Opens a `.key` file.
    ///
    /// # Errors
    /// It is no secret key, it needs a password and none is given, or another one.
    pub fn open(file: &str, password: Option<&str>) -> Result<SecretKey, SigningError> {
        let opened = match (Self::needs_password(file)?, password) {
            (true, None) => return Err(SigningError::PasswordNeeded),
            (true, Some(password)) => {
                let boxed = minisign::SecretKeyBox::from_string(file).map_err(|_| SigningError::SecretKey)?;
                boxed.into_secret_key(Some(password.to_owned()))
            }
            // minisign's program leaves the checksum of such a key empty, which the library takes for a mistake.
            (false, _) => {
                let line = file.lines().nth(1).ok_or(SigningError::SecretKey)?;
                let bytes = Zeroizing::new(exactly(line, SECRET_KEY).ok_or(SigningError::SecretKey)?);
                minisign::SecretKey::from_bytes(&bytes)
            }
        };
        opened.map(SecretKey).map_err(|error| SigningError::Closed(error.to_string()))
    }

    /// Its other half.
    ///
    /// # Errors
    /// The key is broken.
    pub fn public(&self) -> Result<PublicKey, SigningError> {
        minisign::PublicKey::from_secret_key(&self.0).map(PublicKey).map_err(|_| SigningError::SecretKey)
    }
}

/// A new pair.
pub struct NewKey {
    pub public: PublicKey,
    /// The whole `.key` file.
    pub secret_file: Zeroizing<String>,
}

/// Makes a pair; with a password, nobody signs with the file alone.
///
/// # Errors
/// The machine has no random numbers, or no memory for the password's key.
pub fn new_key(password: Option<&str>) -> Result<NewKey, SigningError> {
    let wrong = |error: minisign::PError| SigningError::Sign(error.to_string());
    let pair = match password {
        Some(password) => minisign::KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
        None => minisign::KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.map_err(wrong)?;
    let public = PublicKey(pair.pk);
    let comment = format!("minisign {}secret key {}", if password.is_some() { "encrypted " } else { "" }, public.id());
    let secret_file = Zeroizing::new(pair.sk.to_box(Some(&comment)).map_err(wrong)?.into_string());
    Ok(NewKey { public, secret_file })
}

/// A signature that a component has. Nothing of it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub key_id: KeyId,
    /// What the signer wrote; it is signed too.
    pub comment: String,
}

/// What the signatures of a component are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// They hold, by keys that were given. Empty: nobody who is trusted has signed.
    pub trusted: Vec<Found>,
    /// By keys that nobody gave: as good as none.
    pub unknown: Vec<Found>,
}

impl Verdict {
    /// Has somebody signed who is trusted?
    pub fn is_trusted(&self) -> bool {
        !self.trusted.is_empty()
    }
}

/// A signature with what it covers.
struct Signed<'a> {
    found: Found,
    signature: minisign::SignatureBox,
    covered: &'a [u8],
}

/// The signatures of a component, in order. Checks none of them.
///
/// # Errors
/// One is malformed, or something stands behind one that isn't a signature.
pub fn signatures(component: &[u8]) -> Result<Vec<Found>, SigningError> {
    Ok(signed(component)?.into_iter().map(|signed| signed.found).collect())
}

/// Checks every signature whose key is among these.
///
/// # Errors
/// One of them is wrong, or what [`signatures`] says.
pub fn verify(component: &[u8], keys: &[PublicKey]) -> Result<Verdict, SigningError> {
    let mut verdict = Verdict::default();
    for Signed { found, signature, covered } in signed(component)? {
        // Ids are chosen by whoever makes a key, so two may have the same.
        let mut named = keys.iter().filter(|key| key.id() == found.key_id).peekable();
        if named.peek().is_none() {
            verdict.unknown.push(found);
        } else if named.any(|key| minisign::verify(&key.0, &signature, std::io::Cursor::new(covered), true, false, false).is_ok()) {
            verdict.trusted.push(found);
        } else {
            return Err(SigningError::Wrong(found.key_id));
        }
    }
    Ok(verdict)
}

/// The component with one more signature. The comment is signed too, and shown to whoever looks at it.
///
/// # Errors
/// The bytes aren't a component, what [`signatures`] says, or the key has signed it already.
pub fn sign(component: &[u8], key: &SecretKey, comment: &str) -> Result<Vec<u8>, SigningError> {
    if comment.chars().count() > COMMENT_MAX || !is_line(comment) {
        return Err(SigningError::Comment);
    }
    let public = key.public()?;
    let before = signatures(component)?;
    if before.iter().any(|found| found.key_id == public.id()) {
        return Err(SigningError::SignedAlready(public.id()));
    }
    if before.len() >= SIGNATURES_MAX {
        return Err(SigningError::TooMany);
    }
    let untrusted = format!("signature by {}", public.id());
    let signature = minisign::sign(Some(&public.0), &key.0, component, Some(comment.trim()), Some(&untrusted))
        .map_err(|error| SigningError::Sign(error.to_string()))?;
    let mut out = component.to_vec();
    sections::append(&mut out, SIGNATURE, signature.into_string().as_bytes());
    Ok(out)
}

/// The signatures, which nothing but signatures may follow.
fn signed(component: &[u8]) -> Result<Vec<Signed<'_>>, SigningError> {
    let mut signed = Vec::new();
    for section in sections::sections(component)? {
        match section.named(SIGNATURE) {
            Some(_) if signed.len() == SIGNATURES_MAX => return Err(SigningError::TooMany),
            Some(text) => {
                let (found, signature) = parse(text).map_err(|why| SigningError::Malformed { number: signed.len() + 1, why })?;
                signed.push(Signed { found, signature, covered: component.get(..section.whole.start).unwrap_or_default() });
            }
            None if signed.is_empty() => {}
            None => {
                let section = match section.custom() {
                    Some((name, _)) => format!("the section {name:?}"),
                    None => format!("a section ({})", section.kind()),
                };
                return Err(SigningError::Uncovered { section });
            }
        }
    }
    Ok(signed)
}

/// Reads the four lines of a signature. Lengths are looked at here: the library takes them for granted.
fn parse(text: &[u8]) -> Result<(Found, minisign::SignatureBox), &'static str> {
    if text.len() > SECTION_MAX {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(text).map_err(|_| "it isn't text")?;
    let lines: Vec<&str> = text.lines().collect();
    let [_, signature, comment, global] = lines.as_slice() else { return Err("it doesn't have four lines") };
    let bytes = exactly(signature, SIGNATURE_LINE).ok_or("its second line isn't a signature")?;
    exactly(global, GLOBAL_SIGNATURE).ok_or("its fourth line isn't a signature")?;
    let comment = comment.strip_prefix("trusted comment: ").ok_or("its third line isn't a comment")?;
    if !is_line(comment) {
        return Err("its comment has control characters");
    }
    let key_id = bytes.get(2..10).and_then(KeyId::of).ok_or("it names no key")?;
    let signature = minisign::SignatureBox::from_string(text).map_err(|_| "minisign can't read it")?;
    if !signature.is_prehashed() {
        return Err("it is of minisign's legacy kind");
    }
    Ok((Found { key_id, comment: comment.trim().to_owned() }, signature))
}

/// Text that a terminal shows as it is. minisign's own comments have tabs.
fn is_line(comment: &str) -> bool {
    !comment.chars().any(|character| character.is_control() && character != '\t')
}

/// Base64 of exactly so many bytes.
fn exactly(text: &str, length: usize) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok().filter(|bytes| bytes.len() == length)
}

#[cfg(test)]
mod tests;
