//! People as headers name them.

use mail_parser::{Addr, HeaderValue};
use patchbay_plugin::messages::{Identity, Party};

use super::one_line;
use crate::thread;

const ADDRESS_MAX: usize = 320;
const NAME_MAX: usize = 200;

/// An address, and the name beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) address: String,
    pub(crate) name: Option<String>,
}

impl Person {
    /// As a letter's header writes it.
    pub(crate) fn line(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} <{}>", self.address),
            None => self.address.clone(),
        }
    }

    /// Whether it is that address, however it is written.
    pub(crate) fn is(&self, address: &str) -> bool {
        thread::fold(&self.address) == thread::fold(address)
    }

    /// As the gateway knows people.
    pub(crate) fn party(&self) -> Party {
        Party { identities: vec![Identity::new("email", thread::fold(&self.address))], name: self.name.clone() }
    }
}

/// The people of a header's value; an entry without an address is nobody.
pub(crate) fn people(value: &HeaderValue<'_>) -> Vec<Person> {
    match value {
        HeaderValue::Address(addresses) => addresses.iter().filter_map(person).collect(),
        HeaderValue::Text(address) => plain(address, None).into_iter().collect(),
        HeaderValue::TextList(list) => list.iter().filter_map(|address| plain(address, None)).collect(),
        _ => Vec::new(),
    }
}

fn person(entry: &Addr<'_>) -> Option<Person> {
    let name = entry.name.as_deref().map(|name| one_line(name, NAME_MAX)).filter(|name| !name.is_empty());
    match entry.address.as_deref() {
        Some(address) => plain(address, name),
        // `From: mona@ex.test (no brackets)` and the like.
        None => plain(name.as_deref()?, None),
    }
}

fn plain(address: &str, name: Option<String>) -> Option<Person> {
    let address: String =
        address.chars().filter(|c| !c.is_control() && !c.is_whitespace() && !matches!(c, '<' | '>' | '"' | ',')).collect();
    let (local, domain) = address.rsplit_once('@')?;
    let whole = !local.is_empty() && !domain.is_empty() && address.len() <= ADDRESS_MAX;
    let name = name.filter(|name| *name != address);
    whole.then_some(Person { address, name })
}
