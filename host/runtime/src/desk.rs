//! Where a request and the guest that serves it meet: the server lays a request down, the guest's `next` takes it, its
//! `answer` lays the response down, the server takes that.
//!
//! Nobody is woken here. Whoever lays a request down polls the instance right after; while the guest stands in `next`, there
//! is nothing else for it to wait for.

use std::{task::Poll, time::Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    message::{Request, ResponseStream},
    pump::Client,
};

/// The desk of one instance.
#[derive(Default)]
pub(crate) struct Desk(Mutex<Papers>);

#[derive(Default)]
struct Papers {
    request: Option<Order>,
    answer: Option<Answer>,
    /// The guest has taken a request, and not answered it.
    open: bool,
    /// The guest stands in `next`.
    idle: bool,
}

/// A request on its way to the guest.
pub(crate) struct Order {
    pub request: Request,
    /// When it must be answered.
    pub deadline: Instant,
}

/// A response as the guest gave it; nothing is checked yet.
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Bytes,
    pub body: Content,
}

pub(crate) enum Content {
    Empty,
    Bytes(Bytes),
    /// The client's end, and what the task between client and guest holds.
    Stream(ResponseStream, Client),
}

impl Desk {
    /// Gives the guest its next request. The instance is to be polled now.
    pub fn lay(&self, order: Order) {
        self.0.lock().request = Some(order);
    }

    /// For `next`. Pending: the guest stands still until it is polled with a request on the desk.
    pub fn poll_order(&self) -> Poll<Order> {
        let mut papers = self.0.lock();
        match papers.request.take() {
            Some(order) => {
                papers.open = true;
                papers.idle = false;
                Poll::Ready(order)
            }
            None => {
                papers.idle = true;
                Poll::Pending
            }
        }
    }

    /// For `answer`.
    pub fn answer(&self, answer: Answer) {
        let mut papers = self.0.lock();
        papers.open = false;
        papers.answer = Some(answer);
    }

    pub fn has_answer(&self) -> bool {
        self.0.lock().answer.is_some()
    }

    /// The response to the request laid down last, once.
    pub fn take_answer(&self) -> Option<Answer> {
        self.0.lock().answer.take()
    }

    /// The guest has taken a request, and not answered it.
    pub fn is_open(&self) -> bool {
        self.0.lock().open
    }

    /// The guest stands in `next`: all that it did for the request before is done.
    pub fn is_idle(&self) -> bool {
        self.0.lock().idle
    }
}
