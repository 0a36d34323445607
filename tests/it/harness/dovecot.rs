//! A Dovecot of the test's own: everything in its folder, and all its processes are one user's who isn't root. Any address may
//! log in with the one password, and its letters are files that the test can drop and read.

use std::{
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

use super::{Certificates, eventually};

/// The password of every mailbox.
pub(crate) const MAIL_PASSWORD: &str = "correct-horse-battery-staple";

pub(crate) struct Dovecot {
    /// With STARTTLS, and no login before.
    pub(crate) imap: u16,
    /// With TLS from the first byte.
    pub(crate) imaps: u16,
    folder: TempDir,
    owner: Owner,
    dropped: AtomicU32,
    shell: Child,
    /// Closed, it ends the shell, and that the server.
    open: Option<ChildStdin>,
}

/// Whose the processes and files are.
struct Owner {
    uid: u32,
    gid: u32,
    user: String,
    group: String,
    /// This program is root, and they are somebody else's.
    given: bool,
}

impl Dovecot {
    /// Tokens are looked up there, where the test wants some: the token is put behind it.
    pub(crate) async fn start(certificates: &Certificates, token_info: &str) -> Dovecot {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::find();
        let (imap, imaps) = (free_port(), free_port());
        let path = folder.path().to_str().unwrap();
        for name in ["run", "state", "mail"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (name, from) in [("certificate.pem", &certificates.certificate), ("key.pem", &certificates.key)] {
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("tokens.conf"), format!("tokeninfo_url = {token_info}\nusername_attribute = email\n")).unwrap();
        std::fs::write(folder.path().join("dovecot.conf"), configuration(path, &owner, imap, imaps)).unwrap();
        owner.own_all(folder.path());
        // It ends with this program, however that ends: its shell waits for the pipe to close.
        let script =
            format!("'{}' -F -c '{path}/dovecot.conf' & server=$!; read -r _ || true; kill $server; wait $server", program().display());
        let mut command = Command::new("bash");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        if owner.given {
            command.gid(owner.gid).uid(owner.uid);
        }
        let mut shell = command.spawn().unwrap();
        let open = shell.stdin.take();
        let dovecot = Dovecot { imap, imaps, folder, owner, dropped: AtomicU32::new(0), shell, open };
        let log = || std::fs::read_to_string(dovecot.folder.path().join("dovecot.log")).unwrap_or_default();
        eventually("Dovecot listens", || async {
            assert!(!log().contains("Fatal"), "{}", log());
            tokio::net::TcpStream::connect(("127.0.0.1", imaps)).await.ok()
        })
        .await;
        dovecot
    }

    /// Puts a raw letter into somebody's folder, as a mail server delivers it.
    pub(crate) fn deliver(&self, address: &str, folder: &str, letter: impl AsRef<[u8]>) {
        let mailbox = self.mailbox(address, folder);
        let number = self.dropped.fetch_add(1, Ordering::SeqCst);
        // Dovecot numbers letters that it meets together by the order of their names.
        let name = format!("{:010}.{number:06}.test", 1_000_000_000 + number);
        let draft = mailbox.join("tmp").join(&name);
        std::fs::write(&draft, letter).unwrap();
        self.owner.own(&draft);
        std::fs::rename(draft, mailbox.join("new").join(name)).unwrap();
    }

    /// So many letters of somebody's folder are marked as seen.
    pub(crate) fn seen(&self, address: &str, folder: &str) -> usize {
        let files = std::fs::read_dir(self.mailbox(address, folder).join("cur")).unwrap();
        files
            .filter(|file| {
                file.as_ref().unwrap().file_name().to_str().unwrap().rsplit_once(",").is_some_and(|(_, flags)| flags.contains('S'))
            })
            .count()
    }

    /// Loses what Dovecot knows of a folder: its letters get another UIDVALIDITY and other UIDs. Nobody may be connected.
    pub(crate) async fn forget_numbers(&self, address: &str, folder: &str) {
        let mailbox = self.mailbox(address, folder);
        // UIDVALIDITY is the second of a folder's first use: the next one has to be another.
        let used = std::fs::metadata(mailbox.join("dovecot-uidlist")).unwrap().modified().unwrap();
        eventually("a second has gone by", || async { used.elapsed().is_ok_and(|since| since.as_millis() > 1_000).then_some(()) }).await;
        for file in std::fs::read_dir(&mailbox).unwrap().map(Result::unwrap) {
            if file.file_name().to_str().unwrap().starts_with("dovecot") {
                std::fs::remove_file(file.path()).unwrap();
            }
        }
    }

    /// Ends every session, as a restart does.
    pub(crate) fn cut(&self) {
        let path = self.folder.path().join("dovecot.conf");
        let status = Command::new("doveadm").arg("-c").arg(path).args(["kick", "*"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok(), "doveadm is missing");
    }

    /// The folder, which is made where it isn't there.
    fn mailbox(&self, address: &str, folder: &str) -> PathBuf {
        let root = self.folder.path().join("mail").join(address);
        let mailbox = if folder == "INBOX" { root.clone() } else { root.join(format!(".{folder}")) };
        for path in [root, mailbox.clone(), mailbox.join("cur"), mailbox.join("new"), mailbox.join("tmp")] {
            // Dovecot may make it at the same time.
            match std::fs::create_dir(&path) {
                Ok(()) => self.owner.own(&path),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "{}: {error}", path.display()),
            }
        }
        mailbox
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        drop(self.open.take());
        let _ = self.shell.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("dovecot.log")).unwrap_or_default();
            eprintln!("---- what Dovecot logged ----\n{log}");
        }
    }
}

impl Owner {
    /// The running user, or `nobody` in root's place.
    fn find() -> Owner {
        let id = |args: &[&str]| String::from_utf8(Command::new("id").args(args).output().unwrap().stdout).unwrap().trim().to_owned();
        let given = id(&["-u"]) == "0";
        let of = |flags: &str| if given { id(&[flags, "nobody"]) } else { id(&[flags]) };
        let number = |flags: &str| of(flags).parse().unwrap();
        Owner { uid: number("-u"), gid: number("-g"), user: of("-un"), group: of("-gn"), given }
    }

    fn own(&self, path: &Path) {
        if self.given {
            std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).unwrap();
        }
    }

    /// With what is in it, one level deep.
    fn own_all(&self, folder: &Path) {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
        self.own(folder);
        for file in std::fs::read_dir(folder).unwrap() {
            self.own(&file.unwrap().path());
        }
    }
}

fn configuration(path: &str, owner: &Owner, imap: u16, imaps: u16) -> String {
    let Owner { user, group, .. } = owner;
    format!(
        "protocols = imap
listen = 127.0.0.1
base_dir = {path}/run
state_dir = {path}/state
log_path = {path}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{path}/mail/%u
mail_max_userip_connections = 0
ssl = required
ssl_cert = <{path}/certificate.pem
ssl_key = <{path}/key.pem
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {path}/tokens.conf
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={MAIL_PASSWORD}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={path}/mail/%u
}}
service anvil {{
  chroot =
  # Who fails is otherwise made to wait.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"
    )
}

/// Free a moment ago: nobody else on this machine takes it just now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Debian keeps it where only root's path leads.
fn program() -> PathBuf {
    let debian = Path::new("/usr/sbin/dovecot");
    assert!(debian.exists(), "Dovecot is missing: run `make install`");
    debian.to_owned()
}
