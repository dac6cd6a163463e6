//! Generated texts, each with the kinds that it is of: known from how it was made, not by looking.

/// The kinds of text that a dialect may not carry, as the contract names them.
pub(super) const KINDS: [&str; 10] = [
    "long",
    "lines",
    "many_lines",
    "blank_lines",
    "returns",
    "action",
    "control",
    "mark",
    "nul",
    BLANK,
];

/// A text that is of this kind has nothing that makes it one of others.
const BLANK: &str = "blank";

/// A text, and what it is of besides an ordinary line.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) text: String,
    pub(super) kinds: Vec<&'static str>,
    /// The kind that it was made for; none for an ordinary line.
    pub(super) main: Option<&'static str>,
}

/// Words of many scripts, composed and decomposed, with joiners, variation selectors and marks of
/// direction, in compatibility forms and of characters outside the basic plane.
const WORDS: [&str; 24] = [
    "tea",
    "Straße",
    "\u{e9}t\u{e9}",
    "e\u{301}te\u{301}",
    "\u{1e69}",
    "s\u{323}\u{307}",
    "多种方言",
    "茶室",
    "ﾃｨｰ",
    "ティー",
    "한글",
    "\u{1112}\u{1161}\u{11ab}",
    "مرحبا",
    "שלום",
    "\u{202b}אב\u{202c}",
    "\u{200f}",
    "👩‍👩‍👧‍👦",
    "🇯🇵",
    "👍🏽",
    "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
    "क्‍ष",
    "\u{212b}ngström",
    "ﬁn",
    "𝔱𝔢𝔞",
];

/// Punctuation that some format gives a meaning.
const MARKS: [&str; 8] = ["\"", "\\", "'", "<b>&amp;", "%20+", "{\"a\":[1]}", ":", "\u{2028}"];

/// Of a few words; two times that, with what is between, is no long text.
const WORDS_BYTES_MAX: usize = 90;

/// The same on every run: a linear congruential generator, Knuth's.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    /// A few words.
    fn words(&mut self) -> String {
        let mut words = String::from("say");
        for _ in 0..=self.below(5) {
            let word = match self.below(4) {
                0 => MARKS[self.below(MARKS.len())],
                _ => WORDS[self.below(WORDS.len())],
            };
            if words.len() + word.len() > WORDS_BYTES_MAX {
                break;
            }
            words.push_str([" ", "  ", ""][self.below(3)]);
            words.push_str(word);
        }
        words
    }

    fn lines(&mut self, count: usize, end: &str) -> String {
        (0..count).map(|_| self.words()).collect::<Vec<_>>().join(end)
    }
}

/// Ordinary lines, some for each kind, and some of several kinds at once.
pub(super) fn samples() -> Vec<Sample> {
    let mut random = Random(14);
    let mut samples: Vec<Sample> = Vec::new();
    for _ in 0..6 {
        samples.push(Sample { text: random.words(), kinds: Vec::new(), main: None });
    }
    let spaces = format!(" {} ", random.words());
    samples.push(Sample { text: spaces, kinds: Vec::new(), main: None });
    for kind in KINDS {
        for _ in 0..2 {
            samples.push(of_kind(kind, &mut random));
        }
    }
    for _ in 0..6 {
        let mixed = KINDS.len() - 1;
        let (first, second) = (random.below(mixed), random.below(mixed));
        samples.push(of_both(KINDS[first], KINDS[second], &mut random));
    }
    samples
}

fn of_kind(kind: &'static str, random: &mut Random) -> Sample {
    let within =
        |middle: &str, random: &mut Random| format!("{}{middle}{}", random.words(), random.words());
    let control = ['\t', '\x02', '\x03', '\x07', '\x1b', '\x7f'][random.below(6)].to_string();
    let (text, kinds) = match kind {
        "long" => {
            let count = 80 + random.below(60);
            (random.lines(count, " "), vec![])
        }
        "lines" => (random.lines(2, "\n"), vec![]),
        "many_lines" => {
            let lines = (0..51 + random.below(20)).map(|nth| nth.to_string());
            (lines.collect::<Vec<_>>().join("\n"), vec!["lines"])
        }
        "blank_lines" => (within("\n\n", random), vec!["lines"]),
        BLANK => ("\n".repeat(1 + random.below(3)), vec!["lines", "blank_lines"]),
        "returns" => (within("\r", random), vec![]),
        "action" => (format!("/me {}", random.words()), vec![]),
        "control" => (within(&control, random), vec![]),
        "mark" => (within("\x01", random), vec![]),
        "nul" => (within("\0", random), vec![]),
        other => panic!("how is a text of {other} made?"),
    };
    Sample { text, kinds: [kinds, vec![kind]].concat(), main: Some(kind) }
}

fn of_both(first: &'static str, second: &'static str, random: &mut Random) -> Sample {
    let [first, second] = [first, second].map(|kind| of_kind(kind, random));
    // Only at its start a text says what its author does.
    let [first, second] =
        if second.main == Some("action") { [second, first] } else { [first, second] };
    let text = format!("{} {}", first.text, second.text);
    let mut kinds = [first.kinds, second.kinds].concat();
    kinds.extend((text.len() > LONG_BYTES).then_some("long"));
    kinds.sort_unstable();
    kinds.dedup();
    Sample { text, kinds, main: None }
}

/// A longer text is long.
const LONG_BYTES: usize = 350;

#[test]
fn samples_are_of_every_kind_and_of_several_at_once() {
    let samples = samples();
    for kind in KINDS {
        assert!(samples.iter().any(|sample| sample.main == Some(kind)), "{kind}");
    }
    assert!(samples.iter().any(|sample| sample.main.is_none() && sample.kinds.len() > 1));
    for Sample { text, kinds, .. } in &samples {
        assert_eq!(text.len() > LONG_BYTES, kinds.contains(&"long"), "{text}");
        assert_eq!(text.contains('\0'), kinds.contains(&"nul"), "{text:?}");
        assert_eq!(text.starts_with("/me "), kinds.contains(&"action"), "{text:?}");
    }
}
