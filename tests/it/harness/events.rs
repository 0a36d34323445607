//! A listener to `/rest/v1/events`.

use futures::{StreamExt, stream::BoxStream};
use reqwest::Client;
use serde_json::Value;

use super::PATIENCE;

pub(crate) struct Listener {
    bytes: BoxStream<'static, Vec<u8>>,
    text: String,
}

impl Listener {
    pub(super) async fn open(url: &str, key: &str, last: Option<&str>) -> Listener {
        let mut request = Client::new().get(format!("{url}/rest/v1/events")).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap().error_for_status().unwrap();
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()).unwrap_or_default()).boxed();
        Listener { bytes, text: String::new() }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let data: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
                if !data.is_empty() {
                    return serde_json::from_str(&data.join("\n")).unwrap();
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.bytes.next()).await.expect("no event came").expect("the stream ended");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of that type.
    pub(crate) async fn next_of(&mut self, event_type: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["type"] == event_type {
                return event;
            }
        }
    }
}
