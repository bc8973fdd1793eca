//! What the desktop app adds to the agent: feedback, the right moment to ask for it, what the person is shown.
//!
//! The windows are thin: whatever can be decided or stored without one is here and tested without a display.

pub mod view;
