//! The jobs: the gateway and its floors as children, in turn, and a table of what they cost.

mod http;
mod idle;
mod load;
mod process;
mod server;
mod stored;
mod table;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::{Parser, Subcommand};

use self::load::CHATS;
use self::server::Stage;
use self::stored::Size;
use self::table::Tables;
use crate::command::Bench;
use crate::floor::Floor;

/// What the gateway costs, beside floors that do only what cannot be left out.
#[derive(Debug, Parser)]
#[command(name = "gateway-bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,

    #[command(flatten)]
    jobs: Jobs,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Puts a load on a server that runs, as `dragoman bench` does
    Client(Box<Bench>),
    /// Is a floor
    Floor(Floor),
}

#[derive(Debug, clap::Args)]
struct Jobs {
    /// `all`, or the beginning of a job's name; `--list` lists them
    #[arg(default_value = "all")]
    job: Vec<String>,

    /// Lists the jobs
    #[arg(long)]
    list: bool,

    /// Two short turns instead of three, and less on disk
    #[arg(long)]
    quick: bool,

    /// Turns of each side
    #[arg(long, value_name = "N")]
    turns: Option<u32>,

    /// Seconds of each turn
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// Messages on disk for the jobs `start`; a tenth as many users
    #[arg(long, value_name = "N")]
    messages: Option<u64>,

    /// Rooms on disk for the job `search`
    #[arg(long, value_name = "N")]
    rooms: Option<u64>,

    /// The program `dragoman` [default: built and taken from beside this program]
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,

    /// Another build of it, which takes its turns too
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,

    /// A key of the gateway's configuration, such as server.threads=1; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Where stores are kept meanwhile: on the disk that is measured [default: beside this program]
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,

    /// Writes the tables as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

/// How everything is run.
struct Run {
    stage: Stage,
    turns: u32,
    span: Duration,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Sub::Client(bench)) => bench.run(&[]),
        Some(Sub::Floor(floor)) => floor.run().map_err(Into::into),
        None => cli.jobs.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Jobs that are not a load on rooms, by name.
const OTHERS: [&str; 6] = ["http-read", "http-post", "idle-5000", "idle-19500", "start", "search"];

impl Jobs {
    fn run(&self) -> Result<(), Box<dyn Error>> {
        if self.list {
            let names = CHATS.iter().map(|chat| chat.name).chain(OTHERS);
            names.for_each(|name| println!("{name}"));
            return Ok(());
        }
        let beside = std::env::current_exe()?;
        let folder = self.folder.clone().unwrap_or_else(|| beside.with_file_name("bench-stores"));
        let stage =
            Stage::new(self.gateway(&beside)?, self.before.clone(), &folder, self.set.clone())?;
        let (turns, seconds) = if self.quick { (2, 1.5) } else { (3, 4.0) };
        let seconds = self.seconds.unwrap_or(seconds);
        let turns = self.turns.unwrap_or(turns).max(1);
        let run = Run { stage, turns, span: Duration::try_from_secs_f64(seconds)? };
        let tables = self.tables(&run)?;
        match self.json {
            true => println!("{}", serde_json::to_string(&tables)?),
            false => print!("{}", tables.text()),
        }
        Ok(())
    }

    fn tables(&self, run: &Run) -> io::Result<Tables> {
        let mut tables = Tables::default();
        for chat in CHATS.iter().filter(|chat| self.wants(chat.name)) {
            tables.loads.extend(run.chat(chat)?);
        }
        tables.loads.extend(run.http(|name| self.wants(name))?);
        for (name, connections) in [(OTHERS[2], 5000), (OTHERS[3], 19_500)] {
            if self.wants(name) {
                tables.figures.extend(run.idle(connections)?);
            }
        }
        let (few, many) = (if self.quick { 100_000 } else { 1_000_000 }, 1_000_000);
        if self.wants(OTHERS[4]) {
            let messages = self.messages.unwrap_or(few).max(10);
            let size = Size { messages, users: messages / 10, rooms: messages.div_ceil(1000) };
            tables.figures.extend(run.start(size)?);
        }
        if self.wants(OTHERS[5]) {
            let rooms = self.rooms.unwrap_or(if self.quick { few } else { many }).max(1);
            let size = Size { messages: 1000, users: 1000, rooms };
            tables.figures.extend(run.search(size)?);
        }
        Ok(tables)
    }

    fn wants(&self, name: &str) -> bool {
        self.job.iter().any(|job| job == "all" || name.starts_with(job.as_str()))
    }

    /// The gateway's program: built first where cargo runs this.
    fn gateway(&self, beside: &std::path::Path) -> Result<PathBuf, Box<dyn Error>> {
        if let Some(gateway) = &self.gateway {
            return Ok(gateway.clone());
        }
        if let Some(cargo) = std::env::var_os("CARGO") {
            let built =
                Command::new(cargo).args(["build", "--release", "-p", "dragoman"]).status()?;
            if !built.success() {
                return Err("the gateway does not build".into());
            }
        }
        // A bench's program lies in a folder below.
        let here = beside.ancestors().skip(1).take(2).map(|folder| folder.join("dragoman"));
        here.into_iter().find(|path| path.exists()).ok_or_else(|| {
            "there is no program dragoman beside this one: build it with \
             `cargo build --release -p dragoman`, or give --gateway"
                .into()
        })
    }
}

impl Run {
    /// Tells what is being done.
    fn say(&self, what: &str) {
        eprintln!("{what}");
    }
}
