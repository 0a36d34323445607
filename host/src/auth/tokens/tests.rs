//! Signatures of each kind, and what claims make of their bearer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::json;

use super::*;
use crate::{
    config::{Config, Overrides},
    domain::actor::ActorKind,
};

const NOW: At = At::from_micros(1_764_000_000_000_000);
const NOW_S: i64 = 1_764_000_000;
const SECRET: &[u8] = b"a secret of the provider's, which the gateway shares";

/// A token and its modulus, as OpenSSL made them (RS256, exponent 65537).
const RSA_MODULUS: &str = "jRVM7Wsw94usVn-N71cFpiQy_0eFjDzJjz5WolB9SC3KFcB3DipJ0sqLjdAUOHj0Ul2ubW20zg-OBQh_xIAH5lNrSLpRhkOrV0AUzl-1SXAIS2uI9NsZvPyy\
    fxMz_tXNlMjtARwpIx82y6b_XoEj597QNFA09L1cENhRc_WMpsD7neIuwyNSE_mRijrrox7dAsweC2P3N2tqgci5zIP0C1DbV9x-VpSRGSJnWoVQohOSx9_H\
    gOGtZThjNqadgAwbk9poaGuXxnvDQbV592CqmXW4Qa5ETX9nNETlxJ2aEPAnoUsf-7klkj_fXeAzYt48mPhL75iSu38LkzS8Vun6DQ";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InIxIn0.eyJzdWIiOiJ1c2VyLTEifQ.MFJw6LAcQTMmpMdUcHheJPOGfAmI1mj-rZA6OQfgJozhc\
    F1jBAl2LAXGu92xHOqIN_7oDUcVq_YC-EifYCJ3PzerOTZbkLZHWdLu6f3gM20o95ujM728qWe6Y9siDci1bCGMd-whPMI-SDDmZxNa_z6VMyClE-oOV5V2w\
    ncbGeoalaxojptTuziiyNIeEUgy9-EWtk3PXHiYjYCfdQWwDPaLR3LR4BaTZplFOc5HrSRiXRS7ATX34ZvmV7vNDCx93MIqHp1XY4gqMrM0CymCfU0AyWBhL\
    Y6YNQ5xS6YMRXF9qEjGeF2oi92Q3-rlGCDDu-IBfOnTB84q3RuNbS28ZQ";

fn encoded(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn signed(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let text = encoded(header, claims);
    let signature = sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn by_secret(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> + use<'_> {
    move |text| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text).as_ref().to_vec()
}

fn key(algorithm: Algorithm, key: DecodingKey) -> Key {
    verifier::install();
    Key::of(algorithm, key)
}

fn rules(settings: &str) -> Jwt {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patchbay.toml");
    std::fs::write(&file, format!("[auth.jwt]\n{settings}")).unwrap();
    Config::load(Some(&file), &Overrides::default()).unwrap().auth.jwt
}

#[expect(clippy::needless_pass_by_value, reason = "claims are written where they are judged")]
fn judge(settings: &str, claims: Value) -> Result<Option<Identity>, ApiError> {
    let mut whole = json!({"exp": NOW_S + 60, "sub": "user-1"});
    whole.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    Tokens::new(rules(settings), None).judge(whole.as_object().unwrap(), NOW, true)
}

fn refusal(settings: &str, claims: Value) -> (&'static str, String) {
    let error = judge(settings, claims).unwrap_err();
    assert_eq!(error.status, axum::http::StatusCode::UNAUTHORIZED);
    assert!(error.headers[header::WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
    (error.body.code, error.body.message)
}

#[test]
fn each_kind_of_signature_is_checked() {
    let claims = json!({"sub": "user-1"});
    let shared = key(Algorithm::HS256, DecodingKey::from_secret(SECRET));
    let token = signed(&json!({"alg": "HS256"}), &claims, by_secret(SECRET));
    assert_eq!(signed_claims(&token, &shared).unwrap()["sub"], "user-1");
    let other = signed(&json!({"alg": "HS256"}), &claims, by_secret(b"another secret"));
    assert!(signed_claims(&other, &shared).is_none());

    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.as_ref(), &random).unwrap();
    let es256 = key(Algorithm::ES256, DecodingKey::from_ec_der(pair.public_key().as_ref()));
    let token = signed(&json!({"alg": "ES256"}), &claims, |text| pair.sign(&random, text).unwrap().as_ref().to_vec());
    assert!(signed_claims(&token, &es256).is_some());

    let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let eddsa = key(Algorithm::EdDSA, DecodingKey::from_ed_der(pair.public_key().as_ref()));
    let token = signed(&json!({"alg": "EdDSA"}), &claims, |text| pair.sign(text).as_ref().to_vec());
    assert!(signed_claims(&token, &eddsa).is_some());
    let moved = token.replace(&URL_SAFE_NO_PAD.encode(claims.to_string()), &URL_SAFE_NO_PAD.encode(r#"{"sub":"user-2"}"#));
    assert!(signed_claims(&moved, &eddsa).is_none());

    let rs256 = key(Algorithm::RS256, DecodingKey::from_rsa_components(RSA_MODULUS, "AQAB").unwrap());
    assert_eq!(signed_claims(RSA_TOKEN, &rs256).unwrap()["sub"], "user-1");
    let mut bent = RSA_TOKEN.to_owned();
    bent.replace_range(100..101, if RSA_TOKEN.as_bytes()[100] == b'A' { "B" } else { "A" });
    assert!(signed_claims(&bent, &rs256).is_none());
}

#[test]
fn a_public_key_is_no_secret_and_none_is_no_signature() {
    let claims = json!({"sub": "user-1"});
    let random = SystemRandom::new();
    let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
    let public = pair.public_key().as_ref();
    let eddsa = key(Algorithm::EdDSA, DecodingKey::from_ed_der(public));
    // Signed with what everybody knows, under the name of the algorithm that would take it for a secret.
    let confused = signed(&json!({"alg": "HS256"}), &claims, by_secret(public));
    assert!(signed_claims(&confused, &eddsa).is_none());
    // Even a key that somebody put together wrongly.
    assert!(signed_claims(&confused, &key(Algorithm::HS256, DecodingKey::from_ed_der(public))).is_none());
    for header in [json!({"alg": "none"}), json!({"alg": "HS256", "crit": ["b64"], "b64": false}), json!({"typ": "JWT"})] {
        let text = format!("{}.", encoded(&header, &claims));
        assert_eq!(header_of(&text).unwrap_err().body.code, "PGRST301", "{header}");
    }
    assert_eq!(header_of("x.y.z").unwrap_err().body.code, "PGRST301");
    assert_eq!(header_of(&format!("{}..", "a".repeat(TOKEN_MAX))).unwrap_err().body.code, "PGRST301");
    assert!(is_token(RSA_TOKEN) && !is_token("pb_0123") && !is_token("a.b"));
}

#[test]
fn a_users_token_is_of_its_organisation_with_its_roles_scope() {
    let user = judge("", json!({"role": "authenticated", "app_metadata": {"organization_id": "acme"}, "email": "mona@example.com"}));
    let user = user.unwrap().unwrap();
    assert_eq!((user.organization_id.as_deref(), user.scope, user.id.as_str()), (Some("acme"), Scope::Send, "jwt:user-1"));
    assert_eq!((user.actor.kind, user.actor.name.as_str()), (ActorKind::Token, "mona@example.com"));
    let first = judge("", json!({"role": "authenticated", "organization_id": "a", "app_metadata": {"organization_id": "b"}}));
    assert_eq!(first.unwrap().unwrap().organization_id.as_deref(), Some("a"));
    let dotted = "organization_claims = [\"https://example.com/org\"]\nrole_claims = [\"realm.roles\"]\n[auth.jwt.roles]\nagent = \"read\"\nboss = \"admin\"";
    let dotted =
        judge(dotted, json!({"https://example.com/org": "acme", "realm": {"roles": ["other", "boss", "agent"]}})).unwrap().unwrap();
    assert_eq!((dotted.organization_id.as_deref(), dotted.scope), (Some("acme"), Scope::Admin));
}

#[test]
fn without_an_organisation_a_token_is_the_operators_where_the_configuration_says_so() {
    let service = json!({"role": "service_role"});
    assert_eq!(refusal("", service.clone()).0, "PGRST303");
    let operator = judge("operator_roles = [\"service_role\"]", service).unwrap().unwrap();
    assert_eq!((operator.organization_id, operator.scope), (None, Scope::Admin));
    let own = judge("operator_roles = [\"service_role\"]", json!({"role": "service_role", "organization_id": "acme"})).unwrap().unwrap();
    assert_eq!(own.organization_id.as_deref(), Some("acme"));
    for organization in [json!(7), json!(""), json!("a b"), json!(["acme"]), json!("x".repeat(65))] {
        let claims = json!({"role": "service_role", "organization_id": organization});
        assert_eq!(refusal("operator_roles = [\"service_role\"]", claims).0, "PGRST303");
    }
}

#[test]
fn a_role_that_may_nothing_is_nobody() {
    assert!(judge("", json!({"role": "anon"})).unwrap().is_none());
    assert_eq!(refusal("", json!({"role": "stranger", "organization_id": "a"})).0, "PGRST303");
    assert_eq!(refusal("", json!({"organization_id": "a"})).0, "PGRST303");
}

#[test]
fn times_audience_and_issuer_are_looked_at() {
    let user = |more: Value| {
        let mut claims = json!({"role": "authenticated", "organization_id": "acme"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let message = |more| refusal("", user(more)).1;
    assert_eq!(message(json!({"exp": NOW_S - 31})), "JWT expired");
    assert!(judge("", user(json!({"exp": NOW_S - 29}))).is_ok());
    assert_eq!(message(json!({"nbf": NOW_S + 31})), "JWT not yet valid");
    assert_eq!(message(json!({"iat": NOW_S + 31})), "JWT issued at future");
    let half_past: Value = serde_json::from_str(&format!("{}.5", NOW_S + 29)).unwrap();
    assert!(judge("", user(json!({"nbf": NOW_S + 29, "iat": half_past}))).is_ok());
    // What can't be read is no absence.
    for more in [json!({"exp": "later"}), json!({"exp": null}), json!({"nbf": "now"}), json!({"iat": {}})] {
        assert_eq!(refusal("", user(more.clone())).0, "PGRST303", "{more}");
    }
    let strict = "audience = [\"gateway\", \"other\"]\nissuer = \"https://id.example.com\"";
    for (more, taken) in [
        (json!({"aud": "gateway", "iss": "https://id.example.com"}), true),
        (json!({"aud": ["x", "other"], "iss": "https://id.example.com"}), true),
        (json!({"aud": "x", "iss": "https://id.example.com"}), false),
        (json!({"iss": "https://id.example.com"}), false),
        (json!({"aud": "gateway", "iss": "https://id.example.com/"}), false),
        (json!({"aud": "gateway"}), false),
    ] {
        assert_eq!(judge(strict, user(more.clone())).is_ok(), taken, "{more}");
    }
}
