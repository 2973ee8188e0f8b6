//! Sockets that several workers share, and the number of files that this takes.

use std::{io, net::SocketAddr, os::fd::AsRawFd};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait in the kernel for each listener.
const BACKLOG: i32 = 4_096;

/// One listener for each worker, all on one address. Port 0: the first one's free port is everybody's.
///
/// # Errors
/// The address is taken, or not ours.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<std::net::TcpListener>)> {
    // SO_REUSEPORT lets another process of the same user join in silence; two hosts on one port would each get half of
    // the requests. A first socket without it finds that out.
    if address.port() != 0 {
        let probe = socket(address, false)?;
        probe.bind(&address.into())?;
    }
    let first = listener(address)?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(listener(bound)?);
    }
    Ok((bound, listeners))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // So that a restart does not wait for the last run's connections (TIME_WAIT).
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    Ok(socket)
}

fn listener(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket(address, true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // Inherited by accepted sockets on Linux; set there again for other systems.
    let _ = socket.set_tcp_nodelay(true);
    debug_assert!(socket.as_raw_fd() >= 0);
    Ok(socket.into())
}

/// Lets this process have as many files open as it may ask for. Answers with the limit that holds now.
pub(crate) fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    if limit.rlim_cur < limit.rlim_max {
        let wanted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: `wanted` is a valid limit, read only.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } == 0 {
            limit = wanted;
        }
    }
    limit.rlim_cur
}
