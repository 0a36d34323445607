//! Texts with placeholders, which the account's settings hold: WhatsApp approves none.

use std::collections::BTreeSet;

use patchbay_plugin::failure::FieldProblem;
use patchbay_plugin::hooks::{Template, TemplatePage};
use patchbay_plugin::messages::TemplateValue;
use patchbay_plugin::{Call, Failure};
use serde::Deserialize;
use serde_json::json;

use crate::settings::Settings;

/// A template of the settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Stored {
    pub(crate) name: String,
    #[serde(default = "english")]
    pub(crate) language: String,
    pub(crate) text: String,
}

fn english() -> String {
    "en".to_owned()
}

/// A piece of a template's text.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    /// `1` or `name`.
    Placeholder(&'a str),
}

/// Whether every template can be rendered, and is called by one name alone.
pub(crate) fn check(templates: &[Stored]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for (index, template) in templates.iter().enumerate() {
        if let Err(message) = pieces(&template.text) {
            problems.push(FieldProblem { pointer: format!("/templates/{index}/text"), message });
        }
        if !names.insert((template.name.as_str(), folded(&template.language))) {
            let message = format!("{} is there in {} already: a name has one text in each language", template.name, template.language);
            problems.push(FieldProblem { pointer: format!("/templates/{index}/name"), message });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Invalid(problems)) }
}

/// The template of that name and language; of any language where none is asked for. `at` is the content's pointer.
pub(crate) fn find<'a>(templates: &'a [Stored], name: &str, language: &str, at: &str) -> Result<&'a Stored, FieldProblem> {
    let named: Vec<&Stored> = templates.iter().filter(|template| template.name == name).collect();
    let Some(first) = named.first() else {
        let message = format!("the account has no template {name}: add it to the setting templates");
        return Err(FieldProblem { pointer: format!("{at}/name"), message });
    };
    if language.is_empty() {
        return Ok(first);
    }
    named.iter().find(|template| folded(&template.language) == folded(language)).copied().ok_or_else(|| {
        let known: Vec<&str> = named.iter().map(|template| template.language.as_str()).collect();
        let message = format!("{name} isn't there in {language}, but in {}", known.join(", "));
        FieldProblem { pointer: format!("{at}/language"), message }
    })
}

/// The text with its values. A placeholder is never left: every one that has no value is a problem of its own.
pub(crate) fn render(template: &Stored, values: &[TemplateValue], at: &str) -> Result<String, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut texts = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let pointer = format!("{at}/body/{index}");
        match value {
            TemplateValue::Text(text) if text.value.trim().is_empty() => {
                problems.push(FieldProblem { pointer: format!("{pointer}/text/value"), message: "is empty".into() });
            }
            TemplateValue::Text(text) if text.value.contains("{{") => {
                let message = "holds a placeholder itself: fill it before".into();
                problems.push(FieldProblem { pointer: format!("{pointer}/text/value"), message });
            }
            TemplateValue::Text(_) => {}
            _ => problems
                .push(FieldProblem { pointer: pointer.clone(), message: "is no text: WhatsApp Lite's templates hold text alone".into() }),
        }
        if let TemplateValue::Text(text) = value {
            texts.push(text);
        }
    }
    let pieces = pieces(&template.text).map_err(|message| vec![FieldProblem { pointer: format!("{at}/name"), message }])?;
    let mut rendered = String::with_capacity(template.text.len());
    for piece in pieces {
        match piece {
            Piece::Text(text) => rendered.push_str(text),
            Piece::Placeholder(name) => {
                let place = || name.parse::<usize>().ok()?.checked_sub(1);
                // By its name; else by its place among the values without one.
                let value = texts.iter().find(|text| text.name == name).copied();
                match value.or_else(|| texts.iter().filter(|text| text.name.is_empty()).nth(place()?).copied()) {
                    Some(value) => rendered.push_str(&value.value),
                    None => {
                        let message = format!("the template {} needs a value for {{{{{name}}}}}", template.name);
                        problems.push(FieldProblem { pointer: format!("{at}/body"), message });
                    }
                }
            }
        }
    }
    problems.dedup();
    if problems.is_empty() { Ok(rendered) } else { Err(problems) }
}

/// The text, taken apart; or what is wrong with it.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a placeholder isn't closed: {{name}}")?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
            return Err(format!("{{{{{name}}}}} is no placeholder: its name has letters, digits and _ only"));
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Placeholder(name));
        rest = after;
    }
    if rest.contains("}}") {
        return Err("a placeholder isn't opened: {{name}}".into());
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// `en_US` and `en-us` are one language.
fn folded(language: &str) -> String {
    language.to_ascii_lowercase().replace('_', "-")
}

/// What the account can send.
pub(crate) fn page(call: &Call) -> Result<TemplatePage, Failure> {
    let settings: Settings = call.settings()?;
    let listed = settings.templates.into_iter().map(|template| Template {
        id: None,
        name: template.name,
        language: template.language,
        category: "own".into(),
        status: "approved".into(),
        reason: None,
        quality: None,
        components: json!([{"type": "BODY", "text": template.text}]).to_string(),
    });
    Ok(TemplatePage { templates: listed.collect(), cursor: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchbay_plugin::Field;
    use patchbay_plugin::testing;

    fn stored(name: &str, language: &str, text: &str) -> Stored {
        Stored { name: name.into(), language: language.into(), text: text.into() }
    }

    fn value(name: &str, value: &str) -> TemplateValue {
        TemplateValue::Text(Field::new(name, value))
    }

    fn rendered(text: &str, values: &[TemplateValue]) -> Result<String, Vec<(String, String)>> {
        let told = |problems: Vec<FieldProblem>| problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect();
        render(&stored("ready", "en", text), values, "/content/0").map_err(told)
    }

    #[test]
    fn values_take_the_places_of_their_names_and_numbers() {
        assert_eq!(rendered("Hi {{1}}, {{2}}", &[value("", "Mona"), value("", "7")]), Ok("Hi Mona, 7".into()));
        assert_eq!(rendered("Hi {{2}}, {{1}}", &[value("1", "7"), value("2", "Mona")]), Ok("Hi Mona, 7".into()));
        assert_eq!(rendered("{{ name }}{{name}}!", &[value("name", "Mona"), value("unused", "x")]), Ok("MonaMona!".into()));
        assert_eq!(rendered("No {single} brace", &[]), Ok("No {single} brace".into()));
        assert_eq!(rendered("{{الاسم}}", &[value("الاسم", "منى")]), Ok("منى".into()));
    }

    #[test]
    fn a_placeholder_without_a_value_is_named_and_never_sent() {
        let missing = rendered("Hi {{1}}, {{order}}", &[]).unwrap_err();
        assert_eq!(missing.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), ["/content/0/body", "/content/0/body"]);
        assert!(missing[0].1.contains("{{1}}") && missing[1].1.contains("{{order}}"), "{missing:?}");
        for values in [[value("other", "x")], [value("", " ")], [value("", "{{2}}")]] {
            assert!(rendered("Hi {{1}}", &values).is_err(), "{values:?}");
        }
        assert!(rendered("{{0}}", &[value("", "x")]).is_err());
    }

    #[test]
    fn a_text_that_cannot_be_rendered_is_refused_when_it_is_set() {
        let templates = [
            stored("a", "en", "ok {{1}}"),
            stored("a", "EN", "twice"),
            stored("b", "en", "{{x"),
            stored("c", "en", "{{}}"),
            stored("d", "en", "x}}"),
        ];
        let Err(Failure::Invalid(problems)) = check(&templates) else { panic!("taken") };
        let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/templates/1/name", "/templates/2/text", "/templates/3/text", "/templates/4/text"]);
        assert!(check(&[stored("a", "en", "x"), stored("a", "ar", "y")]).is_ok());
    }

    #[test]
    fn a_template_is_found_by_its_name_and_language() {
        let templates = [stored("a", "en_US", "x"), stored("a", "ar", "y")];
        let find = |name, language| {
            find(&templates, name, language, "/content/0").map(|found| found.text.as_str()).map_err(|problem| problem.pointer)
        };
        assert_eq!((find("a", ""), find("a", "en-us"), find("a", "ar")), (Ok("x"), Ok("x"), Ok("y")));
        assert_eq!((find("a", "fr"), find("b", "")), (Err("/content/0/language".into()), Err("/content/0/name".into())));
    }

    #[test]
    fn the_accounts_templates_are_listed() {
        let settings = json!({"sender_id": "s", "phone_number": "+201220000000", "templates": [{"name": "ready", "text": "Hi {{1}}"}]});
        let page = page(&testing::call(None, &settings)).unwrap();
        let template = &page.templates[0];
        assert_eq!((template.name.as_str(), template.language.as_str(), template.status.as_str()), ("ready", "en", "approved"));
        assert_eq!((template.components.as_str(), page.cursor), (r#"[{"text":"Hi {{1}}","type":"BODY"}]"#, None));
    }
}
