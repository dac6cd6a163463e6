//! Search for rooms by approximate name or description.
//!
//! Every open room is indexed by the *grams* of its display name and description: pairs of
//! neighbouring characters of a word, and single characters where a word has only one or where
//! one character is a word (CJK). A search takes the rarest grams of its text, reads the rooms that
//! share most of them, and ranks those by their real texts. The number of rows read is bounded, so
//! that a search among a million rooms costs what it costs among ten thousand.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use core_model::bounds;
use redb::ReadableTable;

use crate::error::StoreError;
use crate::lookup;
use crate::rows::RoomRow;
use crate::state::{Batch, State};
use crate::tables::Tables;

/// Index rows that one search reads.
pub(crate) const POSTINGS_MAX: usize = 20_000;

/// Characters of a description that are indexed: with the name, at most 640 rows a room.
const INDEXED_CHARS_MAX: usize = 256;

/// Rooms that one search reads and ranks.
const CANDIDATES_MAX: usize = 1_000;

/// The form in which texts are compared: normalized, lower case, single spaces.
pub(crate) fn fold(text: &str) -> String {
    let lower = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        core_model::normalize(text).to_lowercase()
    };
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ")
}

pub(crate) fn insert(batch: &mut Batch<'_>, id: u32, row: &RoomRow) -> Result<(), StoreError> {
    batch.folded_names_mut()?.insert((fold(name(row)).as_str(), id), ())?;
    grams_of_room(row).into_iter().try_for_each(|gram| insert_gram(batch, id, gram))
}

pub(crate) fn remove(batch: &mut Batch<'_>, id: u32, row: &RoomRow) -> Result<(), StoreError> {
    batch.folded_names_mut()?.remove((fold(name(row)).as_str(), id))?;
    grams_of_room(row).into_iter().try_for_each(|gram| remove_gram(batch, id, gram))
}

/// Replaces what is indexed of a room; writes only what differs.
pub(crate) fn update(
    batch: &mut Batch<'_>,
    id: u32,
    before: &RoomRow,
    row: &RoomRow,
) -> Result<(), StoreError> {
    let former = fold(name(before));
    let current = fold(name(row));
    if former != current {
        batch.folded_names_mut()?.remove((former.as_str(), id))?;
        batch.folded_names_mut()?.insert((current.as_str(), id), ())?;
    }
    let former = grams_of_room(before);
    let current = grams_of_room(row);
    for gram in former.difference(&current) {
        remove_gram(batch, id, *gram)?;
    }
    current.difference(&former).try_for_each(|gram| insert_gram(batch, id, *gram))
}

fn insert_gram(batch: &mut Batch<'_>, id: u32, gram: u64) -> Result<(), StoreError> {
    batch.grams_mut()?.insert((gram, id), ())?;
    let count = batch.gram_counts()?.get(gram)?.map_or(0, |count| count.value());
    batch.gram_counts_mut()?.insert(gram, count + 1)?;
    Ok(())
}

fn remove_gram(batch: &mut Batch<'_>, id: u32, gram: u64) -> Result<(), StoreError> {
    batch.grams_mut()?.remove((gram, id))?;
    let count = batch.gram_counts()?.get(gram)?.map_or(0, |count| count.value());
    if count > 1 {
        batch.gram_counts_mut()?.insert(gram, count - 1)?;
    } else {
        batch.gram_counts_mut()?.remove(gram)?;
    }
    Ok(())
}

/// The row of a room in `folded_names`.
pub(crate) fn folded_name(row: &RoomRow) -> String {
    fold(name(row))
}

/// The name that a search compares: the title, else the room name.
fn name(row: &RoomRow) -> &str {
    if row.title.is_empty() { &row.name } else { &row.title }
}

/// Ids of rooms whose name or description is like `text` and that pass `wanted`, best first.
pub(crate) fn find(
    tables: &impl State,
    text: &str,
    limit: usize,
    wanted: impl Fn(&RoomRow) -> bool,
) -> Result<Vec<u32>, StoreError> {
    let key = fold(text);
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let mut ranked = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut candidates = named_like(tables, &key)?;
    candidates.extend(sharing_grams(tables, &key)?);
    candidates.extend(with_part(tables, &key)?);
    for id in candidates {
        if !seen.insert(id) {
            continue;
        }
        let row = lookup::known_room(tables, id)?;
        if let Some(rank) = rank(&key, &row)
            && wanted(&row)
        {
            ranked.insert((rank, id));
        }
    }
    Ok(ranked.into_iter().take(limit).map(|(_, id)| id).collect())
}

/// Rooms whose name begins with `key`.
fn named_like(tables: &impl State, key: &str) -> Result<Vec<u32>, StoreError> {
    let mut found = Vec::new();
    for row in tables.folded_names()?.range((key, 0)..)? {
        let (name, _) = row?;
        let (name, id) = name.value();
        if !name.starts_with(key) || found.len() == CANDIDATES_MAX {
            break;
        }
        found.push(id);
    }
    Ok(found)
}

/// Rooms that share most grams with `key`, judged by its rarest grams.
fn sharing_grams(tables: &impl State, key: &str) -> Result<Vec<u32>, StoreError> {
    let mut counted = Vec::new();
    for gram in grams(key) {
        if let Some(count) = tables.gram_counts()?.get(gram)? {
            counted.push((count.value() as usize, gram));
        }
    }
    counted.sort_unstable();
    let mut ids = Vec::new();
    for (count, gram) in counted {
        let budget = POSTINGS_MAX - ids.len();
        if budget == 0 || (count > budget && !ids.is_empty()) {
            break;
        }
        for row in tables.grams()?.range((gram, 0)..=(gram, u32::MAX))?.take(budget) {
            ids.push(row?.0.value().1);
        }
    }
    // Counted by sorting: a map of this size is several times as slow.
    ids.sort_unstable();
    let hits = ids.chunk_by(|one, other| one == other);
    let mut best: Vec<(Reverse<usize>, u32)> =
        hits.map(|hits| (Reverse(hits.len()), hits[0])).collect();
    if best.len() > CANDIDATES_MAX {
        best.select_nth_unstable(CANDIDATES_MAX);
        best.truncate(CANDIDATES_MAX);
    }
    best.sort_unstable();
    Ok(best.into_iter().map(|(_, id)| id).collect())
}

/// Rooms whose name contains a `key` that has no pair of characters to look up: a letter in the
/// middle of a word, a symbol. Reads at most [`POSTINGS_MAX`] names.
fn with_part(tables: &impl State, key: &str) -> Result<Vec<u32>, StoreError> {
    if key.chars().all(is_a_word) || grams(key).into_iter().any(is_pair) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for row in tables.folded_names()?.iter()?.take(POSTINGS_MAX) {
        let (name, _) = row?;
        let (name, id) = name.value();
        if name.contains(key) && found.len() < CANDIDATES_MAX {
            found.push(id);
        }
    }
    Ok(found)
}

/// The quality of a match, smaller is better: exact, prefix, substring of the name, of the
/// description, then near matches by the number of edits. None: no match.
fn rank(key: &str, row: &RoomRow) -> Option<(u8, usize)> {
    let name = fold(name(row));
    if name == *key {
        return Some((0, 0));
    }
    if name.starts_with(key) {
        return Some((1, 0));
    }
    if name.contains(key) {
        return Some((2, 0));
    }
    let description = fold(&row.description);
    if description.contains(key) {
        return Some((3, 0));
    }
    let edits_max = key.chars().count() / 3;
    let near = |text: &str, class| {
        let edits = edits_to_contain(key, text);
        (edits <= edits_max).then_some((class, edits))
    };
    near(&name, 4).or_else(|| near(&description, 5))
}

/// The fewest insertions, deletions and substitutions after which `text` contains `key`.
fn edits_to_contain(key: &str, text: &str) -> usize {
    let key: Vec<char> = key.chars().collect();
    // Sellers' algorithm: an edit distance whose match may begin anywhere in the text.
    let mut column: Vec<usize> = (0..=key.len()).collect();
    let mut fewest = key.len();
    for found in text.chars() {
        let mut diagonal = 0;
        for (row, wanted) in key.iter().enumerate() {
            let substituted = diagonal + usize::from(*wanted != found);
            diagonal = column[row + 1];
            column[row + 1] = substituted.min(diagonal + 1).min(column[row] + 1);
        }
        fewest = fewest.min(column[key.len()]);
    }
    fewest
}

pub(crate) fn grams_of_room(row: &RoomRow) -> BTreeSet<u64> {
    let mut all = grams(&fold(bounds::cut(name(row), bounds::TITLE_CHARS_MAX)));
    all.extend(grams(&fold(bounds::cut(&row.description, INDEXED_CHARS_MAX))));
    all
}

/// The grams of a folded text.
fn grams(text: &str) -> BTreeSet<u64> {
    let mut grams = BTreeSet::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut previous: Option<char> = None;
        let mut length = 0;
        for c in word.chars() {
            length += 1;
            if is_a_word(c) {
                grams.insert(gram(c, '\0'));
            }
            if let Some(previous) = previous {
                grams.insert(gram(previous, c));
            }
            previous = Some(c);
        }
        if let (1, Some(only)) = (length, previous) {
            grams.insert(gram(only, '\0'));
        }
    }
    grams
}

fn gram(first: char, second: char) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

fn is_pair(gram: u64) -> bool {
    gram as u32 != 0
}

/// Whether one character of this script is searched for by itself: kana, hangul, han.
fn is_a_word(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_one_edit_away() {
        for (key, text, edits) in [
            ("cofee", "the coffee room", 1),
            ("hallo", "hello", 1),
            ("tea", "tea", 0),
            ("北京大学", "北京的大学", 1),
            ("tea", "", 3),
        ] {
            assert_eq!(edits_to_contain(key, text), edits, "{key} in {text}");
        }
    }

    #[test]
    fn better_matches_rank_first() {
        let row = |title: &str, description: &str| RoomRow {
            title: title.into(),
            description: description.into(),
            ..RoomRow::default()
        };
        let ranks: Vec<_> = [
            row("Tea Room", ""),
            row("tea rooms", ""),
            row("our tea room", ""),
            row("kettle", "a tea room"),
            row("tee room", ""),
            row("garage", ""),
        ]
        .iter()
        .map(|row| rank("tea room", row))
        .collect();
        assert_eq!(
            ranks,
            [Some((0, 0)), Some((1, 0)), Some((2, 0)), Some((3, 0)), Some((4, 1)), None]
        );
    }
}
