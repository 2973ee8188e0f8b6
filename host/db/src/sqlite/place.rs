//! On which CPU the writer runs.
//!
//! A lone insert costs two changes of thread, to the writer and back. Between two CPUs each is an interrupt from one to the
//! other (10 to 20 µs in a virtual machine, 50 and more when the other sleeps); on one CPU it is a context switch (2 µs), and
//! the asking thread has nothing to do but wait anyway. So a caller that wakes an idle writer calls it to its own CPU first.
//! Measured, one durable insert × plain rusqlite, real-time priority on a busy machine of 2 CPUs: up to 1.8 without it, 1.25
//! with it.
//!
//! The writer leaves again as soon as it has more to do than short units one by one: a group, or a long statement. Then it
//! should run beside its callers, wherever the scheduler wants it. Linux only; elsewhere nothing happens.

#[cfg(target_os = "linux")]
pub(super) use linux::Place;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Place;

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI32, Ordering};

    /// The writer is where the scheduler wants it.
    const ANYWHERE: i32 = -1;

    struct Thread {
        id: libc::pid_t,
        /// The CPUs that it may use at all.
        allowed: libc::cpu_set_t,
    }

    /// Where the writer's thread may run.
    pub(in super::super) struct Place {
        thread: OnceLock<Thread>,
        /// A CPU's number, or `ANYWHERE`. Relaxed: when a call and a leave cross, the writer runs on a place that is not the best
        /// until the next one, no more.
        at: AtomicI32,
    }

    impl Place {
        pub(in super::super) fn new() -> Self {
            Self { thread: OnceLock::new(), at: AtomicI32::new(ANYWHERE) }
        }

        /// This thread is the writer. Where the system does not tell its CPUs, it is left where it is.
        pub(in super::super) fn settle(&self) {
            // SAFETY: a `cpu_set_t` is an array of integers, for which zeros are valid.
            let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: the pointer and the size are of one `cpu_set_t` that outlives the call; 0 is this thread.
            let told = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) } == 0;
            if told {
                // SAFETY: takes no arguments and cannot fail.
                let id = unsafe { libc::gettid() };
                let _settled = self.thread.set(Thread { id, allowed });
            }
        }

        /// Calls the writer to the CPU of this thread: 20 ns when it is there already, else 1 µs. The writer's thread must be
        /// alive, since its number is used again after its end.
        pub(in super::super) fn call_here(&self) {
            let Some(thread) = self.thread.get() else {
                return;
            };
            // SAFETY: takes no arguments; fails with -1.
            let here = unsafe { libc::sched_getcpu() };
            let in_range = usize::try_from(here).is_ok_and(|cpu| cpu < libc::CPU_SETSIZE as usize);
            if !in_range || here == self.at.load(Ordering::Relaxed) {
                return;
            }
            let cpu = here as usize;
            // SAFETY: `cpu` is below CPU_SETSIZE.
            if !unsafe { libc::CPU_ISSET(cpu, &thread.allowed) } {
                return;
            }
            // SAFETY: as in `settle`.
            let mut only: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: `cpu` is below CPU_SETSIZE.
            unsafe { libc::CPU_SET(cpu, &mut only) };
            if set(thread.id, &only) {
                self.at.store(here, Ordering::Relaxed);
            }
        }

        /// Lets the writer run anywhere again; called by the writer. 1 ns when it may already, else 1 µs.
        pub(in super::super) fn leave(&self) {
            if self.at.load(Ordering::Relaxed) == ANYWHERE {
                return;
            }
            if let Some(thread) = self.thread.get() {
                set(thread.id, &thread.allowed);
                self.at.store(ANYWHERE, Ordering::Relaxed);
            }
        }
    }

    fn set(thread: libc::pid_t, cpus: &libc::cpu_set_t) -> bool {
        // SAFETY: the pointer and the size are of one `cpu_set_t` that outlives the call.
        unsafe { libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), cpus) == 0 }
    }

    impl std::fmt::Debug for Place {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Place").field("at", &self.at).finish_non_exhaustive()
        }
    }

    #[cfg(test)]
    mod tests {
        use std::sync::{Arc, Barrier};

        use super::*;

        fn allowed_now() -> usize {
            // SAFETY: as in `settle`.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: as in `settle`.
            unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
            // SAFETY: reads the set only.
            usize::try_from(unsafe { libc::CPU_COUNT(&set) }).unwrap()
        }

        #[test]
        fn the_writer_comes_when_called_and_leaves_again() {
            let place = Arc::new(Place::new());
            let (settled, called) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
            place.call_here(); // Before the writer is there nothing happens.
            let writer = {
                let (place, settled, called) = (Arc::clone(&place), Arc::clone(&settled), Arc::clone(&called));
                std::thread::spawn(move || {
                    let before = allowed_now();
                    place.settle();
                    settled.wait();
                    called.wait();
                    let pinned = allowed_now();
                    place.leave();
                    (before, pinned, allowed_now())
                })
            };
            settled.wait();
            place.call_here();
            called.wait();
            let (before, pinned, after) = writer.join().unwrap();
            assert_eq!(pinned, 1);
            assert_eq!(before, after);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    #[derive(Debug)]
    pub(in super::super) struct Place;

    impl Place {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) fn settle(&self) {}

        pub(in super::super) fn call_here(&self) {}

        pub(in super::super) fn leave(&self) {}
    }
}
