//! Arguments that several verbs have, and pages that are read to their end.

use std::error::Error;

use clap::Args;
use frontend_api::duration::Millis;
use serde::Serialize;

use super::{Options, output};
use crate::admin::types::Page;
use crate::admin::{LIMIT_MAX, no_items};

/// Arguments of every verb.
#[derive(Args, Debug)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) options: Options,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of verbs that list.
#[derive(Args, Debug)]
pub(super) struct Paging {
    /// The most items to print
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub(super) limit: usize,
}

/// A number of items, which may be those of many pages.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    items(text, u32::MAX).map(|items| items as usize)
}

/// A number of items of one page.
pub(super) fn of_a_page(text: &str) -> Result<u32, String> {
    items(text, LIMIT_MAX)
}

fn items(text: &str, max: u32) -> Result<u32, String> {
    let items = text.parse().ok().filter(|items| (1..=max).contains(items));
    items.ok_or_else(|| no_items(text, max))
}

/// Seconds of a duration: `90s`, `30m`, `12h`, `7d`.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let millis: Millis = text.parse().map_err(|_| {
        format!("{text:?} is no duration; expected digits and a unit, as in 90s, 30m, 12h or 7d")
    })?;
    match millis.0 / 1000 {
        0 => Err("expected at least one second".into()),
        secs => Ok(secs),
    }
}

/// Items of a page of the API.
const PAGE: usize = 1000;

/// Reads pages until there are so many items, or no more. Returns whether there are more.
pub(super) fn read_pages<T>(
    limit: usize,
    mut page: impl FnMut(Option<String>, u32) -> Result<Page<T>, Box<dyn Error>>,
) -> Result<(Vec<T>, bool), Box<dyn Error>> {
    let mut items = Vec::new();
    let mut from = None;
    loop {
        let wanted = (limit - items.len()).clamp(1, PAGE);
        let Page { items: more, next } = page(from, wanted as u32)?;
        items.extend(more);
        match next {
            None => return Ok((items, false)),
            Some(_) if items.len() >= limit => {
                items.truncate(limit);
                return Ok((items, true));
            }
            next => from = next,
        }
    }
}

/// Prints a list: as JSON an item a line, else as a table.
pub(super) fn print_list<T: Serialize>(
    json: bool,
    (items, has_more): (Vec<T>, bool),
    titles: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Box<dyn Error>> {
    if json {
        for item in &items {
            output::line(serde_json::to_string(item)?)?;
        }
    } else if items.is_empty() {
        output::line("none")?;
    } else {
        let mut rows = vec![titles.iter().map(|title| (*title).to_owned()).collect()];
        rows.extend(items.iter().map(row));
        output::line(super::table::aligned(rows))?;
    }
    if has_more {
        output::note("there are more; see them with a larger --limit");
    }
    Ok(())
}

/// Prints one thing: as JSON, else with `shown`.
pub(super) fn print_one<T: Serialize>(
    json: bool,
    item: &T,
    shown: impl FnOnce(&T) -> String,
) -> Result<(), Box<dyn Error>> {
    if json {
        output::line(serde_json::to_string(item)?)?;
    } else {
        output::raw(shown(item).as_bytes())?;
    }
    Ok(())
}

/// A line for each property.
pub(super) fn lines(properties: &[(&str, String)]) -> String {
    let line =
        |(what, value): &(&str, String)| format!("{what} {}\n", super::operation::printable(value));
    properties.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_until_there_are_enough_items() {
        let page = |from: Option<String>, wanted: u32| {
            let from: u32 = from.map_or(0, |from| from.parse().expect("a number"));
            let items: Vec<u32> = (from..7).take(wanted.min(3) as usize).collect();
            let next = items.last().filter(|last| **last < 6).map(|last| (last + 1).to_string());
            Ok(Page { items, next })
        };
        assert_eq!(read_pages(100, page).expect("pages"), ((0..7).collect(), false));
        assert_eq!(read_pages(4, page).expect("pages"), ((0..4).collect(), true));
        assert_eq!(read_pages(7, page).expect("pages"), ((0..7).collect(), false));
    }

    #[test]
    fn a_limit_is_at_least_one() {
        assert_eq!(at_least_one("1"), Ok(1));
        for text in ["0", "-1", "", "x"] {
            assert!(at_least_one(text).is_err(), "{text:?}");
            assert_eq!(of_a_page(text), Err(no_items(text, LIMIT_MAX)));
        }
        assert_eq!(of_a_page("1000"), Ok(1000));
        assert!(of_a_page("1001").is_err());
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("2d"), Ok(172_800));
        for text in ["", "90", "0s", "5ms", "1w"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }
}
