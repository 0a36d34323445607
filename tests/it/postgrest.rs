//! Lists and writes as PostgREST has them: answers by table, and supabase-js itself as a client.

use std::process::Command;

use reqwest::{
    Method,
    header::{AUTHORIZATION, HeaderMap},
};
use serde_json::{Value, json};

use crate::harness::{Bench, Database, Gateway, MONA, Settings, TOKEN, both, root};

const ACCOUNTS: &str = "/rest/v1/channel_accounts";

/// What a request was answered, headers and all.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

async fn ask(gateway: &Gateway, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Told {
    let mut request = gateway.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Told { status, headers, body: response.text().await.unwrap() }
}

async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> Told {
    ask(gateway, Method::GET, path, headers, None).await
}

fn text_update(n: i64, text: &str) -> Value {
    json!({"update_id": n, "message": {
        "message_id": 100 + n, "date": 1_790_000_000 + n, "text": text,
        "from": {"id": MONA, "is_bot": false, "first_name": "Mona"}, "chat": {"id": MONA, "type": "private", "first_name": "Mona"}}})
}

fn account(name: &str, organization: &str, is_active: bool) -> Value {
    json!({"organization_id": organization, "name": name, "type": "TELEGRAM", "settings": {"bot_token": TOKEN}, "is_active": is_active})
}

/// Accounts `A`, `B` … `E`, of two organisations; those of `org-1` are active. Answers their ids.
async fn five(gateway: &Gateway) -> Vec<String> {
    let rows: Vec<Value> = ["A", "B", "C", "D", "E"]
        .iter()
        .enumerate()
        .map(|(number, name)| account(name, if number < 3 { "org-1" } else { "org-2" }, number < 3))
        .collect();
    let made = ask(gateway, Method::POST, ACCOUNTS, &[("prefer", "return=representation")], Some(json!(rows))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let ids = made.json().as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids.len(), 5);
    ids
}

fn names(rows: &Value) -> String {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

async fn lists_are_chosen_and_ordered(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let ids = five(&gateway).await;
    let in_list = format!("id=in.({},{})", ids[0], ids[3]);
    let either = format!("id={},{}", ids[0], ids[3]);
    let one = format!("id=eq.{}", ids[1]);
    let cases = [
        ("", "EDCBA"),
        ("organization_id=org-1&type=TELEGRAM&is_active=true", "CBA"),
        ("organization_id=eq.org-2", "ED"),
        ("is_active=is.false", "ED"),
        ("is_active=not.eq.true", "ED"),
        ("is_connected=true", ""),
        ("type=EMAIL", ""),
        ("connection=unconfigured,connected", "EDCBA"),
        (in_list.as_str(), "DA"),
        (either.as_str(), "DA"),
        (one.as_str(), "B"),
        ("name=gt.B&name=lte.D", "DC"),
        ("name=like.c*", ""),
        ("name=ilike.c*", "C"),
        ("name=like(any).{A*,B*}", "BA"),
        ("or=(name.eq.A,and(organization_id.eq.org-2,not.or(name.eq.D,name.is.null)))", "EA"),
        ("not.and=(name.neq.A,name.neq.B)", "BA"),
        ("display_name=is.null", "EDCBA"),
        ("display_name=isdistinct.x&app_id=not.is.not_null", "EDCBA"),
        ("name=not.in.(A,B,C)", "ED"),
        ("name=in.()", ""),
        ("created_at=gte.2020-01-01&created_at=lt.9999-01-01T00:00:00%2B02:00", "EDCBA"),
        ("created_at=lt.2020-01-01T00:00:00Z", ""),
        ("settings->>mode=eq.nothing", ""),
        ("settings->mode=is.null&settings->>mode=is.null&settings=not.cs.{\"mode\":\"nothing\"}&limit=0", ""),
        ("facts=cs.{}", "EDCBA"),
        ("webhook_refusals=eq.0", "EDCBA"),
        ("facts->none=gt.1.5", ""),
        ("settings->mode=gt.1", ""),
        ("facts->none=eq.true", ""),
        ("facts->none->0=isdistinct.null&settings->mode=neq.\"x\"", "EDCBA"),
        (
            "settings->mode=in.(\"\\\"webhook\\\"\",1,null)&settings->>mode=like.web*&settings->>mode=gte.w&settings=cs.{\"mode\":\"webhook\"}",
            "EDCBA",
        ),
        ("order=name", "ABCDE"),
        ("order=is_active.desc,name.desc", "CBAED"),
        ("order=display_name.nullsfirst,name.asc&limit=2&offset=1", "BC"),
        ("order=settings->>mode.desc,name", "ABCDE"),
        ("limit=2", "ED"),
        ("limit=2&offset=3", "BA"),
    ];
    for (query, expected) in cases {
        let told = get(&gateway, &format!("{ACCOUNTS}?{query}"), &[]).await;
        assert_eq!(told.status, 200, "{query}: {}", told.body);
        assert_eq!(names(&told.json()), expected, "{query}");
    }
}

async fn rows_are_cut_to_the_select_and_bring_others_along(database: Database) {
    let bench = Bench::connected(database).await;
    let sent = bench.send(json!({"to": "70010001", "content": {"type": "text", "text": "Hello"}})).await;
    let id = sent["id"].as_str().unwrap();
    let gateway = &bench.gateway;
    let shown = |select: &str| format!("/rest/v1/messages?id=eq.{id}&select={select}");
    let rows = get(gateway, &shown("id,way:direction,attempts::text,first:content->0->>type"), &[]).await.json();
    assert_eq!(rows, json!([{"id": id, "way": "outbound", "attempts": "1", "first": "text"}]));
    let rows = get(gateway, &shown("state,account:channel_accounts(name,is_connected),conversation(kind,contact(id))"), &[]).await.json();
    assert_eq!(rows[0]["account"], json!({"name": "Help desk", "is_connected": true}), "{rows:#}");
    assert_eq!(rows[0].as_object().unwrap().len(), 3);
    assert!(rows[0]["conversation"].is_object() || rows[0]["conversation"].is_null());
    let rows = get(gateway, &shown("...account(account_name:name)"), &[]).await.json();
    assert_eq!(rows, json!([{"account_name": "Help desk"}]));

    bench.push(text_update(1, "one")).await;
    bench.push(text_update(2, "two")).await;
    let path =
        format!("{ACCOUNTS}?select=name,messages(direction,content)&messages.direction=eq.inbound&messages.order=id&messages.limit=1");
    let rows = get(gateway, &path, &[]).await.json();
    assert_eq!(rows[0]["messages"].as_array().unwrap().len(), 1, "{rows:#}");
    assert_eq!(rows[0]["messages"][0]["content"][0]["text"], "one", "{rows:#}");
    let path = "/rest/v1/conversations?select=id,messages!inner(direction)&messages.state=eq.received";
    assert_eq!(get(gateway, path, &[]).await.json().as_array().unwrap().len(), 1);
    let path = "/rest/v1/conversations?select=id,messages!inner(direction)&messages.state=eq.expired";
    assert_eq!(get(gateway, path, &[]).await.json(), json!([]));
    // An account logs, and logs know their account.
    let path = "/rest/v1/account_logs?select=code,account(name)&limit=1";
    assert_eq!(get(gateway, path, &[]).await.json()[0]["account"]["name"], "Help desk");
    let path = "/rest/v1/webhook_deliveries?select=state,size,account(name)&state=eq.processed&order=id&limit=1";
    let rows = get(gateway, path, &[]).await.json();
    assert_eq!((&rows[0]["account"]["name"], &rows[0]["state"]), (&json!("Help desk"), &json!("processed")), "{rows:#}");
}

/// Every column of every resource is there in a row, and nothing else is.
async fn a_row_has_the_columns_that_are_declared(database: Database) {
    let bench = Bench::connected(database).await;
    bench.send(json!({"to": "70010001", "content": {"type": "text", "text": "Hello"}})).await;
    bench.push(text_update(1, "Hi")).await;
    let endpoint = json!({"organization_id": "org-1", "url": "https://example.com/hook"});
    bench.gateway.post("/rest/v1/endpoints", endpoint).await.expect_status(201);
    bench.gateway.upload("/rest/v1/media?organization_id=org-1", "text/plain", b"hello".to_vec()).await.expect_status(201);
    let resources = [
        "channel_accounts",
        "messages",
        "conversations",
        "contacts",
        "webhook_deliveries",
        "account_logs",
        "endpoints",
        "media",
        "channel_types",
        "event_types",
        "channel_account_stats",
    ];
    for resource in resources {
        let error = get(&bench.gateway, &format!("/rest/v1/{resource}?select=no_such_column"), &[]).await.json();
        assert_eq!(error["code"], "42703", "{resource}: {error:#}");
        let hint = error["hint"].as_str().unwrap();
        let mut declared: Vec<&str> = hint.trim_start_matches("There are: ").split('.').next().unwrap().split(", ").collect();
        let rows = get(&bench.gateway, &format!("/rest/v1/{resource}?limit=1"), &[]).await.json();
        let row = rows[0].as_object().unwrap_or_else(|| panic!("{resource} has no row: {rows:#}"));
        // Told by what makes an endpoint; by version only in a summary.
        declared.retain(|column| row.contains_key(*column) || !["secret", "plugin_digest", "plugin_version"].contains(column));
        declared.sort_unstable();
        assert_eq!(row.keys().map(String::as_str).collect::<Vec<_>>(), declared, "{resource}");
        // Each can be asked for, but for what is computed, and ordered by, but for JSON.
        // A stretch of time is what the figures are made of.
        for column in declared.iter().filter(|column| resource != "channel_account_stats" || !["from", "to"].contains(*column)) {
            for query in [format!("{column}=is.not_null"), format!("order={column}.desc")] {
                let told = get(&bench.gateway, &format!("/rest/v1/{resource}?limit=1&{query}"), &[]).await;
                assert!(told.status == 200 || told.json()["code"] == "0A000", "{resource} {query}: {}", told.body);
            }
        }
        // And each can be selected by itself.
        let all = get(&bench.gateway, &format!("/rest/v1/{resource}?limit=1&select={}", declared.join(",")), &[]).await.json();
        assert_eq!(all[0].as_object().unwrap().len(), declared.len(), "{resource}");
    }
}

async fn parts_of_a_list_are_told_as_postgrest_tells_them(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let empty = get(&gateway, ACCOUNTS, &[("prefer", "count=exact")]).await;
    assert_eq!((empty.status, empty.header("content-range"), empty.body.as_str()), (200, "*/0", "[]"));
    five(&gateway).await;
    let exact = ("prefer", "count=exact");
    type Headers<'a> = Vec<(&'a str, &'a str)>;
    let cases: Vec<(&str, Headers<'_>, u16, &str)> = vec![
        ("", vec![], 200, "0-4/*"),
        ("?limit=0", vec![], 200, "*/*"),
        ("?name=eq.X", vec![], 200, "*/*"),
        ("?offset=9", vec![], 200, "*/*"),
        ("", vec![exact], 200, "0-4/5"),
        ("?limit=2", vec![exact], 206, "0-1/5"),
        ("?limit=2&offset=4", vec![exact], 206, "4-4/5"),
        ("?name=eq.X", vec![exact], 200, "*/0"),
        ("?offset=6", vec![exact], 416, "*/5"),
        ("", vec![("range", "1-2"), ("range-unit", "items")], 200, "1-2/*"),
        ("?limit=1", vec![("range", "3-"), exact], 206, "3-4/5"),
        ("", vec![("prefer", "count=estimated")], 200, "0-4/5"),
    ];
    for (query, headers, status, range) in &cases {
        let path = format!("{ACCOUNTS}{query}");
        for method in [Method::GET, Method::HEAD] {
            let told = ask(&gateway, method.clone(), &path, headers, None).await;
            assert_eq!((told.status, told.header("content-range")), (*status, *range), "{method} {query} {headers:?}");
            assert_eq!(method == Method::HEAD, told.body.is_empty(), "{method} {query}");
        }
    }
    let error = get(&gateway, &format!("{ACCOUNTS}?offset=6"), &[exact]).await.json();
    let expected = json!({"code": "PGRST103", "message": "Requested range not satisfiable", "hint": null,
                          "details": "An offset of 6 was requested, but there are only 5 rows."});
    assert_eq!(error, expected);
    // Keyset paging: each page says where the next begins, and a row that comes first meanwhile shifts nothing.
    let mut path = format!("{ACCOUNTS}?limit=2&order=name.desc");
    let mut pages = Vec::new();
    loop {
        let told = get(&gateway, &path, &[]).await;
        pages.push(names(&told.json()));
        let Some(next) = told.header("link").strip_suffix(">; rel=\"next\"").map(|link| link.trim_start_matches('<').to_owned()) else {
            break;
        };
        if pages.len() == 1 {
            gateway.post(ACCOUNTS, account("Z", "org-1", false)).await.expect_status(201);
        }
        path = next;
    }
    assert_eq!(pages, ["ED", "CB", "A"]);
}

async fn an_answer_comes_in_the_form_that_is_accepted(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    five(&gateway).await;
    let object = ("accept", "application/vnd.pgrst.object+json");
    let one = get(&gateway, &format!("{ACCOUNTS}?name=eq.A&select=name,app_id"), &[object]).await;
    assert_eq!((one.status, one.header("content-type")), (200, "application/vnd.pgrst.object+json; charset=utf-8"));
    assert_eq!(one.json(), json!({"name": "A", "app_id": null}));
    let stripped = ("accept", "application/vnd.pgrst.object+json;nulls=stripped");
    assert_eq!(get(&gateway, &format!("{ACCOUNTS}?name=eq.A&select=name,app_id"), &[stripped]).await.json(), json!({"name": "A"}));
    for (query, rows) in [("name=eq.X", 0), ("", 5), ("limit=3", 3)] {
        let none = get(&gateway, &format!("{ACCOUNTS}?{query}"), &[object]).await;
        assert_eq!((none.status, none.header("proxy-status")), (406, "PostgREST; error=PGRST116"));
        let expected = json!({"code": "PGRST116", "message": "Cannot coerce the result to a single JSON object", "hint": null,
                              "details": format!("The result contains {rows} rows")});
        assert_eq!(none.json(), expected);
    }
    let csv =
        get(&gateway, &format!("{ACCOUNTS}?select=name,active:is_active,app_id,type&order=name&limit=2"), &[("accept", "text/csv")]).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(csv.body, "name,active,app_id,type\nA,true,,TELEGRAM\nB,true,,TELEGRAM\n");
    let json = get(&gateway, ACCOUNTS, &[("accept", "text/html, application/json;q=0.1")]).await;
    assert_eq!(json.header("content-type"), "application/json; charset=utf-8");
    let types = get(&gateway, "/rest/v1/channel_types?select=type,name&type=eq.TELEGRAM", &[object]).await.json();
    assert_eq!(types["type"], "TELEGRAM");
    let applied = get(&gateway, ACCOUNTS, &[("prefer", "count=exact, handling=strict, return=minimal")]).await;
    assert_eq!(applied.header("preference-applied"), "count=exact, handling=strict");
}

async fn long_lists_are_whole(database: Database) {
    let gateway = Gateway::start(database, Settings::default().line("rest.max_rows = 5000")).await;
    // As many as three pages of those that are held at a time.
    gateway
        .execute(
            "INSERT INTO account_logs (id, organization_id, account_id, at, kind, level, code, message, details)
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
             SELECT 'log-' || (10000 + n), 'org-1', 'a', 4102444800000000 + n, 'send', 'info', 'code', 'An entry.', '{}' FROM numbers",
        )
        .await;
    let told = get(&gateway, "/rest/v1/account_logs?limit=5000&channel_account_id=a&select=id&order=id", &[]).await;
    let rows = told.json();
    let ids: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), told.header("content-range")), (2500, "0-2499/*"));
    assert!(ids.is_sorted() && ids.first() == Some(&"log-10001"), "in order and without repetition");
    let csv = get(
        &gateway,
        "/rest/v1/account_logs?limit=2400&channel_account_id=a&select=id",
        &[("accept", "text/csv"), ("prefer", "count=exact")],
    )
    .await;
    assert_eq!((csv.status, csv.header("content-range"), csv.body.lines().count()), (206, "0-2399/2500", 2401));
    // An order that has no places goes on by counting.
    let told = get(&gateway, "/rest/v1/account_logs?limit=2100&channel_account_id=a&select=id&order=details->>x,id", &[]).await;
    assert_eq!(told.json().as_array().unwrap().len(), 2100);
    assert_eq!(get(&gateway, "/rest/v1/account_logs", &[]).await.json().as_array().unwrap().len(), 100, "unless more is asked for");
}

async fn every_mistake_has_postgrests_answer(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let ids = five(&gateway).await;
    let minimal = ("prefer", "return=minimal");
    let taken = json!({"id": ids[0], "organization_id": "org-1", "name": "A", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}});
    let unknown = json!({"id": "00000000-0000-7000-8000-000000000000", "organization_id": "org-1", "name": "A", "type": "TELEGRAM"});
    let read = Method::GET;
    type Case<'a> = (Method, &'a str, Vec<(&'a str, &'a str)>, Option<Value>, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        (read.clone(), "?colour=eq.red", vec![], None, 400, "42703"),
        (read.clone(), "?select=colour", vec![], None, 400, "42703"),
        (read.clone(), "?order=colour", vec![], None, 400, "42703"),
        (read.clone(), "?select=(", vec![], None, 400, "PGRST100"),
        (read.clone(), "?name=foo.bar", vec![("accept-profile", "public")], None, 400, "PGRST100"),
        (read.clone(), "?type=eq.FOO", vec![], None, 400, "22P02"),
        (read.clone(), "?is_active=1", vec![], None, 400, "22P02"),
        (read.clone(), "?connection=eq.lost", vec![], None, 400, "22P02"),
        (read.clone(), "?created_at=gt.yesterday", vec![], None, 400, "22007"),
        (read.clone(), "?webhook_url=eq.x", vec![], None, 400, "0A000"),
        (read.clone(), "?select=houses(*)", vec![], None, 400, "PGRST200"),
        (read.clone(), "?limit=-1", vec![], None, 416, "PGRST103"),
        (read.clone(), "", vec![("range", "5-1")], None, 416, "PGRST103"),
        (read.clone(), "", vec![("accept", "text/html")], None, 406, "PGRST107"),
        (read.clone(), "", vec![("accept-profile", "private")], None, 406, "PGRST106"),
        (read.clone(), "", vec![("prefer", "handling=strict, foo=bar")], None, 400, "PGRST122"),
        (read.clone(), "", vec![("prefer", "tx=rollback")], None, 400, "0A000"),
        (Method::POST, "", vec![minimal], None, 400, "PGRST102"),
        (Method::POST, "", vec![minimal], Some(json!([{"name": "A"}, {"type": "B"}])), 400, "PGRST102"),
        (Method::POST, "", vec![minimal], Some(json!({"colour": "red"})), 400, "PGRST204"),
        (Method::POST, "?columns=colour", vec![minimal], Some(json!([])), 400, "PGRST204"),
        (Method::POST, "", vec![minimal], Some(json!({"organization_id": "org-1", "type": "TELEGRAM", "settings": {}})), 400, "23502"),
        (Method::POST, "", vec![minimal], Some(json!({"organization_id": "org-1", "name": null, "type": "TELEGRAM"})), 400, "23502"),
        (Method::POST, "", vec![minimal], Some(json!({"organization_id": "org-1", "name": "", "type": "TELEGRAM"})), 400, "23514"),
        (Method::POST, "", vec![minimal], Some(json!({"organization_id": "org-1", "name": "A", "type": "FOO"})), 400, "22P02"),
        (Method::POST, "", vec![minimal], Some(json!({"connection": "connected"})), 400, "428C9"),
        (Method::POST, "", vec![minimal], Some(taken.clone()), 409, "23505"),
        (Method::POST, "", vec![minimal], Some(unknown), 400, "428C9"),
        (Method::POST, "?on_conflict=name", vec![minimal], Some(json!([])), 400, "42P10"),
        (Method::PATCH, "", vec![], Some(json!({"name": "All"})), 400, "21000"),
        (Method::DELETE, "", vec![], None, 400, "21000"),
        (Method::PATCH, "?name=neq.A", vec![("prefer", "handling=strict, max-affected=3")], Some(json!({"name": "All"})), 400, "PGRST124"),
        (Method::DELETE, "?name=neq.A", vec![("prefer", "handling=strict, max-affected=3")], None, 400, "PGRST124"),
        (Method::PATCH, "?name=eq.A", vec![], Some(json!({"type": "EMAIL"})), 400, "428C9"),
        (Method::PATCH, "?name=eq.A", vec![], Some(json!({"colour": "red"})), 400, "PGRST204"),
        (Method::PATCH, "?name=eq.A", vec![], Some(json!([])), 400, "PGRST102"),
        (Method::PUT, "?name=eq.A", vec![], Some(taken), 405, "PGRST105"),
        (Method::PUT, "?id=eq.1", vec![], Some(json!({"id": "2"})), 400, "PGRST115"),
    ];
    for (method, query, headers, body, status, code) in cases {
        let told = ask(&gateway, method.clone(), &format!("{ACCOUNTS}{query}"), &headers, body.clone()).await;
        let case = format!("{method} {query} {headers:?} {body:?}: {}", told.body);
        assert_eq!(told.status, status, "{case}");
        let error = told.json();
        assert_eq!(error["code"], code, "{case}");
        assert_eq!(error.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "details", "hint", "message"], "{case}");
        assert_eq!(told.header("proxy-status"), format!("PostgREST; error={code}"), "{case}");
    }
    for (method, path, status, code) in [
        (read.clone(), "/rest/v1/houses", 404, "PGRST205"),
        (read, "/rest/v1/houses/1/doors", 404, "PGRST125"),
        (Method::PUT, "/rest/v1/contacts", 405, "PGRST117"),
        (Method::POST, "/rest/v1/account_logs", 405, "PGRST117"),
    ] {
        let told = ask(&gateway, method, path, &[], None).await;
        assert_eq!((told.status, &told.json()["code"]), (status, &json!(code)), "{path}");
    }
    let csv = gateway.request(Method::POST, ACCOUNTS).header("content-type", "text/xml").header("prefer", "return=minimal").body("<a/>");
    assert_eq!(csv.send().await.unwrap().status(), 415);
    assert_eq!(names(&get(&gateway, &format!("{ACCOUNTS}?order=name"), &[]).await.json()), "ABCDE", "nothing was changed");
}

async fn rows_are_written_through_the_same_verbs(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let full = ("prefer", "return=representation");
    // Plainly: one object, and its place.
    let plain = ask(&gateway, Method::POST, ACCOUNTS, &[], Some(account("Plain", "org-1", false))).await;
    assert_eq!((plain.status, plain.json()["name"].as_str()), (201, Some("Plain")));
    assert!(plain.header("location").starts_with("/rest/v1/channel_accounts/"));
    // A client of PostgREST that wants nothing back gets nothing.
    let quiet = ask(&gateway, Method::POST, ACCOUNTS, &[("content-profile", "public")], Some(account("Quiet", "org-1", false))).await;
    assert_eq!((quiet.status, quiet.body.as_str(), quiet.header("location"), quiet.header("content-range")), (201, "", "", "*/*"));
    let headers =
        ask(&gateway, Method::POST, ACCOUNTS, &[("prefer", "return=headers-only")], Some(account("Placed", "org-1", false))).await;
    assert!(headers.header("location").starts_with("/channel_accounts?id=eq."), "{:?}", headers.headers);
    let many = json!([account("One", "org-1", false), account("Two", "org-1", false)]);
    let told = ask(&gateway, Method::POST, &format!("{ACCOUNTS}?select=id,name"), &[full, ("prefer", "count=exact")], Some(many)).await;
    assert_eq!(
        (told.status, told.header("content-range"), told.header("preference-applied")),
        (201, "*/2", "return=representation, count=exact")
    );
    let made = told.json();
    assert_eq!((names(&made).as_str(), made[0].as_object().unwrap().len()), ("OneTwo", 2));
    // All or none.
    let bad = json!([account("Three", "org-1", false), {"organization_id": "org-1", "name": "Four", "type": "TELEGRAM", "settings": {}, "is_active": false}]);
    let told = ask(&gateway, Method::POST, ACCOUNTS, &[full], Some(bad)).await;
    assert_eq!((told.status, &told.json()["code"]), (400, &json!("23514")), "{}", told.body);
    assert_eq!(get(&gateway, &format!("{ACCOUNTS}?name=eq.Three"), &[]).await.json(), json!([]));
    // Upserts: changed, left as it is, made.
    let one = &made[0]["id"];
    let merge = ("prefer", "resolution=merge-duplicates,return=representation");
    let told =
        ask(&gateway, Method::POST, &format!("{ACCOUNTS}?on_conflict=id"), &[merge], Some(json!([{"id": one, "name": "Uno"}]))).await;
    assert_eq!((told.status, names(&told.json())), (200, "Uno".to_owned()), "{}", told.body);
    let ignore = ("prefer", "resolution=ignore-duplicates,return=representation");
    let told = ask(&gateway, Method::POST, ACCOUNTS, &[ignore], Some(json!([{"id": one, "name": "Eins"}]))).await;
    assert_eq!((told.status, told.json()), (201, json!([])));
    let mixed = json!([{"id": one, "organization_id": "org-1", "name": "Ichi", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}},
                       {"id": null, "organization_id": "org-1", "name": "New", "type": "TELEGRAM", "settings": {"bot_token": TOKEN}}]);
    let told = ask(&gateway, Method::POST, ACCOUNTS, &[merge], Some(mixed)).await;
    assert_eq!((told.status, names(&told.json())), (201, "IchiNew".to_owned()), "{}", told.body);
    let place = format!("{ACCOUNTS}?id=eq.{}", one.as_str().unwrap());
    let told = ask(&gateway, Method::PUT, &place, &[full], Some(json!({"id": one, "name": "Put"}))).await;
    assert_eq!((told.status, names(&told.json())), (200, "Put".to_owned()), "{}", told.body);
    // Changes by filter.
    let told = ask(&gateway, Method::PATCH, &place, &[], Some(json!({"name": "Patched"}))).await;
    assert_eq!((told.status, told.body.as_str(), told.header("content-range")), (204, "", "0-0/*"));
    let none = ask(&gateway, Method::PATCH, &format!("{ACCOUNTS}?name=eq.Nobody"), &[], Some(json!({"name": "X"}))).await;
    assert_eq!((none.status, none.header("content-range")), (204, "*/*"));
    let nothing = ask(&gateway, Method::PATCH, &place, &[full], Some(json!({}))).await;
    assert_eq!((nothing.status, nothing.json()), (200, json!([])));
    let object = ("accept", "application/vnd.pgrst.object+json");
    let told = ask(&gateway, Method::PATCH, &place, &[full, object], Some(json!({"is_active": true}))).await;
    assert_eq!((told.status, &told.json()["is_active"]), (200, &json!(true)));
    let told = ask(&gateway, Method::PATCH, &format!("{ACCOUNTS}?name=eq.Nobody"), &[full, object], Some(json!({"name": "X"}))).await;
    assert_eq!((told.status, &told.json()["details"]), (406, &json!("The result contains 0 rows")));
    // Gone.
    let told = ask(&gateway, Method::DELETE, &format!("{place}&select=name"), &[full], None).await;
    assert_eq!((told.status, told.json()), (200, json!([{"name": "Patched"}])));
    let told = ask(&gateway, Method::DELETE, &format!("{ACCOUNTS}?name=in.(Two,New)"), &[("prefer", "count=exact")], None).await;
    assert_eq!((told.status, told.header("content-range")), (204, "*/2"));
    assert_eq!(names(&get(&gateway, &format!("{ACCOUNTS}?order=name"), &[]).await.json()), "PlacedPlainQuiet");
    // An endpoint's secret is told once, also here.
    let endpoint = json!({"organization_id": "org-1", "url": "https://example.com/hook", "event_types": ["message.*"]});
    let told = ask(&gateway, Method::POST, "/rest/v1/endpoints?select=id,secret", &[full], Some(json!([endpoint]))).await;
    assert!(told.json()[0]["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{}", told.body);
    let list = get(&gateway, "/rest/v1/endpoints?select=secret,event_types&event_types=cs.{message.*}&event_types=ov.{a,message.*}", &[])
        .await
        .json();
    assert_eq!(list, json!([{"secret": null, "event_types": ["message.*"]}]));
    for (query, found) in [("cd.{a,message.*}", 1), ("cd.{a}", 0), ("ov.{a}", 0), ("cs.{}", 1), ("cd.{}", 0)] {
        let list = get(&gateway, &format!("/rest/v1/endpoints?event_types={query}"), &[]).await.json();
        assert_eq!(list.as_array().unwrap().len(), found, "{query}");
    }
}

async fn messages_are_sent_as_rows(database: Database) {
    let bench = Bench::connected(database).await;
    let text = |text: &str| json!({"channel_account_id": bench.account, "to": "70010001", "content": {"type": "text", "text": text}});
    let full = ("prefer", "return=representation");
    let path = "/rest/v1/messages?select=id,content";
    let told = ask(&bench.gateway, Method::POST, path, &[full], Some(json!([text("one"), text("two")]))).await;
    assert_eq!((told.status, told.json().as_array().unwrap().len()), (201, 2), "{}", told.body);
    let bad = json!([text("three"), {"channel_account_id": bench.account, "to": "70010001"}]);
    let told = ask(&bench.gateway, Method::POST, path, &[full], Some(bad)).await;
    assert_eq!(told.status, 400, "{}", told.body);
    let once = [full, ("idempotency-key", "rows-1")];
    let first = ask(&bench.gateway, Method::POST, path, &once, Some(json!([text("four")]))).await;
    let again = ask(&bench.gateway, Method::POST, path, &once, Some(json!([text("four")]))).await;
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (201, 201, "true"));
    assert_eq!(first.body, again.body);
    for sent in told_ids(&first) {
        bench.settled(&sent).await;
    }
    let all = get(&bench.gateway, "/rest/v1/messages?direction=eq.outbound&order=id&select=content", &[]).await.json();
    let texts: Vec<&str> = all.as_array().unwrap().iter().map(|row| row["content"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "four"]);
}

fn told_ids(told: &Told) -> Vec<String> {
    told.json().as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn an_organisation_reaches_nothing_of_anothers(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let ids = five(&gateway).await;
    let key = gateway.new_key("admin", "org-1");
    let ask_as = |method: Method, path: String, body: Value| {
        // In place of the operator's key.
        let ours = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {key}").parse().unwrap())]);
        let request = gateway.request(method, &path).headers(ours);
        let request = request.header("prefer", "return=representation,count=exact").json(&body);
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap())
        }
    };
    let theirs = &ids[4];
    let (_, rows) = ask_as(Method::GET, format!("{ACCOUNTS}?or=(organization_id.eq.org-2,id.eq.{theirs},name.neq.X)"), json!({})).await;
    assert_eq!(names(&rows), "CBA");
    let (_, rows) = ask_as(Method::PATCH, format!("{ACCOUNTS}?id=eq.{theirs}"), json!({"name": "Mine"})).await;
    assert_eq!(rows, json!([]));
    let (_, rows) = ask_as(Method::DELETE, format!("{ACCOUNTS}?id=in.({theirs},{})", ids[0]), json!({})).await;
    assert_eq!(names(&rows), "A");
    let (status, error) = ask_as(Method::POST, ACCOUNTS.to_owned(), json!([{"id": theirs, "name": "Mine"}])).await;
    assert_eq!((status, &error["code"]), (400, &json!("428C9")), "whether it is there isn't told");
    let (status, error) = ask_as(Method::POST, ACCOUNTS.to_owned(), json!([account("X", "org-2", false)])).await;
    assert_eq!((status, &error["code"]), (403, &json!("42501")));
    let all = get(&gateway, &format!("{ACCOUNTS}?order=name"), &[]).await.json();
    assert_eq!(names(&all), "BCDE");
}

/// supabase-js and postgrest-js themselves, from `target/supabase`, where `.ci/install` puts them.
async fn supabase_js_finds_what_it_knows(database: Database) {
    let bench = Bench::connected(database).await;
    bench.push(text_update(1, "Hi")).await;
    let modules = root().join("target/supabase/node_modules");
    assert!(modules.join("@supabase/supabase-js").exists(), "{} is missing: run .ci/install", modules.display());
    // A module is looked for from where the program stands.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    let program = folder.path().join("client.mjs");
    std::fs::copy(root().join("tests/it/postgrest/client.mjs"), &program).unwrap();
    let (url, key, account) = (bench.gateway.url.clone(), bench.gateway.key.clone(), bench.account.clone());
    let run = tokio::task::spawn_blocking(move || {
        Command::new("node").arg(program).args([url, key, account, TOKEN.to_owned()]).output().unwrap()
    });
    let output = run.await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("all as expected"), "{text}");
}

both! {
    lists_are_chosen_and_ordered,
    rows_are_cut_to_the_select_and_bring_others_along,
    a_row_has_the_columns_that_are_declared,
    parts_of_a_list_are_told_as_postgrest_tells_them,
    an_answer_comes_in_the_form_that_is_accepted,
    long_lists_are_whole,
    every_mistake_has_postgrests_answer,
    rows_are_written_through_the_same_verbs,
    messages_are_sent_as_rows,
    an_organisation_reaches_nothing_of_anothers,
    supabase_js_finds_what_it_knows,
}
