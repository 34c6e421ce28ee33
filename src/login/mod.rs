//! The members area: may this visitor come in?

pub mod guard;
pub mod pool;
mod recent;
pub mod remembered;
