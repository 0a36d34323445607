//! `aes128gcm` as RFC 8291 uses it: what a push service can see of a body, and what only the browser can.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::desk::random;

/// Salt, size of a record, length of the key's id.
const PREFIX_LENGTH: usize = 21;
/// An uncompressed point.
const KEY_LENGTH: usize = 65;
const TAG_LENGTH: usize = 16;

/// The parts of a body.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    salt: &'a [u8],
    key: PublicKey,
    sealed: &'a [u8],
}

/// What a push service can check without a key: one record, with the sender's public key as its key's id.
pub(crate) fn open(body: &[u8]) -> Result<Envelope<'_>, String> {
    let (prefix, rest) = body.split_at_checked(PREFIX_LENGTH).ok_or("the body is shorter than an aes128gcm header")?;
    let (salt, numbers) = prefix.split_at_checked(16).ok_or("no salt")?;
    let [a, b, c, d, key_length] = numbers else { return Err("no record size".into()) };
    let record = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
    if record < TAG_LENGTH + 2 {
        return Err(format!("records of {record} bytes can't hold anything"));
    }
    if usize::from(*key_length) != KEY_LENGTH {
        return Err(format!("the key id has {key_length} bytes and isn't a public key"));
    }
    let (key, sealed) = rest.split_at_checked(KEY_LENGTH).ok_or("the body ends in the public key")?;
    let key = PublicKey::from_sec1_bytes(key).map_err(|_| "the public key is no point of P-256")?;
    if sealed.len() < TAG_LENGTH + 1 {
        return Err("there is no record".into());
    }
    if sealed.len() > record {
        return Err(format!("there are {} bytes in records of {record}: a push has one record", sealed.len()));
    }
    Ok(Envelope { salt, key, sealed })
}

/// What the browser reads. `private_key` and `auth` are base64url.
///
/// # Errors
/// Says what is wrong with the body or the keys.
pub fn decrypt(private_key: &str, auth: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let envelope = open(body)?;
    let private = secret(private_key)?;
    let auth = URL_SAFE_NO_PAD.decode(auth).map_err(|_| "auth isn't base64url")?;
    let shared = diffie_hellman(private.to_nonzero_scalar(), envelope.key.as_affine());
    let info = [b"WebPush: info\0".as_slice(), &point(&private.public_key()), &point(&envelope.key)];
    let input = expand::<32>(&Salt::new(HKDF_SHA256, &auth).extract(shared.raw_secret_bytes()), &info)?;
    let prk = Salt::new(HKDF_SHA256, envelope.salt).extract(&input);
    let key = expand::<16>(&prk, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce = expand::<NONCE_LEN>(&prk, &[b"Content-Encoding: nonce\0"])?;
    let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| "no key for AES")?;
    let mut sealed = envelope.sealed.to_vec();
    let plain = LessSafeKey::new(key)
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .map_err(|_| "it was sealed for somebody else, or changed")?;
    // The last record ends with 2 and zeros.
    let end = plain.iter().rposition(|byte| *byte != 0).ok_or("there is nothing but padding")?;
    match plain.split_at_checked(end) {
        Some((plain, [2, ..])) => Ok(plain.to_vec()),
        _ => Err("the record doesn't end with the delimiter of a last one".into()),
    }
}

/// 32 bytes, base64url.
pub(crate) fn make_private_key() -> String {
    // One in 2³² is no private key; then it is drawn again.
    let key = std::iter::repeat_with(random::<32>).find(|bytes| SecretKey::from_slice(bytes).is_ok());
    URL_SAFE_NO_PAD.encode(key.unwrap_or_default())
}

/// The public key of a private one, both base64url.
pub(crate) fn public_key(private_key: &str) -> Result<String, String> {
    Ok(URL_SAFE_NO_PAD.encode(point(&secret(private_key)?.public_key())))
}

fn secret(private_key: &str) -> Result<SecretKey, String> {
    let bytes = URL_SAFE_NO_PAD.decode(private_key).map_err(|_| "the private key isn't base64url")?;
    SecretKey::from_slice(&bytes).map_err(|_| "the private key isn't 32 bytes of P-256".into())
}

fn point(key: &PublicKey) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes().to_vec()
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const LENGTH: usize>(prk: &Prk, info: &[&[u8]]) -> Result<[u8; LENGTH], String> {
    let mut bytes = [0; LENGTH];
    let filled = prk.expand(info, Length(LENGTH)).and_then(|okm| okm.fill(&mut bytes));
    filled.map(|()| bytes).map_err(|_| "HKDF has no such length".into())
}
