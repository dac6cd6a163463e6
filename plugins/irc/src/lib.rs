//! The irc dialect as a shared library.

plugin_sdk::export_frontend!(frontend_irc::IrcFrontend);
