//! A file as an HTTP response: whole, in part, or not at all where the client has it.

use std::{ops::RangeInclusive, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_range_header::parse_range_header;

use crate::{app::App, blobs::BlobError, domain::media::MediaFile, error::ApiError};

/// Streams a file. It came from a stranger: a browser must neither guess its type nor run it. `fresh_for`: how long a browser may keep
/// it, where that is bounded.
pub(in crate::rest) async fn serve(
    app: &App,
    file: &MediaFile,
    method: &Method,
    asked: &HeaderMap,
    fresh_for: Option<Duration>,
) -> Result<Response, ApiError> {
    let size = u64::try_from(file.size).unwrap_or_default();
    let etag = format!("\"{}\"", file.id);
    if matches_etag(asked, header::IF_NONE_MATCH, &etag) {
        return Ok(with_headers(StatusCode::NOT_MODIFIED.into_response(), file, &etag, fresh_for));
    }
    let range = match wanted_range(asked, &etag, size) {
        Ok(range) => range,
        Err(Unsatisfiable) => {
            let mut error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", format!("The file has {size} bytes."));
            error.headers.insert(header::CONTENT_RANGE, text(format!("bytes */{size}")));
            return Err(error);
        }
    };
    let length = range.as_ref().map_or(size, |range| range.end() - range.start() + 1);
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        let whole = 0..=size.saturating_sub(1);
        let bytes = range.as_ref().unwrap_or(&whole);
        let pieces = app.blobs.stream_range(&file.id, *bytes.start()..bytes.end() + 1).await;
        Body::from_stream(pieces.map_err(|error| match error {
            BlobError::NotFound(_) => ApiError::not_found("media", &file.id),
            error => ApiError::internal(&error),
        })?)
    };
    let mut response = with_headers(body.into_response(), file, &etag, fresh_for);
    if let Some(range) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let place = format!("bytes {}-{}/{size}", range.start(), range.end());
        response.headers_mut().insert(header::CONTENT_RANGE, text(place));
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

struct Unsatisfiable;

/// The one range that is asked for. Several at once, another unit, or a range of an older file are answered with the whole.
fn wanted_range(asked: &HeaderMap, etag: &str, size: u64) -> Result<Option<RangeInclusive<u64>>, Unsatisfiable> {
    let Some(range) = asked.get(header::RANGE).and_then(|range| range.to_str().ok()) else { return Ok(None) };
    if asked.contains_key(header::IF_RANGE) && !matches_etag(asked, header::IF_RANGE, etag) {
        return Ok(None);
    }
    let Ok(parsed) = parse_range_header(range) else { return Ok(None) };
    match parsed.validate(size) {
        Ok(ranges) => match ranges.as_slice() {
            [one] => Ok(Some(one.clone())),
            _ => Ok(None),
        },
        Err(_) => Err(Unsatisfiable),
    }
}

fn matches_etag(asked: &HeaderMap, name: HeaderName, etag: &str) -> bool {
    let told = asked.get(name).and_then(|value| value.to_str().ok());
    told.is_some_and(|told| told.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == etag))
}

fn with_headers(mut response: Response, file: &MediaFile, etag: &str, fresh_for: Option<Duration>) -> Response {
    let headers = response.headers_mut();
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::try_from(&file.mime_type).unwrap_or(octets));
    headers.insert(header::CONTENT_DISPOSITION, disposition(file));
    headers.insert(header::ETAG, text(etag.to_owned()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A file never changes; a URL that ends must not be outlived by a copy.
    let age = fresh_for.map_or(86_400, |left| left.as_secs());
    headers.insert(header::CACHE_CONTROL, text(format!("private, max-age={age}, immutable")));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

/// Pictures and recordings may be shown in place, all else is saved; the name as RFC 6266 writes names of any script.
fn disposition(file: &MediaFile) -> HeaderValue {
    let kind = file.mime_type.split('/').next().unwrap_or_default();
    let passive = matches!(kind, "image" | "audio" | "video") && !file.mime_type.contains("svg");
    let place = if passive { "inline" } else { "attachment" };
    match &file.file_name {
        Some(name) => {
            let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            text(format!("{place}; filename*=UTF-8''{encoded}"))
        }
        None => HeaderValue::from_static(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(headers: &[(HeaderName, &str)], size: u64) -> Option<Option<(u64, u64)>> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::try_from(*value).unwrap())).collect();
        wanted_range(&headers, "\"abc\"", size).ok().map(|range| range.map(|range| (*range.start(), *range.end())))
    }

    #[test]
    fn one_range_is_answered_in_part_and_what_is_none_with_the_whole() {
        let one = |text: &str| range(&[(header::RANGE, text)], 100);
        assert_eq!(one("bytes=0-9"), Some(Some((0, 9))));
        assert_eq!(one("bytes=90-"), Some(Some((90, 99))));
        assert_eq!(one("bytes=-5"), Some(Some((95, 99))));
        assert_eq!(one("bytes=90-200"), Some(Some((90, 99))));
        assert_eq!(one("bytes=100-"), None, "nothing is there");
        assert_eq!(one("bytes=0-1,5-6"), Some(None));
        assert_eq!(one("lines=0-1"), Some(None));
        assert_eq!(range(&[], 100), Some(None));
        let with = |etag: &str| range(&[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, etag)], 100);
        assert_eq!((with("\"abc\""), with("\"old\"")), (Some(Some((0, 9))), Some(None)));
    }
}
