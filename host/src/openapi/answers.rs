//! What any operation may answer besides its own answers: the errors, each described once.

use serde_json::{Map, Value, json};

/// By its name among the document's responses: the status, when it is answered, and an example.
struct Shared {
    name: &'static str,
    status: &'static str,
    when: &'static str,
    code: &'static str,
    message: &'static str,
    hint: &'static str,
}

const BAD_REQUEST: Shared = Shared {
    name: "BadRequest",
    status: "400",
    when: "The query, a header or the body can't be read.",
    code: "not_json",
    message: "The body is no JSON: expected value at line 1 column 1.",
    hint: "",
};
const UNAUTHORIZED: Shared = Shared {
    name: "Unauthorized",
    status: "401",
    when: "There is no key or token, or it isn't valid (any more).",
    code: "unauthorized",
    message: "The API key is unknown.",
    hint: "Make a new one: patchbay key new",
};
const FORBIDDEN: Shared = Shared {
    name: "Forbidden",
    status: "403",
    when: "The key may not do that: its scope is too narrow, or it belongs to another organisation.",
    code: "scope",
    message: "The key “inbox” has the scope read; this needs manage.",
    hint: "Make a key with a wider scope: patchbay key new --scope …",
};
const NOT_FOUND: Shared = Shared {
    name: "NotFound",
    status: "404",
    when: "There is no such thing, or it is another organisation's.",
    code: "not_found",
    message: "There is no message “01a0c0de-0000-7000-8000-000000000009”.",
    hint: "",
};
const CONFLICT: Shared = Shared {
    name: "Conflict",
    status: "409",
    when: "It can't be done as things stand, or a request with the same Idempotency-Key is under way.",
    code: "conflict",
    message: "Somebody else stored the same at the same time.",
    hint: "Look, and try again.",
};
const TOO_LARGE: Shared = Shared {
    name: "TooLarge",
    status: "413",
    when: "The body is larger than the configuration allows.",
    code: "too_large",
    message: "The body is too large.",
    hint: "http.max_body_kb bounds requests, media.max_mb uploads of media, plugins.max_size_mb those of plugins.",
};
const INVALID: Shared = Shared {
    name: "Invalid",
    status: "422",
    when: "Fields are wrong: `errors` names each.",
    code: "invalid",
    message: "/name: is required",
    hint: "",
};
const TOO_MANY: Shared = Shared {
    name: "TooManyRequests",
    status: "429",
    when: "The key's rate is used up; `Retry-After` says for how long.",
    code: "too_many_requests",
    message: "More than 600 requests a minute came with this key or token.",
    hint: "Ask again in 12 s. The operator's setting auth.requests_per_min is the bound.",
};
const UNAVAILABLE: Shared = Shared {
    name: "Unavailable",
    status: "503",
    when: "The database or the plugin that it takes doesn't answer; nothing was stored.",
    code: "database",
    message: "The database doesn't answer; nothing was stored.",
    hint: "Try again in a moment.",
};
const ALL: &[Shared] = &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, INVALID, TOO_MANY, UNAVAILABLE];

/// The schema of an error, by its place.
const ERROR: &str = "#/components/schemas/Error";

impl Shared {
    fn describe(&self) -> Value {
        let hint = if self.hint.is_empty() { Value::Null } else { json!(self.hint) };
        let mut example = json!({"code": self.code, "message": self.message, "details": null, "hint": hint});
        if self.status == "422" {
            example["errors"] = json!([{"pointer": "/name", "message": "is required"}]);
        }
        let mut described = json!({
            "description": self.when,
            "content": {"application/json": {"schema": {"$ref": ERROR}, "example": example}},
        });
        if let Some(headers) = self.headers() {
            described["headers"] = headers;
        }
        described
    }

    fn headers(&self) -> Option<Value> {
        match self.status {
            "401" => {
                Some(json!({"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string", "const": "Bearer"}}}))
            }
            "413" => Some(
                json!({"Connection": {"description": "The connection can't be used again.", "schema": {"type": "string", "const": "close"}}}),
            ),
            "429" => Some(json!({"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}})),
            _ => None,
        }
    }
}

/// How a key stands with its limit: headers of every answer to it.
fn limits() -> [(String, Value); 2] {
    ["RateLimit", "RateLimit-Policy"].map(|name| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")})))
}

/// The headers that answers share.
pub(super) fn headers() -> Value {
    let header = |description: &str, example: &str| json!({"description": description, "schema": {"type": "string"}, "example": example});
    json!({
        "RateLimit": header("What is left of the key's limit, and the seconds until it is whole again.", "\"default\";r=599;t=1"),
        "RateLimit-Policy": header("The limit: requests, and in how many seconds.", "\"default\";q=600;w=60"),
    })
}

/// The answers that operations share.
pub(super) fn shared() -> Value {
    ALL.iter().map(|shared| (shared.name.to_owned(), shared.describe())).collect::<Map<_, _>>().into()
}

/// Adds to an operation the errors that its like may answer. What it says itself stays.
pub(super) fn complete(path: &str, operation: &mut Map<String, Value>) {
    let takes_key = operation.get("security").is_none_or(|own| own != &json!([]) && own != &json!([{}]));
    let has_body = operation.contains_key("requestBody");
    let is_rest = path.starts_with("/rest/");
    let has_parameters = operation.get("parameters").and_then(Value::as_array).is_some_and(|parameters| !parameters.is_empty());
    let mut errors: Vec<&Shared> = Vec::new();
    if takes_key {
        errors.extend([&UNAUTHORIZED, &FORBIDDEN, &TOO_MANY, &UNAVAILABLE]);
    }
    if has_body || has_parameters {
        errors.push(&BAD_REQUEST);
    }
    if path.contains('{') {
        errors.push(&NOT_FOUND);
    }
    if has_body {
        errors.extend([&TOO_LARGE, &INVALID]);
    }
    if has_body && is_rest {
        errors.push(&CONFLICT);
    }
    let Some(own) = operation.entry("responses").or_insert_with(|| json!({})).as_object_mut() else { return };
    for error in errors {
        own.entry(error.status).or_insert_with(|| json!({"$ref": format!("#/components/responses/{}", error.name)}));
    }
    if takes_key {
        for answer in own.values_mut().filter_map(Value::as_object_mut).filter(|answer| !answer.contains_key("$ref")) {
            if let Some(headers) = answer.entry("headers").or_insert_with(|| json!({})).as_object_mut() {
                headers.extend(limits());
            }
        }
    }
    // An error that an operation describes itself has the body of all errors.
    for (status, answer) in own.iter_mut() {
        let is_error = status.starts_with('4') || status.starts_with('5');
        if let Some(answer) =
            answer.as_object_mut().filter(|answer| is_error && !answer.contains_key("$ref") && !answer.contains_key("content"))
        {
            answer.insert("content".to_owned(), json!({"application/json": {"schema": {"$ref": ERROR}}}));
        }
    }
}
