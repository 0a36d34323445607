//! Which messages a message takes, and whether WhatsApp Lite would take them.

use patchbay_appgain::phone;
use patchbay_plugin::Failure;
use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::{Content, Media, MediaKind, Outbound, Source, Template, TemplateValue, Text};

use crate::settings::Settings;
use crate::templates;

/// Characters of a text or a caption.
const TEXT_MAX: usize = 4096;
/// Why a recipient can't be written to.
pub(crate) const NO_NUMBER: &str = "is no phone number that WhatsApp Lite can write to: write it with its country code, +201001383533, 8 to 15 digits (an address that ends in @lid hides the number)";

/// A message, checked.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// The one receiver: digits. Without one Notify would write to everybody in the project.
    pub(crate) number: String,
    pub(crate) steps: Vec<Step>,
}

/// One message of WhatsApp's.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// The text, or the file's caption.
    pub(crate) text: String,
    pub(crate) media: Option<File>,
    /// Whether the text comes from a template.
    pub(crate) is_rendered: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct File {
    /// Notify's name for its kind.
    pub(crate) field: &'static str,
    pub(crate) url: String,
    pub(crate) file_name: Option<String>,
}

/// The problems that were found, all of them: the client gets each field at once.
struct Checking<'a> {
    settings: &'a Settings,
    problems: Vec<FieldProblem>,
}

pub(crate) fn of(settings: &Settings, message: &Outbound, contents: &[Content]) -> Result<Plan, Failure> {
    let mut checking = Checking { settings, problems: Vec::new() };
    let number = phone::international(&message.to);
    if number.is_none() {
        checking.wrong("/to", NO_NUMBER);
    }
    let mut steps = Vec::with_capacity(contents.len());
    for (index, content) in contents.iter().enumerate() {
        steps.push(checking.step(content, &format!("/content/{index}"))?);
    }
    if steps.is_empty() {
        checking.wrong("/content", "the message is empty");
    }
    match number {
        Some(number) if checking.problems.is_empty() => Ok(Plan { number, steps }),
        _ => Err(Failure::Invalid(checking.problems)),
    }
}

impl Checking<'_> {
    fn wrong(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem { pointer: pointer.to_owned(), message: message.into() });
    }

    fn step(&mut self, content: &Content, at: &str) -> Result<Step, Failure> {
        Ok(match content {
            Content::Text(text) => self.text(text, at),
            Content::Media(media) => self.media(media, at),
            Content::Template(template) => self.template(template, at),
            Content::Album(_) => return Err(unsupported("albums: send each file as content of its own")),
            Content::Sticker(_) => return Err(unsupported("stickers")),
            Content::Location(_) => return Err(unsupported("locations: send a link to a map")),
            Content::Contacts(_) => return Err(unsupported("contacts: send the number as text")),
            Content::Poll(_) => return Err(unsupported("polls")),
            Content::Interactive(_) => return Err(unsupported("buttons and lists: write the choices into the text")),
            Content::Email(_) => return Err(unsupported("e-mail")),
            Content::Notification(_) => return Err(unsupported("notifications")),
            Content::Post(_) => return Err(unsupported("posts")),
            Content::Custom(custom) => return Err(unsupported(&format!("content of kind {}", custom.kind))),
        })
    }

    fn text(&mut self, text: &Text, at: &str) -> Step {
        let pointer = format!("{at}/text");
        if text.body.trim().is_empty() {
            self.wrong(&pointer, "is empty");
        }
        self.length(&text.body, &pointer);
        Step { text: text.body.clone(), ..Step::default() }
    }

    fn media(&mut self, media: &Media, at: &str) -> Step {
        let caption = media.caption.clone().unwrap_or_default();
        self.length(&caption, &format!("{at}/caption"));
        Step { text: caption, media: self.file(media, at), is_rendered: false }
    }

    /// Notify fetches files by their address.
    fn file(&mut self, media: &Media, at: &str) -> Option<File> {
        let url = match &media.source {
            Source::Url(url) if is_web(url) => url.clone(),
            Source::Url(_) => {
                self.wrong(&format!("{at}/url"), "is http:// or https:// and a host: Appgain fetches it from there");
                return None;
            }
            Source::BlobRef(_) => {
                self.wrong(&format!("{at}/media_id"), "has no public address: set the gateway's public URL, or give the file by url");
                return None;
            }
            Source::ProviderRef(_) => {
                self.wrong(&format!("{at}/provider_ref"), "isn't public: upload the file, or give it by url");
                return None;
            }
        };
        let is_video = || media.mime_type.as_deref().is_some_and(|mime_type| mime_type.starts_with("video/"));
        let field = match media.kind {
            MediaKind::Image => "imageUrl",
            MediaKind::Video => "videoUrl",
            MediaKind::Animation if is_video() => "videoUrl",
            // Notify has no field for sound: it arrives as a file.
            MediaKind::Document | MediaKind::Audio | MediaKind::Voice | MediaKind::Animation => "documentUrl",
        };
        let file_name = (field == "documentUrl").then(|| media.file_name.clone().or_else(|| last_segment(&url))).flatten();
        Some(File { field, url, file_name })
    }

    fn template(&mut self, template: &Template, at: &str) -> Step {
        let mut step = Step { is_rendered: true, ..Step::default() };
        match &template.header {
            None => {}
            Some(TemplateValue::Media(media)) => step.media = self.file(media, &format!("{at}/header/media")),
            Some(_) => self.wrong(&format!("{at}/header"), "is a file or nothing: write a title into the template's text"),
        }
        if !template.buttons.is_empty() {
            self.wrong(&format!("{at}/buttons"), "WhatsApp Lite has no buttons: write a link into the template's text");
        }
        match templates::find(&self.settings.templates, &template.name, &template.language, at) {
            Ok(stored) => match templates::render(stored, &template.body, at) {
                Ok(text) => {
                    self.length(&text, &format!("{at}/body"));
                    step.text = text;
                }
                Err(problems) => self.problems.extend(problems),
            },
            Err(problem) => self.problems.push(problem),
        }
        step
    }

    /// Characters, as Notify counts them.
    fn length(&mut self, text: &str, pointer: &str) {
        let length = text.chars().count();
        if length > TEXT_MAX {
            self.wrong(pointer, format!("has {length} characters, and {TEXT_MAX} fit"));
        }
    }
}

fn unsupported(what: &str) -> Failure {
    Failure::unsupported("content", format!("WhatsApp Lite carries no {what}"))
}

fn is_web(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace))
}

/// `inv.pdf` of `https://a.example/f/inv.pdf?x=1`.
fn last_segment(url: &str) -> Option<String> {
    let (_, place) = url.split_once("://")?;
    let path = place.split(['?', '#']).next()?;
    let (_, name) = path.rsplit_once('/')?;
    (name.contains('.') && !name.contains('%')).then(|| name.to_owned())
}
