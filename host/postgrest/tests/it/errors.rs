//! What isn't right is answered with PostgREST's codes.

use patchbay_postgrest::{Body, Prefer, Query, Reading, pairs, parse};
use serde_json::json;

use crate::table::PETS;

#[test]
fn each_mistake_has_its_code() {
    let deep = format!("or={}legs.eq.1{}", "(or".repeat(40), ")".repeat(40));
    let many = format!("or=({})", vec!["legs.eq.1"; 201].join(","));
    let long = format!("id=in.({})", vec!["1"; 1001].join(","));
    let texts = format!("tags=cs.{{{}}}", vec!["a"; 101].join(","));
    let lists = vec![format!("name=in.({})", vec!["1"; 900].join(",")); 6].join("&");
    let cases = [
        (texts.as_str(), 400, "54000", "a list of 101 values: 100 are the most"),
        (lists.as_str(), 400, "54000", "more than 5000 values in the lists of one request"),
        ("colour=eq.red", 400, "42703", "column pets.colour does not exist"),
        ("select=colour", 400, "42703", "column pets.colour does not exist"),
        ("order=colour", 400, "42703", "column pets.colour does not exist"),
        ("or=(colour.eq.1)", 400, "42703", "column pets.colour does not exist"),
        ("select=(", 400, "PGRST100", "failed to parse select parameter (()"),
        ("select=id,", 400, "PGRST100", "failed to parse select parameter (id,)"),
        ("select=id-", 400, "42703", "column pets.id- does not exist"),
        ("select=facts->>a->b", 400, "PGRST100", "failed to parse select parameter (facts->>a->b)"),
        ("order=id.up", 400, "PGRST100", "failed to parse order (id.up)"),
        ("order=id.asc.desc", 400, "PGRST100", "failed to parse order (asc.desc)"),
        ("or=(legs.eq.1", 400, "PGRST100", "failed to parse logic tree ((legs.eq.1)"),
        ("or=()", 400, "PGRST100", "failed to parse logic tree (())"),
        ("or=(legs.foo.1)", 400, "PGRST100", "failed to parse logic tree (foo)"),
        (deep.as_str(), 400, "PGRST100", ""),
        (many.as_str(), 400, "54001", "more than 200 conditions in one request"),
        (long.as_str(), 400, "54000", "a list of 1001 values: 1000 are the most"),
        ("name=is.nothing", 400, "PGRST100", "failed to parse filter (is.nothing)"),
        ("name=is.true", 400, "42804", "argument of IS TRUE must be type boolean, not type text"),
        ("name=eq(some).{a}", 400, "PGRST100", "failed to parse filter (eq(some).{a})"),
        ("name=in.a", 400, "PGRST100", "failed to parse filter (a)"),
        ("name=eq(any).a", 400, "22P02", "malformed array literal: \"a\""),
        ("legs=eq.four", 400, "22P02", "invalid input syntax for type bigint: \"four\""),
        ("legs=four", 400, "22P02", "invalid input syntax for type bigint: \"four\""),
        ("tame=1", 400, "22P02", "invalid input syntax for type boolean: \"1\""),
        ("state=eq.lost", 400, "22P02", "invalid input value for enum state: \"lost\""),
        ("state=new,lost", 400, "22P02", "invalid input value for enum state: \"lost\""),
        ("born_at=gt.yesterday", 400, "22007", "invalid input syntax for type timestamp with time zone: \"yesterday\""),
        ("facts->a=eq.b", 400, "22P02", "invalid input syntax for type json: \"b\""),
        ("facts=cs.{", 400, "22P02", "invalid input syntax for type json: \"{\""),
        ("facts->a=gt.\"b\"", 400, "0A000", ""),
        ("facts->a=eq.{}", 400, "0A000", ""),
        ("legs=like.1*", 400, "42883", "operator does not exist: bigint ~~ unknown"),
        ("name=cs.{a}", 400, "42883", "operator does not exist: text @> unknown"),
        ("name->>a=eq.1", 400, "42883", "operator does not exist: text ->> unknown"),
        ("tags=eq.a", 400, "42883", "operator does not exist: text[] = text"),
        ("name=match.^a", 400, "0A000", "operator match isn't supported: SQLite has no regular expressions"),
        ("name=fts.a", 400, "0A000", "operator fts isn't supported: there is no full text search"),
        ("facts=cd.{}", 400, "0A000", ""),
        ("url=eq.a", 400, "0A000", "column pets.url is computed: rows can't be filtered or ordered by it"),
        ("order=url", 400, "0A000", "column pets.url is computed: rows can't be filtered or ordered by it"),
        ("order=facts", 400, "0A000", "rows can't be ordered by facts: it is JSON"),
        ("name=like.a\\", 400, "22025", "LIKE pattern must not end with escape character"),
        ("limit=-1", 416, "PGRST103", "Requested range not satisfiable"),
        ("offset=-1", 416, "PGRST103", "Requested range not satisfiable"),
        ("limit=ten", 400, "PGRST100", "failed to parse limit parameter (ten)"),
        ("after=nonsense", 400, "PGRST100", "failed to parse after parameter (nonsense)"),
        ("select=houses(*)", 400, "PGRST200", "Could not find a relationship between 'pets' and 'houses' in the schema cache"),
        ("select=owner!by(*)", 400, "PGRST200", "Could not find a relationship between 'pets' and 'owner' in the schema cache"),
        ("select=...owner(...pets(*))", 400, "PGRST119", "A spread operation on 'pets' is not possible"),
        ("select=owner(pets(owner(pets(id))))", 400, "54001", "more than 3 resources are embedded in each other"),
        ("owner.name=eq.a", 400, "PGRST108", "'owner' is not an embedded resource in this request"),
        ("select=count()", 400, "PGRST123", "Use of aggregate functions is not allowed"),
        ("select=legs.sum()", 400, "PGRST123", "Use of aggregate functions is not allowed"),
        ("select=legs::money", 400, "42704", "type \"money\" does not exist"),
        ("columns=id,colour", 400, "PGRST204", "Could not find the 'colour' column of 'pets' in the schema cache"),
    ];
    for (query, status, code, message) in cases {
        let error = parse(&PETS, &pairs(query), Reading { plain: true }).map(|_| ()).unwrap_err();
        assert_eq!((error.status, error.code), (status, code), "{query}: {error:?}");
        if !message.is_empty() {
            assert_eq!(error.message, message, "{query}");
        }
        let body = error.body();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "details", "hint", "message"]);
    }
}

#[test]
fn a_postgrest_client_has_to_name_the_operator() {
    let strict = Reading { plain: false };
    let error = parse(&PETS, &pairs("name=Tom"), strict).map(|_| ()).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), ("PGRST100", "failed to parse filter (Tom)"));
    assert!(error.details.unwrap().starts_with("unexpected \"T\" expecting \"not\" or operator (eq, "));
    assert!(parse(&PETS, &pairs("name=eq.Tom"), strict).is_ok());
}

#[test]
fn bodies_are_objects_of_one_shape() {
    let query = |text: &str| parse(&PETS, &pairs(text), Reading { plain: true }).unwrap();
    let fit = |body: &str, query: &Query, prefer: &str| {
        let mut body = Body::read(body.as_bytes())?;
        body.fit(&PETS, query, &Prefer::read([prefer])?)?;
        Ok::<_, patchbay_postgrest::Error>(json!(body.rows))
    };
    let all = query("");
    for (body, code) in [
        ("", "PGRST102"),
        ("7", "PGRST102"),
        ("[7]", "PGRST102"),
        (r#"[{"id": "1"}, {"name": "a"}]"#, "PGRST102"),
        (r#"{"x": 1}"#, "PGRST204"),
    ] {
        assert_eq!(fit(body, &all, "").unwrap_err().code, code, "{body}");
    }
    let some = query("columns=\"id\",name");
    let body = r#"[{"id": "1", "x": 2}, {"name": "a"}]"#;
    assert_eq!(fit(body, &some, "").unwrap(), json!([{"id": "1", "name": null}, {"id": null, "name": "a"}]));
    assert_eq!(fit(body, &some, "missing=default").unwrap(), json!([{"id": "1"}, {"name": "a"}]));
}
