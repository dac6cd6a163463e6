//! The terms of a text, by which messages are found: words, and pairs of neighbouring characters where
//! words are not set apart by spaces.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

/// A text as it is compared: NFKC, with the case folded.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let compatible: String = text.nfkc().collect();
    caseless::default_case_fold_str(&compatible).nfkc().collect()
}

/// The hashes of the terms of a folded text: of each run of letters, marks and digits, or of the
/// characters and pairs of a run without spaces.
pub(crate) fn terms(folded: &str) -> BTreeSet<u64> {
    let mut terms = BTreeSet::new();
    each_run(folded, |run| match run {
        Run::Word(word) => {
            terms.insert(hash(word));
        }
        Run::Unspaced(run) => each_pair(run, |part| {
            terms.insert(hash(part));
        }),
    });
    terms
}

/// What a message must have to be found.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    words: BTreeSet<String>,
    /// Runs of characters without spaces; the text must contain each.
    parts: BTreeSet<String>,
    /// The terms of both.
    pub(crate) terms: BTreeSet<u64>,
}

impl Wanted {
    /// `None`: the text has neither letters nor digits.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let folded = folded(text);
        let (mut words, mut parts) = (BTreeSet::new(), BTreeSet::new());
        each_run(&folded, |run| {
            match run {
                Run::Word(word) => words.insert(word.to_owned()),
                Run::Unspaced(part) => parts.insert(part.to_owned()),
            };
        });
        let terms = terms(&folded);
        (!terms.is_empty()).then_some(Self { words, parts, terms })
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        let folded = folded(text);
        if !self.parts.iter().all(|part| folded.contains(part.as_str())) {
            return false;
        }
        let mut missing = self.words.clone();
        each_run(&folded, |run| {
            if let Run::Word(word) = run {
                missing.remove(word);
            }
        });
        missing.is_empty()
    }
}

enum Run<'a> {
    Word(&'a str),
    Unspaced(&'a str),
}

fn each_run<'a>(folded: &'a str, mut found: impl FnMut(Run<'a>)) {
    let mut run: Option<(usize, bool)> = None;
    let mut end = |run: Option<(usize, bool)>, at: usize| match run {
        Some((start, true)) => {
            found(Run::Unspaced(&folded[start..at]));
        }
        Some((start, false)) => {
            found(Run::Word(&folded[start..at]));
        }
        None => (),
    };
    for (at, char) in folded.char_indices() {
        let kind = if is_unspaced(char) {
            Some(true)
        } else if char.is_alphanumeric() || is_mark(char) && run.is_some() {
            // A mark belongs to what it is on.
            run.map(|(_, kind)| kind).filter(|_| is_mark(char)).or(Some(false))
        } else {
            None
        };
        if kind != run.map(|(_, kind)| kind) {
            end(run, at);
            run = kind.map(|kind| (at, kind));
        }
    }
    end(run, folded.len());
}

/// A character of a script that sets words apart by other means than spaces, or whose words people
/// search for in part.
fn is_unspaced(char: char) -> bool {
    matches!(char,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1100}'..='\u{11ff}' // Hangul Jamo
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' // Hiragana, Katakana
        | '\u{3100}'..='\u{31bf}' // Bopomofo, Hangul
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' // Han
        | '\u{ac00}'..='\u{d7ff}' // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
    )
}

fn is_mark(char: char) -> bool {
    unicode_normalization::char::is_combining_mark(char)
}

/// The characters of a run, and its pairs of neighbours.
fn each_pair<'a>(run: &'a str, mut found: impl FnMut(&'a str)) {
    let mut before = None;
    for (at, char) in run.char_indices() {
        let end = at + char.len_utf8();
        found(&run[at..end]);
        if let Some(start) = before.replace(at) {
            found(&run[start..end]);
        }
    }
}

/// FNV-1a, mixed. It is stored in signatures, so it never changes.
fn hash(term: &str) -> u64 {
    let fnv = term.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(wanted: &str, text: &str) -> bool {
        let wanted = Wanted::of(wanted).expect("it has words");
        let is_in = wanted.is_in(text);
        let terms = terms(&folded(text));
        let has_terms = wanted.terms.is_subset(&terms);
        assert!(has_terms || !is_in, "{wanted:?} is in {text:?}, whose terms do not say so");
        is_in
    }

    #[test]
    fn a_text_has_its_words_in_any_case_and_form() {
        for (wanted, text) in [
            ("tea", "Green TEA, please"),
            ("please green", "Green TEA, please"),
            ("straße", "STRASSE"),
            ("ﬁne", "fine"),
            ("ＴＥＡ", "tea"),
            ("café", "cafe\u{301}!"),
            ("don't", "I don't know"),
            ("42", "answer=42"),
            ("привет", "Привет, мир"),
        ] {
            assert!(finds(wanted, text), "{wanted} in {text}");
        }
        for (wanted, text) in [("tea", "teapot"), ("pot", "teapot"), ("cafe", "café"), ("4", "42")]
        {
            assert!(!finds(wanted, text), "{wanted} in {text}");
        }
    }

    #[test]
    fn what_has_no_spaces_is_found_in_part() {
        for (wanted, text) in [
            ("喝茶", "今天喝茶吗"),
            ("茶", "今天喝茶吗"),
            ("喝茶 tea", "喝茶,TEA"),
            ("カフェ", "ｶﾌｪで会う"),
            ("안녕", "안녕하세요"),
            ("กาแฟ", "ดื่มกาแฟไหม"),
        ] {
            assert!(finds(wanted, text), "{wanted} in {text}");
        }
        assert!(!finds("茶喝", "今天喝茶吗"));
        assert!(!finds("天茶", "今天喝茶吗"), "they are not neighbours");
    }

    #[test]
    fn a_text_without_letters_and_digits_finds_nothing() {
        for text in ["", " ", "?!", "👍", "\u{301}"] {
            assert!(Wanted::of(text).is_none(), "{text:?}");
        }
    }
}
