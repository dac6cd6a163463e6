//! Front ends in shared libraries: they say what linked ones say, and what they do wrong costs
//! them only.

#![allow(unsafe_code, reason = "some tables are made here, and some functions called bare")]

mod c;
mod faulty;
mod load;
mod page;
mod parity;
mod tables;
