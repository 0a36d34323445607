//! One message to every device of the recipient: each subscription is a part.

use patchbay_plugin::failure::Detail;
use patchbay_plugin::http::{Body, Request};
use patchbay_plugin::messages::{Event, Happening, Outbound, Sent, Subscription};
use patchbay_plugin::progress::Progress;
use patchbay_plugin::{Call, Failure, Field, Fields as _, log};

use crate::encryption::{Once, Receiver, encrypt};
use crate::notice::{Addressed, Notice};
use crate::settings::Settings;
use crate::vapid::{self, Signer};
use crate::verdict::{self, Verdict};
use crate::{endpoint, place, token};

/// Milliseconds for one push service.
const PATIENCE_MS: f64 = 10_000.0;

pub(crate) fn send(call: &Call, message: &Outbound) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let notice = Notice::of(&settings, message)?;
    if message.subscriptions.is_empty() {
        return Err(Failure::recipient("not_subscribed", "none of the recipient's devices takes notifications"));
    }
    let track = format!("{}/events", place::base(call)?);
    let signer = Signer::new(&settings.vapid_subject, place::now_ms(call)?)?;
    let mut progress = Progress::load(&message.id);
    let before = progress.accepted();
    let mut round = Round { call, message, settings: &settings, notice: &notice, track: &track, signer: &signer, tried: Vec::new() };
    for subscription in &message.subscriptions {
        let id = external_id(message, subscription);
        if before.iter().any(|part| part.external_id.as_deref() == Some(&id)) {
            continue;
        }
        let verdict = round.push(subscription).unwrap_or_else(Verdict::Fails);
        if let Verdict::Accepted(location) = &verdict {
            progress.accept(Some(id), &location.iter().map(|location| Field::new("location", location)).collect::<Vec<_>>());
            progress.save(&message.id);
        }
        round.tried.push((subscription, verdict));
    }
    let accepted = progress.accepted();
    let tried = round.judged();
    let events = tried.iter().filter_map(|(subscription, verdict)| ended(message, subscription, verdict)).collect();
    let failed = verdict::of_message(!accepted.is_empty(), tried.into_iter().map(|(_, verdict)| verdict).collect());
    Ok(Sent { accepted, failed, events })
}

/// The part's id: what receipts and clicks name.
fn external_id(message: &Outbound, subscription: &Subscription) -> String {
    format!("{}:{}", message.id, subscription.id)
}

struct Round<'a> {
    call: &'a Call,
    message: &'a Outbound,
    settings: &'a Settings,
    notice: &'a Notice,
    track: &'a str,
    signer: &'a Signer<'a>,
    tried: Vec<(&'a Subscription, Verdict)>,
}

impl<'a> Round<'a> {
    fn push(&self, subscription: &Subscription) -> Result<Verdict, Failure> {
        let address = endpoint::check(&subscription.endpoint, &self.settings.endpoint_allowlist)
            .map_err(|why| Failure::rejected("endpoint_not_allowed", format!("the subscription's endpoint {why}")))?;
        let key = |name: &str| subscription.keys.value(name).unwrap_or_default();
        let receiver = match Receiver::parse(key("p256dh"), key("auth")) {
            Ok(receiver) => receiver,
            // Nothing will ever be read there.
            Err((name, why)) => return Ok(Verdict::Gone(Detail::new("broken_keys", format!("the subscription's key {name} {why}")))),
        };
        let tok = token::of(&self.message.id, &subscription.id)?;
        let payload = self.notice.payload(&Addressed { track: self.track, sub: &subscription.id, tok: &tok })?;
        let body = encrypt(&receiver, &Once::draw()?, &payload)?;
        let origin = address.origin();
        let token = self.signer.token(&origin)?;
        let mut request = Request::post("push", &subscription.endpoint)
            .repeatable()
            .timeout_ms(self.patience())
            .header("ttl", self.notice.ttl_s.to_string())
            .header("urgency", self.notice.urgency.word())
            .header("content-encoding", "aes128gcm")
            .header("content-type", "application/octet-stream")
            .header("authorization", token.header())
            .body(Body::Bytes(body));
        if let Some(topic) = &self.notice.topic {
            request = request.header("topic", topic);
        }
        Ok(match request.send() {
            Ok(response) => self.read(Verdict::of(&response), &origin, token),
            Err(error) => Verdict::of_error(error),
        })
    }

    /// What the push service thinks of the key is kept for the next time.
    fn read(&self, verdict: Verdict, origin: &str, token: vapid::Token) -> Verdict {
        match verdict {
            Verdict::Accepted(_) => token.prove(origin),
            // It took tokens of this key before, and says nothing against this one: it is the subscription that was made with another key.
            Verdict::Refused(detail) if token.is_proven && !detail.message.contains("JwtToken") => {
                return Verdict::Gone(Detail { code: "other_key".to_owned(), ..detail });
            }
            Verdict::Refused(_) => vapid::forget(origin),
            Verdict::Gone(_) | Verdict::Waits(_) | Verdict::Fails(_) => {}
        }
        verdict
    }

    /// Milliseconds for the next push service: the last ones get their share, too.
    fn patience(&self) -> u32 {
        let left = self.message.subscriptions.len().saturating_sub(self.tried.len()).max(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1,000 and 10,000"
        )]
        let share = (self.call.deadline_ms / (left as f64 + 1.0)).clamp(1000.0, PATIENCE_MS) as u32;
        share
    }

    /// Once a push service has taken the message for another device, whoever it refused was refused for its own key.
    fn judged(self) -> Vec<(&'a Subscription, Verdict)> {
        let origin =
            |one: &Subscription| endpoint::check(&one.endpoint, &self.settings.endpoint_allowlist).map(|address| address.origin()).ok();
        let accepted = self.tried.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Accepted(_)));
        let took: Vec<_> = accepted.filter_map(|(one, _)| origin(one)).collect();
        let judged = |one: &Subscription, verdict| match verdict {
            Verdict::Refused(detail) if origin(one).is_some_and(|origin| took.contains(&origin)) => {
                Verdict::Gone(Detail { code: "other_key".to_owned(), ..detail })
            }
            other => other,
        };
        let tried: Vec<_> = self.tried.into_iter().map(|(subscription, verdict)| (subscription, judged(subscription, verdict))).collect();
        for (subscription, verdict) in &tried {
            if let Verdict::Fails(failure) = verdict {
                let words = patchbay_plugin::failure::Words(failure).to_string();
                log::warn("a device could not be reached", &[("subscription", &subscription.id), ("failure", &words)]);
            }
        }
        tried
    }
}

/// A subscription that will never take a push again is told once, and forgotten by the gateway.
fn ended(message: &Outbound, subscription: &Subscription, verdict: &Verdict) -> Option<Event> {
    let Verdict::Gone(detail) = verdict else { return None };
    let ended = Subscription {
        id: subscription.id.clone(),
        endpoint: subscription.endpoint.clone(),
        keys: Vec::new(),
        active: false,
        extras: vec![Field::new("reason", &detail.code)],
    };
    Some(Event::new(format!("ended:{}", external_id(message, subscription)), Happening::Subscription(ended)))
}
