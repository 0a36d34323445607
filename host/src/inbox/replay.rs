//! Webhooks that are there already go the way of new ones; what is known changes nothing.

use std::{collections::HashSet, time::Duration};

use serde_json::json;

use super::{Cause, Ingest, Parsed, Source, Unparsed, parse};
use crate::{
    accounts::{self, REPLAY},
    app::App,
    audit::{self, Deed},
    clock::At,
    domain::{
        account::Account,
        actor::Actor,
        event::Fact,
        webhook::{Webhook, WebhookState},
    },
    plugins::{self, Standing, Told},
    store::{self, webhooks::Filter},
    wake::Topic,
};

/// Taken from the database at a time.
const PAGE: u32 = 100;
/// How long a run may last: well below the lease of its job.
const RUN: Duration = Duration::from_secs(20);

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Done,
    /// Its time was over: the rest is for the next run.
    More,
    /// No plugin can run for now.
    Waits,
}

/// What came of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    Processed {
        /// Facts that were told for the first time.
        new: usize,
        /// Facts that were known.
        known: usize,
    },
    /// It is failed; its reason stands there.
    Failed,
    /// Nothing ran, and nothing was changed.
    NotRun,
}

/// How long a run has.
struct Run<'a> {
    app: &'a App,
    until: At,
}

impl<'a> Run<'a> {
    fn start(app: &'a App) -> Run<'a> {
        Run { app, until: app.clock.now().plus(RUN) }
    }

    fn is_over(&self) -> bool {
        self.app.tasks.is_stopping() || self.app.clock.now() > self.until
    }
}

/// Processes what waits for the active account, oldest first: held since it was inactive, or failed by another version of the
/// plugin than the one that runs. What fails stays failed, and the next one goes on.
pub async fn release(app: &App, account: &Account) -> store::Result<Progress> {
    let Some(digest) = running(app, account).await? else { return Ok(Progress::Waits) };
    let run = Run::start(app);
    let mut after = String::new();
    loop {
        let page = store::webhooks::list_waiting(&app.db, &account.id, &digest, &after, PAGE).await?;
        let Some(last) = page.last().map(|last| last.id.clone()) else { return Ok(Progress::Done) };
        for webhook in &page {
            if run.is_over() {
                return Ok(Progress::More);
            }
            if process(app, account, webhook).await? == Replayed::NotRun {
                tracing::warn!(account.id = %account.id, "webhooks that wait go on waiting");
                return Ok(Progress::Waits);
            }
        }
        tracing::info!(account.id = %account.id, count = page.len(), "webhooks that waited were taken up");
        after = last;
    }
}

/// The version that runs here; none while another one is to run and comes within moments.
async fn running(app: &App, account: &Account) -> store::Result<Option<String>> {
    Ok(match plugins::standing(app, account).await? {
        Standing::Runs(digest) => Some(digest),
        Standing::Comes => None,
        Standing::Fails(in_its_place) => in_its_place,
    })
}

/// Notes a replay of the account's webhooks that the filter means; a job does it. Answers how many there are.
pub async fn ask_replay(app: &App, account: &Account, filter: Filter, actor: &Actor) -> store::Result<i64> {
    let now = app.clock.now();
    let until = filter.until.map_or(now, |until| until.min(now));
    let filter = Filter { account_id: Some(account.id.clone()), until: Some(until), ..filter };
    let found = store::webhooks::count(&app.db, &filter).await?;
    if found > 0 {
        let mut tx = app.db.begin().await?;
        store::webhooks::insert_replay(&mut tx, &app.ids.next(now), &account.id, &filter, until).await?;
        store::jobs::schedule(&mut tx, &account.id, REPLAY, now).await?;
        let deed = Deed {
            action: "webhook_deliveries.replay",
            subject_kind: "channel_account",
            subject_id: &account.id,
            organization_id: Some(&account.organization_id),
            detail: json!({"state": filter.state, "since": filter.since, "until": filter.until, "found": found}),
        };
        audit::record(app, &mut tx, actor, deed).await?;
        tx.commit().await?;
        app.wake.tell(Topic::Jobs);
    }
    Ok(found)
}

/// Does the replays that were asked for, one after another.
pub async fn replay_many(app: &App, account: &Account) -> store::Result<Progress> {
    let run = Run::start(app);
    while let Some(mut replay) = store::webhooks::next_replay(&app.db, &account.id).await? {
        loop {
            let page = store::webhooks::list_replayed(&app.db, &replay, PAGE).await?;
            let mut progress = Progress::Done;
            for webhook in &page {
                if run.is_over() {
                    progress = Progress::More;
                    break;
                }
                if process(app, account, webhook).await? == Replayed::NotRun {
                    progress = Progress::Waits;
                    break;
                }
                replay.after.clone_from(&webhook.id);
            }
            let mut tx = app.db.begin().await?;
            if page.is_empty() {
                store::webhooks::finish_replay(&mut tx, &replay.id).await?;
            } else {
                store::webhooks::advance_replay(&mut tx, &replay.id, &replay.after).await?;
            }
            tx.commit().await?;
            if progress != Progress::Done {
                return Ok(progress);
            }
            if page.is_empty() {
                tracing::info!(account.id = %account.id, replay.id = %replay.id, "a replay is done");
                break;
            }
        }
    }
    Ok(Progress::Done)
}

/// Processes one webhook of the account, whatever became of it before. One that nothing could run for is failed too.
pub async fn replay(app: &App, account: &Account, webhook: &Webhook) -> store::Result<Replayed> {
    let replayed = process(app, account, webhook).await?;
    if replayed == Replayed::NotRun {
        let reason = Some(format!("replayed while no plugin for {} could run", account.channel_type));
        let disposition = store::webhooks::Disposition { state: WebhookState::Failed, reason, plugin_digest: None, events: 0 };
        let source = Source::Replay { webhook_id: webhook.id.clone(), disposition };
        app.inbox.commit(Ingest::of(account, source, Vec::new())).await?;
    }
    Ok(replayed)
}

async fn process(app: &App, account: &Account, webhook: &Webhook) -> store::Result<Replayed> {
    let secrets = accounts::open_secrets(app, account).await?;
    let (disposition, told, replayed) = match parse(app, account, webhook, secrets).await {
        Ok(Parsed { told, disposition, .. }) => {
            let new = count_new(app, account, &told.facts).await?;
            let known = told.facts.len().saturating_sub(new);
            (disposition, told, Replayed::Processed { new, known })
        }
        Err(Unparsed { cause: Cause::NotRun, .. }) => return Ok(Replayed::NotRun),
        Err(Unparsed { disposition, .. }) => (disposition, Told::default(), Replayed::Failed),
    };
    let source = Source::Replay { webhook_id: webhook.id.clone(), disposition };
    app.inbox.commit(Ingest::of(account, source, told.facts).with_files(told.files)).await?;
    Ok(replayed)
}

/// How many of the facts nobody was told yet. Another delivery of them may come in between: it is a figure for a person.
async fn count_new(app: &App, account: &Account, facts: &[Fact]) -> store::Result<usize> {
    let keys: HashSet<&str> = facts.iter().map(|fact| fact.dedupe_key.as_str()).collect();
    let known = store::events::known_keys(&app.db, &account.id, &Vec::from_iter(keys.iter().copied())).await?;
    Ok(keys.iter().filter(|key| !known.contains(**key)).count())
}
