//! Texts to syntax trees, with what SQLite allows and the parser does not know put in other words.

use sqlparser::ast::{Expr, Statement};
use sqlparser::dialect::{Dialect, GenericDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

use crate::catalog::EngineKind;

/// A longer text is not parsed: the depth of its tree would be that of the stack.
const TOKENS_MAX: usize = 20_000;

/// Parses statements. The engine's own dialect first, then the others: what an application sends
/// has passed through drivers and templates.
pub(super) fn statements(engine: EngineKind, sql: &str) -> Option<Vec<Statement>> {
    with_dialects(engine, sql, |parser| parser.parse_statements().ok())
}

/// Parses an expression, all of it.
pub(super) fn expression(engine: EngineKind, sql: &str) -> Option<Expr> {
    with_dialects(engine, sql, |parser| {
        let expression = parser.parse_expr().ok()?;
        matches!(parser.peek_token_ref().token, Token::EOF).then_some(expression)
    })
}

fn with_dialects<T>(
    engine: EngineKind,
    sql: &str,
    parse: impl Fn(&mut Parser<'_>) -> Option<T>,
) -> Option<T> {
    let (sqlite, postgres) = (SQLiteDialect {}, PostgreSqlDialect {});
    let dialects: [&dyn Dialect; 3] = if matches!(engine, EngineKind::Sqlite) {
        [&sqlite, &postgres, &GenericDialect {}]
    } else {
        [&postgres, &sqlite, &GenericDialect {}]
    };
    dialects.into_iter().find_map(|dialect| {
        let mut tokens = Tokenizer::new(dialect, sql).tokenize().ok()?;
        tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
        if tokens.len() > TOKENS_MAX {
            return None;
        }
        let tokens = reworded(&tokens);
        parse(&mut Parser::new(dialect).with_tokens(tokens))
    })
}

/// Puts what the parser does not know into words that it does; the meaning stays.
fn reworded(tokens: &[Token]) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len() + 8);
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let (taken, words) = rewording(out.last(), rest);
        if taken == 0 {
            out.push(rest[0].clone());
            at += 1;
        } else {
            out.extend(words);
            at += taken;
        }
    }
    out
}

/// How many tokens are replaced, and by what.
fn rewording(before: Option<&Token>, rest: &[Token]) -> (usize, Vec<Token>) {
    let none = (0, Vec::new());
    let is = |at: usize, keyword: Keyword| rest.get(at).is_some_and(|t| is_keyword(t, keyword));
    match &rest[0] {
        // `a IS b` and `a IS NOT b` of SQLite compare like `=`, also with NULL.
        Token::Word(word) if word.keyword == Keyword::IS => {
            let is_not = is(1, Keyword::NOT);
            let operand = if is_not { 2 } else { 1 };
            let known = [
                Keyword::NULL,
                Keyword::TRUE,
                Keyword::FALSE,
                Keyword::UNKNOWN,
                Keyword::DISTINCT,
                Keyword::JSON,
                Keyword::NORMALIZED,
                Keyword::NFC,
                Keyword::NFD,
                Keyword::NFKC,
                Keyword::NFKD,
                Keyword::NOT,
            ];
            if known.into_iter().any(|keyword| is(operand, keyword)) {
                return none;
            }
            let mut words = vec![Token::make_keyword("IS")];
            if !is_not {
                words.push(Token::make_keyword("NOT"));
            }
            words.extend([Token::make_keyword("DISTINCT"), Token::make_keyword("FROM")]);
            (operand, words)
        }
        Token::Word(word) if word.keyword == Keyword::NOT => {
            let is_pattern = [Keyword::GLOB, Keyword::MATCH, Keyword::REGEXP].map(|k| is(1, k));
            if is_pattern.contains(&true) {
                return (1, Vec::new());
            }
            if word_is(rest.get(1), "INDEXED") { (2, Vec::new()) } else { none }
        }
        Token::Word(word) if word.quote_style.is_none() => {
            if word.value.eq_ignore_ascii_case("ISNULL") && ends_operand(before) {
                return (1, vec![Token::make_keyword("IS"), Token::make_keyword("NULL")]);
            }
            if word.value.eq_ignore_ascii_case("INDEXED") && is(1, Keyword::BY) {
                return (3.min(rest.len()), Vec::new());
            }
            none
        }
        // `%s` and `%(name)s` of Python's drivers, where no operand stands before them.
        Token::Mod if !ends_operand(before) => {
            let placeholder = vec![Token::Placeholder("?".to_owned())];
            let named = matches!(rest.get(1), Some(Token::LParen))
                && matches!(rest.get(3), Some(Token::RParen))
                && word_is(rest.get(4), "s");
            if word_is(rest.get(1), "s") {
                (2, placeholder)
            } else if named {
                (5, placeholder)
            } else {
                none
            }
        }
        _ => none,
    }
}

fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword)
}

fn word_is(token: Option<&Token>, text: &str) -> bool {
    matches!(token, Some(Token::Word(Word { value, quote_style: None, .. }))
        if value.eq_ignore_ascii_case(text))
}

/// Whether a token can end an operand, so that what follows is an operator.
fn ends_operand(token: Option<&Token>) -> bool {
    match token {
        Some(Token::Word(word)) => word.keyword == Keyword::NoKeyword || word.quote_style.is_some(),
        Some(
            Token::Number(..)
            | Token::RParen
            | Token::RBracket
            | Token::SingleQuotedString(_)
            | Token::Placeholder(_),
        ) => true,
        _ => false,
    }
}
