//! The description of the API: that it is whole, that its examples are true to its schemas, and that the page shows it.

mod description;
mod page;
