//! Parts that aren't as the standard wants them: a boundary that never comes, base64 with dirt in it, a charset without a name.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{MessagePart, MimeHeaders as _, PartType};

use super::{is_type, transfer_encoding};

/// Text in that charset; none where nobody knows it.
pub(super) fn decode(bytes: &[u8], charset: &str) -> Option<String> {
    charset_decoder(charset.as_bytes()).map(|decode| decode(bytes))
}

/// The bytes of a part as its author had them: of text too, in its own charset.
pub(super) fn original<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, [u8]> {
    let body = match &part.body {
        PartType::Text(text) | PartType::Html(text) if is_as_written(part, text) => return Cow::Borrowed(text.as_bytes()),
        PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            if !part.is_encoding_problem {
                return Cow::Borrowed(bytes);
            }
            bytes
        }
        PartType::Message(_) | PartType::Multipart(_) => b"",
    };
    let wire = raw.get(part.offset_body as usize..part.offset_end as usize).unwrap_or(body);
    match transfer_encoding(part).as_str() {
        "base64" => lenient_base64(wire).map_or(Cow::Borrowed(body), Cow::Owned),
        "quoted-printable" => quoted_printable_decode(wire).map_or(Cow::Borrowed(body), Cow::Owned),
        _ => Cow::Borrowed(wire),
    }
}

/// Whether what the parser made of a text has the bytes that its author wrote.
fn is_as_written(part: &MessagePart<'_>, text: &str) -> bool {
    let charset = part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or("utf-8");
    let kept = (charset.eq_ignore_ascii_case("us-ascii") && text.is_ascii())
        || (charset.eq_ignore_ascii_case("utf-8") && !text.contains(char::REPLACEMENT_CHARACTER));
    kept && !part.is_encoding_problem
}

/// The text of a part that `mail-parser` gave up on.
pub(super) fn text<'a>(part: &'a MessagePart<'_>, raw: &'a [u8]) -> String {
    let bytes = original(part, raw);
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    charset.and_then(|charset| decode(&bytes, charset)).unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a part was meant to be read, and only its form kept it from being taken for a body.
pub(super) fn is_lost_body(part: &MessagePart<'_>) -> bool {
    let attached = part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
    let whole = matches!(part.body, PartType::Text(_) | PartType::Html(_));
    let kind = part.content_type();
    let multipart = kind.is_some_and(|kind| kind.ctype() == "multipart");
    let readable = multipart || kind.is_none() || is_type(part, "text", "plain") || is_type(part, "text", "html");
    whole && readable && !attached && part.attachment_name().is_none() && (part.is_encoding_problem || multipart)
}

/// Base64 without what doesn't belong there.
fn lenient_base64(wire: &[u8]) -> Option<Vec<u8>> {
    if let Some(decoded) = base64_decode(wire) {
        return Some(decoded);
    }
    let clean: Vec<u8> = wire.iter().copied().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')).collect();
    base64_decode(&clean)
}
