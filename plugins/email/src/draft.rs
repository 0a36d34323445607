//! What a message asks for, before it is a letter: checked field by field, and the same for a preview and for sending.

mod content;
mod custom;
mod file;
mod html;
mod target;

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::messages::{Command, Outbound};
use patchbay_plugin::{Failure, Fields as _};

use crate::address::Mailbox;
use crate::settings::Settings;
use crate::thread::{self, ReplyContext};
pub(crate) use file::File;

/// Addresses of one letter: servers have to take a hundred, and few take more.
const RECIPIENTS_MAX: usize = 100;
/// Bytes of text and HTML together.
const TEXTS_MAX: usize = 4 * 1024 * 1024;
/// Characters of a subject.
const SUBJECT_MAX: usize = 900;

/// A letter's content and where it goes.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) to: Vec<Mailbox>,
    pub(crate) cc: Vec<Mailbox>,
    pub(crate) bcc: Vec<Mailbox>,
    /// In place of the account's own.
    pub(crate) reply_to: Vec<Mailbox>,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    /// Files that the HTML shows by their Content-ID.
    pub(crate) inline: Vec<File>,
    pub(crate) attachments: Vec<File>,
    /// Further headers, by name.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) in_reply_to: Option<String>,
    /// The thread's letters before this one, the oldest first.
    pub(crate) references: Vec<String>,
    pub(crate) unsubscribe: Option<String>,
    /// It goes to an address, and not to a conversation that is there.
    pub(crate) begins: bool,
}

/// What is wrong, each with its field.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<FieldProblem>);

impl Problems {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldProblem { pointer: pointer.into(), message: message.into() });
    }

    /// The mailbox, or what is wrong with it.
    fn mailbox(&mut self, pointer: impl Into<String>, text: &str) -> Option<Mailbox> {
        Mailbox::parse(text).map_err(|why| self.add(pointer, why)).ok()
    }

    pub(crate) fn settled(self) -> Result<(), Failure> {
        if self.0.is_empty() { Ok(()) } else { Err(Failure::Invalid(self.0)) }
    }
}

impl Draft {
    /// # Errors
    /// [`Failure::Invalid`] names each wrong field as `POST /rest/v1/messages` writes it.
    pub(crate) fn of(settings: &Settings, message: &Outbound) -> Result<Self, Failure> {
        let Command::Message(content) = &message.command else {
            return Err(Failure::unsupported("command", "a mailbox can only be sent messages"));
        };
        let context = ReplyContext::read(message.reply_context.as_deref());
        let mut problems = Problems::default();
        let mut draft = Self::default();
        target::address(&mut draft, message, context.as_ref(), &mut problems);
        content::fill(&mut draft, content, &mut problems);
        html::complete(&mut draft, message.extras.flag("html_from_text"));
        draft.settle_subject(settings, message, context.as_ref(), &mut problems);
        draft.settle_unsubscribe(message, &mut problems);
        draft.check_size(settings, &mut problems);
        problems.settled()?;
        Ok(draft)
    }

    /// Everybody who gets the letter, each once.
    pub(crate) fn recipients(&self) -> Vec<String> {
        let mut recipients: Vec<String> = Vec::new();
        for mailbox in self.to.iter().chain(&self.cc).chain(&self.bcc) {
            if !recipients.iter().any(|known| thread::fold(known) == thread::fold(&mailbox.address)) {
                recipients.push(mailbox.address.clone());
            }
        }
        recipients
    }

    /// Bytes of all files, as far as they are known.
    pub(crate) fn attached(&self) -> u64 {
        self.inline.iter().chain(&self.attachments).filter_map(|file| file.size).map(u64::from).sum()
    }

    /// The message's own, else its thread's with `Re: ` once, else the account's.
    fn settle_subject(&mut self, settings: &Settings, message: &Outbound, context: Option<&ReplyContext>, problems: &mut Problems) {
        let (mut pointer, mut subject) = ("/content/0/subject", self.subject.trim().to_owned());
        if subject.is_empty()
            && let Some(extra) = message.extras.value("subject")
        {
            (pointer, subject) = ("/extras/subject", extra.trim().to_owned());
        }
        let of_thread = context.filter(|_| self.in_reply_to.is_some()).map(|context| context.subject.as_str()).unwrap_or_default();
        let same = !of_thread.is_empty() && thread::normalise(&subject) == thread::normalise(of_thread);
        if same || (subject.is_empty() && !of_thread.is_empty()) {
            subject = thread::answer_subject(of_thread);
        }
        if subject.is_empty() {
            subject = settings.default_subject.trim().to_owned();
        }
        if crate::compose::header::holds_control(&subject) {
            problems.add(pointer, "holds a line break or another control character");
        } else if subject.is_empty() {
            let way_out = "has no subject: send content of type email, give extras.subject, or set the account's default_subject";
            problems.add("/content/0", way_out);
        } else if subject.chars().count() > SUBJECT_MAX {
            problems.add(pointer, format!("has more than {SUBJECT_MAX} characters"));
        }
        self.subject = subject;
    }

    fn settle_unsubscribe(&mut self, message: &Outbound, problems: &mut Problems) {
        let pointer = "/extras/unsubscribe_url";
        let Some(url) = message.extras.value("unsubscribe_url").map(str::trim).filter(|url| !url.is_empty()) else { return };
        let known = ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme));
        let plain = url.len() <= crate::compose::header::WORD_MAX
            && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>');
        if !known || !plain {
            problems
                .add(pointer, "is a URL of at most 900 ASCII characters: https:// (for unsubscribing with one click), http:// or mailto:");
        }
        for name in ["list-unsubscribe", "list-unsubscribe-post", "precedence"] {
            if self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                problems.add(pointer, format!("makes the header {name}, which the message gives itself: leave one of them out"));
            }
        }
        self.unsubscribe = Some(url.to_owned());
    }

    fn check_size(&self, settings: &Settings, problems: &mut Problems) {
        let texts = self.text.as_ref().map_or(0, String::len) + self.html.as_ref().map_or(0, String::len);
        if texts > TEXTS_MAX {
            problems.add("/content/0", format!("has {texts} bytes of text and HTML; {TEXTS_MAX} are the most"));
        }
        let (attached, most) = (self.attached(), u64::from(settings.max_attachment_bytes));
        if attached > most {
            let largest = self.inline.iter().chain(&self.attachments).max_by_key(|file| file.size);
            let pointer = largest.map_or("/content/0", |file| file.pointer.as_str());
            problems.add(pointer, format!("makes the letter's files {attached} bytes; max_attachment_bytes allows {most} in one letter"));
        }
        let recipients = self.to.len() + self.cc.len() + self.bcc.len();
        if recipients > RECIPIENTS_MAX {
            problems.add("/content/0/bcc", format!("makes {recipients} recipients; {RECIPIENTS_MAX} are the most of one letter"));
        }
    }
}

#[cfg(test)]
mod tests;
