//! Which process of which server answers. This decides whether an earlier session can still commit.

/// A process of a server. The default one is unknown, and is no other one's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerIdentity {
    /// What stays the same over a restart: names, port, directory, ids.
    server: Vec<String>,
    /// When the process started, as the server itself noted it then (unix seconds). Always the same
    /// number for a process, also when a clock is set. `None`: the server does not report it.
    started_at: Option<i64>,
    node: Option<GaleraNode>,
}

/// A node's place in its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GaleraNode {
    /// Of the data that all nodes share.
    pub(super) cluster: String,
    /// Its address in `members`; empty if it cannot be told from others.
    pub(super) address: String,
    /// The addresses of all nodes that are in the cluster now.
    pub(super) members: Vec<String>,
}

/// The state of an earlier session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// It may be in the list of sessions of this server.
    Here,
    /// It has ended, and its transaction with it.
    Gone,
    /// It may be at work elsewhere.
    Elsewhere,
}

impl ServerIdentity {
    pub(super) fn new(
        server: Vec<String>,
        started_at: Option<i64>,
        node: Option<GaleraNode>,
    ) -> Self {
        Self { server, started_at, node }
    }

    /// The state of a session at the other server, as this server shows it now.
    pub(super) fn past_of(&self, other: &Self) -> Past {
        if self.server == other.server
            && let (Some(now), Some(then)) = (self.started_at, other.started_at)
        {
            // Restarted: no session of before is left, and the recovery has decided about them.
            return if now == then { Past::Here } else { Past::Gone };
        }
        if let (Some(node), Some(other)) = (&self.node, &other.node)
            && node.excludes(other)
        {
            return Past::Gone;
        }
        Past::Elsewhere
    }
}

impl GaleraNode {
    /// `list` as in `10.0.0.1:3306,10.0.0.2:3306`; `own` are the forms that this node's address may
    /// have there. Its place in the list is not asked for: list and place are updated one after the
    /// other.
    pub(super) fn new(cluster: &str, list: &str, own: &[String]) -> Self {
        let members: Vec<String> = list.split(',').map(|member| member.trim().into()).collect();
        // Two nodes with one address, by a wrong setting, cannot be distinguished.
        let found: Vec<&String> = members.iter().filter(|member| own.contains(member)).collect();
        let address = match found[..] {
            [one] => one.clone(),
            _ => String::new(),
        };
        Self { cluster: cluster.to_owned(), address, members }
    }

    /// Whether the other node is not a member of the working cluster, to which this one belongs. A
    /// node outside cannot commit, and all that it sent before is applied here before its
    /// exclusion is.
    fn excludes(&self, other: &Self) -> bool {
        self.cluster == other.cluster
            && !other.address.is_empty()
            // A node without a known address could be the other one too.
            && self.members.iter().all(|member| !member.is_empty() && *member != other.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, started_at: Option<i64>) -> ServerIdentity {
        ServerIdentity::new(vec![name.into(), "3306".into()], started_at, None)
    }

    fn node(name: &str, started_at: i64, list: &str, own: &str) -> ServerIdentity {
        let node = GaleraNode::new("940ae075", list, &[own.to_owned()]);
        ServerIdentity::new(vec![name.into()], Some(started_at), Some(node))
    }

    #[test]
    fn a_session_is_gone_only_with_its_process_or_when_its_node_is_excluded() {
        let one = process("db1", Some(1_000));
        for (now, past, why) in [
            (process("db1", Some(1_000)), Past::Here, "the same process"),
            (process("db1", Some(1_001)), Past::Gone, "restarted a second later"),
            (process("db2", Some(1_000)), Past::Elsewhere, "another server"),
            (process("db2", Some(2_000)), Past::Elsewhere, "another server, started later"),
            (process("db1", None), Past::Elsewhere, "nobody says when it started"),
        ] {
            assert_eq!(now.past_of(&one), past, "{why}");
        }
        let first =
            node("db1", 1_000, "10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306", "10.0.0.1:3306");
        for (list, past, why) in [
            ("10.0.0.1:3306,10.0.0.2:3306,10.0.0.3:3306", Past::Elsewhere, "it is a member"),
            ("10.0.0.2:3306,10.0.0.3:3306", Past::Gone, "it is excluded"),
            (",10.0.0.2:3306", Past::Elsewhere, "a member without an address"),
        ] {
            assert_eq!(node("db2", 1_000, list, "10.0.0.2:3306").past_of(&first), past, "{why}");
        }
        let doubled = node("db1", 1_000, "10.0.0.9:3306,10.0.0.9:3306", "10.0.0.9:3306");
        let second = node("db2", 1_000, "10.0.0.2:3306", "10.0.0.2:3306");
        assert_eq!(second.past_of(&doubled), Past::Elsewhere, "an address that two nodes have");
        let unlisted = node("db1", 1_000, "10.0.0.2:3306,10.0.0.3:3306", "10.0.0.1:3306");
        assert_eq!(second.past_of(&unlisted), Past::Elsewhere, "an address that is not listed");
        let mut other = node("db2", 1_000, "10.0.0.2:3306", "10.0.0.2:3306");
        other.node.as_mut().unwrap().cluster = "another".into();
        assert_eq!(other.past_of(&first), Past::Elsewhere, "another cluster");
    }
}
