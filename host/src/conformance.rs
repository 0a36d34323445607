//! Does a plugin keep the contract? Its component runs in the sandbox as it would in the gateway, against a provider that is
//! scripted in its folder (`conformance*.json`, `fixtures/`): settings good and bad, every fixture, bodies cut and garbled and
//! repeated, each of the provider's errors, connections that break before and after the bytes left, budgets, secrets. The scripts
//! travel in the component too.
//!
//! Touches: the plugin's folder. Start at [`run`]; `suite.rs` says what a folder holds, `carried.rs` how it travels, one file for
//! each kind of check follows.

mod bench;
pub mod carried;
mod dialogue;
mod garble;
mod inbound;
mod mail;
mod provider;
mod report;
mod sending;
mod settings;
mod standin;
mod suite;

use std::path::Path;

pub use report::{Finding, Report};
pub use standin::{Known, StandIn};
pub use suite::{Suite, SuiteError};

use bench::{Bench, Loaded};

/// Runs every check of a component against a suite: its folder's ([`Suite::from_folder`]) or the one that it carries
/// ([`Suite::from_component`]).
///
/// # Errors
/// The component can't be loaded: nothing was checked.
pub async fn run(component: &[u8], suite: Suite) -> Result<Report, SuiteError> {
    check(&Loaded::new(component)?, suite).await
}

/// The same for a component that is compiled already.
///
/// # Errors
/// As [`run`].
pub async fn run_compiled(component: &[u8], artefact: &Path, suite: Suite) -> Result<Report, SuiteError> {
    check(&Loaded::compiled(component, artefact)?, suite).await
}

async fn check(loaded: &Loaded, suite: Suite) -> Result<Report, SuiteError> {
    let Suite { scripts, fixtures } = suite;
    let mut report = Report::default();
    for (number, (name, script)) in scripts.into_iter().enumerate() {
        let bench = Bench::new(loaded, script).await?;
        let mut found = Report::default();
        settings::check(&bench, &mut found).await;
        if number == 0 {
            inbound::check(&bench, &fixtures, &mut found).await;
        }
        dialogue::check(&bench, &mut found).await;
        sending::check(&bench, &mut found).await;
        report.add(&name, found);
    }
    Ok(report)
}
