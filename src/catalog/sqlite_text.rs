//! The text of SQLite statements, cut into lexemes: what is a word, what is only inside quotes.
//!
//! SQLite keeps some facts of its catalog as text only (`CHECK`, collations, triggers). A search
//! for a word in that text must not be fooled by strings and comments. This module knows no grammar
//! beyond the lexeme; text that SQLite would refuse is cut up too, somehow, and never panics.
//!
//! SPEC: <https://www.sqlite.org/lang_keywords.html>, `tokenize.c` of SQLite.

use std::ops::Range;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexemeKind {
    /// A bare word: a keyword or an identifier.
    Word,
    /// An identifier in `"…"`, `[…]` or backticks.
    Quoted,
    /// A string in `'…'`.
    Text,
    /// A number, a blob or a parameter.
    Literal,
    /// Any other character, alone.
    Sign,
}

/// One lexeme of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub kind: LexemeKind,
    /// Its text, without quotes.
    pub text: String,
    /// Where it stands in the statement, quotes included.
    pub span: Range<usize>,
}

impl Lexeme {
    /// Whether this is the keyword, in any case; never true of something in quotes.
    #[must_use]
    pub fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == LexemeKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether this is the sign.
    #[must_use]
    pub fn is_sign(&self, sign: &str) -> bool {
        self.kind == LexemeKind::Sign && self.text == sign
    }

    /// Whether this can be an identifier with that name. SQLite folds ASCII letters only.
    #[must_use]
    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.kind, LexemeKind::Word | LexemeKind::Quoted)
            && self.text.eq_ignore_ascii_case(name)
    }
}

/// Cuts a statement into lexemes; white space and comments are left out.
#[must_use]
pub fn lexemes(sql: &str) -> Vec<Lexeme> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let from = at;
        let (kind, end) = match bytes[at] {
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = until(bytes, at, b"\n");
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = until(bytes, at + 2, b"*/");
                continue;
            }
            b'\'' => (LexemeKind::Text, closing(bytes, at, b'\'')),
            quote @ (b'"' | b'`') => (LexemeKind::Quoted, closing(bytes, at, quote)),
            b'[' => (LexemeKind::Quoted, until(bytes, at, b"]")),
            b'x' | b'X' if bytes.get(at + 1) == Some(&b'\'') => {
                (LexemeKind::Literal, closing(bytes, at + 1, b'\''))
            }
            b'0'..=b'9' | b'?' | b':' | b'@' | b'$' | b'#' => {
                (LexemeKind::Literal, word_end(bytes, at + 1))
            }
            byte if is_word(byte) => (LexemeKind::Word, word_end(bytes, at)),
            _ => (LexemeKind::Sign, at + 1),
        };
        found.push(Lexeme { kind, text: bare(&sql[from..end], kind), span: from..end });
        at = end;
    }
    found
}

/// Whether a statement or an expression speaks of a name outside strings and comments.
#[must_use]
pub fn mentions(sql: &str, name: &str) -> bool {
    lexemes(sql).iter().any(|lexeme| lexeme.is_name(name))
}

/// Finds the `)` that belongs to the `(` at `open`; the last lexeme where there is none.
pub(super) fn matching(lexemes: &[Lexeme], open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, lexeme) in lexemes.iter().enumerate().skip(open) {
        if lexeme.is_sign("(") {
            depth += 1;
        } else if lexeme.is_sign(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return place;
            }
        }
    }
    lexemes.len().saturating_sub(1)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&byte| !is_word(byte)).map_or(bytes.len(), |n| from + n)
}

/// The place after the next occurrence of `end`, or the end of the text.
fn until(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let from = from.min(bytes.len());
    bytes[from..]
        .windows(end.len())
        .position(|window| window == end)
        .map_or(bytes.len(), |n| from + n + end.len())
}

/// The place after the quote that closes the one at `open`; a doubled quote closes nothing.
fn closing(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

fn bare(text: &str, kind: LexemeKind) -> String {
    if !matches!(kind, LexemeKind::Quoted | LexemeKind::Text) {
        return text.to_owned();
    }
    let (open, close) = match text.chars().next() {
        Some('[') => ('[', ']'),
        Some(quote) => (quote, quote),
        None => return String::new(),
    };
    let inside = &text[open.len_utf8()..];
    let inside = inside.strip_suffix(close).unwrap_or(inside);
    if open == '[' {
        inside.to_owned()
    } else {
        inside.replace(&format!("{close}{close}"), &close.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_hide_words() {
        let sql = "SELECT 'email', /* email */ x -- email\n FROM t";
        assert!(!mentions(sql, "email"));
        assert!(mentions(sql, "X"));
    }

    #[test]
    fn every_way_of_quoting_is_a_name() {
        for sql in [r#""e ""m""#, r#"[e "m]"#, "`e \"m`"] {
            assert!(mentions(sql, "e \"m"), "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_read(sql in "(CREATE |TRIGGER |TABLE |ON |BEGIN |END|USING |UPDATE |OF |WHERE |CHECK|AS|[a-zé'\"`\\[\\](),;.x*/ -]){0,24}") {
            for lexeme in lexemes(&sql) {
                assert!(sql.is_char_boundary(lexeme.span.start));
            }
            let _ = crate::catalog::sqlite_ddl::table(&sql);
            let _ = crate::catalog::sqlite_ddl::index(&sql);
            let _ = crate::catalog::sqlite_ddl::virtual_table(&sql);
            let _ = crate::catalog::sqlite_trigger::TriggerText::parse(&sql);
        }
    }

    #[test]
    fn letters_beyond_ascii_are_part_of_words() {
        assert!(mentions("a+straße", "straße"));
        assert!(!mentions("straße", "stra"));
    }

    #[test]
    fn text_that_ends_too_early_is_cut_up_all_the_same() {
        for sql in
            ["'abc", "\"abc", "[abc", "/* abc", "-- abc", "x'ab", "'it''s", "(", "'", "\"", "["]
        {
            let _ = lexemes(sql);
        }
    }
}
