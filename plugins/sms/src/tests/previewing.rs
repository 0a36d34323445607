use super::*;
use crate::Sms;
use patchbay_plugin::Preview as _;
use patchbay_plugin::messages::{Edit, Media, MediaKind, Source};

fn preview(settings: &Value, message: &Outbound) -> Result<Value, Failure> {
    let _nobody = Provider::new();
    Sms::preview(&testing::account(None, settings), message).map(|told| serde_json::from_str(&told).unwrap())
}

fn text(text: &str) -> Result<Value, Failure> {
    preview(&victorylink(), &message(NUMBER, text))
}

#[test]
fn a_preview_counts() {
    assert_eq!(text("Hello €").unwrap(), json!({"encoding": "GSM-7", "chars": 7, "units": 8, "parts": 1, "remaining_in_part": 152}));
    assert_eq!(text(&"م".repeat(71)).unwrap(), json!({"encoding": "UCS-2", "chars": 71, "units": 71, "parts": 2, "remaining_in_part": 63}));
}

#[test]
fn smart_encoding_is_counted_as_it_goes_out() {
    let mut settings = victorylink();
    settings["smart_encoding"] = json!(true);
    let written = message(NUMBER, "It’s “on”…");
    assert_eq!(preview(&settings, &written).unwrap()["encoding"], "GSM-7");
    assert_eq!(preview(&settings, &written).unwrap()["chars"], 12);
    assert_eq!(preview(&victorylink(), &written).unwrap()["encoding"], "UCS-2");
}

#[test]
fn sixteen_hundred_characters_pass_and_one_more_does_not() {
    assert_eq!(
        (text(&"a".repeat(1600)).unwrap()["parts"].clone(), text(&"م".repeat(1600)).unwrap()["parts"].clone()),
        (json!(11), json!(24))
    );
    assert_eq!(text(&"😀".repeat(1600)).unwrap()["units"], 3200);
    let Err(Failure::Invalid(problems)) = text(&"م".repeat(1601)) else { panic!("not invalid") };
    assert_eq!(problems[0].pointer, "/content/0/text");
    assert!(problems[0].message.contains("1601") && problems[0].message.contains("by 1"), "{}", problems[0].message);
    let mut settings = victorylink();
    settings["smart_encoding"] = json!(true);
    let longer = preview(&settings, &message(NUMBER, &"…".repeat(600))).unwrap_err();
    assert_eq!(pointers(&longer), ["/content/0/text"], "as it goes out, it is longer");
}

#[test]
fn every_wrong_field_is_named() {
    let wrong = |message: &Outbound| preview(&victorylink(), message).unwrap_err();
    assert_eq!(pointers(&wrong(&message("mona", " \n"))), ["/content/0/text", "/to"]);
    assert_eq!(pointers(&wrong(&message("1234567", &"a".repeat(1601)))), ["/content/0/text", "/to"]);
    assert_eq!(pointers(&wrong(&message("", "x"))), ["/to"]);
    let contents = |contents: Vec<Content>| testing::outbound(NUMBER, Command::Message(contents));
    assert_eq!(pointers(&wrong(&contents(vec![]))), ["/content"]);
    let line = || Content::Text(Text::plain("x"));
    assert_eq!(pointers(&wrong(&contents(vec![line(), line()]))), ["/content/1"]);
    let nothing = (None, None, None, None, None, None, None);
    let (mime_type, file_name, size, caption, width, height, duration_ms) = nothing;
    let source = Source::Url("https://cdn.example/a".into());
    let image =
        Media { kind: MediaKind::Image, source, mime_type, file_name, size, caption, width, height, duration_ms, extras: Vec::new() };
    assert_eq!(class(&wrong(&contents(vec![Content::Media(image)]))), "unsupported");
    let edit = Command::Edit(Edit { target: OURS.into(), content: line() });
    assert_eq!(class(&wrong(&testing::outbound(NUMBER, edit))), "unsupported");
}
