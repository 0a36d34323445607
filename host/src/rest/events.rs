//! `/rest/v1/events`: what happens, as server-sent events. A listener that comes back with `Last-Event-ID` misses nothing.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::{
        Sse,
        sse::{Event as SseEvent, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, StreamExt, stream};

use super::{auth::Caller, extract::ListQuery};
use crate::{
    app::App,
    domain::{event::Event, key::Scope},
    error::ApiError,
    metrics::Listening,
    store::{self, events::Filter},
};

/// Events read at a time.
const PAGE: u32 = 100;
/// How long a listener waits without a wake-up before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/events", get(listen))
}

/// From now on; after the event named by `Last-Event-ID` or `after`; or from the first with `after=0`.
async fn listen(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    mut query: ListQuery,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, ApiError> {
    caller.may(Scope::Read)?;
    let filter = Filter { organization_id: caller.narrow(query.take("organization_id"))?, account_id: query.take("channel_account_id") };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned).or(query.take("after"));
    query.finish("organization_id, channel_account_id, after")?;
    let after = match last.as_deref() {
        None => store::events::last_seq(&app.db).await?,
        Some("0") => 0,
        Some(id) => store::events::seq_of(&app.db, id)
            .await?
            .ok_or_else(|| ApiError::not_found("event", id).hint("Write after=0 to start with the first event there is."))?,
    };
    let stopping = {
        let tasks = app.tasks.clone();
        async move { tasks.stopping().await }
    };
    let counted = app.metrics.listening();
    let listener = Listener { app, filter, after, ready: VecDeque::new(), _counted: counted };
    let events = stream::unfold(listener, next).take_until(Box::pin(stopping));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Listener {
    app: Arc<App>,
    filter: Filter,
    after: i64,
    ready: VecDeque<Event>,
    _counted: Listening,
}

async fn next(mut listener: Listener) -> Option<(Result<SseEvent, Infallible>, Listener)> {
    loop {
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
