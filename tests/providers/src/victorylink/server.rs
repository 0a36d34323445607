//! Requests in, answers out.

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::Response;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desk::{Asked, Desk};
use crate::victorylink::account::Accounts;
use crate::victorylink::answer::{Answer, Form, respond};
use crate::victorylink::calls::{self, Call};
use crate::victorylink::{Options, control};

const BODY_MAX: usize = 256 * 1024;

/// What can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// How the new API writes its numbers.
    pub form: Form,
    /// How the old service does.
    pub old_form: Form,
    /// When receipts come.
    pub receipts: Receipts,
    /// So long after the answer.
    pub receipt_delay_ms: u64,
    /// What they tell, one after the other.
    pub receipt_statuses: Vec<String>,
    /// As numbers: 1 submitted, 5 delivered, 2 anything else.
    pub receipt_numeric: bool,
    /// Phone numbers with certain ends fail: for load runs with made-up numbers it can be turned off.
    pub magic: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            form: Form::Bare,
            old_form: Form::Xml,
            receipts: Receipts::After,
            receipt_delay_ms: 100,
            receipt_statuses: vec!["Delivered".into()],
            receipt_numeric: false,
            magic: true,
        }
    }
}

/// When receipts come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Never.
    Off,
    /// After the answer.
    #[default]
    After,
    /// Before the answer is out, as happens.
    Before,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) desk: Desk,
    pub(crate) accounts: Mutex<Accounts>,
    pub(crate) knobs: Mutex<Knobs>,
}

impl AsRef<Desk> for Server {
    fn as_ref(&self) -> &Desk {
        &self.desk
    }
}

impl Server {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            desk: Desk::new(options.recording, options.latency, options.deliver_to.clone()),
            accounts: Mutex::new(Accounts { users: options.users.clone(), sent: Vec::new() }),
            knobs: Mutex::new(options.knobs.clone()),
            options,
        }
    }

    pub(crate) fn knobs(&self) -> Knobs {
        self.knobs.lock().clone()
    }
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    crate::desk::strings::<Server>().merge(control::router()).fallback(answer).with_state(Arc::clone(server))
}

/// The parameters of a call, whose names are alike in any case as .NET reads them.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Text; numbers become text. Empty where there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        match found {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let (call, old) = route(&path);
    let fields = match to_bytes(body, BODY_MAX).await {
        Ok(body) => read(&parts, &body, old),
        Err(_) => Err(Answer::Refused(413, "Request Entity Too Large")),
    };
    let knobs = server.knobs();
    let form = if old { knobs.old_form } else { knobs.form };
    let text = |name: &str| fields.as_ref().map(|fields| fields.text(name)).unwrap_or_default();
    let name = call.map_or(path.as_str(), |call| call.name());
    let asked = Asked {
        call: if old { format!("asmx/{name}") } else { name.to_owned() },
        account: text("UserName"),
        recipient: text("SMSReceiver"),
    };
    let recorded = || {
        let mut values = fields.as_ref().map(|fields| fields.0.clone()).unwrap_or_default();
        values.insert("_path".into(), path.clone().into());
        values.insert("_method".into(), parts.method.as_str().into());
        Value::Object(values)
    };
    let values = recorded();
    let act = async {
        let Some(call) = call else {
            return respond(Answer::Refused(404, "No HTTP resource was found that matches the request URI."), form);
        };
        let outcome = match fields {
            Ok(fields) => calls::call(&server, call, &fields).await,
            Err(refused) => refused,
        };
        respond(outcome, form)
    };
    let refuse = |failure: &crate::Failure| {
        let status = failure.error_code.and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
        crate::desk::proxy_answer(status, Some("{\"Message\":\"An error has occurred.\"}"))
    };
    server.desk.serve(&asked, || values, refuse, act).await
}

/// The call, and whether it is the old service's. Paths are alike in any case as IIS reads them.
fn route(path: &str) -> (Option<Call>, bool) {
    const PLATFORM: &str = "/vlsmsplatformresellerapi";
    let path = path.to_ascii_lowercase();
    if let Some((_, name)) = path.split_once("/kannelsending/service.asmx/") {
        let call = [Call::SendSms, Call::SendSmsWithDlr, Call::CheckCredit].into_iter().find(|call| call.name().eq_ignore_ascii_case(name));
        return (call, true);
    }
    let call = match path.strip_prefix(PLATFORM) {
        Some("/newsendingapi/api/smssender/sendsms") => Some(Call::SendSms),
        Some("/newsendingapi/api/smssender/sendsmswithdlr") => Some(Call::SendSmsWithDlr),
        Some("/newsendingapi/api/smssender/sendsmswithusersmsidandvalidity") => Some(Call::SendSmsWithValidity),
        Some("/checkcreditapi/api/checkcredit") => Some(Call::CheckCredit),
        Some("/checkdlrstatus/api/checkdlrstatus") => Some(Call::CheckDlrStatus),
        _ => None,
    };
    (call, false)
}

/// JSON by POST for the new API; a form or a query for the old service.
fn read(parts: &Parts, body: &[u8], old: bool) -> Result<Fields, Answer> {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if old {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = match parts.method {
            Method::GET => query,
            Method::POST if kind.starts_with("application/x-www-form-urlencoded") => body,
            _ => return Err(Answer::Refused(500, "Request format is unrecognized.")),
        };
        let pairs = url::form_urlencoded::parse(pairs).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        return Ok(Fields(pairs.collect()));
    }
    if parts.method != Method::POST {
        return Err(Answer::Refused(405, "The requested resource does not support this http method."));
    }
    if !kind.starts_with("application/json") {
        return Err(Answer::Refused(415, "The request entity's media type is not supported for this resource."));
    }
    serde_json::from_slice(body).map(Fields).map_err(|_| Answer::Refused(400, "The request is invalid."))
}
