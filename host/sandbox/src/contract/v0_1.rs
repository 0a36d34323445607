//! Version 0.1.0 of the contract, where it differs from 1.0.0: events and webhooks had no `extras`, and a line of detail none
//! either. All else has the same types, so only what holds one of these is here; the imports are the same.

use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};

use super::channel::{Parsed, Reply, Webhook};
use super::messages::{
    Accepted, AccountStatus, Choice, Command, Conversation, Custom, Event, Happening, Inbound, Interaction, Outbound, Party, Reaction,
    Receipt, Sent, Subscription, TemplateStatus, Vote,
};
use super::polling::Page;
use super::types::{Account, Call, Detail, Failure, Field};
use crate::hook::{Configure, Connect, Download, Health, ListTemplates, ParseInbound, Poll, Preview, SendOut, Signature};

/// A hook as it is spoken in 0.1.0.
pub(crate) trait Old: Signature {
    type OldParams<'a>: ComponentNamedList + Lower + Send + Sync;
    type OldAnswer: ComponentNamedList + Lift + Send + 'static;

    fn lower<'a>(params: Self::Params<'a>) -> Self::OldParams<'a>;
    fn lift(answer: Self::OldAnswer) -> Self::Answer;
}

/// Hooks that are the same in both.
macro_rules! unchanged {
    ($($hook:ty),*) => { $(
        impl Old for $hook {
            type OldParams<'a> = Self::Params<'a>;
            type OldAnswer = Self::Answer;

            fn lower<'a>(params: Self::Params<'a>) -> Self::Params<'a> {
                params
            }

            fn lift(answer: Self::Answer) -> Self::Answer {
                answer
            }
        }
    )* };
}

unchanged!(Configure, Connect, Health, Download, ListTemplates, Preview);

impl Old for ParseInbound {
    type OldParams<'a> = (OldWebhook<'a>,);
    type OldAnswer = (Result<OldParsed, Failure>,);

    fn lower<'a>((webhook,): Self::Params<'a>) -> Self::OldParams<'a> {
        let Webhook { account, method, path, query, headers, body, verified_by, extras: _ } = webhook;
        (OldWebhook { account: account.as_ref(), method, path, query, headers, body, verified_by: verified_by.as_deref() },)
    }

    fn lift((answer,): Self::OldAnswer) -> (Result<Parsed, Failure>,) {
        (answer.map(|OldParsed { events, reply }| Parsed { events: events_in(events), reply }),)
    }
}

impl Old for SendOut {
    type OldParams<'a> = (&'a Call, &'a Outbound);
    type OldAnswer = (OldSent,);

    fn lower<'a>(params: Self::Params<'a>) -> Self::OldParams<'a> {
        params
    }

    fn lift((OldSent { accepted, failed, events },): (OldSent,)) -> (Sent,) {
        (Sent { accepted, failed, events: events_in(events) },)
    }
}

impl Old for Poll {
    type OldParams<'a> = (&'a Call, Option<&'a [u8]>);
    type OldAnswer = (Result<OldPage, Failure>,);

    fn lower<'a>(params: Self::Params<'a>) -> Self::Params<'a> {
        params
    }

    fn lift((answer,): Self::OldAnswer) -> (Result<Page, Failure>,) {
        (answer.map(|OldPage { events, cursor, more }| Page { events: events_in(events), cursor, more }),)
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct OldWebhook<'a> {
    account: Option<&'a Account>,
    method: &'a str,
    path: &'a str,
    query: &'a [Field],
    headers: &'a [Field],
    body: &'a [u8],
    #[component(name = "verified-by")]
    verified_by: Option<&'a str>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OldParsed {
    events: Vec<OldEvent>,
    reply: Option<Reply>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OldSent {
    accepted: Vec<Accepted>,
    failed: Option<Failure>,
    events: Vec<OldEvent>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OldPage {
    events: Vec<OldEvent>,
    cursor: Option<Vec<u8>>,
    more: bool,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OldEvent {
    #[component(name = "dedupe-key")]
    dedupe_key: String,
    account: Option<String>,
    conversation: Option<Conversation>,
    actor: Option<Party>,
    #[component(name = "at-ms")]
    at_ms: Option<f64>,
    what: OldHappening,
    #[component(name = "follow-up")]
    follow_up: Option<Command>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum OldHappening {
    #[component(name = "message")]
    Message(Inbound),
    #[component(name = "edited")]
    Edited(Inbound),
    #[component(name = "deleted")]
    Deleted(String),
    #[component(name = "reacted")]
    Reacted(Reaction),
    #[component(name = "chose")]
    Chose(Choice),
    #[component(name = "voted")]
    Voted(Vote),
    #[component(name = "receipt")]
    Receipt(Receipt),
    #[component(name = "typing")]
    Typing(bool),
    #[component(name = "subscription")]
    Subscription(Subscription),
    #[component(name = "interacted")]
    Interacted(Interaction),
    #[component(name = "opted-out")]
    OptedOut(DetailLine),
    #[component(name = "opted-in")]
    OptedIn,
    #[component(name = "template")]
    Template(TemplateStatus),
    #[component(name = "account")]
    Account(OldAccountStatus),
    #[component(name = "moved")]
    Moved(String),
    #[component(name = "custom")]
    Custom(Custom),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct OldAccountStatus {
    state: String,
    detail: DetailLine,
    facts: Vec<Field>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct DetailLine {
    code: String,
    message: String,
}

fn events_in(events: Vec<OldEvent>) -> Vec<Event> {
    events.into_iter().map(Event::from).collect()
}

impl From<OldEvent> for Event {
    fn from(event: OldEvent) -> Event {
        let OldEvent { dedupe_key, account, conversation, actor, at_ms, what, follow_up } = event;
        Event { dedupe_key, account, conversation, actor, at_ms, what: what.into(), follow_up, extras: Vec::new() }
    }
}

impl From<OldHappening> for Happening {
    fn from(happening: OldHappening) -> Happening {
        match happening {
            OldHappening::Message(inbound) => Happening::Message(inbound),
            OldHappening::Edited(inbound) => Happening::Edited(inbound),
            OldHappening::Deleted(message) => Happening::Deleted(message),
            OldHappening::Reacted(reaction) => Happening::Reacted(reaction),
            OldHappening::Chose(choice) => Happening::Chose(choice),
            OldHappening::Voted(vote) => Happening::Voted(vote),
            OldHappening::Receipt(receipt) => Happening::Receipt(receipt),
            OldHappening::Typing(on) => Happening::Typing(on),
            OldHappening::Subscription(subscription) => Happening::Subscription(subscription),
            OldHappening::Interacted(interaction) => Happening::Interacted(interaction),
            OldHappening::OptedOut(why) => Happening::OptedOut(why.into()),
            OldHappening::OptedIn => Happening::OptedIn,
            OldHappening::Template(status) => Happening::Template(status),
            OldHappening::Account(OldAccountStatus { state, detail, facts }) => {
                Happening::Account(AccountStatus { state, detail: detail.into(), facts })
            }
            OldHappening::Moved(to) => Happening::Moved(to),
            OldHappening::Custom(custom) => Happening::Custom(custom),
        }
    }
}

impl From<DetailLine> for Detail {
    fn from(DetailLine { code, message }: DetailLine) -> Detail {
        Detail { code, message, extras: Vec::new() }
    }
}
