//! Filters, orders and places as SQL of either database. Values are bound, every one; identifiers come from the [`Table`]. What the two
//! databases understand differently is written so that they answer alike, and as [`crate::memory`] does.

use serde_json::Value;

use crate::{
    query::{Comparison, Condition, Embed, Field, Filter, Order, Position, Query, Step, Test, Truth},
    table::{Column, Direction, Kind, Source, Table},
    value::Operand,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// A value for a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    Text(String),
    Bool(bool),
    Int(i64),
    Json(Value),
}

/// What collects the values of a statement.
pub trait Binds {
    /// Takes a value and answers the number of its placeholder: `$3` for 3.
    fn take(&mut self, value: Bind) -> usize;
}

impl Binds for Vec<Bind> {
    fn take(&mut self, value: Bind) -> usize {
        self.push(value);
        self.len()
    }
}

/// Writes conditions on the table whose alias is `alias`.
pub struct Writer<'a, B> {
    pub dialect: Dialect,
    pub alias: &'a str,
    pub binds: &'a mut B,
}

impl<B: Binds> Writer<'_, B> {
    /// What belongs behind `WHERE`: the table's visible rows, the filter, the place, and what embedded resources ask of their parents.
    /// `owned` adds what a table's rows have to be besides, by its alias: a related row has to be as its own table would show it.
    pub fn conditions(&mut self, query: &Query, owned: &mut dyn FnMut(&Table, &str, &mut B) -> String) -> String {
        let mut all = self.visible(query.table);
        all.push(owned(query.table, self.alias, self.binds));
        all.push(self.filter(&query.filter));
        if let Some(position) = &query.after {
            all.push(self.after(&query.order, position));
        }
        for (number, embed) in query.embeds().filter(|embed| embed.inner).enumerate() {
            all.push(self.exists(query.table, embed, number, owned));
        }
        all.retain(|condition| !condition.is_empty() && condition != "1 = 1");
        if all.is_empty() { "1 = 1".to_owned() } else { all.join(" AND ") }
    }

    fn visible(&self, table: &Table) -> Vec<String> {
        vec![table.visible.replace("{t}", self.alias)]
    }

    /// There is a related row that the embedded query would show.
    fn exists(&mut self, table: &Table, embed: &Embed, number: usize, owned: &mut dyn FnMut(&Table, &str, &mut B) -> String) -> String {
        let local = table.column(embed.relation.local).map(|column| self.column(column)).unwrap_or_default();
        let alias = format!("{}_{number}", self.alias);
        let mut inner = Writer { dialect: self.dialect, alias: &alias, binds: &mut *self.binds };
        let foreign = embed.relation.table.column(embed.relation.foreign).map(|column| inner.column(column)).unwrap_or_default();
        let conditions = inner.conditions(&embed.query, owned);
        format!("EXISTS (SELECT 1 FROM {} {alias} WHERE {foreign} = {local} AND {conditions})", embed.relation.table.stored)
    }

    pub fn column(&self, column: &Column) -> String {
        match column.source {
            Source::Stored(name) => format!("{}.{name}", self.alias),
            Source::Expression(sql) => sql.replace("{t}", self.alias),
            // Nothing that may be filtered by is computed.
            Source::Computed => "NULL".to_owned(),
        }
    }

    pub fn filter(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::All(branches) => self.joined(branches, " AND ", "1 = 1"),
            Filter::Any(branches) => self.joined(branches, " OR ", "1 = 0"),
            Filter::Not(inner) => format!("NOT ({})", self.filter(inner)),
            Filter::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, branches: &[Filter], between: &str, none: &str) -> String {
        match branches {
            [] => none.to_owned(),
            [one] => self.filter(one),
            several => {
                let written: Vec<String> = several.iter().map(|branch| format!("({})", self.filter(branch))).collect();
                written.join(between)
            }
        }
    }

    fn test(&mut self, Test { field, condition }: &Test) -> String {
        match condition {
            Condition::Compare(comparison, operand) => self.compare(field, *comparison, operand),
            Condition::Distinct(operand) => {
                let same = self.compare(field, Comparison::Eq, operand);
                format!("NOT COALESCE({same}, FALSE)")
            }
            Condition::In(operands) => self.is_one_of(field, operands),
            Condition::Is(truth) => {
                let value = self.value(field);
                match truth {
                    Truth::Null => format!("{value} IS NULL"),
                    Truth::NotNull => format!("{value} IS NOT NULL"),
                    Truth::True => format!("{value} IS TRUE"),
                    Truth::False => format!("{value} IS FALSE"),
                }
            }
            Condition::Like(pattern) => {
                let value = self.value(field);
                match (self.dialect, pattern.folds) {
                    (Dialect::Sqlite, false) => format!("{value} GLOB {}", self.bind(Bind::Text(pattern.glob()))),
                    // SQLite's LIKE folds ASCII, as ILIKE does under the collation "C".
                    (Dialect::Sqlite, true) => format!("{value} LIKE {} ESCAPE '\\'", self.bind(Bind::Text(pattern.like()))),
                    (Dialect::Postgres, false) => format!("{value} LIKE {} ESCAPE '\\'", self.bind(Bind::Text(pattern.like()))),
                    (Dialect::Postgres, true) => format!("{value} ILIKE {} ESCAPE '\\'", self.bind(Bind::Text(pattern.like()))),
                }
            }
            Condition::Contains(part) => self.contains(field, part),
            Condition::ContainedIn(elements) => {
                let value = self.json(field);
                let others = match self.texts(elements) {
                    Some(list) => format!(" WHERE {} NOT IN {list}", self.element()),
                    None => String::new(),
                };
                self.unless_null(&value.text(self.dialect), &format!("NOT EXISTS (SELECT 1 FROM {}{others})", self.elements(&value)))
            }
            Condition::Overlaps(elements) => {
                let value = self.json(field);
                let one = match self.texts(elements) {
                    Some(list) => format!("EXISTS (SELECT 1 FROM {} WHERE {} IN {list})", self.elements(&value), self.element()),
                    None => "1 = 0".to_owned(),
                };
                self.unless_null(&value.text(self.dialect), &one)
            }
        }
    }

    fn unless_null(&self, value: &str, condition: &str) -> String {
        format!("CASE WHEN {value} IS NULL THEN NULL ELSE {condition} END")
    }

    fn bind(&mut self, value: Bind) -> String {
        format!("${}", self.binds.take(value))
    }

    fn operand(&mut self, operand: &Operand) -> String {
        match operand {
            Operand::Text(text) => self.bind(Bind::Text(text.clone())),
            Operand::Bool(value) => self.bind(Bind::Bool(*value)),
            Operand::Int(number) | Operand::Time(number) => self.bind(Bind::Int(*number)),
            Operand::Real(number) => {
                let kind = if self.dialect == Dialect::Sqlite { "REAL" } else { "DOUBLE PRECISION" };
                format!("CAST({} AS {kind})", self.bind(Bind::Text(number.to_string())))
            }
            Operand::Json(value) => self.bind(Bind::Json(value.clone())),
        }
    }

    fn compare(&mut self, field: &Field, comparison: Comparison, operand: &Operand) -> String {
        match operand {
            Operand::Json(value) => self.compare_json(field, comparison, value),
            operand => {
                let value = self.value(field);
                format!("{value} {} {}", comparison.sign(), self.operand(operand))
            }
        }
    }

    fn compare_json(&mut self, field: &Field, comparison: Comparison, scalar: &Value) -> String {
        match comparison {
            Comparison::Eq => self.json_is(field, scalar),
            Comparison::Neq => format!("NOT ({})", self.json_is(field, scalar)),
            // Only numbers come here.
            ordered => {
                let place = self.json(field);
                let sign = ordered.sign();
                match self.dialect {
                    Dialect::Sqlite => {
                        let (kind, value) = (place.sqlite_type(), place.sqlite_value());
                        let number = self.bind(Bind::Text(scalar.to_string()));
                        format!("({kind} IN ('integer', 'real') AND {value} {sign} CAST({number} AS NUMERIC))")
                    }
                    Dialect::Postgres => {
                        let value = place.postgres();
                        let number = self.bind(Bind::Text(scalar.to_string()));
                        format!(
                            "CASE WHEN {value} IS NULL THEN NULL WHEN jsonb_typeof({value}) = 'number' \
                             THEN CAST({value} #>> '{{}}' AS NUMERIC) {sign} CAST({number} AS NUMERIC) ELSE FALSE END"
                        )
                    }
                }
            }
        }
    }

    fn json_is(&mut self, field: &Field, scalar: &Value) -> String {
        let place = self.json(field);
        match self.dialect {
            Dialect::Postgres => format!("{} = {}", place.postgres(), self.bind(Bind::Json(scalar.clone()))),
            Dialect::Sqlite => self.sqlite_is(&place.sqlite_type(), &place.sqlite_value(), scalar),
        }
    }

    /// Whether JSON of that type and that value as SQL is the scalar.
    fn sqlite_is(&mut self, kind: &str, value: &str, scalar: &Value) -> String {
        match scalar {
            Value::Null => format!("{kind} = 'null'"),
            Value::Bool(true) => format!("{kind} = 'true'"),
            Value::Bool(false) => format!("{kind} = 'false'"),
            Value::String(text) => format!("({kind} = 'text' AND {value} = {})", self.bind(Bind::Text(text.clone()))),
            number => {
                let number = self.bind(Bind::Text(number.to_string()));
                format!("({kind} IN ('integer', 'real') AND {value} = CAST({number} AS NUMERIC))")
            }
        }
    }

    fn is_one_of(&mut self, field: &Field, operands: &[Operand]) -> String {
        if operands.is_empty() {
            return "1 = 0".to_owned();
        }
        if field.kind() == Kind::Json {
            let each: Vec<String> = operands.iter().map(|operand| self.compare(field, Comparison::Eq, operand)).collect();
            return format!("({})", each.join(" OR "));
        }
        let value = self.value(field);
        let list: Vec<String> = operands.iter().map(|operand| self.operand(operand)).collect();
        format!("{value} IN ({})", list.join(", "))
    }

    fn texts(&mut self, texts: &[String]) -> Option<String> {
        let list: Vec<String> = texts.iter().map(|text| self.bind(Bind::Text(text.clone()))).collect();
        (!list.is_empty()).then(|| format!("({})", list.join(", ")))
    }

    /// The rows that an array's elements are.
    fn elements(&self, place: &Place) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("json_each({}, {}) e", place.root, place.path),
            Dialect::Postgres => format!("jsonb_array_elements_text({}) e(value)", place.postgres()),
        }
    }

    /// One of them as text.
    fn element(&self) -> &'static str {
        match self.dialect {
            Dialect::Sqlite => "e.value",
            Dialect::Postgres => "e.value COLLATE \"C\"",
        }
    }

    /// A field as SQL that has its value.
    fn value(&mut self, field: &Field) -> String {
        if field.path.is_empty() {
            return self.column(field.column);
        }
        let place = self.json(field);
        match (self.dialect, field.as_text) {
            (Dialect::Postgres, true) => format!("({} #>> '{{}}') COLLATE \"C\"", place.postgres()),
            (Dialect::Postgres, false) => place.postgres(),
            // Text without its quotes; null is nothing; all else as it is written.
            (Dialect::Sqlite, true) => {
                let (root, path) = (&place.root, &place.path);
                format!(
                    "(CASE json_type({root}, {path}) WHEN 'text' THEN {root} ->> {path} WHEN 'null' THEN NULL ELSE {root} -> {path} END)"
                )
            }
            (Dialect::Sqlite, false) => place.sqlite_type(),
        }
    }

    fn json(&mut self, field: &Field) -> Place {
        let root = self.column(field.column);
        match self.dialect {
            Dialect::Sqlite => {
                let path: String = std::iter::once("$".to_owned()).chain(field.path.iter().map(sqlite_step)).collect();
                let path = if field.path.is_empty() { "'$'".to_owned() } else { self.bind(Bind::Text(path)) };
                Place { root, path, arrows: String::new() }
            }
            Dialect::Postgres => {
                let mut arrows = String::new();
                for step in &field.path {
                    match step {
                        Step::Key(key) => arrows.push_str(&format!(" -> {}", self.bind(Bind::Text(key.clone())))),
                        Step::Index(index) => arrows.push_str(&format!(" -> ({index})")),
                    }
                }
                Place { root, path: String::new(), arrows }
            }
        }
    }

    fn contains(&mut self, field: &Field, part: &Value) -> String {
        let place = self.json(field);
        match self.dialect {
            Dialect::Postgres => format!("{} @> {}", place.postgres(), self.bind(Bind::Json(part.clone()))),
            Dialect::Sqlite => {
                let node =
                    Node { kind: place.sqlite_type(), value: place.sqlite_value(), root: place.root.clone(), path: place.path.clone() };
                let mut condition = self.covers(&node, part, 0);
                if !part.is_object() && !part.is_array() {
                    // Only at the top: an array contains a scalar.
                    let element = self.sqlite_is("e.type", "e.value", part);
                    let within = format!("EXISTS (SELECT 1 FROM json_each({}, {}) e WHERE {element})", place.root, place.path);
                    condition = format!("(CASE WHEN {} = 'array' THEN {within} ELSE {condition} END)", node.kind);
                }
                self.unless_null(&node.kind, &condition)
            }
        }
    }

    fn covers(&mut self, node: &Node, part: &Value, depth: usize) -> String {
        match part {
            Value::Object(fields) => {
                let inner = fields.iter().map(|(key, part)| {
                    let path = format!("{} || {}", node.path, self.bind(Bind::Text(sqlite_step(&Step::Key(key.clone())))));
                    let place = Place { root: node.root.clone(), path, arrows: String::new() };
                    let below = Node { kind: place.sqlite_type(), value: place.sqlite_value(), root: place.root, path: place.path };
                    format!("COALESCE({}, FALSE)", self.covers(&below, part, depth))
                });
                let inner: Vec<String> = inner.collect();
                let all = if inner.is_empty() { "1 = 1".to_owned() } else { inner.join(" AND ") };
                format!("CASE WHEN {} = 'object' THEN {all} ELSE FALSE END", node.kind)
            }
            Value::Array(elements) => {
                let inner = elements.iter().enumerate().map(|(number, part)| {
                    let alias = format!("e{depth}_{number}");
                    let below = Node {
                        kind: format!("{alias}.type"),
                        value: format!("{alias}.value"),
                        root: format!("{alias}.value"),
                        path: "'$'".to_owned(),
                    };
                    let condition = self.covers(&below, part, depth + 1);
                    format!("EXISTS (SELECT 1 FROM json_each({}, {}) {alias} WHERE {condition})", node.root, node.path)
                });
                let inner: Vec<String> = inner.collect();
                let all = if inner.is_empty() { "1 = 1".to_owned() } else { inner.join(" AND ") };
                format!("CASE WHEN {} = 'array' THEN {all} ELSE FALSE END", node.kind)
            }
            scalar => self.sqlite_is(&node.kind, &node.value, scalar),
        }
    }

    /// What belongs behind `ORDER BY`.
    pub fn order(&mut self, order: &[Order]) -> String {
        let terms = order.iter().map(|order| {
            let value = self.value(&order.field);
            let direction = if order.direction == Direction::Asc { "ASC" } else { "DESC" };
            // Said only where there may be nulls: an index has an order of its own for them.
            let nulls = match (order.field.column.nullable || !order.field.path.is_empty(), order.nulls_first) {
                (false, _) => "",
                (true, true) => " NULLS FIRST",
                (true, false) => " NULLS LAST",
            };
            format!("{value} {direction}{nulls}")
        });
        terms.collect::<Vec<_>>().join(", ")
    }

    /// The rows behind that place in the order.
    pub fn after(&mut self, order: &[Order], Position(values): &Position) -> String {
        let terms: Vec<(&Order, &Option<Operand>)> = order.iter().zip(values).collect();
        // One comparison of rows, which one index serves, where all terms go the same way and none may be null.
        let direction = order.first().map(|order| order.direction);
        let is_plain = |(order, value): &(&Order, &Option<Operand>)| {
            Some(order.direction) == direction && !order.field.column.nullable && order.field.path.is_empty() && value.is_some()
        };
        if terms.iter().all(is_plain) && !terms.is_empty() {
            let fields: Vec<String> = terms.iter().map(|(order, _)| self.value(&order.field)).collect();
            let values: Vec<String> = terms.iter().filter_map(|(_, value)| value.as_ref()).map(|value| self.operand(value)).collect();
            let sign = if direction == Some(Direction::Asc) { ">" } else { "<" };
            return match (fields.as_slice(), values.as_slice()) {
                ([field], [value]) => format!("{field} {sign} {value}"),
                _ => format!("({}) {sign} ({})", fields.join(", "), values.join(", ")),
            };
        }
        let mut branches = Vec::new();
        for (number, (last, value)) in terms.iter().enumerate() {
            let Some(beyond) = self.beyond(last, value.as_ref()) else { continue };
            let mut all: Vec<String> = Vec::new();
            for (order, value) in terms.iter().take(number) {
                let field = self.value(&order.field);
                all.push(match value {
                    Some(value) => format!("{field} = {}", self.operand(value)),
                    None => format!("{field} IS NULL"),
                });
            }
            all.push(beyond);
            branches.push(format!("({})", all.join(" AND ")));
        }
        if branches.is_empty() { "1 = 0".to_owned() } else { format!("({})", branches.join(" OR ")) }
    }

    /// What one term has behind that value; nothing is behind the last.
    fn beyond(&mut self, order: &Order, value: Option<&Operand>) -> Option<String> {
        let field = self.value(&order.field);
        let Some(value) = value else {
            return order.nulls_first.then(|| format!("{field} IS NOT NULL"));
        };
        let sign = if order.direction == Direction::Asc { ">" } else { "<" };
        let value = self.operand(value);
        let nulls = order.field.column.nullable && !order.nulls_first;
        Some(if nulls { format!("({field} {sign} {value} OR {field} IS NULL)") } else { format!("{field} {sign} {value}") })
    }
}

/// A place in JSON, as each database reaches it.
struct Place {
    root: String,
    path: String,
    arrows: String,
}

impl Place {
    fn postgres(&self) -> String {
        if self.arrows.is_empty() { self.root.clone() } else { format!("({}{})", self.root, self.arrows) }
    }

    fn sqlite_type(&self) -> String {
        format!("json_type({}, {})", self.root, self.path)
    }

    fn sqlite_value(&self) -> String {
        format!("json_extract({}, {})", self.root, self.path)
    }

    /// What is null where there is nothing.
    fn text(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Sqlite => self.sqlite_type(),
            Dialect::Postgres => self.postgres(),
        }
    }
}

/// JSON inside of SQLite: its type and its value as SQL, and where it is.
struct Node {
    kind: String,
    value: String,
    root: String,
    path: String,
}

/// A step of a path of SQLite. Keys have no quotes in them.
fn sqlite_step(step: &Step) -> String {
    match step {
        Step::Key(key) => format!(".\"{key}\""),
        Step::Index(index) if *index < 0 => format!("[#{index}]"),
        Step::Index(index) => format!("[{index}]"),
    }
}
