//! `/rest/v1/channel_accounts/{id}/pairing`: the code to scan, for the key that began and for nobody else. Whoever scans it has the
//! account: no answer is kept anywhere on the way.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use qrcode::{QrCode, render::svg};
use schemars::JsonSchema;
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, channel_accounts::find};
use crate::{
    accounts::{self, Code},
    app::App,
    clock::At,
    domain::{account::Connection, key::Scope},
    error::ApiError,
    openapi::schemas::answers,
};

/// Pixels of the drawing; a client may draw it in any size.
const SIDE: u32 = 320;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show))
}

answers!(ShownCode<'static>);

/// A code to scan.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingCode")]
struct ShownCode<'a> {
    /// What the QR code says.
    code: &'a str,
    expires_at: At,
    /// How many more codes the provider gives before the pairing has to begin again.
    refreshes_left: u32,
    state: Connection,
}

/// Show the code to scan
///
/// Whoever scans it has the account: only the key that began the pairing gets it.
#[utoipa::path(
    get,
    path = "/channel_accounts/{id}/pairing",
    tag = "channel_accounts",
    operation_id = "show_pairing_code",
    responses(
        (
            status = 200,
            description = "The code, in the form that `Accept` asks for.",
            content((ShownCode<'static> = "application/json"), (String = "text/plain"), (String = "image/svg+xml")),
        ),
        (status = 406, description = "It can't be had in that form."),
        (status = 409, description = "There is no code: the error says why, and what to do."),
    ),
)]
async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut response = answer(&app, &caller, &id, &headers).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The same address answers in three forms.
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

async fn answer(app: &App, caller: &Caller, id: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let account = find(app, caller, id, Scope::Read).await?;
    let form = Form::asked(headers).ok_or_else(|| {
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "The code can't be had in that form.")
            .hint("Accept: application/json, text/plain or image/svg+xml.")
    })?;
    let code = accounts::shown_code(app, &account, caller.id()).await?;
    form.write(&code)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Svg,
}

impl Form {
    /// The form that the client likes best; JSON where it takes anything. None where it wants none of them.
    fn asked(headers: &HeaderMap) -> Option<Form> {
        let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if accepted.is_empty() {
            return Some(Form::Json);
        }
        let mut best: Option<(Form, f32)> = None;
        for range in accepted.iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/json" | "application/*" | "*/*" => Form::Json,
                "text/plain" | "text/*" => Form::Text,
                "image/svg+xml" | "image/*" => Form::Svg,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |text| text.parse().unwrap_or(0.0));
            // Of two that it likes alike, the first.
            if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
                best = Some((form, weight));
            }
        }
        best.map(|(form, _)| form)
    }

    fn write(self, code: &Code) -> Result<Response, ApiError> {
        Ok(match self {
            Form::Json => {
                let Code { code, expires_at, refreshes_left } = code;
                let shown =
                    ShownCode { code: code.expose(), expires_at: *expires_at, refreshes_left: *refreshes_left, state: Connection::Pairing };
                axum::Json(shown).into_response()
            }
            Form::Text => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], code.code.expose().to_owned()).into_response(),
            Form::Svg => ([(header::CONTENT_TYPE, "image/svg+xml")], drawn(code.code.expose())?).into_response(),
        })
    }
}

/// The code as a QR code, with the quiet zone that scanners want.
fn drawn(code: &str) -> Result<String, ApiError> {
    let drawing = QrCode::new(code.as_bytes()).map_err(|_| {
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "code_too_long", "The code is too long for a QR code.")
            .hint("Accept: application/json or text/plain.")
    })?;
    Ok(drawing.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secrets::Secret;

    fn asked(accept: &[&'static str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        Form::asked(&headers)
    }

    #[test]
    fn the_form_is_what_the_client_likes_best() {
        assert_eq!(asked(&[]), Some(Form::Json));
        assert_eq!(asked(&["*/*"]), Some(Form::Json));
        assert_eq!(asked(&["text/plain"]), Some(Form::Text));
        assert_eq!(asked(&["image/svg+xml", "application/json;q=0.5"]), Some(Form::Svg));
        assert_eq!(asked(&["image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8"]), Some(Form::Svg));
        assert_eq!(asked(&["application/json; q=0.3, text/plain; q=0.9"]), Some(Form::Text));
        assert_eq!(asked(&["text/html, image/png"]), None);
        assert_eq!(asked(&["application/json;q=0"]), None);
    }

    #[tokio::test]
    async fn each_form_has_the_code() {
        let code = Code { code: Secret::from("2@abc,def=="), expires_at: At::from_micros(0), refreshes_left: 3 };
        let mut bodies = Vec::new();
        for (form, mime_type) in [(Form::Json, "application/json"), (Form::Text, "text/plain; charset=utf-8"), (Form::Svg, "image/svg+xml")]
        {
            let response = form.write(&code).unwrap();
            assert_eq!(response.headers()[header::CONTENT_TYPE], mime_type);
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            bodies.push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        let json: serde_json::Value = serde_json::from_str(&bodies[0]).unwrap();
        assert_eq!(json, json!({"code": "2@abc,def==", "expires_at": At::from_micros(0), "refreshes_left": 3, "state": "pairing"}));
        assert_eq!(bodies[1], "2@abc,def==");
        assert!(bodies[2].contains("<svg") && !bodies[2].contains("2@abc"), "{}", bodies[2]);
        assert_eq!(drawn(&"x".repeat(5000)).unwrap_err().body.code, "code_too_long");
    }
}
