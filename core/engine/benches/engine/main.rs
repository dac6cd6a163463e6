//! The engine's cost, beside a floor that does the least possible work, in the same run.
//!
//! `cargo bench -p core-engine` prints its tables. Times on shared hardware are unsteady: read the
//! ratios. After `--`: `--ingest` or `--reads` does only that half, `--small` leaves out the stores
//! of a million, `--alone` has the engine ingest without the floor, for a profiler, and `--large`
//! does only a store of ten million messages, which takes some minutes and 5 GB.

mod floor;
mod ingest;
mod large;
mod measure;
mod posts;
mod reads;
mod retention;
mod subject;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if given("--alone") {
        for (senders, rooms) in [(1, 1), (64, 1), (64, 500), (1024, 500), (1024, 10_000)] {
            ingest::alone(senders, rooms);
        }
        return;
    }
    if given("--large") {
        return large::run();
    }
    if !given("--reads") {
        ingest::run();
    }
    if !given("--ingest") {
        retention::run();
        reads::run(10_000);
        if !given("--small") {
            reads::run(1_000_000);
        }
    }
}
