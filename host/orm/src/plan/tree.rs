//! From postfix nodes to a tree within limits. What its parts mean is found out when it is lowered.

use super::term::Term;
use crate::QueryError;
use crate::schema::Kind;
use crate::shape::{self, Arithmetic, Comparison, FieldPath, Function, Lookup, Node, Operand, Parameter};

/// Most nodes of a filter or a value.
pub const MAX_NODES: usize = 1_000;
/// Deepest nesting of a filter or a value.
pub const MAX_DEPTH: usize = 64;

#[derive(Debug)]
pub(super) enum Tree<'s> {
    Compare(&'s Comparison),
    All(Vec<Tree<'s>>),
    Any(Vec<Tree<'s>>),
    Not(Box<Tree<'s>>),
    Test(Lookup, Box<(Tree<'s>, Tree<'s>)>),
    Exists(u32),
    Among(Box<Tree<'s>>, u32),
    Field(&'s FieldPath),
    Outer(&'s FieldPath),
    Param(&'s Parameter),
    Calculate(Arithmetic, Box<(Tree<'s>, Tree<'s>)>),
    Call(Function, Vec<Tree<'s>>),
    Cast(&'s Kind, Box<Tree<'s>>),
    Choose {
        branches: Vec<(Tree<'s>, Tree<'s>)>,
        otherwise: Option<Box<Tree<'s>>>,
    },
    Aggregate {
        shape: &'s shape::Aggregate,
        value: Option<Box<Tree<'s>>>,
        filter: Option<Box<Tree<'s>>>,
    },
    Window {
        shape: &'s shape::Window,
        arguments: Vec<Tree<'s>>,
        partition: Vec<Tree<'s>>,
        order: Vec<Tree<'s>>,
    },
    Subquery(u32),
    /// Lowered before: a column of a query that this one stands over.
    Ready(Box<Term>),
}

impl<'s> Tree<'s> {
    /// True when an aggregate stands in it: then it is a matter of groups, not of rows.
    pub fn aggregates(&self) -> bool {
        matches!(self, Tree::Aggregate { .. }) || self.parts().into_iter().any(Tree::aggregates)
    }

    /// True when a window function stands in it.
    pub fn has_window(&self) -> bool {
        matches!(self, Tree::Window { .. }) || self.parts().into_iter().any(Tree::has_window)
    }

    /// True for a parameter that takes its kind from the value that it meets.
    pub fn is_open(&self) -> bool {
        matches!(self, Tree::Param(Parameter { kind: None, .. }))
    }

    /// The fields that this node itself names.
    pub fn fields(&self) -> impl Iterator<Item = &'s FieldPath> {
        let (one, other) = match self {
            Tree::Field(path) => (Some(*path), None),
            Tree::Compare(comparison) => match &comparison.right {
                Operand::Field(right) => (Some(&comparison.left), Some(right)),
                Operand::Param(_) => (Some(&comparison.left), None),
            },
            _ => (None, None),
        };
        one.into_iter().chain(other)
    }

    /// What it takes.
    pub fn parts(&self) -> Vec<&Tree<'s>> {
        match self {
            Tree::Compare(_)
            | Tree::Exists(_)
            | Tree::Field(_)
            | Tree::Outer(_)
            | Tree::Param(_)
            | Tree::Subquery(_)
            | Tree::Ready(_) => Vec::new(),
            Tree::All(parts) | Tree::Any(parts) | Tree::Call(_, parts) => parts.iter().collect(),
            Tree::Not(inner) | Tree::Among(inner, _) | Tree::Cast(_, inner) => vec![inner],
            Tree::Test(_, both) | Tree::Calculate(_, both) => vec![&both.0, &both.1],
            Tree::Choose { branches, otherwise } => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref()).collect()
            }
            Tree::Aggregate { value, filter, .. } => value.as_deref().into_iter().chain(filter.as_deref()).collect(),
            Tree::Window { arguments, partition, order, .. } => {
                arguments.iter().chain(partition).chain(order).collect()
            }
        }
    }

    /// As [`parts`](Self::parts), to change them.
    pub fn parts_mut(&mut self) -> Vec<&mut Tree<'s>> {
        match self {
            Tree::Compare(_)
            | Tree::Exists(_)
            | Tree::Field(_)
            | Tree::Outer(_)
            | Tree::Param(_)
            | Tree::Subquery(_)
            | Tree::Ready(_) => Vec::new(),
            Tree::All(parts) | Tree::Any(parts) | Tree::Call(_, parts) => parts.iter_mut().collect(),
            Tree::Not(inner) | Tree::Among(inner, _) | Tree::Cast(_, inner) => vec![inner],
            Tree::Test(_, both) | Tree::Calculate(_, both) => {
                let (left, right) = both.as_mut();
                vec![left, right]
            }
            Tree::Choose { branches, otherwise } => {
                branches.iter_mut().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref_mut()).collect()
            }
            Tree::Aggregate { value, filter, .. } => {
                value.as_deref_mut().into_iter().chain(filter.as_deref_mut()).collect()
            }
            Tree::Window { arguments, partition, order, .. } => {
                arguments.iter_mut().chain(partition).chain(order).collect()
            }
        }
    }
}

/// The tree of a filter; none for an empty one.
pub(super) fn parse(nodes: &[Node]) -> Result<Option<Tree<'_>>, QueryError> {
    if nodes.is_empty() { Ok(None) } else { build(nodes).map(Some) }
}

/// The tree of a value, which must not be empty.
pub(super) fn parse_value(nodes: &[Node]) -> Result<Tree<'_>, QueryError> {
    if nodes.is_empty() {
        return Err(QueryError::bad("a value has no nodes: name a field, as `field(title)`"));
    }
    build(nodes)
}

/// Trees on their way, each with its depth.
struct Stack<'s> {
    trees: Vec<(Tree<'s>, usize)>,
    /// Number of the node that takes.
    at: usize,
    /// Depth of the deepest that it has taken.
    depth: usize,
}

impl<'s> Stack<'s> {
    fn take(&mut self, count: usize) -> Result<Vec<Tree<'s>>, QueryError> {
        let Some(start) = self.trees.len().checked_sub(count) else {
            return Err(QueryError::bad(format!(
                "node {} takes {count} nodes before it, only {} are there: send them in postfix order",
                self.at,
                self.trees.len()
            )));
        };
        let taken = self.trees.split_off(start);
        self.depth = taken.iter().map(|(_, depth)| *depth).max().unwrap_or(0).max(self.depth);
        Ok(taken.into_iter().map(|(tree, _)| tree).collect())
    }

    fn one(&mut self) -> Result<Box<Tree<'s>>, QueryError> {
        // `take` gives as many as it was asked for.
        self.take(1)?.pop().map(Box::new).ok_or_else(|| QueryError::bad("a node is missing"))
    }

    fn two(&mut self) -> Result<Box<(Tree<'s>, Tree<'s>)>, QueryError> {
        let mut both = self.take(2)?.into_iter();
        match (both.next(), both.next()) {
            (Some(first), Some(second)) => Ok(Box::new((first, second))),
            _ => Err(QueryError::bad("a node is missing")),
        }
    }
}

fn build(nodes: &[Node]) -> Result<Tree<'_>, QueryError> {
    if nodes.len() > MAX_NODES {
        return Err(QueryError::TooLarge(format!(
            "a filter or value has {} nodes, at most {MAX_NODES} are allowed: use `in` for lists of values",
            nodes.len()
        )));
    }
    let mut stack = Stack { trees: Vec::new(), at: 0, depth: 0 };
    for (at, node) in nodes.iter().enumerate() {
        (stack.at, stack.depth) = (at, 0);
        let tree = take(&mut stack, node)?;
        let depth = stack.depth + 1;
        if depth > MAX_DEPTH {
            return Err(QueryError::TooLarge(format!(
                "a filter or value nests deeper than {MAX_DEPTH} levels: flatten it"
            )));
        }
        stack.trees.push((tree, depth));
    }
    let left = stack.trees.len();
    match (stack.trees.pop(), left) {
        (Some((tree, _)), 1) => Ok(tree),
        _ => Err(QueryError::bad(format!(
            "a filter or value must end as one node, {left} are left: end a filter with all-of({left})"
        ))),
    }
}

fn take<'s>(stack: &mut Stack<'s>, node: &'s Node) -> Result<Tree<'s>, QueryError> {
    Ok(match node {
        Node::Compare(comparison) => Tree::Compare(comparison),
        Node::AllOf(count) => Tree::All(stack.take(*count as usize)?),
        Node::AnyOf(count) => Tree::Any(stack.take(*count as usize)?),
        Node::Negate => Tree::Not(stack.one()?),
        Node::Test(lookup) => Tree::Test(*lookup, stack.two()?),
        Node::Exists(query) => Tree::Exists(*query),
        Node::Among(query) => Tree::Among(stack.one()?, *query),
        Node::Field(path) => Tree::Field(path),
        Node::Outer(path) => Tree::Outer(path),
        Node::Param(parameter) => Tree::Param(parameter),
        Node::Calculate(arithmetic) => Tree::Calculate(*arithmetic, stack.two()?),
        Node::Call(call) => Tree::Call(call.function, stack.take(call.arguments as usize)?),
        Node::Cast(kind) => Tree::Cast(kind, stack.one()?),
        Node::Choose(choice) => {
            let otherwise = if choice.otherwise { Some(stack.one()?) } else { None };
            let mut parts = stack.take((choice.branches as usize).saturating_mul(2))?.into_iter();
            let mut branches = Vec::new();
            while let (Some(when), Some(then)) = (parts.next(), parts.next()) {
                branches.push((when, then));
            }
            Tree::Choose { branches, otherwise }
        }
        Node::Aggregate(shape) => {
            let filter = if shape.filtered { Some(stack.one()?) } else { None };
            let value = if shape.value { Some(stack.one()?) } else { None };
            Tree::Aggregate { shape, value, filter }
        }
        Node::Window(shape) => {
            let order = stack.take(shape.order.len())?;
            let partition = stack.take(shape.partition as usize)?;
            let arguments = stack.take(shape.arguments as usize)?;
            Tree::Window { shape, arguments, partition, order }
        }
        Node::Subquery(query) => Tree::Subquery(*query),
    })
}
