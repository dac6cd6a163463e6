//! From what the generated operations give to a result.

use crate::apis;
use crate::models::{self, Failure};
use crate::{ChannelError, Error};

/// A reply of an operation: either it has `data`, or it is a failure.
pub trait Reply {
    /// What a success tells.
    type Data;

    fn outcome(self) -> Result<Self::Data, Failure>;
}

macro_rules! replies {
    ($($reply:ident { $success:ident($it:pat) => $data:expr, $type:ty })*) => {$(
        impl Reply for models::$reply {
            type Data = $type;

            fn outcome(self) -> Result<$type, Failure> {
                match self {
                    Self::$success($it) => Ok($data),
                    Self::Failure(failure) => Err(*failure),
                }
            }
        }
    )*};
}

replies! {
    RegisterReply { Done(_) => (), () }
    SendDirectReply { Done(_) => (), () }
    SendToChannelReply { Done(_) => (), () }
    LogInReply { SignedInSuccess(it) => *it.data, models::SignedIn }
    ShowUserReply { UserSuccess(it) => *it.data, models::User }
    ListMembersReply { MembersSuccess(it) => *it.data, models::Members }
    ReceiveDirectReply { DirectMessagesSuccess(it) => *it.data, models::DirectMessages }
    ReceiveFromChannelReply { ChannelMessagesSuccess(it) => *it.data, models::ChannelMessages }
}

/// The `data` of a success, or why there is none.
pub(crate) fn outcome<R: Reply, E>(reply: Result<R, apis::Error<E>>) -> Result<R::Data, Error> {
    match reply {
        Ok(reply) => {
            reply.outcome().map_err(|failure| Error::Refused(ChannelError::new(failure, 200)))
        }
        Err(apis::Error::ResponseError(response)) => {
            let status = response.status.as_u16();
            let failure: Failure = serde_json::from_str(&response.content)
                .map_err(|_| Error::Protocol(format!("a reply with HTTP status {status}")))?;
            Err(Error::Refused(ChannelError::new(failure, status)))
        }
        Err(apis::Error::Reqwest(error)) => Err(Error::Transport(error)),
        Err(apis::Error::Serde(error)) => Err(Error::Protocol(error.to_string())),
        Err(apis::Error::Io(error)) => Err(Error::Protocol(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn read(reply: &str) -> Result<models::SignedIn, Error> {
        outcome::<models::LogInReply, ()>(serde_json::from_str(reply).map_err(Into::into))
    }

    #[test]
    fn a_success_has_data() {
        let token = read(r#"{"code":0,"msg":"success","data":{"token":"t"}}"#).unwrap().token;
        assert_eq!(token, "t");
    }

    #[test]
    fn a_failure_is_an_error_with_its_code() {
        let error = read(r#"{"code":3,"msg":"wrong name or password"}"#).unwrap_err();
        assert_eq!(error.code(), Some(Code::WrongNameOrPassword));
        assert_eq!(error.to_string(), "wrong name or password (code 3)");
        assert!(!error.is_passing());
    }

    #[test]
    fn an_http_status_is_an_error_with_its_code() {
        let refused = |content: &str| {
            outcome::<models::LogInReply, ()>(Err(apis::Error::ResponseError(
                apis::ResponseContent {
                    status: reqwest::StatusCode::TOO_MANY_REQUESTS,
                    content: content.to_owned(),
                    entity: None,
                },
            )))
            .unwrap_err()
        };
        let error = refused(r#"{"code":10,"msg":"slow down"}"#);
        assert_eq!((error.code(), error.is_passing()), (Some(Code::SlowDown), true));
        let error = refused("<html>");
        assert_eq!(error.to_string(), "not the channel dialect: a reply with HTTP status 429");
    }

    #[test]
    fn what_is_neither_is_an_error() {
        for reply in ["{}", r#"{"code":0,"msg":"success"}"#, r#"{"code":99,"msg":"?"}"#] {
            let error = read(reply).unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{reply}: {error:?}");
        }
    }
}
