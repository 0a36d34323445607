//! One endpoint served: what it is owed is delivered, several lanes at a time and each lane in order, while this node holds
//! the lease.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use super::{
    keys::Signer,
    node::lease_time,
    post::{Posted, post, view},
};
use crate::{
    app::App,
    clock::At,
    domain::{
        endpoint::{Disabled, Endpoint, Target},
        event::{Event, EventType},
    },
    outbox::retry,
    store::{
        self, StoreError, Tx,
        endpoints::{
            Lease,
            deliveries::{self, Attempt, Due, Next},
        },
    },
    wake::Topic,
};

/// Events that are given a row in one transaction.
const PAGE: u32 = 200;
/// An endpoint that is owed so much gets no more rows: its cursor waits.
const BACKLOG_MAX: u32 = 50_000;
/// How long an endpoint is held with nothing to do: the next event needs no claim.
const LINGER: Duration = Duration::from_secs(5);
/// How long a look waits at most when nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// Events come in bursts: one look for several.
const BURST: Duration = Duration::from_millis(5);

pub(super) async fn serve(app: Arc<App>, lease: Lease) {
    let now = app.clock.now();
    let mut service =
        Service { app, lease, flying: JoinSet::new(), seqs: HashSet::new(), renewed_at: None, busy_at: now, crowded: false, more: false };
    // After an error the lease runs out by itself: that is the pause before the next try.
    if let Err(error) = service.run().await {
        tracing::error!(endpoint.id = %service.lease.endpoint_id, %error, "an endpoint could not be served");
    }
}

/// A delivery that has ended.
struct Ended {
    due: Due,
    posted: Posted,
}

struct Service {
    app: Arc<App>,
    lease: Lease,
    flying: JoinSet<Ended>,
    /// The numbers of the events that are on their way.
    seqs: HashSet<i64>,
    renewed_at: Option<At>,
    /// When there was something to do.
    busy_at: At,
    crowded: bool,
    /// Events behind the cursor that need rows at once.
    more: bool,
}

impl Service {
    /// Serves until nothing is left to do for a while, the lease is lost, the endpoint is deactivated or the gateway stops.
    async fn run(&mut self) -> store::Result<()> {
        let app = Arc::clone(&self.app);
        let mut ended = Vec::new();
        loop {
            while let Some(done) = self.flying.try_join_next() {
                ended.push(self.landed(done)?);
            }
            // Waits from before the look on: what is appended in between wakes.
            let woken = app.wake.events.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let Some(endpoint) = self.write(std::mem::take(&mut ended)).await? else { return Ok(()) };
            let taking = endpoint.is_active && !app.tasks.is_stopping();
            if taking {
                self.start(&endpoint).await?;
            }
            let now = app.clock.now();
            let lingered = now.since(self.busy_at).is_none_or(|since| since >= LINGER);
            if self.flying.is_empty() && (!taking || lingered) {
                return self.release().await;
            }
            if self.more && taking {
                continue;
            }
            let wait = match deliveries::next_due(&app.db, &endpoint.id, now).await? {
                Some(due) => due.since(now).unwrap_or(IDLE).min(IDLE),
                None => IDLE,
            };
            let free = self.flying.len() < app.config.endpoints.parallel;
            tokio::select! {
                Some(done) = self.flying.join_next() => {
                    ended.push(self.landed(done)?);
                }
                () = woken, if taking && free => tokio::time::sleep(BURST).await,
                () = tokio::time::sleep(wait) => {}
                () = app.tasks.stopping(), if taking => {}
            }
        }
    }

    fn landed(&mut self, done: Result<Ended, tokio::task::JoinError>) -> store::Result<Ended> {
        let ended = done.map_err(|error| StoreError::Open(format!("a delivery panicked: {error}")))?;
        self.seqs.remove(&ended.due.event.seq);
        Ok(ended)
    }

    /// Settles what has ended, gives new events their rows and holds the lease on; answers the endpoint as it stands, none
    /// where it isn't this node's any more. Writes only where there is something to write.
    async fn write(&mut self, ended: Vec<Ended>) -> store::Result<Option<Endpoint>> {
        let app = Arc::clone(&self.app);
        let now = app.clock.now();
        let lease_time = lease_time(&app);
        self.more = false;
        let renew = self.renewed_at.and_then(|at| now.since(at)).is_none_or(|since| since >= lease_time / 3);
        if renew {
            self.crowded = deliveries::is_backlog(&app.db, &self.lease.endpoint_id, BACKLOG_MAX).await?;
        }
        if ended.is_empty() && !renew {
            let Some(endpoint) = store::endpoints::find(&app.db, &self.lease.endpoint_id).await? else { return Ok(None) };
            if !endpoint.is_active || self.crowded || !deliveries::is_behind(&app.db, &endpoint).await? {
                return Ok(Some(endpoint));
            }
        }
        let mut tx = app.db.begin().await?;
        let Some(mut endpoint) = store::endpoints::hold(&mut tx, &self.lease, now.plus(lease_time)).await? else { return Ok(None) };
        let disable = self.settle(&mut tx, &mut endpoint, &ended, now).await?;
        let mut more = endpoint.is_active && !self.crowded && disable.is_none();
        if more {
            let before = endpoint.cursor;
            (endpoint.cursor, more) = deliveries::fan_out(&mut tx, &endpoint, now, PAGE).await?;
            if endpoint.cursor > before {
                self.busy_at = now;
            }
        }
        tx.commit().await?;
        self.renewed_at = Some(now);
        if more {
            self.crowded = deliveries::is_backlog(&app.db, &endpoint.id, BACKLOG_MAX).await?;
        }
        self.more = more && !self.crowded;
        if let Some(reason) = disable {
            self.disable(&endpoint, reason, now).await?;
            endpoint.is_active = false;
        }
        Ok(Some(endpoint))
    }

    /// Writes how deliveries ended; answers why the endpoint is to be deactivated, if it is.
    async fn settle(&self, tx: &mut Tx, endpoint: &mut Endpoint, ended: &[Ended], now: At) -> store::Result<Option<String>> {
        let settings = &self.app.config.endpoints;
        let waits: Vec<Duration> = settings.retry_s.iter().copied().map(Duration::from_secs).collect();
        let mut health = endpoint.health.clone();
        for Ended { due, posted } in ended {
            let attempts = due.attempts + 1;
            let next = match &posted.error {
                None => Next::Delivered,
                Some(error) => {
                    health.failing_since.get_or_insert(now);
                    health.last_error = Some(error.clone());
                    let wait = retry::wait(&waits, attempts, self.app.ids.below(1000)).max(posted.retry_after.unwrap_or_default());
                    let used_up = usize::try_from(attempts).is_ok_and(|attempts| attempts > waits.len());
                    if used_up { Next::Failed } else { Next::Again(now.plus(wait)) }
                }
            };
            let attempt = Attempt {
                seq: due.event.seq,
                lane: due.lane.clone(),
                attempts,
                status: posted.status.map(i64::from),
                error: posted.error.clone(),
                next,
            };
            deliveries::settle(tx, &endpoint.id, &attempt, now).await?;
        }
        if ended.iter().any(|ended| ended.posted.is_taken()) {
            health.failing_since = None;
            health.last_success_at = Some(now);
            health.last_error = None;
        }
        if health != endpoint.health {
            store::endpoints::set_health(tx, &endpoint.id, &health).await?;
            endpoint.health = health;
        }
        if !endpoint.is_active {
            return Ok(None);
        }
        if ended.iter().any(|ended| ended.posted.is_gone()) {
            return Ok(Some("The receiver answered 410: it wants no events any more.".to_owned()));
        }
        let failing = endpoint.health.failing_since.filter(|_| !ended.is_empty()).and_then(|since| now.since(since));
        let too_long = failing.filter(|failing| *failing >= Duration::from_secs(settings.disable_after_s));
        Ok(too_long.map(|failing| {
            let last = endpoint.health.last_error.as_deref().unwrap_or_default();
            format!("Nothing came of it but failures for {}; the last one: {last}", spoken(failing))
        }))
    }

    /// Deactivates the endpoint and tells its organisation.
    async fn disable(&self, endpoint: &Endpoint, reason: String, now: At) -> store::Result<()> {
        let app = &self.app;
        let mut tx = app.db.begin_ordered().await?;
        let disabled = Disabled { at: now, reason };
        if !store::endpoints::disable(&mut tx, &endpoint.id, &disabled).await? {
            return Ok(());
        }
        tracing::warn!(endpoint.id = %endpoint.id, reason = %disabled.reason, "an endpoint was deactivated");
        let event = Event {
            id: app.ids.next(now),
            event_type: EventType::EndpointDisabled,
            version: 1,
            organization_id: endpoint.organization_id.clone().unwrap_or_default(),
            channel_account_id: String::new(),
            conversation_id: None,
            message_id: None,
            occurred_at: now,
            data: json!({"endpoint": view(endpoint), "reason": disabled.reason, "failing_since": endpoint.health.failing_since}),
            seq: 0,
        };
        store::events::append(&mut tx, &event, None, now).await?;
        tx.commit().await?;
        app.wake.tell(Topic::Events);
        Ok(())
    }

    /// Sends what is due, as far as there are slots.
    async fn start(&mut self, endpoint: &Endpoint) -> store::Result<()> {
        let app = &self.app;
        let parallel = app.config.endpoints.parallel;
        let free = parallel.saturating_sub(self.flying.len());
        let Target::Webhook(webhook) = &endpoint.target else { return Ok(()) };
        if free == 0 {
            return Ok(());
        }
        let now = app.clock.now();
        // Those on their way are among them, until they are settled.
        let due = deliveries::due(&app.db, &endpoint.id, now, parallel).await?;
        let due: Vec<Due> = due.into_iter().filter(|due| !self.seqs.contains(&due.event.seq)).take(free).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.busy_at = now;
        let corrupt = |column, reason: String| StoreError::Corrupt { column, reason };
        let signer =
            Signer::open(&app.keyring, &endpoint.id, &webhook.keys, now).map_err(|error| corrupt("endpoints.secret", error.to_string()))?;
        let signer = Arc::new(signer);
        let url = Url::parse(&webhook.url).map_err(|error| corrupt("endpoints.url", error.to_string()))?;
        for due in due {
            self.seqs.insert(due.event.seq);
            let (app, signer, url, id) = (Arc::clone(app), Arc::clone(&signer), url.clone(), endpoint.id.clone());
            self.flying.spawn(async move {
                let posted = post(&app, &url, &signer, &due.event).await;
                tracing::debug!(endpoint.id = %id, event.id = %due.event.id, status = posted.status, error = posted.error, "delivered");
                Ended { due, posted }
            });
        }
        Ok(())
    }

    async fn release(&self) -> store::Result<()> {
        let mut tx = self.app.db.begin().await?;
        store::endpoints::release(&mut tx, &self.lease).await?;
        tx.commit().await
    }
}

/// A span as a person says it.
fn spoken(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_spoken_in_the_unit_that_fits() {
        let spans = [0, 119, 120, 7199, 7200, 432_000].map(|seconds| spoken(Duration::from_secs(seconds)));
        assert_eq!(spans, ["0 seconds", "119 seconds", "2 minutes", "119 minutes", "2 hours", "5 days"]);
    }
}
