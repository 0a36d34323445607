//! What a push has to be like to be taken.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::answer::Refused;
use super::envelope;
use super::service::{Service, origin};
use super::subscriptions::Subscription;
use super::vapid;

/// The longest time that services keep a push: four weeks.
const TTL_MAX: u32 = 2_419_200;
const TOPIC_MAX: usize = 32;
/// What every service has to take, and most don't exceed.
pub(crate) const BODY_MAX: usize = 4096;

/// A push that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Received {
    /// Counts from 1.
    pub number: u64,
    /// The end of the endpoint.
    pub subscription: String,
    /// The message resource that was answered as `Location`.
    pub location: String,
    /// Seconds that it is kept for.
    pub ttl: u32,
    /// `normal` where none was said.
    pub urgency: String,
    /// What it replaces.
    pub topic: Option<String>,
    /// Who pushed: the token's `sub`.
    pub subject: String,
    /// Who pushed: the public key, base64url.
    pub key: String,
    /// As it came; base64 in JSON.
    #[serde(serialize_with = "base64")]
    pub body: Bytes,
    /// What the browser reads; none where it can't.
    pub plaintext: Option<String>,
}

fn base64<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

/// A push that may be taken, once the subscription is known to let its sender in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) ttl: u32,
    pub(crate) urgency: String,
    pub(crate) topic: Option<String>,
    pub(crate) sender: vapid::Sender,
}

/// Checks everything that is said about a push, then the push.
pub(crate) fn admit(subscription: &Subscription, host: &str, headers: &HeaderMap, body: &[u8], now_s: u64) -> Result<Admitted, Refused> {
    let sender = vapid::check(headers, &origin(host), subscription.service, now_s)?;
    if subscription.application_server_key.as_deref().is_some_and(|bound| bound != sender.key) {
        return Err(Refused::OtherKey);
    }
    let ttl = check_ttl(headers)?;
    let urgency = text(headers, "urgency", Refused::BadUrgency)?.unwrap_or("normal");
    if !["very-low", "low", "normal", "high"].contains(&urgency) {
        return Err(Refused::BadUrgency);
    }
    let topic = text(headers, "topic", Refused::BadTopic)?;
    if topic.is_some_and(|topic| topic.is_empty() || topic.len() > TOPIC_MAX || !topic.bytes().all(is_url_safe)) {
        return Err(Refused::BadTopic);
    }
    if body.len() > BODY_MAX {
        return Err(Refused::TooLarge);
    }
    if text(headers, header::CONTENT_ENCODING.as_str(), Refused::BadEncoding)? != Some("aes128gcm") {
        return Err(Refused::BadEncoding);
    }
    envelope::open(body).map_err(Refused::BadBody)?;
    Ok(Admitted { ttl, urgency: urgency.to_owned(), topic: topic.map(ToOwned::to_owned), sender })
}

fn check_ttl(headers: &HeaderMap) -> Result<u32, Refused> {
    let ttl = text(headers, "ttl", Refused::BadTtl)?.ok_or(Refused::NoTtl)?;
    // `parse` alone would take a plus sign.
    let digits = !ttl.is_empty() && ttl.bytes().all(|byte| byte.is_ascii_digit());
    ttl.parse().ok().filter(|seconds| digits && *seconds <= TTL_MAX).ok_or(Refused::BadTtl)
}

fn text<'a>(headers: &'a HeaderMap, name: &str, refused: Refused) -> Result<Option<&'a str>, Refused> {
    headers.get(name).map(|value| value.to_str().map_err(|_| refused)).transpose()
}

fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What an endpoint of that end is always refused with: 410 for `device_410`.
pub(crate) fn magic(id: &str) -> Option<u16> {
    let (_, end) = id.rsplit_once('_')?;
    end.parse().ok().filter(|status| (400..600).contains(status))
}

/// The seconds that a busy service wants to be left alone for.
pub(crate) fn retry_after(status: u16, service: Service) -> Option<u64> {
    match status {
        429 => Some(if service == Service::Apple { 5 } else { 2 }),
        503 => Some(2),
        _ => None,
    }
}
