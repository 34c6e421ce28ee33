//! The values of labels. All of them are known beforehand, so that a caller cannot add any.

/// A label with a fixed list of values.
pub trait Label: Copy + Eq + 'static {
    /// All values, in the order of their numbers.
    const ALL: &'static [Self];

    /// The value as `/metrics` shows it.
    fn text(self) -> &'static str;

    /// The place of the value in [`Label::ALL`].
    fn number(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or(0)
    }
}

/// Why a call of the postback address was refused without being read as a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is missing or wrong.
    Token,
    /// The token is right, and the address is not allowed.
    Address,
    /// Neither GET nor POST.
    Method,
    /// The body has more bytes than are read.
    BodyTooLong,
    /// The body was not complete in time.
    BodyTooSlow,
    /// The body ended early.
    BodyBrokenOff,
    /// The service was stopping.
    Stopping,
}

impl Label for Refused {
    const ALL: &'static [Self] = &[
        Self::Token,
        Self::Address,
        Self::Method,
        Self::BodyTooLong,
        Self::BodyTooSlow,
        Self::BodyBrokenOff,
        Self::Stopping,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Address => "address",
            Self::Method => "method",
            Self::BodyTooLong => "body_too_long",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyBrokenOff => "body_broken_off",
            Self::Stopping => "stopping",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// Who asks whether a visitor is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A web server, at `/auth`.
    Auth,
    /// Apache, by FastCGI.
    Fastcgi,
}

impl Label for Asker {
    const ALL: &'static [Self] = &[Self::Auth, Self::Fastcgi];

    fn text(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Fastcgi => "fastcgi",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// What a visitor showed, as far as it decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A cookie.
    Cookie,
    /// A name and a password, by HTTP Basic.
    Basic,
    /// Neither of them.
    Nothing,
}

impl Label for Way {
    const ALL: &'static [Self] = &[Self::Cookie, Self::Basic, Self::Nothing];

    fn text(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Basic => "basic",
            Self::Nothing => "none",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// The outcome for a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A member.
    Admitted,
    /// They must log in. Of a login: the name or the password is wrong.
    LogIn,
    /// Their login has ended because it was not used.
    Idle,
    /// On trial, where only full members are admitted.
    Trial,
    /// There were too many wrong passwords.
    Blocked,
    /// The login is used from too many places.
    Shared,
    /// It could not be decided: too many passwords waited, or the database was not readable.
    Undecided,
    /// The query or the form was wrong.
    Invalid,
}

impl Label for Outcome {
    const ALL: &'static [Self] = &[
        Self::Admitted,
        Self::LogIn,
        Self::Idle,
        Self::Trial,
        Self::Blocked,
        Self::Shared,
        Self::Undecided,
        Self::Invalid,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::LogIn => "login",
            Self::Idle => "idle",
            Self::Trial => "trial",
            Self::Blocked => "blocked",
            Self::Shared => "shared",
            Self::Undecided => "undecided",
            Self::Invalid => "invalid",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// Where a name and a password were typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAt {
    /// The login page.
    Page,
    /// The browser's own prompt: each request of such a browser is one.
    Basic,
}

impl Label for TypedAt {
    const ALL: &'static [Self] = &[Self::Page, Self::Basic];

    fn text(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Basic => "basic",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

/// The outcome of a call of the REST API for authstrings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// An authstring, or the member of one that was redeemed.
    Answered,
    /// No active member is meant, or NATS has no authstring.
    Empty,
    /// The key is missing or wrong, or not valid from there or for this site.
    NotAllowed,
    /// The query, the method or the body is wrong, or the authstring is unknown.
    Invalid,
    /// NATS did not answer in time.
    TimedOut,
    /// NATS could not be reached, or its answer was wrong.
    NatsFailed,
    /// Too many calls wait, the database is not readable, or there is no source of authstrings.
    Unavailable,
}

impl Label for Call {
    const ALL: &'static [Self] = &[
        Self::Answered,
        Self::Empty,
        Self::NotAllowed,
        Self::Invalid,
        Self::TimedOut,
        Self::NatsFailed,
        Self::Unavailable,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Empty => "empty",
            Self::NotAllowed => "not_allowed",
            Self::Invalid => "invalid",
            Self::TimedOut => "timed_out",
            Self::NatsFailed => "nats_failed",
            Self::Unavailable => "unavailable",
        }
    }

    fn number(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<L: Label + std::fmt::Debug>() {
        let mut texts = std::collections::BTreeSet::new();
        for (number, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.number(), number, "{label:?}");
            assert!(texts.insert(label.text()), "{label:?}");
        }
    }

    #[test]
    fn each_value_has_the_number_of_its_place_and_a_text_of_its_own() {
        check::<Refused>();
        check::<Asker>();
        check::<Way>();
        check::<Outcome>();
        check::<TypedAt>();
        check::<Call>();
    }
}
