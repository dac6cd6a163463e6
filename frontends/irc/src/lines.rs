//! The lines of texts.

/// The most lines of one text; the line ends beyond become spaces. The limit bounds amplification:
/// each one-byte line end costs a line of about a hundred bytes for every client in the channel.
pub(crate) const TEXT_LINES_MAX: usize = 50;

/// A line of a text, as much of it as a line of the protocol holds.
pub(crate) struct Line {
    pub(crate) text: String,
    /// Whether it continues the one before it.
    pub(crate) continues: bool,
}

/// The lines of a text, of at most so many bytes each. Lines beyond the most become one, as for
/// clients without the capability. A text of nothing but line ends has none.
pub(crate) fn lines_of(text: &str, bytes_max: usize) -> Vec<Line> {
    let text = text.replace(['\0', '\x01'], "").replace("\r\n", "\n").replace('\r', "\n");
    if text.bytes().all(|byte| byte == b'\n') {
        return Vec::new();
    }
    let mut lines: Vec<&str> = text.split('\n').collect();
    let rest = lines.split_off(lines.len().min(TEXT_LINES_MAX - 1));
    let joined = rest.join(" ");
    lines.extend((!rest.is_empty()).then_some(joined.as_str()));
    lines.into_iter().flat_map(|line| pieces(line, bytes_max)).collect()
}

/// A line in pieces, at least one.
fn pieces(line: &str, bytes_max: usize) -> Vec<Line> {
    let mut pieces = cut(line, bytes_max);
    if pieces.is_empty() {
        pieces.push("");
    }
    let piece = |(nth, text): (usize, &str)| Line { text: text.into(), continues: nth > 0 };
    pieces.into_iter().enumerate().map(piece).collect()
}

/// Cuts between characters.
pub(crate) fn cut(mut line: &str, bytes_max: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !line.is_empty() {
        let (piece, rest) = line.split_at(floor_char_boundary(line, bytes_max));
        pieces.push(piece);
        line = rest;
    }
    pieces
}

pub(crate) fn floor_char_boundary(text: &str, bytes_max: usize) -> usize {
    if text.len() <= bytes_max {
        return text.len();
    }
    (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, bytes_max: usize) -> Vec<String> {
        let mark = |line: Line| format!("{}{}", if line.continues { "+" } else { "" }, line.text);
        lines_of(text, bytes_max).into_iter().map(mark).collect()
    }

    #[test]
    fn a_text_is_whole_in_its_lines() {
        assert_eq!(parts("a\n\n b\r\nc\n", 64), ["a", "", " b", "c", ""]);
        assert_eq!(parts("茶茶茶\nx", 7), ["茶茶", "+茶", "x"]);
        assert_eq!(parts("/me waves\x01\0", 64), ["/me waves"]);
        assert_eq!(parts("\n\r\n", 64), [""; 0]);
    }

    #[test]
    fn lines_beyond_the_fiftieth_are_joined() {
        let lines = parts(&"a\n".repeat(60), 64);
        assert_eq!(lines.len(), 50);
        assert_eq!(lines[49], "a a a a a a a a a a a ");
        for count in [2, 49, 50] {
            assert_eq!(parts(&vec!["a"; count].join("\n"), 64), vec!["a"; count]);
        }
    }
}
