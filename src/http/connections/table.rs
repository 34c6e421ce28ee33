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
    /// So many connections are this thread's part of all.
    part: usize,
    connections: RefCell<Vec<Rc<Connection>>>,
}

impl Table {
    /// An empty one of so many, which is looked over from now on. To be called on the thread whose
    /// it is.
    pub fn start(shared: Arc<Connections>, tables: usize) -> Rc<Self> {
        let part = shared.limits.connections / tables;
        let table = Rc::new(Self { shared, part, connections: RefCell::default() });
        actix_web::rt::spawn(look_over(Rc::downgrade(&table), table.shared.limits.look_every));
        table
    }

    /// Takes in a new connection.
    pub fn accept(self: &Rc<Self>, stream: actix_web::rt::net::TcpStream) -> Transport {
        let connection = Rc::new(Connection::new(Arc::clone(&self.shared), Instant::now()));
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        self.make_room_for(1);
        let mut connections = self.connections.borrow_mut();
        connection.place.set(connections.len());
        connections.push(Rc::clone(&connection));
        Transport::new(stream, connection, Rc::clone(self))
    }

    /// Where there are too many connections, closes those that have waited longest, of this thread
    /// alone: the other threads do the same with theirs. One that has no more than its part leaves
    /// it to them. Else, in a flood, a thread with few connections would close each at once, before
    /// its request has come.
    pub(super) fn make_room(&self) {
        self.make_room_for(0);
    }

    fn make_room_for(&self, coming: usize) {
        while self.shared.is_over() {
            let connections = self.connections.borrow();
            let open = connections.iter().filter(|connection| !connection.is_cut()).count();
            if open + coming <= self.part {
                return;
            }
            let waiting = connections
                .iter()
                .filter_map(|connection| Some((connection.may_go()?, connection)));
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

#[cfg(test)]
mod tests {
    use actix_web::rt::net::{TcpListener, TcpStream};

    use super::super::Limits;
    use super::*;

    /// So many connections of a table, and their other ends.
    async fn accepted(
        table: &Rc<Table>,
        listener: &TcpListener,
        count: usize,
    ) -> Vec<(Transport, TcpStream)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            all.push((table.accept(listener.accept().await.unwrap().0), client));
        }
        all
    }

    fn open(all: &[(Transport, TcpStream)]) -> Vec<bool> {
        all.iter().map(|(transport, _)| !transport.connection().is_cut()).collect()
    }

    /// Regression: where another thread had all connections, each new one of this thread closed the
    /// one before it.
    #[actix_web::test]
    async fn a_thread_with_few_connections_closes_none_of_them_for_the_many_of_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Connections::new(Limits { connections: 8, ..Limits::default() }));
        let (many, few) =
            (Table::start(Arc::clone(&shared), 2), Table::start(Arc::clone(&shared), 2));
        let of_many = accepted(&many, &listener, 8).await;
        let of_few = accepted(&few, &listener, 4).await;
        assert_eq!(open(&of_few), [true; 4]);
        many.look();
        assert_eq!(
            open(&of_many),
            [false, false, false, false, true, true, true, true],
            "the longest first"
        );
        few.look();
        let newest = accepted(&few, &listener, 2).await;
        assert_eq!(
            (open(&of_few), open(&newest)),
            (vec![false, false, true, true], vec![true, true]),
            "no more than its part"
        );
        assert!(!shared.is_over());
    }
}
