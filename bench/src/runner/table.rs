//! The tables of results.

use serde::Serialize;

use super::server::Side;
use crate::load::Quantiles;

/// One side of a job under load, the median of its turns.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LoadRow {
    pub(super) job: String,
    pub(super) side: Side,
    /// Messages or requests per second.
    pub(super) per_s: f64,
    /// CPU time of the server per delivery or request, in µs.
    pub(super) cpu_us: f64,
    /// CPU time of the client per delivery or request, in µs.
    pub(super) client_cpu_us: f64,
    pub(super) latency: Quantiles,
    /// Lost, doubled, reordered, in a wrong room, or connections that ended.
    pub(super) faults: u64,
    /// The targets.
    pub(super) goals: Vec<Goal>,
}

/// A single figure.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FigureRow {
    pub(super) what: String,
    pub(super) is: f64,
    pub(super) unit: &'static str,
    pub(super) goal: Option<Goal>,
}

/// A target, and whether it is reached.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) is: f64,
    pub(super) bound: Bound,
    pub(super) met: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Tables {
    pub(super) loads: Vec<LoadRow>,
    pub(super) figures: Vec<FigureRow>,
}

impl Goal {
    pub(super) fn new(what: impl Into<String>, is: f64, bound: Bound) -> Self {
        let met = match bound {
            Bound::AtMost(most) => is <= most,
            Bound::AtLeast(least) => is >= least,
        };
        Self { what: what.into(), is, bound, met }
    }

    fn text(&self) -> String {
        let (sign, bound) = match self.bound {
            Bound::AtMost(most) => ("≤", most),
            Bound::AtLeast(least) => ("≥", least),
        };
        let met = if self.met { "yes" } else { "NO" };
        format!("{} {} {sign} {} {met}", self.what, short(self.is), short(bound))
    }
}

impl Tables {
    /// Both tables, in Markdown.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.loads.is_empty() {
            let head = [
                "job",
                "server",
                "/s",
                "CPU µs",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "client µs",
                "faults",
                "to reach",
            ];
            let rows = self.loads.iter().map(LoadRow::cells).collect();
            text += &aligned(head.map(str::to_owned).to_vec(), rows);
        }
        if !self.figures.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            let head = ["figure", "is", "to reach"].map(str::to_owned).to_vec();
            text += &aligned(head, self.figures.iter().map(FigureRow::cells).collect());
        }
        text
    }
}

impl LoadRow {
    fn cells(&self) -> Vec<String> {
        let Quantiles { p50_ms, p99_ms, p999_ms, .. } = self.latency;
        let goals: Vec<String> = self.goals.iter().map(Goal::text).collect();
        vec![
            self.job.clone(),
            self.side.name().into(),
            short(self.per_s),
            short(self.cpu_us),
            short(p50_ms),
            short(p99_ms),
            short(p999_ms),
            short(self.client_cpu_us),
            self.faults.to_string(),
            goals.join("; "),
        ]
    }
}

impl FigureRow {
    fn cells(&self) -> Vec<String> {
        let goal = self.goal.as_ref().map(|goal| {
            let (sign, bound) = match goal.bound {
                Bound::AtMost(most) => ("≤", most),
                Bound::AtLeast(least) => ("≥", least),
            };
            format!("{sign} {} {}", short(bound), if goal.met { "yes" } else { "NO" })
        });
        vec![
            self.what.clone(),
            format!("{} {}", short(self.is), self.unit),
            goal.unwrap_or_default(),
        ]
    }
}

/// Three significant digits, and all digits before the point.
fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// A Markdown table with columns as wide as their widest cell; numbers are right-aligned.
fn aligned(head: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let columns = head.len();
    let all = || std::iter::once(&head).chain(&rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let is_number = |column: usize| {
        let digits =
            |row: &Vec<String>| row[column].starts_with(|char: char| char.is_ascii_digit());
        !rows.is_empty() && rows.iter().all(digits)
    };
    let line = |row: &Vec<String>| {
        let cells = (0..columns).map(|column| {
            if is_number(column) {
                format!("{:>1$}", row[column], width(column))
            } else {
                format!("{:<1$}", row[column], width(column))
            }
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = (0..columns).map(|column| {
        if is_number(column) {
            format!("{}:", "-".repeat(width(column) + 1))
        } else {
            "-".repeat(width(column) + 2)
        }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let rows: String = rows.iter().map(line).collect();
    line(&head) + &rule + &rows
}

/// The median; of an even number, the mean of the two in the middle.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let low = (values.len() - 1) / 2;
    let high = values.len() / 2;
    (values[low] + values[high]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_goal_is_met_from_the_right_side() {
        assert!(Goal::new("", 1.0, Bound::AtMost(1.0)).met);
        assert!(!Goal::new("", 1.1, Bound::AtMost(1.0)).met);
        assert!(Goal::new("", 1.1, Bound::AtLeast(1.0)).met);
        assert!(!Goal::new("", 0.9, Bound::AtLeast(1.0)).met);
    }

    #[test]
    fn a_table_is_markdown() {
        let goal = Some(Goal::new("", 5.5, Bound::AtMost(6.0)));
        let figures = vec![FigureRow { what: "memory".into(), is: 5.5, unit: "KiB", goal }];
        let text = Tables { loads: Vec::new(), figures }.text();
        assert_eq!(
            text,
            "| figure |       is | to reach   |\n\
             |--------|---------:|------------|\n\
             | memory | 5.50 KiB | ≤ 6.00 yes |\n"
        );
    }
}
