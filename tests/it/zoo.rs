//! The zoo: a hostile plugin (`tests/zoo`) in a gateway with a healthy one beside it. Each trick costs its own call alone, and is counted.

mod breaking;
mod cage;
mod forging;
mod greed;
mod leaking;
mod misfits;
mod residue;
mod roaming;
mod traps;
