//! Counters as people read them: figures and rates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    durations::{Buckets, Durations},
    span::Span,
};
use crate::{
    app::App,
    clock::At,
    domain::{
        failure::FailureClass,
        stats::{Amount, Metric},
        words,
    },
    error::ApiError,
    store::{
        self,
        stats::{Counted, Filter, Named},
    },
};

/// The most rows of an answer.
const ROWS_MAX: usize = 10_000;
/// The most accounts of an answer.
const ACCOUNTS_MAX: u32 = 1000;

words! {
    /// What a summary has a row for.
    pub enum By {
        Account = "account",
        /// A message counts for the version that received it, or that sent or failed it.
        Version = "version",
    }
}

/// One account's figures over a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "AccountStats")]
pub struct Report {
    pub channel_account_id: String,
    pub organization_id: String,
    #[serde(rename = "type")]
    pub channel_type: String,
    pub name: String,
    #[serde(flatten)]
    pub version: Option<VersionName>,
    /// Included.
    pub from: At,
    /// Excluded.
    pub to: At,
    #[serde(flatten)]
    pub figures: Figures,
}

/// Which version of the plugin a row is about; none where the gateway doesn't know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionName {
    pub plugin_digest: Option<String>,
    pub plugin_version: Option<String>,
}

/// `docs/statistics.md` has the formula of each.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    pub messages_received: i64,
    pub messages_sent: i64,
    /// Of those sent, what the business wrote elsewhere.
    pub sent_native: i64,
    pub messages_attempted: i64,
    /// None where the channel never tells.
    pub delivered: Option<i64>,
    /// None where the channel never tells.
    pub read: Option<i64>,
    /// Notifications that somebody first opened then.
    pub opened: i64,
    /// Notifications that somebody first put away then.
    pub dismissed: i64,
    pub failed: Failed,
    pub uncertain: i64,
    pub conversations_new: i64,
    /// None by version: a conversation is no version's.
    pub conversations_active: Option<i64>,
    /// Episodes that began and have no response so far. None by version.
    pub unanswered: Option<i64>,
    pub first_response: Durations,
    pub reply_time: Durations,
    /// From 0 to 1, as all rates; none where the channel can't have it, or where there is nothing to divide by.
    pub delivery_rate: Option<f64>,
    pub read_rate: Option<f64>,
    pub error_rate: Option<f64>,
    pub error_rate_recipient: Option<f64>,
    pub error_rate_system: Option<f64>,
}

/// What failed, apart by who could have done something about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failed {
    pub total: i64,
    /// The recipient can't be reached, or hasn't written for too long.
    pub recipient: i64,
    /// Everything else: the message, the account, the provider, the plugin.
    pub system: i64,
    pub by_class: BTreeMap<String, i64>,
}

impl Failed {
    fn of(by_class: BTreeMap<String, i64>) -> Failed {
        let by_class: BTreeMap<String, i64> = by_class.into_iter().filter(|(_, count)| *count != 0).collect();
        let total = by_class.values().sum();
        let recipient = by_class.iter().filter(|(class, _)| is_recipients(class)).map(|(_, count)| count).sum();
        Failed { total, recipient, system: total - recipient, by_class }
    }
}

fn is_recipients(class: &str) -> bool {
    matches!(class.parse(), Ok(FailureClass::Recipient | FailureClass::WindowClosed))
}

/// What a channel tells of its messages.
#[derive(Debug, Clone, Copy, Default)]
struct Receipts {
    delivered: bool,
    read: bool,
}

impl Receipts {
    fn of(app: &App, channel_type: &str) -> Receipts {
        let manifest = app.plugins.manifest(channel_type);
        let tells = |state: &str| manifest.as_ref().is_some_and(|manifest| manifest.capabilities.receipts.iter().any(|told| told == state));
        Receipts { delivered: tells("delivered"), read: tells("read") || tells("played") }
    }
}

/// Counters of one row, added up.
#[derive(Debug, Default)]
struct Sums {
    counts: BTreeMap<Metric, i64>,
    failed: BTreeMap<String, i64>,
    failed_of_attempted: BTreeMap<String, i64>,
    first_response: Buckets,
    reply_time: Buckets,
}

impl Sums {
    fn add(&mut self, metric: Metric, label: &str, amount: Amount) {
        let by_class = match metric {
            Metric::Failed => Some(&mut self.failed),
            Metric::FailedOfAttempted => Some(&mut self.failed_of_attempted),
            _ => None,
        };
        if let Some(by_class) = by_class {
            *by_class.entry(label.to_owned()).or_default() += amount.count;
        }
        let buckets = match metric {
            Metric::FirstResponse => Some(&mut self.first_response),
            Metric::ReplyTime => Some(&mut self.reply_time),
            _ => None,
        };
        if let (Some(buckets), Ok(bucket)) = (buckets, label.parse()) {
            *buckets.entry(bucket).or_default() += amount;
        }
        *self.counts.entry(metric).or_default() += amount.count;
    }

    fn figures(self, receipts: Receipts, active: Option<i64>) -> Figures {
        let count = |metric: Metric| self.counts.get(&metric).copied().unwrap_or_default();
        let rate = |part: i64, whole: i64| (whole > 0).then(|| part as f64 / whole as f64);
        let (sent, attempted) = (count(Metric::Sent), count(Metric::Attempted));
        let (delivered_of, read_of) = (count(Metric::DeliveredOfSent), count(Metric::ReadOfSent));
        let failed_of = Failed::of(self.failed_of_attempted);
        Figures {
            messages_received: count(Metric::Received),
            messages_sent: sent,
            sent_native: count(Metric::SentNative),
            messages_attempted: attempted,
            delivered: receipts.delivered.then(|| count(Metric::Delivered)),
            read: receipts.read.then(|| count(Metric::Read)),
            opened: count(Metric::Opened),
            dismissed: count(Metric::Dismissed),
            failed: Failed::of(self.failed),
            uncertain: count(Metric::Uncertain),
            conversations_new: count(Metric::ConversationsNew),
            conversations_active: active,
            unanswered: active.map(|_| count(Metric::Episodes) - count(Metric::EpisodesAnswered)),
            first_response: Durations::of(&self.first_response),
            reply_time: Durations::of(&self.reply_time),
            delivery_rate: if receipts.delivered { rate(delivered_of, sent) } else { None },
            read_rate: match receipts {
                Receipts { read: false, .. } => None,
                Receipts { delivered: true, .. } => rate(read_of, delivered_of),
                Receipts { delivered: false, .. } => rate(read_of, sent),
            },
            error_rate: rate(failed_of.total, attempted),
            error_rate_recipient: rate(failed_of.recipient, attempted),
            error_rate_system: rate(failed_of.system, attempted),
        }
    }
}

/// A row for each account and stretch of the span, those with nothing in them too: by time, then by account.
///
/// # Errors
/// 404 for an account that is named and unknown, 400 where the rows are too many.
pub async fn list(app: &App, filter: &Filter, span: &Span) -> Result<Vec<Report>, ApiError> {
    let accounts = accounts(app, filter).await?;
    let rows = accounts.len().saturating_mul(span.stretches.len());
    if rows > ROWS_MAX {
        return Err(ApiError::bad_request("too_many_rows", format!("That is {rows} rows; {ROWS_MAX} are the most."))
            .hint("Ask for less time, for days in place of hours, or for one channel_account_id, organization_id or type."));
    }
    reports(app, &accounts, span, By::Account).await
}

/// A row for each account, or for each account and version of its plugin that counts for something in the span.
///
/// # Errors
/// As for [`list`].
pub async fn summarise(app: &App, filter: &Filter, span: &Span, by: By) -> Result<Vec<Report>, ApiError> {
    let accounts = accounts(app, filter).await?;
    reports(app, &accounts, span, by).await
}

/// The account that the filter names.
///
/// # Errors
/// 404 where there is none.
pub async fn named(app: &App, filter: &Filter) -> Result<Named, ApiError> {
    let found = accounts(app, filter).await?.into_iter().next();
    found.ok_or_else(|| ApiError::not_found("channel account", filter.account_id.as_deref().unwrap_or_default()))
}

async fn accounts(app: &App, filter: &Filter) -> Result<Vec<Named>, ApiError> {
    let accounts = store::stats::accounts(&app.db, filter, ACCOUNTS_MAX + 1).await?;
    match &filter.account_id {
        Some(id) if accounts.is_empty() => Err(ApiError::not_found("channel account", id)),
        _ if accounts.len() > ACCOUNTS_MAX as usize => {
            Err(ApiError::bad_request("too_many_rows", format!("There are more than {ACCOUNTS_MAX} accounts."))
                .hint("Ask for one organization_id, type or channel_account_id."))
        }
        _ => Ok(accounts),
    }
}

async fn reports(app: &App, accounts: &[Named], span: &Span, by: By) -> Result<Vec<Report>, ApiError> {
    if accounts.is_empty() || span.stretches.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    let by_version = by == By::Version;
    let mut sums: BTreeMap<(String, usize, Option<String>), Sums> = BTreeMap::new();
    for Counted { account_id, stretch, plugin_digest, metric, label, amount } in
        store::stats::counts(&app.db, &ids, &span.stretches, by_version).await?
    {
        sums.entry((account_id, stretch, plugin_digest)).or_default().add(metric, &label, amount);
    }
    let mut reports = Vec::new();
    if by_version {
        let versions = store::stats::versions(&app.db).await?;
        for ((account_id, stretch, digest), sums) in sums {
            let named = accounts.iter().find(|account| account.id == account_id).zip(span.stretches.get(stretch));
            let Some((account, stretch)) = named else { continue };
            let digest = digest.filter(|digest| !digest.is_empty());
            let name =
                VersionName { plugin_version: digest.as_ref().and_then(|digest| versions.get(digest).cloned()), plugin_digest: digest };
            reports.push(report(account, *stretch, Some(name), sums.figures(Receipts::of(app, &account.channel_type), None)));
        }
        return Ok(reports);
    }
    let active = store::stats::active(&app.db, &ids, &span.stretches).await?;
    let receipts: BTreeMap<&str, Receipts> =
        accounts.iter().map(|account| (account.channel_type.as_str(), Receipts::of(app, &account.channel_type))).collect();
    for (n, stretch) in span.stretches.iter().enumerate() {
        for account in accounts {
            let sums = sums.remove(&(account.id.clone(), n, None)).unwrap_or_default();
            let active = active.get(&(account.id.clone(), n)).copied().unwrap_or_default();
            let receipts = receipts.get(account.channel_type.as_str()).copied().unwrap_or_default();
            reports.push(report(account, *stretch, None, sums.figures(receipts, Some(active))));
        }
    }
    Ok(reports)
}

fn report(account: &Named, (from, to): (At, At), version: Option<VersionName>, figures: Figures) -> Report {
    Report {
        channel_account_id: account.id.clone(),
        organization_id: account.organization_id.clone(),
        channel_type: account.channel_type.clone(),
        name: account.name.clone(),
        version,
        from,
        to,
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(counts: &[(Metric, &str, i64)]) -> Sums {
        let mut sums = Sums::default();
        for (metric, label, count) in counts {
            sums.add(*metric, label, Amount { count: *count, sum: 0 });
        }
        sums
    }

    const ALL: Receipts = Receipts { delivered: true, read: true };

    #[test]
    fn a_rate_is_of_the_messages_that_were_sent_then() {
        let counts = [
            (Metric::Sent, "", 10),
            (Metric::Attempted, "", 16),
            (Metric::Delivered, "", 20),
            (Metric::DeliveredOfSent, "", 8),
            (Metric::ReadOfSent, "", 2),
            (Metric::FailedOfAttempted, "recipient", 3),
            (Metric::FailedOfAttempted, "fault", 1),
            (Metric::Failed, "recipient", 5),
        ];
        let figures = sums(&counts).figures(ALL, Some(0));
        assert_eq!((figures.delivered, figures.delivery_rate, figures.read_rate), (Some(20), Some(0.8), Some(0.25)));
        assert_eq!((figures.error_rate, figures.error_rate_recipient, figures.error_rate_system), (Some(0.25), Some(0.1875), Some(0.0625)));
        assert_eq!((figures.failed.total, figures.failed.recipient, figures.failed.system), (5, 5, 0));
    }

    #[test]
    fn what_a_channel_never_tells_is_none() {
        let counts = [(Metric::Sent, "", 10), (Metric::DeliveredOfSent, "", 4), (Metric::ReadOfSent, "", 4)];
        let none = sums(&counts).figures(Receipts::default(), Some(0));
        assert_eq!((none.delivered, none.read, none.delivery_rate, none.read_rate), (None, None, None, None));
        let read_only = sums(&counts).figures(Receipts { delivered: false, read: true }, Some(0));
        assert_eq!((read_only.delivery_rate, read_only.read_rate), (None, Some(0.4)));
    }

    #[test]
    fn nothing_has_no_rate() {
        let figures = Sums::default().figures(ALL, Some(0));
        assert_eq!((figures.delivered, figures.delivery_rate, figures.read_rate, figures.error_rate), (Some(0), None, None, None));
    }
}
