//! The WhatsApp session of a project: begun, shown as QR codes, linked by a phone, ended. The calls of its API.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::appgain::answer::{Outcome, Refusal, Reply};
use crate::appgain::phone;
use crate::appgain::server::{Ask, Server, number, required};
use crate::appgain::world::quota_resets_s;
use crate::clock;
use crate::telegram::png;

/// What a linked session is in.
pub(crate) const WORKING: &str = "WORKING";
/// It shows QR codes.
pub(crate) const SCAN_QR_CODE: &str = "SCAN_QR_CODE";
/// It needs a restart.
pub(crate) const FAILED: &str = "FAILED";
/// It was logged out, and needs one, too.
pub(crate) const STOPPED: &str = "STOPPED";
pub(crate) const STARTING: &str = "STARTING";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Call {
    Create,
    Get,
    Delete,
    Code,
    PairingCode,
    Restart,
    Logout,
}

/// A project's session.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Session {
    /// `s_1`.
    pub id: String,
    /// Whose it is.
    pub sender_id: String,
    /// The number that is to be linked: what the phone has in the end may be another.
    pub phone_number: String,
    /// Where its events go.
    pub webhook_url: String,
    /// `STARTING`, `SCAN_QR_CODE`, `WORKING`, `FAILED`, `STOPPED`, or what a test has set.
    pub status: String,
    /// The number that is linked.
    pub me: Option<String>,
    /// What the phone's owner calls himself.
    pub push_name: String,
    /// Which code is shown.
    pub attempt: u32,
    /// The code: what the QR code says.
    pub code: String,
    /// Until when.
    pub code_expires_ms: u64,
    /// The code to type, once one was asked for.
    pub pairing_code: Option<String>,
    /// The host that the gateway called it by: files are told as lying there.
    #[serde(skip)]
    pub(crate) host: String,
    /// Grows with every start, so that an earlier one's codes end.
    #[serde(skip)]
    pub(crate) run: u64,
}

pub(crate) fn call(server: &Arc<Server>, call: Call, ask: &Ask) -> Outcome {
    if call == Call::Create {
        return create(server, ask);
    }
    let session = server.world.lock().session(&ask.suit_id).cloned();
    let session = session.ok_or_else(|| Refusal::coded(404, "SESSION_NOT_FOUND", "this project has no session"))?;
    match call {
        Call::Get | Call::Create => Ok(Reply::Json(200, told(server, &ask.suit_id, &session))),
        Call::Code => code(&session),
        Call::PairingCode => pairing_code(server, ask, &session),
        Call::Restart => {
            phone::start(server, &ask.suit_id);
            Ok(Reply::Json(200, json!({"session": session.id, "status": STARTING})))
        }
        Call::Logout => {
            phone::end(server, &ask.suit_id, STOPPED, None);
            Ok(Reply::Json(200, json!({"session": session.id, "status": STOPPED})))
        }
        Call::Delete => {
            if let Some(project) = server.world.lock().projects.get_mut(&ask.suit_id) {
                project.session = None;
            }
            Ok(Reply::Json(200, json!({"session": session.id, "status": "DELETED"})))
        }
    }
}

/// Begins a session. Of the same sender's it answers with the one that is there.
fn create(server: &Arc<Server>, ask: &Ask) -> Outcome {
    let fields = ask.fields(&["sender_id", "phone_number", "webhook_url"])?;
    let sender_id = required(fields, "sender_id")?.to_owned();
    let phone_number = required(fields, "phone_number")?.to_owned();
    let webhook_url = required(fields, "webhook_url")?.to_owned();
    let e164 = phone_number.strip_prefix('+').unwrap_or(&phone_number);
    if number(&e164.into()).is_none() {
        return Err(Refusal::new(400, "phone_number must have 8 to 15 digits"));
    }
    if !url::Url::parse(&webhook_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(Refusal::new(400, "webhook_url must be an http(s) URL"));
    }
    let (id, status, fresh) = {
        let mut world = server.world.lock();
        let known = world.session(&ask.suit_id).cloned();
        let taken = known.as_ref().is_some_and(|session| session.sender_id != sender_id && session.status == WORKING);
        if taken {
            return Err(Refusal::coded(409, "ALREADY_CONNECTED", "another sender's session is connected in this project"));
        }
        let known = known.filter(|session| session.sender_id == sender_id);
        let fresh = known.as_ref().is_none_or(|session| session.status == STOPPED);
        if known.is_none() {
            world.sessions += 1;
        }
        let mut session = known.unwrap_or_else(|| Session { id: format!("s_{}", world.sessions), ..Session::default() });
        session.sender_id = sender_id;
        session.phone_number = phone_number;
        session.webhook_url = webhook_url;
        session.host.clone_from(&ask.host);
        if fresh {
            session.status = STARTING.into();
        }
        let told = (session.id.clone(), session.status.clone(), fresh);
        if let Some(project) = world.projects.get_mut(&ask.suit_id) {
            project.session = Some(session);
        }
        told
    };
    if fresh {
        phone::start(server, &ask.suit_id);
    }
    Ok(Reply::Json(201, json!({"session": id, "status": status})))
}

fn told(server: &Server, suit_id: &str, session: &Session) -> Value {
    let now_ms = clock::now_ms();
    let used = server.world.lock().projects.get(suit_id).map_or(0, |project| project.used(now_ms));
    let me = session.me.as_ref().map(|me| json!({"id": me, "pushName": session.push_name}));
    json!({
        "session": session.id,
        "status": session.status,
        "me": me,
        "quota": {"limit": server.knobs.lock().daily_limit, "used": used, "resets_at": clock::iso(quota_resets_s(now_ms) * 1000)},
    })
}

fn code(session: &Session) -> Outcome {
    match session.status.as_str() {
        WORKING => Err(Refusal::coded(409, "ALREADY_CONNECTED", "a phone is linked already")),
        SCAN_QR_CODE => Ok(Reply::Json(
            200,
            json!({
                "qr": session.code,
                "mimetype": "image/png",
                // A picture, but not of the code: `qr` has that.
                "data": STANDARD.encode(png(33, 33)),
                "expires_at": clock::iso(session.code_expires_ms),
                "attempt": session.attempt,
            }),
        )),
        status => Err(Refusal::coded(404, "NO_QR", &format!("the session is {status}"))),
    }
}

fn pairing_code(server: &Server, ask: &Ask, session: &Session) -> Outcome {
    let fields = ask.fields(&["phone_number"])?;
    let phone_number = required(fields, "phone_number")?;
    if number(&phone_number.strip_prefix('+').unwrap_or(phone_number).into()).is_none() {
        return Err(Refusal::new(400, "phone_number must have 8 to 15 digits"));
    }
    match session.status.as_str() {
        WORKING => Err(Refusal::coded(409, "ALREADY_CONNECTED", "a phone is linked already")),
        SCAN_QR_CODE => {
            let code = phone::pairing_code();
            if let Some(session) = server.world.lock().session_mut(&ask.suit_id) {
                session.pairing_code = Some(code.clone());
            }
            Ok(Reply::Json(200, json!({"code": code})))
        }
        status => Err(Refusal::coded(404, "NO_QR", &format!("the session is {status}"))),
    }
}
