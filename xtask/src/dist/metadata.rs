//! `[package.metadata.deb]` of host/Cargo.toml, in the notation of cargo-deb.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Where the paths of the metadata start.
const FOLDER: &str = "host";

/// Where the metadata has what `cargo xtask dist` makes.
const STAGE: &str = "../target/dist/stage/";

/// What the package is made of.
pub(super) struct Package {
    pub(super) version: String,
    pub(super) description: String,
    deb: Table,
}

/// A file, or each file of a folder, and where it goes.
pub(super) struct Asset {
    pub(super) from: PathBuf,
    /// A folder if it ends with a slash.
    pub(super) to: String,
    pub(super) mode: u32,
}

impl Package {
    pub(super) fn read() -> Result<Self, String> {
        let root = read("Cargo.toml")?;
        let host = read("host/Cargo.toml")?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("no text".to_owned());
        let deb = find(&host, &["package", "metadata", "deb"])?;
        Ok(Self {
            version: text(find(&root, &["workspace", "package", "version"])?)?,
            description: text(find(&host, &["package", "description"])?)?,
            deb: deb.as_table().cloned().ok_or("package.metadata.deb is no table")?,
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, String> {
        let found = self.deb.get(key).and_then(Value::as_str);
        found.ok_or_else(|| format!("package.metadata.deb.{key} is missing, or no text"))
    }

    pub(super) fn list(&self, key: &str) -> Result<Vec<&str>, String> {
        let found = self.deb.get(key).and_then(Value::as_array);
        let found = found.ok_or_else(|| format!("package.metadata.deb.{key} is no list"))?;
        Ok(found.iter().filter_map(Value::as_str).collect())
    }

    /// The path that a key names.
    pub(super) fn path(&self, key: &str) -> Result<PathBuf, String> {
        Ok(Path::new(FOLDER).join(self.text(key)?))
    }

    /// The files of the package, staged in `stage`.
    pub(super) fn assets(&self, stage: &Path) -> Result<Vec<Asset>, String> {
        let rows = self.deb.get("assets").and_then(Value::as_array);
        let rows = rows.ok_or("package.metadata.deb.assets is no list")?;
        let asset = |row: &Value| {
            let part = |nth: usize| row.get(nth).and_then(Value::as_str);
            let [from, to, mode] = [part(0)?, part(1)?, part(2)?];
            let from = match from.strip_prefix(STAGE) {
                Some(staged) => stage.join(staged),
                None => Path::new(FOLDER).join(from),
            };
            Some(Asset { from, to: to.to_owned(), mode: u32::from_str_radix(mode, 8).ok()? })
        };
        let assets = rows.iter().map(asset).collect::<Option<Vec<_>>>();
        assets.ok_or_else(|| "an asset of package.metadata.deb is not [from, to, mode]".into())
    }
}

/// The value at a path of keys.
fn find<'a>(table: &'a Table, path: &[&str]) -> Result<&'a Value, String> {
    let (first, rest) = path.split_first().ok_or("an empty path")?;
    let found = rest.iter().fold(table.get(*first), |found, key| found?.get(key));
    found.ok_or_else(|| format!("{} is missing in a Cargo.toml", path.join(".")))
}

fn read(path: &str) -> Result<Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.parse().map_err(|error| format!("{path}: {error}"))
}
