//! Exceptions: the name of a Java class and a message, as plain text. Nothing is ever made of the name.

use crate::codec::CodecError;
use crate::codec::reader::{Read, Reader};
use crate::codec::table::{Coded, Kind};
use crate::codec::writer::Writer;
use crate::limits::STACK_TRACE_ELEMENTS_MAX;
use std::sync::Arc;

/// An exception.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Throwable {
    /// The Java class that a Java client will make of it.
    pub class_name: Option<Arc<str>>,
    /// What it says.
    pub message: Option<Arc<str>>,
    /// Where it was thrown, innermost first; only sent where both sides agreed to stack traces.
    pub stack_trace: Vec<StackTraceElement>,
    /// What caused it; only sent where both sides agreed to stack traces.
    pub cause: Option<Box<Throwable>>,
}

/// One line of a stack trace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StackTraceElement {
    /// The class.
    pub class_name: Option<Arc<str>>,
    /// The method.
    pub method_name: Option<Arc<str>>,
    /// The file.
    pub file_name: Option<Arc<str>>,
    /// The line in the file; negative: unknown.
    pub line: i32,
}

impl Kind for Throwable {
    type Value = Option<Box<Throwable>>;
}

impl Coded for Throwable {
    fn read(value: &mut Self::Value, reader: &mut Reader<'_>) -> Read<()> {
        *value = None;
        if !reader.boolean()? {
            return Ok(());
        }
        reader.enter()?;
        let mut throwable = Box::new(Self { class_name: reader.text()?, message: reader.text()?, ..Self::default() });
        if reader.has_stack_traces() {
            let count = reader.count()?;
            if count > STACK_TRACE_ELEMENTS_MAX {
                return reader.fail(CodecError::TooMany);
            }
            for _ in 0..count {
                reader.count_structure()?;
                throwable.stack_trace.push(StackTraceElement {
                    class_name: reader.text()?,
                    method_name: reader.text()?,
                    file_name: reader.text()?,
                    line: reader.int()?,
                });
            }
            Self::read(&mut throwable.cause, reader)?;
        }
        reader.leave();
        *value = Some(throwable);
        Ok(())
    }

    fn write(value: &Self::Value, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        writer.boolean(value.is_some());
        let Some(throwable) = value else { return Ok(()) };
        writer.text(throwable.class_name.as_deref())?;
        writer.text(throwable.message.as_deref())?;
        if !writer.has_stack_traces() {
            return Ok(());
        }
        writer.count(throwable.stack_trace.len())?;
        for element in &throwable.stack_trace {
            writer.text(element.class_name.as_deref())?;
            writer.text(element.method_name.as_deref())?;
            writer.text(element.file_name.as_deref())?;
            writer.int(element.line);
        }
        Self::write(&throwable.cause, writer)
    }
}
