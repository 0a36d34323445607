//! Bringing a number into service: a session is begun, its code shown until a phone scans it, and the phone's number compared.

use patchbay_appgain::{Notify, Trouble, refusal};
use patchbay_plugin::hooks::{Connected, Connecting, Outcome, Pairing as Scan, Progress, Step};
use patchbay_plugin::{Call, Failure, Field, Fields as _, log};
use serde::{Deserialize, Serialize};

use crate::session::{self, Session, Status};
use crate::settings::{Pairing, Settings};

/// Milliseconds until a session that isn't ready is looked at again.
const WAIT_MS: f64 = 500.0;
/// How often in a row: ten minutes.
const WAITS_MAX: u32 = 1200;
/// Codes that a session shows before it fails.
const CODES: u32 = 6;
/// Milliseconds that the first code lives, and each later one.
const CODE_LIVES_MS: (f64, f64) = (60_000.0, 20_000.0);

/// What is kept from one step to the next.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Waited {
    /// Looks in a row that found neither a code nor a phone.
    looks: u32,
}

struct Dialogue<'a> {
    call: &'a Call,
    settings: &'a Settings,
    notify: Notify<'a>,
    webhook_url: &'a str,
    waited: Waited,
}

pub(crate) fn step(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    go_on(call, input).map_err(refusal::naming_key)
}

fn go_on(call: &Call, input: &Connecting) -> Result<Outcome, Failure> {
    let settings: Settings = call.settings()?;
    let notify = settings.notify()?;
    let waited = input.state.as_deref().and_then(|state| serde_json::from_slice(state).ok()).unwrap_or_default();
    let dialogue = Dialogue { call, settings: &settings, notify, webhook_url: &input.webhook_url, waited };
    match (settings.pairing, &input.step) {
        (Pairing::Qr, Step::Disconnect) => dialogue.disconnect(),
        // The phone was linked at Appgain, and stays.
        (Pairing::Credentials, Step::Disconnect) => Ok(gone()),
        (Pairing::Credentials, _) => dialogue.find(),
        (Pairing::Qr, Step::Start | Step::Answers(_)) => dialogue.start(),
        (Pairing::Qr, Step::Refresh) => dialogue.look(true),
        (Pairing::Qr, Step::Tick) => dialogue.look(false),
    }
}

impl Dialogue<'_> {
    fn start(&self) -> Result<Outcome, Failure> {
        match self.create()?.status {
            Status::Failed | Status::Stopped => self.restart(),
            Status::ScanQrCode => self.show(),
            // Whose phone it is only reading tells.
            Status::Working => self.look(true),
            Status::Other(_) => self.wait(),
        }
    }

    fn create(&self) -> Result<Session, Failure> {
        let created = session::create(&self.notify, &self.settings.sender_id, &self.settings.phone_number, self.webhook_url);
        created.map_err(|trouble| match trouble {
            taken if session::is_conflict(&taken) => Failure::rejected(
                "already_connected",
                format!(
                    "another sender's phone is linked in the Appgain project: log it out at Appgain, or correct sender_id ({})",
                    self.settings.sender_id
                ),
            ),
            unknown if session::is_unknown(&unknown) => Failure::rejected(
                "no_session_api",
                "Appgain has no session API for this suit id: compare the suit id, or link the phone at Appgain's dashboard and set pairing to credentials",
            ),
            other => other.into(),
        })
    }

    /// `asked`: somebody wants a new try, so a session that has failed is begun anew.
    fn look(&self, asked: bool) -> Result<Outcome, Failure> {
        let session = match session::read(&self.notify) {
            // Somebody has deleted it.
            Err(trouble) if session::is_unknown(&trouble) && asked => return self.start_again(),
            Err(trouble) if session::is_unknown(&trouble) => {
                return Err(Failure::rejected("session_gone", "the session was deleted at Appgain: connect the account again"));
            }
            told => told?,
        };
        match session.status {
            Status::Working => self.linked(&session),
            Status::ScanQrCode => self.show(),
            Status::Failed | Status::Stopped if asked => self.restart(),
            Status::Failed => Err(failed(&session.reason)),
            // A restart goes through it.
            Status::Stopped | Status::Other(_) => self.wait(),
        }
    }

    fn start_again(&self) -> Result<Outcome, Failure> {
        self.create()?;
        self.wait()
    }

    fn restart(&self) -> Result<Outcome, Failure> {
        session::restart(&self.notify)?;
        self.wait()
    }

    fn show(&self) -> Result<Outcome, Failure> {
        let code = match session::code(&self.notify) {
            // A phone has just scanned it.
            Err(trouble) if session::is_conflict(&trouble) => {
                let session = session::read(&self.notify)?;
                return if session.status == Status::Working { self.linked(&session) } else { self.wait() };
            }
            // The last one is over and the next isn't there.
            Err(trouble) if session::is_unknown(&trouble) => return self.wait(),
            told => told?,
        };
        let now_ms = self.call.extras.value("now_ms").and_then(|now| now.parse::<f64>().ok()).unwrap_or_default();
        let lives_ms = if code.attempt == 1 { CODE_LIVES_MS.0 } else { CODE_LIVES_MS.1 };
        let pairing = Scan {
            code: code.text,
            expires_at_ms: code.expires_at_ms.unwrap_or(now_ms + lives_ms),
            refreshes_left: CODES.saturating_sub(code.attempt),
        };
        Ok(Outcome { progress: Progress::Scan(pairing), state: None })
    }

    fn wait(&self) -> Result<Outcome, Failure> {
        let looks = self.waited.looks + 1;
        if looks > WAITS_MAX {
            return Err(Failure::rejected(
                "session_stuck",
                "the session has shown no code for ten minutes: restart it at Appgain's dashboard, then connect the account again",
            ));
        }
        let state = serde_json::to_vec(&Waited { looks }).map_err(|error| Failure::fault("encoding", error.to_string()))?;
        Ok(Outcome { progress: Progress::Wait(WAIT_MS), state: Some(state) })
    }

    /// A phone is linked: it has to be the right one.
    fn linked(&self, session: &Session) -> Result<Outcome, Failure> {
        let wanted = self.settings.number()?;
        match &session.number {
            Some(number) if *number != wanted => {
                let left = match session::logout(&self.notify) {
                    Ok(()) => "it was logged out again",
                    Err(_) => "and it could not be logged out: do that on the phone, under Linked devices",
                };
                Err(wrong_number(number, &wanted, left))
            }
            _ => self.connected(session),
        }
    }

    /// The phone is linked at Appgain's dashboard. Where there is no session API the send tells whether it is.
    fn find(&self) -> Result<Outcome, Failure> {
        let session = match session::read(&self.notify) {
            Err(trouble) if session::is_unknown(&trouble) => return self.untold(),
            told => told?,
        };
        let wanted = self.settings.number()?;
        match (&session.status, &session.number) {
            (Status::Working, Some(number)) if *number != wanted => {
                Err(wrong_number(number, &wanted, "link the right phone at Appgain, or correct phone_number"))
            }
            (Status::Working, _) => {
                self.hear()?;
                self.connected(&session)
            }
            (status, _) => Err(Failure::logged_out(format!(
                "the session is {}: link the phone at Appgain's dashboard, then connect again",
                status.word()
            ))),
        }
    }

    /// The session's events come here from now on.
    fn hear(&self) -> Result<(), Failure> {
        match session::create(&self.notify, &self.settings.sender_id, &self.settings.phone_number, self.webhook_url) {
            Err(trouble @ Trouble::Refused(_)) if session::is_unknown(&trouble) || session::is_conflict(&trouble) => {
                log::info("Appgain takes no webhook address for the session: set it at its dashboard", &[]);
                Ok(())
            }
            told => Ok(told.map(|_| ())?),
        }
    }

    fn connected(&self, session: &Session) -> Result<Outcome, Failure> {
        let mut facts = vec![Field::new("phone_number", self.settings.phone_number.as_str())];
        facts.extend(session.facts());
        self.named(session.push_name.as_deref(), facts)
    }

    fn untold(&self) -> Result<Outcome, Failure> {
        let facts = vec![Field::new("phone_number", self.settings.phone_number.as_str()), Field::new("session_status", "not told")];
        self.named(None, facts)
    }

    /// By the number, so that no two accounts have one.
    fn named(&self, push_name: Option<&str>, facts: Vec<Field>) -> Result<Outcome, Failure> {
        let number = self.settings.number()?;
        let display_name = push_name.map_or_else(|| format!("+{number}"), |name| format!("{name} (+{number})"));
        Ok(Outcome::connected(Connected { external_id: number, display_name, settings: None, facts, routes: Vec::new() }))
    }

    /// Unlinks the phone. What isn't linked any more, or isn't known, needs no unlinking.
    fn disconnect(&self) -> Result<Outcome, Failure> {
        match session::logout(&self.notify) {
            Ok(()) => {}
            Err(trouble) if session::is_unknown(&trouble) || session::is_conflict(&trouble) => {}
            Err(trouble) => match Failure::from(trouble) {
                Failure::Unauthorized(detail) if detail.code != refusal::LOGGED_OUT => {
                    log::info("the phone was left linked, because the key is dead: unlink it on the phone", &[("code", &detail.code)]);
                }
                Failure::Unauthorized(_) => {}
                failure => return Err(failure),
            },
        }
        Ok(gone())
    }
}

fn gone() -> Outcome {
    Outcome::connected(Connected {
        external_id: String::new(),
        display_name: String::new(),
        settings: None,
        facts: Vec::new(),
        routes: Vec::new(),
    })
}

fn wrong_number(linked: &str, wanted: &str, left: &str) -> Failure {
    Failure::rejected(
        "wrong_number",
        format!("the phone that is linked has the number +{linked}, and the account is for +{wanted}: {left}"),
    )
}

/// Why a session has failed, and what to do.
fn failed(reason: &str) -> Failure {
    match reason {
        "LOGGED_OUT" => Failure::logged_out("the phone was unlinked: connect the account again and scan the code"),
        "BANNED" => Failure::rejected("banned", "WhatsApp has banned the number: take another, or appeal in WhatsApp on the phone"),
        _ => Failure::rejected(
            "pairing_failed",
            format!(
                "nobody scanned a code in time, and Appgain shows {CODES} in a row and no more: have the phone ready under Linked devices, then connect the account again (or step refresh)"
            ),
        ),
    }
}
