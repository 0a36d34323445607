//! Signing secrets: made, sealed, and what they sign. <https://www.standardwebhooks.com>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use zeroize::Zeroizing;

use crate::{
    clock::At,
    domain::endpoint::SealedKeys,
    ids::Ids,
    secrets::{Keyring, Secret, SecretError},
};

const PREFIX: &str = "whsec_";
/// Random bytes of a secret.
const LENGTH: usize = 32;
/// The names that secrets are sealed under.
const CURRENT: &str = "signing";
const PREVIOUS: &str = "signing-previous";

fn new_secret(ids: &Ids) -> Secret {
    let bytes = Zeroizing::new(ids.bytes::<LENGTH>());
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(*bytes)))
}

/// A secret for a new endpoint, in the clear for its owner and sealed to be kept.
pub(super) fn make(keyring: &Keyring, ids: &Ids, endpoint_id: &str) -> Result<(Secret, SealedKeys), SecretError> {
    let (data_key, key) = keyring.new_data_key(endpoint_id)?;
    let secret = new_secret(ids);
    let sealed = key.seal(CURRENT, &secret)?;
    Ok((secret, SealedKeys { data_key, secret: sealed, previous: None }))
}

/// A new secret in the place of the old one, which signs along until `until`.
pub(super) fn replace(
    keyring: &Keyring,
    ids: &Ids,
    endpoint_id: &str,
    sealed: &SealedKeys,
    until: At,
) -> Result<(Secret, SealedKeys), SecretError> {
    let key = keyring.open_data_key(endpoint_id, &sealed.data_key)?;
    let old = key.open(CURRENT, &sealed.secret)?;
    let secret = new_secret(ids);
    let keys = SealedKeys {
        data_key: sealed.data_key.clone(),
        secret: key.seal(CURRENT, &secret)?,
        previous: Some((key.seal(PREVIOUS, &old)?, until)),
    };
    Ok((secret, keys))
}

/// The keys that sign now.
pub(super) struct Signer(Vec<hmac::Key>);

impl Signer {
    pub(super) fn open(keyring: &Keyring, endpoint_id: &str, sealed: &SealedKeys, now: At) -> Result<Signer, SecretError> {
        let key = keyring.open_data_key(endpoint_id, &sealed.data_key)?;
        let mut secrets = vec![key.open(CURRENT, &sealed.secret)?];
        if let Some((previous, until)) = &sealed.previous
            && *until > now
        {
            secrets.push(key.open(PREVIOUS, previous)?);
        }
        secrets.iter().map(signing_key).collect::<Result<_, _>>().map(Signer)
    }

    /// The header `webhook-signature`: one signature for each key, with a space between.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures: Vec<String> = self.0.iter().map(|key| signature(key, id, timestamp, body)).collect();
        signatures.join(" ")
    }
}

fn signing_key(secret: &Secret) -> Result<hmac::Key, SecretError> {
    let unknown = || SecretError::UnknownForm("a signing secret".to_owned());
    let text = secret.expose().strip_prefix(PREFIX).ok_or_else(unknown)?;
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| unknown())?);
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(key: &hmac::Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut signing = hmac::Context::with_key(key);
    signing.update(format!("{id}.{timestamp}.").as_bytes());
    signing.update(body);
    format!("v1,{}", STANDARD.encode(signing.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::MasterKey;

    fn keyring() -> Keyring {
        Keyring::new(vec![MasterKey::from_base64(&STANDARD.encode([7; 32])).unwrap()]).unwrap()
    }

    /// The example that the specification's own libraries test with.
    #[test]
    fn a_published_signature_is_right() {
        let key = signing_key(&Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_old_secret_signs_along_until_its_time_is_over() {
        let (keyring, ids, at) = (keyring(), Ids::default(), At::from_micros);
        let (first, sealed) = make(&keyring, &ids, "e").unwrap();
        let (second, sealed) = replace(&keyring, &ids, "e", &sealed, at(100)).unwrap();
        assert_ne!(first.expose(), second.expose());
        let alone = |secret: &Secret| signature(&signing_key(secret).unwrap(), "id", 1, b"body");
        let during = Signer::open(&keyring, "e", &sealed, at(99)).unwrap().sign("id", 1, b"body");
        assert_eq!(during, format!("{} {}", alone(&second), alone(&first)));
        assert_eq!(Signer::open(&keyring, "e", &sealed, at(100)).unwrap().sign("id", 1, b"body"), alone(&second));
        assert!(Signer::open(&keyring, "another", &sealed, at(0)).is_err());
    }
}
