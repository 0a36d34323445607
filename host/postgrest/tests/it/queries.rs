//! What a query string means, told as the SQL that it becomes.

use patchbay_postgrest::{
    Item, Query, Reading, cursor_of, pairs, parse, project,
    sql::{Bind, Dialect, Writer},
};
use serde_json::json;

use crate::table::{OWNERS, PETS};

fn read(text: &str) -> Query {
    parse(&PETS, &pairs(text), Reading { plain: true }).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn written(dialect: Dialect, query: &Query) -> (String, Vec<Bind>) {
    let mut binds = Vec::new();
    let sql = Writer { dialect, alias: "t", binds: &mut binds }.filter(&query.filter);
    (sql, binds)
}

#[test]
fn filters_become_sql_with_every_value_bound() {
    let text = |text: &str| Bind::Text(text.to_owned());
    let cases: Vec<(&str, &str, &str, Vec<Bind>)> = vec![
        ("id=1", "t.id = $1", "t.id = $1", vec![text("1")]),
        ("id=eq.1", "t.id = $1", "t.id = $1", vec![text("1")]),
        ("id=eq.eq.1", "t.id = $1", "t.id = $1", vec![text("eq.1")]),
        ("id=1,2", "t.id IN ($1, $2)", "t.id IN ($1, $2)", vec![text("1"), text("2")]),
        ("name=Tom, the cat", "t.name = $1", "t.name = $1", vec![text("Tom, the cat")]),
        ("name=foo.bar", "t.name = $1", "t.name = $1", vec![text("foo.bar")]),
        ("name=not.eq.x", "NOT (t.name = $1)", "NOT (t.name = $1)", vec![text("x")]),
        ("name=neq.x", "t.name <> $1", "t.name <> $1", vec![text("x")]),
        ("legs=gt.3", "t.legs > $1", "t.legs > $1", vec![Bind::Int(3)]),
        ("weight=lte.1.5", "t.weight <= CAST($1 AS REAL)", "t.weight <= CAST($1 AS DOUBLE PRECISION)", vec![text("1.5")]),
        ("tame=true", "t.tame = $1", "t.tame = $1", vec![Bind::Bool(true)]),
        ("tame=is.true", "t.tame IS TRUE", "t.tame IS TRUE", vec![]),
        ("tame=is.unknown", "t.tame IS NULL", "t.tame IS NULL", vec![]),
        ("name=is.null", "t.name IS NULL", "t.name IS NULL", vec![]),
        ("name=not.is.null", "NOT (t.name IS NULL)", "NOT (t.name IS NULL)", vec![]),
        ("name=is.not_null", "t.name IS NOT NULL", "t.name IS NOT NULL", vec![]),
        ("name=isdistinct.x", "NOT COALESCE(t.name = $1, FALSE)", "NOT COALESCE(t.name = $1, FALSE)", vec![text("x")]),
        ("is_new=true", "(t.state = 'new') = $1", "(t.state = 'new') = $1", vec![Bind::Bool(true)]),
        ("born_at=gte.1970-01-01T00:00:01Z", "t.born_at >= $1", "t.born_at >= $1", vec![Bind::Int(1_000_000)]),
        ("name=like.T*_", "t.name GLOB $1", "t.name LIKE $1 ESCAPE '\\'", vec![]),
        ("name=ilike.T%25", "t.name LIKE $1 ESCAPE '\\'", "t.name ILIKE $1 ESCAPE '\\'", vec![text("T%")]),
        ("name=in.(a,\"b,c\",\"d\\\"e\")", "t.name IN ($1, $2, $3)", "t.name IN ($1, $2, $3)", vec![text("a"), text("b,c"), text("d\"e")]),
        ("name=in.(c\"d,\"e)", "t.name IN ($1, $2)", "t.name IN ($1, $2)", vec![text("c\"d"), text("\"e")]),
        ("name=in.()", "1 = 0", "1 = 0", vec![]),
        ("name=eq(any).{a,b}", "(t.name = $1) OR (t.name = $2)", "(t.name = $1) OR (t.name = $2)", vec![text("a"), text("b")]),
        ("legs=gt(all).{1,2}", "(t.legs > $1) AND (t.legs > $2)", "(t.legs > $1) AND (t.legs > $2)", vec![Bind::Int(1), Bind::Int(2)]),
        (
            "or=(legs.eq.1,and(name.is.null,not.or(tame.is.true,state.in.(new,sold))))",
            "(t.legs = $1) OR ((t.name IS NULL) AND (NOT ((t.tame IS TRUE) OR (t.state IN ($2, $3)))))",
            "(t.legs = $1) OR ((t.name IS NULL) AND (NOT ((t.tame IS TRUE) OR (t.state IN ($2, $3)))))",
            vec![Bind::Int(1), text("new"), text("sold")],
        ),
        (
            "not.and=(legs.eq.1,name.eq.\"a,b\")",
            "NOT ((t.legs = $1) AND (t.name = $2))",
            "NOT ((t.legs = $1) AND (t.name = $2))",
            vec![Bind::Int(1), text("a,b")],
        ),
        ("legs=gt.1&legs=lt.4", "(t.legs > $1) AND (t.legs < $2)", "(t.legs > $1) AND (t.legs < $2)", vec![Bind::Int(1), Bind::Int(4)]),
        ("facts->0->a=is.null", "json_type(t.facts, $1) IS NULL", "(t.facts -> (0) -> $1) IS NULL", vec![]),
        (
            "facts->>mode=eq.a'b",
            "(CASE json_type(t.facts, $1) WHEN 'text' THEN t.facts ->> $1 WHEN 'null' THEN NULL ELSE t.facts -> $1 END) = $2",
            "((t.facts -> $1) #>> '{}') COLLATE \"C\" = $2",
            vec![],
        ),
    ];
    for (query, sqlite, postgres, binds) in cases {
        let parsed = read(query);
        let (sql, bound) = written(Dialect::Sqlite, &parsed);
        assert_eq!(sql, sqlite, "{query}");
        if !binds.is_empty() {
            assert_eq!(bound, binds, "{query}");
        }
        assert_eq!(written(Dialect::Postgres, &parsed).0, postgres, "{query}");
    }
}

#[test]
fn orders_end_with_the_key_and_say_where_nulls_stand() {
    let cases = [
        ("", "t.id DESC"),
        ("order=name", "t.name ASC NULLS LAST, t.id ASC"),
        ("order=name.desc", "t.name DESC NULLS FIRST, t.id DESC"),
        ("order=name.desc.nullslast,legs.nullsfirst", "t.name DESC NULLS LAST, t.legs ASC NULLS FIRST, t.id ASC"),
        ("order=state.desc,id.asc", "t.state DESC, t.id ASC"),
        (
            "order=facts->>size.desc",
            "(CASE json_type(t.facts, $1) WHEN 'text' THEN t.facts ->> $1 WHEN 'null' THEN NULL ELSE t.facts -> $1 END) DESC NULLS FIRST, t.id DESC",
        ),
    ];
    for (query, sql) in cases {
        let query = read(query);
        let mut binds = Vec::new();
        assert_eq!(Writer { dialect: Dialect::Sqlite, alias: "t", binds: &mut binds }.order(&query.order), sql);
    }
}

#[test]
fn a_related_row_has_to_be_there_where_it_is_inner() {
    let query = read("select=id,owners!inner(name)&owners.name=eq.Ann&legs=eq.4");
    let mut binds = Vec::new();
    let sql = Writer { dialect: Dialect::Sqlite, alias: "t", binds: &mut binds }.conditions(&query, &mut |table, alias, _| {
        if table.name == "pets" { format!("{alias}.organization_id = 'o'") } else { String::new() }
    });
    assert_eq!(
        sql,
        "t.sold_at IS NULL AND t.organization_id = 'o' AND t.legs = $1 AND \
         EXISTS (SELECT 1 FROM owners t_0 WHERE t_0.id = t.owner_id AND t_0.name = $2)"
    );
}

#[test]
fn a_row_is_cut_to_what_was_selected() {
    let row = json!({"id": "1", "name": "Tom", "legs": 4, "facts": {"size": {"cm": 20}, "list": [1, 2]}, "tame": null, "owner_id": "7"});
    let cases = [
        ("select=*", row.clone()),
        ("select=id,called:name", json!({"id": "1", "called": "Tom"})),
        ("select=id, name", json!({"id": "1", "name": "Tom"})),
        ("select=facts->size->>cm,l:facts->list->-1", json!({"cm": "20", "l": 2})),
        ("select=facts->none", json!({"none": null})),
        ("select=legs::text,n:legs::text", json!({"legs": "4", "n": "4"})),
        ("select=id,owner(name)", json!({"id": "1", "owner": {"name": "Ann"}})),
        ("select=id,who:owners(*)", json!({"id": "1", "who": {"name": "Ann"}})),
        ("select=id,...owner(owner_name:name)", json!({"id": "1", "name": "Ann"})),
        ("select=id,owner()", json!({"id": "1"})),
    ];
    for (query, shown) in cases {
        let query = read(query);
        assert_eq!(project::project(&query, row.clone(), vec![json!({"name": "Ann"})]), shown);
    }
    assert_eq!(
        project::names(&read("select=id,called:name,owner(name),...owners(owner_name:name),id")),
        ["id", "called", "owner", "owner_name"]
    );
    let mut value = json!({"a": null, "b": [{"c": null, "d": 1}]});
    project::strip_nulls(&mut value);
    assert_eq!(value, json!({"b": [{"d": 1}]}));
}

#[test]
fn what_is_embedded_has_a_query_of_its_own() {
    let text = "select=name,pets!inner(id,legs)&pets.legs=gt.2&pets.or=(tame.is.true,tame.is.null)&pets.order=legs.desc&pets.limit=3&pets.offset=1&name=Ann";
    let query = parse(&OWNERS, &pairs(text), Reading { plain: true }).unwrap();
    let Some(Item::Embed(embed)) = query.select.get(1) else { panic!("{:?}", query.select) };
    assert!(embed.inner && embed.relation.many);
    assert_eq!((embed.query.limit, embed.query.offset), (Some(3), 1));
    assert_eq!(written(Dialect::Sqlite, &embed.query).0, "(t.legs > $1) AND ((t.tame IS TRUE) OR (t.tame IS NULL))");
    assert_eq!(embed.query.order.len(), 2);
    assert_eq!(query.filtered, ["name"]);
}

#[test]
fn a_place_in_the_order_goes_on_behind_it() {
    let query = read("order=legs.desc,name");
    let cursor = cursor_of(&query, &json!({"legs": null, "name": "Tom", "id": "7"})).unwrap();
    let next = read(&format!("order=legs.desc,name&after={cursor}"));
    let mut binds = Vec::new();
    let sql = Writer { dialect: Dialect::Sqlite, alias: "t", binds: &mut binds }.after(&next.order, next.after.as_ref().unwrap());
    assert_eq!(
        sql,
        "((t.legs IS NOT NULL) OR (t.legs IS NULL AND (t.name > $1 OR t.name IS NULL)) OR (t.legs IS NULL AND t.name = $3 AND t.id > $2))"
    );
    let plain = read("order=state.desc");
    let cursor = cursor_of(&plain, &json!({"state": "new", "id": "7"})).unwrap();
    let next = read(&format!("order=state.desc&after={cursor}"));
    let mut binds = Vec::new();
    let sql = Writer { dialect: Dialect::Sqlite, alias: "t", binds: &mut binds }.after(&next.order, next.after.as_ref().unwrap());
    assert_eq!(sql, "(t.state, t.id) < ($1, $2)");
    let other = parse(&PETS, &pairs(&format!("after={cursor}")), Reading { plain: true }).unwrap_err();
    assert_eq!(other.code, "PGRST100", "a cursor is of one order");
}
