use super::*;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const SCRIPT: &str = r#"{
    "settings": {"good": [], "bad": []}, "account": {},
    "connect": {"external_id": "1"}, "health": {}, "send": {"message": {}}
}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("fixtures")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_suite_travels_in_its_component_with_its_names_in_order() {
    let folder = folder(&[
        ("conformance.json", SCRIPT),
        ("conformance-b.json", SCRIPT),
        ("settings.schema.json", "{}"),
        ("fixtures/b.json", r#"{"body": {"z": 1, "a": "2"}}"#),
        ("fixtures/a.json", r#"{"body": "text"}"#),
        ("fixtures/readme.md", "no fixture"),
    ]);
    let component = embed(EMPTY, folder.path()).unwrap();
    let (carried, own) = (Suite::from_component(&component).unwrap().unwrap(), Suite::from_folder(folder.path()).unwrap());
    for suite in [&carried, &own] {
        assert_eq!(suite.in_words(), "2 scripts, 2 fixtures");
        let scripts: Vec<&str> = suite.scripts.iter().map(|(name, _)| name.as_str()).collect();
        // What comes in is checked with the first.
        assert_eq!(scripts, ["conformance", "conformance-b"]);
        let fixtures: Vec<&str> = suite.fixtures.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(fixtures, ["a", "b"]);
    }
    let bodies = |suite: &Suite| suite.fixtures.iter().map(super::super::suite::Fixture::body).collect::<Vec<_>>();
    assert_eq!(bodies(&carried), bodies(&own));
    let names: Vec<String> = listing(&component).unwrap().into_keys().collect();
    assert_eq!(names, ["conformance-b.json", "conformance.json", "fixtures/a.json", "fixtures/b.json"]);
    assert_eq!(embed(&component, folder.path()).unwrap(), component, "the same input gives the same bytes");
}

#[test]
fn a_folder_without_a_suite_takes_an_older_one_away() {
    let with = folder(&[("conformance.json", SCRIPT)]);
    let component = embed(EMPTY, with.path()).unwrap();
    let without = folder(&[("fixtures/a.json", r#"{"body": 1}"#)]);
    let component = embed(&component, without.path()).unwrap();
    assert_eq!(component, EMPTY);
    assert!(Suite::from_component(&component).unwrap().is_none());
    let error = Suite::from_folder(without.path()).unwrap_err();
    assert!(error.to_string().contains("conformance.json"), "{error}");
}

#[test]
fn a_mistake_shows_when_it_is_put_in_and_when_it_is_taken_out() {
    let broken = folder(&[("conformance.json", SCRIPT), ("fixtures/a.json", r#"{"about": "no body"}"#)]);
    let error = embed(EMPTY, broken.path()).unwrap_err();
    assert!(error.to_string().starts_with("fixtures/a.json: ") && error.to_string().contains("body"), "{error}");
    for (json, told) in [
        ("{}", "files"),
        (r#"{"files": {}}"#, "conformance.json: is missing"),
        (r#"{"files": {"../x.json": 1}}"#, "is no file of a suite"),
        (r#"{"files": {"conformance.json": 1}}"#, "conformance.json"),
    ] {
        let mut component = EMPTY.to_vec();
        sections::append(&mut component, SECTION, json.as_bytes());
        let error = Suite::from_component(&component).unwrap_err();
        assert!(error.to_string().contains(told), "{json}: {error}");
    }
    let twice = [EMPTY.to_vec(), {
        let mut one = Vec::new();
        sections::append(&mut one, SECTION, b"{}");
        one.repeat(2)
    }]
    .concat();
    assert!(Suite::from_component(&twice).unwrap_err().to_string().contains("several times"));
}
