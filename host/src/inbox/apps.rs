//! What comes to the URL of an app, which serves many accounts: each event names its account by the provider's id. All that a
//! request holds is stored together: a row for each account that it concerns, or one of the app's where it concerns none.

use std::collections::{BTreeMap, BTreeSet};

use patchbay_sandbox::contract::messages;

use super::{Cause, Ingest, ReceiveError, Replayed, Reply, Source, Unit, Unparsed, held, processed, reply_in, unread};
use crate::{
    app::App,
    domain::{
        account::Account,
        content::{Content, Source as MediaSource},
        event::Fact,
        webhook::{AppWebhook, Named, Stray},
    },
    manifest::WebhookScope,
    plugins::{self, Version, convert},
    secrets::Secret,
    store,
};

/// Requests that a plugin failed on, taken from the database at a time.
const PAGE: u32 = 100;

/// What a plugin read in a request to an app.
struct Read {
    /// Each with the provider's id of its account.
    facts: Vec<(Option<String>, Fact)>,
    reply: Reply,
    digest: String,
}

/// Takes in a verified request to an app; `secrets` are the app's, by the manifest's names.
///
/// # Errors
/// As [`receive`](super::receive): it is stored before every error but [`ReceiveError::Store`].
pub async fn receive_for_app(app: &App, webhook: AppWebhook, secrets: BTreeMap<String, Secret>) -> Result<Reply, ReceiveError> {
    match read(app, &webhook, secrets).await {
        Ok(read) => {
            let reply = read.reply.clone();
            let (unit, _) = sort(app, &webhook, read, true).await.map_err(ReceiveError::Store)?;
            app.inbox.commit(unit).await.map_err(ReceiveError::Store)?;
            Ok(reply)
        }
        Err(Unparsed { cause, disposition, .. }) => {
            let reason = disposition.reason.clone().unwrap_or_default();
            tracing::warn!(app.id = %webhook.app_id, channel.type = %webhook.channel_type, %reason, "a webhook of an app was kept for later");
            let unit = Unit { of_app: Some((webhook, disposition)), ..Unit::default() };
            app.inbox.commit(unit).await.map_err(ReceiveError::Store)?;
            match cause {
                Cause::Unreadable => Ok(Reply::default()),
                Cause::Faulted | Cause::NotRun => Err(ReceiveError::Plugin(reason)),
            }
        }
    }
}

/// Processes a request of an app again. Accounts that are inactive hold it; what is known changes nothing.
pub async fn replay_for_app(app: &App, webhook: &AppWebhook) -> store::Result<Replayed> {
    let Some(found) = app.known_apps.find(app, &webhook.app_id).await? else {
        return Ok(Replayed::NotRun);
    };
    let Some(manifest) = app.plugins.manifest(&webhook.channel_type) else { return Ok(Replayed::NotRun) };
    match read(app, webhook, found.secrets_of(&manifest)).await {
        Ok(read) => {
            let digest = read.digest.clone();
            let events = read.facts.len();
            let (mut unit, told) = sort(app, webhook, read, false).await?;
            unit.settled = Some((webhook.id.clone(), processed(events, Some(digest))));
            app.inbox.commit(unit).await?;
            Ok(Replayed::Processed { new: told, known: events.saturating_sub(told) })
        }
        Err(Unparsed { cause: Cause::NotRun, .. }) => Ok(Replayed::NotRun),
        Err(Unparsed { disposition, .. }) => {
            let unit = Unit { settled: Some((webhook.id.clone(), disposition)), ..Unit::default() };
            app.inbox.commit(unit).await?;
            Ok(Replayed::Failed)
        }
    }
}

/// Processes what apps keep as failed and a version that runs hasn't seen yet.
pub async fn release_apps(app: &App) -> store::Result<()> {
    for channel_type in store::webhooks::types_failed_of_apps(&app.db).await? {
        let Some(version) = app.plugins.get(&channel_type) else { continue };
        let mut after = String::new();
        loop {
            let page = store::webhooks::list_failed_of_apps(&app.db, &channel_type, &version.digest, &after, PAGE).await?;
            let Some(last) = page.last().map(|last| last.id.clone()) else { break };
            for webhook in &page {
                if app.tasks.is_stopping() || replay_for_app(app, webhook).await? == Replayed::NotRun {
                    return Ok(());
                }
            }
            after = last;
        }
    }
    Ok(())
}

/// Runs the plugin over the request. Nothing is stored here.
async fn read(app: &App, webhook: &AppWebhook, secrets: BTreeMap<String, Secret>) -> Result<Read, Unparsed> {
    let Some(version) = app.plugins.get(&webhook.channel_type) else {
        return Err(Unparsed::because(Cause::NotRun, format!("no plugin for {} can run", webhook.channel_type), None));
    };
    let digest = version.digest.clone();
    let request = &webhook.request;
    let asked = convert::webhook_out(None, request, webhook.received_at, webhook.verified_by.clone());
    match version.parse_for_app(app, &webhook.app_id, secrets.clone(), &asked).await {
        Ok(Ok(parsed)) => {
            let accounts: Vec<Option<String>> = parsed.events.iter().map(|event| event.account.clone()).collect();
            let facts = convert::events_in(parsed.events).await;
            if facts.iter().flat_map(Fact::content).flat_map(Content::files).any(|file| matches!(file, MediaSource::MediaId(_))) {
                // Several organisations share the URL: nobody knows whose the file would be.
                let reason = "an event names a file of the gateway's, and a webhook of many accounts has none".to_owned();
                return Err(Unparsed::because(Cause::Faulted, reason, Some(digest)));
            }
            let facts = accounts.into_iter().zip(facts).collect();
            let facts = plugins::withhold(app, &version, &secrets, facts);
            Ok(Read { facts, reply: parsed.reply.map(reply_in).unwrap_or_default(), digest })
        }
        Ok(Err(failure)) => Err(unread(failure, Some(digest))),
        // The version has nothing to do with it.
        Err(fault) if fault.is_unrun() => Err(Unparsed::because(Cause::NotRun, fault.to_string(), None)),
        Err(fault) => Err(Unparsed::because(Cause::Faulted, fault.to_string(), Some(digest))),
    }
}

/// Sorts the events to their accounts. Answers what is to be stored, and how many facts go to active accounts. `keeps` says
/// whether the request itself has no row yet.
async fn sort(app: &App, webhook: &AppWebhook, read: Read, keeps: bool) -> store::Result<(Unit, usize)> {
    let named: BTreeSet<&str> = read.facts.iter().filter_map(|(name, _)| name.as_deref()).collect();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, account_id) in store::accounts::find_named(&app.db, &webhook.channel_type, &named).await? {
        places.entry(name).or_default().push(account_id);
    }
    let unknown: Vec<String> = named.iter().filter(|name| !places.contains_key(**name)).map(|name| (*name).to_owned()).collect();
    let mut facts: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
    for (name, fact) in read.facts {
        let Some(ids) = name.and_then(|name| places.get(&name)) else { continue };
        for id in ids {
            facts.entry(id.clone()).or_default().push(fact.clone());
        }
    }
    let shared = facts.len() + unknown.len() > 1;
    let mut unit = Unit::default();
    let mut told = 0;
    for (id, facts) in facts {
        // It was there a moment ago.
        let Some(known) = app.known.find(app, &id).await? else { continue };
        let account = &known.account;
        let (disposition, facts) = match account.is_active {
            true => (processed(facts.len(), Some(read.digest.clone())), facts),
            false => (held(), Vec::new()),
        };
        told += facts.len();
        let row = webhook.for_account(app.ids.next(webhook.received_at), account, shared);
        unit.ingests.push(Ingest::of(account, Source::Webhook { webhook: row, disposition }, facts));
    }
    for external_id in unknown {
        let reason = format!("no account of {} is connected to {external_id}", webhook.channel_type);
        tracing::warn!(app.id = %webhook.app_id, %reason, "an event of a webhook was quarantined");
        unit.strays.push(Stray {
            id: app.ids.next(webhook.received_at),
            received_at: webhook.received_at,
            named: Some(Named { channel_type: webhook.channel_type.clone(), external_id }),
            verified_by: webhook.verified_by.clone(),
            reason,
            shared,
            request: webhook.request.clone(),
        });
    }
    if keeps && unit.ingests.is_empty() && unit.strays.is_empty() {
        unit.of_app = Some((webhook.clone(), processed(0, Some(read.digest))));
    }
    Ok((unit, told))
}

/// Of what a plugin read for one account, the events that are that account's: what came to an app's URL holds others' too.
pub(crate) async fn events_of(
    app: &App,
    account: &Account,
    version: &Version,
    mut events: Vec<messages::Event>,
) -> store::Result<Vec<messages::Event>> {
    let is_of_app = version.manifest.webhook.as_ref().is_some_and(|spec| spec.scope == WebhookScope::App);
    if is_of_app {
        let named: BTreeSet<&str> = events.iter().filter_map(|event| event.account.as_deref()).collect();
        let found = store::accounts::find_named(&app.db, &account.channel_type, &named).await?;
        let ours: BTreeSet<String> = found.into_iter().filter(|(_, id)| *id == account.id).map(|(name, _)| name).collect();
        events.retain(|event| event.account.as_ref().is_none_or(|name| ours.contains(name)));
    }
    Ok(events)
}
