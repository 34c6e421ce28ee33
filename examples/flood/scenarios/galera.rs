//! A Galera cluster: through one node, and through two.

use super::on_server::TwoReceivers;
use super::{Bench, CONNECTIONS, ROUNDS, add, measure};
use crate::Failure;
use crate::cluster::Cluster;
use crate::report::{Bar, Series};

/// Through one node by one MariaDB.
const ONE_NODE_MIN: f64 = 0.5;
/// Through two nodes by one.
const TWO_NODES_MIN: f64 = 1.0;

impl Bench {
    pub(super) async fn galera(&mut self, name: &str) -> Result<(), Failure> {
        if !self.options.galera {
            self.report.note(format!("{name}: not measured without --galera"));
            return Ok(());
        }
        let cluster = Cluster::start(&self.dir)?;
        let (of_single, of_first, of_second) = (self.new_dir(), self.new_dir(), self.new_dir());
        let others = self.database.replace(cluster.single());
        let mut single = self.receiver_in(&of_single, 0, &[])?;
        self.database = Some(cluster.nodes());
        let mut first = self.receiver_in(&of_first, 0, &[])?;
        first.share_keys(&of_second)?;
        let second = self.receiver_in(&of_second, 1, &[])?;
        self.database = others;

        let (mut alone, mut one_node) = (Series::default(), Series::default());
        let mut two = TwoReceivers::default();
        for _ in 0..ROUNDS {
            let load = add(&mut single, CONNECTIONS, self.scaled(20_000));
            measure(&single, load, &mut alone).await?;
            let load = add(&mut first, CONNECTIONS, self.scaled(20_000));
            measure(&first, load, &mut one_node).await?;
            two.round(&mut first, &second, self.scaled(10_000)).await?;
        }
        for receiver in [second, first, single] {
            self.end(receiver)?;
        }
        self.report.row(name, "one MariaDB", CONNECTIONS, &alone);
        self.report.row(name, "through one node", CONNECTIONS, &one_node);
        two.report(&mut self.report, name);
        let what = "ADD on 64 connections, Galera";
        self.report.bar(
            &format!("{what}: one node / one MariaDB"),
            one_node.rate_ratio(&alone),
            Bar::AtLeast(ONE_NODE_MIN),
        );
        self.report.bar(
            &format!("{what}: two nodes / one node"),
            two.both.rate_ratio(&one_node),
            Bar::AtLeast(TWO_NODES_MIN),
        );
        Ok(())
    }
}
