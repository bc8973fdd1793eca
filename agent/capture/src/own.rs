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
        own.remove(1);
        assert!(!same.contains(1) && same.contains(std::process::id()));
    }
}
