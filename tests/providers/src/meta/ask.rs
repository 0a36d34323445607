//! A request, taken apart: which call of which node, and with whose token.

use axum::http::{HeaderMap, Method, header, request};

use crate::meta::answer::GraphError;
use crate::meta::params::Params;
use crate::meta::server::Server;
use crate::meta::sign::appsecret_proof;
use crate::meta::tokens::{Token, TokenKind};
use crate::meta::world::{Kind, World};

/// The version that calls without one run as.
const OLDEST: &str = "v19.0";

#[derive(Debug)]
pub(crate) struct Ask {
    /// How it is recorded: `POST messages`, `GET number`, `GET dialog/oauth`.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) version: String,
    pub(crate) versioned: bool,
    /// The node: an id, or what stands in its place (`me`, `oauth`).
    pub(crate) node: String,
    pub(crate) edge: String,
    pub(crate) rest: String,
    /// The node with `me` resolved; empty where the token doesn't tell.
    pub(crate) account: String,
    pub(crate) kind: Kind,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) bearer: Option<String>,
    pub(crate) token: Option<String>,
    /// With an Instagram user's token: graph.instagram.com is meant.
    pub(crate) by_instagram: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) params: Params,
}

fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    number.is_some_and(|(major, minor)| {
        !major.is_empty() && !minor.is_empty() && (major.to_owned() + minor).bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Credentials of the header: `OAuth` is what resumable uploads write.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth")).then(|| token.trim().to_owned())
}

impl Ask {
    pub(crate) fn read(server: &Server, parts: &request::Parts, params: Params) -> Self {
        let path = parts.uri.path().to_owned();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).peekable();
        let version = segments.next_if(|segment| is_version(segment));
        let versioned = version.is_some();
        let version = version.unwrap_or_else(|| OLDEST.to_owned());
        let node = segments.next().unwrap_or_default();
        let edge = segments.next().unwrap_or_default();
        let rest = segments.collect::<Vec<_>>().join("/");
        let bearer = bearer(&parts.headers);
        let token = bearer.clone().or_else(|| Some(params.text("access_token")).filter(|token| !token.is_empty()));

        let world = server.world.lock();
        let found = token.as_deref().and_then(|token| server.tokens.lock().find(token).cloned());
        let by_instagram = found.as_ref().is_some_and(|token| token.kind == TokenKind::Instagram);
        let account = match (node.as_str(), &found) {
            ("me", Some(token)) if !token.profile.is_empty() => token.profile.clone(),
            ("me", Some(token)) => token.user.clone(),
            ("me", None) => String::new(),
            _ => match world.kind(&node) {
                Kind::Instagram => world.instagram(&node).map_or_else(|| node.clone(), |instagram| instagram.id.clone()),
                _ => node.clone(),
            },
        };
        let kind = world.kind(&account);
        let name = format!("{} {}", parts.method, name(&node, &edge, kind, &params));
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        Self { name, method, version, versioned, node, edge, rest, account, kind, path, host, bearer, token, by_instagram, headers, params }
    }

    /// The caller, alive and with the proof that its app asks for.
    pub(crate) fn caller(&self, server: &Server) -> Result<Token, GraphError> {
        let Some(text) = &self.token else {
            let missing = "An access token is required to request this resource.";
            return Err(GraphError::of(104).saying(missing).status(400));
        };
        let world = server.world.lock();
        let token = server.tokens.lock().authenticate(text, &world, server.now_s())?;
        // graph.instagram.com knows no proof.
        if let Some(app) = world.app(&token.app).filter(|_| token.kind != TokenKind::Instagram && token.kind != TokenKind::App) {
            let proof = self.params.text("appsecret_proof");
            let refused = |message: &str| Err(GraphError::of(100).saying(message).kind("GraphMethodException"));
            if proof.is_empty() {
                if app.require_proof {
                    return refused("API calls from the server require an appsecret_proof argument");
                }
            } else if proof != appsecret_proof(&app.secret, text) {
                return refused("Invalid appsecret_proof provided in the API argument");
            }
        }
        Ok(token)
    }

    /// The caller, who must reach the call's node and have one of the scopes.
    pub(crate) fn caller_with(&self, server: &Server, scopes: &[&str]) -> Result<Token, GraphError> {
        let token = self.caller(server)?;
        if !reaches(&server.world.lock(), &token, &self.account, self.kind) {
            return Err(self.unsupported());
        }
        let allowed = scopes.is_empty() || scopes.iter().any(|scope| token.may(scope));
        if allowed || server.knobs().any_scope {
            return Ok(token);
        }
        let needed = scopes.join(" or ");
        Err(match self.edge.as_str() {
            "messages" | "media" if self.kind == Kind::Number => GraphError::of(10),
            _ => GraphError::of(200).saying(format!("(#200) Requires {needed} permission to manage the object")),
        })
    }

    /// The call that isn't there, in the one sentence that Graph has for many causes.
    pub(crate) fn unsupported(&self) -> GraphError {
        GraphError::sub(100, 33).saying(format!(
            "Unsupported {} request. Object with ID '{}' does not exist, cannot be loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api",
            self.method.as_str().to_ascii_lowercase(),
            self.node
        ))
    }
}

/// What a token can touch: its profile and what is linked to it, or the assets that were granted.
fn reaches(world: &World, token: &Token, node: &str, kind: Kind) -> bool {
    let through_page = |page: &str| world.page(page).and_then(|page| page.instagram.as_deref()) == Some(node);
    match (token.kind, kind) {
        (_, Kind::Media | Kind::Upload | Kind::Template) => true,
        (TokenKind::Page, Kind::Page) => token.profile == node,
        (TokenKind::Page, Kind::Instagram) => through_page(&token.profile),
        (TokenKind::Instagram, Kind::Instagram) => token.profile == node,
        (TokenKind::App, kind) => kind == Kind::App,
        (TokenKind::User | TokenKind::SystemUser, Kind::Number) => world.number(node).is_some_and(|(waba, _)| token.reaches(&waba.id)),
        (TokenKind::User | TokenKind::SystemUser, Kind::Page | Kind::Waba | Kind::Business | Kind::Instagram) => token.reaches(node),
        (TokenKind::User | TokenKind::SystemUser, Kind::User | Kind::App) => true,
        (_, Kind::Unknown) => true,
        _ => false,
    }
}

/// `%3A` of upload ids.
fn decoded(segment: &str) -> String {
    segment.replace("%3A", ":").replace("%3a", ":").replace("%3D", "=").replace("%3d", "=")
}

/// Without the method before it.
fn name(node: &str, edge: &str, kind: Kind, params: &Params) -> String {
    match (node, edge) {
        ("dialog" | "oauth", edge) => format!("{node}/{edge}"),
        ("whatsapp_business", _) => "download".into(),
        ("ig_messaging_cdn" | "v", _) => "cdn".into(),
        ("access_token" | "refresh_access_token" | "debug_token" | "me", "") => node.into(),
        ("", "") if params.has("ids") => "ids".into(),
        (_, "") => match kind {
            Kind::App => "app",
            Kind::User => "user",
            Kind::Business => "business",
            Kind::Waba => "waba",
            Kind::Number => "number",
            Kind::Page => "page",
            Kind::Instagram => "instagram",
            Kind::Media => "media",
            Kind::Template => "template",
            Kind::Upload => "upload",
            Kind::Unknown => "profile",
        }
        .into(),
        (_, edge) => edge.into(),
    }
}
