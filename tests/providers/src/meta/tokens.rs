//! Tokens: whose they are, what they may do, and how long.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::meta::answer::GraphError;
use crate::meta::world::World;

pub(crate) const SHORT_S: u64 = 3600;
/// Sixty days, as Graph counts them.
pub(crate) const LONG_S: u64 = 5_183_944;
const DATA_ACCESS_S: u64 = 90 * 24 * 3600;

/// Whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TokenKind {
    #[default]
    User,
    Page,
    SystemUser,
    Instagram,
    App,
}

impl TokenKind {
    fn name(self) -> &'static str {
        match self {
            Self::User | Self::Instagram => "USER",
            Self::Page => "PAGE",
            Self::SystemUser => "SYSTEM_USER",
            Self::App => "APP",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Token {
    pub(crate) token: String,
    pub(crate) kind: TokenKind,
    pub(crate) app: String,
    pub(crate) user: String,
    /// The Page or the Instagram account of a token of that kind.
    pub(crate) profile: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) declined: Vec<String>,
    /// The assets that it reaches; none is all that there are.
    pub(crate) assets: Option<Vec<String>>,
    pub(crate) issued_at: u64,
    /// 0 is never.
    pub(crate) expires_at: u64,
    pub(crate) long: bool,
    /// The subcode of 190 it meets.
    pub(crate) dead: Option<u32>,
}

impl Token {
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    pub(crate) fn reaches(&self, asset: &str) -> bool {
        self.assets.as_ref().is_none_or(|assets| assets.iter().any(|one| one == asset))
    }
}

/// A code of a dialog, to be changed for a token once.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) redirect_uri: Option<String>,
    pub(crate) token: Token,
    pub(crate) used: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_text: BTreeMap<String, Token>,
    pub(crate) codes: BTreeMap<String, Code>,
    counter: u64,
}

impl Tokens {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Gives the token its text and keeps it.
    pub(crate) fn mint(&mut self, mut token: Token) -> Token {
        let number = self.next();
        let prefix = match token.kind {
            TokenKind::User => "EAAuser",
            TokenKind::Page => "EAApage",
            TokenKind::SystemUser => "EAAsystem",
            TokenKind::Instagram => "IGAAstandin",
            TokenKind::App => "EAAapp",
        };
        token.token = format!("{prefix}{number:04}ZBStandInToken{}", if token.long { "Long" } else { "" });
        self.by_text.insert(token.token.clone(), token.clone());
        token
    }

    /// A code that a dialog gives out.
    pub(crate) fn code(&mut self, redirect_uri: Option<String>, token: Token) -> String {
        let code = format!("AQstandin{:04}-_code", self.next());
        self.codes.insert(code.clone(), Code { redirect_uri, token, used: false });
        code
    }

    /// The Page token that goes with a user's: the same each time.
    pub(crate) fn page_token(&mut self, user: &Token, page: &str) -> Token {
        let known = self.by_text.values().find(|token| {
            token.kind == TokenKind::Page
                && token.profile == page
                && token.user == user.user
                && token.app == user.app
                && token.issued_at >= user.issued_at
                && token.scopes == user.scopes
                && token.expires_at == if user.long { 0 } else { user.expires_at }
        });
        if let Some(known) = known {
            return known.clone();
        }
        let token = Token {
            kind: TokenKind::Page,
            profile: page.to_owned(),
            expires_at: if user.long { 0 } else { user.expires_at },
            declined: Vec::new(),
            ..user.clone()
        };
        self.mint(token)
    }

    pub(crate) fn find(&self, text: &str) -> Option<&Token> {
        self.by_text.get(text)
    }

    pub(crate) fn change(&mut self, affected: impl Fn(&Token) -> bool, change: impl Fn(&mut Token)) -> usize {
        self.by_text.values_mut().filter(|token| affected(token)).map(change).count()
    }

    /// The token that a call brings, alive.
    pub(crate) fn authenticate(&self, text: &str, world: &World, now_s: u64) -> Result<Token, GraphError> {
        if let Some((app, secret)) = text.split_once('|') {
            let known = world.apps.iter().find(|known| known.id == app && known.secret == secret);
            return match known {
                Some(app) => Ok(Token { token: text.to_owned(), kind: TokenKind::App, app: app.id.clone(), ..Token::default() }),
                None => Err(GraphError::of(190).saying("Invalid OAuth access token signature.")),
            };
        }
        let Some(token) = self.by_text.get(text) else { return Err(GraphError::of(190)) };
        match death(token, now_s) {
            Some(subcode) => Err(GraphError::sub(190, subcode)),
            None => Ok(token.clone()),
        }
    }

    /// `data` of `debug_token`.
    pub(crate) fn debug(&self, text: &str, world: &World, now_s: u64) -> Value {
        let Some(token) = self.by_text.get(text) else {
            let error = GraphError::of(190);
            return json!({"error": {"code": 190, "message": error.message}, "is_valid": false, "scopes": []});
        };
        let death = death(token, now_s);
        let mut data = json!({"app_id": token.app, "type": token.kind.name(), "is_valid": death.is_none(),
            "application": world.app(&token.app).map(|app| app.name.clone()), "issued_at": token.issued_at, "expires_at": token.expires_at,
            "data_access_expires_at": token.issued_at + DATA_ACCESS_S, "scopes": token.scopes, "user_id": token.user});
        let granular: Vec<_> = token.scopes.iter().filter_map(|scope| granular(scope, token, world)).collect();
        data["granular_scopes"] = granular.into();
        if !token.profile.is_empty() {
            data["profile_id"] = token.profile.clone().into();
        }
        if let Some(subcode) = death {
            data["error"] = json!({"code": 190, "subcode": subcode, "message": GraphError::sub(190, subcode).message});
        }
        data
    }
}

fn death(token: &Token, now_s: u64) -> Option<u32> {
    token.dead.or_else(|| (token.expires_at > 0 && token.expires_at <= now_s).then_some(463))
}

fn granular(scope: &str, token: &Token, world: &World) -> Option<Value> {
    let ids: Vec<String> = match scope {
        scope if scope.starts_with("whatsapp_") => world.wabas.iter().map(|waba| waba.id.clone()).collect(),
        scope if scope.starts_with("pages_") => world.pages.iter().map(|page| page.id.clone()).collect(),
        scope if scope.starts_with("instagram_") => world.instagrams.iter().map(|instagram| instagram.id.clone()).collect(),
        "business_management" => world.businesses.iter().map(|business| business.id.clone()).collect(),
        _ => return None,
    };
    Some(match &token.assets {
        None => json!({"scope": scope}),
        Some(_) => json!({"scope": scope, "target_ids": ids.into_iter().filter(|id| token.reaches(id)).collect::<Vec<_>>()}),
    })
}
