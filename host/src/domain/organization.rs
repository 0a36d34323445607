//! Organisations: the tenants.

/// Characters of an organisation's id.
pub const ID_MAX: usize = 64;
/// What is told of another id.
pub const ID_RULE: &str = "must be a UUID, or letters, digits, - and _, 64 at most";

/// Whether the text can be an organisation's id.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
