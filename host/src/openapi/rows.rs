//! Lists: what may be asked of one, and what it answers, from the declaration of its table. `GET /rest/v1/<table>` is a list of the table.

use patchbay_postgrest::{Column, Kind, Source, Table};
use serde_json::{Map, Value, json};

use crate::store::tables;

/// Where lists are.
const REST: &str = "/rest/v1/";
const SCHEMAS: &str = "#/components/schemas/";

/// A table whose rows are listed.
struct Listed {
    table: &'static Table,
    /// The schema of a whole row, by which columns of JSON are described.
    row: &'static str,
}

static LISTS: &[Listed] = &[
    Listed { table: &tables::CHANNEL_ACCOUNTS, row: "ChannelAccount" },
    Listed { table: &tables::MESSAGES, row: "ShownMessage" },
    Listed { table: &tables::DEAD_LETTERS, row: "DeadLetter" },
    Listed { table: &tables::CONVERSATIONS, row: "Conversation" },
    Listed { table: &tables::CONTACTS, row: "Contact" },
    Listed { table: &tables::WEBHOOK_DELIVERIES, row: "WebhookDelivery" },
    Listed { table: &tables::ACCOUNT_LOGS, row: "LogEntry" },
    Listed { table: &tables::SUBSCRIPTIONS, row: "Subscription" },
    Listed { table: &tables::ENDPOINTS, row: "Endpoint" },
    Listed { table: &tables::MEDIA, row: "Media" },
    Listed { table: &tables::CHANNEL_TYPES, row: "ChannelType" },
    Listed { table: &tables::EVENT_TYPES, row: "EventTypeDescription" },
    Listed { table: &tables::CHANNEL_ACCOUNT_STATS, row: "AccountStats" },
];

/// Completes the operation where it reads or writes rows: its parameters, headers, body and answers.
pub(super) fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let Some(listed) = LISTS.iter().find(|listed| path.strip_prefix(REST) == Some(listed.table.name)) else { return };
    match method {
        "get" => list(listed, operation),
        "post" => insert(listed.table, operation),
        _ => change(listed.table, method, operation),
    }
}

/// Rows that are made: one as the operation says it itself, or several.
fn insert(table: &Table, operation: &mut Map<String, Value>) {
    let Some(one) = operation.get("requestBody").and_then(|body| body.pointer("/content/application~1json/schema")).cloned() else {
        return;
    };
    // A file isn't made as a row.
    if operation
        .get("requestBody")
        .and_then(|body| body.pointer("/content"))
        .and_then(Value::as_object)
        .is_some_and(|kinds| kinds.len() > 1)
    {
        return;
    }
    let several = json!({"anyOf": [one, {"type": "array", "items": one}]});
    if let Some(schema) = operation.get_mut("requestBody").and_then(|body| body.pointer_mut("/content/application~1json/schema")) {
        *schema = several;
    }
    add_parameters(
        operation,
        vec![preferences(
            "return=representation",
            "`return=minimal`, `headers-only` or `representation`: then it answers as PostgREST does.",
        )],
    );
    let row = json!({"$ref": format!("{SCHEMAS}{}", row_name(table))});
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let made = answers.entry("201").or_insert_with(|| json!({"description": "They are made, in PostgREST's way."}));
    let own = made.pointer("/content/application~1json/schema").cloned();
    let mut ways: Vec<Value> = own.into_iter().collect();
    ways.push(json!({"type": "array", "items": row}));
    made["content"]["application/json"]["schema"] = json!({"anyOf": ways});
}

/// Rows that filters choose, changed or deleted; or one that its key names, put.
fn change(table: &Table, method: &str, operation: &mut Map<String, Value>) {
    let mut added: Vec<Value> = table.columns.iter().filter(|column| column.source != Source::Computed).map(filter).collect();
    added.push(preferences(
        "return=representation",
        "`return=minimal`, `headers-only` or `representation`; `max-affected=…`; `count=exact`.",
    ));
    add_parameters(operation, added);
    let row = json!({"$ref": format!("{SCHEMAS}{}", row_name(table))});
    if method != "delete" {
        let columns: Map<String, Value> = table
            .columns
            .iter()
            .filter(|column| column.source != Source::Computed)
            .map(|column| (column.name.to_owned(), json!({})))
            .collect();
        let body = json!({"type": "object", "description": "Columns of the row.", "properties": columns});
        operation.insert("requestBody".to_owned(), json!({"required": true, "content": {"application/json": {"schema": body}}}));
    }
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let rows = json!({"application/json": {"schema": {"type": "array", "items": row}}});
    answers.insert("200".to_owned(), json!({"description": "The rows, with `Prefer: return=representation`.", "content": rows}));
    answers.insert(
        "204".to_owned(),
        json!({"description": "It is done, without `Prefer: return=representation`.", "headers": {"Content-Range": range()}}),
    );
    if method == "put" {
        answers.insert("201".to_owned(), json!({"description": "It is made.", "content": rows}));
    }
    answers.insert("406".to_owned(), json!({"description": "There isn't exactly one row where one object was asked for."}));
    answers.insert("409".to_owned(), json!({"description": "It can't be done as things stand."}));
}

fn add_parameters(operation: &mut Map<String, Value>, added: Vec<Value>) {
    let Some(own) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() else { return };
    let known: Vec<Value> = own.iter().map(|parameter| parameter["name"].clone()).collect();
    own.extend(added.into_iter().filter(|parameter| !known.contains(&parameter["name"])));
}

fn preferences(example: &str, description: &str) -> Value {
    json!({"name": "Prefer", "in": "header", "description": description, "schema": {"type": "string"}, "example": example})
}

fn range() -> Value {
    json!({"description": "Which rows, and how many there are where that was asked for.", "schema": {"type": "string"}})
}

fn list(listed: &Listed, operation: &mut Map<String, Value>) {
    add_parameters(operation, parameters(listed.table));
    let what = operation.get("responses").and_then(|answers| answers.pointer("/200/description")).cloned();
    let what = what.as_ref().and_then(Value::as_str).unwrap_or("The rows.").to_owned();
    if let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        answers.insert("200".to_owned(), answer(listed.table, &what));
        answers.insert("206".to_owned(), answer(listed.table, "Some of them, where the count was asked for: `Content-Range` has it."));
        answers.insert(
            "406".to_owned(),
            json!({"description": "There isn't exactly one row where one object was asked for, or the form can't be had."}),
        );
        answers.insert("416".to_owned(), json!({"description": "The range begins behind the last row."}));
    }
}

/// The schemas of rows, by their names: every column may be left out by `select`.
pub(super) fn schemas(all: &Map<String, Value>) -> Vec<(String, Value)> {
    LISTS.iter().map(|listed| (row_name(listed.table), row(listed, all.get(listed.row)))).collect()
}

fn row_name(table: &Table) -> String {
    format!("Row_{}", table.name)
}

fn row(listed: &Listed, whole: Option<&Value>) -> Value {
    let described = whole.and_then(|whole| whole.get("properties"));
    let property = |column: &Column| match described.and_then(|properties| properties.get(column.name)) {
        Some(own) => own.clone(),
        None => schema(column),
    };
    let properties: Map<String, Value> = listed.table.columns.iter().map(|column| (column.name.to_owned(), property(column))).collect();
    json!({
        "type": "object",
        "description": format!("A row of `{}`: with the columns that `select` names, all of them without; related rows where it embeds some.", listed.table.name),
        "properties": properties,
    })
}

fn schema(column: &Column) -> Value {
    let mut schema = match column.kind {
        Kind::Text | Kind::Id | Kind::Word([]) => json!({"type": "string"}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Real => json!({"type": "number"}),
        Kind::Time => json!({"type": "string", "format": "date-time"}),
        Kind::TextArray => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Json => return json!({}),
    };
    if column.nullable {
        schema = json!({"anyOf": [schema, {"type": "null"}]});
    }
    schema
}

fn answer(table: &Table, description: &str) -> Value {
    let row = format!("{SCHEMAS}{}", row_name(table));
    json!({
        "description": description,
        "headers": {
            "Content-Range": range(),
            "Preference-Applied": {"description": "What of `Prefer` was heeded.", "schema": {"type": "string"}},
            "Link": {"description": "Where the list goes on behind its last row.", "schema": {"type": "string"}},
        },
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"$ref": row}}},
            "application/vnd.pgrst.object+json": {"schema": {"$ref": row}},
            "text/csv": {"schema": {"type": "string"}},
        },
    })
}

fn parameters(table: &Table) -> Vec<Value> {
    let relations: Vec<&str> = table.relations.iter().map(|relation| relation.name).collect();
    let mut select =
        "Which columns, with commas between: `name`, `other:name` under another name, `settings->>key` out of JSON, `column::text`."
            .to_owned();
    if !relations.is_empty() {
        select.push_str(&format!(" Related rows as `relation(*)`; there are: {}.", relations.join(", ")));
    }
    let first = table.columns.first().map_or("id", |column| column.name);
    let query = |name: &str, description: &str, example: Value| json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}, "example": example});
    let header = |name: &str, description: &str, example: &str| json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}, "example": example});
    let mut all: Vec<Value> = table.columns.iter().filter(|column| column.source != Source::Computed).map(filter).collect();
    all.push(query("select", &select, json!(format!("{first}"))));
    all.push(query(
        "order",
        "By which columns, with commas between: `column`, `column.desc`, `column.asc.nullsfirst`.",
        json!(format!("{first}.desc")),
    ));
    all.push(query(
        "or",
        "Any of these: `(column.eq.value,column.is.null)`; `and=(…)` and `not.or=(…)` likewise.",
        json!(format!("({first}.not.is.null)")),
    ));
    all.push(json!({"name": "limit", "in": "query"}));
    all.push(json!({"name": "offset", "in": "query"}));
    all.push(header("Range", "Which rows, in place of `limit` and `offset`.", "0-24"));
    all.push(preferences("count=exact", "`count=exact` counts the rows; `handling=strict` refuses preferences that aren't known."));
    all
}

/// A column as a filter.
fn filter(column: &Column) -> Value {
    let (what, example) = match column.kind {
        Kind::Bool => ("`true`, `false`, `is.null`, `not.is.true` …", "true"),
        Kind::Integer | Kind::Real => ("A plain value, or an operator and a value: `gte.10`, `in.(1,2)` …", "gte.0"),
        Kind::Time => ("A time by an operator: `gte.2026-11-22T00:00:00Z`, `is.null` …", "gte.2026-11-22T00:00:00Z"),
        Kind::Json => ("By an operator: `cs.{\"key\":1}`, `is.null`; `column->>key=eq.value` looks inside.", "not.is.null"),
        Kind::TextArray => ("By an operator: `cs.{one,two}`, `is.null` …", "not.is.null"),
        Kind::Text | Kind::Id | Kind::Word(_) => {
            ("A plain value, or an operator and a value: `eq.x`, `neq.x`, `like.x*`, `in.(a,b)`, `is.null`, `not.eq.x` …", "not.is.null")
        }
    };
    json!({"name": column.name, "in": "query", "description": what, "schema": {"type": "string"}, "example": example})
}
