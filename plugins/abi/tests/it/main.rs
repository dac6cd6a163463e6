//! The C header matches the Rust source, and compilers accept it.

mod compilers;
mod generate;
mod header;
