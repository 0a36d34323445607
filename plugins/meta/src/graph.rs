//! One request to the Graph API: an egress target, the version, a path; then the envelope of its answer.

use patchbay_plugin::http::{self, Part, Request, Response};
use patchbay_plugin::{Failure, Field};
use serde_json::Value;

use crate::json::Json as _;
use crate::refusal::{Occasion, Refusal};

/// Most pages of a list that are read: a call of the gateway's has a bound on its requests.
const PAGES_MAX: usize = 5;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// Meta has answered no.
    Refused(Refusal),
    /// There was no usable answer.
    Http(http::Error),
}

impl Trouble {
    /// What the gateway does, on that occasion.
    #[must_use]
    pub fn on(self, occasion: Occasion<'_>) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.on(occasion),
            Self::Http(error) => error.into(),
        }
    }

    /// What Meta has answered.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Http(_) => None,
        }
    }
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Http(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        trouble.on(Occasion::default())
    }
}

/// A place of the manifest's (which fixes the host and the credential) and the version spoken there.
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    target: &'a str,
    version: &'a str,
}

/// Some items of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The items.
    pub items: Vec<Value>,
    /// Where the next ones begin; none at the end.
    pub after: Option<String>,
}

impl<'a> Graph<'a> {
    /// `target`: an egress target of the manifest. `version`: `v26.0`; empty where a path has none.
    #[must_use]
    pub fn new(target: &'a str, version: &'a str) -> Self {
        Self { target, version }
    }

    /// A request that reads.
    #[must_use]
    pub fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    /// A request that writes, unless it is called repeatable.
    #[must_use]
    pub fn post(&self, path: &str) -> Ask {
        self.ask("POST", path)
    }

    /// A request that takes something away, which may be repeated.
    #[must_use]
    pub fn delete(&self, path: &str) -> Ask {
        self.ask("DELETE", path).repeatable()
    }

    fn ask(&self, method: &str, path: &str) -> Ask {
        let path = path.trim_start_matches('/');
        let path = if self.version.is_empty() { format!("/{path}") } else { format!("/{}/{path}", self.version) };
        Ask(Request::new(method, self.target, path))
    }

    /// One page of a list.
    ///
    /// # Errors
    /// Where Meta refuses it, or doesn't answer.
    pub fn page(&self, path: &str, query: &[(&str, &str)], after: Option<&str>) -> Result<Listed, Trouble> {
        let mut ask = query.iter().fold(self.get(path), |ask, (name, value)| ask.query(name, *value));
        if let Some(after) = after {
            ask = ask.query("after", after);
        }
        let mut answer = ask.send()?;
        let after = answer.object("paging").and_then(|paging| {
            paging.text("next")?;
            paging.get("cursors")?.id("after")
        });
        let items = match answer.get_mut("data").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        Ok(Listed { items, after })
    }

    /// A list to its end, or to as many pages as one call may read.
    ///
    /// # Errors
    /// Where Meta refuses a page, or doesn't answer.
    pub fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Trouble> {
        let (mut items, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.page(path, query, after.as_deref())?;
            items.extend(page.items);
            // A cursor that stands still would never end.
            if page.after.is_none() || page.after == after {
                break;
            }
            after = page.after;
        }
        Ok(items)
    }
}

/// A request on its way out.
#[derive(Debug)]
pub struct Ask(Request);

impl Ask {
    /// Adds a query field.
    #[must_use]
    pub fn query(self, name: &str, value: impl Into<String>) -> Self {
        Self(self.0.query(name, value))
    }

    /// A JSON body.
    ///
    /// # Errors
    /// Never for a JSON value.
    pub fn json(self, body: &Value) -> Result<Self, Trouble> {
        Ok(Self(self.0.json(body)?))
    }

    /// A form body: objects inside of it are JSON text.
    #[must_use]
    pub fn form(self, fields: Vec<Field>) -> Self {
        Self(self.0.form(fields))
    }

    /// A multipart body.
    #[must_use]
    pub fn multipart(self, parts: Vec<Part>) -> Self {
        Self(self.0.multipart(parts))
    }

    /// Doing it twice is the same as doing it once: a broken connection is no doubt.
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self(self.0.repeatable())
    }

    /// Bounds it in milliseconds.
    #[must_use]
    pub fn timeout_ms(self, milliseconds: u32) -> Self {
        Self(self.0.timeout_ms(milliseconds))
    }

    /// Lifts a token out of the answer into a named secret.
    #[must_use]
    pub fn capture(self, pointer: &str, secret: &str) -> Self {
        Self(self.0.capture(pointer, secret))
    }

    /// Sends it: the JSON of a success.
    ///
    /// # Errors
    /// [`Trouble::Refused`] for an answer of another kind, [`Trouble::Http`] without one.
    pub fn send(self) -> Result<Value, Trouble> {
        answer(&self.0.send()?)
    }
}

/// An answer's JSON, or what it refuses. An error may come with status 200: `{"error": …}` decides.
///
/// # Errors
/// As [`Ask::send`].
pub fn answer(response: &Response) -> Result<Value, Trouble> {
    match response.json::<Value>() {
        Ok(body) if response.is_success() && body.object("error").is_none() => Ok(body),
        Ok(body) => Err(Trouble::Refused(Refusal::of_response(response, &body))),
        // A proxy's page.
        Err(_) if !response.is_success() => Err(Trouble::Refused(Refusal::of_response(response, &Value::Null))),
        Err(error) => Err(Trouble::Http(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;
    use serde_json::json;

    const GRAPH: Graph<'static> = Graph { target: "graph", version: "v26.0" };

    #[test]
    fn a_request_names_the_version_and_an_answer_is_its_json() {
        let provider = Provider::new();
        provider.on("GET graph /v26.0/me").answer(200, &json!({"id": "1"}));
        provider.on("POST plain /access_token").answer(200, &json!({"success": true}));
        assert_eq!(GRAPH.get("me").query("fields", "id").send(), Ok(json!({"id": "1"})));
        assert!(Graph::new("plain", "").post("/access_token").form(vec![Field::new("a", "b")]).send().is_ok());
        assert_eq!(provider.requests()[0].query[0].value, "id");
    }

    #[test]
    fn a_list_is_followed_while_there_is_a_next_page() {
        let provider = Provider::new();
        let next = |after: &str| json!({"cursors": {"before": "a", "after": after}, "next": "https://graph.facebook.com/…"});
        provider.on("GET graph /v26.0/me/accounts").answer(200, &json!({"data": [1, 2], "paging": next("b")}));
        provider.on("GET graph /v26.0/me/accounts").answer(200, &json!({"data": [3], "paging": {"cursors": {"after": "c"}}}));
        assert_eq!(GRAPH.list("me/accounts", &[("limit", "2")]), Ok(vec![json!(1), json!(2), json!(3)]));
        assert!(provider.requests()[1].query.iter().any(|field| (field.name.as_str(), field.value.as_str()) == ("after", "b")));
    }

    #[test]
    fn a_list_that_never_ends_is_left() {
        let provider = Provider::new();
        for after in ["1", "2", "3", "4", "5"] {
            let page = json!({"data": [after], "paging": {"cursors": {"after": after}, "next": "x"}});
            provider.on("GET graph /v26.0/x").answer(200, &page);
        }
        assert_eq!(GRAPH.list("x", &[]).map(|items| items.len()), Ok(5));
    }

    #[test]
    fn a_connection_that_breaks_is_a_doubt_where_something_was_written() {
        let provider = Provider::new();
        provider.on("POST graph /v26.0/1/messages").broken("reset");
        provider.on("GET graph /v26.0/1").broken("reset");
        assert!(matches!(GRAPH.post("1/messages").send().map_err(Failure::from), Err(Failure::Uncertain(_))));
        assert!(matches!(GRAPH.get("1").send().map_err(Failure::from), Err(Failure::Unavailable(_))));
    }

    #[test]
    fn a_success_that_cannot_be_read_is_a_doubt_and_a_proxys_page_is_none() {
        let provider = Provider::new();
        provider.on("POST graph /v26.0/1/messages").answer_bytes(200, "text/html", "<html>");
        provider.on("POST graph /v26.0/1/messages").answer_bytes(502, "text/html", "<html>");
        assert!(matches!(GRAPH.post("1/messages").send().map_err(Failure::from), Err(Failure::Uncertain(_))));
        assert!(matches!(GRAPH.post("1/messages").send().map_err(Failure::from), Err(Failure::Unavailable(_))));
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        let provider = Provider::new();
        provider.on("GET graph /v26.0/me").answer(200, &json!({"error": {"code": 190, "message": "x"}}));
        assert!(matches!(GRAPH.get("me").send().map_err(Failure::from), Err(Failure::Unauthorized(_))));
    }
}
