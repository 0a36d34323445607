//! What a channel can tell of a message before it is queued.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::outbound::outbound;
use crate::{
    app::App,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
        message::Message,
    },
    error::ApiError,
    plugins::{Version, convert},
};

/// Bytes of what a plugin tells of one message.
const FACTS_MAX: usize = 16 * 1024;

/// Asks the plugin what it makes of the message; nothing where it tells nothing beforehand, or can't run for now: the send judges
/// it then.
///
/// # Errors
/// 422 with each field that the plugin refuses, or its reason; 503 where the plugin fails.
pub(super) async fn facts_of(app: &App, account: &Account, message: &Message) -> Result<Map<String, Value>, ApiError> {
    match app.plugins.for_account(account) {
        Some(version) if version.previews() => ask(app, &version, account, message).await,
        _ => Ok(Map::new()),
    }
}

async fn ask(app: &App, version: &Version, account: &Account, message: &Message) -> Result<Map<String, Value>, ApiError> {
    let outbound = outbound(app, &version.manifest.capabilities, message).await?;
    match version.preview(app, account, &outbound).await {
        Ok(Ok(json)) => facts_in(&json).ok_or_else(|| refusal(&not_facts())),
        Ok(Err(failure)) => Err(refusal(&convert::failure_in(failure))),
        Err(fault) if fault.is_unrun() => {
            Err(ApiError::unavailable("busy", format!("The plugin can't be asked for now: {fault}. Nothing was queued."))
                .hint("Send it again in a moment."))
        }
        Err(fault) => Err(refusal(&Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string()))),
    }
}

/// An empty answer tells nothing.
fn facts_in(json: &str) -> Option<Map<String, Value>> {
    if json.is_empty() {
        return Some(Map::new());
    }
    if json.len() > FACTS_MAX {
        return None;
    }
    serde_json::from_str(json).ok()
}

fn not_facts() -> Failure {
    Failure::new(FailureClass::Fault, "plugin_fault", format!("preview answered no JSON object of at most {FACTS_MAX} bytes"))
}

fn refusal(failure: &Failure) -> ApiError {
    if failure.class == FailureClass::Invalid && !failure.fields.is_empty() {
        return ApiError::invalid(failure.fields.clone());
    }
    let status = match failure.class {
        FailureClass::Fault => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    ApiError::new(status, failure.class.as_str(), failure.message.clone()).details(failure.code.clone()).hint(failure.way_out.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::FieldProblem;

    #[test]
    fn facts_are_a_json_object() {
        assert_eq!(facts_in(r#"{"parts": 2}"#).unwrap()["parts"], 2);
        assert_eq!(facts_in("").unwrap(), Map::new());
        for other in ["[]", "2", "{", &format!("{{\"a\": \"{}\"}}", "x".repeat(FACTS_MAX))] {
            assert!(facts_in(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_refusal_names_the_fields_or_the_way_out() {
        let mut failure = Failure::new(FailureClass::Invalid, "", "");
        failure.fields = vec![FieldProblem::new("/to", "is no number"), FieldProblem::new("/content/0/text", "is too long")];
        let refused = refusal(&failure);
        assert_eq!((refused.status, refused.body.errors), (StatusCode::UNPROCESSABLE_ENTITY, failure.fields));
        let refused = refusal(&Failure::new(FailureClass::Unsupported, "content", "no polls"));
        assert_eq!((refused.status, refused.body.code), (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"));
        assert_eq!(refused.body.hint.as_deref(), Some(FailureClass::Unsupported.way_out()));
        assert_eq!(refusal(&not_facts()).status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
