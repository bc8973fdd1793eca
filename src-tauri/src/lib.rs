//! The desktop app: the agent in this process, a tray icon, and the windows that a program of their own draws.
//!
//! Two programs are made of this: `snag-desktop` (`main.rs`), which is all that runs while no window is open, and
//! `snag-windows` (`windows_bin/`), which alone has Tauri and its web views in it. What both need is here.
//!
//! | module | what it knows |
//! |---|---|
//! | [`app`] | how the parts come up, work together and end |
//! | [`instance`] | that there is one app for each folder |
//! | [`tray`], [`indicator`], [`tray_words`], [`mark`] | the icon: its menu, how it is shown, what it says, how it is drawn |
//! | [`window`] | the windows that there are |
//! | [`windows_process`] | the process that draws them, as the app sees it |
//! | [`channel`] | what the two say to each other |
//! | [`links`] | what a `snag://` link opens |
//! | [`commands`] | what a window may ask for |
//! | [`feedback`] | a picture first, then the form |
//! | [`notices`] | notifications |
//! | [`shortcut`], [`autostart`] | what the settings change in the system |
//! | [`ready`] | whether a page of the form is kept ready |
//! | [`surroundings`] | what this desktop offers |
//! | [`libraries`] | what the libraries beneath are told before they are loaded |
//! | [`words`] | the catalogues |
//!
//! What can be decided without a window is decided in `snag-agent`.

pub mod app;
pub mod autostart;
pub mod channel;
pub mod commands;
pub mod feedback;
pub mod indicator;
pub mod instance;
#[cfg(target_os = "linux")]
pub mod libraries;
pub mod links;
pub mod mark;
pub mod notices;
pub mod ready;
pub mod shortcut;
pub mod surroundings;
pub mod tray;
pub mod tray_words;
pub mod window;
pub mod windows_process;
pub mod words;
