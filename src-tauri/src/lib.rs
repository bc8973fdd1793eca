//! The desktop app: the agent in this process, a tray icon, and the windows that it opens.
//!
//! | module | what it knows |
//! |---|---|
//! | [`app`] | how the parts come up, work together and end |
//! | [`instance`] | that there is one app for each folder |
//! | [`tray`], [`tray_words`], [`mark`] | the icon: how it is shown, what it says, how it is drawn |
//! | [`windows`], [`links`] | the windows, and what a `snag://` link opens |
//! | [`commands`] | what a window may ask for |
//! | [`feedback`] | a picture first, then the form |
//! | [`notices`] | notifications |
//! | [`shortcut`], [`autostart`] | what the settings change in the system |
//! | [`surroundings`] | what this desktop offers |
//! | [`words`] | the catalogues |
//!
//! What can be decided without a window is decided in `snag-agent`.

pub mod app;
pub mod autostart;
pub mod commands;
pub mod feedback;
pub mod instance;
pub mod links;
pub mod mark;
pub mod notices;
pub mod shortcut;
pub mod surroundings;
pub mod tray;
pub mod tray_words;
pub mod windows;
pub mod words;
