//! A call's events to facts. HTML that came with them is made safe here, once, so that nothing behind this door has to think of it.

use std::panic::catch_unwind;

use patchbay_sandbox::contract::messages as wit;

use super::incoming::fact_in;
use crate::{
    domain::{
        content::{Content, Email},
        event::{Fact, Happening},
    },
    html::{Safe, sanitise},
};

pub async fn events_in(events: Vec<wit::Event>) -> Vec<Fact> {
    let mut facts: Vec<Fact> = events.into_iter().map(fact_in).collect();
    let mut emails: Vec<&mut Email> = facts.iter_mut().flat_map(emails_of).filter(|email| email.html.is_some()).collect();
    if emails.is_empty() {
        return facts;
    }
    let documents: Vec<String> = emails.iter().filter_map(|email| email.html.clone()).collect();
    // It may take a while: not where others wait for their turn.
    let made_safe = tokio::task::spawn_blocking(move || documents.iter().map(|html| safe(html)).collect::<Vec<_>>()).await;
    let mut made_safe = made_safe.unwrap_or_default().into_iter();
    for email in &mut emails {
        let safe = made_safe.next().flatten();
        email.html_original = email.html.take();
        email.remote_images = safe.as_ref().map(|safe| safe.remote_images);
        email.html = safe.map(|safe| safe.html);
    }
    facts
}

/// A document that breaks the parser is one that isn't shown, and no reason to lose its letter.
fn safe(html: &str) -> Option<Safe> {
    catch_unwind(|| sanitise(html)).unwrap_or_else(|_| {
        tracing::error!("a document could not be made safe, and isn't shown");
        None
    })
}

fn emails_of(fact: &mut Fact) -> impl Iterator<Item = &mut Email> {
    let said = match &mut fact.what {
        Happening::Message(inbound) | Happening::Edited(inbound) => inbound.content.as_mut_slice(),
        _ => &mut [],
    };
    said.iter_mut().filter_map(|content| if let Content::Email(email) = content { Some(email) } else { None })
}

#[cfg(test)]
mod tests {
    use patchbay_sandbox::contract::messages::{Content, Conversation, ConversationKind, Email, Event, Happening, Inbound, Party};

    use super::*;

    fn letter(html: &str) -> Event {
        let email = Email {
            subject: "Hello".into(),
            text: Some("Hello".into()),
            html: Some(html.into()),
            cc: Vec::new(),
            bcc: Vec::new(),
            attachments: Vec::new(),
            headers: Vec::new(),
        };
        let inbound = Inbound {
            external_id: "m".into(),
            conversation: Conversation { external_id: "c".into(), kind: ConversationKind::Direct, title: None },
            sender: Party { identities: Vec::new(), name: None },
            echo: false,
            content: vec![Content::Email(email)],
            reply_to: None,
            related: Vec::new(),
            automatic: false,
            origin: "direct".into(),
            sent_at_ms: None,
            reply_context: None,
            extras: Vec::new(),
        };
        Event {
            dedupe_key: "m".into(),
            account: None,
            conversation: None,
            actor: None,
            at_ms: None,
            what: Happening::Message(inbound),
            follow_up: None,
            extras: Vec::new(),
        }
    }

    #[tokio::test]
    async fn html_is_made_safe_and_kept_as_it_came() {
        let hostile = "<p onclick=x>Hi<img src=https://t.example/p.gif></p><script>alert(1)</script>";
        let huge = "x".repeat(2 * 1024 * 1024);
        let mut facts = events_in(vec![letter(hostile), letter(&huge)]).await;
        let emails: Vec<_> = facts.iter_mut().flat_map(emails_of).collect();
        let [email, large] = emails.as_slice() else { panic!("two emails") };
        assert_eq!(email.html.as_deref(), Some(r#"<p>Hi<img data-src="https://t.example/p.gif"></p>"#));
        assert_eq!((email.html_original.as_deref(), email.remote_images), (Some(hostile), Some(1)));
        assert_eq!((&large.html, large.html_original.as_ref(), large.remote_images), (&None, Some(&huge), None));
        assert_eq!(large.text.as_deref(), Some("Hello"));
    }
}
