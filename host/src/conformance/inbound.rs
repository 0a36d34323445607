//! What comes in: the fixtures and what is left of them. Whatever a body holds the plugin answers, asks nobody, keeps within its
//! budget, and answers the same body with the same keys.

use patchbay_sandbox::contract::{
    channel::{Parsed, Webhook},
    types::{Failure, Field},
};

use super::{
    bench::{Bench, NOW_MS},
    garble::{Chance, cuts, garbled},
    report::Report,
    suite::Fixture,
};
use crate::manifest::WebhookScope;

/// Bodies made of each fixture.
const CUTS: usize = 16;
const GARBLED: usize = 16;
/// What no provider sends.
const STRANGE: [&[u8]; 8] = [b"", b"null", b"[]", b"{}", b"\"\"", b"0", b"\xff\xfe", b"{\"a\":"];

pub(super) async fn check(bench: &Bench, fixtures: &[Fixture], report: &mut Report) {
    let (of_app, verified_by) = match (&bench.manifest.webhook, &bench.manifest.browser) {
        (Some(spec), _) => (spec.scope == WebhookScope::App, spec.verify.name()),
        // Nobody vouches for what a browser says.
        (None, Some(_)) => (false, None),
        (None, None) => return,
    };
    report.note("fixtures", if fixtures.is_empty() { Err("there are none".to_owned()) } else { Ok(()) });
    let webhook = |fixture: Option<&Fixture>, body: Vec<u8>| {
        let fields = |from: Option<&std::collections::BTreeMap<String, String>>| {
            from.into_iter().flatten().map(|(name, value)| Field { name: name.clone(), value: value.clone() }).collect()
        };
        Webhook {
            account: (!of_app).then(|| bench.account()),
            method: fixture.and_then(|fixture| fixture.method.clone()).unwrap_or_else(|| "POST".to_owned()),
            path: fixture.and_then(|fixture| fixture.path.clone()).unwrap_or_else(|| "/webhooks/x".to_owned()),
            query: fields(fixture.map(|fixture| &fixture.query)),
            headers: fields(fixture.map(|fixture| &fixture.headers)),
            body,
            verified_by: verified_by.map(str::to_owned),
            extras: vec![Field { name: "received_ms".to_owned(), value: NOW_MS.to_string() }],
        }
    };
    for fixture in fixtures {
        let result = whole(bench, fixture, &webhook(Some(fixture), fixture.body())).await;
        report.note(&format!("fixture {}", fixture.name), result);
    }
    let mut chance = Chance::new();
    for fixture in fixtures {
        let body = fixture.body();
        let broken: Vec<Vec<u8>> = cuts(&body, CUTS).chain((0..GARBLED).map(|_| garbled(&body, &mut chance)).collect::<Vec<_>>()).collect();
        let mut result = Ok(());
        for body in broken {
            result = result.and(answered(bench, &webhook(Some(fixture), body)).await.map(|_| ()));
        }
        report.note(&format!("fixture {}, cut and garbled", fixture.name), result);
    }
    for body in STRANGE {
        let name = format!("body {:?}", String::from_utf8_lossy(body));
        report.note(&name, answered(bench, &webhook(None, body.to_vec())).await.map(|_| ()));
    }
}

/// The fixture's events, twice.
async fn whole(bench: &Bench, fixture: &Fixture, webhook: &Webhook) -> Result<(), String> {
    let first = answered(bench, webhook).await?;
    let again = answered(bench, webhook).await?;
    let keys = |answer: &Result<Parsed, Failure>| {
        answer.as_ref().ok().map(|parsed| parsed.events.iter().map(|event| event.dedupe_key.clone()).collect::<Vec<_>>())
    };
    if keys(&first) != keys(&again) {
        return Err(format!("delivered twice it has other dedupe keys: {:?}, then {:?}", keys(&first), keys(&again)));
    }
    let (got, wanted) = (keys(&first), fixture.keys());
    if got.as_ref().map(|keys| keys.iter().map(String::as_str).collect::<Vec<_>>()) != wanted {
        return Err(format!("wanted the events {wanted:?}, got {got:?}"));
    }
    if got.iter().flatten().any(String::is_empty) {
        return Err("an event has no dedupe key".to_owned());
    }
    Ok(())
}

/// The plugin's answer, whatever it is: a refusal is one too.
async fn answered(bench: &Bench, webhook: &Webhook) -> Result<Result<Parsed, Failure>, String> {
    let provider = bench.provider(Vec::new());
    let answer = bench.plugin.parse_inbound(bench.reading(), provider.services(), webhook, None).await;
    let shown = || String::from_utf8_lossy(&webhook.body).chars().take(400).collect::<String>();
    let answer = answer.map_err(|fault| format!("{fault}, on {}", shown()))?;
    bench.tells_no_secret(&provider, &format!("{answer:?}"))?;
    if let Some(asked) = provider.world().asked.first() {
        return Err(format!("parse-inbound asked for {asked}, on {}", shown()));
    }
    match answer {
        Err(Failure::Fault(detail)) => {
            Err(format!("the plugin calls it its own fault ({}: {}), on {}", detail.code, detail.message, shown()))
        }
        answer => Ok(answer),
    }
}
