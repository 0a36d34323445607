//! A command against what the channel type can carry, before anything is queued.

use crate::{
    domain::{
        content::{Content, Interactive, Media},
        failure::FieldProblem,
        message::Command,
    },
    manifest::{Capabilities, ContentLimits},
};

/// Parts that one message may have.
const PARTS_MAX: usize = 20;

/// Everything that is wrong with the command, each with its field.
pub(crate) fn check(capabilities: &Capabilities, command: &Command) -> Vec<FieldProblem> {
    let kind = command.kind();
    // The manifest writes words with a hyphen, the JSON with an underscore.
    if !capabilities.commands.iter().any(|known| known.replace('-', "_") == kind) {
        let can = capabilities.commands.join(", ");
        return vec![FieldProblem::new(format!("/{kind}"), format!("this channel can't do that; it can: {can}"))];
    }
    match command {
        Command::Message(parts) if parts.is_empty() => vec![FieldProblem::new("/content", "is empty: give at least one part")],
        Command::Message(parts) if parts.len() > PARTS_MAX => {
            vec![FieldProblem::new("/content", format!("has {} parts; {PARTS_MAX} are the most", parts.len()))]
        }
        Command::Message(parts) => {
            parts.iter().enumerate().flat_map(|(n, part)| check_content(capabilities, part, &format!("/content/{n}"))).collect()
        }
        Command::Edit(edit) => check_content(capabilities, &edit.content, "/edit/content"),
        Command::Custom(custom) => check_custom(capabilities, &custom.kind, "/custom/kind"),
        Command::React(_) | Command::Delete(_) | Command::Typing(_) | Command::MarkRead(_) => Vec::new(),
    }
}

fn check_custom(capabilities: &Capabilities, kind: &str, pointer: &str) -> Vec<FieldProblem> {
    if capabilities.custom.iter().any(|known| known == kind) {
        return Vec::new();
    }
    let known = capabilities.custom.join(", ");
    vec![FieldProblem::new(pointer, format!("“{kind}” is none of the channel's: {known}"))]
}

fn check_content(capabilities: &Capabilities, content: &Content, pointer: &str) -> Vec<FieldProblem> {
    if let Content::Choice(_) = content {
        return vec![FieldProblem::new(format!("{pointer}/type"), "a choice comes in, it can't be sent")];
    }
    if let Content::Custom(custom) = content {
        return check_custom(capabilities, &custom.kind, &format!("{pointer}/kind"));
    }
    let Some(limits) = capabilities.content.get(content.kind()) else {
        let can = capabilities.content.keys().cloned().collect::<Vec<_>>().join(", ");
        return vec![FieldProblem::new(format!("{pointer}/type"), format!("this channel can't carry {}; it can: {can}", content.kind()))];
    };
    match content {
        Content::Text(text) if text.text.is_empty() => vec![FieldProblem::new(format!("{pointer}/text"), "is empty")],
        Content::Text(text) => longer(&text.text, limits.max_length, &format!("{pointer}/text")),
        Content::Media(media) => check_media(limits, media, pointer),
        Content::Album { items } => {
            let mut problems = count(items.len(), limits, &format!("{pointer}/items"));
            for (n, media) in items.iter().enumerate() {
                problems.extend(check_media(limits, media, &format!("{pointer}/items/{n}")));
            }
            problems
        }
        Content::Contacts { contacts } => count(contacts.len(), limits, &format!("{pointer}/contacts")),
        Content::Poll(poll) => count(poll.options.len(), limits, &format!("{pointer}/options")),
        Content::Location(location) => {
            let mut problems = Vec::new();
            if !(-90.0..=90.0).contains(&location.latitude) {
                problems.push(FieldProblem::new(format!("{pointer}/latitude"), "must be between -90 and 90"));
            }
            if !(-180.0..=180.0).contains(&location.longitude) {
                problems.push(FieldProblem::new(format!("{pointer}/longitude"), "must be between -180 and 180"));
            }
            problems
        }
        Content::Interactive(interactive) => check_choices(limits, interactive, pointer),
        _ => Vec::new(),
    }
}

fn check_media(limits: &ContentLimits, media: &Media, pointer: &str) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if let Some(caption) = &media.caption {
        problems.extend(longer(caption, limits.max_caption, &format!("{pointer}/caption")));
    }
    if let (Some(size), Some(most)) = (media.size, limits.max_bytes)
        && size > most
    {
        problems.push(FieldProblem::new(format!("{pointer}/media_id"), format!("has {size} bytes; {most} are the most")));
    }
    problems
}

fn check_choices(limits: &ContentLimits, interactive: &Interactive, pointer: &str) -> Vec<FieldProblem> {
    let kind = interactive.choices.kind();
    if limits.choices.is_empty() || limits.choices.iter().any(|known| known == kind) {
        return Vec::new();
    }
    let can = limits.choices.join(", ");
    vec![FieldProblem::new(format!("{pointer}/{}", kind.replace('-', "_")), format!("this channel can't offer {kind}; it can: {can}"))]
}

fn longer(text: &str, most: Option<u32>, pointer: &str) -> Vec<FieldProblem> {
    let length = text.chars().count();
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    if length <= most {
        return Vec::new();
    }
    vec![FieldProblem::new(pointer, format!("has {length} characters; {most} are the most"))]
}

fn count(items: usize, limits: &ContentLimits, pointer: &str) -> Vec<FieldProblem> {
    let bound = |bound: Option<u32>, unbounded: usize| bound.map_or(unbounded, |bound| usize::try_from(bound).unwrap_or(usize::MAX));
    let (least, most) = (bound(limits.min_items, 1), bound(limits.max_items, usize::MAX));
    if (least..=most).contains(&items) {
        return Vec::new();
    }
    let allowed = if most == usize::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
    vec![FieldProblem::new(pointer, format!("has {items} items; give {allowed}"))]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn capabilities() -> Capabilities {
        serde_json::from_value(json!({
            "commands": ["message", "mark-read"],
            "custom": ["dice"],
            "content": {"text": {"max_length": 5}, "album": {"min_items": 2, "max_items": 3}, "interactive": {"choices": ["buttons"]}},
        }))
        .unwrap()
    }

    fn problems(content: serde_json::Value) -> Vec<(String, String)> {
        let command = Command::Message(serde_json::from_value(content).unwrap());
        check(&capabilities(), &command).into_iter().map(|problem| (problem.pointer, problem.message)).collect()
    }

    #[test]
    fn what_fits_passes() {
        assert!(problems(json!([{"type": "text", "text": "Hello"}, {"type": "custom", "kind": "dice", "data": {}}])).is_empty());
        assert!(check(&capabilities(), &Command::MarkRead("1".into())).is_empty());
    }

    #[test]
    fn each_bad_part_is_named() {
        let found = problems(json!([
            {"type": "text", "text": "Hello!"},
            {"type": "album", "items": [{"kind": "image", "url": "https://e.com/1"}]},
            {"type": "interactive", "body": "Pick", "quick_replies": []},
            {"type": "location", "latitude": 1, "longitude": 2},
        ]));
        let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/content/0/text", "/content/1/items", "/content/2/quick_replies", "/content/3/type"]);
        assert!(found[0].1.contains("6 characters; 5"), "{found:?}");
    }

    #[test]
    fn a_command_the_channel_lacks_is_refused_with_those_it_has() {
        let found = check(&capabilities(), &Command::Typing(true));
        assert_eq!(found[0].pointer, "/typing");
        assert!(found[0].message.contains("message, mark-read"), "{found:?}");
    }
}
