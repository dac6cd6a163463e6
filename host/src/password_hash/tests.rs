//! Hashes of our own, and of other servers.

use super::*;

const COMPOSED: &str = "caf\u{e9}";
const DECOMPOSED: &str = "cafe\u{301}";

fn hashed(password: &str) -> String {
    hash(password, Form::Plain).unwrap()
}

fn matches(password: &str, stored: &str) -> bool {
    verify(password, stored, "") != Verdict::Wrong
}

#[test]
fn a_password_matches_however_its_characters_are_composed() {
    for (set, tried) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let phc = hashed(set);
        assert!(matches(tried, &phc) && matches(set, &phc));
        assert!(!matches("cafe", &phc));
    }
}

#[test]
fn a_hash_of_the_raw_form_still_matches_the_raw_form() {
    let phc = Argon2::default().hash_password(DECOMPOSED.as_bytes()).unwrap().to_string();
    assert!(matches(DECOMPOSED, &phc));
    assert!(!matches(COMPOSED, &phc), "its raw form is unknown");
}

#[test]
fn a_digest_matches_itself_and_the_password_it_is_of() {
    for password in ["tea", COMPOSED, &sha256("tea")] {
        let stored = hash(&sha256(password), Form::Sha256).unwrap();
        assert!(stored.starts_with("sha256:$argon2id$"));
        assert!(matches(password, &stored), "{password}");
        assert!(matches(&sha256(password), &stored), "{password}");
        assert!(!matches(&sha256(password).to_uppercase(), &stored));
        assert!(!matches("coffee", &stored) && !matches(&sha256("coffee"), &stored));
    }
    let stored = hash(&sha256(COMPOSED), Form::Sha256).unwrap();
    assert!(matches(DECOMPOSED, &stored));
    // A plain password that is a digest is no digest of a password.
    assert!(!matches("tea", &hashed(&sha256("tea"))));
    assert!(matches(&sha256("tea"), &hashed(&sha256("tea"))));
}

/// Hashes of "tea" that libxcrypt and Python's hashlib made, with what they are called.
const FOREIGN: [(&str, &str); 19] = [
    ("bcrypt", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.XZPt8FsrqcmrrIacrrAjN72mBwyvxwy"),
    ("bcrypt", "{CRYPT}$2y$10$abcdefghijklmnopqrstuu.2tQnAnV0M3IFG8E6f05GG6FMT5cn4u"),
    ("PBKDF2-SHA1", "$pbkdf2-sha1$i=1000,l=20$c2FsdHNhbHQx$EJC82lFUn9FGYPmx1MqK/4lfvEw"),
    (
        "PBKDF2-SHA256",
        "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQx$uBOzQM1O+VHnEiwMq255nUhl3CyLLYR78T2glaEun/g",
    ),
    (
        "PBKDF2-SHA512",
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHQx$hg7l1Lu1i6Nmn0y8SdOM9HE5sfWfceees3rfHvfGGEsuckUSNpfa9wvdGfkqFAeLOJiM0yXa0BWnlzj2Vkwu3A",
    ),
    (
        "PBKDF2-SHA256",
        "$pbkdf2-sha256$29000$c2FsdHNhbHQx$hWF1Ra1ULYJfa.sfzgbKuInlv7oB1rlF2kBaChAbjvA",
    ),
    ("PBKDF2-SHA256", "pbkdf2_sha256$1000$texT$ycXsvPTC+5t/BGju+UFEtu3NJa5BHXnHhQvphhLGexk="),
    (
        "PBKDF2-SHA512",
        "{PBKDF2-SHA512}1000$c2FsdHNhbHQx$hg7l1Lu1i6Nmn0y8SdOM9HE5sfWfceees3rfHvfGGEsuckUSNpfa9wvdGfkqFAeLOJiM0yXa0BWnlzj2Vkwu3A",
    ),
    ("MD5", "{MD5}7239ea2b5dc943f61f3c0a0276c20974"),
    ("MD5", "{md5}cjnqK13JQ/YfPAoCdsIJdA=="),
    ("MD5", "{SMD5}h4DtmgUbtLMMHJH5lPe1EXNhbHRzYWx0MQ=="),
    ("MD5", "md5$pepper$9b4df54658fd206d52123e8f553eaa72"),
    ("SHA-1", "{SSHA}Da7EncnlshX6sppjqvCxqkiGTSlzYWx0c2FsdDE="),
    ("SHA-1", "sha1$pepper$9fe9d8de7505ad673a9837f17bcc8bba8cfe459a"),
    ("SHA-256", "{SHA256}qfdNHsNuvesto/blhoCQzSotILPcynti9gMEsdPZ70I="),
    ("SHA-256", "{SSHA256}oWnpX/IoLWbv55j7raO2x+z6rM8tVaqWpTjqOUWSwC9zYWx0c2FsdDE="),
    ("SHA-256", "sha256$pepper$459f58fedfce83bcbff095871f6bf97b17d23aef0334830621d008495020ff76"),
    (
        "SHA-512",
        "{SSHA512}oIPqKnMgkc8zlBb5c60sBy7lZrNEpuNyIyoFjeLG0lgkeasIPAXLCahkDq+4YCLGt1Sl1PDIrRblCjhOyClOnnNhbHRzYWx0MQ==",
    ),
    ("MD5", "sha256:{MD5}e1af4ce524c4a7c356c103b3756342d6"),
];

#[test]
fn a_hash_of_another_server_gives_way_to_one_of_our_own() {
    for (scheme, foreign) in FOREIGN {
        let found = importable(foreign).unwrap_or_else(|why| panic!("{foreign}: {why}"));
        assert_eq!(found.scheme, scheme, "{foreign}");
        let Verdict::Renew(renewed) = verify("tea", foreign, "") else { panic!("{foreign}") };
        assert!(matches("tea", &renewed) && matches(&sha256("tea"), &renewed), "{foreign}");
        assert_eq!(verify("tea", &renewed, ""), Verdict::Right, "{foreign}");
        for wrong in ["coffee", "", "tea ", &sha256("coffee")] {
            assert_eq!(verify(wrong, foreign, ""), Verdict::Wrong, "{foreign} {wrong:?}");
        }
    }
    // Of a digest, which a client may send.
    let (_, of_digest) = FOREIGN[18];
    assert!(matches!(verify(&sha256("tea"), of_digest, ""), Verdict::Renew(_)));
    let (_, of_password) = FOREIGN[8];
    assert_eq!(verify(&sha256("tea"), of_password, ""), Verdict::Wrong, "it is of the password");
}

#[test]
fn the_accents_of_another_servers_password_may_be_composed_in_any_way() {
    let foreign = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.nOuSbjL5F2OF3gGGCewLeZYk8mdGqQ6";
    for password in [COMPOSED, DECOMPOSED] {
        let Verdict::Renew(renewed) = verify(password, foreign, "") else { panic!("{password}") };
        assert!(matches(COMPOSED, &renewed) && matches(DECOMPOSED, &renewed));
    }
}

#[test]
fn fast_digests_and_small_costs_are_weak() {
    let is_weak = |text: &str| importable(text).unwrap().is_weak;
    for (scheme, foreign) in FOREIGN {
        let is_strong = foreign.contains("$10$") || foreign.contains("$29000$");
        assert_eq!(is_weak(foreign), !is_strong, "{scheme} {foreign}");
    }
    assert!(!is_weak(&hashed("tea")));
}

#[test]
fn what_cannot_be_verified_or_takes_too_long_is_refused() {
    for (text, why) in [
        ("", "expected argon2id"),
        ("tea", "expected argon2id"),
        ("7239ea2b5dc943f61f3c0a0276c20974", "expected argon2id"),
        ("$6$salt$hash", "expected argon2id"),
        ("$1$salt$hash", "expected argon2id"),
        ("{WHIRLPOOL}aaaa", "expected argon2id"),
        ("{MD5", "expected argon2id"),
        ("{MD5}aaaa", "{MD5} is followed by base64 of 16 bytes"),
        ("{SSHA}dUkPMsBqUAUYBDOUU9P+LwzVVks=", "base64 of 20 bytes and a salt"),
        ("{SHA}Da7EncnlshX6sppjqvCxqkiGTSlzYWx0c2FsdDE=", "base64 of 20 bytes"),
        ("md5$pepper$xyz", "not hexadecimal"),
        ("md5$pepper$00", "the digest has 1 bytes, not 16"),
        ("$2b$05$short", "it is no hash of bcrypt"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.XZPt8FsrqcmrrIacrrAjN72mBwyvxwy", "of cost 4 to 14"),
        ("{CRYPT}$2x$05$CCCCCCCCCCCCCCCCCCCCC.XZPt8FsrqcmrrIacrrAjN72mBwyvxwy", "$2y$ of cost"),
        ("$pbkdf2-sha256$i=4000000000$c2FsdA$AAAA", "1 to 2000000 iterations"),
        ("$pbkdf2-sha256$i=0$c2FsdA$AAAA", "1 to 2000000 iterations"),
        ("$pbkdf2-sha256$x=1$c2FsdA$AAAA", "the parameter x of PBKDF2 is unknown"),
        ("$pbkdf2-sha256$i=1$c2FsdA$AAAA", "has 16 to 64 bytes"),
        ("$pbkdf2-sha256$i=1$?$AAAA", "not base64"),
        ("$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$YWFhYWFhYWFhYWFhYWFhYQ", "argon2id"),
        ("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$YWFhYWFhYWFhYWFhYWFhYQ", "m of argon2id"),
        ("$argon2id$v=19$m=19456,t=900,p=1$c2FsdHNhbHQ$YWFhYWFhYWFhYWFhYWFhYQ", "t of argon2id"),
    ] {
        let refused = importable(text).expect_err(text);
        assert!(refused.contains(why), "{text}: {refused}");
    }
}
