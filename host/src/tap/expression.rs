//! The expressions of a `.ksy`: whole numbers, names, `&`, `==`, `!=` and `? :`.

/// What the names of an expression stand for.
pub(super) trait Names {
    fn field(&self, name: &str) -> Option<i128>;
    fn constant(&self, of: &str, name: &str) -> Option<i128>;
}

/// The value of an expression. `None`: it has something else in it.
pub(super) fn evaluate(text: &str, names: &dyn Names) -> Option<i128> {
    let mut parser = Parser { left: text, names, is_dead: false };
    let value = parser.choice()?;
    parser.left.trim().is_empty().then_some(value)
}

struct Parser<'a> {
    left: &'a str,
    names: &'a dyn Names,
    /// Whether this part is of a choice that was not taken, and so may name what there is not.
    is_dead: bool,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        match self.left.trim_start().strip_prefix(word) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn choice(&mut self) -> Option<i128> {
        let condition = self.comparison()?;
        if !self.take("?") {
            return Some(condition);
        }
        let was_dead = self.is_dead;
        self.is_dead = was_dead || condition == 0;
        let yes = self.choice()?;
        if !self.take(":") {
            return None;
        }
        self.is_dead = was_dead || condition != 0;
        let no = self.choice()?;
        self.is_dead = was_dead;
        Some(if condition == 0 { no } else { yes })
    }

    fn comparison(&mut self) -> Option<i128> {
        let left = self.masking()?;
        if self.take("==") {
            return Some(i128::from(left == self.masking()?));
        }
        if self.take("!=") {
            return Some(i128::from(left != self.masking()?));
        }
        Some(left)
    }

    fn masking(&mut self) -> Option<i128> {
        let mut value = self.atom()?;
        while self.take("&") {
            value &= self.atom()?;
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<i128> {
        if self.take("(") {
            let value = self.choice()?;
            return self.take(")").then_some(value);
        }
        let word = self.word()?;
        if word.starts_with(|char: char| char.is_ascii_digit()) {
            return word.parse().ok();
        }
        if self.take("::") {
            let name = self.word()?;
            return self.names.constant(&word, &name);
        }
        self.names.field(&word).or(self.is_dead.then_some(0))
    }

    fn word(&mut self) -> Option<String> {
        let text = self.left.trim_start();
        let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
        let (word, left) = text.split_at(end.unwrap_or(text.len()));
        self.left = left;
        (!word.is_empty()).then(|| word.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Names for Sample {
        fn field(&self, name: &str) -> Option<i128> {
            (name == "command").then_some(32_770)
        }

        fn constant(&self, of: &str, name: &str) -> Option<i128> {
            (of == "result" && name == "ok").then_some(0)
        }
    }

    #[test]
    fn expressions_have_values() {
        for (text, value) in [
            ("command & 32767", Some(2)),
            ("(command & 32768) != 0", Some(1)),
            ("1 ? (0 == result::ok ? command : 32768) : 5", Some(32_770)),
            ("0 ? 1 : 2", Some(2)),
            ("0 ? other : 2", Some(2)),
            ("1 ? other : 2", None),
            ("command +", None),
            ("other", None),
            ("", None),
        ] {
            assert_eq!(evaluate(text, &Sample), value, "{text}");
        }
    }
}
