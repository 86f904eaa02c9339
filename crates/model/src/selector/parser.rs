//! Turns tokens into a tree, by recursive descent; from the weakest binding to the strongest:
//!
//! ```text
//!   OR · AND · NOT · = <> < <= > >= BETWEEN IN LIKE IS · + - · * / % · sign · literal, name, ( … )
//! ```
//!
//! NOT binds weaker than a comparison, as SQL has it: `NOT a = 1` is `NOT (a = 1)`.

use crate::limits::{SELECTOR_BYTES_MAX, SELECTOR_DEPTH_MAX};
use crate::selector::evaluate::number_of_text;
use crate::selector::lexer::{Keyword, Lexer, Token, error};
use crate::selector::like::Pattern;
use crate::selector::node::{
    ArithmeticOperator, Between, Comparison, ComparisonOperator, HeaderField, Likeness, Membership, Node, Shape,
};
use crate::selector::{Operand, SelectorError};
use std::borrow::Cow;

/// Functions that Classic knows and this broker does not.
const CLASSIC_FUNCTIONS: [&str; 7] = ["INLIST", "MAKELIST", "REGEX", "REPLACE", "SPLIT", "XPATH", "XQUERY"];

/// Parses a whole selector; `None` where it holds no token.
pub(super) fn parse(source: &str, converts_text: bool) -> Result<Option<Node>, SelectorError> {
    if source.len() > SELECTOR_BYTES_MAX {
        return Err(error(0, format!("the selector has more than {SELECTOR_BYTES_MAX} bytes")));
    }
    let mut lexer = Lexer::new(source);
    let (token, at) = lexer.next()?;
    if token == Token::End {
        return Ok(None);
    }
    let mut parser = Parser { lexer, token, at, depth: 0, converts_text };
    let condition = parser.disjunction()?;
    require_condition(&condition, 0)?;
    match parser.token {
        Token::End => Ok(Some(condition)),
        _ => Err(parser.unexpected("AND, OR or the end")),
    }
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    /// The token that is looked at.
    token: Token<'s>,
    /// Where it starts.
    at: usize,
    /// How many parentheses, signs and NOTs are open.
    depth: usize,
    converts_text: bool,
}

impl<'s> Parser<'s> {
    /// Goes to the next token and gives back the one left.
    fn advance(&mut self) -> Result<Token<'s>, SelectorError> {
        let (token, at) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    /// Takes the keyword if it is the next token.
    fn takes(&mut self, keyword: Keyword) -> Result<bool, SelectorError> {
        let found = self.token == Token::Keyword(keyword);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, wanted: &Token<'_>) -> Result<(), SelectorError> {
        if self.token == *wanted {
            self.advance()?;
            return Ok(());
        }
        Err(self.unexpected(&wanted.describe()))
    }

    fn unexpected(&self, wanted: &str) -> SelectorError {
        error(self.at, format!("{wanted} was expected, not {}", self.token.describe()))
    }

    /// One level deeper; whoever calls it says when it is left.
    fn enter(&mut self) -> Result<(), SelectorError> {
        self.depth += 1;
        if self.depth > SELECTOR_DEPTH_MAX {
            return Err(error(self.at, format!("the selector nests deeper than {SELECTOR_DEPTH_MAX} levels")));
        }
        Ok(())
    }

    fn disjunction(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        let first = self.conjunction()?;
        if self.token != Token::Keyword(Keyword::Or) {
            return Ok(first);
        }
        require_condition(&first, at)?;
        let mut parts = vec![first];
        while self.takes(Keyword::Or)? {
            let at = self.at;
            let part = self.conjunction()?;
            require_condition(&part, at)?;
            parts.push(part);
        }
        Ok(Node::Or(parts))
    }

    fn conjunction(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        let first = self.negation()?;
        if self.token != Token::Keyword(Keyword::And) {
            return Ok(first);
        }
        require_condition(&first, at)?;
        let mut parts = vec![first];
        while self.takes(Keyword::And)? {
            let at = self.at;
            let part = self.negation()?;
            require_condition(&part, at)?;
            parts.push(part);
        }
        Ok(Node::And(parts))
    }

    fn negation(&mut self) -> Result<Node, SelectorError> {
        if !self.takes(Keyword::Not)? {
            return self.comparison();
        }
        self.enter()?;
        let at = self.at;
        let condition = self.negation()?;
        self.depth -= 1;
        require_condition(&condition, at)?;
        Ok(Node::Not(Box::new(condition)))
    }

    fn comparison(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        let left = self.sum()?;
        let node = match self.token {
            Token::Symbol(symbol) => match comparison_operator(symbol) {
                Some(operator) => self.compare(left, at, operator)?,
                None => return Ok(left),
            },
            Token::Keyword(Keyword::Is) => self.is_null(left)?,
            Token::Keyword(Keyword::Not) => {
                self.advance()?;
                self.membership(left, at, true)?
            }
            Token::Keyword(Keyword::Between | Keyword::In | Keyword::Like) => self.membership(left, at, false)?,
            _ => return Ok(left),
        };
        let chained = match self.token {
            Token::Symbol(symbol) => comparison_operator(symbol).is_some(),
            Token::Keyword(Keyword::Is | Keyword::Between | Keyword::In | Keyword::Like | Keyword::Not) => true,
            _ => false,
        };
        if chained {
            return Err(error(self.at, "comparisons do not chain, parentheses say what is meant"));
        }
        Ok(node)
    }

    fn compare(&mut self, left: Node, at: usize, operator: ComparisonOperator) -> Result<Node, SelectorError> {
        self.advance()?;
        let right_at = self.at;
        let right = self.sum()?;
        let (left, right) = match operator {
            ComparisonOperator::Equal | ComparisonOperator::NotEqual => (left, right),
            ComparisonOperator::Less
            | ComparisonOperator::LessOrEqual
            | ComparisonOperator::Greater
            | ComparisonOperator::GreaterOrEqual => (self.number(left, at)?, self.number(right, right_at)?),
        };
        Ok(Node::Compare(Box::new(Comparison { left, operator, right })))
    }

    fn is_null(&mut self, value: Node) -> Result<Node, SelectorError> {
        self.advance()?;
        let negated = self.takes(Keyword::Not)?;
        self.expect(&Token::Keyword(Keyword::Null))?;
        let node = Node::IsNull(Box::new(value));
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    /// BETWEEN, IN or LIKE.
    fn membership(&mut self, value: Node, at: usize, negated: bool) -> Result<Node, SelectorError> {
        if self.takes(Keyword::Between)? {
            let value = self.number(value, at)?;
            let low_at = self.at;
            let low = self.sum()?;
            let low = self.number(low, low_at)?;
            self.expect(&Token::Keyword(Keyword::And))?;
            let high_at = self.at;
            let high = self.sum()?;
            let high = self.number(high, high_at)?;
            return Ok(Node::Between(Box::new(Between { negated, value, low, high })));
        }
        if self.takes(Keyword::In)? {
            let list = self.list()?;
            return Ok(Node::In(Box::new(Membership { negated, value, list })));
        }
        if self.takes(Keyword::Like)? {
            if !matches!(value.shape(), Shape::Any | Shape::Text) {
                return Err(error(at, "LIKE compares text"));
            }
            let pattern = self.pattern()?;
            return Ok(Node::Like(Box::new(Likeness { negated, value, pattern })));
        }
        Err(self.unexpected("BETWEEN, IN or LIKE"))
    }

    /// `('a', 'b')`; numbers are allowed beside text.
    fn list(&mut self) -> Result<Vec<Operand<'static>>, SelectorError> {
        self.expect(&Token::Symbol("("))?;
        let mut list = Vec::new();
        loop {
            let at = self.at;
            match self.unary()? {
                Node::Literal(value @ (Operand::Text(_) | Operand::Integer(_) | Operand::Double(_))) => {
                    list.push(value);
                }
                _ => return Err(error(at, "IN lists texts and numbers")),
            }
            if self.token != Token::Symbol(",") {
                break;
            }
            self.advance()?;
        }
        self.expect(&Token::Symbol(")"))?;
        Ok(list)
    }

    fn pattern(&mut self) -> Result<Pattern, SelectorError> {
        let pattern = self.literal_text("a pattern between single quotes")?;
        if !self.takes(Keyword::Escape)? {
            return Ok(Pattern::new(&pattern, None));
        }
        let at = self.at;
        let escape = self.literal_text("one character between single quotes")?;
        let mut characters = escape.chars();
        match (characters.next(), characters.next()) {
            (Some(escape), None) => Ok(Pattern::new(&pattern, Some(escape))),
            _ => Err(error(at, "ESCAPE names exactly one character")),
        }
    }

    fn literal_text(&mut self, wanted: &str) -> Result<String, SelectorError> {
        if !matches!(self.token, Token::Text(_)) {
            return Err(self.unexpected(wanted));
        }
        match self.advance()? {
            Token::Text(text) => Ok(text),
            other => unreachable!("a text was looked at and {other:?} was taken"),
        }
    }

    fn sum(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        let first = self.product()?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.token {
                Token::Symbol("+") => ArithmeticOperator::Add,
                Token::Symbol("-") => ArithmeticOperator::Subtract,
                _ => return self.arithmetic(first, at, rest),
            };
            self.advance()?;
            let at = self.at;
            let operand = self.product()?;
            rest.push((operator, self.number(operand, at)?));
        }
    }

    fn product(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        let first = self.unary()?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.token {
                Token::Symbol("*") => ArithmeticOperator::Multiply,
                Token::Symbol("/") => ArithmeticOperator::Divide,
                Token::Symbol("%") => ArithmeticOperator::Remainder,
                _ => return self.arithmetic(first, at, rest),
            };
            self.advance()?;
            let at = self.at;
            let operand = self.unary()?;
            rest.push((operator, self.number(operand, at)?));
        }
    }

    fn arithmetic(&self, first: Node, at: usize, rest: Vec<(ArithmeticOperator, Node)>) -> Result<Node, SelectorError> {
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Node::Arithmetic(Box::new(self.number(first, at)?), rest))
    }

    fn unary(&mut self) -> Result<Node, SelectorError> {
        let negates = match self.token {
            Token::Symbol("+") => false,
            Token::Symbol("-") => true,
            _ => return self.primary(),
        };
        self.advance()?;
        if let (true, Token::Integer(magnitude)) = (negates, &self.token) {
            // The one whole number whose magnitude alone does not fit.
            let value = 0_i64.checked_sub_unsigned(*magnitude);
            let value = value.ok_or_else(|| error(self.at, format!("`-{magnitude}` is not a number of 64 bits")))?;
            self.advance()?;
            return Ok(Node::Literal(Operand::Integer(value)));
        }
        self.enter()?;
        let at = self.at;
        let operand = self.unary()?;
        self.depth -= 1;
        let operand = self.number(operand, at)?;
        Ok(match operand {
            operand if !negates => operand,
            Node::Literal(Operand::Double(value)) => Node::Literal(Operand::Double(-value)),
            operand => Node::Negate(Box::new(operand)),
        })
    }

    fn primary(&mut self) -> Result<Node, SelectorError> {
        let at = self.at;
        match self.token {
            Token::Symbol("(") => {
                self.advance()?;
                self.enter()?;
                let node = self.disjunction()?;
                self.depth -= 1;
                self.expect(&Token::Symbol(")"))?;
                return Ok(node);
            }
            Token::Keyword(Keyword::Null) => return Err(error(at, "NULL stands only after IS or IS NOT")),
            Token::Keyword(Keyword::Not) => return Err(error(at, "NOT inside a comparison needs parentheses")),
            Token::Keyword(Keyword::True | Keyword::False)
            | Token::Identifier(_)
            | Token::Integer(_)
            | Token::Double(_)
            | Token::Text(_) => {}
            Token::End
            | Token::Symbol(_)
            | Token::Keyword(
                Keyword::And
                | Keyword::Between
                | Keyword::Escape
                | Keyword::In
                | Keyword::Is
                | Keyword::Like
                | Keyword::Or,
            ) => return Err(self.unexpected("a property, a number or a text")),
        }
        match self.advance()? {
            Token::Keyword(keyword) => Ok(Node::Literal(Operand::Bool(keyword == Keyword::True))),
            Token::Identifier(name) => self.name(name, at),
            Token::Integer(magnitude) => match i64::try_from(magnitude) {
                Ok(value) => Ok(Node::Literal(Operand::Integer(value))),
                Err(_) => Err(error(at, format!("`{magnitude}` is not a number of 64 bits"))),
            },
            Token::Double(value) => Ok(Node::Literal(Operand::Double(value))),
            Token::Text(text) => Ok(Node::Literal(Operand::Text(Cow::Owned(text)))),
            other @ (Token::End | Token::Symbol(_)) => unreachable!("a value was looked at and {other:?} was taken"),
        }
    }

    /// A header or a property; what is called like a function is refused.
    fn name(&self, name: &str, at: usize) -> Result<Node, SelectorError> {
        let known = CLASSIC_FUNCTIONS.iter().find(|known| known.eq_ignore_ascii_case(name));
        match (known, &self.token) {
            (Some(function), Token::Symbol("(") | Token::Text(_)) => {
                Err(error(at, format!("the function {function} is not supported")))
            }
            (_, Token::Symbol("(")) => Err(error(at, format!("selectors have no function `{name}`"))),
            _ => Ok(match HeaderField::find(name) {
                Some(header) => Node::Header(header),
                None => Node::Property(Box::from(name)),
            }),
        }
    }

    /// Lets pass what can be a number. Where text converts, a literal that looks like one becomes one.
    fn number(&self, node: Node, at: usize) -> Result<Node, SelectorError> {
        match node.shape() {
            Shape::Any | Shape::Number => Ok(node),
            Shape::Truth => Err(error(at, "a number was expected, not a truth value")),
            Shape::Text => match &node {
                Node::Literal(Operand::Text(text)) if self.converts_text => {
                    let number = number_of_text(text).ok_or_else(|| error(at, "a number was expected, not text"))?;
                    Ok(Node::Literal(number.into()))
                }
                _ => Err(error(at, "a number was expected, not text: text has only = and <>")),
            },
        }
    }
}

fn comparison_operator(symbol: &str) -> Option<ComparisonOperator> {
    Some(match symbol {
        "=" => ComparisonOperator::Equal,
        "<>" => ComparisonOperator::NotEqual,
        "<" => ComparisonOperator::Less,
        "<=" => ComparisonOperator::LessOrEqual,
        ">" => ComparisonOperator::Greater,
        ">=" => ComparisonOperator::GreaterOrEqual,
        _ => return None,
    })
}

fn require_condition(node: &Node, at: usize) -> Result<(), SelectorError> {
    match node.shape() {
        Shape::Any | Shape::Truth => Ok(()),
        Shape::Number => Err(error(at, "a condition was expected, not a number")),
        Shape::Text => Err(error(at, "a condition was expected, not text")),
    }
}
