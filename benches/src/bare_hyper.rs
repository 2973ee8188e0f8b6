//! The baseline of the `http` group: hyper with nothing around it, in a process of its own.
//!
//! Two flavours, because which is faster depends on the machine: tokio's multi-thread runtime, and a current-thread
//! runtime with its own `SO_REUSEPORT` listener on each core. The group measures both and compares with the faster.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::process::{Process, command, free_address, wait_for};

/// How the server spreads over the cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    PerCore,
    MultiThread,
}

impl Flavour {
    pub fn name(self) -> &'static str {
        match self {
            Flavour::PerCore => "per-core",
            Flavour::MultiThread => "multi-thread",
        }
    }
}

/// Starts one in a child process; returns when it listens.
pub fn spawn(flavour: Flavour) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    let this = std::env::current_exe()?;
    let process = Process::spawn(command(this).args([
        "bare-hyper",
        "--flavour",
        flavour.name(),
        "--listen",
        &address.to_string(),
    ]))?;
    wait_for(address, Duration::from_secs(10))?;
    Ok((process, address))
}

/// `covet-bench bare-hyper`: serves until killed.
pub fn main(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut flavour = Flavour::MultiThread;
    let mut listen: SocketAddr = ([127, 0, 0, 1], 8801).into();
    while let Some(arg) = args.next() {
        let value = args.next().with_context(|| format!("{arg} needs a value"))?;
        match (arg.as_str(), value.as_str()) {
            ("--flavour", "per-core") => flavour = Flavour::PerCore,
            ("--flavour", "multi-thread") => flavour = Flavour::MultiThread,
            ("--listen", address) => listen = address.parse().with_context(|| format!("--listen {address}"))?,
            _ => bail!("bare-hyper: unknown {arg} {value}"),
        }
    }
    match flavour {
        Flavour::MultiThread => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let listener = TcpListener::bind(listen).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream));
            }
        }),
        Flavour::PerCore => {
            let cores = std::thread::available_parallelism()?.get();
            let workers: Vec<_> = (0..cores).map(|_| std::thread::spawn(move || per_core(listen))).collect();
            for worker in workers {
                worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
            }
            Ok(())
        }
    }
}

fn per_core(address: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(serve(stream));
        }
    })
}

async fn serve(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|_request: hyper::Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello, World!"))))
    });
    // A connection that ends badly is the client's business here.
    let _ = hyper::server::conn::http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
