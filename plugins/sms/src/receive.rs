//! What the providers tell: VictoryLink's delivery reports (GET, everything in the query; or JSON), and Appgain's envelope.

mod keywords;
mod status;

use std::collections::BTreeMap;

use patchbay_appgain::{Envelope, Json as _, query};
use patchbay_plugin::failure::Detail;
use patchbay_plugin::hooks::{self, Parsed, Reply, Webhook};
use patchbay_plugin::messages::{Custom, Event, Happening, Identity, Party, Receipt, ReceiptState, ReceiptTarget};
use patchbay_plugin::{Failure, Field};
use serde_json::{Value, json};

use crate::recipient::Recipient;
use crate::settings::{Meaning, Provider, Settings};
use keywords::Wish;

/// Bytes of an id or a status: what is longer is none.
const WORD_MAX: usize = 100;

pub(crate) fn webhook(webhook: &Webhook) -> Result<Parsed, Failure> {
    let account = webhook.account.as_ref().ok_or_else(|| Failure::invalid("", "the webhook names no account"))?;
    let settings: Settings = hooks::parse_settings(&account.settings)?;
    let query = |name: &str| {
        let field = webhook.query.iter().find(|field: &&Field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.clone())
    };
    if webhook.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(report(&settings, query(ID), query(STATUS), query("mobile")));
    }
    if let Some(form) = form(&webhook.body) {
        let field = |name: &str| form.iter().find(|(told, _)| told.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let field = |name: &str| field(name).or_else(|| query(name));
        return Ok(report(&settings, field(ID), field(STATUS), field("mobile")));
    }
    let body: Value = serde_json::from_slice(&webhook.body).map_err(|error| Failure::invalid("", format!("not JSON: {error}")))?;
    let Some(fields) = body.as_object() else {
        return Err(Failure::invalid("", "a delivery report is a JSON object"));
    };
    if fields.contains_key("event") {
        return Envelope::read(webhook).map(|envelope| event(&settings, &envelope));
    }
    let field = |name: &str| {
        let told = fields.keys().find(|told| told.eq_ignore_ascii_case(name));
        told.and_then(|told| body.id(told)).or_else(|| query(name))
    };
    Ok(report(&settings, field(ID), field(STATUS), field("mobile")))
}

/// VictoryLink's names, which it writes in several ways.
const ID: &str = "userSMSId";
const STATUS: &str = "dlrResponseStatus";

/// A report by POST as a browser would send it.
fn form(body: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).ok().filter(|text| !text.trim_start().starts_with(['{', '[', '"']))?;
    let fields: Vec<(String, String)> = query::fields(text).collect();
    fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(ID)).then_some(fields)
}

fn report(settings: &Settings, id: Option<String>, status: Option<String>, mobile: Option<String>) -> Parsed {
    let told = |word: Option<String>| word.map(|word| word.trim().to_owned()).filter(|word| (1..=WORD_MAX).contains(&word.len()));
    let (id, status) = (told(id), told(status));
    let (Some(id), Some(status)) = (&id, &status) else {
        let missing = if id.is_none() { ID } else { STATUS };
        return turned_away(&format!("a delivery report has to name {missing}"));
    };
    let id = reference(id);
    let key = format!("victorylink:{id}:{}", status.to_lowercase());
    let person = mobile.and_then(|mobile| person(settings, &mobile));
    let report = Report { key, id: &id, status, code: None, at_ms: None, person };
    Parsed::events(vec![report.event(&settings.dlr_status_map)])
}

/// An id of ours is a UUID in lower case, however it comes back.
fn reference(id: &str) -> String {
    id.trim_matches(['{', '}']).to_lowercase()
}

fn event(settings: &Settings, envelope: &Envelope) -> Parsed {
    let foreign = settings.provider == Provider::AppgainNotify && !envelope.is_of(&settings.suit_id);
    match envelope.event.as_str() {
        _ if foreign => Parsed::events(Vec::new()),
        "sms.status" => appgain_status(settings, envelope),
        "sms.inbound" => Parsed::events(wish(settings, envelope).into_iter().collect()),
        // Newer than this plugin: it changes nothing.
        _ => Parsed::events(Vec::new()),
    }
}

fn appgain_status(settings: &Settings, envelope: &Envelope) -> Parsed {
    let payload = &envelope.payload;
    let id = ["client_ref", "messageId", "message_id", "id"].iter().find_map(|name| payload.id(name));
    let status = payload.id("status").map(|status| status.trim().to_owned());
    let (id, status) = (id.filter(|id| id.len() <= WORD_MAX), status.filter(|status| status.len() <= WORD_MAX));
    let (Some(id), Some(status)) = (&id, &status) else {
        return turned_away(if id.is_none() { "sms.status has to name client_ref" } else { "sms.status has to name status" });
    };
    let person = payload.id("mobileNum").and_then(|number| person(settings, &number));
    let key = envelope.key(&status.to_lowercase());
    let report = Report { key, id, status, code: payload.id("code"), at_ms: envelope.at_ms, person };
    Parsed::events(vec![report.event(&settings.dlr_status_map)])
}

/// What became of a message, in the provider's words.
struct Report<'a> {
    key: String,
    /// The message: ours, or the provider's name for it.
    id: &'a str,
    status: &'a str,
    code: Option<String>,
    at_ms: Option<f64>,
    person: Option<Party>,
}

impl Report<'_> {
    /// A receipt, or, where nobody knows what the status means, an event that keeps it.
    fn event(self, numbers: &BTreeMap<String, Meaning>) -> Event {
        let Self { key, id, status, code, at_ms, person } = self;
        let what = match status::state(status, numbers) {
            Some(state) => Happening::Receipt(Receipt {
                conversation: None,
                target: ReceiptTarget::Messages(vec![id.to_owned()]),
                state,
                at_ms,
                failure: (state == ReceiptState::Failed).then(|| status::failure(status, code)),
            }),
            None => Happening::Custom(Custom::new("delivery_status", &json!({"message": id, "status": status, "code": code}))),
        };
        Event { at_ms, actor: person, ..Event::new(key, what) }
    }
}

/// SMS here goes one way: what people answer is read for the wish to get no more, or to get them again. Nothing else is kept.
fn wish(settings: &Settings, envelope: &Envelope) -> Option<Event> {
    let payload = &envelope.payload;
    let text = ["message", "text", "body"].iter().find_map(|name| payload.text(name))?;
    let what = match keywords::wish(text)? {
        Wish::Stop => Happening::OptedOut(Detail::new("stop", format!("the person answered {:?}", text.trim()))),
        Wish::Start => Happening::OptedIn,
    };
    let number = ["mobileNum", "from", "mobile"].iter().find_map(|name| payload.id(name))?;
    let person = person(settings, &number)?;
    Some(Event { at_ms: envelope.at_ms, actor: Some(person), ..Event::new(envelope.key("inbound"), what) })
}

/// Whose number it is; none where it is no number.
fn person(settings: &Settings, number: &str) -> Option<Party> {
    let number = Recipient::read(number, &settings.default_country).ok()?;
    Some(Party { identities: vec![Identity::new("phone", number.e164())], name: None })
}

/// What can't be a report is said to whoever sent it.
fn turned_away(why: &str) -> Parsed {
    let headers = vec![Field::new("content-type", "application/json")];
    let body = json!({"error": why}).to_string().into_bytes();
    Parsed { events: Vec::new(), reply: Some(Reply { status: 400, headers, body }) }
}
