//! What came of the checks.

use std::fmt;

/// Something that isn't as the contract asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `errors: 429 of the provider`.
    pub check: String,
    /// What was wanted and what came.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Checks that went as they should.
    pub passed: usize,
    pub findings: Vec<Finding>,
}

impl Report {
    /// What came of another script's checks.
    pub(super) fn add(&mut self, script: &str, other: Report) {
        self.passed += other.passed;
        let place = if script == "conformance" { String::new() } else { format!("{script}: ") };
        self.findings.extend(other.findings.into_iter().map(|finding| Finding { check: format!("{place}{}", finding.check), ..finding }));
    }

    pub(super) fn note(&mut self, check: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(what) => self.findings.push(Finding { check: check.to_owned(), what }),
        }
    }
}
