//! What a request to a resource asks: its parameters and PostgREST's headers.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use patchbay_postgrest::{Accept, Prefer, Query, Reading, Table, pairs, parse};

use crate::error::ApiError;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");

/// A request to a resource.
pub(super) struct Asked {
    /// Decoded, in their order.
    pub(super) pairs: Vec<(String, String)>,
    pub(super) prefer: Prefer,
    pub(super) accept: Accept,
    /// The header `Range` of a list.
    pub(super) range: Option<String>,
    /// It comes from a client of PostgREST: such name a schema. Then a value without an operator is an error.
    pub(super) is_postgrest: bool,
    pub(super) is_head: bool,
    pub(super) path: String,
    /// Parameters of the resource that are no columns: told to who looks for one.
    pub(super) besides: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, ApiError> {
        let headers = &parts.headers;
        let profile = text(headers, &ACCEPT_PROFILE).or_else(|| text(headers, &CONTENT_PROFILE));
        Accept::check_profile(profile)?;
        let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accepted = accepted.join(",");
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        Ok(Asked {
            pairs: pairs(parts.uri.query().unwrap_or_default()),
            prefer: Prefer::read(headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok()))?,
            accept: Accept::read(Some(&accepted))?,
            range: text(headers, &header::RANGE).filter(|_| reads).map(str::to_owned),
            is_postgrest: profile.is_some(),
            is_head: parts.method == Method::HEAD,
            // The router takes the prefix off.
            path: format!("/rest/v1{}", parts.uri.path()),
            besides: Vec::new(),
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Asked {
    /// Reads the parameters as a query on the table.
    pub(super) fn query(&self, table: &'static Table) -> Result<Query, ApiError> {
        let query = parse(table, &self.pairs, Reading { plain: !self.is_postgrest });
        Ok(query.map_err(|error| match &error.hint {
            Some(hint) if error.code == "42703" && !self.besides.is_empty() => {
                let hint = format!("{hint} Besides: {}.", self.besides.join(", "));
                error.hint(hint)
            }
            _ => error,
        })?)
    }

    /// Takes a parameter that is no column.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.pairs.iter().position(|(key, _)| key == name)?;
        Some(self.pairs.remove(place).1)
    }

    /// `since=…` is `received_at=gte.…`: another name for a comparison with a column.
    pub(super) fn rename(&mut self, name: &'static str, column: &str, operator: &str) {
        self.besides.push(name);
        for (key, value) in self.pairs.iter_mut().filter(|(key, _)| key == name) {
            column.clone_into(key);
            let plain = value.strip_prefix("eq.").unwrap_or(value);
            *value = format!("{operator}.{plain}");
        }
    }

    /// The one value that a column has to be, where that is asked.
    pub(super) fn value(&self, column: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(key, _)| key == column)?;
        match value.split_once('.') {
            Some(("eq", value)) => Some(value),
            Some(("in" | "not" | "neq" | "is" | "like" | "ilike" | "gt" | "gte" | "lt" | "lte" | "isdistinct", _)) => None,
            _ => Some(value),
        }
    }

    /// Whether a write is answered in PostgREST's way.
    pub(super) fn writes_as_postgrest(&self) -> bool {
        let named = |name: &str| self.pairs.iter().any(|(key, _)| key == name);
        self.is_postgrest
            || self.prefer.returns.is_some()
            || self.prefer.resolution.is_some()
            || self.prefer.missing_default
            || ["select", "columns", "on_conflict"].into_iter().any(named)
    }
}
