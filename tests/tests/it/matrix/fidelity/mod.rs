//! The fidelity contract, as the program states it, against what clients of each dialect really see
//! of each other: a field that is exact arrives as it was given, one that is emulated or lost does
//! not.

mod changes;
mod contract;
mod look;
mod messages;
mod people;
mod rooms;
mod samples;
mod seen;
mod texts;

use super::site;
