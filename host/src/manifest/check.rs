//! What a manifest may hold. Everything that is wrong is told at once, each with its place.

use patchbay_sandbox::contract::{self, Spoken};
use serde_json::Value;
use url::Url;

use super::settings::properties;
use super::{
    Capabilities, Challenge, HmacRecipe, Manifest, Pattern, PlaceholderSource, Polling, Problem, SecretKind, SecretSource, SecretSpec,
    Target, TemplatePart, Verify, WebhookMethod, WebhookScope, WebhookSpec,
};

mod browser;
mod mail;
mod oauth;

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const COMMANDS: &[&str] = &["message", "react", "edit", "delete", "typing", "mark-read", "custom"];
const RECEIPTS: &[&str] = &["sent", "delivered", "read", "played", "failed"];
const CHOICES: &[&str] = &["buttons", "quick-replies", "menu", "carousel"];
const CONTENT: &[&str] = &[
    "text",
    "media",
    "album",
    "sticker",
    "location",
    "contacts",
    "poll",
    "template",
    "interactive",
    "email",
    "notification",
    "post",
    "custom",
];
/// Headers that belong to the connection or to the gateway, so that no credential goes into them.
const RESERVED_HEADERS: &[&str] =
    &["host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive"];

const ICON_MAX: usize = 32 * 1024;
const SCHEMA_MAX: usize = 64 * 1024;

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), message: message.into() });
    }

    fn check(&mut self, right: bool, path: impl Into<String>, message: impl Into<String>) {
        if !right {
            self.add(path, message);
        }
    }

    /// Every entry is one of the known words.
    fn known(&mut self, words: &[String], known: &[&str], path: &str) {
        for word in words.iter().filter(|word| !known.contains(&word.as_str())) {
            self.add(path, format!("\"{word}\" isn't one of {}", known.join(", ")));
        }
    }
}

pub(super) fn problems(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    identity(manifest, &mut problems);
    schema(manifest, &mut problems);
    for (name, spec) in &manifest.secrets {
        secret(manifest, name, spec, &mut problems);
    }
    for (name, target) in &manifest.egress {
        egress(manifest, name, target, &mut problems);
    }
    for (name, target) in &manifest.mail {
        mail::target(manifest, name, target, &mut problems);
    }
    if let Some(spec) = &manifest.webhook {
        webhook(manifest, spec, &mut problems);
    }
    if let Some(spec) = &manifest.browser {
        browser::browser(manifest, spec, &mut problems);
    }
    oauth::recipes(manifest, &mut problems);
    if let Some(spec) = &manifest.signed_callbacks {
        oauth::signed_callbacks(manifest, spec, &mut problems);
    }
    if let Some(spec) = &manifest.polling {
        polling(manifest, spec, &mut problems);
    }
    problems.check((30..=86_400).contains(&manifest.health.interval_s), "health.interval_s", "is 30 to 86400 seconds");
    capabilities(&manifest.capabilities, &mut problems);
    limits(manifest, &mut problems);
    problems.0
}

fn identity(manifest: &Manifest, problems: &mut Problems) {
    let id_right = is_name(&manifest.id, |c| c.is_ascii_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    problems.check(id_right, "id", "is 1 to 40 lower case letters, digits and hyphens, a letter first");
    let type_right =
        is_name(&manifest.channel_type, |c| c.is_ascii_uppercase(), |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    problems.check(type_right, "type", "is 1 to 40 capital letters, digits and underscores, a letter first");
    problems.check(version(&manifest.version).is_some(), "version", "is three numbers: 1.0.0");
    match version(&manifest.contract) {
        None => problems.add("contract", "is three numbers: 1.0.0"),
        // What a later minor version added is asked for by its imports: the linker names what is missing.
        Some(_) if Spoken::of(&manifest.contract).is_none() => {
            problems.add("contract", format!("is {}, and this gateway speaks {}", manifest.contract, contract::spoken()));
        }
        Some(_) => {}
    }
    problems.check((1..=60).contains(&manifest.name.chars().count()), "name", "is 1 to 60 characters");
    problems.check(manifest.description.chars().count() <= 500, "description", "is at most 500 characters");
    if let Some(icon) = &manifest.icon {
        let lower = icon.to_ascii_lowercase();
        problems.check(icon.len() <= ICON_MAX, "icon", "is at most 32 KiB");
        problems.check(lower.trim_start().starts_with('<') && lower.contains("<svg"), "icon", "is an SVG document");
        let active = ["<script", "<foreignobject", "javascript:", "<!entity"].iter().any(|word| lower.contains(word));
        problems.check(!active, "icon", "must not hold scripts, entities or foreign objects");
    }
}

fn is_name(name: &str, first: impl Fn(char) -> bool, rest: impl Fn(char) -> bool) -> bool {
    name.len() <= 40 && name.chars().next().is_some_and(first) && name.chars().all(rest)
}

/// Lower case letters, digits and underscores: a secret, a target, a setting.
fn is_field_name(name: &str) -> bool {
    is_name(name, |c| c.is_ascii_lowercase(), |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn version(text: &str) -> Option<[u32; 3]> {
    let number = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
        plain.then(|| part.parse().ok()).flatten()
    };
    let mut parts = text.split('.').map(number);
    let version = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}

fn schema(manifest: &Manifest, problems: &mut Problems) {
    let schema = &manifest.settings_schema;
    problems.check(schema.to_string().len() <= SCHEMA_MAX, "settings", "is at most 64 KiB");
    problems.check(schema.get("type").and_then(Value::as_str) == Some("object"), "settings", "is a schema of `\"type\": \"object\"`");
    if let Err(why) = manifest.validator() {
        problems.add("settings", format!("isn't a JSON Schema: {why}"));
    }
    for (name, _) in properties(schema).into_iter().flatten() {
        let right = is_field_name(name);
        problems.check(right, format!("settings.properties.{name}"), "is 1 to 40 lower case letters, digits and underscores");
    }
}

fn secret(manifest: &Manifest, name: &str, spec: &SecretSpec, problems: &mut Problems) {
    let path = format!("secrets.{name}");
    problems.check(is_field_name(name), &path, "is named with 1 to 40 lower case letters, digits and underscores");
    problems.check(!spec.title.trim().is_empty(), format!("{path}.title"), "says what it is");
    let property = properties(&manifest.settings_schema).and_then(|properties| properties.get(name));
    match (spec.is_typed(), property) {
        (true, None) if spec.from == SecretSource::Typed => {
            problems.add(&path, "is typed in, so the settings' schema must have a property of that name");
        }
        (true, Some(property)) => {
            let text = property.get("type").is_none_or(|kind| kind == "string");
            problems.check(text, &path, "is typed in, so its property in the settings' schema must be a string");
        }
        (false, Some(_)) => problems.add(&path, "isn't typed in, so the settings' schema must not have a property of that name"),
        (_, None) => {}
    }
    if spec.also_typed {
        let right = !matches!(spec.from, SecretSource::Typed | SecretSource::Derived);
        problems.check(right, format!("{path}.also_typed"), "is for a secret that comes from elsewhere and isn't computed");
    }
    match (&spec.field, spec.from) {
        (Some(field), SecretSource::App) => {
            problems.check(is_field_name(field), format!("{path}.field"), "is 1 to 40 lower case letters, digits and underscores");
        }
        (None, SecretSource::App) => problems
            .add(format!("{path}.field"), "names one of the app's secrets: client_secret, webhook_secret, verify_token or an extra one"),
        (Some(_), _) => problems.add(format!("{path}.field"), "is for `from = \"app\"`"),
        (None, _) => {}
    }
    if spec.kind == SecretKind::Es256 {
        let right = matches!(spec.from, SecretSource::Generated | SecretSource::Typed);
        problems.check(right, format!("{path}.kind"), "\"es256\" is for `from = \"generated\"` and `from = \"typed\"`");
        problems.check(spec.length.is_none(), format!("{path}.length"), "is for text: a key of P-256 has its own length");
    }
    derived(manifest, spec, &path, problems);
    if let Some(length) = spec.length {
        problems.check(spec.from == SecretSource::Generated, format!("{path}.length"), "is for `from = \"generated\"`");
        problems.check((16..=256).contains(&length), format!("{path}.length"), "is 16 to 256 characters");
    }
}

/// A derived secret has one recipe, and what it is made of isn't derived itself.
fn derived(manifest: &Manifest, spec: &SecretSpec, path: &str, problems: &mut Problems) {
    if spec.from != SecretSource::Derived {
        problems.check(spec.hmac.is_none(), format!("{path}.hmac"), "is for `from = \"derived\"`");
        problems.check(spec.text.is_none(), format!("{path}.text"), "is for `from = \"derived\"`");
        return;
    }
    problems.check(spec.hmac.is_some() != spec.text.is_some(), path, "is derived: it has either `hmac` or `text`");
    let mut part = |name: &str, path: String| {
        declared(manifest, name, &path, problems);
        if manifest.secrets.get(name).is_some_and(|part| part.from == SecretSource::Derived) {
            problems.add(path, format!("names the secret \"{name}\", which is derived itself"));
        }
    };
    if let Some(hmac) = &spec.hmac {
        part(&hmac.key, format!("{path}.hmac.key"));
        part(&hmac.of, format!("{path}.hmac.of"));
    }
    if let Some(text) = &spec.text {
        for placeholder in text.placeholders().filter(|placeholder| placeholder.source == PlaceholderSource::Secret) {
            part(&placeholder.name, format!("{path}.text"));
        }
        pattern(text, &[PlaceholderSource::App, PlaceholderSource::Secret], &format!("{path}.text"), problems);
    }
}

/// A pattern knows the placeholders of its place, and no other brace.
fn pattern(pattern: &Pattern, known: &[PlaceholderSource], path: &str, problems: &mut Problems) {
    let stray = pattern.texts().any(|text| text.contains(['{', '}']));
    if stray || pattern.placeholders().any(|placeholder| !known.contains(&placeholder.source) || !is_field_name(&placeholder.name)) {
        let known: Vec<String> = known.iter().map(|source| format!("{{{}:NAME}}", source.word())).collect();
        problems.add(path, format!("knows the placeholders {}, and no other", known.join(" and ")));
    }
}

/// JSON pointer: nothing, or tokens with a slash before each.
fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn declared(manifest: &Manifest, secret: &str, path: &str, problems: &mut Problems) {
    if !manifest.secrets.contains_key(secret) {
        problems.add(path, format!("names the secret \"{secret}\", which [secrets] doesn't declare"));
    }
}

fn egress(manifest: &Manifest, name: &str, target: &Target, problems: &mut Problems) {
    let path = format!("egress.{name}");
    problems.check(is_field_name(name), &path, "is named with 1 to 40 lower case letters, digits and underscores");
    if let Err(why) = base(target) {
        problems.add(format!("{path}.base"), why);
    }
    for setting in target.base.settings() {
        if properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting)) {
            problems.add(format!("{path}.base"), format!("names the setting \"{setting}\", which the schema doesn't have"));
        }
    }
    for (field, secret) in target.secrets() {
        declared(manifest, secret, &format!("{path}.{field}"), problems);
    }
    if let Some(setting) = &target.base_setting
        && properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting))
    {
        problems.add(format!("{path}.base_setting"), format!("names the setting \"{setting}\", which the schema doesn't have"));
    }
    problems.check(!target.methods.is_empty(), format!("{path}.methods"), "names at least one method");
    problems.known(&target.methods, METHODS, &format!("{path}.methods"));
    for rule in &target.paths {
        let right = rule.starts_with('/') && !rule.trim_end_matches('*').contains(['*', '?', '#', '\\']) && !rule.contains("..");
        problems.check(right, format!("{path}.paths"), format!("\"{rule}\" isn't of the form /exact or /beneath/*"));
    }
    if let Some(setting) = &target.hosts_setting
        && properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting))
    {
        problems.add(format!("{path}.hosts_setting"), format!("names the setting \"{setting}\", which the schema doesn't have"));
    }
    for host in &target.hosts {
        problems.check(
            is_host_pattern(host),
            format!("{path}.hosts"),
            format!("\"{host}\" isn't of the form a.example.com or *.example.com"),
        );
    }
    problems.check(!target.trusted_hosts || target.takes_urls(), format!("{path}.trusted_hosts"), "needs `hosts`");
    if target.signed_by_plugin {
        problems.check(target.secrets().is_empty(), format!("{path}.signed_by_plugin"), "is for a target without credentials");
    }
    if !target.json.is_empty() {
        problems.check(target.form.is_empty(), format!("{path}.json"), "and `form` exclude each other: a body is one or the other");
        problems.check(!target.json.contains_key(""), format!("{path}.json"), "has a member without a name");
    }
    if let Some(most) = target.max_response_mb {
        problems.check((1..=100).contains(&most), format!("{path}.max_response_mb"), "is 1 to 100");
    }
    for (header, value) in &target.header {
        let name_right = reqwest::header::HeaderName::from_bytes(header.as_bytes()).is_ok();
        let free = !RESERVED_HEADERS.contains(&header.to_ascii_lowercase().as_str());
        problems.check(name_right && free, format!("{path}.header.{header}"), "isn't a header that a credential can be in");
        let value_right = reqwest::header::HeaderValue::from_str(&value.filled_with("x")).is_ok();
        problems.check(value_right, format!("{path}.header.{header}"), "has a value that no header can have");
        let plain = value.settings().next().is_none();
        problems.check(plain, format!("{path}.header.{header}"), "knows one placeholder, {secret:NAME}");
    }
    let authorization = target.header.keys().filter(|header| header.eq_ignore_ascii_case("authorization")).count();
    let ways = usize::from(target.bearer.is_some()) + usize::from(target.basic.is_some()) + authorization;
    problems.check(ways <= 1, &path, "has more than one of bearer, basic and header.authorization");
}

/// A host by name, of two labels at least, in lower case; `*.` before it means all beneath.
fn is_host_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(label);
    is_name && matches!(url::Host::parse(name), Ok(url::Host::Domain(_)))
}

/// `https`, a host by name, and placeholders in the path alone.
fn base(target: &Target) -> Result<(), String> {
    let text = target.base.to_string();
    let Some((authority, _)) = text.strip_prefix("https://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
        return Err("must begin with https://".to_owned());
    };
    let settings: Vec<&str> = target.base.settings().collect();
    let host = settings.first().map(|setting| format!("{{setting:{setting}}}"));
    if authority.contains(['{', '}']) && host.as_deref() != Some(authority) {
        return Err("must name its host itself, or have a setting as its whole host: {secret:NAME} stands in the path alone".to_owned());
    }
    let unknown = |part: &TemplatePart| matches!(part, TemplatePart::Text(text) if text.contains(['{', '}']));
    let in_path = settings.len() > usize::from(host.as_deref() == Some(authority));
    if in_path || target.base.parts().iter().any(unknown) {
        return Err("knows one placeholder in its path, {secret:NAME}".to_owned());
    }
    let url = Url::parse(&target.base.filled_with("x")).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("has a scheme, a host, a port and a path, and no more".to_owned());
    }
    if !matches!(url.host(), Some(url::Host::Domain(_))) {
        return Err("must name its host, not its address".to_owned());
    }
    let path = target.base.filled_with("x");
    if path.contains("/..") || path.contains("/./") || path.contains('\\') {
        return Err("must not have `.`, `..` or a backslash in its path".to_owned());
    }
    Ok(())
}

fn webhook(manifest: &Manifest, spec: &WebhookSpec, problems: &mut Problems) {
    problems.check((1..=8192).contains(&spec.max_body_kb), "webhook.max_body_kb", "is 1 to 8192 KiB");
    if let Some(secret) = spec.verify.secret() {
        declared(manifest, secret, "webhook.verify.secret", problems);
    }
    for secret in spec.verify.alternatives() {
        declared(manifest, secret, "webhook.verify.alternatives", problems);
    }
    if let Some(select) = &spec.select {
        problems.check(is_pointer(&select.pointer), "webhook.select.pointer", "is a JSON pointer: /object");
        problems.check(
            spec.scope == WebhookScope::App,
            "webhook.select",
            "is for `scope = \"app\"`: an account's own URL takes its type alone",
        );
    }
    let methods = &spec.methods;
    let once = methods.iter().enumerate().all(|(n, method)| methods.iter().position(|other| other == method) == Some(n));
    problems.check(!methods.is_empty() && once, "webhook.methods", "names POST or GET or both, each once");
    problems.check(
        !spec.path_token || spec.scope == WebhookScope::Account,
        "webhook.path_token",
        "is for `scope = \"account\"`: the URL of an app is typed in once, without a token",
    );
    if let Some(recipe) = &spec.challenge {
        challenge(manifest, recipe, problems);
    }
    match &spec.verify {
        Verify::SecretHeader(recipe) => header_name(&recipe.header, "webhook.verify.header", problems),
        Verify::None {} => {}
        Verify::Hmac(recipe) => {
            let needs = "needs `path_token = true`: else nothing is proof while no secret is set";
            problems.check(!recipe.optional || spec.path_token, "webhook.verify.optional", needs);
            let needs = "GET needs `path_token = true`: the signature is of the body, and says nothing of a query";
            problems.check(!spec.takes(WebhookMethod::Get) || spec.path_token, "webhook.methods", needs);
            hmac(manifest, spec, recipe, problems);
        }
    }
}

fn header_name(name: &str, path: &str, problems: &mut Problems) {
    problems.check(reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok(), path, "isn't the name of a header");
}

fn challenge(manifest: &Manifest, recipe: &Challenge, problems: &mut Problems) {
    for (n, secret) in recipe.secrets().enumerate() {
        declared(manifest, secret, if n == 0 { "webhook.challenge.secret" } else { "webhook.challenge.alternatives" }, problems);
    }
    match recipe {
        Challenge::Query(challenge) => {
            problems.check(!challenge.token.is_empty(), "webhook.challenge.token", "names the parameter with the token");
            problems.check(!challenge.answer.is_empty(), "webhook.challenge.answer", "names the parameter that is given back");
        }
        Challenge::Echo(challenge) => {
            problems.check(!challenge.answer.is_empty(), "webhook.challenge.answer", "names the parameter that is given back");
        }
        Challenge::Hmac(challenge) => {
            problems.check(!challenge.parameter.is_empty(), "webhook.challenge.parameter", "names the parameter with the text");
            let texts = || challenge.answer.values();
            let known = |text: &String| !text.replace("{challenge}", "").replace("{hmac}", "").contains(['{', '}']);
            problems.check(texts().all(known), "webhook.challenge.answer", "knows the placeholders {challenge} and {hmac}, and no other");
            let hashed = texts().any(|text| text.contains("{hmac}"));
            problems.check(hashed, "webhook.challenge.answer", "has no {hmac}, which is what the provider looks for");
        }
    }
}

fn hmac(manifest: &Manifest, spec: &WebhookSpec, recipe: &HmacRecipe, problems: &mut Problems) {
    header_name(&recipe.header, "webhook.verify.header", problems);
    for name in &recipe.also_headers {
        header_name(name, "webhook.verify.also_headers", problems);
    }
    if let Some(name) = &recipe.timestamp_header {
        header_name(name, "webhook.verify.timestamp_header", problems);
    }
    for (path, field) in [("timestamp_field", &recipe.timestamp_field), ("signature_field", &recipe.signature_field)] {
        let plain = |field: &String| !field.is_empty() && !field.contains(['=', ',']) && !field.contains(char::is_whitespace);
        let right = field.as_ref().is_none_or(plain);
        problems.check(right, format!("webhook.verify.{path}"), "is the name of a part: the `t` of `t=…,s=…`");
    }
    let split = recipe.timestamp_field.is_some() && recipe.signature_field.is_none();
    problems.check(!split, "webhook.verify.timestamp_field", "needs a signature_field: the header is a list of parts then");
    let both = recipe.timestamp_field.is_some() && recipe.timestamp_header.is_some();
    problems.check(!both, "webhook.verify.timestamp_field", "and timestamp_header exclude each other");
    problems.check(!recipe.bare || !recipe.prefix.is_empty(), "webhook.verify.bare", "needs a prefix that may be left out");
    let bodies = recipe.signed.matches("{body}").count();
    let timestamps = recipe.signed.matches("{timestamp}").count();
    let rest = recipe.signed.replace("{body}", "").replace("{timestamp}", "");
    let right = bodies == 1 && timestamps <= 1 && !rest.contains(['{', '}']);
    problems.check(right, "webhook.verify.signed", "is text with {body} once and {timestamp} at most once");
    let told = recipe.is_timed() == (timestamps == 1);
    let place = if recipe.timestamp_field.is_some() { "webhook.verify.timestamp_field" } else { "webhook.verify.timestamp_header" };
    problems.check(told, place, "and {timestamp} in `signed` need each other");
    if let Some(seconds) = recipe.tolerance_s {
        problems.check((1..=3600).contains(&seconds), "webhook.verify.tolerance_s", "is 1 to 3600 seconds");
        problems.check(recipe.is_timed(), "webhook.verify.tolerance_s", "needs a timestamp_header or a timestamp_field");
    }
    if let Some(setting) = &recipe.tolerance_setting {
        let path = "webhook.verify.tolerance_setting";
        problems.check(recipe.is_timed(), path, "needs a timestamp_header or a timestamp_field");
        problems.check(is_field_name(setting), path, "is 1 to 40 lower case letters, digits and underscores");
        // An app's settings are the operator's: no schema has them.
        let known = properties(&manifest.settings_schema).is_some_and(|properties| properties.contains_key(setting));
        let missing = format!("names the setting \"{setting}\", which the schema doesn't have");
        problems.check(known || spec.scope == WebhookScope::App, path, missing);
    }
}

fn polling(manifest: &Manifest, spec: &Polling, problems: &mut Problems) {
    problems.check((100..=3_600_000).contains(&spec.interval_ms), "polling.interval_ms", "is 100 to 3600000 milliseconds");
    problems.check(spec.setting.is_some() == spec.equals.is_some(), "polling", "has both `setting` and `equals`, or neither");
    if let Some(setting) = &spec.setting
        && properties(&manifest.settings_schema).is_none_or(|properties| !properties.contains_key(setting))
    {
        problems.add("polling.setting", format!("names the setting \"{setting}\", which the schema doesn't have"));
    }
    if let Some(setting) = &spec.interval_setting {
        let path = "polling.interval_setting";
        match properties(&manifest.settings_schema).and_then(|properties| properties.get(setting)) {
            None => problems.add(path, format!("names the setting \"{setting}\", which the schema doesn't have")),
            Some(property) => {
                let bounded = property.get("minimum").and_then(Value::as_u64).is_some_and(|least| least >= 1);
                problems.check(bounded, path, format!("needs a `minimum` of 1 second at least in the schema's \"{setting}\""));
            }
        }
    }
}

fn capabilities(capabilities: &Capabilities, problems: &mut Problems) {
    problems.known(&capabilities.receipts, RECEIPTS, "capabilities.receipts");
    problems.known(&capabilities.commands, COMMANDS, "capabilities.commands");
    let kinds: Vec<String> = capabilities.content.keys().cloned().collect();
    problems.known(&kinds, CONTENT, "capabilities.content");
    let custom = capabilities.commands.iter().any(|command| command == "custom") || capabilities.content.contains_key("custom");
    problems.check(custom || capabilities.custom.is_empty(), "capabilities.custom", "needs `custom` among the commands or the content");
    for (kind, limits) in &capabilities.content {
        problems.known(&limits.choices, CHOICES, &format!("capabilities.content.{kind}.choices"));
        if let (Some(least), Some(most)) = (limits.min_items, limits.max_items) {
            problems.check(least <= most, format!("capabilities.content.{kind}"), "has a min_items above its max_items");
        }
    }
    let rates = &capabilities.rates;
    let all = [
        rates.per_account_per_s,
        rates.per_account_per_min,
        rates.per_account_per_day,
        rates.per_conversation_per_s,
        rates.per_conversation_per_min,
        rates.per_group_per_min,
    ];
    problems.check(!all.contains(&Some(0)), "capabilities.rates", "has a rate of 0, at which nothing would ever be sent");
}

fn limits(manifest: &Manifest, problems: &mut Problems) {
    let mut within = |asked: Option<u32>, least: u32, most: u32, path: &str| {
        let right = asked.is_none_or(|asked| (least..=most).contains(&asked));
        problems.check(right, path, format!("is {least} to {most}"));
    };
    within(manifest.limits.memory_mb, 1, 256, "limits.memory_mb");
    within(manifest.limits.cpu_ms, 10, 2_000, "limits.cpu_ms");
    within(manifest.limits.wall_ms, 100, 60_000, "limits.wall_ms");
    within(manifest.limits.host_calls, 10, 10_000, "limits.host_calls");
}
