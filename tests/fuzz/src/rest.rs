//! The query string of a list: whatever it is, it is refused with one of PostgREST's codes, or becomes SQL with a value for each
//! placeholder, and the same can be evaluated in memory.

use patchbay_postgrest::{
    Column, Direction, Kind, Prefer, Query, Reading, Relation, Table, Window, cursor_of, memory, pairs, parse, project,
    sql::{Bind, Dialect, Writer},
};
use serde_json::{Value, json};

static PETS: Table = Table {
    name: "pets",
    columns: &[
        Column::id("id").required(),
        Column::id("owner_id"),
        Column::text("name"),
        Column::word("state", &["new", "sold"]).required(),
        Column::bool("tame"),
        Column::integer("legs"),
        Column::new("weight", Kind::Real),
        Column::time("born_at"),
        Column::json("facts"),
        Column::new("tags", Kind::TextArray),
        Column::text("url").computed(),
    ],
    relations: &[
        Relation { name: "mother", aliases: &["pets"], table: &PETS, many: false, local: "owner_id", foreign: "id" },
        Relation { name: "children", aliases: &[], table: &PETS, many: true, local: "id", foreign: "owner_id" },
    ],
    key: &["id"],
    order: &[("id", Direction::Desc)],
    stored: "pets",
    visible: "",
};

fn rows() -> Vec<Value> {
    let one = json!({"id": "1", "owner_id": null, "name": "Tom", "state": "new", "tame": true, "legs": 4, "weight": 1.5,
                     "born_at": "2026-01-01T00:00:00Z", "facts": {"a": [1, {"b": null}], "c": "d"}, "tags": ["x", "y"], "url": "u"});
    let other = json!({"id": "2", "owner_id": "1", "name": null, "state": "sold", "tame": null, "legs": null, "weight": null,
                       "born_at": null, "facts": null, "tags": null, "url": null});
    vec![one, other]
}

/// Asks for a list. A line behind the first is a header `Prefer` or `Range`.
pub fn ask(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (query, header) = text.split_once('\n').unwrap_or((text, ""));
    // A refusal is an answer; a panic is the finding.
    let _ = Prefer::read([header]);
    for plain in [true, false] {
        match parse(&PETS, &pairs(query), Reading { plain }) {
            Ok(query) => answer(&query, header),
            Err(error) => assert!((400..=416).contains(&error.status), "{error}"),
        }
    }
}

fn answer(query: &Query, range: &str) {
    let _ = Window::of(query, Some(range), 100, 1000);
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let mut binds: Vec<Bind> = Vec::new();
        let mut writer = Writer { dialect, alias: "t", binds: &mut binds };
        let conditions = writer.conditions(query, &mut |_, _, _| String::new());
        let order = writer.order(&query.order);
        let written = format!("{conditions} {order}");
        let highest = written.split('$').skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()).max();
        assert!(highest.unwrap_or(0) <= binds.len(), "{written}");
        // Nothing that a client writes stands in the text: quotes are of the declaration or of the dialect.
        assert!(!written.contains([';', '\\']) || written.contains("ESCAPE '\\'"), "{written}");
    }
    let (rows, _) = memory::choose(query, rows());
    for row in rows {
        let _ = cursor_of(query, &row);
        let embedded = query.embeds().map(|_| json!([])).collect();
        let shown = project::project(query, row, embedded);
        assert!(shown.is_object());
    }
}
