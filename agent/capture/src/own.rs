//! Which processes are ours: their windows are not looked into, and are on no picture.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

/// This process, and others that belong to it for as long as they are listed. Copies are the same list.
#[derive(Debug, Clone, Default)]
pub struct OwnProcesses(Arc<RwLock<HashSet<u32>>>);

impl OwnProcesses {
    /// Lists a process, by its number.
    pub fn add(&self, pid: u32) {
        let mut listed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        listed.insert(pid);
    }

    /// A process has ended: the system may give its number to another program.
    pub fn remove(&self, pid: u32) {
        let mut listed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        listed.remove(&pid);
    }

    /// Whether no other process is listed. This one alone has no windows that anything could be done in.
    pub(crate) fn is_alone(&self) -> bool {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        listed.is_empty()
    }

    /// Whether a process is ours.
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        pid == std::process::id() || listed.contains(&pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_what_is_listed() {
        let own = OwnProcesses::default();
        let same = own.clone();
        assert!(own.contains(std::process::id()) && !own.contains(1));
        same.add(1);
        assert!(own.contains(1));
        assert!(!own.is_alone());
        own.remove(1);
        assert!(own.is_alone());
        assert!(!same.contains(1) && same.contains(std::process::id()));
    }
}
