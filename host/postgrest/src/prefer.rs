//! The header `Prefer`, and what of it was done.

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    Minimal,
    HeadersOnly,
    Representation,
}

/// How rows are counted. Planned and estimated counts are exact ones here: both databases can say no other alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exact,
    Planned,
    Estimated,
}

/// What becomes of a row that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Merge,
    Ignore,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefer {
    pub returns: Option<Return>,
    pub count: Option<Count>,
    pub resolution: Option<Resolution>,
    /// What a row of a body lacks is left to its default, not null.
    pub missing_default: bool,
    pub strict: Option<bool>,
    pub max_affected: Option<u64>,
}

impl Prefer {
    /// Reads the values of all `Prefer` headers. The first word on something counts.
    ///
    /// # Errors
    /// 400 for a transaction that is to be rolled back, and under `handling=strict` for what isn't known.
    pub fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Prefer, Error> {
        let mut prefer = Prefer::default();
        let mut unknown = Vec::new();
        for preference in
            headers.into_iter().flat_map(|header| header.split(',')).map(str::trim).filter(|preference| !preference.is_empty())
        {
            match preference {
                "return=minimal" => first(&mut prefer.returns, Return::Minimal),
                "return=headers-only" => first(&mut prefer.returns, Return::HeadersOnly),
                "return=representation" => first(&mut prefer.returns, Return::Representation),
                "count=exact" => first(&mut prefer.count, Count::Exact),
                "count=planned" => first(&mut prefer.count, Count::Planned),
                "count=estimated" => first(&mut prefer.count, Count::Estimated),
                "resolution=merge-duplicates" => first(&mut prefer.resolution, Resolution::Merge),
                "resolution=ignore-duplicates" => first(&mut prefer.resolution, Resolution::Ignore),
                "missing=default" => prefer.missing_default = true,
                "missing=null" => {}
                "handling=strict" => first(&mut prefer.strict, true),
                "handling=lenient" => first(&mut prefer.strict, false),
                // What is done is committed.
                "tx=commit" => {}
                "tx=rollback" => {
                    return Err(Error::unsupported(
                        "Prefer: tx=rollback isn't supported: providers are told of changes, which nothing takes back",
                    )
                    .hint("POST /rest/v1/messages takes \"dry_run\": true."));
                }
                other => match other.split_once('=') {
                    Some(("max-affected", number)) if number.parse::<u64>().is_ok() => {
                        first(&mut prefer.max_affected, number.parse().unwrap_or(0));
                    }
                    // Times are told in UTC.
                    Some(("timezone", _)) => {}
                    _ => unknown.push(other),
                },
            }
        }
        if prefer.strict == Some(true) && !unknown.is_empty() {
            return Err(Error::new(400, "PGRST122", "Invalid preferences given with handling=strict")
                .details(format!("Invalid preferences: {}", unknown.join(", "))));
        }
        Ok(prefer)
    }

    /// The header `Preference-Applied`; none where nothing was preferred. A list has no body that is returned or resolved.
    pub fn applied(&self, writes: bool) -> Option<String> {
        let mut applied = Vec::new();
        if writes {
            applied.extend(self.resolution.map(|resolution| match resolution {
                Resolution::Merge => "resolution=merge-duplicates".to_owned(),
                Resolution::Ignore => "resolution=ignore-duplicates".to_owned(),
            }));
            applied.extend(self.missing_default.then(|| "missing=default".to_owned()));
            applied.extend(self.returns.map(|returns| match returns {
                Return::Minimal => "return=minimal".to_owned(),
                Return::HeadersOnly => "return=headers-only".to_owned(),
                Return::Representation => "return=representation".to_owned(),
            }));
        }
        applied.extend(self.count.map(|count| match count {
            Count::Exact => "count=exact".to_owned(),
            Count::Planned => "count=planned".to_owned(),
            Count::Estimated => "count=estimated".to_owned(),
        }));
        applied.extend(self.strict.map(|strict| if strict { "handling=strict".to_owned() } else { "handling=lenient".to_owned() }));
        if writes {
            applied.extend(self.max_affected.map(|most| format!("max-affected={most}")));
        }
        (!applied.is_empty()).then(|| applied.join(", "))
    }

    /// # Errors
    /// 400 where more rows would be touched than the client said.
    pub fn check_affected(&self, rows: u64) -> Result<(), Error> {
        match self.max_affected {
            Some(most) if rows > most => Err(Error::too_many_affected(most, rows)),
            _ => Ok(()),
        }
    }
}

fn first<T>(preference: &mut Option<T>, value: T) {
    preference.get_or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_honoured_is_told() {
        let cases = [
            (vec!["return=representation,count=exact"], true, Some("return=representation, count=exact")),
            (vec!["return=representation", "count=exact"], false, Some("count=exact")),
            (
                vec!["resolution=merge-duplicates, missing=default, return=minimal"],
                true,
                Some("resolution=merge-duplicates, missing=default, return=minimal"),
            ),
            (vec!["handling=strict, max-affected=3"], true, Some("handling=strict, max-affected=3")),
            (vec!["timezone=Asia/Riyadh, tx=commit, respond-async"], true, None),
            (vec!["return=minimal, return=representation"], true, Some("return=minimal")),
            (vec![], false, None),
        ];
        for (headers, writes, applied) in cases {
            assert_eq!(Prefer::read(headers.iter().copied()).unwrap().applied(writes).as_deref(), applied, "{headers:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        assert_eq!(Prefer::read(["tx=rollback"]).unwrap_err().code, "0A000");
        let error = Prefer::read(["handling=strict, count=roughly, foo"]).unwrap_err();
        assert_eq!((error.code, error.details.as_deref()), ("PGRST122", Some("Invalid preferences: count=roughly, foo")));
        assert_eq!(Prefer::read(["max-affected=1"]).unwrap().check_affected(2).unwrap_err().code, "PGRST124");
        assert!(Prefer::read(["max-affected=2"]).unwrap().check_affected(2).is_ok());
    }
}
