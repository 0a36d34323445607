//! Master keys and what they wrap.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::LessSafeKey;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hkdf, hmac};
use zeroize::Zeroizing;

use super::SecretError;
use super::envelope::{DataKey, FORM, KEY_LEN, cipher, context, open, seal};

/// A key that wraps data keys. Its id follows from its bytes, so nobody has to name it or can name it wrongly.
pub struct MasterKey {
    id: String,
    key: LessSafeKey,
    /// What keys for other purposes are derived from.
    root: hkdf::Prk,
}

impl MasterKey {
    /// From 32 bytes in base64, as `head -c 32 /dev/urandom | base64` makes them.
    ///
    /// # Errors
    /// Not base64, or not 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SecretError> {
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| SecretError::BadMasterKey("not base64".to_owned()))?;
        let wrong = || SecretError::BadMasterKey(format!("it has {} bytes", bytes.len()));
        if bytes.len() != KEY_LEN {
            return Err(wrong());
        }
        let hash = digest::digest(&digest::SHA256, &[b"patchbay master key id:", bytes.as_slice()].concat());
        let id = hex::encode(hash.as_ref().get(..4).unwrap_or_default());
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"patchbay derived keys").extract(bytes.as_slice());
        Ok(Self { id, key: cipher(&bytes).ok_or_else(wrong)?, root })
    }

    /// From a file of base64.
    ///
    /// # Errors
    /// The file can't be read, others than its owner may read it, or it isn't a key.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let failed = |why: String| SecretError::File { path: path.display().to_string(), why };
        let mode = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
        if mode & 0o007 != 0 {
            return Err(failed(format!("anybody may read it (mode {:o}): chmod 600", mode & 0o777)));
        }
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| failed(error.to_string()))?;
        Self::from_base64(&text).map_err(|error| failed(error.to_string()))
    }

    /// From a file, which is made (mode 0600) where there is none. True where it was made: a backup is due.
    ///
    /// # Errors
    /// As [`MasterKey::from_file`]; the folder doesn't exist or can't be written.
    pub fn from_file_or_new(path: &Path) -> Result<(Self, bool), SecretError> {
        let failed = |why: std::io::Error| SecretError::File { path: path.display().to_string(), why: why.to_string() };
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let mut bytes = Zeroizing::new([0; KEY_LEN]);
                SystemRandom::new().fill(bytes.as_mut()).map_err(|_| SecretError::NoRandomness)?;
                let text = Zeroizing::new(STANDARD.encode(*bytes) + "\n");
                // A key that isn't on the disk yet must not wrap anything that will be.
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok((Self::from_base64(&text)?, true))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok((Self::from_file(path)?, false)),
            Err(error) => Err(failed(error)),
        }
    }

    /// Eight hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A key for one purpose; it tells nothing of the master key or of another purpose's.
    fn signing_key(&self, purpose: &str) -> Result<hmac::Key, SecretError> {
        let purpose = [purpose.as_bytes()];
        let key =
            self.root.expand(&purpose, hmac::HMAC_SHA256).map_err(|_| SecretError::BadMasterKey("nothing can be derived".to_owned()))?;
        Ok(key.into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The master keys that this gateway knows. The first is current; the others open what older ones wrapped.
#[derive(Debug)]
pub struct Keyring(Vec<MasterKey>);

impl Keyring {
    #[cfg(test)]
    pub(crate) fn for_tests() -> Keyring {
        Keyring(vec![MasterKey::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap()])
    }

    /// # Errors
    /// There is none.
    pub fn new(keys: Vec<MasterKey>) -> Result<Self, SecretError> {
        if keys.is_empty() { Err(SecretError::NoMasterKey) } else { Ok(Self(keys)) }
    }

    fn current(&self) -> Result<&MasterKey, SecretError> {
        self.0.first().ok_or(SecretError::NoMasterKey)
    }

    /// The id that [`Keyring::wrapped_by`] tells of rows that need no re-wrapping.
    ///
    /// # Errors
    /// None of a keyring made by [`Keyring::new`].
    pub fn current_id(&self) -> Result<&str, SecretError> {
        self.current().map(MasterKey::id)
    }

    /// Keys that sign for one purpose, derived from the master keys: the first signs, the others still check what they signed.
    ///
    /// # Errors
    /// Nothing can be derived: not with a key of the right length.
    pub fn signing_keys(&self, purpose: &str) -> Result<Vec<hmac::Key>, SecretError> {
        self.0.iter().map(|key| key.signing_key(purpose)).collect()
    }

    /// Makes an owner's data key: the bytes to store, and the key to seal with.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub fn new_data_key(&self, owner: &str) -> Result<(Vec<u8>, DataKey), SecretError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_| SecretError::NoRandomness)?;
        let wrapped = self.wrap(owner, key.as_slice())?;
        let data_key = DataKey::new(owner, key.as_slice()).ok_or_else(|| SecretError::UnknownForm(described(owner)))?;
        Ok((wrapped, data_key))
    }

    /// Opens an owner's data key.
    ///
    /// # Errors
    /// Another owner's, changed, or wrapped by a master key that isn't known: which.
    pub fn open_data_key(&self, owner: &str, wrapped: &[u8]) -> Result<DataKey, SecretError> {
        let key = self.unwrap(owner, wrapped)?;
        DataKey::new(owner, &key).ok_or_else(|| SecretError::UnknownForm(described(owner)))
    }

    /// The same data key wrapped by the current master key; none where it is already.
    ///
    /// # Errors
    /// As [`Keyring::open_data_key`].
    pub fn rewrap(&self, owner: &str, wrapped: &[u8]) -> Result<Option<Vec<u8>>, SecretError> {
        if Self::wrapped_by(wrapped) == Some(self.current_id()?) {
            return Ok(None);
        }
        let key = self.unwrap(owner, wrapped)?;
        self.wrap(owner, &key).map(Some)
    }

    /// The id of the master key that wraps a data key.
    pub fn wrapped_by(wrapped: &[u8]) -> Option<&str> {
        split(wrapped).map(|(id, _)| id)
    }

    fn wrap(&self, owner: &str, key: &[u8]) -> Result<Vec<u8>, SecretError> {
        let master = self.current()?;
        let sealed = seal(&master.key, &context(&["data key", owner, &master.id]), key)?;
        Ok([&[FORM], master.id.as_bytes(), &sealed].concat())
    }

    fn unwrap(&self, owner: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let (id, sealed) = split(wrapped).ok_or_else(|| SecretError::UnknownForm(described(owner)))?;
        let master = self.0.iter().find(|key| key.id == id).ok_or_else(|| SecretError::UnknownKey(id.to_owned()))?;
        open(&master.key, &context(&["data key", owner, id]), sealed, || described(owner))
    }
}

fn described(owner: &str) -> String {
    format!("the data key of {owner}")
}

/// A wrapped data key is its form, the master key's id (eight characters), and what that key sealed.
fn split(wrapped: &[u8]) -> Option<(&str, &[u8])> {
    let (&FORM, rest) = wrapped.split_first()? else { return None };
    let (id, sealed) = rest.split_first_chunk::<8>()?;
    std::str::from_utf8(id).ok().map(|id| (id, sealed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_base64(&STANDARD.encode([byte; KEY_LEN])).unwrap()
    }

    fn keyring(bytes: &[u8]) -> Keyring {
        Keyring::new(bytes.iter().copied().map(master).collect()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_name_alone() {
        let keyring = keyring(&[1]);
        let (wrapped, key) = keyring.new_data_key("account-a").unwrap();
        let sealed = key.seal("bot_token", &Secret::from("123:abc")).unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"123:abc"));
        let opened = keyring.open_data_key("account-a", &wrapped).unwrap();
        assert_eq!(opened.open("bot_token", &sealed).unwrap().expose(), "123:abc");
        assert!(matches!(opened.open("webhook_secret", &sealed), Err(SecretError::DoesNotOpen(_))));
        assert!(matches!(keyring.open_data_key("account-b", &wrapped), Err(SecretError::DoesNotOpen(_))));
    }

    #[test]
    fn the_owner_is_bound_even_where_the_data_key_is_shared() {
        let bytes = [7; KEY_LEN];
        let (a, b) = (DataKey::new("a", &bytes).unwrap(), DataKey::new("b", &bytes).unwrap());
        let sealed = a.seal("token", &Secret::from("value")).unwrap();
        assert!(b.open("token", &sealed).is_err());
        assert!(a.open("token", &sealed).is_ok());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let (_, key) = keyring(&[1]).new_data_key("a").unwrap();
        let sealed = key.seal("token", &Secret::from("value")).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("token", &changed).is_err(), "byte {at}");
            assert!(key.open("token", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, key.seal("token", &Secret::from("value")).unwrap(), "no nonce is used twice");
    }

    #[test]
    fn a_rotation_rewraps_and_the_secrets_stay_as_they_are() {
        let (wrapped, key) = keyring(&[1]).new_data_key("a").unwrap();
        let sealed = key.seal("token", &Secret::from("value")).unwrap();
        let rotating = keyring(&[2, 1]);
        let rewrapped = rotating.rewrap("a", &wrapped).unwrap().unwrap();
        assert_eq!(Keyring::wrapped_by(&rewrapped), Some(master(2).id()));
        assert_eq!(rotating.rewrap("a", &rewrapped), Ok(None));
        let after = keyring(&[2]);
        assert_eq!(after.open_data_key("a", &rewrapped).unwrap().open("token", &sealed).unwrap().expose(), "value");
        let refused = after.open_data_key("a", &wrapped).err().unwrap();
        assert!(refused.to_string().contains(master(1).id()), "{refused}");
    }

    #[test]
    fn each_purpose_and_each_master_key_has_a_signing_key_of_its_own() {
        let sign = |bytes: &[u8], purpose: &str| {
            let keys = keyring(bytes).signing_keys(purpose).unwrap();
            keys.iter().map(|key| hmac::sign(key, b"text").as_ref().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(sign(&[2, 1], "urls"), [sign(&[2], "urls"), sign(&[1], "urls")].concat());
        assert_ne!(sign(&[1], "urls"), sign(&[2], "urls"));
        assert_ne!(sign(&[1], "urls"), sign(&[1], "cookies"));
    }

    #[test]
    fn a_master_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let (made, new) = MasterKey::from_file_or_new(&path).unwrap();
        assert!(new);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (read, new) = MasterKey::from_file_or_new(&path).unwrap();
        assert!(!new);
        assert_eq!(made.id(), read.id());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(MasterKey::from_file(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_master_key_is_32_bytes_and_is_not_printed() {
        assert!(MasterKey::from_base64("c2hvcnQ=").unwrap_err().to_string().contains("it has 5 bytes"));
        assert!(MasterKey::from_base64("!").is_err());
        assert_eq!(format!("{:?}", master(1)), format!("MasterKey({})", master(1).id()));
        assert!(Keyring::new(Vec::new()).is_err());
    }
}
