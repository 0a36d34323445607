//! Patterns of `like` and `ilike`: `%` (or `*`) is any text, `_` any character, `\` takes the meaning from the next one.

use crate::error::Error;

/// Characters of a pattern.
const LENGTH_MAX: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
    /// `A` to `Z` are as good as `a` to `z`; other letters aren't folded, since the databases wouldn't alike.
    pub folds: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    AnyText,
    AnyCharacter,
    Character(char),
}

impl Pattern {
    /// Reads a pattern as a client writes it.
    pub fn read(text: &str, folds: bool) -> Result<Pattern, Error> {
        let length = text.chars().count();
        if length > LENGTH_MAX {
            let details = format!("The pattern has {length} characters; {LENGTH_MAX} are the most.");
            return Err(Error::new(400, "54000", "the pattern is too long").details(details));
        }
        let mut characters = text.chars();
        let mut pieces = Vec::new();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' | '%' => Piece::AnyText,
                '_' => Piece::AnyCharacter,
                '\\' => match characters.next() {
                    Some(escaped) => Piece::Character(escaped),
                    None => return Err(Error::new(400, "22025", "LIKE pattern must not end with escape character")),
                },
                character => Piece::Character(character),
            });
        }
        pieces.dedup_by(|next, before| *next == Piece::AnyText && *before == Piece::AnyText);
        Ok(Pattern { pieces, folds })
    }

    /// For `LIKE … ESCAPE '\'`, which both databases have.
    pub fn like(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::AnyText => text.push('%'),
                Piece::AnyCharacter => text.push('_'),
                Piece::Character(character) => {
                    if matches!(character, '%' | '_' | '\\') {
                        text.push('\\');
                    }
                    text.push(*character);
                }
            }
        }
        text
    }

    /// For SQLite's `GLOB`, which tells capital letters from small ones.
    pub fn glob(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::AnyText => text.push('*'),
                Piece::AnyCharacter => text.push('?'),
                Piece::Character(character @ ('*' | '?' | '[')) => text.extend(['[', *character, ']']),
                Piece::Character(character) => text.push(*character),
            }
        }
        text
    }

    pub fn fits(&self, text: &str) -> bool {
        let characters: Vec<char> = text.chars().collect();
        let same = |one: char, other: char| if self.folds { one.eq_ignore_ascii_case(&other) } else { one == other };
        // Where the text after the last `%` began: it may take one character more each time.
        let (mut at, mut piece, mut again) = (0, 0, None);
        loop {
            match (self.pieces.get(piece), characters.get(at)) {
                (Some(Piece::AnyText), _) => {
                    again = Some((piece + 1, at));
                    piece += 1;
                    continue;
                }
                (None, None) => return true,
                (Some(Piece::AnyCharacter), Some(_)) => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                (Some(Piece::Character(expected)), Some(found)) if same(*expected, *found) => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            match again {
                Some((back, begun)) if begun < characters.len() => {
                    again = Some((back, begun + 1));
                    (piece, at) = (back, begun + 1);
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_as_in_sql() {
        let cases = [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a%", "abc", true),
            ("a*c", "abc", true),
            ("a_c", "aéc", true),
            ("a_c", "ac", false),
            ("%b%b%", "abcbd", true),
            ("%bd", "abcbd", true),
            ("%", "", true),
            ("_", "", false),
            (r"100\%", "100%", true),
            (r"100\%", "1000", false),
            (r"a\*", "a*", true),
            ("A%", "abc", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(Pattern::read(pattern, false).unwrap().fits(text), fits, "{pattern} {text}");
        }
        assert!(Pattern::read("A%", true).unwrap().fits("abc"));
        assert!(!Pattern::read("É%", true).unwrap().fits("é"), "only ASCII is folded");
        assert_eq!(Pattern::read("a\\", false).unwrap_err().code, "22025");
        assert_eq!(Pattern::read(&"a".repeat(1001), false).unwrap_err().code, "54000");
    }

    #[test]
    fn it_is_written_for_each_database() {
        let pattern = Pattern::read(r"a*_\%[\*?", false).unwrap();
        assert_eq!(pattern.like(), r"a%_\%[*?");
        assert_eq!(pattern.glob(), "a*?%[[][*][?]");
    }
}
