//! The results of requests, as replies have them.

/// The outcome of a request. The number is the `result` of the reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Code {
    Ok = 0,
    UserExist = 1,
    UserNotExist = 2,
    NotLoggedIn = 3,
    TokenInvalid = 4,
    RoomNotExist = 5,
    RoomFull = 6,
    NotInRoom = 7,
    Frame = 8,
    Argument = 9,
    Command = 10,
    Limit = 11,
    Server = 12,
    Denied = 13,
}

/// A result with the name that clients use for it.
#[derive(Debug)]
pub struct ResultRow {
    pub code: Code,
    pub name: &'static str,
    pub about: &'static str,
}

/// Every result.
pub const RESULTS: &[ResultRow] = &[
    result(Code::Ok, "OK", "done"),
    result(Code::UserExist, "E_USER_EXIST", "the account exists already"),
    result(Code::UserNotExist, "E_USER_NOT_EXIST", "the account does not exist"),
    result(Code::NotLoggedIn, "E_NOT_LOGGED_IN", "no user is logged in on this connection"),
    result(Code::TokenInvalid, "E_TOKEN_INVALID", "the token is unknown or expired"),
    result(Code::RoomNotExist, "E_ROOM_NOT_EXIST", "the room does not exist"),
    result(Code::RoomFull, "E_ROOM_FULL", "every seat is taken"),
    result(Code::NotInRoom, "E_NOT_IN_ROOM", "this connection has no seat in the room"),
    result(Code::Frame, "E_FRAME", "the frame or its body is malformed"),
    result(Code::Argument, "E_ARGUMENT", "well-formed, but not acceptable"),
    result(Code::Command, "E_COMMAND", "unknown command"),
    result(Code::Limit, "E_LIMIT", "too fast, or idle too long"),
    result(Code::Server, "E_SERVER", "the gateway failed"),
    result(Code::Denied, "E_DENIED", "not allowed, or over a quota"),
];

const fn result(code: Code, name: &'static str, about: &'static str) -> ResultRow {
    ResultRow { code, name, about }
}
