//! A NATS endpoint served: one event after another, each stored by the stream before the next, so that the stream has them in
//! the order they are told.

use std::{sync::Arc, time::Duration};

use super::{nats::Unpublished, node::lease_time};
use crate::{
    app::App,
    clock::At,
    domain::{endpoint::Endpoint, event::Event},
    store::{self, endpoints::Lease, events::Filter},
};

/// Events read at a time.
const PAGE: u32 = 100;
/// How long an endpoint is held with nothing to do: the next event needs no claim.
const LINGER: Duration = Duration::from_secs(5);
/// How long a look waits at most when nothing wakes it, and the wait after a failure.
const IDLE: Duration = Duration::from_secs(1);
/// Events come in bursts: one look for several.
const BURST: Duration = Duration::from_millis(5);

pub(super) async fn serve(app: Arc<App>, lease: Lease) {
    let id = lease.endpoint_id.clone();
    // After an error the lease runs out by itself: that is the pause before the next try.
    if let Err(error) = run(&app, lease).await {
        tracing::error!(endpoint.id = %id, %error, "an endpoint could not be served");
    }
}

async fn run(app: &App, lease: Lease) -> store::Result<()> {
    let Some(endpoint) = store::endpoints::find(&app.db, &lease.endpoint_id).await? else { return Ok(()) };
    let now = app.clock.now();
    let mut publisher = Publisher { app, lease, cursor: endpoint.cursor, kept: endpoint.cursor, kept_at: now, unkept: false, endpoint };
    let mut busy_at = now;
    loop {
        // Waits from before the look on: what is appended in between wakes.
        let woken = app.wake.events.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if !publisher.look_up().await? {
            return Ok(());
        }
        let now = app.clock.now();
        let lingered = now.since(busy_at).is_none_or(|since| since >= LINGER);
        if !publisher.endpoint.is_active || app.tasks.is_stopping() || lingered {
            return publisher.release().await;
        }
        let page = publisher.page().await?;
        if !page.is_empty() {
            busy_at = now;
            match publisher.publish(page).await? {
                Pace::On => continue,
                Pace::Lost => return Ok(()),
                Pace::Wait => {}
            }
        }
        tokio::select! {
            () = woken => tokio::time::sleep(BURST).await,
            () = tokio::time::sleep(IDLE) => {}
            () = app.tasks.stopping() => {}
        }
    }
}

/// How a page went.
enum Pace {
    On,
    /// NATS didn't take an event: it is published again after a while.
    Wait,
    /// The endpoint is no longer this node's.
    Lost,
}

struct Publisher<'a> {
    app: &'a App,
    lease: Lease,
    endpoint: Endpoint,
    /// Events up to this number are published.
    cursor: i64,
    /// The cursor as the database has it.
    kept: i64,
    kept_at: At,
    /// Something of the endpoint's health isn't kept yet.
    unkept: bool,
}

impl Publisher<'_> {
    /// Reads the endpoint again; answers whether it is still there. Somebody may have set its cursor back.
    async fn look_up(&mut self) -> store::Result<bool> {
        let Some(endpoint) = store::endpoints::find(&self.app.db, &self.lease.endpoint_id).await? else { return Ok(false) };
        self.adopt(endpoint);
        if self.is_keeping_due() { self.keep().await } else { Ok(true) }
    }

    fn adopt(&mut self, endpoint: Endpoint) {
        if endpoint.cursor != self.kept {
            self.cursor = endpoint.cursor;
            self.kept = endpoint.cursor;
        }
        self.endpoint = endpoint;
    }

    fn is_keeping_due(&self) -> bool {
        self.app.clock.now().since(self.kept_at).is_none_or(|since| since >= lease_time(self.app) / 3)
    }

    /// Writes the cursor and holds the lease on; answers false where it is lost.
    async fn keep(&mut self) -> store::Result<bool> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let Some(endpoint) = store::endpoints::hold(&mut tx, &self.lease, now.plus(lease_time(self.app))).await? else {
            return Ok(false);
        };
        let health = self.endpoint.health.clone();
        self.adopt(endpoint);
        if self.cursor != self.kept {
            store::endpoints::set_cursor(&mut tx, &self.endpoint.id, self.cursor).await?;
        }
        if health != self.endpoint.health {
            store::endpoints::set_health(&mut tx, &self.endpoint.id, &health).await?;
            self.endpoint.health = health;
        }
        tx.commit().await?;
        self.kept = self.cursor;
        self.kept_at = now;
        self.unkept = false;
        Ok(true)
    }

    async fn page(&mut self) -> store::Result<Vec<Event>> {
        let last = store::events::last_seq(&self.app.db).await?;
        if last <= self.cursor {
            return Ok(Vec::new());
        }
        let filter = Filter {
            organization_id: self.endpoint.organization_id.clone(),
            account_id: self.endpoint.channel_account_id.clone(),
            types: self.endpoint.event_types.words(),
        };
        let page = store::events::list_after(&self.app.db, &filter, self.cursor, PAGE).await?;
        if page.is_empty() {
            // All of them were others': they needn't be looked at again.
            self.cursor = last;
        }
        Ok(page)
    }

    async fn publish(&mut self, page: Vec<Event>) -> store::Result<Pace> {
        let mut pace = Pace::On;
        for event in page {
            if self.app.tasks.is_stopping() {
                break;
            }
            match self.app.nats.publish(&event).await {
                Ok(()) => {
                    self.unkept = true;
                    let health = &mut self.endpoint.health;
                    if health.failing_since.take().is_some() {
                        tracing::info!(endpoint.id = %self.endpoint.id, "NATS takes events again");
                    }
                    health.last_success_at = Some(self.app.clock.now());
                    health.last_error = None;
                }
                Err(Unpublished::Never(why)) => {
                    tracing::error!(endpoint.id = %self.endpoint.id, event.id = %event.id, why, "an event is passed over");
                    self.unkept = true;
                    self.endpoint.health.last_error = Some(format!("the event {} was passed over: {why}", event.id));
                }
                Err(Unpublished::Later(why)) => {
                    let health = &mut self.endpoint.health;
                    if health.failing_since.is_none() {
                        tracing::warn!(endpoint.id = %self.endpoint.id, why, "NATS takes no events; they wait");
                        health.failing_since = Some(self.app.clock.now());
                    }
                    // NATS may be away for long: what is known already isn't written each time.
                    self.unkept |= health.last_error.as_ref() != Some(&why);
                    health.last_error = Some(why);
                    pace = Pace::Wait;
                    break;
                }
            }
            self.cursor = event.seq;
            if self.is_keeping_due() {
                if !self.keep().await? {
                    return Ok(Pace::Lost);
                }
                if self.cursor != event.seq {
                    // Somebody asked for a replay meanwhile: it begins elsewhere.
                    return Ok(Pace::On);
                }
            }
        }
        let held = !self.unkept || self.keep().await?;
        Ok(if held { pace } else { Pace::Lost })
    }

    async fn release(&mut self) -> store::Result<()> {
        if !self.keep().await? {
            return Ok(());
        }
        let mut tx = self.app.db.begin().await?;
        store::endpoints::release(&mut tx, &self.lease).await?;
        tx.commit().await
    }
}
