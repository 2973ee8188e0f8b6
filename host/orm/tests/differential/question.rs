//! Random questions: a shape, and what its parameters may be.

use covet_orm::shape::{Lookup, Node, Operation, Select};

use crate::common::{Item, is, order, than, values};
use crate::data::{DATES, DAY, MOMENTS, REALS, Rows, Sort, TEXTS, TIMES, Value, columns};
use crate::random::Random;

/// A field, over relations.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub text: String,
    pub sort: Sort,
}

#[derive(Debug)]
pub enum Tree {
    /// With the parameter of this index.
    Compare(Path, Lookup, usize),
    Than(Path, Lookup, Path),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
}

/// What a parameter is for.
#[derive(Debug)]
pub enum Param {
    Compared(Path, Lookup),
    Rows(i64),
}

/// A parameter's value.
#[derive(Clone, Debug)]
pub enum Given {
    One(Value),
    /// Ten-thousandths, which a field of hundredths may not hold.
    Fine(i128),
    Many(Vec<Given>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Rows,
    Count,
    Exists,
}

#[derive(Debug)]
pub struct Question {
    pub model: &'static str,
    pub asked: Asked,
    pub filter: Option<Tree>,
    /// Paths with their direction.
    pub order: Vec<(Path, bool)>,
    pub reverse: bool,
    /// Indexes of parameters.
    pub limit: Option<usize>,
    pub offset: Option<usize>,
    /// None: the whole model and `related`.
    pub fields: Vec<Path>,
    pub related: Vec<&'static str>,
    pub distinct: bool,
    pub params: Vec<Param>,
}

impl Question {
    pub fn random(random: &mut Random) -> Question {
        let model = *random.pick(&["Post", "Post", "Post", "Author", "Country"]);
        let mut params = Vec::new();
        let filter = random.chance(85).then(|| tree(random, model, 0, &mut params));
        let asked = *random.pick(&[Asked::Rows, Asked::Rows, Asked::Rows, Asked::Rows, Asked::Count, Asked::Exists]);
        let mut question = Question {
            model,
            asked,
            filter,
            order: Vec::new(),
            reverse: false,
            limit: None,
            offset: None,
            fields: Vec::new(),
            related: Vec::new(),
            distinct: false,
            params,
        };
        if asked == Asked::Rows {
            question.shape(random);
        }
        question
    }

    fn shape(&mut self, random: &mut Random) {
        if random.chance(60) {
            self.fields = (0..=random.below(3)).map(|_| path(random, self.model)).collect();
            self.distinct = random.chance(30);
        } else {
            let all: &[&'static str] = match self.model {
                "Post" => &["author", "editor", "author.country", "editor.country"],
                "Author" => &["country"],
                _ => &[],
            };
            for one in all {
                let needs = one.split_once('.').is_none_or(|(before, _)| self.related.contains(&before));
                if needs && random.chance(50) {
                    self.related.push(one);
                }
            }
        }
        if self.distinct {
            // What is not among the fields could not be ordered by; all of them make a page certain.
            self.order = self.fields.iter().map(|path| (path.clone(), random.chance(50))).collect();
        } else if random.chance(75) {
            self.order = (0..random.below(3)).map(|_| (path(random, self.model), random.chance(50))).collect();
            self.order.push((Path { text: "id".to_owned(), sort: Sort::Int }, random.chance(50)));
        }
        if !self.order.is_empty() {
            self.reverse = random.chance(20);
            if random.chance(40) {
                self.limit = Some(self.params.len());
                self.params.push(Param::Rows(12));
            }
            if random.chance(30) {
                self.offset = Some(self.params.len());
                self.params.push(Param::Rows(6));
            }
        }
    }

    pub fn operation(&self) -> Operation {
        let mut filter = Vec::new();
        if let Some(tree) = &self.filter {
            postfix(tree, &mut filter);
        }
        match self.asked {
            Asked::Count => Operation::Count(filter),
            Asked::Exists => Operation::Exists(filter),
            Asked::Rows => {
                let fields: Vec<&str> = self.fields.iter().map(|path| path.text.as_str()).collect();
                let by = |(path, descending): &(Path, bool)| {
                    order(&format!("{}{}", if *descending { "-" } else { "" }, path.text))
                };
                Operation::Select(Select {
                    prefetch: vec![],
                    filter,
                    order: self.order.iter().map(by).collect(),
                    reverse: self.reverse,
                    limit: self.limit.map(|at| at as u32),
                    offset: self.offset.map(|at| at as u32),
                    related: self.related.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect(),
                    fields: values(&fields),
                    distinct: self.distinct,
                    ..Select::default()
                })
            }
        }
    }
}

fn postfix(tree: &Tree, nodes: &mut Vec<Node>) {
    match tree {
        Tree::Compare(path, lookup, param) => nodes.push(is(&path.text, *lookup, *param as u32)),
        Tree::Than(path, lookup, other) => nodes.push(than(&path.text, *lookup, &other.text)),
        Tree::All(parts) => {
            parts.iter().for_each(|part| postfix(part, nodes));
            nodes.push(Node::AllOf(parts.len() as u32));
        }
        Tree::Any(parts) => {
            parts.iter().for_each(|part| postfix(part, nodes));
            nodes.push(Node::AnyOf(parts.len() as u32));
        }
        Tree::Not(inner) => {
            postfix(inner, nodes);
            nodes.push(Node::Negate);
        }
    }
}

fn tree(random: &mut Random, model: &'static str, depth: usize, params: &mut Vec<Param>) -> Tree {
    if depth < 3 && random.chance(50) {
        return match random.below(3) {
            0 => Tree::Not(Box::new(tree(random, model, depth + 1, params))),
            kind => {
                let parts = (0..random.below(4)).map(|_| tree(random, model, depth + 1, params)).collect();
                if kind == 1 { Tree::All(parts) } else { Tree::Any(parts) }
            }
        };
    }
    let left = path(random, model);
    if random.chance(12) {
        let lookup = *random.pick(&[Lookup::Exact, Lookup::Gt, Lookup::Gte, Lookup::Lt, Lookup::Lte]);
        let other = path(random, model);
        let ordered = lookup == Lookup::Exact || left.sort != Sort::Bool;
        if other.sort == left.sort && ordered {
            return Tree::Than(left, lookup, other);
        }
    }
    let lookup = *random.pick(lookups(left.sort));
    params.push(Param::Compared(left.clone(), lookup));
    Tree::Compare(left, lookup, params.len() - 1)
}

/// A field of the model or of one that it points to, up to two relations away.
fn path(random: &mut Random, model: &'static str) -> Path {
    let mut text = String::new();
    let mut model = model;
    for _ in 0..2 {
        let relations: Vec<(&str, &'static str)> = columns(model)
            .iter()
            .filter_map(|column| match column.sort {
                Sort::To(target) => Some((column.name, target)),
                _ => None,
            })
            .collect();
        if relations.is_empty() || random.chance(60) {
            break;
        }
        let (name, target) = *random.pick(&relations);
        text.push_str(name);
        text.push('.');
        model = target;
    }
    let column = random.pick(columns(model));
    text.push_str(column.name);
    Path { text, sort: column.sort }
}

fn lookups(sort: Sort) -> &'static [Lookup] {
    use Lookup::*;
    match sort {
        Sort::Bool => &[Exact, Isnull, In],
        Sort::Int | Sort::Real | Sort::Decimal | Sort::To(_) => &[Exact, Gt, Gte, Lt, Lte, In, Isnull, Range],
        Sort::Text => &[
            Exact,
            Iexact,
            Contains,
            Icontains,
            Startswith,
            Istartswith,
            Endswith,
            Iendswith,
            Gt,
            Gte,
            Lt,
            Lte,
            In,
            Isnull,
            Range,
            Regex,
            Iregex,
        ],
        Sort::Moment => &[Exact, Gt, Gte, Lt, Lte, In, Isnull, Range, Year, Month, Day, WeekDay, Hour, Minute, Second],
        Sort::Date => &[Exact, Gt, Gte, Lt, Lte, In, Isnull, Range, Year, Month, Day, WeekDay],
        Sort::Time => &[Exact, Gt, Gte, Lt, Lte, In, Isnull, Range, Hour, Minute, Second],
    }
}

/// Patterns that mean the same in all three dialects of regular expressions.
const PATTERNS: [&str; 9] = ["^a", "b$", "[0-9]+", "^$", "a.b", "(ab|ss)", "^[A-Z]", "ä", "s{2}"];

impl Param {
    pub fn random(&self, random: &mut Random, rows: &Rows) -> Given {
        use Lookup::*;
        match self {
            Param::Rows(most) => Given::One(Value::Int(random.within(0, *most))),
            Param::Compared(path, lookup) => match lookup {
                Isnull => Given::One(Value::Bool(random.chance(50))),
                In => Given::Many((0..random.below(5)).map(|_| value(path, random, rows)).collect()),
                Range => Given::Many((0..2).map(|_| value(path, random, rows)).collect()),
                Regex | Iregex => Given::One(Value::Text((*random.pick(&PATTERNS)).to_owned())),
                Contains | Icontains | Startswith | Istartswith | Endswith | Iendswith => {
                    Given::One(Value::Text(piece(random)))
                }
                Year => Given::One(Value::Int(*random.pick(&[1, 1969, 1970, 2024, 9999, 0, 10_000, i64::MAX]))),
                Month | Day | WeekDay => Given::One(Value::Int(*random.pick(&[1, 2, 3, 4, 5, 12, 29, 31, 0]))),
                Hour | Minute | Second => Given::One(Value::Int(*random.pick(&[0, 13, 14, 15, 23, 59, -1]))),
                // Null is asked for where the field may be null by itself; over relations also by their absence.
                Exact if random.chance(15) && may_be_null(path) => Given::One(Value::Null),
                _ => value(path, random, rows),
            },
        }
    }
}

fn may_be_null(path: &Path) -> bool {
    let own = ["subtitle", "likes", "rating", "price", "born", "at", "rank", "age", "joined", "country"];
    let last = path.text.rsplit('.').next().unwrap_or_default();
    own.contains(&last) || path.text == "editor" || path.text.starts_with("editor.")
}

fn piece(random: &mut Random) -> String {
    let letters: Vec<char> = random.pick(&TEXTS).chars().collect();
    let start = random.below(letters.len() + 1);
    let end = start + random.below(letters.len() - start + 1);
    let piece: String = letters[start..end].iter().collect();
    if random.chance(30) { piece.to_uppercase() } else { piece }
}

/// A value to compare with: often one that is stored, or next to it.
fn value(path: &Path, random: &mut Random, rows: &Rows) -> Given {
    let near = |random: &mut Random, of: &[i64]| {
        let far = [i64::MIN, i64::MAX];
        let base = if random.chance(10) { random.pick(&far) } else { random.pick(of) };
        Value::Int(base.saturating_add(random.within(-1, 1)))
    };
    Given::One(match path.sort {
        Sort::Bool => Value::Bool(random.chance(50)),
        Sort::To(model) => Value::Int(random.within(0, rows.of(model).len() as i64 + 1)),
        Sort::Int => near(random, &[-3, -1, 0, 1, 4, 9, 40, 70_000]),
        Sort::Real => Value::Real(*random.pick(&REALS) + *random.pick(&[0.0, 0.0, 0.125])),
        Sort::Decimal => {
            let base =
                *random.pick(&[-10_100_i128, -100, 0, 100, 9_900, 10_000, 100_500, 999_999_999_900, 10_i128.pow(30)]);
            return Given::Fine(base + i128::from(*random.pick(&[0_i64, 0, 1, -1, 50, 100])));
        }
        Sort::Text => Value::Text((*random.pick(&TEXTS)).to_owned()),
        Sort::Moment => near(random, &MOMENTS),
        Sort::Date => near(random, &DATES),
        Sort::Time => match near(random, &TIMES) {
            // There is no other time of day.
            Value::Int(at) => Value::Int(at.clamp(0, DAY - 1)),
            other => other,
        },
    })
}

impl Given {
    pub fn item(&self) -> Item {
        match self {
            Given::One(value) => value.item(),
            Given::Fine(all) => {
                let sign = if *all < 0 { "-" } else { "" };
                let all = all.unsigned_abs();
                Item::Text(format!("{sign}{}.{:04}", all / 10_000, all % 10_000))
            }
            Given::Many(several) => Item::Array(several.iter().map(Given::item).collect()),
        }
    }
}
