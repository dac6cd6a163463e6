{
  "meta": {
    "id": "token",
    "title": "token dialect",
    "license": "MIT",
    "encoding": "UTF-8",
    "endian": "be",
    "ks-version": "0.10"
  },
  "doc": "Frames of the token dialect of Dragoman 0.1.0, as they follow each other on a TCP stream, in either direction.",
  "enums": {
    "command": {
      "1": { "id": "create_account", "doc": "Creates an account. Does not log in." },
      "10": {
        "id": "post_message",
        "doc": "Posts to a room that this connection has entered. An extension."
      },
      "11": {
        "id": "catch_up",
        "doc": "Asks for the messages of a room that came after one, the oldest first. They follow the reply as notifications. An extension."
      },
      "12": {
        "id": "post_once",
        "doc": "Posts like post_message, but once for each client_id, however often it is sent within a day. An extension."
      },
      "13": {
        "id": "create_room_once",
        "doc": "Creates a room like create_room, but once for each client_id, however often it is sent within a day. An extension."
      },
      "16385": {
        "id": "population_changed",
        "doc": "The number of seats taken in a room has changed."
      },
      "16386": { "id": "member_changed", "doc": "A user entered or left a room." },
      "16387": { "id": "message", "doc": "A user posted to a room. An extension." },
      "2": { "id": "login", "doc": "Logs in on this connection, replacing the former login." },
      "3": { "id": "create_room", "doc": "Creates a room that belongs to the token's user." },
      "4": { "id": "enter_room", "doc": "Takes a seat in a room for this connection." },
      "5": { "id": "room_list", "doc": "Lists rooms by number, at most 1000." },
      "6": { "id": "leave_room", "doc": "Gives back this connection's seat in a room." },
      "7": {
        "id": "leave_application",
        "doc": "Ends the login and gives back all seats of this connection."
      },
      "8": { "id": "apply_for_token", "doc": "Issues a token for creating rooms." },
      "9": { "id": "heartbeat", "doc": "Shows both sides that the other is there. An extension." }
    },
    "result": {
      "0": { "id": "ok", "doc": "done" },
      "1": { "id": "e_user_exist", "doc": "the account exists already" },
      "10": { "id": "e_command", "doc": "unknown command" },
      "11": { "id": "e_limit", "doc": "too fast, or idle too long" },
      "12": { "id": "e_server", "doc": "the gateway failed" },
      "13": { "id": "e_denied", "doc": "not allowed, or over a quota" },
      "2": { "id": "e_user_not_exist", "doc": "the account does not exist" },
      "3": { "id": "e_not_logged_in", "doc": "no user is logged in on this connection" },
      "4": { "id": "e_token_invalid", "doc": "the token is unknown or expired" },
      "5": { "id": "e_room_not_exist", "doc": "the room does not exist" },
      "6": { "id": "e_room_full", "doc": "every seat is taken" },
      "7": { "id": "e_not_in_room", "doc": "this connection has no seat in the room" },
      "8": { "id": "e_frame", "doc": "the frame or its body is malformed" },
      "9": { "id": "e_argument", "doc": "well-formed, but not acceptable" }
    }
  },
  "seq": [{ "id": "frames", "type": "frame", "repeat": "eos" }],
  "types": {
    "apply_for_token_reply": {
      "doc": "That it was done: apply_for_token",
      "seq": [{ "id": "token", "doc": "not 0; secret", "type": "u8" }]
    },
    "apply_for_token_request": { "doc": "Issues a token for creating rooms.", "seq": [] },
    "array_u32": {
      "doc": "u16 count and so many u32.",
      "seq": [
        { "id": "count", "type": "u2" },
        { "id": "elements", "type": "u4", "repeat": "expr", "repeat-expr": "count" }
      ]
    },
    "catch_up_reply": {
      "doc": "That it was done: catch_up",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        { "id": "count", "doc": "messages that follow", "type": "u2" },
        { "id": "more", "doc": "1: there are more after the last of these", "type": "u1" },
        {
          "id": "gap_before",
          "doc": "other than 0: some of those after the asked one and before this one were removed",
          "type": "u8"
        },
        { "id": "gap_count", "doc": "how many were; 0 where that is not known", "type": "u8" },
        { "id": "cursor", "doc": "the client then has all messages up to this one", "type": "u8" }
      ]
    },
    "catch_up_request": {
      "doc": "Asks for the messages of a room that came after one, the oldest first. They follow the reply as notifications. An extension.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        {
          "id": "after",
          "doc": "the newest message that the client has; 0 for none, 2^53 - 1 to begin now",
          "type": "u8"
        },
        {
          "id": "limit",
          "doc": "the most messages to send, at most 1000; 0 for 1000",
          "type": "u2"
        }
      ]
    },
    "content": {
      "doc": "What a frame is about.",
      "instances": {
        "about": {
          "doc": "the operation or the notification",
          "enum": "command",
          "value": "command & 32767"
        },
        "is_reply": { "value": "(command & 32768) != 0" },
        "kind": {
          "doc": "which body it has",
          "value": "is_reply ? (result == result::ok ? command : 32768) : command"
        }
      },
      "seq": [
        {
          "id": "command",
          "doc": "what it is about; a reply's is the request's + 0x8000",
          "type": "u2"
        },
        {
          "id": "sequence",
          "doc": "chosen by the client, echoed in the reply; 0 in notifications",
          "type": "u4"
        },
        {
          "id": "result",
          "doc": "how it ended, 0 is OK",
          "type": "u2",
          "enum": "result",
          "if": "is_reply"
        },
        {
          "id": "body",
          "doc": "by command, or the reason where a reply is not OK",
          "type": {
            "cases": {
              "1": "create_account_request",
              "10": "post_message_request",
              "11": "catch_up_request",
              "12": "post_once_request",
              "13": "create_room_once_request",
              "16385": "population_changed_notification",
              "16386": "member_changed_notification",
              "16387": "message_notification",
              "2": "login_request",
              "3": "create_room_request",
              "32768": "failure",
              "32769": "create_account_reply",
              "32770": "login_reply",
              "32771": "create_room_reply",
              "32772": "enter_room_reply",
              "32773": "room_list_reply",
              "32774": "leave_room_reply",
              "32775": "leave_application_reply",
              "32776": "apply_for_token_reply",
              "32777": "heartbeat_reply",
              "32778": "post_message_reply",
              "32779": "catch_up_reply",
              "32780": "post_once_reply",
              "32781": "create_room_once_reply",
              "4": "enter_room_request",
              "5": "room_list_request",
              "6": "leave_room_request",
              "7": "leave_application_request",
              "8": "apply_for_token_request",
              "9": "heartbeat_request"
            },
            "switch-on": "kind"
          },
          "size-eos": true
        }
      ]
    },
    "create_account_reply": {
      "doc": "That it was done: create_account",
      "seq": [
        { "id": "uid", "doc": "the user's number", "type": "u8" },
        { "id": "info", "doc": "the client's, with name, handle, created", "type": "string32" }
      ]
    },
    "create_account_request": {
      "doc": "Creates an account. Does not log in.",
      "seq": [
        {
          "id": "openid",
          "doc": "the user's id at its provider, 1 to 255 bytes",
          "type": "string16"
        },
        {
          "id": "openid_type",
          "doc": "the provider of that openid, 1 to 255 bytes, no slash",
          "type": "string16"
        },
        { "id": "info", "doc": "the client's own JSON object, kept", "type": "string32" }
      ]
    },
    "create_room_once_reply": {
      "doc": "That it was done: create_room_once",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        {
          "id": "info",
          "doc": "the client's, with name, population, capacity, section, state",
          "type": "string32"
        }
      ]
    },
    "create_room_once_request": {
      "doc": "Creates a room like create_room, but once for each client_id, however often it is sent within a day. An extension.",
      "seq": [
        { "id": "app_code", "doc": "stored with the room", "type": "u2" },
        { "id": "token", "doc": "from apply_for_token", "type": "u8" },
        {
          "id": "client_id",
          "doc": "the client's name for the request, 1 to 200 bytes",
          "type": "string16"
        },
        { "id": "info", "doc": "the client's own JSON object, kept", "type": "string32" }
      ]
    },
    "create_room_reply": {
      "doc": "That it was done: create_room",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        {
          "id": "info",
          "doc": "the client's, with name, population, capacity, section, state",
          "type": "string32"
        }
      ]
    },
    "create_room_request": {
      "doc": "Creates a room that belongs to the token's user.",
      "seq": [
        { "id": "app_code", "doc": "stored with the room", "type": "u2" },
        { "id": "token", "doc": "from apply_for_token", "type": "u8" },
        { "id": "info", "doc": "the client's own JSON object, kept", "type": "string32" }
      ]
    },
    "enter_room_reply": {
      "doc": "That it was done: enter_room",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        {
          "id": "info",
          "doc": "the client's, with name, population, capacity, section, state",
          "type": "string32"
        }
      ]
    },
    "enter_room_request": {
      "doc": "Takes a seat in a room for this connection.",
      "seq": [{ "id": "room_id", "doc": "the room", "type": "u4" }]
    },
    "failure": {
      "doc": "That it was not done.",
      "seq": [{ "id": "reason", "doc": "why, for the client's developer", "type": "string16" }]
    },
    "frame": {
      "doc": "One frame.",
      "seq": [
        { "id": "length", "doc": "bytes that follow this field", "type": "u4" },
        { "id": "content", "type": "content", "size": "length" }
      ]
    },
    "heartbeat_reply": { "doc": "That it was done: heartbeat", "seq": [] },
    "heartbeat_request": {
      "doc": "Shows both sides that the other is there. An extension.",
      "seq": []
    },
    "leave_application_reply": { "doc": "That it was done: leave_application", "seq": [] },
    "leave_application_request": {
      "doc": "Ends the login and gives back all seats of this connection.",
      "seq": []
    },
    "leave_room_reply": {
      "doc": "That it was done: leave_room",
      "seq": [{ "id": "room_id", "doc": "the room", "type": "u4" }]
    },
    "leave_room_request": {
      "doc": "Gives back this connection's seat in a room.",
      "seq": [{ "id": "room_id", "doc": "the room", "type": "u4" }]
    },
    "login_reply": {
      "doc": "That it was done: login",
      "seq": [
        { "id": "uid", "doc": "the user's number", "type": "u8" },
        { "id": "info", "doc": "the client's, with name, handle, created", "type": "string32" }
      ]
    },
    "login_request": {
      "doc": "Logs in on this connection, replacing the former login.",
      "seq": [
        {
          "id": "openid",
          "doc": "the user's id at its provider, 1 to 255 bytes",
          "type": "string16"
        },
        {
          "id": "openid_type",
          "doc": "the provider of that openid, 1 to 255 bytes, no slash",
          "type": "string16"
        },
        { "id": "auto_create", "doc": "other than 0: creates a missing account", "type": "s4" },
        { "id": "info", "doc": "the client's own JSON object, kept", "type": "string32" }
      ]
    },
    "member_changed_notification": {
      "doc": "A user entered or left a room.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        { "id": "uid", "doc": "the user; 0 for a guest", "type": "u8" },
        { "id": "entered", "doc": "1 entered, 0 left", "type": "u1" },
        { "id": "info", "doc": "an object with name", "type": "string32" }
      ]
    },
    "message_notification": {
      "doc": "A user posted to a room. An extension.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        { "id": "uid", "doc": "the author; 0 for a guest", "type": "u8" },
        { "id": "message_id", "doc": "unique, increasing, below 2^53", "type": "u8" },
        { "id": "time", "doc": "when, in milliseconds since 1970", "type": "u8" },
        { "id": "text", "doc": "as it was posted", "type": "string32" }
      ]
    },
    "population_changed_notification": {
      "doc": "The number of seats taken in a room has changed.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        { "id": "population", "doc": "seats taken", "type": "u4" }
      ]
    },
    "post_message_reply": {
      "doc": "That it was done: post_message",
      "seq": [{ "id": "message_id", "doc": "unique, increasing, below 2^53", "type": "u8" }]
    },
    "post_message_request": {
      "doc": "Posts to a room that this connection has entered. An extension.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        { "id": "text", "doc": "not empty, kept byte for byte", "type": "string32" }
      ]
    },
    "post_once_reply": {
      "doc": "That it was done: post_once",
      "seq": [{ "id": "message_id", "doc": "of the one message", "type": "u8" }]
    },
    "post_once_request": {
      "doc": "Posts like post_message, but once for each client_id, however often it is sent within a day. An extension.",
      "seq": [
        { "id": "room_id", "doc": "the room", "type": "u4" },
        {
          "id": "client_id",
          "doc": "the client's name for the message, 1 to 200 bytes",
          "type": "string16"
        },
        { "id": "text", "doc": "not empty, kept byte for byte", "type": "string32" }
      ]
    },
    "room_list_reply": {
      "doc": "That it was done: room_list",
      "seq": [{ "id": "room_list", "doc": "room numbers, ascending", "type": "array_u32" }]
    },
    "room_list_request": {
      "doc": "Lists rooms by number, at most 1000.",
      "seq": [{ "id": "room_id", "doc": "only greater ones; 0 from the start", "type": "u4" }]
    },
    "string16": {
      "doc": "A text: u16 byte count and UTF-8.",
      "seq": [
        { "id": "byte_count", "type": "u2" },
        { "id": "text", "type": "str", "size": "byte_count" }
      ]
    },
    "string32": {
      "doc": "A text, or an object of JSON: u32 byte count and UTF-8.",
      "seq": [
        { "id": "byte_count", "type": "u4" },
        { "id": "text", "type": "str", "size": "byte_count" }
      ]
    }
  }
}
