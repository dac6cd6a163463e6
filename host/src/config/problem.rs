//! Problems of a configuration, with the source of the value.

use std::fmt;

/// The source of a value. Sorted as an operator would look: the file from the top, then the
/// environment, then the command line.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ValueSource {
    File {
        path: String,
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set` on the command line.
    Set,
    /// A default, or the configuration as a whole.
    Default,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Set => f.write_str("--set"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One error or warning. Shown as `gateway.toml:12: unknown key …`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    pub source: ValueSource,
    /// The key, the value, the reason and what to do.
    pub what: String,
}

impl Problem {
    pub fn new(source: ValueSource, what: impl Into<String>) -> Self {
        Self { source, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            ValueSource::Default => f.write_str(&self.what),
            source => write!(f, "{source}: {}", self.what),
        }
    }
}

/// A list of problems, shown one a line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.0.extend(problems);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Sorted by source, as an operator would look for them.
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| a.source.cmp(&b.source));
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
