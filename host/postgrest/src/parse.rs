//! From a query string to a [`Query`]: what is written is read by the grammar and checked against the table.

use std::collections::BTreeMap;

use crate::{
    contain,
    cursor::read_cursor,
    error::Error,
    grammar::{self, FieldText, OrderText, SelectText, TestText, TreeText},
    like::Pattern,
    query::{Cast, Comparison, Condition, Embed, Field, Filter, Item, Order, Query, Test, Truth, order_or_own},
    table::{Direction, Kind, Relation, Source, Table},
    value::{self, Operand},
};

/// Conditions of one request: each is a branch of the statement.
const TESTS_MAX: usize = 200;
/// Values of one list, and of one whose values are each a condition in SQL.
const LIST_MAX: usize = 1000;
const CONDITIONS_MAX: usize = 100;
/// Values of all lists of a request: databases bound the placeholders of a statement.
const VALUES_MAX: usize = 5000;
/// Steps into JSON.
const STEPS_MAX: usize = 8;
/// Related rows inside of related rows.
const EMBEDS_MAX: usize = 3;

const OPERATORS: [&str; 24] = [
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "like",
    "ilike",
    "match",
    "imatch",
    "is",
    "isdistinct",
    "in",
    "cs",
    "cd",
    "ov",
    "fts",
    "plfts",
    "phfts",
    "wfts",
    "sl",
    "sr",
    "nxr",
    "nxl",
];

/// How a query is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// A value without an operator is what the column has to be. PostgREST itself knows no such values.
    pub plain: bool,
}

/// The parameters of a query string, decoded.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Reads parameters as a query on the table.
///
/// # Errors
/// PostgREST's, for what isn't written right, isn't there or doesn't fit.
pub fn parse(table: &'static Table, pairs: &[(String, String)], reading: Reading) -> Result<Query, Error> {
    let mut reader = Reader { reading, tests: 0, values: 0 };
    let mut select = None;
    let mut given = Vec::new();
    for (key, value) in pairs {
        match key.as_str() {
            "select" if !value.trim().is_empty() => select = Some(grammar::select(value)?),
            "select" => {}
            _ => given.push((key.as_str(), value.as_str())),
        }
    }
    reader.query(table, select, given, 0)
}

struct Reader {
    reading: Reading,
    /// Conditions so far.
    tests: usize,
    /// Values of lists so far.
    values: usize,
}

impl Reader {
    fn query(
        &mut self,
        table: &'static Table,
        select: Option<Vec<SelectText>>,
        given: Vec<(&str, &str)>,
        depth: usize,
    ) -> Result<Query, Error> {
        let mut query = Query::of(table);
        let mut order = Vec::new();
        let mut filters = Vec::new();
        let mut after = None;
        let mut nested: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (key, value) in given {
            match key {
                "order" => {
                    for text in if value.trim().is_empty() { Vec::new() } else { grammar::order(value)? } {
                        order.push(order_of(table, &text)?);
                    }
                }
                "limit" => query.limit = Some(number("limit", value, "Limit should be greater than or equal to zero.")?),
                "offset" => query.offset = number("offset", value, "Offset should be greater than or equal to zero.")?,
                "and" | "or" | "not.and" | "not.or" => filters.push(self.logic(table, key, value)?),
                "columns" if depth == 0 => query.columns = Some(columns(table, value)?),
                "on_conflict" if depth == 0 => query.on_conflict = Some(value.to_owned()),
                "after" if depth == 0 => after = Some(value),
                _ => match nested_key(key) {
                    Some((embed, rest)) => nested.entry(embed).or_default().push((rest, value)),
                    None => filters.push(self.filter(table, key, value, &mut query.filtered)?),
                },
            }
        }
        query.is_filtered = !filters.is_empty();
        query.filter = Filter::All(filters);
        query.order = order_or_own(table, order);
        // `rel()` shows nothing of what is related.
        if let Some(select) = select.filter(|select| depth > 0 || !select.is_empty()) {
            query.select = Vec::new();
            for item in select {
                let item = self.item(table, item, &mut nested, depth)?;
                query.select.push(item);
            }
        }
        if let Some(stray) = nested.keys().next() {
            return Err(Error::new(400, "PGRST108", format!("'{stray}' is not an embedded resource in this request"))
                .hint(format!("Verify that '{stray}' is included in the 'select' query parameter.")));
        }
        query.after = after.map(|cursor| read_cursor(&query, cursor)).transpose()?;
        Ok(query)
    }

    fn item(
        &mut self,
        table: &'static Table,
        item: SelectText,
        nested: &mut BTreeMap<&str, Vec<(&str, &str)>>,
        depth: usize,
    ) -> Result<Item, Error> {
        match item {
            SelectText::Star => Ok(Item::All),
            SelectText::Field { aggregate: Some(_), .. } => {
                Err(Error::new(400, "PGRST123", "Use of aggregate functions is not allowed").hint("Counts come with Prefer: count=exact."))
            }
            SelectText::Field { alias, field, cast, aggregate: None } => {
                let shown = match field.path.last() {
                    Some(crate::query::Step::Key(key)) => key.clone(),
                    Some(crate::query::Step::Index(_)) | None => field.column.clone(),
                };
                let field = selected(table, field)?;
                Ok(Item::Field { field, name: alias.unwrap_or(shown), cast: cast.map(|cast| cast_of(&cast)).transpose()? })
            }
            SelectText::Embed { alias, name, hints, spread, select } => {
                if depth >= EMBEDS_MAX {
                    return Err(Error::new(400, "54001", format!("more than {EMBEDS_MAX} resources are embedded in each other")));
                }
                let (relation, inner) = related(table, &name, &hints)?;
                if spread && relation.many {
                    return Err(Error::new(400, "PGRST119", format!("A spread operation on '{name}' is not possible"))
                        .details(format!("'{}' and '{name}' do not form a many-to-one or one-to-one relationship", table.name)));
                }
                let shown = alias.unwrap_or_else(|| name.clone());
                let mut given = nested.remove(shown.as_str()).unwrap_or_default();
                for known in [relation.name].iter().chain(relation.aliases) {
                    given.extend(nested.remove(*known).unwrap_or_default());
                }
                let query = self.query(relation.table, Some(select), given, depth + 1)?;
                Ok(Item::Embed(Box::new(Embed { relation, name: shown, inner, spread, query })))
            }
        }
    }

    fn logic(&mut self, table: &'static Table, key: &str, value: &str) -> Result<Filter, Error> {
        let branches = grammar::tree(value)?;
        let branches = self.branches(table, branches)?;
        let all = if key.ends_with("and") { Filter::All(branches) } else { Filter::Any(branches) };
        Ok(if key.starts_with("not.") { Filter::Not(Box::new(all)) } else { all })
    }

    fn branches(&mut self, table: &'static Table, branches: Vec<TreeText>) -> Result<Vec<Filter>, Error> {
        branches.into_iter().map(|branch| self.branch(table, branch)).collect()
    }

    fn branch(&mut self, table: &'static Table, branch: TreeText) -> Result<Filter, Error> {
        let negate = |negated: bool, filter: Filter| if negated { Filter::Not(Box::new(filter)) } else { filter };
        match branch {
            TreeText::All { negated, branches } => Ok(negate(negated, Filter::All(self.branches(table, branches)?))),
            TreeText::Any { negated, branches } => Ok(negate(negated, Filter::Any(self.branches(table, branches)?))),
            TreeText::Test { field, test } => {
                if !OPERATORS.contains(&test.operator.as_str()) {
                    return Err(unknown_operator("logic tree", &test.operator));
                }
                let field = filtered(table, field)?;
                self.test(field, test)
            }
        }
    }

    fn filter(&mut self, table: &'static Table, key: &str, value: &str, filtered_columns: &mut Vec<&'static str>) -> Result<Filter, Error> {
        let field = filtered(table, grammar::filtered(key)?)?;
        filtered_columns.push(field.column.name);
        match grammar::test(value).filter(|test| OPERATORS.contains(&test.operator.as_str())) {
            Some(test) => self.test(field, test),
            None if self.reading.plain => self.plain(field, value),
            None => Err(unknown_operator("filter", value)),
        }
    }

    /// A value without an operator. Of ids and words it may be several, with commas between.
    fn plain(&mut self, field: Field, value: &str) -> Result<Filter, Error> {
        let several = matches!(field.kind(), Kind::Id | Kind::Word(_)) && value.contains(',');
        let (operator, value) = if several { ("in", format!("({value})")) } else { ("eq", value.to_owned()) };
        self.test(field, TestText { negated: false, operator: operator.to_owned(), modifier: None, value })
    }

    fn test(&mut self, field: Field, test: TestText) -> Result<Filter, Error> {
        let TestText { negated, operator, modifier, value } = test;
        let filter = match modifier.as_deref() {
            None => Filter::Test(Test { condition: condition(&field, &operator, &value)?, field }),
            Some(quantifier @ ("any" | "all"))
                if matches!(operator.as_str(), "eq" | "like" | "ilike" | "gt" | "gte" | "lt" | "lte" | "match" | "imatch") =>
            {
                let tests = value::elements(&value)?.into_iter().map(|element| {
                    self.count(1)?;
                    Ok(Filter::Test(Test { condition: condition(&field, &operator, &element)?, field: field.clone() }))
                });
                let tests = tests.collect::<Result<Vec<_>, Error>>()?;
                if quantifier == "any" { Filter::Any(tests) } else { Filter::All(tests) }
            }
            Some(other) => {
                let text = format!("{operator}({other}).{value}");
                return Err(Error::unparsed(
                    "filter",
                    &text,
                    format!("unexpected \"{other}\" expecting any or all, with eq, like, ilike, gt, gte, lt or lte"),
                ));
            }
        };
        self.count(1)?;
        if let Filter::Test(Test { condition: Condition::In(operands), .. }) = &filter {
            self.values += operands.len();
        }
        if self.values > VALUES_MAX {
            return Err(Error::new(400, "54000", format!("more than {VALUES_MAX} values in the lists of one request")));
        }
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn count(&mut self, tests: usize) -> Result<(), Error> {
        self.tests += tests;
        if self.tests > TESTS_MAX {
            return Err(Error::new(400, "54001", format!("more than {TESTS_MAX} conditions in one request"))
                .hint("Many values of one column are one condition: in.(a,b,c)."));
        }
        Ok(())
    }
}

/// `messages.direction`: what is embedded, and what is said of it. A dot behind an arrow is part of a key in JSON.
fn nested_key(key: &str) -> Option<(&str, &str)> {
    let (embed, rest) = key.split_once('.')?;
    (!embed.contains("->") && !embed.starts_with('"')).then_some((embed, rest))
}

fn unknown_operator(what: &str, text: &str) -> Error {
    let unexpected = text.chars().next().map_or("end of input".to_owned(), |character| format!("\"{character}\""));
    Error::unparsed(what, text, format!("unexpected {unexpected} expecting \"not\" or operator ({})", OPERATORS.join(", ")))
}

fn number(name: &str, text: &str, negative: &str) -> Result<u64, Error> {
    match text.trim().parse::<i64>() {
        Ok(number) => u64::try_from(number).map_err(|_| Error::out_of_range(negative)),
        Err(_) => Err(Error::unparsed(&format!("{name} parameter"), text, "expecting a number from 0 on")),
    }
}

fn columns(table: &'static Table, text: &str) -> Result<Vec<String>, Error> {
    let names = grammar::names(text)?;
    match names.iter().find(|name| table.column(name).is_none()) {
        Some(unknown) => Err(Error::no_body_column(table, unknown)),
        None => Ok(names),
    }
}

/// A field of a table, as it may be selected.
fn selected(table: &'static Table, text: FieldText) -> Result<Field, Error> {
    let column = table.column(&text.column).ok_or_else(|| Error::no_column(table, &text.column))?;
    if !text.path.is_empty() && !matches!(column.kind, Kind::Json | Kind::TextArray) {
        return Err(Error::no_operator(column.kind.name(), if text.as_text { "->> unknown" } else { "-> unknown" }));
    }
    if text.path.len() > STEPS_MAX {
        return Err(Error::new(400, "54001", format!("more than {STEPS_MAX} steps into {}", column.name)));
    }
    let bad_key = text.path.iter().find_map(|step| match step {
        crate::query::Step::Key(key) if !contain::is_plain_key(key) => Some(key),
        _ => None,
    });
    if let Some(key) = bad_key {
        return Err(Error::unsupported(format!("a key of JSON with quotes or control characters: {key:?}")));
    }
    Ok(Field { column, path: text.path, as_text: text.as_text })
}

/// A field by which the database may choose or order rows.
fn filtered(table: &'static Table, text: FieldText) -> Result<Field, Error> {
    let field = selected(table, text)?;
    if field.column.source == Source::Computed {
        return Err(Error::unsupported(format!(
            "column {}.{} is computed: rows can't be filtered or ordered by it",
            table.name, field.column.name
        )));
    }
    Ok(field)
}

fn order_of(table: &'static Table, text: &OrderText) -> Result<Order, Error> {
    let field = filtered(table, text.field.clone())?;
    if matches!(field.kind(), Kind::Json | Kind::TextArray) {
        return Err(Error::unsupported(format!("rows can't be ordered by {}: it is JSON", field.column.name))
            .hint("A place in it can be read as text: order=settings->>mode."));
    }
    let words: Vec<&str> = text.words.iter().map(String::as_str).collect();
    let (direction, nulls) = match words.as_slice() {
        [] => (Direction::Asc, None),
        ["asc"] => (Direction::Asc, None),
        ["desc"] => (Direction::Desc, None),
        [nulls @ ("nullsfirst" | "nullslast")] => (Direction::Asc, Some(*nulls)),
        ["asc", nulls @ ("nullsfirst" | "nullslast")] => (Direction::Asc, Some(*nulls)),
        ["desc", nulls @ ("nullsfirst" | "nullslast")] => (Direction::Desc, Some(*nulls)),
        words => return Err(Error::unparsed("order", &words.join("."), "expecting asc or desc, then nullsfirst or nullslast")),
    };
    let nulls_first = nulls.map_or(direction == Direction::Desc, |nulls| nulls == "nullsfirst");
    Ok(Order { field, direction, nulls_first })
}

fn cast_of(name: &str) -> Result<Cast, Error> {
    match name {
        "text" | "varchar" => Ok(Cast::Text),
        "int" | "integer" | "bigint" | "smallint" | "int2" | "int4" | "int8" => Ok(Cast::Integer),
        "numeric" | "real" | "float" | "float4" | "float8" | "double precision" => Ok(Cast::Real),
        "bool" | "boolean" => Ok(Cast::Bool),
        "json" | "jsonb" => Ok(Cast::Json),
        other => Err(Error::new(400, "42704", format!("type \"{other}\" does not exist"))
            .hint("There are: text, integer, bigint, numeric, boolean, json.")),
    }
}

fn related(table: &'static Table, name: &str, hints: &[String]) -> Result<(&'static Relation, bool), Error> {
    let mut inner = false;
    let mut named = table.relations.iter().filter(|relation| relation.is_named(name)).collect::<Vec<_>>();
    for hint in hints {
        match hint.as_str() {
            "inner" => inner = true,
            "left" => inner = false,
            hint => named.retain(|relation| relation.local == hint || relation.foreign == hint || relation.name == hint),
        }
    }
    match named.first() {
        Some(relation) => Ok((relation, inner)),
        None => Err(Error::no_relation(table, name)),
    }
}

fn condition(field: &Field, operator: &str, text: &str) -> Result<Condition, Error> {
    let kind = field.kind();
    let read = |text: &str| value::read(kind, field.column.name, text);
    let compare = |comparison: Comparison| {
        let operand = read(text)?;
        let ordered = !matches!(comparison, Comparison::Eq | Comparison::Neq);
        match &operand {
            Operand::Json(value) if ordered && !value.is_number() => {
                Err(Error::unsupported("inside of JSON only numbers are greater or less").hint("Ask for the text with ->>."))
            }
            _ => Ok(Condition::Compare(comparison, operand)),
        }
    };
    match operator {
        "eq" => compare(Comparison::Eq),
        "neq" => compare(Comparison::Neq),
        "gt" => compare(Comparison::Gt),
        "gte" => compare(Comparison::Gte),
        "lt" => compare(Comparison::Lt),
        "lte" => compare(Comparison::Lte),
        "like" | "ilike" if kind.is_text() => Ok(Condition::Like(Pattern::read(text, operator == "ilike")?)),
        "like" => Err(Error::no_operator(kind.name(), "~~ unknown")),
        "ilike" => Err(Error::no_operator(kind.name(), "~~* unknown")),
        "is" => truth(field, kind, text).map(Condition::Is),
        "isdistinct" => Ok(Condition::Distinct(read(text)?)),
        "in" => {
            let texts = grammar::list(text)?;
            check_list(texts.len(), if kind == Kind::Json { CONDITIONS_MAX } else { LIST_MAX })?;
            texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map(Condition::In)
        }
        "cs" => match kind {
            Kind::TextArray => Ok(Condition::Contains(strings(text)?.into())),
            Kind::Json => Ok(Condition::Contains(contain::read(text)?)),
            _ => Err(Error::no_operator(kind.name(), "@> unknown")),
        },
        "cd" => match kind {
            Kind::TextArray => Ok(Condition::ContainedIn(strings(text)?)),
            Kind::Json => Err(Error::unsupported("cd isn't there for JSON: SQLite has nothing like it").hint("Ask with cs: contains.")),
            _ => Err(Error::no_operator(kind.name(), "<@ unknown")),
        },
        "ov" => match kind {
            Kind::TextArray => Ok(Condition::Overlaps(strings(text)?)),
            _ => Err(Error::no_operator(kind.name(), "&& unknown")),
        },
        "match" | "imatch" => Err(Error::unsupported(format!("operator {operator} isn't supported: SQLite has no regular expressions"))
            .hint("Ask with like or ilike.")),
        "fts" | "plfts" | "phfts" | "wfts" => {
            Err(Error::unsupported(format!("operator {operator} isn't supported: there is no full text search"))
                .hint("Ask with ilike.*word*."))
        }
        other => Err(Error::unsupported(format!("operator {other} isn't supported: no column is a range"))),
    }
}

fn truth(field: &Field, kind: Kind, text: &str) -> Result<Truth, Error> {
    let truth = match text.to_ascii_lowercase().as_str() {
        "null" => return Ok(Truth::Null),
        "not_null" => return Ok(Truth::NotNull),
        "true" => Truth::True,
        "false" => Truth::False,
        "unknown" => Truth::Null,
        _ => {
            let details = "expecting null or not_null or trilean value (unknown, true, false)";
            return Err(Error::unparsed("filter", &format!("is.{text}"), details));
        }
    };
    if kind == Kind::Bool {
        return Ok(truth);
    }
    let (word, shown) = (text.to_ascii_uppercase(), field.kind().name());
    Err(Error::new(400, "42804", format!("argument of IS {word} must be type boolean, not type {shown}")))
}

fn strings(text: &str) -> Result<Vec<String>, Error> {
    let strings = value::elements(text)?;
    check_list(strings.len(), CONDITIONS_MAX)?;
    Ok(strings)
}

fn check_list(length: usize, most: usize) -> Result<(), Error> {
    if length > most {
        return Err(Error::new(400, "54000", format!("a list of {length} values: {most} are the most")));
    }
    Ok(())
}
