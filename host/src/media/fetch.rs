//! One try at one file, and the way of who asks for it before the worker has come to it.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use patchbay_sandbox::BlobInfo;
use serde_json::{Map, Value, json};

use super::wanted;
use crate::{
    accounts,
    app::App,
    clock::At,
    domain::{
        account::Account,
        content::Source,
        event::{Event, EventType},
        failure::{Failure, FailureClass},
        media::{FileState, InboundFile, MediaFile, Origin, key_of},
        message::Message,
    },
    egress::FetchError,
    error::ApiError,
    outbox::retry,
    plugins::convert,
    store::{
        self,
        media::{FileClaim, FileEnd},
    },
    wake::Topic,
};

/// How long a node holds a file before another may take it: longer than a plugin may take for it.
pub(super) const LEASE: Duration = Duration::from_secs(90);
/// How long a file's server may take where the plugin isn't asked.
const WITHIN: Duration = Duration::from_secs(60);
/// The wait where no plugin can run, or the account is inactive: neither is the file's fault, and it doesn't count.
const PAUSE: Duration = Duration::from_secs(15);
/// A plugin that faults on a file is asked once more, in case another call was to blame.
const FAULTS_MAX: i64 = 2;
/// How long who asks for a file waits for another that is fetching it, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a try came to.
enum Outcome {
    Stored(BlobInfo),
    Refused(Failure),
    /// Nothing was tried: it doesn't count.
    Postponed(Failure),
}

/// Fetches what was claimed and settles it.
///
/// # Errors
/// The database failed: the claim will run out.
pub(super) async fn attempt(app: &Arc<App>, claim: &FileClaim) -> store::Result<()> {
    let outcome = fetch(app, claim).await?;
    settle(app, claim, outcome).await
}

async fn fetch(app: &Arc<App>, claim: &FileClaim) -> store::Result<Outcome> {
    let file = &claim.file;
    let most = app.config.media.max_bytes();
    if file.size.is_some_and(|size| size > most) {
        return Ok(Outcome::Refused(too_large(most)));
    }
    let Some(account) = store::accounts::find(&app.db, &file.account_id).await? else {
        return Ok(Outcome::Refused(Failure::new(FailureClass::Rejected, "account_deleted", "The account was deleted.")));
    };
    if !account.is_active {
        return Ok(Outcome::Postponed(Failure::new(FailureClass::Unavailable, "account_inactive", "The account is inactive.")));
    }
    match &file.source {
        Source::ProviderRef(reference) => download(app, &account, reference).await,
        Source::Url(url) => Ok(match app.egress.fetch(url, &app.blobs, most, WITHIN).await {
            Ok(blob) => Outcome::Stored(blob),
            Err(error) => Outcome::Refused(failure_of(&error)),
        }),
        Source::MediaId(_) => Ok(Outcome::Refused(Failure::new(FailureClass::Rejected, "kept", "The gateway keeps the file already."))),
    }
}

async fn download(app: &Arc<App>, account: &Account, reference: &str) -> store::Result<Outcome> {
    let Some(version) = app.plugins.for_account(account) else {
        let failure = Failure::new(FailureClass::Unavailable, "plugin_missing", format!("No plugin for {} can run.", account.channel_type));
        return Ok(Outcome::Postponed(failure));
    };
    if !version.downloads() {
        let failure = Failure::new(FailureClass::Unsupported, "no_downloads", "The channel's plugin can't fetch files.");
        return Ok(Outcome::Refused(failure));
    }
    let download = version.download(app, account, reference).await?;
    Ok(match download.answer {
        Ok(Ok(blob)) => Outcome::Stored(blob),
        _ if download.too_large => Outcome::Refused(too_large(app.config.media.max_bytes())),
        Ok(Err(failure)) => {
            let failure = convert::failure_in(failure);
            // A permission that one file lacks says nothing of the account.
            if failure.class == FailureClass::Unauthorized {
                accounts::stand_after(app, account, &failure).await?;
            }
            Outcome::Refused(failure)
        }
        Err(fault) if fault.is_unrun() => Outcome::Postponed(Failure::new(FailureClass::Unavailable, "busy", fault.to_string())),
        Err(fault) => Outcome::Refused(Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string())),
    })
}

fn too_large(most: u32) -> Failure {
    let mut failure = Failure::new(FailureClass::Rejected, "too_large", format!("The file has more than the gateway keeps: {most} bytes."));
    "Raise media.max_mb, or the manifest's max_response_mb.".clone_into(&mut failure.way_out);
    failure
}

fn failure_of(error: &FetchError) -> Failure {
    let (class, code) = match error {
        FetchError::TooLarge(most) => return too_large(*most),
        FetchError::Refused(_) => (FailureClass::Rejected, "refused"),
        FetchError::Status(404 | 410) => (FailureClass::Rejected, "gone"),
        FetchError::Status(429) => (FailureClass::Limited, "throttled"),
        FetchError::Status(status) if *status < 500 => (FailureClass::Rejected, "refused"),
        FetchError::Status(_) | FetchError::Unreachable(_) => (FailureClass::Unavailable, "unreachable"),
    };
    Failure::new(class, code, format!("The file could not be fetched: {error}."))
}

/// Whether another try may bring the file, however long ago the last one was.
fn is_final(class: FailureClass) -> bool {
    match class {
        FailureClass::Unauthorized
        | FailureClass::Forbidden
        | FailureClass::Limited
        | FailureClass::Unavailable
        | FailureClass::Uncertain
        | FailureClass::Fault
        | FailureClass::Expired => false,
        FailureClass::Invalid
        | FailureClass::Recipient
        | FailureClass::WindowClosed
        | FailureClass::Rejected
        | FailureClass::Unsupported
        | FailureClass::Cancelled => true,
    }
}

/// When a file is tried again and how many tries count then; none where it has failed.
fn next_try(claim: &FileClaim, failure: &Failure, schedule: &[Duration], give_up: Duration, now: At, chance: u64) -> Option<(At, i64)> {
    let attempts = claim.attempts + 1;
    if is_final(failure.class) || (failure.class == FailureClass::Fault && attempts >= FAULTS_MAX) {
        return None;
    }
    let wait = retry::wait(schedule, attempts, chance).max(Duration::from_millis(failure.retry_after_ms.unwrap_or_default()));
    // A throttled provider says nothing of the file.
    let attempts = if failure.class == FailureClass::Limited { claim.attempts } else { attempts };
    let due_at = now.plus(wait);
    (due_at < claim.wanted_at.plus(give_up)).then_some((due_at, attempts))
}

async fn settle(app: &Arc<App>, claim: &FileClaim, outcome: Outcome) -> store::Result<()> {
    let now = app.clock.now();
    let settings = &app.config.media;
    let give_up = Duration::from_secs(settings.give_up_s);
    match outcome {
        Outcome::Stored(blob) => {
            let file = MediaFile {
                id: blob.id,
                organization_id: claim.file.organization_id.clone(),
                file_name: claim.file.file_name.clone(),
                // The message knows better: file servers often say only that it is bytes.
                mime_type: claim.file.mime_type.clone().unwrap_or(blob.mime_type),
                size: i64::from(blob.size),
                origin: Origin::Inbound,
                created_at: now,
            };
            let mut tx = app.db.begin_ordered().await?;
            if store::media::settle(&mut tx, claim, &FileEnd::Stored(&file)).await? {
                store::media::insert(&mut tx, &file, Some(now)).await?;
                tell(app, &mut tx, claim, EventType::MediaStored, ("media", json!(file)), now).await?;
                tx.commit().await?;
                app.wake.tell(Topic::Events);
                return Ok(());
            }
            drop(tx);
            // Another has fetched it meanwhile: nobody knows of these bytes.
            if let Err(error) = app.blobs.delete(&file.id).await {
                tracing::warn!(%error, "a blob that nobody knows of stays in the store");
            }
        }
        Outcome::Postponed(failure) if now < claim.wanted_at.plus(give_up) => {
            again(app, claim, now.plus(PAUSE), claim.attempts, &failure).await?;
        }
        Outcome::Refused(failure) | Outcome::Postponed(failure) => {
            let waits: Vec<Duration> = settings.retry_s.iter().map(|&seconds| Duration::from_secs(seconds)).collect();
            if let Some((due_at, attempts)) = next_try(claim, &failure, &waits, give_up, now, app.ids.below(1000)) {
                return again(app, claim, due_at, attempts, &failure).await;
            }
            tracing::warn!(
                account.id = %claim.file.account_id, message.id = %claim.file.message_id, class = %failure.class, reason = %failure.message,
                "a file could not be fetched"
            );
            let mut tx = app.db.begin_ordered().await?;
            if store::media::settle(&mut tx, claim, &FileEnd::Failed(&failure)).await? {
                tell(app, &mut tx, claim, EventType::MediaFailed, ("reason", json!(failure)), now).await?;
            }
            tx.commit().await?;
            app.wake.tell(Topic::Events);
        }
    }
    Ok(())
}

async fn again(app: &App, claim: &FileClaim, due_at: At, attempts: i64, failure: &Failure) -> store::Result<()> {
    tracing::info!(
        account.id = %claim.file.account_id, message.id = %claim.file.message_id, class = %failure.class, reason = %failure.message,
        "a file is fetched again later"
    );
    let mut tx = app.db.begin().await?;
    store::media::settle(&mut tx, claim, &FileEnd::Again { due_at, attempts, failure }).await?;
    tx.commit().await
}

async fn tell(
    app: &App,
    tx: &mut store::Tx,
    claim: &FileClaim,
    event_type: EventType,
    (name, value): (&str, Value),
    now: At,
) -> store::Result<()> {
    let message = store::messages::find(&mut *tx, &claim.file.message_id).await?;
    let mut data = Map::from_iter([(name.to_owned(), value), ("message_id".to_owned(), json!(claim.file.message_id))]);
    if let Source::ProviderRef(reference) = &claim.file.source {
        data.insert("provider_ref".to_owned(), json!(reference));
    }
    let event = Event {
        id: app.ids.next(now),
        event_type,
        version: 1,
        organization_id: claim.file.organization_id.clone(),
        channel_account_id: claim.file.account_id.clone(),
        conversation_id: message.and_then(|message| message.conversation_id),
        message_id: Some(claim.file.message_id.clone()),
        occurred_at: now,
        data: Value::Object(data),
        seq: 0,
    };
    store::events::append(tx, &event, None, now).await
}

/// The file behind a source of a message; one that the worker hasn't come to yet is fetched now.
///
/// # Errors
/// 410 for a file that can't be had any more, 502 and 503 for one that can't be had now.
pub async fn open(app: &Arc<App>, message: &Message, source: &Source) -> Result<MediaFile, ApiError> {
    let Some(key) = key_of(source) else {
        let Source::MediaId(id) = source else { return Err(ApiError::internal(&"a source has neither key nor id")) };
        return store::media::find(&app.db, id).await?.ok_or_else(removed);
    };
    let began = app.clock.now();
    let mut asked = false;
    while app.clock.now().since(began).is_none_or(|waited| waited < PATIENCE) {
        let known = store::media::find_inbound(&app.db, &message.channel_account_id, &key).await?;
        match known {
            None => want(app, message, source).await?,
            Some(InboundFile { file: Some(file), .. }) => return Ok(file),
            Some(InboundFile { state: FileState::Removed | FileState::Stored, .. }) => return Err(removed()),
            Some(InboundFile { state: FileState::Failed, failure: Some(failure), .. }) if asked || is_final(failure.class) => {
                return Err(refused(failure));
            }
            // Its turn will come; who asks has heard why it is late.
            Some(InboundFile { failure: Some(failure), .. }) if asked => return Err(refused(failure)),
            Some(_) => {
                let now = app.clock.now();
                let mut tx = app.db.begin().await?;
                let claim = store::media::claim_one(&mut tx, &message.channel_account_id, &key, now, now.plus(LEASE)).await?;
                tx.commit().await?;
                let Some(claim) = claim else {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                };
                asked = true;
                let fetcher = Arc::clone(app);
                // To its end: a client that hangs up must not leave it claimed.
                let done = app.tasks.finish(async move { attempt(&fetcher, &claim).await }).await;
                done.unwrap_or_else(|| Err(store::StoreError::Open("fetching a file panicked".to_owned())))?;
            }
        }
    }
    Err(ApiError::unavailable("pending", "The file is still being fetched.").hint("Try again in a moment; the message's status tells."))
}

/// A message that is older than the queue of files, or an edit that brought one.
async fn want(app: &App, message: &Message, source: &Source) -> store::Result<()> {
    let files: Vec<_> = wanted(message).into_iter().filter(|file| file.source == *source).collect();
    let mut tx = app.db.begin().await?;
    store::media::enqueue(&mut tx, &files, app.clock.now()).await?;
    tx.commit().await
}

fn removed() -> ApiError {
    ApiError::new(StatusCode::GONE, "media_removed", "The file was kept as long as retention.media_days says, and is removed.")
}

fn refused(failure: Failure) -> ApiError {
    let status = match failure.class {
        FailureClass::Unavailable | FailureClass::Uncertain => StatusCode::BAD_GATEWAY,
        FailureClass::Limited | FailureClass::Unauthorized | FailureClass::Forbidden | FailureClass::Fault => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        FailureClass::Unsupported => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::GONE,
    };
    ApiError::new(status, failure.class.as_str(), failure.message).details(failure.code).hint(failure.way_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::WantedFile;

    const SCHEDULE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
    const GIVE_UP: Duration = Duration::from_secs(100);
    const START: At = At::from_micros(1_764_000_000_000_000);

    fn tried(class: FailureClass, attempts: i64, retry_after_ms: Option<u64>, waited: u64) -> Option<(u64, i64)> {
        let file = WantedFile {
            organization_id: "org".into(),
            account_id: "account".into(),
            message_id: "m".into(),
            source: Source::ProviderRef("F".into()),
            mime_type: None,
            file_name: None,
            size: None,
        };
        let claim = FileClaim { key: "k".into(), file, attempts, fence: 1, wanted_at: START };
        let failure = Failure { retry_after_ms, ..Failure::new(class, "code", "message") };
        let now = START.plus(Duration::from_secs(waited));
        let (due_at, attempts) = next_try(&claim, &failure, &SCHEDULE, GIVE_UP, now, 500)?;
        Some((due_at.since(now).unwrap().as_secs(), attempts))
    }

    #[test]
    fn a_file_is_tried_by_the_class_of_its_failure() {
        assert_eq!(tried(FailureClass::Unavailable, 0, None, 0), Some((5, 1)));
        assert_eq!(tried(FailureClass::Uncertain, 4, None, 0), Some((30, 5)));
        assert_eq!(tried(FailureClass::Limited, 1, Some(60_000), 0), Some((60, 1)), "a limit costs no try");
        assert_eq!(tried(FailureClass::Fault, 0, None, 0), Some((5, 1)));
        assert_eq!(tried(FailureClass::Fault, 1, None, 0), None);
        assert_eq!(tried(FailureClass::Rejected, 0, None, 0), None, "what is gone is gone");
        assert_eq!(tried(FailureClass::Unavailable, 3, None, 80), None, "its time is over");
    }

    #[test]
    fn what_a_server_answers_has_a_class() {
        let class = |error: FetchError| failure_of(&error).class;
        assert_eq!(class(FetchError::Status(404)), FailureClass::Rejected);
        assert_eq!(class(FetchError::Status(503)), FailureClass::Unavailable);
        assert_eq!(class(FetchError::Status(429)), FailureClass::Limited);
        assert_eq!(failure_of(&FetchError::TooLarge(5)).code, "too_large");
    }
}
