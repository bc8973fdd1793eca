//! Whether moves and wheel steps go into a window of ours.
//!
//! **Invariant:** it is asked once for all moves, or all steps, that lie next to each other, about the place of the last:
//! a reader takes them every 20 ms. Moves out of or into a window of ours are ours as a whole.

use std::collections::VecDeque;
use std::time::Instant;

use crate::answer::{Answer, Taken};
use crate::queue::{Seen, What};

/// Asks whether the window at a point is one of ours; none where it isn't known.
pub(crate) type AskWhose = Box<dyn Fn(f64, f64) -> Answer<Option<bool>> + Send>;

/// The pointer, as far as it matters whose window it is in.
pub(crate) struct Pointer {
    ask: AskWhose,
    /// It was in a window of ours when it was last known.
    is_own: bool,
    run: Option<Run>,
}

/// Moves, or wheel steps, that lie next to each other.
struct Run {
    moves: bool,
    /// How many of them are left.
    left: usize,
    own: Whose,
}

enum Whose {
    Asked(Answer<Option<bool>>),
    Known(bool),
}

impl Pointer {
    pub(crate) fn new(ask: AskWhose) -> Self {
        Self {
            ask,
            is_own: false,
            run: None,
        }
    }

    /// A press told whose window it is in.
    pub(crate) fn pressed(&mut self, own: bool) {
        self.is_own = own;
    }

    /// Whether the move or wheel step at the head of what was seen is ours. It is taken from the head then; else this
    /// tells until when to wait for that to be known.
    pub(crate) fn is_own(&mut self, seen: &VecDeque<Seen>) -> Result<bool, Instant> {
        let Some(run) = self.run.take().or_else(|| self.next_run(seen)) else {
            return Ok(self.is_own);
        };
        let own = match run.own {
            Whose::Known(own) => own,
            Whose::Asked(answer) => {
                let now = match answer.take() {
                    Taken::Answer(now) => now.unwrap_or(false),
                    Taken::NotYet => {
                        let deadline = answer.deadline;
                        self.run = Some(Run {
                            own: Whose::Asked(answer),
                            ..run
                        });
                        return Err(deadline);
                    }
                    Taken::Late => self.is_own,
                };
                let before = std::mem::replace(&mut self.is_own, now);
                now || run.moves && before
            }
        };
        self.run = (run.left > 1).then_some(Run {
            left: run.left - 1,
            own: Whose::Known(own),
            ..run
        });
        Ok(own)
    }

    /// The moves, or wheel steps, at the head, which are asked about.
    fn next_run(&self, seen: &VecDeque<Seen>) -> Option<Run> {
        let moves = matches!(seen.front()?.what, What::Move { .. });
        let (mut left, mut last) = (0, None);
        for seen in seen {
            match seen.what {
                What::Move { x, y } if moves => last = Some((x, y)),
                What::Wheel { x, y, .. } if !moves => last = Some((x, y)),
                _ => break,
            }
            left += 1;
        }
        let (x, y) = last?;
        Some(Run {
            moves,
            left,
            own: Whose::Asked((self.ask)(x, y)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;
    use crate::queue::Queue;

    const MOVE: fn(f64) -> What = |x| What::Move { x, y: 0.0 };
    const WHEEL: fn(f64) -> What = |x| What::Wheel {
        dx: 0.0,
        dy: 1.0,
        x,
        y: 0.0,
    };

    /// Ours is what lies from 100 on; nobody's what lies left of 0.
    fn pointer(asked: &Arc<AtomicUsize>) -> Pointer {
        let (queue, asked) = (Queue::new(), asked.clone());
        Pointer::new(Box::new(move |x, _| {
            asked.fetch_add(1, Relaxed);
            let (answer, reply) = queue.question(Duration::from_secs(60));
            assert!(reply.send((x >= 0.0).then_some(x >= 100.0)).is_ok());
            answer
        }))
    }

    fn own(pointer: &mut Pointer, whats: Vec<What>) -> Vec<bool> {
        let mut seen: VecDeque<Seen> = whats.into_iter().map(|what| Seen { t: 0, what }).collect();
        let mut all = Vec::new();
        while !seen.is_empty() {
            all.push(pointer.is_own(&seen).expect("it is answered"));
            seen.pop_front();
        }
        all
    }

    #[test]
    fn a_run_is_asked_about_once_and_left_out_where_it_touches_a_window_of_ours() {
        let asked = Arc::default();
        let mut pointer = pointer(&asked);
        assert_eq!(
            own(&mut pointer, vec![MOVE(1.0), MOVE(2.0), MOVE(3.0)]),
            [false; 3]
        );
        assert_eq!(asked.load(Relaxed), 1);
        assert_eq!(
            own(&mut pointer, vec![MOVE(50.0), MOVE(150.0)]),
            [true; 2],
            "into ours"
        );
        assert_eq!(
            own(&mut pointer, vec![MOVE(120.0), MOVE(60.0)]),
            [true; 2],
            "out of ours"
        );
        assert_eq!(own(&mut pointer, vec![MOVE(50.0)]), [false]);
        assert_eq!(
            own(
                &mut pointer,
                vec![
                    MOVE(150.0),
                    WHEEL(150.0),
                    WHEEL(150.0),
                    MOVE(90.0),
                    WHEEL(90.0)
                ]
            ),
            [true, true, true, true, false],
            "a step has its place alone"
        );
        assert_eq!(asked.load(Relaxed), 8);
    }

    #[test]
    fn what_is_not_known_is_not_ours_and_an_answer_that_is_late_changes_nothing() {
        let mut nobodys = pointer(&Arc::default());
        assert_eq!(own(&mut nobodys, vec![WHEEL(-1.0)]), [false]);
        let queue = Queue::new();
        let mut silent = Pointer::new(Box::new(move |_, _| queue.question(Duration::ZERO).0));
        assert_eq!(own(&mut silent, vec![MOVE(1.0)]), [false]);
        silent.pressed(true);
        assert_eq!(own(&mut silent, vec![MOVE(1.0), WHEEL(1.0)]), [true; 2]);
        let queue = Queue::new();
        let mut slow = Pointer::new(Box::new(move |_, _| {
            queue.question(Duration::from_secs(60)).0
        }));
        let seen = VecDeque::from([Seen {
            t: 0,
            what: MOVE(1.0),
        }]);
        assert!(slow.is_own(&seen).is_err() && slow.is_own(&seen).is_err());
    }
}
