//! The operator's NATS: one connection for the process, which reconnects for ever.

use std::time::Duration;

use async_nats::{
    ConnectOptions, HeaderMap,
    connection::State,
    header::NATS_MESSAGE_ID,
    jetstream::{
        self, Context,
        context::{PublishError, PublishErrorKind},
        stream::{Config as StreamConfig, StorageType},
    },
};
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::{config, domain::event::Event};

/// How long JetStream knows a message's id again, in a stream that we make.
const DEDUPE: Duration = Duration::from_secs(10 * 60);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// Why an event isn't published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unpublished {
    /// The next try may succeed.
    Later(String),
    /// No try will.
    Never(String),
}

pub struct Nats {
    settings: config::Nats,
    /// Connected when it is first needed.
    jetstream: OnceCell<Context>,
}

impl Nats {
    pub fn new(settings: config::Nats) -> Nats {
        Nats { settings, jetstream: OnceCell::new() }
    }

    /// Whether the operator has set one.
    pub fn is_configured(&self) -> bool {
        !self.settings.url.is_empty()
    }

    /// Publishes the event; done once the stream has stored it. JetStream drops what it has by the event's id already.
    pub(super) async fn publish(&self, event: &Event) -> Result<(), Unpublished> {
        let later = Unpublished::Later;
        let jetstream = self.jetstream.get_or_try_init(|| self.connect()).await.map_err(later)?;
        // What is published while NATS is away would pile up in the client.
        if jetstream.client().connection_state() != State::Connected {
            return Err(later("NATS is away".to_owned()));
        }
        let subject = format!("{}.{}.{}", self.settings.subject_prefix, event.organization_id, event.event_type);
        let body = Bytes::from(serde_json::to_vec(event).map_err(|error| Unpublished::Never(format!("the event has no JSON: {error}")))?);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.id.as_str());
        let mut published = store(jetstream, &subject, &headers, &body).await;
        if published.as_ref().is_err_and(|error| error.kind() == PublishErrorKind::StreamNotFound) {
            self.make_stream(jetstream).await.map_err(later)?;
            published = store(jetstream, &subject, &headers, &body).await;
        }
        match published {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                Err(Unpublished::Never("the event is larger than the server's max_payload".to_owned()))
            }
            Err(error) => Err(later(error.to_string())),
        }
    }

    async fn connect(&self) -> Result<Context, String> {
        if !self.is_configured() {
            return Err("nats.url is empty".to_owned());
        }
        let mut options = ConnectOptions::new()
            .name("patchbay")
            .retry_on_initial_connect()
            .max_reconnects(None::<usize>)
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis(100).saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX)).min(RECONNECT_MAX)
            })
            .event_callback(|event| async move { tracing::info!(%event, "NATS") });
        let file = &self.settings.credentials_file;
        if !file.is_empty() {
            options = options.credentials_file(file).await.map_err(|error| format!("nats.credentials_file {file}: {error}"))?;
        }
        let client = options.connect(self.settings.url.as_str()).await.map_err(|error| error.to_string())?;
        Ok(jetstream::new(client))
    }

    /// Makes the stream where there is none; one that the operator has made stays as it is.
    async fn make_stream(&self, jetstream: &Context) -> Result<(), String> {
        let config = StreamConfig {
            name: self.settings.stream.clone(),
            subjects: vec![format!("{}.>", self.settings.subject_prefix)],
            storage: StorageType::File,
            duplicate_window: DEDUPE,
            ..StreamConfig::default()
        };
        jetstream.get_or_create_stream(config).await.map(drop).map_err(|error| format!("nats.stream: {error}"))
    }
}

/// Done once the stream has it.
async fn store(jetstream: &Context, subject: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), PublishError> {
    jetstream.publish_with_headers(subject.to_owned(), headers.clone(), body.clone()).await?.await.map(drop)
}
