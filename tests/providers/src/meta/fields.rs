//! `fields=id,name,picture{url}`: which of a node's fields are told.

use serde_json::{Map, Value, json};

/// The names at the top level, without what is in their braces.
pub(crate) fn names(fields: &str) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let (mut name, mut inner, mut depth) = (String::new(), String::new(), 0_u32);
    for letter in fields.chars().chain([',']) {
        match letter {
            '{' | '(' => {
                if depth > 0 {
                    inner.push(letter);
                }
                depth += 1;
            }
            '}' | ')' => {
                depth = depth.saturating_sub(1);
                if depth > 0 {
                    inner.push(letter);
                }
            }
            ',' if depth == 0 => {
                let trimmed = name.trim().split('.').next().unwrap_or_default().to_owned();
                if !trimmed.is_empty() {
                    names.push((trimmed, std::mem::take(&mut inner)));
                }
                name.clear();
            }
            letter if depth > 0 => inner.push(letter),
            letter => name.push(letter),
        }
    }
    names
}

/// The node with the fields asked for, its id always; the `usual` ones where none are asked for.
pub(crate) fn select(node: &Value, fields: &str, usual: &[&str]) -> Value {
    let wanted = names(fields);
    let mut told = Map::new();
    if let Some(id) = node.get("id") {
        told.insert("id".into(), id.clone());
    }
    if wanted.is_empty() {
        for name in usual {
            if let Some(value) = node.get(*name) {
                told.insert((*name).into(), value.clone());
            }
        }
    }
    for (name, inner) in wanted {
        let Some(value) = node.get(&name).filter(|value| !value.is_null()) else { continue };
        let value = if inner.is_empty() || value.get("data").is_some() { value.clone() } else { select(value, &inner, &[]) };
        told.insert(name, value);
    }
    Value::Object(told)
}

/// One page of a list, with cursors; `next` only where there is more. `url` is the call's, without paging.
pub(crate) fn paged(items: &[Value], after: &str, limit: &str, url: &str) -> Value {
    let start: usize = after.strip_prefix('Q').and_then(|at| at.parse().ok()).unwrap_or_default();
    let limit = limit.parse().unwrap_or(25_usize).clamp(1, 1000);
    let end = start.saturating_add(limit).min(items.len());
    let data = items.get(start..end).unwrap_or_default();
    if data.is_empty() {
        return json!({"data": [], "paging": {}});
    }
    let mut paging = json!({"cursors": {"before": format!("Q{start}"), "after": format!("Q{end}")}});
    if end < items.len() {
        let joint = if url.contains('?') { '&' } else { '?' };
        paging["next"] = format!("{url}{joint}limit={limit}&after=Q{end}").into();
    }
    json!({"data": data, "paging": paging})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_belong_to_their_field() {
        let node = json!({"id": "1", "name": "a", "picture": {"data": {"url": "u"}}, "ig": {"id": "2", "username": "b", "name": "c"}});
        let told = select(&node, "name,picture{url},ig{id,username}", &[]);
        assert_eq!(told, json!({"id": "1", "name": "a", "picture": {"data": {"url": "u"}}, "ig": {"id": "2", "username": "b"}}));
    }
}
