//! A number that isn't on the Cloud API yet is registered there, with its PIN.

use patchbay_meta::{Json as _, Trouble};
use patchbay_plugin::{Failure, Field, crypto, log};
use serde_json::Value;

use super::choice::Chosen;
use super::{read_number, unknown};
use crate::settings::Settings;

/// The number as it stands, once it is registered.
pub(super) fn registered(settings: &Settings, chosen: &Chosen) -> Result<Value, Failure> {
    let id = &chosen.phone_number_id;
    let read = || {
        read_number(settings, id)
            .map_err(|trouble| unknown(trouble, "/phone_number_id", "Meta knows no such number, or the token may not see it"))
    };
    let number = read()?;
    if !needed(&number) {
        return Ok(number);
    }
    if number.text("code_verification_status").is_some_and(|status| status != "VERIFIED") && number.text("status") != Some("CONNECTED") {
        log::info("the number was never verified by a code; registering it is tried all the same", &[("number", id)]);
    }
    if !crypto::has("pin") {
        let words = "the number isn't registered on the Cloud API: give the six digits of its two-step verification, or six new ones where it has none";
        return Err(Failure::invalid("/pin", words));
    }
    // The PIN is the gateway's to add.
    let form = vec![Field::new("messaging_product", "whatsapp")];
    settings.graph_at("register").post(&format!("{id}/register")).form(form).repeatable().send().map_err(refused)?;
    read()
}

/// Whether the number can't send yet. One that lives on somebody's phone as well (coexistence) must not be registered.
fn needed(number: &Value) -> bool {
    let elsewhere = number.text("platform_type").is_some_and(|platform| platform != "CLOUD_API");
    let pending = matches!(number.text("status"), Some("PENDING" | "UNVERIFIED" | "MIGRATED"));
    (elsewhere || pending) && !number.flag("is_on_biz_app")
}

fn refused(trouble: Trouble) -> Failure {
    match trouble.refusal().map(|refusal| refusal.code) {
        Some(133_005) => {
            Failure::invalid("/pin", "isn't the number's PIN: it is reset in WhatsApp Manager > Phone numbers > Two-step verification")
        }
        Some(133_006) => {
            Failure::rejected("133006", "the number has to be verified first: WhatsApp Manager > Phone numbers sends the code")
        }
        Some(133_016) => {
            Failure::rejected("133016", "the number was registered too often: Meta allows ten attempts in 72 hours, try again after that")
        }
        _ => trouble.into(),
    }
}
