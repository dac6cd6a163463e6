//! The C header says what the Rust source says, and compilers take it.

mod compilers;
mod generate;
mod header;
