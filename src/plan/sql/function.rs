//! Functions: which hand a value on, which carry it whole, which look inside.

use sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, WindowType,
};

use super::How;
use super::name::parts;
use super::query::Walker;
use super::relation::Meaning;

/// They give back one of the values that they are given.
const HAND_ON: [&str; 13] = [
    "any_value",
    "array_agg",
    "coalesce",
    "first_value",
    "ifnull",
    "lag",
    "last_value",
    "lead",
    "likelihood",
    "likely",
    "nth_value",
    "nvl",
    "unlikely",
];

/// They put a whole value somewhere, or ask only whether there is one.
const CARRY: [&str; 22] = [
    "array",
    "json_agg",
    "json_array",
    "json_build_array",
    "json_build_object",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "num_nonnulls",
    "num_nulls",
    "pg_typeof",
    "quote_literal",
    "raise",
    "row",
    "row_to_json",
    "to_jsonb",
    "typeof",
];

/// They make a longer text of several.
const CONCATENATE: [&str; 6] =
    ["concat", "concat_ws", "format", "group_concat", "printf", "string_agg"];

/// Nobody needs a longer name, and a literal must not pass for one.
const NAME_CHARS_MAX: usize = 40;

/// What a function with this name does with a value that it is given.
pub(super) fn how(name: &str) -> How {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "like" => How::Matches("LIKE"),
        "glob" => How::Matches("GLOB"),
        "regexp" => How::Matches("REGEXP"),
        "min" | "max" | "greatest" | "least" => How::Extreme(name),
        "sum" | "total" | "avg" | "abs" | "round" => How::Calculates,
        other if CONCATENATE.contains(&other) => How::Concatenates,
        other if other.starts_with("json") => How::OpensJson,
        other => {
            let is_plain = other.len() <= NAME_CHARS_MAX
                && other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            How::Calls(if is_plain { name } else { "a function".to_owned() })
        }
    }
}

impl Walker<'_, '_> {
    /// Walks over a call, notes what it does, and says what it stands for.
    pub(super) fn function(&mut self, function: &Function) -> Meaning {
        let name = parts(&function.name).0.to_ascii_lowercase();
        let (given, is_distinct) = self.arguments(&function.args);
        for key in &function.within_group {
            self.sort_key(key);
        }
        if let Some(condition) = &function.filter {
            self.expression(condition);
        }
        if let Some(WindowType::WindowSpec(window)) = &function.over {
            self.window(window);
        }
        if is_distinct {
            for meaning in &given {
                self.note(meaning, &How::Groups("DISTINCT"));
            }
        }
        match name.as_str() {
            "count" => Meaning::computed(),
            "nullif" => {
                if let [one, two] = given.as_slice() {
                    self.compare(one, two);
                }
                given.into_iter().next().unwrap_or_default()
            }
            // `iif(condition, one, other)`
            "iif" | "if" => Meaning::any(given.into_iter().skip(1)),
            "min" | "max" | "greatest" | "least" => {
                for meaning in &given {
                    self.note(meaning, &how(&name));
                }
                Meaning::any(given)
            }
            name if HAND_ON.contains(&name) => Meaning::any(given),
            name if CARRY.contains(&name) => Meaning::computed(),
            name => {
                let how = how(name);
                for meaning in &given {
                    self.note(meaning, &how);
                }
                match given.as_slice() {
                    // `lower(?)` is what the caller gave, in another form.
                    [one] => one.clone().looked_into(),
                    _ => Meaning::computed(),
                }
            }
        }
    }

    /// The arguments of a call, and whether equal ones count once.
    fn arguments(&mut self, arguments: &FunctionArguments) -> (Vec<Meaning>, bool) {
        let list = match arguments {
            FunctionArguments::None => return (Vec::new(), false),
            FunctionArguments::Subquery(query) => {
                let outputs = self.query(query);
                return (outputs.into_iter().map(|output| output.meaning).collect(), false);
            }
            FunctionArguments::List(list) => list,
        };
        let mut given = Vec::new();
        for argument in &list.args {
            let (FunctionArg::Named { arg, .. }
            | FunctionArg::ExprNamed { arg, .. }
            | FunctionArg::Unnamed(arg)) = argument;
            if let FunctionArgExpr::Expr(expression) = arg {
                given.push(self.expression(expression));
            }
        }
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => {
                    for key in keys {
                        self.sort_key(key);
                    }
                }
                FunctionArgumentClause::Where(condition) => {
                    self.expression(condition);
                }
                _ => {}
            }
        }
        (given, list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
    }
}
