//! A TCP proxy on 127.0.0.1 that spoils the network between a driver and its server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Error, Url};

/// What the network does to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// They pass.
    #[default]
    None,
    /// They wait, in both directions; connections are still accepted. What a lost route looks like.
    Stall,
    /// Questions pass, answers wait: the server has done what its client does not learn.
    StallAnswers,
    /// Each piece waits so long before it passes.
    Delay(Duration),
    /// New connections are hung up on at once. Old ones are untouched: see [`Proxy::cut`].
    Refuse,
}

/// The proxy. Dropped, it hangs up on everybody and stops listening.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    /// Both ends of every connection.
    connections: Vec<(TcpStream, TcpStream)>,
    accepted: usize,
    /// Counts the calls of `cut`: bytes that waited then never arrive.
    cuts: u64,
    closed: bool,
}

impl Proxy {
    /// A proxy before the server at `url`.
    ///
    /// # Errors
    /// No port, or no address.
    pub fn before(url: &Url) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::during("proxy"))?;
        let address = listener.local_addr().map_err(Error::during("proxy"))?;
        let state = Mutex::default();
        let shared = Arc::new(Shared { server: url.address()?, state, changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accepting.accept(&listener));
        Ok(Self { address, shared })
    }

    /// Where it listens; see [`Url::through`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, also for bytes that wait.
    pub fn set(&self, fault: Fault) {
        self.shared.state().fault = fault;
        self.shared.changed.notify_all();
    }

    /// Hangs up on all connections; bytes that wait are lost. Answers with how many there were.
    pub fn cut(&self) -> usize {
        let mut state = self.shared.state();
        state.cuts += 1;
        let cut = std::mem::take(&mut state.connections);
        drop(state);
        self.shared.changed.notify_all();
        cut.iter().for_each(hang_up);
        cut.len()
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.state().accepted
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.cut();
        // `accept` sees it with the next connection: this one.
        let _woken = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            let mut state = self.state();
            if state.closed {
                return;
            }
            if state.fault == Fault::Refuse {
                continue;
            }
            let Ok(server) = TcpStream::connect(self.server) else { continue };
            // A delay of the kernel's own would spoil measurements.
            let _quick = (client.set_nodelay(true), server.set_nodelay(true));
            let ends = (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone());
            let (Ok(client_to), Ok(server_to), Ok(client_kept), Ok(server_kept)) = ends else { continue };
            state.accepted += 1;
            state.connections.push((client_kept, server_kept));
            let cuts = state.cuts;
            drop(state);
            for (from, to, answers) in [(client, server_to, false), (server, client_to, true)] {
                let shared = Arc::clone(self);
                std::thread::spawn(move || shared.pass(from, to, answers, cuts));
            }
        }
    }

    /// Passes bytes one way until either end hangs up.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, answers: bool, cuts: u64) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if !self.may_pass(answers, cuts) || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // Half-closed connections are of no use to these protocols.
        hang_up(&(from, to));
    }

    /// Waits as the fault of the day says; false when the connection was cut meanwhile.
    fn may_pass(&self, answers: bool, cuts: u64) -> bool {
        let mut state = self.state();
        loop {
            if state.cuts != cuts {
                return false;
            }
            match state.fault {
                Fault::Stall => {}
                Fault::StallAnswers if answers => {}
                Fault::Delay(time) => {
                    drop(state);
                    std::thread::sleep(time);
                    return self.state().cuts == cuts;
                }
                Fault::None | Fault::StallAnswers | Fault::Refuse => return true,
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn hang_up((one, other): &(TcpStream, TcpStream)) {
    let _gone = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
}
