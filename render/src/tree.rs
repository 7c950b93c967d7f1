//! What a template says, checked and made to pay before it runs.
//!
//! The engine's own limits count rounds of loops, not what happens in them. So every body of the tree begins with an action
//! that pays for its nodes each time it is run, and nothing in a template is for free.

use gotmpl::parse::{ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, Number, Parser, PipeNode, Pos};
use gotmpl::{FuncMap, TemplateError};

use crate::bytes::holds_bytes;
use crate::functions::{ENGINE, PAY};
use crate::problem::TemplateProblem;

/// The longest template, in characters: as much as an `EncryptedSecret` may hold.
const MAX_SOURCE: usize = 1 << 16;
/// The most `else if` and `else with`: the parser recurses for each, and the engine runs no more.
const MAX_CHAINED: usize = 100;
/// What a node costs each time it is run.
const NODE: usize = 64;
/// What comes after every template: if it is not the last thing of the tree, then a block is open, or closed too often.
const END: char = '\0';

/// The tree of a template that uses these functions.
pub(crate) fn parse(source: &str, functions: &FuncMap) -> Result<ListNode, TemplateProblem> {
    if source.chars().nth(MAX_SOURCE).is_some() || chained(source) > MAX_CHAINED {
        return Err(TemplateProblem::TooMuch);
    }
    let marked = format!("{source}{END}");
    let parsed = Parser::new(&marked, "{{", "}}").and_then(Parser::parse);
    let (mut tree, defined) = parsed.map_err(|error| syntax(&error))?;
    if !defined.is_empty() {
        return Err(TemplateProblem::Unsupported);
    }
    if !take_end(&mut tree) {
        return Err(end_of(source));
    }
    Check { functions }.body(&mut tree)?;
    Ok(tree)
}

fn chained(source: &str) -> usize {
    let follows = |(place, word): (usize, &str)| {
        let rest = &source[place + word.len()..];
        let next = rest.trim_start();
        next.len() < rest.len() && (next.starts_with("if") || next.starts_with("with"))
    };
    source.match_indices("else").filter(|found| follows(*found)).count()
}

fn syntax(error: &TemplateError) -> TemplateProblem {
    match error {
        // The parser's limit of nesting has no place.
        TemplateError::Parse { line: 0, .. } => TemplateProblem::TooMuch,
        TemplateError::Parse { line, col, .. } | TemplateError::Lex { line, col, .. } => {
            TemplateProblem::Syntax { line: *line, column: *col }
        }
        _ => TemplateProblem::Failed,
    }
}

fn take_end(tree: &mut ListNode) -> bool {
    let Some(Node::Text(text)) = tree.nodes.last_mut() else { return false };
    let Some(before) = text.text.strip_suffix(END) else { return false };
    text.text = before.into();
    true
}

fn end_of(source: &str) -> TemplateProblem {
    let last = source.rsplit('\n').next().unwrap_or_default();
    TemplateProblem::Syntax { line: source.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

/// Each step gives what its nodes cost. Recurses as deep as the parser did, which is bounded.
struct Check<'a> {
    functions: &'a FuncMap,
}

type Cost = Result<usize, TemplateProblem>;

impl Check<'_> {
    fn body(&self, list: &mut ListNode) -> Result<(), TemplateProblem> {
        let costs = list.nodes.iter_mut().map(|node| self.node(node)).sum::<Cost>()?;
        list.nodes.insert(0, payment(list.pos, costs + NODE));
        Ok(())
    }

    fn node(&self, node: &mut Node) -> Cost {
        match node {
            Node::Text(text) => literal(&text.text),
            Node::Action(action) => self.pipe(&action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => self.branch(branch),
            Node::Break(_) | Node::Continue(_) => Ok(NODE),
            Node::List(list) => self.body(list).map(|()| NODE),
            Node::Template(_) | Node::Define(_) => Err(TemplateProblem::Unsupported),
        }
    }

    fn branch(&self, branch: &mut BranchNode) -> Cost {
        self.body(&mut branch.body)?;
        branch.else_body.as_mut().map_or(Ok(()), |body| self.body(body))?;
        self.pipe(&branch.pipe)
    }

    fn pipe(&self, pipe: &PipeNode) -> Cost {
        let names = pipe.decl.iter().map(|name| NODE + name.len()).sum::<usize>();
        let commands = pipe.commands.iter().flat_map(|command| &command.args);
        Ok(NODE + names + commands.map(|expression| self.expression(expression)).sum::<Cost>()?)
    }

    fn expression(&self, expression: &Expr) -> Cost {
        match expression {
            Expr::Identifier(_, name) => {
                if !self.functions.contains_key(name.as_str()) && !ENGINE.contains(&name.as_str()) {
                    return Err(TemplateProblem::UnknownFunction(name.to_string()));
                }
                Ok(NODE)
            }
            Expr::String(_, text) => literal(text),
            Expr::Field(_, fields) => Ok(length(fields)),
            Expr::Variable(_, name, fields) => Ok(NODE + name.len() + length(fields)),
            Expr::Chain(_, inner, fields) => Ok(self.expression(inner)? + length(fields)),
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Dot(_) | Expr::Number(..) | Expr::Bool(..) | Expr::Nil(_) => Ok(NODE),
        }
    }
}

/// Characters that stand for bytes here would come out as bytes.
fn literal(text: &str) -> Cost {
    if holds_bytes(text) { Err(TemplateProblem::Unsupported) } else { Ok(NODE) }
}

fn length(fields: &[gotmpl::parse::SmolStr]) -> usize {
    NODE + fields.iter().map(|field| NODE + field.len()).sum::<usize>()
}

fn payment(pos: Pos, units: usize) -> Node {
    let units = i64::try_from(units).unwrap_or(i64::MAX);
    let args = vec![Expr::Identifier(pos, PAY.into()), Expr::Number(pos, Number::Int(units))];
    let commands = vec![CommandNode { pos, args }];
    Node::Action(ActionNode { pos, pipe: PipeNode { pos, decl: Vec::new(), commands, is_assign: false } })
}
