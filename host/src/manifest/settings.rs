//! An account's settings against the manifest's schema.

use std::fmt;
use std::sync::{Arc, OnceLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::Manifest;

pub use crate::domain::failure::FieldProblem;

/// The schema's validator, built on first use and shared by clones.
#[derive(Clone, Default)]
pub(super) struct Compiled(OnceLock<Result<Arc<Validator>, String>>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compiled")
    }
}

/// It follows from the schema, so it makes no difference.
impl PartialEq for Compiled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// References that a default may lie behind; a schema that nests deeper gets no defaults there.
const DEPTH_MAX: usize = 16;

impl Manifest {
    /// The validator of the settings' schema.
    ///
    /// # Errors
    /// The schema doesn't compile: why.
    pub(super) fn validator(&self) -> Result<&Validator, &str> {
        let compiled = self.compiled.0.get_or_init(|| {
            jsonschema::options()
                .should_validate_formats(true)
                // Linear time: the patterns are a third party's and the text is a stranger's.
                .with_pattern_options(PatternOptions::regex())
                .build(&self.settings_schema)
                .map(Arc::new)
                .map_err(|error| error.to_string())
        });
        compiled.as_deref().map_err(String::as_str)
    }

    /// Everything that is wrong with these settings, sorted by pointer; empty where they are right.
    pub fn validate_settings(&self, settings: &Value) -> Vec<FieldProblem> {
        let validator = match self.validator() {
            Ok(validator) => validator,
            Err(why) => return vec![FieldProblem { pointer: String::new(), message: format!("the plugin's schema is broken: {why}") }],
        };
        let mut problems: Vec<FieldProblem> = validator.iter_errors(settings).flat_map(|error| explain(&error)).collect();
        problems.sort_by(|a, b| (&a.pointer, &a.message).cmp(&(&b.pointer, &b.message)));
        problems.dedup();
        problems
    }

    /// Puts the schema's `default`s where a property is absent, in nested objects that are present too.
    pub fn fill_defaults(&self, settings: &mut Value) {
        fill(&self.settings_schema, &self.settings_schema, settings, DEPTH_MAX);
    }
}

fn fill(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'))
        && let Some(schema) = root.pointer(target)
    {
        fill(root, schema, value, depth);
    }
    let (Some(properties), Some(object)) = (schema.get("properties").and_then(Value::as_object), value.as_object_mut()) else {
        return;
    };
    for (name, schema) in properties {
        match (object.get_mut(name), schema.get("default")) {
            (Some(present), _) => fill(root, schema, present, depth),
            (None, Some(default)) => {
                object.insert(name.clone(), default.clone());
            }
            (None, None) => {}
        }
    }
}

fn explain(error: &ValidationError<'_>) -> Vec<FieldProblem> {
    let at = error.instance_path().as_str().to_owned();
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    let (pointer, message) = match error.kind() {
        ValidationErrorKind::Required { property } => (below(property.as_str().unwrap_or_default()), "is required".to_owned()),
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let unknown = |name: &String| FieldProblem { pointer: below(name), message: "isn't a setting of this channel type".to_owned() };
            return unexpected.iter().map(unknown).collect();
        }
        ValidationErrorKind::PropertyNames { error } => {
            return explain(error).into_iter().map(|problem| FieldProblem { pointer: at.clone(), ..problem }).collect();
        }
        kind => (at, describe(kind, error.instance())),
    };
    vec![FieldProblem { pointer, message }]
}

/// From what the schema says alone, never from what was entered.
fn describe(kind: &ValidationErrorKind, found: &Value) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => format!("must be {}, not {}", wanted(kind), article(type_of(found))),
        ValidationErrorKind::Enum { options } => format!("must be {}", either(options)),
        ValidationErrorKind::Constant { expected_value } => format!("must be {}", plain(expected_value)),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more"),
        ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} entries"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} entries"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} properties"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        ValidationErrorKind::UniqueItems => "must not hold the same entry twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        ValidationErrorKind::Format { format } => format!("must be a valid {}", format_name(format)),
        ValidationErrorKind::FalseSchema => "isn't allowed here".to_owned(),
        other => format!("doesn't meet the schema's `{}`", other.keyword()),
    }
}

fn wanted(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => article(&one.to_string()),
        TypeKind::Multiple(several) => several.into_iter().map(|one| article(&one.to_string())).collect::<Vec<_>>().join(" or "),
    }
}

fn article(noun: &str) -> String {
    match noun {
        "null" => "null".to_owned(),
        _ if noun.starts_with(['a', 'i', 'o']) => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn either(options: &Value) -> String {
    match options.as_array().map(Vec::as_slice) {
        Some([one]) => plain(one),
        Some([most @ .., last]) => format!("{} or {}", most.iter().map(plain).collect::<Vec<_>>().join(", "), plain(last)),
        _ => "one of no values".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn format_name(format: &str) -> &str {
    match format {
        "email" | "idn-email" => "email address",
        "uri" | "iri" => "URL",
        "hostname" | "idn-hostname" => "host name",
        "ipv4" => "IPv4 address",
        "ipv6" => "IPv6 address",
        "uuid" => "UUID",
        "date-time" => "date and time (2026-01-31T12:00:00Z)",
        "date" => "date (2026-01-31)",
        other => other,
    }
}

/// The schema's own properties, of its top level.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}
