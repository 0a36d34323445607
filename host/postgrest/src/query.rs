//! A query that fits its table.

use serde_json::Value;

use crate::{
    like::Pattern,
    table::{Column, Direction, Kind, Relation, Table},
    value::Operand,
};

/// What is asked of a table.
#[derive(Debug, Clone)]
pub struct Query {
    pub table: &'static Table,
    pub select: Vec<Item>,
    pub filter: Filter,
    /// As asked, or the table's own; the key is at its end.
    pub order: Vec<Order>,
    pub limit: Option<u64>,
    pub offset: u64,
    /// Rows behind this place in the order.
    pub after: Option<Position>,
    /// Columns of a body that count.
    pub columns: Option<Vec<String>>,
    /// The column by which an upsert knows a row.
    pub on_conflict: Option<String>,
    /// Whether the query names rows at all: a filter was given.
    pub is_filtered: bool,
    /// Names of the parameters in which columns were filtered, at the top.
    pub filtered: Vec<&'static str>,
}

/// One thing selected.
#[derive(Debug, Clone)]
pub enum Item {
    All,
    Field { field: Field, name: String, cast: Option<Cast> },
    Embed(Box<Embed>),
}

/// Related rows inside of a row.
#[derive(Debug, Clone)]
pub struct Embed {
    pub relation: &'static Relation,
    /// Where it stands in the row.
    pub name: String,
    /// Rows without any are left out.
    pub inner: bool,
    /// Its columns stand in the row itself.
    pub spread: bool,
    pub query: Query,
}

/// A column, or a place in its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub column: &'static Column,
    pub path: Vec<Step>,
    /// The last arrow was `->>`: the place is read as text.
    pub as_text: bool,
}

impl Field {
    pub fn whole(column: &'static Column) -> Field {
        Field { column, path: Vec::new(), as_text: false }
    }

    /// What is read there.
    pub(crate) fn kind(&self) -> Kind {
        match (self.path.is_empty(), self.as_text) {
            (true, _) => self.column.kind,
            (false, true) => Kind::Text,
            (false, false) => Kind::Json,
        }
    }
}

/// One step into JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(i32),
}

/// What a selected value is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    Text,
    Integer,
    Real,
    Bool,
    Json,
}

/// Which rows are meant. Answers true, false or, as SQL does, nothing at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test(Test),
}

impl Filter {
    /// Every row.
    pub fn everything() -> Filter {
        Filter::All(Vec::new())
    }

    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        match self {
            Filter::All(mut all) => {
                all.push(other);
                Filter::All(all)
            }
            one => Filter::All(vec![one, other]),
        }
    }

    /// The rows where the column is that text.
    pub fn is(column: &'static Column, text: &str) -> Filter {
        Filter::Test(Test { field: Field::whole(column), condition: Condition::Compare(Comparison::Eq, Operand::Text(text.to_owned())) })
    }

    /// The rows where the column is one of these texts.
    pub fn is_one_of(column: &'static Column, texts: impl IntoIterator<Item = String>) -> Filter {
        Filter::Test(Test { field: Field::whole(column), condition: Condition::In(texts.into_iter().map(Operand::Text).collect()) })
    }
}

/// One condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub field: Field,
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Compare(Comparison, Operand),
    Like(Pattern),
    In(Vec<Operand>),
    Is(Truth),
    /// Another value, null being a value like others.
    Distinct(Operand),
    /// The JSON holds this; the array has all of these.
    Contains(Value),
    /// The array has none but these.
    ContainedIn(Vec<String>),
    /// The array has one of these.
    Overlaps(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Comparison {
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Eq => "=",
            Comparison::Neq => "<>",
            Comparison::Gt => ">",
            Comparison::Gte => ">=",
            Comparison::Lt => "<",
            Comparison::Lte => "<=",
        }
    }

    pub(crate) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Eq => ordering.is_eq(),
            Comparison::Neq => ordering.is_ne(),
            Comparison::Gt => ordering.is_gt(),
            Comparison::Gte => ordering.is_ge(),
            Comparison::Lt => ordering.is_lt(),
            Comparison::Lte => ordering.is_le(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Null,
    NotNull,
    True,
    False,
}

/// By what rows are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub field: Field,
    pub direction: Direction,
    pub nulls_first: bool,
}

/// A row's place in an order: the value of each term, none for null.
#[derive(Debug, Clone, PartialEq)]
pub struct Position(pub Vec<Option<Operand>>);

impl Query {
    /// The whole table in its own order.
    pub fn of(table: &'static Table) -> Query {
        Query {
            table,
            select: vec![Item::All],
            filter: Filter::everything(),
            order: table_order(table),
            limit: None,
            offset: 0,
            after: None,
            columns: None,
            on_conflict: None,
            is_filtered: false,
            filtered: Vec::new(),
        }
    }

    pub fn embeds(&self) -> impl Iterator<Item = &Embed> {
        self.select.iter().filter_map(|item| if let Item::Embed(embed) = item { Some(embed.as_ref()) } else { None })
    }

    /// Whether rows are told apart by stored columns alone, so that a place in the order can be written down.
    pub fn has_places(&self) -> bool {
        self.order.iter().all(|order| order.field.path.is_empty())
    }
}

/// The table's own order.
fn table_order(table: &'static Table) -> Vec<Order> {
    let own = table.order.iter().filter_map(|(name, direction)| {
        Some(Order { field: Field::whole(table.column(name)?), direction: *direction, nulls_first: *direction == Direction::Desc })
    });
    ended_by_key(table, own.collect())
}

/// The order with the key at its end: no two rows are alike. The key goes as the last term goes, so that one index may serve both.
pub(crate) fn ended_by_key(table: &'static Table, mut order: Vec<Order>) -> Vec<Order> {
    let direction = order.last().map_or(Direction::Desc, |last| last.direction);
    for name in table.key {
        let known = order.iter().any(|order| order.field.column.name == *name && order.field.path.is_empty());
        if let (false, Some(column)) = (known, table.column(name)) {
            order.push(Order { field: Field::whole(column), direction, nulls_first: direction == Direction::Desc });
        }
    }
    order
}

pub(crate) fn order_or_own(table: &'static Table, asked: Vec<Order>) -> Vec<Order> {
    if asked.is_empty() { table_order(table) } else { ended_by_key(table, asked) }
}
