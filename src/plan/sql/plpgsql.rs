//! Bodies of PL/pgSQL, cut into the statements and expressions of SQL inside them.
//!
//! Knows the words that steer, and no SQL: an expression comes out as `SELECT expression`, to be read
//! like any statement. What is not understood comes out as it stands.
//!
//! SPEC: <https://www.postgresql.org/docs/current/plpgsql.html>

use crate::catalog::sqlite_text::{Lexeme, LexemeKind, lexemes};

/// What is inside a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Statements of SQL, in the order of the text.
    pub(super) statements: Vec<String>,
    /// Names that are declared; what they stand for is known while it runs.
    pub(super) variables: Vec<String>,
}

/// Cuts a body up.
pub(super) fn read(body: &str) -> Body {
    let lexemes = lexemes(body);
    let mut cutter = Cutter { text: body, found: Body::default(), is_declaring: false };
    let mut rest = lexemes.as_slice();
    while !rest.is_empty() {
        let end = end_of(rest, |lexeme| lexeme.is_sign(";")).unwrap_or(rest.len());
        cutter.piece(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    cutter.found
}

/// The place of the first lexeme outside parentheses that is wanted.
fn end_of(lexemes: &[Lexeme], is_wanted: impl Fn(&Lexeme) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, lexeme) in lexemes.iter().enumerate() {
        if lexeme.is_sign("(") {
            depth += 1;
        } else if lexeme.is_sign(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && is_wanted(lexeme) {
            return Some(at);
        }
    }
    None
}

/// The place of a word that ends a condition; those of a `CASE` inside it end nothing.
fn word_after(lexemes: &[Lexeme], word: &str) -> Option<usize> {
    let mut cases = 0_usize;
    for (at, lexeme) in lexemes.iter().enumerate() {
        if cases == 0 && lexeme.is_keyword(word) {
            return Some(at);
        }
        if lexeme.is_keyword("CASE") {
            cases += 1;
        } else if lexeme.is_keyword("END") {
            cases = cases.saturating_sub(1);
        }
    }
    None
}

struct Cutter<'t> {
    text: &'t str,
    found: Body,
    is_declaring: bool,
}

impl Cutter<'_> {
    /// What stands before a semicolon: words that steer, then at most one statement.
    fn piece(&mut self, mut rest: &[Lexeme]) {
        while let Some(first) = rest.first() {
            let is = |word: &str| first.is_keyword(word);
            if first.is_sign("<") {
                // `<<label>>`
                let end = rest.iter().rposition(|lexeme| lexeme.is_sign(">"));
                rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
            } else if is("DECLARE") {
                self.is_declaring = true;
                rest = &rest[1..];
            } else if is("BEGIN") {
                self.is_declaring = false;
                rest = &rest[1..];
            } else if self.is_declaring {
                return self.declaration(rest);
            } else if ["ELSE", "LOOP", "EXCEPTION"].into_iter().any(is) {
                rest = &rest[1..];
            } else if ["IF", "ELSIF", "ELSEIF", "WHEN"].into_iter().any(is) {
                rest = self.condition(&rest[1..], "THEN");
            } else if is("WHILE") {
                rest = self.condition(&rest[1..], "LOOP");
            } else if is("CASE") {
                rest = self.case(&rest[1..]);
            } else if is("FOR") || is("FOREACH") {
                rest = self.loop_over(&rest[1..]);
            } else {
                return self.statement(rest);
            }
        }
    }

    /// `name type := expression`, or a cursor over a query.
    fn declaration(&mut self, rest: &[Lexeme]) {
        if rest[0].is_keyword("END") {
            self.is_declaring = false;
            return;
        }
        self.found.variables.push(rest[0].text.clone());
        if rest.iter().take(4).any(|lexeme| lexeme.is_keyword("CURSOR")) {
            let begin = rest.iter().position(|l| l.is_keyword("FOR") || l.is_keyword("IS"));
            return self.emit("", begin.and_then(|at| rest.get(at + 1..)).unwrap_or_default());
        }
        if let Some(at) = assigned(rest).or_else(|| word_after(rest, "DEFAULT")) {
            self.emit("SELECT ", rest.get(at + 1..).unwrap_or_default());
        }
    }

    /// Takes a condition, and says what follows the word that ends it.
    fn condition<'l>(&mut self, rest: &'l [Lexeme], word: &str) -> &'l [Lexeme] {
        let end = word_after(rest, word).unwrap_or(rest.len());
        self.emit("SELECT ", &rest[..end]);
        rest.get(end + 1..).unwrap_or_default()
    }

    /// `CASE a WHEN b THEN` compares `a` with `b`.
    fn case<'l>(&mut self, rest: &'l [Lexeme]) -> &'l [Lexeme] {
        let when = word_after(rest, "WHEN").unwrap_or(rest.len());
        let then = word_after(rest, "THEN").unwrap_or(rest.len());
        if when == 0 || then <= when {
            return &rest[when.min(rest.len())..];
        }
        let (operand, wanted) = (self.written(&rest[..when]), self.written(&rest[when + 1..then]));
        self.found.statements.push(format!("SELECT ({operand}) IN ({wanted})"));
        rest.get(then + 1..).unwrap_or_default()
    }

    /// `FOR name IN … LOOP`
    fn loop_over<'l>(&mut self, rest: &'l [Lexeme]) -> &'l [Lexeme] {
        let end = word_after(rest, "LOOP").unwrap_or(rest.len());
        if let Some(begin) = rest[..end].iter().position(|lexeme| lexeme.is_keyword("IN")) {
            let names = rest[..begin].iter().filter(|lexeme| lexeme.kind == LexemeKind::Word);
            self.found.variables.extend(names.map(|name| name.text.clone()));
            let source = &rest[begin + 1..end];
            match source.first() {
                Some(first) if first.is_keyword("EXECUTE") => self.dynamic(source),
                Some(first) if first.is_keyword("ARRAY") => self.emit("SELECT ", &source[1..]),
                Some(first) if speaks(first) || first.is_sign("(") => self.emit("", source),
                _ => {}
            }
        }
        rest.get(end + 1..).unwrap_or_default()
    }

    fn statement(&mut self, rest: &[Lexeme]) {
        let Some(first) = rest.first() else { return };
        let is = |word: &str| first.is_keyword(word);
        let silent =
            ["END", "NULL", "RAISE", "GET", "CLOSE", "FETCH", "MOVE", "COMMIT", "ROLLBACK", "CALL"];
        if is("PERFORM") {
            self.emit("SELECT ", &rest[1..]);
        } else if is("EXECUTE") {
            self.dynamic(rest);
        } else if is("RETURN") {
            match rest.get(1) {
                Some(second) if second.is_keyword("QUERY") => match rest.get(2) {
                    Some(third) if third.is_keyword("EXECUTE") => self.dynamic(rest),
                    _ => self.emit("", rest.get(2..).unwrap_or_default()),
                },
                Some(second) if second.is_keyword("NEXT") => self.emit("SELECT ", &rest[2..]),
                _ => self.emit("SELECT ", &rest[1..]),
            }
        } else if is("OPEN") {
            let query = rest.iter().position(|lexeme| lexeme.is_keyword("FOR"));
            if let Some(query) = query.and_then(|at| rest.get(at + 1..)) {
                if query.first().is_some_and(speaks) {
                    self.emit("", query);
                } else {
                    self.dynamic(query);
                }
            }
        } else if is("EXIT") || is("CONTINUE") {
            if let Some(when) = rest.iter().position(|lexeme| lexeme.is_keyword("WHEN")) {
                self.emit("SELECT ", &rest[when + 1..]);
            }
        } else if is("ASSERT") {
            self.emit("SELECT ", &rest[1..]);
        } else if silent.into_iter().any(is) {
            // Nothing here reads a column.
        } else if let Some(at) = (!speaks(first)).then(|| assigned(rest)).flatten() {
            self.emit("SELECT ", rest.get(at + 1..).unwrap_or_default());
        } else {
            self.emit("", rest);
        }
    }

    /// A statement put together while it runs: what stands in its texts is all that can be read.
    fn dynamic(&mut self, rest: &[Lexeme]) {
        for text in rest.iter().filter(|lexeme| lexeme.kind == LexemeKind::Text) {
            if lexemes(&text.text).first().is_some_and(speaks) {
                self.found.statements.push(text.text.clone());
            }
        }
    }

    fn emit(&mut self, head: &str, rest: &[Lexeme]) {
        let is_row = |lexeme: &Lexeme| ["NEW", "OLD"].into_iter().any(|w| lexeme.is_keyword(w));
        if rest.is_empty() || (rest.len() == 1 && is_row(&rest[0])) {
            return;
        }
        let statement = format!("{head}{}", self.without_into(rest));
        self.found.statements.push(statement);
    }

    /// The text without `INTO names`, by which PL/pgSQL keeps what a statement gives.
    fn without_into(&self, rest: &[Lexeme]) -> String {
        let into = rest.iter().enumerate().find(|(at, lexeme)| {
            let before = at.checked_sub(1).map(|before| &rest[before]);
            let is_target = before.is_some_and(|b| b.is_keyword("INSERT") || b.is_keyword("MERGE"));
            lexeme.is_keyword("INTO") && !is_target
        });
        let Some((begin, _)) = into else { return self.written(rest).to_owned() };
        let mut end = begin + 1;
        if rest.get(end).is_some_and(|lexeme| lexeme.is_keyword("STRICT")) {
            end += 1;
        }
        // A name, then as often as it goes on: a sign and a name.
        end += 1;
        while rest.get(end).is_some_and(|sign| sign.is_sign(",") || sign.is_sign(".")) {
            end += 2;
        }
        let after = self.written(rest.get(end..).unwrap_or_default());
        format!("{} {after}", self.written(&rest[..begin]))
    }

    fn written(&self, lexemes: &[Lexeme]) -> &str {
        let (Some(first), Some(last)) = (lexemes.first(), lexemes.last()) else { return "" };
        self.text.get(first.span.start..last.span.end).unwrap_or_default()
    }
}

/// The last lexeme of `:=` or `=` where a piece begins with a name that is assigned to.
fn assigned(rest: &[Lexeme]) -> Option<usize> {
    let at = end_of(rest, |lexeme| lexeme.is_sign("=") || lexeme.text == ":")?;
    let is_long = rest[at].text == ":" && rest.get(at + 1).is_some_and(|next| next.is_sign("="));
    Some(if is_long { at + 1 } else { at })
}

/// Whether a statement of SQL that reads or writes rows begins here.
fn speaks(lexeme: &Lexeme) -> bool {
    ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES", "TABLE"]
        .into_iter()
        .any(|word| lexeme.is_keyword(word))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_body_is_cut_into_what_it_asks() {
        let body = "
            <<outer>> DECLARE found text := lower(given); n integer;
                c CURSOR FOR SELECT email FROM people;
            BEGIN
                -- a comment; with a semicolon
                IF NEW.email LIKE '%;%' AND CASE WHEN n > 1 THEN true ELSE false END THEN
                    SELECT email, id INTO STRICT found, NEW.other FROM people WHERE email = given;
                ELSIF n = 2 THEN PERFORM upper(found);
                ELSE found := (SELECT max(email) FROM people); n = n + 1;
                END IF;
                FOR r IN SELECT email FROM people ORDER BY email LOOP
                    INSERT INTO log VALUES (r.email) RETURNING id INTO n;
                END LOOP;
                FOR i IN 1..10 LOOP EXIT WHEN i > 3; END LOOP;
                RETURN QUERY SELECT 1;
                EXECUTE 'DELETE FROM people WHERE email = $1' USING given;
                CASE found WHEN 'a', 'b' THEN RAISE NOTICE '%', found; ELSE NULL; END CASE;
                RETURN NEW;
            EXCEPTION WHEN unique_violation THEN RETURN found || 'x';
            END;";
        let body = read(body);
        assert_eq!(
            body.statements,
            [
                "SELECT lower(given)",
                "SELECT email FROM people",
                "SELECT NEW.email LIKE '%;%' AND CASE WHEN n > 1 THEN true ELSE false END",
                "SELECT email, id FROM people WHERE email = given",
                "SELECT n = 2",
                "SELECT upper(found)",
                "SELECT (SELECT max(email) FROM people)",
                "SELECT n + 1",
                "SELECT email FROM people ORDER BY email",
                "INSERT INTO log VALUES (r.email) RETURNING id ",
                "SELECT i > 3",
                "SELECT 1",
                "DELETE FROM people WHERE email = $1",
                "SELECT (found) IN ('a', 'b')",
                "SELECT unique_violation",
                "SELECT found || 'x'",
            ]
        );
        assert_eq!(body.variables, ["found", "n", "c", "r", "i"]);
    }

    proptest::proptest! {
        #[test]
        fn no_body_is_too_odd_to_be_cut(body in "(DECLARE |BEGIN |END|IF |THEN |ELSE |CASE |WHEN |FOR |IN |LOOP |RETURN |QUERY |NEXT |INTO |STRICT |OPEN |EXECUTE |SELECT |:=|=|<<|>>|;|[a-z'\"$(),. -]){0,24}") {
            let _ = read(&body);
        }
    }
}
