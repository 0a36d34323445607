//! That LinkedIn tells of comments and reactions on an organisation's posts. It is subscribed for each app, member and organisation.

use patchbay_plugin::http::Request;
use serde_json::{Value, json};

use crate::api::{self, Trouble};
use crate::json::Json as _;
use crate::settings::Settings;
use crate::urn::encoded;

/// What is subscribed: none where the app's number isn't known.
pub(crate) struct Subscription<'a> {
    settings: &'a Settings,
    path: String,
}

impl<'a> Subscription<'a> {
    pub(crate) fn of(settings: &'a Settings, member: &str, organization: &str) -> Option<Self> {
        let application = encoded(&format!("urn:li:developerApplication:{}", settings.application_id()?));
        let (user, entity) = (encoded(member), encoded(organization));
        let path = format!(
            "/rest/eventSubscriptions/(developerApplication:{application},user:{user},entity:{entity},eventType:ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS)"
        );
        Some(Self { settings, path })
    }

    pub(crate) fn set(&self, webhook_url: &str) -> Result<(), Trouble> {
        let request = self.request("PUT").json(&json!({"webhook": webhook_url}))?;
        api::repeat(request).map(drop)
    }

    /// Where LinkedIn sends to; none where it isn't subscribed.
    pub(crate) fn read(&self) -> Result<Option<String>, Trouble> {
        match api::repeat(self.request("GET")) {
            Ok(response) => Ok(Some(response.json::<Value>().unwrap_or_default().text("webhook").unwrap_or_default().to_owned())),
            Err(Trouble::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    pub(crate) fn end(&self) -> Result<(), Trouble> {
        match api::repeat(self.request("DELETE")) {
            Ok(_) => Ok(()),
            Err(Trouble::Refused(refusal)) if refusal.status == 404 => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    fn request(&self, method: &str) -> Request {
        api::request(self.settings, method, &self.path)
    }
}
