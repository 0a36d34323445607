pub mod blobs;
pub mod egress;
pub mod manifest;
pub mod secrets;
pub mod verify;
