//! The answers, by plain Rust: what the book says that queries mean.

use std::cmp::Ordering;

use covet_orm::shape::Lookup;
use regex::RegexBuilder;

use crate::common::Item;
use crate::data::{DAY, Rows, Sort, Value, columns};
use crate::question::{Asked, Given, Path, Question, Tree};

#[derive(Debug)]
pub struct Answer {
    item: Item,
    /// False: the rows may come in any order.
    ordered: bool,
}

impl Answer {
    pub fn agrees(&self, other: &Item) -> bool {
        match (&self.item, other) {
            (Item::Array(wanted), Item::Array(got)) if !self.ordered => {
                let mut rest: Vec<&Item> = got.iter().collect();
                wanted.len() == got.len()
                    && wanted.iter().all(|row| match rest.iter().position(|other| *other == row) {
                        Some(at) => {
                            rest.swap_remove(at);
                            true
                        }
                        None => false,
                    })
            }
            (wanted, got) => wanted == got,
        }
    }
}

pub fn answer(rows: &Rows, question: &Question, given: &[Given]) -> Answer {
    let mut found: Vec<&[Value]> = rows
        .of(question.model)
        .iter()
        .map(Vec::as_slice)
        .filter(|row| {
            let holds = |tree| holds(rows, question.model, row, tree, given);
            question.filter.as_ref().is_none_or(holds)
        })
        .collect();
    match question.asked {
        Asked::Count => return Answer { item: Item::Int(found.len() as i64), ordered: true },
        Asked::Exists => return Answer { item: Item::Bool(!found.is_empty()), ordered: true },
        Asked::Rows => {}
    }
    found.sort_by(|one, other| {
        let turn = |ordering: Ordering, descending| if descending { ordering.reverse() } else { ordering };
        question.order.iter().fold(Ordering::Equal, |so_far, (path, descending)| {
            so_far.then_with(|| {
                let (a, b) = (at(rows, question.model, one, path), at(rows, question.model, other, path));
                turn(a.partial_cmp(&b).unwrap(), *descending != question.reverse)
            })
        })
    });
    let mut items: Vec<Item> = found.iter().map(|row| shown(rows, question, row)).collect();
    if question.distinct {
        let mut seen: Vec<Item> = Vec::new();
        for item in items {
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
        items = seen;
    }
    let number = |at: Option<usize>| match at.map(|at| &given[at]) {
        Some(Given::One(Value::Int(number))) => Some(*number as usize),
        _ => None,
    };
    let items =
        items.into_iter().skip(number(question.offset).unwrap_or(0)).take(number(question.limit).unwrap_or(usize::MAX));
    Answer { item: Item::Array(items.collect()), ordered: !question.order.is_empty() }
}

fn shown(rows: &Rows, question: &Question, row: &[Value]) -> Item {
    if !question.fields.is_empty() {
        return Item::Array(question.fields.iter().map(|path| at(rows, question.model, row, path).item()).collect());
    }
    let mut all: Vec<Item> = row.iter().map(Value::item).collect();
    for path in &question.related {
        let mut reached = Some((question.model, row));
        for step in path.split('.') {
            reached = reached.and_then(|(model, row)| follow(rows, model, row, step));
        }
        all.push(match reached {
            Some((_, row)) => Item::Array(row.iter().map(Value::item).collect()),
            None => Item::Null,
        });
    }
    Item::Array(all)
}

fn follow<'r>(rows: &'r Rows, model: &str, row: &[Value], step: &str) -> Option<(&'static str, &'r [Value])> {
    let place = columns(model).iter().position(|column| column.name == step)?;
    match (&columns(model)[place].sort, &row[place]) {
        (Sort::To(target), Value::Int(key)) => Some((target, &rows.of(target)[*key as usize - 1])),
        _ => None,
    }
}

fn at(rows: &Rows, model: &str, row: &[Value], path: &Path) -> Value {
    let mut steps: Vec<&str> = path.text.split('.').collect();
    let last = steps.pop().unwrap();
    let mut reached = (model, row);
    for step in steps {
        match follow(rows, reached.0, reached.1, step) {
            Some((model, row)) => reached = (model, row),
            None => return Value::Null,
        }
    }
    let place = columns(reached.0).iter().position(|column| column.name == last).unwrap();
    reached.1[place].clone()
}

/// Two-valued: what compares with null does not hold, and its negation does.
fn holds(rows: &Rows, model: &str, row: &[Value], tree: &Tree, given: &[Given]) -> bool {
    match tree {
        Tree::All(parts) => parts.iter().all(|part| holds(rows, model, row, part, given)),
        Tree::Any(parts) => parts.iter().any(|part| holds(rows, model, row, part, given)),
        Tree::Not(inner) => !holds(rows, model, row, inner, given),
        Tree::Compare(path, lookup, param) => compares(path.sort, &at(rows, model, row, path), *lookup, &given[*param]),
        Tree::Than(path, lookup, other) => {
            let (left, right) = (at(rows, model, row, path), at(rows, model, row, other));
            if left == Value::Null || right == Value::Null {
                return false;
            }
            relates(*lookup, left.partial_cmp(&right).unwrap())
        }
    }
}

fn relates(lookup: Lookup, ordering: Ordering) -> bool {
    match lookup {
        Lookup::Exact => ordering.is_eq(),
        Lookup::Gt => ordering.is_gt(),
        Lookup::Gte => ordering.is_ge(),
        Lookup::Lt => ordering.is_lt(),
        _ => ordering.is_le(),
    }
}

fn compares(sort: Sort, left: &Value, lookup: Lookup, right: &Given) -> bool {
    use Lookup::*;
    match (lookup, right) {
        (Isnull, Given::One(Value::Bool(wanted))) => return (*left == Value::Null) == *wanted,
        (Exact, Given::One(Value::Null)) => return *left == Value::Null,
        _ if *left == Value::Null => return false,
        (In, Given::Many(all)) => return all.iter().any(|one| against(left, one).is_eq()),
        (Range, Given::Many(ends)) => return against(left, &ends[0]).is_ge() && against(left, &ends[1]).is_le(),
        (Exact | Gt | Gte | Lt | Lte, right) => return relates(lookup, against(left, right)),
        _ => {}
    }
    match (left, right) {
        (Value::Text(text), Given::One(Value::Text(sought))) => searched(text, lookup, sought),
        (Value::Int(stored), Given::One(Value::Int(wanted))) => part(sort, *stored, lookup) == *wanted,
        other => panic!("{lookup:?} of {other:?}"),
    }
}

fn against(left: &Value, right: &Given) -> Ordering {
    match (left, right) {
        (Value::Decimal(hundredths), Given::Fine(fine)) => (i128::from(*hundredths) * 100).cmp(fine),
        (left, Given::One(right)) => left.partial_cmp(right).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn searched(text: &str, lookup: Lookup, sought: &str) -> bool {
    let fold = |text: &str| -> String { text.to_lowercase().replace('ς', "σ") };
    let matches = |any_case| RegexBuilder::new(sought).case_insensitive(any_case).build().unwrap().is_match(text);
    match lookup {
        Lookup::Iexact => fold(text) == fold(sought),
        Lookup::Contains => text.contains(sought),
        Lookup::Icontains => fold(text).contains(&fold(sought)),
        Lookup::Startswith => text.starts_with(sought),
        Lookup::Istartswith => fold(text).starts_with(&fold(sought)),
        Lookup::Endswith => text.ends_with(sought),
        Lookup::Iendswith => fold(text).ends_with(&fold(sought)),
        Lookup::Regex => matches(false),
        Lookup::Iregex => matches(true),
        other => panic!("{other:?} of a text"),
    }
}

/// A part of a moment (microseconds), date (days) or time (microseconds), counted by walking the calendar.
fn part(sort: Sort, stored: i64, lookup: Lookup) -> i64 {
    let (days, of_day) = match sort {
        Sort::Moment => (stored.div_euclid(DAY), stored.rem_euclid(DAY)),
        Sort::Date => (stored, 0),
        _ => (0, stored),
    };
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // Days since 0001-01-01, and from there year by year.
    let (mut year, mut left) = (1, days + 719_162);
    while left >= 365 + i64::from(leap(year)) {
        left -= 365 + i64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    match lookup {
        Lookup::Year => year,
        Lookup::Month => month,
        Lookup::Day => left + 1,
        // 1970-01-01 was a Thursday.
        Lookup::WeekDay => (days + 3).rem_euclid(7) + 1,
        Lookup::Hour => of_day / 3_600_000_000,
        Lookup::Minute => of_day / 60_000_000 % 60,
        Lookup::Second => of_day / 1_000_000 % 60,
        other => panic!("{other:?} of a moment"),
    }
}
