//! A table for tests, with a column of each kind.

use patchbay_postgrest::{Column, Direction, Kind, Relation, Table};

pub(crate) static PETS: Table = Table {
    name: "pets",
    columns: &[
        Column::id("id").required(),
        Column::id("owner_id"),
        Column::text("name"),
        Column::word("state", &["new", "sold", "gone"]).required(),
        Column::bool("tame"),
        Column::integer("legs"),
        Column::new("weight", Kind::Real),
        Column::time("born_at"),
        Column::json("facts"),
        Column::new("tags", Kind::TextArray),
        Column::bool("is_new").expression("({t}.state = 'new')").required(),
        Column::text("url").computed(),
    ],
    relations: &[Relation { name: "owner", aliases: &["owners"], table: &OWNERS, many: false, local: "owner_id", foreign: "id" }],
    key: &["id"],
    order: &[("id", Direction::Desc)],
    stored: "pets",
    visible: "{t}.sold_at IS NULL",
};

pub(crate) static OWNERS: Table = Table {
    name: "owners",
    columns: &[Column::id("id").required(), Column::text("name").required()],
    relations: &[Relation { name: "pets", aliases: &[], table: &PETS, many: true, local: "id", foreign: "owner_id" }],
    key: &["id"],
    order: &[("id", Direction::Desc)],
    stored: "owners",
    visible: "",
};
