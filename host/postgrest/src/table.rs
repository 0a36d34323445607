//! What may be asked of a resource: its columns and what is related to it. Identifiers in SQL come from here and from nowhere else.

/// A resource as queries see it.
#[derive(Debug)]
pub struct Table {
    /// As it stands in the path.
    pub name: &'static str,
    pub columns: &'static [Column],
    pub relations: &'static [Relation],
    /// The columns that tell one row from every other, in the order of their weight; stored, and never null.
    pub key: &'static [&'static str],
    /// How rows come unless asked otherwise. The key is added at the end where it isn't among it.
    pub order: &'static [(&'static str, Direction)],
    /// The database's table.
    pub stored: &'static str,
    /// Which of its rows are rows of the resource, as SQL; `{t}` is the table's alias. Empty for all.
    pub visible: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Text without meaning, like a UUID: `?id=A,B` is any of them.
    Id,
    /// One of these words; any word where there are none.
    Word(&'static [&'static str]),
    Bool,
    Integer,
    Real,
    /// Stored as microseconds since 1970 UTC, shown as RFC 3339.
    Time,
    Json,
    /// Stored as a JSON array of strings.
    TextArray,
}

impl Kind {
    /// As PostgreSQL names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text | Kind::Id | Kind::Word(_) => "text",
            Kind::Bool => "boolean",
            Kind::Integer => "bigint",
            Kind::Real => "double precision",
            Kind::Time => "timestamp with time zone",
            Kind::Json => "jsonb",
            Kind::TextArray => "text[]",
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Kind::Text | Kind::Id | Kind::Word(_))
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The column of that name in the database.
    Stored(&'static str),
    /// SQL of both databases; `{t}` is the table's alias.
    Expression(&'static str),
    /// Rendered; no statement knows it.
    Computed,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub source: Source,
    pub nullable: bool,
}

impl Column {
    /// A nullable column that the database stores under the same name.
    pub const fn new(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, source: Source::Stored(name), nullable: true }
    }

    pub const fn id(name: &'static str) -> Column {
        Column::new(name, Kind::Id)
    }

    pub const fn text(name: &'static str) -> Column {
        Column::new(name, Kind::Text)
    }

    pub const fn word(name: &'static str, words: &'static [&'static str]) -> Column {
        Column::new(name, Kind::Word(words))
    }

    pub const fn bool(name: &'static str) -> Column {
        Column::new(name, Kind::Bool)
    }

    pub const fn integer(name: &'static str) -> Column {
        Column::new(name, Kind::Integer)
    }

    pub const fn time(name: &'static str) -> Column {
        Column::new(name, Kind::Time)
    }

    pub const fn json(name: &'static str) -> Column {
        Column::new(name, Kind::Json)
    }

    /// It is never null.
    #[must_use]
    pub const fn required(mut self) -> Column {
        self.nullable = false;
        self
    }

    /// The database knows it under another name.
    #[must_use]
    pub const fn stored(mut self, name: &'static str) -> Column {
        self.source = Source::Stored(name);
        self
    }

    #[must_use]
    pub const fn expression(mut self, sql: &'static str) -> Column {
        self.source = Source::Expression(sql);
        self
    }

    #[must_use]
    pub const fn computed(mut self) -> Column {
        self.source = Source::Computed;
        self
    }
}

/// Another table's rows that belong to a row.
#[derive(Debug)]
pub struct Relation {
    /// As it is shown.
    pub name: &'static str,
    /// Other names by which a client may ask for it: the table's own, for one.
    pub aliases: &'static [&'static str],
    pub table: &'static Table,
    /// Many rows, or one at most.
    pub many: bool,
    /// The column here, and the column there that is equal to it. Both are stored.
    pub local: &'static str,
    pub foreign: &'static str,
}

impl Relation {
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn column_names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }
}
