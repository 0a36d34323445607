//! GraphQL, as much of it as is needed to refuse what isn't: one operation, arguments, variables, aliases, inline fragments.

use serde_json::{Map, Value, json};

/// One field that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The name in the answer.
    pub(crate) alias: String,
    pub(crate) name: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) fields: Vec<Field>,
    /// Only for objects of this type.
    pub(crate) on: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    pub(crate) mutation: bool,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
    Spread,
}

/// An enum's word, which JSON has no form for.
pub(crate) const WORD: &str = "$word";

pub(crate) fn parse(query: &str, variables: &Value) -> Result<Operation, String> {
    let mut parser = Parser { tokens: tokens(query)?, at: 0, variables };
    let operation = parser.operation()?;
    match parser.tokens.get(parser.at) {
        None => Ok(operation),
        Some(token) => Err(format!("syntax error, unexpected {token:?}: one operation is expected")),
    }
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            ' ' | '\n' | '\r' | '\t' | ',' | '\u{feff}' => {}
            '#' => while rest.next().is_some_and(|next| next != '\n') {},
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '!' | '$' | '=' | '@' => tokens.push(Token::Sign(next)),
            '.' => {
                if rest.next() != Some('.') || rest.next() != Some('.') {
                    return Err("syntax error, unexpected \".\"".into());
                }
                tokens.push(Token::Spread);
            }
            '"' => {
                let mut text = String::from('"');
                loop {
                    match rest.next() {
                        Some('\\') => text.extend(['\\', rest.next().unwrap_or('"')]),
                        Some('"') => break,
                        Some(other) => text.push(other),
                        None => return Err("syntax error, unterminated string".into()),
                    }
                }
                text.push('"');
                tokens.push(Token::Text(serde_json::from_str(&text).map_err(|error| format!("syntax error, {error}"))?));
            }
            '-' | '0'..='9' => {
                let mut number = String::from(next);
                while let Some(digit) = rest.next_if(|next| next.is_ascii_digit() || matches!(next, '.' | 'e' | 'E' | '+' | '-')) {
                    number.push(digit);
                }
                tokens.push(Token::Number(number));
            }
            next if next.is_ascii_alphabetic() || next == '_' => {
                let mut name = String::from(next);
                while let Some(letter) = rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                    name.push(letter);
                }
                tokens.push(Token::Name(name));
            }
            other => return Err(format!("syntax error, unexpected {other:?}")),
        }
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    variables: &'a Value,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| "syntax error, unexpected end of document".into())
    }

    fn take(&mut self, sign: char) -> bool {
        let there = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(there);
        there
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        match self.next()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(format!("syntax error, unexpected {other:?}, expecting {sign:?}")),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next()? {
            Token::Name(name) => Ok(name),
            other => Err(format!("syntax error, unexpected {other:?}, expecting a name")),
        }
    }

    fn operation(&mut self) -> Result<Operation, String> {
        let mut mutation = false;
        if let Some(Token::Name(kind)) = self.tokens.get(self.at).cloned() {
            mutation = match kind.as_str() {
                "query" => false,
                "mutation" => true,
                other => return Err(format!("syntax error, unexpected {other:?}")),
            };
            self.at += 1;
            if matches!(self.tokens.get(self.at), Some(Token::Name(_))) {
                self.at += 1;
            }
            if self.take('(') {
                self.declarations()?;
            }
        }
        Ok(Operation { mutation, fields: self.selection()? })
    }

    /// `$id: ID!, $topics: [Topic!] = []`: only what is required is looked at.
    fn declarations(&mut self) -> Result<(), String> {
        while !self.take(')') {
            self.sign('$')?;
            let name = self.name()?;
            self.sign(':')?;
            let lists = std::iter::from_fn(|| self.take('[').then_some(())).count();
            self.name()?;
            let mut required = self.take('!');
            for _ in 0..lists {
                self.sign(']')?;
                required = self.take('!');
            }
            let has_default = self.take('=');
            if has_default {
                self.value()?;
            }
            if required && !has_default && self.variables.get(&name).is_none_or(Value::is_null) {
                return Err(format!("Variable ${name} was provided invalid value"));
            }
        }
        Ok(())
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.sign('{')?;
        let mut fields = Vec::new();
        while !self.take('}') {
            if self.tokens.get(self.at) == Some(&Token::Spread) {
                self.at += 1;
                if self.name()? != "on" {
                    return Err("named fragments aren't known here".into());
                }
                let on = self.name()?;
                fields.extend(self.selection()?.into_iter().map(|field| Field { on: Some(on.clone()), ..field }));
                continue;
            }
            fields.push(self.field()?);
        }
        if fields.is_empty() { Err("syntax error, a selection is empty".into()) } else { Ok(fields) }
    }

    fn field(&mut self) -> Result<Field, String> {
        let alias = self.name()?;
        let name = if self.take(':') { self.name()? } else { alias.clone() };
        let mut arguments = Map::new();
        if self.take('(') {
            while !self.take(')') {
                let name = self.name()?;
                self.sign(':')?;
                let value = self.value()?;
                arguments.insert(name, value);
            }
        }
        let has_fields = self.tokens.get(self.at) == Some(&Token::Sign('{'));
        let fields = if has_fields { self.selection()? } else { Vec::new() };
        Ok(Field { alias, name, arguments, fields, on: None })
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.next()? {
            Token::Text(text) => Ok(text.into()),
            Token::Number(number) => serde_json::from_str(&number).map_err(|_| format!("syntax error, {number} is no number")),
            Token::Name(word) => Ok(match word.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                "null" => Value::Null,
                _ => json!({WORD: word}),
            }),
            Token::Sign('$') => {
                let name = self.name()?;
                Ok(self.variables.get(&name).cloned().unwrap_or_default())
            }
            Token::Sign('[') => {
                let mut items = Vec::new();
                while !self.take(']') {
                    items.push(self.value()?);
                }
                Ok(items.into())
            }
            Token::Sign('{') => {
                let mut fields = Map::new();
                while !self.take('}') {
                    let name = self.name()?;
                    self.sign(':')?;
                    let value = self.value()?;
                    fields.insert(name, value);
                }
                Ok(fields.into())
            }
            other => Err(format!("syntax error, unexpected {other:?}, expecting a value")),
        }
    }
}

/// Of a whole object only what is asked for, under the names that are asked for. `type_name` is the object's.
pub(crate) fn pick(object: &Value, type_name: &str, fields: &[Field]) -> Result<Value, String> {
    match object {
        Value::Array(items) => items.iter().map(|item| pick(item, type_name, fields)).collect::<Result<Vec<_>, _>>().map(Value::from),
        Value::Object(known) => {
            let own = known.get("__typename").and_then(Value::as_str).unwrap_or(type_name);
            if fields.is_empty() {
                return Err(format!("Field must have selections (type '{own}' has no selections)"));
            }
            let mut picked = Map::new();
            for field in fields.iter().filter(|field| field.on.as_deref().is_none_or(|on| on == own)) {
                let value = match known.get(&field.name) {
                    _ if field.name == "__typename" => own.into(),
                    Some(value @ (Value::Object(_) | Value::Array(_))) if !is_plain(value) => pick(value, &field.name, &field.fields)?,
                    Some(Value::Null) => Value::Null,
                    Some(_) if !field.fields.is_empty() => {
                        return Err(format!("Selections can't be made on scalars (field '{}' of '{own}')", field.name));
                    }
                    Some(value) => value.clone(),
                    None => return Err(format!("Field '{}' doesn't exist on type '{own}'", field.name)),
                };
                picked.insert(field.alias.clone(), value);
            }
            Ok(picked.into())
        }
        other => Ok(other.clone()),
    }
}

/// A list of scalars.
fn is_plain(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(|item| !item.is_object()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_with_their_arguments() {
        let query = r#"mutation Create($topic: Topic!, $hook: Input = {}) { # a comment
            made: webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: "https://a\"b", format: JSON, n: [1, -2.5, true, null]}) { userErrors { field message } } }"#;
        let operation = parse(query, &json!({"topic": "APP_UNINSTALLED"})).unwrap();
        let field = &operation.fields[0];
        assert_eq!((operation.mutation, field.alias.as_str(), field.name.as_str()), (true, "made", "webhookSubscriptionCreate"));
        assert_eq!(
            json!(field.arguments),
            json!({"topic": "APP_UNINSTALLED", "webhookSubscription": {"uri": "https://a\"b", "format": {WORD: "JSON"}, "n": [1, -2.5, true, null]}})
        );
        assert!(parse(query, &json!({})).unwrap_err().contains("$topic"));
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for wrong in ["", "{", "{}", "{ a(", "{ a } { b }", "subscription { a }", "{ ...F }", "{ a(b: \"x) }", "{ a ; }", "query { a(b) }"]
        {
            assert!(parse(wrong, &Value::Null).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_told() {
        let object = json!({"shop": {"id": 1, "name": "A"}, "nodes": [{"__typename": "Hook", "url": "u", "tags": ["x"]}]});
        let picked = |query: &str| pick(&object, "QueryRoot", &parse(query, &Value::Null).unwrap().fields);
        assert_eq!(
            picked("{ s: shop { name } nodes { ... on Hook { url tags } ... on Other { x } __typename } }").unwrap(),
            json!({"s": {"name": "A"}, "nodes": [{"url": "u", "tags": ["x"], "__typename": "Hook"}]})
        );
        assert!(picked("{ shop }").is_err());
        assert!(picked("{ shop { email } }").unwrap_err().contains("'email'"));
        assert!(picked("{ shop { name { x } } }").is_err());
    }
}
