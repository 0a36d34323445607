//! EMAIL end to end: against Dovecot and aiosmtpd with TLS and logins, and against the stand-in for what real servers don't do on demand.

mod bench;
mod connecting;
mod failing;
mod incoming;
mod lasting;
mod outgoing;
mod threads;
