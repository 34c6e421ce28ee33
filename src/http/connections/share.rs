//! Which requests share slots.

/// The kinds of requests, told by their path: before a body is read, and whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/postback` and `/health`. A wrong token is answered at once, so nobody else stays here.
    Caller,
    /// `/login` and `/logout`, where a visitor sends a body and waits for a hash.
    Login,
    /// `/auth`, and what is nowhere.
    Visitor,
    /// `/api`, which may wait for NATS.
    Api,
}

/// How many kinds there are.
pub(super) const KINDS: usize = Kind::Api as usize + 1;

/// The shares are so many parts of all connections. Callers have what the others leave, two parts.
const PARTS: usize = 8;

impl Kind {
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

    /// How many of this kind may be under way at once; none has no bound of its own.
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
            ("/postback/token", Kind::Caller),
            ("/postback", Kind::Caller),
            ("/health", Kind::Caller),
            ("/login", Kind::Login),
            ("/logout", Kind::Login),
            ("/auth", Kind::Visitor),
            ("/api/member/authstring", Kind::Api),
            ("/", Kind::Visitor),
            ("*", Kind::Visitor),
            ("", Kind::Visitor),
            ("/postbacks", Kind::Visitor),
            ("//postback/token", Kind::Visitor),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn visitors_and_the_api_together_leave_callers_a_quarter() {
        for connections in [32, 100, 1024] {
            let shares = [Kind::Login, Kind::Visitor, Kind::Api]
                .map(|kind| kind.share(connections).unwrap());
            assert!(
                shares.iter().sum::<usize>() * 4 <= connections * 3,
                "{connections}: {shares:?}"
            );
        }
        assert_eq!(
            [Kind::Login, Kind::Visitor, Kind::Api].map(|kind| kind.share(1024)),
            [Some(384), Some(256), Some(128)]
        );
        assert_eq!((Kind::Caller.share(1024), Kind::Api.share(1)), (None, Some(1)));
    }
}
