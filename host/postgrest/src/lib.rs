//! PostgREST's conventions as types. A resource is declared ([`Table`]); a query string becomes a [`Query`] that was checked against
//! the declaration; the query is written as SQL with every value bound ([`sql`]), or evaluated in memory ([`memory`]); a rendered row
//! is cut to what was selected ([`project`]); headers are read ([`Prefer`], [`Accept`], [`Window`]) and the answer's status and headers
//! follow ([`Listing`]).
//!
//! Nothing here knows HTTP libraries, databases or the gateway. Start at [`parse`].

mod accept;
mod body;
mod contain;
mod cursor;
mod error;
mod grammar;
mod like;
mod listing;
mod parse;
mod prefer;
mod query;
mod table;
mod value;

pub mod csv;
pub mod memory;
pub mod project;
pub mod sql;

pub use accept::{Accept, Format};
pub use body::Body;
pub use cursor::{cursor_of, position_of, read_cursor};
pub use error::Error;
pub use like::Pattern;
pub use listing::{Listing, Window};
pub use parse::{Reading, pairs, parse};
pub use prefer::{Count, Prefer, Resolution, Return};
pub use query::{Cast, Comparison, Condition, Embed, Field, Filter, Item, Order, Position, Query, Step, Test, Truth};
pub use table::{Column, Direction, Kind, Relation, Source, Table};
pub use value::Operand;
