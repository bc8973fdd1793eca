//! Answers that one thread waits for and another gives, or not, until a deadline.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::queue::{Queue, lock};

/// An answer that another thread will give, or not, until its deadline.
pub(crate) struct Answer<T> {
    slot: Arc<Mutex<Slot<T>>>,
    pub(crate) deadline: Instant,
}

/// The giver's side of an `Answer`.
pub(crate) struct Reply<T> {
    slot: Arc<Mutex<Slot<T>>>,
    queue: Arc<Queue>,
}

enum Slot<T> {
    Waits,
    Given(T),
    /// The deadline passed, and what the answer was for went on without it.
    GivenUp,
}

impl<T> Answer<T> {
    /// The answer, if it came. After its deadline one that did not come never will.
    pub(crate) fn take(&self) -> Taken<T> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::GivenUp) {
            Slot::Given(answer) => Taken::Answer(answer),
            Slot::Waits if Instant::now() < self.deadline => {
                *slot = Slot::Waits;
                Taken::NotYet
            }
            Slot::Waits | Slot::GivenUp => Taken::Late,
        }
    }
}

/// What there is of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Answer(T),
    NotYet,
    Late,
}

impl<T> Reply<T> {
    /// Gives the answer.
    ///
    /// # Errors
    /// Gives it back where it comes too late.
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        let mut slot = lock(&self.slot);
        if matches!(*slot, Slot::GivenUp) {
            return Err(value);
        }
        *slot = Slot::Given(value);
        drop(slot);
        self.queue.notify();
        Ok(())
    }
}

impl Queue {
    /// A question that is to be answered within `deadline`.
    pub(crate) fn question<T>(self: &Arc<Self>, deadline: Duration) -> (Answer<T>, Reply<T>) {
        let slot = Arc::new(Mutex::new(Slot::Waits));
        let answer = Answer {
            slot: slot.clone(),
            deadline: Instant::now() + deadline,
        };
        (
            answer,
            Reply {
                slot,
                queue: self.clone(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_wakes_the_reader_and_a_missing_one_does_not_hold_it() {
        let queue = Queue::new();
        let (answer, reply) = queue.question::<u8>(Duration::from_secs(20));
        let seen = queue.notified();
        let giver = std::thread::spawn(move || assert_eq!(reply.send(7), Ok(())));
        assert!(queue.wait_answer(seen, answer.deadline) > seen);
        giver.join().expect("the giver ends");
        assert_eq!(answer.take(), Taken::Answer(7));
        let (never, reply) = queue.question::<u8>(Duration::from_millis(10));
        assert_eq!(never.take(), Taken::NotYet);
        queue.wait_answer(queue.notified(), never.deadline);
        assert_eq!(never.take(), Taken::Late);
        assert_eq!(
            reply.send(8),
            Err(8),
            "the giver hears that nobody waits any more"
        );
    }
}
