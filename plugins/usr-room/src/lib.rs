//! The usr-room dialect as a shared library.

plugin_sdk::export_frontend!(frontend_usr_room::UsrRoomFrontend);
