//! What form of answer a client takes.

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// One object; any other number of rows is an error.
    Object,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept {
    pub format: Format,
    /// Fields that are null are left out.
    pub strips_nulls: bool,
    named: bool,
}

impl Default for Accept {
    fn default() -> Accept {
        Accept { format: Format::Json, strips_nulls: false, named: false }
    }
}

impl Accept {
    /// Reads the header `Accept`: the type of the highest `q` that is there.
    ///
    /// # Errors
    /// 406 where there is none of them.
    pub fn read(header: Option<&str>) -> Result<Accept, Error> {
        let Some(header) = header.filter(|header| !header.trim().is_empty()) else { return Ok(Accept::default()) };
        let mut known: Vec<(f32, Accept)> = header.split(',').filter_map(read_range).collect();
        // The sort is stable: of equal ones the first.
        known.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        match known.first() {
            Some((_, accept)) => Ok(*accept),
            None => Err(Error::new(406, "PGRST107", format!("None of these media types are available: {}", header.trim()))
                .hint("There are: application/json, application/vnd.pgrst.object+json, text/csv.")),
        }
    }

    pub fn content_type(&self) -> &'static str {
        match (self.format, self.strips_nulls, self.named) {
            (Format::Csv, ..) => "text/csv; charset=utf-8",
            (Format::Object, false, _) => "application/vnd.pgrst.object+json; charset=utf-8",
            (Format::Object, true, _) => "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8",
            (Format::Json, true, _) => "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8",
            (Format::Json, false, true) => "application/vnd.pgrst.array+json; charset=utf-8",
            (Format::Json, false, false) => "application/json; charset=utf-8",
        }
    }

    /// # Errors
    /// 406 for a schema (`Accept-Profile`, `Content-Profile`) that isn't there: there is one.
    pub fn check_profile(profile: Option<&str>) -> Result<(), Error> {
        match profile {
            None | Some("public") => Ok(()),
            Some(other) => {
                Err(Error::new(406, "PGRST106", "Invalid schema: ".to_owned() + other)
                    .hint("Only the following schemas are exposed: public"))
            }
        }
    }
}

fn read_range(range: &str) -> Option<(f32, Accept)> {
    let mut pieces = range.split(';').map(str::trim);
    let essence = pieces.next()?.to_ascii_lowercase();
    let (mut quality, mut strips_nulls) = (1.0, false);
    for piece in pieces {
        match piece.split_once('=') {
            Some(("q", q)) => quality = q.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
            Some(("nulls", "stripped")) => strips_nulls = true,
            _ => {}
        }
    }
    let (format, named) = match essence.as_str() {
        "application/json" | "*/*" | "application/*" => (Format::Json, false),
        "application/vnd.pgrst.array+json" => (Format::Json, true),
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => (Format::Object, true),
        "text/csv" | "text/*" => (Format::Csv, true),
        _ => return None,
    };
    (quality > 0.0).then_some((quality, Accept { format, strips_nulls: strips_nulls && named && format != Format::Csv, named }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_type_that_is_there_is_taken() {
        let cases = [
            (None, "application/json; charset=utf-8"),
            (Some("*/*"), "application/json; charset=utf-8"),
            (Some("application/vnd.pgrst.object+json"), "application/vnd.pgrst.object+json; charset=utf-8"),
            (Some("application/vnd.pgrst.object+json;nulls=stripped"), "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8"),
            (Some("text/csv"), "text/csv; charset=utf-8"),
            (Some("text/html, text/csv;q=0.5, application/json;q=0.4"), "text/csv; charset=utf-8"),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), "application/json; charset=utf-8"),
        ];
        for (header, content_type) in cases {
            assert_eq!(Accept::read(header).unwrap().content_type(), content_type, "{header:?}");
        }
        let error = Accept::read(Some("text/html")).unwrap_err();
        assert_eq!((error.status, error.code), (406, "PGRST107"));
        assert_eq!(Accept::check_profile(Some("private")).unwrap_err().code, "PGRST106");
        assert!(Accept::check_profile(Some("public")).is_ok());
    }
}
