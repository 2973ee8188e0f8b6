//! Deals new connections out evenly among the workers.
//!
//! The kernel deals by a hash of the addresses (`SO_REUSEPORT`): of 64 connections to two workers, one often has 40, and is
//! full while the other waits. So whoever accepts a connection hands it to the worker that has fewest. That costs a message
//! for a connection, nothing for a request.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A connection on its way to its worker.
#[derive(Debug)]
pub(crate) struct Dealt {
    pub stream: std::net::TcpStream,
    pub remote: SocketAddr,
    pub held: Held,
}

/// One worker's place at the table.
#[derive(Debug)]
pub(crate) struct Dealer {
    hands: Arc<[Hand]>,
    mine: usize,
    pub dealt: UnboundedReceiver<Dealt>,
}

#[derive(Debug)]
struct Hand {
    connections: AtomicUsize,
    to: UnboundedSender<Dealt>,
}

/// Counts a connection to its worker for as long as it lives.
#[derive(Debug)]
pub(crate) struct Held {
    hands: Arc<[Hand]>,
    at: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(hand) = self.hands.get(self.at) {
            hand.connections.fetch_sub(1, Relaxed);
        }
    }
}

impl Dealer {
    /// One for each worker.
    pub fn table(workers: usize) -> Vec<Dealer> {
        let (hands, received): (Vec<Hand>, Vec<_>) = (0..workers)
            .map(|_| {
                let (to, dealt) = unbounded_channel();
                (Hand { connections: AtomicUsize::new(0), to }, dealt)
            })
            .unzip();
        let hands: Arc<[Hand]> = hands.into();
        let seats = received.into_iter().enumerate();
        seats.map(|(mine, dealt)| Dealer { hands: Arc::clone(&hands), mine, dealt }).collect()
    }

    /// Picks the worker that has fewest connections, this one where it is among them. Two that pick at once may pick the
    /// same; the next ones make up for it.
    pub fn pick(&self) -> Held {
        let count = |at: usize| self.hands.get(at).map_or(usize::MAX, |hand| hand.connections.load(Relaxed));
        let fewest = (0..self.hands.len()).min_by_key(|at| (count(*at), *at != self.mine)).unwrap_or(self.mine);
        if let Some(hand) = self.hands.get(fewest) {
            hand.connections.fetch_add(1, Relaxed);
        }
        Held { hands: Arc::clone(&self.hands), at: fewest }
    }

    pub fn is_mine(&self, held: &Held) -> bool {
        held.at == self.mine
    }

    /// Hands a connection over; gives it back where that worker has ended.
    pub fn deal(&self, dealt: Dealt) -> Result<(), Dealt> {
        match self.hands.get(dealt.held.at) {
            Some(hand) => hand.to.send(dealt).map_err(|refused| refused.0),
            None => Err(dealt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_accepts_all_workers_have_as_many() {
        let table = Dealer::table(3);
        let held: Vec<Held> = (0..64).map(|n| table[n % 7 % 2].pick()).collect();
        let count = |table: &[Dealer]| -> Vec<usize> {
            table[0].hands.iter().map(|hand| hand.connections.load(Relaxed)).collect()
        };
        assert_eq!(
            {
                let mut counts = count(&table);
                counts.sort_unstable();
                counts
            },
            [21, 21, 22]
        );
        drop(held);
        assert_eq!(count(&table), [0, 0, 0]);
        let own = table[2].pick();
        assert!(table[2].is_mine(&own), "its own where nobody has fewer");
    }

    #[test]
    fn a_connection_for_a_worker_that_has_ended_comes_back() {
        let mut table = Dealer::table(2);
        let ended = table.remove(1);
        let mine = table[0].pick();
        let other = table[0].pick();
        assert!(table[0].is_mine(&mine) && !table[0].is_mine(&other));
        drop(ended);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = listener.local_addr().unwrap();
        let stream = std::net::TcpStream::connect(remote).unwrap();
        assert!(table[0].deal(Dealt { stream, remote, held: other }).is_err());
    }
}
