//! What a post says, checked before anything is uploaded.

use patchbay_plugin::messages::{Content, Media, Poll, Post};
use patchbay_plugin::{Failure, Fields as _};
use serde_json::{Value, json};

use super::Context;
use super::attachment::{self, Attachment};
use crate::json::Json as _;
use crate::settings::Visibility;
use crate::{little, urn};

/// Characters of a post as people see it: escapes, and the wrapping of hashtags, aren't counted.
pub(super) const TEXT_MAX: usize = 3000;
const QUESTION_MAX: usize = 140;
const OPTION_MAX: usize = 30;
const DURATIONS: [&str; 4] = ["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"];

/// A post that can be published.
#[derive(Debug)]
pub(super) struct Draft {
    /// In little text.
    pub(super) commentary: String,
    pub(super) visibility: Visibility,
    pub(super) attachments: Vec<Attachment>,
    /// An article or a poll.
    pub(super) content: Option<Value>,
    /// The post that is passed on.
    pub(super) parent: Option<String>,
}

pub(super) fn draft(context: &Context<'_>, contents: &[Content]) -> Result<Draft, Failure> {
    let (first, poll) = match contents {
        [Content::Poll(poll)] => (None, Some((poll, "/content/0"))),
        [first, Content::Poll(poll)] => (Some(first), Some((poll, "/content/1"))),
        [first] => (Some(first), None),
        _ => {
            return Err(Failure::unsupported(
                "content",
                "a post is one content, and a poll behind it at most: files go into the post's media",
            ));
        }
    };
    let mut draft = match first {
        None => empty(context),
        Some(Content::Post(post)) => whole(context, post)?,
        Some(Content::Text(text)) => Draft { commentary: commentary(&text.body, "/content/0/text")?, ..empty(context) },
        Some(Content::Media(media)) => pictured(context, std::slice::from_ref(media), "/content/0/caption", |_| {
            attachment::one(media, "/content/0").map(|one| vec![one])
        })?,
        Some(Content::Album(items)) => {
            pictured(context, items, "/content/0/items/0/caption", |items| attachment::all(items, "/content/0/items"))?
        }
        Some(_) => return Err(Failure::unsupported("content", "a feed carries posts, texts, files and polls")),
    };
    if let Some((poll, at)) = poll {
        if !draft.attachments.is_empty() || draft.content.is_some() {
            return Err(Failure::invalid(at, "a post has files, or a link, or a poll"));
        }
        draft.content = Some(asked(poll, at)?);
    }
    draft.parent = parent(context)?;
    if draft.commentary.is_empty() && draft.attachments.is_empty() && draft.content.is_none() && draft.parent.is_none() {
        return Err(Failure::invalid("/content/0/text", "the post is empty"));
    }
    Ok(draft)
}

fn empty(context: &Context<'_>) -> Draft {
    let visibility = default_visibility(context);
    Draft { commentary: String::new(), visibility, attachments: Vec::new(), content: None, parent: None }
}

/// An organisation has no connections: a setting that suits members isn't in the way.
fn default_visibility(context: &Context<'_>) -> Visibility {
    match context.settings.visibility {
        Visibility::Connections if urn::is_organization(context.author) => Visibility::Public,
        set => set,
    }
}

fn whole(context: &Context<'_>, post: &Post) -> Result<Draft, Failure> {
    let attachments = attachment::all(&post.media, "/content/0/media")?;
    let link = post.link.as_deref().map(str::trim).filter(|link| !link.is_empty());
    if link.is_some() && !attachments.is_empty() {
        return Err(Failure::invalid("/content/0/link", "a post has files or a link: put the link into the text"));
    }
    Ok(Draft {
        commentary: commentary(&post.text, "/content/0/text")?,
        visibility: visibility(context, &post.visibility)?,
        attachments,
        content: link.map(|link| article(context, link)).transpose()?,
        parent: None,
    })
}

fn pictured(
    context: &Context<'_>,
    media: &[Media],
    at: &str,
    attached: impl Fn(&[Media]) -> Result<Vec<Attachment>, Failure>,
) -> Result<Draft, Failure> {
    let caption = media.first().and_then(|media| media.caption.as_deref()).unwrap_or_default();
    let mut attachments = attached(media)?;
    // The first caption is what the post says, so it is no description of the file.
    if let Some(first) = attachments.first_mut().filter(|first| first.alt_text.as_deref() == Some(caption.trim())) {
        first.alt_text = None;
    }
    Ok(Draft { commentary: commentary(caption, at)?, attachments, ..empty(context) })
}

/// Checked, and in little text.
pub(super) fn commentary(text: &str, at: &str) -> Result<String, Failure> {
    let text = text.trim();
    let count = text.chars().count();
    if count > TEXT_MAX {
        return Err(Failure::invalid(at, format!("a post has at most {TEXT_MAX} characters, this one {count}")));
    }
    Ok(little::escaped(text))
}

fn visibility(context: &Context<'_>, asked: &str) -> Result<Visibility, Failure> {
    let wrong = |words: &str| Failure::invalid("/content/0/visibility", words);
    if asked.trim().is_empty() {
        return Ok(default_visibility(context));
    }
    match Visibility::parse(asked.trim()) {
        None => Err(wrong("is PUBLIC, CONNECTIONS or LOGGED_IN")),
        Some(Visibility::Connections) if urn::is_organization(context.author) => {
            Err(wrong("an organisation has no connections: PUBLIC or LOGGED_IN"))
        }
        Some(visibility) => Ok(visibility),
    }
}

/// LinkedIn looks at no page by itself: what it shows of a link is what it is told.
fn article(context: &Context<'_>, link: &str) -> Result<Value, Failure> {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Failure::invalid("/content/0/link", "is an http or https address"))?;
    let extra = |name: &str| context.message.extras.value(name).map(str::trim).filter(|value| !value.is_empty());
    let mut article = json!({"source": link, "title": extra("title").unwrap_or(host)});
    if let Some(description) = extra("description") {
        article.put("description", description);
    }
    if let Some(thumbnail) = extra("thumbnail") {
        if urn::kind(thumbnail) != "image" {
            return Err(Failure::invalid("/extras/thumbnail", "is the URN of an uploaded image: urn:li:image:…"));
        }
        article.put("thumbnail", thumbnail);
    }
    Ok(json!({"article": article}))
}

fn parent(context: &Context<'_>) -> Result<Option<String>, Failure> {
    match context.message.extras.value("reshare") {
        None | Some("") => Ok(None),
        Some(parent) if urn::is_post(parent) => Ok(Some(parent.to_owned())),
        Some(_) => Err(Failure::invalid("/extras/reshare", "is the URN of a post: urn:li:share:…")),
    }
}

fn asked(poll: &Poll, at: &str) -> Result<Value, Failure> {
    let long = |text: &str, most: usize| text.trim().is_empty() || text.chars().count() > most;
    if long(&poll.question, QUESTION_MAX) {
        return Err(Failure::invalid(format!("{at}/question"), format!("has 1 to {QUESTION_MAX} characters")));
    }
    if !(2..=4).contains(&poll.options.len()) {
        return Err(Failure::invalid(format!("{at}/options"), "a poll has 2 to 4 options"));
    }
    if let Some(wrong) = poll.options.iter().position(|option| long(option, OPTION_MAX)) {
        return Err(Failure::invalid(format!("{at}/options/{wrong}"), format!("has 1 to {OPTION_MAX} characters")));
    }
    if poll.multiple {
        return Err(Failure::invalid(format!("{at}/multiple"), "at LinkedIn everybody has one vote"));
    }
    let duration = poll.extras.value("duration").unwrap_or("THREE_DAYS").to_ascii_uppercase();
    if !DURATIONS.contains(&duration.as_str()) {
        return Err(Failure::invalid(format!("{at}/extras/duration"), format!("is one of {}", DURATIONS.join(", "))));
    }
    let options: Vec<Value> = poll.options.iter().map(|option| json!({"text": option})).collect();
    Ok(json!({"poll": {"question": poll.question, "options": options, "settings": {"duration": duration}}}))
}
