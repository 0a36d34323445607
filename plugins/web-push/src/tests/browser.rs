//! The other end: the browser of RFC 8291's example, which reads what was encrypted for it.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use base64::Engine as _;
use hkdf::Hkdf;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use patchbay_plugin::testing::{Recorded, RecordedBody};
use serde_json::Value;
use sha2::Sha256;

use crate::encryption::BASE64URL;

pub(super) const PUBLIC: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
pub(super) const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

/// The payload of a push.
pub(super) fn read(push: &Recorded) -> Value {
    let RecordedBody::Bytes(body) = &push.body else { panic!("no bytes: {:?}", push.body) };
    let bytes = |text: &str| BASE64URL.decode(text).unwrap();
    let (salt, sender, sealed) = (&body[..16], &body[21..86], &body[86..]);
    assert_eq!(body[16..21], [0, 0, 16, 0, 65], "a record of 4096 bytes, and a key of 65");
    let own = SecretKey::from_slice(&bytes(PRIVATE)).unwrap();
    let shared = diffie_hellman(own.to_nonzero_scalar(), PublicKey::from_sec1_bytes(sender).unwrap().as_affine());
    let info = [b"WebPush: info\0", own.public_key().to_sec1_point(false).as_bytes(), sender].concat();
    let key = derive(&bytes(AUTH), shared.raw_secret_bytes(), &info, 32);
    let content_key: [u8; 16] = derive(salt, &key, b"Content-Encoding: aes128gcm\0", 16).try_into().unwrap();
    let nonce: [u8; 12] = derive(salt, &key, b"Content-Encoding: nonce\0", 12).try_into().unwrap();
    let text = Aes128Gcm::new(&content_key.into()).decrypt(&Nonce::from(nonce), sealed).unwrap();
    serde_json::from_slice(text.strip_suffix(&[2]).unwrap()).unwrap()
}

fn derive(salt: &[u8], key: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mut derived = vec![0; length];
    Hkdf::<Sha256>::new(Some(salt), key).expand(info, &mut derived).unwrap();
    derived
}
