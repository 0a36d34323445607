//! Headers, query and form fields, metadata: a name, a value, repeats allowed, order kept.

pub use crate::bindings::plugin::patchbay::channel::types::Field;

impl Field {
    /// A field of that name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// What a list of fields is asked.
pub trait Fields {
    /// The first value of that exact name.
    fn value(&self, name: &str) -> Option<&str>;

    /// The first value of that header, in whatever case it was written.
    fn header(&self, name: &str) -> Option<&str>;

    /// Whether the field says yes: `true`, `1` or `yes`.
    fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some("true" | "1" | "yes"))
    }
}

impl Fields for [Field] {
    fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
    }
}
