//! Words that stand on the wire as they are, each a type of its own: so a reply that says one can
//! say nothing else, and its schema neither.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident = $text:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct $name;

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($text)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "const": $text })
            }
        }
    };
}

// `res` of what went well.
word!(ChatroomCreateSuccessfully = "chatroom create successfully");
word!(GetUserDataSuccessfully = "get user data successfully");
word!(JoinChatroom = "join chatroom");
word!(LeaveChatroom = "leave chatroom");
word!(LoginSuccessfully = "login successfully");
word!(RegisterSuccessfully = "register successfully");

// `type` of a packet.
word!(CaughtUp = "caught_up");
word!(Error = "error");
word!(Gap = "gap");
word!(Join = "join");
word!(Leave = "leave");
word!(Msg = "msg");
word!(Posted = "posted");
word!(User = "user");
