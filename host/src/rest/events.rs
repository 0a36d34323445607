//! `/rest/v1/events`: what happens, as server-sent events. A listener that comes back with `Last-Event-ID` misses nothing that
//! is still kept; where something isn't, it is told so.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        Sse,
        sse::{Event as SseEvent, KeepAlive},
    },
};
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    auth::Credentials,
    clock::At,
    domain::{
        event::{Event, EventType},
        event_types::Selection,
        key::Scope,
    },
    error::ApiError,
    metrics::Listening,
    store::{self, events::Filter},
};

/// Events read at a time.
const PAGE: u32 = 100;
/// How long a listener waits without a wake-up before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the listener's key is looked at again: one that was revoked hears nothing more.
const CHECK_EVERY: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(2);
/// What a listener is told whose place in the stream isn't kept any more. It is no event: it has no id, and nobody else gets it.
const RESET: &str = "stream.reset";

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(listen))
}

/// Listen to events
///
/// Server-sent events: from now on; after the event named by `Last-Event-ID` or `after`; or from the first that is kept with `after=0`.
///
/// The key may come as `apikey` in the query too: a browser's EventSource sends no headers of its own.
#[utoipa::path(
    get,
    path = "/events",
    tag = "events",
    operation_id = "listen_to_events",
    params(
        ("organization_id" = Option<String>, Query),
        ("channel_account_id" = Option<String>, Query),
        ("types" = Option<String>, Query, description = "Types and families of types, with commas between.", example = "message.received,account.*"),
        ("after" = Option<String>, Query, description = "The id of the last event that the client has; `0` for all that are kept.", example = "0"),
        ("apikey" = Option<String>, Query, description = "The key, where no header can be sent.", example = "pb_0123456789abcdef"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the client has.", example = "01a0c0de-0000-7000-8000-000000000010"),
    ),
    responses(
        (status = 200, description = "The events, one `data` line of JSON each, as they happen.", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no event with the id `after`."),
    ),
)]
async fn listen(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    mut query: ListQuery,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, ApiError> {
    let key = Credentials::of(&headers).or(query.take("apikey"));
    caller.may(Scope::Read)?;
    let filter = Filter {
        organization_id: caller.narrow(query.take("organization_id"))?,
        account_id: query.take("channel_account_id"),
        types: query.take("types").map(|names| select(&names)).transpose()?.flatten(),
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = query.take("after");
    query.finish("organization_id, channel_account_id, types, after, apikey")?;
    let start = match (last, after.as_deref()) {
        (Some("0"), _) | (None, Some("0")) => Start { after: 0, lost: None },
        (Some(id), _) => resume(&app, id).await?,
        (None, None) => Start { after: store::events::last_seq(&app.db).await?, lost: None },
        (None, Some(id)) => {
            let seq = store::events::seq_of(&app.db, id).await?;
            let seq = seq.ok_or_else(|| ApiError::not_found("event", id).hint("Write after=0 to start with the first event there is."))?;
            Start { after: seq, lost: None }
        }
    };
    let stopping = {
        let tasks = app.tasks.clone();
        async move { tasks.stopping().await }
    };
    let counted = app.metrics.listening();
    let greeting = SseEvent::default().retry(RETRY).comment("listening");
    let mut first = VecDeque::from([greeting]);
    if let Some(id) = start.lost {
        first.push_back(reset(&id));
    }
    let checked_at = app.clock.now();
    let listener = Listener { app, key, filter, after: start.after, first, ready: VecDeque::new(), checked_at, _counted: counted };
    let events = stream::unfold(listener, next).take_until(Box::pin(stopping));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Where a listener begins.
struct Start {
    after: i64,
    /// The event it came back with, where that isn't kept any more.
    lost: Option<String>,
}

/// A client that comes back gets no error for an event that was pruned: an EventSource would give up for good. It goes on with
/// the oldest event there is.
async fn resume(app: &App, id: &str) -> store::Result<Start> {
    match store::events::seq_of(&app.db, id).await? {
        Some(seq) => Ok(Start { after: seq, lost: None }),
        None => Ok(Start { after: 0, lost: Some(id.to_owned()) }),
    }
}

fn reset(id: &str) -> SseEvent {
    let message = "The event isn't kept any more, or never was: events may have been missed. The stream goes on with the oldest one kept.";
    let told = SseEvent::default().event(RESET);
    told.json_data(json!({"last_event_id": id, "message": message})).unwrap_or_else(|_| SseEvent::default().event(RESET).data("{}"))
}

/// Types and families of types, with commas between.
fn select(names: &str) -> Result<Option<Vec<&'static str>>, ApiError> {
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let selection = Selection::new(names).map_err(|unknown| {
        ApiError::bad_request("bad_query", format!("types: “{unknown}” is no type of event."))
            .hint(format!("There are: {}; and families like message.*", EventType::WORDS.join(", ")))
    })?;
    Ok(selection.words())
}

struct Listener {
    app: Arc<App>,
    key: Credentials,
    filter: Filter,
    after: i64,
    /// Told before any event.
    first: VecDeque<SseEvent>,
    ready: VecDeque<Event>,
    /// When its key was last looked at.
    checked_at: At,
    _counted: Listening,
}

async fn next(mut listener: Listener) -> Option<(Result<SseEvent, Infallible>, Listener)> {
    if let Some(told) = listener.first.pop_front() {
        return Some((Ok(told), listener));
    }
    loop {
        if !is_welcome(&mut listener).await {
            return None;
        }
        if let Some(event) = listener.ready.pop_front() {
            listener.after = event.seq;
            let told = SseEvent::default().id(event.id.clone()).event(event.event_type.as_str());
            // An event is plain data: its JSON can't fail.
            let told = told.json_data(&event).unwrap_or_else(|_| SseEvent::default().comment("unreadable"));
            return Some((Ok(told), listener));
        }
        let app = Arc::clone(&listener.app);
        // Waits from before the look on: what is appended in between wakes.
        let woken = app.wake.events.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        match look(&app, &mut listener).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = tokio::time::timeout(LOOK_EVERY, woken).await;
            }
            Err(error) => {
                tracing::error!(%error, "events could not be read");
                return None;
            }
        }
    }
}

/// Whether the listener's key still lets it listen. A database that is away takes nothing from it.
async fn is_welcome(listener: &mut Listener) -> bool {
    let now = listener.app.clock.now();
    if now.since(listener.checked_at).is_some_and(|since| since < CHECK_EVERY) {
        return true;
    }
    listener.checked_at = now;
    match Caller::of(&listener.app, &listener.key).await {
        Ok(caller) => caller.may(Scope::Read).is_ok(),
        Err(error) => error.status.is_server_error(),
    }
}

/// Reads the next page; answers whether there was one.
async fn look(app: &App, listener: &mut Listener) -> store::Result<bool> {
    let last = store::events::last_seq(&app.db).await?;
    if last <= listener.after {
        return Ok(false);
    }
    listener.ready = store::events::list_after(&app.db, &listener.filter, listener.after, PAGE).await?.into();
    if listener.ready.is_empty() {
        // All of them were others': they needn't be looked at again.
        listener.after = last;
    }
    Ok(!listener.ready.is_empty())
}
