//! Durable messages, flat out and at a rate, beside the floor in turn.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::floor::Floor;
use crate::measure::{cpu, median, percentile};
use crate::posts::{Posts, TEXT_BYTES};
use crate::subject::Subject;

/// How long each measurement runs.
const SPAN: Duration = Duration::from_millis(1_500);
/// Measurements of each side, in turn; the median counts.
const TURNS: usize = 5;

/// The figures of one measurement.
pub(crate) struct Figures {
    /// Messages a second.
    rate: f64,
    /// Microseconds from when a message was due until it was durable.
    p50: f64,
    p99: f64,
    /// CPU time of this process a message, microseconds.
    pub(crate) cpu: f64,
    /// Messages a commit.
    grouped: f64,
}

pub(crate) fn run() {
    println!("durable messages of {TEXT_BYTES} bytes; × is the engine to the floor");
    println!(
        "{:>26} {:>9} {:>5} {:>9} {:>5} {:>9} {:>5} {:>7} {:>5} {:>14}",
        "", "/s", "×", "p50 µs", "×", "p99 µs", "×", "CPU µs", "×", "a commit"
    );
    for (senders, rooms) in [(1, 1), (64, 1), (64, 500), (1024, 1), (1024, 500), (1024, 10_000)] {
        let title = format!("{senders} senders, {rooms} rooms");
        job(&title, rooms, |posts| flat_out(posts, senders, rooms));
    }
    for rate in [200, 2_000, 20_000] {
        job(&format!("{rate} /s, 500 rooms"), 500, |posts| at_a_rate(posts, rate, 500));
    }
}

/// The engine alone, for a profiler.
pub(crate) fn alone(senders: usize, rooms: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Subject::open(&folder.path().join("engine.redb"));
    engine.furnish(rooms.into());
    let figures: Vec<f64> = (0..TURNS).map(|_| flat_out(&engine, senders, rooms).cpu).collect();
    println!("{senders} senders, {rooms} rooms: {:.2} µs of CPU a message", median(figures));
}

fn job(title: &str, rooms: u32, measure: impl Fn(&dyn Posts) -> Figures) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = Subject::open(&folder.path().join("engine.redb"));
    engine.furnish(rooms.into());
    let floor = Floor::open(&folder.path().join("floor.redb"));
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..TURNS {
        ours.push(measure(&engine));
        theirs.push(measure(&floor));
    }
    let of = |figures: &[Figures], field: fn(&Figures) -> f64| median(figures.iter().map(field));
    print!("{title:>26}");
    let fields: [fn(&Figures) -> f64; 4] = [|f| f.rate, |f| f.p50, |f| f.p99, |f| f.cpu];
    for (field, (width, places)) in fields.into_iter().zip([(9, 0), (9, 0), (9, 0), (7, 2)]) {
        let engine = of(&ours, field);
        let floor = of(&theirs, field);
        print!(" {engine:>width$.places$} {:>5.2}", engine / floor);
    }
    println!(" {:>6.1} / {:>5.1}", of(&ours, |f| f.grouped), of(&theirs, |f| f.grouped));
}

/// `senders` callers, each waiting for its answer before the next message.
pub(crate) fn flat_out(posts: &dyn Posts, senders: usize, rooms: u32) -> Figures {
    let start = Instant::now();
    let before = cpu();
    let mut number = 0;
    let mut under_way = VecDeque::with_capacity(senders);
    let mut post = |under_way: &mut VecDeque<Instant>| {
        number += 1;
        under_way.push_back(Instant::now());
        posts.post(nth_room(number, rooms));
    };
    for _ in 0..senders {
        post(&mut under_way);
    }
    let mut latencies = Vec::new();
    let mut commits = 0;
    while !under_way.is_empty() {
        let answered = posts.answered().recv().expect("an answer");
        commits += 1;
        let now = Instant::now();
        latencies.extend(under_way.drain(..answered).map(|sent| micros(now - sent)));
        if now - start < SPAN {
            for _ in 0..answered {
                post(&mut under_way);
            }
        }
    }
    Figures::new(latencies, commits, start.elapsed(), cpu() - before)
}

/// `rate` messages a second, without waiting for answers.
fn at_a_rate(posts: &dyn Posts, rate: u32, rooms: u32) -> Figures {
    let start = Instant::now();
    let before = cpu();
    let count = (f64::from(rate) * SPAN.as_secs_f64()) as u32;
    let mut latencies = Vec::new();
    let mut commits = 0;
    let mut posted = 0;
    let due = |number: u32| start + SPAN * number / count;
    while latencies.len() < count as usize {
        let now = Instant::now();
        while posted < count && due(posted) <= now {
            posts.post(nth_room(posted, rooms));
            posted += 1;
        }
        let wait = if posted < count {
            due(posted).saturating_duration_since(Instant::now())
        } else {
            SPAN
        };
        if let Ok(answered) = posts.answered().recv_timeout(wait) {
            commits += 1;
            let now = Instant::now();
            let first = latencies.len() as u32;
            latencies.extend((first..first + answered as u32).map(|n| micros(now - due(n))));
        }
    }
    Figures::new(latencies, commits, start.elapsed(), cpu() - before)
}

/// All rooms in turn, in an order in which neighbours in time are none in place.
pub(crate) fn nth_room(number: u32, rooms: u32) -> u32 {
    (u64::from(number) * 7_919 % u64::from(rooms)) as u32 + 1
}

impl Figures {
    fn new(mut latencies: Vec<f64>, commits: usize, span: Duration, cpu: Duration) -> Self {
        let count = latencies.len() as f64;
        Self {
            rate: count / span.as_secs_f64(),
            p50: percentile(&mut latencies, 0.5),
            p99: percentile(&mut latencies, 0.99),
            cpu: micros(cpu) / count,
            grouped: count / commits as f64,
        }
    }
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
