//! What a table's rows are read as and how they are shown: the room between `store/tables.rs` and the lists.

use futures::future::BoxFuture;
use patchbay_postgrest::{Query, Table, Window};
use serde::Serialize;
use serde_json::Value;

use crate::{
    app::App,
    domain::{
        account::Account,
        endpoint::Endpoint,
        log::LogEntry,
        media::MediaFile,
        message::Message,
        people::{Contact, Conversation},
        subscription::Subscriber,
        webhook::Delivery,
    },
    error::ApiError,
    store::{
        self, Record,
        lists::{self, Seen},
        tables,
    },
};

use super::{channel_accounts, dead_letters::DeadMessage, endpoints, messages};

/// The most rows of each parent that are embedded, unless fewer are asked for.
pub(super) const EMBEDDED_MAX: u64 = 100;

type Load = for<'a> fn(&'a App, &'a Query, &'a Seen, Window) -> BoxFuture<'a, Result<Vec<Value>, ApiError>>;
type LoadRelated = for<'a> fn(&'a App, &'a Query, &'a Seen, &'a str, &'a [String]) -> BoxFuture<'a, Result<Vec<Value>, ApiError>>;

/// A table with what shows its rows.
pub(super) struct Resource {
    pub(super) table: &'static Table,
    /// The rows of a window, rendered in full.
    pub(super) load: Load,
    /// The rows of these parents.
    pub(super) related: LoadRelated,
}

/// A record that a client sees as a row.
pub(super) trait Shown: Record + Send + Sized {
    fn show(app: &App, records: Vec<Self>) -> impl Future<Output = Result<Vec<Value>, ApiError>> + Send;
}

impl Resource {
    const fn of<T: Shown + 'static>(table: &'static Table) -> Resource {
        Resource { table, load: load::<T>, related: related::<T> }
    }
}

fn load<'a, T: Shown + 'static>(
    app: &'a App,
    query: &'a Query,
    seen: &'a Seen,
    window: Window,
) -> BoxFuture<'a, Result<Vec<Value>, ApiError>> {
    Box::pin(async move { T::show(app, lists::read::<T>(&app.db, query, seen, window).await?).await })
}

fn related<'a, T: Shown + 'static>(
    app: &'a App,
    query: &'a Query,
    seen: &'a Seen,
    foreign: &'a str,
    parents: &'a [String],
) -> BoxFuture<'a, Result<Vec<Value>, ApiError>> {
    Box::pin(async move { T::show(app, lists::related::<T>(&app.db, query, seen, foreign, parents, EMBEDDED_MAX).await?).await })
}

pub(super) static CHANNEL_ACCOUNTS: Resource = Resource::of::<Account>(&tables::CHANNEL_ACCOUNTS);
pub(super) static MESSAGES: Resource = Resource::of::<Message>(&tables::MESSAGES);
pub(super) static DEAD_LETTERS: Resource = Resource::of::<DeadMessage>(&tables::DEAD_LETTERS);
pub(super) static CONVERSATIONS: Resource = Resource::of::<Conversation>(&tables::CONVERSATIONS);
pub(super) static CONTACTS: Resource = Resource::of::<Contact>(&tables::CONTACTS);
pub(super) static WEBHOOK_DELIVERIES: Resource = Resource::of::<Delivery>(&tables::WEBHOOK_DELIVERIES);
pub(super) static ACCOUNT_LOGS: Resource = Resource::of::<LogEntry>(&tables::ACCOUNT_LOGS);
pub(super) static SUBSCRIPTIONS: Resource = Resource::of::<Subscriber>(&tables::SUBSCRIPTIONS);
pub(super) static ENDPOINTS: Resource = Resource::of::<Endpoint>(&tables::ENDPOINTS);
pub(super) static MEDIA: Resource = Resource::of::<MediaFile>(&tables::MEDIA);

static ALL: [&Resource; 10] = [
    &CHANNEL_ACCOUNTS,
    &MESSAGES,
    &DEAD_LETTERS,
    &CONVERSATIONS,
    &CONTACTS,
    &WEBHOOK_DELIVERIES,
    &ACCOUNT_LOGS,
    &SUBSCRIPTIONS,
    &ENDPOINTS,
    &MEDIA,
];

/// Names of the tables under `/rest/v1`.
pub(super) const NAMES: &str = "channel_accounts, channel_account_stats, account_logs, webhook_deliveries, channel_types, messages, dead_letters, \
     conversations, contacts, subscriptions, media, events, event_types, endpoints, api_keys, audit_log";

/// What shows the rows of a table.
pub(super) fn of(table: &Table) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.table.name == table.name)
}

/// Records whose JSON is their row.
fn plain<T: Serialize>(records: &[T]) -> Result<Vec<Value>, ApiError> {
    records.iter().map(|record| serde_json::to_value(record).map_err(|error| ApiError::internal(&error))).collect()
}

macro_rules! shown_as_they_are {
    ($($record:ty),*) => {$(
        impl Shown for $record {
            async fn show(_: &App, records: Vec<$record>) -> Result<Vec<Value>, ApiError> {
                plain(&records)
            }
        }
    )*};
}
shown_as_they_are!(Conversation, Delivery, LogEntry, Subscriber, MediaFile);

impl Shown for Account {
    async fn show(app: &App, accounts: Vec<Account>) -> Result<Vec<Value>, ApiError> {
        plain(&channel_accounts::all_shown(app, accounts).await?)
    }
}

impl Shown for Message {
    async fn show(app: &App, messages: Vec<Message>) -> Result<Vec<Value>, ApiError> {
        plain(&messages::all_shown(app, messages).await?)
    }
}

impl Shown for DeadMessage {
    async fn show(app: &App, messages: Vec<DeadMessage>) -> Result<Vec<Value>, ApiError> {
        plain(&super::dead_letters::all_shown(app, messages.into_iter().map(|DeadMessage(message)| message).collect()).await?)
    }
}

impl Shown for Contact {
    /// With their identities, which are rows of their own.
    async fn show(app: &App, contacts: Vec<Contact>) -> Result<Vec<Value>, ApiError> {
        let ids: Vec<&str> = contacts.iter().map(|contact| contact.id.as_str()).collect();
        let mut whole = store::people::contacts_by_id(&app.db, &ids).await?;
        plain(&ids.iter().filter_map(|id| whole.remove(*id)).collect::<Vec<_>>())
    }
}

impl Shown for Endpoint {
    async fn show(_: &App, endpoints: Vec<Endpoint>) -> Result<Vec<Value>, ApiError> {
        plain(&endpoints.iter().map(endpoints::render).collect::<Vec<_>>())
    }
}
