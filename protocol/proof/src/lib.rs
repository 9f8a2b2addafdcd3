//! The proof of the protocol, on the very machines that ship: what must hold ([`properties`]), and who tries to break it.

pub mod claims;
pub mod model;
pub mod mutants;
pub mod properties;
pub mod sim;
