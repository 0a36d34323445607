//! Messages → Notify's `UOWHATSAPP`.
//!
//! A message is planned first ([`plan`]): all that it takes is checked before the first request. Then each part goes out, and what was
//! accepted is kept, so that another attempt doesn't send it again.

pub(crate) mod plan;
mod progress;

use patchbay_appgain::Notify;
use patchbay_plugin::messages::{Command, Content, Outbound, Sent};
use patchbay_plugin::{Call, Failure, Field, Fields as _};
use serde_json::json;

use crate::settings::Settings;
use plan::{Plan, Step};
use progress::Progress;

/// What Appgain files our messages under, unless a message's extras say otherwise.
const CAMPAIGN: &str = "cg";

pub(crate) fn send(call: &Call, message: &Outbound) -> Sent {
    match &message.command {
        Command::Message(contents) => deliver(call, message, contents).into(),
        _ => Sent::failed(Failure::unsupported("command", "WhatsApp Lite sends messages, and can do nothing else to them")),
    }
}

fn deliver(call: &Call, message: &Outbound, contents: &[Content]) -> Result<Sent, Failure> {
    let settings: Settings = call.settings()?;
    let plan = plan::of(&settings, message, contents)?;
    let delivery = Delivery { notify: settings.notify()?, attempt: call.attempt, message, plan: &plan };
    Ok(delivery.all())
}

struct Delivery<'a> {
    notify: Notify<'a>,
    attempt: u32,
    message: &'a Outbound,
    plan: &'a Plan,
}

impl Delivery<'_> {
    fn all(&self) -> Sent {
        let several = self.plan.steps.len() > 1;
        let mut progress = if several { Progress::load(&self.message.id) } else { Progress::default() };
        let mut failed = None;
        for (part, step) in (0_u32..).zip(&self.plan.steps).skip(progress.count()) {
            match self.part(part, step, several) {
                Ok((id, reference)) => progress.accept(id, reference),
                Err(failure) => {
                    failed = Some(failure);
                    break;
                }
            }
            if several {
                progress.save(&self.message.id);
            }
        }
        Sent { accepted: progress.accepted(&self.named()), failed, events: Vec::new() }
    }

    /// The part's id, if the answer tells one, and our reference.
    fn part(&self, part: u32, step: &Step, several: bool) -> Result<(Option<String>, String), Failure> {
        // Our id alone means every part of the message, so where there are several each has a reference of its own.
        let client_ref = if several { format!("{}.{part}", self.message.id) } else { self.message.id.clone() };
        let mut content = json!({
            "message": step.text,
            "random_string": false,
            "receivers": [{"mobileNum": self.plan.number}],
            "client_ref": client_ref,
        });
        if let (Some(media), Some(content)) = (&step.media, content.as_object_mut()) {
            content.insert(media.field.into(), media.url.as_str().into());
            if let Some(name) = &media.file_name {
                content.insert("fileName".into(), name.as_str().into());
            }
        }
        let campaign = self.message.extras.value("campaign_name").filter(|name| !name.is_empty()).unwrap_or(CAMPAIGN);
        let body = json!({"UOWHATSAPP": content, "campaign_name": campaign});
        let delivered = self.notify.send(&body, &client_ref).map_err(|trouble| trouble.of_send(self.attempt))?;
        Ok((delivered.id, delivered.client_ref))
    }

    /// The conversation, where the recipient was written otherwise.
    fn named(&self) -> Vec<Field> {
        if self.message.to == self.plan.number { Vec::new() } else { vec![Field::new("conversation", self.plan.number.as_str())] }
    }
}
