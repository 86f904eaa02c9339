//! Answers. `correlation_id` is the `command_id` of what is answered.

use crate::codec::command::Command;
use crate::codec::table::{Array, Int, Nested, structure};
use crate::codec::throwable::Throwable;

structure! {
    /// Done.
    Response = 30 : Command {
        /// What is answered.
        correlation_id: Int;
    }
}

structure! {
    /// Refused.
    ExceptionResponse = 31 : Command {
        /// What is answered.
        correlation_id: Int;
        /// Why.
        exception: Throwable;
    }
}

structure! {
    /// Done, and here is what came of it.
    DataResponse = 32 : Command {
        /// What is answered.
        correlation_id: Int;
        /// What came of it.
        data: Nested<Box<Command>>;
    }
}

structure! {
    /// Done, and here are several things that came of it.
    DataArrayResponse = 33 : Command {
        /// What is answered.
        correlation_id: Int;
        /// What came of it.
        data: Array<Box<Command>>;
    }
}

structure! {
    /// Done, and here is a number.
    IntegerResponse = 34 : Command {
        /// What is answered.
        correlation_id: Int;
        /// The number.
        result: Int;
    }
}
