//! The text files of the repository.

use std::collections::BTreeMap;

use crate::git;

/// The texts of files by their paths, with `/` between folders.
#[derive(Default)]
pub(crate) struct Sources(BTreeMap<String, String>);

/// Folders whose content was not written here.
const FOREIGN: &[&str] = &["host/assets/", "host/tests/meta-schemas/"];

impl Sources {
    /// What git tracks and what it would add, without what is not UTF-8.
    pub(crate) fn of_repository() -> Result<Self, String> {
        let listed = git::git(&["ls-files", "--cached", "--others", "--exclude-standard"])?;
        let ours = |path: &&str| !FOREIGN.iter().any(|folder| path.starts_with(folder));
        let read = |path: &str| Some((path.to_owned(), std::fs::read_to_string(path).ok()?));
        Ok(Self(listed.lines().filter(ours).filter_map(read).collect()))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self(files.iter().map(own).collect())
    }

    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Whether a path begins so.
    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        let prefix = prefix.trim_start_matches("./");
        self.0.keys().any(|path| path.starts_with(prefix))
    }

    /// Paths and texts of the files with one of these extensions.
    pub(crate) fn with_extension<'a>(
        &'a self,
        extensions: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_one = |path: &str| {
            let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
            extensions.contains(&extension)
        };
        let files = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| is_one(path))
    }
}
