//! What tests add: apps, people who log in, businesses, WhatsApp accounts, Pages and Instagram accounts.

use serde_json::{Map, Value};

/// An app of the developer's dashboard.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its secret: signs webhooks of the three objects.
    pub secret: String,
    /// As the consent screen shows it.
    pub name: String,
    /// The id of its Instagram product, for Instagram Login.
    pub instagram_app_id: String,
    /// The secret that goes with it.
    pub instagram_secret: String,
    /// Calls without a proof are refused ("require app secret").
    pub require_proof: bool,
    /// The Instagram secret signs webhooks of accounts that logged in with Instagram; else the app's.
    pub instagram_secret_signs: bool,
    /// Where the dialogs may send people to; empty takes any.
    pub redirect_uris: Vec<String>,
}

impl Default for App {
    fn default() -> Self {
        Self {
            id: "300000000000001".into(),
            secret: "appsecret".into(),
            name: "Fake Gateway".into(),
            instagram_app_id: "310000000000001".into(),
            instagram_secret: "igappsecret".into(),
            require_proof: false,
            instagram_secret_signs: false,
            redirect_uris: Vec::new(),
        }
    }
}

/// A person who logs in and consents.
#[derive(Debug, Clone)]
pub struct User {
    /// The app-scoped id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The WABAs, Pages, Instagram accounts and businesses this person has; empty is all there are.
    pub assets: Vec<String>,
}

impl Default for User {
    fn default() -> Self {
        Self { id: "218471".into(), name: "Rana Fake".into(), assets: Vec::new() }
    }
}

/// A business portfolio.
#[derive(Debug, Clone)]
pub struct Business {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Default for Business {
    fn default() -> Self {
        Self { id: "400000000000001".into(), name: "Fake Business".into() }
    }
}

/// A Facebook Page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub category: String,
    /// The business that owns it.
    pub business: String,
    /// What the person who logs in may do on it.
    pub tasks: Vec<String>,
    /// The Instagram account linked to it.
    pub instagram: Option<String>,
    /// False for a Page that is held through a business only: `/me/accounts` leaves it out.
    pub in_me_accounts: bool,
    /// The app has the Human Agent permission.
    pub human_agent: bool,
    /// Any other field of the node (`is_published`…).
    pub facts: Map<String, Value>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            id: "100000000000001".into(),
            name: "Fake Shop".into(),
            category: "Shopping".into(),
            business: "400000000000001".into(),
            tasks: ["MESSAGING", "MODERATE", "CREATE_CONTENT", "ADVERTISE", "ANALYZE", "MANAGE"].map(Into::into).into(),
            instagram: None,
            in_me_accounts: true,
            human_agent: true,
            facts: Map::new(),
        }
    }
}

/// An Instagram professional account.
#[derive(Debug, Clone)]
pub struct Instagram {
    /// The id that webhooks name (`user_id` of `/me`).
    pub id: String,
    /// The app-scoped id (`id` of `/me`), which webhooks never name.
    pub scoped_id: String,
    /// Without the @.
    pub username: String,
    /// The name.
    pub name: String,
    /// `BUSINESS`, `MEDIA_CREATOR`, or `PERSONAL`, which can't be connected.
    pub account_type: String,
    /// The app has the Human Agent permission.
    pub human_agent: bool,
    /// "Allow access to messages" in the Instagram app; off refuses sends and silences webhooks.
    pub message_access: bool,
}

impl Default for Instagram {
    fn default() -> Self {
        Self {
            id: "17841400000000001".into(),
            scoped_id: "28978000000000001".into(),
            username: "fake.shop".into(),
            name: "Fake Shop".into(),
            account_type: "BUSINESS".into(),
            human_agent: true,
            message_access: true,
        }
    }
}

/// A WhatsApp Business Account with its numbers.
#[derive(Debug, Clone)]
pub struct Waba {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The business that owns it.
    pub business: String,
    /// Its phone numbers.
    pub numbers: Vec<Number>,
    /// Any other field of the node, in place of the usual one.
    pub facts: Map<String, Value>,
}

impl Default for Waba {
    fn default() -> Self {
        Self {
            id: "800000000000001".into(),
            name: "Fake Shop".into(),
            business: "400000000000001".into(),
            numbers: vec![Number::default()],
            facts: Map::new(),
        }
    }
}

/// A phone number of a WABA.
#[derive(Debug, Clone)]
pub struct Number {
    /// Its id.
    pub id: String,
    /// As people read it.
    pub display_phone_number: String,
    /// The name that was approved.
    pub verified_name: String,
    /// On the Cloud API; sends of others are 133010.
    pub registered: bool,
    /// The two-step PIN; none takes the first one it is registered with.
    pub pin: Option<String>,
    /// Any other field of the node (`status`, `quality_rating`, `health_status`…), in place of the usual one.
    pub facts: Map<String, Value>,
}

impl Default for Number {
    fn default() -> Self {
        Self {
            id: "900000000000001".into(),
            display_phone_number: "+1 555-000-1111".into(),
            verified_name: "Fake Shop".into(),
            registered: true,
            pin: None,
            facts: Map::new(),
        }
    }
}

impl Number {
    /// The digits alone, as webhooks write it.
    pub(crate) fn digits(&self) -> String {
        self.display_phone_number.chars().filter(char::is_ascii_digit).collect()
    }
}

/// Somebody who writes to accounts: a WhatsApp number, a PSID or an IGSID.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The id that messages are addressed to.
    pub id: String,
    /// The name.
    pub name: String,
    /// WhatsApp: the business-scoped id.
    pub bsuid: Option<String>,
    /// The profile can't be read.
    pub private: bool,
    /// Any other field of the profile (`username`, `profile_pic`…).
    pub facts: Map<String, Value>,
}

/// What the person at the dialogs does.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Cancels.
    pub deny: bool,
    /// Scopes unticked.
    pub decline: Vec<String>,
    /// Pages, WABAs, Instagram accounts and businesses unticked.
    pub untick: Vec<String>,
    /// Who logs in; left out is the first user.
    pub user: Option<String>,
    /// Which Instagram account logs in; left out is the first.
    pub instagram: Option<String>,
    /// `granular_scopes` without `target_ids`: all assets, now and later.
    pub all_assets: bool,
    /// The code comes with another state than the one sent.
    pub state: Option<String>,
}

/// A business login configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its id.
    pub id: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// The token is a system user's; else the person's.
    pub system_user: bool,
    /// Seconds the token lives; 0 is for good.
    pub lives_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            id: "500000000000001".into(),
            scopes: ["whatsapp_business_management", "whatsapp_business_messaging", "business_management"].map(Into::into).into(),
            system_user: true,
            lives_s: 0,
        }
    }
}
