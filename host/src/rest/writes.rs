//! Writes in PostgREST's way: rows in a body, rows chosen by a filter. What is done to each is the same verb as on the plain routes.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use patchbay_postgrest::{Body as Rows, Error, Filter, Format, Query, Resolution, Return, Table, Window};
use serde_json::{Map, Value};

use super::{
    asked::Asked,
    auth::Caller,
    extract::Payload,
    lists::{self, CONTENT_RANGE, PREFERENCE_APPLIED},
    resources::Resource,
};
use crate::{app::App, error::ApiError, store::lists::Seen};

/// Rows of one write.
const ROWS_MAX: usize = 1000;

/// What rows can be taken out of.
#[async_trait]
pub(super) trait Deletable: Sync {
    fn resource(&self) -> &'static Resource;

    async fn delete(&self, app: &Arc<App>, caller: &Caller, row: &Value) -> Result<(), ApiError>;
}

/// What rows can be made in and changed.
#[async_trait]
pub(super) trait Writable: Deletable {
    /// Columns that a client may give.
    fn columns(&self) -> &'static [&'static str];

    /// Of these, what never changes afterwards.
    fn fixed(&self) -> &'static [&'static str];

    /// Makes the rows, all of them or none where `docs/rest.md` says no other; answers them in their order.
    async fn insert(&self, app: &Arc<App>, caller: &Caller, rows: Vec<Map<String, Value>>) -> Result<Vec<Made>, ApiError>;

    async fn update(&self, app: &Arc<App>, caller: &Caller, row: &Value, change: Map<String, Value>) -> Result<(), ApiError>;
}

/// A row that was made.
pub(super) struct Made {
    pub(super) id: String,
    /// What is shown of it now and never again.
    pub(super) told_once: Map<String, Value>,
}

impl Made {
    pub(super) fn new(id: String) -> Made {
        Made { id, told_once: Map::new() }
    }
}

/// Whether a body that came to a plain route is a write in PostgREST's way.
pub(super) fn is_postgrest(asked: &Asked, payload: &Payload) -> bool {
    asked.writes_as_postgrest() || payload.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// POST: makes rows; with `Prefer: resolution=…` those that are there already are changed, or left as they are.
pub(super) async fn insert(
    app: &Arc<App>,
    caller: &Caller,
    what: &'static dyn Writable,
    asked: &Asked,
    payload: &Payload,
) -> Result<Response, ApiError> {
    let table = what.resource().table;
    let query = asked.query(table)?;
    let mut body = rows_of(payload)?;
    body.fit(table, &query, &asked.prefer)?;
    put_in(app, caller, what, asked, query, body).await
}

async fn put_in(
    app: &Arc<App>,
    caller: &Caller,
    what: &'static dyn Writable,
    asked: &Asked,
    query: Query,
    body: Rows,
) -> Result<Response, ApiError> {
    let table = what.resource().table;
    let seen = Seen { organization_id: caller.narrow(None)? };
    if query.on_conflict.as_deref().is_some_and(|column| column != "id") {
        return Err(Error::new(400, "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
            .hint("Rows are known by their id: on_conflict=id.")
            .into());
    }
    let shape = Shape::of(asked, &body);
    check_rows(asked, shape, body.rows.len() as u64)?;
    check_columns(table, what, &body.rows)?;
    let standing = standing(app, what.resource(), &seen, &body.rows).await?;
    let (mut fresh, mut changes, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in body.rows {
        let id = row.get("id").and_then(Value::as_str).map(str::to_owned);
        let Some(id) = id else {
            row.remove("id");
            order.push(None);
            fresh.push(row);
            continue;
        };
        match (standing.get(&id), asked.prefer.resolution) {
            (None, _) => {
                return Err(Error::new(400, "428C9", "cannot insert a non-DEFAULT value into column \"id\"")
                    .details(format!("There is no row with the id {id}, and the gateway makes ids itself."))
                    .hint("Leave id out to make a row.")
                    .into());
            }
            (Some(_), None) => {
                return Err(Error::new(409, "23505", format!("duplicate key value violates unique constraint \"{}_pkey\"", table.name))
                    .details(format!("Key (id)=({id}) already exists."))
                    .hint("Prefer: resolution=merge-duplicates changes the row that is there.")
                    .into());
            }
            (Some(_), Some(Resolution::Ignore)) => {}
            (Some(standing), Some(Resolution::Merge)) => {
                let change = change_of(what, standing, row)?;
                order.push(Some(id));
                changes.push((standing.clone(), change));
            }
        }
    }
    asked.prefer.check_affected(order.len() as u64)?;
    let made =
        if fresh.is_empty() { Vec::new() } else { what.insert(app, caller, fresh).await.map_err(|error| as_postgrest(error, table))? };
    for (row, change) in changes.into_iter().filter(|(_, change)| !change.is_empty()) {
        what.update(app, caller, &row, change).await.map_err(|error| as_postgrest(error, table))?;
    }
    let status = if made.is_empty() && !order.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    let mut fresh = made.into_iter();
    let touched = order.into_iter().filter_map(|id| id.map(Made::new).or_else(|| fresh.next())).collect();
    answer_made(app, &seen, what.resource(), asked, query, shape, status, touched).await
}

/// How the rows of a body come back.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    returns: Return,
    /// One object came, and nobody asked for an array.
    as_object: bool,
}

impl Shape {
    pub(super) fn of(asked: &Asked, body: &Rows) -> Shape {
        let plain = !asked.is_postgrest && asked.prefer.returns.is_none();
        let returns = asked.prefer.returns.unwrap_or(if asked.is_postgrest { Return::Minimal } else { Return::Representation });
        Shape { returns, as_object: plain && !body.is_array }
    }
}

/// # Errors
/// What would be wrong with the answer is told before anything is done.
pub(super) fn check_rows(asked: &Asked, shape: Shape, rows: u64) -> Result<(), ApiError> {
    if rows > ROWS_MAX as u64 {
        return Err(too_many(rows).into());
    }
    if shape.returns == Return::Representation && asked.accept.format == Format::Object && rows != 1 {
        return Err(Error::not_single(rows).into());
    }
    Ok(())
}

/// The answer to rows that were made.
pub(super) async fn answer_made(
    app: &Arc<App>,
    seen: &Seen,
    resource: &'static Resource,
    asked: &Asked,
    query: Query,
    shape: Shape,
    status: StatusCode,
    made: Vec<Made>,
) -> Result<Response, ApiError> {
    let total = made.len() as u64;
    let mut response = match shape.returns {
        Return::Minimal => empty(status),
        Return::HeadersOnly => {
            let mut response = empty(status);
            if let [one] = made.as_slice()
                && let Ok(place) = HeaderValue::try_from(format!("/{}?id=eq.{}", resource.table.name, one.id))
            {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Return::Representation => {
            let ids: Vec<String> = made.iter().map(|made| made.id.clone()).collect();
            let mut rows = load(app, resource, seen, &ids).await?;
            for made in made {
                if let Some(Value::Object(row)) = rows.get_mut(&made.id) {
                    row.extend(made.told_once);
                }
            }
            let rows = ids.iter().filter_map(|id| rows.remove(id)).collect();
            let rows = lists::shown(app, &query, seen, rows).await?;
            let mut response = lists::written(asked, &query, rows, shape.as_object);
            *response.status_mut() = status;
            if let (true, [id]) = (shape.as_object, ids.as_slice())
                && let Ok(place) = HeaderValue::try_from(format!("/rest/v1/{}/{id}", resource.table.name))
            {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
    };
    tell(&mut response, asked, "*", total);
    Ok(response)
}

/// PATCH: changes the rows that the filter means.
pub(super) async fn update(
    app: &Arc<App>,
    caller: &Caller,
    what: &'static dyn Writable,
    asked: &Asked,
    payload: &Payload,
) -> Result<Response, ApiError> {
    let resource = what.resource();
    let (seen, query) = (lists::seen(caller, asked)?, asked.query(resource.table)?);
    if !query.is_filtered {
        return Err(Error::unfiltered("UPDATE").into());
    }
    let mut body = rows_of(payload)?;
    body.fit(resource.table, &query, &asked.prefer)?;
    check_columns(resource.table, what, &body.rows)?;
    let change = body.one()?;
    let rows = matched(app, resource, asked, &query, &seen).await?;
    let changes = rows.iter().map(|row| change_of(what, row, change.clone()));
    let changes: Vec<Map<String, Value>> = changes.collect::<Result<_, _>>()?;
    let mut touched = Vec::new();
    for (row, change) in rows.iter().zip(changes).filter(|(_, change)| !change.is_empty()) {
        what.update(app, caller, row, change).await.map_err(|error| as_postgrest(error, resource.table))?;
        touched.extend(row.get("id").and_then(Value::as_str).map(str::to_owned));
    }
    let total = touched.len() as u64;
    let mut response = if asked.prefer.returns == Some(Return::Representation) {
        let mut rows = load(app, resource, &seen, &touched).await?;
        let rows = touched.iter().filter_map(|id| rows.remove(id)).collect();
        lists::written(asked, &query, lists::shown(app, &query, &seen, rows).await?, false)
    } else {
        empty(StatusCode::NO_CONTENT)
    };
    let range = if total == 0 { "*".to_owned() } else { format!("0-{}", total - 1) };
    tell(&mut response, asked, &range, total);
    Ok(response)
}

/// DELETE: takes out the rows that the filter means.
pub(super) async fn delete(app: &Arc<App>, caller: &Caller, what: &'static dyn Deletable, asked: &Asked) -> Result<Response, ApiError> {
    let resource = what.resource();
    let (seen, query) = (lists::seen(caller, asked)?, asked.query(resource.table)?);
    if !query.is_filtered {
        return Err(Error::unfiltered("DELETE").into());
    }
    let rows = matched(app, resource, asked, &query, &seen).await?;
    let total = rows.len() as u64;
    // Afterwards there is nothing to be shown.
    let mut response = if asked.prefer.returns == Some(Return::Representation) {
        lists::written(asked, &query, lists::shown(app, &query, &seen, rows.clone()).await?, false)
    } else {
        empty(StatusCode::NO_CONTENT)
    };
    for row in &rows {
        what.delete(app, caller, row).await.map_err(|error| as_postgrest(error, resource.table))?;
    }
    tell(&mut response, asked, "*", total);
    Ok(response)
}

/// PUT `?id=eq.…`: one row, as the body has it.
pub(super) async fn put(
    app: &Arc<App>,
    caller: &Caller,
    what: &'static dyn Writable,
    asked: &mut Asked,
    payload: &Payload,
) -> Result<Response, ApiError> {
    let table = what.resource().table;
    let query = asked.query(table)?;
    let id = asked.value("id").map(str::to_owned).filter(|_| query.filtered == ["id"]);
    let id = id.ok_or_else(|| Error::new(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators"))?;
    let mut body = rows_of(payload)?;
    body.fit(table, &query, &asked.prefer)?;
    let row = body.one()?;
    if row.get("id").and_then(Value::as_str) != Some(&id) {
        return Err(Error::new(400, "PGRST115", "Payload values do not match URL in primary key column(s)").into());
    }
    asked.prefer.resolution = Some(Resolution::Merge);
    let body = Rows { rows: vec![row], is_array: false };
    put_in(app, caller, what, asked, query, body).await
}

pub(super) fn rows_of(payload: &Payload) -> Result<Rows, ApiError> {
    let json = |essence: &str| essence.is_empty() || essence == "application/json" || essence.ends_with("+json");
    let essence = payload.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !json(&essence) {
        let message = format!("Content-Type not acceptable: {}", payload.content_type);
        return Err(Error::new(415, "PGRST102", message).hint("Send application/json.").into());
    }
    Ok(Rows::read(&payload.bytes)?)
}

fn too_many(rows: u64) -> Error {
    Error::new(400, "54000", format!("{rows} rows in one write: {ROWS_MAX} are the most"))
        .hint("Narrow the filter, or send fewer at a time.")
}

/// The rows of the body that are there already, by id.
async fn standing(
    app: &App,
    resource: &'static Resource,
    seen: &Seen,
    rows: &[Map<String, Value>],
) -> Result<HashMap<String, Value>, ApiError> {
    let ids: Vec<String> = rows.iter().filter_map(|row| row.get("id")?.as_str().map(str::to_owned)).collect();
    load(app, resource, seen, &ids).await
}

async fn load(app: &App, resource: &'static Resource, seen: &Seen, ids: &[String]) -> Result<HashMap<String, Value>, ApiError> {
    let Some(column) = resource.table.column("id").filter(|_| !ids.is_empty()) else { return Ok(HashMap::new()) };
    let mut query = Query::of(resource.table);
    query.filter = Filter::is_one_of(column, ids.iter().cloned());
    let rows = (resource.load)(app, &query, seen, Window { offset: 0, limit: ids.len() as u64 }).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.get("id")?.as_str()?.to_owned(), row))).collect())
}

/// The rows that a write means, where they aren't more than it may touch.
async fn matched(app: &App, resource: &'static Resource, asked: &Asked, query: &Query, seen: &Seen) -> Result<Vec<Value>, ApiError> {
    let most = ROWS_MAX as u64;
    let limit = query.limit.unwrap_or(u64::MAX).min(most + 1);
    let rows = (resource.load)(app, query, seen, Window { offset: query.offset, limit }).await?;
    let found = rows.len() as u64;
    if found > most {
        return Err(too_many(crate::store::lists::count(&app.db, query, seen).await?).into());
    }
    asked.prefer.check_affected(found)?;
    if asked.prefer.returns == Some(Return::Representation) && asked.accept.format == Format::Object && found != 1 {
        return Err(Error::not_single(found).into());
    }
    Ok(rows)
}

/// # Errors
/// 428C9 for a column that is the gateway's to write, 23502 for a null where there has to be something.
fn check_columns(table: &Table, what: &'static dyn Writable, rows: &[Map<String, Value>]) -> Result<(), ApiError> {
    for (name, value) in rows.iter().flatten() {
        if name != "id" && !what.columns().contains(&name.as_str()) {
            return Err(Error::new(400, "428C9", format!("cannot insert a non-DEFAULT value into column \"{name}\""))
                .details(format!("Column \"{name}\" is the gateway's own."))
                .hint(format!("There may be given: {}.", what.columns().join(", ")))
                .into());
        }
        if name != "id" && value.is_null() && table.column(name).is_some_and(|column| !column.nullable) {
            return Err(missing(table, name).into());
        }
    }
    Ok(())
}

fn missing(table: &Table, name: &str) -> Error {
    let message = format!("null value in column \"{name}\" of relation \"{}\" violates not-null constraint", table.name);
    Error::new(400, "23502", message)
}

/// What a row of a body changes: what never changes may be there as it stands.
fn change_of(what: &'static dyn Writable, standing: &Value, mut change: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    for name in ["id"].iter().chain(what.fixed()) {
        if let Some(given) = change.remove(*name)
            && standing.get(name) != Some(&given)
        {
            return Err(Error::new(400, "428C9", format!("column \"{name}\" can only be updated to DEFAULT"))
                .details(format!("Column \"{name}\" of a row never changes."))
                .into());
        }
    }
    Ok(change)
}

/// The id of a row that is there.
pub(super) fn id_of(row: &Value) -> &str {
    row.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The headers that tell how many rows were touched and what was preferred.
fn tell(response: &mut Response, asked: &Asked, range: &str, total: u64) {
    let total = asked.prefer.count.map_or("*".to_owned(), |_| total.to_string());
    if let Ok(value) = HeaderValue::try_from(format!("{range}/{total}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    if let Some(applied) = asked.prefer.applied(true).and_then(|applied| HeaderValue::try_from(applied).ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
}

/// What a verb refuses, as PostgREST's clients know it: the first field's code, and all fields in the details.
pub(super) fn as_postgrest(error: ApiError, table: &Table) -> ApiError {
    let body = &error.body;
    let told = match (body.code, body.errors.first()) {
        ("invalid", Some(problem)) => {
            let column = problem.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            let at_top = !problem.pointer.trim_start_matches('/').contains('/');
            let error = if at_top && problem.message.starts_with("is required") {
                missing(table, column)
            } else if at_top && problem.message.starts_with("is unknown") {
                Error::no_body_column(table, column)
            } else if at_top && (problem.message.starts_with("there is no channel type") || problem.message.starts_with("unknown variant"))
            {
                Error::new(400, "22P02", format!("invalid input value for enum {column}: {}", problem.message))
            } else if at_top && problem.message.starts_with("there is no ") {
                Error::new(409, "23503", format!("insert or update on table \"{}\" violates foreign key constraint", table.name))
            } else {
                Error::new(
                    400,
                    "23514",
                    format!("new row for relation \"{}\" violates check constraint: {}: {}", table.name, problem.pointer, problem.message),
                )
            };
            let all: Vec<String> = body.errors.iter().map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect();
            error.details(all.join("; "))
        }
        ("not_json", _) => Error::new(400, "PGRST102", "Empty or invalid json").details(body.message.clone()),
        ("conflict", _) => Error::new(409, "23505", "duplicate key value violates unique constraint").details(body.message.clone()),
        ("scope" | "organization" | "operator_only", _) => Error::new(error.status.as_u16(), "42501", body.message.clone()),
        _ => return error,
    };
    let told = match &body.hint {
        Some(hint) => told.hint(hint.clone()),
        None => told,
    };
    told.into()
}
