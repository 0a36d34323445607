//! What holds a conversation by letters together: Message-IDs, References, the subject as a last resort, the token in a plus
//! address, and the context that an answer needs.

use patchbay_plugin::crypto::{self, HashAlgorithm};
use patchbay_plugin::{Failure, kv};
use serde::{Deserialize, Serialize};

/// How long a subject leads to its last letter, in seconds: 30 days.
const SUBJECT_TTL_S: u32 = 30 * 24 * 3600;
/// Message-IDs that a letter refers to: the first, and the newest of the others.
const REFERENCES_MAX: usize = 20;
/// A Message-ID that is longer is none: a header's line has at most 998 bytes.
const ID_MAX: usize = 900;
/// Bytes that the gateway keeps for a conversation.
const CONTEXT_MAX: usize = 4096;
/// Bytes of an address before its `@`, by RFC 5321.
const LOCAL_MAX: usize = 64;
/// Hexadecimal digits of a reply token's HMAC.
const SEAL_LEN: usize = 16;
/// The secret that reply tokens are made with.
const REPLY_KEY: &str = "reply_key";

/// Words before a colon that make a subject an answer.
const ANSWERS: &[&str] =
    &["re", "aw", "sv", "vs", "antw", "antwort", "ref", "res", "resp", "rif", "odp", "ynt", "رد", "الرد", "回复", "答复", "回覆", "ответ"];
/// Words before a colon that make a subject something passed on.
const FORWARDS: &[&str] =
    &["fwd", "fw", "wg", "vb", "vl", "tr", "rv", "enc", "doorst", "i̇lt", "ilt", "إعادة توجيه", "اعادة توجيه", "转发", "轉寄"];

/// What an answer to a letter has to know, kept with its conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReplyContext {
    /// Addresses that an answer goes to.
    pub to: Vec<String>,
    /// The letter answered, without angle brackets.
    pub message_id: String,
    /// Its References, the oldest first, without its own id.
    #[serde(default)]
    pub references: Vec<String>,
    /// Its subject as it was written.
    #[serde(default)]
    pub subject: String,
}

impl ReplyContext {
    /// None where there is nothing, or another version of the plugin wrote another shape.
    pub(crate) fn read(bytes: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(bytes?).ok()
    }

    /// JSON of at most 4 KiB: the oldest references but the first give way, then addresses, then the end of the subject.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Failure> {
        let mut kept = self.clone();
        kept.references = shorten(kept.references);
        loop {
            let bytes = serde_json::to_vec(&kept).map_err(|error| Failure::fault("reply_context", error.to_string()))?;
            if bytes.len() <= CONTEXT_MAX {
                return Ok(bytes);
            }
            if kept.references.len() > 1 {
                kept.references.remove(1);
            } else if kept.to.len() > 1 {
                kept.to.pop();
            } else if kept.subject.is_empty() {
                kept.references.clear();
                kept.to.retain(|address| address.len() < ID_MAX);
                kept.message_id.truncate(kept.message_id.floor_char_boundary(ID_MAX));
            } else {
                let half = kept.subject.floor_char_boundary(kept.subject.len() / 2);
                kept.subject.truncate(half);
            }
        }
    }

    /// The References of an answer: those of the letter answered, and that letter.
    pub(crate) fn references_of_answer(&self) -> Vec<String> {
        let mut references = self.references.clone();
        references.retain(|id| *id != self.message_id);
        references.push(self.message_id.clone());
        shorten(references)
    }
}

/// The first, and the newest of the others.
fn shorten(mut references: Vec<String>) -> Vec<String> {
    if references.len() > REFERENCES_MAX {
        references.drain(1..=references.len() - REFERENCES_MAX);
    }
    references
}

/// The Message-IDs of a header's value, in order, without angle brackets. Words outside brackets (`Your message of …`) are passed over,
/// unless the value has no brackets at all.
pub(crate) fn ids(value: &str) -> Vec<String> {
    let bracketed = value.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(id, _)| id));
    let mut found: Vec<String> = bracketed.filter_map(id).collect();
    if found.is_empty() && !value.contains('<') {
        found = value.split_whitespace().filter(|word| word.contains('@')).filter_map(id).collect();
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|id| seen.insert(id.clone()));
    found
}

/// A Message-ID without its brackets, and without the white space of a folded header.
pub(crate) fn id(value: &str) -> Option<String> {
    let bare: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>')).collect();
    (!bare.is_empty() && bare.len() <= ID_MAX).then_some(bare)
}

/// The external id of a conversation: its first letter, as far as a letter tells.
pub(crate) fn conversation(message_id: &str, in_reply_to: Option<&str>, references: &[String]) -> String {
    let first = references.first().map(String::as_str).or(in_reply_to).unwrap_or(message_id);
    format!("thread:{first}")
}

/// Whether that external id is a conversation's, and not an address.
pub(crate) fn is_conversation(to: &str) -> bool {
    to.starts_with("thread:")
}

/// The Message-ID of a letter that the gateway sends.
pub(crate) fn own_id(message: &str, address: &str) -> String {
    format!("{message}@{}", domain(address))
}

/// Whether a Message-ID is one that the gateway made for this account.
pub(crate) fn is_own_id(id: &str, address: &str) -> bool {
    id.rsplit_once('@').is_some_and(|(message, at)| is_uuid(message) && at.eq_ignore_ascii_case(domain(address)))
}

/// What stands behind the last `@`.
pub(crate) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

/// How addresses are compared, and kept as identities.
pub(crate) fn fold(address: &str) -> String {
    address.trim().to_lowercase()
}

/// Where the store keeps the last letter to or from an address about a subject.
pub(crate) fn subject_key(address: &str, subject: &str) -> String {
    let of = format!("{}|{}", fold(address), normalise(subject));
    format!("subject:{}", hexadecimal(&crypto::digest(HashAlgorithm::Sha256, of.as_bytes())))
}

/// Notes the last letter to or from an address about a subject, whoever wrote it. A subject without words leads nowhere.
pub(crate) fn note_subject(address: &str, subject: &str, message_id: &str) -> Result<(), Failure> {
    if normalise(subject).is_empty() {
        return Ok(());
    }
    kv::set(&subject_key(address, subject), message_id.as_bytes(), Some(SUBJECT_TTL_S))?;
    Ok(())
}

/// The last letter to or from an address about a subject.
pub(crate) fn noted_subject(address: &str, subject: &str) -> Option<String> {
    if normalise(subject).is_empty() {
        return None;
    }
    kv::get(&subject_key(address, subject)).and_then(|entry| String::from_utf8(entry.value).ok())
}

/// A subject as it is compared: without `Re:` and the like, in lower case, white space made one.
pub(crate) fn normalise(subject: &str) -> String {
    bare_subject(subject).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a subject says that its letter is an answer.
pub(crate) fn is_answer(subject: &str) -> bool {
    prefix(subject.trim_start()).is_some_and(|(answer, _)| answer)
}

/// The subject of an answer: `Re: ` once.
pub(crate) fn answer_subject(subject: &str) -> String {
    format!("Re: {}", bare_subject(subject))
}

/// A subject without `Re:`, `Fwd:`, `AW:`, `RE[2]:`, `رد:` and the like before it.
pub(crate) fn bare_subject(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((_, after)) = prefix(rest) {
        rest = after.trim_start();
    }
    rest
}

/// One word before a colon: whether it means an answer, and what follows.
fn prefix(subject: &str) -> Option<(bool, &str)> {
    let (before, after) = subject.split_once([':', '：'])?;
    // Outlook and Lotus count: `RE[2]:`, `Re(2):`, `Re^2:`, `Re*2:`.
    let word = before.trim().trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | '*' | ' '));
    let word = word.trim_matches(|c: char| matches!(c, '\u{200e}' | '\u{200f}')).to_lowercase();
    if ANSWERS.contains(&word.as_str()) {
        Some((true, after))
    } else if FORWARDS.contains(&word.as_str()) {
        Some((false, after))
    } else {
        None
    }
}

/// The account's address with the token of a message: an answer to it comes back with the message's name, which nobody else can
/// write. None where the server would refuse an address that long.
pub(crate) fn reply_address(address: &str, message: &str) -> Result<Option<String>, Failure> {
    let Some((local, domain)) = address.rsplit_once('@') else { return Ok(None) };
    let seal = seal(message)?;
    let whole = format!("{local}+{message}.{seal}");
    let short = format!("{local}+{}.{seal}", message.replace('-', ""));
    Ok([whole, short].into_iter().find(|local| local.len() <= LOCAL_MAX).map(|local| format!("{local}@{domain}")))
}

/// The message that a recipient's address names by a token of ours.
pub(crate) fn message_of_reply_address(address: &str, recipient: &str) -> Option<String> {
    let (own, own_domain) = address.rsplit_once('@')?;
    let (local, at) = recipient.trim().rsplit_once('@')?;
    let token = local.get(own.len()..)?.strip_prefix('+')?;
    if !at.eq_ignore_ascii_case(own_domain) || !local.get(..own.len())?.eq_ignore_ascii_case(own) {
        return None;
    }
    let (message, sealed) = token.rsplit_once('.')?;
    let message = message.to_ascii_lowercase();
    let message = if message.len() == 32 { hyphenate(&message)? } else { message };
    let expected = seal(&message).ok()?;
    crypto::constant_time_equal(expected.as_bytes(), sealed.to_ascii_lowercase().as_bytes()).then_some(message)
}

fn seal(message: &str) -> Result<String, Failure> {
    let mut seal = hexadecimal(&crypto::hmac(REPLY_KEY, HashAlgorithm::Sha256, message.as_bytes())?);
    seal.truncate(SEAL_LEN);
    Ok(seal)
}

/// A UUID as it is usually written.
fn hyphenate(digits: &str) -> Option<String> {
    let whole = [digits.get(..8)?, digits.get(8..12)?, digits.get(12..16)?, digits.get(16..20)?, digits.get(20..)?].join("-");
    is_uuid(&whole).then_some(whole)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::testing::Provider;

    const MESSAGE: &str = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001";

    #[test]
    fn subjects_lose_what_mail_programs_add() {
        let same = [
            "Re: Price",
            "RE[2]: price",
            "Fwd: Re: Price",
            "AW: SV: Price ",
            "رد: Price",
            "Re : price",
            "回复：Price",
            "Re(3): PRICE",
            "RE: FW: RE:  price",
        ];
        for subject in same {
            assert_eq!(normalise(subject), "price", "{subject}");
        }
        assert_eq!(normalise("Offer: 2 for 1"), "offer: 2 for 1");
        assert_eq!(normalise("Re:"), "");
        assert_eq!(normalise("  two\t words\r\n here"), "two words here");
    }

    #[test]
    fn only_an_answer_is_an_answer() {
        for subject in ["Re: x", "AW: x", "رد: x", "RE[2]: x", " re: x", "Antw: x"] {
            assert!(is_answer(subject), "{subject}");
        }
        for subject in ["x", "Fwd: Re: x", "Offer: Re: x", "Regarding: x", "", "WG: x"] {
            assert!(!is_answer(subject), "{subject}");
        }
        assert_eq!(answer_subject("RE: AW: Price"), "Re: Price");
        assert_eq!(answer_subject("Price"), "Re: Price");
    }

    #[test]
    fn ids_are_read_from_what_programs_write() {
        assert_eq!(ids("<a@x>\r\n <b@y> <a@x>"), ["a@x", "b@y"]);
        assert_eq!(ids("Your message of Monday <a@x>"), ["a@x"]);
        assert_eq!(ids("a@x b@y"), ["a@x", "b@y"], "brackets forgotten");
        assert_eq!(ids("<a@\r\n x>"), ["a@x"], "folded inside");
        assert!(ids("<>").is_empty());
        assert!(ids("<open").is_empty());
        assert_eq!(id(&"x".repeat(901)), None);
    }

    #[test]
    fn a_conversation_is_named_by_its_first_letter() {
        let references = ["a@x".to_owned(), "b@x".to_owned()];
        assert_eq!(conversation("c@x", Some("b@x"), &references), "thread:a@x");
        assert_eq!(conversation("c@x", Some("b@x"), &[]), "thread:b@x");
        assert_eq!(conversation("c@x", None, &[]), "thread:c@x");
        assert!(is_conversation("thread:a@x"));
        assert!(!is_conversation("mona@ex.test"));
    }

    #[test]
    fn own_ids_are_known() {
        let own = own_id(MESSAGE, "Support@Acme.test");
        assert_eq!(own, format!("{MESSAGE}@Acme.test"));
        assert!(is_own_id(&own, "support@acme.TEST"));
        assert!(!is_own_id("out-1@acme.test", "support@acme.test"));
        assert!(!is_own_id(&own, "support@other.test"));
    }

    #[test]
    fn a_reply_token_leads_back() {
        let provider = Provider::new();
        provider.secret("reply_key", "k");
        let address = reply_address("support@acme.test", MESSAGE).unwrap().unwrap();
        assert_eq!(address.split_once('.').unwrap().0, format!("support+{MESSAGE}"));
        assert_eq!(message_of_reply_address("support@acme.test", &address).as_deref(), Some(MESSAGE));
        assert_eq!(message_of_reply_address("support@acme.test", &address.to_uppercase()).as_deref(), Some(MESSAGE));
        let forged = address.replace(MESSAGE, "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0002");
        assert_eq!(message_of_reply_address("support@acme.test", &forged), None);
        for other in
            ["support@acme.test", "sales+x.y@acme.test", "support+@acme.test", "support+a.b@other.test", "", "é@acme.test", "support"]
        {
            assert_eq!(message_of_reply_address("support@acme.test", other), None, "{other}");
        }
    }

    #[test]
    fn a_long_address_gets_a_short_token_or_none() {
        let provider = Provider::new();
        provider.secret("reply_key", "k");
        let address = reply_address("customercare1@acme.test", MESSAGE).unwrap().unwrap();
        assert!(address.rsplit_once('@').unwrap().0.len() <= LOCAL_MAX, "{address}");
        assert_eq!(message_of_reply_address("customercare1@acme.test", &address).as_deref(), Some(MESSAGE));
        assert_eq!(reply_address("a-very-long-local-part@acme.test", MESSAGE).unwrap(), None);
    }

    #[test]
    fn without_its_key_a_token_means_nothing() {
        let _provider = Provider::new();
        assert!(reply_address("support@acme.test", MESSAGE).is_err());
        assert_eq!(message_of_reply_address("support@acme.test", &format!("support+{MESSAGE}.0123456789abcdef@acme.test")), None);
    }

    #[test]
    fn a_context_keeps_to_its_size() {
        let long = |n: usize| format!("{n}-{}@ex.test", "x".repeat(300));
        let context = ReplyContext {
            to: vec!["mona@ex.test".to_owned()],
            message_id: "r2@ex.test".to_owned(),
            references: (0..60).map(long).collect(),
            subject: "الفاتورة ".repeat(200),
        };
        let bytes = context.write().unwrap();
        assert!(bytes.len() <= CONTEXT_MAX);
        let read = ReplyContext::read(Some(&bytes)).unwrap();
        assert_eq!((read.to, read.message_id.as_str()), (context.to.clone(), "r2@ex.test"));
        assert_eq!(read.references.first(), Some(&long(0)), "the first stays: it names the conversation");
        assert_eq!(ReplyContext::read(None), None);
        assert_eq!(ReplyContext::read(Some(b"[]")), None);
        let huge = ReplyContext { message_id: "y".repeat(9000), to: vec!["z".repeat(9000)], ..ReplyContext::default() };
        assert!(huge.write().unwrap().len() <= CONTEXT_MAX);
    }

    #[test]
    fn an_answer_refers_to_what_it_answers() {
        let context =
            ReplyContext { message_id: "c@x".to_owned(), references: vec!["a@x".to_owned(), "b@x".to_owned()], ..ReplyContext::default() };
        assert_eq!(context.references_of_answer(), ["a@x", "b@x", "c@x"]);
        let many = ReplyContext {
            message_id: "z@x".to_owned(),
            references: (0..40).map(|n| format!("{n}@x")).collect(),
            ..ReplyContext::default()
        };
        let references = many.references_of_answer();
        assert_eq!((references.len(), references[0].as_str(), references[1].as_str(), references[19].as_str()), (20, "0@x", "22@x", "z@x"));
    }

    #[test]
    fn subjects_lead_to_the_last_letter() {
        let _provider = Provider::new();
        note_subject("Mona@Ex.test", "Price", "out-1@acme.test").unwrap();
        assert_eq!(noted_subject("mona@ex.test", "Re: price").as_deref(), Some("out-1@acme.test"));
        assert_eq!(noted_subject("other@ex.test", "Re: price"), None);
        note_subject("mona@ex.test", "Re:", "out-2@acme.test").unwrap();
        assert_eq!(noted_subject("mona@ex.test", "Re: "), None, "no words, no thread");
        assert!(subject_key("a@x", "b").starts_with("subject:"));
    }
}
