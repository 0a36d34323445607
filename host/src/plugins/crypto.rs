//! What a plugin may have hashed and signed with the account's secrets, by `ring`. Private keys are PKCS#8 in PEM or base64.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use patchbay_sandbox::services::{CryptoProblem, HashAlgorithm, SignAlgorithm};
use ring::{
    digest, hmac,
    rand::{SecureRandom, SystemRandom},
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};

use crate::secrets::Secret;

type Secrets = BTreeMap<String, Secret>;

fn named<'a>(secrets: &'a Secrets, name: &str) -> Result<&'a Secret, CryptoProblem> {
    secrets.get(name).ok_or_else(|| CryptoProblem::UnknownSecret(name.to_owned()))
}

pub(crate) fn digest(algorithm: HashAlgorithm, data: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => &digest::SHA256,
        HashAlgorithm::Sha512 => &digest::SHA512,
    };
    digest::digest(algorithm, data).as_ref().to_vec()
}

pub(crate) fn hmac(secrets: &Secrets, name: &str, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
    let algorithm = match algorithm {
        HashAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HashAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let key = hmac::Key::new(algorithm, named(secrets, name)?.expose().as_bytes());
    Ok(hmac::sign(&key, data).as_ref().to_vec())
}

pub(crate) fn sign(secrets: &Secrets, name: &str, algorithm: SignAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoProblem> {
    let secret = named(secrets, name)?;
    let failed = |_| CryptoProblem::WrongKey(format!("{name} can't sign"));
    match algorithm {
        SignAlgorithm::Es256 => {
            ecdsa(secret, name)?.sign(&SystemRandom::new(), data).map(|signature| signature.as_ref().to_vec()).map_err(failed)
        }
        SignAlgorithm::Rs256 => {
            let key = RsaKeyPair::from_pkcs8(&pkcs8(secret, name)?)
                .map_err(|error| CryptoProblem::WrongKey(format!("{name} is no RSA key: {error}")))?;
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).map_err(failed)?;
            Ok(signature)
        }
    }
}

/// Raw public key of a signing secret.
pub(crate) fn public_key(secrets: &Secrets, name: &str) -> Result<Vec<u8>, CryptoProblem> {
    Ok(ecdsa(named(secrets, name)?, name)?.public_key().as_ref().to_vec())
}

/// Bytes that nobody can guess. A system that has none can't go on: what is made of them would be no secret.
pub(crate) fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::error!("the system has no random bytes");
        bytes.clear();
    }
    bytes
}

fn pkcs8(secret: &Secret, name: &str) -> Result<Vec<u8>, CryptoProblem> {
    let text: String = secret.expose().lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text.trim()).map_err(|_| CryptoProblem::WrongKey(format!("{name} is no PKCS#8 key in PEM or base64")))
}

fn ecdsa(secret: &Secret, name: &str) -> Result<EcdsaKeyPair, CryptoProblem> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8(secret, name)?, &SystemRandom::new())
        .map_err(|error| CryptoProblem::WrongKey(format!("{name} is no P-256 key: {error}")))
}
