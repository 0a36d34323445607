//! How each service says no.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::service::Service;

/// Why a push isn't taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refused {
    NoTtl,
    BadTtl,
    BadUrgency,
    BadTopic,
    BadEncoding,
    /// What is wrong with the body.
    BadBody(String),
    TooLarge,
    NoAuthorization,
    /// What is wrong with the token.
    BadToken(String),
    /// The subscription lets another application in.
    OtherKey,
    NoSuchSubscription,
    Gone,
    TooMany,
    /// Ours to mend, or a status that was planned.
    Failing(u16),
}

impl Refused {
    /// What that status means to a push service.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            400 => Self::BadBody("the body can't be read".into()),
            401 => Self::NoAuthorization,
            403 => Self::OtherKey,
            404 => Self::NoSuchSubscription,
            410 => Self::Gone,
            413 => Self::TooLarge,
            429 => Self::TooMany,
            other => Self::Failing(other),
        }
    }

    fn status(&self, service: Service) -> u16 {
        match self {
            Self::NoTtl | Self::BadTtl | Self::BadUrgency | Self::BadTopic | Self::BadBody(_) => 400,
            Self::BadEncoding => {
                if service == Service::Plain {
                    415
                } else {
                    400
                }
            }
            Self::TooLarge => 413,
            Self::NoAuthorization => {
                if service == Service::Apple {
                    403
                } else {
                    401
                }
            }
            Self::BadToken(_) => {
                if matches!(service, Service::Mozilla | Service::Plain) {
                    401
                } else {
                    403
                }
            }
            Self::OtherKey => match service {
                Service::Apple => 400,
                Service::Mozilla => 401,
                _ => 403,
            },
            Self::NoSuchSubscription => 404,
            Self::Gone => 410,
            Self::TooMany => 429,
            Self::Failing(status) => *status,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::NoTtl => "the TTL header is missing".into(),
            Self::BadTtl => "TTL is a whole number of seconds from 0 to 2419200".into(),
            Self::BadUrgency => "Urgency is very-low, low, normal or high".into(),
            Self::BadTopic => "Topic has at most 32 characters of the URL-safe base64 alphabet".into(),
            Self::BadEncoding => "Content-Encoding isn't aes128gcm".into(),
            Self::BadBody(why) => why.clone(),
            Self::TooLarge => "the body has more than 4096 bytes".into(),
            Self::NoAuthorization => "the Authorization header is missing".into(),
            Self::BadToken(why) => format!("invalid JWT provided: {why}"),
            Self::OtherKey => {
                "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions."
                    .into()
            }
            Self::NoSuchSubscription => "there is no such subscription".into(),
            Self::Gone => "push subscription has unsubscribed or expired.".into(),
            Self::TooMany => "too many messages for this subscription".into(),
            Self::Failing(status) => format!("the service fails with {status}"),
        }
    }

    /// Mozilla's number.
    fn number(&self) -> u16 {
        match self {
            Self::NoTtl => 111,
            Self::BadTtl => 112,
            Self::BadTopic => 113,
            Self::BadEncoding | Self::BadUrgency | Self::BadBody(_) => 110,
            Self::TooLarge => 104,
            Self::NoAuthorization | Self::BadToken(_) | Self::OtherKey => 109,
            Self::NoSuchSubscription => 102,
            Self::Gone => 106,
            Self::TooMany | Self::Failing(503) => 201,
            Self::Failing(_) => 999,
        }
    }

    /// Apple's reason.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoTtl | Self::BadTtl => "BadTtl",
            Self::BadUrgency => "BadUrgency",
            Self::BadTopic => "BadWebPushTopic",
            Self::BadEncoding | Self::BadBody(_) => "BadWebPushRequest",
            Self::TooLarge => "PayloadTooLarge",
            Self::NoAuthorization => "BadAuthorizationHeader",
            Self::BadToken(_) => "BadJwtToken",
            Self::OtherKey => "VapidPkHashMismatch",
            Self::NoSuchSubscription => "BadPath",
            Self::Gone => "Unregistered",
            Self::TooMany => "TooManyRequests",
            Self::Failing(503) => "ServiceUnavailable",
            Self::Failing(_) => "InternalServerError",
        }
    }
}

/// The refusal as that service writes it. `status` is one that was planned; else it is the service's own.
pub(crate) fn refuse(service: Service, refused: &Refused, status: Option<u16>, retry_after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status.unwrap_or_else(|| refused.status(service))).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match service {
        Service::Plain | Service::Fcm => (status, refused.words()).into_response(),
        Service::Mozilla => {
            let (error, words) = (status.canonical_reason().unwrap_or_default(), refused.words());
            let more = "http://autopush.readthedocs.io/en/latest/http.html#error-codes";
            let body = json!({"code": status.as_u16(), "errno": refused.number(), "error": error, "message": words, "more_info": more});
            (status, Json(body)).into_response()
        }
        Service::Apple => (status, Json(json!({"reason": refused.reason()}))).into_response(),
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
