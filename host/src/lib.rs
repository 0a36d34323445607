pub mod blobs;
pub mod manifest;
pub mod secrets;
pub mod verify;
