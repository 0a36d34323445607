//! The calls: sending, credit, receipts by poll.

use std::sync::Arc;

use crate::clock;
use crate::victorylink::account::{Accounts, Sms, User};
use crate::victorylink::answer::Answer;
use crate::victorylink::codes;
use crate::victorylink::receipts;
use crate::victorylink::server::{Fields, Server};
use crate::victorylink::text::{is_gsm, parts};

/// Longer sender names aren't taken; some documents say 12.
const SENDER_MAX: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    SendSms,
    SendSmsWithDlr,
    SendSmsWithValidity,
    CheckCredit,
    CheckDlrStatus,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SendSms => "SendSMS",
            Self::SendSmsWithDlr => "SendSMSWithDLR",
            Self::SendSmsWithValidity => "SendSMSWithUserSMSIdAndValidity",
            Self::CheckCredit => "CheckCredit",
            Self::CheckDlrStatus => "CheckDLRStatus",
        }
    }
}

pub(crate) async fn call(server: &Arc<Server>, call: Call, fields: &Fields) -> Answer {
    let user = match authenticate(&server.accounts.lock(), fields) {
        Ok(user) => user,
        Err(code) => return Answer::Code(code),
    };
    match call {
        Call::CheckCredit => Answer::Code(user.credit),
        Call::CheckDlrStatus => status(server, &user, &fields.text("UserSMSId")),
        Call::SendSms | Call::SendSmsWithDlr | Call::SendSmsWithValidity => match send(server, call, &user, fields) {
            Err(code) => Answer::Code(code),
            Ok((code, sms)) => {
                receipts::follow(server, &sms).await;
                Answer::Code(code)
            }
        },
    }
}

fn authenticate(accounts: &Accounts, fields: &Fields) -> Result<User, i64> {
    let (name, password) = (fields.text("UserName"), fields.text("Password"));
    if name.is_empty() || password.is_empty() {
        return Err(codes::EMPTY_CREDENTIALS);
    }
    let user = accounts.users.iter().find(|user| user.name == name && user.password == password).ok_or(codes::BAD_CREDENTIALS)?;
    match user.refused_with {
        Some(code) => Err(code),
        None => Ok(user.clone()),
    }
}

/// The code and the message, where it was accepted; the code alone where it wasn't.
fn send(server: &Server, call: Call, user: &User, fields: &Fields) -> Result<(i64, Sms), i64> {
    let with_dlr = call == Call::SendSmsWithDlr;
    let (text, language, sender) = (fields.text("SMSText"), fields.text("SMSLang"), fields.text("SMSSender"));
    let id = match call {
        Call::SendSmsWithValidity if !fields.text("UserSMSId").is_empty() => fields.text("UserSMSId"),
        _ => fields.text("SMSID"),
    };
    let (dlr_url, validity) = (fields.text("DLRURL"), fields.text("Validity"));
    if text.is_empty() {
        return Err(codes::EMPTY_TEXT);
    }
    if sender.is_empty() {
        return Err(codes::EMPTY_SENDER);
    }
    if sender.chars().count() > SENDER_MAX || !(user.senders.is_empty() || user.senders.contains(&sender)) {
        return Err(codes::INVALID_SENDER);
    }
    let to = fields.text("SMSReceiver");
    if !(10..=15).contains(&to.len()) || !to.bytes().all(|byte| byte.is_ascii_digit()) || to.starts_with('0') {
        return Err(codes::INVALID_NUMBER);
    }
    if !is_uuid(&id) {
        return Err(codes::BAD_ID);
    }
    let minutes = validity.parse::<u32>().is_ok_and(|minutes| minutes > 0);
    if !matches!(language.as_str(), "E" | "A") || with_dlr && dlr_url.is_empty() || call == Call::SendSmsWithValidity && !minutes {
        return Err(codes::NOT_VALIDATED);
    }
    let magic = codes::of_number(&to).filter(|_| server.knobs.lock().magic);
    match magic {
        // These aren't refused, or not by every call.
        Some(codes::QUEUED) | None => {}
        Some(codes::NO_DLR) if !with_dlr => {}
        Some(code) => return Err(code),
    }
    if with_dlr && !user.dlr_allowed {
        return Err(codes::NO_DLR);
    }
    let arabic = language == "A";
    let sms = Sms {
        user: user.name.clone(),
        to,
        sender,
        parts: parts(&text, arabic),
        garbled: !arabic && !is_gsm(&text),
        text,
        language,
        dlr_url: with_dlr.then_some(dlr_url),
        validity: Some(validity).filter(|validity| !validity.is_empty()),
        campaign: Some(fields.text("CampaignID")).filter(|campaign| !campaign.is_empty()),
        status: "Submitted".into(),
        at_ms: clock::now_ms(),
        id,
    };
    let mut accounts = server.accounts.lock();
    if accounts.sms_mut(&sms.id).is_some() {
        return Err(codes::ID_EXISTS);
    }
    let cost = i64::try_from(sms.parts).unwrap_or(i64::MAX);
    let payer = accounts.user_mut(&user.name).filter(|payer| payer.credit >= cost).ok_or(codes::NO_CREDIT)?;
    payer.credit -= cost;
    accounts.sent.push(sms.clone());
    Ok((magic.filter(|code| *code == codes::QUEUED).unwrap_or(codes::ACCEPTED), sms))
}

fn status(server: &Server, user: &User, id: &str) -> Answer {
    if !is_uuid(id) {
        return Answer::Code(codes::BAD_ID);
    }
    match server.accounts.lock().sms_mut(id).filter(|sms| sms.user == user.name) {
        Some(sms) => Answer::Text(sms.status.clone()),
        None => Answer::Code(codes::BAD_ID),
    }
}

/// Five groups of hexadecimal digits.
fn is_uuid(id: &str) -> bool {
    let groups: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
