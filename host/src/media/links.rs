//! URLs that anybody may open for a while: signed with a key that is derived from the master key.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    clock::At,
    secrets::{Keyring, SecretError},
};

const PURPOSE: &str = "media urls";

/// Why a URL isn't honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkError {
    /// It was never signed, or it was changed.
    Forged,
    Expired,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Link {
    pub url: String,
    #[serde(rename = "url_expires_at")]
    pub expires_at: At,
}

pub struct Links {
    /// The first signs, the others still check: what an older master key signed.
    keys: Vec<hmac::Key>,
    /// How clients reach the gateway, without a slash at the end.
    public_url: String,
    ttl: Duration,
}

impl Links {
    /// `ttl`: how long a link is good for, unless another time is asked for.
    ///
    /// # Errors
    /// No key can be derived.
    pub fn new(keyring: &Keyring, public_url: &str, ttl: Duration) -> Result<Links, SecretError> {
        Ok(Links { keys: keyring.signing_keys(PURPOSE)?, public_url: public_url.to_owned(), ttl })
    }

    /// A URL of the file that is good from now on for the usual time.
    pub fn sign(&self, id: &str, now: At) -> Link {
        self.sign_for(id, now, self.ttl)
    }

    /// A URL of the file that is good until `ttl` from now.
    pub fn sign_for(&self, id: &str, now: At, ttl: Duration) -> Link {
        let expires = now.plus(ttl).millis().div_euclid(1000);
        let signature = self.keys.first().map(|key| URL_SAFE_NO_PAD.encode(hmac::sign(key, &signed(id, expires))));
        let url = format!("{}/media/{id}?expires={expires}&signature={}", self.public_url, signature.unwrap_or_default());
        Link { url, expires_at: At::from_micros(expires.saturating_mul(1_000_000)) }
    }

    /// Whether the file may be handed out; answers how long still.
    ///
    /// # Errors
    /// The signature isn't ours, or its time is over.
    pub fn check(&self, id: &str, expires: &str, signature: &str, now: At) -> Result<Duration, LinkError> {
        let expires: i64 = expires.parse().map_err(|_| LinkError::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkError::Forged)?;
        let text = signed(id, expires);
        // `verify` compares in constant time.
        if !self.keys.iter().any(|key| hmac::verify(key, &text, &signature).is_ok()) {
            return Err(LinkError::Forged);
        }
        let left = At::from_micros(expires.saturating_mul(1_000_000)).since(now).filter(|left| !left.is_zero());
        left.ok_or(LinkError::Expired)
    }
}

fn signed(id: &str, expires: i64) -> Vec<u8> {
    format!("{id}\n{expires}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::MasterKey;

    fn links(keys: &[&str]) -> Links {
        let keyring = keys.iter().map(|key| MasterKey::from_base64(key).unwrap()).collect();
        Links::new(&Keyring::new(keyring).unwrap(), "https://gateway.example.com", Duration::from_secs(60)).unwrap()
    }

    fn opened(links: &Links, url: &str, now: At) -> Result<Duration, LinkError> {
        let url = url::Url::parse(url).unwrap();
        let query = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
        links.check(url.path().strip_prefix("/media/").unwrap(), &query("expires"), &query("signature"), now)
    }

    const OLD: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const NEW: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

    #[test]
    fn a_link_opens_its_file_until_its_time() {
        let links = links(&[OLD]);
        let now = At::from_micros(1_764_000_000_000_000);
        let link = links.sign("abc", now);
        assert_eq!(link.expires_at, now.plus(Duration::from_secs(60)));
        assert_eq!(opened(&links, &link.url, now), Ok(Duration::from_secs(60)));
        assert_eq!(opened(&links, &link.url, now.plus(Duration::from_secs(60))), Err(LinkError::Expired));
        for (part, other) in [("/abc", "/abd"), ("expires=1", "expires=2"), ("signature=", "signature=A"), ("signature=", "signature=%")] {
            let forged = link.url.replace(part, other);
            assert_eq!(opened(&links, &forged, now), Err(LinkError::Forged), "{forged}");
        }
    }

    #[test]
    fn a_link_outlives_a_rotation_of_the_master_key_and_no_other_key() {
        let now = At::from_micros(1_764_000_000_000_000);
        let link = links(&[OLD]).sign("abc", now);
        assert!(opened(&links(&[NEW, OLD]), &link.url, now).is_ok());
        assert_eq!(opened(&links(&[NEW]), &link.url, now), Err(LinkError::Forged));
    }
}
