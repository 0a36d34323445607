//! Waiting for letters (RFC 2177).

use super::folder::exists;
use super::reply::Reply;
use super::said::Status;
use super::{Doing, Session, refused};
use crate::domain::failure::Failure;

/// Lines of a server that tells something.
const LINE_MAX: usize = 64 * 1024;

/// What ended the wait by itself.
#[derive(Debug, PartialEq)]
pub(in crate::mail) enum News {
    /// There are more letters than before.
    Letters,
}

impl Session {
    /// Has the server tell what happens in the folder that was entered.
    pub(in crate::mail) async fn begin_idle(&mut self) -> Result<String, Failure> {
        let tag = self.next_tag();
        self.write(format!("{tag} IDLE\r\n").as_bytes()).await?;
        // Until the end is said and answered, nothing else can be.
        self.is_usable = false;
        loop {
            match self.read(None).await? {
                Reply::Continue(_) => return Ok(tag),
                Reply::Tagged(_, said) => {
                    self.is_usable = true;
                    return Err(refused(Doing::Other, &said));
                }
                other => self.pass(Doing::Other, &other)?,
            }
        }
    }

    /// Waits for letters beyond those that there are. The wait may be given up at any time: nothing that came is lost.
    pub(in crate::mail) async fn wait(&mut self, count: &mut u32) -> Result<News, Failure> {
        loop {
            let line = self.wire.line(LINE_MAX).await;
            let mut line = self.intact(line)?;
            let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
            if text.starts_with("* BYE") {
                return Err(super::unavailable("bye", format!("{}: {text}", self.host)));
            }
            if text.ends_with(" EXPUNGE") {
                *count = count.saturating_sub(1);
            }
            line.extend_from_slice(b"\r\n");
            if let Some(now) = exists(&line) {
                let has_more = now > *count;
                *count = now;
                if has_more {
                    return Ok(News::Letters);
                }
            }
        }
    }

    pub(in crate::mail) async fn end_idle(&mut self, tag: &str) -> Result<(), Failure> {
        self.write(b"DONE\r\n").await?;
        let (said, _) = self.finish(Doing::Other, tag, None).await?;
        self.is_usable = said.status == Status::Ok;
        Ok(())
    }
}
