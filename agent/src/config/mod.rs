//! What the agent knows of itself between two starts: where it keeps things,
//! whom it is enrolled with, and the last policy it was given.

mod identity;
mod paths;

pub use identity::{Identity, IdentityError};
pub use paths::Paths;
pub(crate) use paths::{create_private_dir, replace_private, write_private};
