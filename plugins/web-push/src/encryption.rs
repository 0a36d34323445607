//! A push that only one browser can read: RFC 8291 over RFC 8188 (`aes128gcm`), in one record.

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hkdf::Hkdf;
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use patchbay_plugin::{Failure, crypto};
use sha2::Sha256;

/// Base64url without padding, which is read with padding, too.
pub(crate) const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes of a record, which is also the most that every push service takes.
const RECORD: u32 = 4096;
const SALT: usize = 16;
const TAG: usize = 16;
/// Bytes of an uncompressed point.
const POINT: usize = 65;
/// Bytes of a secret that both ends know.
const AUTH: usize = 16;
/// Salt, record size, length of the key's name, the key.
const HEADER: usize = SALT + 4 + 1 + POINT;
/// Bytes of a message: the record less its header, its tag, and the delimiter behind the text.
pub(crate) const PLAINTEXT_MAX: usize = RECORD as usize - HEADER - TAG - 1;
/// Follows the text of the last record.
const LAST: u8 = 2;

/// What a browser told of itself: `keys` of its subscription.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    public: PublicKey,
    auth: [u8; AUTH],
}

impl Receiver {
    /// # Errors
    /// Which of the two is wrong, and why.
    pub(crate) fn parse(p256dh: &str, auth: &str) -> Result<Self, (&'static str, &'static str)> {
        Ok(Self {
            public: parse_point(&decode(p256dh).map_err(|why| ("p256dh", why))?).map_err(|why| ("p256dh", why))?,
            auth: decode(auth).map_err(|why| ("auth", why))?.try_into().map_err(|_| ("auth", "isn't 16 bytes"))?,
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    BASE64URL.decode(text).map_err(|_| "isn't base64url")
}

/// An uncompressed point of the curve P-256.
pub(crate) fn parse_point(bytes: &[u8]) -> Result<PublicKey, &'static str> {
    if bytes.len() != POINT {
        return Err("isn't 65 bytes");
    }
    PublicKey::from_sec1_bytes(bytes).map_err(|_| "is no point of the curve P-256")
}

/// A key and a salt that are used once.
pub(crate) struct Once {
    key: SecretKey,
    salt: [u8; SALT],
}

impl Once {
    pub(crate) fn draw() -> Result<Self, Failure> {
        let short = || Failure::fault("random", "the gateway gave fewer random bytes than were asked for");
        let salt = crypto::random(16).try_into().map_err(|_| short())?;
        // One in four billion draws is no key: a number over the curve's order.
        let key = (0..4).find_map(|_| SecretKey::from_slice(&crypto::random(32)).ok()).ok_or_else(short)?;
        Ok(Self { key, salt })
    }
}

/// The body of a push.
///
/// # Errors
/// It is longer than [`PLAINTEXT_MAX`].
pub(crate) fn encrypt(receiver: &Receiver, once: &Once, plaintext: &[u8]) -> Result<Vec<u8>, Failure> {
    let ours = once.key.public_key().to_sec1_point(false);
    let theirs = receiver.public.to_sec1_point(false);
    let shared = diffie_hellman(once.key.to_nonzero_scalar(), receiver.public.as_affine());
    let info = [b"WebPush: info\0", theirs.as_bytes(), ours.as_bytes()].concat();
    let key: [u8; 32] = derive(&receiver.auth, shared.raw_secret_bytes(), &info)?;
    seal(&once.salt, &key, ours.as_bytes(), plaintext)
}

/// RFC 8188 with one record: `key_name` tells the reader which key it is.
fn seal(salt: &[u8; SALT], key: &[u8], key_name: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Failure> {
    if plaintext.len() > PLAINTEXT_MAX {
        return Err(Failure::rejected("payload_too_large", format!("{} bytes, and {PLAINTEXT_MAX} fit into a push", plaintext.len())));
    }
    let name_length = u8::try_from(key_name.len()).map_err(|_| broken("a key's name of more than 255 bytes"))?;
    let content_key: [u8; 16] = derive(salt, key, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; 12] = derive(salt, key, b"Content-Encoding: nonce\0")?;
    let text = [plaintext, &[LAST]].concat();
    let cipher = Aes128Gcm::new(&content_key.into());
    let sealed = cipher.encrypt(&Nonce::from(nonce), text.as_slice()).map_err(|_| broken("the text is too long for the cipher"))?;
    Ok([salt.as_slice(), &RECORD.to_be_bytes(), &[name_length], key_name, &sealed].concat())
}

/// HKDF with SHA-256.
fn derive<const LENGTH: usize>(salt: &[u8], key: &[u8], info: &[u8]) -> Result<[u8; LENGTH], Failure> {
    let mut derived = [0; LENGTH];
    Hkdf::<Sha256>::new(Some(salt), key).expand(info, &mut derived).map_err(|_| broken("more bytes than HKDF has"))?;
    Ok(derived)
}

fn broken(words: &str) -> Failure {
    Failure::fault("encryption", words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64URL.decode(text).unwrap()
    }

    const UA_PUBLIC: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH_SECRET: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn the_example_of_rfc_8291_comes_out_byte_for_byte() {
        let receiver = Receiver::parse(UA_PUBLIC, AUTH_SECRET).unwrap();
        let key = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let once = Once { key, salt: bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap() };
        let body = encrypt(&receiver, &once, b"When I grow up, I want to be a watermelon").unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A\
                        _yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(BASE64URL.encode(body), expected);
    }

    #[test]
    fn the_first_example_of_rfc_8188_comes_out_byte_for_byte() {
        let salt = bytes("I1BsxtFttlv3u_Oo94xnmw").try_into().unwrap();
        let body = seal(&salt, &bytes("yqdlZ-tYemfogSmv7Ws5PQ"), b"", b"I am the walrus").unwrap();
        assert_eq!(BASE64URL.encode(body), "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");
    }

    #[test]
    fn the_largest_message_fills_what_a_push_service_takes() {
        let (receiver, once) = (Receiver::parse(UA_PUBLIC, AUTH_SECRET).unwrap(), Once::draw().unwrap());
        assert_eq!(PLAINTEXT_MAX, 3993);
        assert_eq!(encrypt(&receiver, &once, &[b'x'; 3993]).unwrap().len(), 4096);
        assert!(matches!(encrypt(&receiver, &once, &[b'x'; 3994]), Err(Failure::Rejected(_))));
    }

    #[test]
    fn no_two_pushes_are_alike() {
        let receiver = Receiver::parse(UA_PUBLIC, AUTH_SECRET).unwrap();
        let body = || encrypt(&receiver, &Once::draw().unwrap(), b"hello").unwrap();
        let (first, second) = (body(), body());
        assert_ne!(first[..SALT], second[..SALT], "salts");
        assert_ne!(first[21..86], second[21..86], "keys");
        assert_ne!(first[86..], second[86..]);
    }

    #[test]
    fn keys_that_no_browser_makes_are_named() {
        let problem = |p256dh: &str, auth: &str| Receiver::parse(p256dh, auth).map(|_| ()).unwrap_err();
        let off = |change: fn(&mut Vec<u8>)| {
            let mut point = bytes(UA_PUBLIC);
            change(&mut point);
            BASE64URL.encode(point)
        };
        assert_eq!(problem("not base64!", AUTH_SECRET), ("p256dh", "isn't base64url"));
        assert_eq!(problem(&off(|point| point.truncate(64)), AUTH_SECRET), ("p256dh", "isn't 65 bytes"));
        assert_eq!(problem(&off(|point| point[64] ^= 1), AUTH_SECRET), ("p256dh", "is no point of the curve P-256"));
        assert_eq!(problem(&off(|point| point[0] = 6), AUTH_SECRET), ("p256dh", "is no point of the curve P-256"));
        assert_eq!(problem(UA_PUBLIC, "AAAA"), ("auth", "isn't 16 bytes"));
        assert!(Receiver::parse(&format!("{UA_PUBLIC}="), &format!("{AUTH_SECRET}==")).is_ok(), "padding is read");
    }
}
