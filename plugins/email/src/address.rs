//! Addresses as people write them, `Mona <mona@ex.test>`, with names and domains in any script.

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Bytes of an address, by RFC 5321.
const ADDRESS_MAX: usize = 254;
/// Characters of a display name.
const NAME_MAX: usize = 200;

/// Somebody's mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mailbox {
    pub(crate) name: Option<String>,
    /// What stands behind the `@` is ASCII and in lower case. What stands before it may not be: then servers need SMTPUTF8.
    pub(crate) address: String,
}

impl Mailbox {
    /// One address, with or without a name; the words say what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("holds a line break or another control character".to_owned());
        }
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (unquote(name.trim())?, address.trim()),
            None => (String::new(), text),
        };
        if name.chars().count() > NAME_MAX {
            return Err(format!("has a name of more than {NAME_MAX} characters"));
        }
        let name = Some(name).filter(|name| !name.is_empty());
        Ok(Self { name, address: normalise(address)? })
    }

    /// A mailbox of that name, where it isn't empty.
    pub(crate) fn named(name: &str, address: &str) -> Result<Self, String> {
        let name = Some(name.trim()).filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Self { name, ..Self::parse(address)? })
    }
}

/// A display name without its quotes.
fn unquote(name: &str) -> Result<String, String> {
    let Some(quoted) = name.strip_prefix('"') else {
        if name.contains(['@', '<', '>']) {
            return Err("isn't one address: put a name with @, < or > in quotes, and give several addresses one by one".to_owned());
        }
        return Ok(name.to_owned());
    };
    let mut unquoted = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unquoted.extend(characters.next()),
            '"' if characters.as_str().is_empty() => return Ok(unquoted.trim().to_owned()),
            '"' => break,
            other => unquoted.push(other),
        }
    }
    Err("isn't one address: its name begins with a quote that isn't closed before the address".to_owned())
}

fn normalise(address: &str) -> Result<String, String> {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Err("isn't an e-mail address: it has no @".to_owned());
    };
    let domain = ascii_domain(domain).ok_or_else(|| format!("isn't an e-mail address: “{domain}” isn't a domain"))?;
    let address = format!("{local}@{domain}");
    if address.len() > ADDRESS_MAX {
        return Err(format!("has more than {ADDRESS_MAX} bytes"));
    }
    let options = Options::default().without_display_text().without_domain_literal().with_no_minimum_sub_domains();
    match EmailAddress::parse_with_options(&address, options) {
        // White space in quotes is allowed there, and no header can be folded around it.
        Ok(_) if !address.contains(char::is_whitespace) => Ok(address),
        Ok(_) => Err("isn't an e-mail address that servers take: it holds white space".to_owned()),
        Err(why) => Err(format!("isn't an e-mail address: {}", why.to_string().to_lowercase())),
    }
}

/// A domain as the network knows it: `münchen.example` is `xn--mnchen-3ya.example`.
pub(crate) fn ascii_domain(domain: &str) -> Option<String> {
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Allow, DnsLength::Verify).ok()?;
    let named = !ascii.split('.').next_back()?.bytes().all(|byte| byte.is_ascii_digit());
    named.then(|| ascii.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String) {
        let mailbox = Mailbox::parse(text).unwrap();
        (mailbox.name, mailbox.address)
    }

    fn named(name: &str, address: &str) -> (Option<String>, String) {
        (Some(name.to_owned()), address.to_owned())
    }

    #[test]
    fn an_address_has_a_name_or_none() {
        assert_eq!(parsed(" mona@Ex.TEST "), (None, "mona@ex.test".to_owned()));
        assert_eq!(parsed("<mona@ex.test>"), (None, "mona@ex.test".to_owned()));
        assert_eq!(parsed("Mona Ali <Mona.Ali@ex.test>"), named("Mona Ali", "Mona.Ali@ex.test"));
        assert_eq!(parsed("\"Ali, Mona \\\"M\\\" <x>\" <mona@ex.test>"), named("Ali, Mona \"M\" <x>", "mona@ex.test"));
        assert_eq!(parsed("Ali, Mona <mona@ex.test>"), named("Ali, Mona", "mona@ex.test"));
        assert_eq!(parsed("منى <mona@ex.test>"), named("منى", "mona@ex.test"));
        assert_eq!(parsed("\"a@b\"@ex.test"), (None, "\"a@b\"@ex.test".to_owned()));
        assert_eq!(parsed("root@localhost"), (None, "root@localhost".to_owned()));
    }

    #[test]
    fn a_domain_in_any_script_becomes_ascii_and_a_local_part_stays() {
        assert_eq!(parsed("info@münchen.example").1, "info@xn--mnchen-3ya.example");
        assert_eq!(parsed("info@مثال.إختبار").1, "info@xn--mgbh0fb.xn--kgbechtv");
        assert_eq!(parsed("جون@ex.test").1, "جون@ex.test");
    }

    #[test]
    fn what_is_no_single_address_is_refused() {
        let wrong = [
            "",
            "mona",
            "@ex.test",
            "mona@",
            "mona@ex..test",
            "mona@-ex.test",
            "mona@ex.test, ali@ex.test",
            "mona@ex.test; ali@ex.test",
            "mona@ex.test, Ali <ali@ex.test>",
            "mo na@ex.test",
            "\"mo na\"@ex.test",
            "mona@[127.0.0.1]",
            "mona@127.0.0.1",
            "mona@ex_ample.test",
            "Mona <mona@ex.test",
            "\"Mona <mona@ex.test>",
            "mona@ex.test\r\nBcc: x@y.test",
            "Mona\nX: y <mona@ex.test>",
            "mona@ex.test\0",
            "a<b@ex.test>@ex.test",
        ];
        for text in wrong {
            assert!(Mailbox::parse(text).is_err(), "{text:?}: {:?}", Mailbox::parse(text));
        }
        assert!(Mailbox::parse(&format!("{}@ex.test", "a".repeat(65))).is_err());
        assert!(Mailbox::parse(&format!("a@{}.test", "b".repeat(64))).is_err());
        assert!(Mailbox::parse(&format!("{} <a@ex.test>", "b".repeat(201))).is_err());
    }
}
