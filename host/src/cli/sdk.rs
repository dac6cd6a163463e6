//! `dragoman sdk`: generates a client package for a dialect from the recipes in the binary.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use frontend_api::Manifest;
use frontend_api::schema::{Document, Server};
use rustix::fs::{Access, access};

use super::schema::{Named, frontends, unknown};
use super::table::aligned;
use super::{Options, output};
use crate::sdks::{Recipe, recipes};

/// A file in the package's folder that names the recipe it was made from.
const MARK: &str = ".dragoman-sdk";

#[derive(Args, Debug)]
pub(super) struct Sdk {
    #[command(flatten)]
    options: Options,

    /// The dialect, by its name in gateway.toml
    #[arg(long, value_name = "NAME", requires_all = ["lang", "out"])]
    dialect: Option<String>,

    /// The language
    #[arg(long, value_name = "NAME", requires_all = ["dialect", "out"])]
    lang: Option<String>,

    /// The folder of the package
    #[arg(long, value_name = "DIR", requires_all = ["dialect", "lang"])]
    out: Option<PathBuf>,

    /// Write the files, and print the commands instead of running them
    #[arg(long, requires = "out")]
    print: bool,

    /// Also write into a folder that is not empty, and over changed files
    #[arg(long, requires = "out")]
    force: bool,
}

pub(super) fn run(options: Options, sdk: Sdk) -> Result<(), Box<dyn Error>> {
    let Sdk { options: further, dialect, lang, out, print, force } = sdk;
    let (Some(dialect), Some(language), Some(out)) = (dialect, lang, out) else {
        return Ok(output::line(list())?);
    };
    let named = named(options.and(further), &dialect)?;
    let manifest = named.frontend.manifest();
    let mut recipe = recipe(&language, &manifest.dialect)?;
    let prepared = prepared(&recipe, &named.documents())?;
    for server in named.servers.iter().flatten() {
        recipe.files.values_mut().for_each(|text| name_server(text, manifest, server));
    }
    let kept = write(&recipe, prepared, &out, force)?;
    output::line(format_args!("{}: the {dialect} dialect in {language}", out.display()))?;
    for path in kept {
        output::line(format_args!("kept: {path} was changed (--force overwrites it)"))?;
    }
    if print {
        return Ok(output::line(commands(&recipe, &out))?);
    }
    let missing: Vec<&String> =
        recipe.steps.programs.iter().filter(|program| !is_on_path(program)).collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
        let commands = commands(&recipe, &out);
        return Err(format!(
            "not on the PATH: {}. The files are written; install what is missing, and then:\n\n\
             {commands}",
            missing.join(", ")
        )
        .into());
    }
    for command in recipe.steps.install.iter().chain(&recipe.steps.generate) {
        output::line(format_args!("$ {command}"))?;
        execute(command, &out)?;
    }
    output::line("done; see its README.md. An example, with the gateway running:\n")?;
    Ok(output::line(format_args!("    cd {} && {}", out.display(), recipe.steps.example))?)
}

/// A line for each recipe.
fn list() -> String {
    let head = ["language", "dialect", "needs on the PATH"].map(str::to_owned);
    let row = |recipe: Recipe| [recipe.language, recipe.dialect, recipe.steps.programs.join(", ")];
    format!(
        "{}\n\ndragoman sdk --dialect NAME --lang NAME --out DIR makes one",
        aligned::<[String; 3]>(
            std::iter::once(head).chain(recipes().into_iter().map(row)).collect()
        )
    )
}

/// The front end of this name, as it is configured.
fn named(options: Options, name: &str) -> Result<Named, Box<dyn Error>> {
    let mut frontends = frontends(options)?;
    match frontends.iter().position(|one| one.name == name) {
        Some(at) => Ok(frontends.swap_remove(at)),
        None => Err(unknown(name, &frontends).into()),
    }
}

/// Names a server in place of the default one of its listener: in examples, and as the default of
/// clients.
fn name_server(text: &mut String, manifest: &Manifest, server: &Server) {
    let listener = manifest.listeners.iter().find(|one| one.key == server.listener);
    let Some(default) = listener.and_then(|one| one.address.as_deref()) else { return };
    let Some((scheme, host)) = server.url.split_once("://") else { return };
    match scheme {
        "http" | "https" => *text = text.replace(&format!("http://{default}"), &server.url),
        "ws" | "wss" => *text = text.replace(&format!("ws://{default}"), &server.url),
        // Its clients take a host and a port.
        _ => *text = text.replace(default, host),
    }
}

fn recipe(language: &str, dialect: &str) -> Result<Recipe, String> {
    let recipes = recipes();
    let mut languages: Vec<&str> = recipes.iter().map(|one| one.language.as_str()).collect();
    languages.dedup();
    if !languages.contains(&language) {
        return Err(format!(
            "there is no recipe for the language {language}; there are {}",
            languages.join(", ")
        ));
    }
    let of_language: Vec<&Recipe> = recipes.iter().filter(|one| one.language == language).collect();
    match of_language.iter().find(|one| one.dialect == dialect) {
        Some(recipe) => Ok((*recipe).clone()),
        None => {
            let dialects: Vec<&str> = of_language.iter().map(|one| one.dialect.as_str()).collect();
            Err(format!(
                "there is no recipe for the dialect {dialect} in {language}; there are {}. \
                 `dragoman schema export --dialect {dialect}` writes the documents it has",
                dialects.join(", ")
            ))
        }
    }
}

/// The documents that the package is generated from, by path.
fn prepared(
    recipe: &Recipe,
    documents: &[Document],
) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let sources = recipe.steps.documents.iter();
    let prepared = sources.map(|source| Ok((source.to.clone(), source.prepared(documents)?)));
    prepared.collect()
}

/// Writes the package. Documents are always written; files that developers edit only where they are
/// missing. Returns the files that were kept and differ.
fn write(
    recipe: &Recipe,
    prepared: Vec<(String, String)>,
    out: &Path,
    force: bool,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mark = format!("{} {}\n", recipe.language, recipe.dialect);
    if !force {
        refuse_foreign_folder(out, &mark)?;
    }
    let mut kept = Vec::new();
    for (path, text) in &recipe.files {
        match fs::read_to_string(out.join(path)) {
            Ok(there) if !force && there != *text => kept.push(path.clone()),
            _ => write_file(&out.join(path), text)?,
        }
    }
    for (path, text) in prepared {
        write_file(&out.join(path), &text)?;
    }
    write_file(&out.join(MARK), &mark)?;
    Ok(kept)
}

/// Refuses a folder that is not empty, unless the same recipe made it.
fn refuse_foreign_folder(out: &Path, mark: &str) -> Result<(), String> {
    let cannot = |error| format!("cannot read the folder {}: {error}", out.display());
    let is_empty =
        !fs::exists(out).map_err(cannot)? || fs::read_dir(out).map_err(cannot)?.next().is_none();
    if is_empty {
        return Ok(());
    }
    let content = match fs::read_to_string(out.join(MARK)) {
        Ok(there) if there == mark => return Ok(()),
        Ok(there) => format!("holds another SDK ({})", there.trim_end()),
        Err(_) => "is not empty".to_owned(),
    };
    Err(format!(
        "{} {content}: name a new folder with --out, or use --force to write into this one",
        out.display()
    ))
}

fn write_file(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(file, text))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// The commands to run, ready to paste.
fn commands(recipe: &Recipe, out: &Path) -> String {
    let steps = recipe.steps.install.iter().chain(&recipe.steps.generate);
    let steps: String = steps.flat_map(|command| ["    ", command, "\n"]).collect();
    format!(
        "    cd {}\n{steps}\nAn example, with the gateway running:\n\n    {}",
        out.display(),
        recipe.steps.example
    )
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(OsStr::new(&path)).any(|folder| {
        let file = folder.join(program);
        file.is_file() && access(&file, Access::EXEC_OK).is_ok()
    })
}

fn execute(command: &str, folder: &Path) -> Result<(), String> {
    let status = Command::new("sh").args(["-ec", command]).current_dir(folder).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "`{command}`, in {}, ended with {status}; its output is above",
            folder.display()
        )),
        Err(error) => Err(format!("cannot run `{command}` with sh: {error}")),
    }
}
