//! Expressions: what each stands for, and what it does with the columns inside it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator as Op, DataType, Expr, Ident, Query, UnaryOperator, Value, visit_expressions,
};

use super::How;
use super::name::{idents, parts};
use super::query::Walker;
use super::relation::{Meaning, Other};

impl Walker<'_, '_> {
    /// Walks over an expression, notes what it does, and says what it stands for.
    pub(super) fn expression(&mut self, expression: &Expr) -> Meaning {
        match expression {
            Expr::Identifier(name) => self.bare(name),
            Expr::CompoundIdentifier(parts) => self.qualified(parts),
            Expr::Value(value) => of_value(&value.value),
            Expr::TypedString(_) | Expr::Interval(_) => Meaning::other(Other::Literal),
            Expr::Nested(inner)
            | Expr::OuterJoin(inner)
            | Expr::Prior(inner)
            | Expr::Prefixed { value: inner, .. }
            | Expr::Named { expr: inner, .. } => self.expression(inner),
            Expr::BinaryOp { .. } => self.operators(expression),
            Expr::UnaryOp { op, expr } => {
                let meaning = self.expression(expr);
                if !matches!(op, UnaryOperator::Not | UnaryOperator::BangNot) {
                    self.note(&meaning, &How::Calculates);
                }
                meaning.looked_into()
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                let (left, right) = (self.expression(left), self.expression(right));
                self.compare(&left, &right);
                Meaning::computed()
            }
            Expr::IsJson { expr, .. } => self.look(expr, &How::OpensJson),
            Expr::JsonAccess { value, .. } => self.look(value, &How::OpensJson),
            Expr::CompoundFieldAccess { root, .. } => self.look(root, &How::OpensJson),
            Expr::InList { .. } | Expr::InSubquery { .. } | Expr::InUnnest { .. } => {
                self.membership(expression)
            }
            Expr::Between { expr, low, high, .. } => {
                for part in [expr, low, high] {
                    self.look(part, &How::Ranges);
                }
                Meaning::computed()
            }
            Expr::Like { expr, pattern, .. } => self.pattern(expr, pattern, "LIKE"),
            Expr::ILike { expr, pattern, .. } => self.pattern(expr, pattern, "ILIKE"),
            Expr::SimilarTo { expr, pattern, .. } => self.pattern(expr, pattern, "SIMILAR TO"),
            Expr::RLike { expr, pattern, .. } => self.pattern(expr, pattern, "REGEXP"),
            Expr::AnyOp { left, compare_op, right, .. }
            | Expr::AllOp { left, compare_op, right } => {
                let left = self.expression(left);
                self.apply(left, compare_op, right)
            }
            Expr::Case { .. } => self.case(expression),
            Expr::Exists { subquery, .. } => {
                self.query(subquery);
                Meaning::computed()
            }
            Expr::Subquery(query) => self.subquery(query),
            Expr::Tuple(parts) => {
                Meaning::row(parts.iter().map(|part| self.expression(part)).collect())
            }
            Expr::Array(array) => {
                Meaning::any(array.elem.iter().map(|e| self.expression(e)).collect::<Vec<_>>())
            }
            Expr::Function(function) => self.function(function),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Collate { expr, collation } => {
                let meaning = self.expression(expr);
                if !parts(collation).0.eq_ignore_ascii_case("binary") {
                    self.note(&meaning, &How::Collates);
                }
                meaning
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => Meaning::any(
                sets.iter().flatten().map(|key| self.expression(key)).collect::<Vec<_>>(),
            ),
            _ => self.built_in(expression),
        }
    }

    fn case(&mut self, expression: &Expr) -> Meaning {
        let Expr::Case { operand, conditions, else_result, .. } = expression else {
            return Meaning::default();
        };
        let operand = operand.as_ref().map(|operand| self.expression(operand));
        let mut results = Vec::new();
        for branch in conditions {
            let condition = self.expression(&branch.condition);
            if let Some(operand) = &operand {
                self.compare(operand, &condition);
            }
            results.push(self.expression(&branch.result));
        }
        results.extend(else_result.as_ref().map(|other| self.expression(other)));
        Meaning::any(results)
    }

    /// Tests, and what is written like a function and parsed as a form of its own.
    fn built_in(&mut self, expression: &Expr) -> Meaning {
        match expression {
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner) => {
                self.expression(inner);
                Meaning::computed()
            }
            Expr::Substring { expr, .. } => self.look(expr, &calls("substr")),
            Expr::Trim { expr, .. } => self.look(expr, &calls("trim")),
            Expr::Overlay { expr, .. } => self.look(expr, &calls("overlay")),
            Expr::Position { expr, r#in } => {
                self.look(expr, &calls("position"));
                self.look(r#in, &calls("position"))
            }
            Expr::Extract { expr, .. } => self.look(expr, &calls("extract")),
            Expr::Ceil { expr, .. } => self.look(expr, &calls("ceil")),
            Expr::Floor { expr, .. } => self.look(expr, &calls("floor")),
            Expr::AtTimeZone { timestamp, .. } => self.look(timestamp, &calls("at time zone")),
            Expr::IsNormalized { expr, .. } => self.look(expr, &calls("is normalized")),
            Expr::Convert { expr, .. } => self.look(expr, &How::Casts),
            Expr::MatchAgainst { columns, .. } => {
                for column in columns {
                    let meaning = self.qualified(&idents(column));
                    self.note(&meaning, &How::Matches("MATCH"));
                }
                Meaning::computed()
            }
            other => self.rest(other),
        }
    }

    /// A form that is not known here: whatever column stands in it is looked into.
    fn rest(&mut self, expression: &Expr) -> Meaning {
        let mut names: Vec<Vec<Ident>> = Vec::new();
        let _ = visit_expressions(expression, |inner| {
            match inner {
                Expr::Identifier(name) => names.push(vec![name.clone()]),
                Expr::CompoundIdentifier(parts) => names.push(parts.clone()),
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        });
        for name in names {
            let meaning = self.qualified(&name);
            self.note(&meaning, &calls("a function"));
        }
        Meaning::computed()
    }

    /// Notes that an expression is used in a way that needs the original.
    pub(super) fn look(&mut self, expression: &Expr, how: &How) -> Meaning {
        let meaning = self.expression(expression);
        self.note(&meaning, how);
        meaning.looked_into()
    }

    /// A scalar subquery, or one that gives rows to compare with.
    fn subquery(&mut self, query: &Query) -> Meaning {
        let mut outputs = self.query(query);
        match outputs.len() {
            0 => Meaning::default(),
            1 => outputs.remove(0).meaning,
            _ => Meaning::row(outputs.into_iter().map(|output| output.meaning).collect()),
        }
    }

    fn membership(&mut self, expression: &Expr) -> Meaning {
        match expression {
            Expr::InList { expr, list, .. } => {
                let wanted = self.expression(expr);
                for item in list {
                    let item = self.expression(item);
                    self.compare(&wanted, &item);
                }
            }
            Expr::InSubquery { expr, subquery, .. } => {
                let wanted = self.expression(expr);
                let found = self.subquery(subquery);
                self.compare(&wanted, &found);
            }
            Expr::InUnnest { expr, array_expr, .. } => {
                let wanted = self.expression(expr);
                let found = self.expression(array_expr);
                self.compare(&wanted, &found);
            }
            _ => {}
        }
        Meaning::computed()
    }

    fn pattern(&mut self, value: &Expr, pattern: &Expr, operator: &'static str) -> Meaning {
        self.look(value, &How::Matches(operator));
        self.look(pattern, &How::Matches(operator));
        Meaning::computed()
    }

    /// A cast to a text leaves a text as it is; any other asks for what the value means.
    fn cast(&mut self, expression: &Expr, to: &DataType) -> Meaning {
        let is_text = matches!(
            to,
            DataType::Text
                | DataType::String(_)
                | DataType::Varchar(_)
                | DataType::Nvarchar(_)
                | DataType::CharVarying(_)
                | DataType::CharacterVarying(_)
        );
        let meaning = self.expression(expression);
        if is_text {
            return meaning;
        }
        self.note(&meaning, &How::Casts);
        meaning.looked_into()
    }

    /// A chain of operators, from left to right; a thousand of them are no deeper than one.
    fn operators(&mut self, expression: &Expr) -> Meaning {
        let mut chain = Vec::new();
        let mut at = expression;
        while let Expr::BinaryOp { left, op, right } = at {
            chain.push((op, right.as_ref()));
            at = left;
        }
        let mut meaning = self.expression(at);
        for (op, right) in chain.into_iter().rev() {
            meaning = self.apply(meaning, op, right);
        }
        meaning
    }

    fn apply(&mut self, left: Meaning, op: &Op, right: &Expr) -> Meaning {
        let right = self.expression(right);
        let how = match op {
            Op::And | Op::Or | Op::Xor => return Meaning::computed(),
            Op::Eq | Op::NotEq | Op::Spaceship => {
                self.compare(&left, &right);
                return Meaning::computed();
            }
            Op::Gt | Op::Lt | Op::GtEq | Op::LtEq => How::Ranges,
            Op::StringConcat => How::Concatenates,
            Op::Regexp => How::Matches("REGEXP"),
            Op::Glob => How::Matches("GLOB"),
            Op::Match => How::Matches("MATCH"),
            Op::PGRegexMatch | Op::PGRegexIMatch | Op::PGRegexNotMatch | Op::PGRegexNotIMatch => {
                How::Matches("~")
            }
            Op::PGLikeMatch | Op::PGNotLikeMatch => How::Matches("LIKE"),
            Op::PGILikeMatch | Op::PGNotILikeMatch => How::Matches("ILIKE"),
            Op::PGStartsWith => How::Matches("^@"),
            Op::AtAt => How::Matches("@@"),
            Op::Arrow
            | Op::LongArrow
            | Op::HashArrow
            | Op::HashLongArrow
            | Op::AtArrow
            | Op::ArrowAt
            | Op::HashMinus
            | Op::AtQuestion
            | Op::Question
            | Op::QuestionAnd
            | Op::QuestionPipe => How::OpensJson,
            _ => How::Calculates,
        };
        self.note(&left, &how);
        self.note(&right, &how);
        match (left.looked_into().others.as_slice(), right.looked_into().others.as_slice()) {
            // `'%' || ?` is still what the caller gave.
            ([Other::Literal], [Other::Literal]) => Meaning::other(Other::Literal),
            ([Other::Literal | Other::Parameter], [Other::Literal | Other::Parameter]) => {
                Meaning::other(Other::Parameter)
            }
            _ => Meaning::computed(),
        }
    }
}

fn calls(name: &str) -> How {
    How::Calls(name.to_owned())
}

/// What a value of the text stands for; the value itself is not kept.
fn of_value(value: &Value) -> Meaning {
    match value {
        // NULL stays NULL, and a truth value is nobody's original.
        Value::Null | Value::Boolean(_) => Meaning::default(),
        Value::Placeholder(_) => Meaning::other(Other::Parameter),
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) if text.is_empty() => {
            Meaning::other(Other::Empty)
        }
        _ => Meaning::other(Other::Literal),
    }
}
