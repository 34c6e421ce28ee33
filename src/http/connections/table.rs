//! The connections of one thread.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::closed::CloseReason;
use super::connection::Connection;
use super::counts::Connections;

/// The connections of one thread, in no order.
#[derive(Debug)]
pub struct Table {
    shared: Arc<Connections>,
    /// This thread's part of all connections.
    part: usize,
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Table {
    /// An empty table, one of `tables`, and the task that checks its deadlines. Call it on the
    /// thread that owns the table.
    pub fn start(shared: Arc<Connections>, tables: usize) -> Rc<Self> {
        let part = shared.limits().connections / tables;
        let check_every = shared.limits().check_every;
        let table = Rc::new(Self { shared, part, connections: RefCell::default() });
        actix_web::rt::spawn(check_regularly(Rc::downgrade(&table), check_every));
        table
    }

    /// Adds a new connection.
    pub(super) fn add(&self) -> Rc<Connection> {
        let connection = Rc::new(Connection::new(Arc::clone(&self.shared), Instant::now()));
        self.make_room_for(1);
        let mut connections = self.connections.borrow_mut();
        connection.place.set(connections.len());
        connections.push(Rc::clone(&connection));
        connection
    }

    /// If there are too many connections, closes those of this thread that have been idle for the
    /// longest time, down to this thread's part; the other threads close their own. Without that
    /// bound, in a flood, a thread with few connections would close each of them before its request
    /// was received.
    pub(super) fn make_room(&self) {
        self.make_room_for(0);
    }

    fn make_room_for(&self, coming: usize) {
        while self.shared.is_over_limit() {
            let connections = self.connections.borrow();
            let open = connections.iter().filter(|connection| !connection.is_closing()).count();
            if open + coming <= self.part {
                return;
            }
            let waiting = connections
                .iter()
                .filter_map(|connection| Some((connection.waiting_since()?, connection)));
            let Some((_, connection)) = waiting.min_by_key(|(since, _)| *since) else { return };
            connection.close(CloseReason::Full);
        }
    }

    /// Removes a connection whose socket was closed.
    pub(super) fn remove(&self, connection: &Connection) {
        let mut connections = self.connections.borrow_mut();
        let place = connection.place.get();
        connections.swap_remove(place);
        if let Some(moved) = connections.get(place) {
            moved.place.set(place);
        }
    }

    pub(super) fn check(&self) {
        let now = Instant::now();
        for connection in self.connections.borrow().iter() {
            connection.check(now);
        }
        // A connection whose request was being handled may be idle by now.
        self.make_room();
    }
}

/// Runs for as long as the thread serves.
async fn check_regularly(table: Weak<Table>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(table) = table.upgrade() else { return };
        table.check();
    }
}
