//! `/docs`: the description as a page to read and to try requests from. Swagger UI travels in the program; the page loads nothing from
//! elsewhere, and its policy says so.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::{Config, serve};

use crate::{app::App, error::ApiError};

const PAGE: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");
/// What of Swagger UI the page needs.
const FILES: &[&str] = &["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"];
/// Nothing from elsewhere, nothing inline, no `eval`, and no frame around it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(Arc::default);

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/docs", get(page)).route("/docs/{file}", get(file))
}

async fn page() -> Response {
    let guarded = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    (guarded, told("text/html; charset=utf-8"), PAGE).into_response()
}

async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    let unknown = || ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("There is no /docs/{name}."));
    match name.as_str() {
        "page.js" => Ok((told("text/javascript; charset=utf-8"), SCRIPT).into_response()),
        "page.css" => Ok((told("text/css; charset=utf-8"), STYLE).into_response()),
        _ if !FILES.contains(&name.as_str()) => Err(unknown()),
        _ => {
            let file = serve(&name, Arc::clone(&CONFIG)).map_err(|error| ApiError::internal(&error))?.ok_or_else(unknown)?;
            let kind = HeaderValue::from_str(&file.content_type).map_err(|error| ApiError::internal(&error))?;
            let mut response = (told(kind), file.bytes.into_owned()).into_response();
            if file.gzpipped {
                // Every browser takes it.
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Ok(response)
        }
    }
}

/// Headers that every file has. A new version of the gateway may bring others: a browser asks again after an hour.
fn told(kind: impl TryInto<HeaderValue>) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, kind.try_into().unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600")),
    ]
}
