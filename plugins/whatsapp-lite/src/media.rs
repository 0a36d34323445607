//! The bytes of a file that somebody sent: they lie at Appgain, behind the key.

use patchbay_appgain::query::decoded;
use patchbay_plugin::http::Request;
use patchbay_plugin::{Blob, Call, Failure};

use crate::settings::{API, Settings};

/// `provider_ref` is the file's address. It is fetched from the gateway's own origin alone: the key mustn't go elsewhere.
pub(crate) fn download(call: &Call, provider_ref: &str) -> Result<Blob, Failure> {
    let settings: Settings = call.settings()?;
    let place = own_place(settings.base(), provider_ref)
        .ok_or_else(|| Failure::rejected("foreign_file", "the file doesn't lie at Appgain's address (base_url), so it isn't fetched"))?;
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let fields = query.split('&').filter(|field| !field.is_empty());
    let request = fields.fold(Request::get(API, path), |request, field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        request.query(decoded(name), decoded(value))
    });
    let response = request.into_blob().send()?;
    match response.status() {
        200..300 => Ok(response.into_blob()?),
        401 | 403 => Err(Failure::unauthorized("api_key", "Appgain doesn't take the API key for its files: compare it with the project's")),
        404 | 410 => Err(Failure::rejected("file_gone", "Appgain doesn't have the file any more")),
        status @ (408 | 429 | 500..) => Err(Failure::unavailable(status.to_string(), "Appgain's files can't be had for now")),
        status => Err(Failure::rejected(status.to_string(), "Appgain refuses the file")),
    }
}

/// Path and query of an address beneath the base; none where it is another host's, or climbs.
fn own_place<'a>(base: &str, address: &'a str) -> Option<&'a str> {
    let place = if address.starts_with('/') && !address.starts_with("//") {
        address
    } else {
        let head = address.get(..base.len())?;
        address.get(base.len()..).filter(|_| head.eq_ignore_ascii_case(base))?
    };
    let place = place.split('#').next()?;
    let path = place.split('?').next()?;
    // The path is asked as it stands: what could climb out of the base, in whatever writing, isn't asked at all.
    let climbs = path.contains("..") || path.contains('\\') || path.to_ascii_lowercase().contains("%2e") || path.contains("//");
    (path.starts_with('/') && !climbs).then_some(place)
}
