//! The tables as the REST API sees them: which columns there are, where they are stored, what is related to what. A row as it is
//! rendered (`host/src/rest`) has exactly these columns; `docs/rest.md` tells of them.

use patchbay_postgrest::{Column, Direction, Kind, Relation, Table};

use crate::domain::{
    account::Connection,
    endpoint::EndpointKind,
    event::EventType,
    failure::FailureClass,
    log::{LogKind, LogLevel},
    media::Origin,
    message::{Direction as Way, MessageState},
    people::ConversationKind,
    webhook::WebhookState,
};

const NEWEST_FIRST: &[(&str, Direction)] = &[("id", Direction::Desc)];

const fn to_account(name: &'static str) -> Relation {
    Relation {
        name,
        aliases: &["channel_account", "channel_accounts"],
        table: &CHANNEL_ACCOUNTS,
        many: false,
        local: "channel_account_id",
        foreign: "id",
    }
}

const fn to_contact() -> Relation {
    Relation { name: "contact", aliases: &["contacts"], table: &CONTACTS, many: false, local: "contact_id", foreign: "id" }
}

const fn of_account(name: &'static str, table: &'static Table) -> Relation {
    Relation { name, aliases: &[], table, many: true, local: "id", foreign: "channel_account_id" }
}

pub static CHANNEL_ACCOUNTS: Table = Table {
    name: "channel_accounts",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id").required(),
        Column::text("name").required(),
        // Which types there are is the plugins' to say.
        Column::word("type", &[]).required(),
        Column::json("settings").required(),
        Column::bool("is_active").required(),
        Column::bool("is_connected").expression("({t}.connection IN ('connected', 'degraded'))").required(),
        Column::word("connection", Connection::WORDS).required(),
        Column::text("reason_code"),
        Column::text("reason"),
        Column::text("user_action"),
        Column::json("sending").computed(),
        Column::text("external_id"),
        Column::text("display_name"),
        Column::json("facts").required(),
        Column::id("app_id"),
        Column::time("oauth_expires_at"),
        Column::time("oauth_refresh_expires_at"),
        Column::text("webhook_url").computed(),
        Column::text("browser_url").computed(),
        Column::integer("webhook_refusals").required(),
        Column::time("last_refused_at"),
        Column::json("prompt").stored("connect_prompt"),
        Column::json("health"),
        Column::time("health_at"),
        Column::time("connected_at"),
        Column::time("created_at").required(),
        Column::time("updated_at").required(),
    ],
    relations: &[
        of_account("messages", &MESSAGES),
        of_account("conversations", &CONVERSATIONS),
        of_account("contacts", &CONTACTS),
        of_account("webhook_deliveries", &WEBHOOK_DELIVERIES),
        of_account("account_logs", &ACCOUNT_LOGS),
        of_account("subscriptions", &SUBSCRIPTIONS),
    ],
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "channel_accounts",
    visible: "{t}.deleted_at IS NULL",
};

/// What a message is, and what a dead letter is besides.
macro_rules! message_columns {
    ($($more:expr,)*) => {
        &[
            Column::id("id").required(),
            Column::id("organization_id").required(),
            Column::id("channel_account_id").stored("account_id").required(),
            Column::id("conversation_id"),
            Column::id("contact_id"),
            Column::word("direction", Way::WORDS).required(),
            Column::word("kind", &[]).required(),
            Column::text("to").stored("recipient"),
            Column::text("external_id"),
            Column::json("command"),
            Column::json("content").required(),
            Column::text("origin"),
            Column::bool("echo").required(),
            Column::bool("automatic").required(),
            Column::text("reply_to"),
            Column::json("reactions").required(),
            Column::json("votes").required(),
            Column::json("interactions").required(),
            Column::json("extras").required(),
            Column::json("facts").required(),
            Column::word("state", MessageState::WORDS).required(),
            Column::json("failure"),
            Column::integer("attempts").required(),
            Column::time("provider_at"),
            Column::time("send_at"),
            Column::time("expires_at"),
            Column::time("sent_at"),
            Column::time("delivered_at"),
            Column::time("read_at"),
            Column::time("played_at"),
            Column::time("failed_at"),
            Column::time("edited_at"),
            Column::time("deleted_at"),
            Column::time("created_at").required(),
            Column::json("parts").computed(),
            Column::json("conversation").computed(),
            Column::json("contact").computed(),
            $($more,)*
        ]
    };
}

static OF_MESSAGE: [Relation; 3] = [
    Relation {
        name: "conversation",
        aliases: &["conversations"],
        table: &CONVERSATIONS,
        many: false,
        local: "conversation_id",
        foreign: "id",
    },
    to_contact(),
    to_account("account"),
];

pub static MESSAGES: Table = Table {
    name: "messages",
    columns: message_columns!(),
    relations: &OF_MESSAGE,
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "messages",
    visible: "",
};

pub static DEAD_LETTERS: Table = Table {
    name: "dead_letters",
    columns: message_columns!(
        Column::word("class", FailureClass::WORDS).expression("({t}.failure ->> 'class')"),
        Column::time("dead_since").expression("COALESCE({t}.failed_at, {t}.sent_at, {t}.created_at)").required(),
        Column::json("attempt_log").computed(),
        Column::text("way_out").computed(),
    ),
    relations: &OF_MESSAGE,
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "messages",
    visible: super::dead_letters::VISIBLE,
};

pub static CONVERSATIONS: Table = Table {
    name: "conversations",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id").required(),
        Column::id("channel_account_id").stored("account_id").required(),
        Column::text("external_id").required(),
        Column::word("kind", ConversationKind::WORDS).required(),
        Column::text("title"),
        Column::id("contact_id"),
        Column::time("last_message_at").required(),
        Column::time("created_at").required(),
    ],
    relations: &[
        to_contact(),
        to_account("account"),
        Relation { name: "messages", aliases: &[], table: &MESSAGES, many: true, local: "id", foreign: "conversation_id" },
    ],
    key: &["id"],
    order: &[("last_message_at", Direction::Desc), ("id", Direction::Desc)],
    stored: "conversations",
    visible: "",
};

pub static CONTACTS: Table = Table {
    name: "contacts",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id").required(),
        Column::id("channel_account_id").stored("account_id").required(),
        Column::text("name"),
        Column::json("identities").computed(),
        Column::time("opted_out_at"),
        Column::text("opted_out_reason"),
        Column::time("unreachable_at"),
        Column::text("unreachable_reason"),
        Column::time("created_at").required(),
        Column::time("updated_at").required(),
    ],
    relations: &[
        to_account("account"),
        Relation { name: "conversations", aliases: &[], table: &CONVERSATIONS, many: true, local: "id", foreign: "contact_id" },
        Relation { name: "messages", aliases: &[], table: &MESSAGES, many: true, local: "id", foreign: "contact_id" },
        Relation { name: "subscriptions", aliases: &[], table: &SUBSCRIPTIONS, many: true, local: "id", foreign: "contact_id" },
    ],
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "contacts",
    visible: "{t}.merged_into IS NULL",
};

pub static WEBHOOK_DELIVERIES: Table = Table {
    name: "webhook_deliveries",
    columns: &[
        Column::id("id").required(),
        Column::id("channel_account_id").stored("account_id"),
        Column::id("app_id"),
        Column::id("organization_id"),
        Column::bool("shared").required(),
        Column::word("type", &[]),
        Column::text("external_id"),
        Column::time("received_at").required(),
        Column::word("method", &[]).required(),
        Column::text("path").required(),
        Column::text("verified_by"),
        Column::word("state", WebhookState::WORDS).required(),
        Column::text("reason"),
        Column::integer("events").required(),
        Column::integer("size").expression("length({t}.body)").required(),
        Column::integer("deliveries").required(),
        Column::time("repeated_at"),
        Column::text("plugin_digest"),
        Column::text("plugin_version").expression("(SELECT p.version FROM plugin_versions p WHERE p.digest = {t}.plugin_digest)"),
        Column::time("processed_at"),
    ],
    relations: &[to_account("account")],
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "webhooks",
    visible: "",
};

pub static ACCOUNT_LOGS: Table = Table {
    name: "account_logs",
    columns: &[
        Column::id("id").required(),
        Column::time("at").required(),
        Column::id("organization_id").required(),
        Column::id("channel_account_id").stored("account_id").required(),
        Column::word("kind", LogKind::WORDS).required(),
        Column::word("level", LogLevel::WORDS).required(),
        Column::text("code").required(),
        Column::text("message").required(),
        Column::json("details").required(),
        Column::id("message_id"),
        Column::id("webhook_delivery_id").stored("webhook_id"),
        Column::text("plugin_digest"),
    ],
    relations: &[to_account("account")],
    key: &["id"],
    order: &[("at", Direction::Desc), ("id", Direction::Desc)],
    stored: "account_logs",
    visible: "",
};

pub static SUBSCRIPTIONS: Table = Table {
    name: "subscriptions",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id").required(),
        Column::id("channel_account_id").stored("account_id").required(),
        Column::id("contact_id"),
        Column::text("host").required(),
        Column::json("extras").required(),
        Column::time("created_at").required(),
        Column::time("last_seen_at").required(),
    ],
    relations: &[to_account("account"), to_contact()],
    // The plugin makes the ids: two accounts may have the same one.
    key: &["channel_account_id", "id"],
    order: &[("created_at", Direction::Desc)],
    stored: "subscriptions",
    visible: "",
};

pub static ENDPOINTS: Table = Table {
    name: "endpoints",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id"),
        Column::word("kind", EndpointKind::WORDS).required(),
        Column::text("url"),
        Column::text("description").required(),
        Column::new("event_types", Kind::TextArray).required(),
        Column::id("channel_account_id").stored("account_id"),
        Column::bool("is_active").required(),
        Column::time("disabled_at"),
        Column::text("disabled_reason"),
        Column::time("failing_since"),
        Column::time("last_success_at"),
        Column::text("last_error"),
        Column::time("previous_secret_until").stored("previous_until"),
        // Told once, by what makes the endpoint.
        Column::text("secret").computed(),
        Column::time("created_at").required(),
        Column::time("updated_at").required(),
    ],
    relations: &[to_account("account")],
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "endpoints",
    visible: "",
};

pub static MEDIA: Table = Table {
    name: "media",
    columns: &[
        Column::id("id").required(),
        Column::id("organization_id").required(),
        Column::text("file_name"),
        Column::text("mime_type").required(),
        Column::integer("size").required(),
        Column::word("origin", Origin::WORDS).required(),
        Column::time("created_at").required(),
    ],
    relations: &[],
    key: &["id"],
    order: NEWEST_FIRST,
    stored: "media",
    visible: "{t}.removed_at IS NULL",
};

/// What the loaded plugins can do: held in memory.
pub static CHANNEL_TYPES: Table = Table {
    name: "channel_types",
    columns: &[
        Column::word("type", &[]).required(),
        Column::text("name").required(),
        Column::text("description"),
        Column::text("icon"),
        Column::json("plugin").required(),
        Column::json("settings_schema").required(),
        Column::json("secrets").required(),
        Column::json("capabilities").required(),
    ],
    relations: &[],
    key: &["type"],
    order: &[("type", Direction::Asc)],
    stored: "",
    visible: "",
};

/// What can be told of: held in memory.
pub static EVENT_TYPES: Table = Table {
    name: "event_types",
    columns: &[
        Column::word("type", EventType::WORDS).required(),
        Column::integer("version").required(),
        Column::text("since").required(),
        Column::text("description").required(),
        Column::text("schema_url").required(),
    ],
    relations: &[],
    key: &["type"],
    order: &[("type", Direction::Asc)],
    stored: "",
    visible: "",
};

/// Figures are made when they are asked for, and chosen from then.
pub static CHANNEL_ACCOUNT_STATS: Table = Table {
    name: "channel_account_stats",
    columns: &[
        Column::id("channel_account_id").required(),
        Column::id("organization_id").required(),
        Column::word("type", &[]).required(),
        Column::text("name").required(),
        Column::text("plugin_digest"),
        Column::text("plugin_version"),
        Column::time("from").required(),
        Column::time("to").required(),
        Column::integer("messages_received").required(),
        Column::integer("messages_sent").required(),
        Column::integer("sent_native").required(),
        Column::integer("messages_attempted").required(),
        Column::integer("delivered"),
        Column::integer("read"),
        Column::integer("opened").required(),
        Column::integer("dismissed").required(),
        Column::json("failed").required(),
        Column::integer("uncertain").required(),
        Column::integer("conversations_new").required(),
        Column::integer("conversations_active"),
        Column::integer("unanswered"),
        Column::json("first_response").required(),
        Column::json("reply_time").required(),
        Column::new("delivery_rate", Kind::Real),
        Column::new("read_rate", Kind::Real),
        Column::new("error_rate", Kind::Real),
        Column::new("error_rate_recipient", Kind::Real),
        Column::new("error_rate_system", Kind::Real),
    ],
    relations: &[],
    key: &[],
    order: &[],
    stored: "",
    visible: "",
};
