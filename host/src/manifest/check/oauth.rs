//! What `[[oauth]]` and `[signed_callbacks]` may hold.

use url::Url;

use super::{Problems, declared, is_field_name, is_pointer, pattern};
use crate::manifest::{Manifest, OauthRecipe, Pattern, PlaceholderSource, SecretSource, SignedCallbacks, settings::properties};

/// Parameters of the authorize URL that are the gateway's to set.
const RESERVED_PARAMS: &[&str] =
    &["response_type", "client_id", "redirect_uri", "state", "scope", "code_challenge", "code_challenge_method", "client_secret"];

/// Parameters of a request for a token.
const TOKEN_PARAMS: &[&str] = &["grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token"];

pub(super) fn recipes(manifest: &Manifest, problems: &mut Problems) {
    let first_always = manifest.oauth.iter().position(|recipe| recipe.when.is_none());
    for (n, recipe) in manifest.oauth.iter().enumerate() {
        let path = format!("oauth[{n}]");
        problems.check(first_always.is_none_or(|always| n <= always), &path, "is never followed: one before it always fits");
        self::recipe(manifest, recipe, &path, problems);
    }
}

fn recipe(manifest: &Manifest, recipe: &OauthRecipe, path: &str, problems: &mut Problems) {
    if let Some(when) = &recipe.when {
        has_setting(manifest, &when.setting, &format!("{path}.when.setting"), problems);
    }
    url(manifest, &recipe.authorize, &format!("{path}.authorize"), problems);
    url(manifest, &recipe.token, &format!("{path}.token"), problems);
    if let Some(refresh) = &recipe.refresh {
        url(manifest, refresh, &format!("{path}.refresh"), problems);
        problems.check(recipe.refresh_token.is_some(), format!("{path}.refresh"), "needs a refresh_token");
    }
    for (name, theirs) in &recipe.token_params {
        let path = format!("{path}.token_params.{name}");
        problems.check(TOKEN_PARAMS.contains(&name.as_str()), &path, format!("isn't one of {}", TOKEN_PARAMS.join(", ")));
        let twice = recipe.token_params.iter().any(|(other, same)| other != name && same == theirs);
        problems.check(!theirs.is_empty() && !twice, &path, "is empty, or the name of another one");
    }
    let no_code = recipe.dead_codes.iter().any(String::is_empty);
    problems.check(!no_code, format!("{path}.dead_codes"), "has one that is empty");
    let unread = recipe.refresh_token.is_none() && !recipe.dead_codes.is_empty();
    problems.check(!unread, format!("{path}.dead_codes"), "needs a refresh_token");
    for (field, setting) in [("authorize_base_setting", &recipe.authorize_base_setting), ("token_base_setting", &recipe.token_base_setting)]
    {
        let right = setting.as_deref().is_none_or(is_field_name);
        problems.check(right, format!("{path}.{field}"), "is 1 to 40 lower case letters, digits and underscores");
    }
    let separated = |scope: &String| scope.is_empty() || scope.contains(char::is_whitespace) || scope.contains(&recipe.scope_separator);
    problems.check(!recipe.scopes.iter().any(separated), format!("{path}.scopes"), "has one that is empty, or holds the separator");
    problems.check(!recipe.scope_separator.is_empty(), format!("{path}.scope_separator"), "is empty");
    for (name, value) in &recipe.params {
        let path = format!("{path}.params.{name}");
        let free = !RESERVED_PARAMS.contains(&name.as_str()) && *name != recipe.client_id_param;
        problems.check(free, &path, "is the gateway's to set");
        placeholders(manifest, value, &path, problems);
    }
    if let Some(param) = &recipe.scopes_unless {
        let known = recipe.params.contains_key(param);
        problems.check(known, format!("{path}.scopes_unless"), format!("names the parameter \"{param}\", which `params` doesn't have"));
    }
    problems.check(!recipe.client_id_param.is_empty(), format!("{path}.client_id_param"), "is empty");
    token(manifest, &recipe.access_token, &format!("{path}.access_token"), problems);
    if let Some(secret) = &recipe.refresh_token {
        token(manifest, secret, &format!("{path}.refresh_token"), problems);
        problems.check(*secret != recipe.access_token, format!("{path}.refresh_token"), "is another secret than the access token");
    }
    if let Some(seconds) = recipe.refresh_ahead_s {
        let path = format!("{path}.refresh_ahead_s");
        problems.check((60..=2_592_000).contains(&seconds), &path, "is 60 to 2592000 seconds");
        problems.check(recipe.refresh_token.is_some(), &path, "needs a refresh_token");
    }
}

fn token(manifest: &Manifest, secret: &str, path: &str, problems: &mut Problems) {
    declared(manifest, secret, path, problems);
    if manifest.secrets.get(secret).is_some_and(|spec| spec.from != SecretSource::Oauth) {
        problems.add(path, format!("names the secret \"{secret}\", which isn't `from = \"oauth\"`"));
    }
}

fn has_setting(manifest: &Manifest, setting: &str, path: &str, problems: &mut Problems) {
    if properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting)) {
        problems.add(path, format!("names the setting \"{setting}\", which the schema doesn't have"));
    }
}

fn placeholders(manifest: &Manifest, text: &Pattern, path: &str, problems: &mut Problems) {
    pattern(text, &[PlaceholderSource::App, PlaceholderSource::Setting], path, problems);
    for placeholder in text.placeholders().filter(|placeholder| placeholder.source == PlaceholderSource::Setting) {
        has_setting(manifest, &placeholder.name, path, problems);
    }
}

/// `https`, a host by name, and placeholders behind it.
fn url(manifest: &Manifest, text: &Pattern, path: &str, problems: &mut Problems) {
    placeholders(manifest, text, path, problems);
    let whole = text.to_string();
    let Some(authority) = whole.strip_prefix("https://").and_then(|rest| rest.split(['/', '?']).next()) else {
        return problems.add(path, "must begin with https://");
    };
    if authority.contains(['{', '}']) {
        return problems.add(path, "must name its host itself: placeholders stand behind it");
    }
    match Url::parse(&text.filled_with("x")) {
        Err(error) => problems.add(path, error.to_string()),
        Ok(url) => {
            let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            problems.check(bare, path, "has a scheme, a host, a port, a path and a query, and no more");
            let named = matches!(url.host(), Some(url::Host::Domain(_)));
            problems.check(named, path, "must name its host, not its address");
        }
    }
}

pub(super) fn signed_callbacks(manifest: &Manifest, spec: &SignedCallbacks, problems: &mut Problems) {
    problems.check(!spec.field.is_empty(), "signed_callbacks.field", "names the form field");
    for (n, secret) in spec.secrets().enumerate() {
        let path = if n == 0 { "signed_callbacks.secret" } else { "signed_callbacks.alternatives" };
        declared(manifest, secret, path, problems);
        if manifest.secrets.get(secret).is_some_and(|spec| spec.from != SecretSource::App) {
            problems.add(path, format!("names the secret \"{secret}\", which isn't `from = \"app\"`: no account is known yet"));
        }
    }
    problems.check(is_pointer(&spec.subject) && !spec.subject.is_empty(), "signed_callbacks.subject", "is a JSON pointer: /user_id");
    let right = spec.route.matches("{subject}").count() == 1 && !spec.route.replace("{subject}", "").contains(['{', '}']);
    problems.check(right, "signed_callbacks.route", "is text with {subject} once");
}
