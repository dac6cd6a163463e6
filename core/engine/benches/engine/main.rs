//! What the engine costs, beside a floor that does the least there is to do, in the same run.
//!
//! `cargo bench -p core-engine` prints its tables. Times on shared hardware are unsteady: read the
//! ratios. `-- --small` leaves out the stores of a million.

mod floor;
mod ingest;
mod measure;
mod reads;
mod subject;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    ingest::run();
    if given("--ingest") {
        return;
    }
    reads::run(10_000);
    if !given("--small") {
        reads::run(1_000_000);
    }
}
