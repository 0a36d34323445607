//! The document itself.

use std::collections::BTreeSet;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Settings, both};

struct Description(Value);

impl Description {
    async fn of(gateway: &Gateway) -> Description {
        Description(gateway.get("/openapi.json").await.expect_status(200))
    }

    /// Each operation with its name in words: its method and path.
    fn operations(&self) -> Vec<(String, &Value)> {
        let mut all = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push((format!("{} {path}", method.to_uppercase()), operation));
            }
        }
        all
    }

    /// What a reference means.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("nothing is at {reference}"))
    }

    /// What is wrong with a value by a schema of the document.
    fn problems(&self, schema: &Value, value: &Value) -> Vec<String> {
        let whole = json!({"allOf": [schema], "components": self.0["components"]});
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// What is wrong with the examples of a body, where it has any, and whether it has.
    fn judge_examples(&self, what: &str, body: &Value, wrong: &mut Vec<String>) -> bool {
        let mut has_some = false;
        for (kind, content) in body["content"].as_object().into_iter().flatten() {
            let several =
                content["examples"].as_object().into_iter().flat_map(|examples| examples.values()).map(|example| &example["value"]);
            for example in content.get("example").into_iter().chain(several) {
                has_some = true;
                // Bytes are shown as words.
                if kind.contains("json") {
                    wrong.extend(self.problems(&content["schema"], example).into_iter().map(|problem| format!("{what}: {problem}")));
                }
            }
        }
        has_some
    }
}

/// Every reference within.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

async fn it_is_whole(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let description = Description::of(&gateway).await;
    assert_eq!(description.0["openapi"], "3.1.0");
    assert_eq!(description.0["servers"], json!([{"url": gateway.url}]));
    let mut found = BTreeSet::new();
    references(&description.0, &mut found);
    let lost: Vec<&&str> = found.iter().filter(|reference| description.0.pointer(reference.trim_start_matches('#')).is_none()).collect();
    assert!(lost.is_empty(), "nothing is at {lost:?}");

    let tags: BTreeSet<&str> = description.0["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let (mut ids, mut used, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (name, operation) in description.operations() {
        let mut ask = |right: bool, problem: &str| {
            if !right {
                wrong.push(format!("{name}: {problem}"));
            }
        };
        ask(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "has no summary");
        ask(operation["operationId"].as_str().is_some_and(|id| ids.insert(id.to_owned())), "has no id of its own");
        let own = operation["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        ask(
            own.inspect(|tag| {
                used.insert((*tag).to_owned());
            })
            .all(|tag| tags.contains(tag)),
            "has a tag that isn't described",
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = description.resolve(parameter);
            ask(parameter["description"].is_string(), &format!("{} has no description", parameter["name"]));
            ask(parameter.get("example").is_some(), &format!("{} has no example", parameter["name"]));
        }
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            let answer = description.resolve(answer);
            ask(answer["description"].as_str().is_some_and(|text| !text.is_empty()), &format!("{status} has no description"));
        }
        ask(
            operation["responses"].as_object().is_some_and(|answers| answers.keys().any(|status| status.starts_with(['2', '3']))),
            "never goes well",
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let idle: Vec<&&str> = tags.iter().filter(|tag| !used.contains(**tag)).collect();
    assert!(idle.is_empty(), "tags without operations: {idle:?}");
}

async fn every_operation_has_examples_that_are_true_to_its_schemas(database: Database) {
    let gateway = Gateway::start(database, Settings::default()).await;
    let description = Description::of(&gateway).await;
    let mut wrong = Vec::new();
    for (name, operation) in description.operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let what = format!("{name} {}", parameter["name"]);
            wrong.extend(
                description.problems(&parameter["schema"], &parameter["example"]).into_iter().map(|problem| format!("{what}: {problem}")),
            );
        }
        // What an account's settings are only its plugin knows: its schema says so in place of an example.
        if let Some(body) = operation.get("requestBody").filter(|_| operation["operationId"] != "create_channel_account")
            && !description.judge_examples(&format!("{name}, request"), body, &mut wrong)
        {
            wrong.push(format!("{name}: its request has no example"));
        }
        let (mut has_content, mut has_example) = (false, false);
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            let answer = description.resolve(answer);
            let has_one = description.judge_examples(&format!("{name}, {status}"), answer, &mut wrong);
            if status.starts_with('2') && answer.get("content").is_some() {
                has_content = true;
                has_example |= has_one;
            }
        }
        if has_content && !has_example {
            wrong.push(format!("{name}: its answer has no example"));
        }
    }
    assert!(wrong.is_empty(), "{} problems: {wrong:#?}", wrong.len());
}

async fn a_client_that_has_it_is_sent_nothing(database: Database) {
    let gateway = Gateway::start(database, Settings::default().without_plugin()).await;
    let open = reqwest::Client::new();
    let first = open.get(format!("{}/openapi.json", gateway.url)).send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()[header::CONTENT_TYPE]),
        (200, &"application/json".parse().unwrap()),
        "without a key"
    );
    let tag = first.headers()[header::ETAG].clone();
    let again = || open.get(format!("{}/openapi.json", gateway.url)).header(header::IF_NONE_MATCH, tag.clone()).send();
    assert_eq!(again().await.unwrap().status(), 304);

    // Something else runs: it is another document.
    assert_eq!(first.json::<Value>().await.unwrap()["components"]["schemas"].get("ChannelSettings_TELEGRAM"), None);
    let component = std::fs::read(crate::harness::plugin_file("telegram.wasm")).unwrap();
    let installed = gateway.request(Method::POST, "/admin/v1/plugins").header(header::CONTENT_TYPE, "application/wasm").body(component);
    assert_eq!(installed.send().await.unwrap().status(), 201);
    let after = again().await.unwrap();
    assert_eq!(after.status(), 200);
    let after = after.json::<Value>().await.unwrap();
    let settings = &after["components"]["schemas"]["ChannelSettings_TELEGRAM"];
    assert_eq!(settings["properties"]["bot_token"]["writeOnly"], true, "{settings:#}");
}

both! {
    it_is_whole,
    every_operation_has_examples_that_are_true_to_its_schemas,
    a_client_that_has_it_is_sent_nothing,
}
