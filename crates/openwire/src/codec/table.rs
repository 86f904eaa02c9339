//! The language of the tables: what kinds of field there are, and how a table becomes a structure.
//!
//! Each command file holds one table per command, a row per field in the order of the wire:
//!
//! ```text
//! structure! {
//!     /// What it is for.
//!     ProducerInfo = 6 : Command {          type code; ": Command" puts command_id and response_required in front
//!         producer_id: Cached<ProducerId>;              through the marshal cache
//!         window_size: Int, since 3;                    only from version 3 on
//!     }
//! }
//! ```
//!
//! The table becomes the struct, its default, one function that reads it and one that writes it. Tight, loose, cached and
//! uncached are the business of the reader and the writer underneath, so that the order of fields stands in one place.
//!
//! Reading is reading over: a field of the new command takes the place of the same field of an old one, and what is the
//! same in both stays where it is. So ids and destinations that repeat are not made again.

use crate::codec::CodecError;
use crate::codec::ids::Cacheable;
use crate::codec::message_body::MessageBody;
use crate::codec::reader::{Read, Reader};
use crate::codec::repeat::Again;
use crate::codec::writer::Writer;
use bytes::Bytes;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A kind of field.
pub trait Kind {
    /// What the field holds in memory.
    type Value;
}

/// How a kind of field is read and written.
pub(crate) trait Coded: Kind {
    /// Reads over `value`. After an error it is undefined, but valid.
    fn read(value: &mut Self::Value, reader: &mut Reader<'_>) -> Read<()>;
    fn write(value: &Self::Value, writer: &mut Writer<'_>) -> Result<(), CodecError>;

    /// As [`Self::read`], out of a frame that is like the last one but for the rows that change: most kinds do not.
    #[inline(always)]
    fn read_changed(_value: &mut Self::Value, _again: &mut Again<'_>) -> Option<()> {
        Some(())
    }
}

/// Something with a type code.
pub(crate) trait Structure: Sized {
    /// Its name, for errors.
    const NAME: &'static str;
    /// The code it is sent with.
    fn type_code(&self) -> u8;
    /// Reads what follows the type code `code`.
    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self>;
    /// Writes what follows the type code.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError>;

    /// As [`Self::read`], over what is here. After an error that is undefined, but valid.
    fn read_over(&mut self, code: u8, reader: &mut Reader<'_>) -> Read<()> {
        *self = Self::read(code, reader)?;
        Ok(())
    }

    /// As [`Self::read_over`], out of a frame that is like the last one but for the rows that change.
    #[inline(always)]
    fn read_changed(&mut self, _again: &mut Again<'_>) -> Option<()> {
        Some(())
    }

    /// As [`Self::read`], into a box: a large structure is read where it stays instead of being moved there.
    fn read_boxed(code: u8, reader: &mut Reader<'_>) -> Read<Box<Self>> {
        Self::read(code, reader).map(Box::new)
    }
}

impl<T: Structure> Structure for Box<T> {
    const NAME: &'static str = T::NAME;

    fn type_code(&self) -> u8 {
        T::type_code(self)
    }

    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
        T::read_boxed(code, reader)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        T::write(self, writer)
    }

    fn read_over(&mut self, code: u8, reader: &mut Reader<'_>) -> Read<()> {
        T::read_over(self, code, reader)
    }

    fn read_changed(&mut self, again: &mut Again<'_>) -> Option<()> {
        T::read_changed(self, again)
    }
}

/// Declares kinds: name, documentation, value, how it is read from `r` over `old`, how it is written from `v` to `w`; where it
/// changes from one command to the next, how it is read from `a` over `old`.
macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident $(<$param:ident: $bound:ident>)? => $value:ty,
        |$old:ident, $r:ident| $read:expr, |$v:ident, $w:ident| $write:expr
        $(, |$changed:ident, $a:ident| $again:expr)?;)*) => { $(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name $(<$param>(PhantomData<$param>))?;

        impl $(<$param>)? Kind for $name $(<$param>)? {
            type Value = $value;
        }

        impl $(<$param: $bound>)? Coded for $name $(<$param>)? {
            #[inline(always)]
            fn read($old: &mut $value, $r: &mut Reader<'_>) -> Read<()> {
                $read
            }

            #[inline]
            fn write($v: &$value, $w: &mut Writer<'_>) -> Result<(), CodecError> {
                $write
            }

            $(#[inline(always)]
            fn read_changed($changed: &mut $value, $a: &mut Again<'_>) -> Option<()> {
                $again
            })?
        }
    )* };
}

kinds! {
    /// A truth value: a bit in tight, a byte in loose encoding.
    Boolean => bool, |old, r| set(old, r.boolean()), |v, w| { w.boolean(*v); Ok(()) };
    /// 8 bits, signed.
    Byte => i8, |old, r| set(old, r.byte()), |v, w| { w.byte(*v); Ok(()) };
    /// 32 bits, signed.
    Int => i32, |old, r| set(old, r.int()), |v, w| { w.int(*v); Ok(()) };
    /// 64 bits, signed; short in tight encoding when it is small.
    Long => i64, |old, r| set(old, r.long()), |v, w| { w.long(*v); Ok(()) };
    /// Text that may be absent.
    Text => Option<Arc<str>>, |old, r| r.text_over(old), |v, w| w.text(v.as_deref());
    /// Text that identifies something: null is refused.
    Name => Arc<str>, |old, r| r.name_over(old), |v, w| w.text(Some(v));
    /// Text that is never shown.
    Hidden => Option<Secret>, |old, r| set(old, Ok(r.text()?.map(Secret))), |v, w| w.text(v.as_ref().map(Secret::expose));
    /// Octets that may be absent: a slice of the frame, not copied.
    Octets => Option<Bytes>, |old, r| set(old, r.optional_octets()), |v, w| w.optional_octets(v.as_deref());
    /// Content and properties of a message: one slice of the frame for both, not copied.
    Body => MessageBody, |old, r| set(old, MessageBody::read(r)), |v, w| v.write(w),
        |old, a| a.body().map(|body| *old = body);
    /// A few octets that outlive their frame: copied, so that they do not pin it.
    OwnOctets => Option<Bytes>,
        |old, r| set(old, Ok(r.optional_octets()?.map(|octets| Bytes::copy_from_slice(&octets)))),
        |v, w| w.optional_octets(v.as_deref());
    /// Eight octets without a length.
    EightOctets => [u8; 8], |old, r| set(old, r.array()), |v, w| { w.octets(v); Ok(()) };
    /// A structure inside this one, or nothing.
    Nested<T: Structure> => Option<T>, |old, r| r.nested_over(old), |v, w| w.nested(v.as_ref()),
        |old, a| old.as_mut().map_or(Some(()), |old| old.read_changed(a));
    /// A structure that goes through the marshal cache where it is on.
    Cached<T: Cacheable> => Option<T>, |old, r| r.cached_over(old), |v, w| w.cached(v.as_ref());
    /// Structures one after another, or nothing, which is not the same as none.
    Array<T: Structure> => Option<Vec<T>>, |old, r| r.structures_over(old), |v, w| w.structures(v.as_deref());
}

/// What was read takes the place of what was there.
#[inline(always)]
fn set<T>(old: &mut T, new: Read<T>) -> Read<()> {
    *old = new?;
    Ok(())
}

/// Text that no log and no panic shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for comparing and sending.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// A table without a type code: the struct, its default, how it is read and written.
macro_rules! fields {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $field:ident: $kind:ty $(, since $since:literal)? $(, until $until:literal)?
            $(, or $default:literal)?;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name {
            $($(#[$doc])* pub $field: <$kind as crate::codec::table::Kind>::Value,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: crate::codec::table::or_default!($($default)?),)* }
            }
        }

        impl $name {
            /// Reads over what the version has; the other fields stay as they are.
            #[allow(unused_variables, reason = "some tables have no rows, or none that depends on the version")]
            pub(crate) fn read_into(
                &mut self,
                reader: &mut crate::codec::reader::Reader<'_>,
            ) -> crate::codec::reader::Read<()> {
                let version = reader.version();
                $(if crate::codec::table::exists!(version $(, since $since)? $(, until $until)?) {
                    <$kind as crate::codec::table::Coded>::read(&mut self.$field, reader)?;
                })*
                Ok(())
            }

            /// Reads over the rows that change, see [`crate::codec::repeat`].
            #[allow(unused_variables, reason = "some tables have no rows, or none that depends on the version")]
            #[inline(always)]
            pub(crate) fn read_changed_fields(&mut self, again: &mut crate::codec::repeat::Again<'_>) -> Option<()> {
                let version = again.version();
                $(if crate::codec::table::exists!(version $(, since $since)? $(, until $until)?) {
                    <$kind as crate::codec::table::Coded>::read_changed(&mut self.$field, again)?;
                })*
                Some(())
            }

            #[allow(unused_variables, reason = "some tables have no rows, or none that depends on the version")]
            pub(crate) fn write_fields(
                &self,
                writer: &mut crate::codec::writer::Writer<'_>,
            ) -> Result<(), crate::codec::CodecError> {
                let version = writer.version();
                $(if crate::codec::table::exists!(version $(, since $since)? $(, until $until)?) {
                    <$kind as crate::codec::table::Coded>::write(&self.$field, writer)?;
                })*
                Ok(())
            }
        }
    };
}

/// A table with a type code.
macro_rules! structure {
    ($(#[$meta:meta])* $name:ident = $code:literal $(since $first:literal)? : Command { $($rows:tt)* }) => {
        crate::codec::table::structure! {
            $(#[$meta])* $name = $code $(since $first)? {
                /// Numbers the commands of one side; a response names it.
                command_id: crate::codec::repeat::Changing<crate::codec::table::Int>;
                /// Whether the sender waits for a response.
                response_required: crate::codec::table::Boolean;
                $($rows)*
            }
        }
    };
    ($(#[$meta:meta])* $name:ident = $code:literal $(since $first:literal)? { $($rows:tt)* }) => {
        crate::codec::table::fields! { $(#[$meta])* $name { $($rows)* } }

        impl $name {
            /// The code in front of it on the wire.
            pub const TYPE_CODE: u8 = $code;
        }

        impl crate::codec::table::Structure for $name {
            const NAME: &'static str = stringify!($name);

            fn type_code(&self) -> u8 {
                $code
            }

            fn read(
                code: u8,
                reader: &mut crate::codec::reader::Reader<'_>,
            ) -> crate::codec::reader::Read<Self> {
                let mut fields = Self::default();
                fields.read_over(code, reader)?;
                Ok(fields)
            }

            fn read_over(
                &mut self,
                code: u8,
                reader: &mut crate::codec::reader::Reader<'_>,
            ) -> crate::codec::reader::Read<()> {
                if code != $code {
                    return reader.fail(crate::codec::CodecError::UnexpectedType { found: code, wanted: Self::NAME });
                }
                if !crate::codec::table::exists!(reader.version() $(, since $first)?) {
                    return reader.fail(crate::codec::CodecError::UnknownType(code));
                }
                self.read_into(reader)
            }

            fn read_changed(&mut self, again: &mut crate::codec::repeat::Again<'_>) -> Option<()> {
                self.read_changed_fields(again)
            }

            fn write(&self, writer: &mut crate::codec::writer::Writer<'_>) -> Result<(), crate::codec::CodecError> {
                if !crate::codec::table::exists!(writer.version() $(, since $first)?) {
                    return Err(crate::codec::CodecError::NotInVersion(Self::NAME, writer.version()));
                }
                self.write_fields(writer)
            }
        }
    };
}

/// Whether a row exists in a version.
macro_rules! exists {
    ($version:expr) => {
        true
    };
    ($version:expr, since $since:literal) => {
        $version >= $since
    };
    ($version:expr, until $until:literal) => {
        $version <= $until
    };
}

/// What a field holds that the version does not have.
macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:literal) => {
        $default
    };
}

pub(crate) use {exists, fields, or_default, structure};
