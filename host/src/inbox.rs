//! What comes in: webhooks and polled pages become facts, and facts become messages, receipts and events. A webhook is
//! answered after the transaction that keeps it and all it told. Start at [`receive`].

mod apply;
mod apps;
mod commit;
mod note;
mod overdue;
mod replay;
mod turned_away;

pub use apply::{apply, apply_freed};
pub(crate) use apps::events_of;
pub use apps::{receive_for_app, release_apps, replay_for_app};
pub use commit::{Committer, Inbox, Ingest, Source, Unit};
pub use overdue::tell_overdue;
pub use replay::{Progress, Replayed, ask_replay, release, replay, replay_many};
pub use turned_away::{TurnedAway, count_turned_away, flush_turned_away};

use std::collections::BTreeMap;

use patchbay_sandbox::contract::{channel as wit, types};

use crate::{
    app::App,
    browser,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
        webhook::{Fields, Webhook, WebhookState},
    },
    plugins::{self, Told, Version, convert},
    secrets::Secret,
    store::{StoreError, webhooks::Disposition},
};

/// What the provider is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: Option<u16>,
    pub headers: Fields,
    pub body: Vec<u8>,
}

/// Why the provider should deliver a webhook again.
#[derive(Debug)]
pub enum ReceiveError {
    /// Kept as failed: the plugin gave up on it, or none could run.
    Plugin(String),
    /// Not kept.
    Store(StoreError),
}

/// Takes a verified webhook in; `secrets` are the account's.
///
/// One that the plugin read and calls none of its provider's is kept as failed and answered 2xx all the same. Delivered again
/// it would be no better; a provider that gets an error takes the endpoint for broken, holds back what is behind it, and in the end
/// disables it. A plugin that is mended gets to read it by a replay.
///
/// # Errors
/// The webhook is stored before every error but [`ReceiveError::Store`].
pub async fn receive(app: &App, account: &Account, webhook: Webhook, secrets: BTreeMap<String, Secret>) -> Result<Reply, ReceiveError> {
    let (disposition, told, answer) = if account.is_active {
        match parse(app, account, &webhook, secrets).await {
            Ok(Parsed { told, reply, disposition }) => (disposition, told, Ok(reply)),
            Err(Unparsed { cause, disposition, .. }) => {
                let reason = disposition.reason.clone().unwrap_or_default();
                tracing::warn!(account.id = %account.id, %reason, "a webhook was kept for later");
                let answer = match cause {
                    Cause::Unreadable => Ok(Reply::default()),
                    Cause::Faulted | Cause::NotRun => Err(ReceiveError::Plugin(reason)),
                };
                (disposition, Told::default(), answer)
            }
        }
    } else {
        (held(), Told::default(), Ok(Reply::default()))
    };
    app.inbox
        .commit(Ingest::webhook(account, webhook, disposition, told.facts).with_files(told.files))
        .await
        .map_err(ReceiveError::Store)?;
    answer
}

/// What became of a browser's call.
#[derive(Debug)]
pub enum Called {
    Answered(Reply),
    /// The account is inactive.
    Held,
    /// The plugin read it, and won't have it.
    Refused(Failure),
}

/// Takes a call of a browser in; `secrets` are the account's.
///
/// Unlike a provider, a browser is told what the plugin has against it, and then the call isn't kept: nobody vouches for it, and
/// whoever likes could fill the store with such ones.
///
/// # Errors
/// The call is stored before every error but [`ReceiveError::Store`].
pub async fn receive_call(
    app: &App,
    account: &Account,
    webhook: Webhook,
    secrets: BTreeMap<String, Secret>,
) -> Result<Called, ReceiveError> {
    let (disposition, told, answer) = if account.is_active {
        match parse(app, account, &webhook, secrets).await {
            Ok(Parsed { told, reply, disposition }) => (disposition, told, Ok(Called::Answered(reply))),
            Err(Unparsed { cause: Cause::Unreadable, failure: Some(failure), .. }) => return Ok(Called::Refused(failure)),
            Err(Unparsed { disposition, .. }) => {
                let reason = disposition.reason.clone().unwrap_or_default();
                tracing::warn!(account.id = %account.id, %reason, "a browser's call was kept for later");
                (disposition, Told::default(), Err(ReceiveError::Plugin(reason)))
            }
        }
    } else {
        (held(), Told::default(), Ok(Called::Held))
    };
    app.inbox
        .commit(Ingest::webhook(account, webhook, disposition, told.facts).with_files(told.files))
        .await
        .map_err(ReceiveError::Store)?;
    answer
}

struct Parsed {
    told: Told,
    reply: Reply,
    disposition: Disposition,
}

/// Why the plugin made nothing of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It read it, and knows no such webhook: it will say so again.
    Unreadable,
    /// It broke on it, or couldn't go on for now.
    Faulted,
    /// Nothing ran: no version can, or there was no place for the call.
    NotRun,
}

struct Unparsed {
    cause: Cause,
    /// What the plugin answered, where it did.
    failure: Option<Failure>,
    disposition: Disposition,
}

impl Unparsed {
    fn because(cause: Cause, reason: String, plugin_digest: Option<String>) -> Unparsed {
        Unparsed {
            cause,
            failure: None,
            disposition: Disposition { state: WebhookState::Failed, reason: Some(reason), plugin_digest, events: 0 },
        }
    }
}

/// Runs the plugin over a webhook. Nothing is stored here.
async fn parse(app: &App, account: &Account, webhook: &Webhook, secrets: BTreeMap<String, Secret>) -> Result<Parsed, Unparsed> {
    let Some(version) = app.plugins.for_account(account) else {
        return Err(Unparsed::because(Cause::NotRun, format!("no plugin for {} can run", account.channel_type), None));
    };
    let digest = Some(version.digest.clone());
    let asked = webhook_out(account, &version, webhook);
    let (answer, blobs) = version.parse(app, account, secrets.clone(), asked).await;
    let answer = match answer {
        Ok(answer) => answer,
        // The version has nothing to do with it.
        Err(fault) if fault.is_unrun() => return Err(Unparsed::because(Cause::NotRun, fault.to_string(), None)),
        Err(fault) => return Err(Unparsed::because(Cause::Faulted, fault.to_string(), digest)),
    };
    match answer {
        Ok(parsed) => {
            let events = match apps::events_of(app, account, &version, parsed.events).await {
                Ok(events) => events,
                // Nobody knows whose they are until the database answers.
                Err(error) => {
                    blobs.drop_all(&app.blobs).await;
                    return Err(Unparsed::because(Cause::NotRun, error.to_string(), None));
                }
            };
            let told = match plugins::told(app, account, &version, &secrets, &blobs, events).await {
                Ok(told) => told,
                Err(failure) => {
                    let cause = if failure.class == FailureClass::Fault { Cause::Faulted } else { Cause::NotRun };
                    return Err(Unparsed::because(cause, failure.message, digest));
                }
            };
            let disposition = processed(told.facts.len(), digest);
            Ok(Parsed { told, reply: parsed.reply.map(reply_in).unwrap_or_default(), disposition })
        }
        Err(failure) => Err(unread(failure, digest)),
    }
}

fn processed(events: usize, plugin_digest: Option<String>) -> Disposition {
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    Disposition { state: WebhookState::Processed, reason: None, plugin_digest, events }
}

fn held() -> Disposition {
    Disposition { state: WebhookState::Held, reason: Some("the account is inactive".to_owned()), plugin_digest: None, events: 0 }
}

/// The plugin answered that it can't read it.
fn unread(failure: types::Failure, digest: Option<String>) -> Unparsed {
    let failure = convert::failure_in(failure);
    let cause = match failure.class {
        FailureClass::Limited | FailureClass::Unavailable | FailureClass::Uncertain | FailureClass::Fault => Cause::Faulted,
        _ => Cause::Unreadable,
    };
    let unparsed = Unparsed::because(cause, format!("{}: {}", failure.class, failure.message), digest);
    Unparsed { failure: Some(failure), ..unparsed }
}

/// A stored request as a version is asked of it.
pub(crate) fn webhook_out(account: &Account, version: &Version, webhook: &Webhook) -> wit::Webhook {
    let known = Some(version.account_out(account));
    let mut asked = convert::webhook_out(known, &webhook.request, webhook.received_at, webhook.verified_by.clone());
    if let Some(call) = browser::call_of(&account.id, &webhook.request.path) {
        call.clone_into(&mut asked.path);
    }
    asked
}

fn reply_in(reply: wit::Reply) -> Reply {
    Reply { status: Some(reply.status), headers: convert::list_in(reply.headers), body: reply.body }
}
