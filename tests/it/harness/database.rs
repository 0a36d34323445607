//! SQLite in the test's folder, or a database of its own in a throw-away PostgreSQL cluster.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// Removes the database of that setting although somebody is connected to it.
    pub(super) fn drop_url(url: &str) {
        let name = url.rsplit('/').next().unwrap();
        Cluster::shared().psql(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }

    /// The setting `database.url` for a gateway of its own.
    pub(crate) fn make_url(self) -> String {
        match self {
            Database::Sqlite => String::new(),
            Database::Postgres => Cluster::shared().make_database(),
        }
    }
}

/// Whether PostgreSQL waits for the disk: for figures, to be set before the first database is made. Tests needn't wait.
pub(crate) static WAITS_FOR_DISK: AtomicBool = AtomicBool::new(false);

/// One cluster for the test program. It ends with the program, however that ends: its shell waits for the pipe to close.
struct Cluster {
    socket: PathBuf,
    made: AtomicU32,
    _open: ChildStdin,
    _shell: Child,
}

impl Cluster {
    fn shared() -> &'static Cluster {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start)
    }

    fn start() -> Cluster {
        let programs = programs();
        let folder = std::env::temp_dir().join(format!("patchbay-pg-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // PostgreSQL refuses to run as root: then the cluster is its own user's.
        let owner = owner();
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        // Safe against a crash of the cluster it needn't be: fsync off makes a cluster for tests fast.
        let fsync = if WAITS_FOR_DISK.load(Ordering::SeqCst) { "on" } else { "off" };
        let script = format!(
            "set -e; cd '{folder}'; '{programs}/initdb' -D data -U patchbay -A trust -E UTF8 --locale=C --no-sync >initdb.log 2>&1; \
             '{programs}/postgres' -D data -k '{folder}' -c listen_addresses='' -c fsync={fsync} -c max_connections=400 >postgres.log 2>&1 & \
             server=$!; read -r _ || true; kill -INT $server; wait $server || true; rm -rf '{folder}'",
            folder = folder.display(),
            programs = programs.display(),
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null());
        if let Some((uid, gid)) = owner {
            command.gid(gid).uid(uid);
        }
        let mut shell = command.spawn().unwrap();
        let open = shell.stdin.take().unwrap();
        // The pipe stays open as long as this program runs.
        let cluster = Cluster { socket: folder, made: AtomicU32::new(0), _open: open, _shell: shell };
        let patience = Instant::now() + Duration::from_secs(60);
        while cluster.psql("SELECT 1").is_err() {
            assert!(Instant::now() < patience, "PostgreSQL didn't start: see {}", cluster.socket.display());
            std::thread::sleep(Duration::from_millis(100));
        }
        cluster
    }

    fn make_database(&self) -> String {
        let name = format!("gateway_{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.psql(&format!("CREATE DATABASE {name}")).unwrap();
        let host = self.socket.display().to_string().replace('/', "%2F");
        format!("postgres://patchbay@{host}/{name}")
    }

    fn psql(&self, statement: &str) -> Result<(), String> {
        let mut psql = Command::new(programs().join("psql"))
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-U", "patchbay", "-d", "postgres", "-h"])
            .arg(&self.socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that can't connect may end before it has read; its output says why.
        let _ = psql.stdin.take().unwrap().write_all(statement.as_bytes());
        let output = psql.wait_with_output().unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }
}

/// Where Debian keeps the server's programs; other systems have them on the path.
fn programs() -> PathBuf {
    let debian = Path::new("/usr/lib/postgresql");
    let newest = std::fs::read_dir(debian)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max();
    newest.unwrap_or_else(|| PathBuf::from("/usr/bin"))
}

/// The user `postgres`, where this program runs as root.
fn owner() -> Option<(u32, u32)> {
    let id = |flag: &str, user: &[&str]| {
        let output = Command::new("id").arg(flag).args(user).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    if id("-u", &[])? != 0 {
        return None;
    }
    Some((id("-u", &["postgres"])?, id("-g", &["postgres"])?))
}
