//! A request as it would go out and an answer as the plugin would get it, with nothing dialled: for the conformance suite.

use std::collections::BTreeMap;

use patchbay_sandbox::services::{Capture, Field, HttpProblem, HttpRequest, HttpResponse, HttpResponseBody};
use serde_json::Value;

use super::{Answer, Egress, Scanner, capture};
use crate::{manifest::Manifest, secrets::Secret};

/// What every real request is asked before it leaves, asked of this one.
pub(crate) struct Rehearsed {
    scanner: Scanner,
    capture: Vec<Capture>,
}

impl Egress {
    /// # Errors
    /// The request would be refused: what the plugin is told, and why.
    pub(crate) fn rehearse(
        &self,
        manifest: &Manifest,
        settings: &Value,
        secrets: &BTreeMap<String, Secret>,
        request: HttpRequest,
    ) -> Result<Rehearsed, (HttpProblem, String)> {
        let refused = |refused: super::Refused| (HttpProblem::Denied(refused.denial), refused.why);
        let (plan, scanner, _) = self.prepare(manifest, settings, secrets, request).map_err(refused)?;
        Ok(Rehearsed { scanner, capture: plan.capture })
    }
}

impl Rehearsed {
    /// Lifts what is to be captured and blanks secrets, as of a provider's answer.
    pub(crate) fn answer(&self, status: u16, headers: Vec<Field>, mut body: Vec<u8>) -> Answer {
        let captured = capture::capture(&mut body, &self.capture);
        self.scanner.blank(&mut body);
        let blanked = |field: Field| Field { value: self.scanner.blank_text(field.value), ..field };
        let headers = headers.into_iter().map(blanked).collect();
        Answer { response: HttpResponse { status, headers, body: HttpResponseBody::Bytes(body) }, captured }
    }
}
