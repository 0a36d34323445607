//! In a native build the gateway is the world of the thread's [`Provider`](crate::testing::Provider).

use std::cell::{Cell, RefCell};

use ring::{digest as hashing, hmac as keyed, rand, signature};

use crate::bindings::plugin::patchbay::channel::{crypto, kv, log, mail};
use crate::failure::Failure;
use crate::http::{Problem, RawResponse, Request};
use crate::mail::Folder;
use crate::testing::world;

pub(crate) fn log(level: log::Level, message: &str, fields: &[(&str, &str)]) {
    world::with(|world| world.log(level, message, fields));
}

pub(crate) fn kv_get(key: &str) -> Option<kv::Entry> {
    world::with(|world| world.kv.get(key).cloned())
}

pub(crate) fn kv_set(key: &str, value: &[u8], _ttl_s: Option<u32>, expected: Option<u32>) -> Result<u32, kv::Problem> {
    world::with(|world| {
        let standing = world.kv.get(key).map_or(0, |entry| entry.version);
        if expected.is_some_and(|expected| expected != standing) {
            return Err(kv::Problem::Conflict(standing));
        }
        world.kv.insert(key.to_owned(), kv::Entry { value: value.to_vec(), version: standing + 1 });
        Ok(standing + 1)
    })
}

pub(crate) fn kv_delete(key: &str) {
    world::with(|world| world.kv.remove(key));
}

pub(crate) fn http(request: Request) -> Result<RawResponse, Problem> {
    world::with(|world| world.http(request))
}

pub(crate) fn digest(algorithm: crypto::HashAlgorithm, data: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        crypto::HashAlgorithm::Sha1 => &hashing::SHA1_FOR_LEGACY_USE_ONLY,
        crypto::HashAlgorithm::Sha256 => &hashing::SHA256,
        crypto::HashAlgorithm::Sha512 => &hashing::SHA512,
    };
    hashing::digest(algorithm, data).as_ref().to_vec()
}

pub(crate) fn has_secret(secret: &str) -> bool {
    known(secret).is_ok()
}

pub(crate) fn hmac(secret: &str, algorithm: crypto::HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, crypto::Problem> {
    let algorithm = match algorithm {
        crypto::HashAlgorithm::Sha1 => keyed::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        crypto::HashAlgorithm::Sha256 => keyed::HMAC_SHA256,
        crypto::HashAlgorithm::Sha512 => keyed::HMAC_SHA512,
    };
    Ok(keyed::sign(&keyed::Key::new(algorithm, &known(secret)?), data).as_ref().to_vec())
}

/// The secret is a PKCS #8 document.
pub(crate) fn sign(secret: &str, algorithm: crypto::SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, crypto::Problem> {
    let key = known(secret)?;
    let wrong = |words: &dyn ToString| crypto::Problem::WrongKey(words.to_string());
    let chance = rand::SystemRandom::new();
    match algorithm {
        crypto::SignAlgorithm::Es256 => {
            let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &key, &chance);
            let pair = pair.map_err(|rejected| wrong(&rejected))?;
            pair.sign(&chance, data).map(|made| made.as_ref().to_vec()).map_err(|failed| wrong(&failed))
        }
        crypto::SignAlgorithm::Rs256 => {
            let pair = signature::RsaKeyPair::from_pkcs8(&key).map_err(|rejected| wrong(&rejected))?;
            let mut made = vec![0; pair.public().modulus_len()];
            pair.sign(&signature::RSA_PKCS1_SHA256, &chance, data, &mut made).map_err(|failed| wrong(&failed))?;
            Ok(made)
        }
    }
}

pub(crate) fn public_key(secret: &str) -> Result<Vec<u8>, crypto::Problem> {
    use signature::KeyPair as _;
    let key = known(secret)?;
    let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &key, &rand::SystemRandom::new());
    pair.map(|pair| pair.public_key().as_ref().to_vec()).map_err(|rejected| crypto::Problem::WrongKey(rejected.to_string()))
}

pub(crate) fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    a == b
}

pub(crate) fn random(length: u32) -> Vec<u8> {
    use rand::SecureRandom as _;
    let mut bytes = vec![0; length.min(1024) as usize];
    // The system always has some; a test without any would say so by its zeroes.
    let _ = rand::SystemRandom::new().fill(&mut bytes);
    bytes
}

pub(crate) fn mail_submit(target: &str, envelope: &mail::Envelope, letter: &[mail::Stretch]) -> Result<mail::Submitted, Failure> {
    world::with(|world| world.submit(target, envelope, letter))
}

pub(crate) fn mail_fetch(target: &str, query: &mail::Query) -> Result<Folder, Failure> {
    world::with(|world| world.fetch(target, query))
}

pub(crate) fn mail_mark_seen(target: &str, folder: &str, validity: u32, uids: &[u32]) -> Result<(), Failure> {
    world::with(|world| world.mark_seen(target, folder, validity, uids))
}

pub(crate) fn mail_probe(target: &str) -> Result<mail::Probed, Failure> {
    world::with(|world| world.probe(target))
}

fn known(secret: &str) -> Result<Vec<u8>, crypto::Problem> {
    world::with(|world| world.secrets.get(secret).cloned()).ok_or_else(|| crypto::Problem::UnknownSecret(secret.to_owned()))
}

thread_local! {
    static BLOBS: Cell<u32> = const { Cell::new(0) };
}

/// `blob-1`, `blob-2`, … in the order in which a test's thread makes them.
fn next_reference() -> String {
    BLOBS.set(BLOBS.get() + 1);
    format!("blob-{}", BLOBS.get())
}

/// The next test's blobs are numbered from the beginning.
pub(crate) fn forget_blobs() {
    BLOBS.set(0);
}

/// Bytes in memory.
#[derive(Debug)]
pub(crate) struct BlobHandle {
    reference: String,
    mime_type: String,
    bytes: RefCell<Vec<u8>>,
}

impl BlobHandle {
    pub(crate) fn new(mime_type: &str) -> Self {
        Self { reference: next_reference(), mime_type: mime_type.to_owned(), bytes: RefCell::default() }
    }

    pub(crate) fn reference(&self) -> String {
        self.reference.clone()
    }

    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.bytes.borrow().len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn mime_type(&self) -> String {
        self.mime_type.clone()
    }

    pub(crate) fn read(&self, offset: u32, max: u32) -> Result<Vec<u8>, String> {
        Ok(self.bytes.borrow().iter().skip(offset as usize).take(max as usize).copied().collect())
    }

    pub(crate) fn append(&self, chunk: &[u8]) -> Result<(), String> {
        self.bytes.borrow_mut().extend_from_slice(chunk);
        Ok(())
    }
}
