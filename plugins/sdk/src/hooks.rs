//! What a plugin implements: five hooks, and the optional groups.

use serde::de::DeserializeOwned;

pub use crate::bindings::plugin::exports::patchbay::channel::channel::{
    Check, Connected, Connecting, OptionItem, Outcome, Pairing, Parsed, Progress, Question, Reply, Report, Step, Webhook,
};
pub use crate::bindings::plugin::patchbay::channel::types::{Account, Call};
pub use crate::bindings::polling::exports::patchbay::channel::polling::Page;
pub use crate::bindings::templates::exports::patchbay::channel::templates::{Template, TemplatePage};
use crate::blob::Blob;
use crate::failure::{Detail, Failure};
use crate::messages::{Outbound, Sent};

/// A channel type: one provider, spoken for any number of accounts. Nothing survives between calls but [`crate::kv`],
/// the state that `connect` hands back, and a conversation's reply context.
pub trait Channel {
    /// Checks settings, a JSON object that the manifest's schema has accepted, and returns them normalised. No network,
    /// no clock.
    ///
    /// # Errors
    /// [`Failure::Invalid`] names each wrong field.
    fn configure(settings: &str) -> Result<String, Failure> {
        Ok(settings.to_owned())
    }

    /// One step of the dialogue that brings an account into service, or out of it.
    ///
    /// # Errors
    /// The case says what the account becomes.
    fn connect(call: &Call, input: Connecting) -> Result<Outcome, Failure>;

    /// Sends one message or carries out one command. What was accepted counts even where a later part failed.
    fn send(call: &Call, message: Outbound) -> Sent;

    /// Every event of a webhook's body, in order: providers batch. The gateway has already checked the manifest's
    /// recipe against the raw bytes.
    ///
    /// # Errors
    /// Only for what can't be read at all: an unknown kind of event is an event (`custom`), never an error.
    fn parse_inbound(webhook: Webhook) -> Result<Parsed, Failure>;

    /// Named checks of the account at the provider. None: nothing is known against it.
    ///
    /// # Errors
    /// Where the provider could not be asked, or refuses the credential.
    fn health(call: &Call) -> Result<Report, Failure> {
        let _ = call;
        Ok(Report::checks(Vec::new()))
    }
}

/// For providers that are asked for what is new.
pub trait Polling {
    /// What is new since the cursor of the last page; none at first.
    ///
    /// # Errors
    /// The cursor stays as it was.
    fn poll(call: &Call, cursor: Option<Vec<u8>>) -> Result<Page, Failure>;
}

/// For providers whose media are fetched by their own reference.
pub trait MediaDownload {
    /// The bytes behind a provider reference that an earlier event carried.
    ///
    /// # Errors
    /// [`Failure::Rejected`] where they can never be had.
    fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure>;
}

/// For providers that keep templates, and approve them.
pub trait Templates {
    /// The templates behind the cursor; from the beginning without one.
    ///
    /// # Errors
    /// Where the provider could not be asked, or refuses the credential.
    fn list_templates(call: &Call, cursor: Option<String>) -> Result<TemplatePage, Failure>;
}

/// For providers whose messages can be judged before they are queued.
pub trait Preview {
    /// What can be told of a message beforehand, as a JSON object: how many parts it makes, which alphabet it needs, what
    /// it costs. The object is shown with the message, and by a dry run. Pure like [`Channel::configure`]: no network, no
    /// clock, no store.
    ///
    /// # Errors
    /// [`Failure::Invalid`] refuses the message and names each wrong field by its pointer, as `POST /rest/v1/messages` writes it: `/to`,
    /// `/content/0/text`.
    fn preview(account: &Account, message: &Outbound) -> Result<String, Failure>;
}

impl Report {
    /// Checks, and nothing new to show on the account.
    #[must_use]
    pub fn checks(checks: Vec<Check>) -> Self {
        Self { checks, facts: Vec::new() }
    }
}

impl Call {
    /// The account's settings.
    ///
    /// # Errors
    /// [`Failure::Invalid`] at the field that serde names, which the manifest's schema should have refused before.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse_settings(&self.account.settings)
    }
}

/// Settings as `configure` gets them.
///
/// # Errors
/// [`Failure::Invalid`] with serde's words.
pub fn parse_settings<T: DeserializeOwned>(settings: &str) -> Result<T, Failure> {
    serde_json::from_str(settings).map_err(|error| Failure::invalid("", error.to_string()))
}

impl Account {
    /// The account's settings.
    ///
    /// # Errors
    /// [`Failure::Invalid`] at the field that serde names, which the manifest's schema should have refused before.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse_settings(&self.settings)
    }
}

impl Outcome {
    /// The account is in service.
    #[must_use]
    pub fn connected(connected: Connected) -> Self {
        Self { progress: Progress::Connected(connected), state: None }
    }
}

impl Parsed {
    /// Events, and the gateway's own answer to the webhook.
    #[must_use]
    pub fn events(events: Vec<crate::messages::Event>) -> Self {
        Self { events, reply: None }
    }
}

impl Check {
    /// A check that passed.
    pub fn ok(name: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, detail: None }
    }

    /// A check that failed, and what to do.
    pub fn failed(name: impl Into<String>, detail: Detail) -> Self {
        Self { name: name.into(), ok: false, detail: Some(detail) }
    }
}
