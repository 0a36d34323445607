//! Templates and their values.

use super::*;

fn template() -> Template {
    Template { name: "order_ready".into(), language: "ar".into(), header: None, body: Vec::new(), buttons: Vec::new() }
}

fn value(name: &str, value: &str) -> TemplateValue {
    TemplateValue::Text(Field::new(name, value))
}

fn button(index: u32, kind: &str, value: &str) -> TemplateButton {
    TemplateButton { index, kind: kind.into(), value: value.into() }
}

fn payload(template: Template) -> Value {
    content(Content::Template(template))["template"].clone()
}

#[test]
fn a_template_without_values_is_its_name_and_language() {
    assert_eq!(payload(template()), json!({"name": "order_ready", "language": {"code": "ar"}}));
    let unsaid = Template { language: String::new(), ..template() };
    assert_eq!(payload(unsaid)["language"]["code"], "en_US");
}

#[test]
fn values_by_place_and_by_name_and_of_other_types() {
    let price = TemplateValue::Custom(Field::new("currency", r#"{"fallback_value":"$1","code":"USD","amount_1000":1000}"#));
    let body = vec![value("1", "Nadia"), value("", "42"), value("first_name", "Omar"), price];
    assert_eq!(
        payload(Template { body, ..template() })["components"],
        json!([{"type": "body", "parameters": [{"type": "text", "text": "Nadia"}, {"type": "text", "text": "42"},
            {"type": "text", "text": "Omar", "parameter_name": "first_name"},
            {"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}}]}])
    );
}

#[test]
fn every_header_and_button_has_its_component() {
    let buttons = vec![
        button(0, "quick_reply", "STOP"),
        button(1, "url", "suffix"),
        button(2, "copy_code", "SAVE10"),
        button(3, "flow", "ft-1"),
        button(4, "flow", r#"{"flow_token":"t","flow_action_data":{}}"#),
        button(5, "catalog", "SKU1"),
        button(6, "mpm", r#"{"sections":[]}"#),
    ];
    let place = Location { latitude: 1.0, longitude: 2.0, name: None, address: None };
    let made = payload(Template { header: Some(TemplateValue::Location(place)), body: vec![value("1", "x")], buttons, ..template() });
    let components = made["components"].as_array().unwrap();
    assert_eq!(
        components[0],
        json!({"type": "header", "parameters": [{"type": "location", "location": {"latitude": 1.0, "longitude": 2.0}}]})
    );
    assert_eq!(
        components[2],
        json!({"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "STOP"}]})
    );
    assert_eq!(components[3]["parameters"], json!([{"type": "text", "text": "suffix"}]));
    assert_eq!(components[4]["parameters"], json!([{"type": "coupon_code", "coupon_code": "SAVE10"}]));
    assert_eq!(components[5]["parameters"], json!([{"type": "action", "action": {"flow_token": "ft-1"}}]));
    assert_eq!(components[6]["parameters"][0]["action"], json!({"flow_token": "t", "flow_action_data": {}}));
    assert_eq!(components[7]["parameters"][0]["action"], json!({"thumbnail_product_retailer_id": "SKU1"}));
    assert_eq!(components[8]["sub_type"], "mpm");
}

#[test]
fn a_header_picture_is_uploaded_and_named_in_its_place() {
    let provider = Provider::new();
    provider.on(UPLOAD).answer(200, &json!({"id": "71"}));
    provider.on(ROUTE).answer(200, &accepted("wamid.1"));
    let file = Media { file_name: Some("a.pdf".into()), ..media(MediaKind::Document, Source::BlobRef("B".into())) };
    let header = Some(TemplateValue::Media(file));
    assert_eq!(sent(message(vec![Content::Template(Template { header, ..template() })])).failed, None);
    assert_eq!(
        provider.requests()[1].json()["template"]["components"],
        json!([{"type": "header", "parameters": [{"type": "document", "document": {"filename": "a.pdf", "id": "71"}}]}])
    );
}

#[test]
fn a_carousel_is_given_as_the_api_has_it() {
    let whole = json!({"name": "cards", "language": {"code": "en"}, "components": [{"type": "carousel", "cards": []}]});
    assert_eq!(content(custom("template", &whole)), json!({"type": "template", "template": whole}));
    assert_eq!(pointer(&refused(custom("template", &json!({"name": "x"})))), "/content/0/data/language");
}

#[test]
fn wrong_values_are_named() {
    for (template, expected) in [
        (Template { name: String::new(), ..template() }, "/content/0/name"),
        (Template { body: vec![value("1", "a"), value("2", "a\nb")], ..template() }, "/content/0/body/1/text/value"),
        (Template { body: vec![value("1", "a     b")], ..template() }, "/content/0/body/0/text/value"),
        (Template { body: vec![value("1", "")], ..template() }, "/content/0/body/0/text/value"),
        (Template { body: vec![TemplateValue::Custom(Field::new("currency", "no"))], ..template() }, "/content/0/body/0/custom/value"),
        (Template { header: Some(TemplateValue::Media(media(MediaKind::Audio, url()))), ..template() }, "/content/0/header/media/kind"),
        (Template { buttons: vec![button(0, "call", "1")], ..template() }, "/content/0/buttons/0/kind"),
        (Template { buttons: vec![button(0, "url", "")], ..template() }, "/content/0/buttons/0/value"),
    ] {
        assert_eq!(pointer(&refused(Content::Template(template))), expected);
    }
}
