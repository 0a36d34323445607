//! Pages for the person in the browser: plain HTML without a script, everything escaped.

use std::fmt::Write as _;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem;color:#1b1b1b}\
h1{font-size:1.4rem}label{display:block;margin:.4rem 0}fieldset{border:1px solid #ccc;margin:1rem 0}small{color:#555}\
button{font:inherit;padding:.4rem 1.2rem}";

/// A page's text; what is put in is escaped.
pub(super) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(super) fn new(title: &str) -> Page {
        Page { title: escape(title), body: String::new() }
    }

    #[must_use]
    pub(super) fn text(mut self, text: &str) -> Page {
        if !text.is_empty() {
            let _ = write!(self.body, "<p>{}</p>", escape(text));
        }
        self
    }

    /// The questions of a connect dialogue (`prompt` of kind `ask`) as a form that goes on with the flow.
    #[must_use]
    pub(super) fn questions(mut self, flow_id: &str, prompt: &Value) -> Page {
        let text = |value: &Value, field: &str| escape(value.get(field).and_then(Value::as_str).unwrap_or_default());
        let list = |value: &Value, field: &str| value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        let mut form =
            format!("<form method=\"post\" action=\"/oauth/answers\"><input type=\"hidden\" name=\"flow\" value=\"{}\">", escape(flow_id));
        for question in list(prompt, "questions") {
            let id = text(&question, "id");
            let _ = write!(form, "<fieldset><legend>{}</legend>", text(&question, "title"));
            let options = list(&question, "options");
            if options.is_empty() {
                let _ = write!(form, "<label><input name=\"answer.{id}\" required></label>");
            }
            for option in options {
                let note = text(&option, "note");
                let note = if note.is_empty() { note } else { format!(" <small>{note}</small>") };
                let (value, title) = (text(&option, "id"), text(&option, "title"));
                let _ = write!(form, "<label><input type=\"radio\" name=\"answer.{id}\" value=\"{value}\" required> {title}{note}</label>");
            }
            form.push_str("</fieldset>");
        }
        form.push_str("<button>Connect</button></form>");
        self.body.push_str(&form);
        self
    }

    pub(super) fn answer(self, status: StatusCode) -> Response {
        let Page { title, body } = self;
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
        );
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        ];
        (status, headers, html).into_response()
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_stranger_wrote_is_text_alone() {
        let prompt = json!({"kind": "ask", "questions": [{"id": "p\"><script>", "title": "<b>Which?</b>",
            "options": [{"id": "1' onclick='x", "title": "A & B", "note": "<i>"}, {"id": "2", "title": "C", "note": null}]}]});
        let page = Page::new("<script>alert(1)</script>").text("</p><script>").questions("flow\"", &prompt);
        let html = format!("{}{}", page.title, page.body);
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<i>"), "{html}");
        assert!(html.contains("value=\"1&#39; onclick=&#39;x\"") && html.contains("A &amp; B <small>&lt;i&gt;</small>"), "{html}");
        assert!(html.contains("name=\"flow\" value=\"flow&quot;\""), "{html}");
    }

    #[test]
    fn a_page_may_do_nothing_but_show_and_send_its_form() {
        let answer = Page::new("Title").answer(StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}
