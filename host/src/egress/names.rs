//! Names to addresses, as the machine's resolver tells them. Whatever it says is judged by [`Gate`](super::guard::Gate).

use std::io;
use std::net::SocketAddr;

/// Asks once.
pub(super) async fn addresses_of(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    #[cfg(test)]
    if let Some(addresses) = scripted::answer(host) {
        return Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect());
    }
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

/// Names that answer as a test says.
#[cfg(test)]
pub(super) mod scripted {
    use std::collections::{BTreeMap, VecDeque};
    use std::net::IpAddr;
    use std::sync::{Mutex, PoisonError};

    static NAMES: Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>> = Mutex::new(BTreeMap::new());

    /// Each question gets the next answer; the last one goes for all behind it.
    pub(in crate::egress) fn script(name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect()).collect();
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), answers);
    }

    pub(super) fn answer(name: &str) -> Option<Vec<IpAddr>> {
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = names.get_mut(name)?;
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    }
}
