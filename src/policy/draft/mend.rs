//! Mends a draft by what would block its plan.
//!
//! Each pitfall that a treatment can avoid has its answer here; a column that none helps is left out.

use super::super::{ColumnName, Fit, FormatShape, Normalise, TableName, TokenKind, Waiver};
use super::{Draft, Drafted};
use crate::catalog::Catalog;
use crate::classify::Kind;
use crate::plan::{Assessment, Finding, Verdict, reads_column};

/// What satisfies a `CHECK` that asks for an e-mail address.
const EMAIL_TEMPLATE: &str = "{token}@tokens.invalid";

impl Draft {
    /// Changes what stands in the way of a run. Whether anything was changed: if so, the draft has
    /// to be judged again.
    pub fn mend(&mut self, catalog: &Catalog, plan: &Assessment) -> bool {
        let mut is_mended = false;
        let blocking = plan.findings.iter().filter(|finding| finding.verdict == Verdict::Blocks);
        for finding in blocking {
            is_mended |= self.answer(catalog, finding);
        }
        is_mended
    }

    fn answer(&mut self, catalog: &Catalog, finding: &Finding) -> bool {
        if let Some(trigger) = finding.object.strip_prefix("trigger ") {
            return self.suppress(catalog, trigger, finding);
        }
        let places = self.touched(catalog, finding);
        let mut is_mended = false;
        for name in places {
            let Some(at) = self.columns.iter().position(|one| one.rule.name == name) else {
                continue;
            };
            let is_changed = match finding.pitfall.as_str() {
                "low_entropy" => self.hide_few_values(at),
                "no_key" => self.keep_equal(at, "because the table has no key that stays"),
                "unique" | "collation" => self.fold(at, finding),
                "check_constraint" => self.write_whole(at, finding) || self.shape(at),
                "format_fit" => self.shape(at),
                "type_fit" => self.make_room(at, finding),
                _ => false,
            };
            if !is_changed {
                self.give_up(at, &format!("{}: {}", finding.pitfall, finding.fact));
            }
            is_mended = true;
        }
        is_mended
    }

    /// The columns of the draft that a finding is about.
    fn touched(&self, catalog: &Catalog, finding: &Finding) -> Vec<ColumnName> {
        let names = || self.columns.iter().map(|one| one.rule.name.clone());
        let own: Vec<ColumnName> =
            names().filter(|name| name.to_string() == finding.object).collect();
        if !own.is_empty() {
            return own;
        }
        // A generated column blocks those that it is computed from.
        let computed = ColumnName::parse(&finding.object).ok().and_then(|name| {
            let table = catalog.table(&name.table)?;
            let generated = table.column(&name.column)?.generated.as_ref()?;
            Some((table, generated))
        });
        if let Some((table, generated)) = computed {
            return names()
                .filter(|name| {
                    name.table == table.name
                        && reads_column(table, &generated.expression, &name.column)
                })
                .collect();
        }
        names().filter(|name| finding.fact.contains(&format!("`{name}`"))).collect()
    }

    /// Few different values: tokens that are not equal tell nothing.
    fn hide_few_values(&mut self, at: usize) -> bool {
        let one = &mut self.columns[at];
        if one.needs_equal {
            if one.rule.waive.contains(&Waiver::LowEntropy) {
                return false;
            }
            one.rule.waive.push(Waiver::LowEntropy);
            one.notes.push(
                "equal values keep equal tokens here, and there are few: whoever approves the plan \
                 accepts by `waive` that they can be told apart by counting"
                    .to_owned(),
            );
            return true;
        }
        if one.rule.token == TokenKind::Random {
            return false;
        }
        one.rule.token = TokenKind::Random;
        one.rule.domain = None;
        one.rule.normalise = Normalise::None;
        one.rule.lossy_ok = false;
        one.notes.push(
            "random, because few different values or a frequent one would show through equal \
             tokens"
                .to_owned(),
        );
        true
    }

    fn keep_equal(&mut self, at: usize, reason: &str) -> bool {
        let one = &mut self.columns[at];
        if one.needs_equal && one.rule.token == TokenKind::Keyed {
            return false;
        }
        one.rule.token = TokenKind::Keyed;
        one.rule.format = None;
        one.needs_equal = true;
        one.notes.push(format!("keyed, {reason}"));
        true
    }

    /// A collation that calls values equal which are not the same text.
    fn fold(&mut self, at: usize, finding: &Finding) -> bool {
        let normalise = if finding.remedy.contains("casefold") {
            Normalise::Casefold
        } else if finding.remedy.contains("\"trim\"") {
            Normalise::Trim
        } else {
            return false;
        };
        let (group, is_folded) =
            (self.columns[at].group, self.columns[at].rule.normalise == normalise);
        if is_folded {
            return false;
        }
        if group.is_none() && self.columns[at].rule.domain.is_some() {
            // Alone, the column needs no folding for the sake of others.
            self.columns[at].rule.domain = None;
            if finding.pitfall == "collation" {
                return true;
            }
        }
        let note = "the column compares like this, so values that it calls equal get one token, \
                    and come back spelled the same way";
        for (place, one) in self.columns.iter_mut().enumerate() {
            if place == at || (group.is_some() && one.group == group) {
                one.rule.normalise = normalise;
                one.rule.lossy_ok = true;
                one.notes.push(note.to_owned());
            }
        }
        true
    }

    /// A `CHECK` that refuses tokens: another shape may do.
    fn shape(&mut self, at: usize) -> bool {
        let group = self.columns[at].group;
        let one = &self.columns[at];
        let is_plain = one.rule.format.is_none() && one.rule.template.is_none();
        let answer = match one.kind {
            Kind::Email if is_plain => (TokenKind::Keyed, None, Some(EMAIL_TEMPLATE)),
            Kind::Card if is_plain => (TokenKind::Format, Some(FormatShape::Card), None),
            Kind::Email | Kind::Card | Kind::FreeText => return false,
            _ if is_plain => (TokenKind::Format, Some(FormatShape::Digits), None),
            _ if one.rule.format == Some(FormatShape::Digits) => {
                (TokenKind::Format, Some(FormatShape::Alnum), None)
            }
            _ => return false,
        };
        for (place, one) in self.columns.iter_mut().enumerate() {
            if place == at || (group.is_some() && one.group == group) {
                (one.rule.token, one.rule.format) = (answer.0, answer.1);
                one.rule.template = answer.2.map(str::to_owned);
                one.rule.normalise = Normalise::None;
                one.rule.lossy_ok = false;
                if group.is_none() && one.rule.format.is_some() {
                    one.rule.domain = None;
                }
                one.notes.retain(|note| !note.starts_with("shaped"));
                one.notes.push("shaped so that a CHECK of the table takes it".to_owned());
            }
        }
        true
    }

    /// A column that takes documents or arrays: the finding names the template that makes one of a
    /// token.
    fn write_whole(&mut self, at: usize, finding: &Finding) -> bool {
        let one = &mut self.columns[at];
        let Some(template) = template_in(&finding.remedy) else { return false };
        let takes_one = matches!(one.rule.token, TokenKind::Keyed | TokenKind::Random);
        if one.rule.template.is_some() || !takes_one {
            return false;
        }
        one.rule.template = Some(template.to_owned());
        one.notes.push("the whole value is one token, written as its type asks".to_owned());
        true
    }

    /// A type or a width without room for a token: the finding names what helps.
    fn make_room(&mut self, at: usize, finding: &Finding) -> bool {
        if self.write_whole(at, finding) {
            return true;
        }
        let one = &mut self.columns[at];
        if finding.remedy.contains("`token = \"uuid\"`")
            && one.rule.token != TokenKind::Uuid
            && one.group.is_none()
        {
            one.rule.token = TokenKind::Uuid;
            one.rule.domain = None;
            one.notes.push("uuid, as the column is".to_owned());
            return true;
        }
        if finding.remedy.contains("`fit = \"widen\"`") && one.rule.fit == Fit::Refuse {
            one.rule.fit = Fit::Widen;
            one.notes.push(
                "widened, because a token is longer than the column: the run changes its type, and \
                 a rollback puts it back"
                    .to_owned(),
            );
            return true;
        }
        false
    }

    /// Leaves a column out, and with it those that it is joined to.
    fn give_up(&mut self, at: usize, reason: &str) {
        let (name, group) = (self.columns[at].rule.name.clone(), self.columns[at].group);
        let is_meant =
            |one: &Drafted| one.rule.name == name || (group.is_some() && one.group == group);
        self.leave_out(is_meant, reason);
    }

    /// Keeps a trigger from firing; where that does not help, the columns that it sees are left out.
    fn suppress(&mut self, catalog: &Catalog, trigger: &str, finding: &Finding) -> bool {
        let found = catalog.triggers.iter().find(|known| known.name == trigger);
        let Some(table) = found.map(|found| found.table.clone()) else { return false };
        let triggers = self.suppressed.entry(table.clone()).or_default();
        if triggers.iter().all(|(name, _)| name != trigger) {
            triggers.push((trigger.to_owned(), finding.fact.clone()));
            return true;
        }
        let is_there =
            |table: &TableName| self.columns.iter().any(|one| one.rule.name.table == *table);
        if !is_there(&table) {
            return false;
        }
        self.leave_out(|one| one.rule.name.table == table, &finding.fact);
        true
    }
}

/// The template that a remedy asks for.
fn template_in(remedy: &str) -> Option<&str> {
    remedy.split_once("template = '")?.1.split_once('\'').map(|(template, _)| template)
}
