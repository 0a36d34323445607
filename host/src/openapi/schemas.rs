//! The schemas of the document. A type has one schema wherever it is told of: what schemars derives, by which the events' are made
//! too. utoipa only learns the names.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{LazyLock, Mutex, PoisonError},
};

use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};
use utoipa::openapi::{ObjectBuilder, RefOr, schema::Schema};

/// Where the document keeps them.
const PLACE: &str = "#/components/schemas/";
/// Where requests' schemas are until the document is put together: what a client writes may leave out what an answer always has.
const REQUESTS: &str = "/components/requests";
/// How the name of a request's schema begins until then.
const REQUEST: &str = "requests.";
/// How it ends where an answer has a schema of that name which says something else.
const INPUT: &str = "Input";

/// One generator for all answers, so that two types of one name get two names; and one for all requests.
static OF_ANSWERS: LazyLock<Mutex<SchemaGenerator>> = LazyLock::new(|| generator("/components/schemas", Contract::Serialize));
static OF_REQUESTS: LazyLock<Mutex<SchemaGenerator>> = LazyLock::new(|| generator(REQUESTS, Contract::Deserialize));

fn generator(place: &'static str, contract: Contract) -> Mutex<SchemaGenerator> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = place.into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    Mutex::new(settings.into_generator())
}

/// The name of an answer's schema.
pub(crate) fn of_answer<T: JsonSchema>() -> Cow<'static, str> {
    Cow::Owned(name_in::<T>(&OF_ANSWERS))
}

/// The name of a request's.
pub(crate) fn of_request<T: JsonSchema>() -> Cow<'static, str> {
    Cow::Owned(format!("{REQUEST}{}", name_in::<T>(&OF_REQUESTS)))
}

fn name_in<T: JsonSchema>(generator: &Mutex<SchemaGenerator>) -> String {
    let schema = generator.lock().unwrap_or_else(PoisonError::into_inner).subschema_for::<T>();
    let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    reference.rsplit('/').next().filter(|name| !name.is_empty()).map_or_else(|| T::schema_name().into_owned(), str::to_owned)
}

/// What utoipa is told of a schema: [`all`] puts the real ones in their places.
pub(crate) fn elsewhere() -> RefOr<Schema> {
    ObjectBuilder::new().build().into()
}

/// Types that utoipa knows by the name that `$name` makes.
macro_rules! named {
    ($name:ident: $($type:ty),+ $(,)?) => {$(
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::openapi::schemas::elsewhere()
            }
        }
        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                crate::openapi::schemas::$name::<$type>()
            }
        }
    )+};
}
pub(crate) use named;

/// Types that answers are made of, for utoipa.
macro_rules! answers {
    ($($types:tt)+) => { crate::openapi::schemas::named!(of_answer: $($types)+); };
}
pub(crate) use answers;

/// Types that requests are read as, for utoipa.
macro_rules! requests {
    ($($types:tt)+) => { crate::openapi::schemas::named!(of_request: $($types)+); };
}
pub(crate) use requests;

/// Every schema that was asked for so far, with its final name, and what a reference to a request's becomes.
pub(super) fn all() -> (Map<String, Value>, Names) {
    let take = |generator: &Mutex<SchemaGenerator>| generator.lock().unwrap_or_else(PoisonError::into_inner).definitions().clone();
    let (mut schemas, requests) = (take(&OF_ANSWERS), take(&OF_REQUESTS));
    let names = Names::new(&schemas, &requests);
    for (name, mut schema) in requests {
        names.settle(&mut schema);
        schemas.insert(names.of(&name), schema);
    }
    (schemas, names)
}

/// The final names of requests' schemas.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    fn new(answers: &Map<String, Value>, requests: &Map<String, Value>) -> Names {
        // Those that say the same as the answer's, and whose parts do.
        let mut same: BTreeSet<&str> =
            requests.iter().filter(|(name, schema)| is_same(answers.get(*name), schema)).map(|(name, _)| name.as_str()).collect();
        loop {
            let apart = same.iter().copied().find(|name| parts(requests.get(*name)).iter().any(|part| !same.contains(part.as_str())));
            match apart {
                Some(name) => same.remove(name),
                None => break,
            };
        }
        let name = |name: &String| {
            let taken = answers.contains_key(name) && !same.contains(name.as_str());
            (name.clone(), if taken { format!("{name}{INPUT}") } else { name.clone() })
        };
        Names(requests.keys().map(name).collect())
    }

    fn of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// Gives references to requests' schemas their final names, everywhere in it.
    pub(super) fn settle(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get_mut("$ref") {
                    let request = reference.strip_prefix('#').and_then(|rest| rest.strip_prefix(REQUESTS)?.strip_prefix('/'));
                    let request = request.or_else(|| reference.strip_prefix(PLACE)?.strip_prefix(REQUEST));
                    if let Some(name) = request {
                        *reference = format!("{PLACE}{}", self.of(name));
                    }
                }
                members.values_mut().for_each(|member| self.settle(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.settle(item)),
            _ => {}
        }
    }
}

fn is_same(answer: Option<&Value>, request: &Value) -> bool {
    let request = request.to_string().replace(&format!("#{REQUESTS}/"), PLACE);
    answer.map(Value::to_string) == Some(request)
}

/// The names of the schemas that it refers to.
fn parts(schema: Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(schema.unwrap_or(&Value::Null), &mut found);
    found
}

fn gather(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.extend(reference.rsplit('/').next().map(str::to_owned));
            }
            members.values().for_each(|member| gather(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_has_a_name_of_its_own_where_it_says_something_else() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let answers = map(json!({
            "At": {"type": "string"},
            "Part": {"required": ["at", "note"], "properties": {"at": {"$ref": "#/components/schemas/At"}}},
            "Whole": {"properties": {"part": {"$ref": "#/components/schemas/Part"}}},
        }));
        let requests = map(json!({
            "At": {"type": "string"},
            "Part": {"required": ["at"], "properties": {"at": {"$ref": "#/components/requests/At"}}},
            "Whole": {"properties": {"part": {"$ref": "#/components/requests/Part"}}},
            "Asked": {"properties": {"whole": {"$ref": "#/components/requests/Whole"}}},
        }));
        let names = Names::new(&answers, &requests);
        assert_eq!(names.of("At"), "At");
        assert_eq!(names.of("Part"), "PartInput");
        assert_eq!(names.of("Whole"), "WholeInput", "it says the same, but its part doesn't");
        assert_eq!(names.of("Asked"), "Asked");
        let mut references = json!([{"$ref": "#/components/requests/Whole"}, {"$ref": "#/components/schemas/requests.Part"}, {"$ref": "#/components/schemas/Part"}]);
        names.settle(&mut references);
        let settled = json!([{"$ref": "#/components/schemas/WholeInput"}, {"$ref": "#/components/schemas/PartInput"}, {"$ref": "#/components/schemas/Part"}]);
        assert_eq!(references, settled);
    }
}
