//! The event stream: filtered, resumed, and closed to those who may no longer listen.

use futures::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::{Bench, Database, MONA, PATIENCE, both};

/// A listener that keeps what comes as it comes.
struct Raw {
    bytes: futures::stream::BoxStream<'static, Option<String>>,
    text: String,
}

impl Raw {
    /// With this query, and these headers.
    async fn open(bench: &Bench, query: &str, headers: &[(&str, &str)]) -> Raw {
        let mut request = Client::new().get(format!("{}/rest/v1/events{query}", bench.gateway.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap().error_for_status().unwrap();
        let bytes = response.bytes_stream().map(|chunk| Some(String::from_utf8(chunk.ok()?.to_vec()).unwrap())).boxed();
        Raw { bytes, text: String::new() }
    }

    /// The next block: its `event:`, `id:` and data. None where the stream ends.
    async fn next(&mut self) -> Option<(Option<String>, Option<String>, Value)> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
                match field("data:") {
                    Some(data) => return Some((field("event:"), field("id:"), serde_json::from_str(&data).unwrap())),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.bytes.next()).await.expect("nothing came");
            self.text.push_str(&chunk.flatten()?);
        }
    }
}

async fn say(bench: &Bench, update: i64, text: &str) {
    bench
        .push(
            json!({"update_id": update, "message": {"message_id": 1000 * update, "from": {"id": MONA, "is_bot": false, "first_name": "P"},
                     "chat": {"id": MONA, "type": "private"}, "date": 1_764_000_000, "text": text}}),
        )
        .await;
}

fn text(event: &Value) -> &str {
    event["data"]["message"]["content"][0]["text"].as_str().unwrap_or_default()
}

async fn a_listener_hears_the_types_it_asks_for(database: Database) {
    let bench = Bench::connected(database).await;
    let auth = format!("Bearer {}", bench.gateway.key);
    let mut stream = Raw::open(&bench, "?types=message.received,account.*&after=0", &[("authorization", &auth)]).await;
    say(&bench, 1, "heard").await;
    bench.send(json!({"to": MONA.to_string(), "content": {"type": "text", "text": "not heard"}})).await;
    say(&bench, 2, "heard too").await;
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "heard too") {
        let (name, id, event) = stream.next().await.unwrap();
        assert_eq!((name.as_deref(), id.as_deref()), (event["type"].as_str(), event["id"].as_str()));
        if event["type"] == "message.received" {
            heard.push(text(&event).to_owned());
        } else {
            assert_eq!(event["type"], "account.connection", "{event:#}");
        }
    }
    assert_eq!(heard, ["heard", "heard too"]);
    let error = bench.gateway.get("/rest/v1/events?types=message.recieved").await.expect_status(400);
    assert!(error["message"].as_str().unwrap().contains("message.recieved"), "{error:#}");
    bench.gateway.get("/rest/v1/events?after=nothing").await.expect_status(404);
}

async fn a_place_that_is_lost_is_told_and_the_stream_goes_on(database: Database) {
    let bench = Bench::connected(database).await;
    say(&bench, 1, "kept").await;
    let headers = [("apikey", bench.gateway.key.as_str()), ("last-event-id", "01900000-0000-7000-8000-000000000000")];
    let mut stream = Raw::open(&bench, "?types=message.*", &headers).await;
    let (name, id, told) = stream.next().await.unwrap();
    assert_eq!((name.as_deref(), id), (Some("stream.reset"), None));
    assert_eq!(told["last_event_id"], headers[1].1);
    let (_, _, event) = stream.next().await.unwrap();
    assert_eq!(text(&event), "kept");
}

async fn a_browser_gives_its_key_in_the_query_and_a_revoked_key_hears_no_more(database: Database) {
    let bench = Bench::connected(database).await;
    let (_, told) = bench.gateway.run(&["key", "new", "--scope", "read", "--organization", "org-1"]);
    let key = told.lines().last().unwrap().trim().to_owned();
    let mut stream = Raw::open(&bench, &format!("?apikey={key}"), &[]).await;
    say(&bench, 1, "heard").await;
    assert_eq!(text(&stream.next().await.unwrap().2), "heard");
    let (_, keys) = bench.gateway.run(&["key", "list"]);
    let id = keys.lines().find(|line| line.contains(&key[..9])).and_then(|line| line.split_whitespace().next()).unwrap().to_owned();
    let (revoked, output) = bench.gateway.run(&["key", "revoke", &id]);
    assert!(revoked, "{output}");
    assert!(stream.next().await.is_none(), "the stream ends");
    let refused = Client::new().get(format!("{}/rest/v1/events?apikey={key}", bench.gateway.url)).send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

both! {
    a_listener_hears_the_types_it_asks_for,
    a_place_that_is_lost_is_told_and_the_stream_goes_on,
    a_browser_gives_its_key_in_the_query_and_a_revoked_key_hears_no_more,
}
