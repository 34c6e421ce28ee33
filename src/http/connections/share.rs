//! The shares of connections that each kind of request may use.

/// The kinds of requests. The path decides, before a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `/postback` and `/health`. A wrong token is answered at once, so only authenticated callers
    /// occupy these.
    Caller,
    /// `/login` and `/logout`, where a visitor sends a body and waits for a hash.
    Login,
    /// `/auth` and all unknown paths.
    Visitor,
    /// `/api`, which may wait for NATS.
    Api,
}

/// How many kinds there are.
pub(super) const KINDS: usize = RequestKind::Api as usize + 1;

/// A share is a number of eighths of all connections. Callers get what the others leave, two
/// eighths.
const PARTS: usize = 8;

impl RequestKind {
    /// The kind of a request for this path.
    pub fn of(path: &str) -> Self {
        let first = path.split('/').nth(1).unwrap_or_default();
        match first {
            "postback" | "health" => Self::Caller,
            "login" | "logout" => Self::Login,
            "api" => Self::Api,
            _ => Self::Visitor,
        }
    }

    /// The kind of a request to the operations listener. Pages of operators get the share of
    /// visitors.
    pub fn of_operations(path: &str) -> Self {
        match path.split('/').nth(1).unwrap_or_default() {
            "metrics" | "health" => Self::Caller,
            "login" | "logout" => Self::Login,
            _ => Self::Visitor,
        }
    }

    /// How many requests of this kind may be active at once; `None` means no separate limit.
    pub(super) fn share(self, connections: usize) -> Option<usize> {
        let parts = match self {
            Self::Caller => return None,
            Self::Login => 3,
            Self::Visitor => 2,
            Self::Api => 1,
        };
        Some((connections * parts / PARTS).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_kind() {
        for (path, kind) in [
            ("/postback/token", RequestKind::Caller),
            ("/postback", RequestKind::Caller),
            ("/health", RequestKind::Caller),
            ("/login", RequestKind::Login),
            ("/logout", RequestKind::Login),
            ("/auth", RequestKind::Visitor),
            ("/api/member/authstring", RequestKind::Api),
            ("/", RequestKind::Visitor),
            ("*", RequestKind::Visitor),
            ("", RequestKind::Visitor),
            ("/postbacks", RequestKind::Visitor),
            ("//postback/token", RequestKind::Visitor),
        ] {
            assert_eq!(RequestKind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn visitors_and_the_api_together_leave_callers_a_quarter() {
        for connections in [32, 100, 1024] {
            let shares = [RequestKind::Login, RequestKind::Visitor, RequestKind::Api]
                .map(|kind| kind.share(connections).unwrap());
            assert!(
                shares.iter().sum::<usize>() * 4 <= connections * 3,
                "{connections}: {shares:?}"
            );
        }
        assert_eq!(
            [RequestKind::Login, RequestKind::Visitor, RequestKind::Api]
                .map(|kind| kind.share(1024)),
            [Some(384), Some(256), Some(128)]
        );
        assert_eq!((RequestKind::Caller.share(1024), RequestKind::Api.share(1)), (None, Some(1)));
    }
}
