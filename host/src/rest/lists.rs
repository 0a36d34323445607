//! Lists, as PostgREST answers them: chosen, ordered and paged by the database, rendered, cut to the select, and written as they come.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::Arc,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use futures::{Stream, future::BoxFuture, stream};
use patchbay_postgrest::{
    Accept, Condition, Error, Filter, Format, Kind, Listing, Operand, Position, Query, Table, Test, Window, csv, cursor_of, memory,
    position_of, project,
};
use serde_json::Value;
use url::form_urlencoded;

use super::{
    asked::Asked,
    auth::Caller,
    resources::{self, Resource},
};
use crate::{
    app::App,
    error::ApiError,
    store::lists::{self, Seen},
};

/// Rows of a list where a plain client says nothing of it; a client of PostgREST gets as many as there may be.
const USUAL: u64 = 100;
/// Rows that are held at a time; fewer where each brings others along.
const PAGE: u64 = 1000;
const PAGE_WITH_OTHERS: u64 = 100;

pub(super) const CONTENT_RANGE: HeaderName = header::CONTENT_RANGE;
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a caller sees.
///
/// # Errors
/// 403 where another organisation than the caller's own is asked for.
pub(super) fn seen(caller: &Caller, asked: &Asked) -> Result<Seen, ApiError> {
    caller.narrow(asked.value("organization_id").map(str::to_owned))?;
    Ok(Seen { organization_id: caller.narrow(None)? })
}

/// Answers a list of the resource.
pub(super) async fn list(app: &Arc<App>, caller: &Caller, resource: &'static Resource, asked: &Asked) -> Result<Response, ApiError> {
    list_where(app, caller, resource, asked, Filter::everything()).await
}

/// The same, of the rows that are that besides.
pub(super) async fn list_where(
    app: &Arc<App>,
    caller: &Caller,
    resource: &'static Resource,
    asked: &Asked,
    besides: Filter,
) -> Result<Response, ApiError> {
    let seen = seen(caller, asked)?;
    let mut query = asked.query(resource.table)?;
    check_types(app, asked, &query).await?;
    query.filter = query.filter.and(besides);
    let most = app.config.rest.max_rows;
    let window = Window::of(&query, asked.range.as_deref(), if asked.is_postgrest { most } else { USUAL }, most)?;
    let total = match asked.prefer.count {
        Some(_) => Some(lists::count(&app.db, &query, &seen).await?),
        None => None,
    };
    if total.is_some_and(|total| window.offset > total) {
        return finish(asked, Listing { offset: window.offset, rows: 0, total }, None, Body::empty());
    }
    let walk = Walk { app: Arc::clone(app), resource, query, seen, window };
    if asked.accept.format == Format::Object {
        return one(asked, walk, total).await;
    }
    if asked.is_head {
        let rows = walk.count(total).await?;
        return finish(asked, Listing { offset: window.offset, rows, total }, None, Body::empty());
    }
    let page = walk.page();
    let names = project::names(&walk.query);
    let writing = Writing { format: asked.accept.format, strips_nulls: asked.accept.strips_nulls, names };
    if window.limit <= page {
        let (rows, places) = walk.load(window).await?;
        let link = (rows.len() as u64 == window.limit).then(|| places.last.and_then(|cursor| next(asked, &cursor))).flatten();
        let listing = Listing { offset: window.offset, rows: rows.len() as u64, total };
        return finish(asked, listing, link, Body::from(writing.whole(rows)));
    }
    let rows = walk.count(total).await?;
    finish(asked, Listing { offset: window.offset, rows, total }, None, Body::from_stream(walk.written(writing, rows)))
}

/// One object, as `.single()` wants it.
async fn one(asked: &Asked, walk: Walk, total: Option<u64>) -> Result<Response, ApiError> {
    let (mut rows, _) = walk.load(Window { limit: walk.window.limit.min(2), ..walk.window }).await?;
    let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
        let found = lists::count_in(&walk.app.db, &walk.query, &walk.seen, walk.window).await?;
        return Err(Error::not_single(found).into());
    };
    if asked.accept.strips_nulls {
        project::strip_nulls(&mut row);
    }
    finish(asked, Listing { offset: walk.window.offset, rows: 1, total }, None, Body::from(row.to_string()))
}

/// Answers rows that are held in memory.
pub(super) fn held(asked: &Asked, table: &'static Table, rows: Vec<Value>) -> Result<Response, ApiError> {
    let mut query = asked.query(table)?;
    let all = rows.len() as u64;
    let window = Window::of(&query, asked.range.as_deref(), all, all)?;
    (query.limit, query.offset) = (Some(window.limit), window.offset);
    let (chosen, count) = memory::choose(&query, rows);
    let total = asked.prefer.count.map(|_| count);
    if total.is_some_and(|total| window.offset > total) {
        return finish(asked, Listing { offset: window.offset, rows: 0, total }, None, Body::empty());
    }
    let mut rows: Vec<Value> = chosen.into_iter().map(|row| project::project(&query, row, Vec::new())).collect();
    let listing = Listing { offset: window.offset, rows: rows.len() as u64, total };
    if asked.accept.format == Format::Object {
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Err(Error::not_single(listing.rows).into());
        };
        if asked.accept.strips_nulls {
            project::strip_nulls(&mut row);
        }
        return finish(asked, listing, None, Body::from(row.to_string()));
    }
    let writing = Writing { format: asked.accept.format, strips_nulls: asked.accept.strips_nulls, names: project::names(&query) };
    finish(asked, listing, None, Body::from(writing.whole(rows)))
}

/// The answer with what its headers tell.
fn finish(asked: &Asked, listing: Listing, link: Option<HeaderValue>, body: Body) -> Result<Response, ApiError> {
    let range = HeaderValue::try_from(listing.content_range()).map_err(|error| ApiError::internal(&error))?;
    let status = listing.status().map_err(|error| {
        let mut error = ApiError::from(error);
        error.headers.insert(CONTENT_RANGE, range.clone());
        error
    })?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_RANGE, range);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asked.accept.content_type()));
    if let Some(applied) = asked.prefer.applied(false).and_then(|applied| HeaderValue::try_from(applied).ok()) {
        headers.insert(PREFERENCE_APPLIED, applied);
    }
    if let Some(link) = link {
        headers.insert(header::LINK, link);
    }
    Ok(response)
}

/// Rows of a write in the form that was asked for: an object under the object `Accept`, or where one object came and nobody said more.
pub(super) fn written(asked: &Asked, query: &Query, mut rows: Vec<Value>, as_object: bool) -> Response {
    let Accept { format, strips_nulls, .. } = asked.accept;
    let is_one = rows.len() == 1 && (as_object || format == Format::Object);
    let one = if is_one { rows.pop() } else { None };
    let body = match one {
        Some(mut row) => {
            if strips_nulls {
                project::strip_nulls(&mut row);
            }
            row.to_string()
        }
        None => Writing { format, strips_nulls, names: project::names(query) }.whole(rows),
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asked.accept.content_type()));
    response
}

/// Where the list goes on behind its last row.
fn next(asked: &Asked, cursor: &str) -> Option<HeaderValue> {
    if asked.range.is_some() {
        return None;
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in asked.pairs.iter().filter(|(name, _)| !matches!(name.as_str(), "after" | "offset")) {
        query.append_pair(name, value);
    }
    query.append_pair("after", cursor);
    HeaderValue::try_from(format!("<{}?{}>; rel=\"next\"", asked.path, query.finish())).ok()
}

/// A list on its way.
struct Walk {
    app: Arc<App>,
    resource: &'static Resource,
    query: Query,
    seen: Seen,
    window: Window,
}

/// Where a page ended.
struct Places {
    last: Option<String>,
    position: Option<Position>,
}

impl Walk {
    fn page(&self) -> u64 {
        if self.query.embeds().any(|embed| embed.relation.many) { PAGE_WITH_OTHERS } else { PAGE }
    }

    /// Rows that the answer will have.
    async fn count(&self, total: Option<u64>) -> Result<u64, ApiError> {
        match total.filter(|_| self.query.after.is_none()) {
            Some(total) => Ok(total.saturating_sub(self.window.offset).min(self.window.limit)),
            None => Ok(lists::count_in(&self.app.db, &self.query, &self.seen, self.window).await?),
        }
    }

    async fn load(&self, window: Window) -> Result<(Vec<Value>, Places), ApiError> {
        let rows = (self.resource.load)(&self.app, &self.query, &self.seen, window).await?;
        let last = rows.last();
        let places =
            Places { last: last.and_then(|row| cursor_of(&self.query, row)), position: last.and_then(|row| position_of(&self.query, row)) };
        Ok((shown(&self.app, &self.query, &self.seen, rows).await?, places))
    }

    /// The answer's body, a page at a time: memory holds no more. A list that changes meanwhile may end with fewer rows.
    fn written(self, writing: Writing, rows: u64) -> impl Stream<Item = io::Result<String>> + Send {
        let start = Progress { window: Window { limit: rows, ..self.window }, walk: self, writing, is_begun: false, is_ended: false };
        stream::unfold(start, |mut progress| async move {
            if progress.is_ended {
                return None;
            }
            let text = progress.next().await.map_err(|error| {
                tracing::error!(error = %error.body.message, "a list broke off");
                io::Error::other(error.body.message)
            });
            progress.is_ended |= text.is_err();
            Some((text, progress))
        })
    }
}

struct Progress {
    walk: Walk,
    writing: Writing,
    /// What is still to be written.
    window: Window,
    is_begun: bool,
    is_ended: bool,
}

impl Progress {
    async fn next(&mut self) -> Result<String, ApiError> {
        let mut text = if self.is_begun { String::new() } else { self.writing.head() };
        let limit = self.window.limit.min(self.walk.page());
        let (rows, places) = self.walk.load(Window { offset: self.window.offset, limit }).await?;
        let found = rows.len() as u64;
        for row in rows {
            self.writing.row(&mut text, row, !self.is_begun);
            self.is_begun = true;
        }
        self.window.limit = self.window.limit.saturating_sub(found);
        match places.position {
            Some(position) => {
                self.walk.query.after = Some(position);
                self.window.offset = 0;
            }
            None => self.window.offset = self.window.offset.saturating_add(found),
        }
        if found < limit || self.window.limit == 0 {
            self.is_ended = true;
            text.push_str(self.writing.tail());
        }
        Ok(text)
    }
}

/// In which form rows are written.
struct Writing {
    format: Format,
    strips_nulls: bool,
    names: Vec<String>,
}

impl Writing {
    fn head(&self) -> String {
        if self.format == Format::Csv { csv::head(&self.names) } else { "[".to_owned() }
    }

    fn row(&self, text: &mut String, mut row: Value, is_first: bool) {
        if self.format == Format::Csv {
            text.push_str(&csv::row(&self.names, &row));
            return;
        }
        if self.strips_nulls {
            project::strip_nulls(&mut row);
        }
        if !is_first {
            text.push_str(",\n ");
        }
        text.push_str(&row.to_string());
    }

    fn tail(&self) -> &'static str {
        if self.format == Format::Csv { "" } else { "]" }
    }

    fn whole(&self, rows: Vec<Value>) -> String {
        let mut text = self.head();
        for (number, row) in rows.into_iter().enumerate() {
            self.row(&mut text, row, number == 0);
        }
        text.push_str(self.tail());
        text
    }
}

/// Rendered rows as the query wants them: with what is embedded, and cut to the select.
pub(super) fn shown<'a>(app: &'a App, query: &'a Query, seen: &'a Seen, rows: Vec<Value>) -> BoxFuture<'a, Result<Vec<Value>, ApiError>> {
    Box::pin(async move {
        let mut embedded: Vec<Vec<Value>> = rows.iter().map(|_| Vec::new()).collect();
        for embed in query.embeds() {
            let relation = embed.relation;
            let resource = resources::of(relation.table).ok_or_else(|| ApiError::internal(&"a related table that nothing shows"))?;
            let parents: BTreeSet<&str> = rows.iter().filter_map(|row| row.get(relation.local)?.as_str()).collect();
            let parents: Vec<String> = parents.into_iter().map(str::to_owned).collect();
            let found = (resource.related)(app, &embed.query, seen, relation.foreign, &parents).await?;
            let owners: Vec<Option<String>> = found.iter().map(|row| row.get(relation.foreign)?.as_str().map(str::to_owned)).collect();
            let mut by_owner: HashMap<String, Vec<Value>> = HashMap::new();
            for (owner, row) in owners.into_iter().zip(shown(app, &embed.query, seen, found).await?) {
                by_owner.entry(owner.unwrap_or_default()).or_default().push(row);
            }
            for (row, embedded) in rows.iter().zip(&mut embedded) {
                let theirs = row.get(relation.local).and_then(Value::as_str).and_then(|local| by_owner.get(local));
                embedded.push(match (relation.many, theirs) {
                    (true, theirs) => Value::Array(theirs.cloned().unwrap_or_default()),
                    (false, theirs) => theirs.and_then(|theirs| theirs.first()).cloned().unwrap_or_default(),
                });
            }
        }
        Ok(rows.into_iter().zip(embedded).map(|(row, embedded)| project::project(query, row, embedded)).collect())
    })
}

/// A channel type that there is none of is a typing error, as a word that isn't in an enum: plugins say which there are. Plainly asked,
/// `type=EMAIL`, it is a type that no account has.
async fn check_types(app: &App, asked: &Asked, query: &Query) -> Result<(), ApiError> {
    if asked.pairs.iter().any(|(key, value)| key == "type" && !value.contains('.')) {
        return Ok(());
    }
    let mut named = Vec::new();
    collect_types(&query.filter, &mut named);
    for name in named {
        let known = app.plugins.type_names();
        if !known.iter().any(|known| known == name) && !lists::has_type(&app.db, name).await? {
            let known: Vec<&str> = known.iter().map(|known| &**known).collect();
            return Err(Error::bad_word("channel_type", name, &known).into());
        }
    }
    Ok(())
}

fn collect_types<'a>(filter: &'a Filter, found: &mut Vec<&'a str>) {
    match filter {
        Filter::All(branches) | Filter::Any(branches) => branches.iter().for_each(|branch| collect_types(branch, found)),
        Filter::Not(inner) => collect_types(inner, found),
        Filter::Test(Test { field, condition }) if field.column.name == "type" && field.column.kind == Kind::Word(&[]) => {
            let operands = match condition {
                Condition::Compare(_, operand) | Condition::Distinct(operand) => std::slice::from_ref(operand),
                Condition::In(operands) => operands,
                _ => &[],
            };
            found.extend(operands.iter().filter_map(|operand| if let Operand::Text(text) = operand { Some(text.as_str()) } else { None }));
        }
        Filter::Test(_) => {}
    }
}
