//! Who and what is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The developer's app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// Of OAuth.
    pub client_id: String,
    /// Signs webhooks too.
    pub client_secret: String,
    /// The number in `urn:li:developerApplication:…`.
    pub id: String,
}

/// A member.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Member {
    /// Behind `urn:li:person:`.
    pub id: String,
    /// First and last.
    pub name: String,
    /// Where the own member knows it.
    pub email: String,
    /// A first-degree connection of the own member: may be written to.
    pub connected: bool,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Organization {
    /// Behind `urn:li:organization:`.
    pub id: String,
    /// As people read it.
    pub name: String,
    /// As its address has it.
    pub vanity_name: String,
    /// The own member's part.
    pub role: String,
    /// Of that part.
    pub state: String,
}

impl Default for Organization {
    fn default() -> Self {
        let (role, state) = ("ADMINISTRATOR".to_owned(), "APPROVED".to_owned());
        Self { id: String::new(), name: String::new(), vanity_name: String::new(), role, state }
    }
}

/// A post that was published.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Post {
    /// `urn:li:share:…` or `urn:li:ugcPost:…`.
    pub id: String,
    /// `urn:li:person:…` or `urn:li:organization:…`.
    pub author: String,
    /// As it was written, in little text.
    pub commentary: String,
    /// As people see it: cut where something reserved wasn't escaped.
    pub shown: String,
    /// Who sees it.
    pub visibility: String,
    /// `{"media":…}` and the like; null for text alone.
    pub content: Value,
    /// All of the request.
    pub body: Value,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// A comment that was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comment {
    /// `urn:li:comment:(…)`.
    pub id: String,
    /// Of the post.
    pub target: String,
    /// Who writes.
    pub actor: String,
    /// What.
    pub text: String,
}

/// A message to members.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Message {
    /// `urn:li:message:…`.
    pub id: String,
    /// Where it is in.
    pub thread: String,
    /// To whom, where it begins a thread.
    pub recipients: Vec<String>,
    /// Where there is one.
    pub subject: String,
    /// What.
    pub body: String,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_s: u64,
    pub(crate) expires_s: u64,
    pub(crate) revoked: bool,
    /// Of codes: where it has to come from.
    pub(crate) redirect_uri: String,
}

/// A file on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asset {
    pub(crate) owner: String,
    /// Bytes by the number of the part.
    pub(crate) parts: BTreeMap<u32, Vec<u8>>,
    /// Bytes that were announced: of videos.
    pub(crate) announced: usize,
    pub(crate) upload_token: String,
    /// `WAITING_UPLOAD`, `PROCESSING`, `AVAILABLE`, `PROCESSING_FAILED`.
    pub(crate) status: String,
    /// So many looks until a video is there.
    pub(crate) looks_left: u32,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) app: App,
    /// The one who logs in.
    pub(crate) me: Member,
    pub(crate) members: Vec<Member>,
    pub(crate) organizations: Vec<Organization>,
    pub(crate) codes: BTreeMap<String, Grant>,
    pub(crate) tokens: BTreeMap<String, Grant>,
    pub(crate) refresh_tokens: BTreeMap<String, Grant>,
    pub(crate) posts: Vec<Post>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) messages: Vec<Message>,
    /// URNs that webhooks have spoken of: posts of others, comments, threads.
    pub(crate) seen: BTreeSet<String>,
    pub(crate) assets: BTreeMap<String, Asset>,
    /// The app's own webhook.
    pub(crate) webhook: Option<String>,
    /// Entity to URL.
    pub(crate) subscriptions: BTreeMap<String, String>,
    /// URLs whose challenges have failed, one after the other.
    pub(crate) challenges_failed: BTreeMap<String, u32>,
    /// Calls of today, by resource.
    pub(crate) calls: BTreeMap<String, u32>,
}

impl World {
    /// Under the ids of the documents.
    pub(crate) fn seeded() -> Self {
        let member = |id: &str, name: &str, connected: bool| Member {
            id: id.into(),
            name: name.into(),
            email: format!("{id}@example.com"),
            connected,
        };
        Self {
            app: App { client_id: "li_client_id".into(), client_secret: "li_client_secret".into(), id: "9001".into() },
            me: member("me", "Mona Lind", true),
            members: vec![member("abc", "Sara Ali", true), member("stranger", "Tom Unknown", false)],
            organizations: vec![Organization {
                id: "5590506".into(),
                name: "Acme".into(),
                vanity_name: "acme".into(),
                ..Organization::default()
            }],
            seen: ["urn:li:messageThread:2-abc", "urn:li:share:71"].map(str::to_owned).into(),
            ..Self::default()
        }
    }

    pub(crate) fn revoke(&mut self) {
        for grant in self.tokens.values_mut().chain(self.refresh_tokens.values_mut()) {
            grant.revoked = true;
        }
    }

    pub(crate) fn me_urn(&self) -> String {
        format!("urn:li:person:{}", self.me.id)
    }

    /// The member's own, or an organisation that the member may write for.
    pub(crate) fn may_write_as(&self, author: &str) -> bool {
        let writes = |organization: &Organization| {
            organization.state == "APPROVED"
                && matches!(organization.role.as_str(), "ADMINISTRATOR" | "CONTENT_ADMINISTRATOR" | "CONTENT_ADMIN")
        };
        match author.strip_prefix("urn:li:organization:") {
            Some(id) => self.organizations.iter().any(|organization| organization.id == id && writes(organization)),
            None => author == self.me_urn(),
        }
    }
}
