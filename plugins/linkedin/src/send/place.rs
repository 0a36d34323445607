//! Where a file is put: LinkedIn tells a whole address, and the gateway adds the credential at the places that it knows alone.

use patchbay_plugin::http::Request;

use crate::api::API;
use crate::settings::Settings;

const UPLOAD: &str = "upload";

/// A request that puts bytes at that address. By path where it is on a server of the settings; a plain http address is that of a server
/// of one's own, too.
pub(super) fn put(settings: &Settings, url: &str) -> Request {
    let known = [
        (API, settings.api_base()),
        (UPLOAD, settings.login_base()),
        (API, "https://api.linkedin.com"),
        (UPLOAD, "https://www.linkedin.com"),
    ];
    let own = known.iter().find_map(|(target, base)| Some((*target, behind(url, base)?)));
    let own = own.or_else(|| {
        let rest = url.strip_prefix("http://")?;
        Some((API, rest.find('/').and_then(|slash| rest.get(slash..))?))
    });
    match own {
        Some((target, rest)) => {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let parts = query.split('&').filter(|part| !part.is_empty());
            let fields = parts.map(|part| part.split_once('=').unwrap_or((part, "")));
            fields.fold(Request::new("PUT", target, path), |request, (name, value)| request.query(decoded(name), decoded(value)))
        }
        None => Request::new("PUT", UPLOAD, url),
    }
}

fn behind<'a>(url: &'a str, base: &str) -> Option<&'a str> {
    url.strip_prefix(base.trim_end_matches('/')).filter(|rest| rest.starts_with('/'))
}

/// Percent-encoding undone: the gateway encodes again.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = |at: usize| more.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _, _) => {
                bytes.push(b' ');
                rest = more;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
