//! Connecting and looking after an account.

use patchbay_sandbox::contract::{
    channel::{Connecting, Outcome, Progress, Step},
    types::{Failure, Field},
};

use super::{
    bench::Bench,
    provider::{Break, Provider},
    report::Report,
};

/// Steps that a dialogue may take.
const STEPS_MAX: usize = 20;

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    let provider = bench.provider(bench.script.connect.answers.clone());
    let connected = connect(bench, &provider).await.and_then(|external_id| {
        let wanted = &bench.script.connect.external_id;
        if external_id == *wanted { Ok(()) } else { Err(format!("wanted the external id {wanted}, got {external_id}")) }
    });
    report.note("connect", connected.and_then(|()| no_problem(&provider)));
    let asked = provider.world().asked.len();
    for request in 0..asked {
        for how in [Break::Before, Break::After] {
            let provider = bench.provider(bench.script.connect.answers.clone()).breaking(request, how);
            // Connected all the same, or told why: what must not be is a trap or a fault.
            let result = match connect(bench, &provider).await {
                Err(why) if why.starts_with(FAULT) => Err(why),
                _ => Ok(()),
            };
            report.note(&format!("connect, request {} broken {how:?}", request + 1), result);
        }
    }
    health(bench, report).await;
}

const FAULT: &str = "the plugin’s fault: ";

/// Takes steps until the account is connected; answers its external id.
async fn connect(bench: &Bench, provider: &Provider) -> Result<String, String> {
    let mut step = Step::Start;
    let mut state = None;
    for _ in 0..STEPS_MAX {
        let input = Connecting { step, webhook_url: bench.webhook_url(), state };
        let answer = bench.plugin.connect(bench.talking(), provider.services(), &bench.call(), &input).await;
        let answer = answer.map_err(|fault| format!("{FAULT}{fault}"))?;
        bench.tells_no_secret(provider, &format!("{answer:?}"))?;
        let Outcome { progress, state: next } = answer.map_err(|failure| match failure {
            Failure::Fault(detail) => format!("{FAULT}{}: {}", detail.code, detail.message),
            failure => format!("{failure:?}"),
        })?;
        state = next;
        step = match progress {
            Progress::Connected(connected) => return Ok(connected.external_id),
            Progress::Ask(questions) => {
                let choose = &bench.script.connect.choose;
                let answer = |id: &String| choose.get(id).cloned();
                let answers = questions.iter().map(|question| {
                    let value = answer(&question.id).or_else(|| Some(question.options.first()?.id.clone())).unwrap_or_default();
                    Field { name: question.id.clone(), value }
                });
                Step::Answers(answers.collect())
            }
            Progress::Scan(_) | Progress::Wait(_) => Step::Tick,
        };
    }
    Err(format!("not connected after {STEPS_MAX} steps"))
}

async fn health(bench: &Bench, report: &mut Report) {
    let script = &bench.script.health.answers;
    let provider = bench.provider(script.clone());
    let result = match bench.plugin.health(bench.talking(), provider.services(), &bench.call()).await {
        Ok(Ok(found)) => {
            let bad: Vec<&str> = found.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
            if bad.is_empty() {
                bench.tells_no_secret(&provider, &format!("{found:?}"))
            } else {
                Err(format!("not well: {}", bad.join(", ")))
            }
        }
        Ok(Err(failure)) => Err(format!("{failure:?}")),
        Err(fault) => Err(fault.to_string()),
    };
    report.note("health", result.and_then(|()| no_problem(&provider)));
    let asked = provider.world().asked.len();
    for request in 0..asked {
        let provider = bench.provider(script.clone()).breaking(request, Break::Before);
        let result = match bench.plugin.health(bench.talking(), provider.services(), &bench.call()).await {
            Err(fault) => Err(fault.to_string()),
            Ok(Err(Failure::Fault(detail))) => Err(format!("{}: {}", detail.code, detail.message)),
            // An unreachable provider says nothing against the credential.
            Ok(Err(Failure::Unauthorized(detail))) => Err(format!("it calls the credential dead: {}", detail.message)),
            Ok(_) => Ok(()),
        };
        report.note(&format!("health, request {} not sent", request + 1), result);
    }
}

/// Everything that was asked was in the script and would have left the gateway.
pub(super) fn no_problem(provider: &Provider) -> Result<(), String> {
    match provider.world().problems.first() {
        Some(problem) => Err(problem.clone()),
        None => Ok(()),
    }
}
