//! Rows as `text/csv`.

use serde_json::Value;

/// The line of the names.
pub fn head(names: &[String]) -> String {
    line(names.iter().map(String::as_str))
}

/// The line of a row. Null is an empty field; arrays and objects are JSON.
pub fn row(names: &[String], row: &Value) -> String {
    let fields: Vec<String> = names.iter().map(|name| row.get(name).map(text).unwrap_or_default()).collect();
    line(fields.iter().map(String::as_str))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // A vector takes everything.
    let written = writer.write_record(fields).ok().and_then(|()| writer.into_inner().ok());
    written.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_with_commas_quotes_or_lines_is_quoted() {
        let names = ["a".to_owned(), "b,c".to_owned(), "d".to_owned(), "e".to_owned()];
        assert_eq!(head(&names), "a,\"b,c\",d,e\n");
        let line = row(&names, &json!({"a": "say \"hi\",\nplease", "b,c": null, "d": {"x": [1]}, "e": true}));
        assert_eq!(line, "\"say \"\"hi\"\",\nplease\",,\"{\"\"x\"\":[1]}\",true\n");
    }
}
