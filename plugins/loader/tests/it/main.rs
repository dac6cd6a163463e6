//! Front ends in shared libraries behave as linked ones, and their faults cost only themselves.

#![allow(unsafe_code, reason = "some tables are made here, and some functions called bare")]

mod c;
mod faulty;
mod load;
mod order;
mod page;
mod parity;
mod tables;
