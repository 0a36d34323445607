//! The session API: a proposal of ours, see `README.md`. A session is what a phone is linked to.

use patchbay_appgain::{Json as _, Notify, Trouble, notify, phone};
use patchbay_plugin::Field;
use patchbay_plugin::http::Request;
use serde_json::{Value, json};

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    Working,
    ScanQrCode,
    Failed,
    Stopped,
    /// Starting, or a word that is newer than this plugin.
    Other(String),
}

impl Status {
    pub(crate) fn read(word: &str) -> Self {
        match word.trim().to_uppercase().as_str() {
            "WORKING" => Self::Working,
            "SCAN_QR_CODE" => Self::ScanQrCode,
            "FAILED" | "LOGGED_OUT" => Self::Failed,
            "STOPPED" => Self::Stopped,
            _ => Self::Other(word.to_owned()),
        }
    }

    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Working => "WORKING",
            Self::ScanQrCode => "SCAN_QR_CODE",
            Self::Failed => "FAILED",
            Self::Stopped => "STOPPED",
            Self::Other(word) => word,
        }
    }
}

/// Why it stands so, in capitals: `LOGGED_OUT`, `TIMEOUT`, `BANNED`; empty where none is told.
pub(crate) fn reason(told: &Value) -> String {
    let word = told.text("status").unwrap_or_default().to_uppercase();
    told.text("reason").map_or_else(|| if word == "LOGGED_OUT" { word } else { String::new() }, str::to_uppercase)
}

/// A session as the API tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: Option<String>,
    pub(crate) status: Status,
    /// `LOGGED_OUT`, `TIMEOUT`, `BANNED`; empty where none is told.
    pub(crate) reason: String,
    /// Digits of the number that is linked; none where it isn't told.
    pub(crate) number: Option<String>,
    pub(crate) push_name: Option<String>,
    pub(crate) quota: Quota,
}

/// What the number may still send today.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Quota {
    pub(crate) limit: Option<i64>,
    pub(crate) used: Option<i64>,
    /// As Appgain writes it.
    pub(crate) resets_at: Option<String>,
}

/// A code to scan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) expires_at_ms: Option<f64>,
    /// Which one it is, from 1.
    pub(crate) attempt: u32,
}

impl Session {
    pub(crate) fn read(told: &Value) -> Self {
        let word = told.text("status").unwrap_or_default();
        let me = told.object("me").unwrap_or(&Value::Null);
        let quota = told.object("quota").unwrap_or(&Value::Null);
        Self {
            id: told.id("session"),
            status: Status::read(word),
            reason: reason(told),
            number: me.id("id").and_then(|id| phone::digits(&id)),
            push_name: me.text("pushName").map(str::to_owned),
            quota: Quota { limit: quota.whole("limit"), used: quota.whole("used"), resets_at: quota.id("resets_at") },
        }
    }

    /// What the account shows of it.
    pub(crate) fn facts(&self) -> Vec<Field> {
        let mut facts = vec![Field::new("session_status", self.status.word())];
        let mut add = |name: &str, value: Option<String>| facts.extend(value.map(|value| Field::new(name, value)));
        add("session", self.id.clone());
        add("push_name", self.push_name.clone());
        add("quota_limit", self.quota.limit.map(|limit| limit.to_string()));
        add("quota_used", self.quota.used.map(|used| used.to_string()));
        add("quota_resets_at", self.quota.resets_at.clone());
        facts
    }
}

/// Begins the sender's session, or finds the one that is there; its events go to `webhook_url`.
pub(crate) fn create(notify: &Notify<'_>, sender_id: &str, phone_number: &str, webhook_url: &str) -> Result<Session, Trouble> {
    let body = json!({"sender_id": sender_id, "phone_number": phone_number, "webhook_url": webhook_url});
    let request = Request::post(notify.target, notify.path("uowhatsapp/session")).json(&body)?.repeatable();
    Ok(Session::read(&notify::read(&request.send()?)?))
}

pub(crate) fn read(notify: &Notify<'_>) -> Result<Session, Trouble> {
    Ok(Session::read(&notify::read(&Request::get(notify.target, notify.path("uowhatsapp/session")).send()?)?))
}

/// The code that is to be scanned now.
pub(crate) fn code(notify: &Notify<'_>) -> Result<Code, Trouble> {
    let response = Request::get(notify.target, notify.path("uowhatsapp/session/qr")).send()?;
    let told = notify::read(&response)?;
    let text = told.text("qr").ok_or_else(|| response.not_understood("it holds no text of the code (`qr`)"))?.to_owned();
    let attempt = told.whole("attempt").and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1).max(1);
    Ok(Code { text, expires_at_ms: told.time_ms("expires_at"), attempt })
}

/// Begins anew after a failure.
pub(crate) fn restart(notify: &Notify<'_>) -> Result<(), Trouble> {
    act(notify, "restart")
}

/// Unlinks the phone.
pub(crate) fn logout(notify: &Notify<'_>) -> Result<(), Trouble> {
    act(notify, "logout")
}

/// Twice is the same as once.
fn act(notify: &Notify<'_>, what: &str) -> Result<(), Trouble> {
    let response = Request::post(notify.target, notify.path(&format!("uowhatsapp/session/{what}"))).repeatable().send()?;
    if response.is_success() { Ok(()) } else { notify::read(&response).map(|_| ()) }
}

/// Whether it is the answer that there is no such session, or no session API.
pub(crate) fn is_unknown(trouble: &Trouble) -> bool {
    trouble.refusal().is_some_and(|refusal| refusal.status == 404)
}

/// Whether it is the answer that the phone is linked already, or not any more.
pub(crate) fn is_conflict(trouble: &Trouble) -> bool {
    trouble.refusal().is_some_and(|refusal| refusal.status == 409)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_whatever_it_leaves_out() {
        let told = json!({"session": "s_1", "status": "WORKING", "me": {"id": "201220000000@c.us", "pushName": "Shop"},
            "quota": {"limit": 300, "used": "12", "resets_at": "2026-11-28T00:00:00Z"}});
        let session = Session::read(&told);
        assert_eq!((session.status.clone(), session.number.as_deref()), (Status::Working, Some("201220000000")));
        let facts: Vec<String> = session.facts().into_iter().map(|fact| format!("{}={}", fact.name, fact.value)).collect();
        let wanted = [
            "session_status=WORKING",
            "session=s_1",
            "push_name=Shop",
            "quota_limit=300",
            "quota_used=12",
            "quota_resets_at=2026-11-28T00:00:00Z",
        ];
        assert_eq!(facts, wanted);
        let bare = Session::read(&json!({"status": "PASSKEY", "me": null}));
        assert_eq!((bare.status, bare.number, bare.quota), (Status::Other("PASSKEY".into()), None, Quota::default()));
        assert_eq!(Session::read(&json!({"status": "LOGGED_OUT"})).reason, "LOGGED_OUT");
        let lower = Session::read(&json!({"status": "working", "reason": "logged_out"}));
        assert_eq!((lower.status, lower.reason.as_str()), (Status::Working, "LOGGED_OUT"));
    }
}
