//! The shape of a webhook's body. Everything may be missing; what has another type than expected makes the whole body be read
//! piece by piece (see [`super::body`]), so nothing here needs to bear more than it says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    pub(super) entry: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// The WhatsApp Business Account (WABA); of partners' events the partner's business.
    pub(super) id: Id,
    pub(super) time: Stamp,
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) value: Update,
}

/// A change's value. Those of a business account's or a number's own events are few: they are read from the JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Update {
    pub(super) metadata: Metadata,
    pub(super) contacts: Vec<Contact>,
    pub(super) messages: Vec<Message>,
    pub(super) message_echoes: Vec<Message>,
    pub(super) statuses: Vec<Status>,
    pub(super) user_preferences: Vec<Preference>,
    pub(super) errors: Vec<Value>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) display_phone_number: Id,
    pub(super) phone_number_id: Id,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Contact {
    pub(super) profile: Profile,
    pub(super) wa_id: Id,
    pub(super) user_id: Id,
    pub(super) parent_user_id: Id,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) name: Option<String>,
    pub(super) username: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) from: Id,
    pub(super) from_user_id: Id,
    pub(super) from_parent_user_id: Id,
    /// Of an echo.
    pub(super) to: Id,
    pub(super) to_user_id: Id,
    pub(super) group_id: Id,
    pub(super) id: Id,
    pub(super) timestamp: Stamp,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) context: Option<Context>,
    pub(super) referral: Option<BTreeMap<String, Value>>,
    pub(super) errors: Vec<Value>,
    pub(super) text: Option<Text>,
    pub(super) image: Option<File>,
    pub(super) video: Option<File>,
    pub(super) audio: Option<File>,
    pub(super) document: Option<File>,
    pub(super) sticker: Option<File>,
    pub(super) location: Option<Place>,
    pub(super) contacts: Option<Vec<Value>>,
    pub(super) interactive: Option<Interactive>,
    pub(super) button: Option<Button>,
    pub(super) reaction: Option<Reaction>,
    pub(super) order: Option<Value>,
    pub(super) system: Option<System>,
    pub(super) edit: Option<Box<Edit>>,
    pub(super) revoke: Option<Revoke>,
    pub(super) unsupported: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Context {
    pub(super) id: Id,
    pub(super) forwarded: bool,
    pub(super) frequently_forwarded: bool,
    pub(super) referred_product: Option<Product>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Product {
    pub(super) catalog_id: Id,
    pub(super) product_retailer_id: Id,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    pub(super) body: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) id: Id,
    pub(super) mime_type: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) caption: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) voice: bool,
    pub(super) animated: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub(super) latitude: Degrees,
    pub(super) longitude: Degrees,
    pub(super) name: Option<String>,
    pub(super) address: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interactive {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) button_reply: Option<Reply>,
    pub(super) list_reply: Option<Reply>,
    pub(super) nfm_reply: Option<FlowReply>,
    pub(super) call_permission_reply: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) id: Id,
    pub(super) title: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FlowReply {
    pub(super) name: Option<String>,
    pub(super) body: Option<String>,
    /// JSON in a string; an object of some senders.
    pub(super) response_json: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Button {
    pub(super) payload: Id,
    pub(super) text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reaction {
    pub(super) message_id: Id,
    pub(super) emoji: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct System {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) body: Option<String>,
    pub(super) wa_id: Id,
    /// Of older versions, for `wa_id`.
    pub(super) new_wa_id: Id,
    pub(super) user_id: Id,
    pub(super) previous_user_id: Id,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Edit {
    pub(super) original_message_id: Id,
    pub(super) message: Option<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Revoke {
    pub(super) original_message_id: Id,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) id: Id,
    pub(super) status: Option<String>,
    pub(super) timestamp: Stamp,
    pub(super) recipient_id: Id,
    pub(super) recipient_user_id: Id,
    pub(super) recipient_type: Option<String>,
    pub(super) recipient_participant_id: Id,
    pub(super) biz_opaque_callback_data: Option<String>,
    pub(super) pricing: Option<Value>,
    pub(super) conversation: Option<Value>,
    pub(super) errors: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Preference {
    pub(super) wa_id: Id,
    pub(super) user_id: Id,
    pub(super) category: Option<String>,
    pub(super) value: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) timestamp: Stamp,
}

/// An identifier: text, or a number. Anything else, and what is empty, is none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Id(pub(super) Option<String>);

impl Id {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// A time in milliseconds since 1970: told in seconds or milliseconds, as a number or as text.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Stamp(pub(super) Option<f64>);

impl Stamp {
    /// Seconds of the year 5138, milliseconds of 1973.
    const SECONDS_MAX: f64 = 1e11;
    /// Milliseconds of the year 9892: beyond it is no time, and stores can't keep it.
    const MAX: f64 = 2.5e14;

    fn of(told: f64) -> Self {
        let at = if told > Self::SECONDS_MAX { told } else { told * 1000.0 };
        Self((at > 0.0 && at < Self::MAX).then(|| at.floor()))
    }
}

/// A number, or text that is one.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Degrees(pub(super) Option<f64>);

/// Reads a scalar of any type; what isn't one is left aside.
trait Scalar: Default {
    fn text(text: String) -> Self;
    fn number(number: f64, whole: Option<i128>) -> Self;
}

impl Scalar for Id {
    fn text(text: String) -> Self {
        Self(Some(text).filter(|text| !text.is_empty()))
    }

    fn number(_: f64, whole: Option<i128>) -> Self {
        Self(whole.map(|whole| whole.to_string()))
    }
}

impl Scalar for Stamp {
    fn text(text: String) -> Self {
        text.trim().parse().map_or(Self(None), Self::of)
    }

    fn number(number: f64, _: Option<i128>) -> Self {
        Self::of(number)
    }
}

impl Scalar for Degrees {
    fn text(text: String) -> Self {
        Self(text.trim().parse().ok().filter(|degrees: &f64| degrees.is_finite()))
    }

    fn number(number: f64, _: Option<i128>) -> Self {
        Self(Some(number))
    }
}

struct Any<T>(std::marker::PhantomData<T>);

#[expect(clippy::cast_precision_loss, reason = "times and degrees are exact in a double")]
impl<'de, T: Scalar> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64, Some(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64, Some(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number, None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
}

macro_rules! scalar {
    ($($name:ty),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Any(std::marker::PhantomData))
            }
        }
    )+};
}
scalar!(Id, Stamp, Degrees);
