//! Where slow hashes are computed: memory that is kept from one to the next, and a count of them.

use argon2::{Argon2, Block, Error};

use super::cost::{ARGON2_MEMORY_KIB, HashKind};

/// Most memory that is kept, in blocks of 1 KiB: what our own cost needs. A stored hash may ask for more, and that is given back.
const BLOCKS_KEPT_MAX: usize = ARGON2_MEMORY_KIB as usize;

/// One at a time for each thread that hashes.
#[derive(Default)]
pub(super) struct Workspace {
    blocks: Vec<Block>,
    argon2id: u64,
    bcrypt: u64,
}

impl Workspace {
    /// argon2id of a secret.
    pub(super) fn argon2id(&mut self, argon2: &Argon2<'_>, secret: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), Error> {
        self.argon2id += 1;
        let needed = argon2.params().block_count();
        if let Some(missing) = needed.checked_sub(self.blocks.len()) {
            // Memory may be short: a fault of this login, not the end of the process.
            self.blocks.try_reserve_exact(missing).map_err(|_| Error::OutOfMemory)?;
            self.blocks.resize(needed, Block::new());
        }
        let made = argon2.hash_password_into_with_memory(secret, salt, output, &mut self.blocks[..needed]);
        if self.blocks.len() > BLOCKS_KEPT_MAX {
            self.blocks = Vec::new();
        }
        made
    }

    /// Counts a slow hash that needs no memory of ours: a bcrypt.
    pub(super) fn count_bcrypt(&mut self) {
        self.bcrypt += 1;
    }

    /// How many slow hashes of this kind were computed here.
    pub(super) fn hashes(&self, kind: HashKind) -> u64 {
        match kind {
            HashKind::Argon2id => self.argon2id,
            HashKind::Bcrypt => self.bcrypt,
        }
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    fn hash(workspace: &mut Workspace, memory_kib: u32) -> [u8; 32] {
        let params = Params::new(memory_kib, 1, 1, Some(32)).unwrap();
        let mut output = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        workspace.argon2id(&argon2, b"secret", b"salt and more", &mut output).unwrap();
        output
    }

    #[test]
    fn what_was_hashed_before_changes_no_hash() {
        let mut used = Workspace::default();
        for memory_kib in [8, 64, 16, 8, 64] {
            assert_eq!(hash(&mut used, memory_kib), hash(&mut Workspace::default(), memory_kib), "{memory_kib}");
        }
        assert_eq!(used.hashes(HashKind::Argon2id), 5);
    }

    #[test]
    fn more_memory_than_our_own_cost_needs_is_given_back() {
        let mut workspace = Workspace::default();
        hash(&mut workspace, 64);
        assert_eq!(workspace.blocks.len(), 64);
        hash(&mut workspace, ARGON2_MEMORY_KIB + 8);
        assert_eq!(workspace.blocks.capacity(), 0);
    }
}
