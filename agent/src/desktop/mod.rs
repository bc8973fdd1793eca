//! What the desktop app adds to the agent: feedback, the right moment to ask for it, what the person is shown.
//!
//! The windows are thin: whatever can be decided or stored without one is here and tested without a display.
//!
//! | module | what it knows |
//! |---|---|
//! | [`view`] | the types that cross to the windows |
//! | [`sentence`] | the sentences that Rust says, by key |
//! | [`data`] | `data.yaml`: what can leave, in the person's language |
//! | [`scope`] | what an acknowledgement is of, and what a policy widened |
//! | [`pause`] | until when nothing is captured |
//! | [`feedback`] | drafts, submissions that wait, conversations |
//! | [`journal`] | a day as Snag knows it |
//! | [`left_out`] | labels as people read them |
//! | [`language`] | English or German, where no window says it |
//! | [`words`] | the catalogues, for what is said outside of windows |
//! | [`settings`] | what the person set and what IT locked |

pub mod data;
pub mod feedback;
pub mod journal;
pub mod language;
pub mod left_out;
pub mod pause;
pub mod scope;
pub mod sentence;
pub mod settings;
pub mod view;
pub mod words;
