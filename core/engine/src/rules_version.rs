//! The version of the rules.

use core_model::{AdminCommand, Command};

/// The version of the rules: of everything that decides what a command does to the state, and what
/// its outcome and events are. Two builds with the same version come to the same state, byte for
/// byte, from the same commands.
///
/// It is raised with whatever changes an outcome: a rule, a constant of one (a lifetime, a bound of
/// a text, what a search finds), the JSON of a command or an outcome that an idempotency key keeps,
/// and the tables of Unicode that names and searches go by.
///
/// A store that follows a log goes by the version that is [in force](crate::Progress::rules): the
/// latest that all live runs speak, from the end of the tick on that finds it so. A rule that is changed
/// therefore asks the context which version that is, and keeps the former way for one version; a
/// command that is new is not written to the log before.
pub const RULES: u32 = 3;

/// The version from which on the row of a token says when and where it was issued, and one sign-in can be
/// revoked.
pub(crate) const RULES_OF_SIGN_INS: u32 = 3;

/// The first version of the rules that has a command. It is not written to the log of gateways that go by
/// an earlier one.
pub fn rules_of(command: &Command) -> u32 {
    match command {
        Command::Admin(command) if matches!(**command, AdminCommand::RevokeSignIn { .. }) => {
            RULES_OF_SIGN_INS
        }
        _ => 0,
    }
}

/// Whether a version that has the rules up to `latest` can apply an entry of a log that is of `rules`:
/// it has these and the ones before, so that the gateways of a cluster are replaced one by one.
pub(crate) fn is_spoken(rules: u32, latest: u32) -> bool {
    rules > 0 && (rules == latest || rules.checked_add(1) == Some(latest))
}

#[cfg(test)]
mod tests {
    use core_model::{Command, normalize};
    use sha2::{Digest, Sha256};
    use unicode_normalization::UnicodeNormalization;
    use unicode_properties::{UnicodeEmoji, UnicodeGeneralCategory};
    use unicode_script::UnicodeScript;
    use unicode_security::GeneralSecurityProfile;
    use unicode_security::confusable_detection::skeleton;

    use super::RULES;

    /// The Unicode of the standard library whose tables are noted here.
    const COMPILER_UNICODE: (u8, u8, u8) = (17, 0, 0);

    /// The planes that have characters with properties, and no surrogates.
    fn characters() -> impl Iterator<Item = char> {
        (0..0x40000).chain(0xe0000..0xe1000).filter_map(char::from_u32)
    }

    /// SHA-256 of what a table makes of each character, the first 16 digits.
    fn digest(table: impl Fn(char) -> String) -> String {
        let mut digest = Sha256::new();
        for character in characters() {
            digest.update(table(character));
            digest.update([0]);
        }
        digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A dependency with other tables changes what a search finds, whether a handle is
    /// taken and which names look alike. Then this test fails: raise [`RULES`], and note the new
    /// digests. What the store has derived with the former tables is to be made anew, as
    /// `lookalike::revision` has it.
    #[test]
    fn the_tables_of_unicode_are_those_of_these_rules() {
        // Composed, decomposed, and beside marks of other classes.
        let nfc = |c: char| {
            let decomposed: String = std::iter::once(c).nfd().collect();
            normalize(&format!("{decomposed} a\u{301}{c}\u{323}"))
        };
        let found = [
            ("NFC", digest(nfc)),
            ("NFKC", digest(|c| std::iter::once(c).nfkc().collect())),
            (
                "case folding",
                digest(|c| caseless::default_case_fold_str(c.encode_utf8(&mut [0; 4]))),
            ),
            ("skeletons", digest(|c| skeleton(c.encode_utf8(&mut [0; 4])).collect())),
            ("kinds", digest(|c| format!("{:?} {:?}", c.general_category(), c.emoji_status()))),
            ("scripts", digest(|c| format!("{:?} {:?}", c.script(), c.script_extension()))),
            ("identifiers", digest(|c| format!("{:?}", c.identifier_type()))),
        ];
        let of_rules_3 = [
            ("NFC", "891ab36f629ef0fd"),
            ("NFKC", "8f5871dc32853558"),
            ("case folding", "a8646d2b01546387"),
            ("skeletons", "aec793db78f930ca"),
            ("kinds", "5408fdfb58e00c99"),
            ("scripts", "958e8aeb61caa3f9"),
            ("identifiers", "fcfef689ad75fe9a"),
        ];
        assert_eq!(
            (RULES, found.each_ref().map(|(table, digest)| (*table, &**digest))),
            (3, of_rules_3)
        );
    }

    /// The same for the tables of the standard library. They come with the compiler, and users
    /// build with the compiler that they have, so other tables are no fault here.
    #[test]
    fn the_tables_of_the_compiler_are_those_of_these_rules_if_it_has_their_unicode() {
        if char::UNICODE_VERSION != COMPILER_UNICODE {
            return;
        }
        // The small sigma at the end of a word depends on the properties of its neighbours.
        let lower = |c: char| format!("{c} {c}\u{3a3} \u{3a3}{c}").to_lowercase();
        let classes = |c: char| {
            let is_mark = unicode_normalization::char::is_combining_mark(c);
            format!("{}{}{}{is_mark}", c.is_alphanumeric(), c.is_whitespace(), c.is_control())
        };
        assert_eq!((RULES, &*digest(lower)), (3, "35443265e57fe609"));
        assert_eq!((RULES, &*digest(classes)), (3, "fa690f794fd34e64"));
    }

    /// An idempotency key is compared by the JSON of its command, which two builds with the same rules
    /// must write alike: a new field has to be left out where it has its default.
    #[test]
    fn the_bytes_of_commands_with_keys_are_those_of_these_rules() {
        // What is written of a command with every default, but where that is what was read.
        let defaults = [
            (
                r#"{"do":"register","user":{}}"#,
                r#"{"do":"register","user":{"insist":false,"profile":{}}}"#,
            ),
            (
                r#"{"do":"create_room","room":{}}"#,
                r#"{"do":"create_room","room":{"insist":false,"section":"","description":"","closed":false}}"#,
            ),
            (
                r#"{"do":"receive","user":"session","limit":1,"first_limit":1}"#,
                r#"{"do":"receive","user":"session","limit":1,"first_limit":1,"newest":false}"#,
            ),
            (
                r#"{"do":"enter","room":{"id":1},"user":{"claim":{"name":"gus","guests":true}},"seat":{"lease":{"ttl_ms":1,"grace_ms":1}}}"#,
                r#"{"do":"enter","room":{"id":1},"user":{"claim":{"name":"gus","guests":true}},"seat":{"lease":{"ttl_ms":1,"grace_ms":1}},"opens":false}"#,
            ),
        ];
        let same = [
            r#"{"do":"update_user","user":"session","create":false,"changes":{}}"#,
            r#"{"do":"update_room","room":{"id":1},"changes":{}}"#,
            r#"{"do":"delete_room","room":{"id":1}}"#,
            r#"{"do":"clear_messages","room":{"id":1}}"#,
            r#"{"do":"join","room":{"name":"tea"},"user":"session"}"#,
            r#"{"do":"kick","room":{"id":1},"user":{"id":10000}}"#,
            r#"{"do":"set_role","room":{"id":1},"user":"session","role":"voice","held":true}"#,
            r#"{"do":"change_policy","room":{"id":1},"change":{"moderated":true}}"#,
            r#"{"do":"delete_message","room":{"id":1},"message":1}"#,
            r#"{"do":"post","room":{"id":1},"author":"session","text":"","standing":"seated"}"#,
            r#"{"do":"post_direct","author":"session","to":{"id":10000},"text":""}"#,
            r#"{"do":"exit","room":{"id":1},"user":"session","seat":{"lease":{"ttl_ms":1,"grace_ms":1}}}"#,
        ];
        let same = same.map(|command| (command, command));
        for (read, expected) in defaults.into_iter().chain(same) {
            let command: Command = serde_json::from_str(read).expect(read);
            let written = serde_json::to_string(&command).unwrap();
            assert_eq!((RULES, &*written), (3, expected));
        }
    }
}
