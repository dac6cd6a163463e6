//! Draws the tokens that commands grant. The engine gets only their hashes.

use core_model::{Command, Grant, Outcome, Refusal, Reply, TokenHash, TokenShape};
use data_encoding::BASE64URL_NOPAD;

/// Draws the token that a command grants, if any, and puts its hash in the command.
pub(crate) fn draw(command: &mut Command) -> Result<Option<String>, Refusal> {
    let grant = match command {
        Command::SignIn { token: Some(grant), .. } | Command::IssueToken { grant, .. } => grant,
        _ => return Ok(None),
    };
    if grant.hash.is_some() {
        return Ok(None);
    }
    let token = random(grant).map_err(|error| Refusal::Internal {
        why: format!("no randomness from the operating system: {error}"),
    })?;
    grant.hash = Some(TokenHash::of(&grant.purpose, &token));
    Ok(Some(token))
}

/// Puts a drawn token into the reply.
pub(crate) fn fill_in(outcome: &mut Outcome, drawn: Option<String>) {
    match outcome {
        Ok(Reply::SignedIn { token, .. }) if drawn.is_some() => *token = drawn,
        Ok(Reply::TokenIssued { token }) => {
            if let Some(drawn) = drawn {
                *token = drawn;
            }
        }
        _ => (),
    }
}

fn random(grant: &Grant) -> Result<String, getrandom::Error> {
    Ok(match grant.shape {
        TokenShape::Text => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes)?;
            BASE64URL_NOPAD.encode(&bytes)
        }
        TokenShape::Number => loop {
            let number = getrandom::u64()?;
            if number != 0 {
                break number.to_string();
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use core_model::{Uid, UserRef};

    use super::*;

    fn issue(shape: TokenShape, hash: Option<TokenHash>) -> Command {
        let purpose = "test".into();
        let grant = Grant { purpose, shape, ttl_ms: 1, sliding: false, hash };
        Command::IssueToken { user: UserRef::Id(Uid(10000)), grant }
    }

    fn hash(command: &Command) -> Option<TokenHash> {
        match command {
            Command::IssueToken { grant, .. } => grant.hash,
            _ => None,
        }
    }

    #[test]
    fn a_drawn_token_matches_the_hash_in_the_command_and_goes_into_the_reply() {
        let mut command = issue(TokenShape::Text, None);
        let token = draw(&mut command).unwrap().expect("a token");
        assert_eq!(token.len(), 43);
        assert_eq!(hash(&command), Some(TokenHash::of("test", &token)));
        let mut outcome = Ok(Reply::TokenIssued { token: String::new() });
        fill_in(&mut outcome, Some(token.clone()));
        assert_eq!(outcome, Ok(Reply::TokenIssued { token }));
    }

    #[test]
    fn a_number_is_a_random_u64_in_digits() {
        let draw = || draw(&mut issue(TokenShape::Number, None)).unwrap().expect("a token");
        let first = draw();
        let second = draw();
        assert_ne!(first.parse::<u64>().unwrap(), 0);
        assert_ne!(first, second);
    }

    #[test]
    fn a_grant_with_a_hash_is_unchanged() {
        let given = TokenHash::of("test", "mine");
        let mut command = issue(TokenShape::Text, Some(given));
        assert_eq!(draw(&mut command), Ok(None));
        assert_eq!(hash(&command), Some(given));
    }
}
