//! The description of the API: that it is whole, that its examples are true to its schemas, that the page shows it, and that the gateway
//! keeps to it whatever it is sent.

mod description;
mod page;
mod schemathesis;
