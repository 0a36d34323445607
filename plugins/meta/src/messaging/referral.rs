//! Where a person came from: an ad, a link, a shop's product.

use patchbay_plugin::Field;
use patchbay_plugin::messages::Event;
use serde_json::{Map, Value};

use super::item::{Item, custom, fingerprint};

/// Name, and the place in the referral.
const FIELDS: [(&str, &str); 11] = [
    ("ref", "/ref"),
    ("source", "/source"),
    ("type", "/type"),
    ("ad_id", "/ad_id"),
    ("referer_uri", "/referer_uri"),
    ("ad_title", "/ads_context_data/ad_title"),
    ("ad_photo_url", "/ads_context_data/photo_url"),
    ("ad_video_url", "/ads_context_data/video_url"),
    ("ad_post_id", "/ads_context_data/post_id"),
    ("ad_product_id", "/ads_context_data/product_id"),
    ("product_id", "/product/id"),
];

fn told(referral: &Value) -> impl Iterator<Item = (&'static str, String)> {
    FIELDS.into_iter().filter_map(|(name, place)| Some((name, crate::json::id(referral.pointer(place)?)?)))
}

/// As extras of a message: `referral_ref`, `referral_ad_id`, …
pub(super) fn fields(referral: &Value) -> impl Iterator<Item = Field> {
    told(referral).map(|(name, value)| Field::new(format!("referral_{name}"), value))
}

/// As an event: it opens the window for answers, and says nothing. `with` names the message that it came with.
pub(super) fn event(item: &Item<'_>, referral: &Value, with: &str) -> Event {
    let mut json: Map<String, Value> = told(referral).map(|(name, value)| (name.to_owned(), value.into())).collect();
    if !with.is_empty() {
        json.insert("message".into(), with.into());
    }
    let key = if with.is_empty() {
        format!("referral:{}:{}:{}", item.person_id(), item.time_words(), fingerprint(referral))
    } else {
        format!("referral:{with}")
    };
    item.event(&key, custom("referral", &Value::Object(json)))
}
