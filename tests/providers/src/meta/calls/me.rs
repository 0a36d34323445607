//! `/me`, and what a person has: Pages, permissions, businesses.

use axum::http::Method;
use serde_json::{Value, json};

use crate::meta::answer::{GraphError, Outcome, success};
use crate::meta::ask::Ask;
use crate::meta::calls::nodes;
use crate::meta::fields::{paged, select};
use crate::meta::server::Server;
use crate::meta::tokens::{Token, TokenKind};

pub(crate) fn read(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller(server)?;
    let world = server.world.lock();
    let fields = ask.params.text("fields");
    let node = match caller.kind {
        TokenKind::Page => {
            let page = world.page(&caller.profile).ok_or_else(|| ask.unsupported())?;
            nodes::page(&world, &mut server.tokens.lock(), &caller, page)
        }
        TokenKind::Instagram => {
            let account = world.instagram(&caller.profile).ok_or_else(|| ask.unsupported())?;
            let mut node = nodes::instagram(account);
            node["user_id"] = account.id.clone().into();
            node["id"] = account.scoped_id.clone().into();
            let told = select(&node, &fields, &["user_id"]);
            return Ok(if server.knobs().wrapped_token { json!({"data": [told]}) } else { told }.into());
        }
        TokenKind::User | TokenKind::SystemUser => {
            let user = world.users.iter().find(|user| user.id == caller.user);
            json!({"id": caller.user, "name": user.map_or("Fake System User", |user| user.name.as_str())})
        }
        TokenKind::App => return Err(GraphError::of(2_500)),
    };
    Ok(select(&node, &fields, &["name"]).into())
}

/// Only a person's tokens have these edges.
fn person(server: &Server, ask: &Ask) -> Result<Token, GraphError> {
    let caller = ask.caller(server)?;
    match caller.kind {
        TokenKind::User | TokenKind::SystemUser => Ok(caller),
        _ => Err(GraphError::of(100).saying(format!("(#100) Tried accessing nonexisting field ({})", ask.edge))),
    }
}

fn page_of_list(ask: &Ask, items: &[Value]) -> Outcome {
    let fields = ask.params.text("fields");
    let url =
        format!("https://graph.facebook.com{}{}", ask.path, if fields.is_empty() { String::new() } else { format!("?fields={fields}") });
    Ok(paged(items, &ask.params.text("after"), &ask.params.text("limit"), &url).into())
}

/// The Pages ticked; those held through a business only are missing, without a word.
pub(crate) fn accounts(server: &Server, ask: &Ask) -> Outcome {
    let caller = person(server, ask)?;
    let world = server.world.lock();
    let mut tokens = server.tokens.lock();
    let shown = world.pages.iter().filter(|page| page.in_me_accounts && caller.reaches(&page.id) && caller.may("pages_show_list"));
    let pages: Vec<_> = shown.map(|page| nodes::page(&world, &mut tokens, &caller, page)).collect();
    let fields = ask.params.text("fields");
    let rows: Vec<_> = pages.iter().map(|page| select(page, &fields, &["name", "category", "tasks"])).collect();
    page_of_list(ask, &rows)
}

pub(crate) fn businesses(server: &Server, ask: &Ask) -> Outcome {
    let caller = person(server, ask)?;
    if !caller.may("business_management") {
        return Err(GraphError::of(100).saying("(#100) Missing Permission"));
    }
    let world = server.world.lock();
    let reached = world.businesses.iter().filter(|business| caller.reaches(&business.id));
    let rows: Vec<_> = reached.map(|business| json!({"id": business.id, "name": business.name})).collect();
    page_of_list(ask, &rows)
}

/// `owned_pages`; `client_pages` are none.
pub(crate) fn business_pages(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller_with(server, &["business_management"])?;
    let world = server.world.lock();
    let mut tokens = server.tokens.lock();
    let owned = ask.edge == "owned_pages";
    let shown = world.pages.iter().filter(|page| owned && page.business == ask.account && caller.reaches(&page.id));
    let pages: Vec<_> = shown.map(|page| nodes::page(&world, &mut tokens, &caller, page)).collect();
    let fields = ask.params.text("fields");
    let rows: Vec<_> = pages.iter().map(|page| select(page, &fields, &["name"])).collect();
    page_of_list(ask, &rows)
}

pub(crate) fn business_wabas(server: &Server, ask: &Ask) -> Outcome {
    let caller = ask.caller_with(server, &["business_management", "whatsapp_business_management"])?;
    let world = server.world.lock();
    let owned = ask.edge.starts_with("owned");
    let shown = world.wabas.iter().filter(|waba| owned && waba.business == ask.account && caller.reaches(&waba.id));
    let fields = ask.params.text("fields");
    let rows: Vec<_> = shown.map(|waba| select(&nodes::waba(&world, waba), &fields, &["name", "currency"])).collect();
    page_of_list(ask, &rows)
}

/// What was granted and declined; DELETE takes a scope back, or the whole app.
pub(crate) fn permissions(server: &Server, ask: &Ask) -> Outcome {
    let caller = person(server, ask)?;
    if ask.method == Method::GET {
        let row = |scope: &String, status: &str| json!({"permission": scope, "status": status});
        let granted = caller.scopes.iter().map(|scope| row(scope, "granted"));
        let rows: Vec<_> = granted.chain(caller.declined.iter().map(|scope| row(scope, "declined"))).collect();
        return Ok(json!({ "data": rows }).into());
    }
    let same = |token: &Token| token.user == caller.user && token.app == caller.app;
    let mut tokens = server.tokens.lock();
    if ask.rest.is_empty() {
        tokens.change(same, |token| token.dead = Some(458));
    } else {
        tokens.change(same, |token| token.scopes.retain(|scope| *scope != ask.rest));
    }
    success()
}
