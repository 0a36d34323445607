//! The codes: the sentence and the HTTP status that go with each, and the recipients who always meet one.

use crate::meta::answer::GraphError;

/// As published: rate limits are 400, too.
pub(crate) fn status(code: u32) -> u16 {
    match code {
        0 | 102 | 190 => 401,
        10 | 200..=299 | 368 | 131_031 | 130_497 | 131_005 => 403,
        132_001 => 404,
        1 | 3 | 131_000 | 131_016 | 131_045 | 131_057 | 133_000 => 500,
        2 | 133_004 => 503,
        _ => 400,
    }
}

/// Calls refused with these tell `X-Business-Use-Case-Usage`.
pub(crate) fn throttles(code: u32) -> bool {
    matches!(code, 4 | 17 | 32 | 613 | 80_001 | 80_002 | 80_006 | 80_007 | 80_008 | 130_429)
}

pub(crate) fn kind(code: u32, subcode: Option<u32>) -> &'static str {
    match (code, subcode) {
        (100, Some(33)) => "GraphMethodException",
        _ => "OAuthException",
    }
}

pub(crate) fn message(code: u32, subcode: Option<u32>) -> String {
    let text = match (code, subcode) {
        (190, Some(458)) => return "Error validating access token: The user has not authorized application.".into(),
        (190, Some(460)) => {
            return "Error validating access token: The session has been invalidated because the user changed their password.".into();
        }
        (190, Some(463)) => return "Error validating access token: Session has expired.".into(),
        (190, Some(492)) => return "Error validating access token: The user lost its role on the page.".into(),
        (190, _) => return "Invalid OAuth access token - Cannot parse access token".into(),
        (100, Some(36_007)) => return "Invalid verification code format.".into(),
        (100, Some(36_008)) => {
            return "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request".into();
        }
        (100, Some(36_009)) => return "This authorization code has been used.".into(),
        (100, Some(2_018_001)) => "No matching user found",
        (100, Some(2_018_047)) => {
            "Upload attachment failure. A common way to trigger this error is that the provided media type does not match type of file provided int the URL"
        }
        (100, Some(2_018_109)) => "Attachment size exceeds allowable limit",
        (100, Some(2_534_014)) => "The requested user cannot be found.",
        (100, _) => "Invalid parameter",
        (10, Some(2_018_278 | 2_534_022)) => "This message is sent outside of allowed window.",
        (10, Some(2_018_108)) => "This Person Cannot Receive Messages: This person isn't receiving messages from you right now.",
        (10, Some(1_893_063)) => "This Page is temporarily restricted from sending messages.",
        (10, _) => "Application does not have permission for this action",
        (200, Some(1_545_041)) | (551, _) => "This person isn't available right now.",
        (200, Some(2_018_028)) => {
            "Cannot message users who are not admins, developers or testers of the app until pages_messaging permission is reviewed and the app is live."
        }
        (230, _) => "User consent is required to access user profile",
        (200..=299, _) => "Permissions error",
        (1, _) => "An unknown error occurred",
        (2, _) => "Service temporarily unavailable",
        (3, _) => "Application does not have the capability to make this API call.",
        (4, _) => "Application request limit reached",
        (17, _) => "User request limit reached",
        (32, _) => "Page request limit reached",
        (613, _) => "Calls to this api have exceeded the rate limit.",
        (80_001, _) => "There have been too many calls to this Page account. Wait a bit and try again.",
        (80_002, _) => "There have been too many calls to this Instagram account. Wait a bit and try again.",
        (80_006, _) => "There have been too many calls to this Messenger account. Wait a bit and try again.",
        (80_007 | 80_008, _) => "There have been too many calls to this WhatsApp Business account. Wait a bit and try again.",
        (368, _) => "Temporarily blocked for policies violations",
        (2_200, _) => "Callback verification failed",
        (2_500, _) => "An active access token must be used to query information about the current user.",
        (130_429, _) => "Rate limit hit",
        (130_472, _) => "User's number is part of an experiment",
        (130_497, _) => "Business account is restricted from messaging users in this country.",
        (131_000, _) => "Something went wrong",
        (131_005, _) => "Access denied",
        (131_008, _) => "Required parameter is missing",
        (131_009, _) => "Parameter value is not valid",
        (131_016, _) => "Service unavailable",
        (131_021, _) => "Recipient cannot be sender",
        (131_026, _) => "Message undeliverable",
        (131_030, _) => "Recipient phone number not in allowed list",
        (131_031, _) => "Business Account locked",
        (131_037, _) => "WhatsApp provided number needs display name approval before message can be sent.",
        (131_042, _) => "Business eligibility payment issue",
        (131_045, _) => "Incorrect certificate",
        (131_047, _) => "Re-engagement message",
        (131_048, _) => "Spam rate limit hit",
        (131_049, _) => "This message was not delivered to maintain healthy ecosystem engagement.",
        (131_050, _) => "User has stopped marketing messages",
        (131_051, _) => "Unsupported message type",
        (131_052, _) => "Media download error",
        (131_053, _) => "Media upload error",
        (131_056, _) => "(Business Account, Consumer Account) pair rate limit hit",
        (131_057, _) => "Account in maintenance mode",
        (131_062, _) => "Business-scoped user ids are not accepted for this kind of message",
        (132_000, _) => "Number of parameters does not match the expected number of params",
        (132_001, _) => "Template name does not exist in the translation",
        (132_005, _) => "Translated text too long",
        (132_012, _) => "Parameter format does not match format in the created template",
        (132_015, _) => "Template is paused",
        (132_016, _) => "Template is disabled",
        (132_018, _) => "There is an issue with the parameters in your template",
        (133_004, _) => "Server is temporarily unavailable",
        (133_005, _) => "Two step verification PIN Mismatch",
        (133_010, _) => "Account not registered",
        (133_016, _) => "Account register or deregister rate limit exceeded",
        (135_000, _) => "Generic user error",
        (136_024, _) => "Request code error",
        (136_025, _) => "Verify code error",
        _ => "Error on demand",
    };
    format!("(#{code}) {text}")
}

/// A phone number that ends in `0` and these three digits meets the code at once; one that ends in `1` and these three
/// is accepted, and the code comes in a status afterwards.
const WHATSAPP: &[(&str, u32)] = &[
    ("000", 131_000),
    ("004", 133_004),
    ("010", 133_010),
    ("016", 131_016),
    ("021", 131_021),
    ("026", 131_026),
    ("029", 130_429),
    ("030", 131_030),
    ("031", 131_031),
    ("037", 131_037),
    ("042", 131_042),
    ("045", 131_045),
    ("047", 131_047),
    ("048", 131_048),
    ("049", 131_049),
    ("050", 131_050),
    ("052", 131_052),
    ("053", 131_053),
    ("056", 131_056),
    ("057", 131_057),
    ("062", 131_062),
    ("072", 130_472),
    ("097", 130_497),
    ("190", 190),
    ("368", 368),
    ("807", 80_007),
];

/// What a WhatsApp number always meets.
#[derive(Debug, PartialEq)]
pub(crate) enum Fate {
    Refused(GraphError),
    Failed(u32),
}

pub(crate) fn whatsapp(recipient: &str) -> Option<Fate> {
    let digits: String = recipient.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    let (first, rest) = (digits.get(..1)?, digits.get(1..)?);
    let code = WHATSAPP.iter().find(|(suffix, _)| *suffix == rest)?.1;
    match first {
        "0" => Some(Fate::Refused(GraphError::of(code).details(message(code, None)))),
        "1" => Some(Fate::Failed(code)),
        _ => None,
    }
}

/// Persons of Messenger and Instagram whose id ends in these four digits.
const PERSONS: &[(&str, u32, u32)] = &[
    ("0002", 2, 0),
    ("0010", 10, 0),
    ("0190", 190, 460),
    ("0200", 200, 0),
    ("0230", 230, 0),
    ("0551", 551, 0),
    ("0613", 613, 0),
    ("0806", 80_006, 0),
    ("1200", 1_200, 0),
    ("3063", 10, 1_893_063),
    ("4014", 100, 2_534_014),
    ("4022", 10, 2_534_022),
    ("5041", 200, 1_545_041),
    ("8001", 100, 2_018_001),
    ("8028", 200, 2_018_028),
    ("8047", 100, 2_018_047),
    ("8108", 10, 2_018_108),
    ("8278", 10, 2_018_278),
];

pub(crate) fn person(recipient: &str) -> Option<GraphError> {
    let (_, code, subcode) = *PERSONS.iter().find(|(suffix, _, _)| recipient.ends_with(suffix))?;
    Some(if subcode == 0 { GraphError::of(code) } else { GraphError::sub(code, subcode) })
}
