//! One letter: from MAIL FROM to the answer behind the last dot.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use tokio::time::Instant;

use super::refusal::{Stage, refused};
use super::{Letter, Reply, Session, uncertain};
use crate::domain::failure::{Failure, FailureClass};
use crate::egress::Dispatch;
use crate::mail::failing::{rejected, unavailable};
use crate::mail::{Envelope, Refusal, Submitted};

/// How long a server that stopped reading is given to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is said before the letter.
struct Plan {
    mail: Mail,
    /// As they were given, and as they are said.
    recipients: Vec<(String, Address)>,
    /// Those that can't be said.
    refused: Vec<Refusal>,
}

impl Session {
    /// # Errors
    /// No recipient was taken, or the letter wasn't. `uncertain` where the connection broke behind the last dot.
    pub(in crate::mail) async fn submit(
        &mut self,
        envelope: &Envelope,
        letter: &Letter<'_>,
        dispatch: &mut Option<&mut dyn Dispatch>,
    ) -> Result<Submitted, Failure> {
        let Plan { mail, recipients, mut refused } = self.plan(envelope, letter)?;
        if recipients.is_empty() {
            return Err(worst(refused));
        }
        if let Some(dispatch) = dispatch {
            dispatch.about_to_send().await.map_err(|why| unavailable("not_recorded", format!("the gateway couldn't record it: {why}")))?;
        }
        let taken = self.address(&mail, recipients, &mut refused).await;
        let answered = match taken {
            Ok(()) => self.send(letter).await,
            Err(failure) => Err(failure),
        };
        match answered {
            Ok(reply) => Ok(Submitted { response: format!("{} {}", reply.code(), reply.text()).trim().to_owned(), refused }),
            Err(failure) => {
                // What was said of this letter must not count for the next.
                if self.is_usable && !matches!(self.command(&Rset).await, Ok(reply) if reply.is(250)) {
                    self.is_usable = false;
                }
                Err(failure)
            }
        }
    }

    /// What is said, as the server's offers allow, and the recipients that can't be said.
    fn plan(&self, envelope: &Envelope, letter: &Letter<'_>) -> Result<Plan, Failure> {
        if let Some(most) = self.extensions.size()
            && letter.size > most
        {
            return Err(rejected(
                "too_large",
                format!("{}: the server takes letters of {most} bytes, and this one has {}", self.host, letter.size),
            ));
        }
        if !letter.is_ascii && !self.extensions.has("8BITMIME") {
            return Err(rejected("8bitmime_missing", format!("{}: the server takes ASCII alone, and the letter has more", self.host)));
        }
        let takes_utf8 = self.extensions.has("SMTPUTF8");
        let sender = match &envelope.sender {
            Some(text) => Some(address(text, takes_utf8).map_err(|why| rejected("address_invalid", format!("the sender {why}")))?),
            None => None,
        };
        let (mut recipients, mut refused) = (Vec::new(), Vec::new());
        for recipient in &envelope.recipients {
            match address(recipient, takes_utf8) {
                Ok(address) => recipients.push((recipient.clone(), address)),
                Err(why) => {
                    let failure = Failure::new(FailureClass::Recipient, "address_invalid", format!("the recipient {why}"));
                    refused.push(Refusal { recipient: recipient.clone(), failure });
                }
            }
        }
        if envelope.recipients.is_empty() {
            return Err(rejected("no_recipient", "the letter has no recipient"));
        }
        let mut parameters = Vec::new();
        if self.extensions.has("SIZE") {
            parameters.push(MailParameter::Size(usize::try_from(letter.size).unwrap_or(usize::MAX)));
        }
        if self.extensions.has("8BITMIME") {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let beyond_ascii = |address: &Address| !address.to_string().is_ascii();
        if sender.as_ref().is_some_and(beyond_ascii) || recipients.iter().any(|(_, address)| beyond_ascii(address)) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        Ok(Plan { mail: Mail::new(sender, parameters), recipients, refused })
    }

    /// Sender and recipients, one by one: what one of them is refused for says nothing of the others.
    async fn address(&mut self, mail: &Mail, recipients: Vec<(String, Address)>, refusals: &mut Vec<Refusal>) -> Result<(), Failure> {
        let reply = self.command(mail).await?;
        if !reply.is(250) {
            return Err(refused(Stage::Sender, &reply));
        }
        let mut is_taken = false;
        for (recipient, address) in recipients {
            let reply = self.command(&Rcpt::new(address, Vec::new())).await?;
            match reply.code() {
                250 | 251 => is_taken = true,
                421 => return Err(refused(Stage::Recipient, &reply)),
                _ => refusals.push(Refusal { recipient, failure: refused(Stage::Recipient, &reply) }),
            }
        }
        if is_taken { Ok(()) } else { Err(worst(std::mem::take(refusals))) }
    }

    async fn send(&mut self, letter: &Letter<'_>) -> Result<Reply, Failure> {
        let reply = self.command(&Data).await?;
        if !reply.is(354) {
            return Err(refused(Stage::Letter, &reply));
        }
        // Until the dot has left, the server has nothing; from here on the connection can't be used for anything else.
        self.is_usable = false;
        let mut pieces = letter.begin();
        while let Some(piece) = pieces.next().await? {
            let written = self.wire.write(&piece).await;
            self.written(written).await?;
        }
        let end = pieces.end();
        let ended = self.wire.write(&end).await;
        let answered = match ended {
            Ok(()) => Reply::read(&mut self.wire).await,
            Err(error) => Err(error),
        };
        let reply = answered.map_err(|error| uncertain(&self.host, &error))?;
        self.is_usable = !reply.is(421);
        if reply.is(250) { Ok(reply) } else { Err(refused(Stage::Letter, &reply)) }
    }

    /// A server that closes while it is written to has often said why.
    async fn written(&mut self, written: std::io::Result<()>) -> Result<(), Failure> {
        let Err(error) = written else { return Ok(()) };
        self.wire.until(Instant::now() + LAST_WORDS);
        match Reply::read(&mut self.wire).await {
            Ok(reply) if reply.code() >= 400 => Err(refused(Stage::Letter, &reply)),
            _ => self.intact(Err(error)),
        }
    }
}

/// What the whole letter failed for where nobody was taken: what may pass by itself, else the first.
fn worst(refused: Vec<Refusal>) -> Failure {
    let passes = |refusal: &Refusal| matches!(refusal.failure.class, FailureClass::Limited | FailureClass::Unavailable);
    let at = refused.iter().position(passes).unwrap_or_default();
    let found = refused.into_iter().nth(at).map(|refusal| refusal.failure);
    found.unwrap_or_else(|| rejected("no_recipient", "the letter has no recipient"))
}

/// An address as it is said. Its domain needs no more than ASCII; what stands before it may.
fn address(text: &str, takes_utf8: bool) -> Result<Address, String> {
    let shown: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).take(100).collect();
    let wrong = |why: &str| Err(format!("“{shown}” {why}"));
    if text.len() > 320 || text.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>')) {
        return wrong("isn't an address: it has spaces, brackets or control characters, or is too long");
    }
    let Ok(address) = text.parse::<Address>() else { return wrong("isn't an address: name@example.com") };
    if address.user().is_ascii() {
        let ascii = if address.domain().is_ascii() { Some(address.domain().to_owned()) } else { punycode(address.domain()) };
        return match ascii.and_then(|domain| Address::new(address.user(), domain).ok()) {
            Some(address) => Ok(address),
            None => wrong("isn't an address: there is no such domain"),
        };
    }
    if takes_utf8 { Ok(address) } else { wrong("has letters beyond ASCII, which the server doesn't take (SMTPUTF8)") }
}

fn punycode(domain: &str) -> Option<String> {
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(domain)) => Some(domain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_no_more() {
        for right in ["a@example.com", "a+b@example.com", "a.b@mail.example.com", "\"a-b\"@example.com"] {
            assert_eq!(address(right, false).unwrap().to_string(), right);
        }
        for wrong in [
            "a@example.com\r\nRCPT TO:<x@evil.example>",
            "a\n@example.com",
            "<a@example.com>",
            "a b@example.com",
            "a",
            "@example.com",
            "",
            "a@b@\0",
        ] {
            assert!(address(wrong, true).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn letters_beyond_ascii_need_the_server_only_before_the_at() {
        assert_eq!(address("info@bücher.example", false).unwrap().to_string(), "info@xn--bcher-kva.example");
        assert!(address("büro@example.com", false).unwrap_err().contains("SMTPUTF8"));
        assert_eq!(address("büro@bücher.example", true).unwrap().to_string(), "büro@bücher.example");
    }

    #[test]
    fn what_may_pass_is_what_a_letter_failed_for() {
        let refusal = |class| Refusal { recipient: "a".to_owned(), failure: Failure::new(class, "x", "x") };
        let of = |classes: &[FailureClass]| worst(classes.iter().copied().map(refusal).collect()).class;
        assert_eq!(of(&[FailureClass::Recipient, FailureClass::Limited]), FailureClass::Limited);
        assert_eq!(of(&[FailureClass::Recipient, FailureClass::Rejected]), FailureClass::Recipient);
        assert_eq!(of(&[]), FailureClass::Rejected);
    }
}
