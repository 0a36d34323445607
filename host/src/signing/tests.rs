use super::*;
use crate::{conformance::carried, manifest};

/// The key and the signature in the documentation of minisign's libraries, over the bytes `test`.
const DOCUMENTED_KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const DOCUMENTED: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";

/// Made by Debian's minisign 0.11: `minisign -G -W`, and `minisign -S` over the eight bytes of an empty component.
const PROGRAMS_KEY: &str = "untrusted comment: minisign public key 1ED31DE11E5BC8E3
RWTjyFse4R3THgCWdIwfZWd1qUXNAk/ppn/xpvO1s7bZ/wrSKOEE1KyK
";
const PROGRAMS_SECRET: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA48hbHuEd0x7jyGxhq6pcu5fg6ch2nekv1+anJzuWsLcK07FR9TC3awCWdIwfZWd1qUXNAk/ppn/xpvO1s7bZ/wrSKOEE1KyKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
const PROGRAMS: &str = "untrusted comment: signature from minisign secret key
RUTjyFse4R3THkF44QLj1sGFE0Xt6tMhLNEjE0YlCC+Onk+plvzn/k/UUfsj/y431kgreLCbzowsec4ze15YbRLURCs+WlHB0As=
trusted comment: timestamp:1764000000\tfile:c.wasm
mE/FZJbGWrCyiWdyfUJbw8CzaNby67qKppSxhqFLiUuyUyr2HgEBChfMaT7pO3bZx0tLnrOJfaOibq+GRQqFBw==
";
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// Everything that a component of ours has at its top.
fn component() -> Vec<u8> {
    let mut component = EMPTY.to_vec();
    sections::append(&mut component, manifest::SECTION, b"{\"manifest\": 1}");
    sections::append(&mut component, carried::SECTION, b"{\"suite\": 1}");
    sections::append(&mut component, "producers", b"somebody");
    component
}

fn with_signature(component: &[u8], text: &str) -> Vec<u8> {
    let mut signed = component.to_vec();
    sections::append(&mut signed, SIGNATURE, text.as_bytes());
    signed
}

fn key() -> (SecretKey, PublicKey) {
    let made = new_key(None).expect("a key");
    (SecretKey::open(&made.secret_file, None).expect("an open key"), made.public)
}

#[test]
fn the_documented_key_and_signature_hold() {
    let key = PublicKey::parse(DOCUMENTED_KEY).expect("a key");
    assert_eq!((key.id().to_string().as_str(), key.to_string().as_str()), ("E7620F1842B4E81F", DOCUMENTED_KEY));
    let (found, signature) = parse(DOCUMENTED.as_bytes()).expect("a signature");
    assert_eq!(found, Found { key_id: key.id(), comment: "timestamp:1633700835\tfile:test\tprehashed".to_owned() });
    let verified = |data: &'static [u8]| minisign::verify(&key.0, &signature, std::io::Cursor::new(data), true, false, false).is_ok();
    assert!(verified(b"test"));
    assert!(!verified(b"Test"));
}

#[test]
fn minisigns_program_signs_for_us_and_we_with_its_key() {
    let public = PublicKey::parse(PROGRAMS_KEY).expect("a key");
    let found = Found { key_id: public.id(), comment: "timestamp:1764000000\tfile:c.wasm".to_owned() };
    let signed = with_signature(EMPTY, PROGRAMS);
    assert_eq!(verify(&signed, std::slice::from_ref(&public)), Ok(Verdict { trusted: vec![found], unknown: Vec::new() }));
    let secret = SecretKey::open(PROGRAMS_SECRET, None).expect("a secret key");
    assert_eq!(secret.public(), Ok(public.clone()));
    let ours = sign(EMPTY, &secret, "by hand").expect("a signature");
    assert!(verify(&ours, &[public]).expect("it holds").is_trusted());
}

#[test]
fn a_password_opens_a_key_and_another_does_not() {
    let made = new_key(Some("open, please")).expect("a key");
    assert_eq!(SecretKey::needs_password(&made.secret_file), Ok(true));
    assert_eq!(SecretKey::open(&made.secret_file, None).err(), Some(SigningError::PasswordNeeded));
    assert!(matches!(SecretKey::open(&made.secret_file, Some("open")), Err(SigningError::Closed(_))));
    let open = SecretKey::open(&made.secret_file, Some("open, please")).expect("an open key");
    assert_eq!(open.public(), Ok(made.public.clone()));
    assert_eq!(PublicKey::parse(&made.public.to_file()), Ok(made.public));
}

#[test]
fn a_changed_byte_anywhere_before_the_signature_is_found() {
    let (secret, public) = key();
    let component = component();
    let signed = sign(&component, &secret, "v1").expect("a signature");
    let keys = [public.clone()];
    assert!(verify(&signed, &keys).expect("it holds").is_trusted());
    // The first eight bytes and the frames of sections give what isn't a component, or has other sections: an error too.
    for at in 0..component.len() {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        assert!(verify(&changed, &keys).is_err(), "byte {at} was changed and nobody noticed");
    }
    // In every section's contents it is the signature that says so.
    for section in sections::sections(&component).expect("a component") {
        let mut changed = signed.clone();
        changed[section.whole.end - 1] ^= 1;
        assert_eq!(verify(&changed, &keys), Err(SigningError::Wrong(public.id())), "{:?}", section.custom());
    }
}

#[test]
fn a_changed_byte_of_the_signature_makes_it_wrong_malformed_or_anothers() {
    let (secret, public) = key();
    let component = component();
    let signed = sign(&component, &secret, "v1").expect("a signature");
    let text = signed.windows(9).position(|window| window == b"untrusted").expect("the signature's text");
    let lines: Vec<usize> = signed.iter().enumerate().skip(text).filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    // The first line is a remark that nobody signs; all behind it counts.
    for at in lines[0]..signed.len() - 1 {
        let mut changed = signed.clone();
        changed[at] ^= 1;
        let verdict = verify(&changed, std::slice::from_ref(&public));
        assert!(verdict.as_ref().is_ok_and(|verdict| !verdict.is_trusted()) || verdict.is_err(), "byte {at}: {verdict:?}");
    }
}

#[test]
fn nothing_may_stand_behind_a_signature_and_nothing_between_two() {
    let (secret, public) = key();
    let signed = sign(&component(), &secret, "v1").expect("a signature");
    for (name, shown) in [(manifest::SECTION, "patchbay:manifest"), ("x", "x")] {
        let mut longer = signed.clone();
        sections::append(&mut longer, name, b"{}");
        let error = verify(&longer, std::slice::from_ref(&public)).expect_err("it isn't covered");
        assert_eq!(error, SigningError::Uncovered { section: format!("the section {shown:?}") });
        assert!(sign(&longer, &key().0, "again").is_err());
    }
    let mut longer = signed;
    longer.extend([1, 0]);
    assert!(matches!(verify(&longer, &[public]), Err(SigningError::Uncovered { .. })));
}

#[test]
fn several_sign_and_each_covers_what_is_before() {
    let ((first, one), (second, two)) = (key(), key());
    let once = sign(&component(), &first, "author").expect("a signature");
    let twice = sign(&once, &second, "reviewer").expect("a signature");
    let names = |found: &[Found]| found.iter().map(|found| found.comment.clone()).collect::<Vec<_>>();
    assert_eq!(names(&signatures(&twice).expect("two")), ["author", "reviewer"]);
    let verdict = verify(&twice, std::slice::from_ref(&two)).expect("it holds");
    assert_eq!((names(&verdict.trusted), names(&verdict.unknown)), (vec!["reviewer".to_owned()], vec!["author".to_owned()]));
    assert_eq!(verify(&twice, &[one.clone(), two]).expect("both hold").trusted.len(), 2);
    assert_eq!(sign(&twice, &first, "again"), Err(SigningError::SignedAlready(one.id())));
    // The reviewer's alone doesn't hold.
    let position = sections::sections(&twice).expect("a component").iter().rev().nth(1).expect("the first signature").whole.clone();
    let without = [&twice[..position.start], &twice[position.end..]].concat();
    assert!(matches!(verify(&without, &[second.public().expect("a key")]), Err(SigningError::Wrong(_))));
}

#[test]
fn a_key_that_took_anothers_id_proves_nothing() {
    let (thief, _) = key();
    let (_, honest) = key();
    // The thief's signature, under the honest key's id.
    let signed = sign(&component(), &thief, "v1").expect("a signature");
    let text = String::from_utf8(
        sections::sections(&signed).expect("a component").last().and_then(|last| last.named(SIGNATURE)).expect("a signature").to_vec(),
    );
    let text = text.expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut bytes = STANDARD.decode(&lines[1]).expect("base64");
    bytes[2..10].copy_from_slice(honest.0.keynum());
    lines[1] = STANDARD.encode(bytes);
    let forged = with_signature(&component(), &(lines.join("\n") + "\n"));
    assert_eq!(verify(&forged, std::slice::from_ref(&honest)), Err(SigningError::Wrong(honest.id())));
}

#[test]
fn texts_that_arent_keys_or_signatures_are_refused() {
    for text in ["", "RW", "untrusted comment: x\n", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3AAAA"] {
        assert_eq!(PublicKey::parse(text), Err(SigningError::PublicKey), "{text}");
    }
    assert_eq!(SecretKey::needs_password("one line"), Err(SigningError::SecretKey));
    assert_eq!(SecretKey::needs_password(PROGRAMS_KEY), Err(SigningError::SecretKey));
    let four = |second: &str, third: &str, fourth: &str| format!("untrusted comment: x\n{second}\n{third}\n{fourth}\n");
    let [_, second, third, fourth] = *DOCUMENTED.lines().collect::<Vec<_>>() else { panic!("four lines") };
    for text in [
        four(&second[..60], third, fourth),
        four(second, "no comment", fourth),
        // Shorter than the library expects without asking.
        four(second, third, "AAAA"),
        four(second, "trusted comment: \u{1b}[2J", fourth),
        DOCUMENTED.repeat(2),
        DOCUMENTED.replace("untrusted comment: ", &"x".repeat(5000)),
    ] {
        let refused = signatures(&with_signature(EMPTY, &text));
        assert!(matches!(refused, Err(SigningError::Malformed { number: 1, .. })), "{text}: {refused:?}");
    }
    assert_eq!(sign(EMPTY, &key().0, "two\nlines"), Err(SigningError::Comment));
}
