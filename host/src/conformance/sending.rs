//! Sending: the message leaves as the script has it, each of the provider's errors becomes its failure, and a connection that
//! breaks never makes one message two.

use patchbay_sandbox::contract::messages::{Outbound, Sent};
use serde_json::{Map, Value};

use super::{
    bench::Bench,
    dialogue::no_problem,
    provider::{Break, Provider},
    report::Report,
    suite::{ErrorCase, Scripted},
};
use crate::{
    domain::failure::{Failure, FailureClass},
    outbox,
    plugins::convert,
};

const MESSAGE_ID: &str = "019a0000-0000-7000-8000-0000000000aa";

/// What came of a message.
struct Tried {
    accepted: Vec<Option<String>>,
    failure: Option<Failure>,
}

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    let script = &bench.script.send;
    let provider = bench.provider(script.answers.clone());
    let sent = attempt(bench, &provider, &script.message).await.and_then(|tried| match (&tried.failure, tried.accepted.first()) {
        (Some(failure), _) => Err(format!("{}: {} ({})", failure.class, failure.message, failure.code)),
        (None, None) => Err("nothing was accepted, and nothing failed".to_owned()),
        (None, Some(id)) if script.external_id.is_some() && *id != script.external_id => {
            Err(format!("wanted the external id {:?}, got {id:?}", script.external_id))
        }
        (None, Some(_)) => Ok(()),
    });
    report.note("send", sent.and_then(|()| no_problem(&provider)));
    let asked = provider.world().asked.clone();
    breaks(bench, report, &asked).await;
    for case in &bench.script.errors {
        report.note(&format!("errors: {}", case.about), error(bench, case).await);
    }
}

/// Connections that break, at each of the requests of the good way.
async fn breaks(bench: &Bench, report: &mut Report, asked: &[String]) {
    let script = &bench.script.send;
    let repeatable = script.repeatable || bench.manifest.capabilities.idempotent_send;
    let changing = asked.iter().rposition(|route| !route.starts_with("GET "));
    for (request, route) in asked.iter().enumerate() {
        for how in [Break::Before, Break::After] {
            let provider = bench.provider(script.answers.clone()).breaking(request, how);
            let class = |tried: Tried| tried.failure.map(|failure| failure.class);
            let is_it = Some(request) == changing;
            let judged = |class: Option<FailureClass>| match (how, class) {
                (_, Some(FailureClass::Fault)) => Err("it calls it its own fault".to_owned()),
                // Nothing left: it may be sent again, and nobody need look.
                (Break::Before, Some(FailureClass::Uncertain)) => Err("nothing was sent, and it says uncertain".to_owned()),
                (Break::Before, None) if is_it => Err("nothing was sent, and it says sent".to_owned()),
                (Break::After, Some(FailureClass::Uncertain)) => Ok(()),
                (Break::After, Some(FailureClass::Unavailable | FailureClass::Limited)) if is_it && !repeatable => {
                    Err("the provider may have it, and it would be sent again".to_owned())
                }
                (Break::After, None) if is_it => Err("nobody knows whether it was sent, and it says sent".to_owned()),
                _ => Ok(()),
            };
            let result = attempt(bench, &provider, &script.message).await.map(class).and_then(judged);
            report.note(&format!("send, {route} broken {how:?}"), result);
        }
    }
}

async fn error(bench: &Bench, case: &ErrorCase) -> Result<(), String> {
    let script = &bench.script.send;
    let mut answers = case.answers.clone().unwrap_or_else(|| script.answers.clone());
    if let Some(on) = &case.on {
        let refusal = Scripted { on: on.clone(), status: case.status, headers: case.headers.clone(), body: case.body.clone() };
        match answers.iter_mut().find(|answer| answer.on == *on) {
            Some(answer) => *answer = refusal,
            None => answers.push(refusal),
        }
    }
    let provider = bench.provider(answers);
    let tried = attempt(bench, &provider, case.message.as_ref().unwrap_or(&script.message)).await?;
    no_problem(&provider)?;
    let Some(failure) = tried.failure else { return Err(format!("wanted {}, and it was sent", case.failure)) };
    if failure.class != case.failure {
        return Err(format!("wanted {}, got {}: {} ({})", case.failure, failure.class, failure.message, failure.code));
    }
    if case.retry_after_ms.is_some() && case.retry_after_ms != failure.retry_after_ms {
        return Err(format!("wanted a wait of {:?} ms, got {:?}", case.retry_after_ms, failure.retry_after_ms));
    }
    if failure.class == FailureClass::Invalid && failure.fields.is_empty() {
        return Err("no field is named".to_owned());
    }
    Ok(())
}

/// All that happens to a message on its way: the gateway's checks, the plugin's preview where it has one, the send.
async fn attempt(bench: &Bench, provider: &Provider, message: &Map<String, Value>) -> Result<Tried, String> {
    let outbound = match outbound(bench, message)? {
        Ok(outbound) => outbound,
        Err(failure) => return Ok(Tried { accepted: Vec::new(), failure: Some(failure) }),
    };
    if bench.plugin.groups().preview {
        let judge = bench.provider(Vec::new());
        let judged = bench.plugin.preview(bench.reading(), judge.services(), &bench.account(), &outbound).await;
        let judged = judged.map_err(|fault| fault.to_string())?;
        bench.tells_no_secret(&judge, &format!("{judged:?}"))?;
        if let Some(asked) = judge.world().asked.first() {
            return Err(format!("preview asked for {asked}"));
        }
        if let Err(failure) = judged {
            return Ok(Tried { accepted: Vec::new(), failure: Some(convert::failure_in(failure)) });
        }
    }
    let sent =
        bench.plugin.send(bench.talking(), provider.services(), &bench.call(), &outbound).await.map_err(|fault| fault.to_string())?;
    bench.tells_no_secret(provider, &format!("{sent:?}"))?;
    Ok(tried(sent))
}

fn tried(sent: Sent) -> Tried {
    Tried { accepted: sent.accepted.into_iter().map(|part| part.external_id).collect(), failure: sent.failed.map(convert::failure_in) }
}

/// What the plugin would get of a client's message; the failure where the gateway refuses it itself.
fn outbound(bench: &Bench, message: &Map<String, Value>) -> Result<Result<Outbound, Failure>, String> {
    let mut request = message.clone();
    request.insert("channel_account_id".to_owned(), Value::from("account"));
    let request: outbox::SendRequest = serde_json::from_value(Value::Object(request)).map_err(|error| format!("the message: {error}"))?;
    let refused = |fields| Failure { fields, ..Failure::new(FailureClass::Invalid, "invalid", "The message is wrong.") };
    let command = match outbox::command_of(&request) {
        Ok(command) => command,
        Err(error) => return Ok(Err(refused(error.body.errors))),
    };
    let problems = outbox::check(&bench.manifest.capabilities, &command);
    if !problems.is_empty() {
        return Ok(Err(refused(problems)));
    }
    let to = request.to.unwrap_or_default();
    Ok(Ok(Outbound {
        id: MESSAGE_ID.to_owned(),
        conversation: Some(to.clone()),
        to,
        reply_to: request.reply_to,
        command: convert::command_out(&command),
        reply_context: None,
        subscriptions: bench.subscriptions(),
        extras: convert::extras_out(&request.extras),
    }))
}
