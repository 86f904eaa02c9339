//! A selector as a tree. Chains of one operator are lists, so that only parentheses, signs and NOT make it deeper.

use crate::selector::Operand;
use crate::selector::like::Pattern;

/// A condition or a value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// As written.
    Literal(Operand<'static>),
    /// A `JMS…` header.
    Header(HeaderField),
    /// An application property.
    Property(Box<str>),
    /// `-x`
    Negate(Box<Node>),
    /// `first op x op y …`, from the left.
    Arithmetic(Box<Node>, Vec<(ArithmeticOperator, Node)>),
    /// `left op right`
    Compare(Box<Comparison>),
    /// `value [NOT] BETWEEN low AND high`
    Between(Box<Between>),
    /// `value [NOT] IN (…)`
    In(Box<Membership>),
    /// `value [NOT] LIKE pattern`
    Like(Box<Likeness>),
    /// `value IS NULL`
    IsNull(Box<Node>),
    /// `NOT x`
    Not(Box<Node>),
    /// `x AND y …`
    And(Vec<Node>),
    /// `x OR y …`
    Or(Vec<Node>),
}

/// `left op right`
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) left: Node,
    pub(super) operator: ComparisonOperator,
    pub(super) right: Node,
}

/// `value [NOT] BETWEEN low AND high`
#[derive(Clone, Debug)]
pub(super) struct Between {
    pub(super) negated: bool,
    pub(super) value: Node,
    pub(super) low: Node,
    pub(super) high: Node,
}

/// `value [NOT] IN (…)`
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) negated: bool,
    pub(super) value: Node,
    pub(super) list: Vec<Operand<'static>>,
}

/// `value [NOT] LIKE pattern`
#[derive(Clone, Debug)]
pub(super) struct Likeness {
    pub(super) negated: bool,
    pub(super) value: Node,
    pub(super) pattern: Pattern,
}

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ComparisonOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How two numbers are put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ArithmeticOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// The headers that a selector may name. Every other `JMS…` name is an application property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeaderField {
    Destination,
    ReplyTo,
    Type,
    DeliveryMode,
    Priority,
    MessageId,
    Timestamp,
    CorrelationId,
    Expiration,
    Redelivered,
    DeliveryCount,
    GroupId,
    GroupSequence,
    UserId,
}

impl HeaderField {
    /// The header of this name; names of headers are case-sensitive like those of properties.
    pub(super) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "JMSDestination" => Self::Destination,
            "JMSReplyTo" => Self::ReplyTo,
            "JMSType" => Self::Type,
            "JMSDeliveryMode" => Self::DeliveryMode,
            "JMSPriority" => Self::Priority,
            "JMSMessageID" => Self::MessageId,
            // When it came in is not kept: a moment after it was sent.
            "JMSTimestamp" | "JMSActiveMQBrokerInTime" => Self::Timestamp,
            "JMSCorrelationID" => Self::CorrelationId,
            "JMSExpiration" => Self::Expiration,
            "JMSRedelivered" => Self::Redelivered,
            "JMSXDeliveryCount" => Self::DeliveryCount,
            "JMSXGroupID" => Self::GroupId,
            "JMSXGroupSeq" => Self::GroupSequence,
            "JMSXUserID" => Self::UserId,
            _ => return None,
        })
    }
}

/// What is known of a node's value before any message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// A header or a property: anything.
    Any,
    /// A truth value.
    Truth,
    /// A number.
    Number,
    /// Text.
    Text,
}

impl Node {
    /// What is known of the value.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Header(_) | Self::Property(_) | Self::Literal(Operand::Null) => Shape::Any,
            Self::Literal(Operand::Integer(_) | Operand::Double(_)) => Shape::Number,
            Self::Literal(Operand::Text(_)) => Shape::Text,
            Self::Negate(_) | Self::Arithmetic(..) => Shape::Number,
            Self::Literal(Operand::Bool(_))
            | Self::Compare(_)
            | Self::Between(_)
            | Self::In(_)
            | Self::Like(_)
            | Self::IsNull(_)
            | Self::Not(_)
            | Self::And(_)
            | Self::Or(_) => Shape::Truth,
        }
    }
}
