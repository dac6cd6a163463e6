//! The jobs: the gateway and its floors as child processes, in turn, and a table of their costs.

mod abuse;
mod backup;
mod http;
mod identity;
mod idle;
mod load;
mod overload;
mod process;
mod scale;
mod server;
mod stored;
mod table;
mod tls;

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::{Parser, Subcommand};

use self::http::CALLS;
use self::load::CHATS;
use self::server::Stage;
use self::stored::Size;
use self::table::{FigureRow, LoadRow, Tables};
use crate::command::Bench;
use crate::floor::Floor;

/// Measures the gateway beside floors, which do only the work that no server can avoid.
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
    /// Puts a load on a running server, as `dragoman bench` does
    Client(Box<Bench>),
    /// Runs a floor
    Floor(Floor),
}

#[derive(Debug, clap::Args)]
struct Jobs {
    /// `all`, or the beginning of a job's name, or `abuse:` and that of an attack's; `--list`
    /// lists them
    #[arg(default_value = "all")]
    job: Vec<String>,

    /// Lists the jobs
    #[arg(long)]
    list: bool,

    /// One short turn instead of three, and a smaller store
    #[arg(long)]
    quick: bool,

    /// Turns per side
    #[arg(long, value_name = "N")]
    turns: Option<u32>,

    /// Seconds per turn
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,

    /// Messages on disk for the jobs `start`, `scale` and `backup`; a tenth as many users, a hundredth as
    /// many rooms
    #[arg(long, value_name = "N")]
    messages: Option<u64>,

    /// Rooms on disk for the job `search`
    #[arg(long, value_name = "N")]
    rooms: Option<u64>,

    /// The program `dragoman` [default: built, and found beside this program]
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,

    /// Another build of it, measured in turn with the first
    #[arg(long, value_name = "PATH")]
    before: Option<PathBuf>,

    /// The shared library of plugin-chatroom [default: as for --gateway]
    #[arg(long, value_name = "PATH")]
    plugin: Option<PathBuf>,

    /// A key of the gateway's configuration, such as server.threads=1; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// The folder for stores, on the disk to measure [default: beside this program]
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,

    /// Writes the tables as one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// How to run the jobs.
struct Run {
    stage: Stage,
    turns: u32,
    span: Duration,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Sub::Client(bench)) => bench.run(&[], &mut std::io::stdout()),
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

/// Jobs that fill rows of the second table.
const FIGURES: [&str; 9] =
    ["idle-5000", "idle-19500", "tls", "start", "scale", "search", "backup", "overload", "abuse"];

impl Jobs {
    fn run(&self) -> Result<(), Box<dyn Error>> {
        if self.list {
            let others = ["http-read", "http-post", "plugin"].into_iter().chain(FIGURES);
            CHATS.iter().map(|chat| chat.name).chain(others).for_each(|name| println!("{name}"));
            return Ok(());
        }
        let beside = std::env::current_exe()?;
        let folder = self.folder.clone().unwrap_or_else(|| beside.with_file_name("bench-stores"));
        let (gateway, plugin) = self.programs(&beside)?;
        let stage = Stage::new(gateway, self.before.clone(), plugin, &folder, self.set.clone())?;
        let (turns, seconds) = if self.quick { (1, 1.0) } else { (3, 1.5) };
        let seconds = self.seconds.unwrap_or(seconds);
        let turns = self.turns.unwrap_or(turns).max(1);
        let run = Run { stage, turns, span: Duration::try_from_secs_f64(seconds)? };
        let mut tables = Tables::default();
        let failed = self.tables(&run, &mut tables);
        if self.json {
            println!("{}", serde_json::to_string(&tables)?)
        } else {
            print!("{}", tables.text())
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
    }

    /// Fills the tables, and returns why jobs failed.
    fn tables(&self, run: &Run, tables: &mut Tables) -> Vec<String> {
        let mut failed = Vec::new();
        let mut note = |name: &str, error: io::Error| failed.push(format!("{name}: {error}"));
        for chat in CHATS.iter().filter(|chat| self.wants(chat.name)) {
            match run.chat(chat) {
                Ok(rows) => tables.loads.extend(rows),
                Err(error) => note(chat.name, error),
            }
        }
        for (name, rows) in self.calls(run) {
            match rows {
                Ok(rows) => tables.loads.extend(rows),
                Err(error) => note(name, error),
            }
        }
        if self.wants("plugin") && run.stage.plugin.is_some() {
            match run.plugin() {
                Ok(rows) => tables.loads.extend(rows),
                Err(error) => note("plugin", error),
            }
        }
        if self.wants("tls") {
            match run.tls_loads() {
                Ok(rows) => tables.loads.extend(rows),
                Err(error) => note("tls", error),
            }
        }
        for name in FIGURES.iter().filter(|name| self.wants(name)) {
            match self.figures(run, name) {
                Ok(rows) => tables.figures.extend(rows),
                Err(error) => note(name, error),
            }
        }
        failed
    }

    fn figures(&self, run: &Run, name: &str) -> io::Result<Vec<FigureRow>> {
        let (few, many) = if self.quick { (100_000, 100_000) } else { (10_000_000, 1_000_000) };
        let messages = self.messages.unwrap_or(few).max(10);
        let rooms = messages.div_ceil(100).min(100_000);
        let size = Size { messages, users: messages / 10, rooms };
        match name {
            "idle-5000" => run.idle(5000),
            "idle-19500" => run.idle(19_500),
            "tls" => run.tls_figures(),
            "start" => run.start(size),
            "scale" => run.scale(size),
            "search" => {
                let rooms = self.rooms.unwrap_or(many).max(1);
                run.search(Size { messages: 1000, users: 1000, rooms })
            }
            "backup" => run.backup(size),
            "overload" => run.overload(),
            _ => run.abuse(&self.attacks()),
        }
    }

    /// The selected HTTP calls, by their own names or by `http-read` or `http-post`.
    fn calls(&self, run: &Run) -> Vec<(&'static str, io::Result<Vec<LoadRow>>)> {
        let wanted =
            CALLS.iter().filter(|call| self.wants(call.kind.name()) || self.wants(call.name));
        wanted.map(|call| (call.name, run.call(call))).collect()
    }

    fn wants(&self, name: &str) -> bool {
        let jobs = self.job.iter().map(|job| job.split(':').next().unwrap_or(job));
        jobs.into_iter().any(|job| job == "all" || name.starts_with(job))
    }

    /// The attacks of `abuse:pings` and the like: the beginnings of their names.
    fn attacks(&self) -> Vec<&str> {
        self.job.iter().filter_map(|job| job.strip_prefix("abuse:")).collect()
    }

    /// The gateway's program, and chatroom as a plugin if there is one. Built first if cargo runs
    /// this program.
    fn programs(&self, beside: &Path) -> Result<(PathBuf, Option<PathBuf>), Box<dyn Error>> {
        if let (None, Some(cargo)) = (&self.gateway, std::env::var_os("CARGO")) {
            let build = ["build", "--release", "-p", "dragoman", "-p", "plugin-chatroom"];
            if !Command::new(cargo).args(build).status()?.success() {
                return Err("the gateway does not build".into());
            }
        }
        // The program of a bench lies in a subfolder.
        let folders: Vec<&Path> = beside.ancestors().skip(1).take(2).collect();
        let find =
            |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        let name = format!("{DLL_PREFIX}plugin_chatroom{DLL_SUFFIX}");
        let gateway = self.gateway.clone().or_else(|| find("dragoman")).ok_or(
            "there is no program dragoman beside this one: build it with \
             `cargo build --release -p dragoman`, or give --gateway",
        )?;
        Ok((gateway, self.plugin.clone().or_else(|| find(&name))))
    }
}

impl Run {
    /// Reports the current step.
    fn say(&self, what: &str) {
        eprintln!("{what}");
    }
}
