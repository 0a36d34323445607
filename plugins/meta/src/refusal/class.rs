//! The table of codes.

use super::Refusal;

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The token is dead.
    Unauthorized,
    /// The token lives, and a permission or a right is missing; or the account is locked.
    Forbidden,
    /// The account is throttled.
    Limited,
    /// One recipient is throttled.
    ConversationLimited,
    /// The recipient can't be reached.
    Recipient,
    /// The recipient wants no marketing.
    OptedOut,
    /// The reply window is closed.
    WindowClosed,
    /// It may be tried once more.
    Once,
    /// It may be tried again.
    Transient,
    /// Refused for good.
    Rejected,
}

use Class::{ConversationLimited, Forbidden, Limited, Once, OptedOut, Recipient, Rejected, Transient, Unauthorized, WindowClosed};

/// Any subcode, or none.
const ANY: i64 = -1;
const ACCESS: &str = "give the app and the person who connected the account this permission, then connect again";
const WINDOW: &str = "24 hours have passed since the person's last message";
const LOCKED: &str = "Meta has locked the account: look into its quality and policy pages";

/// First and last code, subcode, class, what to do. The first row that fits counts.
const TABLE: &[(i64, i64, i64, Class, &str)] = &[
    // Who may.
    (190, 190, 458, Unauthorized, "the person has removed the app: connect again"),
    (190, 190, 459, Unauthorized, "the person has to pass a checkpoint at facebook.com, then connect again"),
    (190, 190, 460, Unauthorized, "the password has changed: connect again"),
    (190, 190, 463, Unauthorized, "the token has expired: connect again"),
    (190, 190, 464, Unauthorized, "the person has to confirm the account at facebook.com, then connect again"),
    (190, 190, 467, Unauthorized, "the token isn't valid any more: connect again"),
    (190, 190, 492, Unauthorized, "the person has lost the role on the Page: connect again with one who has it"),
    (190, 190, ANY, Unauthorized, "the token isn't valid: connect again"),
    (102, 102, ANY, Unauthorized, "the session is over: connect again"),
    // 10 is a missing permission, unless its subcode says more.
    (10, 10, 2_018_278, WindowClosed, WINDOW),
    (10, 10, 2_018_065, WindowClosed, WINDOW),
    (10, 10, 2_534_022, WindowClosed, WINDOW),
    (10, 10, 2_018_300, WindowClosed, WINDOW),
    (10, 10, 2_018_108, Recipient, "the person can't receive messages now"),
    (10, 10, 1_893_063, Limited, "Meta keeps the Page from sending for a while: look into its Support Inbox"),
    (10, 10, ANY, Forbidden, ACCESS),
    (3, 3, ANY, Forbidden, ACCESS),
    (200, 200, 1_545_041, Recipient, "the person isn't available: blocked the account, is gone, or takes no messages"),
    (551, 551, ANY, Recipient, "the person isn't available: blocked the account, is gone, or takes no messages"),
    (200, 200, 2_018_028, Recipient, "the app is in development mode, and the person has no role in it"),
    (200, 299, ANY, Forbidden, ACCESS),
    (131_005, 131_005, ANY, Forbidden, ACCESS),
    (131_031, 131_031, ANY, Forbidden, LOCKED),
    (368, 368, ANY, Forbidden, LOCKED),
    // How much.
    (4, 4, ANY, Limited, "too many calls of the app"),
    (17, 17, ANY, Limited, "too many calls for the person who connected the account"),
    (32, 32, ANY, Limited, "too many calls for the Page"),
    (341, 341, ANY, Limited, "a limit of the app is reached"),
    (613, 613, ANY, Limited, "too many calls"),
    (80_001, 80_002, ANY, Limited, "too many calls"),
    (80_006, 80_008, ANY, Limited, "too many calls"),
    (130_429, 130_429, ANY, Limited, "more messages a second than the number may send"),
    (131_048, 131_048, ANY, Limited, "people block the number or report it: sending is limited, look at its quality"),
    (131_064, 131_064, ANY, Limited, "the limit was lowered, because templates were in the wrong category"),
    (132_069, 132_069, ANY, Limited, "the flow is throttled"),
    (133_016, 133_016, ANY, Limited, "the number was registered too often: 72 hours must pass"),
    (138_013, 138_013, ANY, Limited, "too many calls"),
    (131_056, 131_056, ANY, ConversationLimited, "too many messages to this one person"),
    // To hold the conversation for a day would hold the answers to the person's own questions, too.
    (131_049, 131_049, ANY, Rejected, "the person has got enough marketing for now: not before 24 hours"),
    // To whom.
    (131_021, 131_021, ANY, Recipient, "the recipient is the sender"),
    (131_026, 131_026, ANY, Recipient, "the number isn't on WhatsApp, or can't take the message"),
    (131_030, 131_030, ANY, Recipient, "the number isn't on the test list of the app"),
    (130_497, 130_497, ANY, Recipient, "the business may not write to that country"),
    (131_062, 131_062, ANY, Recipient, "this kind of message goes to a phone number only"),
    (137_000, 137_000, ANY, Recipient, "the identity of the person has changed"),
    (100, 100, 2_018_001, Recipient, "the Page knows no such person"),
    (100, 100, 2_534_014, Recipient, "the account knows no such person"),
    (131_050, 131_050, ANY, OptedOut, "the person has stopped marketing messages of the business"),
    (131_047, 131_047, ANY, WindowClosed, WINDOW),
    (470, 470, ANY, WindowClosed, WINDOW),
    // For good.
    (1, 1, 1_357_046, Rejected, "the app hasn't the access level for it"),
    (1, 1, 99, Rejected, "the app hasn't the access level for it"),
    (2, 2, 2_018_344, Rejected, "the Page's privacy terms have to be accepted first"),
    (100, 100, 2_018_047, Rejected, "Meta couldn't take the file: its kind or its address is wrong"),
    (100, 100, 2_018_109, Rejected, "the file is too big"),
    (100, 100, 33, Rejected, "there is no such object, or the token may not see it"),
    (131_008, 131_009, ANY, Rejected, "a parameter is missing or wrong"),
    (131_037, 131_037, ANY, Rejected, "the number needs an approved display name"),
    (131_042, 131_042, ANY, Rejected, "the business account has a problem with its payment method"),
    (131_045, 131_045, ANY, Rejected, "the number has to be registered again"),
    (131_051, 131_051, ANY, Rejected, "WhatsApp has no such kind of message"),
    (131_052, 131_052, ANY, Rejected, "the file couldn't be fetched"),
    (131_053, 131_053, ANY, Once, "the file couldn't be taken: its kind, size or address is wrong"),
    (130_472, 130_472, ANY, Rejected, "the person is part of an experiment of Meta's and got no message"),
    (132_001, 132_001, ANY, Rejected, "there is no such template in that language, or it isn't approved"),
    (132_007, 132_007, ANY, Rejected, "the template breaks a policy"),
    (132_015, 132_015, ANY, Rejected, "the template is paused for its quality"),
    (132_016, 132_016, ANY, Rejected, "the template is disabled for its quality"),
    (133_010, 133_010, ANY, Rejected, "the number isn't registered"),
    (2_534_122, 2_534_122, ANY, Rejected, "Meta restricts messages of this account"),
    (2_534_029, 2_534_029, ANY, Rejected, "Meta restricts messages of this account"),
    // Again.
    (1, 2, 0, Transient, "Meta has a fault of its own"),
    (1200, 1200, ANY, Transient, "Meta has a fault of its own"),
    (131_000, 131_000, ANY, Transient, "WhatsApp has a fault of its own"),
    (131_016, 131_016, ANY, Transient, "WhatsApp is overloaded"),
    (131_057, 131_057, ANY, Transient, "the number is in maintenance"),
    (133_004, 133_004, ANY, Transient, "the server isn't available"),
    (2_494_100, 2_494_100, ANY, Transient, "the number is in maintenance"),
    (135_000, 135_000, ANY, Once, "WhatsApp couldn't carry it for a reason that it doesn't know"),
];

/// Codes that are for good whatever else the answer says, without advice of their own.
const REJECTED: &[(i64, i64)] = &[
    (33, 33),
    (100, 100),
    (803, 803),
    (2500, 2500),
    (131_063, 131_063),
    (132_000, 132_999),
    (133_000, 133_999),
    (139_000, 139_999),
    (2_388_000, 2_388_999),
];

pub(super) fn of(refusal: &Refusal) -> (Class, &'static str) {
    let (code, subcode) = (refusal.code, refusal.subcode);
    // Meta's code for "no session" is 0, which an answer without a code hasn't.
    if code == 0 && refusal.kind == "OAuthException" && refusal.status != 0 && refusal.status < 500 {
        return (Unauthorized, "the token isn't valid: connect again");
    }
    if code == 100 && names_the_recipient(&refusal.details) {
        return (Recipient, "the recipient's number or id is wrong");
    }
    let row = TABLE.iter().find(|(first, last, sub, ..)| (*first..=*last).contains(&code) && (*sub == ANY || *sub == subcode));
    if let Some((.., class, advice)) = row {
        return (*class, advice);
    }
    // The restrictions of Messenger and Instagram come as subcodes, too.
    if matches!(subcode, 2_534_122 | 2_534_029) {
        return (Rejected, "Meta restricts messages of this account");
    }
    if refusal.transient {
        return (Transient, "Meta asks to try it again");
    }
    if REJECTED.iter().any(|(first, last)| (*first..=*last).contains(&code)) {
        return (Rejected, "");
    }
    match refusal.status {
        401 => (Unauthorized, "the token isn't valid: connect again"),
        403 if code == 0 => (Forbidden, ACCESS),
        429 => (Limited, "Meta throttles"),
        408 | 500..=599 => (Transient, "Meta has a fault of its own"),
        _ => (Rejected, ""),
    }
}

/// Whether the details of an invalid parameter speak of `to`.
fn names_the_recipient(details: &str) -> bool {
    let words = details.to_lowercase();
    ["parameter 'to'", "parameter to ", "param to ", "param 'to'", "['to']", "[to]"].iter().any(|name| words.contains(name))
}
