//! Letters in disguise: symbols and small capitals that are drawn as letters or digits, and that neither
//! Unicode's compatibility forms nor the confusables of UTS #39 take back to them.

/// The letter or digit that a symbol shows: in a filled circle or square, as a half of a flag, or as
/// a dingbat.
pub(crate) fn letter_of_symbol(symbol: char) -> char {
    const ROWS: &[(char, u32, char)] = &[
        ('\u{1F150}', 26, 'A'),
        ('\u{1F170}', 26, 'A'),
        ('\u{1F1E6}', 26, 'A'),
        ('\u{2776}', 9, '1'),
        ('\u{2780}', 9, '1'),
        ('\u{278A}', 9, '1'),
        ('\u{24F5}', 9, '1'),
        ('\u{24FF}', 1, '0'),
        ('\u{1F10B}', 1, '0'),
        ('\u{1F10C}', 1, '0'),
    ];
    if symbol < '\u{24F5}' {
        return symbol;
    }
    let nth = |first: char| (symbol as u32).wrapping_sub(first as u32);
    let row = ROWS.iter().find(|(first, count, _)| nth(*first) < *count);
    row.and_then(|(first, _, letter)| char::from_u32(*letter as u32 + nth(*first)))
        .unwrap_or(symbol)
}

/// The letter that a small capital is drawn like. Phonetic alphabets have them, and the small letters
/// of Cyrillic are drawn so; the micro sign is a `u` with a tail.
pub(crate) fn letter_of_small_capital(letter: char) -> char {
    match letter {
        '\u{1D00}' => 'a',
        '\u{299}' | '\u{1D03}' | '\u{432}' => 'b',
        '\u{1D04}' => 'c',
        '\u{1D05}' | '\u{1D06}' => 'd',
        '\u{1D07}' => 'e',
        '\u{A730}' => 'f',
        '\u{262}' => 'g',
        '\u{29C}' | '\u{43D}' => 'h',
        '\u{26A}' => 'i',
        '\u{1D0A}' => 'j',
        '\u{1D0B}' | '\u{43A}' => 'k',
        '\u{29F}' => 'l',
        '\u{1D0D}' | '\u{43C}' => 'm',
        '\u{274}' => 'n',
        '\u{1D0F}' => 'o',
        '\u{1D18}' => 'p',
        '\u{A7AF}' => 'q',
        '\u{280}' => 'r',
        '\u{A731}' => 's',
        '\u{1D1B}' | '\u{442}' => 't',
        '\u{1D1C}' | '\u{3BC}' => 'u',
        '\u{1D20}' => 'v',
        '\u{1D21}' => 'w',
        '\u{28F}' => 'y',
        '\u{1D22}' => 'z',
        letter => letter,
    }
}
