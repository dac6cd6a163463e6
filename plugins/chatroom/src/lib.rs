//! The chatroom dialect as a shared library.

plugin_sdk::export_frontend!(frontend_chatroom::ChatroomFrontend);
