//! Who is there: apps, business accounts with their posts, and people.

use serde::{Deserialize, Serialize};

/// A developer's app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct App {
    /// `client_key`, `client_id` and `app_id` in one.
    pub id: String,
    /// Also the key of its webhooks.
    pub secret: String,
    /// Where the login may go back to; none is anywhere.
    pub redirect_uris: Vec<String>,
}

impl Default for App {
    fn default() -> Self {
        Self { id: "7300000000000000001".into(), secret: "tt_app_secret".into(), redirect_uris: Vec::new() }
    }
}

/// A business account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Business {
    /// `open_id` of the tokens, `business_id` of the calls, `user_openid` of the webhooks.
    pub id: String,
    /// Its handle, without `@`.
    pub username: String,
    /// Its name.
    pub display_name: String,
    /// The videos that it has published.
    pub posts: Vec<Post>,
}

impl Default for Business {
    fn default() -> Self {
        Self {
            id: "biz_open_id_1".into(),
            username: "acme".into(),
            display_name: "Acme".into(),
            posts: vec![Post { item_id: "75".into(), caption: "Spring".into() }, Post { item_id: "76".into(), caption: "Summer".into() }],
        }
    }
}

/// A video of a business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Post {
    /// Its id.
    pub item_id: String,
    /// What is written under it.
    pub caption: String,
}

/// Somebody who writes to businesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// `unique_identifier` of the webhooks.
    pub id: String,
    /// Their handle, without `@`.
    pub username: String,
    /// Their name.
    pub display_name: String,
    /// Whether they follow.
    pub is_follower: bool,
}

impl Default for Person {
    fn default() -> Self {
        Self { id: "u_77".into(), username: "mona_shop".into(), display_name: "Mona".into(), is_follower: true }
    }
}
