//! What a manifest says of apps, OAuth and what comes with them.

use super::*;

pub(super) fn example() -> serde_json::Value {
    json!({
        "id": "test", "type": "TEST", "version": "1.0.0", "name": "Test", "contract": CONTRACT,
        "settings": {"type": "object", "properties": {
            "login_type": {"enum": ["business", "manual"]}, "api_version": {"type": "string"},
            "access_token": {"type": "string", "writeOnly": true}, "base_url": {"type": "string"}}},
        "secrets": {
            "access_token": {"title": "Token", "from": "oauth", "also_typed": true},
            "refresh_token": {"title": "Refresh token", "from": "oauth"},
            "app_secret": {"title": "App secret", "from": "app", "field": "client_secret"},
            "webhook_secret": {"title": "Webhook secret", "from": "app", "field": "webhook_secret"},
            "verify_token": {"title": "Verify token", "from": "app", "field": "verify_token"},
            "proof": {"title": "Proof", "from": "derived", "hmac": {"key": "app_secret", "of": "access_token"}},
            "app_token": {"title": "App token", "from": "derived", "text": "{app:client_id}|{secret:app_secret}"},
        },
        "egress": {
            "api": {"base": "https://api.example.com", "base_setting": "base_url", "methods": ["GET"], "bearer": "access_token",
                "query": {"proof": "proof?"}},
            "files": {"base": "https://files.example.com", "methods": ["GET"], "hosts": ["*.cdn.example.net", "files.example.com"]},
        },
        "webhook": {"scope": "app", "select": {"pointer": "/object", "equals": "test"},
            "verify": {"kind": "hmac", "header": "x-sig", "secret": "webhook_secret", "alternatives": ["app_secret"]},
            "challenge": {"kind": "query", "expect": {"hub.mode": "subscribe"}, "token": "hub.verify_token", "secret": "verify_token",
                "answer": "hub.challenge"}},
        "oauth": [{"when": {"setting": "login_type", "equals": "business"},
            "authorize": "https://login.example.com/{setting:api_version}/dialog", "authorize_base_setting": "login_base_url",
            "token": "https://api.example.com/{app:version}/token", "scopes": ["read", "write"], "scope_separator": ",",
            "params": {"config_id": "{app:config_id}"}, "scopes_unless": "config_id", "access_token": "access_token",
            "refresh_token": "refresh_token", "refresh_ahead_s": 3600}],
        "signed_callbacks": {"field": "signed_request", "secret": "app_secret", "subject": "/user_id", "route": "user:{subject}"},
        "capabilities": {},
    })
}

pub(super) fn read(manifest: &serde_json::Value) -> Result<Manifest, ManifestError> {
    Manifest::from_json(manifest.to_string().as_bytes())
}

/// The example with a value at a pointer changed, or taken away.
pub(super) fn told(pointer: &str, value: serde_json::Value) -> Vec<String> {
    let mut manifest = example();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    match parent {
        serde_json::Value::Object(fields) if value.is_null() => {
            fields.remove(name);
        }
        serde_json::Value::Object(fields) => {
            fields.insert(name.to_owned(), value);
        }
        list => list[name.parse::<usize>().unwrap()] = value,
    }
    match read(&manifest) {
        Err(ManifestError::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{pointer} isn't refused: {other:?}"),
    }
}

#[test]
fn the_whole_example_is_right_and_travels_unchanged() {
    let manifest = read(&example()).unwrap();
    assert_eq!(read(&serde_json::to_value(&manifest).unwrap()).unwrap(), manifest);
    assert!(manifest.oauth_recipe(&json!({"login_type": "business"})).is_some());
    assert!(manifest.oauth_recipe(&json!({"login_type": "manual"})).is_none());
    assert_eq!(manifest.base_settings().collect::<Vec<_>>(), ["base_url", "login_base_url"]);
    assert_eq!(manifest.granted_secrets(), ["access_token", "refresh_token"]);
    assert_eq!(manifest.egress["api"].secrets(), [("bearer".to_owned(), "access_token"), ("query.proof".to_owned(), "proof")]);
    let select = manifest.webhook.unwrap().select.unwrap();
    assert!(select.fits(&json!({"object": "test"})) && !select.fits(&json!({"object": "other"})) && !select.fits(&json!([])));
}

#[test]
fn every_mistake_is_told_at_its_place() {
    for (pointer, value, path) in [
        ("/secrets/app_secret/field", json!(null), "secrets.app_secret.field: names one of"),
        ("/secrets/app_secret/field", json!("Client Secret"), "secrets.app_secret.field: is 1 to 40"),
        ("/secrets/access_token/field", json!("x"), "secrets.access_token.field: is for"),
        ("/secrets/access_token/also_typed", json!(null), "secrets.access_token: isn't typed in"),
        ("/secrets/proof/also_typed", json!(true), "secrets.proof.also_typed: is for"),
        ("/secrets/proof/hmac", json!(null), "secrets.proof: is derived"),
        ("/secrets/proof/text", json!("x"), "secrets.proof: is derived"),
        ("/secrets/proof/hmac/of", json!("gone"), "secrets.proof.hmac.of: names the secret"),
        ("/secrets/proof/hmac/key", json!("app_token"), "secrets.proof.hmac.key: names the secret \"app_token\", which is derived itself"),
        ("/secrets/app_token/text", json!("{setting:x}"), "secrets.app_token.text: knows the placeholders {app:NAME} and {secret:NAME}"),
        ("/secrets/app_token/text", json!("{app:client_id"), "secrets.app_token.text: knows the placeholders"),
        ("/secrets/refresh_token/hmac", json!({"key": "app_secret", "of": "access_token"}), "secrets.refresh_token.hmac: is for"),
        ("/egress/api/query/proof", json!("gone?"), "egress.api.query.proof: names the secret \"gone\""),
        ("/egress/files/hosts", json!(["*"]), "egress.files.hosts: \"*\" isn't"),
        ("/egress/files/hosts", json!(["*.com"]), "egress.files.hosts: \"*.com\" isn't"),
        ("/egress/files/hosts", json!(["a.*.example.com"]), "egress.files.hosts: "),
        ("/egress/files/hosts", json!(["10.0.0.1"]), "egress.files.hosts: "),
        ("/egress/files/hosts", json!(["Files.example.com"]), "egress.files.hosts: "),
        ("/egress/files/hosts", json!(["https://files.example.com"]), "egress.files.hosts: "),
        ("/egress/api/trusted_hosts", json!(true), "egress.api.trusted_hosts: needs `hosts`"),
        ("/egress/api/json", json!({"Password": "gone?"}), "egress.api.json.Password: names the secret \"gone\""),
        ("/egress/api/json", json!({"": "access_token"}), "egress.api.json: has a member without a name"),
        ("/egress/api/header", json!({"x-a": "{setting:base_url}"}), "egress.api.header.x-a: knows one placeholder"),
        ("/egress/api/base", json!("https://{setting:gone}/v1"), "egress.api.base: names the setting \"gone\""),
        ("/egress/api/base", json!("https://a.{setting:base_url}/v1"), "egress.api.base: must name its host itself, or have a setting"),
        ("/egress/api/base", json!("https://{setting:base_url}:8443/v1"), "egress.api.base: must name its host itself"),
        ("/egress/api/base", json!("https://{secret:access_token}/v1"), "egress.api.base: must name its host itself"),
        ("/egress/api/base", json!("https://a.example.com/{setting:base_url}"), "egress.api.base: knows one placeholder in its path"),
        ("/egress/api/base", json!("https://{setting:base_url}/{setting:base_url}"), "egress.api.base: knows one placeholder in its path"),
        ("/webhook/select/pointer", json!("object"), "webhook.select.pointer: is a JSON pointer"),
        ("/webhook/scope", json!("account"), "webhook.select: is for"),
        ("/webhook/verify/alternatives", json!(["gone"]), "webhook.verify.alternatives: names the secret"),
        ("/webhook/challenge/secret", json!("gone"), "webhook.challenge.secret: names the secret"),
        ("/webhook/challenge/answer", json!(""), "webhook.challenge.answer: names the parameter"),
        ("/oauth/0/when/setting", json!("gone"), "oauth[0].when.setting: names the setting"),
        ("/oauth/0/authorize", json!("http://login.example.com"), "oauth[0].authorize: must begin with https://"),
        ("/oauth/0/authorize", json!("https://{app:host}/x"), "oauth[0].authorize: must name its host itself"),
        ("/oauth/0/authorize", json!("https://login.example.com/{secret:app_secret}"), "oauth[0].authorize: knows the placeholders"),
        ("/oauth/0/token", json!("https://login.example.com/{setting:gone}"), "oauth[0].token: names the setting"),
        ("/oauth/0/token", json!("https://10.0.0.1/token"), "oauth[0].token: must name its host, not its address"),
        ("/oauth/0/token", json!("https://user@login.example.com/token"), "oauth[0].token: has a scheme"),
        ("/oauth/0/token_base_setting", json!("Base"), "oauth[0].token_base_setting: is 1 to 40"),
        ("/oauth/0/refresh", json!("http://api.example.com/refresh"), "oauth[0].refresh: must begin with https://"),
        ("/oauth/0/token_params", json!({"scope": "x"}), "oauth[0].token_params.scope: isn't one of grant_type, code"),
        ("/oauth/0/token_params", json!({"code": ""}), "oauth[0].token_params.code: is empty"),
        ("/oauth/0/dead_codes", json!([""]), "oauth[0].dead_codes: has one that is empty"),
        ("/oauth/0/scopes", json!(["a,b"]), "oauth[0].scopes: has one"),
        ("/oauth/0/params/state", json!("x"), "oauth[0].params.state: is the gateway's"),
        ("/oauth/0/scopes_unless", json!("gone"), "oauth[0].scopes_unless: names the parameter"),
        ("/oauth/0/access_token", json!("app_secret"), "oauth[0].access_token: names the secret \"app_secret\", which isn't"),
        ("/oauth/0/access_token", json!("gone"), "oauth[0].access_token: names the secret \"gone\", which [secrets]"),
        ("/oauth/0/refresh_token", json!("access_token"), "oauth[0].refresh_token: is another secret"),
        ("/oauth/0/refresh_token", json!(null), "oauth[0].refresh_ahead_s: needs a refresh_token"),
        ("/oauth/0/refresh_ahead_s", json!(5), "oauth[0].refresh_ahead_s: is 60 to"),
        ("/signed_callbacks/secret", json!("access_token"), "signed_callbacks.secret: names the secret \"access_token\", which isn't"),
        ("/signed_callbacks/alternatives", json!(["gone"]), "signed_callbacks.alternatives: names the secret"),
        ("/signed_callbacks/subject", json!("user_id"), "signed_callbacks.subject: is a JSON pointer"),
        ("/signed_callbacks/route", json!("user"), "signed_callbacks.route: is text with {subject} once"),
    ] {
        let problems = told(pointer, value.clone());
        assert!(problems.iter().any(|problem| problem.starts_with(path)), "{pointer} = {value}: {problems:?}");
    }
}

#[test]
fn a_recipe_behind_one_that_always_fits_is_refused() {
    let mut manifest = example();
    let mut always = manifest["oauth"][0].clone();
    always.as_object_mut().unwrap().remove("when");
    manifest["oauth"].as_array_mut().unwrap().push(always.clone());
    assert!(read(&manifest).is_ok(), "the last one may always fit");
    manifest["oauth"].as_array_mut().unwrap().push(always);
    let refused = read(&manifest).unwrap_err().to_string();
    assert!(refused.contains("oauth[2]: is never followed"), "{refused}");
}

#[test]
fn a_pattern_of_hosts_means_what_lies_beneath() {
    for (pattern, host, fits) in [
        ("files.example.com", "files.example.com", true),
        ("files.example.com", "Files.Example.com", true),
        ("files.example.com", "a.files.example.com", false),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "b.a.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false),
        ("*.example.com", "evilexample.com", false),
    ] {
        assert_eq!(host_matches(pattern, host), fits, "{pattern} {host}");
    }
}

#[test]
fn a_body_has_its_credentials_as_a_form_or_as_json() {
    let mut manifest = example();
    manifest["egress"]["api"]["json"] = json!({"Password": "access_token", "Key": "proof?"});
    let api = &read(&manifest).unwrap().egress["api"];
    assert_eq!(api.json_secrets().collect::<Vec<_>>(), [("Key", "proof", true), ("Password", "access_token", false)]);
    manifest["egress"]["api"]["form"] = json!({"key": "access_token"});
    let refused = read(&manifest).unwrap_err().to_string();
    assert!(refused.contains("egress.api.json: and `form` exclude each other"), "{refused}");
}

#[test]
fn a_setting_that_is_a_host_says_where_credentials_go() {
    let mut manifest = example();
    manifest["egress"]["api"]["base"] = json!("https://{setting:api_version}/v1/{secret:access_token}");
    let manifest = read(&manifest).unwrap();
    assert_eq!(manifest.egress["api"].base.to_string(), "https://{setting:api_version}/v1/{secret:access_token}");
    assert_eq!(manifest.base_settings().collect::<Vec<_>>(), ["base_url", "api_version", "login_base_url"]);
}
