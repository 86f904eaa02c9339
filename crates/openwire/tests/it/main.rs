//! The codec against frames of the Java client, against hostile frames, and against chance.

mod golden;
mod hostile;
mod mutation;
mod runs;
mod surface;
