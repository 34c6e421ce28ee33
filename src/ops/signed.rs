//! Who sent a request to the console.

use crate::operator::{OperatorName, Role, TokenDigest};
use crate::secret::redacted;

/// The token of a session's forms.
#[derive(Clone)]
pub struct FormToken(String);

redacted!(FormToken);

impl FormToken {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for a form and for the comparison with one.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// An operator with a valid session.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The operator.
    pub operator: OperatorName,
    /// What they may do.
    pub role: Role,
    /// The token that each of their forms has, in the field `csrf`.
    pub csrf: FormToken,
    /// Of the token in the cookie.
    pub token: TokenDigest,
}

impl Signed {
    /// Whether they may do everything.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}
