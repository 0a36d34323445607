//! What happens to a session beside its API: codes come and go, a phone scans one, the phone's owner unlinks it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::appgain::pusher;
use crate::appgain::server::Server;
use crate::appgain::session::{FAILED, SCAN_QR_CODE, STARTING, Session, WORKING};
use crate::clock;
use crate::desk::{pause, random};

/// Begins a session anew: what was linked is linked no more.
pub(crate) fn start(server: &Arc<Server>, suit_id: &str) {
    let run = server.desk.next_number();
    let began = change(server, suit_id, |session| {
        session.run = run;
        session.status = STARTING.into();
        session.me = None;
        session.attempt = 0;
    });
    if began {
        let (server, suit_id) = (Arc::clone(server), suit_id.to_owned());
        tokio::spawn(async move {
            let stop = server.desk.stop.clone();
            stop.run_until_cancelled(show_codes(&server, &suit_id, run)).await
        });
    }
}

/// One code after another, until a phone scans one or there were enough.
async fn show_codes(server: &Arc<Server>, suit_id: &str, run: u64) {
    let knobs = server.knobs();
    pause(knobs.starting_ms).await;
    for attempt in 1..=knobs.code_max {
        let lives_ms = if attempt == 1 { knobs.first_code_ms } else { knobs.later_code_ms };
        let shown = change_in(server, suit_id, run, |session| {
            session.status = SCAN_QR_CODE.into();
            session.attempt = attempt;
            session.code = code();
            session.code_expires_ms = clock::now_ms() + lives_ms;
            session.pairing_code = None;
        });
        if !shown {
            return;
        }
        tell(server, suit_id, json!({"status": SCAN_QR_CODE, "attempt": attempt}));
        pause(lives_ms).await;
    }
    if change_in(server, suit_id, run, |session| session.status = FAILED.into()) {
        tell(server, suit_id, json!({"status": FAILED, "reason": "TIMEOUT"}));
    }
}

/// A phone with this number scans the code that is shown, or types the pairing code. False where none is shown.
pub(crate) fn scan(server: &Arc<Server>, suit_id: &str, number: &str, push_name: &str) -> bool {
    let run = server.desk.next_number();
    let mut world = server.world.lock();
    let Some(session) = world.session_mut(suit_id).filter(|session| session.status == SCAN_QR_CODE) else { return false };
    session.run = run;
    session.status = WORKING.into();
    session.me = Some(number.to_owned());
    session.push_name = push_name.to_owned();
    drop(world);
    tell(server, suit_id, json!({"status": WORKING}));
    true
}

/// The session ends: unlinked on the phone or banned, with a reason, or logged out by its API, without. False where there is none.
pub(crate) fn end(server: &Arc<Server>, suit_id: &str, status: &str, reason: Option<&str>) -> bool {
    let run = server.desk.next_number();
    let ended = change(server, suit_id, |session| {
        session.run = run;
        session.status = status.to_owned();
        session.me = None;
    });
    if ended {
        let mut payload = json!({"status": status});
        if let Some(reason) = reason {
            payload["reason"] = reason.into();
        }
        tell(server, suit_id, payload);
    }
    ended
}

/// A status of any name. False where there is no session.
pub(crate) fn set_status(server: &Arc<Server>, suit_id: &str, status: &str) -> bool {
    let changed = change(server, suit_id, |session| session.status = status.to_owned());
    if changed {
        tell(server, suit_id, json!({"status": status}));
    }
    changed
}

/// `ABCD-EFGH`.
pub(crate) fn pairing_code() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTVWXYZ123456789";
    let letter = |byte: &u8| char::from(LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().unwrap_or(b'A'));
    let letters: Vec<char> = random::<8>().iter().map(letter).collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// What WhatsApp's QR codes say: four values with commas between.
fn code() -> String {
    let reference = STANDARD_NO_PAD.encode(random::<64>());
    let keys = [random::<32>(), random::<32>(), random::<32>()].map(|key| STANDARD.encode(key));
    format!("2@{reference},{}", keys.join(","))
}

fn change(server: &Server, suit_id: &str, change: impl FnOnce(&mut Session)) -> bool {
    server.world.lock().session_mut(suit_id).map(change).is_some()
}

/// Only while the session is still in that run, and no phone has come.
fn change_in(server: &Server, suit_id: &str, run: u64, change: impl FnOnce(&mut Session)) -> bool {
    server.world.lock().session_mut(suit_id).filter(|session| session.run == run).map(change).is_some()
}

/// In the background: a webhook that hangs keeps no code from coming.
fn tell(server: &Arc<Server>, suit_id: &str, payload: Value) {
    let (server, suit_id) = (Arc::clone(server), suit_id.to_owned());
    tokio::spawn(async move { pusher::push(&server, &suit_id, "session.status", payload).await });
}
