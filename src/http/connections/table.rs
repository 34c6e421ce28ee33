//! The connections of one thread.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::connection::{Connection, Cut};
use super::{Connections, Transport};

/// The connections of one thread, in no order.
#[derive(Debug)]
pub struct Table {
    shared: Arc<Connections>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Table {
    /// An empty one, which is looked over from now on. To be called on the thread whose it is.
    pub fn start(shared: Arc<Connections>) -> Rc<Self> {
        let table = Rc::new(Self { shared, connections: RefCell::default() });
        actix_web::rt::spawn(look_over(Rc::downgrade(&table), table.shared.limits.look_every));
        table
    }

    /// Takes in a new connection.
    pub fn accept(self: &Rc<Self>, stream: actix_web::rt::net::TcpStream) -> Transport {
        let connection = Rc::new(Connection::new(Arc::clone(&self.shared), Instant::now()));
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        self.make_room();
        let mut connections = self.connections.borrow_mut();
        connection.place.set(connections.len());
        connections.push(Rc::clone(&connection));
        Transport::new(stream, connection, Rc::clone(self))
    }

    /// Where there are too many connections, closes those that have waited longest, of this thread
    /// alone: the other threads do the same with theirs.
    pub(super) fn make_room(&self) {
        while self.shared.is_over() {
            let connections = self.connections.borrow();
            let waiting = connections.iter().filter_map(|connection| Some((connection.may_go()?, connection)));
            let Some((_, connection)) = waiting.min_by_key(|(since, _)| *since) else { return };
            connection.cut(Cut::Full);
        }
    }

    /// The socket of this connection is closed.
    pub(super) fn remove(&self, connection: &Connection) {
        let mut connections = self.connections.borrow_mut();
        let place = connection.place.get();
        connections.swap_remove(place);
        if let Some(moved) = connections.get(place) {
            moved.place.set(place);
        }
    }

    fn look(&self) {
        let now = Instant::now();
        for connection in self.connections.borrow().iter() {
            connection.look(now);
        }
        // A request that was under way may wait by now.
        self.make_room();
    }
}

/// For as long as the thread serves.
async fn look_over(table: Weak<Table>, every: std::time::Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(table) = table.upgrade() else { return };
        table.look();
    }
}
