//! Private keys of P-256: made, and taken in the forms that people have them in. What is kept is PKCS#8 in base64.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use p256::{
    SecretKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use zeroize::Zeroizing;

use crate::secrets::{Secret, SecretError};

/// What a person is told whose text is no such key.
pub(crate) const FORMS: &str =
    "must be a private key of P-256: PEM (BEGIN PRIVATE KEY or BEGIN EC PRIVATE KEY), or its 32 bytes in base64url (43 characters)";

const SEC1: &str = "-----BEGIN EC PRIVATE KEY-----";

/// A new key.
///
/// # Errors
/// The machine gives no random numbers.
pub(crate) fn generate() -> Result<Secret, SecretError> {
    let key =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(|_| SecretError::NoRandomness)?;
    Ok(Secret::new(STANDARD.encode(key.as_ref())))
}

/// The key that somebody typed in, as it is kept. None where it is none.
pub(crate) fn import(text: &str) -> Option<Secret> {
    let text = text.trim();
    let key = if text.contains(SEC1) {
        // Tools put the curve's parameters before it.
        SecretKey::from_sec1_pem(text.get(text.find(SEC1)?..)?).ok()?
    } else if text.contains("-----BEGIN") {
        SecretKey::from_pkcs8_pem(text).ok()?
    } else {
        by_bytes(text)?
    };
    let document = key.to_pkcs8_der().ok()?;
    Some(Secret::new(STANDARD.encode(document.as_bytes())))
}

/// The bare number, or a PKCS#8 document, in either base64.
fn by_bytes(text: &str) -> Option<SecretKey> {
    let plain: Zeroizing<String> =
        Zeroizing::new(text.trim_end_matches('=').chars().filter(|c| !c.is_whitespace()).map(url_safe).collect());
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(plain.as_bytes()).ok()?);
    match bytes.len() {
        32 => SecretKey::from_slice(&bytes).ok(),
        _ => SecretKey::from_pkcs8_der(&bytes).ok(),
    }
}

fn url_safe(c: char) -> char {
    match c {
        '+' => '-',
        '/' => '_',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use patchbay_sandbox::services::{CryptoProblem, SignAlgorithm};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::plugins::crypto;

    // One key in all its forms, as OpenSSL writes them.
    const NUMBER: &str = "b5N-8R4vHpeWxSUOavfFvdB7aEuMLFQyprAX29OZLHA";
    const PUBLIC: &str = "BCht8gDVv3kCCzShTZky2jBLvgoDJWS2izSISThCxYjcHLkfyJMrpbhCenaJ7O0YvDwctUqwhwEN2DXuFtxP4Fw";
    const SEC1_BODY: &str = "MHcCAQEEIG+TfvEeLx6XlsUlDmr3xb3Qe2hLjCxUMqawF9vTmSxwoAoGCCqGSM49\n\
        AwEHoUQDQgAEKG3yANW/eQILNKFNmTLaMEu+CgMlZLaLNIhJOELFiNwcuR/Ikyul\n\
        uEJ6dons7Ri8PBy1SrCHAQ3YNe4W3E/gXA==";
    const PKCS8_BODY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgb5N+8R4vHpeWxSUO\n\
        avfFvdB7aEuMLFQyprAX29OZLHChRANCAAQobfIA1b95Ags0oU2ZMtowS74KAyVk\n\
        tos0iEk4QsWI3By5H8iTK6W4Qnp2ieztGLw8HLVKsIcBDdg17hbcT+Bc";
    const P384_BODY: &str = "MIGkAgEBBDCWDEZhyOKkIO6abi0GEK4YHoJFVVwmUb3FEBo79Log/svjM3rTJpkQ\n\
        ExyoN8saaTCgBwYFK4EEACKhZANiAAT6rm7MbxHNr6/BbkK6y6p0ao46mmo47QJC\n\
        lROzMFHtL98m5bihYrDSg6mTkyQPVypJO1+OFpctmV3MPsWGc23P+IrQpC1e6tdI\n\
        WoWXbra43OaF2EN0YQO0ojOQstiz/Eo=";

    fn pem(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn public_key(secret: Secret) -> Result<String, CryptoProblem> {
        crypto::public_key(&BTreeMap::from([("key".to_owned(), secret)]), "key").map(|key| URL_SAFE_NO_PAD.encode(key))
    }

    #[test]
    fn a_key_is_taken_in_every_form_that_people_have_it_in() {
        let parameters = pem("EC PARAMETERS", "BggqhkjOPQMBBw==");
        for form in [
            NUMBER.to_owned(),
            format!("  {NUMBER}=\n"),
            NUMBER.replace('-', "+"),
            pem("EC PRIVATE KEY", SEC1_BODY),
            parameters + &pem("EC PRIVATE KEY", SEC1_BODY),
            pem("PRIVATE KEY", PKCS8_BODY),
            PKCS8_BODY.to_owned(),
        ] {
            let key = import(&form).unwrap_or_else(|| panic!("{form}"));
            assert_eq!(public_key(key).unwrap(), PUBLIC, "{form}");
        }
    }

    #[test]
    fn what_is_no_such_key_is_refused() {
        let (zero, order) = ("A".repeat(43), "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
        for form in ["", "x", &NUMBER[1..], &zero, order, PUBLIC, &pem("EC PRIVATE KEY", P384_BODY), &pem("PRIVATE KEY", "AAAA")] {
            assert!(import(form).is_none(), "{form}");
        }
    }

    #[test]
    fn what_was_made_or_taken_signs() {
        for key in [generate().unwrap(), import(NUMBER).unwrap()] {
            let secrets = BTreeMap::from([("key".to_owned(), key)]);
            let signature = crypto::sign(&secrets, "key", SignAlgorithm::Es256, b"said").unwrap();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, crypto::public_key(&secrets, "key").unwrap());
            assert!(signature.len() == 64 && public.verify(b"said", &signature).is_ok());
            assert!(public.verify(b"said otherwise", &signature).is_err());
        }
        assert_ne!(public_key(generate().unwrap()), public_key(generate().unwrap()));
    }
}
