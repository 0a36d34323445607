//! Lists over 100,000 accounts of a hundred organisations: as a console asks for them, plainly and in PostgREST's way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::figures::{self, Figures};
use crate::harness::{Database, Gateway, Settings};

const ACCOUNTS: u64 = 100_000;
/// Of each query, by so many clients.
const REQUESTS: u64 = 1_000;
const CLIENTS: u64 = 4;

/// Every second account of an organisation is of one type, every third of a type is active. The rows are what the API makes, but for
/// secrets.
const FILL: &str = "INSERT INTO channel_accounts
   (id, organization_id, type, name, settings, is_active, connection, facts, data_key, webhook_refusals, created_at, updated_at)
 WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
 SELECT '01900000-0000-7000-8000-' || CAST(100000000000 + n AS TEXT), 'org-' || CAST(n % 100 AS TEXT),
        CASE (n / 100) % 2 WHEN 0 THEN 'TELEGRAM' ELSE 'EMAIL' END, 'Account ' || CAST(n AS TEXT),
        '{\"mode\": \"webhook\", \"parse_mode\": \"HTML\", \"api_base\": \"https://api.example.com\"}', (n / 200) % 3 = 0,
        CASE n % 10 WHEN 0 THEN 'error' ELSE 'connected' END, '{\"username\": \"a_bot\", \"can_join_groups\": true}',
        (SELECT data_key FROM channel_accounts LIMIT 1), 0, 1790000000000000 + n, 1790000000000000 + n
 FROM numbers";
const ORGANIZATIONS: &str = "INSERT INTO organizations (id, name, created_at)
 WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 99)
 SELECT 'org-' || CAST(n AS TEXT), 'org-' || CAST(n AS TEXT), 0 FROM numbers WHERE n <> 1";

pub(crate) async fn run(database: Database) {
    let gateway = Arc::new(Gateway::start(database, Settings::default()).await);
    gateway.create_account("The first", json!({})).await;
    gateway.execute(ORGANIZATIONS).await;
    gateway.execute(FILL).await;
    let counted = gateway.request(reqwest::Method::HEAD, "/rest/v1/channel_accounts").header("prefer", "count=exact").send().await.unwrap();
    let range = counted.headers()["content-range"].to_str().unwrap().to_owned();
    assert_eq!(range.split('/').nth(1).unwrap().parse::<u64>().unwrap(), ACCOUNTS + 1, "every account is listed");
    figures::head(&format!("{REQUESTS} lists of each kind over {ACCOUNTS} accounts, {CLIENTS} clients, {database:?}"));
    let (none, exact) = ("", "count=exact");
    let page = "/rest/v1/channel_accounts?";
    let last = next(&gateway, &format!("{page}order=id&limit=1&offset=90000")).await;
    for (name, query, prefer) in [
        ("first page (100 rows)", page.to_owned(), none),
        ("organisation, type, active", format!("{page}organization_id=org-7&type=TELEGRAM&is_active=true"), none),
        ("organisation, type, active: counted", format!("{page}organization_id=org-7&type=TELEGRAM&is_active=true"), exact),
        ("type", format!("{page}type=TELEGRAM"), none),
        ("type: by time, 20 rows", format!("{page}type=eq.TELEGRAM&order=created_at.desc&limit=20&select=id,name,connection"), none),
        ("not working, 20 rows: counted", format!("{page}connection=in.(error,needs_reauth)&limit=20"), exact),
        ("by name, 20 rows", format!("{page}order=name&limit=20&select=id,name"), none),
        ("the page behind 90,000 (keyset)", last, none),
        ("the page behind 90,000 (offset)", format!("{page}order=id&limit=100&offset=90000"), none),
    ] {
        let (latencies, elapsed) = ask(&gateway, &query, prefer).await;
        figures::row(name, &Figures::new(latencies, elapsed));
    }
}

/// Where the list goes on.
async fn next(gateway: &Gateway, path: &str) -> String {
    let headers = gateway.headers(path).await;
    let link = headers["link"].to_str().unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    link.replace("limit=1&", "limit=100&")
}

async fn ask(gateway: &Arc<Gateway>, path: &str, prefer: &'static str) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (gateway, path) = (Arc::clone(gateway), path.to_owned());
        clients.spawn(async move {
            let mut latencies = Vec::new();
            for _ in 0..REQUESTS / CLIENTS {
                let asked = Instant::now();
                let answer = gateway.request(reqwest::Method::GET, &path).header("prefer", prefer).send().await.unwrap();
                let status = answer.status().as_u16();
                let rows = answer.bytes().await.unwrap();
                latencies.push(asked.elapsed());
                assert!(matches!(status, 200 | 206) && rows.len() > 2, "{path}: {status}");
            }
            latencies
        });
    }
    let latencies = clients.join_all().await.concat();
    (latencies, start.elapsed())
}
