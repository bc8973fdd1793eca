//! Nothing is stored any more of what is being deleted.
//!
//! **Invariants:**
//! - Whoever stores something holds a [`Storing`] until it is in, and gets none for what is gone. It belongs to what
//!   stores, not to the request: a client that hangs up doesn't end an insert that has begun.
//! - Once [`Gone::add`] returns, all that was let in before is stored, so that it is found and deleted with the rest.
//! - What is stored of others waits for no deletion.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

/// An item or a device, and the organisation that it is of.
type Key = (Uuid, Uuid);

/// Items and devices that this process deletes, or has deleted a moment ago.
#[derive(Default)]
pub struct Gone {
    known: Mutex<Known>,
    /// Something was stored.
    stored: Notify,
}

#[derive(Default)]
struct Known {
    gone: HashSet<Key>,
    /// What retention ends of an organisation. It may be long: the list is the one that retention goes by.
    expiring: Option<(Uuid, Arc<BTreeSet<Uuid>>)>,
    /// How many requests store something of it.
    storing: HashMap<Key, u64>,
}

impl Known {
    fn is_gone(&self, key: &Key) -> bool {
        let (org, id) = key;
        let expires = |(of, ids): &(Uuid, Arc<BTreeSet<Uuid>>)| of == org && ids.contains(id);
        self.gone.contains(key) || self.expiring.as_ref().is_some_and(expires)
    }
}

/// Nothing of what retention ends is let in while this is held.
pub struct Expiring(Arc<Gone>);

impl Drop for Expiring {
    fn drop(&mut self) {
        self.0.known.lock().expiring = None;
    }
}

/// Something of these items and devices is being stored.
pub struct Storing {
    of: Arc<Gone>,
    keys: Vec<Key>,
}

impl Drop for Storing {
    fn drop(&mut self) {
        let mut known = self.of.known.lock();
        for key in &self.keys {
            if let Some(count) = known.storing.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    known.storing.remove(key);
                }
            }
        }
        drop(known);
        self.of.stored.notify_waiters();
    }
}

impl Gone {
    /// Lets something of these items and devices be stored; none where one of them is gone.
    pub fn store(self: &Arc<Self>, org: Uuid, ids: &[Uuid]) -> Option<Storing> {
        let keys: Vec<Key> = ids.iter().map(|id| (org, *id)).collect();
        let mut known = self.known.lock();
        if keys.iter().any(|key| known.is_gone(key)) {
            return None;
        }
        for key in &keys {
            *known.storing.entry(*key).or_default() += 1;
        }
        let of = Arc::clone(self);
        Some(Storing { of, keys })
    }

    /// Whether something of an item or device is being stored.
    pub fn is_storing(&self, org: Uuid, id: Uuid) -> bool {
        self.known.lock().storing.contains_key(&(org, id))
    }

    /// Lets nothing more of an item or device in, and waits until what was let in is stored.
    pub async fn add(&self, org: Uuid, id: Uuid) {
        self.known.lock().gone.insert((org, id));
        self.wait(|key| *key == (org, id)).await;
    }

    /// The same for all that retention ends, until what it gives is dropped. Afterwards a look at the tables says that
    /// they are gone. There is one such list at a time, as there is one deletion.
    pub async fn expire(self: &Arc<Self>, org: Uuid, ids: Arc<BTreeSet<Uuid>>) -> Expiring {
        self.known.lock().expiring = Some((org, Arc::clone(&ids)));
        let expiring = Expiring(Arc::clone(self));
        self.wait(|(of, id)| *of == org && ids.contains(id)).await;
        expiring
    }

    /// Waits until nothing of these is being stored.
    async fn wait(&self, of: impl Fn(&Key) -> bool) {
        loop {
            // It hears of what is stored from here on, so that nothing is missed between the look and the wait.
            let stored = self.stored.notified();
            if !self.known.lock().storing.keys().any(&of) {
                return;
            }
            stored.await;
        }
    }

    /// No request that began before is left: its token is revoked, or the log of deletions has the item.
    pub fn remove(&self, org: Uuid, id: Uuid) {
        self.known.lock().gone.remove(&(org, id));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_was_let_in_is_waited_for_and_nothing_comes_after() {
        let gone = Arc::new(Gone::default());
        let [org, item, device, other] = [1, 2, 3, 4].map(Uuid::from_u128);
        let first = gone.store(org, &[device, item]).expect("let in");
        let second = gone.store(org, &[device]).expect("let in");
        let adding = tokio::spawn({
            let gone = Arc::clone(&gone);
            async move { gone.add(org, device).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(gone.store(org, &[device, item]).is_none());
        let others = gone.store(org, &[other]).expect("nobody else waits");
        drop(first);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!adding.is_finished(), "something is still being stored");
        drop(second);
        adding.await.expect("added");
        drop(others);
        assert!(gone.store(other, &[device]).is_some(), "another's");
        gone.remove(org, device);
        assert!(gone.store(org, &[device]).is_some());
    }

    #[tokio::test]
    async fn what_expires_is_let_in_again_once_it_has() {
        let gone = Arc::new(Gone::default());
        let [org, item, device, other] = [1, 2, 3, 4].map(Uuid::from_u128);
        let first = gone.store(org, &[device, item]).expect("let in");
        let ids = Arc::new(BTreeSet::from([item, other]));
        let mut expiring = Box::pin(gone.expire(org, ids));
        tokio::select! {
            biased;
            _ = &mut expiring => panic!("something is still being stored"),
            () = std::future::ready(()) => {}
        }
        assert!(gone.store(org, &[device, item]).is_none());
        assert!(gone.store(org, &[device]).is_some(), "another's");
        assert!(gone.store(device, &[item]).is_some(), "another's");
        drop(first);
        let expiring = expiring.await;
        assert!(gone.store(org, &[other]).is_none());
        drop(expiring);
        assert!(gone.store(org, &[other, item]).is_some());
    }
}
