//! Which messages go now: due, first of their lane, of an account that nothing holds back, within the rates. Chosen and leased in
//! one transaction. Who has to wait isn't touched, or is due later: it costs no attempt and keeps its place.

use std::{collections::HashMap, time::Duration};

use super::{
    crash,
    rates::{self, Rate},
    slots::Slots,
};
use crate::{
    app::App,
    clock::At,
    domain::{message::Priority, people::ConversationKind},
    manifest::Rates,
    store::{
        self, Tx,
        outbox::{Candidate, Claim, Waiting},
        rates::{BULK_GATE, GATE},
    },
};

/// Claimed in one transaction at most.
const CLAIM_MAX: usize = 32;
/// How long to wait at most when nothing wakes the worker.
const IDLE: Duration = Duration::from_secs(1);
/// How long to wait where something is due and nothing could be claimed: another node is at it, or this one; it is told of its own.
const BLOCKED: Duration = Duration::from_millis(200);
const SHORTEST: Duration = Duration::from_millis(5);

/// What was claimed, and when to look again.
pub(super) struct Claimed {
    pub(super) claims: Vec<Claim>,
    pub(super) wait: Duration,
}

/// When the account's next message of the priority can go; none where it has none.
fn next_of(waiting: &Waiting, priority: Priority) -> Option<At> {
    let (due, bulk_rate) = match priority {
        Priority::Normal => (waiting.normal_at?, None),
        Priority::Bulk => (waiting.bulk_at?, waiting.bulk_rate_until),
    };
    let holds = [waiting.paused_until, waiting.rate_until, bulk_rate, waiting.breaker_open_until, waiting.breaker_probe_until];
    holds.into_iter().flatten().chain([due]).max()
}

/// Claims what the free slots can take.
pub(super) async fn claim(app: &App, slots: &Slots) -> store::Result<Claimed> {
    let now = app.clock.now();
    if slots.free(Priority::Normal) == 0 {
        return Ok(Claimed { claims: Vec::new(), wait: IDLE });
    }
    // A look without the writer first: an idle gateway must not write.
    let mut waiting = store::outbox::waiting_accounts(&app.db).await?;
    waiting.sort_by_key(|account| account.normal_at.into_iter().chain(account.bulk_at).min());
    let ready: Vec<(&Waiting, Priority)> = [Priority::Normal, Priority::Bulk]
        .into_iter()
        .flat_map(|priority| waiting.iter().map(move |account| (account, priority)))
        .filter(|(account, priority)| next_of(account, *priority).is_some_and(|at| at <= now))
        .filter(|(account, priority)| slots.free(*priority).min(slots.free_of(&account.account_id, *priority)) > 0)
        .collect();
    let later = waiting
        .iter()
        .flat_map(|account| [next_of(account, Priority::Normal), next_of(account, Priority::Bulk)])
        .flatten()
        .filter_map(|at| at.since(now))
        .filter(|wait| !wait.is_zero())
        .min();
    if ready.is_empty() {
        return Ok(Claimed { claims: Vec::new(), wait: later.unwrap_or(IDLE).clamp(SHORTEST, IDLE) });
    }
    crash::point(app, crash::Step::Claiming);
    let tx = app.db.begin_claim().await?;
    // The lock may have taken its time.
    let now = app.clock.now();
    let leased_until = now.plus(Duration::from_secs(app.config.outbox.lease_s));
    let mut choosing = Choosing { app, tx, now, leased_until, tats: HashMap::new(), changed: Vec::new(), chosen: Vec::new() };
    let mut room = Room { slots, chosen: HashMap::new(), bulk: 0, total: 0 };
    for priority in [Priority::Normal, Priority::Bulk] {
        let mut open: Vec<&Waiting> = ready.iter().filter(|(_, of)| *of == priority).map(|(account, _)| *account).collect();
        // Each account its share first; what others leave is there in the second round.
        let share = (slots.free(priority).min(CLAIM_MAX) / open.len().max(1)).max(1);
        for round in [share, CLAIM_MAX] {
            let mut more = Vec::new();
            for account in open {
                let limit = room.of(account, priority).min(round);
                if limit == 0 {
                    continue;
                }
                let chosen = choosing.choose(account, priority, limit).await?;
                room.note(account, priority, chosen);
                if chosen == limit {
                    more.push(account);
                }
            }
            open = more;
        }
    }
    let claims = choosing.lease().await?;
    crash::point(app, crash::Step::Leased);
    let wait = if claims.is_empty() { later.unwrap_or(BLOCKED).clamp(SHORTEST, BLOCKED) } else { Duration::ZERO };
    Ok(Claimed { claims, wait })
}

/// What can still be chosen.
struct Room<'a> {
    slots: &'a Slots,
    /// Of each account and priority.
    chosen: HashMap<(String, Priority), usize>,
    bulk: usize,
    total: usize,
}

impl Room<'_> {
    fn of(&self, account: &Waiting, priority: Priority) -> usize {
        // A breaker that is half open lets one message through.
        let most = if account.breaker_open_until.is_some() { 1 } else { usize::MAX };
        let chosen = |priority| self.chosen.get(&(account.account_id.clone(), priority)).copied().unwrap_or(0);
        let (normal, bulk) = (chosen(Priority::Normal), chosen(Priority::Bulk));
        let free = self.slots.free_of(&account.account_id, Priority::Normal).min(most).saturating_sub(normal + bulk);
        let of_account = match priority {
            Priority::Normal => free,
            Priority::Bulk => free.min(self.slots.free_of(&account.account_id, Priority::Bulk).saturating_sub(bulk)),
        };
        let of_node = match priority {
            Priority::Normal => self.slots.free(Priority::Normal).saturating_sub(self.total),
            Priority::Bulk => {
                self.slots.free(Priority::Bulk).saturating_sub(self.bulk).min(self.slots.free(Priority::Normal).saturating_sub(self.total))
            }
        };
        of_account.min(of_node).min(CLAIM_MAX.saturating_sub(self.total))
    }

    fn note(&mut self, account: &Waiting, priority: Priority, chosen: usize) {
        *self.chosen.entry((account.account_id.clone(), priority)).or_default() += chosen;
        self.total += chosen;
        if priority == Priority::Bulk {
            self.bulk += chosen;
        }
    }
}

/// Why a message has to wait.
enum Wait {
    Account(At),
    Conversation(At),
}

/// The transaction in which messages are chosen.
struct Choosing<'a> {
    app: &'a App,
    tx: Tx,
    now: At,
    leased_until: At,
    /// The times of the rates looked at so far, as they will stand.
    tats: HashMap<String, Option<At>>,
    changed: Vec<(String, At)>,
    chosen: Vec<i64>,
}

impl Choosing<'_> {
    /// Chooses up to `limit` messages of the account; answers how many.
    async fn choose(&mut self, account: &Waiting, priority: Priority, limit: usize) -> store::Result<usize> {
        let asked = u32::try_from(limit + self.chosen.len()).unwrap_or(u32::MAX);
        let mut candidates = store::outbox::candidates(&mut self.tx, &account.account_id, priority, self.now, asked).await?;
        candidates.retain(|candidate| !self.chosen.contains(&candidate.seq));
        candidates.truncate(limit);
        if candidates.is_empty() {
            return Ok(0);
        }
        if account.breaker_open_until.is_some()
            && !store::sending::begin_probe(&mut self.tx, &account.account_id, self.now, self.leased_until).await?
        {
            return Ok(0);
        }
        let rates = self.rates(account);
        self.look_up(&rates, account, &candidates).await?;
        let before = self.chosen.len();
        for candidate in &candidates {
            match self.admit(&rates, account, candidate, priority) {
                Ok(()) => self.chosen.push(candidate.seq),
                Err(Wait::Conversation(until)) => {
                    store::outbox::delay(&mut self.tx, candidate.seq, until.min(candidate.expires_at)).await?;
                }
                Err(Wait::Account(until)) => {
                    let gate = if priority == Priority::Bulk { BULK_GATE } else { GATE };
                    self.changed.push((format!("{}{gate}", account.account_id), until));
                    break;
                }
            }
        }
        let chosen = self.chosen.len() - before;
        if chosen == 0 && account.breaker_open_until.is_some() {
            store::sending::end_probe(&mut self.tx, &account.account_id).await?;
        }
        Ok(chosen)
    }

    fn rates(&self, account: &Waiting) -> Rates {
        let Some(manifest) = self.app.plugins.manifest_of(&account.channel_type, &account.account_id) else { return Rates::default() };
        rates::effective(&manifest.capabilities.rates, self.app.config.outbox.rates.get(&account.channel_type))
    }

    fn rates_of(rates: &Rates, account: &Waiting, candidate: &Candidate) -> (Vec<Rate>, Vec<Rate>) {
        if !rates::counts(&candidate.kind) {
            return (Vec::new(), Vec::new());
        }
        let kind = candidate.conversation_kind.unwrap_or(ConversationKind::Direct);
        (rates::of_account(rates, &account.account_id), rates::of_conversation(rates, &candidate.lane, kind))
    }

    async fn look_up(&mut self, rates: &Rates, account: &Waiting, candidates: &[Candidate]) -> store::Result<()> {
        let mut unknown: Vec<String> = Vec::new();
        for candidate in candidates {
            let (of_account, of_conversation) = Self::rates_of(rates, account, candidate);
            for rate in of_account.into_iter().chain(of_conversation) {
                if !self.tats.contains_key(&rate.key) && !unknown.contains(&rate.key) {
                    unknown.push(rate.key);
                }
            }
        }
        let keys: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let mut known = store::rates::find(&mut self.tx, &keys).await?;
        for key in unknown {
            let tat = known.remove(&key);
            self.tats.insert(key, tat);
        }
        Ok(())
    }

    /// Takes one of each allowance, or of none.
    fn admit(&mut self, rates: &Rates, account: &Waiting, candidate: &Candidate, priority: Priority) -> Result<(), Wait> {
        let (of_account, of_conversation) = Self::rates_of(rates, account, candidate);
        let admit = |rates: &[Rate]| -> Result<Vec<(String, At)>, At> {
            let mut taken = Vec::new();
            let mut until: Option<At> = None;
            for rate in rates {
                match rate.admit(self.tats.get(&rate.key).copied().flatten(), priority, self.now) {
                    Ok(tat) => taken.push((rate.key.clone(), tat)),
                    Err(later) => until = until.max(Some(later)),
                }
            }
            until.map_or(Ok(taken), Err)
        };
        let mut taken = admit(&of_conversation).map_err(Wait::Conversation)?;
        taken.extend(admit(&of_account).map_err(Wait::Account)?);
        for (key, tat) in taken {
            self.tats.insert(key.clone(), Some(tat));
            self.changed.push((key, tat));
        }
        Ok(())
    }

    async fn lease(mut self) -> store::Result<Vec<Claim>> {
        let claims = store::outbox::lease(&mut self.tx, &self.chosen, self.now, self.leased_until).await?;
        // The last value of each key: one statement can't write a row twice.
        let last: HashMap<String, At> = self.changed.into_iter().collect();
        store::rates::save(&mut self.tx, &Vec::from_iter(last)).await?;
        self.tx.commit().await?;
        Ok(claims)
    }
}
