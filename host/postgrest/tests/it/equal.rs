//! For any rows and any query, SQLite chooses and orders what the evaluation in memory does.

use std::sync::LazyLock;

use patchbay_postgrest::{
    Query, Reading, cursor_of, memory, pairs, parse,
    sql::{Bind, Dialect, Writer},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

use crate::table::PETS;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());

const TEXTS: [&str; 12] = ["", "a", "A", "ab", "aB", "é", "É", "a%b", "a_b", "a*b", "[a]", "b\"c"];
const TIMES: [&str; 4] =
    ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000001Z", "2026-06-01T12:00:00.000000Z", "1970-01-01T00:00:00.000000Z"];

fn text() -> impl Strategy<Value = String> {
    select(TEXTS.as_slice()).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        select([0.5, 1.0, -1.5].as_slice()).prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((select(["a", "b", "c"].as_slice()), inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

fn row(number: usize) -> impl Strategy<Value = Value> {
    let ones = (
        option::of(text()),
        select(["new", "sold", "gone"].as_slice()),
        option::of(any::<bool>()),
        option::of(-2_i64..3),
        option::of(select([0.5, 1.0, -1.5, 1e10].as_slice())),
        option::of(select(TIMES.as_slice())),
    );
    // JSON's own null in a column can't be told from SQL's in a rendered row.
    let facts = option::of(document().prop_filter("a document", |document| !document.is_null()));
    (ones, facts, option::of(vec(text(), 0..3))).prop_map(move |((name, state, tame, legs, weight, born_at), facts, tags)| {
        json!({"id": format!("{number:03}"), "owner_id": null, "name": name, "state": state, "tame": tame, "legs": legs, "weight": weight,
               "born_at": born_at, "facts": facts, "tags": tags, "is_new": state == "new"})
    })
}

fn rows() -> impl Strategy<Value = Vec<Value>> {
    (0_usize..12).prop_flat_map(|count| (0..count).map(row).collect::<Vec<_>>())
}

/// A value in a tree, in quotes, so that it may hold anything.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn condition() -> impl Strategy<Value = String> {
    let comparison = || select(["eq", "neq", "gt", "gte", "lt", "lte", "isdistinct"].as_slice());
    let equality = || select(["eq", "neq", "isdistinct"].as_slice());
    let pattern = vec(select(["a", "B", "b", "é", "*", "%", "_", "\\\\*", "[", "?"].as_slice()), 0..4).prop_map(|pieces| pieces.concat());
    let path = || select(["facts->a", "facts->b->a", "facts->0", "facts->a->-1"].as_slice());
    let text_path = || select(["facts->>a", "facts->b->>a", "facts->>0", "facts->a->>-1"].as_slice());
    let plain = prop_oneof![
        (comparison(), text()).prop_map(|(op, text)| format!("name.{op}.{}", quoted(&text))),
        (select(["like", "ilike", "like(any)"].as_slice()), pattern).prop_map(|(op, pattern)| {
            let pattern = if op == "like(any)" { format!("{{{},\"b*\"}}", quoted(&pattern)) } else { quoted(&pattern) };
            format!("name.{op}.{pattern}")
        }),
        vec(text(), 0..3).prop_map(|texts| format!("name.in.({})", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(","))),
        select(["name", "tame", "legs", "facts", "tags", "born_at", "weight"].as_slice()).prop_map(|column| format!("{column}.is.null")),
        select(["true", "false", "unknown", "not_null"].as_slice()).prop_map(|word| format!("tame.is.{word}")),
        (comparison(), any::<bool>()).prop_map(|(op, value)| format!("tame.{op}.{value}")),
        any::<bool>().prop_map(|value| format!("is_new.eq.{value}")),
        (comparison(), -2_i64..3).prop_map(|(op, value)| format!("legs.{op}.{value}")),
        (comparison(), select(["0.5", "1", "-1.5", "1e10"].as_slice())).prop_map(|(op, value)| format!("weight.{op}.{value}")),
        (comparison(), select(TIMES.as_slice())).prop_map(|(op, value)| format!("born_at.{op}.{value}")),
        select(["new", "sold"].as_slice()).prop_map(|word| format!("state.eq.{word}")),
    ];
    let inner = prop_oneof![
        (path(), equality(), scalar()).prop_map(|(path, op, value)| format!("{path}.{op}.{}", quoted(&value.to_string()))),
        (path(), comparison(), -2_i64..3).prop_map(|(path, op, value)| format!("{path}.{op}.{value}")),
        (text_path(), comparison(), text()).prop_map(|(path, op, text)| format!("{path}.{op}.{}", quoted(&text))),
        (text_path(), select(["1", "1.0", "0.5", "true", "-1.5"].as_slice())).prop_map(|(path, text)| format!("{path}.eq.{text}")),
        prop_oneof![path(), text_path()].prop_map(|path| format!("{path}.is.null")),
        (select(["facts", "facts->a", "facts->0"].as_slice()), document())
            .prop_map(|(path, part)| format!("{path}.cs.{}", quoted(&part.to_string()))),
        (select(["cs", "cd", "ov"].as_slice()), vec(text(), 0..3))
            .prop_map(|(op, texts)| { format!("tags.{op}.{{{}}}", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(",")) }),
    ];
    prop_oneof![plain, inner]
}

fn tree() -> impl Strategy<Value = String> {
    let leaf = (any::<bool>(), condition()).prop_map(|(negated, condition)| match condition.split_once('.') {
        Some((field, rest)) if negated => format!("{field}.not.{rest}"),
        _ => condition,
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        (select(["and", "or", "not.and", "not.or"].as_slice()), vec(inner, 1..4))
            .prop_map(|(op, branches)| format!("{op}({})", branches.join(",")))
    })
}

fn order() -> impl Strategy<Value = String> {
    let term = (
        select(["name", "state", "tame", "legs", "weight", "born_at", "is_new", "id"].as_slice()),
        select(["", ".asc", ".desc"].as_slice()),
        select(["", ".nullsfirst", ".nullslast"].as_slice()),
    );
    let term = term.prop_map(|(column, direction, nulls)| format!("{column}{direction}{nulls}"));
    vec(term, 1..3).prop_map(|terms| terms.join(","))
}

async fn chosen(rows: &[Value], query: &Query) -> Vec<String> {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let create =
        "CREATE TABLE pets (id TEXT NOT NULL, owner_id TEXT, name TEXT, state TEXT NOT NULL, tame INTEGER, legs INTEGER, weight REAL,
                                     born_at INTEGER, facts TEXT, tags TEXT, sold_at INTEGER) STRICT";
    sqlx::query(create).execute(&mut database).await.unwrap();
    for row in rows {
        let json = |name: &str| (!row[name].is_null()).then(|| row[name].to_string());
        let born_at = row["born_at"].as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        sqlx::query("INSERT INTO pets VALUES (?, NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)")
            .bind(row["id"].as_str())
            .bind(row["name"].as_str())
            .bind(row["state"].as_str())
            .bind(row["tame"].as_bool())
            .bind(row["legs"].as_i64())
            .bind(row["weight"].as_f64())
            .bind(born_at)
            .bind(json("facts"))
            .bind(json("tags"))
            .execute(&mut database)
            .await
            .unwrap();
    }
    let mut binds: Vec<Bind> = Vec::new();
    let mut writer = Writer { dialect: Dialect::Sqlite, alias: "t", binds: &mut binds };
    let conditions = writer.conditions(query, &mut |_, _, _| String::new());
    let order = writer.order(&query.order);
    let (limit, offset) = (query.limit.map_or(-1, |limit| i64::try_from(limit).unwrap()), query.offset);
    let text = format!("SELECT t.id FROM pets t WHERE {conditions} ORDER BY {order} LIMIT {limit} OFFSET {offset}");
    let mut statement = sqlx::query(sqlx::AssertSqlSafe(text.clone()));
    for bind in binds {
        statement = match bind {
            Bind::Text(text) => statement.bind(text),
            Bind::Bool(value) => statement.bind(value),
            Bind::Int(number) => statement.bind(number),
            Bind::Json(value) => statement.bind(value.to_string()),
        };
    }
    let found = statement.fetch_all(&mut database).await.unwrap_or_else(|error| panic!("{error}: {text}"));
    found.iter().map(|row| row.get::<String, _>(0)).collect()
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn read(text: &str) -> Query {
    parse(&PETS, &pairs(text), Reading { plain: true }).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn sql_chooses_what_memory_does(rows in rows(), tree in tree(), order in order(), limit in option::of(0_u64..6), offset in 0_u64..3) {
        let mut text = format!("and={}&order={order}&offset={offset}", encoded(&format!("({tree})")));
        if let Some(limit) = limit {
            text.push_str(&format!("&limit={limit}"));
        }
        let query = read(&text);
        let (expected, _) = memory::choose(&query, rows.clone());
        let found = RUNTIME.block_on(chosen(&rows, &query));
        prop_assert_eq!(found, ids(&expected), "{}", text);
    }

    #[test]
    fn pages_behind_each_other_are_the_whole_list(rows in rows(), order in order()) {
        let whole = read(&format!("order={order}"));
        let (expected, _) = memory::choose(&whole, rows.clone());
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after = cursor.as_ref().map(|cursor| format!("&after={cursor}")).unwrap_or_default();
            let page = read(&format!("order={order}&limit=2{after}"));
            let shown = RUNTIME.block_on(chosen(&rows, &page));
            prop_assert_eq!(&shown, &ids(&memory::choose(&page, rows.clone()).0));
            found.extend(shown.clone());
            let Some(last) = shown.last().filter(|_| shown.len() == 2) else { break };
            let row = rows.iter().find(|row| row["id"] == *last.as_str()).unwrap();
            cursor = cursor_of(&page, row);
        }
        prop_assert_eq!(found, ids(&expected), "{}", order);
    }

    #[test]
    fn nothing_that_is_asked_panics(text in "[a-z_.,()=&*\"\\\\{}%>\\-0-9: !]{0,60}", column in select(["id", "name", "facts", "tags", "or", "select", "order", "after"].as_slice())) {
        for text in [text.clone(), format!("{column}={text}")] {
            if let Ok(query) = parse(&PETS, &pairs(&text), Reading { plain: true }) {
                let mut binds: Vec<Bind> = Vec::new();
                let mut writer = Writer { dialect: Dialect::Postgres, alias: "t", binds: &mut binds };
                let conditions = writer.conditions(&query, &mut |_, _, _| String::new());
                let highest = (1..).take_while(|place| conditions.contains(&format!("${place}"))).count();
                prop_assert!(highest <= binds.len(), "every placeholder has a value: {conditions}");
            }
        }
    }
}
