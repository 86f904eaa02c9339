//! Evaluates a selector on a message, in the three-valued logic of SQL.

use crate::message::{DeliveryMode, Group, Message};
use crate::selector::node::{ArithmeticOperator, ComparisonOperator, HeaderField, Node};
use crate::selector::{Effort, Operand};
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

/// Whether the condition is true of the message.
pub(super) fn wants(
    condition: &Node,
    message: &Message,
    redeliveries: u32,
    converts_text: bool,
    effort: &mut Effort,
) -> bool {
    let allowance = effort.allowance();
    let evaluation = Evaluation { message, redeliveries, converts_text, steps_left: Cell::new(allowance) };
    let truth = evaluation.truth(condition);
    effort.steps += u64::from(allowance - evaluation.steps_left.get());
    truth == Truth::True
}

/// The value of a header or property, on behalf of selectors that demand something of it.
pub(super) fn look<'m>(subject: &'m Node, message: &'m Message, redeliveries: u32, effort: &mut Effort) -> Operand<'m> {
    let allowance = effort.allowance();
    let evaluation = Evaluation { message, redeliveries, converts_text: false, steps_left: Cell::new(allowance) };
    let value = evaluation.operand(subject);
    effort.steps += u64::from(allowance - evaluation.steps_left.get());
    value
}

/// Bytes that the search for a property passes in a step.
const BYTES_PER_STEP: usize = 64;

/// What a condition can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    fn of(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }

    fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    fn negated_if(self, negated: bool) -> Self {
        if negated { self.negated() } else { self }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, Self::True | Self::Unknown) | (Self::True, Self::Unknown) => Self::Unknown,
        }
    }

    fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }
}

/// A number of either kind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Integer(i64),
    Double(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "a whole number beside an approximate one is approximate")]
    pub(super) fn approximate(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Double(value) => value,
        }
    }

    /// `None`: one of them is not a number.
    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (left, right) => left.approximate().partial_cmp(&right.approximate()),
        }
    }
}

impl From<Number> for Operand<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(value) => Self::Integer(value),
            Number::Double(value) => Self::Double(value),
        }
    }
}

/// Reads text that looks like a number: sign, digits, point, exponent; no spaces, no suffix, no words like `inf`.
pub(super) fn number_of_text(text: &str) -> Option<Number> {
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    match text.parse::<i64>() {
        Ok(value) => Some(Number::Integer(value)),
        Err(_) => text.parse::<f64>().ok().map(Number::Double),
    }
}

/// Whether two values are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Equality {
    /// One of them is absent.
    Unknown,
    /// They are of types that do not compare.
    Unlike,
    /// They are.
    Same,
    /// They are not.
    Different,
}

impl Equality {
    fn of(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }

    /// The truth of `=`.
    fn truth(self) -> Truth {
        match self {
            Self::Unknown => Truth::Unknown,
            Self::Same => Truth::True,
            Self::Different | Self::Unlike => Truth::False,
        }
    }
}

/// One evaluation: the message and how to look at it.
struct Evaluation<'m> {
    message: &'m Message,
    redeliveries: u32,
    converts_text: bool,
    /// What is not known when they are spent stays unknown.
    steps_left: Cell<u32>,
}

impl<'m> Evaluation<'m> {
    /// Takes steps; tells whether there were as many.
    fn spend(&self, steps: usize) -> bool {
        let left = usize::try_from(self.steps_left.get()).unwrap_or(usize::MAX).checked_sub(steps);
        self.steps_left.set(left.map_or(0, |left| u32::try_from(left).unwrap_or(u32::MAX)));
        left.is_some()
    }

    fn truth(&self, node: &'m Node) -> Truth {
        if !self.spend(1) {
            return Truth::Unknown;
        }
        match node {
            Node::Compare(comparison) => {
                let left = self.operand(&comparison.left);
                match &comparison.right {
                    // The usual case: a literal is looked at where it lies.
                    Node::Literal(right) => self.compare(&left, comparison.operator, right),
                    right => self.compare(&left, comparison.operator, &self.operand(right)),
                }
            }
            Node::And(parts) => self.all(parts),
            Node::Or(parts) => self.any(parts),
            Node::Not(condition) => self.truth(condition).negated(),
            Node::Between(between) => {
                let value = self.operand(&between.value);
                let low = self.operand(&between.low);
                let high = self.operand(&between.high);
                if between.negated {
                    let below = self.compare(&value, ComparisonOperator::Less, &low);
                    below.or(self.compare(&value, ComparisonOperator::Greater, &high))
                } else {
                    let above = self.compare(&value, ComparisonOperator::GreaterOrEqual, &low);
                    above.and(self.compare(&value, ComparisonOperator::LessOrEqual, &high))
                }
            }
            Node::In(membership) => {
                let value = self.operand(&membership.value);
                if matches!(value, Operand::Null) {
                    return Truth::Unknown;
                }
                if !self.spend(membership.list.len()) {
                    return Truth::Unknown;
                }
                let found = membership.list.iter().any(|item| self.equal(&value, item) == Equality::Same);
                Truth::of(found).negated_if(membership.negated)
            }
            Node::Like(likeness) => match self.operand(&likeness.value) {
                Operand::Null => Truth::Unknown,
                Operand::Text(text) => {
                    let mut steps = 0;
                    let found = likeness.pattern.matches(&text, self.steps_left.get() as usize, &mut steps);
                    match found {
                        Some(found) if self.spend(steps) => Truth::of(found).negated_if(likeness.negated),
                        Some(_) | None => {
                            self.steps_left.set(0);
                            Truth::Unknown
                        }
                    }
                }
                Operand::Bool(_) | Operand::Integer(_) | Operand::Double(_) => Truth::of(likeness.negated),
            },
            Node::IsNull(value) => Truth::of(matches!(self.operand(value), Operand::Null)),
            Node::Literal(_) | Node::Header(_) | Node::Property(_) | Node::Negate(_) | Node::Arithmetic(..) => {
                self.as_condition(&self.operand(node))
            }
        }
    }

    fn all(&self, parts: &'m [Node]) -> Truth {
        let mut truth = Truth::True;
        for part in parts {
            truth = truth.and(self.truth(part));
            if truth == Truth::False {
                break;
            }
        }
        truth
    }

    fn any(&self, parts: &'m [Node]) -> Truth {
        let mut truth = Truth::False;
        for part in parts {
            truth = truth.or(self.truth(part));
            if truth == Truth::True {
                break;
            }
        }
        truth
    }

    /// A value that stands where a condition is asked for; what is no truth value is false.
    fn as_condition(&self, value: &Operand<'_>) -> Truth {
        match value {
            Operand::Null => Truth::Unknown,
            Operand::Bool(value) => Truth::of(*value),
            Operand::Text(text) => Truth::of(self.converts_text && text.eq_ignore_ascii_case("true")),
            Operand::Integer(_) | Operand::Double(_) => Truth::False,
        }
    }

    fn operand(&self, node: &'m Node) -> Operand<'m> {
        match node {
            Node::Literal(value) => borrowed(value),
            Node::Property(name) => self.property(name),
            Node::Header(field) => self.header(*field),
            Node::Negate(value) => match self.number(&self.operand(value)) {
                Some(Number::Integer(value)) => value.checked_neg().map_or(Operand::Null, Operand::Integer),
                Some(Number::Double(value)) => Operand::Double(-value),
                None => Operand::Null,
            },
            Node::Arithmetic(first, rest) => self.arithmetic(first, rest).map_or(Operand::Null, Operand::from),
            Node::Compare(_)
            | Node::Between(_)
            | Node::In(_)
            | Node::Like(_)
            | Node::IsNull(_)
            | Node::Not(_)
            | Node::And(_)
            | Node::Or(_) => match self.truth(node) {
                Truth::True => Operand::Bool(true),
                Truth::False => Operand::Bool(false),
                Truth::Unknown => Operand::Null,
            },
        }
    }

    fn arithmetic(&self, first: &'m Node, rest: &'m [(ArithmeticOperator, Node)]) -> Option<Number> {
        let mut result = self.number(&self.operand(first))?;
        for (operator, operand) in rest {
            result = calculate(result, *operator, self.number(&self.operand(operand))?)?;
        }
        Some(result)
    }

    fn number(&self, operand: &Operand<'_>) -> Option<Number> {
        match operand {
            Operand::Integer(value) => Some(Number::Integer(*value)),
            Operand::Double(value) => Some(Number::Double(*value)),
            Operand::Text(text) if self.converts_text => number_of_text(text),
            Operand::Null | Operand::Bool(_) | Operand::Text(_) => None,
        }
    }

    fn compare(&self, left: &Operand<'_>, operator: ComparisonOperator, right: &Operand<'_>) -> Truth {
        match operator {
            ComparisonOperator::Equal => self.equal(left, right).truth(),
            ComparisonOperator::NotEqual => match self.equal(left, right) {
                Equality::Unlike => Truth::False,
                equality => equality.truth().negated(),
            },
            ComparisonOperator::Less => self.order(left, right, Ordering::is_lt),
            ComparisonOperator::LessOrEqual => self.order(left, right, Ordering::is_le),
            ComparisonOperator::Greater => self.order(left, right, Ordering::is_gt),
            ComparisonOperator::GreaterOrEqual => self.order(left, right, Ordering::is_ge),
        }
    }

    #[inline]
    fn order(&self, left: &Operand<'_>, right: &Operand<'_>, holds: impl Fn(Ordering) -> bool) -> Truth {
        if matches!(left, Operand::Null) || matches!(right, Operand::Null) {
            return Truth::Unknown;
        }
        match (self.number(left), self.number(right)) {
            (Some(left), Some(right)) => Truth::of(left.order(right).is_some_and(holds)),
            (None, _) | (_, None) => Truth::False,
        }
    }

    fn equal(&self, left: &Operand<'_>, right: &Operand<'_>) -> Equality {
        match (left, right) {
            (Operand::Null, _) | (_, Operand::Null) => Equality::Unknown,
            (Operand::Text(left), Operand::Text(right)) => Equality::of(left == right),
            (Operand::Bool(left), Operand::Bool(right)) => Equality::of(left == right),
            (Operand::Bool(value), Operand::Text(text)) | (Operand::Text(text), Operand::Bool(value)) => {
                self.equal_truth(*value, text)
            }
            (left, right) => match (self.number(left), self.number(right)) {
                (Some(left), Some(right)) => Equality::of(left.order(right) == Some(Ordering::Equal)),
                (None, _) | (_, None) => Equality::Unlike,
            },
        }
    }

    fn equal_truth(&self, value: bool, text: &str) -> Equality {
        if !self.converts_text {
            Equality::Unlike
        } else if text.eq_ignore_ascii_case("true") {
            Equality::of(value)
        } else if text.eq_ignore_ascii_case("false") {
            Equality::of(!value)
        } else {
            Equality::Unlike
        }
    }

    /// What the broker added hides what the producer wrote.
    fn property(&self, name: &str) -> Operand<'m> {
        if let Some(annotations) = self.message.annotations()
            && let Some((_, value)) = annotations.added.iter().find(|(added, _)| **added == *name)
        {
            return Operand::from(value);
        }
        if !self.spend(self.message.dialect.search_length(self.message) / BYTES_PER_STEP) {
            return Operand::Null;
        }
        self.message.dialect.property(self.message, name)
    }

    fn header(&self, field: HeaderField) -> Operand<'m> {
        let header = &self.message.header;
        let annotations = self.message.annotations();
        match field {
            HeaderField::Destination => {
                let original = annotations.and_then(|annotations| annotations.original_destination.as_ref());
                Operand::Text(Cow::Owned(original.unwrap_or(&header.destination).to_string()))
            }
            HeaderField::ReplyTo => {
                let reply_to = annotations.and_then(|annotations| annotations.reply_to.as_ref());
                reply_to.map_or(Operand::Null, |reply_to| Operand::Text(Cow::Owned(reply_to.to_string())))
            }
            HeaderField::Type => text_or_null(annotations.and_then(|annotations| annotations.kind.as_deref())),
            HeaderField::DeliveryMode => Operand::Text(Cow::Borrowed(match header.mode {
                DeliveryMode::Persistent => "PERSISTENT",
                DeliveryMode::NonPersistent => "NON_PERSISTENT",
            })),
            HeaderField::Priority => Operand::Integer(i64::from(header.priority)),
            HeaderField::MessageId => Operand::Text(Cow::Owned(header.id.to_string())),
            HeaderField::Timestamp => milliseconds(header.timestamp.0),
            HeaderField::CorrelationId => {
                text_or_null(annotations.and_then(|annotations| annotations.correlation_id.as_deref()))
            }
            HeaderField::Expiration => milliseconds(header.expiration.map_or(0, |at| at.0)),
            HeaderField::Redelivered => Operand::Bool(self.redeliveries > 0),
            HeaderField::DeliveryCount => Operand::Integer(i64::from(self.redeliveries) + 1),
            HeaderField::GroupId => text_or_null(group(self.message).map(|group| &*group.id)),
            HeaderField::GroupSequence => {
                group(self.message).map_or(Operand::Null, |group| Operand::Integer(i64::from(group.sequence)))
            }
            HeaderField::UserId => match annotations.and_then(|annotations| annotations.user.as_deref()) {
                Some(user) => Operand::Text(Cow::Borrowed(user)),
                None => self.property("JMSXUserID"),
            },
        }
    }
}

fn group(message: &Message) -> Option<&Group> {
    message.annotations().and_then(|annotations| annotations.group.as_ref())
}

fn milliseconds(value: u64) -> Operand<'static> {
    Operand::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn text_or_null(text: Option<&str>) -> Operand<'_> {
    text.map_or(Operand::Null, |text| Operand::Text(Cow::Borrowed(text)))
}

/// The same value without its own text.
fn borrowed<'n>(value: &'n Operand<'static>) -> Operand<'n> {
    match value {
        Operand::Null => Operand::Null,
        Operand::Bool(value) => Operand::Bool(*value),
        Operand::Integer(value) => Operand::Integer(*value),
        Operand::Double(value) => Operand::Double(*value),
        Operand::Text(text) => Operand::Text(Cow::Borrowed(text)),
    }
}

/// `None`: it overflows, or divides by a whole zero. Approximate numbers have infinities and follow IEEE 754.
fn calculate(left: Number, operator: ArithmeticOperator, right: Number) -> Option<Number> {
    if let (Number::Integer(left), Number::Integer(right)) = (left, right) {
        let result = match operator {
            ArithmeticOperator::Add => left.checked_add(right),
            ArithmeticOperator::Subtract => left.checked_sub(right),
            ArithmeticOperator::Multiply => left.checked_mul(right),
            ArithmeticOperator::Divide => left.checked_div(right),
            ArithmeticOperator::Remainder => left.checked_rem(right),
        };
        return result.map(Number::Integer);
    }
    let (left, right) = (left.approximate(), right.approximate());
    Some(Number::Double(match operator {
        ArithmeticOperator::Add => left + right,
        ArithmeticOperator::Subtract => left - right,
        ArithmeticOperator::Multiply => left * right,
        ArithmeticOperator::Divide => left / right,
        ArithmeticOperator::Remainder => left % right,
    }))
}
