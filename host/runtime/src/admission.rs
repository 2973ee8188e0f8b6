//! How many requests of one plugin run at once, and who waits for a turn.
//!
//! The common case, somebody is let in at once and leaves while nobody waits, is one atomic addition each way. Else a
//! bounded queue, first come, first served. A turn is handed over, never lost: one on its way to a waiter that has just
//! gone comes back by dropping, and goes to the next.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) struct Admission {
    queue_limit: usize,
    gate: Arc<Gate>,
}

struct Gate {
    limit: usize,
    running: AtomicUsize,
    /// Those in the queue or about to join it.
    waiting: AtomicUsize,
    queue: Mutex<VecDeque<oneshot::Sender<Turn>>>,
}

/// The right to run. Its own drop passes it on.
struct Turn(Option<Arc<Gate>>);

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Admission {
    pub fn new(limit: usize, queue_limit: usize) -> Admission {
        let gate = Gate {
            limit: limit.max(1),
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
        };
        Admission { queue_limit, gate: Arc::new(gate) }
    }

    pub fn running(&self) -> usize {
        self.gate.running.load(SeqCst)
    }

    pub fn waiting(&self) -> usize {
        self.gate.waiting.load(SeqCst)
    }

    /// Lets the caller in if there is room and nobody waits. Whoever is let in must [`leave`](Self::leave).
    pub fn try_enter(&self) -> bool {
        self.waiting() == 0 && self.gate.try_run()
    }

    /// As [`try_enter`](Self::try_enter), but waits in the queue. Dropping the future gives the place up.
    pub async fn enter(&self) -> Result<(), Full> {
        if self.gate.waiting.fetch_add(1, SeqCst) >= self.queue_limit {
            self.gate.waiting.fetch_sub(1, SeqCst);
            return Err(Full);
        }
        let place = Place(&self.gate);
        let turn = {
            let mut queue = self.gate.queue.lock();
            queue.retain(|waiter| !waiter.is_closed());
            // Counted as waiting before looking: a leaver that we do not see here sees us (both sides are SeqCst).
            if queue.is_empty() && self.gate.try_run() {
                return Ok(());
            }
            let (sender, receiver) = oneshot::channel();
            queue.push_back(sender);
            receiver
        };
        // The sender lives in the queue, the queue in the gate that we borrow: it cannot be dropped unsent.
        let mut turn = turn.await.map_err(|_| Full)?;
        turn.0 = None;
        drop(place);
        Ok(())
    }

    /// Ends a turn.
    pub fn leave(&self) {
        leave(&self.gate);
    }
}

/// A place in the queue, given up by dropping.
struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}

impl Gate {
    /// Compare and exchange, not add and step back: nobody is ever turned away by a count that was too high for a moment.
    fn try_run(&self) -> bool {
        self.running.fetch_update(SeqCst, SeqCst, |running| (running < self.limit).then_some(running + 1)).is_ok()
    }
}

fn leave(gate: &Arc<Gate>) {
    if gate.waiting.load(SeqCst) > 0 && hand_over(gate) {
        return;
    }
    gate.running.fetch_sub(1, SeqCst);
    // Somebody may have queued between our look and our leaving. Take the turn back for them; where that fails, another
    // runs, and will look when it leaves.
    if gate.waiting.load(SeqCst) > 0 && gate.try_run() && !hand_over(gate) {
        gate.running.fetch_sub(1, SeqCst);
    }
}

/// Gives the caller's turn to whoever waited longest and is still there.
fn hand_over(gate: &Arc<Gate>) -> bool {
    let mut queue = gate.queue.lock();
    while let Some(waiter) = queue.pop_front() {
        match waiter.send(Turn(Some(Arc::clone(gate)))) {
            Ok(()) => return true,
            Err(mut turn) => turn.0 = None,
        }
    }
    false
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            leave(&gate);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_queue_is_served_in_order_and_bounded() {
        let admission = Arc::new(Admission::new(1, 2));
        assert!(admission.try_enter());
        assert!(!admission.try_enter());
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for n in 0..2 {
            let (admission, order) = (admission.clone(), order.clone());
            waiters.push(tokio::spawn(async move {
                admission.enter().await.unwrap();
                order.lock().push(n);
                tokio::task::yield_now().await;
                admission.leave();
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.enter().await, Err(Full));
        assert_eq!(admission.waiting(), 2);
        admission.leave();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert_eq!(*order.lock(), [0, 1]);
        assert_eq!((admission.running(), admission.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_waiter_that_left_gives_its_place_up() {
        let admission = Arc::new(Admission::new(1, 1));
        assert!(admission.try_enter());
        let left = tokio::time::timeout(Duration::from_millis(5), admission.enter()).await;
        assert!(left.is_err());
        assert_eq!(admission.waiting(), 0);
        admission.leave();
        assert!(admission.try_enter());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_turn_is_lost_and_none_is_invented() {
        let admission = Arc::new(Admission::new(3, 10_000));
        let most = Arc::new(AtomicUsize::new(0));
        let now = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for n in 0..64u64 {
            let (admission, most, now) = (admission.clone(), most.clone(), now.clone());
            tasks.push(tokio::spawn(async move {
                for round in 0..200u64 {
                    let entered = admission.try_enter()
                        || match (n + round) % 5 {
                            0 => tokio::time::timeout(Duration::from_micros(50), admission.enter()).await == Ok(Ok(())),
                            _ => admission.enter().await == Ok(()),
                        };
                    if entered {
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                        tokio::task::yield_now().await;
                        now.fetch_sub(1, SeqCst);
                        admission.leave();
                    }
                }
            }));
        }
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(20), task).await.expect("somebody waits for ever").unwrap();
        }
        assert!(most.load(SeqCst) <= 3, "{}", most.load(SeqCst));
        assert_eq!((admission.running(), admission.waiting()), (0, 0));
    }
}
