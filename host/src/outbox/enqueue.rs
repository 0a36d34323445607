//! From a client's request to a row in the queue.

use std::{borrow::Cow, sync::Arc, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{
    blank_message,
    check::check,
    outbound::{LINK_LIFE, is_linked},
    preview::facts_of,
    queue_behind,
    settle::parking,
    sweep::KEPT_FOR,
};
use crate::{
    app::App,
    clock::At,
    domain::{
        account::Account,
        content::{Choices, Content, Custom, Extras, Interactive, Source},
        event::EventType,
        failure::FieldProblem,
        media::MediaFile,
        message::{Command, Direction, Edit, Message, MessageState, Priority, Reaction},
    },
    error::ApiError,
    ledger::{About, Ledger, Wanted},
    manifest::Capabilities,
    media,
    store::{
        self, Tx,
        group::Work,
        idempotency::{Entry, Kept, Slot},
        outbox::lane,
        people::Owner,
    },
    subscriptions,
    wake::Topic,
};

/// The extra that names the other parts of a message to delete.
const ALSO: &str = "also";
/// The longest that a message may wait for its time: a year.
const SEND_AT_MAX: Duration = Duration::from_secs(366 * 86_400);

/// What a client asks to send: to a recipient or a conversation, exactly one of `content` and what else can be asked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    pub channel_account_id: String,
    /// A recipient's address, or the provider's id of a conversation.
    pub to: Option<String>,
    /// Our id of a conversation, in place of `to`.
    pub conversation_id: Option<String>,
    pub content: Option<Parts>,
    pub react: Option<Reaction>,
    pub edit: Option<Edit>,
    /// The message to delete: our id or the provider's.
    pub delete: Option<String>,
    pub typing: Option<bool>,
    /// The message read: our id or the provider's.
    pub mark_read: Option<String>,
    pub custom: Option<Custom>,
    /// The message answered: our id or the provider's.
    pub reply_to: Option<String>,
    #[serde(default)]
    pub extras: Extras,
    /// Not before then.
    pub send_at: Option<At>,
    /// Failed if not sent by then.
    pub expires_at: Option<At>,
    /// `bulk` for campaigns: behind what is normal.
    #[serde(default)]
    pub priority: Priority,
    /// Tells what would be queued; nothing is.
    #[serde(default)]
    pub dry_run: bool,
}

impl SendRequest {
    /// A message with this content and nothing else.
    pub fn message(channel_account_id: String, to: String, content: Vec<Content>) -> SendRequest {
        SendRequest {
            channel_account_id,
            to: Some(to),
            conversation_id: None,
            content: Some(Parts(content)),
            react: None,
            edit: None,
            delete: None,
            typing: None,
            mark_read: None,
            custom: None,
            reply_to: None,
            extras: Extras::new(),
            send_at: None,
            expires_at: None,
            priority: Priority::Normal,
            dry_run: false,
        }
    }
}

/// A message of one part may be written without the list.
#[derive(Debug, Clone)]
pub struct Parts(Vec<Content>);

impl JsonSchema for Parts {
    fn schema_name() -> Cow<'static, str> {
        "MessageParts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, several) = (generator.subschema_for::<Content>(), generator.subschema_for::<Vec<Content>>());
        json_schema!({"description": "One part, or several in their order.", "anyOf": [one, several]})
    }
}

impl<'de> Deserialize<'de> for Parts {
    /// By hand: serde's untagged enums say of a mistake only that nothing matched.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parts, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let (several, items) = match value {
            Value::Array(items) => (true, items),
            one => (false, vec![one]),
        };
        let part = |(n, item): (usize, Value)| {
            let place = if several { format!("part {n}: ") } else { String::new() };
            serde_json::from_value(item).map_err(|error| D::Error::custom(format!("{place}{error}")))
        };
        items.into_iter().enumerate().map(part).collect::<Result<_, _>>().map(Parts)
    }
}

/// Where a message goes.
struct Destination {
    to: String,
    conversation_id: Option<String>,
    contact_id: Option<String>,
}

/// A request that was checked, as it will be stored.
pub struct Prepared {
    pub message: Message,
    /// Until when its files have to be there.
    files_until: At,
    lane: String,
    priority: Priority,
}

/// The answer to keep for the request's Idempotency-Key.
pub struct KeptAnswer {
    pub slot: Slot,
    pub fingerprint: Vec<u8>,
    pub kept: Kept,
}

/// What became of a message that was to be stored.
enum Stored {
    Queued,
    /// Another request with its Idempotency-Key was stored meanwhile.
    KeyTaken,
    /// The media of that id was removed meanwhile.
    MediaGone(String),
}

/// Checks the request and queues it: see [`prepare`] for the errors.
pub async fn enqueue(app: &Arc<App>, account: &Account, request: SendRequest) -> Result<Message, ApiError> {
    let prepared = prepare(app, account, request).await?;
    let message = prepared.message.clone();
    store_prepared(app, prepared, None).await?;
    Ok(message)
}

/// Checks the request; nothing is stored.
///
/// # Errors
/// 404 for an unknown account or conversation, 409 for an inactive account, 422 with each bad field, 503 where the plugin that is to
/// judge the message fails.
pub async fn prepare(app: &App, account: &Account, request: SendRequest) -> Result<Prepared, ApiError> {
    check_active(account)?;
    let Some(manifest) = app.plugins.manifest_for(account) else {
        return Err(ApiError::unavailable("plugin_missing", format!("No plugin for {} is loaded.", account.channel_type))
            .hint("GET /admin/v1/plugins says why; install one with POST /admin/v1/plugins."));
    };
    let now = app.clock.now();
    let mut command = command_of(&request)?;
    resolve_targets(app, account, &mut command).await?;
    fill_media(app, account, &manifest.capabilities, &mut command, request.dry_run).await?;
    let mut problems = check(&manifest.capabilities, &command);
    problems.extend(time_problems(&request, now));
    if !problems.is_empty() {
        return Err(ApiError::invalid(problems));
    }
    let mut destination = destination(app, account, &request).await?;
    if manifest.capabilities.subscriptions && matches!(command, Command::Message(_)) {
        destination.contact_id = subscriber(app, account, &destination).await?;
    }
    let reply_to = match &request.reply_to {
        Some(reference) => Some(external_id(app, account, reference).await?),
        None => None,
    };
    let owner = Owner { organization_id: &account.organization_id, account_id: &account.id };
    let lane = lane(&account.id, &destination.to);
    let mut extras = request.extras;
    if let Some(reference) = &request.delete {
        extras.extend(other_parts(app, account, reference).await?.map(|others| (ALSO.to_owned(), others)));
    }
    let mut message = Message {
        conversation_id: destination.conversation_id,
        contact_id: destination.contact_id,
        kind: command.kind().to_owned(),
        to: Some(destination.to),
        reply_to,
        extras,
        send_at: request.send_at,
        expires_at: Some(
            request.expires_at.unwrap_or_else(|| request.send_at.unwrap_or(now).plus(Duration::from_secs(app.config.outbox.expires_s))),
        ),
        ..blank_message(app.ids.next(now), owner, Direction::Outbound, MessageState::Queued, now)
    };
    match command {
        Command::Message(content) => message.content = content,
        command => message.command = Some(command),
    }
    message.facts = facts_of(app, account, &message).await?;
    let files_until = files_until(&manifest.capabilities, &message, now);
    Ok(Prepared { message, files_until, lane, priority: request.priority })
}

/// # Errors
/// 409 for an inactive account.
pub(super) fn check_active(account: &Account) -> Result<(), ApiError> {
    if account.is_active {
        return Ok(());
    }
    Err(ApiError::conflict("account_inactive", format!("The account “{}” is inactive: nothing is sent.", account.name)).hint(format!(
        "PATCH /rest/v1/channel_accounts/{} with {{\"is_active\": true}}, then send again: an inactive account queues nothing, not even with send_at.",
        account.id
    )))
}

/// Stores the message with its place in the queue and, where there is one, the answer to its Idempotency-Key: all or nothing.
/// Answers false where another request with that key was stored meanwhile; then nothing is.
pub async fn store_prepared(app: &Arc<App>, prepared: Prepared, answer: Option<KeptAnswer>) -> Result<bool, ApiError> {
    let asked = Asked { app: Arc::clone(app), prepared, answer };
    match app.group.commit(&Arc::new(asked)).await? {
        Stored::Queued => {
            app.wake.tell(Topic::Outbox);
            app.wake.tell(Topic::Events);
            Ok(true)
        }
        Stored::KeyTaken => Ok(false),
        Stored::MediaGone(id) => {
            Err(ApiError::invalid_field("/content", format!("the media “{id}” was removed just now: upload it again")))
        }
    }
}

struct Asked {
    app: Arc<App>,
    prepared: Prepared,
    answer: Option<KeptAnswer>,
}

impl Work for Asked {
    type Made = Stored;

    async fn write(&self, tx: &mut Tx) -> store::Result<Stored> {
        write(&self.app, tx, &self.prepared, self.answer.as_ref(), self.app.clock.now()).await
    }
}

/// All of an enqueue in the caller's transaction; nothing where it can't be.
async fn write(app: &App, tx: &mut Tx, prepared: &Prepared, answer: Option<&KeptAnswer>, now: At) -> store::Result<Stored> {
    if let Some(id) = use_media(tx, &prepared.message, prepared.files_until).await? {
        return Ok(Stored::MediaGone(id));
    }
    if let Some(answer) = answer {
        let entry =
            Entry { holder: &prepared.message.id, fingerprint: Some(&answer.fingerprint), locked_until: now, kept: Some(&answer.kept) };
        if !store::idempotency::take(tx, &answer.slot, &entry, now.minus(KEPT_FOR), now).await? {
            return Ok(Stored::KeyTaken);
        }
    }
    let Prepared { message, lane, priority, .. } = prepared;
    let owner = Owner { organization_id: &message.organization_id, account_id: &message.channel_account_id };
    let parked = parking(tx, owner.account_id).await?;
    let mut wanted = Wanted::default();
    wanted.conversation(owner.account_id, message.to.as_deref().unwrap_or_default());
    let mut ledger = Ledger::new(Arc::clone(&app.ids), now);
    ledger.load(tx, &wanted).await?;
    let mut page = ledger.page(owner, true, None);
    // As it stands now: it may have become part of another since the request was checked.
    let conversation = page.conversation_by_external_id(message.to.as_deref().unwrap_or_default());
    let message = Message { conversation_id: conversation.map(|conversation| conversation.id.clone()), ..message.clone() };
    page.tell_message(EventType::MessageQueued, &message, None, &About::default(), None);
    queue_behind(&mut page, message, lane.clone(), *priority, parked);
    ledger.save(tx, &app.keyring).await?;
    Ok(Stored::Queued)
}

/// The one thing that is asked.
///
/// # Errors
/// None is, or several are.
pub(crate) fn command_of(request: &SendRequest) -> Result<Command, ApiError> {
    let mut asked = Vec::new();
    if let Some(content) = &request.content {
        asked.push(Command::Message(content.0.clone()));
    }
    asked.extend(request.react.clone().map(Command::React));
    asked.extend(request.edit.clone().map(|edit| Command::Edit(Box::new(edit))));
    asked.extend(request.delete.clone().map(Command::Delete));
    asked.extend(request.typing.map(Command::Typing));
    asked.extend(request.mark_read.clone().map(Command::MarkRead));
    asked.extend(request.custom.clone().map(Command::Custom));
    let count = asked.len();
    match (asked.pop(), count) {
        (Some(command), 1) => Ok(command),
        (_, 0) => Err(ApiError::invalid_field(
            "/content",
            "is required: what to send, like [{\"type\": \"text\", \"text\": \"Hi\"}]; or one of react, edit, delete, typing, mark_read, custom",
        )),
        _ => Err(ApiError::invalid_field("/content", "give only one of content, react, edit, delete, typing, mark_read and custom")),
    }
}

fn time_problems(request: &SendRequest, now: At) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if let Some(send_at) = request.send_at
        && send_at > now.plus(SEND_AT_MAX)
    {
        problems.push(FieldProblem::new("/send_at", "is more than a year ahead"));
    }
    if let Some(expires_at) = request.expires_at
        && expires_at <= request.send_at.unwrap_or(now).max(now)
    {
        problems.push(FieldProblem::new("/expires_at", "must be later than now and than send_at"));
    }
    problems
}

/// Commands name their target by our id or the provider's; the plugin gets the provider's.
async fn resolve_targets(app: &App, account: &Account, command: &mut Command) -> Result<(), ApiError> {
    let target = match command {
        Command::React(reaction) => &mut reaction.target,
        Command::Edit(edit) => &mut edit.target,
        Command::Delete(target) | Command::MarkRead(target) => target,
        Command::Message(_) | Command::Typing(_) | Command::Custom(_) => return Ok(()),
    };
    *target = external_id(app, account, target).await?;
    Ok(())
}

/// A message that went out in several parts is deleted whole: the provider's ids of the parts behind the first, comma separated.
async fn other_parts(app: &App, account: &Account, reference: &str) -> Result<Option<String>, ApiError> {
    let Some(message) = store::messages::find(&app.db, reference).await?.filter(|message| message.channel_account_id == account.id) else {
        return Ok(None);
    };
    let refs = store::messages::refs_of(&app.db, &[&message.id]).await?;
    let others: Vec<String> = refs.into_iter().filter(|(_, part, _)| *part > 0).map(|(_, _, external_id)| external_id).collect();
    Ok((!others.is_empty()).then(|| others.join(",")))
}

/// The provider's id of a message named by our id or the provider's.
async fn external_id(app: &App, account: &Account, reference: &str) -> Result<String, ApiError> {
    match store::messages::find(&app.db, reference).await? {
        Some(message) if message.channel_account_id == account.id => message.external_id.ok_or_else(|| {
            ApiError::conflict("not_sent_yet", format!("The message “{reference}” has no id at the provider: it is {}.", message.state))
        }),
        _ => Ok(reference.to_owned()),
    }
}

/// Files that the gateway keeps: each has to be the account's organisation's, and media is completed with what is known of it. A file
/// that is given by URL is fetched first where the provider fetches none; not for a dry run, which stores nothing.
async fn fill_media(
    app: &App,
    account: &Account,
    capabilities: &Capabilities,
    command: &mut Command,
    dry_run: bool,
) -> Result<(), ApiError> {
    let parts: Vec<(String, &mut Content)> = match command {
        Command::Message(parts) => parts.iter_mut().enumerate().map(|(n, part)| (format!("/content/{n}"), part)).collect(),
        Command::Edit(edit) => vec![("/edit/content".to_owned(), &mut edit.content)],
        _ => return Ok(()),
    };
    for (pointer, part) in parts {
        let fetches = !dry_run && capabilities.content.get(part.kind()).is_some_and(|limits| limits.urls == Some(false));
        if fetches {
            import_pictures(app, account, &pointer, part).await?;
        }
        for (place, media) in part.media_mut() {
            let file = match &media.source {
                Source::MediaId(id) => media_file(app, account, id, &format!("{pointer}{place}/media_id")).await?,
                Source::Url(url) if fetches => {
                    let pointer = format!("{pointer}{place}/url");
                    let file = media::import(app, &account.organization_id, url, media.file_name.clone(), &pointer).await?;
                    media.source = Source::MediaId(file.id.clone());
                    file
                }
                Source::Url(_) | Source::ProviderRef(_) => continue,
            };
            media.size = u32::try_from(file.size).ok();
            media.mime_type.get_or_insert(file.mime_type);
            if media.file_name.is_none() {
                media.file_name = file.file_name;
            }
        }
        for source in part.files() {
            if let Source::MediaId(id) = source {
                media_file(app, account, id, &pointer).await?;
            }
        }
    }
    Ok(())
}

/// Fetches what is given by URL and is no media: a sticker, the pictures of cards.
async fn import_pictures(app: &App, account: &Account, pointer: &str, part: &mut Content) -> Result<(), ApiError> {
    let pictures: Vec<(String, &mut Source)> = match part {
        Content::Sticker(sticker) => vec![(format!("{pointer}/url"), &mut sticker.source)],
        Content::Interactive(Interactive { choices: Choices::Carousel(cards), .. }) => {
            let images = cards.iter_mut().enumerate().filter_map(|(n, card)| Some((n, card.image.as_mut()?)));
            images.map(|(n, image)| (format!("{pointer}/carousel/{n}/image/url"), image)).collect()
        }
        _ => Vec::new(),
    };
    for (pointer, source) in pictures {
        if let Source::Url(url) = source {
            *source = Source::MediaId(media::import(app, &account.organization_id, url, None, &pointer).await?.id);
        }
    }
    Ok(())
}

/// Until when the message's files have to be there: as long as it may wait, and then as long as a link to one is good.
pub(super) fn files_until(capabilities: &Capabilities, message: &Message, now: At) -> At {
    let until = message.expires_at.unwrap_or(now);
    if said(message).iter().any(|part| is_linked(capabilities, part)) { until.plus(LINK_LIFE) } else { until }
}

fn said(message: &Message) -> &[Content] {
    match &message.command {
        Some(Command::Edit(edit)) => std::slice::from_ref(&edit.content),
        _ => &message.content,
    }
}

/// Keeps the message's files until then. Answers the id of one that isn't there any more.
pub(super) async fn use_media(tx: &mut Tx, message: &Message, until: At) -> store::Result<Option<String>> {
    for source in said(message).iter().flat_map(Content::files) {
        if let Source::MediaId(id) = source
            && !store::media::use_until(tx, id, until).await?
        {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}

async fn media_file(app: &App, account: &Account, id: &str, pointer: &str) -> Result<MediaFile, ApiError> {
    match store::media::find(&app.db, id).await? {
        Some(file) if file.organization_id == account.organization_id => Ok(file),
        _ => Err(ApiError::invalid_field(pointer, format!("there is no media “{id}”: upload it with POST /rest/v1/media"))),
    }
}

/// The contact whose devices a message goes to; none where they are nobody's, or several persons'.
async fn subscriber(app: &App, account: &Account, destination: &Destination) -> Result<Option<String>, ApiError> {
    let devices = subscriptions::reached_by(app, &account.id, &destination.to).await?;
    let Some(first) = devices.first() else {
        let why = format!(
            "nobody has subscribed as “{}”: give a subscription's id, a contact's, or one of a contact's own ids; \
             GET /rest/v1/subscriptions?channel_account_id={} lists them",
            destination.to, account.id
        );
        return Err(ApiError::invalid_field("/to", why));
    };
    let same = devices.iter().all(|device| device.contact_id == first.contact_id);
    Ok(first.contact_id.clone().filter(|_| same))
}

async fn destination(app: &App, account: &Account, request: &SendRequest) -> Result<Destination, ApiError> {
    match (&request.to, &request.conversation_id) {
        (Some(_), Some(_)) => Err(ApiError::invalid_field("/to", "give to or conversation_id, not both")),
        (None, None) => Err(ApiError::invalid_field("/to", "is required: a recipient, or the id of a conversation in conversation_id")),
        (Some(to), None) if to.trim().is_empty() => Err(ApiError::invalid_field("/to", "is empty")),
        (Some(to), None) => {
            let known = store::people::find_conversation_by_external_id(&app.db, &account.id, to.trim()).await?;
            Ok(Destination {
                to: to.trim().to_owned(),
                contact_id: known.as_ref().and_then(|conversation| conversation.contact_id.clone()),
                conversation_id: known.map(|conversation| conversation.id),
            })
        }
        (None, Some(id)) => match store::people::conversations_by_id(&app.db, &[id]).await?.remove(id) {
            Some(conversation) if conversation.channel_account_id == account.id => Ok(Destination {
                to: conversation.external_id,
                contact_id: conversation.contact_id,
                conversation_id: Some(conversation.id),
            }),
            _ => Err(ApiError::invalid_field("/conversation_id", format!("the account has no conversation “{id}”"))),
        },
    }
}
