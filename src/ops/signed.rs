//! Who sent a request to the console.

use crate::operator::{OperatorName, Role, TokenDigest};

/// An operator with a valid session.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The operator.
    pub operator: OperatorName,
    /// What they may do.
    pub role: Role,
    /// The token that each of their forms has, in the field `csrf`.
    pub csrf: String,
    /// Of the token in the cookie.
    pub token: TokenDigest,
}

impl Signed {
    /// Whether they may do everything.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}
