//! docs/limits.md names constants of the code: each is in the file or folder that the page gives, and
//! has the value of the page, where both are plain numbers or times.

use std::collections::BTreeMap;

use super::Finding;
use super::sources::Sources;

const PAGE: &str = "docs/limits.md";

/// Where the constants of each name are, and their values as the code has them.
type Constants<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a str)>>;

pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let Some(page) = sources.get(PAGE) else { return Vec::new() };
    let constants = constants(sources);
    let mut findings = Vec::new();
    for (at, line) in page.lines().enumerate() {
        let value = line.split('|').nth(2).unwrap_or_default();
        for Mention { names, places } in mentions(line) {
            let values: Vec<&str> = match names[..] {
                [_] => vec![value],
                _ => value.split(", ").collect(),
            };
            for (nth, name) in names.iter().enumerate() {
                let value = values.get(nth).filter(|_| values.len() == names.len());
                let found = constants.get(name).map_or(&[][..], Vec::as_slice);
                if let Some(what) = fault(name, &places, value.copied(), found) {
                    findings.push(Finding { path: PAGE.into(), line: at + 1, what });
                }
            }
        }
    }
    findings
}

fn fault(
    name: &str,
    places: &[&str],
    value: Option<&str>,
    found: &[(&str, &str)],
) -> Option<String> {
    if found.is_empty() {
        return Some(format!("there is no constant {name}"));
    }
    if places.is_empty() {
        return None;
    }
    let is_there = |path: &str| places.iter().any(|place| is_below(path, place));
    let mut there = found.iter().filter(|(path, _)| is_there(path)).peekable();
    if there.peek().is_none() {
        return Some(format!("{name} is not there; one is in {}", found[0].0));
    }
    let shown = value.and_then(shown)?;
    let mut real = there.filter_map(|(_, code)| Some((number(code)?, *code))).peekable();
    let (_, code) = *real.peek()?;
    real.all(|(real, _)| real != shown).then(|| format!("{name} is {code}"))
}

/// Names of constants that belong together, and what stands in brackets after them.
struct Mention<'a> {
    names: Vec<&'a str>,
    places: Vec<&'a str>,
}

fn mentions(line: &str) -> Vec<Mention<'_>> {
    let mut mentions = Vec::new();
    let mut names = Vec::new();
    // What stands between backticks has odd places.
    let mut parts = line.split('`').skip(1);
    while let (Some(code), Some(text)) = (parts.next(), parts.next()) {
        let is_constant = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !code.contains('_') || !code.chars().all(is_constant) {
            continue;
        }
        names.push(code);
        if text == ", " {
            continue;
        }
        let inner = text.strip_prefix(" (").and_then(|text| text.split_once(')'));
        let places = inner.map_or(Vec::new(), |(places, _)| places.split(", ").collect());
        mentions.push(Mention { names: std::mem::take(&mut names), places });
    }
    mentions
}

/// Whether a file is this one, or in this folder. A place leaves `src`, `.rs` and the first folders
/// out.
fn is_below(path: &str, place: &str) -> bool {
    let path = path.trim_end_matches(".rs").replace("/src/", "/");
    format!("/{path}/").contains(&format!("/{place}/"))
}

fn constants(sources: &Sources) -> Constants<'_> {
    let mut constants = Constants::new();
    for (path, text) in sources.with_extension(&["rs"]) {
        for line in text.lines().map(str::trim_start) {
            let Some((before, rest)) = line.split_once("const ") else { continue };
            let Some((name, rest)) = rest.split_once(':') else { continue };
            if before.is_empty() || before.starts_with("pub") {
                let code = rest.split_once(" = ").map_or("", |(_, code)| code);
                let code = code.split_once(';').map_or("", |(code, _)| code);
                constants.entry(name).or_default().push((path, code));
            }
        }
    }
    constants
}

/// The value of an expression: a product, a shift, or a duration, which is in milliseconds.
fn number(code: &str) -> Option<u64> {
    let call = |function: &str| code.strip_prefix(function)?.strip_suffix(')');
    if let Some(secs) = call("Duration::from_secs(") {
        return Some(number(secs)? * 1_000);
    }
    if let Some(ms) = call("Duration::from_millis(") {
        return number(ms);
    }
    if let Some((number_shifted, by)) = code.split_once(" << ") {
        return number(number_shifted)?.checked_shl(by.parse().ok()?);
    }
    let mut factors = code.split(" * ").map(|factor| factor.replace('_', "").parse::<u64>());
    factors.try_fold(1, |product, factor| Some(product * factor.ok()?))
}

/// The value of a cell such as `1,024`, `64 Ki` or `10 s`; times in milliseconds.
fn shown(cell: &str) -> Option<u64> {
    let (digits, unit) = cell.trim().split_once(' ').unwrap_or((cell.trim(), ""));
    let unit = match unit {
        "" | "bytes" | "ms" => 1,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "s" => 1_000,
        "day" | "days" => 24 * 60 * 60 * 1_000,
        _ => return None,
    };
    Some(digits.replace(',', "").parse::<u64>().ok()? * unit)
}
