//! What a token is worth: `debug_token`, and what the person has granted.

use serde_json::Value;

use crate::graph::{Graph, Trouble};
use crate::json::Json as _;
use crate::refusal::Refusal;

/// What `debug_token` tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Whether it works.
    pub valid: bool,
    /// `USER`, `PAGE`, `SYSTEM_USER`.
    pub kind: String,
    /// The app that it was made for.
    pub app_id: Option<String>,
    /// The person, by an id that is the app's alone.
    pub user_id: Option<String>,
    /// The Page of a Page's token.
    pub profile_id: Option<String>,
    /// When it ends, in milliseconds since 1970; none for never.
    pub expires_ms: Option<f64>,
    /// When the person's consent to data ends, in milliseconds since 1970.
    pub data_access_expires_ms: Option<f64>,
    /// What it may.
    pub scopes: Vec<String>,
    /// For which of the person's things it may that: none where it is for all.
    pub granular: Vec<(String, Vec<String>)>,
    /// Why it doesn't work.
    pub refusal: Option<Refusal>,
}

impl Token {
    /// The things that a scope was granted for.
    #[must_use]
    pub fn targets(&self, scope: &str) -> &[String] {
        self.granular.iter().find(|(name, _)| name == scope).map_or(&[], |(_, targets)| targets)
    }

    fn read(answer: &Value) -> Self {
        let data = answer.get("data").unwrap_or(answer);
        let granular = data.list("granular_scopes").iter();
        Self {
            valid: data.flag("is_valid"),
            kind: data.text("type").unwrap_or_default().to_owned(),
            app_id: data.id("app_id"),
            user_id: data.id("user_id"),
            profile_id: data.id("profile_id"),
            expires_ms: data.time_ms("expires_at"),
            data_access_expires_ms: data.time_ms("data_access_expires_at"),
            scopes: data.ids("scopes"),
            granular: granular.filter_map(|entry| Some((entry.text("scope")?.to_owned(), entry.ids("target_ids")))).collect(),
            refusal: data.object("error").map(Refusal::of_error),
        }
    }
}

/// Asks about a token. The manifest's target adds it as `input_token`, and the app's own token, because no plugin has either. A
/// token that is dead is an answer and no error.
///
/// # Errors
/// Where Meta doesn't answer the app.
pub fn debug(graph: &Graph<'_>) -> Result<Token, Trouble> {
    Ok(Token::read(&graph.get("debug_token").send()?))
}

/// What the person has granted: asked after every login, because every box can be unticked.
///
/// # Errors
/// Where Meta refuses the token, or doesn't answer.
pub fn granted(graph: &Graph<'_>) -> Result<Vec<String>, Trouble> {
    let permissions = graph.list("me/permissions", &[])?;
    let granted = permissions.iter().filter(|permission| permission.text("status") == Some("granted"));
    Ok(granted.filter_map(|permission| permission.text("permission").map(str::to_owned)).collect())
}

/// Which of the needed ones aren't there.
#[must_use]
pub fn missing<'a>(granted: &[String], needed: &[&'a str]) -> Vec<&'a str> {
    needed.iter().filter(|scope| !granted.iter().any(|granted| granted == *scope)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;
    use serde_json::json;

    #[test]
    fn a_token_tells_what_it_is() {
        let provider = Provider::new();
        let data = json!({"app_id": 1, "type": "PAGE", "is_valid": true, "expires_at": 0, "data_access_expires_at": 1_790_000_000, "user_id": "218471",
            "profile_id": "100", "scopes": ["pages_messaging"], "granular_scopes": [{"scope": "pages_messaging", "target_ids": ["100", 200]}, {"scope": "email"}]});
        provider.on("GET debug /v26.0/debug_token").answer(200, &json!({"data": data}));
        let token = debug(&Graph::new("debug", "v26.0")).unwrap();
        assert_eq!((token.valid, token.app_id.as_deref(), token.user_id.as_deref()), (true, Some("1"), Some("218471")));
        assert_eq!((token.expires_ms, token.data_access_expires_ms), (None, Some(1_790_000_000_000.0)));
        assert_eq!((token.targets("pages_messaging"), token.targets("email").len()), (&["100".to_owned(), "200".to_owned()][..], 0));
    }

    #[test]
    fn a_dead_token_is_an_answer() {
        let provider = Provider::new();
        let data = json!({"is_valid": false, "error": {"code": 190, "subcode": 460, "message": "changed"}});
        provider.on("GET debug /v26.0/debug_token").answer(200, &json!({"data": data}));
        let token = debug(&Graph::new("debug", "v26.0")).unwrap();
        assert_eq!((token.valid, token.refusal.map(|refusal| refusal.code_words())), (false, Some("190/460".into())));
    }

    #[test]
    fn what_was_declined_is_missing() {
        let provider = Provider::new();
        let permissions = json!({"data": [{"permission": "a", "status": "granted"}, {"permission": "b", "status": "declined"}, {"permission": "c", "status": "expired"}]});
        provider.on("GET user /v26.0/me/permissions").answer(200, &permissions);
        let granted = granted(&Graph::new("user", "v26.0")).unwrap();
        assert_eq!(missing(&granted, &["a", "b", "d"]), ["b", "d"]);
    }
}
