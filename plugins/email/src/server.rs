//! The account's two servers, and what is told of one that fails.

use patchbay_plugin::Failure;
use patchbay_plugin::failure::Detail;

use crate::settings::Settings;

/// The manifest's `[mail]` targets.
pub(crate) const OUT: &str = "out";
pub(crate) const IN: &str = "in";

/// The failure as the account's owner reads it: with the server that it is about. What the gateway wouldn't do is no fault of the
/// plugin's: a setting, a secret or the operator is in the way.
pub(crate) fn failed(settings: &Settings, target: &str, failure: Failure) -> Failure {
    let server = if target == OUT {
        format!("SMTP {}:{}", settings.smtp_host, settings.smtp_port)
    } else {
        format!("IMAP {}:{}", settings.imap_host, settings.imap_port)
    };
    let named = |detail: Detail| Detail { message: format!("{server}: {}", detail.message), ..detail };
    match failure {
        Failure::Fault(detail) => match detail.code.as_str() {
            "not_granted" | "blocked_address" => Failure::Forbidden(named(detail)),
            "credential_missing" => Failure::Unauthorized(named(detail)),
            "too_large" => Failure::Rejected(named(detail)),
            _ => Failure::Fault(named(detail)),
        },
        Failure::Unauthorized(detail) => Failure::Unauthorized(named(detail)),
        Failure::Forbidden(detail) => Failure::Forbidden(named(detail)),
        Failure::Rejected(detail) => Failure::Rejected(named(detail)),
        Failure::Uncertain(detail) => Failure::Uncertain(named(detail)),
        Failure::Unavailable(mut retry) => {
            retry.detail = named(retry.detail);
            Failure::Unavailable(retry)
        }
        Failure::Limited(mut retry) => {
            retry.detail = named(retry.detail);
            Failure::Limited(retry)
        }
        // Of a recipient the server's own words say enough.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_would_not_do_is_no_fault_of_the_plugins() {
        let settings = Settings { smtp_host: "smtp.acme.test".to_owned(), ..Settings::default() };
        let class = |code: &str| failed(&settings, OUT, Failure::fault(code, "why"));
        assert_eq!(class("blocked_address"), Failure::forbidden("blocked_address", "SMTP smtp.acme.test:587: why"));
        assert!(matches!(class("credential_missing"), Failure::Unauthorized(_)));
        assert!(matches!(class("too_large"), Failure::Rejected(_)));
        assert!(matches!(class("unknown_target"), Failure::Fault(_)));
    }
}
