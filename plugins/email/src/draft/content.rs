//! The parts of a message make one letter: its texts, its files, its copies.

use patchbay_plugin::messages::{Content, Email, Media, Text, TextFormat};

use super::{Draft, Problems, custom, file};

pub(super) fn fill(draft: &mut Draft, content: &[Content], problems: &mut Problems) {
    let mut emails = 0;
    for (n, part) in content.iter().enumerate() {
        let pointer = format!("/content/{n}");
        match part {
            Content::Email(email) => {
                emails += 1;
                if emails > 1 {
                    problems.add(pointer, "is a second email: one message is one letter");
                } else {
                    self::email(draft, email, &pointer, problems);
                }
            }
            Content::Text(text) => self::text(draft, text),
            Content::Media(media) => self::media(draft, media, &pointer, problems),
            Content::Album(items) => {
                for (item, media) in items.iter().enumerate() {
                    self::media(draft, media, &format!("{pointer}/items/{item}"), problems);
                }
            }
            _ => problems.add(format!("{pointer}/type"), "can't be sent by e-mail: send email, text, media or album"),
        }
    }
    let said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    if !said(&draft.text) {
        draft.text = None;
    }
    if !said(&draft.html) {
        draft.html = None;
        // Nothing shows them.
        draft.attachments.splice(0..0, draft.inline.drain(..).map(file::File::attached));
    }
    if draft.text.is_none() && draft.html.is_none() && draft.attachments.is_empty() {
        problems.add("/content/0", "is empty: give a text, HTML or an attachment");
    }
}

fn email(draft: &mut Draft, email: &Email, pointer: &str, problems: &mut Problems) {
    draft.subject.clone_from(&email.subject);
    append(&mut draft.text, email.text.as_deref().unwrap_or_default());
    append(&mut draft.html, email.html.as_deref().unwrap_or_default());
    for (n, text) in email.cc.iter().enumerate() {
        draft.cc.extend(problems.mailbox(format!("{pointer}/cc/{n}"), text));
    }
    for (n, text) in email.bcc.iter().enumerate() {
        draft.bcc.extend(problems.mailbox(format!("{pointer}/bcc/{n}"), text));
    }
    for (n, media) in email.attachments.iter().enumerate() {
        self::media(draft, media, &format!("{pointer}/attachments/{n}"), problems);
    }
    custom::headers(draft, &email.headers, pointer, problems);
}

/// Markdown goes out as it was written: it is made to be read so.
fn text(draft: &mut Draft, text: &Text) {
    match text.format {
        TextFormat::Html => append(&mut draft.html, &text.body),
        TextFormat::Plain | TextFormat::Markdown => append(&mut draft.text, &text.body),
    }
}

fn media(draft: &mut Draft, media: &Media, pointer: &str, problems: &mut Problems) {
    append(&mut draft.text, media.caption.as_deref().unwrap_or_default());
    let number = draft.inline.len() + draft.attachments.len() + 1;
    match file::File::of(media, number, pointer) {
        Ok(file) if file.content_id.is_some() => draft.inline.push(file),
        Ok(file) => draft.attachments.push(file),
        Err((pointer, why)) => problems.add(pointer, why),
    }
}

fn append(all: &mut Option<String>, text: &str) {
    if text.is_empty() {
        return;
    }
    let all = all.get_or_insert_default();
    if !all.is_empty() {
        all.push_str("\n\n");
    }
    all.push_str(text);
}
