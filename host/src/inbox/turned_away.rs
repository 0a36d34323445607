//! What the door turned away: webhooks that failed their verification, that came for an account that was deleted, or to an
//! address that was never one. Counted in memory and written once a second: a flood of them mustn't keep the database busy.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    app::App,
    clock::At,
    domain::webhook::Stray,
    store::{self, accounts, webhooks},
};

const EVERY: Duration = Duration::from_secs(1);
/// Strays kept between two writes.
const STRAYS_MAX: usize = 20;

#[derive(Debug, Clone, Copy)]
struct Count {
    count: i64,
    last: At,
}

#[derive(Default)]
struct Pending {
    /// By account.
    refused: BTreeMap<String, Count>,
    /// By account that was deleted, with its organisation.
    ignored: BTreeMap<(String, String), Count>,
    strays: Vec<Stray>,
    /// Strays that weren't kept.
    dropped: u64,
}

/// What waits to be written.
#[derive(Default)]
pub struct TurnedAway {
    pending: Mutex<Pending>,
}

impl TurnedAway {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a webhook that failed its verification.
    pub fn refuse(&self, account_id: &str, now: At) {
        count(&mut self.pending().refused, account_id.to_owned(), Count { count: 1, last: now });
    }

    /// Counts a webhook for an account that was deleted.
    pub fn ignore(&self, account_id: &str, organization_id: &str, now: At) {
        count(&mut self.pending().ignored, (account_id.to_owned(), organization_id.to_owned()), Count { count: 1, last: now });
    }

    /// Whether another stray would be kept.
    pub fn has_room(&self) -> bool {
        self.pending().strays.len() < STRAYS_MAX
    }

    /// Keeps a stray where there is room; else it is only counted.
    pub fn keep(&self, stray: Stray) {
        let mut pending = self.pending();
        if pending.strays.len() < STRAYS_MAX {
            pending.strays.push(stray);
        } else {
            pending.dropped += 1;
        }
    }

    /// Counts a stray that isn't kept.
    pub fn drop_stray(&self) {
        self.pending().dropped += 1;
    }

    /// Puts back what could not be written, before what came since.
    fn restore(&self, unwritten: Pending) {
        let mut pending = self.pending();
        for (account, counted) in unwritten.refused {
            count(&mut pending.refused, account, counted);
        }
        for (account, counted) in unwritten.ignored {
            count(&mut pending.ignored, account, counted);
        }
        let since = std::mem::replace(&mut pending.strays, unwritten.strays);
        let (room, came) = (STRAYS_MAX.saturating_sub(pending.strays.len()), since.len());
        pending.strays.extend(since.into_iter().take(room));
        pending.dropped += u64::try_from(came.saturating_sub(room)).unwrap_or(u64::MAX);
    }
}

fn count<K: Ord>(counts: &mut BTreeMap<K, Count>, key: K, more: Count) {
    let known = counts.entry(key).or_insert(Count { count: 0, last: more.last });
    known.count += more.count;
    known.last = known.last.max(more.last);
}

/// Writes what was turned away, every second until the gateway stops.
pub async fn count_turned_away(app: Arc<App>) {
    while !app.tasks.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.tasks.stopping() => {}
        }
        flush_turned_away(&app).await;
    }
}

/// Writes what was turned away since the last time. What can't be written now is written with the next.
pub async fn flush_turned_away(app: &App) {
    let mut pending = std::mem::take(&mut *app.turned_away.pending());
    let dropped = std::mem::take(&mut pending.dropped);
    if dropped > 0 {
        tracing::warn!(dropped, "requests to unknown webhook addresses were not kept");
    }
    if pending.refused.is_empty() && pending.ignored.is_empty() && pending.strays.is_empty() {
        return;
    }
    if let Err(error) = write(app, &pending).await {
        tracing::error!(%error, "what was turned away could not be written");
        app.turned_away.restore(pending);
    }
}

async fn write(app: &App, pending: &Pending) -> store::Result<()> {
    // In order with those that take in: they too write to several accounts at a time.
    let mut tx = app.db.begin_ordered().await?;
    for (account_id, refused) in &pending.refused {
        accounts::count_refusals(&mut tx, account_id, refused.count, refused.last).await?;
    }
    for ((account_id, organization_id), ignored) in &pending.ignored {
        let id = app.ids.next(ignored.last);
        webhooks::count_ignored(&mut tx, &id, account_id, organization_id, ignored.count, ignored.last).await?;
    }
    for stray in &pending.strays {
        webhooks::quarantine(&mut tx, stray).await?;
    }
    if !pending.strays.is_empty() {
        webhooks::trim_quarantine(&mut tx, app.config.webhooks.quarantine_max).await?;
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::Request;

    fn stray(id: usize) -> Stray {
        let request = Request { method: "POST".into(), path: "/".into(), query: Vec::new(), headers: Vec::new(), body: Vec::new() };
        let reason = "nobody there".to_owned();
        Stray { id: id.to_string(), received_at: At::from_micros(0), named: None, verified_by: None, reason, shared: false, request }
    }

    #[test]
    fn a_flood_is_counted_not_kept() {
        let turned = TurnedAway::default();
        for n in 0..1000 {
            turned.keep(stray(n));
            turned.refuse("a", At::from_micros(i64::try_from(n).unwrap()));
        }
        assert!(!turned.has_room());
        let pending = turned.pending();
        assert_eq!((pending.strays.len(), pending.dropped), (STRAYS_MAX, 980));
        assert_eq!((pending.refused["a"].count, pending.refused["a"].last), (1000, At::from_micros(999)));
    }

    #[test]
    fn what_could_not_be_written_is_put_back_before_what_came_since() {
        let turned = TurnedAway::default();
        for n in 0..15 {
            turned.keep(stray(n));
        }
        turned.refuse("a", At::from_micros(1));
        let unwritten = std::mem::take(&mut *turned.pending());
        for n in 15..25 {
            turned.keep(stray(n));
        }
        turned.refuse("a", At::from_micros(2));
        turned.restore(unwritten);
        let pending = turned.pending();
        let ids: Vec<&str> = pending.strays.iter().map(|stray| stray.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[19], pending.dropped), (STRAYS_MAX, "0", "19", 5));
        assert_eq!((pending.refused["a"].count, pending.refused["a"].last), (2, At::from_micros(2)));
    }
}
