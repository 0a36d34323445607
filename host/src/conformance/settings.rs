//! Settings: what is right passes, and of what is wrong the field is named. Nothing is asked of anybody meanwhile.

use patchbay_sandbox::contract::types::Failure;
use serde_json::{Map, Value};

use super::{
    bench::{Bench, plain},
    report::Report,
};
use crate::manifest::SecretSource;

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    let cases = &bench.script.settings;
    let counted = if cases.good.is_empty() || cases.bad.is_empty() {
        Err("give at least one that is good and one that is bad".to_owned())
    } else {
        Ok(())
    };
    report.note("settings", counted);
    for case in &cases.good {
        let pointers = problems(bench, &case.settings).await;
        let result =
            pointers.and_then(|pointers| if pointers.is_empty() { Ok(()) } else { Err(format!("refused at {}", pointers.join(", "))) });
        report.note(&format!("good settings: {}", case.about), result);
    }
    for case in &cases.bad {
        let named = |pointers: Vec<String>| {
            if pointers.iter().any(|pointer| *pointer == case.pointer || case.pointer.starts_with(&format!("{pointer}/"))) {
                return Ok(());
            }
            Err(format!(
                "wanted {} named, got {}",
                case.pointer,
                if pointers.is_empty() { "nothing".to_owned() } else { pointers.join(", ") }
            ))
        };
        report.note(&format!("bad settings: {}", case.about), problems(bench, &case.settings).await.and_then(named));
    }
}

/// The fields that are refused, by the schema or by the plugin.
async fn problems(bench: &Bench, settings: &Map<String, Value>) -> Result<Vec<String>, String> {
    let manifest = &bench.manifest;
    let mut whole = Value::Object(settings.clone());
    manifest.fill_defaults(&mut whole);
    let mut pointers: Vec<String> = manifest.validate_settings(&whole).into_iter().map(|problem| problem.pointer).collect();
    let required = manifest.secrets.iter().filter(|(_, spec)| spec.required && spec.from == SecretSource::Typed);
    let missing = required.map(|(name, _)| name).filter(|name| !settings.contains_key(*name));
    pointers.extend(missing.map(|name| format!("/{name}")));
    if !pointers.is_empty() {
        return Ok(pointers);
    }
    let provider = bench.provider(Vec::new());
    let answer = bench.plugin.configure(bench.reading(), provider.services(), &plain(manifest, settings).to_string()).await;
    let answer = answer.map_err(|fault| fault.to_string())?;
    bench.tells_no_secret(&provider, &format!("{answer:?}"))?;
    if let Some(asked) = provider.world().asked.first() {
        return Err(format!("configure asked for {asked}"));
    }
    match answer {
        Ok(normalised) => {
            serde_json::from_str::<Map<String, Value>>(&normalised)
                .map_err(|error| format!("configure answered no JSON object: {error}"))?;
            Ok(Vec::new())
        }
        Err(Failure::Invalid(fields)) if !fields.is_empty() => Ok(fields.into_iter().map(|field| field.pointer).collect()),
        Err(failure) => Err(format!("configure named no field: {failure:?}")),
    }
}
