//! Warnings about somebody or something that has a name, each said once: a proxy that is not
//! listed, a host outside of all domains.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Names that are kept. More than this is a stranger's doing, not an operator's mistake.
const NAMES_MAX: usize = 32;

/// Of which names it was said.
#[derive(Debug)]
pub struct SaidOnce<T>(Mutex<HashSet<T>>);

impl<T> Default for SaidOnce<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Hash + Eq> SaidOnce<T> {
    /// Whether this name comes for the first time, and there is still room for it.
    pub fn is_first<Q>(&self, name: &Q) -> bool
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        // A panic elsewhere leaves whole names.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.len() < NAMES_MAX && !names.contains(name) && names.insert(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_the_first_once_until_there_is_no_room() {
        let said = SaidOnce::<String>::default();
        assert_eq!(
            [said.is_first("a"), said.is_first("a"), said.is_first("b")],
            [true, false, true]
        );
        let firsts = (0..100).filter(|number| said.is_first(number.to_string().as_str())).count();
        assert_eq!(firsts, NAMES_MAX - 2);
    }
}
