//! Posts, and what is written below them.

use axum::http::Method;
use serde_json::{Value, json};

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::Ask;
use crate::linkedin::little;
use crate::linkedin::server::{Server, magic, missing};
use crate::linkedin::world::{Comment, Grant, Post, World};

const COMMENTARY_MAX: usize = 3000;
const FIELDS: [&str; 10] = [
    "author",
    "commentary",
    "visibility",
    "distribution",
    "content",
    "lifecycleState",
    "isReshareDisabledByAuthor",
    "reshareContext",
    "container",
    "adContext",
];

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Writing as an organisation takes another scope than writing as oneself.
fn may_write(world: &World, caller: &Grant, author: &str, what: &str) -> Result<(), Refusal> {
    let scope = match author {
        author if author.starts_with("urn:li:organization:") => "w_organization_social",
        author if author.starts_with("urn:li:person:") => "w_member_social",
        _ => return Err(Refusal::unprocessable(format!("{author} is no author: urn:li:person:… or urn:li:organization:…"))),
    };
    caller.need(&[scope], what)?;
    if world.may_write_as(author) { Ok(()) } else { Err(Refusal::denied(what)) }
}

pub(crate) fn publish(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    let body = ask.json()?;
    if let Some(name) = body.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Refusal::unprocessable(format!(
            "Unpermitted fields present in REQUEST_BODY: Data Processing Exception while processing fields [/{name}]"
        )));
    }
    for name in ["author", "commentary", "visibility", "lifecycleState"] {
        if !body[name].is_string() {
            return Err(Refusal::unprocessable(format!("ERROR :: /{name} :: field is required but not found and has no default value")));
        }
    }
    if text(&body["distribution"], "feedDistribution").is_empty() {
        return Err(Refusal::unprocessable("ERROR :: /distribution/feedDistribution :: field is required but not found"));
    }
    let (author, commentary, visibility) = (text(&body, "author"), text(&body, "commentary"), text(&body, "visibility"));
    magic(commentary)?;
    let mut world = server.world.lock();
    may_write(&world, caller, author, "posts.CREATE")?;
    let visible = ["PUBLIC", "CONNECTIONS", "LOGGED_IN"].contains(&visibility);
    if !visible || (author.starts_with("urn:li:organization:") && visibility != "PUBLIC") {
        return Err(Refusal::unprocessable(format!("ERROR :: /visibility :: {visibility} isn't allowed for this author")));
    }
    if !["PUBLISHED", "DRAFT"].contains(&text(&body, "lifecycleState")) {
        return Err(Refusal::unprocessable("ERROR :: /lifecycleState :: has to be PUBLISHED or DRAFT"));
    }
    let (shown, kept) = little::shown(commentary);
    // Counted as people see it, escapes aside.
    if commentary.chars().filter(|letter| *letter != '\\').count() > COMMENTARY_MAX {
        return Err(Refusal::unprocessable(format!("ERROR :: /commentary :: is longer than {COMMENTARY_MAX} characters")));
    }
    let family = content(&world, author, &body["content"])?;
    if commentary.is_empty() && body["content"].is_null() && body["reshareContext"].is_null() {
        return Err(Refusal::unprocessable("ERROR :: /commentary :: a post has to have a text or a content"));
    }
    let twin =
        world.posts.iter().find(|post| post.author == author && post.body["commentary"] == commentary && post.content == body["content"]);
    if let Some(twin) = twin {
        return Err(Refusal::new(422, "DUPLICATE_POST", &format!("Content is a duplicate of {}", twin.id)));
    }
    let id = format!("urn:li:{family}:{}", server.next_number());
    world.posts.push(Post {
        id: id.clone(),
        author: author.to_owned(),
        commentary: kept.to_owned(),
        shown,
        visibility: visibility.to_owned(),
        content: body["content"].clone(),
        at_ms: server.now_ms(),
        body,
    });
    Ok(Reply::created(&id))
}

/// Answers which family of URNs the post gets.
fn content(world: &World, author: &str, content: &Value) -> Result<&'static str, Refusal> {
    let wrong = |field: &str, words: &str| Err(Refusal::unprocessable(format!("ERROR :: /content/{field} :: {words}")));
    let Some(fields) = content.as_object() else {
        return if content.is_null() { Ok("share") } else { wrong("", "is no object") };
    };
    let [(kind, value)] = fields.iter().collect::<Vec<_>>()[..] else { return wrong("", "has to have one kind") };
    match kind.as_str() {
        "media" => {
            let id = text(value, "id");
            available(world, author, id)?;
            Ok(if id.starts_with("urn:li:image:") { "share" } else { "ugcPost" })
        }
        "article" => {
            if !text(value, "source").starts_with("http") {
                return wrong("article/source", "has to be a URL");
            }
            if text(value, "title").is_empty() {
                return wrong("article/title", "field is required: nothing is scraped");
            }
            if !value["thumbnail"].is_null() {
                available(world, author, text(value, "thumbnail"))?;
            }
            Ok("share")
        }
        "multiImage" => {
            let images = value["images"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !(2..=20).contains(&images.len()) {
                return wrong("multiImage/images", "has to have 2 to 20 images");
            }
            images.iter().try_for_each(|image| available(world, author, text(image, "id")))?;
            Ok("share")
        }
        "poll" => {
            let options = value["options"].as_array().map(Vec::as_slice).unwrap_or_default();
            let question = text(value, "question").chars().count();
            let durations = ["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"];
            if !(1..=140).contains(&question) {
                return wrong("poll/question", "has to have 1 to 140 characters");
            }
            if !(2..=4).contains(&options.len()) || options.iter().any(|option| !(1..=30).contains(&text(option, "text").chars().count())) {
                return wrong("poll/options", "has to have 2 to 4 options of 1 to 30 characters");
            }
            if !durations.contains(&text(&value["settings"], "duration")) {
                return wrong("poll/settings/duration", "isn't known");
            }
            Ok("ugcPost")
        }
        other => wrong(other, "isn't known"),
    }
}

fn available(world: &World, author: &str, id: &str) -> Result<(), Refusal> {
    match world.assets.get(id) {
        Some(asset) if asset.owner != author => Err(Refusal::denied(&format!("{id}, which is {}'s", asset.owner))),
        Some(asset) if asset.status == "AVAILABLE" => Ok(()),
        Some(asset) => Err(Refusal::unprocessable(format!("The media {id} isn't available: it is {}", asset.status))),
        None => Err(Refusal::unprocessable(format!("The media {id:?} doesn't exist"))),
    }
}

/// Reads, changes or deletes one.
pub(crate) fn one(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    let id = ask.key(2)?;
    let mut world = server.world.lock();
    let place = world.posts.iter().position(|post| post.id == id).ok_or_else(|| Refusal::of(404))?;
    let Some(post) = world.posts.get(place).cloned() else { return Err(Refusal::of(404)) };
    match (&ask.method, ask.header("x-restli-method")) {
        (&Method::GET, _) => {
            caller.need(&["r_organization_social", "w_organization_social", "w_member_social"], "posts.GET")?;
            Ok(Reply::json(json!({"id": post.id, "author": post.author, "commentary": post.commentary, "visibility": post.visibility,
                "content": post.content, "distribution": post.body["distribution"], "lifecycleState": post.body["lifecycleState"],
                "createdAt": post.at_ms, "publishedAt": post.at_ms, "lastModifiedAt": post.at_ms})))
        }
        (&Method::DELETE, _) | (&Method::POST, Some("DELETE")) => {
            may_write(&world, caller, &post.author, "posts.DELETE")?;
            world.posts.remove(place);
            Ok(Reply::status(204))
        }
        (&Method::POST, Some("PARTIAL_UPDATE")) => {
            may_write(&world, caller, &post.author, "posts.PARTIAL_UPDATE")?;
            let body = ask.json()?;
            let Some(commentary) = body["patch"]["$set"]["commentary"].as_str() else {
                return Err(Refusal::unprocessable("ERROR :: /patch/$set/commentary :: field is required but not found"));
            };
            let (shown, kept) = little::shown(commentary);
            if let Some(post) = world.posts.get_mut(place) {
                post.commentary = kept.to_owned();
                post.shown = shown;
                post.body["commentary"] = commentary.into();
            }
            Ok(Reply::status(204))
        }
        _ => Err(missing(ask)),
    }
}

pub(crate) fn comment(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    let target = ask.key(2)?;
    if ask.method != Method::POST {
        return Err(missing(ask));
    }
    let body = ask.json()?;
    let (actor, words) = (text(&body, "actor"), text(&body["message"], "text"));
    if text(&body, "object").is_empty() || words.is_empty() {
        return Err(Refusal::unprocessable("ERROR :: /object and /message/text :: fields are required but not found"));
    }
    magic(words)?;
    let mut world = server.world.lock();
    may_write(&world, caller, actor, "comments.CREATE")?;
    if !world.posts.iter().any(|post| post.id == target) && !world.seen.contains(&target) {
        return Err(Refusal::of(404));
    }
    let number = server.next_number();
    let id = format!("urn:li:comment:({},{number})", text(&body, "object"));
    world.comments.push(Comment { id: id.clone(), target, actor: actor.to_owned(), text: words.to_owned() });
    let told = json!({"id": number.to_string(), "commentUrn": id, "actor": actor, "object": body["object"], "message": {"text": words},
        "created": {"actor": actor, "time": server.now_ms()}});
    Ok(Reply::created(&number.to_string()).with_body(201, told))
}
